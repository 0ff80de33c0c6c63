"""Records that a user gives back: read in a limited child process, and every field checked before any is believed."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.protocol import Condition
from genomap_core.benchmark.reading import METADATA, StudyRecords
from genomap_core.benchmark.records import COLUMNS, METRICS, STATUSES, Record
from genomap_core.errors import InputError
from genomap_core.io.tables.parquet import read_rows

_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,79}", re.ASCII)
_TEXTS = tuple(f.name for f in fields(Record) if f.type == "str")
_WHOLE = tuple(f.name for f in fields(Record) if str(f.type).startswith("int"))
_RUN = ["dataset", "condition", "model", "seed", "fold"]


def read_upload(data: bytes, name: str = "The file") -> StudyRecords:
    """The study in the bytes of a Parquet file that :func:`~genomap_core.benchmark.reading.to_parquet` made.

    Raises
    ------
    InputError
        It is no such file, damaged or empty, or a value can't be; the message says which and where.
    """
    try:
        rows = read_rows(data, "file", METADATA)
        missing = set(COLUMNS) - set(rows.numbers) - set(rows.texts)
        if missing or not rows.metadata:
            what = f"the column {min(missing)} is missing" if missing else "the study's description is missing"
            raise InputError(f"It holds no records of a study ({what}).")
        columns = {c: _column(c, rows.numbers.get(c), rows.texts.get(c)) for c in COLUMNS}
        table = _checked(pd.DataFrame(columns, columns=list(COLUMNS)))
        header = _header(rows.metadata, table)
    except InputError as error:
        text = str(error).removeprefix("file: ")
        raise InputError(
            f"{name}: {text} Give a file that “Records, Parquet” of this page made, or the command line with "
            "`report --records`."
        ) from error
    return StudyRecords(table.sort_values(_RUN, ignore_index=True), header, Path("uploaded study"))


def _column(name: str, numbers: np.ndarray | None, texts: list[str | None] | None) -> Any:
    """A column with the type that it must have; one without any value may have either."""
    if name in _TEXTS:
        if texts is None:
            raise InputError(f"The column {name} holds numbers instead of text.")
        return pd.Series([text or "" for text in texts], dtype=object)
    if numbers is None:
        if texts is not None and any(text is not None for text in texts):
            raise InputError(f"The column {name} holds text instead of numbers.")
        numbers = np.full(len(texts or ()), np.nan)
    if np.isinf(numbers).any():
        raise InputError(f"The column {name} holds infinite numbers.")
    if name not in _WHOLE:
        return pd.Series(numbers)
    whole = numbers[~np.isnan(numbers)]
    if (whole != np.round(whole)).any() or (np.abs(whole) > 2**31 - 1).any():
        raise InputError(f"The column {name} holds numbers that are not whole.")
    return pd.Series(numbers).astype("Int32")


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    if table.empty:
        raise InputError("It holds no records.")
    for column in ("dataset", "model"):
        _all(table, table[column].map(lambda text: bool(_NAME.fullmatch(text))), f"`{column}` is no name (a-z, 0-9, _)")
    for condition in set(table["condition"]):
        Condition(str(condition)[:40])
    _all(table, table["status"].isin(list(STATUSES)), f"`status` is none of {', '.join(STATUSES)}")
    for column in ("seed", "fold"):
        _all(table, table[column].notna() & (table[column].fillna(-1) >= 0), f"`{column}` is no number >= 0")
    ok = table["status"] == "ok"
    for column in METRICS:
        values = table[column]
        inside = values.isna() | ((values >= 0) & ((values <= 1) | (column in ("log_loss", "brier"))))
        _all(table, inside, f"`{column}` is out of range")
    for column in ("accuracy", "n_train", "n_test", "n_features", "fit_seconds", "predict_seconds"):
        _all(table, ~ok | (table[column].notna() & (table[column].fillna(-1) >= 0)), f"`{column}` of a run is missing")
    _all(table, ~table.duplicated(_RUN), "the same run a second time")
    for row, text in enumerate(table["versions"]):
        _versions(text, row)
    return table.astype({"seed": "int32", "fold": "int32"})


def _all(table: pd.DataFrame, good: pd.Series, what: str) -> None:
    if not good.all():
        raise InputError(f"Row {int(np.argmin(good.to_numpy(bool))) + 1} of {len(table):,}: {what}.")


def _versions(text: str, row: int) -> None:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise InputError(f"Row {row + 1}: `versions` is no JSON object of names and versions.")


def _header(text: str, table: pd.DataFrame) -> dict[str, Any]:
    """Order of the models and what is said of the sets; whatever else the description holds is dropped."""
    try:
        given = json.loads(text)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise InputError("The study's description is damaged.")
    present = sorted(set(table["model"]))
    named = given.get("models") if isinstance(given.get("models"), list) else []
    sets = given.get("sets") if isinstance(given.get("sets"), dict) else {}
    return {
        "models": list(dict.fromkeys([m for m in named or [] if m in present] + present)),
        "sets": {name: asdict(_entry(name, (sets or {}).get(name))) for name in sorted(set(table["dataset"]))},
    }


def _entry(name: str, given: Any) -> Entry:
    """What is said of a data set, of the right types only."""
    values = given if isinstance(given, dict) else {}
    texts = ("title", "kind", "origin", "taken_from", "licence", "note")
    said = {key: values[key][:2000] for key in texts if isinstance(values.get(key), str)}
    known = values.get("known")
    words = tuple(w[:80] for w in known if isinstance(w, str))[:20] if isinstance(known, list) else ()
    return Entry(name, **{"title": name, **said}, known=words)
