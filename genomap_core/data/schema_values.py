"""Checks of the values as a whole: scale, constant and equal features, equal samples, marks of missing values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.data.message import Message, limited, plural, shown, some
from genomap_core.data.schema_cohort import Cohort
from genomap_core.data.schema_stats import ColumnStats, alike_by_chance, equal_columns, equal_rows, sample_values

SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0)

_LISTED = 20
_TINY = 1e-30
_LOG_FROM = 50
"""Below this many features a table is taken for clinical, and no logarithm is proposed."""


@dataclass(frozen=True, slots=True)
class Scale:
    """``unit`` of the values as they are; whether a logarithm is ``advised``; and why."""

    unit: str
    advised: bool
    reason: str


def find_scale(values: np.ndarray, stats: ColumnStats, n_features: int) -> Scale:
    """Judge the scale on a sample of present ``values`` and the columns' extremes."""
    if not len(values) or not np.isfinite(stats.low).any():
        return Scale("value", False, "")
    low, high = float(np.nanmin(stats.low)), float(np.nanmax(stats.high))
    middle, top = (float(v) for v in np.quantile(values, [0.5, 0.999]))
    whole = bool(stats.whole.all())
    if low < 0:
        standard = abs(values.mean(dtype=float)) < 0.1 and 0.8 < values.std(dtype=float) < 1.2
        return Scale("z-score" if standard else "value", False, "")
    if whole and high > 1:
        skewed = n_features >= _LOG_FROM and high > 100 and top > 5 * (middle + 1)
        return Scale("count", skewed, f"whole numbers from {low:g} to {high:g}")
    if n_features >= _LOG_FROM and high > 100 and top > 20 * middle:
        return Scale("value", True, f"values from {low:g} to {high:g}, half of them at most {middle:g}")
    if high <= 1:
        return Scale("fraction", False, "")
    if high <= 30 and (base := _log_of_counts(values)):
        return Scale(f"{base}(1 + count)", False, f"{base}(1 + x) of whole numbers")
    return Scale("log", False, "") if high <= 30 and n_features >= _LOG_FROM else Scale("value", False, "")


def _log_of_counts(values: np.ndarray) -> str:
    """Whether most values are logarithms of 1 + a whole number that was small enough to tell; which logarithm."""
    positive = values[values > 0].astype(np.float64)[:20_000]
    for name, inverse in (("log", np.expm1), ("log2", lambda v: np.exp2(v) - 1), ("log10", lambda v: 10**v - 1)):
        with np.errstate(over="ignore"):
            counts = inverse(positive)
        told = counts[counts < 200]
        if len(told) >= 50 and len(told) > 0.3 * len(positive) and (np.abs(told - np.rint(told)) < 0.02).mean() > 0.95:
            return name
    return ""


def check_scale(cohort: Cohort, scale: Scale, stats: ColumnStats) -> list[Message]:
    """Counts, logarithms, and a logarithm where none can be taken."""
    said: list[Message] = []
    if cohort.roles.log == "log2(1+x)":
        below = [cohort.names[k] for k in np.flatnonzero(stats.low < 0).tolist()]
        if below:
            text = f"log2(1 + x) can't be taken: {plural(len(below), 'feature')} hold values below 0: {some(below)}."
            said.append(Message("error", "log-of-negative", text, below[0], remedy="Take the values as they are."))
        elif scale.unit.startswith("log"):
            text = "The values look log-scaled already: a second log would flatten them."
            said.append(Message("warn", "second-log", text, remedy="Take the values as they are."))
        else:
            said.append(Message("warn", "log-taken", f"log2(1 + x) is taken of all number features ({scale.reason})."))
    elif scale.advised:
        text = f"The values are on a linear scale ({scale.reason}) and are taken as they are."
        said.append(
            Message("warn", "linear-scale", text, remedy="Choose log2(1 + x) if they are counts or intensities.")
        )
    elif scale.reason and scale.unit.startswith("log"):
        text = f"The values look log-scaled ({scale.reason}): they are taken as they are, with no second log."
        said.append(Message("warn", "log-scale", text, remedy="Leave the scale 'as is'."))
    elif scale.unit == "log":
        said.append(Message("ok", "log-scale", "The values look log-scaled: they are taken as they are."))
    return said + _check_spread(cohort, stats)


def _check_spread(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    said: list[Message] = []
    size = np.fmax(np.abs(stats.low), np.abs(stats.high))
    tiny = [cohort.names[k] for k in np.flatnonzero((size > 0) & (size < _TINY)).tolist()]
    if tiny:
        text = f"The scale of {plural(len(tiny), 'feature')} is too small to compute with (below 1e-30): {some(tiny)}."
        said.append(Message("warn", "tiny-scale", text, tiny[0], remedy="Multiply the columns by a power of ten."))
    constant = [cohort.names[k] for k in np.flatnonzero(stats.low == stats.high).tolist()]
    if constant:
        text = f"{plural(len(constant), 'feature')} constant: {some(map(shown, constant))}."
        said.append(Message("ok", "constant-feature", text, constant[0], remedy="They say nothing and do no harm."))
    return said


def check_equal(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """Features that repeat another one, and samples that repeat another one under their own id."""
    varying = np.flatnonzero(stats.low < stats.high)
    said: list[Message] = []
    groups = equal_columns(cohort.values, varying)
    if groups:
        count = sum(len(group) - 1 for group in groups)
        pairs = some(f"{shown(cohort.names[g[1]])} = {shown(cohort.names[g[0]])}" for g in groups)
        text = f"{plural(count, 'duplicate feature')} with the values of another one: {pairs}."
        said.append(Message("warn", "equal-features", text, cohort.names[groups[0][1]], remedy="Keep one of each."))
    groups = equal_rows(cohort.values) if len(varying) >= 5 else []
    if groups and not alike_by_chance(cohort.values, varying):
        count = sum(len(group) - 1 for group in groups)
        pairs = some(f"{cohort.row(g[1])} = {cohort.row(g[0])}" for g in groups)
        text = f"{plural(count, 'duplicate sample')} with all feature values of another one under another id: {pairs}."
        remedy = "Remove them, or choose a group column: the same patient must not be in training and test."
        said.append(Message("warn", "equal-samples", text, None, cohort.row_number(groups[0][1]), None, remedy))
    return said


def check_sentinels(cohort: Cohort, stats: ColumnStats, scale: Scale) -> list[Message]:
    """Values such as -999 far outside their column's range; zeros that stand apart in clinical tables."""
    said: list[Message] = []
    for k in np.flatnonzero(np.isin(stats.low, SENTINELS) | np.isin(stats.high, SENTINELS)).tolist():
        column = _column(cohort, k)
        for mark in (float(stats.low[k]), float(stats.high[k])):
            if mark in SENTINELS and _stands_apart(column, mark):
                said.append(_sentinel(cohort, k, mark, np.flatnonzero(column == mark).tolist()))
    if len(cohort.names) < _LOG_FROM and not scale.unit.startswith("log"):
        said += _check_zeros(cohort, stats)
    return limited(said, _LISTED)


def _sentinel(cohort: Cohort, k: int, mark: float, samples: list[int]) -> Message:
    name, rows = cohort.names[k], some(cohort.row(i) for i in samples)
    text = f"Feature {shown(name)} holds {mark:g} far outside its other values ({rows}): it may mean missing."
    remedy = f"Add {mark:g} to the missing values if so."
    return Message("warn", "sentinel", text, name, cohort.row_number(samples[0]), f"{mark:g}", remedy)


def _check_zeros(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    zeros = [cohort.names[k] for k in np.flatnonzero(stats.low == 0).tolist() if _zeros_apart(_column(cohort, k))]
    text = f"Zeros stand apart from all other values in {some(zeros)}: they may mean missing."
    return [Message("warn", "zeros-apart", text, zeros[0], value="0", remedy="Check their meaning.")] if zeros else []


def _column(cohort: Cohort, k: int) -> np.ndarray:
    column = cohort.values[:, k] if isinstance(cohort.values, np.ndarray) else cohort.values[:, [k]].toarray().ravel()
    return np.asarray(column)


def _stands_apart(column: np.ndarray, mark: float) -> bool:
    others = column[(column != mark) & ~np.isnan(column)]
    if len(others) < 3 or (column == mark).sum() > len(others):
        return False
    gap = float(np.abs(others - mark).min())
    return gap > max(2 * float(np.ptp(others)), 1.0) or (abs(mark) >= 999 and gap > float(np.ptp(others)))


def _zeros_apart(column: np.ndarray) -> bool:
    positive = np.unique(column[column > 0])
    return (
        len(positive) >= 10
        and float(positive[0]) > 3 * float(np.median(np.diff(positive)))
        and bool(positive[0] > 0.2 * np.median(positive))
    )


def scale_of(cohort: Cohort, stats: ColumnStats) -> Scale:
    """The scale of a cohort's number features."""
    return find_scale(sample_values(cohort.values), stats, cohort.values.shape[1])
