"""A whole slide in a real browser: uploaded, its patches seen, the prediction drawn over its tissue."""

from __future__ import annotations

from pathlib import Path

from browser_harness import AppServer
from planted_slides import saved
from playwright.sync_api import Page, expect

from tools.slide_benchmark import write_slide


def test_a_slide_is_uploaded_and_a_prediction_drawn_over_it(app_server: AppServer, page: Page, tmp_path: Path) -> None:
    model, slide = saved(tmp_path / "spots.safetensors", 2), tmp_path / "slide.svs"
    write_slide(slide, 1024)
    page.goto(f"{app_server.url}/expression")
    page.get_by_role("tab", name="On a slide").click()
    uploads = page.get_by_role("tabpanel").locator("input[type=file]")
    uploads.nth(0).set_input_files(model)
    expect(page.get_by_text("2 patches a patient of 16 pixels")).to_be_visible()
    uploads.nth(1).set_input_files(slide)
    page.get_by_role("button", name="Read the slide and predict").click()
    expect(page.get_by_text("hold tissue")).to_be_visible()
    expect(page.get_by_role("tabpanel").get_by_test_id("stImage").locator("img").first).to_be_visible()
    expect(page.get_by_text("DARK, of the patient")).to_be_visible()
    chart = page.get_by_role("tabpanel").locator(".js-plotly-plot")
    expect(chart.locator("image").first).to_be_attached()
    expect(chart.locator(".heatmaplayer image, .hm image").first).to_be_attached()
    expect(page.get_by_text("Predicted, not measured")).to_be_visible()
    page.get_by_role("combobox", name="Drawn over the slide").press("ArrowDown")  # a list closes when the page scrolls
    page.get_by_role("option", name="What each patch counts").click()
    expect(page.get_by_text("times the mean")).to_be_attached()
