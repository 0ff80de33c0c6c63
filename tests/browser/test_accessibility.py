"""axe (WCAG 2.2 A and AA) finds nothing of ours to mend: every page, both themes, narrow and wide."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from app_steps import choose_view, compare_quickly, go, map_drawn, use_sample
from axe_playwright_python.sync_playwright import Axe
from browser_harness import AppServer
from playwright.sync_api import Page, expect

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
UPSTREAM = {("list", "stSidebarNavItems"), ("listitem", "stSidebarNavItems")}
"""Streamlit's own menu: section titles as paragraphs among the items of a list."""
PAGES = ("Data", "Train", "Compare", "Benchmark", "Fusion", "Expression", "Growth", "Learn")
VIEWS = ("Classes", "Side by side", "Layout quality", "Placement", "Fewer samples")


def violations(page: Page) -> list[str]:
    """What axe holds against the page as it stands, Streamlit's menu apart."""
    found: list[dict[str, Any]] = Axe().run(page, options={"runOnly": RULES}).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:200]} {node['failureSummary'][:200]}"
        for rule in found
        for node in rule["nodes"]
        if not any(rule["id"] == known and _inside(page, node, place) for known, place in UPSTREAM)
    ]


def _inside(page: Page, node: dict[str, Any], test_id: str) -> bool:
    return bool(
        page.evaluate(
            "([selector, id]) => !!document.querySelector(selector)?.closest(`[data-testid=${id}]`)",
            [node["target"][-1], test_id],
        )
    )


def open_menu(page: Page) -> None:
    """On a narrow page the menu is folded away."""
    button = page.get_by_test_id("stExpandSidebarButton")
    if button.count() and button.first.is_visible():
        button.first.click()


def settle(page: Page) -> None:
    """Wait until the script has ended; what is still being drawn is dimmed, and dim text has no contrast."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.wait_for_timeout(700)


@pytest.mark.parametrize("width", [800, 1280, 1920])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_page_has_a_violation_of_ours(
    app_server: AppServer, make_page: Callable[..., Page], width: int, dark: bool
) -> None:
    page = make_page(width=width, height=900, dark=dark)
    page.goto(app_server.url)
    map_drawn(page)
    found = {"Genomap": violations(page)}
    for name in PAGES:
        open_menu(page)
        go(page, name)
        settle(page)
        found[name] = violations(page)
    assert not {name: what for name, what in found.items() if what}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_no_view_of_the_maps_has_a_violation_of_ours(
    app_server: AppServer, make_page: Callable[..., Page], dark: bool
) -> None:
    page = make_page(dark=dark)
    page.goto(app_server.url)
    map_drawn(page)
    found = {}
    for view in VIEWS:
        choose_view(page, view)
        settle(page)
        found[view] = violations(page)
    assert not {view: what for view, what in found.items() if what}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_results_have_no_violation_of_ours(app_server: AppServer, make_page: Callable[..., Page], dark: bool) -> None:
    page = make_page(dark=dark)
    page.goto(app_server.url)
    map_drawn(page)
    use_sample(page, "Wine")
    compare_quickly(page, leave_out=("GenoMap network, random layout (control)", "Random forest"))
    settle(page)
    assert not violations(page)
