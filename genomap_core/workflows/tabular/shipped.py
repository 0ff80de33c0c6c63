"""The first sample compared: what the Compare page opens on. ``python -m tools.compare_sample`` writes it again.

Beside the comparison lie the answers of some models for the first patients, with their attributions, so that one
patient under two models is on the screen before anything is fitted. The networks of the folds are not stored: another
patient's models are fitted again on the fold's training rows, which gives the same networks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.pfn import shipped_weights
from genomap_core.store import load_arrays, save_arrays
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE, load_sample
from genomap_core.workflows.comparison.runner import DAMAGED
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult

SAMPLE = DEFAULT_SAMPLE
COMPARED = SAMPLE_DATA / "comparison"
"""A finished comparison, as a job leaves it but for the cohort and the networks."""
ANSWERS = "answers.npz"
ANSWERING: tuple[str, ...] = ("genomap", "pfn", "logistic")
"""Models whose answers are stored."""
PATIENTS = 24
"""Rows whose answers are stored, from the first on."""


def spec_digest(dataset: Dataset) -> str:
    """SHA-256 of what the shipped comparison depends on: the cohort, the default options, the shipped weights."""
    weights = shipped_weights()
    spec = [dataset.digest, asdict(CompareConfig()), weights and weights.sha256]
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Shipped:
    """The sample's comparison and the stored answers."""

    folder: Path
    result: CompareResult
    targets: np.ndarray
    """``(r,)`` the class that was explained for each of the first rows: its own"""
    arrays: dict[str, np.ndarray]
    """``MODEL/proba (r, 1 + draws, C)``, ``MODEL/values (r, p)`` and ``MODEL/used (r, p)``"""
    about: dict[str, list[dict[str, Any]]]
    """Model -> ``method``, ``output``, ``baseline_output`` and ``completeness_gap`` of each row"""

    def answers(self, row: int, target: int, models: Sequence[str]) -> list[dict[str, Any]] | None:
        """As :func:`~genomap_core.workflows.tabular.patient.explained_answers` gives them at their defaults.

        None where that was not stored.
        """
        if not 0 <= row < len(self.targets) or target != self.targets[row] or not set(models) <= set(self.about):
            return None
        return [
            {
                "model": name,
                "label": self.result.run(name).label,
                "proba": self.arrays[f"{name}/proba"][row],
                **{key: self.arrays[f"{name}/{key}"][row] for key in ("values", "used")},
                **self.about[name][row],
            }
            for name in models
        ]


def shipped_comparison(dataset: Dataset, folder: Path = COMPARED) -> Shipped | None:
    """What is stored for this cohort at the default options; None for another cohort, and for one that is stale."""
    path = folder / ANSWERS
    if not path.is_file():
        return None
    header, arrays = load_arrays(path, DAMAGED)
    if header["spec"] != spec_digest(dataset):
        return None
    targets = arrays.pop("targets")
    return Shipped(folder, CompareResult.load(folder), targets, arrays, header["about"])


def cohort_of(folder: Path) -> Dataset:
    """The cohort that a comparison in this folder was made on."""
    path = folder / "dataset.npz"
    if path.is_file():
        return Dataset.load(path)
    if folder.resolve() == COMPARED.resolve():
        return load_sample(SAMPLE)
    raise InputError(f"{folder.name} holds no cohort: run the comparison again.")


def store_answers(folder: Path, dataset: Dataset, answers: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Write the answers of :func:`explained_answers` for the first rows beside the comparison in ``folder``.

    Attributions are rounded to half precision: 1 part in 2,000.
    """
    assert dataset.y is not None
    arrays: dict[str, np.ndarray] = {"targets": dataset.y[: len(answers)]}
    about: dict[str, list[dict[str, Any]]] = {}
    plain = ("method", "output", "baseline_output", "completeness_gap")
    for k, answer in enumerate(answers[0]):
        name = answer["model"]
        arrays[f"{name}/used"] = np.stack([of_row[k]["used"] for of_row in answers])
        arrays[f"{name}/proba"] = np.stack([of_row[k]["proba"] for of_row in answers]).astype(np.float32)
        arrays[f"{name}/values"] = np.stack([of_row[k]["values"] for of_row in answers]).astype(np.float16)
        about[name] = [{key: of_row[k][key] for key in plain} for of_row in answers]
    save_arrays(folder / ANSWERS, {"spec": spec_digest(dataset), "about": about}, arrays)
