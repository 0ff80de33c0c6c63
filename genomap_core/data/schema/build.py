"""A table under its roles, taken to pieces, and the pieces put together as a data set."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import Message
from genomap_core.data.schema.apply import Cohort, arrange
from genomap_core.data.schema.check import Scale, clean_id, clean_labels
from genomap_core.data.schema.clinical import columns_beside
from genomap_core.data.schema.encode import Encoded, encode_words
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.roles import Roles
from genomap_core.data.schema.statistics import Matrix, blocks, row_totals
from genomap_core.data.table import Table, TextColumn

if TYPE_CHECKING:
    from genomap_core.data.dataset import Dataset


PER_TOTAL = " per "
"""In the unit of values that were scaled to one total a sample."""


@dataclass(frozen=True, eq=False, slots=True)
class Parts:
    """A cohort with its words encoded and its labels cleaned. ``kept``: ``(n,)`` False where the label is missing."""

    cohort: Cohort
    encoded: list[Encoded]
    target: TextColumn | None
    kept: np.ndarray
    messages: tuple[Message, ...]


def split(table: Table, roles: Roles) -> Parts:
    """Apply roles. Cheap: the numbers are not touched unless the roles change them."""
    cohort = arrange(table, roles)
    encoded, said = encode_words(cohort)
    target = None if cohort.target is None else clean_labels(cohort.target, roles.labels == "merge variants")
    kept = np.ones(cohort.n_samples, bool)
    if roles.without and cohort.id is not None:
        left_out = [k for k, word in enumerate(cohort.id.words) if word in roles.without]
        kept &= ~np.isin(cohort.id.codes, left_out)
    if target is not None:
        target = target.recoded(None if word in roles.without_classes else word for word in target.words)
        codes = np.where(kept, target.codes, np.int32(-1))
        target = replace(target, codes=codes).recoded(target.words) if not kept.all() else target
        kept &= target.codes >= 0
    return Parts(cohort, encoded, target, kept, tuple(said))


def feature_names(parts: Parts, filled: np.ndarray) -> tuple[str, ...]:
    """All features' names in the file's order; number features only where ``filled`` (``(q,)`` bool) or needed."""
    return tuple(name for _, name, _ in _plan(parts, filled))


def _plan(parts: Parts, filled: np.ndarray) -> list[tuple[tuple[int, int], str, tuple[int, int]]]:
    """Every feature: its place in the file, its name, and ``(-1, number column)`` or ``(encoded, its column)``."""
    cohort = parts.cohort
    needed = frozenset(cohort.roles.needed)
    filled = filled | np.array([name in needed for name in cohort.names], bool)
    numbers = [((int(cohort.origin[k]), 0), cohort.names[k], (-1, k)) for k in np.flatnonzero(filled).tolist()]
    words = [
        ((made.position, c), name, (e, c)) for e, made in enumerate(parts.encoded) for c, name in enumerate(made.names)
    ]
    return sorted(numbers + words) if words else numbers


def build(parts: Parts, name: str, unit: str, notes: tuple[str, ...], recipe: Recipe = FOUND) -> Dataset:
    """Put the pieces together; samples without a label and features without a value are left out."""
    from genomap_core.data.dataset import Dataset  # brings scipy, which a check of a dense table does without

    cohort = parts.cohort
    values = _transformed(cohort.values, cohort.roles)
    filled, full = _filled(values)
    plan = _plan(parts, filled)
    names = tuple(name for _, name, _ in plan)
    X = _join(values, parts.encoded, [source for _, _, source in plan])
    rows = np.flatnonzero(parts.kept & (full | bool(parts.encoded)))
    every = len(rows) == cohort.n_samples
    codes, omics = omics_of(names)
    target = _sorted_codes(parts.target) if parts.target is not None else None
    groups = _group_codes(cohort.group)
    return Dataset(
        name=name,
        X=X if every else X[rows],
        feature_names=_unique(names),
        sample_ids=tuple(np.array(_ids(cohort), object)[rows]),
        y=None if target is None else target[0][rows],
        classes=() if target is None else target[1],
        groups=None if groups is None else groups[rows],
        omics=codes,
        omics_names=omics or ("features",),
        unit=unit,
        notes=notes,
        recipe=replace(recipe, roles=_with_codes(cohort.roles, parts.encoded)),
        clinical=columns_beside(cohort, rows),
    )


def _with_codes(roles: Roles, encoded: list[Encoded]) -> Roles:
    return replace(roles, codes=tuple(made.codes for made in encoded if made.codes is not None))


def _filled(values: Matrix) -> tuple[np.ndarray, np.ndarray]:
    """``(q,)`` and ``(n,)``: columns and rows that have any present value."""
    n, q = values.shape
    if not isinstance(values, np.ndarray):
        absent = np.bincount(values.indices[np.isnan(values.data)], minlength=q)
        return absent < n, np.ones(n, bool)
    filled, full = np.zeros(q, bool), np.full(n, q < 2)
    for rows, columns, block in blocks(values):
        present = ~np.isnan(block)
        filled[columns] |= present.any(axis=0)
        full[rows] |= present.any(axis=1)
    return filled, full


def _transformed(values: Matrix, roles: Roles) -> Matrix:
    """log2(1 + x) of ``(n, q)``, of rows scaled to one total where the roles say so; zeros stay zeros, CSR sparse."""
    if roles.log == "as is":
        return values
    scale = np.ones((values.shape[0], 1), np.float32)
    if roles.log == "log2(1+x) per total":
        totals = row_totals(values)
        scale[:, 0] = np.divide(roles.total, totals, out=np.ones_like(totals), where=totals > 0)
    factor = np.float32(1 / np.log(2))
    if isinstance(values, np.ndarray):
        result = np.multiply(values, scale, order="C")
        np.log1p(result, out=result)
        result *= factor
        return result
    result = values.copy()
    result.data = np.log1p(result.data * np.repeat(scale[:, 0], np.diff(result.indptr))) * factor
    return result


def _join(values: Matrix, encoded: list[Encoded], sources: list[tuple[int, int]]) -> Matrix:
    """``(n, p)`` from number columns and encoded ones, in the order of ``sources``."""
    every = sources == [(-1, k) for k in range(values.shape[1])]
    if isinstance(values, np.ndarray):
        if every:
            return np.ascontiguousarray(values)
        X = np.empty((values.shape[0], len(sources)), np.float32)
        numbers = [j for j, (kind, _) in enumerate(sources) if kind < 0]
        X[:, numbers] = values[:, [sources[j][1] for j in numbers]]
        for j, (kind, column) in enumerate(sources):
            if kind >= 0:
                X[:, j] = encoded[kind].values[:, column]
        return X
    if every:
        return values
    import scipy.sparse as sp

    wide = sp.hstack([values, *(sp.csr_matrix(made.values) for made in encoded)], format="csr")
    starts = np.cumsum([values.shape[1], *(len(made.names) for made in encoded)])
    return wide[:, [column if kind < 0 else starts[kind] + column for kind, column in sources]].astype(np.float32)


def _ids(cohort: Cohort) -> list[str]:
    if cohort.id is None:
        return [f"sample {i + 1}" for i in range(cohort.n_samples)]
    return [clean_id(word or "") for word in cohort.id.values()]


def _sorted_codes(target: TextColumn) -> tuple[np.ndarray, tuple[str, ...]]:
    """Codes into the classes in order: numbers by size, words by the alphabet. -1 stays."""
    order = sorted(range(len(target.words)), key=lambda code: _number_first(target.words[code]))
    rank = np.empty(len(order) + 1, np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    return rank[target.codes], tuple(target.words[code] for code in order)


def _number_first(word: str) -> tuple[int, float, str]:
    try:
        return 0, float(word), word
    except ValueError:
        return 1, 0.0, word


def _group_codes(group: TextColumn | None) -> np.ndarray | None:
    """A sample without a group is one of its own."""
    if group is None:
        return None
    codes = group.codes.astype(np.int64)
    alone = np.flatnonzero(codes < 0)
    codes[alone] = len(group.words) + np.arange(len(alone))
    return codes


def omics_of(names: tuple[str, ...]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """``(p,)`` codes and names of the omics types, when every feature is called ``type:name`` with 2 to 8 types."""
    prefixes = [
        found.group(1) if (found := re.match(r"([A-Za-z][\w .+-]{0,30}):(?=.)", name)) else "" for name in names
    ]
    kinds = tuple(dict.fromkeys(prefixes))
    if "" in kinds or not 2 <= len(kinds) <= 8 or len(names) < 2 * len(kinds):
        return None, ()
    return np.array([kinds.index(prefix) for prefix in prefixes], np.int64), kinds


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    """Names made distinct where an encoded column happens to repeat one."""
    seen: dict[str, int] = {}
    unique = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(unique)


def unit_of(roles: Roles, scale: Scale) -> str:
    """The unit of the values after the roles' logarithm."""
    if roles.log == "as is":
        return scale.unit
    of = "count" if scale.unit == "count" else "value"
    return f"log2(1 + {of}{PER_TOTAL}{roles.total:,.0f})" if roles.log == "log2(1+x) per total" else f"log2(1 + {of})"
