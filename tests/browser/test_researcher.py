"""A researcher's walk: an archive of images and tables, a quick look, the verdict on fusion and one patient."""

from __future__ import annotations

import re

from app_steps import LONG, Clicks, map_drawn
from browser_harness import ROOT, AppServer, artifact
from playwright.sync_api import Page, expect

ARCHIVE = ROOT / "sample_data/fusion/cohort.zip"
MOST_CLICKS = 8


def test_from_an_archive_to_the_verdict_on_fusion_in_few_clicks(app_server: AppServer, page: Page) -> None:
    click = Clicks()
    page.goto(f"{app_server.url}/fusion")
    click(page.get_by_role("link", name="Choose your own"))
    with page.expect_file_chooser() as chooser:
        click(page.get_by_role("button", name="Upload", exact=True).filter(visible=True))
    chooser.value.set_files(ARCHIVE)
    click(page.get_by_role("button", name="Read images and tables"))
    click(page.get_by_role("button", name="Use this cohort"))
    click(page.get_by_role("link", name="Compare or train on it"))
    expect(page.get_by_text(re.compile("Takes about .* on two quiet cores, for these 240 patients"))).to_be_visible()
    expect(page.get_by_text("Controls, the other networks and adaptive fusion are left out")).to_be_visible()
    page.screenshot(path=artifact("researcher-quick-look.png"))
    click(page.get_by_role("button", name="Start", exact=True))
    expect(page.get_by_text("It is shown under “What fusion gains”")).to_be_visible(timeout=2 * LONG)
    click(page.get_by_role("tab", name="What fusion gains"))
    expect(page.get_by_text("Shown: cohort, a comparison of this tab.")).to_be_visible()
    expect(page.get_by_text(re.compile("Of all models .* did best here.*this is a first look"))).to_be_visible()
    expect(page.get_by_text("Left out: late fusion, cross-attention, controls, adaptive fusion")).to_be_visible()
    assert click.count <= MOST_CLICKS
    page.screenshot(path=artifact("researcher-verdict.png"))
    page.get_by_role("tab", name="One patient").click()
    map_drawn(page)
    expect(page.get_by_text("What stands out here")).to_be_visible()
    page.screenshot(path=artifact("researcher-patient.png"))
