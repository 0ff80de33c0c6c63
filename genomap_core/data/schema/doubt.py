"""Values that can't be what their column says, and cells that can't be cells: told by row and name, never changed."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from genomap_core.data.message import Message, limited, plural, shown, some
from genomap_core.data.schema.apply import Cohort
from genomap_core.data.schema.check import SENTINELS
from genomap_core.data.schema.statistics import ColumnStats

_LISTED = 20
_LONGEST = 1000
_MOSTLY = 0.8
"""A column's name tells its range only where so many of its values are in it."""
_RARELY = 0.01
"""Of a whole table's values, at most so many are beyond a range that all others keep."""
_TABLE_FROM = 20


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    what: str

    def __str__(self) -> str:
        return f"below {self.low:g}" if math.isinf(self.high) else f"outside {self.low:g} to {self.high:g}"


_YEARS = _Range(0, 130, "an age")
_PERCENT = _Range(0, 100, "a percentage")
_SHARE = _Range(0, 1, "a share or probability")
_AMOUNT = _Range(0, math.inf, "an amount")
_NAMED: tuple[tuple[frozenset[str], tuple[_Range, ...]], ...] = (
    (frozenset({"age", "alter", "edad", "âge", "leeftijd", "ålder", "età", "idade"}), (_YEARS,)),
    (
        frozenset({"percent", "pct", "percentage", "prozent", "spo2", "sao2", "saturation", "hematocrit", "lvef"}),
        (_SHARE, _PERCENT),
    ),
    (
        frozenset({"pvalue", "pval", "padj", "qvalue", "fdr", "fraction", "proportion", "share", "beta", "vaf"})
        | {"frequency", "probability", "purity", "anteil"},
        (_SHARE, _PERCENT),
    ),
    (
        frozenset({"count", "counts", "number", "anzahl", "nombre", "reads", "weight", "height", "bmi", "gewicht"})
        | {"poids", "taille", "peso", "altura", "length", "volume", "size", "pulse", "duration", "concentration"},
        (_AMOUNT,),
    ),
)  # fmt: skip
_SIGNED = frozenset(
    {"change", "delta", "diff", "difference", "log", "log2", "ln", "log10", "z", "zscore", "relative", "fold", "excess"}
    | {"gain", "loss", "residual", "score", "effect", "coefficient", "slope", "celsius", "c"}
)
"""Words that make an amount a difference or a temperature."""
_UNIT = re.compile(
    r"[\[(_ ](%|[munµk]?(g|mol|l|iu|u|m)(/|_per_|p)(d?l|ml|kg|min|h)|kg|cm|mm|bpm|mmhg|years?|yrs?)[\])]?$"
)


def check_possible(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """Values beyond the range of their column's name or unit, or beyond that of all other values of the table."""
    said: list[Message] = []
    suspects = np.flatnonzero((stats.low < 0) | (stats.high > 1)).tolist()
    whole = _range_of_table(cohort, stats)
    for k in suspects:
        limits = _range_of_name(cohort.names[k])
        if not limits and whole is None and not (stats.low[k] < 0 and len(cohort.names) < 50):
            continue
        column = _column(cohort, k)
        found = next((r for r in limits if _inside(column, r) >= _MOSTLY), None) or whole or _sign(column)
        if found is not None and (beyond := _beyond(column, found)):
            said.append(_message(cohort, k, found, column, beyond))
    return limited(said, _LISTED)


def check_slips(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """Values of a clinical table that stand apart from all others of their column and would be among them with the
    decimal sign elsewhere: 36.6 as 366, 175 cm as 1.75."""
    said: list[Message] = []
    if len(cohort.names) >= _CLINICAL_BELOW or cohort.n_samples < _SLIPS_FROM:
        return said
    for k in np.flatnonzero((stats.low > 0) & (stats.high > 3 * stats.low)).tolist():
        column = _column(cohort, k)
        for i in _slipped(column):
            text = (
                f"Feature {shown(cohort.names[k])} holds {column[i]:.6g} ({cohort.row(i)}), apart from all its other "
            )
            text += "values, and among them with the decimal sign elsewhere or in another unit."
            remedy = "Correct it in the file if so."
            mark = f"{column[i]:.6g}"
            said.append(Message("warn", "slipped", text, cohort.names[k], cohort.row_number(i), mark, remedy))
    return limited(said, _LISTED)


_CLINICAL_BELOW, _SLIPS_FROM = 50, 12


def _slipped(column: np.ndarray) -> list[int]:
    """Of positive values, the one or two at either end that lie farther off than all others spread."""
    present = np.flatnonzero(~np.isnan(column))
    order = present[np.argsort(column[present], kind="stable")]
    for ends, rest in (
        (order[-2:], order[:-2]),
        (order[-1:], order[:-1]),
        (order[:2], order[2:]),
        (order[:1], order[1:]),
    ):
        low, high = float(column[rest].min()), float(column[rest].max())
        narrow = low > 0 and high <= 4 * low
        far = np.minimum(np.abs(column[ends] - low), np.abs(column[ends] - high)) > 2 * max(high - low, 0.01 * low)
        near = [any(low <= v * 10.0**p <= high for p in (-3, -2, -1, 1, 2, 3)) for v in column[ends].tolist()]
        if narrow and bool(far.all()) and all(near):
            return [int(i) for i in ends]
    return []


def check_samples_apart(cohort: Cohort) -> list[Message]:
    """Samples all of whose values lie on another scale than those of the others, as one without the logarithm."""
    n, q = cohort.values.shape
    if n < 6 or q < _TABLE_FROM:
        return []
    columns = np.unique(np.linspace(0, q - 1, min(q, 500)).astype(int))
    block = cohort.values[:, columns]
    block = block if isinstance(block, np.ndarray) else block.toarray()
    ordered = np.sort(np.abs(block), axis=1)  # NaN last
    last = (~np.isnan(ordered)).sum(axis=1) - 1
    middle, top = (ordered[np.arange(n), (share * last.clip(0)).astype(int)] for share in (0.5, 0.95))
    if (last < 0).all():
        return []
    usual_middle, usual_top = float(np.nanmedian(middle)), float(np.nanmedian(top))
    others = np.nanquantile(top, 0.75)
    odd = np.flatnonzero((middle > 3 * usual_top) & (top > 5 * others) & (usual_middle > 0))
    if not len(odd) or len(odd) > 0.2 * n:
        return []
    text = f"{plural(len(odd), 'sample')} on another scale than the others: {some(map(cohort.row, odd.tolist()))}, "
    text += (
        f"half of whose values exceed {float(middle[odd].min()):.4g}, where other samples' exceed {usual_middle:.4g}."
    )
    remedy = "Check that all were normalised and log-transformed alike."
    return [Message("warn", "sample-scale", text, row=cohort.row_number(int(odd[0])), remedy=remedy)]


def check_long(cohort: Cohort) -> list[Message]:
    """Cells and names of absurd length, as a quote that is never closed leaves them."""
    table, said = cohort.table, []
    for at, column in table.texts.items():
        if at and (long := [code for code, word in enumerate(column.words) if len(word) > _LONGEST]):
            row = int(np.flatnonzero(np.isin(column.codes, long))[0])
            length = len(column.words[column.codes[row]])
            text = f"Column {shown(table.title(at))}, {cohort.row(row)} holds a cell of {length:,} characters."
            remedy = "Check the line for a missing quote or delimiter."
            said.append(Message("warn", "long-cell", text, table.title(at), cohort.row_number(row), None, remedy))
    for at, title in enumerate(table.columns):
        if len(title) > _LONGEST:
            text = f"The name of column {at + 1} has {len(title):,} characters."
            said.append(Message("warn", "long-name", text, remedy="Check the header for a missing quote or delimiter."))
    return limited(said, _LISTED)


def _range_of_name(name: str) -> tuple[_Range, ...]:
    """Ranges that a name may stand for, the narrowest first."""
    low = name.casefold()
    if low.isalnum() and not any(low in words for words, _ in _NAMED):
        return ()  # most genes, of which there may be 20,000
    tokens = set(re.split(r"[^\w%]+|_|(?<=\D)(?=\d{4})", low)) - {""}
    if tokens & _SIGNED or "pp" in tokens:
        return ()
    if "%" in low:
        return (_PERCENT,)
    found = next((ranges for words, ranges in _NAMED if tokens & words), ())
    if not found and ({"p", "value"} <= tokens or {"q", "value"} <= tokens):
        return (_SHARE,)
    return found or ((_AMOUNT,) if _UNIT.search(low) else ())


def _range_of_table(cohort: Cohort, stats: ColumnStats) -> _Range | None:
    """Counts, shares or percentages, where nearly all values of a wide dense table are such and some are not."""
    X = cohort.values
    if len(cohort.names) < _TABLE_FROM or not isinstance(X, np.ndarray) or not len(X):
        return None
    low, high = float(np.nanmin(stats.low)), float(np.nanmax(stats.high))
    candidates = [_SHARE] if (low < 0 or high > 1) else []
    candidates += [_AMOUNT] if low < 0 and bool(stats.whole.all()) and high > 20 else []
    rows = X[:: max(1, X.size // 4_000_000)]
    values = rows[~np.isnan(rows)]
    for limits in candidates:
        beyond = float(((values < limits.low) | (values > limits.high)).mean()) if len(values) else 1.0
        varied = limits is _AMOUNT or float(np.ptp(np.clip(values, 0, 1))) > 0.2
        if beyond <= _RARELY and varied and not (limits is _SHARE and bool(stats.whole.all())):
            return limits
    return None


def _sign(column: np.ndarray) -> _Range | None:
    """An amount, by its values: all but a few are above 0, and well away from it."""
    present = column[~np.isnan(column)]
    positive = present[present > 0]
    few = 0 < len(present) - len(positive) <= max(1, 0.05 * len(present))
    if len(present) < 20 or not few or float(np.quantile(positive, 0.05)) <= 0.3 * float(np.median(positive)):
        return None
    return _Range(0, math.inf, "an amount, as all its other values are")


def _inside(column: np.ndarray, limits: _Range) -> float:
    present = column[~np.isnan(column)]
    return float(((present >= limits.low) & (present <= limits.high)).mean()) if len(present) else 0.0


def _beyond(column: np.ndarray, limits: _Range) -> list[int]:
    with np.errstate(invalid="ignore"):
        beyond = ((column < limits.low) | (column > limits.high)) & ~np.isin(column, SENTINELS)  # those are told apart
    return np.flatnonzero(beyond).tolist()


def _column(cohort: Cohort, k: int) -> np.ndarray:
    X = cohort.values
    return np.asarray(X[:, k] if isinstance(X, np.ndarray) else X[:, [k]].toarray().ravel())


def _message(cohort: Cohort, k: int, limits: _Range, column: np.ndarray, beyond: list[int]) -> Message:
    name = cohort.names[k]
    values = some(f"{column[i]:.6g} ({cohort.row(i)})" for i in beyond)
    text = f"Feature {shown(name)} is {limits.what}, but holds values {limits}: {values}."
    remedy = "Correct them in the file, or name them among the values that mean missing."
    mark = f"{column[beyond[0]]:.6g}"
    return Message("warn", "impossible-value", text, name, cohort.row_number(beyond[0]), mark, remedy)
