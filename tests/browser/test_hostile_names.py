"""Threat 11 in a real browser: names of genes, patients, classes and the file act on no page and ask nobody.

Every page of the suite is watched: a request that leaves this machine fails the test.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from browser_harness import AppServer, NetworkWatch, artifact
from playwright.sync_api import Page, expect

sys.path.append(str(Path(__file__).parents[1] / "trust"))

from hostile import evil_table

OWNED = """() => document.title.includes('owned') || !!document.querySelector(
    'img[src*="evil.example"], a[href*="evil.example"], svg[onload], script[src*="evil.example"]')"""


def settled(page: Page) -> None:
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


@pytest.mark.slow
def test_names_act_on_no_page(
    app_server: AppServer, make_page: Callable[..., Page], network: NetworkWatch, figure
) -> None:
    page = make_page()
    page.goto(app_server.url)
    expect(page.locator(".gm").first).to_have_attribute("data-digest", re.compile("."), timeout=180_000)
    page.get_by_test_id("stSidebarNav").get_by_text("Data", exact=True).click()
    expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
    page.get_by_role("tab", name="Your own table").click()
    file = {"name": "[click](https__evil.example) **bold** _it_.csv", "mimeType": "text/csv", "buffer": evil_table()}
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(files=[file])
    page.get_by_role("button", name="Use this cohort").click(timeout=180_000)
    expect(page.get_by_text("In use:").first).to_contain_text("click")
    assert not page.evaluate(OWNED)
    for name in ("genomap", "train", "compare", "data"):
        page.get_by_test_id("stSidebarNav").get_by_text(name.capitalize(), exact=True).click()
        expect(page.get_by_role("heading", name=name.capitalize(), exact=True)).to_be_visible()
        settled(page)
        page.mouse.move(600, 500)
        assert not page.evaluate(OWNED), name
        page.screenshot(path=artifact(f"hostile-names-{name}.png"))
    assert not network.foreign
    figure("requests of the browser, watched", len(network.urls))
    figure("requests that left this machine", len(network.foreign))
