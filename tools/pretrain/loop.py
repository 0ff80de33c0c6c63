"""The pre-training loop: one network of the package's v3 architecture, tables from the prior, resumable at any step.

The stream of tables depends on the seed and the step only, the start on the seed only, so a training that was stopped
and resumed is the same training. The learning rate warms up and stays; the final weights are made apart, by a short
decay from any saved state (warm-up, stable, decay: Hu et al., arXiv 2404.06395), so that training can always go on.
"""

from __future__ import annotations

import math
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.errors import InputError
from genomap_core.pfn.checkpoint import Size, new_network
from tools.pretrain.muon import Muon
from tools.pretrain.prior import Batch, PriorConfig, draw_batch

FORMAT = "genomap-pretraining/1"
VALIDATION_SEED = 2**31 - 1
"""Stream of the validation tables; no training uses it."""


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """Everything that decides what is learned, apart from how long."""

    size: Size = field(default_factory=lambda: Size(32, 3, 4, 2, 32, 4))
    prior: PriorConfig = field(default_factory=PriorConfig)
    seed: int = 0
    cells: int = 4_000
    """Values in one batch of tables; small batches learn more from the same tables."""
    learning_rate: float = 2e-3
    warm_up: int = 200
    """Steps until the learning rate is reached."""
    curriculum: int = 12_000
    """Steps until tables have all sizes and numbers of classes of the prior."""
    muon: bool = True
    """Muon for the matrices of the transformer blocks, AdamW for the rest; False: AdamW for all."""
    average: float = 0.998
    """Decay of the running average of the weights, which is what is evaluated."""
    start: str = ""
    """What the training began with, for the card; empty: random weights."""

    def __post_init__(self) -> None:
        if self.seed == VALIDATION_SEED or self.cells < 1 or not 0 <= self.average < 1:
            raise InputError("`seed`, `cells` or `average` is out of range.")


@dataclass(eq=False)
class Pretraining:
    """A training in progress: changed in place by :func:`run`, written and read as one file."""

    config: PretrainConfig
    network: nn.Module
    architecture_config: Any
    optimisers: list[torch.optim.Optimizer]
    averaged: dict[str, Tensor]
    step: int = 0
    tables: int = 0
    seconds: float = 0.0
    """Time spent training, in seconds of CPU (or of wall clock on a GPU)."""

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device


def start(config: PretrainConfig, device: str = "cpu", weights: Path | None = None) -> Pretraining:
    """An untrained network with its optimisers, or one that begins with the ``.safetensors`` file ``weights``.

    Raises
    ------
    InputError
        The file is damaged, or of a network of another size.
    """
    network, architecture_config = new_network("v3", config.size, config.seed)
    if weights is not None:
        network.load_state_dict(_weights_for(network, weights))
    network = network.to(device).train()
    averaged = {name: p.detach().clone() for name, p in network.state_dict().items()}
    return Pretraining(config, network, architecture_config, optimisers_for(network, config), averaged)


def _weights_for(network: nn.Module, path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found = load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: no weights to start from ({error}).") from error
    shapes = {name: tuple(p.shape) for name, p in network.state_dict().items()}
    if {name: tuple(p.shape) for name, p in found.items()} != shapes:
        raise InputError(f"{path}: weights of another architecture or size; give its `--width`, `--layers`, `--heads`.")
    return found


def optimisers_for(network: nn.Module, config: PretrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside blocks, AdamW for everything else."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if config.muon and p.ndim == 2 and "block" in name and "scaling" not in name]
    inside = {id(p) for p in matrices}
    rest = [p for _, p in named if id(p) not in inside]
    rate = config.learning_rate
    optimisers: list[torch.optim.Optimizer] = [torch.optim.AdamW(rest, lr=rate, weight_decay=0.0, betas=(0.9, 0.98))]
    if matrices:
        optimisers.append(Muon(matrices, lr=rate))
    return optimisers


def run(
    state: Pretraining,
    stop: Callable[[Pretraining], bool],
    *,
    batches: Callable[[int], Iterable[Batch]] | None = None,
    report: Callable[[Pretraining, float], None] = lambda state, loss: None,
    decay: Callable[[Pretraining], float] | None = None,
) -> None:
    """Train in place until ``stop`` says so; ``report`` hears of every step with its loss.

    Parameters
    ----------
    batches
        From a step on, the batches of all later steps; None: drawn here, one by one.
    decay
        Factor on the learning rate, from 1 down; the training stops where it reaches 0.
    """
    clock = time.process_time if state.device.type == "cpu" else time.perf_counter
    stream = iter((batches or (lambda step: table_stream(state.config, step)))(state.step))
    while not stop(state) and (share := 1.0 if decay is None else decay(state)) > 0:
        began = clock()
        loss = _step(state, next(stream), share)
        state.seconds += clock() - began
        report(state, loss)


def table_stream(config: PretrainConfig, step: int) -> Iterator[Batch]:
    """Batches of step ``step``, ``step + 1``, ..."""
    while True:
        yield batch_of_step(config, step)
        step += 1


def batch_of_step(config: PretrainConfig, step: int) -> Batch:
    """The tables of one step."""
    fraction = step / max(1, config.curriculum)
    return draw_batch(config.prior, config.cells, config.seed, step, fraction)


def _step(state: Pretraining, batch: Batch, share: float) -> float:
    config = state.config
    rate = config.learning_rate * min(1.0, (state.step + 1) / config.warm_up) * share
    loss = table_loss(state.network, batch, state.device)[0]
    loss.backward()
    norm = nn.utils.clip_grad_norm_(state.network.parameters(), 1.0)
    for optimiser in state.optimisers:
        for group in optimiser.param_groups:
            group["lr"] = rate
        if torch.isfinite(norm):  # one broken table must not end a training of days
            optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    state.step += 1
    state.tables += batch.n_tables
    _average(state)
    return float(loss.detach())


@torch.no_grad()
def _average(state: Pretraining) -> None:
    # Young averages forget faster, so that the random start is gone after a few hundred steps.
    decay = min(state.config.average, (1 + state.step) / (10 + state.step))
    current = state.network.state_dict()
    for name, value in state.averaged.items():
        if value.dtype.is_floating_point:
            value.lerp_(current[name], 1 - decay)


def table_loss(network: nn.Module, batch: Batch, device: torch.device) -> tuple[Tensor, Tensor]:
    """Cross-entropy (nats) and accuracy of the test rows, over the classes that occur in their training rows."""
    x, y = torch.from_numpy(batch.X).to(device), torch.from_numpy(batch.y).to(device)
    known, asked = y[: batch.n_train], y[batch.n_train :]
    dtype = torch.bfloat16
    with torch.autocast(device.type, dtype=dtype, enabled=device.type == "cuda"):
        logits = network(x, known.float(), task_type="multiclass")
    logits = logits.float()
    present = torch.zeros(y.shape[1], logits.shape[-1], dtype=torch.bool, device=device)
    present.scatter_(1, known.T, True)
    counted = present.gather(1, asked.T).T
    # The package cuts the logits to the classes of the training rows in the same way.
    logits = logits.masked_fill(~present, -1e4)
    each = F.cross_entropy(logits.flatten(0, 1), asked.flatten(), reduction="none").view_as(counted)
    n = counted.sum().clamp(min=1)
    return (each * counted).sum() / n, ((logits.argmax(-1) == asked) & counted).sum() / n


def validation_batches(config: PretrainConfig, n: int = 24) -> list[Batch]:
    """Tables of the whole prior that no training sees."""
    return [draw_batch(config.prior, config.cells, VALIDATION_SEED, i) for i in range(n)]


def validate(state: Pretraining, batches: list[Batch], network: nn.Module | None = None) -> dict[str, float]:
    """Loss and accuracy of the averaged weights (or of ``network``) on tables never trained on."""
    network = averaged_network(state) if network is None else network
    with torch.no_grad():
        figures = [[float(v) for v in table_loss(network, batch, state.device)] for batch in batches]
    loss, accuracy = np.mean(figures, axis=0)
    return {"val_loss": float(loss), "val_accuracy": float(accuracy)}


def averaged_network(state: Pretraining) -> nn.Module:
    """The network with the running average of its weights, in evaluation mode."""
    network, _ = new_network("v3", state.config.size, state.config.seed)
    network.load_state_dict(state.averaged)
    return network.to(state.device).eval()


def save_state(state: Pretraining, path: Path) -> None:
    """Write everything that is needed to go on; the old file is replaced only when the new one is complete."""
    content = {
        "format": FORMAT,
        "config": asdict(state.config),
        "network": state.network.state_dict(),
        "averaged": state.averaged,
        "optimisers": [optimiser.state_dict() for optimiser in state.optimisers],
        "progress": {"step": state.step, "tables": state.tables, "seconds": state.seconds},
    }
    part = path.with_suffix(".part")
    torch.save(content, part)
    part.replace(path)


def load_state(path: Path, device: str = "cpu") -> Pretraining:
    """Read what :func:`save_state` wrote.

    Raises
    ------
    InputError
        The file is damaged or of another format.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise InputError(f"{path}: damaged, or not the state of a pre-training; start in another folder.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path}: not the state of a pre-training of this version ({FORMAT}).")
    values = dict(content["config"])
    values |= {"size": Size(**values["size"]), "prior": PriorConfig(**values["prior"])}
    state = start(PretrainConfig(**values), device)
    state.network.load_state_dict(content["network"])
    state.averaged = {name: value.to(device) for name, value in content["averaged"].items()}
    for optimiser, saved in zip(state.optimisers, content["optimisers"]):
        optimiser.load_state_dict(saved)
    for name, value in content["progress"].items():
        setattr(state, name, value)
    return state


def perplexity(loss: float) -> float:
    """``exp(loss)``: between how many classes the network hesitates on average."""
    return math.exp(min(loss, 20.0))
