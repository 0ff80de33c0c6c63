"""What stands out in a patient: features and regions of the map that lie furthest from a named reference.

How far and how rare are two answers: the z-score counts standard deviations of the reference, the percentile counts its
samples. The patient, and other samples of the same group, are never part of what the patient is held against. As some
feature of thousands lies far out in everybody, every sample of the reference is measured against the others in the same
way, and the share that has a feature at least as far out is told with the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.data.readings import Readings
from genomap_core.errors import InputError
from genomap_core.workflows.tabular.genomap import GenomapResult

COHORT = "the cohort"
LEAST = 5
"""Samples that a reference needs in a feature."""
FAR = 3.0
"""z-score beyond which a feature counts no more for its region."""
MOST_ROWS = 2000
"""Samples of a reference; of more, evenly chosen ones."""
_BLOCK_VALUES = 2_000_000


@dataclass(frozen=True, eq=False)
class Reference:
    """Whom a patient is held against."""

    name: str
    """"the cohort", "class ALL", "12 chosen controls": as sentences say it"""
    z: np.ndarray
    """``(m, q)`` float32 values of the map's features on the map's scale, NaN where missing"""
    rows: np.ndarray
    """``(m,)`` rows of the cohort; -1 for samples from elsewhere"""

    @classmethod
    def of_rows(cls, name: str, genomap: GenomapResult, rows: np.ndarray) -> Reference:
        """Samples of the cohort itself."""
        rows = np.asarray(rows)[_evenly(len(rows))]
        return cls(name, np.where(genomap.missing[rows], np.float32(np.nan), genomap.z[rows]), rows)

    @classmethod
    def of_table(cls, name: str, genomap: GenomapResult, controls: Dataset, cohort: Dataset) -> Reference:
        """Samples from elsewhere, measured in the same features and units.

        Raises
        ------
        InputError
            Features of the map are not among theirs.
        """
        at = {feature: j for j, feature in enumerate(controls.feature_names)}
        absent = [feature for feature in genomap.feature_names if feature not in at]
        if absent:
            raise InputError(
                f"{controls.name}: {plural(len(absent), 'feature')} of the map are not among its columns, the first is "
                f"{absent[0]!r}: give the controls the same columns as the cohort."
            )
        X = controls.X[_evenly(controls.n_samples)]
        dense = X.toarray() if sp.issparse(X) else np.asarray(X)
        full = np.full((len(dense), cohort.n_features), np.nan, np.float32)
        full[:, genomap.kept] = dense[:, [at[feature] for feature in genomap.feature_names]]
        z = genomap.standardisation.apply(full)
        return cls(name, np.where(np.isnan(full[:, genomap.kept]), np.float32(np.nan), z), np.full(len(z), -1))


def named_rows(dataset: Dataset) -> dict[str, np.ndarray]:
    """References that every cohort has: all of it, and each class."""
    found = {COHORT: np.arange(dataset.n_samples)}
    if dataset.y is not None:
        found |= {f"class {name}": np.flatnonzero(dataset.y == k) for k, name in enumerate(dataset.classes)}
    return found


@dataclass(frozen=True, slots=True)
class Finding:
    """One feature, or one region of the map."""

    features: tuple[int, ...]
    """Of the map: the one, or all of the region"""
    title: str
    value: str
    """As measured, with its unit; of a region, its number of features"""
    z: float
    """Standard deviations of the reference from its mean; infinite where all of the reference are alike"""
    percentile: float
    """Share of the reference that lies below, in percent, those that are alike counted half"""
    sentence: str

    @property
    def z_words(self) -> str:
        """The z-score as it is shown."""
        return f"{self.z:+.1f}" if np.isfinite(self.z) else "all others alike"


@dataclass(frozen=True, eq=False)
class StandsOut:
    """What is unusual about one patient."""

    reference: str
    n_reference: int
    """Samples of the reference without the patient"""
    features: tuple[Finding, ...]
    """The furthest first"""
    regions: tuple[Finding, ...]
    difference: np.ndarray
    """``(q,)`` float32: patient minus the reference's mean, in its standard deviations; NaN where it can't be said"""
    nearest: tuple[tuple[int, float], ...]
    """Rows of the cohort, with their root-mean-square difference on the map's scale; the nearest first"""
    usual: float
    """Share of the reference that has a feature at least as far from the others as this patient's furthest"""

    @property
    def usual_words(self) -> str:
        """How seldom it is to stand out so much."""
        if not self.features:
            return ""
        share = f"{round(100 * self.usual)} of 100" if self.n_reference >= 100 else (
            f"{round(self.usual * self.n_reference)} of {self.n_reference}"
        )  # fmt: skip
        return f"Something stands out in everyone: {share} in {self.reference} have a feature at least this far out."


def stands_out(
    dataset: Dataset,
    genomap: GenomapResult,
    row: int,
    reference: Reference,
    labels: np.ndarray,
    region_names: Sequence[str],
    n_features: int = 8,
    n_regions: int = 3,
    n_nearest: int = 5,
    also: Sequence[int] = (),
) -> StandsOut:
    """Hold a patient against a reference.

    Parameters
    ----------
    row
        Of the cohort.
    labels, region_names
        ``(q,)`` region of each feature of the map, -1 for none; what region 0, 1, ... is called.
    also
        Features of the map that are told whether they stand out or not, behind the others.

    Raises
    ------
    InputError
        The reference has fewer than :data:`LEAST` samples besides the patient.
    """
    others = reference.z[~_same(dataset, row)[reference.rows] | (reference.rows < 0)]
    if len(others) < LEAST:
        raise InputError(
            f"{reference.name.capitalize()} has {plural(len(others), 'sample')} besides this patient: at least {LEAST} "
            "are needed to say what is usual. Choose another reference."
        )
    x = np.where(genomap.missing[row], np.float32(np.nan), genomap.z[row])
    seen = _measure(x, others, labels, len(region_names))
    readings = Readings.of(dataset)
    order = np.argsort(-np.abs(np.nan_to_num(seen.z, posinf=np.inf, neginf=-np.inf)), kind="stable")
    told = [j for j in order[:n_features].tolist() if np.isfinite(x[j]) and abs(seen.z[j]) > 0]
    told += [j for j in also if j not in told and np.isfinite(seen.z[j])]
    found = tuple(_feature(genomap, readings, float(dataset.X[row, genomap.kept[j]]), others, j, seen) for j in told)
    furthest = abs(found[0].z) if found else 0.0
    return StandsOut(
        reference=reference.name,
        n_reference=len(others),
        features=found,
        regions=_regions(labels, region_names, seen, n_regions),
        difference=np.where(np.isfinite(seen.z), seen.z, np.nan).astype(np.float32),
        nearest=_nearest(dataset, genomap, row, n_nearest),
        usual=float((seen.furthest >= furthest).mean()),
    )


def _same(dataset: Dataset, row: int) -> np.ndarray:
    """``(n,)`` bool: the patient's own row, and those of the same group."""
    same = np.arange(dataset.n_samples) == row
    return same if dataset.groups is None else same | (dataset.groups == dataset.groups[row])


def _evenly(n: int) -> np.ndarray:
    return np.unique(np.linspace(0, n - 1, min(n, MOST_ROWS)).astype(int)) if n else np.empty(0, int)


@dataclass(frozen=True, eq=False)
class _Measured:
    z: np.ndarray  # (q,)
    percentile: np.ndarray  # (q,)
    counts: np.ndarray  # (3, q) of the reference: below, alike, above
    furthest: np.ndarray  # (m,) largest |z| of each of the reference against its others
    region_of_patient: np.ndarray  # (K,) mean z, each at most FAR
    region_of_others: np.ndarray  # (m, K)


def _measure(x: np.ndarray, others: np.ndarray, labels: np.ndarray, n_regions: int) -> _Measured:
    """Everything that is counted over the reference, a block of features at a time."""
    m, q = others.shape
    z, counts = np.full(q, np.nan), np.zeros((3, q))
    furthest = np.zeros(m)
    sums, members = np.zeros((m + 1, n_regions)), np.zeros((m + 1, n_regions))
    for at in _blocks(m, q):
        values, own = others[:, at].astype(np.float64), x[at].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            counts[:, at] = (values < own).sum(0), (values == own).sum(0), (values > own).sum(0)
            z[at], z_others = _scores(values, own)
        furthest = np.fmax(furthest, np.fmax.reduce(np.abs(z_others), axis=1, initial=0.0))
        every = np.clip(np.vstack([z[at], z_others]), -FAR, FAR)  # so that no single feature speaks for its region
        known = ~np.isnan(every)
        member = np.zeros((every.shape[1], n_regions))
        placed = np.flatnonzero(labels[at] >= 0)
        member[placed, labels[at][placed]] = 1
        sums += np.nan_to_num(every) @ member
        members += known.astype(np.float64) @ member
    with np.errstate(invalid="ignore", divide="ignore"):
        percentile = 100 * (counts[0] + counts[1] / 2) / counts.sum(0)
        means = sums / members
    return _Measured(z, percentile, counts, furthest, means[0], means[1:])


def _blocks(m: int, q: int) -> Iterator[slice]:
    width = max(1, _BLOCK_VALUES // max(1, m))
    for start in range(0, q, width):
        yield slice(start, min(start + width, q))


def _scores(values: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The patient's z-scores, and those of each of the reference against its others: ``(b,)`` and ``(m, b)``.

    Leave-one-out mean and variance in closed form. A feature that fewer than :data:`LEAST` have is NaN.
    """
    count = (~np.isnan(values)).sum(0).astype(np.float64)
    centred = np.where(np.isnan(values), 0.0, values)
    mean = centred.sum(0) / count
    apart = values - mean
    square = np.nansum(apart**2, axis=0)
    # What is left of equal float32 numbers after the mean is rounding, not spread.
    spread = np.sqrt(square / (count - 1))
    spread = np.where(spread > 1e-6 * np.maximum(1.0, np.abs(mean)), spread, 0.0)
    away = np.where(np.abs(own - mean) > 1e-6 * np.maximum(1.0, np.abs(mean)), own - mean, 0.0)
    z = np.where(away == 0, np.where(np.isnan(own), np.nan, 0.0), away / spread)
    left = np.sqrt(np.maximum(square - count / (count - 1) * apart**2, 0.0) / (count - 2))
    alone = np.where(np.abs(apart) > 1e-6 * np.maximum(1.0, np.abs(mean)), np.sign(apart) * np.inf, 0.0)
    z_others = np.where(left > 1e-6, count / (count - 1) * apart / left, np.where(np.isnan(apart), np.nan, alone))
    few = count < LEAST
    return np.where(few, np.nan, z), np.where(few, np.nan, z_others)


def _feature(
    genomap: GenomapResult, readings: Readings, value: float, others: np.ndarray, j: int, seen: _Measured
) -> Finding:
    column, mean, scale = int(genomap.kept[j]), genomap.standardisation.mean[j], genomap.standardisation.scale[j]
    said = readings.said(column, value)
    below, alike, above = (int(c) for c in seen.counts[:, j])
    n = below + alike + above
    if column in readings.words:
        sentence = f"{said}: so are {_of(alike, n)}." if alike else f"{said}: nobody else is."
    else:
        ends = np.nanpercentile(others[:, j], (5, 95)) * scale + mean
        low, high = np.where(np.abs(ends) < 1e-5 * scale, 0.0, ends)  # what rounding leaves of 0
        usual = f"nine in ten lie between {low:.3g} and {high:.3g}"
        more, side = (below, "higher") if seen.z[j] > 0 else (above, "lower")
        sentence = f"{said}: {side} than in {_of(more, n)}; {usual}."
    return Finding(
        (j,),
        readings.titles[column],
        readings.value(column, value),
        float(seen.z[j]),
        float(seen.percentile[j]),
        sentence,
    )


def _regions(labels: np.ndarray, names: Sequence[str], seen: _Measured, most: int) -> tuple[Finding, ...]:
    """Regions whose features lie off together: the patient's mean z-score beside those of the reference."""
    others, own = seen.region_of_others, seen.region_of_patient
    with np.errstate(invalid="ignore", divide="ignore"):
        z = (own - np.nanmean(others, axis=0)) / np.nanstd(others, axis=0, ddof=1)
        below, alike = (others < own).sum(0), (others == own).sum(0)
    n = np.isfinite(others).sum(0)
    found = []
    for k in np.argsort(-np.abs(np.nan_to_num(z)), kind="stable")[:most].tolist():
        members = np.flatnonzero(labels == k)
        if len(members) < 2 or not np.isfinite(z[k]):
            continue
        more, side = (int(below[k]), "higher") if z[k] > 0 else (int(n[k] - below[k] - alike[k]), "lower")
        size = plural(len(members), "feature")
        sentence = f"Region {names[k]} ({size}): {side} on the whole than in {_of(more, int(n[k]))}."
        percentile = float(100 * (below[k] + alike[k] / 2) / n[k])
        found.append(Finding(tuple(members.tolist()), f"Region {names[k]}", size, float(z[k]), percentile, sentence))
    return tuple(found)


def _of(count: int, n: int) -> str:
    """ "69 of 71", of a hundred and more "97 of 100"; never "100 of 100" unless it is all."""
    if count == n:
        return f"all {n:,}"
    return f"{count} of {n}" if n < 100 else f"{int(100 * count / n)} of 100"


def _nearest(dataset: Dataset, genomap: GenomapResult, row: int, most: int) -> tuple[tuple[int, float], ...]:
    """Other patients, by the difference over the features that the patient has; missing ones of theirs are usual."""
    have = ~genomap.missing[row]
    rows = np.flatnonzero(~_same(dataset, row))
    if not len(rows) or not have.any():
        return ()
    x = genomap.z[row, have].astype(np.float64)
    squared = np.empty(len(rows))
    for at in _blocks(int(have.sum()), len(rows)):  # a block of rows here
        squared[at] = ((genomap.z[rows[at]][:, have] - x) ** 2).mean(1)
    order = np.argsort(squared, kind="stable")[:most]
    return tuple((int(rows[i]), float(np.sqrt(squared[i]))) for i in order)
