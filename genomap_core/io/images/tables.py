"""The tables of an imaging cohort: types of omics, labels, groups and the manifest; joined by sample id."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import Message, plural, shown, some
from genomap_core.data.personal import may_name_a_person
from genomap_core.data.schema.build import split
from genomap_core.data.schema.check import clean_id
from genomap_core.data.schema.validate import SchemaReport, to_dataset, validate
from genomap_core.data.table import Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.matching import Manifest, read_manifest
from genomap_core.io.images.prepare import stem_of
from genomap_core.io.tables.read import read_table

_MINOR = ("few-samples", "small-class", "no-features", "one-sample")
"""Not said of one table among several."""


_COPIED = 0.9
"""Share of equal values that makes a table a copy of another"""
_NAME_IT = "Choose the column to predict under Class to predict."
CLASS_COLUMN = "class-column"
"""Code of the messages that name a column which could be predicted"""
_MOST_CLASSES, _MOST_COLUMNS, _MOST_NUMBERS = 20, 12, 500


@dataclass(frozen=True, eq=False)
class TypeTable:
    """One type of omics: ``name`` is shown, ``data`` its rows; ``file`` stays inside."""

    name: str
    data: Dataset
    file: str = ""


@dataclass(frozen=True, eq=False)
class CohortTables:
    """What the tables say, before images are known.

    ``labels`` and ``groups``: sample id -> class, and -> name of a group; ``classes`` in their order.
    """

    types: tuple[TypeTable, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    groups: dict[str, str] = field(default_factory=dict)
    manifest: Manifest | None = None
    messages: tuple[Message, ...] = ()

    @property
    def ids(self) -> list[str]:
        """All samples of all types, in the order of the tables."""
        return list(dict.fromkeys(sample for kind in self.types for sample in kind.data.sample_ids))


@dataclass(frozen=True, eq=False)
class _Labels:
    """A column of labels: where it stood, whether its name is one for labels, and what it says."""

    table: str
    sure: bool
    classes: tuple[str, ...]
    of: dict[str, str]


def read_cohort_tables(
    files: Sequence[tuple[str, bytes]], target: str = "", names: Collection[str] = ()
) -> CohortTables:
    """Read all tables; every problem is a message, none is raised but a refusal.

    ``target``: the column with the classes, in whichever table has it; empty: found by its name. ``names``: of the
    images and their folders; where no column is called like one of ids, the one that holds them is.
    """
    types: list[TypeTable] = []
    found: list[_Labels] = []
    said: list[Message] = []
    groups: dict[str, str] = {}
    manifest: Manifest | None = None
    for number, (name, data) in enumerate(files, 1):
        title = f"table {number}" if may_name_a_person(name) else stem_of(name)
        try:
            table = read_table(data, name if not may_name_a_person(name) else title)
        except RefusedError:
            raise
        except InputError as error:
            said.append(_is_note(name) or Message("error", "unreadable", str(error)))
            continue
        if note := _is_note(name, table):
            said.append(note)
            continue
        as_manifest = read_manifest(table) if manifest is None else None
        if as_manifest is not None:
            manifest = as_manifest
            said += _named(title, as_manifest.messages)
            continue
        said += _take(table, _report(table, target, names), title, types, found, groups)
    if target and not found:
        text = f"No table has a column {shown(target)!r} with labels."
        said.append(Message("error", "no-target", text, remedy="Correct its name, or leave it empty."))
    if manifest is not None and manifest.labels:
        classes = tuple(sorted(set(manifest.labels.values())))
        found.append(_Labels("the manifest", True, classes, manifest.labels))
    labels, classes, label_said = _choose_labels(found, bool(files))
    return CohortTables(tuple(types), labels, classes, groups, manifest, (*said, *label_said))


def _is_note(name: str, table: Table | None = None) -> Message | None:
    """A note beside the images, such as README.txt: text without columns."""
    file = PurePosixPath(name).name
    titled = re.match(r"(?i)(read.?me|lies.?mich|lisez.?moi|leeme|licen[cs]e|changes|notes?|citation)\b", file)
    empty = table is None or table.n_rows == 0 or table.n_columns < 2
    if not file.lower().endswith(".txt") or not (titled or empty):
        return None
    return Message("ok", "note", f"{shown(file)} holds no table: left out.")


def _report(table: Table, target: str, names: Collection[str]) -> SchemaReport:
    """Of the table, with the target that is asked for, and the column of ids that the images' names prove."""
    report = validate(table)
    roles = report.roles
    if target and roles.target != (own := target if table.find(target) is not None else None):
        roles = replace(roles, target=own, set_aside=tuple(c for c in roles.set_aside if c != target))
    if roles.id is None and names:
        for j in table.texts:
            cells = {clean_id(word) for word in table.text_column(j).values() if word}
            if len(cells & set(names)) > max(1, len(cells) / 2):
                ids = table.title(j)
                roles = replace(roles, id=ids, set_aside=tuple(c for c in roles.set_aside if c != ids))
                break
    return report if roles == report.roles else validate(table, roles)


def _take(
    table: Table,
    report: SchemaReport,
    title: str,
    types: list[TypeTable],
    found: list[_Labels],
    groups: dict[str, str],
) -> list[Message]:
    """Add what a table holds to the lists; what there is to say of it."""
    parts = split(table, report.roles)
    said = [m for m in report.messages if m.severity != "ok" and m.code not in _MINOR]
    said += _class_columns(table, report.roles.id)
    if parts.cohort.id is None:
        text = "No column holds sample ids: images can't be matched with its rows."
        return _named(title, [*said, Message("error", "no-ids", text, remedy="Add a column sample_id.")])
    if any(m.severity in ("error", "refuse") for m in said):
        return _named(title, said)
    ids = [clean_id(word or "") for word in parts.cohort.id.values()]
    if parts.target is not None:
        of = {i: word for i, word in zip(ids, parts.target.values()) if word is not None}
        sure = not any(m.code == "label-guessed" for m in said)
        found.append(_Labels(title, sure, tuple(word for word, _ in report.classes), of))
    if parts.cohort.group is not None and not groups:
        groups |= {i: word for i, word in zip(ids, parts.cohort.group.values()) if word is not None}
    if report.n_features == 0:
        said += [m for m in report.messages if m.code == "no-features" and parts.target is None]
        return _named(title, said)
    plain = [m for m in report.errors if m.code not in _MINOR]
    if report.errors and not plain:
        text = f"The table has {plural(report.n_samples, 'row')}: too few."
        return _named(title, [*said, Message("error", "few-rows", text)])
    data = to_dataset(table, report, title)
    if copy := next((kind for kind in types if _same_values(kind.data, data)), None):
        text = f"{copy.file} and {table.name} hold the same values of the same samples and features: one is a copy."
        return _named(title, [*said, Message("error", "copied-table", text, remedy="Leave one of them in.")])
    types.append(TypeTable(_distinct(title, types), data, table.name))
    return _named(title, said)


def _class_columns(table: Table, ident: str | None) -> list[Message]:
    """A message for each column that could be predicted: 2 to 20 words or whole numbers, two rows each on average."""
    counts = {j: int((column.counts() > 0).sum()) for j, column in table.texts.items()}
    if not sp.issparse(table.numbers) and len(table.number_at) <= _MOST_NUMBERS:
        for j, values in zip(table.number_at.tolist(), table.numbers.T):
            known = values[np.isfinite(values)]
            counts[j] = len(np.unique(known)) if (known == np.round(known)).all() else 0
    most = min(_MOST_CLASSES, table.n_rows // 2)
    fit = [j for j in sorted(counts) if 2 <= counts[j] <= most and table.title(j) != ident]
    return [
        Message("ok", CLASS_COLUMN, f"The column {shown(table.title(j))!r} has {counts[j]} classes.", table.title(j))
        for j in fit[:_MOST_COLUMNS]
    ]


def _same_values(a: Dataset, b: Dataset) -> bool:
    """Whether two tables are copies: the same names, and nearly all values alike."""
    if set(a.feature_names) != set(b.feature_names) or set(a.sample_ids) != set(b.sample_ids):
        return False
    where = {name: k for k, name in enumerate(b.feature_names)}
    rows, own = _rows(b, a.sample_ids)[:, [where[name] for name in a.feature_names]], _rows(a, a.sample_ids)
    return bool(((rows == own) | (np.isnan(rows) & np.isnan(own))).mean() > _COPIED)


def _named(title: str, messages: Sequence[Message]) -> list[Message]:
    """Messages that say which table they are about."""
    return [Message(m.severity, m.code, f"{title}: {m.text}", m.column, m.row, m.value, m.remedy) for m in messages]


def _distinct(title: str, types: Sequence[TypeTable]) -> str:
    """A type's name: the file's, fit to stand before a colon, no other's."""
    plain = re.sub(r"[^\w .+-]", " ", title).strip()[:30] or "features"
    taken = {kind.name for kind in types}
    return next(name for k in range(1, len(taken) + 2) if (name := plain if k == 1 else f"{plain} {k}") not in taken)


def _choose_labels(found: Sequence[_Labels], tables: bool) -> tuple[dict[str, str], tuple[str, ...], list[Message]]:
    """The labels of the first table with a sure column of them; others may fill gaps of the same classes."""
    if not found:
        text = "No table has a column with labels: no network can be trained."
        return {}, (), [Message("ok", "no-labels", text, remedy=_NAME_IT)] if tables else []
    main = next((one for one in found if one.sure), found[0])
    labels, said = dict(main.of), []
    for other in found:
        if other is main:
            continue
        if not set(other.of.values()) <= set(main.classes):
            text = f"Labels are taken from {main.table}; those of {other.table} (other classes) are not used."
            said.append(Message("warn", "labels-chosen", text, remedy="Leave one column of labels in the files."))
            continue
        if torn := [i for i, word in other.of.items() if labels.get(i, word) != word]:
            text = f"{main.table} and {other.table} differ in the labels of {some(torn, 10)}: the first are used."
            said.append(Message("warn", "labels-differ", text, remedy="Correct one of the tables."))
        labels = other.of | labels
    return labels, main.classes, said


def joined(tables: CohortTables, ids: Sequence[str], name: str) -> Dataset:
    """All types side by side for these samples: ``(n, p)``, NaN where a sample lacks a type.

    With several types every feature is called ``type:feature``, so that those of one name stay apart.
    """
    several = len(tables.types) > 1
    names: list[str] = []
    blocks, codes = [], []
    kinds: list[str] = []
    for kind in tables.types:
        blocks.append(_rows(kind.data, ids))
        names += [f"{kind.name}:{f}" if several else f for f in kind.data.feature_names]
        own = kind.data.omics if kind.data.omics is not None else np.zeros(kind.data.n_features, np.int64)
        titles = [kind.name] if len(kind.data.omics_names) == 1 else list(kind.data.omics_names)
        codes.append(own + len(kinds))
        kinds += [f"{kind.name} {t}" if several and len(titles) > 1 else t for t in titles]
    units = [kind.data.unit for kind in tables.types]
    return Dataset(
        name=name,
        X=np.concatenate(blocks, axis=1) if blocks else np.zeros((len(ids), 0), np.float32),
        feature_names=tuple(names),
        sample_ids=tuple(ids),
        y=_codes(tables, ids),
        classes=_used(tables, ids),
        groups=_groups(tables, ids),
        omics=np.concatenate(codes) if len(kinds) > 1 else None,
        omics_names=tuple(kinds) or ("features",),
        unit=units[0] if len(set(units)) == 1 else "; ".join(f"{k.name}: {u}" for k, u in zip(tables.types, units)),
    )


def _rows(data: Dataset, ids: Sequence[str]) -> np.ndarray:
    """``(len(ids), p)`` float32 rows of these samples, NaN for those the table lacks."""
    where = {sample: k for k, sample in enumerate(data.sample_ids)}
    out = np.full((len(ids), data.n_features), np.nan, np.float32)
    pairs = [(i, where[sample]) for i, sample in enumerate(ids) if sample in where]
    if pairs:
        to, at = map(list, zip(*pairs))
        rows = data.X[at]
        out[to] = rows if isinstance(rows, np.ndarray) else rows.toarray()
    return out


def _used(tables: CohortTables, ids: Sequence[str]) -> tuple[str, ...]:
    held = {tables.labels.get(sample) for sample in ids}
    return tuple(c for c in tables.classes if c in held)


def _codes(tables: CohortTables, ids: Sequence[str]) -> np.ndarray | None:
    if not tables.labels:
        return None
    code = {c: k for k, c in enumerate(_used(tables, ids))}
    return np.array([code[tables.labels[sample]] for sample in ids], np.int64)


def _groups(tables: CohortTables, ids: Sequence[str]) -> np.ndarray | None:
    """A sample without a group is one of its own."""
    if not tables.groups:
        return None
    words = [tables.groups.get(sample, f"\0{sample}") for sample in ids]
    return np.unique(np.array(words, object).astype(str), return_inverse=True)[1].astype(np.int64)
