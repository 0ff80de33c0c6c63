"""Gene sets from GMT files: one set a line, name, description and genes between tabs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genomap_core.errors import InputError


@dataclass(frozen=True)
class GeneSets:
    """Sets found in a file.

    Parameters
    ----------
    sets
        Name -> indices of its genes among the table's features, in the file's order; empty sets are left out.
    missing
        Name -> how many of its genes the table has not.
    """

    sets: dict[str, tuple[int, ...]]
    missing: dict[str, int]


def read_gmt(source: str | Path | bytes, feature_names: Sequence[str]) -> GeneSets:
    """Read a GMT file (a path, or its bytes) for a table with these features.

    Raises
    ------
    InputError
        A line with fewer than three columns, a name that comes twice, or bytes that are no UTF-8 text; with the line.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"The gene sets are not UTF-8 text (byte {error.start}): save the file as UTF-8.") from error
    index = {name: j for j, name in reversed(list(enumerate(feature_names)))}
    sets: dict[str, tuple[int, ...]] = {}
    missing: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, *rest = (part.strip() for part in line.split("\t"))
        genes = list(dict.fromkeys(gene for gene in rest[1:] if gene))
        if not name or not genes:
            raise InputError(f"Line {number} of the gene sets: expected name, description and genes between tabs.")
        if name in missing:
            raise InputError(f"Line {number} of the gene sets: the name {name!r} comes twice: rename one of them.")
        found = tuple(index[gene] for gene in genes if gene in index)
        missing[name] = len(genes) - len(found)
        if found:
            sets[name] = found
    return GeneSets(sets, missing)
