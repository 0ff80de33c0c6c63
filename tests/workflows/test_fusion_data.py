"""Cohorts for fusion: tables of omics types, an index of slices with molecular clusters."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from genomap_core.errors import InputError
from genomap_core.workflows.fusion.data import CLUSTERS, glioma_cohort, load_cohort, table_cohort, told_by

SHARED = Path(os.environ.get("GENOMAP_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six patients with a slice each; the last has no copy-number cluster."""
    rng = np.random.default_rng(0)
    n = 6
    table = pd.DataFrame({"patient": [f"p{i}" for i in range(n)], "slice": [f"s{i}" for i in range(n)]})
    for name in CLUSTERS:
        table[f"{name}Cluster"] = [1.0, 2.0] * (n // 2)
    table.loc[n - 1, "CNCluster"] = np.nan
    table["age_at_initial_pathologic"], table["gender"] = 40.0, [1, 2] * (n // 2)
    table["neoplasm_histologic_grade"] = [2.0, 2.0, 3.0, 3.0, 2.0, np.nan]
    table.to_csv(tmp_path / "index.csv", index=False)
    for i in range(n):
        picture = np.zeros((48, 48, 3), np.uint8)
        picture[8:40, 8:40] = rng.integers(60, 255, (32, 32, 3))
        Image.fromarray(picture).save(tmp_path / f"s{i}.png")
    return tmp_path


def test_clusters_become_types_and_a_missing_one_is_a_missing_type(folder: Path) -> None:
    cohort = glioma_cohort(folder, "RNASeqCluster", 32)
    assert cohort.images.shape == (6, 3, 32, 32)
    assert cohort.table.omics_names == ("Methylation", "miRNA", "CN", "RPPA", "Oncosign", "clinical")
    assert cohort.table.classes == ("RNASeqCluster 1", "RNASeqCluster 2")
    assert cohort.present[:, 2].tolist() == [True] * 5 + [False]
    assert cohort.present[:, [0, 1, 3, 4, 5]].all()
    assert "RNASeq, COC" in cohort.notes[0]


def test_patients_without_the_target_are_left_out_and_grade_leaves_nothing_out(folder: Path) -> None:
    cohort = glioma_cohort(folder, "grade", 32)
    assert cohort.n_samples == 5
    assert cohort.table.omics_names == (*CLUSTERS, "clinical")
    assert cohort.table.classes == ("grade 2", "grade 3")
    assert not cohort.notes


@pytest.mark.parametrize(
    ("target", "out"),
    [
        ("RNASeq", {"RNASeq", "COC"}),
        ("CN", {"CN", "COC", "Oncosign"}),
        ("COC", {"COC", "RNASeq", "Methylation", "miRNA", "CN", "RPPA"}),
        ("histology", set()),
    ],
)
def test_what_tells_the_target_is_no_feature(target: str, out: set[str]) -> None:
    assert set(told_by(target)) == out


def test_a_patient_listed_twice_is_refused(folder: Path) -> None:
    table = pd.read_csv(folder / "index.csv")
    table.loc[1, "patient"] = "p0"
    table.to_csv(folder / "index.csv", index=False)
    with pytest.raises(InputError, match="lists a patient twice"):
        glioma_cohort(folder, "RNASeqCluster", 32)


def test_a_table_of_types_is_a_cohort_without_images(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20, 6)), columns=[f"{t}:{j}" for t in ("rna", "cn") for j in range(3)])
    table["kind"] = ["yes", "no"] * 10
    table.to_csv(tmp_path / "t.csv", index_label="patient")
    cohort = table_cohort(tmp_path / "t.csv", "kind")
    assert cohort.channels == ()
    assert cohort.table.omics_names == ("rna", "cn")
    assert cohort.table.classes == ("no", "yes")
    assert load_cohort(str(tmp_path / "t.csv"), "kind").digest == cohort.digest
    with pytest.raises(InputError, match="no file or folder"):
        load_cohort(str(tmp_path / "absent.csv"))


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "images" / "lgg_mri").is_dir(), reason="the optional data folder is absent")
def test_the_gliomas_are_read_whole() -> None:
    cohort = load_cohort(str(SHARED / "images" / "lgg_mri"), "histology", 64)
    assert cohort.images.shape == (109, 3, 64, 64)
    assert len(cohort.table.classes) == 3
    assert np.isfinite(cohort.images).all()
