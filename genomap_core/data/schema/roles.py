"""Which column plays which part, and how doubtful cells are treated: proposed by the program, corrected by the user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Orientation = Literal["samples_in_rows", "genes_in_rows"]
Log = Literal["as is", "log2(1+x)", "log2(1+x) per total"]
Duplicates = Literal["error", "first", "mean", "keep"]
NotNumbers = Literal["error", "missing", "limit"]
Labels = Literal["merge variants", "as written"]

ID_STEM = "(id before its last _)"
"""As :attr:`Roles.group`: rows whose ids differ only behind the last ``_``, ``-`` or ``.`` form a group."""


@dataclass(frozen=True, slots=True)
class WordCodes:
    """How the words of one column became features, so that another table's words become the same ones.

    Parameters
    ----------
    column
        Name of the column.
    features
        Names of the ``k`` features made of it.
    words
        In lower case, without blanks around them.
    values
        ``k`` numbers for each word.
    """

    column: str
    features: tuple[str, ...]
    words: tuple[str, ...]
    values: tuple[tuple[float, ...], ...]

    def __post_init__(self) -> None:
        if len(self.words) != len(self.values) or any(len(row) != len(self.features) for row in self.values):
            raise ValueError(f"{self.column}: every word needs a number for each of {len(self.features)} features.")


@dataclass(frozen=True, slots=True)
class Roles:
    """Names are those of :meth:`Table.title`.

    Parameters
    ----------
    id
        Column with the samples' names; None: they are numbered. With genes in rows: the column with the genes' names.
    target
        Column (with genes in rows: row) with the classes; None: no labels.
    group
        Column whose equal values must not part in a split (a patient with several samples), or :data:`ID_STEM`.
    set_aside
        Columns that are neither features nor any of the above.
    orientation
        Whether a row of the file is a sample or a gene.
    log
        "log2(1+x)" transforms every number column; nothing below 0 may be in it. "per total": each sample's numbers are
        scaled to the same total before, so that how deeply it was sequenced plays no part.
    total
        That total; 0: the power of ten nearest to the median of the samples'.
    duplicates
        Features of the same name: an error, the first, their mean, or all under numbered names.
    not_numbers
        Cells of number columns with text or infinite values: an error each, or missing; "limit": as "missing", but
        bounds such as ``<5`` count as their number.
    missing_values
        Numbers that stand for a missing value, such as -999.
    labels
        Whether labels that differ only in case, blanks, ``-`` and ``_`` are one class.
    codes
        How columns of words become features where another table has decided it; the program decides on the others.
    without
        Ids of samples to leave out: rows of means or totals below the table.
    without_classes
        Classes whose samples are left out.
    needed
        Features of a model that is trained already: they stay where they have no value, and one sample is enough.
    """

    id: str | None = None
    target: str | None = None
    group: str | None = None
    set_aside: tuple[str, ...] = ()
    orientation: Orientation = "samples_in_rows"
    log: Log = "as is"
    total: float = 0.0
    duplicates: Duplicates = "error"
    not_numbers: NotNumbers = "error"
    missing_values: tuple[float, ...] = ()
    labels: Labels = "merge variants"
    codes: tuple[WordCodes, ...] = ()
    without: tuple[str, ...] = ()
    without_classes: tuple[str, ...] = ()
    needed: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {getattr(self, name)!r}.")


_CHOICES = {
    "orientation": get_args(Orientation),
    "log": get_args(Log),
    "duplicates": get_args(Duplicates),
    "not_numbers": get_args(NotNumbers),
    "labels": get_args(Labels),
}
