"""The Expression page: the shipped comparison, genes, one patient, work that is queued, a table instead of images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from app_harness import button, open_page, select, texts
from planted_expression import TINY, images_and_genes

from genomap_core.data.images.patients import PatientImages
from genomap_core.data.message import with_interval
from genomap_core.workflows.expression.jobs import compare_task, read_cohort
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.samples import COMPARED
from pages._ui import expression as expression_views
from pages._ui.gene_map import GeneMapEvent, gene_map
from pages._ui.session import jobs


@pytest.fixture(scope="module")
def result() -> ExpressionResult:
    return ExpressionResult.load(COMPARED)


def queued(app) -> list:
    return [j for j in jobs().list(app.session_state["session"].owner) if "expression.jobs" in j.task]


def table(app, column: str):
    return next(d.value for d in app.dataframe if column in d.value)


def test_the_page_opens_on_the_shipped_comparison(app, result) -> None:
    open_page(app, "expression")
    assert not app.exception
    counts = result.statistics["all"]["dense"].summary()
    shown = {m.label: m.value for m in app.metric}
    assert shown["Predicted"] == f"{counts['n_predicted']:,} of {counts['n_genes']:,}"
    assert shown["Better than ridge"] == f"{counts['n_better_than_ridge_fdr_below_0.05']:,}"
    genes = table(app, "gene")
    assert len(genes) == len(result.genes)
    assert genes["r"].is_monotonic_decreasing


def test_genes_are_searched_and_filtered(app, result) -> None:
    open_page(app, "expression")
    next(t for t in app.text_input if t.label == "Search a gene").set_value("gene01").run()
    assert set(table(app, "gene")["gene"]) == {g for g in result.genes if g.startswith("GENE01")}
    next(t for t in app.toggle if t.label == "Predicted ones only").set_value(True).run()
    expected = {g for g, ok in zip(result.genes, result.statistics["all"]["dense"].predicted) if ok and "GENE01" in g}
    assert set(table(app, "gene")["gene"]) == expected


def test_a_gene_is_shown_in_all_patients(app, result) -> None:
    open_page(app, "expression")
    s = result.statistics["all"]["dense"]
    best = int(np.argmax(s.r))
    assert select(app, "Gene, best predicted first").value == best
    assert table(app, "Figure")["Value"][0] == with_interval(s.r[best], s.r_low[best], s.r_high[best])
    worst = int(np.argmin(s.r))
    select(app, "Gene, best predicted first").set_value(worst).run()
    assert not app.exception
    assert "this gene is **not predicted**" in texts(app)
    assert "This gene can't be predicted from such images" in texts(app)


def test_a_prediction_is_explained_by_the_network_that_never_saw_the_patient(app, result) -> None:
    open_page(app, "expression")
    shown = {m.label: m.value for m in app.metric}
    assert {"Predicted (standard deviations)", "Better than random orders"} <= set(shown)
    best = int(np.argmax(result.statistics["all"]["dense"].r))
    train = result.fold_of_row != result.fold_of_row[0]
    z = (result.champion.predicted[0, best] - result.truth[train, best].mean()) / result.truth[train, best].std()
    assert float(shown["Predicted (standard deviations)"]) == pytest.approx(z, abs=0.06), "weights lie in 16 bits"
    select(app, "Patient or spot").set_value(7).run()
    assert not app.exception
    select(app, "Method").set_value("Integrated Gradients").run()
    assert not app.exception


def test_genes_that_cannot_be_predicted_are_hatched_on_the_patients_map(app, result, monkeypatch) -> None:
    drawn: list = []

    def draw(data, **options) -> GeneMapEvent:
        drawn.append(data)
        return gene_map(data, **options)

    monkeypatch.setattr(expression_views, "gene_map", draw)
    open_page(app, "expression")
    told = result.statistics["all"]["dense"].predictable
    measured, predicted, difference = drawn[-1].values
    assert np.isfinite(measured).all()
    np.testing.assert_array_equal(np.isnan(predicted), ~told, err_msg="a value that is missing is hatched")
    np.testing.assert_array_equal(np.isnan(difference), ~told)
    words = texts(app).replace("\\", "")
    assert f"Hatched: {int((~told).sum()):,} genes that can't be predicted from such images" in words


def test_gene_sets_give_a_patient_scores_with_intervals(app, result) -> None:
    open_page(app, "expression")
    order = np.argsort(-result.statistics["all"]["dense"].r)
    best, worst = ([result.genes[j] for j in part] for part in (order[:12], order[-12:]))
    lines = ["\t".join([name, "", *genes]) for name, genes in (("TOLD", best), ("UNTOLD", worst))]
    own = [u for u in app.file_uploader if u.key and "patient-gmt" in u.key]
    own[0].set_value(("sets.gmt", "\n".join(lines).encode(), "text/plain")).run()
    assert not app.exception
    rows = table(app, "Predicted score")
    assert rows["Set"].tolist() == ["TOLD"], "a set of genes that can't be predicted has no score"
    assert " to " in rows["Predicted score"][0]
    assert rows["Genes used"][0] == "12 of 12"
    assert rows["Can be predicted"][0] == "yes"
    own = [u for u in app.file_uploader if u.key and "patient-gmt" in u.key]
    own[0].set_value(("sets.gmt", "\t".join(["UNTOLD", "", *worst]).encode(), "text/plain")).run()
    assert "No gene of these sets can be predicted from such images" in texts(app)


def test_a_training_is_queued_on_the_cohort_in_use(app) -> None:
    open_page(app, "expression")
    select(app, "Work").set_value("train").run()
    next(n for n in app.number_input if n.label == "Epochs").set_value(1)
    button(app, "Start").click().run()
    assert not app.exception
    (job,) = queued(app)
    assert job.title == "Expression network on Simulated images + expression cohort"
    folder = jobs().folder(job.id, app.session_state["session"].owner)
    assert len(read_cohort(folder, {}).genes) == 400
    jobs().cancel(job.id, app.session_state["session"].owner)


def test_the_eight_layers_are_one_choice_away_and_what_they_add_is_said(app, monkeypatch) -> None:
    open_page(app, "expression")
    assert "The transformer of 8 layers" in texts(app)
    asked: list = []
    monkeypatch.setattr(
        "pages._ui.comparison_page.job_panel.submit", lambda session, task, spec, title, cohort: asked.append(spec)
    )
    for paths in ("statistics", "both"):
        select(app, "Architecture").set_value(paths)
        button(app, "Start").click().run()
    assert [spec["config"]["training"]["paths"] for spec in asked] == ["statistics", "both"]


def test_without_a_head_nothing_is_queued(app) -> None:
    open_page(app, "expression")
    app.multiselect[0].set_value([])
    button(app, "Start").click().run()
    assert "choose at least one" in texts(app)
    assert not queued(app)


def test_one_type_of_a_table_is_predicted_from_another(app) -> None:
    open_page(app, "data")
    next(b for b in app.button if b.key == "sample-multiomics").click().run()
    open_page(app, "expression")
    app.radio(key="expression_patients").set_value("table").run()
    assert not app.exception
    assert select(app, "Network").options == ["Patches of a map (tables)"]
    assert "a table's features" in texts(app).replace("\\", "")


@pytest.fixture(scope="module")
def tissue(tmp_path_factory) -> Path:
    """Spots of two sections, in two cohorts, compared; their names look like markup."""
    folder = tmp_path_factory.mktemp("tissue")
    spots = images_and_genes(60, y=np.arange(60) % 2, classes=("**lung**", "breast"), groups=np.arange(60) // 10)
    places = np.random.default_rng(0).random((60, 2)).astype(np.float32)
    sections = np.array(["B4 **x**", "C2"])[np.arange(60) // 30]
    made: PatientImages = dataclasses.replace(spots, places=places, sections=sections)
    made.save(folder / "imaging.npz")
    training = dataclasses.asdict(dataclasses.replace(TINY, epochs=2))
    config = {"n_folds": 3, "n_permutations": 19, "heads": ["dense"], "training": training}
    compare_task({"config": config, "options": {"by_label": True}}, folder, lambda p: None)
    return folder


def test_spots_are_shown_over_the_tissue_and_cohorts_apart(app, tissue, monkeypatch) -> None:
    monkeypatch.setattr(
        expression_views, "EXPRESSION", dataclasses.replace(expression_views.EXPRESSION, shipped=tissue)
    )
    open_page(app, "expression")
    assert not app.exception
    words = texts(app)
    assert "**Measured**" in words
    assert "30 spots of section B4" in words
    assert r"**\*\*lung\*\***" in words, "a name is no markup"
    control = next(g for g in app.get("button_group") if g.label == "Section")
    assert control.options == [r"B4 \*\*x\*\*", "C2"]
