"""The stored first picture is what reading and laying out the sample gives, and nothing else is ever taken for it."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.cohorts import samples
from genomap_core.workflows.cohorts.precomputed import PATH, ready_dataset, ready_layout
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE, load_sample
from genomap_core.workflows.tabular import genomap
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap

SOURCE = SAMPLE_DATA / f"{DEFAULT_SAMPLE}.csv"


def test_it_is_the_file_and_the_layout_that_the_engine_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = fit_genomap(load_sample(DEFAULT_SAMPLE))
    monkeypatch.setattr(samples, "ready_dataset", lambda source: None)
    monkeypatch.setattr(genomap, "ready_layout", lambda digest: None)
    read = load_sample(DEFAULT_SAMPLE)
    computed = fit_genomap(read)
    np.testing.assert_allclose(stored.z, computed.z, rtol=0, atol=1e-5)
    assert stored.feature_names == computed.feature_names
    assert read.planted == load_sample(DEFAULT_SAMPLE).planted
    # Processors round differently: values in their last digits, and the same engine may end a little elsewhere.
    assert asdict(stored.control) == pytest.approx(asdict(computed.control), abs=1e-6)
    found, wanted = stored.layout.quality, computed.layout.quality
    assert found.gw_distortion == pytest.approx(wanted.gw_distortion, abs=0.002)
    assert found.neighbour_correlation == pytest.approx(wanted.neighbour_correlation, abs=0.02)


def test_another_file_cohort_or_option_is_read_and_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = shutil.copy(SOURCE, tmp_path / SOURCE.name)
    assert ready_dataset(Path(changed)) is not None
    Path(changed).write_bytes(SOURCE.read_bytes() + b"\n")
    assert ready_dataset(Path(changed)) is None
    assert ready_layout("0" * 64) is None
    assert ready_layout(load_sample(DEFAULT_SAMPLE).digest, tmp_path / "absent.npz") is None
    assert PATH.stat().st_size < 1_500_000
    dataset = load_sample(DEFAULT_SAMPLE)
    asked: list[str] = []
    monkeypatch.setattr(genomap, "ready_layout", lambda digest: asked.append(digest))
    for config in (
        GenomapConfig(max_features=100),
        GenomapConfig(solver="random", max_features=2_000),
        GenomapConfig(seed=1),
    ):
        fit_genomap(dataset.select(np.arange(100)) if config.seed else dataset, config)
    assert asked == []
    fit_genomap(dataset.select(np.arange(100)), GenomapConfig(max_features=100))
    assert len(asked) == 1
