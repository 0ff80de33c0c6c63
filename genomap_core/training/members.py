"""Several networks trained on one cohort: how long is found on inner folds, then each is trained on every row."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import nn

from genomap_core.data.fill import rows_to_learn_from
from genomap_core.models.map_cnn import MeanLogits
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.linear_start import RELEVANCE_POWERS, LinearStart, linear_start, softened, start_rows
from genomap_core.training.loop import MapData, Report, TrainConfig, TrainState, new_state, predict_logits, train
from genomap_core.training.masking import Endurance, MaskedCopies, endurance_of, masked_by, masked_copies
from genomap_core.training.networks import NetworkSpec, convolutions_alone, has_linear_path, joined, seeded_network
from genomap_core.training.rows import Maps, taken, varying
from genomap_core.training.split import Fold, inner_folds, usable

_PULL = 4.0  # rows' worth of force towards the linear path alone
_MOST = 3.0


def stacking_weights(
    linear: np.ndarray, convolved: np.ndarray, y: np.ndarray, class_weights: np.ndarray, seen: np.ndarray
) -> tuple[float, float]:
    """Factors ``(a, b)`` of ``a linear + b convolved`` with the least weighted cross-entropy on left-out rows.

    Stacked generalisation (Wolpert, Neural Networks 5:241, 1992) with factors of at least 0 (Breiman, Machine Learning
    24:49, 1996), drawn towards (1, 0): few rows can't tell whether the convolutions deserve to be heard.

    Parameters
    ----------
    linear, convolved
        Logits ``(n, k)`` of each row by models that did not see it or its group.
    y
        Class codes ``(n,)``.
    class_weights
        ``(k,)``.
    seen
        Row numbers that both paths have left out; none: (1, 0).
    """
    if not len(seen):
        return 1.0, 0.0
    targets = softened(np.eye(len(class_weights))[y])[seen]
    weight = class_weights[y[seen]] / class_weights[y[seen]].sum()
    paths = np.stack([linear[seen], convolved[seen]]).astype(np.float64)

    def loss(factors: np.ndarray) -> tuple[float, np.ndarray]:
        scores = log_softmax(np.tensordot(factors, paths, axes=1), axis=1)
        stray = factors - (1.0, 0.0)
        slope = weight[:, None] * (np.exp(scores) - targets)
        value = -float(weight @ (targets * scores).sum(axis=1)) + _PULL / len(seen) * float(stray @ stray)
        return value, (paths * slope).sum(axis=(1, 2)) + 2 * _PULL / len(seen) * stray

    a, b = minimize(loss, (1.0, 0.1), jac=True, method="L-BFGS-B", bounds=[(0.0, _MOST)] * 2).x
    return float(a), float(b)


_MIN_FOLDS = 3  # fewer judge the number of epochs by chance
_MIN_EPOCHS = 5  # so that the convolutions have something to say, and to be explained
_MIN_EPOCHS_ALONE = 20  # without a linear model beside them a few epochs are no training at all
_MOST_VALIDATION = 1000
_HEARTBEAT = 0.2  # seconds between two chances to cancel

Figures = dict[str, float | str]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Training rows: maps ``(n, c, H, W)`` float32, class codes ``(n,)``, groups ``(n,)`` or None, class weights."""

    maps: Maps
    y: np.ndarray
    groups: np.ndarray | None
    class_weights: np.ndarray
    copies: MaskedCopies | None = None
    """The same rows with features missing, to train on too."""

    def take(self, rows: np.ndarray) -> Cohort:
        groups = None if self.groups is None else self.groups[rows]
        copies = None if self.copies is None else self.copies.take(rows)
        return Cohort(taken(self.maps, rows), self.y[rows], groups, self.class_weights, copies)

    def data(self, device: torch.device) -> MapData:
        copies = None if self.copies is None else torch.from_numpy(self.copies.maps)
        maps = torch.from_numpy(self.maps) if isinstance(self.maps, np.ndarray) else self.maps
        return MapData(maps, torch.from_numpy(self.y), copies).to(device)


@dataclass(frozen=True, eq=False)
class Trained:
    """The networks as one, on the CPU, and how they got there."""

    module: MeanLogits
    history: tuple[Figures, ...]
    n_epochs: int
    """Of the final training: what the inner folds found best, a few at least."""
    endurance: Endurance | None = None
    """How well left-out rows were told apart with features missing; None where it was not asked or can't be known."""


@dataclass(eq=False)
class Trainer:
    """Trains ``n_members`` networks of one kind on one device."""

    spec: NetworkSpec
    config: TrainConfig
    seed: int
    n_members: int
    n_folds: int
    refit: bool
    device: torch.device
    on_progress: OnProgress = ignore
    checkpoints: Checkpoints | None = None
    missing: str | None = None
    """How rows with features missing are filled, to measure how the model endures them; None: not measured."""
    lose_features: bool = False
    """Train the convolutions on such rows, too."""
    history: list[Figures] = field(default_factory=list)
    _last_report: float = 0.0

    def run(self, cohort: Cohort) -> Trained:
        """Choose the number of epochs on inner folds, then train every member on all rows."""
        self.mask = varying(cohort.maps).astype(np.float32)
        if self.missing is not None and self.lose_features:
            cohort = replace(cohort, copies=masked_copies(cohort.maps[:], cohort.groups, self.seed, self.missing))
        folds = usable(inner_folds(cohort.y, cohort.groups, self.n_folds, self.seed), cohort.y)[: self._n_validations]
        folds = [(inner, self._to_validate(test, len(cohort.y))) for inner, test in folds]
        states: list[TrainState] = []
        for k, fold in enumerate(folds):
            states.append(self._validated(cohort, fold, k, self._epochs_that_count(states)))
        n_epochs = max(self._least_epochs, common_best_epoch([_validation_curve(state) for state in states]))
        if states and not self.refit:
            for state in states:
                state.module.load_state_dict(state.best)
            modules = [state.module for state in states]
            epochs = [state.best_epoch for state in states]
        else:
            modules = [self._final(cohort, n_epochs, k) for k in range(self.n_members)]
            epochs = [min(n_epochs, len(state.left_out) - 1) for state in states]
        factors = (0.0, 1.0)
        if has_linear_path(self.spec):
            left_out = [state.left_out[epoch].numpy() for state, epoch in zip(states, epochs)]
            start, factors = self._stacked(cohort, [test for _, test in folds], left_out)
            modules = [joined(self.spec, module.cpu(), start, factors) for module in modules]
        endurance = self._endurance(cohort, folds, states, factors) if states and self.missing is not None else None
        return Trained(MeanLogits(modules).cpu().eval(), tuple(self.history), n_epochs, endurance)

    def _to_validate(self, test: np.ndarray, n: int) -> np.ndarray:
        """Of many left-out rows as many as judge an epoch well, first those that the linear model leaves out too."""
        if len(test) <= _MOST_VALIDATION:
            return test
        known = np.isin(test, start_rows(n, self.seed))
        drawn = np.random.default_rng(self.seed).permutation(np.flatnonzero(~known))
        return np.sort(test[np.concatenate([np.flatnonzero(known), drawn])[:_MOST_VALIDATION]])

    def _epochs_that_count(self, states: list[TrainState]) -> int | None:
        """Of the next inner fold: epochs that another one has not reached decide nothing; None: all of them."""
        if not states or not self.refit or self.missing is not None:  # each fold's own best network is needed then
            return None
        return max(self._least_epochs, min(state.epoch for state in states))

    def _validated(self, cohort: Cohort, fold: Fold, k: int, n_epochs: int | None) -> TrainState:
        """Convolutions like those of member ``k``, trained on one part of the rows and stopped by the other."""
        inner, left_out = (cohort.take(rows) for rows in fold)
        state = self._state(k)
        name, validation = f"{k}-validation", left_out.data(self.device)
        self._train(state, inner, name, k, phase=0, validation=validation, n_epochs=n_epochs)
        return state

    def _final(self, cohort: Cohort, n_epochs: int, k: int) -> nn.Module:
        """The convolutions of member ``k`` trained on every row."""
        state = self._state(k)
        self._train(state, cohort, f"{k}-final", k, phase=1, n_epochs=n_epochs)
        return state.module

    def _stacked(
        self, cohort: Cohort, tests: list[np.ndarray], left_out: list[np.ndarray]
    ) -> tuple[LinearStart, tuple[float, float]]:
        """The linear model, and how loud it and the convolutions speak: rows left out by both say."""
        n, k = len(cohort.y), len(cohort.class_weights)
        linear, convolved = np.full((2, n, k), np.nan)
        rows = start_rows(n, self.seed)
        start = self._start(cohort.take(rows))
        linear[rows] = start.left_out
        for test, logits in zip(tests, left_out):
            convolved[test] = logits
        seen = np.flatnonzero(np.isfinite(linear + convolved).all(axis=1))
        return start, stacking_weights(linear, convolved, cohort.y, cohort.class_weights, seen)

    def _endurance(
        self, cohort: Cohort, folds: list[Fold], states: list[TrainState], factors: tuple[float, float]
    ) -> Endurance:
        """Score rows that inner folds left out, whole and with features missing, by that fold's models."""
        assert self.missing is not None
        rng, guesses, truth, shares = np.random.default_rng(self.seed), [], [], []
        for (inner, test), state in zip(folds, states):
            rows = test[start_rows(len(test), self.seed)]
            others, whole = cohort.maps[inner[rows_to_learn_from(len(inner))]], cohort.maps[rows]
            copies = masked_by(others, whole, rng, self.missing)
            maps = np.concatenate([whole[None], copies.maps])
            logits = np.zeros((len(maps) * len(rows), len(cohort.class_weights)))
            flat = maps.reshape(-1, *maps.shape[2:])
            if factors[1]:
                state.module.load_state_dict(state.best)
                logits += (
                    factors[1] * predict_logits(state.module, torch.from_numpy(flat).to(self.device)).cpu().numpy()
                )
            if factors[0]:
                start = self._start(cohort.take(inner[start_rows(len(inner), self.seed)]))
                weight = start.weight.reshape(len(start.weight), -1)
                logits += factors[0] * (np.arcsinh(flat * self.mask).reshape(len(flat), -1) @ weight.T + start.bias)
            guesses.append(logits.argmax(axis=1).reshape(maps.shape[:2]))
            truth.append(cohort.y[rows])
            shares.append(np.concatenate([np.ones((1, len(rows))), copies.shares]))
        return endurance_of(np.concatenate(guesses, axis=1), np.concatenate(truth), np.concatenate(shares, axis=1))

    def _train(self, state: TrainState, cohort: Cohort, name: str, k: int, *, phase: int, **options) -> None:  # type: ignore[no-untyped-def]
        save: Callable[[TrainState], None] = lambda state: None  # noqa: E731
        if self.checkpoints is not None:
            self.checkpoints.restore(name, state)
            save = self.checkpoints.saver(name)
        train(
            state,
            cohort.data(self.device),
            self.config,
            seed=self._member_seed(k),
            class_weights=torch.from_numpy(cohort.class_weights).to(self.device),
            report=self._reporter(k, phase),
            save=save,
            **options,
        )
        kind = "validation" if phase == 0 else "final"
        self.history += [{"member": k, "phase": kind, **figures} for figures in state.curve]

    def _state(self, k: int) -> TrainState:
        module = seeded_network(convolutions_alone(self.spec), self.mask, self._member_seed(k))
        return new_state(module.to(self.device), self.config)

    def _start(self, cohort: Cohort) -> LinearStart:
        squashed = np.arcsinh(cohort.maps[:] * self.mask)
        weights, groups = cohort.class_weights, cohort.groups
        return linear_start(squashed, cohort.y, weights, groups, self._tick, RELEVANCE_POWERS, self.seed)

    def _tick(self) -> None:
        """A chance to cancel, without news."""
        if time.monotonic() - self._last_report > _HEARTBEAT:
            self._last_report = time.monotonic()
            self.on_progress(Progress("linear start", 0, 1))

    def _reporter(self, k: int, phase: int) -> Report:
        """Steps count through all members and both phases, so that a bar never goes back."""
        offset = (phase * self._n_validations + k) * self.config.max_epochs
        total = (self._n_validations + (self.n_members if self.refit else 0)) * self.config.max_epochs

        def report(epoch: int, figures: dict[str, float]) -> None:
            if figures or time.monotonic() - self._last_report > _HEARTBEAT:
                self._last_report = time.monotonic()
                values = {"member": float(k), "epoch": float(epoch), **figures} if figures else {}
                self.on_progress(Progress("training", offset + epoch, total, values))

        return report

    def _member_seed(self, k: int) -> int:
        return int(np.random.SeedSequence([self.seed, k]).generate_state(1)[0])

    @property
    def _n_validations(self) -> int:
        return min(self.n_folds, max(self.n_members, _MIN_FOLDS)) if self.refit else self.n_members

    @property
    def _least_epochs(self) -> int:
        least = _MIN_EPOCHS if has_linear_path(self.spec) else _MIN_EPOCHS_ALONE
        return min(least, self.config.max_epochs)


def _validation_curve(state: TrainState) -> list[float]:
    """Validation loss after 0, 1, 2, ... epochs."""
    return [state.start_loss, *(figures["val_loss"] for figures in state.curve)]


def common_best_epoch(curves: list[list[float]]) -> int:
    """The epoch with the least mean validation loss, among those every curve has reached; 0 without curves."""
    length = min((len(curve) for curve in curves), default=0)
    if not length:
        return 0
    return int(np.mean([curve[:length] for curve in curves], axis=0).argmin())
