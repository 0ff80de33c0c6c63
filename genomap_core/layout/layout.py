"""`Layout`: the single value that knows both features and cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import LayoutError
from genomap_core.layout.distances import dense
from genomap_core.layout.quality import LayoutQuality, Reproducibility

FORMAT = "genomap-layout/1"


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each feature lies.

    Parameters
    ----------
    shape
        ``(height, width)`` of the grid.
    positions
        ``(p, 2)`` int32: row and column of each feature; -1, -1 for a feature without a cell.
    channel
        ``(p,)`` int32: omics type of each feature; a cell holds at most one feature of each type.
    n_channels
        Number of types; 1 for one kind of feature.
    quality
        How faithful the layout is to the data it was made from.
    solver
        Name of the solver.
    reproducibility
        How much of it halves of the samples draw alike; None where it was not measured.
    """

    shape: tuple[int, int]
    positions: np.ndarray
    channel: np.ndarray
    n_channels: int
    quality: LayoutQuality
    solver: str
    notes: Mapping[str, Any] = field(default_factory=dict)
    reproducibility: Reproducibility | None = None

    def __post_init__(self) -> None:
        if self.positions.shape != (len(self.channel), 2):
            raise LayoutError(
                f"Positions are {self.positions.shape} for {len(self.channel)} features: expected (p, 2)."
            )
        cells = self._cell_of_feature
        placed = cells[cells >= 0]
        outside = len(placed) < (self.positions != -1).any(axis=1).sum()
        if outside or len(np.unique(placed)) != len(placed):
            raise LayoutError(f"Two features share a cell, or one lies outside the {self.shape} grid.")

    @property
    def n_features(self) -> int:
        return len(self.positions)

    @cached_property
    def placed(self) -> np.ndarray:
        """``(q,)`` int: the features that have a cell."""
        return np.flatnonzero(self.positions[:, 0] >= 0)

    @cached_property
    def _cell_of_feature(self) -> np.ndarray:
        """``(p,)`` int: index into a flat (channels, height, width) map; -1 without a cell."""
        height, width = self.shape
        row, column = self.positions.astype(np.int64).T
        inside = (row >= 0) & (column >= 0) & (row < height) & (column < width) & (self.channel < self.n_channels)
        return np.where(inside, (self.channel * height + row) * width + column, -1)

    @cached_property
    def feature_of_cell(self) -> np.ndarray:
        """``(channels, height, width)`` int32: the feature of each cell, -1 where there is none."""
        board = np.full((self.n_channels, *self.shape), -1, np.int32)
        board.ravel()[self._cell_of_feature[self.placed]] = self.placed
        return board

    def to_maps(self, X: np.ndarray | sp.spmatrix, fill: float = 0.0) -> np.ndarray:
        """Rows of a table as pictures: ``(n, p)`` -> ``(n, channels, height, width)``.

        Float32, or float64 where the table is float64 (so that :meth:`to_features` gives back what came in).
        ``fill`` stands in cells without a feature.
        """
        X = dense(X)
        if X.ndim != 2 or X.shape[1] != self.n_features:
            raise LayoutError(f"The layout has {self.n_features} features, the table has shape {X.shape}.")
        dtype = np.float64 if X.dtype == np.float64 else np.float32
        source = self.feature_of_cell.ravel()
        if len(self.placed) == len(source):
            maps = X[:, source].astype(dtype, copy=False)
        else:
            maps = np.full((len(X), len(source)), fill, dtype)
            maps[:, source >= 0] = X[:, source[source >= 0]]
        return maps.reshape(len(X), self.n_channels, *self.shape)

    def to_features(self, maps: np.ndarray) -> np.ndarray:
        """Pictures back to rows: ``(n, channels, height, width)`` -> ``(n, p)``; NaN for features without a cell."""
        maps = np.asarray(maps)
        expected = (self.n_channels, *self.shape)
        if maps.ndim != 4 or maps.shape[1:] != expected:
            raise LayoutError(f"Expected maps of shape (n, {', '.join(map(str, expected))}), got {maps.shape}.")
        dtype = np.float64 if maps.dtype == np.float64 else np.float32
        X = np.full((len(maps), self.n_features), np.nan, dtype)
        X[:, self.placed] = maps.reshape(len(maps), int(np.prod(expected)))[:, self._cell_of_feature[self.placed]]
        return X

    def take(self, features: np.ndarray | Sequence[int]) -> Layout:
        """The same map with these features only, in this order (quality stays that of the whole)."""
        features = np.asarray(features)
        return replace(self, positions=self.positions[features], channel=self.channel[features])

    def spread(self, kept: np.ndarray, channel: np.ndarray) -> Layout:
        """This layout of the columns ``kept`` as one of all columns, whose types are ``channel (p,)``.

        The others have no cell.
        """
        if len(kept) == len(channel):
            return self
        positions = np.full((len(channel), 2), -1, np.int32)
        positions[kept] = self.positions
        return replace(self, positions=positions, channel=channel.astype(np.int32))

    def to_arrays(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and a JSON-able header, for a bundle."""
        header = {
            "format": FORMAT,
            "shape": [int(side) for side in self.shape],
            "n_channels": self.n_channels,
            "solver": self.solver,
            "quality": asdict(self.quality),
            "notes": dict(self.notes),
        }
        if self.reproducibility is not None:
            header["reproducibility"] = asdict(self.reproducibility)
        return {"positions": self.positions, "channel": self.channel}, header

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray], header: Mapping[str, Any]) -> Layout:
        """The layout that :meth:`to_arrays` wrote."""
        if header.get("format") != FORMAT:
            raise LayoutError(f"Not a layout this version reads: format {header.get('format')!r}, expected {FORMAT!r}.")
        measured = header.get("reproducibility")
        return cls(
            shape=(int(header["shape"][0]), int(header["shape"][1])),
            positions=np.asarray(arrays["positions"], np.int32),
            channel=np.asarray(arrays["channel"], np.int32),
            n_channels=int(header["n_channels"]),
            quality=LayoutQuality(**header["quality"]),
            solver=str(header["solver"]),
            notes=dict(header.get("notes", {})),
            reproducibility=None if measured is None else Reproducibility(**measured),
        )
