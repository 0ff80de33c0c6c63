"""Images and omics in a real browser: the shipped comparison, one patient, an upload, a training."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from app_steps import map_drawn
from browser_harness import ROOT, AppServer, artifact
from playwright.sync_api import Page, expect

ARCHIVE = ROOT / "sample_data/fusion/cohort.zip"


def cut_off(page: Page, what: str) -> list[str]:
    """Words of the visible elements that do not fit into them."""
    shown = page.locator(what).filter(visible=True)
    expect(shown.first).to_be_visible()
    wide = "e => e.scrollWidth > e.clientWidth + 1 ? [e.value || e.innerText] : []"
    return [words for k in range(shown.count()) for words in shown.nth(k).evaluate(wide)]


def test_the_shipped_comparison_says_what_fusion_gains(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/fusion")
    expect(page.get_by_text("use both")).to_be_visible()
    expect(page.get_by_text("What each type of data does for each class")).to_be_visible()
    expect(page.get_by_text("For research use only. Not for use in diagnostic procedures.")).to_be_visible()


def test_a_patient_is_explained_over_image_and_omics(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/fusion")
    page.get_by_role("tab", name="One patient").click()
    expect(page.get_by_text("Modules and image regions together")).to_be_visible()
    expect(page.locator(".gm canvas").first).to_be_visible()
    picture = page.get_by_test_id("stImage").locator("img").first
    before = picture.get_attribute("src")
    assert not cut_off(page, "[role=radiogroup]")
    page.get_by_text("Grad-CAM", exact=True).click()
    expect(picture).not_to_have_attribute("src", before or "")
    expect(page.get_by_text("Better than random orders")).to_be_visible()


@pytest.mark.parametrize(("name", "least"), [("fusion", "expr"), ("expression", "GENE")])
def test_a_sentence_marks_its_cell_and_a_cell_calls_up_its_sentence(
    app_server: AppServer, page: Page, name: str, least: str
) -> None:
    page.goto(f"{app_server.url}/{name}?{name}_tab=One+patient")
    map_drawn(page)
    found = page.locator(".st-key-findings").get_by_role("button", name=re.compile(f"^{least}"))
    expect(found).to_have_count(3)
    said = found.last.inner_text()
    found.last.click()
    first = page.locator(".st-key-findings").get_by_role("button").first
    expect(first).to_contain_text(said[:30])
    expect(page).to_have_url(re.compile(r"feature=\d+"))
    marked = re.search(r"feature=(\d+)", page.url)
    page.locator(".gm canvas[role=application]").first.click(position={"x": 9, "y": 9})
    expect(first).not_to_contain_text(said[:30])
    assert marked is not None
    expect(page).not_to_have_url(re.compile(rf"feature={marked[1]}\b"))
    page.reload()
    map_drawn(page)
    expect(page.get_by_role("tab", name="One patient")).to_have_attribute("aria-selected", "true")
    expect(page).to_have_url(re.compile(r"feature=\d+"))
    page.get_by_role("radio", name="Difference").click()
    expect(page.locator(".gm-panel b").first).to_contain_text("minus the cohort")
    page.screenshot(path=artifact(f"{name}-stands-out.png"))


def test_an_archive_is_read_used_and_trained_on(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/data")
    page.get_by_role("tab", name="Images and omics").click()
    page.locator("input[type=file]").last.set_input_files(ARCHIVE)
    page.get_by_role("button", name="Read images and tables").click()
    expect(page.get_by_text("The first 12 of 240")).to_be_visible()
    page.get_by_role("button", name="Use this cohort").click()
    expect(page.get_by_text("Images in use: cohort")).to_be_visible()
    page.get_by_role("link", name="Compare or train on it").click()
    expect(page.get_by_text("to see it here, start a comparison")).to_be_visible()
    page.get_by_role("combobox", name=re.compile(r"\bWork\b")).click()
    page.get_by_role("option", name="Train one network").click()
    expect(page.get_by_role("spinbutton", name="Folds")).to_have_count(0)  # a training has none
    page.get_by_role("spinbutton", name="Epochs").fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("trained on all patients")).to_be_visible(timeout=180_000)
    page.reload()
    expect(page.get_by_text("trained on all patients")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "fusion.safetensors"


def test_no_choice_is_cut_off_on_a_narrow_screen(app_server: AppServer, make_page: Callable[..., Page]) -> None:
    page = make_page(width=800)
    page.goto(f"{app_server.url}/data")
    page.get_by_role("tab", name="Images and omics").click()
    expect(page.get_by_label("Slices of a volume").first).to_be_visible()
    assert not cut_off(page, "[data-testid=stSelectbox] input, [data-testid=stCheckbox] p")
    page.goto(f"{app_server.url}/fusion")
    page.get_by_role("tab", name="One patient").click()
    expect(page.get_by_text("Better than random orders")).to_be_visible()
    assert not cut_off(page, "[data-testid=stMetricLabel] p, [role=radiogroup]")
    canvas, said = page.locator(".gm canvas").first, page.locator(".st-key-findings")
    canvas.hover()
    tip, map_box, words = (part.bounding_box() for part in (page.locator(".gm-tip"), canvas, said))
    assert tip is not None
    assert map_box is not None
    assert words is not None
    assert 0 <= tip["x"] <= 800 - tip["width"]
    assert words["x"] > map_box["x"] + map_box["width"], "what stands out lies beside the map"


def test_on_a_touch_screen_no_tool_bar_lies_over_a_chart(app_server: AppServer, make_page: Callable[..., Page]) -> None:
    for touch in (True, False):
        page = make_page(touch=touch)
        page.goto(f"{app_server.url}/fusion")
        expect(page.locator(".ytick text").first).to_be_visible()
        bar = page.locator(".modebar-container").first
        expect(bar).to_be_attached()
        assert (bar.evaluate("e => getComputedStyle(e).display") == "none") == touch


def test_words_of_charts_have_the_ink_of_the_page(app_server: AppServer, make_page: Callable[..., Page]) -> None:
    for dark in (False, True):
        page = make_page(dark=dark)
        page.goto(f"{app_server.url}/fusion")
        expect(page.locator(".ytick text").first).to_be_visible()
        ink = page.locator("[data-testid=stMain] h1").first.evaluate("e => getComputedStyle(e).color")
        for words in (".ytick text", ".xtick text", ".cbaxis text"):
            assert page.locator(words).first.evaluate("e => getComputedStyle(e).fill") == ink
