"""Is an explanation true to the model? Deletion and insertion, infidelity, sensitivity, and a shuffled model.

Each check alone has known flaws (deleted rows lie off the data's distribution), so several are reported together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.errors import InputError
from genomap_core.explain.regions import Scorer
from genomap_core.explain.stages import map_stages
from genomap_core.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, eq=False)
class DeletionInsertion:
    """Output of the model while features go (deletion) or come (insertion), the most supportive first.

    ``fractions`` ``(s,)`` of the features changed; ``deletion`` and ``insertion`` ``(s,)``; the same in ``r`` random
    orders of the same features: ``random_deletion`` and ``random_insertion`` ``(r, s)``.
    """

    fractions: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray

    @property
    def deletion_advantage(self) -> float:
        """Mean output under random deletion minus that under the explanation's: > 0 when it is faithful."""
        return float(self.random_deletion.mean() - self.deletion.mean())

    @property
    def insertion_advantage(self) -> float:
        """Mean output under the explanation's insertion minus that under random ones: > 0 when it is faithful."""
        return float(self.insertion.mean() - self.random_insertion.mean())

    @property
    def beaten(self) -> float:
        """Share of random orders that the explanation beats, over both curves, in [0, 1]."""
        deletion = self.random_deletion.mean(1) > self.deletion.mean()
        insertion = self.random_insertion.mean(1) < self.insertion.mean()
        return float(np.concatenate([deletion, insertion]).mean())


def deletion_insertion(
    score: Scorer,
    x: np.ndarray,
    baseline: np.ndarray,
    values: np.ndarray,
    *,
    n_steps: int = 20,
    n_random: int = 10,
    random_state: int = 0,
    on_progress: OnProgress = ignore,
) -> DeletionInsertion:
    """Deletion and insertion curves (Petsiuk et al., BMVC 2018) of one row against random orders.

    ``x``, ``baseline``, ``values``: ``(p,)``. Only features with a value are ordered, at random too: otherwise any
    explanation that knows which features a model uses would look good.
    """
    considered = np.flatnonzero(values) if np.any(values) else np.arange(len(values))
    rng = np.random.default_rng(random_state)
    own = considered[np.argsort(-values[considered], kind="stable")]
    counts = np.unique(np.linspace(0, len(considered), n_steps + 1).round().astype(int))
    curves = []
    for step, order in enumerate([own, *(rng.permutation(considered) for _ in range(n_random))]):
        for start, end in ((x, baseline), (baseline, x)):
            rows = np.repeat(start[None], len(counts), axis=0)
            for row, count in zip(rows, counts):
                row[order[:count]] = end[order[:count]]
            curves.append(score(rows))
        on_progress(Progress("checking the explanation", step + 1, n_random + 1))
    deletion, insertion = np.array(curves[0::2]), np.array(curves[1::2])
    return DeletionInsertion(counts / len(considered), deletion[0], insertion[0], deletion[1:], insertion[1:])


def infidelity(
    score: Scorer,
    x: np.ndarray,
    values: np.ndarray,
    reach: np.ndarray,
    *,
    n_samples: int = 64,
    random_state: int = 0,
) -> float:
    """How badly ``difference @ (values / reach)`` predicts the output's change under random perturbations; 0 is best.

    Every feature goes, with probability 1/2, a random share of the way ``reach`` ``(p,)`` to its baseline. Relative to
    the variance of the change, so that 1 is as bad as explaining nothing. Captum's infidelity (Yeh et al., NeurIPS
    2019) on values per unit of each feature.
    """
    import torch
    from captum.metrics import infidelity as captum_infidelity

    rng = np.random.default_rng(random_state)
    safe = np.where(reach != 0, reach, 1.0)
    changes: list[np.ndarray] = []

    def forward(rows: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(np.asarray(score(rows.numpy().astype(np.float32)), np.float64))

    def perturb(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        step = rng.random(rows.shape) * (rng.random(rows.shape) < 0.5) * reach
        changes.append(step)
        return torch.from_numpy(step), rows - torch.from_numpy(step)

    start = torch.from_numpy(np.asarray(x, np.float64))[None]
    slope = torch.from_numpy(np.where(reach != 0, values / safe, 0.0))[None]
    with torch.no_grad():
        error = captum_infidelity(
            forward, perturb, start, slope, n_perturb_samples=n_samples, max_examples_per_batch=n_samples
        )
        moved = np.concatenate(changes)
        drop = score(x[None])[0] - score((x - moved).astype(np.float32))
    return float(error.item() / max(float((drop**2).mean()), 1e-12))


def max_sensitivity(
    explain: Callable[[np.ndarray], np.ndarray],
    x: np.ndarray,
    radius: np.ndarray,
    *,
    n_samples: int = 5,
    random_state: int = 0,
) -> float:
    """Largest relative change of an explanation when the row moves a little: ``||e(x') - e(x)|| / ||e(x)||``.

    ``explain``: ``(p,)`` -> ``(p,)``; ``radius`` ``(p,)``: every feature moves uniformly within it. Captum's
    max-sensitivity (Yeh et al., NeurIPS 2019).
    """
    import torch
    from captum.metrics import sensitivity_max

    rng = np.random.default_rng(random_state)

    def explanation(rows: Any) -> Any:
        values = torch.from_numpy(np.stack([explain(row) for row in _first(rows).numpy()]))
        return (values,) if isinstance(rows, tuple) else values  # Captum asks in either form and wants it back

    def perturb(rows: torch.Tensor) -> torch.Tensor:
        return rows + torch.from_numpy(rng.uniform(-1, 1, rows.shape) * radius)

    start = torch.from_numpy(np.asarray(x, np.float64))[None]
    return float(sensitivity_max(explanation, start, perturb_func=perturb, n_perturb_samples=n_samples).item())


def _first(rows: Any) -> torch.Tensor:
    return rows[0] if isinstance(rows, tuple) else rows


def shuffled_model(model: Any, random_state: int = 0) -> Any:
    """A copy of a map model whose network has its weights shuffled within every tensor.

    An explanation that looks the same for it explains the data, not the model (Adebayo et al., NeurIPS 2018).

    Raises
    ------
    InputError
        The model has no network whose weights could be shuffled.
    """
    import torch

    shuffled = copy.deepcopy(model)
    stages = map_stages(shuffled)
    if stages is None:
        raise InputError("Only a network's weights can be shuffled: train other models on shuffled classes instead.")
    generator = torch.Generator().manual_seed(random_state)
    with torch.no_grad():
        for parameter in stages.network.module_.parameters():
            order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
            parameter.copy_(parameter.flatten()[order].view_as(parameter))
    return shuffled
