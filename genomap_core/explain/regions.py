"""Explaining any classifier by regions of the map: neighbouring features are players, switched on and off together.

Captum chooses which coalitions to look at; as its choice does not depend on the answers, they are collected first and
predicted together in large batches: a model with a costly context (a tabular foundation model) pays for it once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, Output, Scorer, class_name, class_score, target_index
from genomap_core.explain.stages import model_name, used_features
from genomap_core.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    import torch

EXACT_PLAYERS = 10
"""Up to here all ``2^k`` coalitions are fewer rows than sampling needs, and the Shapley values are exact."""


class Game:
    """The output of a model for every coalition of players.

    Parameters
    ----------
    score
        The model's explained output.
    x, baseline
        ``(p,)`` the patient's row and the values that absent features take.
    players
        ``(p,)`` player of each feature, 0 to ``k - 1``; -1 for features that stay as they are.
    """

    def __init__(
        self,
        score: Scorer,
        x: np.ndarray,
        baseline: np.ndarray,
        players: np.ndarray,
        *,
        batch_rows: int = 512,
        on_progress: OnProgress = ignore,
    ) -> None:
        self.score, self.x, self.baseline, self.players = score, x, baseline, players
        self.n_players = int(players.max(initial=-1)) + 1
        self.batch_rows, self.on_progress = batch_rows, on_progress
        self._known: dict[bytes, float] = {}

    def rows(self, coalitions: np.ndarray) -> np.ndarray:
        """Raw rows of coalitions: ``(B, k)`` bool -> ``(B, p)``."""
        present = np.concatenate([coalitions, np.ones((len(coalitions), 1), bool)], axis=1)[:, self.players]
        return np.where(present, self.x, self.baseline).astype(np.float32)

    def play(self, coalitions: np.ndarray) -> np.ndarray:
        """Outputs of coalitions ``(B, k)`` bool -> ``(B,)``; each distinct one is predicted once.

        ``on_progress`` hears of every batch, and may raise :class:`~genomap_core.errors.Cancelled`.
        """
        coalitions = np.asarray(coalitions, bool)
        keys = [row.tobytes() for row in np.packbits(coalitions, axis=1)]
        new = list({key: i for i, key in enumerate(keys) if key not in self._known}.values())
        for start in range(0, len(new), self.batch_rows):
            part = new[start : start + self.batch_rows]
            for i, value in zip(part, self.score(self.rows(coalitions[part]))):
                self._known[keys[i]] = float(value)
            self.on_progress(Progress("explaining", start + len(part), len(new)))
        return np.array([self._known[key] for key in keys])

    def through(self, attribute: Callable[[Callable[[torch.Tensor], torch.Tensor]], torch.Tensor]) -> np.ndarray:
        """Run a Captum attribution over this game: first to collect its coalitions, then with their outputs.

        ``attribute`` takes a forward function of presences ``(B, k)`` in {0, 1} and must ask for the same coalitions
        each time. Returns ``(k,)``.
        """
        import torch

        asked: list[np.ndarray] = []

        def collect(presence: torch.Tensor) -> torch.Tensor:
            asked.append(presence.numpy() > 0.5)
            return torch.zeros(len(presence), dtype=torch.float64)

        def answer(presence: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(self.play(presence.numpy() > 0.5))

        attribute(collect)
        self.play(np.concatenate(asked))
        return attribute(answer).numpy().astype(np.float64).reshape(-1)


def ablation_values(game: Game) -> np.ndarray:
    """Drop of the output when one player leaves: ``(k,)``. Captum's feature ablation."""
    from captum.attr import FeatureAblation

    def attribute(forward: Callable[..., torch.Tensor]) -> torch.Tensor:
        explainer = FeatureAblation(forward)
        return explainer.attribute(_everyone(game), perturbations_per_eval=max(1, game.n_players))

    return game.through(attribute)


def shapley_values(game: Game, n_permutations: int = 32, seed: int = 0) -> np.ndarray:
    """Shapley values of the players: ``(k,)``; they sum to the output of all minus that of none.

    Exact up to :data:`EXACT_PLAYERS` players; beyond, the mean over permutations (Castro et al., Comput. Oper. Res.
    36:1726, 2009) taken in pairs of an order and its reverse (antithetic: Mitchell et al., JMLR 23:43, 2022).
    """
    if game.n_players <= EXACT_PLAYERS:
        return exact_shapley(game)
    from captum.attr import ShapleyValueSampling

    orders = antithetic_orders(game.n_players, n_permutations, seed)

    def attribute(forward: Callable[..., torch.Tensor]) -> torch.Tensor:
        explainer = ShapleyValueSampling(forward)
        explainer.permutation_generator = lambda *_: iter(orders)
        return explainer.attribute(_everyone(game), n_samples=len(orders), perturbations_per_eval=game.n_players)

    return game.through(attribute)


def antithetic_orders(k: int, n: int, seed: int) -> list[list[int]]:
    """``n`` orders of ``k`` players (rounded up to even), every second one the reverse of the one before."""
    rng = np.random.default_rng(seed)
    orders: Iterable[list[int]] = (rng.permutation(k).tolist() for _ in range((n + 1) // 2))
    return [order for forward in orders for order in (forward, forward[::-1])]


def exact_shapley(game: Game) -> np.ndarray:
    """Shapley values by their definition, over all ``2^k`` coalitions: ``(k,)``."""
    return shapley_of(game.play(all_coalitions(game.n_players)))


def all_coalitions(k: int) -> np.ndarray:
    """``(2^k, k)`` bool, in the order that :func:`shapley_of` expects."""
    return np.array(list(itertools.product([False, True], repeat=k)), bool).reshape(2**k, k)


def shapley_of(outputs: np.ndarray) -> np.ndarray:
    """Shapley values from the outputs of :func:`all_coalitions`: ``(2^k, ...)`` -> ``(k, ...)`` (Shapley, 1953)."""
    k = int(math.log2(len(outputs)))
    coalitions = all_coalitions(k)
    size = coalitions.sum(1)
    weight = np.array([1 / (k * math.comb(k - 1, s)) for s in range(k)])
    values = np.empty((k, *outputs.shape[1:]))
    for j in range(k):
        # In this order of rows, those without j line up with the same coalitions joined by j.
        without = ~coalitions[:, j]
        values[j] = np.tensordot(weight[size[without]], outputs[~without] - outputs[without], axes=1)
    return values


def _everyone(game: Game) -> torch.Tensor:
    import torch

    return torch.ones(1, game.n_players, dtype=torch.float64)


RegionMethod = Literal["shapley", "ablation"]
REGION_METHODS: tuple[RegionMethod, ...] = ("shapley", "ablation")


def region_attribution(
    model: Any,
    x: np.ndarray,
    labels: np.ndarray,
    baseline: np.ndarray,
    *,
    feature_names: tuple[str, ...],
    target: Any = None,
    classes: tuple[str, ...] | None = None,
    method: RegionMethod = "shapley",
    output: Output = "log-odds",
    scale: np.ndarray | None = None,
    n_permutations: int = 32,
    random_state: int = 0,
    batch_rows: int = 512,
    on_progress: OnProgress = ignore,
) -> Attribution:
    """Explain one row of any fitted classifier with ``predict_proba`` on raw rows.

    Parameters
    ----------
    x
        ``(p,)`` the patient, NaN where missing.
    labels
        ``(p,)`` region of each feature (:func:`genomap_core.layout.map_regions`); features without one (-1) form one
        further group.
    baseline
        ``(p,)`` values that absent features take: the training medians.
    scale
        ``(p,)`` standard deviations of the training rows, for sharing a region's value among its features; None: 1.
    n_permutations
        Orders sampled for the Shapley values; with few regions they are exact instead.

    Regions none of whose features the model uses have the value 0 by definition and cost nothing. A region's value is
    shared by :func:`spread`.
    """
    _check(x, labels, baseline, feature_names, method)
    index = target_index(model, x[None], target)
    used = used_features(model, len(x))
    players = players_of(labels, used)
    game = Game(class_score(model, index, output), x, baseline, players, batch_rows=batch_rows, on_progress=on_progress)
    shapley = method == "shapley"
    values = shapley_values(game, n_permutations, random_state) if shapley else ablation_values(game)
    ends = game.play(np.array([[False] * game.n_players, [True] * game.n_players]))
    return Attribution(
        values=spread(values, players, x - baseline, scale),
        feature_names=feature_names,
        method=method,
        target=class_name(model, index, classes),
        output=float(ends[1]),
        baseline_output=float(ends[0]),
        model=model_name(model),
        scale=output,
        groups=labels,
        complete=shapley,
    )


def players_of(labels: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Regions with a used feature, numbered from 0: ``(p,)``, ``(p,)`` bool -> ``(p,)`` int, -1 for unused features.

    Features without a region play together.
    """
    players = np.full(len(labels), -1)
    _, players[used] = np.unique(labels[used], return_inverse=True)
    return players


def spread(
    values: np.ndarray, players: np.ndarray, difference: np.ndarray, scale: np.ndarray | None = None
) -> np.ndarray:
    """Share each player's value among its features: ``(k,)`` -> ``(p,)``, the sum kept.

    In proportion to how far each feature is from the baseline, in standard deviations: a feature at its baseline can't
    have changed anything. Equally where the whole region is at its baseline, or every value is missing.
    """
    distance = np.abs(np.nan_to_num(difference, nan=0.0))
    if scale is not None:
        distance = distance / np.where(scale > 0, scale, 1.0)
    member = players >= 0
    weight = np.where(member, distance, 0.0)
    total = np.bincount(players[member], weight[member], minlength=len(values))
    weight = np.where(member & (total[players] > 0 if len(values) else member), weight, member.astype(float))
    total = np.bincount(players[member], weight[member], minlength=len(values))
    shared = np.zeros(len(players))
    shared[member] = values[players[member]] * weight[member] / total[players[member]]
    return shared


def _check(x: np.ndarray, labels: np.ndarray, baseline: np.ndarray, names: tuple[str, ...], method: str) -> None:
    if method not in REGION_METHODS:
        raise InputError(f"`method` must be one of {', '.join(REGION_METHODS)}, got {method!r}.")
    for what, got in (("region labels", labels), ("baseline values", baseline), ("feature names", names)):
        if len(got) != len(x):
            raise InputError(f"{len(got)} {what} for a row of {len(x)} features.")
