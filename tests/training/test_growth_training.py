"""Training of PhysNet: losses that say what they mean, training that learns, a file that gives it back."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from genomap_core.errors import BundleError, Cancelled, InputError
from genomap_core.models.physnet import Growth, PhysicsConfig
from genomap_core.progress import Progress
from genomap_core.training.growth import GrowthClassifier, GrowthTraining, Knowledge
from genomap_core.training.growth_bundle import load_growth, save_growth
from genomap_core.training.growth_losses import LossWeights, Targets, contour_loss, growth_losses

PHYSICS = PhysicsConfig(n_steps=4, stage=1)
TINY = GrowthTraining(
    width=8, stem_stride=2, physics=PHYSICS, max_epochs=6, batch_size=8, learning_rate=5e-3, device="cpu"
)


def blobs(n: int, seed: int = 0, size: int = 32) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Half of the images hold a bright disc somewhere: images, labels, masks."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 2
    rows, columns = np.ogrid[:size, :size]
    centres = rng.integers(8, size - 8, (n, 2))
    masks = np.stack([(rows - r) ** 2 + (columns - c) ** 2 < 25 for r, c in centres]) * y[:, None, None]
    return (2 * masks + rng.normal(0, 0.3, masks.shape))[:, None].astype(np.float32), y, masks.astype(np.float32)


def growth(last: torch.Tensor, d: float = 1.0, r: float = 0.25) -> Growth:
    n = len(last)
    frames = torch.stack([torch.zeros_like(last), last], dim=1)
    return Growth(frames, torch.full((n, 1, 1), d), torch.full((n, 1, 1), r))


def terms_of(growth_: Growth, targets: Targets, **weights: float) -> dict[str, float]:
    logits, ones = torch.zeros(len(targets.one_hot), 2), torch.ones(2)
    return growth_losses(logits, growth_, targets, ones, LossWeights(**weights), PHYSICS)[1]


def test_the_right_contour_costs_less_than_any_other() -> None:
    mask = torch.zeros(1, 32, 32)
    mask[:, 8:20, 8:20] = 1
    perfect = contour_loss(mask, mask)
    for wrong in (torch.zeros_like(mask), torch.ones_like(mask), mask.roll(6, 1), 0.1 * mask):
        assert float(contour_loss(wrong, mask)) > float(perfect) + 0.3


def test_the_contour_is_the_one_of_16_percent() -> None:
    mask = torch.ones(1, 8, 8)
    assert float(contour_loss(0.3 * mask, mask)) < 0.1 < float(contour_loss(0.1 * mask, mask))


def test_weak_supervision_wants_a_small_tumour_where_one_is_and_nothing_elsewhere() -> None:
    density = torch.ones(1, 8, 8) * torch.tensor([0.0, 0.01, 0.05, 0.10, 0.20])[:, None, None]
    least, most = LossWeights().tumour_burden
    wanted = {1.0: [1, 0.5, 0, 0, (0.2 - most) / least], 0.0: [0, 0.5, 2.5, 5, 10 + (0.2 - most) / least]}
    wanted[float("nan")] = [0, 0, 0, 0, (0.2 - most) / least]
    for tumour, costs in wanted.items():
        for row, cost in zip(density, costs):
            terms = terms_of(growth(row[None]), Targets(torch.eye(2)[:1], None, torch.tensor([tumour])))
            assert terms["burden"] == pytest.approx(cost, rel=1e-4, abs=1e-5)


def test_a_mask_replaces_weak_supervision_and_missing_masks_are_left_out() -> None:
    masks = torch.full((2, 8, 8), torch.nan)
    targets = Targets(torch.eye(2), masks, torch.tensor([1.0, 1.0]))
    terms = terms_of(growth(torch.zeros(2, 8, 8)), targets)
    assert "density" not in terms
    assert terms["burden"] == pytest.approx(1)
    masks[0] = 0.0
    terms = terms_of(growth(torch.zeros(2, 8, 8)), Targets(torch.eye(2), masks, torch.tensor([1.0, 1.0])))
    assert terms["density"] < 0.1


def test_known_rates_are_compared_in_the_logarithm_and_unknown_ones_left_out() -> None:
    d, r = 1.1, 0.3
    truth = torch.tensor([[np.log(d / r), np.log(d * r)], [np.log(d / r) + 0.5, torch.nan]], dtype=torch.float32)
    terms = terms_of(growth(torch.zeros(2, 8, 8), d, r), Targets(torch.eye(2), known=truth))
    assert terms["known"] == pytest.approx(0.25 / 3, rel=1e-4)


def test_rates_in_the_middle_of_their_ranges_are_free_and_flat_maps_are_smooth() -> None:
    length, rate = (float(np.sqrt(a * b)) for a, b in (PHYSICS.length_range, PHYSICS.rate_range))
    targets, last = Targets(torch.eye(2)), torch.zeros(2, 8, 8)
    assert terms_of(growth(last, length**2 * rate, rate), targets)["prior"] == pytest.approx(0, abs=1e-9)
    longest = PHYSICS.length_range[1] ** 2 * rate
    assert terms_of(growth(last, longest, rate), targets)["prior"] == pytest.approx(1, rel=1e-4)
    flat, bumpy = torch.full((2, 8, 8), 0.05), 0.05 + 0.02 * torch.rand(2, 8, 8)
    frames = growth(last).frames
    assert terms_of(Growth(frames, flat, flat), targets)["smooth"] == 0
    assert terms_of(Growth(frames, bumpy, flat), targets)["smooth"] > 0.01


def test_the_total_is_the_weighted_sum_and_negative_weights_are_refused() -> None:
    targets = Targets(torch.eye(2), tumour=torch.tensor([1.0, 0.0]))
    weights = LossWeights(cross_entropy=2.0, burden=0.5, seed=3.0, prior=0.1)
    total, terms = growth_losses(
        torch.zeros(2, 2), growth(torch.rand(2, 8, 8)), targets, torch.ones(2), weights, PHYSICS
    )
    assert float(total) == pytest.approx(sum(getattr(weights, k) * v for k, v in terms.items()), rel=1e-5)
    with pytest.raises(InputError, match="burden"):
        LossWeights(burden=-1.0)
    with pytest.raises(InputError, match="tumour_burden"):
        LossWeights(tumour_burden=(0.2, 0.1))


@pytest.fixture(scope="module")
def trained() -> GrowthClassifier:
    x, y, masks = blobs(64)
    config = dataclasses.replace(TINY, max_epochs=12, batch_size=16, learning_rate=1e-2, n_seeds=2)
    return GrowthClassifier(config).fit(x, y, 2, Knowledge(masks=masks, tumour=y.astype(np.float32)))


def test_it_learns_planted_discs_and_their_place(trained: GrowthClassifier) -> None:
    x, y, masks = blobs(40, seed=9)
    assert (trained.predict_proba(x).argmax(1) == y).mean() >= 0.9
    seen = trained.observe(x)
    assert seen.frames.shape == (40, 5, 32, 32)
    assert seen.diffusion.shape == seen.rate.shape == (2, 40)
    last = seen.frames[y == 1, -1]
    inside, outside = last[masks[y == 1] > 0].mean(), last[masks[y == 1] == 0].mean()
    assert inside > 0.16 > outside


def test_every_term_is_reported_and_falls(trained: GrowthClassifier) -> None:
    first, last = trained.history_[0], trained.history_[11]
    assert {"loss", "cross_entropy", "density", "seed", "prior"} <= first.keys()
    assert last["cross_entropy"] < first["cross_entropy"]
    assert last["density"] < first["density"]


def test_a_file_gives_the_model_back(trained: GrowthClassifier, tmp_path) -> None:
    x, *_ = blobs(4, seed=3)
    save_growth(tmp_path / "m.safetensors", trained, classes=("a", "b"), size=32, infiltrating=("b",))
    again = load_growth(tmp_path / "m.safetensors")
    np.testing.assert_allclose(again.model.predict_proba(x), trained.predict_proba(x), atol=1e-6)
    np.testing.assert_allclose(again.model.observe(x).frames, trained.observe(x).frames, atol=1e-6)
    assert (again.classes, again.infiltrating, again.size) == (("a", "b"), ("b",), 32)


def test_damaged_and_foreign_files_are_refused(trained: GrowthClassifier, tmp_path) -> None:
    path = tmp_path / "m.safetensors"
    save_growth(path, trained, classes=("a", "b"), size=32, half=True)
    data = path.read_bytes()
    for broken in (b"", b"x" * 100, data[: len(data) // 2], data.replace(b"genomap-growth", b"genomap-other1")):
        with pytest.raises(BundleError):
            load_growth(broken)


def test_training_is_the_same_for_a_seed_and_leaves_the_global_randomness_alone() -> None:
    x, y, _ = blobs(16)
    config = dataclasses.replace(TINY, max_epochs=2)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    probas = [GrowthClassifier(config).fit(x, y).predict_proba(x) for _ in range(2)]
    np.testing.assert_array_equal(probas[0], probas[1])
    assert torch.equal(torch.get_rng_state(), before)
    other = GrowthClassifier(dataclasses.replace(config, seed=1)).fit(x, y).predict_proba(x)
    assert not np.allclose(other, probas[0])


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_training_that_was_killed_goes_on_from_its_last_epoch_to_the_same_network(after: int, tmp_path) -> None:
    x, y, masks = blobs(16)
    known = Knowledge(masks=masks, tumour=y.astype(np.float32))
    config = dataclasses.replace(TINY, max_epochs=3, n_seeds=2)
    whole = GrowthClassifier(config).fit(x, y, 2, known)
    epochs: list[int] = []

    def note(progress: Progress) -> None:
        if progress.values:
            epochs.append(progress.step)
            if len(epochs) == after:
                raise Killed

    with pytest.raises(Killed):
        GrowthClassifier(config, note, tmp_path).fit(x, y, 2, known)
    torch.manual_seed(99)
    again = GrowthClassifier(config, note, tmp_path).fit(x, y, 2, known)
    assert epochs == [1, 2, 3, 4, 5, 6], "each epoch once"
    assert again.history_ == whole.history_
    for one, other in zip(whole.modules_, again.modules_):
        for name, tensor in one.state_dict().items():
            np.testing.assert_array_equal(tensor, other.state_dict()[name], err_msg=name)


def test_a_saved_training_of_other_images_is_not_gone_on_with(tmp_path) -> None:
    x, y, _ = blobs(8)
    config = dataclasses.replace(TINY, max_epochs=1)
    GrowthClassifier(config, checkpoint_dir=tmp_path).fit(x, y)
    with pytest.raises(InputError, match="other data or options"):
        GrowthClassifier(config, checkpoint_dir=tmp_path).fit(x + 1, y)


@pytest.mark.parametrize("network", ["resnet18", "mobilenet_v2"])
def test_baselines_train_by_the_same_code_and_hold_no_growth(network: str) -> None:
    x, y, _ = blobs(24)
    model = GrowthClassifier(dataclasses.replace(TINY, network=network)).fit(x, y)
    assert model.predict_proba(x).shape == (24, 2)
    with pytest.raises(InputError, match="no growth model"):
        model.observe(x)


def test_it_can_be_stopped_between_two_batches() -> None:
    seen: list[Progress] = []

    def stop(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 2:
            raise Cancelled("stop")

    x, y, _ = blobs(32)
    with pytest.raises(Cancelled):
        GrowthClassifier(TINY, stop).fit(x, y)
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((4, 32, 32), np.float32), "channels"),
        (np.zeros((4, 1, 16, 16), np.float32), "32 x 32"),
        (np.full((4, 1, 32, 32), np.nan, np.float32), "finite"),
    ],
)
def test_images_that_cannot_be_used_are_refused(images: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        GrowthClassifier(TINY).fit(images, np.array([0, 1, 0, 1]))


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(InputError, match="vgg19"):
        GrowthTraining(network="alexnet")
