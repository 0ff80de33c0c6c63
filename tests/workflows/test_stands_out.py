"""What stands out in a patient: planted outliers are found, and the patient is never part of the reference."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.data.readings import Readings, title_and_unit
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.roles import Roles, WordCodes
from genomap_core.errors import InputError
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, fit_genomap
from genomap_core.workflows.tabular.layout_study import named_regions
from genomap_core.workflows.tabular.stands_out import COHORT, Reference, StandsOut, named_rows, stands_out

ROW = 7


def cohort(n: int = 120, p: int = 48, seed: int = 0) -> Dataset:
    """Four blocks of correlated features, two classes."""
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.normal(size=(n, 4)), p // 4, axis=1) * 0.7 + rng.normal(size=(n, p))
    names = tuple(f"G{j}" for j in range(p))
    ids = tuple(f"S{i}" for i in range(n))
    return Dataset("planted", X.astype(np.float32), names, ids, np.arange(n) % 2, ("a", "b"))


def named(genomap: GenomapResult) -> tuple[np.ndarray, list[str]]:
    named = named_regions(genomap, GenomapConfig(solver="sorted"), 6)
    labels, names = named.labels, named.names
    return labels, names


def looked_at(dataset: Dataset, reference: str = COHORT, row: int = ROW) -> tuple[GenomapResult, StandsOut]:
    config = GenomapConfig(solver="sorted")
    genomap = fit_genomap(dataset, config)
    held = Reference.of_rows(reference, genomap, named_rows(dataset)[reference])
    return genomap, stands_out(dataset, genomap, row, held, *named(genomap))


def changed(dataset: Dataset, row: int, columns: object, values: object) -> Dataset:
    X = dataset.X.copy()
    X[row, columns] = values
    return replace(dataset, X=X)


def test_a_planted_feature_comes_first_with_its_z_score_and_percentile_in_the_units_of_the_table():
    dataset = changed(cohort(), ROW, 20, 9.0)
    _, found = looked_at(dataset)
    first, others = found.features[0], np.delete(dataset.X[:, 20], ROW).astype(float)
    assert first.title == "G20"
    assert first.value == "9"
    assert first.z == pytest.approx((9 - others.mean()) / others.std(ddof=1), rel=1e-3)
    assert first.percentile == 100
    assert first.sentence.startswith("G20 = 9: higher than in all 119; nine in ten lie between")
    assert found.n_reference == 119
    assert found.usual < 0.05


def test_the_patient_is_no_part_of_the_reference():
    """Among n values one alone can't lie further out than (n - 1) / sqrt(n) standard deviations: 10.9 of 120."""
    _, found = looked_at(changed(cohort(), ROW, 20, 1e4))
    assert found.features[0].z > 1000


def test_other_samples_of_the_patient_are_no_part_of_the_reference_either():
    dataset = changed(changed(cohort(), ROW, 20, 50.0), ROW + 1, 20, 50.0)
    groups = np.arange(dataset.n_samples)
    groups[ROW + 1] = groups[ROW]
    _, alone = looked_at(dataset)
    _, grouped = looked_at(replace(dataset, groups=groups))
    assert grouped.n_reference == alone.n_reference - 1
    assert grouped.features[0].z > 3 * alone.features[0].z
    assert ROW + 1 not in [row for row, _ in grouped.nearest]


def test_the_reference_decides_what_is_usual():
    dataset = cohort()
    X = dataset.X.copy()
    X[dataset.y == 1, 5] += 6
    dataset = replace(dataset, X=X)
    assert dataset.y[ROW] == 1
    of_class = looked_at(dataset, "class b")[1]
    of_other = looked_at(dataset, "class a")[1]
    assert of_other.features[0].title == "G5"
    assert of_other.n_reference == 60
    assert of_class.n_reference == 59
    assert "G5" not in [f.title for f in of_class.features[:1]]


def test_a_planted_region_is_found_though_none_of_its_features_is_far_out():
    dataset = cohort()
    genomap, _ = looked_at(dataset)
    labels, names = named(genomap)
    k = int(np.argmax(np.bincount(labels[labels >= 0])))
    members = genomap.kept[labels == k]
    shifted = changed(dataset, ROW, members, dataset.X[np.ix_(dataset.X[:, 0] > -9, members)].mean(0) - 1.8)
    held = Reference.of_rows(COHORT, genomap, np.arange(dataset.n_samples))
    z = genomap.z.copy()
    z[ROW] = genomap.standardisation.apply(shifted.X[ROW : ROW + 1])[0]
    found = stands_out(shifted, replace(genomap, z=z), ROW, held, labels, names)
    assert found.regions[0].title == f"Region {names[k]}"
    assert set(found.regions[0].features) == set(np.flatnonzero(labels == k).tolist())
    assert found.regions[0].z < -2
    assert "lower on the whole than in" in found.regions[0].sentence


def test_the_nearest_patient_is_a_planted_twin():
    dataset = cohort()
    twin = changed(dataset, 90, slice(None), dataset.X[ROW] + 0.01)
    _, found = looked_at(twin)
    assert found.nearest[0][0] == 90
    assert found.nearest[0][1] < 0.05 < found.nearest[1][1]


def test_missing_values_are_nobodys_difference():
    dataset = changed(changed(cohort(), ROW, 20, np.nan), ROW + 2, 21, np.nan)
    genomap, found = looked_at(dataset)
    at = int(np.flatnonzero(genomap.kept == 20)[0])
    assert np.isnan(found.difference[at])
    assert all(at not in f.features for f in found.features)
    assert np.isfinite(found.difference[int(np.flatnonzero(genomap.kept == 21)[0])])


def test_a_value_that_nobody_else_has_is_said_so_and_has_no_z_score():
    dataset = cohort()
    X = dataset.X.copy()
    X[:, 3] = 0
    X[ROW, 3] = 1
    _, found = looked_at(replace(dataset, X=X))
    assert found.features[0].title == "G3"
    assert found.features[0].z_words == "all others alike"


def test_the_share_that_stands_out_as_far_is_honest():
    """Of exchangeable patients the share is uniform: on the mean one half, and seldom small."""
    dataset = cohort(n=60)
    shares = [looked_at(dataset, row=row)[1].usual for row in range(60)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.1)
    assert np.mean(np.array(shares) <= 0.1) == pytest.approx(0.1, abs=0.07)


def test_too_small_a_reference_is_refused():
    dataset = cohort(n=9)
    with pytest.raises(InputError, match="at least 5 are needed"):
        looked_at(dataset, "class b")


def test_controls_from_elsewhere_are_held_in_the_cohorts_units():
    dataset = cohort()
    genomap = fit_genomap(dataset, GenomapConfig(solver="sorted"))
    order = np.random.default_rng(1).permutation(dataset.n_features)
    controls = replace(dataset.select(order), name="controls", X=dataset.X[:, order] + 3)
    held = Reference.of_table("40 controls", genomap, controls, dataset)
    np.testing.assert_allclose(held.z[3] - genomap.z[3], 3 / genomap.standardisation.scale, rtol=1e-4)
    with pytest.raises(InputError, match="'G0'"):
        Reference.of_table("controls", genomap, dataset.select(np.arange(1, 48)), dataset)


def test_words_and_units_are_read_as_the_table_wrote_them():
    codes = (
        WordCodes("sex", ("sex=Male",), ("female", "male"), ((0.0,), (1.0,))),
        WordCodes("stage", ("stage",), ("i", "ii", "iii"), ((0.0,), (1.0,), (2.0,))),
    )
    names = ("crp_mg_l", "sex=Male", "stage", "grade")
    dataset = Dataset("t", np.zeros((1, 4), np.float32), names, ("a",), recipe=Recipe(roles=Roles(codes=codes)))
    read = Readings.of(dataset)
    assert read.said(0, 4.25) == "crp = 4.25 mg/l"
    assert (read.said(1, 1.0), read.said(1, 0.0)) == ("sex = Male", "sex = female")
    assert read.said(2, 2.0) == "stage = III"
    assert read.said(3, 1.0) == "grade = 1"
    assert read.value(0, float("nan")) == "not measured"
    assert title_and_unit("tumour size [mm]") == ("tumour size", "mm")
