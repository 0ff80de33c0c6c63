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
