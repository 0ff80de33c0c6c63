"""The Learn page: every demonstration opens, says what it shows, and submits what takes long."""

from __future__ import annotations

import pytest
from app_harness import button, open_page, texts

LESSONS = {
    "Unscramble": "rebuilds the picture",
    "Does the map matter?": "only then the map matters",
    "Optimal transport": "only distances inside each cloud count",
    "Reading an attribution": "shows the data, not the network",
    "Physics in a network": "What does the last picture tell",
}


@pytest.mark.parametrize("name", list(LESSONS))
def test_a_demonstration_opens(app, name: str) -> None:
    open_page(app, "learn")
    app.segmented_control(key="lesson").set_value(name).run()
    assert not app.exception
    assert LESSONS[name] in texts(app)


def test_the_rebuilt_picture_is_scored(app) -> None:
    open_page(app, "learn")
    found = {m.label: m.value for m in app.metric}
    assert int(found["Neighbours found"].rstrip("%")) > 60 > 10 > int(found["Before"].rstrip("%"))


def test_the_networks_are_trained_as_a_job(app) -> None:
    open_page(app, "learn")
    app.segmented_control(key="lesson").set_value("Does the map matter?").run()
    button(app, "Train the three networks").click().run()
    assert not app.exception
    assert any(b.label == "Cancel" for b in app.button)
