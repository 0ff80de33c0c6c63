"""What is missing in a patient, as the others let expect it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.workflows.tabular.genomap import GenomapConfig, filled_row, fit_genomap


def test_a_row_is_filled_from_the_other_rows_and_its_own_measured_values() -> None:
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60, 3)) @ rng.normal(size=(3, 40)) + 0.2 * rng.normal(size=(60, 40))).astype(np.float32)
    X[10, :5] = np.nan

    dataset = Dataset("cohort", X, tuple(f"g{j}" for j in range(40)), tuple(map(str, range(60))))
    result = fit_genomap(dataset, GenomapConfig(solver="sorted"))
    z = result.z[7]
    shown = np.where(np.arange(40) % 4 > 0, np.float32(np.nan), z)
    values, gone = filled_row(result, 7, shown)
    assert gone.sum() == 30
    np.testing.assert_array_equal(values[~gone], z[~gone])
    assert np.corrcoef(values[gone], z[gone])[0, 1] > 0.9
    forgotten = replace(result, z=np.where(np.arange(60)[:, None] == 7, np.float32(99), result.z))
    np.testing.assert_array_equal(filled_row(forgotten, 7, shown)[0], values)
