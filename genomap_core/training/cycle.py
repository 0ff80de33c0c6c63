"""One network trained for a fixed number of epochs under one cycle of the learning rate; a stopped one goes on."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.progress import OnProgress, Progress
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.loop import TrainState

BatchLoss = Callable[[Tensor, torch.Generator], tuple[Tensor, dict[str, float]]]
"""``(row numbers, randomness) -> (loss, its terms)``."""


@dataclass(frozen=True, eq=False)
class Cycle:
    """How each of ``n_seeds`` networks is trained on ``n_rows`` rows."""

    n_rows: int
    n_epochs: int
    batch_size: int
    n_seeds: int
    device: torch.device
    on_progress: OnProgress
    saved: Checkpoints | None = None
    n_parts: int = 1
    """Parts that a batch is computed in, one after the other; each holds two rows at least"""

    @property
    def n_batches(self) -> int:
        return math.ceil(self.n_rows / self.batch_size)


def seeded_generator(seed: int, k: int) -> torch.Generator:
    """Randomness of network ``k``; torch's own generators are seeded from it."""
    generator = torch.Generator().manual_seed(int(np.random.SeedSequence([seed, k]).generate_state(1)[0]))
    torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
    return generator


def balanced_weights(counts: np.ndarray) -> np.ndarray:
    """Weight of each class, so that all weigh alike: counts ``(C,)`` -> ``(C,)``."""
    return np.asarray(counts.sum() / np.maximum(counts, 1) / max(1, (counts > 0).sum()))


def train_cycle(
    cycle: Cycle,
    k: int,
    module: nn.Module,
    optimiser: torch.optim.Optimizer,
    generator: torch.Generator,
    loss: BatchLoss,
) -> list[dict[str, float]]:
    """Train network ``k`` in place; the rates of ``optimiser`` are the highest of the cycle (Smith & Topin, 2019).

    Returns a dict for each epoch: ``seed``, ``epoch``, ``loss`` and its terms.
    """
    state = TrainState(module, optimiser)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        [group["lr"] for group in optimiser.param_groups],
        total_steps=cycle.n_epochs * cycle.n_batches,
        pct_start=0.2,
    )
    save: Callable[[TrainState], None] = lambda state: None  # noqa: E731
    if cycle.saved is not None:
        cycle.saved.restore(str(k), state)
        _go_on(state, schedule, state.epoch * cycle.n_batches, generator)
        save = cycle.saved.saver(str(k))
    done, total = k * cycle.n_epochs, cycle.n_seeds * cycle.n_epochs
    for epoch in range(state.epoch, cycle.n_epochs):
        module.train()
        sums: dict[str, float] = {}
        order = torch.randperm(cycle.n_rows, generator=generator).to(cycle.device)
        for rows in torch.tensor_split(order, cycle.n_batches):
            optimiser.zero_grad(set_to_none=True)
            for part in torch.tensor_split(rows, max(1, min(cycle.n_parts, len(rows) // 2))):
                value, terms = loss(part, generator)
                (value * (len(part) / len(rows))).backward()
                for name, term in {"loss": float(value.detach()), **terms}.items():
                    sums[name] = sums.get(name, 0.0) + term * len(part) / cycle.n_rows
            nn.utils.clip_grad_norm_(module.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            cycle.on_progress(Progress("training", done + epoch, total))
        if not math.isfinite(sums["loss"]):
            raise InputError(f"The loss became {sums['loss']} in epoch {epoch + 1}: lower `learning_rate`.")
        state.epoch = epoch + 1
        state.curve.append({"seed": float(k), "epoch": epoch + 1.0, **sums})
        state.generators = {"own": generator.get_state(), "shared": torch.get_rng_state()}
        save(state)
        cycle.on_progress(Progress("training", done + epoch + 1, total, sums))
    return state.curve


def _go_on(
    state: TrainState, schedule: torch.optim.lr_scheduler.OneCycleLR, n_steps: int, generator: torch.Generator
) -> None:
    """Bring rates and randomness to where a restored state stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the schedule misses the optimiser's steps, which were made before
        for _ in range(n_steps):
            schedule.step()
    if state.generators:
        generator.set_state(state.generators["own"])
        torch.set_rng_state(state.generators["shared"])
