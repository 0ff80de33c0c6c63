"""A flat Parquet file that this program wrote, given back by a user: its columns as they are, read in a child process.

Unlike :mod:`genomap_core.io.tables.parquet` nothing is guessed: float64 numbers, text, and one entry of the file's
metadata.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import FileLimits, check_size

LONGEST, ALL_TEXT = 4000, 64 << 20
"""Bytes of a cell of text, and of all of them: what is small in the file may be large in memory."""
LIMITS = FileLimits(file=64 << 20, rows=500_000, columns=200, memory=2 << 30, seconds=30.0)


@dataclass(frozen=True, eq=False, slots=True)
class Rows:
    """Columns of a file.

    Parameters
    ----------
    numbers
        Name -> ``(r,)`` float64, NaN where a cell is empty.
    texts
        Name -> ``r`` cells; an empty one is None.
    metadata
        The asked entry of the file's own metadata; empty where there is none.
    """

    numbers: dict[str, np.ndarray]
    texts: dict[str, list[str | None]]
    metadata: str = ""

    def save(self, folder: Path) -> None:
        """See :class:`genomap_core.io.sandbox.transfer.Saved`."""
        np.save(folder / "numbers.npy", np.array(list(self.numbers.values())), allow_pickle=False)
        answer = {"numbers": list(self.numbers), "texts": self.texts, "metadata": self.metadata}
        (folder / "answer.json").write_text(json.dumps(answer))


def read_rows(data: bytes, name: str, key: str, limits: FileLimits = LIMITS) -> Rows:
    """The columns of an uploaded file, with the entry ``key`` of its metadata.

    Raises :class:`InputError` or :class:`RefusedError` as :func:`genomap_core.io.tables.read.read_table` does.
    """
    if len(data) > limits.file:
        raise RefusedError(f"{name}: the file has {len(data) >> 20:,} MB, over the limit of {limits.file >> 20:,} MB.")
    kind = find_kind(data[:4096])
    if kind != "parquet":
        raise InputError(f"{name}: the file is not Parquet but {NAMES[kind]}: give a file of records.")
    try:
        with as_path(data) as path, run_in_child("rows", path, {"key": key}, limits) as folder:
            answer = json.loads((folder / "answer.json").read_text())
            values = np.load(folder / "numbers.npy", allow_pickle=False)
    except InputError as error:
        raise type(error)(f"{name}: {error}") from error
    return Rows(dict(zip(answer["numbers"], values, strict=True)), answer["texts"], answer["metadata"])


def rows_of(path: Path, *, key: str, limits: FileLimits = LIMITS) -> Rows:
    """The same from a path. Runs in the child process; only the footer is trusted before sizes are checked."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
        check_size(file.metadata.num_rows, file.metadata.num_columns, limits)
        table = file.read(use_threads=False)
    except (OSError, pa.ArrowException) as error:
        raise InputError("The file is damaged: it can't be read as Parquet. Download or copy it again.") from error
    numbers: dict[str, np.ndarray] = {}
    texts: dict[str, list[str | None]] = {}
    room = ALL_TEXT
    for column, cells in zip(table.column_names, table.columns):
        if column in numbers or column in texts:
            raise InputError(f"The column {column[:80]!r} occurs twice.")
        room -= _text_bytes(column, cells)
        if room < 0:
            raise RefusedError(f"The file holds more than {ALL_TEXT >> 20} MB of text.")
        values = _values(column, cells)
        if isinstance(values, np.ndarray):
            numbers[column] = values
        else:
            texts[column] = values
    metadata = (table.schema.metadata or {}).get(key.encode(), b"")
    return Rows(numbers, texts, metadata.decode("utf-8", errors="replace"))


def _values(column: str, cells):  # type: ignore[no-untyped-def]
    """A column as float64 or as a list of text."""
    import pyarrow as pa

    if pa.types.is_dictionary(cells.type):
        cells = cells.cast(cells.type.value_type)
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        return cells.cast(pa.float64(), safe=False).to_numpy()
    if not (pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type) or pa.types.is_null(cells.type)):
        raise InputError(f"The column {column[:80]!r} holds {cells.type}: numbers and text are expected.")
    return cells.to_pylist()


def _text_bytes(column: str, cells) -> int:  # type: ignore[no-untyped-def]
    """How much text a column holds; nothing where it is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return 0
    sizes = pc.binary_length(cells.cast(pa.large_string()))
    if (pc.max(sizes).as_py() or 0) > LONGEST:
        raise RefusedError(f"The column {column[:80]!r} holds a text of more than {LONGEST:,} bytes.")
    return pc.sum(sizes).as_py() or 0
