"""What is to be predicted: chosen, checked and transformed; what can't be is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from planted_expression import images_and_genes, planted_expression, two_types

from genomap_core.data.images.expression import ExpressionOptions, expression_cohort
from genomap_core.data.images.patients import PatientImages, slices_of
from genomap_core.errors import InputError


def with_values(X: np.ndarray) -> PatientImages:
    cohort = images_and_genes()
    return dataclasses.replace(cohort, table=dataclasses.replace(cohort.table, X=X.astype(np.float32)))


def test_logarithms_stay_as_they_are_and_counts_become_logarithms() -> None:
    cohort = images_and_genes()
    X = np.asarray(cohort.table.X)
    np.testing.assert_array_equal(expression_cohort(cohort).expression, X)
    counts = expression_cohort(with_values(np.exp2(X) - 1))
    np.testing.assert_allclose(counts.expression, X, atol=1e-4)
    assert counts.unit == "log2(1 + x)"
    forced = expression_cohort(cohort, ExpressionOptions(transform="log2"))
    np.testing.assert_allclose(forced.expression, np.log2(1 + X), atol=1e-6)


def test_negative_values_have_no_logarithm_and_are_named() -> None:
    X = np.asarray(images_and_genes().table.X).copy()
    X[3, 5] = -2
    with pytest.raises(InputError, match="G05 has negative values"):
        expression_cohort(with_values(X), ExpressionOptions(transform="log2"))
    assert expression_cohort(with_values(X)).expression.min() == -2, "auto: no counts, nothing is transformed"


def test_genes_that_say_nothing_are_left_out_and_named() -> None:
    X = np.asarray(images_and_genes().table.X).copy()
    X[:, 1] = 4
    X[7, 2] = np.nan
    X[:40, 3] = 0
    found = expression_cohort(with_values(X))
    assert set(found.genes) == {f"G{j:02d}" for j in range(20)} - {"G01", "G02", "G03"}
    said = " ".join(str(m) for m in found.messages)
    for words in (
        "1 gene with missing values left out: G02",
        "the same in every patient left out: G01",
        "0 left out: G03",
    ):
        assert words in said
    assert "G03" in expression_cohort(with_values(X), ExpressionOptions(unexpressed=True)).genes


def test_all_genes_zero_leaves_nothing_to_predict() -> None:
    with pytest.raises(InputError, match="No gene is left"):
        expression_cohort(with_values(np.zeros((64, 20))))


def test_patients_without_expression_are_left_out_and_named() -> None:
    X = np.asarray(images_and_genes().table.X).copy()
    X[[4, 9]] = np.nan
    found = expression_cohort(with_values(X))
    assert found.n_samples == 62
    assert "2 patients without expression left out: patient 4, patient 9" in str(found.messages[0])
    assert "patient 4" not in found.source.table.sample_ids


def test_the_most_variable_genes_are_kept_in_their_order() -> None:
    X = np.asarray(images_and_genes().table.X).copy()
    X[:, 15] *= 3
    X[:, 2] *= 2
    assert expression_cohort(with_values(X), ExpressionOptions(max_genes=2)).genes == ("G02", "G15")


def test_what_is_predicted_must_be_clear() -> None:
    cohort = two_types()
    assert expression_cohort(cohort).genes[0] == "G00", "the type named after RNA"
    table = dataclasses.replace(cohort.table, omics_names=("a", "b"))
    with pytest.raises(InputError, match="not clear: choose one of a, b"):
        expression_cohort(dataclasses.replace(cohort, table=table))
    with pytest.raises(InputError, match="no omics type 'protein'"):
        expression_cohort(cohort, ExpressionOptions(target="protein"))


def test_without_images_the_other_types_are_what_is_seen() -> None:
    found = expression_cohort(two_types())
    assert found.source.table.omics_names == ("ct",)
    assert found.source.table.feature_names == tuple(f"ct:{j}" for j in range(12))
    alone = images_and_genes()
    bare = dataclasses.replace(alone, images=np.zeros((64, 0, 0, 0), np.float32), channels=())
    with pytest.raises(InputError, match="neither images nor features"):
        expression_cohort(bare)


def test_expression_itself_is_never_seen() -> None:
    assert planted_expression().source.table.n_features == 0


def test_classes_may_be_cohorts() -> None:
    y = np.arange(64) % 2
    found = planted_expression(options=ExpressionOptions(by_label=True), y=y, classes=("GBM", "LGG"))
    assert found.cohort_names == ("GBM", "LGG")
    np.testing.assert_array_equal(found.cohort, y)
    with pytest.raises(InputError, match="no label"):
        planted_expression(options=ExpressionOptions(by_label=True))
    with pytest.raises(InputError, match="'rare' has fewer than 4"):
        planted_expression(
            options=ExpressionOptions(by_label=True), y=(np.arange(64) > 61).astype(int), classes=("usual", "rare")
        )


def test_too_few_patients() -> None:
    with pytest.raises(InputError, match="8 at least"):
        planted_expression(7)


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        (("grey",), (1, 1)),
        (("red", "green", "blue"), (1, 3)),
        (("slice 1", "slice 2", "slice 3"), (3, 1)),
        (("slice 1 t1", "slice 1 flair", "slice 2 t1", "slice 2 flair"), (2, 2)),
        (("slice 1", "slice 2 t1"), (2, 1)),
        (("slice 1", "mask"), (1, 2)),
        ((), (1, 0)),
    ],
)
def test_slices_are_told_from_the_names_of_the_channels(channels: tuple[str, ...], expected: tuple[int, int]) -> None:
    assert slices_of(channels) == expected


def test_spots_of_one_section_stay_together() -> None:
    sections = np.array(["A", "B"])[np.arange(64) % 2]
    places = np.random.default_rng(0).random((64, 2)).astype(np.float32)
    cohort = dataclasses.replace(images_and_genes(), sections=sections, places=places)
    found = expression_cohort(cohort)
    assert len(np.unique(found.within)) == 2
    assert (found.within[sections == "A"] == found.within[0]).all()
    X = np.asarray(cohort.table.X).copy()
    X[:40, 3] = 0
    of_spots = dataclasses.replace(with_values(X), sections=sections, places=places)
    assert "G03" in expression_cohort(of_spots).genes, "counts of a spot are few"
