"""The Genomap page's options of the layout: gene sets, shape, pins, the way to the places, stability."""

import io
import time

import numpy as np
import pytest
from app_harness import button, open_page, select, texts
from PIL import Image

from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap, save_reference


@pytest.fixture
def page(app):
    return open_page(app, "genomap")


def upload(app, label, name, data, mime):
    next(u for u in app.file_uploader if u.label == label).upload(name, data, mime)
    return app.run()


def layout(app):
    session = app.session_state["session"]
    return session, session.genomap()


def test_uploaded_gene_sets_become_regions_with_their_names(page):
    session, _ = layout(page)
    names = session.dataset.feature_names
    lines = ["\t".join([f"set {k}", "", *names[k * 40 : k * 40 + 25]]) for k in range(3)]
    upload(page, "Gene sets (GMT)", "sets.gmt", "\n".join(lines).encode(), "text/plain")
    assert not page.exception
    assert "3 sets in the file; 3 have at least" in texts(page)
    assert [name for name, _ in session.layout.sets] == ["set 0", "set 1", "set 2"]
    _, result = layout(page)
    for _, members in session.layout.sets:
        at = result.layout.positions[np.isin(result.kept, members)]
        assert np.ptp(at, axis=0).max() < 10
    next(t for t in page.toggle if t.label == "Name the regions").set_value(True).run()
    assert not page.exception


def test_a_saved_layout_is_a_reference_map_for_another_cohort(page):
    session, result = layout(page)
    own = session.dataset
    few = own.select(np.arange(0, own.n_features, 2))
    saved = save_reference(few, fit_genomap(few, GenomapConfig()), "half", "2")
    upload(page, "Reference map (JSON)", "half.map.json", saved, "application/json")
    assert not page.exception
    assert f"half, version 2: {few.n_features:,} features of this cohort have a place." in texts(page)
    session, result = layout(page)
    assert result.layout.solver == "reference"
    assert result.feature_names == few.feature_names
    page.segmented_control(key="view").set_value("Layout quality").run()
    assert "Reproducibility: not measured." in texts(page)
    assert "no comparison of this cohort" in texts(page)
    page.segmented_control(key="view").set_value("Placement").run()
    assert "do not depend on the patients" in page.info[0].value
    upload(page, "Reference map (JSON)", "half.map.json", saved[:-9], "application/json")
    assert "The reference map is damaged" in page.error[0].value


def test_a_broken_gene_set_file_is_named_and_the_map_stays(page):
    upload(page, "Gene sets (GMT)", "sets.gmt", b"only one column\n", "text/plain")
    assert not page.exception
    assert "Line 1 of the gene sets" in page.error[0].value
    assert any(s.label == "Patient" for s in page.selectbox)


def test_an_outline_keeps_features_inside(page):
    select(page, "Shape").select("Outline from a picture").run()
    drawn = np.full((60, 60), 255, np.uint8)
    drawn[10:50, 5:40] = 0
    data = io.BytesIO()
    Image.fromarray(drawn).save(data, "PNG")
    upload(page, "Outline", "organ.png", data.getvalue(), "image/png")
    assert not page.exception
    session, result = layout(page)
    mask = np.array([[cell == "#" for cell in row] for row in session.layout.mask])
    assert mask.sum() >= 600
    assert not mask.all()
    assert mask[tuple(result.layout.positions.T)].all()


def test_a_file_that_is_no_picture_is_refused(page):
    select(page, "Shape").select("Outline from a picture").run()
    upload(page, "Outline", "organ.png", b"\x89PNG no picture", "image/png")
    assert not page.exception
    assert "give PNG" in page.error[0].value


def test_a_pinned_feature_lies_at_its_pin_and_can_be_let_go(page):
    select(page, "Pin a feature").select(7).run()
    next(n for n in page.number_input if n.label == "Row").set_value(2)
    next(n for n in page.number_input if n.label == "Column").set_value(3)
    button(page, "Pin").click().run()
    session, result = layout(page)
    assert session.layout.pins == ((7, 2, 3),)
    assert tuple(result.layout.positions[np.flatnonzero(result.kept == 7)[0]]) == (2, 3)
    next(m for m in page.multiselect if m.label == "Held in place").set_value([]).run()
    assert session.layout.pins == ()


def test_features_can_be_watched_on_their_way(page):
    page.segmented_control(key="view").set_value("Placement").run()
    button(page, "Place the features again").click().run()
    assert not page.exception
    session, result = layout(page)
    found = session.cache["journey", session.dataset.digest, session.layout]
    assert len(found.frames) > 5
    ends, shown = ({tuple(cell) for cell in cells} for cells in (found.frames[-1], result.layout.positions))
    assert len(ends) == len(shown) == len(result.kept)
    # what is shown was stored: another processor rounds differently, and a few features may end in other cells
    assert len(ends & shown) > 0.97 * len(shown)


def test_stability_is_measured_by_a_job_and_reported(page):
    page.segmented_control(key="view").set_value("Fewer samples").run()
    next(s for s in page.slider if s.label == "Draws").set_value(3)
    button(page, "Measure stability").click().run()
    deadline = time.monotonic() + 90
    while not any(m.label == "Mean move" for m in page.metric):
        assert time.monotonic() < deadline
        time.sleep(1)
        page.run()
    assert not page.exception
    assert 0 < float(next(m.value for m in page.metric if m.label == "Mean move").split()[0]) < 100
    assert "Steadiest" in texts(page)
