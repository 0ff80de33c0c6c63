"""A study, finished or not, as one table: from a result store, or from one Parquet file such as the shipped one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from genomap_core.benchmark.records import COLUMNS, Record, to_table, typed
from genomap_core.benchmark.store import HEADER, Store, create_store, open_store, planned
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA, USUAL, write_atomically
from genomap_core.io.tables.export import NOTICE, csv_table

SHIPPED = SAMPLE_DATA / "robustness_study.parquet"
METADATA = "genomap_study"


@dataclass(frozen=True, eq=False)
class StudyRecords:
    """All records of a study.

    Parameters
    ----------
    table
        One row a run, with the columns of :class:`~genomap_core.benchmark.records.Record`.
    header
        The study's own description: folds, options, data sets with provenance.
    source
        Where it was read.
    """

    table: pd.DataFrame
    header: dict[str, Any]
    source: Path

    def filtered(self, sets: Iterable[str] | None = None, models: Iterable[str] | None = None) -> StudyRecords:
        """Only these data sets and models; :class:`InputError` for one the study doesn't hold."""
        table = self.table
        for column, names in (("dataset", sets), ("model", models)):
            if names is None:
                continue
            names = list(names)
            unknown = set(names) - set(table[column])
            if unknown:
                raise InputError(
                    f"{self.source.name} has no {'set' if column == 'dataset' else 'model'} named "
                    f"{', '.join(sorted(unknown))}: it holds {', '.join(sorted(set(table[column])))}."
                )
            table = table[table[column].isin(names)]
        return replace(self, table=table.reset_index(drop=True))

    def entry(self, dataset: str) -> dict[str, Any]:
        """What the catalogue says of a data set."""
        return dict(self.header["sets"].get(dataset, {}))


def read_study(path: Path | None = None) -> StudyRecords:
    """A store's folder, or a Parquet file that :func:`write_records` wrote; None: the shipped study.

    Raises
    ------
    InputError
        It is missing, damaged or empty; the message names file and reason.
    """
    if path is None:
        if not SHIPPED.is_file():
            raise InputError(f"{SHIPPED.name} is missing from sample_data: name a store with --store.")
        path = SHIPPED
    if path.is_dir() or not path.exists():
        store = open_store(path)
        records = store.records()
        study = StudyRecords(to_table(records), dict(store.header), path)
    else:
        study = _from_parquet(path)
    if study.table.empty:
        raise InputError(f"{path} holds no records yet: let `run` do some first.")
    return study


def take_over(study: StudyRecords, folder: Path) -> int:
    """Put a study's records into a store, a new one where there is none; the number that were new.

    What the store has stays as it is. ``run`` on the store then does only what neither had.

    Raises
    ------
    InputError
        The two mean different things by a run's name: other folds, model options, or other data of the same name.
    """
    store = create_store(folder, planned(Store(study.source, study.header)), study.header["sets"])
    records = records_of(study.table)
    data = _data_of(store.records())
    for name, hashes in _data_of(records).items():
        if name in data and hashes != data[name]:
            raise InputError(f"{study.source} and {folder} hold results on different data named {name}.")
    return sum(store.put(record) for record in records)


def _data_of(records: Iterable[Record]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for record in records:
        if record.data_sha256:
            found.setdefault(record.dataset, set()).add(record.data_sha256)
    return found


def to_parquet(study: StudyRecords) -> bytes:
    """All records and the study's description as one Parquet file; figures as 32-bit floats."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = study.table.copy()
    for column in table.columns:
        if table[column].dtype == "float64" and column != "finished":
            table[column] = table[column].astype("float32")
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    about = {METADATA: json.dumps(study.header), "notice": NOTICE}
    arrow = arrow.replace_schema_metadata(about)
    out = io.BytesIO()
    pq.write_table(arrow, out, compression="zstd", compression_level=19)
    return out.getvalue()


def write_records(study: StudyRecords, path: Path) -> None:
    """:func:`to_parquet` as a file."""
    write_atomically(path, to_parquet(study), USUAL)


def to_csv(study: StudyRecords) -> bytes:
    """All records as CSV that no spreadsheet takes for formulas."""
    return csv_table(list(study.table.columns), study.table.astype(object).where(study.table.notna(), None).values)


def _from_parquet(path: Path) -> StudyRecords:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        arrow = pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} is no Parquet file of records, or damaged: {str(error).splitlines()[0]}") from error
    metadata = (arrow.schema.metadata or {}).get(METADATA.encode())
    missing = set(COLUMNS) - set(arrow.column_names)
    if metadata is None or missing:
        raise InputError(f"{path} is no file of this program's records (use `report --records` to make one).")
    return StudyRecords(typed(arrow.to_pandas()[list(COLUMNS)]), json.loads(metadata), path)


def is_store(path: Path) -> bool:
    """Whether a folder is a result store."""
    return (path / HEADER).is_file()


def conditions_of(study: StudyRecords) -> list[str]:
    """Those that the study holds: undisturbed, then each kind by its percentage."""
    kinds = ("full", "rows", "noise", "testnoise", "keep", "blocks", "thin")

    def place(name: str) -> tuple[int, int]:
        kind, _, percent = name.partition("-")
        return kinds.index(kind), int(percent or 0)

    return sorted(set(study.table["condition"]), key=place)


def records_of(table: pd.DataFrame) -> list[Record]:
    """The rows of a table as values."""
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [Record(**{str(k): v for k, v in row.items()}) for row in rows]
