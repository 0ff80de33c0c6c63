"""The Fusion page: the shipped comparison, one patient, work that is queued, a table of several omics types."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from app_harness import button, open_page, select, texts
from planted_fusion import planted
from streamlit.testing.v1 import AppTest

from genomap_core.errors import JobError
from genomap_core.store import decode
from genomap_core.workflows.fusion.compare import QUICK, FusionCompareConfig
from genomap_core.workflows.fusion.jobs import compare_task
from genomap_core.workflows.fusion.samples import COMPARED, SAMPLE
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.words import heading, report
from genomap_core.workflows.tabular.stands_out import COHORT
from pages._ui import fusion as fusion_views
from pages._ui.imaging_store import shared_imaging
from pages._ui.session import jobs


def queued(app) -> list:
    return [j for j in jobs().list(app.session_state["session"].owner) if "fusion.jobs" in j.task]


def start(app, **values) -> None:
    for key, value in values.items():  # the first one may bring other fields
        next(w for w in (*app.selectbox, *app.number_input) if w.label == key.replace("_", " ")).set_value(value)
        app.run()
    next(b for b in app.button if b.label == "Start").click()
    app.run()


def submitted(monkeypatch) -> list:
    """What is asked for from now on, as options and cohort; nothing is queued."""
    asked: list = []
    monkeypatch.setattr(
        "pages._ui.comparison_page.job_panel.submit",
        lambda session, task, spec, title, cohort: asked.append((spec, cohort)),
    )
    return asked


def networks(app):
    return next((m for m in app.multiselect if m.label.startswith("Networks")), None)


def test_the_page_opens_on_the_shipped_comparison(app) -> None:
    open_page(app, "fusion")
    assert not app.exception
    words = texts(app).replace("\\", "")
    assert "Simulated imaging + omics cohort" in words
    result = FusionResult.load(COMPARED)
    assert str(result.scores["stacked"]["balanced_accuracy"]) in words
    table = next(d.value for d in app.dataframe if "Run" in d.value)
    assert len(table) == len(result.runs)


def test_a_patient_is_explained_by_the_network_that_never_saw_that_patient(app) -> None:
    open_page(app, "fusion")
    result = FusionResult.load(COMPARED)
    assert "By a model that was trained without this patient" in texts(app)
    assert "What stands out here" in texts(app)
    assert "Most alike" in texts(app)
    best = int(result.runs[0].proba[0].argmax())
    assert select(app, "Class explained").value == best
    assert len(app.get("imgs") or app.get("image")) >= 1
    assert {"Log-odds of the class", "Better than random orders"} <= {m.label for m in app.metric}
    select(app, "Patient").select(5).run()
    assert not app.exception
    assert select(app, "Class explained").value == int(result.runs[0].proba[5].argmax())


def test_a_sentence_of_what_stands_out_marks_its_feature_and_is_called_up_first(app) -> None:
    open_page(app, "fusion")
    found = [b for b in app.button if b.key.startswith("finding-feature")]
    assert len(found) == 3
    found[1].click().run()
    assert not app.exception
    session, table = app.session_state["session"], shared_imaging(SAMPLE).table
    marked = session.marks(table).feature
    first = next(b for b in app.button if b.key.startswith("finding-"))
    assert table.feature_names[marked] in first.label.replace("\\", "")
    assert session.feature is None, "the table in use has marks of its own"
    select(app, "Compared with").set_value("class quiet").run()
    assert "compared with class quiet" in texts(app)
    assert session.reference == COHORT


def test_a_patient_about_whom_the_network_is_wrong_is_flagged(app) -> None:
    result = FusionResult.load(COMPARED)
    right = result.runs[0].proba.argmax(axis=1) == result.y
    open_page(app, "fusion")
    patient = next(s for s in app.selectbox if s.label == "Patient")
    for row, flagged in ((int(np.argmin(right)), True), (int(np.argmax(right)), False)):
        patient.set_value(row).run()
        assert any("The model is wrong about this patient" in w.value for w in app.warning) == flagged


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    """A finished comparison with adaptive fusion, in the folder of its job."""
    folder = tmp_path_factory.mktemp("compared")
    planted(24).save(folder / "imaging.npz")
    config = {"n_folds": 3, "width": 4, "hidden": 8, "epochs": 1, "variants": ["stacked", "image"], "controls": False}
    compare_task({"config": config}, folder, lambda p: None)
    return folder


@pytest.fixture
def shown(app, small, monkeypatch) -> FusionResult:
    """The page opened on it."""
    monkeypatch.setattr(fusion_views, "FUSION", replace(fusion_views.FUSION, shipped=small))
    open_page(app, "fusion")
    assert not app.exception
    return FusionResult.load(small)


def test_the_weights_say_which_part_carries_which_class(app, shown) -> None:
    names, weights = shown.part_weights
    rows = next(d.value for d in app.dataframe if "Part" in d.value)
    assert len(rows) == len(names) == 5
    for name, column in zip(shown.classes, weights.T, strict=True):
        np.testing.assert_allclose(rows[name].astype(float), column, atol=0.006)
    assert "Adaptive fusion is" in texts(app)


def test_adaptive_fusion_is_explained_where_it_is_chosen(app, small, shown) -> None:
    assert "Gradients' sum misses" in {m.label for m in app.metric}
    assert "no empty background" in texts(app), "these images are noise to their border"
    app.session_state[f"fusion-explained-{small.name}"] = "adaptive"
    app.run()
    assert not app.exception
    assert select(app, "Class explained").value == int(shown.run("adaptive").proba[0].argmax())
    assert "Gradients' sum misses" not in {m.label for m in app.metric}
    assert next(g for g in app.get("button_group") if g.label == "Shown over the image").options == ["Regions"]


def test_a_training_is_queued_on_the_cohort_in_use(app) -> None:
    open_page(app, "fusion")
    start(app, Work="train", Epochs=1)
    assert not app.exception
    (job,) = queued(app)
    assert job.title == "Fusion network on Simulated imaging + omics cohort"
    jobs().cancel(job.id, app.session_state["session"].owner)


def test_without_a_network_nothing_is_queued(app) -> None:
    open_page(app, "fusion")
    select(app, "Work").set_value("compare").run()
    networks(app).set_value([]).run()
    assert "choose at least one" in texts(app)
    assert "Start" not in {b.label for b in app.button}


def test_a_quick_look_says_its_time_and_what_it_leaves_out_and_asks_for_nothing(app, monkeypatch) -> None:
    open_page(app, "fusion")
    assert select(app, "Work").value == "quick"
    words = texts(app)
    assert "Controls, the other networks and adaptive fusion are left out" in words
    assert "on two quiet cores, for these 240 patients" in words
    asked = submitted(monkeypatch)
    start(app)
    (spec, _) = asked[0]
    assert decode(FusionCompareConfig, json.loads(json.dumps(spec["config"]))) == QUICK


def test_the_form_of_a_comparison_leaves_out_what_is_switched_off_and_says_the_time_it_saves(app, monkeypatch) -> None:
    open_page(app, "fusion")
    select(app, "Work").set_value("compare").run()

    def minutes() -> int:
        return int(re.search(r"about (\d+) min", texts(app))[1])

    whole = minutes()
    next(t for t in app.toggle if t.label == "Adaptive fusion").set_value(False).run()
    assert minutes() < whole
    next(t for t in app.toggle if t.label == "Controls").set_value(False).run()
    networks(app).set_value(["image"]).run()
    asked = submitted(monkeypatch)
    start(app)
    config = asked[0][0]["config"]
    assert (config["variants"], config["controls"], config["adaptive"]) == (("image",), False, False)
    assert config["baselines"]


def test_a_table_of_several_omics_types_needs_no_images(app, monkeypatch) -> None:
    open_page(app, "data")
    next(b for b in app.button if b.key == "sample-multiomics").click().run()
    open_page(app, "fusion")
    app.radio(key="fusion_patients").set_value("table").run()
    select(app, "Work").set_value("compare").run()
    assert not app.exception
    assert "Simulated multi-omics cohort: 160 patients" in texts(app).replace("*", "").replace("\\", "")
    assert networks(app) is None, "there is nothing to choose"
    asked = submitted(monkeypatch)
    start(app, Work="compare", Epochs=1)
    (spec, cohort) = asked[0]
    assert spec["config"]["variants"] == ("omics",)
    assert not cohort.channels


def test_a_class_of_one_group_is_left_out_and_the_folds_are_as_many_as_can_be_made(app, monkeypatch) -> None:
    open_page(app, "data")
    session = app.session_state["session"]
    y = np.array([0, 1] * 9 + [2] * 6)
    table = replace(
        shared_imaging(SAMPLE).table.take(range(24)),
        name="spots",
        y=y,
        classes=("tumour", "stroma", "fat"),
        groups=np.r_[np.arange(18) // 6, np.full(6, 2)],
    )
    cohort = replace(shared_imaging(SAMPLE).take(range(24)), table=table, regions=None)
    session.use_imaging(cohort, None)
    open_page(app, "fusion")
    assert not app.exception
    words = texts(app).replace("\\", "")
    assert "24 samples in 3 groups" in words
    assert "Left out at first: fat, seen in one group only" in words
    assert "The images in use are another cohort" in words
    select(app, "Work").set_value("compare").run()
    assert next(n for n in app.number_input if n.label == "Folds").max == 3
    asked = submitted(monkeypatch)
    start(app, Work="compare", Epochs=1)
    (spec, given) = asked[0]
    assert given.table.classes == ("tumour", "stroma")
    assert given.table.y.tolist() == [0, 1] * 9
    assert (given.n_samples, spec["config"]["n_folds"]) == (18, 3)
    app.run()  # what the start asked for
    next(m for m in app.multiselect if m.label.startswith("Classes")).set_value([0]).run()
    assert "choose at least two" in texts(app)


def test_a_report_says_whose_it_is_and_what_it_is_for() -> None:
    result = FusionResult.load(COMPARED)
    text = report(result, heading(result))
    assert text.startswith(f"# Images and omics: {result.name}\n\nFor research use only.")
    assert all(f"{name} {n}" in text for name, n in zip(result.classes, np.bincount(result.y), strict=True))
    assert f"{result.config['n_folds']} folds" in text


def test_regions_of_images_that_say_nothing_are_not_taken_for_the_disease(app, monkeypatch) -> None:
    open_page(app, "fusion")
    assert "not what is to be seen of the class" not in texts(app)
    monkeypatch.setattr("pages._ui.fusion.images_used", lambda result: False)
    open_page(app, "fusion")
    assert "not what is to be seen of the class" in texts(app)


def test_an_explanation_that_fails_is_told_in_its_place(app, monkeypatch) -> None:
    """Also where only that part of the page runs again: nothing of the page around it sees the error then."""
    open_page(app, "fusion")

    class Broken:
        def call(self, *_, **__):
            raise JobError("the worker is gone")

    monkeypatch.setattr("pages._ui.fusion.warm", Broken)
    select(app, "Patient").select(7).run()
    assert not app.exception
    assert "the worker is gone" in texts(app)
    assert "Download the report" in {b.label for b in app.get("download_button")} or app.dataframe


def _slices_page() -> None:
    import numpy as np

    from genomap_core.workflows.fusion.samples import COMPARED
    from genomap_core.workflows.fusion.scores import FusionResult
    from pages._ui.comparison_page import Finished
    from pages._ui.fusion import _overlaid_image

    found = Finished(COMPARED, FusionResult.load(COMPARED))
    image = np.random.default_rng(0).normal(size=(8, 16, 16)).astype(np.float32)
    regions = np.repeat([0, 1], [128, 128]).reshape(16, 16)
    parts = {"regions": regions, "region_values": np.array([0.5, -0.2]), "module_values": np.array([0.1])}
    _overlaid_image(found, None, {}, {"image": image}, parts, (4, 2))  # type: ignore[arg-type]


def test_every_slice_of_a_volume_can_be_looked_at() -> None:
    app = AppTest.from_function(_slices_page, default_timeout=60).run()
    assert not app.exception
    (slider,) = app.slider
    assert (slider.label, slider.min, slider.max, slider.value) == ("Slice", 1, 4, 2)
    assert "counts all slices" in texts(app)
    seen = set()
    for k in range(1, 5):
        slider.set_value(k).run()
        seen.add(app.get("image")[0].proto.imgs[0].url)
    assert len(seen) == 4


def test_without_images_the_example_is_named_and_can_be_taken(app) -> None:
    open_page(app, "fusion")
    assert "No images are in use" in texts(app)
    assert "Images: **none**" in texts(app)
    button(app, "Use the example's images").click().run()
    assert not app.exception
    assert app.session_state["session"].imaging_sample == "fusion"
    assert "the images in use" in texts(app)
    open_page(app, "expression")
    assert "The images in use are another cohort" in texts(app)
    assert "Images: **Simulated" in texts(app)
