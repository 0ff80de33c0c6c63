"""The Fusion page: the shipped comparison, one patient, work that is queued, a table of several omics types."""

from __future__ import annotations

from app_harness import button, open_page, select, texts

from genomap_core.workflows.fusion_samples import COMPARED
from genomap_core.workflows.fusion_scores import FusionResult
from pages._ui.session import jobs


def queued(app) -> list:
    return [j for j in jobs().list(app.session_state["session"].owner) if "fusion_jobs" in j.task]


def start(app, **values) -> None:
    for key, value in values.items():
        next(w for w in (*app.selectbox, *app.number_input) if w.label == key.replace("_", " ")).set_value(value)
    next(b for b in app.button if b.label == "Start").click()
    app.run()


def test_the_page_opens_on_the_shipped_comparison(app) -> None:
    open_page(app, "fusion")
    assert not app.exception
    words = texts(app).replace("\\", "")
    assert "Simulated imaging + omics cohort" in words
    result = FusionResult.load(COMPARED)
    assert f"{result.scores['stacked']['balanced_accuracy'].value:.3f}" in words
    table = next(d.value for d in app.dataframe if "Run" in d.value)
    assert len(table) == len(result.runs)


def test_a_patient_is_explained_by_the_network_that_never_saw_him(app) -> None:
    open_page(app, "fusion")
    result = FusionResult.load(COMPARED)
    assert "By the network of the fold that he was left out of" in texts(app)
    best = int(result.runs[0].proba[0].argmax())
    assert select(app, "Class explained").value == best
    assert len(app.get("imgs") or app.get("image")) >= 1
    assert {"Log-odds of the class", "Random orders beaten"} <= {m.label for m in app.metric}
    select(app, "Patient").select(5).run()
    assert not app.exception
    assert select(app, "Class explained").value == int(result.runs[0].proba[5].argmax())


def test_a_training_is_queued_on_the_cohort_in_use(app) -> None:
    open_page(app, "fusion")
    start(app, Work="train", Epochs=1)
    assert not app.exception
    (job,) = queued(app)
    assert job.title == "Fusion network on Simulated imaging + omics cohort"
    jobs().cancel(job.id, app.session_state["session"].owner)


def test_without_a_network_nothing_is_queued(app) -> None:
    open_page(app, "fusion")
    app.multiselect[0].set_value([])
    button(app, "Start").click().run()
    assert "choose at least one" in texts(app)
    assert not queued(app)


def test_a_table_of_several_omics_types_needs_no_images(app) -> None:
    open_page(app, "data")
    next(b for b in app.button if b.key == "sample-multiomics").click().run()
    open_page(app, "fusion")
    app.radio(key="fusion_patients").set_value("table").run()
    assert not app.exception
    assert "Simulated multi-omics cohort: 160 patients" in texts(app).replace("*", "").replace("\\", "")
    assert app.multiselect[0].options == ["Omics only"]
