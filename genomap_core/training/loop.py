"""One network trained on maps: epochs, validation, early stopping. Knows no scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.training.augment import add_noise, mixup
from genomap_core.training.device import autocast, half_precision
from genomap_core.training.rows import RowMaps


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How one network is trained; every default was chosen on colon, SRBCT, leukaemia and micromass only."""

    max_epochs: int = 40
    patience: int = 10
    """Epochs without a better validation loss before training ends."""
    batch_size: int = 32
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    noise: float = 0.5
    """Highest standard deviation of the noise, in standard deviations of each feature."""
    mixup: float = 0.4
    """Both parameters of mixup's Beta distribution; 0: none."""
    epoch_rows: int = 2500
    """Most rows that an epoch sees, drawn anew each time: more rows don't need more steps, and would take hours."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "patience", "batch_size", "epoch_rows"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be > 0, got {self.learning_rate}.")
        for name in ("weight_decay", "noise", "mixup"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must be >= 0, got {getattr(self, name)}.")


Report = Callable[[int, dict[str, float]], None]
"""``(epochs done, figures)``: after each epoch with its figures, after each batch with none. May raise Cancelled."""


@dataclass(frozen=True, eq=False)
class MapData:
    """Maps ``(n, c, H, W)`` float32 and class codes ``(n,)`` int64, on one device (maps of many sparse rows: none).

    ``copies`` ``(R, n, c, H, W)``: the same rows with features missing and filled; where given, half of the rows that
    training draws are such copies.
    """

    x: Tensor | RowMaps
    y: Tensor
    copies: Tensor | None = None

    def to(self, device: torch.device) -> MapData:
        x = self.x if isinstance(self.x, RowMaps) else self.x.to(device)
        return MapData(x, self.y.to(device), None if self.copies is None else self.copies.to(device))

    def whole(self, rows: Tensor) -> Tensor:
        """Maps of these rows as they are."""
        if isinstance(self.x, Tensor):
            return self.x[rows]
        return torch.from_numpy(self.x[rows.cpu().numpy()]).to(rows.device)

    def drawn(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Maps of these rows, whole or as one of the copies."""
        whole = self.whole(rows)
        if self.copies is None:
            return whole
        n_copies = len(self.copies)
        pick = torch.randint(2 * n_copies, rows.shape, generator=generator, device=rows.device)
        lost = pick < n_copies
        return torch.where(lost[:, None, None, None], self.copies[pick.clamp_max(n_copies - 1), rows], whole)


@dataclass(eq=False)
class TrainState:
    """Everything that a stopped training needs to go on: changed in place by :func:`train`."""

    module: nn.Module
    optimiser: torch.optim.Optimizer
    epoch: int = 0
    curve: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    start_loss: float = math.inf
    """Validation loss before the first epoch."""
    best_loss: float = math.inf
    best_epoch: int = 0
    left_out: list[Tensor] = field(default_factory=list)
    """Logits ``(m, k)`` of the validation rows before the first epoch and after each."""
    generators: dict[str, Tensor] = field(default_factory=dict)
    """States of random generators that run through all epochs; empty where each epoch is seeded by its number."""


def new_state(module: nn.Module, config: TrainConfig) -> TrainState:
    """The state before the first epoch."""
    rate, decay = config.learning_rate, config.weight_decay
    return TrainState(module, torch.optim.AdamW(module.parameters(), rate, weight_decay=decay, fused=True))


def train(
    state: TrainState,
    data: MapData,
    config: TrainConfig,
    *,
    seed: int,
    class_weights: Tensor,
    n_epochs: int | None = None,
    validation: MapData | None = None,
    report: Report,
    save: Callable[[TrainState], None] = lambda state: None,
) -> None:
    """Train ``state.module`` in place until ``n_epochs`` (default ``max_epochs``), or until patience ends.

    With validation rows the weights of the best epoch are in ``state.best``; the start (epoch 0) takes part. The
    randomness of an epoch depends on ``seed`` and its number only, so that a training resumed from a saved state is
    bit-identical on a CPU.
    """
    device = data.y.device
    scaler = torch.amp.GradScaler(device.type, enabled=half_precision(device) is torch.float16)
    if validation is not None and state.epoch == 0:
        _validate(state, validation, class_weights)
        state.start_loss = state.best_loss
    last = config.max_epochs if n_epochs is None else n_epochs
    while state.epoch < last and not (validation is not None and state.epoch - state.best_epoch >= config.patience):
        figures = {"loss": _run_epoch(state, data, config, seed, class_weights, scaler, report)}
        state.epoch += 1
        if validation is not None:
            figures |= _validate(state, validation, class_weights)
        state.curve.append({"epoch": state.epoch, **figures})
        save(state)
        report(state.epoch, figures)


def _run_epoch(
    state: TrainState,
    data: MapData,
    config: TrainConfig,
    seed: int,
    class_weights: Tensor,
    scaler: torch.amp.GradScaler,
    report: Report,
) -> float:
    module, device, n = state.module, data.y.device, len(data.y)
    generator = _reseed(seed, state.epoch, device)
    order = torch.randperm(n, generator=generator, device=device)[: config.epoch_rows]
    one_hot = F.one_hot(data.y, len(class_weights)).float()
    total = 0.0
    module.train()
    for rows in _even_batches(order, config.batch_size):
        x = add_noise(data.drawn(rows, generator), config.noise, module.get_buffer("mask"), generator)
        x, target = mixup(x, one_hot[rows], config.mixup, generator)
        with autocast(device):
            logits = module(x)
        loss = weighted_cross_entropy(logits.float(), target, class_weights)
        state.optimiser.zero_grad(set_to_none=True)
        scaler.scale(loss).backward()
        scaler.step(state.optimiser)
        scaler.update()
        total += loss.item() * len(rows) / len(order)
        report(state.epoch, {})
    if not math.isfinite(total):
        raise InputError(
            f"The loss became {total} in epoch {state.epoch + 1}: lower `learning_rate`, or look for "
            "extreme values in the table (standardise its features first)."
        )
    return total


def _even_batches(order: Tensor, batch_size: int) -> tuple[Tensor, ...]:
    """Batches of nearly equal size, so that no last batch of one row moves the network as much as a full one."""
    return torch.tensor_split(order, math.ceil(len(order) / batch_size))


def _reseed(seed: int, epoch: int, device: torch.device) -> torch.Generator:
    """Seed torch's own generators (dropout) for an epoch, and return one for the rest."""
    own, shared = np.random.SeedSequence([seed, epoch]).generate_state(2, np.uint64)
    torch.manual_seed(int(shared >> 1))
    return torch.Generator(device=device.type).manual_seed(int(own >> 1))


def weighted_cross_entropy(logits: Tensor, target: Tensor, class_weights: Tensor) -> Tensor:
    """Mean cross-entropy of soft targets ``(B, k)``, each class counted by its weight ``(k,)``."""
    weighted = target * class_weights
    return -(weighted * F.log_softmax(logits, dim=1)).sum() / weighted.sum()


@torch.inference_mode()
def predict_logits(module: nn.Module, x: Tensor, batch_size: int = 256) -> Tensor:
    """Logits in full precision without dropout: ``(n, c, H, W)`` -> ``(n, n_classes)``."""
    module.eval()
    return torch.cat([module(part) for part in x.split(batch_size)])


def _validate(state: TrainState, data: MapData, class_weights: Tensor) -> dict[str, float]:
    """Loss (weighted as in training) and accuracy of the rows that are left out; notes them, and the best weights."""
    logits = predict_logits(state.module, data.whole(torch.arange(len(data.y), device=data.y.device)))
    target = F.one_hot(data.y, len(class_weights)).float()
    loss = weighted_cross_entropy(logits, target, class_weights).item()
    state.left_out.append(logits.cpu())
    if loss < state.best_loss:
        state.best_loss, state.best_epoch = loss, state.epoch
        state.best = {name: t.detach().clone() for name, t in state.module.state_dict().items()}
    return {"val_loss": loss, "val_accuracy": (logits.argmax(1) == data.y).float().mean().item()}
