"""Parquet -> Table. Runs in the child process; only the footer is trusted before sizes are checked.

Unlike :mod:`genomap_core.io.tables.parquet` nothing is guessed: float64 numbers, text, and one entry of the file's
metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genomap_core.data.message import Message, some
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.words import is_role_name
from genomap_core.data.table import OddCell, Source, Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.kinds import NAMES, find_kind
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits, check_size
from genomap_core.io.tables.delimited import text_column
from genomap_core.io.tables.settle import settle_numbers

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


_BATCH_CELLS = 1 << 20
_DAMAGED = "The file is damaged: a page of the Parquet file can't be read. Export or download it again."


def read_parquet(path: Path, *, name: str, limits: FileLimits = DEFAULT, **recipe: Any) -> Table:
    """Read a flat Parquet file: numbers of any type become float32, words and dates become text."""
    try:
        file = pq.ParquetFile(path, page_checksum_verification=True)
    except (OSError, pa.ArrowException) as error:
        raise InputError("The file is damaged: the end of the Parquet file can't be read. Export it again.") from error
    check_size(file.metadata.num_rows, file.metadata.num_columns, limits)
    schema = file.schema_arrow
    order, names = _order(schema)
    fields = [schema.field(i) for i in order]
    _refuse_nested(fields)
    is_text = np.array([_is_text(field.type) or is_role_name(title) for field, title in zip(fields, names)], bool)
    number_at, text_at = np.flatnonzero(~is_text), np.flatnonzero(is_text)
    numbers = np.empty((file.metadata.num_rows, len(number_at)), np.float32)
    odd: list[OddCell] = []
    words: dict[int, list[pa.Array]] = {j: [] for j in text_at.tolist()}
    at = 0
    try:
        for batch in _batches(file):
            part = numbers[at : at + batch.num_rows]
            part[:] = _as_numbers([batch.column(order[j]) for j in number_at.tolist()], batch.num_rows)
            odd += _take_infinite(part, at, number_at)
            for j, parts in words.items():
                parts.append(_as_text(batch.column(order[j])))
            at += batch.num_rows
    except (OSError, pa.ArrowException) as error:
        raise InputError(_DAMAGED) from error
    given = Recipe.from_options(recipe)
    table = Table(
        name=name,
        columns=tuple(names),
        numbers=numbers,
        number_at=number_at,
        texts={j: text_column(pa.chunked_array(parts, pa.string()), given.missing) for j, parts in words.items()},
        rows=np.arange(1, len(numbers) + 1, dtype=np.int32),
        odd=tuple(odd),
        messages=(*_messages_on_durations(fields), *_messages_on_rounding(file, order, names)),
        source=Source("parquet"),
    )
    return settle_numbers(table, given)


def _size(held: Any) -> int:
    """The largest whole number of a column chunk, by its statistics; 0 where there are none."""
    return max(abs(int(held.min)), abs(int(held.max))) if held is not None and held.has_min_max else 0


_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def _messages_on_durations(fields: list[pa.Field]) -> list[Message]:
    durations = [field.name for field in fields if pa.types.is_duration(field.type)]
    text = f"Durations in {some(durations)} are read as numbers of days."
    return [Message("warn", "durations", text, durations[0])] if durations else []


def _messages_on_rounding(file: pq.ParquetFile, order: list[int], names: list[str]) -> list[Message]:
    """On columns of whole numbers beyond 2^24, as the footer knows them."""
    schema, metadata = file.schema_arrow, file.metadata
    whole = [(p, title) for p, title in zip(order, names) if pa.types.is_integer(schema.field(p).type)]
    if metadata.num_columns != len(names):
        return []
    groups = [metadata.row_group(k) for k in range(metadata.num_row_groups)]
    beyond = [title for p, title in whole if any(_size(group.column(p).statistics) > 2**24 for group in groups)]
    text = f"Whole numbers beyond 16,777,216 in {some(beyond)} are rounded to 24 bits: some that differ become equal."
    remedy = "Subtract a constant, or set the column aside if it is an id."
    return [Message("warn", "rounded-numbers", text, beyond[0], remedy=remedy)] if beyond else []


def _order(schema: pa.Schema) -> tuple[list[int], list[str]]:
    """Positions and names of the columns, those that were a data frame's index first."""
    index: list[str] = []
    if schema.metadata and b"pandas" in schema.metadata:
        described = json.loads(schema.metadata[b"pandas"])
        index = [entry for entry in described.get("index_columns", []) if isinstance(entry, str)]
    names = schema.names
    order = sorted(range(len(names)), key=lambda i: (names[i] not in index, i))
    return order, ["" if names[i].startswith("__index_level_") else names[i] for i in order]


def _refuse_nested(fields: list[pa.Field]) -> None:
    nested = [
        f"{field.name} ({field.type})" for field in fields if pa.types.is_nested(field.type) or _is_binary(field.type)
    ]
    if nested:
        raise InputError(
            f"Columns hold lists, structures or bytes instead of single values: {some(nested)}. Leave them out."
        )


def _is_binary(kind: pa.DataType) -> bool:
    return pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return not (
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_duration(kind)
        or pa.types.is_null(kind)
        or isinstance(kind, pa.BaseExtensionType)
    )


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    rows = max(1, _BATCH_CELLS // max(file.metadata.num_columns, 1))
    return file.iter_batches(batch_size=rows, use_threads=False)


def _as_numbers(columns: list[pa.Array], rows: int) -> np.ndarray:
    """``(rows, q)`` floats, NaN for null."""
    if not columns:
        return np.empty((rows, 0), np.float32)
    plain = [column if column.type in (pa.float32(), pa.float64()) else _as_float(column) for column in columns]
    batch = pa.RecordBatch.from_arrays(plain, [""] * len(plain))
    return batch.to_tensor(null_to_nan=True, row_major=True).to_numpy()


def _as_float(column: pa.Array) -> pa.Array:
    """Whole numbers, decimals, yes/no and extension types as float64."""
    storage = column.storage if isinstance(column.type, pa.BaseExtensionType) else column
    if pa.types.is_duration(storage.type):
        ticks = pc.cast(pc.cast(storage, pa.int64()), pa.float64(), safe=False)
        return pc.divide(ticks, float(_DAY[storage.type.unit]))
    return pc.cast(storage, pa.float64(), safe=False)


def _take_infinite(part: np.ndarray, first: int, number_at: np.ndarray) -> list[OddCell]:
    """Values beyond float32 become NaN, and odd cells."""
    places = np.argwhere(np.isinf(part))
    odd = [OddCell(first + int(i), int(number_at[k]), f"{part[i, k]:g}") for i, k in places[:100_000]]
    part[np.isinf(part)] = np.nan
    return odd


def _as_text(column: pa.Array) -> pa.StringArray:
    """Words, and numbers and dates written as text; whole numbers without a decimal point."""
    kind = column.type
    if isinstance(kind, pa.DictionaryType):
        column = column.dictionary_decode()
    if pa.types.is_floating(column.type):
        return pa.array([None if v is None or v != v else f"{v:.9g}" for v in column.to_pylist()], pa.string())
    if pa.types.is_timestamp(column.type):
        return pa.array([None if v is None else v.isoformat(" ") for v in column.to_pylist()], pa.string())
    return pc.cast(column, pa.string())
