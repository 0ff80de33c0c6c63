"""The Data page asks where a table can be read in two ways, and mends what it finds with one click."""

from pathlib import Path

import numpy as np
import pytest
from app_harness import button, open_page, texts
from streamlit.testing.v1 import AppTest

RNG = np.random.default_rng(0)
IDS = [f"P{i:02d}" for i in range(30)]
LABELS = ["case", "control"]


def clinical(column, cells):
    rows = [f"sample_id\t{column}\tage\tlabel"]
    rows += [f"{name}\t{cells[i]}\t{20 + 7 * i % 60}\t{LABELS[i % 2]}" for i, name in enumerate(IDS)]
    return "\n".join(rows).encode()


@pytest.fixture
def upload(tmp_path, monkeypatch):
    """Drops a file on the Data page of a new app and gives the page."""
    import streamlit as st

    from pages._ui import session

    monkeypatch.setenv("GENOMAP_HOME", str(tmp_path))
    st.cache_resource.clear()
    app = AppTest.from_file(str(Path(__file__).resolve().parents[2] / "app.py"), default_timeout=120)
    app.run()
    page = open_page(app, "data")

    def drop(name, content):
        page.file_uploader[0].set_value((name, content, ""))
        page.run()
        assert not page.exception
        return page

    yield drop
    session.jobs().close(cancel_jobs=True)
    session.warm().close()
    st.cache_resource.clear()


def use(page):
    """Press "Use this cohort" and give it."""
    found = button(page, "Use this cohort")
    assert not found.disabled
    found.click().run()
    assert not page.exception
    return page.session_state["session"].dataset


def press(page, label):
    button(page, label).click().run()
    assert not page.exception


def test_bounds_become_their_number_or_missing(upload):
    cells = [f"{v:.1f}" if v > 5 else "<5" for v in RNG.uniform(1, 20, 30)]
    page = upload("crp.tsv", clinical("crp", cells))
    assert button(page, "Use this cohort").disabled
    press(page, "Use bounds as their number")
    dataset = use(page)
    column = dataset.X[:, dataset.feature_names.index("crp")]
    assert column[cells.index("<5")] == 5


def test_a_doubtful_comma_is_asked_about_and_the_answer_counts(upload):
    cells = [f"{v},{w:03d}" for v, w in RNG.integers(100, 999, (30, 2))]
    page = upload("platelets.tsv", clinical("platelets", cells))
    first = cells[0]
    press(page, f"{first} is {first.replace(',', '')}")
    dataset = use(page)
    assert dataset.X[0, dataset.feature_names.index("platelets")] == float(first.replace(",", ""))


def test_the_first_values_are_shown_and_a_wrong_orientation_is_turned_with_one_click(upload):
    X = RNG.poisson(60, (20, 6))
    genes = ["Gnai3", "Pbsn", "Cdc45", "H19", "Scml2", "Apoh", "Narf", "Cav2", "Klf6", "Scmh1"]
    genes += ["Cox5a", "Tbx2", "Ngfr", "Wnt3", "Wnt9a", "Fer", "Xpo6", "Tfe3", "Axin2", "Brat1"]
    lines = [",".join(["", "WT_a", "WT_b", "WT_c", "KO_a", "KO_b", "KO_c"])]
    lines += [",".join([gene, *map(str, row)]) for gene, row in zip(genes, X.tolist())]
    page = upload("mouse.csv", "\n".join(lines).encode())
    assert "6 samples x 20 features, genes were in rows" in texts(page)
    press(page, "A row is a sample")
    assert "20 samples x 6 features, samples in rows" in texts(page)
    press(page, "Take my answers back")
    assert use(page).feature_names[:2] == ("Gnai3", "Pbsn")


def test_a_class_of_one_sample_is_left_out(upload):
    rows = ["sample_id,crp,label"] + [f"{name},{i * 1.5},{LABELS[i % 2]}" for i, name in enumerate(IDS)]
    rows[5] = rows[5].rsplit(",", 1)[0] + ",rare"
    page = upload("rare.csv", "\n".join(rows).encode())
    press(page, "Leave class rare out")
    assert use(page).classes == ("case", "control")


def test_a_word_read_as_missing_becomes_a_class(upload):
    words = ["WT", "het", "null"]
    rows = ["sample_id,crp,genotype"] + [f"{name},{i * 1.5},{words[i % 3]}" for i, name in enumerate(IDS)]
    page = upload("null.csv", "\n".join(rows).encode())
    press(page, "These words are a class")
    assert use(page).classes == ("WT", "het", "null")


def test_ids_that_look_like_repeats_are_different_subjects_with_one_click(upload):
    ids = [f"P{i // 3:02d}_{i % 3 + 1}" for i in range(30)]
    rows = ["sample_id,crp,ldh,label"] + [f"{ids[i]},{i * 1.5},{i * 7 % 11},{LABELS[i // 3 % 2]}" for i in range(30)]
    page = upload("repeats.csv", "\n".join(rows).encode())
    press(page, "They are different subjects")
    assert use(page).groups is None


def test_cells_that_are_no_numbers_and_a_wrong_label_are_mended_with_a_click_each(upload):
    rows = ["sample_id,crp,arm,response"]
    rows += [f"{name},{i * 1.5},{('A', 'B')[i // 2 % 2]},{LABELS[i % 2]}" for i, name in enumerate(IDS)]
    rows[4] = rows[4].replace(",4.5,", ",lost,")
    page = upload("cells.csv", "\n".join(rows).encode())
    assert button(page, "Use this cohort").disabled
    press(page, "Treat such cells as missing")
    label = next(box for box in page.selectbox if box.label == "Class to predict")
    assert label.value == "response"
    label.select("arm").run()
    dataset = use(page)
    assert dataset.classes == ("A", "B")
    assert np.isnan(dataset.X[3, dataset.feature_names.index("crp")])


def test_counts_of_different_depth_are_scaled_as_proposed_or_as_the_user_says(upload):
    level = np.exp(RNG.normal(4, 1.5, 60))
    counts = RNG.poisson(level * RNG.uniform(0.2, 2, (30, 1)))
    genes = [f"ENSG{j:011d}" for j in range(60)]
    lines = [",".join(["sample", *genes, "label"])]
    lines += [",".join([name, *map(str, counts[i]), LABELS[i % 2]]) for i, name in enumerate(IDS)]
    page = upload("counts.csv", "\n".join(lines).encode())
    assert "of each sample's numbers scaled to a total of 10,000" in texts(page)
    scale = next(box for box in page.selectbox if box.label == "Scale")
    assert (scale.value, "log2(1 + x), one total a sample" in scale.options) == ("log2(1+x) per total", True)
    dataset = use(page)
    assert dataset.unit == "log2(1 + count per 10,000)"
    scaled = np.log2(1 + 1e4 * counts / counts.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(dataset.X, scaled, rtol=1e-4)
    scale.select("log2(1+x)").run()
    assert "differ up to" in texts(page)
    dataset = use(page)
    assert dataset.unit == "log2(1 + count)"
    np.testing.assert_allclose(dataset.X, np.log2(1 + counts), rtol=1e-4)
