import re

import numpy as np
import pytest
from app_harness import open_page, select, texts

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation


def test_the_app_opens_on_the_sample_cohorts_map(app):
    assert not app.exception
    assert app.title[0].value == "Genomap"
    assert "150 samples" in texts(app)
    assert "600 features" in texts(app)
    assert "For research use only. Not for use in diagnostic procedures." in texts(app)


def test_the_next_patient_is_shown_and_the_last_is_followed_by_the_first(app):
    open_page(app, "genomap")
    patient = select(app, "Patient")
    assert patient.value == 0
    app.button(key="next").click().run()
    assert select(app, "Patient").value == 1
    app.button(key="previous").click().run()
    app.button(key="previous").click().run()
    assert select(app, "Patient").value == 149


def test_a_searched_feature_shows_value_rank_and_neighbours(app):
    open_page(app, "genomap")
    select(app, "Find a feature").select(5).run()
    assert not app.exception
    assert {"Value", "z-score", "Percentile"} <= {m.label for m in app.metric}
    neighbours = app.dataframe[0].value
    assert 3 <= len(neighbours) <= 8
    assert neighbours["correlation"].between(-1, 1).all()


def test_what_is_missing_is_filled_from_the_other_patients(app):
    open_page(app, "genomap")
    next(t for t in app.toggle if t.label == "Fill what is missing").set_value(True).run()
    assert "Every feature is measured" in texts(app)
    session = app.session_state["session"]
    session.perturbation = Perturbation(0.0, 0.2)
    app.run()
    assert not app.exception
    result = session.genomap()
    values, filled = next(v for k, v in session.cache.items() if k[0] == "filled")
    assert filled.mean() == pytest.approx(0.8)
    truth = result.z[session.patient]
    np.testing.assert_array_equal(values[~filled], truth[~filled])
    assert np.corrcoef(values[filled], truth[filled])[0, 1] > 0.3
    assert f"the hatched {filled.sum():,} of {len(filled):,} values" in texts(app)


def test_every_view_draws(app):
    open_page(app, "genomap")
    for view, words in {
        "Classes": "0 is the mean of the cohort",
        "Side by side": "brightness can be compared",
        "Layout quality": "This layout is good",
        "Fewer samples": "look the same with fewer patients",
        "Patient": "What stands out here",
    }.items():
        app.segmented_control(key="view").set_value(view).run()
        assert not app.exception, view
        assert words in texts(app), view


def told(app) -> tuple[float, float]:
    """Mean correlation of neighbours on this layout and on a random one, as the verdict says them."""
    found = re.search(r"correlate (-?\d\.\d+) on the mean, (-?\d\.\d+) on a random", texts(app).replace("\\", ""))
    assert found is not None
    return float(found[1]), float(found[2])


def test_the_layout_is_better_than_the_random_control_beside_it(app):
    open_page(app, "genomap")
    app.segmented_control(key="view").set_value("Layout quality").run()
    own, random = told(app)
    assert own > 0.15
    assert own - random > 0.1


def test_the_random_layout_is_one_choice_away(app):
    open_page(app, "genomap")
    select(app, "Placement").select("random").run()
    app.segmented_control(key="view").set_value("Layout quality").run()
    own, random = told(app)
    assert own == pytest.approx(random, abs=0.03)


def test_a_good_layout_and_a_random_one_are_told_in_words(app):
    open_page(app, "genomap")
    app.segmented_control(key="view").set_value("Layout quality").run()
    assert "This layout is good" in texts(app)
    select(app, "Placement").select("random").run()
    assert "This layout is like a random one" in texts(app)


def test_a_page_opened_first_is_framed_all_the_same(app):
    open_page(app, "genomap")
    assert any("research use only" in i.value for i in app.sidebar.info)


def test_of_many_features_those_are_listed_whose_name_is_typed(app):
    open_page(app, "genomap")
    rng = np.random.default_rng(0)
    names = tuple(f"G{j:05d}" for j in range(2500))
    session = app.session_state["session"]
    session.use(
        Dataset("wide", rng.normal(size=(20, 2500)).astype(np.float32), names, tuple(f"S{i}" for i in range(20))), None
    )
    app.run()

    def search(words):
        return app.text_input(key="feature_part").set_value(words).run()

    search("g0123")
    listed = select(app, "10 features with this in their name")
    assert listed.options == [f"G0123{k}" for k in range(10)]
    listed.select(1234).run()
    assert not app.exception
    assert {"Value", "z-score", "Percentile"} <= {m.label for m in app.metric}
    search("nobody")
    assert "No feature on the map has this in its name." in texts(app)
    assert app.session_state["session"].feature == 1234, "the chosen one stays"
    search("g02345")
    assert app.session_state["session"].feature == 2345, "the only one of this name needs no second choice"
