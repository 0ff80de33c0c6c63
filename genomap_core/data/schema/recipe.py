"""How a file was understood, as one value: what the user may say before reading, and what is stored after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from genomap_core.data.schema.roles import Roles
from genomap_core.errors import InputError
from genomap_core.store import decode

SIGNS = {"tab": "\t", "comma": ",", "semicolon": ";", "point": ".", "bar": "|", "blank": " ", "apostrophe": "'"}
"""Names of signs that are awkward to type on a command line."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One thing that was decided: ``what`` (a field of the recipe), the ``value``, ``confidence`` 0 to 1, and why."""

    what: str
    value: str
    confidence: float
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to read a table; None: found by the program, which then says so among the ``decisions``.

    Parameters
    ----------
    encoding, delimiter
        Of delimited text.
    decimal, thousands
        Signs of numbers; ``thousands`` "" for none.
    header
        The line (a workbook: the row) with the columns' names, counted from 1; 0: there is none.
    missing
        Words that mean a missing value, instead of the usual ones; an empty cell is missing in any case.
    sheet, layer
        Of a workbook; of an h5ad, loom or h5mu file.
    roles
        What the columns are.
    decisions
        What was found, with the evidence.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    header: int | None = None
    missing: tuple[str, ...] | None = None
    sheet: str | None = None
    layer: str | None = None
    roles: Roles | None = None
    decisions: tuple[Decision, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("decimal", ".,"), ("thousands", ".,' "), ("delimiter", "\t;|, ")):
            value = getattr(self, name)
            if value is not None and (len(value) > 1 or value not in allowed):
                raise InputError(f"`{name}` must be one of {' '.join(map(repr, allowed))}, got {value!r}.")
        if self.delimiter == "" or self.decimal == "":
            raise InputError("`delimiter` and `decimal` must be one sign each.")
        if self.decimal is not None and self.decimal == self.thousands:
            raise InputError(f"{self.decimal!r} can't be both decimal and thousands sign.")
        if self.header is not None and self.header < 0:
            raise InputError(f"`header` is a line counted from 1, or 0 for none; got {self.header}.")

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Recipe:
        """Of the options of a command line or a form; those that are not given, or None, are found by the program.

        Signs may be given by name (``tab``, ``comma``, ``none``); ``missing`` as one text with commas, numbers in it
        are for :attr:`Roles.missing_values`.
        """
        signs: dict[str, Any] = {
            name: _sign(value)
            for name in ("delimiter", "decimal", "thousands")
            if (value := options.get(name)) is not None
        }
        missing = options.get("missing")
        if isinstance(missing, str):
            missing = tuple(word.strip() for word in missing.split(","))
        return cls(
            encoding=options.get("encoding"),
            header=None if options.get("header") is None else int(options["header"]),
            missing=None if missing is None else tuple(word.lower() for word in missing),
            sheet=options.get("sheet"),
            layer=options.get("layer"),
            **signs,
        )

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Recipe:
        """From ``asdict`` by way of JSON; :class:`InputError` if damaged."""
        return decode(cls, stored)

    @classmethod
    def of_model(cls, provenance: Mapping[str, Any]) -> Recipe | None:
        """How a saved model's training table was read; None where the training data were no table.

        Raises
        ------
        InputError
            The model's note on it can't be read.
        """
        stored = provenance.get("recipe")
        if stored is None and "roles" in provenance:  # all that version 0.2 kept of it
            stored = {"roles": provenance["roles"]}
        if not isinstance(stored, Mapping):
            return None
        try:
            return cls.from_json(stored)
        except (TypeError, ValueError) as error:
            said = f"The model's note on its training table can't be read ({error}): train it again."
            raise InputError(said) from error

    def decided(self, *decisions: Decision) -> Recipe:
        """With more decisions; of two on the same thing the later counts."""
        kept = {decision.what: decision for decision in (*self.decisions, *decisions)}
        return replace(self, decisions=tuple(kept.values()))

    def to_publish(self) -> Recipe:
        """Without what was found in single cells and lines, which may name a person: for files that go to others."""
        parts = {field.name for kind in (Recipe, Roles) for field in fields(kind)} | {"unit"}
        return replace(self, decisions=tuple(decision for decision in self.decisions if decision.what in parts))

    def __str__(self) -> str:
        """``genes in rows; named by gene_id; label outcome; unit log2(1 + count); decimal ','``."""
        roles, unit = self.roles or Roles(), next((d.value for d in self.decisions if d.what == "unit"), "")
        said = [
            "genes in rows" if roles.orientation == "genes_in_rows" else "samples in rows",
            *(f"{part} {name}" for part in ("id", "target", "group") if (name := getattr(roles, part))),
            *([f"unit {unit}"] if unit else []),
            *(f"{what} {value!r}" for what in ("decimal", "thousands", "layer") if (value := getattr(self, what))),
        ]
        return "; ".join(said)


def _sign(value: str) -> str:
    return "" if value == "none" else SIGNS.get(value, value)


FOUND = Recipe()
"""Everything found by the program."""
