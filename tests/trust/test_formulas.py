"""Threat 5: no cell that leaves the program is taken for a formula."""

from __future__ import annotations

import ast
import csv
import io
from pathlib import Path

import numpy as np
import pytest
from hostile import FORMULAS
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.io.tables.export import csv_table, formula_safe

ROOT = Path(__file__).parents[2]


def is_harmless(cell: str) -> bool:
    """What a spreadsheet shows as text or as a plain number."""
    begin = cell.lstrip(" \u00a0\ufeff\u200b\t\r\n")[:1]
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return cell.startswith("'") or begin not in set("=+-@|%＝＋－＠")


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_become_text(text: str) -> None:
    assert formula_safe(text) == "'" + text


@given(st.text(st.sampled_from("=+-@|%\t\r\n '\"1a.eE"), max_size=12))
def test_no_text_stays_a_formula(text: str) -> None:
    assert is_harmless(formula_safe(text)) or not text.strip()


@pytest.mark.parametrize("text", ["-1.5", "+2", "1e-5", "TP53", "HLA-A", "a=b", "", "a\n=b"])
def test_numbers_and_names_stay_as_they_are(text: str) -> None:
    assert formula_safe(text) == text


def test_a_table_round_trips_without_a_formula(figure) -> None:
    rows = [(text, text, -1.5, np.float32("nan"), None, 3) for text in FORMULAS]
    content = csv_table(("a", *FORMULAS[:5]), rows).decode()
    read = list(csv.reader(io.StringIO(content, newline="")))
    assert all(is_harmless(cell) for row in read for cell in row)
    assert [row[0] for row in read[1:]] == ["'" + text for text in FORMULAS]
    assert read[1][2:] == ["-1.5", "", "", "3"]
    figure("formulas made harmless", 2 * len(FORMULAS))


def test_the_map_of_a_cohort_with_formulas_for_names(home) -> None:
    from genomap_core.data.dataset import Dataset
    from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap
    from pages._ui.genomap_views import map_csv

    X = np.random.default_rng(0).normal(size=(20, len(FORMULAS))).astype(np.float32)
    dataset = Dataset("=x", X, FORMULAS, tuple(f"=s{i}" for i in range(20)))
    result = fit_genomap(dataset, GenomapConfig())
    content = map_csv(dataset, result, np.zeros(len(result.feature_names), np.float32)).decode()
    cells = [cell for row in csv.reader(io.StringIO(content, newline="")) for cell in row]
    assert len(cells) > 5 * len(FORMULAS)
    assert all(map(is_harmless, cells))


WRITERS = {"to_csv", "to_excel", "to_clipboard", "to_html", "to_latex"}
ALLOWED = {"genomap_core/io/tables/export.py", "genomap_core/data/simulated/tables.py"}
"""The one writer for users; and the one of our own samples."""


@pytest.mark.parametrize("folder", ["genomap_core", "pages"])
def test_nothing_else_writes_tables(folder: str) -> None:
    found = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and name not in ALLOWED:
                module = node.value.id if isinstance(node.value, ast.Name) else ""
                if node.attr in WRITERS or (module, node.attr) in {("csv", "writer"), ("csv", "DictWriter")}:
                    found.append(f"{name}:{node.lineno} {node.attr}")
    assert not found
