"""One glossary holds every term that the program says; what it says is free of codes, and no patient is a "him"."""

from __future__ import annotations

import re

import pytest

from genomap_core.reports.glossary import GLOSSARY, terms_in
from genomap_core.workflows.expression import samples as expression_samples
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.words import in_short as expression_in_short
from genomap_core.workflows.expression.words import verdict as expression_verdict
from genomap_core.workflows.fusion import samples as fusion_samples
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.words import in_short as fusion_in_short
from genomap_core.workflows.fusion.words import verdict as fusion_verdict
from tools.sentences import ROOT, sentences

ABBREVIATION = re.compile(r"\b(?:[A-Z]{2,}[A-Za-z]*|[A-Z][a-z]+[A-Z][A-Za-z]*)(?:-\d+)?\b")
FORMATS = set(ABBREVIATION.findall((ROOT / "docs" / "formats.md").read_text(encoding="utf-8")))
"""What the page of formats says may be said: names of files and of the programs that write them."""
NAMES = {"ResNet", "CNN", "POT", "uFFFD", "NOT", "PET", "MR", "CAM", "AUC", "MB", "GB", "CPU", "GPU", "GenoMap"}
NAMES |= {"HTML", "PDF", "SVG", "PNG", "JSON", "SVS", "NDPI", "OME"}
"""Names of networks, a scanner's other kinds, parts of a computer, and parts of terms that the glossary holds whole."""
JARGON = (
    "ablation|balanced accuracy|bootstrap|Brier|conformal|critical difference|distortion|Dice|epochs?|false discovery|"
    "FDR|Friedman|Grad-CAM|Gromov-Wasserstein|Holm|hypergeometric|Integrated Gradients|log-odds|logistic regression|"
    "Nemenyi|occlusion|out-of-fold|permutations?|prediction sets?|rank correlation|ridge|ROC|seed|Shapley|"
    "standard deviations?|Steiger|stratified|t-test|Wilcoxon|z-scores?"
)


def test_the_glossary_is_in_order_and_says_something_of_every_term() -> None:
    assert list(GLOSSARY) == sorted(GLOSSARY, key=str.lower)
    for term, text in GLOSSARY.items():
        assert text.endswith((".", "?")), term
        assert len(text.split()) >= 2, term


def test_every_abbreviation_that_pages_and_reports_say_is_explained() -> None:
    known = FORMATS | NAMES | {part for term in GLOSSARY for part in (term, *term.split())}
    unknown = {
        word: f"{file}:{line}"
        for file, line, text in sentences()
        for word in ABBREVIATION.findall(re.sub(r"`[^`]*`|\$[^$]*\$|<[^>]*>", "", text))
        if word not in known and word.rstrip("s") not in known
    }
    assert not unknown


def test_every_word_of_statistics_that_is_said_is_explained() -> None:
    explained = " ".join(terms_in(GLOSSARY)).lower()
    for file, line, text in sentences():
        for word in re.findall(rf"\b(?:{JARGON})\b", text):
            stem = word.lower().rstrip("s") if word.lower() not in ("ridge",) else "ridge"
            assert stem in explained, f"{file}:{line}: {word}"


@pytest.mark.parametrize("word", ["him", "his", "integrated_gradients", "gradient_shap", "genomap_random"])
def test_no_sentence_holds_a_code_or_a_him(word: str) -> None:
    found = [f"{f}:{n}: {text}" for f, n, text in sentences() if re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text)]
    assert not [text for text in found if "`" not in text]  # an error that names an argument of the library


def test_a_verdict_is_one_plain_sentence_and_its_details_are_explained() -> None:
    fusion = FusionResult.load(fusion_samples.COMPARED)
    expression = ExpressionResult.load(expression_samples.COMPARED)
    for short, details in (
        (fusion_in_short(fusion), fusion_verdict(fusion)),
        (expression_in_short(expression), expression_verdict(expression)),
    ):
        assert short.count(".") == 1
        assert short.endswith(".")
        assert not terms_in([short])
        assert len(short.split()) <= 35
        assert terms_in(details)
    assert "use both" in fusion_in_short(fusion)
