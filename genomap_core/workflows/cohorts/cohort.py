"""From a table to a cohort outside the browser: proposed roles, corrected by name; also as a saved model needs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import Message, some
from genomap_core.data.personal import public_name
from genomap_core.data.schema.apply import arrange
from genomap_core.data.schema.build import PER_TOTAL
from genomap_core.data.schema.check import same_label
from genomap_core.data.schema.orientation import name_column
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.roles import Log, NotNumbers, Orientation, Roles
from genomap_core.data.schema.validate import SchemaReport, to_dataset, validate
from genomap_core.data.table import Table
from genomap_core.errors import InputError


@dataclass(frozen=True, slots=True)
class Wishes:
    """Roles given by the user; None: as the program proposes."""

    target: str | None = None
    id: str | None = None
    group: str | None = None
    set_aside: tuple[str, ...] = ()
    """Beside the columns that are set aside anyhow, such as those that may identify persons."""
    log: Log | None = None
    orientation: Orientation | None = None
    no_group: bool = False
    without_classes: tuple[str, ...] = ()
    missing_values: tuple[float, ...] = ()
    not_numbers: NotNumbers | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Wishes:
        """Of the options of a command line or a form: ``target``, ``id``, ``group``, ``no_group``, ``set_aside``,
        ``log``, ``orientation``, ``leave_out_class``, ``not_numbers``, and the numbers in ``missing``.

        Raises
        ------
        InputError
            A group and none at once, or an orientation that there is not.
        """
        if options.get("group") is not None and options.get("no_group"):
            raise InputError("`group` and `no_group` can't both be given.")
        if options.get("orientation") not in (None, *get_args(Orientation)):
            raise InputError(f"`orientation` must be one of {', '.join(get_args(Orientation))}.")
        return cls(
            target=options.get("target"),
            id=options.get("id"),
            group=options.get("group"),
            set_aside=tuple(options.get("set_aside") or ()),
            log=options.get("log"),
            orientation=options.get("orientation"),
            no_group=bool(options.get("no_group")),
            without_classes=tuple(options.get("leave_out_class") or ()),
            missing_values=tuple(_numbers_in(options.get("missing"))),
            not_numbers=options.get("not_numbers"),
        )


def _numbers_in(missing: str | Sequence[str] | None) -> list[float]:
    words = missing.split(",") if isinstance(missing, str) else missing or ()
    return [float(word) for word in words if re.fullmatch(r"\s*[-+]?\d+(\.\d*)?\s*", word)]


def describe(table: Table, wishes: Wishes = Wishes()) -> SchemaReport:
    """The report on ``table`` under the proposed roles, changed as wished; its ``errors`` are for the caller to heed.

    Raises
    ------
    InputError
        A wished column is not in the table.
    """
    report = validate(table, orientation=wishes.orientation)
    if wishes in (Wishes(), Wishes(orientation=wishes.orientation)):
        return report
    _check_names(table, report, wishes)
    asked = [m for m in report.errors if m.option == "orientation"] if wishes.orientation is None else []
    wished = validate(table, _wished(report.roles, wishes))
    return replace(wished, messages=(*asked, *wished.messages))


def cohort_of(table: Table, report: SchemaReport) -> Dataset:
    """The data set under these roles, called by its file's name unless that may name a person."""
    return to_dataset(table, report, public_name(table.name))


def for_model(
    table: Table,
    features: Sequence[str],
    provenance: Mapping[str, Any],
    wishes: Wishes,
    classes: Sequence[str] = (),
) -> SchemaReport:
    """The report on ``table`` under the roles that a saved model needs.

    Labels play no part, so that a sample without one is answered too; features without a value stay. Where the model's
    ``provenance`` holds the reading of its training table, label and group column, scale, marks of missing values and
    the numbers that words stand for are those, and columns that it did not have are left out and named; else the label
    column that is proposed is left out, unless the model was trained on it.

    Parameters
    ----------
    features
        The model's, in its order.
    classes
        The model's: a column of such words is the label under another name.
    """
    trained = _roles(provenance)
    if wishes.orientation is None:
        wishes = replace(wishes, orientation=_orientation(table, _known(features, trained)))
    proposed = replace(describe(table, wishes).roles, needed=tuple(features))
    if trained is None:
        left_out = validate(table, _unlabelled(proposed, proposed.target, wishes))
        as_feature = replace(proposed, target=None, log=wishes.log or proposed.log)
        if proposed.target is None or wishes.target is not None or _names(table, left_out) == tuple(features):
            return left_out
        report = validate(table, as_feature)
        return report if _names(table, report) == tuple(features) else left_out
    known = {table.title(j) for j in range(table.n_columns)}
    group = wishes.group or trained.group or proposed.group
    same_id = trained.id in known and trained.orientation == proposed.orientation
    roles = replace(
        proposed,
        id=wishes.id or (trained.id if same_id else proposed.id),
        group=group if group in known else None,
        log=wishes.log or trained.log,
        total=trained.total,
        missing_values=trained.missing_values,
        not_numbers=trained.not_numbers,
        codes=trained.codes,
        duplicates=trained.duplicates,
        without_classes=(),
        set_aside=tuple(dict.fromkeys((*proposed.set_aside, *trained.set_aside))),
    )
    roles = _unlabelled(roles, trained.target, wishes)
    foreign, said = _foreign(table, roles, _known(features, trained), classes)
    report = validate(table, replace(roles, set_aside=tuple(dict.fromkeys((*roles.set_aside, *foreign)))))
    return replace(report, messages=(*report.messages, *said))


def _known(features: Sequence[str], trained: Roles | None) -> frozenset[str]:
    """Columns that a model's features are made of."""
    return frozenset(features) | {codes.column for codes in (trained.codes if trained else ())}


def _orientation(table: Table, known: frozenset[str]) -> Orientation | None:
    """What the model's features name, columns or rows; None where they name neither."""
    columns = len(known.intersection(map(table.title, range(table.n_columns))))
    at = name_column(table)
    rows = 0 if at is None else len(known.intersection(table.text_column(at).words))
    return None if columns == rows else "samples_in_rows" if columns > rows else "genes_in_rows"


def _foreign(
    table: Table, roles: Roles, known: frozenset[str], classes: Sequence[str]
) -> tuple[list[str], list[Message]]:
    """Columns that the model's training table did not have, and what to say of them."""
    turned = arrange(table, replace(roles, duplicates="keep")).table
    used = known | {name for name in (roles.id, roles.group) if name} | set(roles.set_aside)
    unknown = [j for j in range(int(turned.flipped), turned.n_columns) if turned.title(j) not in used]
    if not known & {turned.title(j) for j in range(turned.n_columns)}:
        return [], []  # a table of something else: the features' names are compared, and the difference told
    labels = [j for j in unknown if j in turned.texts and _holds(turned.texts[j].words, classes)]
    said = []
    if names := [turned.title(j) for j in labels]:
        text = f"Column {some(names)} holds the model's classes: taken for the label, it plays no part in the answers."
        said.append(Message("warn", "label-found", text, names[0]))
    if others := [turned.title(j) for j in unknown if j not in labels and j not in turned.annotations]:
        text = f"Not used, as the model does not know them: {some(others, 10)}."
        said.append(Message("warn", "unknown-columns", text, others[0]))
    return [turned.title(j) for j in unknown], said


def _holds(words: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether all words are names of classes, as the program compares labels."""
    return bool(words) and {same_label(word) for word in words} <= {same_label(name) for name in classes}


def known_labels(table: Table, report: SchemaReport, provenance: Mapping[str, Any], wishes: Wishes) -> dict[str, str]:
    """Sample -> class, where the column is there that held the classes in training, that was named or that was found.

    ``report``: of :func:`for_model`, which leaves that column out.
    """
    trained = _roles(provenance)
    found = next((m.column for m in report.messages if m.code == "label-found"), None)
    target = wishes.target or (None if trained is None or table.find(trained.target or "") is None else trained.target)
    target = target or found
    if target is None or table.find(target) is None:
        return {}
    aside = tuple(name for name in report.roles.set_aside if name != target)
    labelled = validate(table, replace(report.roles, target=target, set_aside=aside))
    if labelled.errors:
        return {}
    dataset = cohort_of(table, labelled)
    assert dataset.y is not None
    return {sample: dataset.classes[code] for sample, code in zip(dataset.sample_ids, dataset.y, strict=True)}


def _check_names(table: Table, report: SchemaReport, wishes: Wishes) -> None:
    named = {"target": wishes.target, "id": wishes.id, "group": wishes.group}
    if report.roles.orientation == "genes_in_rows":
        return  # the names are those of rows: `validate` looks for them there
    for part, name in (*named.items(), *(("set-aside", name) for name in wishes.set_aside)):
        if name is not None and table.find(name) is None:
            listed = f" Columns that could be it: {some(report.options, 12)}." if report.options else ""
            raise InputError(f"{table.name}: no column is named {name!r}, which was to be the {part} column.{listed}")


def _wished(roles: Roles, wishes: Wishes) -> Roles:
    chosen = {"target": wishes.target, "id": wishes.id, "group": wishes.group, "log": wishes.log}
    given: dict[str, Any] = {part: name for part, name in chosen.items() if name is not None}
    aside = [name for name in (*roles.set_aside, *wishes.set_aside) if name not in chosen.values()]
    if wishes.no_group:
        given["group"] = None
    if wishes.not_numbers is not None:
        given["not_numbers"] = wishes.not_numbers
    given |= {
        part: (*getattr(roles, part), *getattr(wishes, part))
        for part in ("without_classes", "missing_values")
        if getattr(wishes, part)
    }
    freed: dict[str, Any] = {
        part: None
        for part in ("target", "id", "group")
        if part not in given and getattr(roles, part) in {*chosen.values(), *wishes.set_aside} - {None}
    }
    return replace(roles, **freed, **given, set_aside=tuple(dict.fromkeys(aside)))


def _unlabelled(roles: Roles, label: str | None, wishes: Wishes) -> Roles:
    """No labels: their column, by the name it had in training and by the one wished or proposed here, is set aside."""
    labels = (label, wishes.target, None if label else roles.target)
    aside = dict.fromkeys((*roles.set_aside, *(name for name in labels if name is not None)))
    return replace(roles, target=None, set_aside=tuple(aside))


def _roles(provenance: Mapping[str, Any]) -> Roles | None:
    recipe = Recipe.of_model(provenance)
    return None if recipe is None else recipe.roles


def read_as_trained(read: Callable[[Recipe], Table], given: Recipe, provenance: Mapping[str, Any]) -> Table:
    """A table read with what the user says of it; what he leaves open and the file does not tell, as in training.

    ``read``: a recipe to a table, ``read_table`` of one file.
    """
    trained = Recipe.of_model(provenance)
    if trained is None:
        return read(given)
    layer = trained.layer if trained.layer not in ("", "X") else None
    given = replace(given, missing=given.missing or trained.missing, layer=given.layer or layer)
    table = read(given)
    if given.decimal or given.thousands is not None or all(m.option != "thousands" for m in table.messages):
        return table
    return read(replace(given, decimal=trained.decimal, thousands=trained.thousands))


def unit_note(provenance: Mapping[str, Any], unit: str) -> str:
    """What to say where a cohort's values are on another scale than those that a model learned from; else empty."""
    trained = str(provenance.get("unit", unit))
    same = trained.startswith("log") == unit.startswith("log") and (PER_TOTAL in trained) == (PER_TOTAL in unit)
    return "" if same else f"The model was trained on values in {trained!r}, these look like {unit!r}."


def _names(table: Table, report: SchemaReport) -> tuple[str, ...]:
    return () if report.errors else to_dataset(table, report, table.name).feature_names


def recoded(dataset: Dataset, provenance: Mapping[str, Any]) -> Dataset:
    """A cohort that is read already, its words as the numbers that a saved model learned for them.

    Raises
    ------
    InputError
        A column holds words that the model never saw.
    """
    trained = _roles(provenance)
    if trained is None or dataset.roles is None or trained.codes == dataset.roles.codes:
        return dataset
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    X, at = X.copy(), {name: j for j, name in enumerate(dataset.feature_names)}
    learned = {codes.column: codes for codes in trained.codes}
    for own in dataset.roles.codes:
        codes = learned.get(own.column)
        if codes is None or codes.features != own.features or not set(own.features) <= at.keys():
            continue  # features of other names: the model refuses them, and says which
        columns = [at[name] for name in own.features]
        unknown = [word for word in own.words if word not in codes.words]
        if unknown:
            raise InputError(
                f"Column {own.column} holds {some(unknown)}, which the model's training table did not have: it had "
                f"{some(codes.words, 10)}. Write it as there, or leave the cell empty."
            )
        before = X[:, columns].copy()
        for word, value in zip(own.words, own.values, strict=True):
            rows = (before == np.array(value, np.float32)).all(axis=1)
            X[np.ix_(rows, columns)] = codes.values[codes.words.index(word)]
    return replace(dataset, X=X)
