"""A model file and a table read as the model was trained, for the commands that use both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from genomap_core.cli.options import Columns
from genomap_core.cli.tables import checked, read, wishes
from genomap_core.data.dataset import Dataset
from genomap_core.data.message import some
from genomap_core.data.schema.recipe import Recipe
from genomap_core.errors import BundleError, RefusedError
from genomap_core.workflows.cohorts.cohort import for_model, known_labels, read_as_trained, unit_note
from genomap_core.workflows.tabular.saved_model import in_order_of, open_model, with_features_of

if TYPE_CHECKING:
    from genomap_core.training import Bundle


def open_bundle(path: Path) -> Bundle:
    """The model in a file; the errors name the file."""
    try:
        return open_model(path)
    except RefusedError as error:
        raise RefusedError(f"{path.name}: {error}") from error
    except BundleError as error:
        raise BundleError(f"{path.name}: {error}") from error


@dataclass(frozen=True, eq=False)
class Given:
    """The rows of a table as a model takes them."""

    dataset: Dataset
    notes: tuple[str, ...]
    """What to look at in it"""
    labels: Mapping[str, str]
    """Sample -> class, where the table says; the model does not see it"""


def table_for(bundle: Bundle, path: Path, options: Columns, lacking: bool = False) -> Given:
    """The table in a file, read as the model was trained.

    ``lacking``: features may be missing, where the model was trained for that.

    Raises
    ------
    BundleError
        Its features are not the model's; the message lists the difference of names.
    """
    known = bundle.header.provenance
    table = read_as_trained(lambda recipe: read(path, recipe), Recipe.from_options(options.model_dump()), known)
    report = for_model(table, bundle.feature_names, known, wishes(options), bundle.classes)
    dataset = checked(table, report)
    notes = dataset.notes
    labels = known_labels(table, report, known, wishes(options))
    try:
        dataset, more = (with_features_of if lacking else in_order_of)(bundle, dataset)
        notes = (*notes, *more)
    except BundleError as error:
        aside = report.roles.set_aside
        hint = f"\nSet aside in the table: {some(aside, 20)}." if aside else ""
        raise BundleError(f"{path.name} does not fit the model. {error}{hint}") from error
    note = unit_note(known, dataset.unit)
    return Given(dataset, (*notes, f"{note} See --scale.") if note else notes, labels)
