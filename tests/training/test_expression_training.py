"""Networks from images to expression: what they learn, from whom, a stopped training, the file, weights of a ResNet."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from planted_expression import DRIVEN, TINY, images_and_genes, planted_expression, two_types
from safetensors.torch import save_file
from torch import nn

from genomap_core.data.images.expression import expression_cohort
from genomap_core.data.images.networks import FULL, ExpressionConfig
from genomap_core.errors import BundleError, Cancelled, InputError
from genomap_core.models.expression import DenseHead, ExpressionNet, ExpressionSpec, MapHead, adopt_resnet
from genomap_core.progress import Progress
from genomap_core.training.expression import ExpressionRegressor, expression_loss
from genomap_core.training.expression_bundle import load_expression, save_expression
from genomap_core.workflows.expression.statistics import pearson_each


def r_of(model: ExpressionRegressor, cohort) -> np.ndarray:
    return pearson_each(cohort.expression, model.predict(cohort))


@pytest.fixture(scope="module")
def model() -> ExpressionRegressor:
    return ExpressionRegressor(TINY).fit(planted_expression())


def test_driven_genes_are_predicted_for_new_patients_and_the_others_are_not(model: ExpressionRegressor) -> None:
    r = r_of(model, planted_expression(60, seed=7))
    assert r[:DRIVEN].min() > 0.5
    assert abs(r[DRIVEN:].mean()) < 0.2


@pytest.mark.parametrize("changed", [{"head": "map"}, {"loss": "huber"}, {"loss": "pearson"}, {"pooling": "mean"}])
def test_other_heads_losses_and_poolings_learn_too(changed: dict[str, str]) -> None:
    config = dataclasses.replace(TINY, epochs=14, **changed)
    model = ExpressionRegressor(config).fit(planted_expression())
    assert r_of(model, planted_expression(60, seed=7))[:DRIVEN].mean() > 0.5


def test_a_table_is_seen_as_a_map() -> None:
    model = ExpressionRegressor(dataclasses.replace(TINY, epochs=20)).fit(expression_cohort(two_types()))
    assert model.spec.front == "patches"
    new = expression_cohort(two_types(60, seed=7))
    assert model.inputs(new).shape[:3] == (60, 1, 1)
    assert r_of(model, new)[:DRIVEN].mean() > 0.4


def test_slices_of_a_patient_are_pooled_whatever_their_order(model: ExpressionRegressor) -> None:
    cohort = planted_expression(slices=3)
    sliced = ExpressionRegressor(TINY).fit(cohort)
    assert sliced.spec.channels == 1
    pictures = sliced.inputs(cohort)
    assert pictures.shape == (64, 3, 1, 16, 16)
    np.testing.assert_allclose(sliced.answers(pictures), sliced.answers(pictures[:, [2, 0, 1]]), atol=1e-5)


def test_eight_layers_and_the_published_size() -> None:
    assert ExpressionConfig().n_layers == FULL.n_layers == 8
    spec = ExpressionSpec(
        3, (256, 256), 20_000, FULL.front, FULL.width, FULL.embedding, 8, FULL.n_heads, FULL.expansion
    )
    with torch.device("meta"):
        net = ExpressionNet(spec).eval()
        assert net(torch.zeros(1, 1, 3, 256, 256)).shape == (1, 20_000)
    assert net.place.shape == (1, 768, 16, 16)
    assert sum(p.numel() for p in net.head.parameters()) < 6_000_000, "low rank"


@pytest.mark.parametrize(
    ("changed", "lacks"),
    [
        ({"paths": "statistics"}, ("encoder.", "embed.", "place", "over_tokens.")),
        ({"paths": "transformer"}, ("skip.",)),
        ({"paths": "both", "n_layers": 0}, ("encoder.layers.",)),
    ],
)
def test_a_part_that_is_left_out_is_not_there_and_the_rest_is_stored(
    tmp_path: Path, changed: dict[str, object], lacks: tuple[str, ...]
) -> None:
    cohort = planted_expression(32)
    model = ExpressionRegressor(dataclasses.replace(TINY, epochs=2, **changed)).fit(cohort)  # type: ignore[arg-type]
    names = list(model.module_.state_dict())
    assert not [name for name in names if name.startswith(lacks)]
    assert len(names) < len(ExpressionNet(dataclasses.replace(model.spec, paths="both", n_layers=2)).state_dict())
    save_expression(tmp_path / "m.safetensors", model)
    again = load_expression(tmp_path / "m.safetensors").model
    np.testing.assert_allclose(again.predict(cohort), model.predict(cohort), atol=1e-4)


def test_what_is_seen_of_a_patient_decides_on_the_transformer_unless_it_is_chosen() -> None:
    assert ExpressionConfig().seeing(images=True).paths == "statistics"
    assert ExpressionConfig().seeing(images=False).paths == FULL.seeing(images=True).paths == "both"


def test_a_new_network_says_the_mean_of_every_gene() -> None:
    cohort = planted_expression(16)
    for head in ("dense", "map"):
        untrained = ExpressionRegressor(dataclasses.replace(TINY, head=head, epochs=1, learning_rate=1e-12))
        found = untrained.fit(cohort).predict(cohort)
        np.testing.assert_allclose(found, np.tile(cohort.expression.mean(0), (16, 1)), atol=1e-4)


def test_random_weights_answer_and_know_nothing() -> None:
    cohort = planted_expression()
    found = ExpressionRegressor(TINY).fit(cohort, learn=False).predict(cohort)
    assert (found.std(axis=0) > 0).all()
    assert np.abs(pearson_each(cohort.expression, found)[DRIVEN:]).mean() < 0.4


def test_the_map_head_reads_each_gene_in_its_cell() -> None:
    head = MapHead(8, 5, (3, 4), 4)
    head.cell_of_gene.copy_(torch.tensor([11, 0, 4, 7, 2]))
    nn.init.normal_(head.out.weight)
    x = torch.randn(2, 8)
    y = head(x)
    assert y.shape == (2, 5)
    head.cell_of_gene.copy_(torch.tensor([0, 11, 4, 7, 2]))
    torch.testing.assert_close(head(x)[:, [1, 0, 2, 3, 4]], y)


def test_many_genes_pass_a_narrow_layer() -> None:
    assert DenseHead(64, 2000).out.in_features == 64
    assert DenseHead(64, 2001).out.in_features == 32


def test_losses_against_their_formulas() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(12, 5, generator=generator) for _ in range(2))
    squared = ((a - b) ** 2).mean()
    torch.testing.assert_close(expression_loss("mse", a, b), squared)
    r = torch.tensor([np.corrcoef(a[:, j], b[:, j])[0, 1] for j in range(5)], dtype=torch.float32)
    torch.testing.assert_close(expression_loss("pearson", a, b), squared + (1 - r).mean(), atol=1e-4, rtol=0)
    far = a + 10
    torch.testing.assert_close(expression_loss("huber", far, a), torch.tensor(9.5))


def test_test_patients_teach_nothing() -> None:
    cohort = planted_expression()
    train = np.arange(48)
    other = dataclasses.replace(cohort, expression=cohort.expression.copy())
    other.expression[48:] += 100
    first, second = (
        ExpressionRegressor(TINY).fit(c.take(train)).predict(c.take(range(48, 64))) for c in (cohort, other)
    )
    np.testing.assert_array_equal(first, second)


def test_the_same_seed_gives_the_same_network_and_the_callers_randomness_stays() -> None:
    cohort = planted_expression(32)
    state = torch.get_rng_state()
    first, second = (ExpressionRegressor(TINY).fit(cohort).predict(cohort) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_in_parts_have_the_same_gradient() -> None:
    cohort = planted_expression(32)
    still = dataclasses.replace(
        TINY, epochs=2, noise=0.0, mirror=False, shift=0.0, dropout=0.0, front="patches", batch_size=8
    )
    whole, parts = (
        ExpressionRegressor(dataclasses.replace(still, accumulate=k)).fit(cohort).history_[0]["loss"] for k in (1, 2)
    )
    assert parts == pytest.approx(whole, rel=1e-2)


def test_a_stopped_training_goes_on_and_ends_alike(tmp_path: Path) -> None:
    cohort = planted_expression(32)
    whole = ExpressionRegressor(TINY).fit(cohort)

    def stop(progress: Progress) -> None:
        if progress.stage == "training" and progress.step == 4 and progress.values:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        ExpressionRegressor(TINY, stop, tmp_path).fit(cohort)
    assert list(tmp_path.glob("*.safetensors"))
    steps: list[int] = []
    again = ExpressionRegressor(TINY, lambda p: steps.append(p.step) if p.stage == "training" else None, tmp_path).fit(
        cohort
    )
    assert min(steps) >= 4
    np.testing.assert_allclose(again.predict(cohort), whole.predict(cohort), atol=1e-5)


@pytest.mark.parametrize("head", ["dense", "map"])
def test_a_file_answers_as_the_model_did(tmp_path: Path, head: str) -> None:
    cohort = planted_expression(32)
    model = ExpressionRegressor(dataclasses.replace(TINY, head=head)).fit(cohort)
    save_expression(tmp_path / "m.safetensors", model, provenance={"cohort": "planted"})
    loaded = load_expression(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.model.predict(cohort), model.predict(cohort))
    assert loaded.provenance == {"cohort": "planted"}


def test_a_table_model_is_stored_with_its_layout(tmp_path: Path) -> None:
    cohort = expression_cohort(two_types(32))
    model = ExpressionRegressor(TINY).fit(cohort)
    save_expression(tmp_path / "m.safetensors", model)
    np.testing.assert_array_equal(
        load_expression(tmp_path / "m.safetensors").model.predict(cohort), model.predict(cohort)
    )


def test_damaged_files_are_refused(tmp_path: Path, model: ExpressionRegressor) -> None:
    path = tmp_path / "m.safetensors"
    save_expression(path, model)
    data = bytearray(path.read_bytes())
    data[-20] ^= 255
    with pytest.raises(BundleError, match="checksum"):
        load_expression(bytes(data))
    with pytest.raises(BundleError, match="no model of this kind"):
        load_expression(b"nothing")
    with pytest.raises(BundleError):
        load_expression(path.read_bytes()[:-100])


def test_other_images_are_refused(model: ExpressionRegressor) -> None:
    with pytest.raises(InputError, match="16 x 16 pixels, these have 20 x 20"):
        model.predict(planted_expression(size=20))
    with pytest.raises(InputError, match="trained on the channels grey"):
        model.predict(planted_expression(slices=2))
    broken = images_and_genes()
    broken.images[0, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="no finite number"):
        model.predict(expression_cohort(broken))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"front": "vgg"}, "`front` must be one of"),
        ({"embedding": 30, "n_heads": 4}, "multiple of `n_heads`"),
        ({"batch_size": 2, "accumulate": 2}, "twice `accumulate`"),
        ({"weights": "x.safetensors"}, "choose the front 'resnet18'"),
        ({"dropout": 1.0}, "`dropout` must lie in"),
        ({"learning_rate": 0.0}, "`learning_rate` must be > 0"),
        ({"noise": -1.0}, "`noise` must be >= 0"),
        ({"n_layers": -1}, "`n_layers` must be >= 0"),
        ({"paths": "none"}, "`paths` must be one of"),
    ],
)
def test_options_out_of_range_are_named(changed: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        ExpressionConfig(**changed)  # type: ignore[arg-type]


def resnet18(width: int = 8) -> dict[str, torch.Tensor]:
    """A state dict named as MONAI's and torchvision's ResNet-18, for colour images."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (width, 3, 7, 7)}

    def norm(name: str, c: int) -> None:
        shapes.update({f"{name}.{k}": (c,) for k in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", width)
    c_in = width
    for stage in (1, 2, 3, 4):
        c_out = width * 2 ** (stage - 1)
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            for k, c in ((1, c_in if block == 0 else c_out), (2, c_out)):
                shapes[f"{name}.conv{k}.weight"] = (c_out, c, 3, 3)
                norm(f"{name}.bn{k}", c_out)
            if block == 0 and c_in != c_out:
                shapes[f"{name}.downsample.0.weight"] = (c_out, c_in, 1, 1)
                norm(f"{name}.downsample.1", c_out)
        c_in = c_out
    generator = torch.Generator().manual_seed(3)
    return {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}


def test_weights_of_a_resnet_are_taken(tmp_path: Path) -> None:
    weights = resnet18()
    save_file(weights, tmp_path / "resnet.safetensors")
    config = dataclasses.replace(TINY, front="resnet18", width=8, weights=str(tmp_path / "resnet.safetensors"))
    model = ExpressionRegressor(config).fit(planted_expression(16, size=32), learn=False)
    front = model.module_.front.state_dict()
    torch.testing.assert_close(front["0.0.weight"], weights["conv1.weight"].mean(1, keepdim=True))
    torch.testing.assert_close(front["3.1.second.0.weight"], weights["layer3.1.conv2.weight"])
    torch.testing.assert_close(front["2.0.shortcut.1.bias"], weights["layer2.0.downsample.1.bias"])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    net = ExpressionNet(ExpressionSpec(1, (32, 32), 4, "resnet18", 8, 16, 1, 2))
    wrong = resnet18(16)
    with pytest.raises(InputError, match="needs `width` 64"):
        adopt_resnet(net, wrong)
    with pytest.raises(InputError, match="no 2-D ResNet-18"):
        adopt_resnet(net, {})
    (tmp_path / "x.safetensors").write_bytes(b"no tensors")
    config = dataclasses.replace(TINY, front="resnet18", weights=str(tmp_path / "x.safetensors"))
    with pytest.raises(InputError, match="is no safetensors file"):
        ExpressionRegressor(config).fit(planted_expression(16, size=32))
    with pytest.raises(InputError, match="There is no file y"):
        ExpressionRegressor(dataclasses.replace(config, weights=str(tmp_path / "y"))).fit(
            planted_expression(16, size=32)
        )
