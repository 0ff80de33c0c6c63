"""One network's training: its loss, its batches, its augmentation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from genomap_core.errors import InputError
from genomap_core.models import MapCNN
from genomap_core.training.augment import add_noise, mixup
from genomap_core.training.loop import (
    MapData,
    TrainConfig,
    _even_batches,
    new_state,
    predict_logits,
    train,
    weighted_cross_entropy,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def data(n: int = 30, seed: int = 0) -> MapData:
    y = torch.arange(n) % 2
    x = torch.randn(n, 1, 6, 6, generator=generator(seed))
    x[:, 0, 2:4, 2:4] += 1.5 * (2.0 * y - 1)[:, None, None]
    return MapData(x, y)


def ignore(epoch: int, figures: dict[str, float]) -> None: ...


def test_hard_targets_give_torchs_weighted_cross_entropy():
    logits, y, w = torch.randn(9, 4), torch.arange(9) % 4, torch.tensor([1.0, 2.0, 0.5, 3.0])
    want = nn.functional.cross_entropy(logits, y, weight=w)
    torch.testing.assert_close(weighted_cross_entropy(logits, nn.functional.one_hot(y, 4).float(), w), want)


@given(st.integers(1, 200), st.integers(1, 64))
@settings(deadline=None)
def test_batches_cover_every_row_once_and_differ_by_one_at_most(n, size):
    batches = _even_batches(torch.arange(n), size)
    np.testing.assert_array_equal(torch.cat(batches), np.arange(n))
    lengths = [len(b) for b in batches]
    assert max(lengths) <= size
    assert max(lengths) - min(lengths) <= 1


def test_noise_has_the_stated_strength_inside_the_mask_and_none_outside():
    mask = torch.zeros(1, 20, 20)
    mask[:, :10] = 1
    noise = add_noise(torch.zeros(4000, 1, 20, 20), 2.0, mask, generator())
    assert (noise[:, :, 10:] == 0).all()
    per_sample = noise[:, :, :10].flatten(1).std(dim=1)
    assert per_sample.max() < 2.0 * 1.25
    assert per_sample.mean() == pytest.approx(1.0, abs=0.05)  # uniform between 0 and 2


def test_mixup_mixes_inputs_and_targets_with_the_same_weight():
    y = torch.eye(2)[torch.arange(1000) % 2]
    x = y[:, :1].reshape(-1, 1, 1, 1)
    mixed, target = mixup(x, y, 0.4, generator())
    torch.testing.assert_close(mixed.flatten(), target[:, 0])
    weight = target[:, 0]
    assert ((weight > 0.01) & (weight < 0.99)).any()
    assert target.sum(dim=1).sub(1).abs().max() < 1e-6


def test_without_augmentation_a_batch_stays_as_it_is():
    x, y = torch.randn(3, 1, 2, 2), torch.eye(3)
    assert add_noise(x, 0.0, torch.ones(1, 2, 2), generator()) is x
    assert mixup(x, y, 0.0, generator()) == (x, y)


def test_training_lowers_the_loss_and_keeps_the_best_epochs_weights():
    config = TrainConfig(max_epochs=15, patience=15, learning_rate=1e-2)
    state, held_out = new_state(MapCNN(1, 6, 6, 2), config), data(20, seed=5)
    train(state, data(), config, seed=1, class_weights=torch.ones(2), validation=held_out, report=ignore)
    losses = [figures["val_loss"] for figures in state.curve]
    assert losses[-1] < 0.7 * state.start_loss
    assert [len(logits) for logits in state.left_out] == [20] * 16  # before the first epoch and after each
    assert state.best_epoch == 1 + int(np.argmin(losses))
    state.module.load_state_dict(state.best)
    logits = predict_logits(state.module, held_out.x)
    assert nn.functional.cross_entropy(logits, held_out.y).item() == pytest.approx(state.best_loss, abs=1e-6)
    torch.testing.assert_close(state.left_out[state.best_epoch], logits)


def test_patience_ends_a_training_that_only_gets_worse():
    held_out = MapData(data(20, seed=5).x, 1 - data(20).y)  # labels turned round
    config = TrainConfig(max_epochs=50, patience=3)
    state = new_state(MapCNN(1, 6, 6, 2), config)
    train(state, data(), config, seed=1, class_weights=torch.ones(2), validation=held_out, report=ignore)
    assert state.epoch == state.best_epoch + 3 < 50


def test_the_report_is_called_after_every_batch_and_every_epoch():
    calls = []
    config = TrainConfig(max_epochs=2, batch_size=10)
    state = new_state(MapCNN(1, 6, 6, 2), config)
    train(state, data(), config, seed=0, class_weights=torch.ones(2), report=lambda e, f: calls.append((e, bool(f))))
    assert calls == [(0, False)] * 3 + [(1, True)] + [(1, False)] * 3 + [(2, True)]


def test_a_loss_that_is_not_finite_is_an_error_that_says_what_to_do():
    broken = MapData(data().x * float("nan"), data().y)
    state = new_state(MapCNN(1, 6, 6, 2), TrainConfig())
    with pytest.raises(InputError, match="learning_rate"):
        train(state, broken, TrainConfig(), seed=0, class_weights=torch.ones(2), report=ignore)


@pytest.mark.parametrize(
    ("field", "value"), [("max_epochs", 0), ("batch_size", 0), ("learning_rate", 0.0), ("noise", -1.0), ("mixup", -0.1)]
)
def test_options_out_of_range_are_named(field, value):
    with pytest.raises(InputError, match=field):
        TrainConfig(**{field: value})


def test_an_epoch_of_many_rows_sees_some_and_each_time_others():
    """Time grows with the rows that are seen: a cohort of 20,000 cells must not take hours."""
    seen: list[int] = []

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.out = nn.Linear(1, 2)
            self.register_buffer("mask", torch.ones(1, 1, 1))

        def forward(self, x):
            seen.extend(x[:, 0, 0, 0].round().int().tolist())
            return self.out(x.flatten(1))

    config = TrainConfig(max_epochs=2, batch_size=16, noise=0.0, mixup=0.0, epoch_rows=40)
    data = MapData(torch.arange(100.0)[:, None, None, None], torch.arange(100) % 2)
    train(new_state(Counting(), config), data, config, seed=0, class_weights=torch.ones(2), report=lambda *_: None)
    first, second = set(seen[:40]), set(seen[40:])
    assert len(first) == len(second) == 40
    assert first != second
