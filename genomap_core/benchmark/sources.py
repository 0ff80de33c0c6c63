"""Where data sets are read from: a folder of tables, scikit-learn's sets, OpenML with a cache, cohorts of the app."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from genomap_core.benchmark.catalogue import Entry
from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError

ID = "sample_id"
DATA_VARIABLE = "GENOMAP_DATA"
BUNDLED = ("breast_cancer", "digits", "iris", "wine")
"""What scikit-learn brings: read without any file or network."""
_SECONDS = 30  # no answer from OpenML for so long is a failure, not a reason to wait on


@dataclass(frozen=True, slots=True)
class Places:
    """Where this machine keeps data.

    Parameters
    ----------
    folder
        Of NAME.parquet and NAME.csv files; trusted, because the user named it on the command line.
    cache
        Where sets of OpenML are kept; a second reading needs no network.
    cohorts
        Of NAME.npz, cohorts that this program stored itself.
    """

    folder: Path | None = None
    cache: Path | None = None
    cohorts: Path | None = None


def data_folder(given: Path | None = None) -> Path | None:
    """The folder of tables: as given, else the environment's, with its subfolder ``tabular`` where there is one."""
    folder = given or (Path(os.environ[DATA_VARIABLE]) if os.environ.get(DATA_VARIABLE) else None)
    if folder is not None and (folder / "tabular").is_dir():
        folder = folder / "tabular"
    return None if folder is None else folder.absolute()


def read_set(entry: Entry, places: Places) -> Dataset:
    """The data set of this entry: ``X (n, p)`` float32 with NaN where a value is missing, labels and groups.

    Raises
    ------
    InputError
        It can't be found or read, or can't be used: no target column, text in a feature, a sample without a class.
    """
    if entry.source == "cohort":
        return _cohort(entry, places)
    if entry.source == "sklearn":
        frame, target = _bundled(entry)
    elif entry.source == "openml":
        frame, target = _openml(entry, places)
    else:
        frame, target = _table(entry, find_file(entry, places)), entry.target
    return _dataset(entry, frame, target)


def find_file(entry: Entry, places: Places) -> Path:
    """The file of an entry with source ``file``."""
    if places.folder is None:
        raise InputError(f"{entry.name} is read from a folder: name it with --data FOLDER or GENOMAP_DATA.")
    for ending in (".parquet", ".csv"):
        path = places.folder / f"{entry.stem}{ending}"
        if path.is_file():
            return path
    raise InputError(f"{entry.name}: neither {entry.stem}.parquet nor {entry.stem}.csv is in {places.folder}.")


def _cohort(entry: Entry, places: Places) -> Dataset:
    if places.cohorts is None:
        raise InputError(f"{entry.name} is a cohort of the app: start its study on the Benchmark page.")
    found = Dataset.load(places.cohorts / f"{entry.stem}.npz")
    if found.y is None:
        raise InputError(f"{entry.name}: the cohort has no classes: choose a target column on the Data page.")
    return found


def _table(entry: Entry, path: Path) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        table = pa.parquet.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{entry.name}: {path.name} can't be read: {str(error).splitlines()[0]}") from error
    frame = table.to_pandas()
    return frame.set_index(ID) if ID in frame.columns else frame


def _bundled(entry: Entry) -> tuple[pd.DataFrame, str]:
    import sklearn.datasets

    loader = getattr(sklearn.datasets, f"load_{entry.stem}", None)
    if entry.stem not in BUNDLED or loader is None:
        raise InputError(f"{entry.name}: scikit-learn bundles {', '.join(BUNDLED)}, not {entry.stem}.")
    data: Any = loader()
    frame = pd.DataFrame(data.data, columns=[str(n) for n in data.feature_names])
    frame["target"] = np.asarray(data.target_names).astype(str)[data.target]
    return frame, "target"


def _openml(entry: Entry, places: Places) -> tuple[pd.DataFrame, str]:
    from urllib.error import URLError

    from sklearn.datasets import fetch_openml

    try:
        with _impatient():
            data: Any = fetch_openml(
                data_id=entry.openml,
                data_home=None if places.cache is None else str(places.cache),
                as_frame=True,
                parser="liac-arff",  # reads every set, sparse ones too, and needs nothing but scikit-learn
                n_retries=1,
                delay=0.2,
            )
    except (URLError, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{entry.name}: OpenML's data set {entry.openml} can't be read ({type(error).__name__}: {error}). With no "
            f"network, put it into the cache once on a machine that has one: {places.cache or '~/scikit_learn_data'}."
        ) from error
    if not isinstance(data.target, pd.Series):
        raise InputError(f"{entry.name}: OpenML's data set {entry.openml} has no single target column.")
    frame = data.data.copy()
    frame[data.target.name] = data.target
    return frame, str(data.target.name)


@contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SECONDS)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _dataset(entry: Entry, frame: pd.DataFrame, target: str) -> Dataset:
    if target not in frame.columns:
        raise InputError(f"{entry.name}: no column `{target}` with the classes. Name it as `target` in the catalogue.")
    labels = frame[target]
    if labels.isna().any():
        raise InputError(f"{entry.name}: {int(labels.isna().sum())} samples have no class: label or remove them.")
    classes, y = np.unique(labels.astype(str).to_numpy(), return_inverse=True)
    _as_described(entry, frame, len(classes))
    ids = [str(i) for i in frame.index] if frame.index.name == ID else [f"row {i + 1}" for i in range(len(frame))]
    groups = _groups(entry, frame, ids)
    X, names = _numbers(entry, frame.drop(columns=[c for c in (target, entry.group_column) if c]))
    return Dataset(
        name=entry.name,
        X=X,
        feature_names=tuple(names),
        sample_ids=tuple(ids),
        y=y.astype(np.int64),
        classes=tuple(classes.tolist()),
        groups=groups,
    )


def _as_described(entry: Entry, frame: pd.DataFrame, n_classes: int) -> None:
    columns = frame.shape[1] - 1 - bool(entry.group_column)
    for what, got, want in (
        ("samples", len(frame), entry.samples),
        ("features", columns, entry.features),
        ("classes", n_classes, entry.classes),
    ):
        if want is not None and got != want:
            raise InputError(
                f"{entry.name}: {got} {what}, but the catalogue says {want}: this is another version of the data. "
                "Get the described one, or correct the catalogue."
            )


def _groups(entry: Entry, frame: pd.DataFrame, ids: list[str]) -> np.ndarray | None:
    if entry.group_column:
        if entry.group_column not in frame.columns:
            raise InputError(f"{entry.name}: no column `{entry.group_column}` with the groups.")
        names = frame[entry.group_column].astype(str).tolist()
    elif entry.groups:
        found = [re.search(entry.groups, i) for i in ids]
        missing = [i for i, m in zip(ids, found, strict=True) if m is None]
        if missing:
            raise InputError(f"{entry.name}: the pattern {entry.groups!r} finds no group in {len(missing)} sample ids.")
        names = [m[1] for m in found if m is not None]
    else:
        return None
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _numbers(entry: Entry, frame: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Numbers as they are; categories (OpenML's) as one column a level, missing where the category is missing."""
    blocks: list[np.ndarray] = []
    names: list[str] = []
    numeric = [pd.api.types.is_numeric_dtype(t) for t in frame.dtypes]
    if all(numeric):
        return np.ascontiguousarray(frame.to_numpy(np.float32)), [str(c) for c in frame.columns]
    for column, is_number in zip(frame.columns, numeric, strict=True):
        values = frame[column]
        if is_number:
            blocks.append(values.to_numpy(np.float32)[:, None])
            names.append(str(column))
        elif isinstance(values.dtype, pd.CategoricalDtype):
            levels = pd.get_dummies(values, dtype=np.float32)
            blocks.append(levels.to_numpy().copy())
            blocks[-1][values.isna().to_numpy()] = np.nan
            names += [f"{column}={level}" for level in levels.columns]
        else:
            raise InputError(f"{entry.name}: the column `{column}` holds text; features must be numbers.")
    return np.ascontiguousarray(np.concatenate(blocks, axis=1)), names
