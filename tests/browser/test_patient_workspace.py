"""One patient as a clinician meets it: own table to what stands out and a report, refreshed, disturbed, cancelled."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_steps import LONG, Clicks, go, map_drawn, settled
from browser_harness import AppServer, artifact
from playwright.sync_api import Page, expect

MOST_CLICKS = 8


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty patients, of whom the third has one value far out and a column that is no feature."""
    rng = np.random.default_rng(0)
    made = pd.DataFrame(rng.normal(5, 1, size=(40, 60)).round(3), columns=[f"gene{j}" for j in range(60)])
    made.loc[0, "gene7"] = 14.0
    made.insert(0, "patient", [f"case-{i}" for i in range(40)])
    made["sex"] = np.where(np.arange(40) % 3 == 0, "female", "male")
    made["diagnosis"] = np.where(np.arange(40) % 2, "tumour", "normal")
    path = tmp_path / "mine.csv"
    made.to_csv(path, index=False)
    return path


def test_from_a_table_to_what_stands_out_and_a_report_in_few_clicks(
    app_server: AppServer, page: Page, table: Path
) -> None:
    click = Clicks()
    page.goto(app_server.url)
    map_drawn(page)
    click(page.get_by_test_id("stSidebarNav").get_by_role("link", name="Data", exact=True))
    click(page.get_by_role("tab", name="Your own table"))
    with page.expect_file_chooser() as chooser:
        click(page.get_by_role("button", name="Upload", exact=True).first)
    chooser.value.set_files(table)
    click(page.get_by_role("button", name="Use this cohort"))
    expect(page.get_by_text("In use: mine.csv")).to_be_visible(timeout=LONG)
    click(page.get_by_test_id("stSidebarNav").get_by_role("link", name="Genomap", exact=True))
    map_drawn(page)
    expect(page.get_by_text(re.compile("gene7 = 14 .*: higher than in all 39;"))).to_be_visible()
    page.screenshot(path=artifact("clinician-stands-out.png"))
    click(page.get_by_role("button", name="Save"))
    with page.expect_download() as download:
        click(page.get_by_role("button", name="Report, HTML"))
    assert click.count <= MOST_CLICKS
    report = download.value.path().read_text("utf-8")
    assert re.search("gene7 = 14 .*: higher than in all 39", report)
    assert "case-0" not in report, "no identifier but the one that was written"


def test_a_refresh_keeps_patient_feature_and_sliders_and_other_pages_follow(app_server: AppServer, page: Page) -> None:
    page.goto(app_server.url)
    map_drawn(page)
    shown = page.locator(".gm-panel b").first
    before = shown.text_content() or ""
    page.get_by_role("button", name="Next", exact=True).click()
    expect(shown).not_to_have_text(before)
    second = shown.text_content() or ""
    sentence = page.locator(".st-key-findings").get_by_role("button", name=re.compile("log2")).first
    named = (sentence.text_content() or "").split(" = ")[0].strip()
    sentence.click()
    expect(page.get_by_text("Neighbours on the map")).to_be_visible()
    noise = page.locator(".gm").first.get_by_role("slider").first
    noise.focus()
    for _ in range(10):
        noise.press("ArrowRight")
    expect(page.get_by_text("These are not the patient's own values")).to_be_visible()
    expect(page).to_have_url(re.compile(r"patient=2.*noise=0\.05"))
    page.reload()
    map_drawn(page)
    expect(shown).to_have_text(second)
    expect(page.locator(".gm").first).to_have_attribute("data-level", "0.05")
    expect(page.locator(".st-key-findings").get_by_role("button").first).to_contain_text(named)
    go(page, "Compare")
    map_drawn(page)
    expect(page.get_by_role("combobox", name=re.compile("Patient")).first).to_have_value(second)


def test_compare_opens_on_an_answer_and_a_refresh_keeps_the_models(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/compare")
    map_drawn(page)
    expect(page.locator(".gm-panel canvas")).to_have_count(2)
    expect(page.get_by_label("Which attribution to overlay")).to_be_visible()
    expect(page.get_by_text("held-out samples given").first).to_be_visible()
    expect(page.get_by_text("What stands out here")).to_be_in_viewport()
    for scale in page.locator(".gm-scale").all():
        expect(scale).to_be_in_viewport(ratio=1)
    middle = "e => { const b = e.getBoundingClientRect(); return b.x + b.width / 2; }"
    zeros = [mark.evaluate(middle) for mark in page.locator(".gm-zero").all()]
    assert zeros == pytest.approx([bar.evaluate(middle) for bar in page.locator(".gm-colours").all()], abs=1)
    page.screenshot(path=artifact("compare-opens.png"))
    page.get_by_label("First model").first.click()
    page.get_by_role("option", name="Logistic regression", exact=True).click()
    expect(page.locator(".gm-panel b").first).to_have_text("Logistic regression", timeout=LONG)
    page.reload()
    map_drawn(page)
    expect(page.locator(".gm-panel b").first).to_have_text("Logistic regression", timeout=LONG)


def test_disturbed_answers_are_told_large_with_the_undisturbed_beside_on_page_and_report(
    app_server: AppServer, page: Page
) -> None:
    page.goto(f"{app_server.url}/compare?first=Logistic+regression&second=Random+forest&noise=1")
    map_drawn(page)
    expect(page.get_by_text("Disturbed: these are not the patient's own values")).to_be_visible(timeout=LONG)
    expect(page.get_by_text(re.compile(r"\d+% disturbed, .* \d+% undisturbed")).first).to_be_visible(timeout=LONG)
    html = page.get_by_role("button", name="HTML", exact=True)
    expect(html).to_have_count(2, timeout=LONG)  # the patient's, once both are explained, and the cohort's
    settled(page)
    with page.expect_download(timeout=LONG) as download:
        html.first.click(timeout=LONG)
    report = download.value.path().read_text("utf-8")
    assert "Disturbed:" in report
    assert "noise of 100 % of each feature" in report
    assert re.search(r"\d+% \(\d+% to \d+%\); undisturbed \d+%", report)


def test_a_cancelled_comparison_is_no_error_and_the_answer_stays(
    app_server: AppServer, make_page: Callable[..., Page]
) -> None:
    page = make_page()
    page.goto(f"{app_server.url}/compare")
    map_drawn(page)
    page.get_by_role("button", name="Compare again", exact=True).click()
    page.get_by_role("button", name="Cancel", exact=True).click(timeout=LONG)
    expect(page.get_by_text("stopped, as you asked")).to_be_visible(timeout=LONG)
    expect(page.get_by_test_id("stAlertContentError")).to_have_count(0)
    expect(page.get_by_role("button", name="Resume")).to_be_visible()
    map_drawn(page)
