"""Cohorts for the fusion workflows: tables of several omics types, gliomas listed in an index, simulated patients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.hygiene import normalise
from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.workflows.growth.data import read_indexed

if TYPE_CHECKING:
    import pandas as pd

CLUSTERS = ("RNASeq", "Methylation", "miRNA", "CN", "RPPA", "Oncosign", "COC")
"""Molecular clusterings of lower-grade gliomas, columns ``...Cluster``; each becomes an omics type, one-hot."""
CLINICAL = ("age_at_initial_pathologic", "gender")
SHORT = {"histology": "histological_type", "grade": "neoplasm_histologic_grade"}
_MADE_OF = {"COC": ("RNASeq", "Methylation", "miRNA", "CN", "RPPA"), "Oncosign": ("CN",)}
"""Clusterings made of others: COC is the cluster of clusters, OncoSign reads mutations and copy numbers."""


def without_images(table: Dataset) -> PatientImages:
    """A cohort of omics alone."""
    return PatientImages(np.zeros((table.n_samples, 0, 0, 0), np.float32), table, (), notes=table.notes)


def table_cohort(path: Path, target: str | None = None) -> PatientImages:
    """A table whose features are called ``type:name``; ``target``: its column of classes, None: the one proposed."""
    from genomap_core.io.tables.read import read_table
    from genomap_core.workflows.cohorts.cohort import Wishes, cohort_of, describe

    table = read_table(path)
    return without_images(cohort_of(table, describe(table, Wishes(target=target))))


def glioma_cohort(folder: Path, target: str, size: int) -> PatientImages:
    """Lower-grade gliomas: the slice of largest tumour area, molecular clusters and clinical values.

    ``folder`` holds ``index.csv`` (columns ``patient``, ``slice``, ``...Cluster``, age and gender) and ``SLICE.png``
    with three sequences as colours. ``target`` is a column, or "histology" or "grade". Whatever the target was made
    from, or is a consensus of it, is left out of the omics; rows without a target are left out.

    Raises
    ------
    InputError
        A column or a picture is missing.
    """
    column = SHORT.get(target, target)
    table, _, raw = read_indexed(folder, column)
    if table["patient"].duplicated().any():
        raise InputError(f"{folder / 'index.csv'} lists a patient twice: keep one slice of each.")
    types = [name for name in CLUSTERS if name not in told_by(column.removesuffix("Cluster"))]
    columns, names, codes = _one_hot(table, types)
    for name in CLINICAL:
        columns.append(table[name].to_numpy(np.float32))
        names.append(f"clinical:{name}")
        codes.append(len(types))
    classes, y = np.unique(table[column].astype(str), return_inverse=True)
    omics = Dataset(
        name=folder.name,
        X=np.column_stack(columns).astype(np.float32),
        feature_names=tuple(names),
        sample_ids=tuple(table["patient"].astype(str)),
        y=y.astype(np.int64),
        classes=tuple(f"{target} {c.removesuffix('.0')}" for c in classes),
        omics=np.array(codes, np.int64),
        omics_names=(*types, "clinical"),
    )
    images = np.stack([normalise(image, size, grey=False) for image in raw])
    missing = [name for name in CLUSTERS if name not in types]
    note = (f"Left out of the omics, because they tell {target}: {', '.join(missing)}.",) if missing else ()
    return PatientImages(images, omics, ("pre-contrast", "FLAIR", "post-contrast"), notes=note)


def told_by(cluster: str) -> tuple[str, ...]:
    """Clusterings that can't be features when ``cluster`` is the target: itself, its parts, its wholes."""
    parts = _MADE_OF.get(cluster, ())
    wholes = tuple(name for name, made in _MADE_OF.items() if cluster in made)
    return (cluster, *parts, *wholes) if cluster in CLUSTERS else ()


def _one_hot(table: pd.DataFrame, types: list[str]) -> tuple[list[np.ndarray], list[str], list[int]]:
    """Columns, names and type codes; a patient without a cluster has NaN in all columns of its type."""
    columns, names, codes = [], [], []
    for code, name in enumerate(types):
        values = table[f"{name}Cluster"].to_numpy(float)
        for level in np.unique(values[np.isfinite(values)]):
            columns.append(np.where(np.isfinite(values), values == level, np.nan).astype(np.float32))
            names.append(f"{name}:{level:g}")
            codes.append(code)
    return columns, names, codes


def load_cohort(source: str, target: str | None = None, size: int = 64, n_samples: int = 240) -> PatientImages:
    """``simulated``; a stored cohort (``.npz``); a folder with ``index.csv``; else a table of omics types."""
    if source == "simulated":
        from genomap_core.data.simulated.fusion import FusionSimulation, simulate_fusion

        return simulate_fusion(FusionSimulation(n_samples=n_samples, side=size)).cohort
    path = Path(source)
    if path.suffix == ".npz":
        return PatientImages.load(path)
    if path.is_dir():
        return glioma_cohort(path, target or "RNASeqCluster", size)
    if not path.is_file():
        raise InputError(f"There is no file or folder {source}.")
    return table_cohort(path, target)
