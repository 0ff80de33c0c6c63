"""Gene sets from GMT files: one set a line, name, description and genes between tabs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from genomap_core.errors import InputError

_ENSEMBL = re.compile(r"(ENS[A-Z]*G\d{11})(\.\d+)?")
_APART = re.compile(r"[|;,/\s()\[\]]+|_(?=ENS[A-Z]*G\d)|(?<=\d)_")


def gene_names(feature: str) -> tuple[str, ...]:
    """What a feature may be called in a gene set: as it stands, then without its omics type, then its parts.

    Names are taken apart only where one part is an Ensembl gene id, whose version is left out:
    ``rna:TP53|ENSG00000141510.18`` is ``TP53`` and ``ENSG00000141510`` too, but ``HLA-A (protein)`` stays one name.
    """
    kind, colon, bare = feature.partition(":")
    names = [feature] + ([bare] if colon and kind and bare else [])
    if _ENSEMBL.search(names[-1]):
        parts = (_ENSEMBL.sub(r"\1", part) for part in _APART.split(names[-1]) if part)
        names += [part for part in parts if part]
    return tuple(dict.fromkeys(names))


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

    A gene is found by any of a feature's :func:`gene_names`; its exact name first, else the first feature it names.

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
    exact = {name: j for j, name in reversed(list(enumerate(feature_names)))}
    index = {alias: j for j, name in reversed(list(enumerate(feature_names))) for alias in gene_names(name)} | exact
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
        there = [index[alias] for gene in genes if (alias := _ENSEMBL.sub(r"\1", gene)) in index]
        missing[name] = len(genes) - len(there)
        found = tuple(dict.fromkeys(there))
        if found:
            sets[name] = found
    return GeneSets(sets, missing)
