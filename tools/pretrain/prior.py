"""The prior: synthetic classification tables, each from another random world. What the in-house network is trained on.

A table is a draw of :mod:`tools.pretrain.mechanisms`, with marginals, missing values and label noise as real
tables have them. Everything follows from a seed and a number, so that training resumes at any step.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genomap_core.errors import InputError
from tools.pretrain import mechanisms as worlds
from tools.pretrain.mechanisms import Rng, class_shares, standardised

SHARES = ("binary", "structural", "trees", "prototypes", "graded", "expression")
"""Of :class:`PriorConfig`: how many tables have two classes, and how the five worlds are mixed."""


@dataclass(frozen=True, slots=True)
class PriorConfig:
    """Sizes of the tables and shares of the worlds."""

    min_train_rows: int = 10
    max_rows: int = 1000
    min_features: int = 2
    max_features: int = 100
    max_classes: int = 10
    binary: float = 0.45
    """Share of tables with two classes."""
    structural: float = 0.28
    trees: float = 0.17
    prototypes: float = 0.22
    graded: float = 0.16
    expression: float = 0.17

    def __post_init__(self) -> None:
        if not self.max_classes >= 2 or not 1 <= self.min_features <= self.max_features:
            raise InputError("A prior needs at least two classes and one feature.")
        if self.max_rows < 2 * self.min_train_rows:
            raise InputError(f"`max_rows` must be at least {2 * self.min_train_rows}, got {self.max_rows}.")
        wrong = [name for name in SHARES if not 0 <= getattr(self, name) <= 1]
        if wrong or not any(getattr(self, name) for name in SHARES[1:]):
            raise InputError(
                f"Shares must lie in 0 to 1, and one of the worlds above 0: {', '.join(wrong or SHARES[1:])}."
            )

    @property
    def shares(self) -> np.ndarray:
        """Shares of the five worlds, summing to 1."""
        shares = np.array([getattr(self, name) for name in SHARES[1:]])
        return shares / shares.sum()

    def eased(self, fraction: float) -> PriorConfig:
        """A curriculum: smaller tables and fewer classes at the beginning; the prior itself from ``fraction`` 1 on."""
        f = min(1.0, max(0.0, fraction))

        def between(start: int, end: int) -> int:
            return round(start + (end - start) * f)

        return replace(
            self,
            max_rows=max(2 * self.min_train_rows, between(min(100, self.max_rows), self.max_rows)),
            max_features=max(self.min_features, between(min(10, self.max_features), self.max_features)),
            max_classes=between(min(3, self.max_classes), self.max_classes),
        )


@dataclass(frozen=True, eq=False)
class Batch:
    """Tables of one size: ``X (R, B, F)`` float32 with NaN, ``y (R, B)`` int64, the first ``n_train`` rows known."""

    X: np.ndarray
    y: np.ndarray
    n_train: int

    @property
    def n_tables(self) -> int:
        return self.X.shape[1]


def draw_batch(config: PriorConfig, cells: int, seed: int, number: int, fraction: float = 1.0) -> Batch:
    """Batch ``number`` of a stream: as many tables of one random size as ``cells`` values hold, at least one.

    ``fraction`` of the curriculum; see :meth:`PriorConfig.eased`.
    """
    g = np.random.default_rng([seed, number])
    config = config.eased(fraction)
    n_train, R, F = _sizes(g, config)
    tables = [draw_table(g, config, R, F, n_train) for _ in range(max(1, cells // ((R + 8) * (F + 4))))]
    return Batch(np.stack([x for x, _ in tables], 1), np.stack([y for _, y in tables], 1), n_train)


def _sizes(g: Rng, config: PriorConfig) -> tuple[int, int, int]:
    """Training rows, all rows, features: each evenly over the orders of magnitude."""
    low, high = np.log([config.min_train_rows, config.max_rows * 0.75])
    n_train = int(np.exp(g.uniform(low, max(low, high))))
    n_test = int(np.clip(n_train * g.uniform(0.25, 1.0), 16, max(16, config.max_rows - n_train)))
    F = int(np.exp(g.uniform(np.log(config.min_features), np.log(config.max_features + 1))))
    return n_train, n_train + n_test, int(np.clip(F, config.min_features, config.max_features))


def draw_table(g: Rng, config: PriorConfig, R: int, F: int, n_train: int) -> tuple[np.ndarray, np.ndarray]:
    """One table: ``X (R, F)`` float32 with NaN, ``y (R,)`` int64 codes; the training rows have two classes at least."""
    for _ in range(20):
        C = 2 if g.random() < config.binary else int(g.integers(2, config.max_classes + 1))
        kind = int(g.choice(5, p=config.shares))
        if kind == 4:
            x, score = worlds.expression_world(g, R, F, C, n_train)
        else:
            make = (worlds.structural_world, worlds.tree_world, worlds.prototype_world, worlds.graded_world)[kind]
            x, score = make(g, R, F, C)
        y = classes_from(g, score, C)
        if not np.isfinite(x).all() or len(np.unique(y[:n_train])) < 2:
            continue
        y = g.permutation(C)[y]
        if kind != 4:
            x = with_marginals(g, x)
        return finished(g, x)[:, g.permutation(F)].astype(np.float32), y
    y = np.arange(R) % 2  # never seen so far; pure noise is a table too
    return g.standard_normal((R, F)).astype(np.float32), y


def classes_from(g: Rng, score: np.ndarray, C: int) -> np.ndarray:
    """Class codes ``(R,)``: the largest of ``C`` scores, or ranges of one score with uneven shares; some flipped."""
    if score.ndim == 2:
        y = score.argmax(1)
    else:
        noise = g.choice([0.0, 0.02, 0.15, 0.5]) * score.std() * g.standard_normal(len(score))
        rank = (score + noise).argsort().argsort() / len(score)
        edges = np.cumsum(class_shares(g, C))
        y = g.permutation(C)[np.minimum(np.searchsorted(edges, rank, side="right"), C - 1)]
    if g.random() < 0.2:
        flipped = g.random(len(y)) < g.uniform(0, 0.15)
        y = np.where(flipped, g.integers(0, C, len(y)), y)
    return y.astype(np.int64)


def with_marginals(g: Rng, x: np.ndarray) -> np.ndarray:
    """Give some columns the marginals of real tables: skewed, ordinal, categorical, ranked, zero-inflated."""
    x = standardised(x)
    if g.random() < 0.5:
        return x
    for j in np.flatnonzero(g.random(x.shape[1]) < 0.45):
        x[:, j] = _marginal(g, x[:, j], g.random())
    return x


def _marginal(g: Rng, c: np.ndarray, kind: float) -> np.ndarray:
    R = len(c)
    if kind < 0.22:
        return np.exp(np.clip(c * g.uniform(0.5, 1.5), -8, 6))
    if kind < 0.55:  # levels; unordered in a third of the cases
        edges = np.sort(c[g.integers(0, R, int(g.integers(1, 9)))])
        level = np.searchsorted(edges, c)
        return (g.permutation(len(edges) + 1)[level] if g.random() < 0.35 else level).astype(float)
    if kind < 0.67:
        return c.argsort().argsort() / R
    if kind < 0.85:
        return np.maximum(c, np.quantile(c, g.uniform(0, 0.9)))
    return np.sign(c) * np.abs(c) ** g.uniform(0.3, 2)


def finished(g: Rng, x: np.ndarray) -> np.ndarray:
    """Measurement noise or irrelevant columns in some tables, outliers bounded, missing values in some."""
    R, F = x.shape
    x = standardised(x)
    if g.random() < 0.2:
        noisy = np.flatnonzero(g.random(F) < g.uniform(0, 0.6))
        x[:, noisy] += g.standard_normal((R, len(noisy))) * g.choice([0.3, 1.0, 5.0])
    x = standardised(x)
    # Half of the package's views squash values softly; the network should know both.
    x = x / np.sqrt(1 + (x / 3) ** 2) if g.random() < 0.4 else np.clip(x, -10, 10)
    if g.random() < 0.15:
        share = g.uniform(0, 0.3, F) * (g.random(F) < g.uniform(0.1, 1))
        x[g.random((R, F)) < share] = np.nan
    return x
