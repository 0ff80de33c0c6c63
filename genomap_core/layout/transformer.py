"""`GenomapTransformer`: the layout as a scikit-learn transformer. A thin face of `make_layout`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.errors import LayoutError
from genomap_core.layout.build import channel_codes, grid_shape, make_layout
from genomap_core.layout.constraints import Constraints
from genomap_core.layout.distances import FeatureTable, check_features
from genomap_core.layout.geometry import Grid
from genomap_core.layout.layout import Layout
from genomap_core.progress import OnProgress, ignore


class GenomapTransformer(TransformerMixin, BaseEstimator, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Rows of a table to pictures, by a layout learned on the rows it is fitted on.

    Parameters
    ----------
    solver
        One of :data:`genomap_core.layout.SOLVERS`.
    grid
        ``(height, width)`` or "auto", the smallest near-square grid. With more features than cells those of highest
        variance are kept; the others have position -1.
    distance
        "correlation", "absolute", "spearman" or "euclidean".
    balance
        0 global distances only, 1 neighbourhoods only (solver "ot").
    channels
        ``(p,)`` codes of omics types, one map a type; None: one map.
    random_state
        Seed.
    fill
        Value of cells without a feature.
    entities
        ``(p,)`` codes: features of one entity (a gene's expression and methylation) share a cell; None: no sharing.
    constraints
        :class:`Constraints`: mask, pins, gene sets, reference layout; indices are columns of ``X``.
    effort
        Multiplies the work of the "ot" solver.
    memory_mb
        Working memory, besides the table.
    on_progress
        Told of each step while fitting.
    resamples, halves
        Bootstrap resamples to average over, and splits to measure reproducibility on (:func:`make_layout`).
    layout
        A :class:`Layout` of these columns, such as a reference map's, to use as it is; nothing is learned then.

    Attributes
    ----------
    layout_
        :class:`Layout` with ``positions`` and ``quality``.
    n_features_in_
        Columns seen in ``fit``.
    """

    def __init__(
        self,
        solver: str = "ot",
        grid: str | tuple[int, int] = "auto",
        distance: str = "correlation",
        channels: Sequence[int] | np.ndarray | None = None,
        random_state: int | np.random.RandomState | None = 0,
        balance: float = 0.5,
        fill: float = 0.0,
        entities: Sequence[int] | np.ndarray | None = None,
        constraints: Constraints | None = None,
        effort: float = 1.0,
        memory_mb: int = 1024,
        on_progress: OnProgress | None = None,
        resamples: int = 0,
        halves: int = 0,
        layout: Layout | None = None,
    ) -> None:
        self.solver = solver
        self.grid = grid
        self.distance = distance
        self.channels = channels
        self.random_state = random_state
        self.balance = balance
        self.fill = fill
        self.entities = entities
        self.constraints = constraints
        self.effort = effort
        self.memory_mb = memory_mb
        self.on_progress = on_progress
        self.resamples = resamples
        self.halves = halves
        self.layout = layout

    def fit(self, X: np.ndarray | sp.spmatrix, y: object = None) -> Self:
        """Learn the layout from ``X (n, p)``; ``y`` is not looked at."""
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float32, np.float64], ensure_all_finite=False, ensure_min_samples=1
        )
        if self.layout is not None:
            if self.layout.n_features != X.shape[1]:
                raise LayoutError(f"The layout has {self.layout.n_features} features, the table {X.shape[1]}.")
            self.layout_ = self.layout
            return self
        names = getattr(self, "feature_names_in_", None)
        names = None if names is None else tuple(map(str, names))
        check_features(X, names)
        codes = channel_codes(self.channels, X.shape[1])
        kept = self._kept(X, codes)
        layout = make_layout(
            X if len(kept) == X.shape[1] else X[:, kept],
            shape=self.grid,
            solver=self.solver,
            distance=self.distance,
            random_state=_seed(self.random_state),
            on_progress=self.on_progress or ignore,
            balance=self.balance,
            channels=codes[kept],
            entities=None if self.entities is None else np.asarray(self.entities)[kept],
            constraints=None if self.constraints is None else self.constraints.take(kept),
            effort=self.effort,
            memory_mb=self.memory_mb,
            feature_names=names,
            resamples=self.resamples,
            halves=self.halves,
        )
        self.layout_ = layout.spread(kept, codes)
        return self

    def _kept(self, X: np.ndarray | sp.spmatrix, codes: np.ndarray) -> np.ndarray:
        """Columns that get a cell: all that fit, in each type pinned ones and then those of highest variance first."""
        wishes = self.constraints or Constraints()
        if self.entities is not None:
            return np.arange(len(codes))
        shape = grid_shape(self.grid, codes, wishes.mask)
        cells = Grid(shape, wishes.mask).n_cells
        if np.bincount(codes).max() <= cells:
            return np.arange(len(codes))
        wanted = FeatureTable(X, memory_mb=self.memory_mb).variances()
        wanted[list(wishes.pins)] = np.inf
        order = np.argsort(-wanted, kind="stable")
        return np.sort(np.concatenate([order[codes[order] == code][:cells] for code in np.unique(codes)]))

    def transform(self, X: np.ndarray | sp.spmatrix) -> np.ndarray:
        """Pictures of the rows: ``(n, p)`` -> ``(n, channels, height, width)``."""
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse="csr", dtype=[np.float32, np.float64])
        return self.layout_.to_maps(X, self.fill)

    def inverse_transform(self, X: np.ndarray) -> np.ndarray:
        """Rows of the pictures: ``(n, channels, height, width)`` -> ``(n, p)``; NaN for features without a cell."""
        check_is_fitted(self)
        return self.layout_.to_features(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
