"""Every file of the bad-input collection, dropped on the Data page: the page lives, says why, and keeps the cohort."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_harness import button, open_page, texts
from bad_inputs import FOLDER, expected
from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).resolve().parents[2]
SECRETS = ("doe", "mrn0000001", "1 main st")


@pytest.fixture(scope="module")
def data_page(tmp_path_factory):
    """The Data page of one app for all files, as of one person who tries them one after the other."""
    import streamlit as st

    from pages._ui import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENOMAP_HOME", str(tmp_path_factory.mktemp("home")))
        patch.chdir(ROOT)
        st.cache_resource.clear()
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
        app.run()
        yield open_page(app, "data")
        session.jobs().close(cancel_jobs=True)
        session.warm().close()
        st.cache_resource.clear()


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("row", expected())
def test_the_page_gives_the_verdict_and_says_why(row, data_page, figure):
    in_use = data_page.session_state["session"].dataset.digest
    data_page.file_uploader[0].set_value((row["file"], (FOLDER / "files" / row["file"]).read_bytes(), ""))
    data_page.run()
    assert not data_page.exception
    said = texts(data_page).replace("\\", "")
    assert verdict_of(data_page) == row["verdict"], said
    for term in filter(None, row["must_say"].split("|")):
        assert term.lower() in said.lower(), said
    assert data_page.session_state["session"].dataset.digest == in_use, "the cohort in use was touched"
    for secret in SECRETS:
        assert secret not in said.lower().replace("does", "")
    usable = [b for b in data_page.button if b.label == "Use this cohort" and not b.disabled]
    assert bool(usable) <= (row["verdict"] in ("ok", "warn"))
    figure("bad files through the page", 1)


def verdict_of(app: AppTest) -> str:
    """What a person reads off the boxes of the report."""
    boxes = "\n".join(str(e.value) for e in (*app.error, *app.warning))
    if "**Refused**" in boxes:
        return "refuse"
    if "**Must be mended**" in boxes:
        return "error"
    return "warn" if "**Please look at this**" in boxes else "ok"


def test_a_good_table_after_a_bad_one_can_be_used(app):
    open_page(app, "data")
    app.file_uploader[0].upload("broken.xlsx", b"PK\x03\x04 cut off", "").run()
    assert not app.exception
    assert "damaged" in texts(app)
    rows = "".join(f"s{i},{i * 1.5},{i % 7},{'xy'[i % 2]}\n" for i in range(20))
    app.file_uploader[0].clear()
    app.file_uploader[0].upload("good.csv", b"sample_id,a,b,label\n" + rows.encode(), "text/csv").run()
    assert not button(app, "Use this cohort").disabled
