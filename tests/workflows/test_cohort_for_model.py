"""Another table is read as the model's training table was: its words, its scale, its label column, its gaps."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.data.schema.recipe import FOUND, Recipe
from genomap_core.data.schema.validate import to_dataset
from genomap_core.errors import InputError
from genomap_core.io.tables.read import read_table
from genomap_core.workflows.cohorts.cohort import (
    Wishes,
    cohort_of,
    describe,
    for_model,
    read_as_trained,
    recoded,
    unit_note,
)

STAGES = ("I", "II", "III", "IV")
HEADER = "id,age,stage,arm,seen,response\n"
TRAINING = HEADER + "".join(
    f"P{i:02d},{40 + i},{STAGES[i % 4]},{'ab'[i % 2]},{('yes', 'no')[i % 3 == 0]},{('good', 'bad')[i % 5 == 0]}\n"
    for i in range(24)
)
FEATURES = ("age", "stage", "arm=b", "seen")


def table(text: str):
    return read_table(text.encode(), "t.csv")


@pytest.fixture(scope="module")
def provenance():
    training = table(TRAINING)
    roles = to_dataset(training, describe(training, Wishes(target="response")), "training").roles
    return json.loads(json.dumps({"roles": asdict(roles)}))


def read(text: str, provenance, wishes=Wishes()):
    new = table(text)
    return cohort_of(new, for_model(new, FEATURES, provenance, wishes))


def test_words_become_the_numbers_they_were_in_training(provenance):
    new = HEADER + "Q1,50,IV,b,yes,good\nQ2,51,III,b,yes,\nQ3,52,ii,b,yes,bad\n"
    dataset = read(new, provenance)
    assert dataset.feature_names == FEATURES
    np.testing.assert_array_equal(dataset.X, [[50, 3, 1, 1], [51, 2, 1, 1], [52, 1, 1, 1]])
    assert dataset.y is None
    assert dataset.sample_ids == ("Q1", "Q2", "Q3")


def test_rows_of_the_training_table_are_read_as_they_were(provenance):
    training = table(TRAINING)
    known = cohort_of(training, describe(training, Wishes(target="response")))
    for rows in ((0,), (3, 7), (1, 5, 9, 13)):
        lines = TRAINING.splitlines()
        part = "\n".join([lines[0], *(lines[1 + i] for i in rows)]) + "\n"
        np.testing.assert_array_equal(read(part, provenance).X, known.X[list(rows)])


def test_one_patient_with_gaps_is_enough(provenance):
    dataset = read(HEADER + "Q1,,III,,no,\n", provenance)
    np.testing.assert_array_equal(dataset.X, [[np.nan, 2, np.nan, 0]])


def test_a_word_that_training_did_not_have_is_named(provenance):
    with pytest.raises(InputError, match=r"Column stage holds 'V'.*it had i, ii, iii, iv"):
        read(HEADER + "Q1,50,V,a,yes,\nQ2,51,I,b,no,\n", provenance)


def test_numbers_where_training_had_words_are_not_taken_for_them(provenance):
    with pytest.raises(InputError, match="Column stage holds '1'"):
        read(HEADER + "Q1,50,1,a,yes,\nQ2,51,2,b,no,\n", provenance)


def test_a_note_that_cannot_be_read_is_an_error_of_the_model(provenance):
    broken = {"roles": provenance["roles"] | {"codes": [{"column": "stage"}]}}
    with pytest.raises(InputError, match="train it again"):
        read(HEADER + "Q1,50,I,a,yes,\nQ2,51,II,b,no,\n", broken)


def test_without_a_note_the_label_is_left_out_unless_the_model_knows_it():
    training = table(TRAINING)
    assert cohort_of(training, for_model(training, FEATURES, {}, Wishes())).feature_names == FEATURES
    with_label = (*FEATURES, "response=good")
    assert cohort_of(training, for_model(training, with_label, {}, Wishes())).feature_names == with_label


def test_the_scale_is_that_of_training():
    rng = np.random.default_rng(0)
    genes = ",".join(f"G{j}" for j in range(60))

    def text(counts):
        rows = (f"s{i}," + ",".join(map(str, row)) for i, row in enumerate(counts))
        return f"id,{genes}\n" + "\n".join(rows) + "\n"

    training = table(text(np.exp(rng.normal(3, 2, (1, 60)) + rng.normal(0, 0.1, (12, 60))).astype(int)))
    report = describe(training)
    assert report.roles.log == "log2(1+x)"
    noted = {"roles": asdict(to_dataset(training, report, "training").roles)}
    few = table(text(np.full((2, 60), 7)))
    assert describe(few).roles.log == "as is"
    features = tuple(f"G{j}" for j in range(60))
    np.testing.assert_allclose(cohort_of(few, for_model(few, features, noted, Wishes())).X, 3.0)
    np.testing.assert_allclose(cohort_of(few, for_model(few, features, noted, Wishes(log="as is"))).X, 7.0)


def counted(depths):
    rng = np.random.default_rng(5)
    level = np.exp(rng.normal(4, 2, 60))
    return rng.poisson(level[None, :] * np.asarray(depths, float)[:, None])


def counts_table(counts, first="id"):
    rows = (f"s{i}," + ",".join(map(str, row)) for i, row in enumerate(counts.tolist()))
    return table("\n".join([",".join([first, *(f"G{j}" for j in range(60))]), *rows]) + "\n")


def test_counts_of_samples_sequenced_at_many_depths_are_scaled_to_one_total():
    counts = counted(np.linspace(0.3, 6, 14))
    report = describe(counts_table(counts))
    total = report.roles.total
    assert report.roles.log == "log2(1+x) per total"
    assert report.unit == f"log2(1 + count per {total:,.0f})"
    assert np.log10(total) % 1 == 0
    dataset = cohort_of(counts_table(counts), report)
    expected = np.log2(1 + counts / counts.sum(axis=1, keepdims=True) * total)
    np.testing.assert_allclose(dataset.X, expected, rtol=1e-4, atol=1e-4)
    (said,) = [m for m in report.messages if m.code == "log-per-total"]
    assert said.option == "log"
    assert describe(counts_table(counts), Wishes(log="log2(1+x)")).unit == "log2(1 + count)"
    even = describe(counts_table(counted(np.linspace(1, 1.5, 14))))
    assert even.roles.log == "log2(1+x)"


def test_one_new_sample_is_scaled_as_those_of_training():
    counts = counted(np.linspace(0.3, 6, 14))
    training = cohort_of(counts_table(counts), describe(counts_table(counts)))
    noted = json.loads(json.dumps({"recipe": asdict(training.recipe.to_publish()), "unit": training.unit}))
    one = cohort_of(new := counts_table(counts[:1]), for_model(new, training.feature_names, noted, Wishes()))
    np.testing.assert_allclose(one.X, training.X[:1], rtol=1e-6)
    assert unit_note(noted, one.unit) == ""
    assert "count per" in unit_note(noted, "log2(1 + count)")


def test_a_sparse_table_is_scaled_as_a_dense_one():
    counts = counted(np.linspace(0.3, 6, 14))
    dense = counts_table(counts)
    sparse = replace(dense, numbers=sp.csr_matrix(dense.numbers))
    X = cohort_of(sparse, describe(sparse)).X
    np.testing.assert_allclose(X.toarray(), cohort_of(dense, describe(dense)).X, rtol=1e-5)


@pytest.mark.parametrize("name", ["response", "outcome", "grp", "y2"])
def test_the_label_under_any_name_plays_no_part(provenance, name):
    new = HEADER.replace("response", name) + "Q1,50,IV,b,yes,good\nQ2,51,III,b,yes,bad\nQ3,52,II,b,yes,Good\n"
    report = for_model(table(new), FEATURES, provenance, Wishes(), ("bad", "good"))
    dataset = cohort_of(table(new), report)
    assert dataset.feature_names == FEATURES
    told = [m for m in report.messages if m.code == "label-found"]
    assert len(told) == (name != "response")
    assert all(name in m.text for m in told)


def test_columns_that_training_did_not_have_are_left_out_and_named(provenance):
    new = "id,seen,weight,arm,note,stage,age\nQ1,yes,70,b,x,IV,50\nQ2,yes,heavy,b,y,III,51\n"
    report = for_model(table(new), FEATURES, provenance, Wishes(), ("bad", "good"))
    assert report.errors == ()
    (said,) = [m for m in report.messages if m.code == "unknown-columns"]
    assert "weight" in said.text
    assert "note" in said.text
    assert set(cohort_of(table(new), report).feature_names) == set(FEATURES)


def test_features_in_rows_are_found_by_the_models_names():
    counts = counted(np.linspace(0.3, 6, 14))
    training = cohort_of(counts_table(counts), describe(counts_table(counts)))
    noted = {"recipe": asdict(training.recipe)}
    lines = [",".join(["", "s0", "s1"])] + [f"G{j},{counts[0, j]},{counts[1, j]}" for j in range(60)]
    turned = table("\n".join(lines) + "\n")
    dataset = cohort_of(turned, for_model(turned, training.feature_names, noted, Wishes()))
    assert dataset.sample_ids == ("s0", "s1")
    np.testing.assert_allclose(dataset.X, training.X[:2], rtol=1e-6)


def test_what_a_new_table_leaves_open_is_read_as_in_training():
    rows = [f"P{i:02d}\t{100 + i},{100 + i * 7 % 900:03d}\t{i % 5}\t{'ab'[i % 2]}" for i in range(20)]
    text = ("\n".join(["id\tcrp\tage\tlabel", *rows]) + "\n").encode()

    def read_with(recipe):
        return read_table(text, "t.tsv", recipe=recipe)

    assert [m.option for m in read_with(FOUND).messages if m.severity == "error"] == ["thousands"]
    for decimal, value in ((",", 100.1), (".", 100100)):
        noted = {"recipe": asdict(Recipe(decimal=decimal))}
        new = read_as_trained(read_with, FOUND, noted)
        assert new.number_column(new.find("crp"))[0] == pytest.approx(value)


def test_a_column_set_aside_can_be_asked_for_and_another_left_out():
    text = TRAINING.replace("age", "mrn", 1)
    proposed = describe(table(text)).roles
    assert "mrn" in proposed.set_aside
    assert describe(table(text), Wishes(group="mrn")).roles.set_aside == ()
    assert describe(table(text), Wishes(set_aside=("response",))).roles.target is None


def own_way(lines: str):
    """A table as the app reads it: without knowing any model."""
    new = table(HEADER + lines)
    return cohort_of(new, describe(new, Wishes(target="response")))


LATER = "".join(
    f"Q{i:02d},{50 + i},{STAGES[1 + i % 3]},{'ab'[i % 2]},{('yes', 'no')[i % 3 == 0]},{('good', 'bad')[i % 4 == 0]}\n"
    for i in range(12)
)


def test_a_cohort_read_without_the_model_gets_the_models_numbers(provenance):
    dataset = own_way(LATER)
    stage = dataset.feature_names.index("stage")
    assert sorted(set(dataset.X[:, stage])) == [0, 1, 2], "II to IV are all it knows"
    known = recoded(dataset, provenance)
    assert sorted(set(known.X[:, stage])) == [1, 2, 3]
    assert (known.X[:, stage] == dataset.X[:, stage] + 1).all()
    others = [j for j in range(dataset.n_features) if j != stage]
    np.testing.assert_array_equal(known.X[:, others], dataset.X[:, others])
    assert sorted(set(dataset.X[:, stage])) == [0, 1, 2], "the cohort itself is not touched"


def test_a_cohort_with_a_word_that_the_model_never_saw_is_refused(provenance):
    with pytest.raises(InputError, match="Column stage holds v, which the model's training table did not have"):
        recoded(own_way(LATER.replace(",IV,", ",V,")), provenance)


def test_how_a_table_was_read_is_stored_with_the_cohort(provenance, tmp_path):
    dataset = own_way(LATER)
    dataset.save(tmp_path / "d.npz")
    again = Dataset.load(tmp_path / "d.npz")
    assert again.roles == dataset.roles
    assert again.roles.codes
    assert recoded(again, {}) is again
