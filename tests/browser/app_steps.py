"""What a person does with the app, step by step, for the tests in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

LONG = 180_000
"""Milliseconds: how long a job may take on a slow machine."""


class Clicks:
    """Every click of a walk, counted."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: Locator) -> None:
        target.click(timeout=LONG)
        self.count += 1


def map_drawn(page: Page) -> None:
    """Wait until a gene map shows its numbers."""
    expect(page.locator(".gm").first).to_have_attribute("data-digest", re.compile("."), timeout=LONG)


def settled(page: Page) -> None:
    """Wait until the script has ended: a click on what it draws anew just then would be lost."""
    state = "() => document.querySelector('.stApp').dataset.testScriptState === 'notRunning'"
    page.wait_for_function(state, timeout=LONG)


def go(page: Page, name: str) -> None:
    """Follow the menu."""
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()


def choose(page: Page, label: str, option: str) -> None:
    """Pick an option of a selectbox."""
    page.get_by_label(label).first.click()
    page.get_by_role("option", name=option, exact=True).click()


def use_sample(page: Page, title: str) -> None:
    """Take a sample cohort on the Data page."""
    go(page, "Data")
    card = page.locator("[data-testid=stVerticalBlock]", has=page.get_by_text(title, exact=True)).last
    card.get_by_role("button", name="Use this").click()
    expect(page.get_by_text(f"In use: {title}")).to_be_visible()


def upload(page: Page, path: Path) -> None:
    """Upload a table and take it."""
    go(page, "Data")
    page.get_by_role("tab", name="Your own table").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(path)
    page.get_by_role("button", name="Use this cohort").click(timeout=LONG)
    expect(page.get_by_text(f"In use: {path.name}")).to_be_visible(timeout=LONG)


def choose_view(page: Page, name: str) -> None:
    """A view of the Genomap page."""
    page.get_by_role("radio", name=name, exact=True).click()


def compare_quickly(page: Page, leave_out: tuple[str, ...] = (), features: int | None = None) -> None:
    """Compare on two folds, without these models; wait until one patient is explained by two of them."""
    go(page, "Compare")
    for model in leave_out:
        page.get_by_role("button", name=f"Remove {model}", exact=True).click()
    for label, value in (("Folds", 2), ("Features on the map", features)):
        if value is not None:
            page.get_by_role("spinbutton", name=label).fill(str(value))
            page.get_by_role("spinbutton", name=label).press("Tab")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("All models on the same folds")).to_be_visible(timeout=2 * LONG)
    map_drawn(page)
    expect(page.get_by_text("Rank agreement")).to_be_visible(timeout=LONG)
