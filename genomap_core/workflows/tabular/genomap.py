"""From a cohort to one map per patient, with the layout's quality beside that of a random layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.fill import LowRankFill
from genomap_core.data.perturb import subsample_rows
from genomap_core.data.standardise import Standardisation, fit_standardisation
from genomap_core.errors import LayoutError
from genomap_core.layout import (
    SOLVERS,
    Constraints,
    Layout,
    LayoutQuality,
    Match,
    ReferenceMap,
    align,
    layout_at,
    make_layout,
    map_regions,
)
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.store import decode
from genomap_core.workflows.cohorts.precomputed import ready_layout

SOLVER_NAMES: tuple[str, ...] = tuple(SOLVERS)
SOLVER_TITLES = {
    "ot": "Optimal transport (default)",
    "gromov": "Gromov-Wasserstein, POT (exact, slow)",
    "published": "As published (radial distance)",
    "embedding": "Embedding + assignment",
    "sorted": "Sorted by variance",
    "random": "Random (control)",
}
DISTANCES = {
    "correlation": "Correlation (signed)",
    "absolute": "Absolute correlation",
    "spearman": "Rank correlation",
    "euclidean": "Euclidean",
}


@dataclass(frozen=True, slots=True)
class KnownPlaces:
    """Places that a reference map gives the features of a cohort."""

    title: str
    """Of the reference map, with its version."""
    grid: tuple[int, int]
    cells: tuple[tuple[int, int, int], ...]
    """(column of the data set, row, column of the grid)"""


@dataclass(frozen=True, slots=True)
class GenomapConfig:
    """How the features of a cohort get their places."""

    solver: str = "ot"
    distance: str = "correlation"
    grid: tuple[int, int] | None = None
    """Height and width in cells; None: the smallest near-square grid that holds the features."""
    max_features: int = 16_384
    """The most variable features are kept when there are more."""
    joint: bool = False
    """All omics types on one map instead of one map a type."""
    seed: int = 0
    balance: float = 0.5
    """Trade-off of solver "ot": 0 distances only, 1 neighbourhoods only."""
    pins: tuple[tuple[int, int, int], ...] = ()
    """(column of the data set, row, column of the grid) of features held in a cell (solver "ot")."""
    sets: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Name and columns of the data set of gene sets, each drawn as one region (solver "ot")."""
    mask: tuple[str, ...] = ()
    """Rows of the grid, "#" where a feature may lie; empty: a full rectangle."""
    resamples: int = 0
    """Bootstrap resamples of the samples over which affinities are averaged, for steadier places; 0: none."""
    halves: int = 0
    """Splits of the samples on whose halves the layout's reproducibility is measured; 0: not measured."""
    reference: KnownPlaces | None = None
    """Places from a reference map: other features are left out, and no other option but ``distance`` plays a part."""

    def __post_init__(self) -> None:
        if self.max_features < 1:
            raise ValueError(f"`max_features` must be >= 1, got {self.max_features}.")

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> GenomapConfig:
        """From JSON, where tuples came back as lists."""
        return decode(cls, spec)

    @property
    def open_cells(self) -> int | None:
        """Most features of one type that find a cell; None: as many as there are."""
        if self.mask:
            return sum(row.count("#") for row in self.mask)
        return None if self.grid is None else self.grid[0] * self.grid[1]

    def constraints(self, kept: np.ndarray) -> Constraints:
        """The wishes, counted in the ``kept (q,)`` columns; those for other columns are left out."""
        mask = np.array([[cell == "#" for cell in row] for row in self.mask]) if self.mask else None
        if self.solver != "ot":
            return Constraints(mask=mask)
        pins = {feature: (row, column) for feature, row, column in self.pins}
        return replace(Constraints(pins=pins, sets=dict(self.sets)).take(kept), mask=mask)


@dataclass(frozen=True, eq=False)
class GenomapResult:
    """The maps of a cohort. Everything here was learned on the rows it was fitted on, labels unseen."""

    standardisation: Standardisation
    layout: Layout
    control: LayoutQuality
    """Quality of a random layout of the same features on the same grid."""
    z: np.ndarray
    """``(n, q)`` float32: standardised values of the kept features; the median where a value is missing."""
    missing: np.ndarray
    """``(n, q)`` bool"""
    feature_names: tuple[str, ...]
    """The ``q`` kept features."""

    @cached_property
    def maps(self) -> np.ndarray:
        """``(n, c, H, W)`` float32"""
        return self.layout.to_maps(self.z)

    @property
    def kept(self) -> np.ndarray:
        """``(q,)`` columns of the data set."""
        return self.standardisation.kept


def fit_genomap(
    dataset: Dataset, config: GenomapConfig = GenomapConfig(), on_progress: OnProgress = ignore
) -> GenomapResult:
    """Select, standardise and place the features of ``dataset``; labels are not used.

    Raises
    ------
    LayoutError
        When the grid is too small, or the solver can't take so many features.
    """
    on_progress(Progress("standardising", 0, 3))
    if config.reference is not None:
        return _on_reference(dataset, config, config.reference)
    most = min(config.max_features, config.open_cells or config.max_features)
    standardisation = fit_standardisation(dataset.X, max_features=most)
    z = standardisation.apply(dataset.X)
    kept = standardisation.kept
    channels = None if dataset.omics is None or config.joint else dataset.omics[kept]
    on_progress(Progress("placing features", 1, 3))
    plain = len(kept) == dataset.n_features and replace(config, max_features=most) == GenomapConfig(max_features=most)
    known = ready_layout(dataset.digest) if plain else None
    if known is None:
        wishes = config.constraints(kept)
        layout = place(z, config, config.solver, channels, wishes, on_progress, config.halves)
        on_progress(Progress("measuring the layout", 2, 3))
        known = layout, place(z, config, "random", channels, Constraints(mask=wishes.mask)).quality
    on_progress(Progress("measuring the layout", 3, 3))
    return _result(dataset, standardisation, z, *known)


def _result(
    dataset: Dataset, standardisation: Standardisation, z: np.ndarray, layout: Layout, control: LayoutQuality
) -> GenomapResult:
    kept = standardisation.kept
    columns = dataset.X[:, kept]
    missing = np.zeros(z.shape, bool) if sp.issparse(columns) else np.isnan(columns)
    return GenomapResult(standardisation, layout, control, z, missing, tuple(dataset.feature_names[j] for j in kept))


def _on_reference(dataset: Dataset, config: GenomapConfig, known: KnownPlaces) -> GenomapResult:
    """The cohort's features at a reference map's places."""
    places = np.array(known.cells, np.int64).reshape(-1, 3)
    places = places[np.argsort(places[:, 0])]
    if len(places) < 2 or not 0 <= places[0, 0] <= places[-1, 0] < dataset.n_features:
        raise LayoutError(f"The places of {known.title} are not those of this cohort: use the reference map again.")
    notes = {"distance": config.distance, "reference": known.title}
    return _at(dataset, places[:, 0], places[:, 1:], known.grid, config, notes)


def genomap_at(
    dataset: Dataset, positions: np.ndarray, grid: tuple[int, int], channel: np.ndarray | None = None
) -> GenomapResult:
    """The maps of a cohort on which another layout, such as a network's, has put its features.

    Parameters
    ----------
    positions
        ``(p, 2)`` row and column of each feature of the data set; -1 without a cell, which leaves it out.
    channel
        ``(p,)`` omics type of each feature; None: one type.
    """
    kept = np.flatnonzero(positions[:, 0] >= 0)
    types = None if channel is None or not len(kept) else np.unique(channel[kept], return_inverse=True)[1]
    return _at(dataset, kept, positions[kept], grid, GenomapConfig(grid=grid), {}, types)


def _at(
    dataset: Dataset,
    kept: np.ndarray,
    positions: np.ndarray,
    grid: tuple[int, int],
    config: GenomapConfig,
    notes: dict[str, Any],
    channel: np.ndarray | None = None,
) -> GenomapResult:
    """Columns ``kept (q,)`` of the cohort at ``positions (q, 2)``, beside a random layout of them on the same grid."""
    if len(kept) < 2:
        raise LayoutError("Fewer than two features have a cell: there is no map to show.")
    whole = fit_standardisation(dataset.X, selection="none")
    standardisation = replace(whole, kept=kept, mean=whole.mean[kept], scale=whole.scale[kept])
    z = standardisation.apply(dataset.X)
    layout = layout_at(z, positions, grid, config.distance, notes, channel)
    random = place(z, replace(config, grid=grid, resamples=0), "random", channel).quality
    return _result(dataset, standardisation, z, layout, random)


def save_reference(dataset: Dataset, result: GenomapResult, name: str, version: str) -> bytes:
    """A cohort's layout as the file of a reference map."""
    about = {
        "cohort": dataset.name,
        "samples": dataset.n_samples,
        "features": dataset.n_features,
        "unit": dataset.unit,
        "digest": dataset.digest,
    }
    return ReferenceMap(name, version, result.feature_names, result.layout, result.control, about).to_bytes()


def known_places(reference: ReferenceMap, dataset: Dataset) -> tuple[KnownPlaces, Match]:
    """Where a reference map puts the features of this cohort, and which of them it doesn't know or the cohort lacks."""
    if dataset.omics is not None and len(np.unique(dataset.omics)) > 1:
        raise LayoutError("A reference map holds one type of features, this cohort has several omics types.")
    match = reference.match(dataset.feature_names)
    cells = tuple((int(j), int(row), int(column)) for j, (row, column) in zip(match.columns, match.positions))
    return KnownPlaces(reference.title, reference.layout.shape, cells), match


def place(
    z: np.ndarray,
    config: GenomapConfig,
    solver: str,
    channels: np.ndarray | None,
    wishes: Constraints | None = None,
    on_progress: OnProgress = ignore,
    halves: int = 0,
) -> Layout:
    """The layout of standardised values ``z (n, q)`` with a config's options, by any solver."""
    return make_layout(
        z,
        config.grid or "auto",
        solver,
        config.distance,
        config.seed,
        on_progress,
        balance=config.balance,
        channels=channels,
        constraints=wishes,
        resamples=config.resamples,
        halves=halves,
    )


LITTLE, MUCH = 0.03, 0.1
"""Mean correlation of neighbours beyond that on a random layout: below the first like random, from the second good."""


def layout_verdict(result: GenomapResult) -> str:
    """One sentence: is the layout good, or like a random one?"""
    own, random = result.layout.quality.neighbour_correlation, result.control.neighbour_correlation
    figures = f"features on neighbouring cells correlate {own:.2f} on the mean, {random:.2f} on a random layout"
    if own - random >= MUCH:
        return f"This layout is good: {figures}."
    if own - random >= LITTLE:
        return f"This layout is a little better than a random one: {figures}."
    return f"This layout is like a random one: {figures}. What lies side by side on it means nothing."


def solver_words(solver: str) -> str:
    """A solver's name inside a sentence."""
    title = {**SOLVER_TITLES, "reference": "a reference map"}.get(solver, solver).removesuffix(" (default)")
    return title if title.startswith("Gromov") else title[:1].lower() + title[1:]


def layout_words(config: GenomapConfig) -> str:
    """How features got their places, for reports."""
    return f"{solver_words(config.solver)}, {DISTANCES[config.distance].lower()}, seed {config.seed}"


def unit_words(unit: str) -> str:
    """A unit for people; that of a table which says none is called after what it is."""
    return "as in the table" if unit == "value" else unit


def map_unit(dataset: Dataset) -> str:
    """Unit of the values on a map."""
    return "z-score" if dataset.unit in ("value", "z-score") else f"z-score of {dataset.unit}"


def filled_row(result: GenomapResult, row: int, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill what is missing in a patient's shown values ``(q,)`` (z-scores, NaN where missing or dropped).

    Factor analysis of the other patients (:class:`~genomap_core.data.fill.LowRankFill`), as before the map classifier;
    the patient's own values teach it nothing.

    Returns
    -------
    Values ``(q,)`` float32 without NaN, and ``(q,)`` bool, which of them were filled in.
    """
    others = np.delete(np.arange(len(result.z)), row)
    known = np.where(result.missing[others], np.float32(np.nan), result.z[others])
    filled = LowRankFill.fit(known).apply(np.asarray(shown, np.float32)[None])[0]
    return filled, np.isnan(shown)


def region_groups(result: GenomapResult, n_features: int, n_regions: int = 64) -> np.ndarray:
    """``(n_features,)`` int64: map region of every feature of the cohort, -1 for those not on the map."""
    groups = np.full(n_features, -1, np.int64)
    groups[result.kept] = map_regions(result.layout, result.z, n_regions)
    return groups


def reference_places(data: bytes, dataset: Dataset) -> tuple[KnownPlaces, tuple[str, ...], tuple[str, ...]]:
    """:func:`known_places` of a reference map's file: places, features the cohort lacks, features without a place."""
    places, match = known_places(ReferenceMap.from_bytes(data), dataset)
    return places, match.lacking, match.unknown


@dataclass(frozen=True, eq=False)
class Displacement:
    """How far features move when the layout is fitted on part of the samples."""

    layout: Layout
    """Fitted on the subsample, turned and mirrored to lie on the reference as well as it can."""
    cells_moved: np.ndarray
    """``(q,)`` distance in cells; NaN where a feature has no cell in either layout."""
    random_cells_moved: float
    """Mean distance between two unrelated places of the same grid: what no stability at all looks like."""
    n_samples: int


def refit_on_subsample(
    dataset: Dataset,
    result: GenomapResult,
    config: GenomapConfig,
    fraction: float,
    seed: int = 0,
    on_progress: OnProgress = ignore,
) -> Displacement:
    """Fit the layout again on a stratified ``fraction`` of the samples and compare the places of every feature."""
    groups = np.arange(dataset.n_samples) if dataset.y is None and dataset.groups is None else dataset.groups
    rows = subsample_rows(dataset.y, groups, fraction, seed)
    if len(rows) < 3:
        raise LayoutError(f"{len(rows)} samples are too few for a layout: keep a larger share.")
    on_progress(Progress("placing features on the subsample", 0, 1))
    part = dataset.X[rows][:, result.kept]
    z = fit_standardisation(part, selection="none").apply(part)
    channels = result.layout.channel if result.layout.n_channels > 1 else None
    fresh = place(z, config, config.solver, channels, config.constraints(result.kept))
    layout = align(fresh, result.layout)
    a, b = layout.positions.astype(float), result.layout.positions.astype(float)
    placed = (a[:, 0] >= 0) & (b[:, 0] >= 0)
    moved = np.full(len(a), np.nan)
    moved[placed] = np.linalg.norm(a[placed] - b[placed], axis=1)
    unrelated = np.random.default_rng(seed).permutation(b[placed])
    on_progress(Progress("placing features on the subsample", 1, 1))
    return Displacement(layout, moved, float(np.linalg.norm(unrelated - b[placed], axis=1).mean()), len(rows))


def subsample_task(spec: dict[str, Any], folder: Path, on_progress: OnProgress) -> dict[str, Any]:
    """Job: the layout of ``folder/dataset.npz`` fitted again on a share of the samples; writes ``moved.npz``."""
    dataset = Dataset.load(folder / "dataset.npz")
    config = GenomapConfig.from_spec(spec["config"])
    result = fit_genomap(dataset, config)
    found = refit_on_subsample(dataset, result, config, spec["fraction"], spec.get("seed", 0), on_progress)
    np.savez(folder / "moved.npz", cells_moved=found.cells_moved, positions=found.layout.positions)
    return {
        "random_cells_moved": found.random_cells_moved,
        "median_cells_moved": float(np.nanmedian(found.cells_moved)),
        "n_samples": found.n_samples,
    }
