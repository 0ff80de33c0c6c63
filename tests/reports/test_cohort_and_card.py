"""A cohort's report and a model's card: whole, named by nobody's identifier, true to what they are made from."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.errors import BundleError
from genomap_core.reports.cohort import cohort_document
from genomap_core.reports.document import Columns, Document, Heading, Picture, Table, Text, render_html, render_pdf
from genomap_core.reports.model_card import model_card
from genomap_core.training.bundle_header import read_header
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.genomap import fit_genomap
from genomap_core.workflows.tabular.train import BUNDLE, TrainConfig, train


@pytest.fixture(scope="module")
def wine() -> Dataset:
    sample = load_sample("wine")
    return replace(sample, sample_ids=tuple(f"SECRET-{i}" for i in range(sample.n_samples)))


@pytest.fixture(scope="module")
def report(wine: Dataset) -> Document:
    found = compare(wine, CompareConfig(models=("logistic", "forest"), n_folds=3))
    return cohort_document("My <cohort>", wine, found, fit_genomap(wine))


def texts(document: Document) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", render_html(document)))


def pages(pdf: bytes) -> int:
    return int(re.findall(rb"/Count (\d+)", pdf)[0])


def test_the_cohort_report_is_whole_and_names_no_patient(report: Document, wine: Dataset) -> None:
    page = render_html(report)
    assert page.count("<svg") == 2  # class maps, ROC
    assert "SECRET" not in page
    assert "My &lt;cohort&gt;" in page
    assert not re.search(r"<(script|link|img|iframe|object|form)\b", page)
    words = texts(report)
    for needed in (
        "178 samples, 13 features",
        "Logistic regression",
        "Random forest",
        "Prediction sets",
        "90%",
        "Distortion",
        wine.digest,
        "3 folds, seed 0",
        "no verdict",  # neither network was compared
    ):
        assert needed in words, needed


def test_the_cohort_report_prints(report: Document) -> None:
    pdf = render_pdf(report)
    assert pdf.startswith(b"%PDF-")
    assert 2 <= pages(pdf) <= 6
    assert b"/URI" not in pdf


def test_a_model_that_failed_is_a_warning(wine: Dataset) -> None:
    found = compare(wine, CompareConfig(models=("logistic",), n_folds=2))
    failed = Run("pfn", facts={"label": "TabPFN"}, status="oom", message="Needs 90 GB.")
    document = cohort_document("x", wine, replace(found, runs=(*found.runs, failed)), fit_genomap(wine))
    assert "Warning: TabPFN gave no result: Needs 90 GB." in texts(document)


@pytest.fixture(scope="module")
def trained(wine: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    train(wine, TrainConfig(max_epochs=2, n_seeds=1), folder)
    return folder / BUNDLE


def test_the_model_card_says_what_the_file_holds(trained: Path, wine: Dataset) -> None:
    header = read_header(trained.read_bytes())
    words = texts(model_card(header))
    accuracy = header.metrics["accuracy"]["value"]
    for needed in (
        "map CNN",
        "13 features",
        wine.digest,
        "at most 2 epochs",
        f"{accuracy:.2f} (",
        "Tested on 36 patients only",
        str(header.fields["sha256"]),
        "torch",
    ):
        assert needed in words, needed
    assert 1 <= pages(render_pdf(model_card(header))) <= 3


def test_a_card_of_a_model_without_scores_says_so_and_a_header_without_fields_is_refused(trained: Path) -> None:
    header = read_header(trained.read_bytes())
    assert "nothing is known of how good this model is" in texts(model_card(replace(header, metrics={})))
    with pytest.raises(BundleError, match="lacks what a model card needs"):
        model_card(replace(header, fields={**header.fields, "layout": {}}))


def test_a_card_states_how_many_features_may_be_missing_if_that_was_measured(trained: Path) -> None:
    header = read_header(trained.read_bytes())
    measured = {"shares": [1.0, 0.5, 0.2], "accuracy": [0.9, 0.8, 0.6], "chance": 0.5}
    words = texts(model_card(replace(header, fields={**header.fields, "endurance": measured})))
    assert "Tables that lack features are answered down to 50% of those it uses." in words
    assert "Tables that lack" in texts(model_card(header))
    assert "Tables that lack" not in texts(model_card(replace(header, fields={**header.fields, "endurance": None})))
    with pytest.raises(BundleError, match="lacks what a model card needs"):
        model_card(replace(header, fields={**header.fields, "endurance": {"shares": [0.5]}}))


def test_blocks_are_drawn_the_same_in_both_formats() -> None:
    from genomap_core.plotting import roc

    figure = roc(
        np.array([0, 1, 0, 1]), {"one": np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])}, ("a", "b")
    )
    document = Document(
        "T & <T>",
        (Heading("H"), Text("words", lead="Lead:"), Table(("a", "b"), (("<c>", "d"),)), Picture(figure, "Fig")),
    )
    html = render_html(document)
    assert "<h2>H</h2>" in html and "&lt;c&gt;" in html and "<strong>Lead:</strong> words" in html  # noqa: PT018
    assert render_pdf(document).startswith(b"%PDF-")


def test_a_printed_page_is_filled_before_the_next_begins() -> None:
    from genomap_core.plotting import roc

    figure = roc(np.array([0, 1]), {"one": np.array([[0.9, 0.1], [0.2, 0.8]])}, ("a", "b"))
    table = Table(("feature", "value"), tuple((f"g{i}", str(i)) for i in range(10)))
    column = (Heading("One model", 3), table, Text("A remark."))
    blocks = (Text("words"), Heading("Picture"), Picture(figure, "Fig"), Columns((column, column)))
    assert pages(render_pdf(Document("T", blocks))) == 1, "heading and picture fit under the words, tables side by side"
    assert pages(render_pdf(Document("T", (*blocks, *column)))) == 2, "below one another they would not"
