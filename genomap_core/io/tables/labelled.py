"""Text formats with sample descriptions above the values: GCT 1.2 and 1.3 of the Broad Institute, GEO series matrix."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.table import OddCell, Table, TextColumn
from genomap_core.errors import InputError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.delimited import read_delimited, without_columns

_LINES = 5000


def read_labelled(text: bytes, name: str, limits: FileLimits, recipe: Recipe) -> Table | None:
    """The table of such a file, its descriptions of samples as rows of words; None for any other text."""
    if text[:4] in (b"#1.2", b"#1.3") and recipe.header is None:
        return _read_gct(text, name, limits, recipe)
    if text.startswith((b"!Series_", b"!Sample_")) and b"!series_matrix_table_begin" in text:
        return with_label_rows(read_delimited(text, name, limits, recipe), _geo_labels(text))
    return None


def _read_gct(text: bytes, name: str, limits: FileLimits, recipe: Recipe) -> Table:
    """Line 2: rows, columns, and of 1.3 how many columns describe rows and how many rows describe columns."""
    lines = text.replace(b"\r\n", b"\n").split(b"\n", 3)
    sizes = lines[1].split() if len(lines) > 3 else []
    if len(sizes) < 2 or not all(size.isdigit() for size in sizes):
        raise InputError("The GCT file has no sizes in line 2: write it again with the program that made it.")
    describe_rows, describe_columns = (int(sizes[2]), int(sizes[3])) if len(sizes) > 3 else (1, 0)
    if describe_columns > _LINES:
        raise InputError(f"The GCT file has {describe_columns:,} lines that describe samples, over {_LINES:,}.")
    *described, rest = lines[3].split(b"\n", describe_columns)
    header = lines[2].decode("utf-8", "replace").strip("\r").split("\t")
    table = read_delimited(b"\n".join([lines[2], rest]), name, limits, replace(recipe, delimiter="\t"))
    labels: dict[str, dict[str, str]] = {}
    for line in described:
        cells = line.decode("utf-8", "replace").strip("\r").split("\t")
        pairs = zip(header[1 + describe_rows :], cells[1 + describe_rows :])
        labels[cells[0]] = {column: word for column, word in pairs if word.strip().lower() not in ("", "na", "nan")}
    numbered = describe_rows == 1 and [title.lower() for title in header[:3]] == ["id", "name", "description"]
    aside = [0, 2] if numbered else [j for j in range(1, 1 + describe_rows) if j < table.n_columns]
    beside = [header[j] for j in aside]
    table = without_columns(table, aside)
    said = [Message("ok", "gct", f"A GCT file, without what describes genes: {some(beside)}.")] if beside else []
    rows = table.rows + (2 + describe_columns)
    return with_label_rows(replace(table, rows=rows, messages=(*table.messages, *said)), labels)


def _geo_labels(text: bytes) -> dict[str, dict[str, str]]:
    """``!Sample_characteristics_ch1`` lines, each value ``name: word``; and the titles of the samples."""
    head = text[: text.find(b"!series_matrix_table_begin")].decode("utf-8", "replace")
    lines = [line for line in head.splitlines()[:_LINES] if line.startswith("!Sample_")]
    rows = [next(csv.reader([line], delimiter="\t")) for line in lines]
    ids = next((row[1:] for row in rows if row[0] == "!Sample_geo_accession"), [])
    labels: dict[str, dict[str, str]] = {}
    for row in rows:
        if row[0] == "!Sample_source_name_ch1":
            labels["source"] = dict(zip(ids, row[1:]))
        if row[0] == "!Sample_characteristics_ch1":
            for sample, cell in zip(ids, row[1:]):
                title, found, word = cell.partition(":")
                if found and word.strip():
                    labels.setdefault(title.strip(), {})[sample] = word.strip()
    return labels


def with_label_rows(table: Table, labels: Mapping[str, Mapping[str, str]]) -> Table:
    """The table with rows of words above its own: ``{row: {column: word}}``. Rows without letters are left out."""
    kept = {name: words for name, words in labels.items() if any(c.isalpha() for w in words.values() for c in w)}
    kept = {name: words for name, words in kept.items() if len(set(words.values())) > 1}
    if not kept or 0 not in table.texts or not isinstance(table.numbers, np.ndarray):
        return table
    at = {table.columns[j]: j for j in table.number_at.tolist()}
    above = np.full((len(kept), table.numbers.shape[1]), np.nan, np.float32)
    odd = [
        OddCell(i, at[column], word)
        for i, words in enumerate(kept.values())
        for column, word in words.items()
        if column in at
    ]
    names = [*kept, *table.texts[0].values()]
    empty = np.full(len(kept), -1, np.int32)
    texts = {
        j: TextColumn.of(names) if j == 0 else replace(column, codes=np.concatenate([empty, column.codes]))
        for j, column in table.texts.items()
    }
    text = f"{plural(len(kept), 'description')} of the samples kept as possible labels: {some(kept, 10)}."
    return replace(
        table,
        numbers=np.concatenate([above, table.numbers]),
        texts=texts,
        rows=np.concatenate([np.zeros(len(kept), np.int32), table.rows]),
        odd=(*odd, *(replace(cell, row=cell.row + len(kept)) for cell in table.odd)),
        messages=(*table.messages, Message("ok", "sample-descriptions", text)),
    )
