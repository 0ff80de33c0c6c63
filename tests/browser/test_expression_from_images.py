"""Expression from images in a real browser: which genes, one gene, one patient, a training."""

from __future__ import annotations

import re

from app_steps import go
from browser_harness import AppServer
from playwright.sync_api import Page, expect


def test_the_shipped_comparison_says_which_genes_are_predicted(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/expression")
    expect(page.get_by_text("genes are predicted (r > 0")).to_be_visible()
    expect(page.get_by_text("falls, as it must")).to_be_visible()
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the table").click()
    header, *rows = download.value.path().read_text().splitlines()
    assert "research-use-only" in download.value.suggested_filename
    assert header.startswith("gene,r,")
    assert len(rows) == 400


def test_a_gene_and_a_patient_are_looked_at(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/expression")
    page.get_by_role("tab", name="One gene").click()
    expect(page.get_by_text(re.compile("this gene is"))).to_be_visible()
    page.get_by_role("tab", name="One patient").click()
    expect(page.locator(".gm figure canvas")).to_have_count(3)
    share = page.get_by_test_id("stImage").locator("img").nth(1)
    expect(share).to_be_visible()
    before = share.get_attribute("src")
    page.get_by_text("A module", exact=True).click()
    expect(share).not_to_have_attribute("src", before or "")
    expect(page.get_by_text("Better than random orders").first).to_be_visible()


def test_a_network_is_trained_and_downloaded(app_server: AppServer, page: Page) -> None:
    page.goto(f"{app_server.url}/data")
    page.get_by_role("tab", name="Images and omics").click()
    page.get_by_role("button", name="Use this").last.click()
    expect(page.get_by_text("Images in use: Simulated images + expression cohort")).to_be_visible()
    go(page, "Expression")
    page.get_by_role("tab", name="Train and compare").click()
    page.get_by_role("combobox", name=re.compile(r"\bWork\b")).click()
    page.get_by_role("option", name="Train one network").click()
    expect(page.get_by_role("combobox", name=re.compile(r"\bHead\b"))).to_be_visible()
    page.get_by_role("spinbutton", name="Epochs").fill("1")
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text("trained on all patients")).to_be_visible(timeout=180_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "expression.safetensors"
