"""What every comparison leaves: its runs, tables of scores with intervals, and what it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from genomap_core.store import load_arrays, save_arrays
from genomap_core.workflows.comparison.runner import DAMAGED, Run, find_run, run_file
from genomap_core.workflows.comparison.scores import TITLES, Score


def score_cells(scores: Mapping[str, Score], columns: Sequence[str]) -> dict[str, str]:
    """Title -> score with its interval."""
    return {TITLES[name]: str(scores[name]) for name in columns}


def failure(run: Run) -> str:
    """Why there is no answer."""
    return f"no answer ({run.status}): {run.message}"


def markdown(rows: Sequence[dict[str, str]]) -> str:
    """Rows as a Markdown table."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([row.get(n, "") for n in names] for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


Table = dict[str, dict[str, Score]]
"""Row -> column -> score"""
FILE = "comparison.npz"


@dataclass(frozen=True, eq=False, kw_only=True)
class Comparison:
    """All entries on the same folds. Kinds of comparison are thin classes that name their facts, arrays and tables."""

    kind: ClassVar[str] = ""
    name: str = ""
    """Of the cohort"""
    digest: str
    """Of its data"""
    config: Any
    """The options: plain values, or what :meth:`read_config` makes of them"""
    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    runs: tuple[Run, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.facts["classes"])

    @property
    def pending(self) -> tuple[str, ...]:
        """Entries that have not answered yet: the work still goes on, or was stopped."""
        return tuple(self.facts.get("pending", ()))

    @property
    def y(self) -> np.ndarray:
        """``(n,)`` class codes."""
        return self.arrays["y"]

    @property
    def groups(self) -> np.ndarray | None:
        """``(n,)`` what never parts, None where each row stands for itself."""
        return self.arrays.get("groups")

    @property
    def fold_of_row(self) -> np.ndarray:
        """``(n,)`` the fold in which a row was tested."""
        return self.arrays["fold_of_row"]

    @property
    def scores(self) -> Table:
        """Run -> metric -> score with interval."""
        return self.tables["scores"]

    def run(self, name: str) -> Run:
        """The run of this entry; KeyError when it was not compared."""
        return {run.name: run for run in self.runs}[name]

    def save(self, folder: Path) -> None:
        """Write ``comparison.npz``, and each run that is not there yet; every file whole or not at all."""
        for run in self.runs:
            if not find_run(folder, run.name, self.kind).is_file():
                run.save(folder / run_file(run.name), {"digest": self.digest})
        tables = {name: _plain(table) for name, table in self.tables.items()}
        header = {"format": 1, "kind": self.kind, "runs": [run.name for run in self.runs], "tables": tables}
        header |= {key: getattr(self, key) for key in ("name", "digest", "facts")}
        header["config"] = asdict(self.config) if is_dataclass(self.config) else self.config  # type: ignore[arg-type]
        save_arrays(folder / FILE, header, self.arrays)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What :meth:`save` wrote, or what version 0.1 left."""
        if not (folder / FILE).is_file():
            return cls._load_earlier(folder)
        header, arrays = load_arrays(folder / FILE, DAMAGED)
        runs = tuple(Run.load(find_run(folder, name, cls.kind))[0] for name in header["runs"])
        return cls(
            **{key: header[key] for key in ("name", "digest", "facts")},
            config=cls.read_config(header["config"]),
            arrays=arrays,
            tables={name: scores_of(table) for name, table in header["tables"].items()},
            runs=runs,
        )

    @classmethod
    def read_config(cls, values: dict[str, Any]) -> Any:
        """The options from plain values."""
        return values

    @classmethod
    def _load_earlier(cls, folder: Path) -> Self:
        """The files of version 0.1: ``KIND.json`` and ``KIND.npz``."""
        header = json.loads((folder / f"{cls.kind}.json").read_text())
        _, arrays = load_arrays(folder / f"{cls.kind}.npz", DAMAGED)
        return cls._from_earlier(folder, header, arrays)

    @classmethod
    def _from_earlier(cls, folder: Path, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Self:
        raise FileNotFoundError(folder / FILE)


def exists(folder: Path, kind: str) -> bool:
    """Whether a comparison of this kind lies there, finished or with entries :attr:`Comparison.pending`."""
    return (folder / FILE).is_file() or (folder / f"{kind}.json").is_file()


def changed(folder: Path) -> int:
    """When the comparison there was last written, in ns: another number once another entry has answered."""
    path = folder / FILE
    return path.stat().st_mtime_ns if path.is_file() else 0


def scores_of(table: Mapping[str, Mapping[str, Any]]) -> Table:
    """A table of scores from plain values."""
    return {row: {column: Score(**s) for column, s in cells.items()} for row, cells in table.items()}


def _plain(table: Table) -> dict[str, dict[str, Any]]:
    return {row: {column: asdict(s) for column, s in cells.items()} for row, cells in table.items()}


def fold_codes(folds: list[tuple[np.ndarray, np.ndarray]], n: int) -> np.ndarray:
    """``(n,)`` int64, the fold in which each row is tested."""
    codes = np.empty(n, np.int64)
    for k, (_, test) in enumerate(folds):
        codes[test] = k
    return codes
