"""The Benchmark page in a real browser: a study is run to its end, read, filtered and downloaded, and given back."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from app_steps import LONG
from axe_playwright_python.sync_playwright import Axe
from browser_harness import ROOT, AppServer, artifact
from playwright.sync_api import Page, expect

sys.path.append(str(Path(__file__).parents[1] / "benchmark"))
from made_up_study import PROTOCOL, planted, study

from genomap_core.benchmark.reading import write_records
from genomap_core.benchmark.uploaded import read_upload

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
TABS = (
    "Verdict",
    "Every data set",
    "Noise and fewer rows",
    "Where and at what cost",
    "Failures and data",
    "Run a study",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    with AppServer(ROOT / "app.py", tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("records") / "made-up.parquet"
    write_records(study(planted(PROTOCOL)), path)
    return path


def upload_records(page: Page, server: AppServer, path: Path) -> None:
    page.goto(f"{server.url}/benchmark")
    page.get_by_text("Open records", exact=True).click()
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)
    expect(page.get_by_text("has the best mean rank")).to_be_visible()


def settled(page: Page) -> None:
    """Wait until the script that a click started has ended: a list that is drawn anew can't be clicked."""
    page.wait_for_timeout(400)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()
    settled(page)


def only(page: Page, label: str, options: list[str]) -> None:
    """Let these be the chosen ones of a multiselect."""
    box = page.get_by_test_id("stMultiSelect").filter(has_text=label).last
    box.get_by_role("button", name="Clear all").click()
    settled(page)
    for option in options:
        box.get_by_role("combobox").fill(option)
        page.get_by_role("option", name=option).first.click()
        settled(page)
    page.keyboard.press("Escape")


def downloaded(page: Page, button: str) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name=button, exact=True).first.click()
    return Path(download.value.path()).read_bytes()


def test_given_records_are_shown_filtered_and_downloaded(server: AppServer, page: Page, records: Path) -> None:
    upload_records(page, server, records)
    expect(page.get_by_text("the layout matters")).to_be_visible()
    for tab in TABS:
        open_tab(page, tab)
        if tab in TABS[:4]:
            expect(page.locator(".js-plotly-plot").first).to_be_visible()
    open_tab(page, "Verdict")
    page.get_by_test_id("stMultiSelect").filter(has_text="Models").get_by_role("combobox").click()
    page.get_by_role("option", name="Random forest").click()
    settled(page)
    page.get_by_role("option", name="Logistic regression").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Logistic regression has the best mean rank (1.00 of 2)")).to_be_visible()
    found = read_upload(downloaded(page, "Records, Parquet"))
    assert set(found.table["model"]) == {"forest", "logistic"}
    header, *rows = downloaded(page, "Records, CSV").decode().splitlines()
    assert header.startswith("dataset,condition,model,seed,fold,status")
    assert len(rows) == len(found.table)
    picture = downloaded(page, "SVG")
    assert picture.startswith(b'<svg xmlns="http://www.w3.org/2000/svg"')
    assert b"For research use only" in picture


@pytest.mark.slow
def test_a_tiny_study_is_run_to_its_end(make_server: Callable[..., AppServer], page: Page) -> None:
    server = make_server()
    page.goto(f"{server.url}/benchmark")
    page.get_by_role("tab", name="Run a study", exact=True).or_(page.get_by_text("No stored study yet")).first.click()
    only(page, "Data sets", ["Wine cultivars"])
    only(page, "Models", ["Class frequencies", "Logistic regression"])
    only(page, "Conditions", ["undisturbed", "50 % noise"])
    for name, number in {"Folds": 2, "At a time": min(2, os.cpu_count() or 1)}.items():
        page.get_by_role("spinbutton", name=name).fill(str(number))
        page.get_by_role("spinbutton", name=name).press("Tab")
        settled(page)
    expect(page.get_by_text(re.compile(r"8 runs \(1 data set, 2 models, 2 conditions\)"))).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("progressbar").or_(page.get_by_text("8 runs, 8 of them")).first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("8 runs, 8 of them to their end")).to_be_visible(timeout=LONG)
    open_tab(page, "Verdict")
    expect(page.get_by_text("has the best mean rank")).to_be_visible()
    report = downloaded(page, "Report, HTML").decode()
    assert len(read_upload(downloaded(page, "Records, Parquet")).table) == 8
    page.set_content(report)
    expect(page.get_by_role("heading", name="Robustness study")).to_be_visible()
    expect(page.get_by_text("Logistic regression").first).to_be_visible()
    assert page.locator("script").count() == 0


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [800, 1280])
def test_every_view_can_be_read(
    server: AppServer, make_page: Callable[..., Page], records: Path, width: int, dark: bool
) -> None:
    page = make_page(width=width, height=1000, dark=dark)
    upload_records(page, server, records)
    found = {}
    for tab in TABS:
        open_tab(page, tab)
        page.wait_for_timeout(900)
        page.screenshot(path=artifact(f"benchmark-{width}-{'dark' if dark else 'light'}-{tab}.png"), full_page=True)
        found[tab] = [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in Axe().run(page, options={"runOnly": RULES}).response["violations"]
            if rule["id"] not in ("list", "listitem")  # Streamlit's own menu
            for node in rule["nodes"]
        ]
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), tab
    assert not {tab: what for tab, what in found.items() if what}
