"""Columns that stand beside the features and are none: told by the form of their names and by their values together.

A grade of 1 to 4, a batch or a total beside 200 genes has a name of another form than theirs, stands at an edge of the
table, and holds values unlike all of theirs. Neither alone is evidence enough to leave a column out.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from genomap_core.data.schema.nomenclature import (
    SYMBOL_STYLES,
    feature_share,
    is_annotation,
    is_feature,
    sample,
    template,
)
from genomap_core.data.table import Table

_FEW = 10
"""Whole numbers of so few kinds sort rows."""
FEATURES_FROM = 20
"""Beside fewer features nothing stands out."""
_FORM, _STYLE, _NAMED = 0.6, 0.85, 0.8
"""So many of the names have one form, are written in one style, or are those of features, where others stand out."""
_SAMPLED, _EDGE = 500, 10
_MEASURES = ("lfq", "signal", "intensity", "beta", "count", "numreads", "abundance", "area", "expression", "tpm",
             "fpkm", "rpkm", "value", "raw")  # fmt: skip
"""Parts of the names of values to compare, the best first; errors, P values and lengths are none."""


def has_another_form(names: Sequence[str], share: float = _FORM) -> Callable[[str], bool]:
    """Which names are not like nearly all others: no names of features, not of their form (``ENSG#``) or style."""
    few = sample(names)
    if len(few) < 5:
        return lambda name: False
    form, count = Counter(map(template, few)).most_common(1)[0]
    if count >= share * len(few):
        return lambda name: template(name) != form and not is_feature(name)
    named = feature_share(names) >= _NAMED
    shares = [sum(bool(style.fullmatch(name)) for name in few) / len(few) for style in SYMBOL_STYLES]
    styles = [style for style, own in zip(SYMBOL_STYLES, shares) if own >= (0.5 if named else _STYLE)]
    if not styles and not named:
        return lambda name: False
    return lambda name: not any(style.fullmatch(name) for style in styles) and not is_feature(name)


@dataclass(frozen=True, slots=True)
class Beside:
    """Positions in a table of number columns named unlike the features at its edges; those of ``unlike`` values too."""

    named: tuple[int, ...]
    unlike: tuple[int, ...]
    sorting: tuple[int, ...]
    """Of ``unlike``, those with a few whole numbers, each more than once: they could be a label."""


def beside_features(table: Table) -> Beside:
    """Number columns at the edges of many features that may be none of them."""
    numbers = table.number_at.tolist()
    if len(numbers) < FEATURES_FROM or table.n_rows < 6:
        return Beside((), (), ())
    is_odd = has_another_form([table.columns[j] for j in numbers], 0.8)
    edges = [j for j in dict.fromkeys((*numbers[:_EDGE], *numbers[-_EDGE:])) if is_odd(table.columns[j])]
    if not edges or len(edges) > 0.2 * len(numbers):
        return Beside((), (), ())
    others = [j for j in numbers if j not in set(edges)]
    rows = _spread(table.n_rows)
    usual = _block(table, rows, [others[k] for k in _spread(len(others)).tolist()])
    unlike, sorting = [], []
    for j in edges:
        column = _block(table, rows, [j])[:, 0]
        if few := sorts(column):
            sorting.append(j)
        if (few and not _mostly_few(usual)) or _unlike(column, usual) or _is_total(table, j, others):
            unlike.append(j)
    return Beside(tuple(edges), tuple(sorted(unlike)), tuple(sorted(set(sorting) & set(unlike))))


def unlike_others(table: Table, columns: Sequence[int]) -> list[int]:
    """Those of the columns with a name of another form than most and values that lie apart from all of theirs."""
    is_odd = has_another_form([table.columns[j] for j in columns])
    odd = [k for k, j in enumerate(columns) if is_odd(table.columns[j])]
    if not odd or len(odd) > (1 - _FORM) * len(columns):
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        middles = np.nanmedian(np.arcsinh(_block(table, _spread(table.n_rows), columns)), axis=0)
    usual = np.delete(middles, odd)
    return [columns[k] for k in odd if is_apart(float(middles[k]), usual)]


def _block(table: Table, rows: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    at = np.searchsorted(table.number_at, columns)
    block = table.numbers[rows][:, at]
    return np.asarray(block if isinstance(block, np.ndarray) else block.toarray(), np.float64)


def _spread(length: int) -> np.ndarray:
    return np.unique(np.linspace(0, length - 1, min(length, _SAMPLED)).astype(int))


def sorts(column: np.ndarray) -> bool:
    """Whether a column holds two to ten whole numbers, each three times or more on average."""
    present = column[~np.isnan(column)]
    kinds = len(np.unique(present))
    return 2 <= kinds <= _FEW and 3 * kinds <= len(present) and bool((present == np.rint(present)).all())


def _mostly_few(usual: np.ndarray) -> bool:
    return sum(sorts(column) for column in usual.T) > 0.2 * usual.shape[1]


def _unlike(column: np.ndarray, usual: np.ndarray) -> bool:
    """Whole numbers among fractions, or a middle far from those of all features on the scale of asinh."""
    with np.errstate(invalid="ignore"):
        fractions = ((np.rint(usual) != usual) & ~np.isnan(usual)).any(axis=0).mean()
    present = column[~np.isnan(column)]
    if fractions > 0.8 and len(present) and bool((present == np.rint(present)).all()) and len(np.unique(present)) > 1:
        return True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        middles, middle = np.nanmedian(np.arcsinh(usual), axis=0), float(np.nanmedian(np.arcsinh(column)))
    return bool(is_apart(middle, middles))


def is_apart(middle: float, middles: np.ndarray) -> bool:
    """Whether a middle lies away from others by twice their range, all on the scale of asinh."""
    low, high = float(np.nanmin(middles)), float(np.nanmax(middles))
    room = max(high - low, 1.0)
    return middle > high + 2 * room or middle < low - 2 * room


def _is_total(table: Table, j: int, others: list[int]) -> bool:
    """Whether a column holds the sum or the mean of the others in every row."""
    rows = _spread(min(table.n_rows, 50))
    total = np.nansum(_block(table, rows, others), axis=1)
    column = _block(table, rows, [j])[:, 0]
    varied = float(np.ptp(total)) > 1e-3 * float(np.abs(total).max())
    return varied and any(np.allclose(column, total / n, rtol=1e-3, equal_nan=True) for n in (1, len(others)))


def one_hot(table: Table) -> dict[str, list[int]]:
    """Neighbouring columns ``stem_word`` of 0 and 1 of which one is 1 in every row, by stem: a column in pieces."""
    stems: dict[str, list[int]] = defaultdict(list)
    for j in table.number_at.tolist():
        if found := re.fullmatch(r"(.+?)[_.:= ](.+)", table.columns[j]):
            stems[found.group(1)].append(j)
    sets = {}
    for stem, at in stems.items():
        if not 2 <= len(at) <= 30 or at[-1] - at[0] != len(at) - 1 or table.n_rows < 3:
            continue
        values = _block(table, np.arange(table.n_rows), at)
        if bool(np.isin(values, (0, 1)).all() and (values.sum(axis=1) == 1).all() and (values.sum(axis=0) > 0).all()):
            sets[stem] = at
    return sets


_SPLITS = (
    re.compile(r"(?P<sample>.+)[_. :](?P<kind>\D*?[A-Za-z]{3}\D*)"),
    re.compile(r"(?P<sample>.+?)[. :](?P<kind>\D*?[A-Za-z]{3}\D*)"),
    re.compile(r"(?P<kind>\D*?[A-Za-z]{3}\D*?)[_. :](?P<sample>.+)"),
    re.compile(r"(?P<kind>\D*[A-Za-z]{3}\D*)[_. :](?P<sample>.+)"),
)


def measures(table: Table, columns: Sequence[int], named: bool = False) -> dict[str, list[int]]:
    """Columns that hold several measures of every sample (``S1.Signal``, ``S1.Pval``, ``S2.Signal`` ...), by measure.

    Empty where they do not: every sample must have every measure, no measure's name is a number, and one is a statistic
    by its name or, unless it must be ``named``, the values of two lie apart, as those of replicates or visits do not.
    """
    for split in _SPLITS:
        if not all(split.fullmatch(table.columns[j]) for j in columns[:8]):
            continue
        pairs = {(m["sample"], m["kind"]): j for j in columns if (m := split.fullmatch(table.columns[j]))}
        samples, kinds = {s for s, _ in pairs}, list(dict.fromkeys(kind for _, kind in pairs))
        whole = len(pairs) == len(columns) == len(samples) * len(kinds)
        if not whole or len(samples) < 2 or not 2 <= len(kinds) <= 8:
            continue
        found = {kind: [j for (_, other), j in pairs.items() if other == kind] for kind in kinds}
        if any(map(is_annotation, kinds)) or (not named and _differ(table, list(found.values()))):
            return found
    return {}


def _differ(table: Table, groups: list[list[int]]) -> bool:
    rows = _spread(table.n_rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
        middles = [np.nanmedian(np.arcsinh(_block(table, rows, group)), axis=0) for group in groups]
    ranges = sorted((float(np.nanmin(m)), float(np.nanmax(m))) for m in middles if not np.isnan(m).all())
    gaps = [b[0] - a[1] for a, b in pairwise(ranges)]
    return bool(gaps) and max(gaps) > max(0.5, max(high - low for low, high in ranges))


def main_measure(kinds: Sequence[str]) -> str:
    """The measure to compare: the first by its name, or the first of all."""
    named = (
        (rank, k) for rank, word in enumerate(_MEASURES) for k, kind in enumerate(kinds) if word in kind.casefold()
    )
    return kinds[min(named, default=(0, 0))[1]]
