"""One app per test, in a private home folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path, monkeypatch):
    import streamlit as st

    monkeypatch.setenv("GENOMAP_HOME", str(tmp_path))
    monkeypatch.chdir(ROOT)
    st.cache_resource.clear()
    yield tmp_path
    from pages._ui import session

    session.jobs().close(cancel_jobs=True)
    session.warm().close()
    st.cache_resource.clear()


@pytest.fixture
def app(home):
    """The app after its first run, on its default page."""
    test = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    test.run()
    return test


def open_page(app: AppTest, name: str) -> AppTest:
    """Go to a page as the menu does."""
    app.switch_page(f"pages/{name}.py")
    return app.run()


def texts(app: AppTest) -> str:
    """All words on the page."""
    kinds = ("title", "subheader", "markdown", "error", "warning", "info", "caption")
    return "\n".join(str(e.value) for kind in kinds for e in getattr(app, kind))


def button(app: AppTest, label: str):
    """The button with this label."""
    return next(b for b in app.button if b.label == label)


def select(app: AppTest, label: str):
    """The selectbox with this label."""
    return next(s for s in app.selectbox if s.label == label)
