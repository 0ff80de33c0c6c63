"""A table or messages as a folder of plain files, for the way from one process to another. No pickle."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import numpy as np

from genomap_core.data.message import Message
from genomap_core.data.table import OddCell, Source, Table, TextColumn
from genomap_core.store import decode

Answer = Table | tuple[Message, ...]


class Saved(Protocol):
    """A value that has files of its own, such as pixels."""

    def save(self, folder: Path) -> None:
        """Write them."""


def save_answer(answer: Answer | Saved, folder: Path) -> None:
    """Write ``answer.json`` and the arrays beside it, or the answer's own files."""
    if isinstance(answer, Table):
        header: dict[str, object] = {"table": _save_table(answer, folder)}
    elif isinstance(answer, tuple):
        header = {"messages": [asdict(message) for message in answer]}
    else:
        answer.save(folder)
        return
    (folder / "answer.json").write_text(json.dumps(header))


def load_answer(folder: Path) -> Answer:
    """Read what :func:`save_answer` wrote."""
    header = json.loads((folder / "answer.json").read_text())
    if "messages" in header:
        return tuple(Message(**fields) for fields in header["messages"])
    return _load_table(header["table"], folder)


def _save_table(table: Table, folder: Path) -> dict[str, object]:
    shape = [int(size) for size in table.numbers.shape]
    if isinstance(table.numbers, np.ndarray):
        arrays = {"numbers": table.numbers}
    else:
        arrays = {part: getattr(table.numbers, part) for part in ("data", "indices", "indptr")}
    arrays |= {f"text{j}": column.codes for j, column in table.texts.items()}
    arrays |= {"number_at": table.number_at, "rows": table.rows}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    return {
        "name": table.name,
        "columns": table.columns,
        "sparse_shape": None if isinstance(table.numbers, np.ndarray) else shape,
        "words": {str(j): column.words for j, column in table.texts.items()},
        "marks": {str(j): column.marks for j, column in table.texts.items() if column.marks},
        "odd": [(cell.row, cell.position, cell.text) for cell in table.odd],
        "annotations": sorted(table.annotations),
        "messages": [asdict(message) for message in table.messages],
        "source": asdict(table.source),
    }


def _load_table(header: dict, folder: Path) -> Table:
    def array(name: str) -> np.ndarray:
        return np.load(folder / f"{name}.npy", allow_pickle=False)

    if header["sparse_shape"] is None:
        numbers = array("numbers")
    else:
        import scipy.sparse as sp

        numbers = sp.csr_matrix((array("data"), array("indices"), array("indptr")), shape=tuple(header["sparse_shape"]))
    return Table(
        name=header["name"],
        columns=tuple(header["columns"]),
        numbers=numbers,
        number_at=array("number_at"),
        texts={
            int(j): TextColumn(array(f"text{j}"), tuple(words), tuple(map(tuple, header["marks"].get(j, ()))))
            for j, words in header["words"].items()
        },
        rows=array("rows"),
        odd=tuple(OddCell(*cell) for cell in header["odd"]),
        annotations=frozenset(header["annotations"]),
        messages=tuple(Message(**fields) for fields in header["messages"]),
        source=decode(Source, header["source"]),
    )
