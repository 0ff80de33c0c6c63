"""What a data set is: patients x features, on one scale, with labels, groups and omics types."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.sparse as sp

from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.roles import Roles
from genomap_core.errors import InputError
from genomap_core.store import DAMAGE, decode, load_arrays, save_arrays


@dataclass(frozen=True, eq=False)
class Dataset:
    """A cohort as arrays.

    Parameters
    ----------
    name
        Shown to the user; never a path.
    X
        ``(n, p)`` float32, NaN where a value is missing; a CSR matrix while it is sparse.
    feature_names, sample_ids
        ``p`` and ``n`` distinct strings.
    y
        ``(n,)`` int64 codes into ``classes``, or None for a cohort without labels.
    groups
        ``(n,)`` int64: rows of one group (a patient, a mouse) never part in a split. None: every row is its own.
    omics
        ``(p,)`` int64 codes into ``omics_names``: the type of each feature (expression, methylation, ...).
    unit
        Of the values: "log2(1 + count)", "z-score", "value".
    planted
        Names of the features that truly carry the classes, where a simulation knows them.
    notes
        What to look at in the table it was read from.
    recipe
        How its table was read, down to the words; None for data that never were a table.
    clinical
        Columns of its table that are no features, those that may identify persons left out: the name, and one text a
        sample, "" where missing. They are shown beside a patient; nothing is learned from them.
    """

    name: str
    X: np.ndarray | sp.csr_matrix
    feature_names: tuple[str, ...]
    sample_ids: tuple[str, ...]
    y: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    groups: np.ndarray | None = None
    omics: np.ndarray | None = None
    omics_names: tuple[str, ...] = ("features",)
    unit: str = "value"
    planted: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    recipe: Recipe | None = None
    clinical: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __post_init__(self) -> None:
        n, p = self.X.shape
        for what, got, want in (
            ("sample ids", len(self.sample_ids), n),
            ("feature names", len(self.feature_names), p),
            ("labels", n if self.y is None else len(self.y), n),
            ("groups", n if self.groups is None else len(self.groups), n),
            ("omics types", p if self.omics is None else len(self.omics), p),
        ):
            if got != want:
                raise InputError(f"{self.name}: {got} {what} for a table of {n} samples x {p} features.")
        if self.y is not None and len(self.y) and not 0 <= int(self.y.min()) <= int(self.y.max()) < len(self.classes):
            raise InputError(f"{self.name}: label codes go beyond the {len(self.classes)} classes.")

    @property
    def roles(self) -> Roles | None:
        """What the columns of its table were."""
        return None if self.recipe is None else self.recipe.roles

    @property
    def n_samples(self) -> int:
        return int(self.X.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @cached_property
    def digest(self) -> str:
        """SHA-256 of values, names and labels: the key of every cache and record of this data set."""
        h = hashlib.sha256()
        for a in (*_parts(self.X).values(), self.y, self.groups, self.omics):
            h.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        for names in (self.feature_names, self.sample_ids, self.classes, self.omics_names, (self.unit,)):
            h.update(json.dumps(names).encode())
        return h.hexdigest()

    def take(self, rows: np.ndarray | Sequence[int]) -> Dataset:
        """The same cohort with these rows only."""
        rows = np.asarray(rows)
        return replace(
            self,
            X=self.X[rows],
            sample_ids=tuple(self.sample_ids[i] for i in rows),
            y=None if self.y is None else self.y[rows],
            groups=None if self.groups is None else self.groups[rows],
            clinical=tuple((name, tuple(texts[i] for i in rows)) for name, texts in self.clinical),
        )

    def select(self, features: np.ndarray | Sequence[int]) -> Dataset:
        """The same cohort with these columns only, in this order."""
        features = np.asarray(features)
        return replace(
            self,
            X=self.X[:, features],
            feature_names=tuple(self.feature_names[j] for j in features),
            omics=None if self.omics is None else self.omics[features],
        )

    def save(self, path: str | Path | BinaryIO) -> None:
        """Write as one ``.npz`` (no pickle), for a worker process to read."""
        header = {
            k: getattr(self, k)
            for k in (
                "name",
                "feature_names",
                "sample_ids",
                "classes",
                "omics_names",
                "unit",
                "planted",
                "notes",
                "clinical",
            )
        }
        header["recipe"] = None if self.recipe is None else asdict(self.recipe)
        arrays = {k: a for k in ("y", "groups", "omics") if (a := getattr(self, k)) is not None}
        if sp.issparse(self.X):
            header["sparse_shape"] = [int(v) for v in self.X.shape]
        save_arrays(path, header, arrays | _parts(self.X))

    @classmethod
    def load(cls, path: str | Path | BinaryIO) -> Dataset:
        """Read what :meth:`save` wrote; every array is held against its check sum.

        Raises :class:`InputError` for a damaged file.
        """
        damaged = "The stored cohort is damaged: load its file again."
        header, arrays = load_arrays(path, damaged)
        shape = header.pop("sparse_shape", None)
        if (roles := header.pop("roles", None)) is not None:  # all that version 0.2 kept of the recipe
            header["recipe"] = {"roles": roles}
        try:
            if shape is not None:
                arrays["X"] = sp.csr_matrix(tuple(arrays.pop(k) for k in _CSR), shape=tuple(shape))
        except DAMAGE as error:
            raise InputError(damaged) from error
        return decode(cls, header | arrays)


_CSR = ("data", "indices", "indptr")


def _parts(X: Any) -> dict[str, np.ndarray]:
    """The arrays a table consists of, by name."""
    return {"data": X.data, "indices": X.indices, "indptr": X.indptr} if sp.issparse(X) else {"X": X}
