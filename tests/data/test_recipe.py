"""The recipe: what the user says counts, what was found is told with its evidence, and both go through JSON."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.errors import InputError
from genomap_core.io.tables.read import read_table
from genomap_core.workflows.cohorts.cohort import Wishes, describe

AMBIGUOUS = b"id\tplatelets\tage\tlabel\n" + b"".join(
    f"P{i}\t{200 + i},{100 + i}\t{30 + i}\t{'ab'[i % 2]}\n".encode() for i in range(20)
)


def test_a_comma_that_nothing_explains_stops_and_names_the_option():
    (error,) = [m for m in validate(read_table(AMBIGUOUS, "t.tsv")).errors if m.option == "thousands"]
    assert error.column == "platelets"
    assert "--thousands" in error.remedy


@pytest.mark.parametrize(("options", "value"), [({"thousands": "comma"}, 200100), ({"decimal": "comma"}, 200.1)])
def test_the_users_sign_decides(options, value):
    table = read_table(AMBIGUOUS, "t.tsv", recipe=Recipe.from_options(options))
    dataset = to_dataset(table, validate(table), "t")
    assert dataset.X[0, dataset.feature_names.index("platelets")] == pytest.approx(value)


def test_a_table_read_by_the_recipe_of_another_is_read_as_it_was():
    first = read_table(AMBIGUOUS, "t.tsv", recipe=Recipe(thousands=","))
    recipe = validate(first).recipe
    again = read_table(AMBIGUOUS, "t.tsv", recipe=recipe)
    assert validate(again).roles == recipe.roles
    np.testing.assert_array_equal(again.numbers, first.numbers)
    assert Recipe.from_json(json.loads(json.dumps(asdict(recipe)))) == recipe


def test_every_decision_has_a_value_and_a_confidence():
    report = validate(read_table(AMBIGUOUS, "t.tsv", recipe=Recipe(thousands=",")))
    decided = {d.what: d for d in report.recipe.decisions}
    assert {"delimiter", "decimal", "orientation", "id", "target", "unit"} <= decided.keys()
    assert decided["target"].value == "label"
    assert all(0.5 <= d.confidence <= 1 for d in decided.values())


def test_a_header_line_that_the_user_names_is_used():
    text = b"a,b,c\nnote,1,2\nid,x,y\nP1,1.5,2\nP2,2.5,3\nP3,1,9\n"
    assert read_table(text, "t.csv", recipe=Recipe(header=3)).columns == ("id", "x", "y")
    assert read_table(b"P1,1.5,2\nP2,2.5,3\n", "t.csv", recipe=Recipe(header=0)).n_rows == 2


def test_the_users_orientation_and_classes_decide():
    lines = ["gene,S1,S2,S3,S4"] + [f"G{i},{i}.5,{i + 1},{i * 2},3" for i in range(6)]
    table = read_table("\n".join(lines).encode(), "t.csv")
    for orientation, n in (("genes_in_rows", 4), ("samples_in_rows", 6)):
        assert describe(table, Wishes.from_options({"orientation": orientation})).n_samples == n
    labelled = read_table(AMBIGUOUS, "t.tsv", recipe=Recipe(thousands=","))
    report = describe(labelled, Wishes.from_options({"leave_out_class": ["b"]}))
    assert [name for name, _ in report.classes] == ["a"]


@pytest.mark.parametrize("options", [{"decimal": "x"}, {"decimal": ".", "thousands": "."}, {"delimiter": "ab"}])
def test_signs_that_no_table_uses_are_refused(options):
    with pytest.raises(InputError):
        Recipe.from_options(options)


def test_a_group_and_no_group_at_once_are_refused():
    with pytest.raises(InputError, match="no_group"):
        Wishes.from_options({"group": "id", "no_group": True})
