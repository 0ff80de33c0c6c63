import io
import re
import time

import numpy as np
import pandas as pd
import pytest
from app_harness import button, open_page, select, texts

from genomap_core.data.perturb import Perturbation


def table(n=40, p=30, seed=0, **columns):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, p)).round(4), columns=[f"gene{j}" for j in range(p)])
    frame.insert(0, "patient", [f"case-{i}" for i in range(n)])
    frame["diagnosis"] = np.where(np.arange(n) % 2, "tumour", "normal")
    return frame.assign(**columns)


def as_csv(frame):
    out = io.StringIO()
    frame.to_csv(out, index=False)
    return out.getvalue().encode()


def upload(app, content, name="mine.csv"):
    app.file_uploader[0].upload(name, content, "text/csv")
    return app.run()


def wait_for(app, done, seconds=120):
    until = time.monotonic() + seconds
    while not done(app) and time.monotonic() < until:
        time.sleep(0.5)
        app.run()
    assert done(app), texts(app)


def test_a_sample_is_chosen_and_undone(app):
    open_page(app, "data")
    app.button(key="sample-wine").click().run()
    assert "In use: Wine" in texts(app)
    button(app, "Back to the cohort before").click().run()
    assert "In use: TCGA breast cancer" in texts(app)


def test_an_uploaded_table_becomes_the_cohort(app):
    open_page(app, "data")
    upload(app, as_csv(table()))
    assert select(app, "Class to predict").value == "diagnosis"
    assert select(app, "Patient or sample id").value == "patient"
    button(app, "Use this cohort").click().run()
    assert not app.exception
    assert "In use: mine\\.csv" in texts(app)
    open_page(app, "genomap")
    assert not app.exception
    assert "40 samples" in texts(app)


def test_a_table_that_can_not_be_used_says_so_and_the_cohort_stays(app):
    open_page(app, "data")
    bad = table().astype({"gene3": object})
    bad.loc[4, "gene3"] = "high"
    upload(app, as_csv(bad))
    assert not app.exception
    words = texts(app)
    assert "gene3" in words
    assert "row 6" in words
    assert button(app, "Use this cohort").disabled
    assert "In use: TCGA breast cancer" in words


def test_markup_in_names_is_shown_as_text(app):
    open_page(app, "data")
    evil = table().rename(columns={"gene0": "![x](https://elsewhere.example/a.png)", "gene1": "<img src=x onerror=1>"})
    upload(app, as_csv(evil), name="[evil](https://elsewhere.example).csv")
    button(app, "Use this cohort").click().run()
    open_page(app, "genomap")
    select(app, "Find a feature").select_index(0).run()
    assert not app.exception
    assert "](https" not in texts(app).replace("\\]\\(https", "")


def test_without_labels_pages_say_what_to_do(app):
    open_page(app, "data")
    upload(app, as_csv(table().drop(columns="diagnosis")))
    select(app, "Class to predict").select("(none)").run()
    button(app, "Use this cohort").click().run()
    for page in ("train", "compare"):
        open_page(app, page)
        assert not app.exception
        assert "choose a target column on the Data page" in texts(app)


def test_my_data_are_deleted_after_a_second_question(app, home):
    open_page(app, "data")
    upload(app, as_csv(table()))
    button(app, "Use this cohort").click().run()
    assert list((home / "sessions").rglob("dataset.npz"))
    button(app, "Delete my data").click().run()
    assert list((home / "sessions").rglob("dataset.npz"))
    button(app, "Delete now").click().run()
    assert not list((home / "sessions").rglob("*.npz"))


@pytest.mark.slow
def test_a_network_is_trained_and_its_scores_are_shown(app):
    open_page(app, "data")
    app.button(key="sample-wine").click().run()
    open_page(app, "train")
    button(app, "Start training").click().run()
    assert not app.exception
    wait_for(app, lambda a: any("never saw" in s.value for s in a.subheader))
    assert next(float(m.value) for m in app.metric if m.label == "Balanced accuracy") > 0.8


@pytest.mark.slow
def test_models_are_compared_and_one_patient_is_explained(app):
    open_page(app, "data")
    app.button(key="sample-wine").click().run()
    open_page(app, "compare")
    next(n for n in app.number_input if n.label == "Folds").set_value(2)
    app.multiselect[0].set_value(["genomap", "logistic"])
    button(app, "Compare").click().run()
    assert not app.exception
    wait_for(app, lambda a: any("All models" in s.value for s in a.subheader))
    assert not app.exception
    assert re.search(r"held.-out samples given|too few held", texts(app))
    wait_for(app, lambda a: any(m.label.startswith("Shared top") for m in a.metric))
    assert not app.exception
    assert {"Rank agreement", "Shared top 2"} <= {m.label for m in app.metric}
    assert {"HTML", "PDF"} <= {d.proto.label for d in app.get("download_button")}
    assert next(t for t in app.text_input if t.label == "Name on the report").value == "Patient 1"


def test_the_models_get_what_the_slider_shows(app):
    """The rows sent to the models are, standardised, the values that the map draws."""
    from genomap_core.workflows.tabular.patient import DRAWS
    from pages._ui.genomap_views import map_data
    from pages._ui.patient_panel import rows_for_models

    session = app.session_state["session"]
    result = session.genomap()
    shown = Perturbation(level=0.35, keep=0.6, seed=0)
    rows = rows_for_models(session, 7, shown)
    assert rows.shape == (1 + DRAWS, session.dataset.n_features)
    drawn = map_data(session, result, [7]).shown(shown)[0]
    sent = (rows[0, result.kept] - result.standardisation.mean) / result.standardisation.scale
    np.testing.assert_array_equal(np.isnan(sent), np.isnan(drawn))
    np.testing.assert_allclose(sent[~np.isnan(sent)], drawn[~np.isnan(drawn)], atol=2e-5)
