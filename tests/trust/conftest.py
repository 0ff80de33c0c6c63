"""The app in a private home folder, as the page tests have it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    import streamlit as st

    monkeypatch.setenv("GENOMAP_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(ROOT)
    st.cache_resource.clear()
    yield tmp_path / "home"
    from pages._ui import session

    if (tmp_path / "home" / "jobs").is_dir():
        session.jobs().close(cancel_jobs=True)
    session.warm().close()
    st.cache_resource.clear()


@pytest.fixture
def app(home: Path) -> AppTest:
    """The app after its first run, on its default page."""
    return AppTest.from_file(str(ROOT / "app.py"), default_timeout=120).run()
