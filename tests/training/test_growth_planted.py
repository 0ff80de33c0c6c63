"""Drawn lesions: where they are is known, and nothing else is changed or claimed. Networks that start from weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genomap_core.errors import InputError
from genomap_core.models.baselines2d import build_network
from genomap_core.models.physnet import Growth, PhysicsConfig, PhysNet
from genomap_core.training.growth import GrowthClassifier, GrowthTraining, Knowledge
from genomap_core.training.growth_augment import Shift, standardise
from genomap_core.training.growth_losses import LossWeights, Targets, class_loss, misplaced_density, misplaced_loss
from genomap_core.training.growth_planted import Planted, draw_lesions

LITE = GrowthTraining(
    network="physnet_lite",
    physics=PhysicsConfig(n_steps=2, stage=3, clear=2),
    losses=LossWeights(misplaced=0.5),
    max_epochs=1,
    batch_size=4,
    shift=Shift(),
    planted=Planted(healthy=1.0),
    frozen=2,
    device="cpu",
)


def heads(n: int, seed: int, side: int = 64) -> torch.Tensor:
    """Noise inside ellipses, standardised."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    head = (torch.hypot(y / 0.9, x / 0.7) < 1).float().expand(n, 1, -1, -1)
    noise = torch.randn((n, 1, side, side), generator=torch.Generator().manual_seed(seed))
    return standardise(noise * head, head)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_a_lesion_lies_in_the_head_and_changes_the_image_where_the_mask_says(seed: int, n: int) -> None:
    x = heads(n, seed)
    drawn, masks = draw_lesions(x, torch.Generator().manual_seed(seed))
    again, _ = draw_lesions(x, torch.Generator().manual_seed(seed))
    torch.testing.assert_close(drawn, again)
    head = x != 0
    assert not bool(drawn[~head].any())
    assert not bool((masks[:, None][~head] > 0).any())
    assert bool((masks.sum((1, 2)) > 0).all())
    inside = drawn[head].std(), drawn[head].mean()
    torch.testing.assert_close(torch.stack(inside), torch.tensor([1.0, 0.0]), atol=0.05, rtol=0)
    for before, after, mask in zip(x[:, 0], drawn[:, 0], masks, strict=True):
        tissue = (mask == 0) & (before != 0)
        slope, offset = np.polyfit(before[tissue].numpy(), after[tissue].numpy(), 1)  # of the new standardisation
        change = (after - slope * before - offset).abs()
        assert float(change[mask > 0].mean()) > float(change[tissue].mean())


def test_images_without_a_head_get_no_lesion_and_no_fault() -> None:
    drawn, masks = draw_lesions(torch.zeros(2, 1, 32, 32), torch.Generator().manual_seed(0))
    assert not bool(drawn.any())
    assert not bool(masks.any())


def test_a_healthy_head_with_a_lesion_may_be_of_any_tumour_and_a_tumour_stays_what_it_is() -> None:
    x = heads(4, 0)
    targets = Targets(torch.eye(4), None, torch.tensor([1.0, 1, 0, float("nan")]))
    seen, known = Planted(healthy=1.0, tumour=1.0)(x, targets, torch.Generator().manual_seed(0))
    assert known.one_hot.tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [1, 1, 0, 1], [0, 0, 0, 1]]
    assert known.tumour is not None
    assert known.tumour[:3].tolist() == [1, 1, 1]
    assert known.masks is not None
    assert known.masks.flatten(1).isnan().all(1).tolist() == [True, True, False, True]
    assert [torch.equal(a, b) for a, b in zip(seen, x, strict=True)] == [False, False, False, True]
    untouched, same = Planted(0.0, 0.0)(x, targets, torch.Generator().manual_seed(0))
    torch.testing.assert_close(untouched, x)
    torch.testing.assert_close(same.one_hot, targets.one_hot)


def test_the_loss_of_one_class_is_cross_entropy_and_of_several_that_of_their_sum() -> None:
    logits, y = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 2, 3, 0, 2])
    weights = torch.tensor([1.0, 2.0, 0.5, 1.0])
    own = class_loss(logits, torch.eye(4)[y], weights)
    torch.testing.assert_close(own, torch.nn.functional.cross_entropy(logits, y, weights))
    allowed = torch.tensor([[1.0, 1, 0, 1]])
    told = class_loss(logits[:1], allowed, weights)
    torch.testing.assert_close(told, -logits[0].softmax(0)[[0, 1, 3]].sum().log())
    assert bool(
        torch.autograd.functional.jacobian(lambda z: class_loss(z, allowed, weights), logits[:1]).isfinite().all()
    )


def growths(*boxes: tuple[slice, slice] | None) -> Growth:
    """Densities of .8 in a box each."""
    last = torch.zeros(len(boxes), 16, 16)
    for i, box in enumerate(boxes):
        if box is not None:
            last[i][box] = 0.8
    one = torch.ones(len(boxes), 1, 1)
    return Growth(torch.stack([last / 2, last], 1), one, one)


def test_a_density_of_another_slice_counts_as_far_as_it_lies_beside_the_own_one() -> None:
    left, right, half = (slice(0, 8), slice(0, 8)), (slice(0, 8), slice(8, 16)), (slice(0, 8), slice(4, 12))
    own = growths(left, None, right, None, half, None, left, None)
    rows, other, beside = misplaced_density(own, torch.Generator().manual_seed(3))
    assert len(rows) == 4
    for i, row in enumerate(rows):
        mine, there = own.frames[row, -1], own.frames[rows.roll(1)[i], -1]
        torch.testing.assert_close(other.frames[i, -1], there)
        want = float((there - mine).clamp_min(0).sum() / there.sum()) if there.any() else 0.0
        assert float(beside[i]) == pytest.approx(want, abs=1e-5)
    assert 0 < float(beside.max()) <= 1


def test_no_tumour_is_right_through_a_density_that_lies_beside() -> None:
    logits = torch.tensor([[0.0, 0, 20], [20, 0, 0]])
    assert float(misplaced_loss(logits, torch.tensor([1.0, 0.0]), 2)) == pytest.approx(0, abs=1e-4)
    assert float(misplaced_loss(logits, torch.tensor([0.0, 1.0]), 2)) == pytest.approx(20, abs=1e-4)


def published() -> dict[str, torch.Tensor]:
    torch.manual_seed(5)
    own = build_network("efficientnet_lite", 3, 7).state_dict()
    return {n: v for n, v in own.items() if not n.startswith("out.")}


def test_a_network_starts_from_published_weights_and_keeps_the_frozen_ones() -> None:
    x, y = heads(8, 1).numpy(), np.arange(8) % 4
    start = published()
    fitted = GrowthClassifier(LITE, start=start).fit(x, y, 4, Knowledge(tumour=(y != 2).astype(np.float32)))
    (net,) = fitted.modules_
    assert fitted.history_[0]["misplaced"] > 0
    assert isinstance(net, PhysNet)
    before = build_network("efficientnet_lite", 1, 4)
    before.adopt(start)  # type: ignore[operator]
    weights = dict(net.backbone.named_parameters())
    for name, value in before.named_parameters():
        kept = name.startswith(("stem.", "stages.0.", "stages.1."))
        assert torch.equal(weights[name], value) == kept or name.startswith("out."), name


def test_weights_for_another_network_and_lesions_without_a_shift_are_refused() -> None:
    x, y = heads(4, 1).numpy(), np.arange(4)
    with pytest.raises(InputError, match="EfficientNet-Lite0"):
        GrowthClassifier(replace(LITE, network="resnet18", width=8), start=published()).fit(x, y)
    with pytest.raises(InputError, match="clear"):
        replace(LITE, physics=PhysicsConfig())
    with pytest.raises(InputError, match="shift"):
        replace(LITE, shift=None)
