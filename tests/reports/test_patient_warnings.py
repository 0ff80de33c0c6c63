"""What a reader is warned of before believing the models about a patient; and the report on what stands out."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.reports import document
from genomap_core.reports.patient import PatientCase, warnings_of
from genomap_core.reports.standing import standing_document
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap
from genomap_core.workflows.tabular.outliers import Likeness
from genomap_core.workflows.tabular.stands_out import COHORT, Reference, stands_out

LIKE = Likeness(0.5, 1.0, 0.5)


def answer(label: str, p: float, values: np.ndarray) -> dict[str, Any]:
    return {"model": label, "label": label, "proba": np.array([[p, 1 - p]] * 3), "values": values, "method": "deeplift"}


@pytest.fixture(scope="module")
def case() -> PatientCase:
    rng = np.random.default_rng(0)
    dataset = Dataset(
        "secret cohort", rng.normal(size=(40, 30)).astype(np.float32), tuple(f"G{j}" for j in range(30)),
        tuple(f"name-{i}" for i in range(40)), np.arange(40) % 2, ("healthy", "ill"),
        clinical=(("age", tuple(str(30 + i) for i in range(40))),),
    )  # fmt: skip
    options = GenomapConfig(solver="sorted")
    values = rng.normal(size=30)
    both = [answer("one", 0.9, values), answer("other", 0.8, values + 0.01 * rng.normal(size=30))]
    found: Any = None  # no comparison is asked here
    return PatientCase(dataset, fit_genomap(dataset, options), options, found, 0, 0, both)


def test_models_that_are_right_and_look_at_the_same_raise_no_warning(case: PatientCase) -> None:
    assert warnings_of(case, LIKE) == []


def test_a_model_that_is_wrong_about_the_patient_is_named(case: PatientCase) -> None:
    wrong = replace(case, row=1)
    assert any("one and other are wrong about this patient (labelled ill)" in w for w in warnings_of(wrong, LIKE))


def test_models_that_look_at_different_things_are_told(case: PatientCase) -> None:
    strange = [case.answers[0], answer("other", 0.8, np.random.default_rng(9).permutation(case.answers[0]["values"]))]
    assert any("look at different things" in w for w in warnings_of(replace(case, answers=strange), LIKE))


def test_an_attribution_that_rests_on_a_missing_value_is_told(case: PatientCase) -> None:
    X = case.dataset.X.copy()
    strongest = int(np.argmax(np.abs(case.answers[0]["values"])))
    X[0, strongest] = np.nan
    holed = replace(case, dataset=replace(case.dataset, X=X))
    assert any(f"lies on G{strongest}, which was not measured" in w for w in warnings_of(holed, LIKE))


def test_the_report_on_what_stands_out_holds_sentences_and_no_identifier(case: PatientCase) -> None:
    genomap, dataset = case.genomap, case.dataset
    held = Reference.of_rows(COHORT, genomap, np.arange(40))
    found = stands_out(dataset, genomap, 3, held, np.zeros(30, int), ["all"])
    page = document.render_html(standing_document(dataset, genomap, case.options, 3, found, "Patient 4"))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert found.features[0].sentence in text
    assert "Compared with the cohort, 39 samples without this patient" in text
    assert "33" in text, "the clinical column beside"
    assert page.count("<svg") == 2
    assert "name-" not in text
    assert "secret cohort" not in text
