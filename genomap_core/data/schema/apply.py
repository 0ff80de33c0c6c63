"""A table with its roles applied: samples in rows, the parts taken apart, features of one name settled."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.message import Message, Severity, plural, shown, some
from genomap_core.data.schema.notation import bound_of
from genomap_core.data.schema.roles import ID_STEM, Roles
from genomap_core.data.schema.statistics import Matrix
from genomap_core.data.table import OddCell, Table, TextColumn

_LABEL_ROW_SHARE = 0.6


def flip(table: Table, gene_column: int, left_out: Collection[int] = ()) -> Table:
    """The table with samples in rows: the number columns become rows, column 0 holds their names.

    A row with words in most columns (labels above the values) becomes a text column; other text columns, and number
    columns ``left_out``, are dropped. The numbers are a view, not a copy, while all columns are used.
    """
    names = [name or f"row {table.rows[i]}" for i, name in enumerate(table.text_column(gene_column).values())]
    used = np.array([j != gene_column and j not in left_out for j in table.number_at.tolist()], bool)
    at = {int(j): k for k, j in enumerate(table.number_at[used].tolist())}
    numbers = table.numbers if used.all() else table.numbers[:, used]
    labels = _label_rows(table, numbers, at)
    genes = np.array([i for i in range(table.n_rows) if i not in labels], np.int64)
    values = numbers[genes] if labels else numbers
    return replace(
        table,
        columns=("sample", *names),
        numbers=values.T if isinstance(values, np.ndarray) else values.T.tocsr(),
        number_at=genes + 1,
        texts={
            0: TextColumn.of(table.title(j) for j in at),
            **{i + 1: TextColumn.of(words) for i, words in labels.items()},
        },
        odd=tuple(
            OddCell(at[c.position], c.row + 1, c.text) for c in table.odd if c.row not in labels and c.position in at
        ),
        annotations=frozenset(),
        flipped=True,
    )


def _label_rows(table: Table, numbers: Matrix, at: Mapping[int, int]) -> dict[int, list[str | None]]:
    """Rows with words in most number columns, and those words."""
    words: dict[int, dict[int, str]] = defaultdict(dict)
    for cell in table.odd:
        if cell.position in at:
            words[cell.row][cell.position] = cell.text
    found: dict[int, list[str | None]] = {}
    for row, cells in words.items():
        if len(cells) > _LABEL_ROW_SHARE * len(at) and any(re.search("[A-Za-z]", word) for word in cells.values()):
            values = numbers[row] if isinstance(numbers, np.ndarray) else numbers[[row]].toarray()[0]
            plain = [None if np.isnan(value) else f"{value:.9g}" for value in values.tolist()]
            found[row] = [cells.get(j, number) for j, number in zip(at, plain)]
    return found


@dataclass(frozen=True, eq=False)
class Cohort:
    """``n`` samples with ``q`` number features.

    ``values``: ``(n, q)`` float32 with NaN for missing, or CSR. ``origin``: ``(q,)`` the table's position of each.
    ``words``: positions of text columns, and of those that the roles have codes for, that are neither id, target nor
    group, nor set aside. ``table``: with samples in rows.
    """

    table: Table
    roles: Roles
    values: Matrix
    names: tuple[str, ...]
    origin: np.ndarray
    words: tuple[int, ...]
    id: TextColumn | None
    target: TextColumn | None
    group: TextColumn | None
    messages: tuple[Message, ...]

    @property
    def n_samples(self) -> int:
        return self.table.n_rows

    def row(self, sample: int) -> str:
        """Where a sample stands in the file: ``row 5``, or ``column GSM1`` with genes in rows."""
        column, _ = self.table.place(sample, 1) if self.table.flipped else ("", 0)
        return f"column {column!r}" if self.table.flipped else f"row {self.table.rows[sample]}"

    def row_number(self, sample: int) -> int | None:
        return None if self.table.flipped else int(self.table.rows[sample])


def arrange(table: Table, roles: Roles) -> Cohort:
    """Apply the roles. Roles that name no column are errors among the messages."""
    said: list[Message] = []
    if roles.orientation == "genes_in_rows":
        table = _flipped(table, roles, said)
    id_at = 0 if table.flipped else _position(table, roles.id, "id", said)
    target_at = _position(table, roles.target, "target", said)
    stem = roles.group == ID_STEM
    group_at = None if stem else _position(table, roles.group, "group", said)
    left_out = frozenset(roles.set_aside)
    aside = {at for at in range(table.n_columns) if table.title(at) in left_out} if left_out else set()
    parts = {at for at in (id_at, target_at, group_at) if at is not None}
    coded = {at for codes in roles.codes if (at := table.find(codes.column)) is not None}
    taken = parts | aside | table.annotations
    numbers = np.array([k for k, at in enumerate(table.number_at.tolist()) if at not in taken | coded], int)
    words = tuple(at for at in sorted({*table.texts, *coded}) if at not in taken)
    values, names, origin = _features(table, roles, numbers, said)
    id_column = None if id_at is None else table.text_column(id_at)
    group = (
        _stems(id_column)
        if stem and id_column is not None
        else None
        if group_at is None
        else table.text_column(group_at)
    )
    target = None if target_at is None else table.text_column(target_at)
    return Cohort(table, roles, values, names, origin, words, id_column, target, group, tuple(said))


def _flipped(table: Table, roles: Roles, said: list[Message]) -> Table:
    at = table.find(roles.id) if roles.id is not None else next(iter(sorted(table.texts)), None)
    if at is None:
        text = f"With genes in rows a column must name the genes; {roles.id!r} does not."
        said.append(Message("error", "no-gene-column", text, remedy="Choose the column with the genes' names as id."))
        return table
    aside = frozenset(roles.set_aside)
    lost = [table.title(j) for j in sorted(table.texts) if j != at and table.title(j) not in aside]
    if lost:
        text = f"{plural(len(lost), 'text column')} that describe genes set aside: {some(lost)}."
        said.append(Message("ok", "gene-descriptions", text))
    return flip(table, at, {j for j in table.number_at.tolist() if table.title(j) in aside})


def _position(table: Table, name: str | None, part: str, said: list[Message]) -> int | None:
    if name is None:
        return None
    at = table.find(name)
    if at is None:
        text = f"No column is named {name!r}, which was to be the {part} column."
        said.append(Message("error", "no-such-column", text, column=name, remedy=f"Choose another {part} column."))
    return at


def _stems(ids: TextColumn) -> TextColumn:
    return ids.recoded(stem(word) for word in ids.words)


def stem(name: str) -> str:
    """``mouse309_14`` -> ``mouse309``: an id without its last part; of a TCGA barcode the patient's part.

    Without a blank, ``_``, ``-`` or ``.`` in it, letters behind digits are the last part: ``P01V2`` -> ``P01``.
    """
    if patient := re.match(r"TCGA[-.]\w\w[-.]\w{4}(?=[-.])", name):
        return patient.group()
    cut = max(name.rfind(mark) for mark in "_-. ")
    if cut > 0:
        return name[:cut]
    last = re.fullmatch(r"(.*\d)[A-Za-z]{1,4}\d{0,2}", name)
    return last.group(1) if last else name


def _features(
    table: Table, roles: Roles, kept: np.ndarray, said: list[Message]
) -> tuple[Matrix, tuple[str, ...], np.ndarray]:
    """Values, names and positions of the number features, those of the same name settled as the roles say."""
    origin = table.number_at[kept]
    names = [table.title(at) for at in origin.tolist()]
    values = table.numbers if len(kept) == table.numbers.shape[1] else table.numbers[:, kept]
    same: dict[str, list[int]] = defaultdict(list)
    for k, name in enumerate(names):
        same[name].append(k)
    twice = {name: at for name, at in same.items() if len(at) > 1}
    if twice:
        _say_twice(table, origin, twice, roles, said)
        if roles.duplicates == "mean":
            values = _averaged(values, list(twice.values()))
        if roles.duplicates in ("mean", "first"):
            first = np.array(sorted(at[0] for at in same.values()))
            values, names, origin = values[:, first], [names[k] for k in first], origin[first]
        else:
            for name, at in twice.items():
                for number, k in enumerate(at[1:], 2):
                    names[k] = f"{name} ({number})"
    if roles.missing_values:
        values = _with_missing(values, roles.missing_values)
    if roles.not_numbers == "limit":
        values = _with_bounds(values, table, origin)
    return values, tuple(names), origin


def _say_twice(
    table: Table, origin: np.ndarray, twice: dict[str, list[int]], roles: Roles, said: list[Message]
) -> None:
    where: Callable[[int], int] = (lambda at: int(table.rows[at - 1])) if table.flipped else (lambda at: at + 1)
    noun = "rows" if table.flipped else "columns"
    done = {"first": "the first is used", "mean": "their mean is used", "keep": "all are kept under numbered names"}
    for name, at in list(twice.items())[:20]:
        places = some([where(int(origin[k])) for k in at])
        text = f"Feature {shown(name)!r} occurs {len(at)} times ({noun} {places})"
        if roles.duplicates == "error":
            remedy = "Choose their mean, the first, or to keep all under numbered names."
            said.append(Message("error", "duplicate-feature", text + ".", column=name, value=name, remedy=remedy))
        else:
            said.append(Message("warn", "duplicate-feature", f"{text}: {done[roles.duplicates]}.", column=name))
    if len(twice) > 20:
        severity: Severity = "error" if roles.duplicates == "error" else "warn"
        said.append(
            Message(severity, "duplicate-features", f"{len(twice):,} feature names in all occur more than once.")
        )


def _averaged(values: Matrix, groups: list[list[int]]) -> Matrix:
    """The first column of every group replaced by the mean of its present values."""
    result = values.copy() if isinstance(values, np.ndarray) else values.tolil()
    for at in groups:
        columns = values[:, at] if isinstance(values, np.ndarray) else values[:, at].toarray()
        present = ~np.isnan(columns)
        total = np.where(present, columns, 0).sum(axis=1, dtype=np.float64)
        with np.errstate(invalid="ignore"):
            result[:, at[0]] = (total / present.sum(axis=1)).astype(np.float32)
    return result if isinstance(result, np.ndarray) else result.tocsr()


def _with_missing(values: Matrix, marks: tuple[float, ...]) -> Matrix:
    """A copy with NaN for every mark."""
    values = values.copy()
    data = values if isinstance(values, np.ndarray) else values.data
    data[np.isin(data, np.array(marks, np.float32))] = np.nan
    return values


def _with_bounds(values: Matrix, table: Table, origin: np.ndarray) -> Matrix:
    """A copy with the number of every bound such as ``<5``."""
    at = {int(j): k for k, j in enumerate(origin.tolist())}
    bounds = [(c.row, at[c.position], bound_of(c.text)) for c in table.odd if c.position in at]
    values = values.copy() if isinstance(values, np.ndarray) else values.tolil()
    for row, column, bound in bounds:
        values[row, column] = bound
    return values if isinstance(values, np.ndarray) else values.tocsr()
