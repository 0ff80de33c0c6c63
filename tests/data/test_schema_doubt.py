"""Values that their own column forbids and cells that can't be cells are told by row and name; all others are not."""

import numpy as np
import pytest

from genomap_core.data.schema.validate import validate
from genomap_core.io.tables.read import read_table

RNG = np.random.default_rng(1)
N = 40


def told(columns, code="impossible-value"):
    """Messages of this code on a table of these columns, its samples P01 ... in rows 2 ..."""
    names = list(columns)
    lines = ["\t".join(["sample_id", *names, "label"])]
    lines += ["\t".join([f"P{i + 1:02d}", *(str(columns[n][i]) for n in names), "ab"[i % 2]]) for i in range(N)]
    report = validate(read_table(("\n".join(lines) + "\n").encode(), "t.tsv"))
    return [m for m in report.messages if m.code == code]


GOOD = {
    "age": RNG.integers(20, 90, N),
    "tumour purity (%)": RNG.integers(10, 99, N),
    "VAF": RNG.uniform(0, 0.6, N).round(3),
    "weight [kg]": RNG.normal(75, 9, N).round(1),
    "change of weight (kg)": RNG.normal(0, 4, N).round(1),
    "T score": RNG.normal(0, 1, N).round(2),
    "crp_mg_per_l": RNG.gamma(1, 9, N).round(1),
    "p-value": RNG.uniform(0, 1, N).round(4),
    "log2 fold change": RNG.normal(0, 1, N).round(2),
    "platelets": RNG.normal(250, 40, N).round(0),
}


def test_what_is_possible_is_not_told():
    assert told(GOOD) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("age", -4), ("age", 412), ("tumour purity (%)", 145), ("VAF", 1.7), ("weight [kg]", -71.5),
        ("crp_mg_per_l", -3.2), ("p-value", 1.04), ("platelets", -240),
    ],
)  # fmt: skip
def test_a_value_that_its_unit_forbids_is_told_by_row_and_name(name, value):
    column = [*GOOD[name][:6], value, *GOOD[name][7:]]
    (said,) = told(GOOD | {name: column})
    assert said.severity == "warn"
    assert name in said.text
    assert f"{value:g} (row 8)" in said.text


@pytest.mark.parametrize("way", ["beta", "counts"])
def test_a_value_beyond_all_others_of_a_wide_table_is_told(way):
    X = RNG.beta(2, 3, (N, 30)).round(3) if way == "beta" else RNG.poisson(300, (N, 30)).astype(float)
    columns = {f"cg{j:08d}": X[:, j] for j in range(30)}
    assert told(columns) == []
    X[9, 4] = 1.31 if way == "beta" else -7
    (said,) = told(columns)
    assert "cg00000004" in said.text
    assert f"{X[9, 4]:g} (row 11)" in said.text


def test_a_percentage_in_cells_beyond_hundred_is_told():
    cells = [f"{v} %" for v in RNG.integers(5, 95, N)]
    assert told({"purity": cells, "crp": GOOD["age"]}) == []
    cells[3] = "180 %"
    assert "180 %" in told({"purity": cells, "crp": GOOD["age"]})[0].text


def test_scaled_and_logged_values_have_no_range():
    assert told({f"G{j}": RNG.normal(0, 1, N).round(3) for j in range(60)}) == []
    assert told({f"G{j}": RNG.normal(8, 2, N).round(3) for j in range(60)}) == []


def test_a_cell_of_absurd_length_names_its_row():
    notes = ["short"] * 20 + ["other"] * 20
    notes[12] = "x" * 5000
    (said,) = told(GOOD | {"note": notes}, "long-cell")
    assert "note" in said.text
    assert "row 14" in said.text
    assert "5,000 characters" in said.text
