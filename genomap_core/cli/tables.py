"""The table of a command: read, checked as ``inspect`` checks it, every problem told at once."""

from __future__ import annotations

from pathlib import Path

from genomap_core.cli.options import Columns, OfTable
from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.roles import Log
from genomap_core.data.schema.validate import SchemaReport
from genomap_core.data.table import Table
from genomap_core.errors import InputError
from genomap_core.io.inspect import listed
from genomap_core.io.tables.read import read_table
from genomap_core.workflows.cohorts.cohort import Wishes, cohort_of, describe

SCALES: dict[str, Log] = {"as-is": "as is", "log2": "log2(1+x)", "log2-per-total": "log2(1+x) per total"}


def read(path: Path, recipe: Recipe) -> Table:
    """The table in a file; :class:`InputError` where there is none."""
    if not path.is_file():
        raise InputError(f"There is no file {path}: check the path.")
    return read_table(path, recipe=recipe)


def wishes(options: Columns) -> Wishes:
    """Roles given on the command line."""
    log = None if options.scale is None else SCALES[options.scale]
    return Wishes.from_options(options.model_dump() | {"log": log})


def cohort(options: OfTable) -> tuple[Dataset, SchemaReport]:
    """The data set in the command's file, and the report on it."""
    table = read(options.table, Recipe.from_options(options.model_dump()))
    report = describe(table, wishes(options))
    dataset = checked(table, report)
    return dataset, report


def checked(table: Table, report: SchemaReport) -> Dataset:
    """The data set under these roles; :class:`InputError` with every problem, listed as ``inspect`` lists them."""
    if report.errors:
        lines = "\n".join(listed(report.errors))
        raise InputError(f"{table.name} can't be used, {plural(len(report.errors), 'problem')}:\n{lines}")
    return cohort_of(table, report)


def need_labels(dataset: Dataset, report: SchemaReport) -> None:
    """Raise :class:`InputError` for a cohort without labels, naming the columns that could hold them."""
    if dataset.y is None:
        options = ", ".join(report.options[:12])
        could = f" Columns that could be it: {options}." if options else ""
        raise InputError(f"{dataset.name} has no column with the classes: name one with --target.{could}")
