"""What a gene map shows, as one checked value. No Streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from genomap_core.data.perturb import Perturbation, add_noise, keep_rank, noise_fields
from genomap_core.errors import InputError
from genomap_core.plotting.colour import robust_range
from genomap_core.plotting.static_map import StaticMap

MAX_MAPS = 24
MAX_OVERLAYS = 2


class Places(Protocol):
    """The part of a layout that drawing needs."""

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def positions(self) -> np.ndarray: ...
    @property
    def channel(self) -> np.ndarray: ...
    @property
    def n_channels(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Overlay:
    """One model's signed attribution for the maps that are shown."""

    label: str
    """What it explains: "Genomap network, towards ALL"."""
    values: np.ndarray
    """``(k, p)``; NaN where the model gave none."""
    limit: float | None = None
    """Absolute value drawn in full colour; None: the 99.5 % quantile of this overlay."""

    @cached_property
    def span(self) -> float:
        """`limit`, or the quantile that stands for it; > 0."""
        return float(self.limit) if self.limit else robust_range(self.values, symmetric=True, share=0.995)[1]


@dataclass(frozen=True, eq=False)
class Measured:
    """From standardised values back to what was measured: ``value * scale + mean``, or the word it stands for."""

    mean: np.ndarray
    """``(p,)``"""
    scale: np.ndarray
    """``(p,)``"""
    units: tuple[str, ...]
    """``p`` of them, "" where there is none"""
    words: Mapping[int, tuple[tuple[float, str], ...]]
    """Feature (0..p-1) -> the values that stand for words"""


@dataclass(frozen=True, eq=False)
class MapData:
    """One to 24 maps on one scale: ``k`` patients (or class means), ``p`` features, ``c`` omics types.

    Parameters
    ----------
    places
        A layout: ``shape``, ``positions (p, 2)`` (-1 without a cell), ``channel (p,)``, ``n_channels``.
    values
        ``(k, p)`` in ``unit``; NaN where missing. The first map is exact in the browser (float32), the others
        may be rounded to 1/65,000 of their range when there is much to send.
    names
        ``p`` feature names. They reach the browser as text only.
    labels, channel_names
        Captions of the ``k`` maps and of the ``c`` omics types.
    noise, rank, scale
        Fields ``(k, p)`` and ranks ``(p,)`` of :mod:`genomap_core.data.perturb`, and the standard deviation of each
        feature in ``unit`` (1 for standardised values). Without a field or ranks there is no slider for them.
    seed
        The one from which ``noise`` and ``rank`` were drawn; it comes back with the event.
    missing
        ``(k, p)`` bool, where ``values`` holds an imputed number instead of NaN.
    filled
        ``(k, p)`` bool, where an imputed number is to be drawn: in its colour, hatched.
    overlays
        At most two models' attributions.
    value_range, unit
        Ends of the colour scale (None: those that hold the central 99 % of what is shown, alike on both sides of 0
        where there are negative values) and its unit. Values are always in cividis, attributions in vik.
    as_measured
        How a value is said in the units of the table; None where ``values`` are no standardised measurements.
    regions
        ``(p,)`` int labels of map regions, outlined on demand; -1 is none.
    region_names
        What region 0, 1, ... is called; written on the outlined map, which then shows them from the start.
    highlighted
        Features (0..p-1) ringed on the map: hits of a search.
    noun
        What a feature is called in captions: "gene", "feature", "protein".
    absent
        What a value that is missing is: "not measured", "can't be predicted".
    """

    places: Places
    values: np.ndarray
    names: tuple[str, ...]
    labels: tuple[str, ...]
    channel_names: tuple[str, ...] = ("",)
    noise: np.ndarray | None = None
    rank: np.ndarray | None = None
    scale: np.ndarray | float = 1.0
    seed: int = 0
    missing: np.ndarray | None = None
    filled: np.ndarray | None = None
    overlays: tuple[Overlay, ...] = ()
    value_range: tuple[float, float] | None = None
    unit: str = "z-score"
    as_measured: Measured | None = None
    regions: np.ndarray | None = None
    region_names: tuple[str, ...] = ()
    highlighted: tuple[int, ...] = ()
    title: str = ""
    noun: str = "gene"
    absent: str = "not measured"

    def __post_init__(self) -> None:
        k, p = np.shape(self.values)
        if not 1 <= k <= MAX_MAPS:
            raise InputError(f"A gene map shows 1 to {MAX_MAPS} maps at once, got {k}: choose fewer patients.")
        if len(self.overlays) > MAX_OVERLAYS:
            raise InputError(f"At most {MAX_OVERLAYS} attribution overlays fit on a map, got {len(self.overlays)}.")
        wanted = {
            "positions": (np.shape(self.places.positions), (p, 2)),
            "channel": (np.shape(self.places.channel), (p,)),
            "names": ((len(self.names),), (p,)),
            "labels": ((len(self.labels),), (k,)),
            "channel_names": ((len(self.channel_names),), (self.places.n_channels,)),
            "noise": ((k, p) if self.noise is None else np.shape(self.noise), (k, p)),
            "means": ((p,) if self.as_measured is None else np.shape(self.as_measured.mean), (p,)),
            "rank": ((p,) if self.rank is None else np.shape(self.rank), (p,)),
            "scale": (np.shape(self.scale) or (p,), (p,)),
            "missing": ((k, p) if self.missing is None else np.shape(self.missing), (k, p)),
            "filled": ((k, p) if self.filled is None else np.shape(self.filled), (k, p)),
            "regions": ((p,) if self.regions is None else np.shape(self.regions), (p,)),
        } | {f"overlay {o.label!r}": (np.shape(o.values), (k, p)) for o in self.overlays}
        for what, (got, want) in wanted.items():
            if tuple(got) != want:
                raise InputError(f"`{what}` has shape {tuple(got)}, expected {want} for {k} maps of {p} features.")
        if self.value_range is not None and not self.value_range[0] < self.value_range[1]:
            raise InputError(f"`value_range` must rise, got {self.value_range}.")
        if any(not 0 <= j < p for j in self.highlighted):
            raise InputError(f"`highlighted` must be feature numbers from 0 to {p - 1}.")

    @property
    def n_maps(self) -> int:
        return len(self.labels)

    @cached_property
    def placed(self) -> np.ndarray:
        """``(q,)`` int: the features that have a cell."""
        return np.flatnonzero(np.asarray(self.places.positions)[:, 0] >= 0)

    @cached_property
    def cells(self) -> np.ndarray:
        """``(q,)`` uint32: where in a flat (c, H, W) picture each placed feature lies."""
        height, width = self.places.shape
        row, column = np.asarray(self.places.positions, np.int64)[self.placed].T
        channel = np.asarray(self.places.channel, np.int64)[self.placed]
        return ((channel * height + row) * width + column).astype(np.uint32)

    @cached_property
    def measured(self) -> np.ndarray:
        """``(k, p)`` float32: the values, NaN where missing."""
        values = np.asarray(self.values, np.float32)
        return values if self.missing is None else np.where(self.missing, np.float32(np.nan), values)

    @cached_property
    def span(self) -> tuple[float, float]:
        """Ends of the colour scale."""
        shown = self.measured[:, self.placed]
        return self.value_range or robust_range(shown, symmetric=bool(np.nanmin(shown, initial=0.0) < 0))

    def shown(self, perturbation: Perturbation = Perturbation()) -> np.ndarray:
        """What the browser draws: ``(k, p)`` float32, NaN where missing or dropped, equal to it bit for bit."""
        values = self.measured
        if self.noise is not None:
            values = add_noise(values, self.noise, self.scale, perturbation.level)
        if self.rank is not None:
            values = np.where(self.rank < np.float32(perturbation.keep), values, np.float32(np.nan))
        return values

    def static(self, perturbation: Perturbation = Perturbation(), overlay: int | None = None) -> StaticMap:
        """The same picture for a file or a report, attribution ``overlay`` (0 or 1) on top if asked."""
        chosen = None if overlay is None else self.overlays[overlay]
        note = []
        if perturbation.level:
            note.append(f"noise {perturbation.level * 100:g} % of each {self.noun}'s standard deviation")
        if perturbation.keep < 1:
            note.append(f"{perturbation.keep * 100:g} % of the {self.noun}s kept")
        return StaticMap(
            maps=self._board(self.shown(perturbation)),
            occupied=self._board(np.ones((1, len(self.names)), np.float32))[0] == 1,
            labels=self.labels,
            channel_names=self.channel_names,
            value_range=self.span,
            unit=self.unit,
            title=self.title,
            note=", ".join(note),
            overlay=None if chosen is None else self._board(chosen.values),
            overlay_label="" if chosen is None else chosen.label,
            overlay_limit=1.0 if chosen is None else chosen.span,
            filled=None if self.filled is None else self._board(self.filled) == 1,
        )

    def _board(self, rows: np.ndarray) -> np.ndarray:
        height, width = self.places.shape
        board = np.full((len(rows), self.places.n_channels * height * width), np.nan, np.float32)
        board[:, self.cells] = np.asarray(rows)[:, self.placed]
        return board.reshape(len(rows), self.places.n_channels, height, width)


def perturbation_fields(
    seed: int, rows: np.ndarray, n_columns: int, kept: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Noise ``(k, q)`` and ranks ``(q,)`` of the kept columns, as ``perturb`` draws them for the whole table.

    Parameters
    ----------
    seed
        Of the perturbation.
    rows
        ``(k,)`` rows of the data set that are shown.
    n_columns
        Columns of the data set, before any selection.
    kept
        ``(q,)`` columns on the map (``Preprocessor.kept_``); None: all.
    """
    columns = np.arange(n_columns) if kept is None else np.asarray(kept)
    return noise_fields(seed, rows, n_columns)[:, columns], keep_rank(seed, n_columns)[columns]
