"""The cohorts that come with the program: those in ``sample_data/`` (TCGA's, simulated), and scikit-learn's."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.cohorts.precomputed import STEM, ready_dataset

DEFAULT_SAMPLE = STEM


@dataclass(frozen=True, slots=True)
class Sample:
    """One cohort to choose: what it is called, what it holds, how it is read."""

    key: str
    title: str
    about: str
    load: Callable[[], Dataset]


def _shipped(stem: str, title: str, unit: str = "") -> Dataset:
    path = SAMPLE_DATA / f"{stem}.csv"
    if not path.is_file():
        raise InputError(f"{path.name} is missing: write it again, sample_data/README.md says by which command.")
    ready = ready_dataset(path)
    if ready is not None:
        return ready
    from genomap_core.data.schema.validate import to_dataset, validate
    from genomap_core.io.tables.read import read_table

    table = read_table(path, path.name)
    dataset = replace(to_dataset(table, validate(table), name=title), name=title)
    if unit:
        dataset = replace(dataset, unit=unit)
    truth = SAMPLE_DATA / f"{stem}.truth.json"
    if truth.is_file():
        dataset = replace(dataset, planted=tuple(json.loads(truth.read_text())["planted"]))
    return dataset


def _bundled(loader: str, title: str, unit: str) -> Dataset:
    import sklearn.datasets

    data: Any = getattr(sklearn.datasets, f"load_{loader}")()
    X = np.ascontiguousarray(data.data, np.float32)
    return Dataset(
        name=title,
        X=X,
        feature_names=tuple(str(name) for name in data.feature_names),
        sample_ids=tuple(f"row {i + 1}" for i in range(len(X))),
        y=data.target.astype(np.int64),
        classes=tuple(str(c) for c in data.target_names),
        unit=unit,
    )


def _sample(key: str, title: str, about: str, load: Callable[..., Dataset], *args: str) -> Sample:
    return Sample(key, title, about, lambda: load(*args))


SAMPLES: tuple[Sample, ...] = (
    _sample(
        "tcga_brca",
        "TCGA breast cancer",
        "150 tumours x 600 genes and proteins by name, 3 subtypes; real, The Cancer Genome Atlas, open tier.",
        _shipped,
        "tcga_brca",
        "TCGA breast cancer",
        "log2 expression",
    ),
    _sample(
        "expression",
        "Simulated expression cohort",
        "300 patients x 2,000 genes, 3 subtypes; which genes carry them is known.",
        _shipped,
        "expression",
        "Simulated expression cohort",
    ),
    _sample(
        "multiomics",
        "Simulated multi-omics cohort",
        "160 patients, expression + methylation + copy number (1,200 features), 3 subtypes.",
        _shipped,
        "multiomics",
        "Simulated multi-omics cohort",
    ),
    _sample(
        "clinical",
        "Simulated clinical table",
        "200 patients x 14 features with categories and missing values; response to treatment.",
        _shipped,
        "clinical",
        "Simulated clinical table",
    ),
    _sample(
        "breast_cancer",
        "Breast cancer (Wisconsin)",
        "569 fine-needle aspirates x 30 measures of cell nuclei; real, bundled with scikit-learn.",
        _bundled,
        "breast_cancer",
        "Breast cancer (Wisconsin)",
        "value",
    ),
    _sample(
        "wine",
        "Wine",
        "178 wines x 13 chemical measures, 3 cultivars; real, bundled with scikit-learn.",
        _bundled,
        "wine",
        "Wine",
        "value",
    ),
    _sample(
        "digits",
        "Handwritten digits",
        "1,797 digits x 64 pixels: the map can rebuild a picture whose pixels were shuffled.",
        _bundled,
        "digits",
        "Handwritten digits",
        "grey value",
    ),
)


def load_sample(key: str) -> Dataset:
    """The cohort of this key; :class:`InputError` names the known ones."""
    for sample in SAMPLES:
        if sample.key == key:
            return sample.load()
    raise InputError(f"No sample cohort {key!r}: choose one of {', '.join(s.key for s in SAMPLES)}.")
