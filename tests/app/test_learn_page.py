"""The Learn page: every lesson asks before it reveals, shows shipped results, and trains only when it is asked to."""

from __future__ import annotations

import pytest
from app_harness import button, open_page, texts

from genomap_core.workflows.lessons.course import chapters

KEYS = [chapter.key for chapter in chapters()]


def open_lesson(app, key: str, answer: int | None = None):
    open_page(app, "learn")
    app.segmented_control(key="lesson").set_value(key).run()
    if answer is not None:
        app.radio(key=f"predict-{key}").set_value(answer).run()
    return app


@pytest.mark.parametrize("key", KEYS)
def test_a_lesson_asks_then_reveals_without_any_work(app, key: str) -> None:
    chapter = chapters()[KEYS.index(key)]
    open_lesson(app, key)
    assert not app.exception
    assert chapter.reveal[:20] not in texts(app)
    app.radio(key=f"predict-{key}").set_value(chapter.answer).run()
    assert not app.exception
    assert "As you said." in app.success[0].value
    assert "**Control.**" in texts(app)
    assert "**Surprise.**" in texts(app)
    app.radio(key=f"predict-{key}").set_value((chapter.answer + 1) % 3).run()
    assert "Not as you said." in texts(app)


def test_the_path_leads_from_lesson_to_lesson_and_to_the_words(app) -> None:
    open_lesson(app, "unscramble", 1)
    button(app, "Next: What a layout keeps and loses").click().run()
    assert app.segmented_control(key="lesson").value == "layout"
    app.segmented_control(key="lesson").set_value("words").run()
    app.text_input[0].set_value("nemenyi").run()
    assert "mean ranks differ" in texts(app)
    assert "Shapley" not in texts(app)


def test_the_networks_are_trained_as_a_job(app) -> None:
    open_lesson(app, "map", 0)
    button(app, "Train the three networks").click().run()
    assert not app.exception
    assert any(b.label == "Cancel" for b in app.button)
