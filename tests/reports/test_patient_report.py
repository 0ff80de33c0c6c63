"""A patient's report: everything in one file, nothing asked of the network, names as text, two to four pages."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from genomap_core.data.perturb import Perturbation
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports import document
from genomap_core.reports.patient import ModelAnswer, PatientReport, patient_document

HOSTILE = '<script src="https://evil.example/x.js"></script>&amp;'


def answer(label: str, p: float) -> ModelAnswer:
    return ModelAnswer(
        label=label,
        proba=(p, 1 - p),
        low=(p - 0.1, 0.9 - p),
        high=(p + 0.1, 1.1 - p),
        in_words="of 20 held-out samples given 70%, 14 were tumour.",
        stays_possible="At 90% confidence: tumour; the rest is ruled out.",
        scores=(("Accuracy", "0.912 (0.850 to 0.954)"), ("Brier score", "0.140 (0.100 to 0.200)")),
        method="shapley",
        top=tuple((f"{HOSTILE}{k}" if k == 0 else f"GENE{k}", 0.5 - 0.1 * k, 7.25 + k) for k in range(10)),
        completeness_gap=0.001,
    )


@pytest.fixture(scope="module")
def report() -> PatientReport:
    maps = np.random.default_rng(0).normal(size=(2, 1, 20, 20))
    return PatientReport(
        patient=f"Patient 7 {HOSTILE}",
        cohort="60 samples, 400 features",
        unit="log2(1 + count)",
        classes=("normal", f"tumour {HOSTILE}"),
        explained="normal",
        answers=(answer("GenoMap network", 0.7), answer("in-house PFN 1.0 (not Prior Labs)", 0.4)),
        picture=StaticMap(
            maps, ("one", HOSTILE), (-2.0, 2.0), overlay=np.tanh(maps), overlay_label="share of the largest"
        ),
        agreement="Rank correlation of both attributions +0.31, 22% of the top 50 shared.",
        layout=(("Neighbours agree", "0.414", "0.098"),),
        warnings=("The models disagree on the class.",),
        provenance={"Cohort (SHA-256)": "ab" * 32, "Written": "2026-01-01 10:00 UTC"},
    )


def test_the_html_is_whole_and_asks_for_nothing(report: PatientReport) -> None:
    page = document.render_html(patient_document(report))
    assert page.count("<svg") == 1
    assert "<script" not in page
    assert "&lt;script src=" in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:|//)""", page.replace("&#34;", '"').split("&lt;")[0])
    assert not re.search(r"<(link|img|iframe|object|form)\b", page)
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    for words in (
        RESEARCH_USE,
        "70% (60% to 80%)",
        "60% (50% to 70%)",
        "The models disagree",
        "in-house PFN 1.0 (not Prior Labs)",
        "0.912 (0.850 to 0.954)",
        "14 were tumour",
        "At 90% confidence: tumour",
        "GENE9",
        "ab" * 32,
        "0.414",
    ):
        assert words in text, words


def test_disturbed_values_are_told_first_with_the_undisturbed_answer_beside(report: PatientReport) -> None:
    shown = Perturbation(level=0.25, keep=0.8)
    answers = tuple(replace(a, undisturbed=(0.98, 0.02)) for a in report.answers)
    page = document.render_html(patient_document(replace(report, disturbed=shown.in_words, answers=answers)))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    told = "noise of 25 % of each feature&#39;s standard deviation, only 80 % of the features kept"
    assert told in text
    assert text.index(told) < text.index("What the models say")
    assert "70% (60% to 80%); undisturbed 98%" in text
    assert not Perturbation().in_words


def test_the_pdf_has_two_to_four_pages(report: PatientReport) -> None:
    pdf = document.render_pdf(patient_document(report))
    assert pdf.startswith(b"%PDF-")
    pages = int(re.findall(rb"/Count (\d+)", pdf)[0])
    assert 2 <= pages <= 4
    assert b"evil.example" not in pdf or b"/URI" not in pdf  # no link, whatever the names hold


def test_a_report_with_one_model_and_many_classes_is_written(report: PatientReport) -> None:
    from dataclasses import replace

    one = replace(report, answers=report.answers[:1], agreement="", warnings=())
    assert document.render_html(patient_document(one)).count("<h3>") == 1
    assert document.render_pdf(patient_document(one)).startswith(b"%PDF-")
