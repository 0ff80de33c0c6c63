"""From a table to a data set: what each column is, everything that is wrong with it, and the arrays.

Three calls; the middle one as often as the user corrects the roles::

    table = read_table(uploaded_bytes, "cohort.csv")          # genomap_core.io.tables.read
    report = validate(table)                                  # proposes roles, lists every problem at once
    report = validate(table, replace(report.roles, target="diagnosis"))
    dataset = to_dataset(table, report, "My cohort")          # raises InputError while there are errors

Nothing is repaired silently: whatever is changed, encoded, merged or left out is a message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.message import Message, Severity, worst
from genomap_core.data.schema.build import Parts, build, feature_names, omics_of, split, unit_of
from genomap_core.data.schema.check import (
    check_cells,
    check_equal,
    check_feature_names,
    check_header,
    check_ids,
    check_labels,
    check_leaks,
    check_missing,
    check_scale,
    check_sentinels,
    scale_of,
)
from genomap_core.data.schema.doubt import check_long, check_possible, check_samples_apart, check_slips
from genomap_core.data.schema.propose import propose
from genomap_core.data.schema.recipe import FOUND, Decision, Recipe
from genomap_core.data.schema.roles import ID_STEM, Orientation, Roles
from genomap_core.data.schema.statistics import column_stats
from genomap_core.data.table import Table
from genomap_core.errors import InputError

if TYPE_CHECKING:
    from genomap_core.data.dataset import Dataset

__all__ = ["ID_STEM", "Message", "Roles", "SchemaReport", "to_dataset", "validate"]


@dataclass(frozen=True)
class SchemaReport:
    """What a table is, under these roles.

    Parameters
    ----------
    name
        The file's.
    roles
        Those proposed, or those given.
    messages
        Everything there is to say, reading included.
    n_samples, n_features
        Of the data set that :func:`to_dataset` would make.
    classes
        Every class with its number of samples, as cleaned.
    unit
        Of the values after the roles' logarithm.
    omics
        Types of features told by a prefix (``mrna:TP53``); empty when there is one type.
    options
        Columns that could be id, target or group, for a list to choose from.
    recipe
        All that was understood of the file, roles included: ``read_table(..., recipe=...)`` reads another one so.
    """

    name: str
    roles: Roles
    messages: tuple[Message, ...]
    n_samples: int
    n_features: int
    classes: tuple[tuple[str, int], ...]
    unit: str
    omics: tuple[str, ...]
    options: tuple[str, ...]
    recipe: Recipe = FOUND

    @property
    def verdict(self) -> Severity:
        """The worst severity among the messages."""
        return worst(self.messages)

    @property
    def errors(self) -> tuple[Message, ...]:
        """What must be mended before there can be a data set."""
        return tuple(m for m in self.messages if m.severity in ("error", "refuse"))


def validate(table: Table, roles: Roles | None = None, orientation: Orientation | None = None) -> SchemaReport:
    """Check a table under these roles, or those of its recipe, or those the program proposes for this orientation.

    Passes over the values need some 30 MB beside them. Never raises on what the table holds.
    """
    roles = roles or table.recipe.roles
    used, said = (roles, ()) if roles is not None else propose(table, orientation)
    parts = split(table, used)
    stats = column_stats(parts.cohort.values)
    if parts.encoded:
        stats = replace(stats, empty=np.zeros_like(stats.empty))
    scale = scale_of(parts.cohort, stats, parts.kept)
    if roles is None:
        used = replace(used, log=scale.advised)
    if used.log == "log2(1+x) per total" and not used.total:
        used = replace(used, total=scale.total)
    parts = replace(parts, cohort=replace(parts.cohort, roles=used))
    cohort = parts.cohort
    found = [*check_header(table), *_check_shape(parts), *cohort.messages, *check_feature_names(cohort)]
    if cohort.n_samples:
        found += [
            *check_ids(cohort),
            *check_labels(cohort, parts.target),
            *parts.messages,
            *check_cells(cohort),
            *check_missing(cohort, stats),
            *check_scale(cohort, scale, stats),
            *check_sentinels(cohort, stats, scale),
            *check_possible(cohort, stats),
            *check_slips(cohort, stats),
            *check_samples_apart(cohort),
            *check_long(cohort),
            *check_equal(cohort, stats),
            *check_leaks(cohort, parts.target, parts.encoded),
        ]
    names = feature_names(parts, stats.missing < max(cohort.n_samples, 1))
    classes = () if parts.target is None else tuple(zip(parts.target.words, parts.target.counts().tolist()))
    return SchemaReport(
        name=table.name,
        roles=used,
        messages=(*table.messages, *said, *found),
        n_samples=int((parts.kept & ~stats.empty).sum()),
        n_features=len(names),
        classes=tuple(sorted(classes)),
        unit=unit_of(used, scale),
        omics=omics_of(names)[1],
        options=_options(table, cohort.table),
        recipe=_recipe(table, used, said, roles is not None, unit_of(used, scale)),
    )


def _recipe(table: Table, used: Roles, said: tuple[Message, ...], given: bool, unit: str) -> Recipe:
    """The table's recipe with its roles, each with what speaks for it."""
    why = {m.option: (m.text,) for m in said if m.option}
    surest = 1.0 if given else 0.9
    doubtful = {m.option for m in said if m.severity in ("warn", "error")}
    parts = {
        "orientation": used.orientation,
        "id": used.id or "",
        "target": used.target or "",
        "group": used.group or "",
        "log": used.log,
        "unit": unit,
    }
    decisions = [
        Decision(what, value, 0.7 if what in doubtful and not given else surest, why.get(what, ()))
        for what, value in parts.items()
    ]
    return replace(table.recipe, roles=used).decided(*decisions)


def to_dataset(table: Table, roles: SchemaReport | Roles, name: str) -> Dataset:
    """The data set under these roles; ``name`` is shown to the user.

    The values are those of the table, not copied, unless a column is left out or a logarithm taken. Raises
    :class:`InputError` that lists every problem while there are errors.
    """
    report = roles if isinstance(roles, SchemaReport) else validate(table, roles)
    if report.errors:
        listed = "\n".join(f"- {message}" for message in report.errors)
        raise InputError(f"{table.name} can't be used yet; {len(report.errors)} problems:\n{listed}")
    notes = tuple(str(m) for m in report.messages if m.severity == "warn")
    return build(split(table, report.roles), name, report.unit, notes, report.recipe)


def _check_shape(parts: Parts) -> list[Message]:
    n, q = parts.cohort.values.shape
    said: list[Message] = []
    if n == 0:
        said.append(Message("error", "no-rows", "The table has no rows below its header: there are no samples."))
    elif n == 1 and not parts.cohort.roles.needed:
        said.append(
            Message("error", "one-sample", "The table has 1 sample; at least 2 are needed.", remedy="Add samples.")
        )
    elif n < 10 and not parts.cohort.roles.needed:
        said.append(
            Message("warn", "few-samples", f"The table has {n} samples only: no model can be judged on so few.")
        )
    if q == 0 and not parts.encoded:
        text = "No column can serve as a feature: none holds numbers that are not set aside."
        said.append(
            Message("error", "no-features", text, remedy="Check the delimiter, the decimal sign and the roles.")
        )
    return said


def _options(table: Table, turned: Table) -> tuple[str, ...]:
    """Columns to offer as id, target or group: those of text, and whole numbers with few values among the first."""
    names = [table.title(at) for at in sorted(table.texts)]
    if turned.flipped:
        names += [turned.title(at) for at in sorted(turned.texts) if at]
    first = table.numbers[:, :100]
    columns = (first if isinstance(first, np.ndarray) else first.toarray()).T
    for at, column in zip(table.number_at[:100].tolist(), columns):
        values = np.unique(column)
        if len(values) <= 20 and bool((np.rint(values) == values)[~np.isnan(values)].all()):
            names.append(table.title(at))
    return tuple(dict.fromkeys(names))
