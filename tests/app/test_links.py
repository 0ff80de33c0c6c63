"""A link opens a view again: sample, patient by number, sliders. What it asks for and is not there is said."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from app_harness import open_page, select, texts
from streamlit.testing.v1 import AppTest


def follow(app: AppTest, **asked: object) -> AppTest:
    """Open the Genomap page by its address."""
    for word, value in asked.items():
        app.query_params[word] = str(value)
    return open_page(app, "genomap")


def test_a_link_opens_the_sample_the_patient_and_the_sliders(app: AppTest) -> None:
    follow(app, cohort="wine", patient=5, noise=0.5, keep=0.8)
    assert not app.exception
    assert "178 samples" in texts(app)
    assert select(app, "Patient").value == 4
    assert "cohort" not in app.query_params, "a refresh must keep later changes"
    asked = parse_qs(urlsplit(app.code[0].value).query)
    assert asked["cohort"] == ["wine"]
    assert (asked["patient"], asked["noise"], asked["keep"]) == (["5"], ["0.5"], ["0.8"])
    assert asked["view"] == ["Patient"]


def test_the_link_names_nobody(app: AppTest) -> None:
    follow(app, cohort="expression", patient=3)
    link = app.code[0].value
    assert "P003" not in link
    assert "session" not in link


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"patient": 999}, "asks for patient 999, the cohort has 150"),
        ({"patient": "x"}, "can't be followed"),
        ({"noise": -1}, "must be a number"),
        ({"cohort": "nobody"}, "nobody"),
    ],
)
def test_a_link_that_asks_for_what_is_not_there_says_so_and_shows_the_map(app: AppTest, asked, words) -> None:
    follow(app, **asked)
    assert not app.exception
    assert words in texts(app)
    assert "150 samples" in texts(app)
