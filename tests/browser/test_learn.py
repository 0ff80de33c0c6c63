"""The Learn page in a real browser: the plans under the reader's hand are those of a well-kept library."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import ot
import pytest
from browser_harness import AppServer
from playwright.sync_api import Locator, Page, expect

READ = "root => { const detail = {}; root.dispatchEvent(new CustomEvent('ot-read', {detail})); return detail; }"


@pytest.fixture
def clouds(app_server: AppServer, page: Page) -> Locator:
    """Both canvases: transport, then Gromov-Wasserstein."""
    page.goto(f"{app_server.url}/learn?lesson=transport")
    page.get_by_text("It changes a little").click()
    roots = page.locator(".ot")
    for k in (0, 1):
        expect(roots.nth(k)).to_have_attribute("data-digest", re.compile("."), timeout=120_000)
    return roots


def seen(root: Locator) -> dict[str, Any]:
    """What is on the screen."""
    return dict(root.evaluate(READ))


def entropy(root: Locator, exponent: float) -> None:
    """Move the slider."""
    root.locator(".ot-entropy").evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", exponent)


def shares(found: dict[str, Any]) -> list[np.ndarray]:
    """Masses as probabilities."""
    return [np.array(m) / np.sum(m) for m in found["masses"]]


@pytest.mark.parametrize("exponent", [-2.0, -1.0])
def test_the_plan_is_the_librarys(clouds: Locator, exponent: float) -> None:
    root = clouds.nth(0)
    entropy(root, exponent)
    root.locator(".ot-mass").evaluate("s => { s.value = 3; s.dispatchEvent(new Event('input')); }")
    found = seen(root)
    a, b = shares(found)
    assert a.max() > 2 * a.min()
    cost = ot.dist(*(np.array(p) for p in found["points"]))
    plan = ot.sinkhorn(a, b, cost, found["epsilon"], method="sinkhorn_log", numItermax=20_000, stopThr=1e-10)
    np.testing.assert_allclose(found["plan"], plan, atol=2e-5)


def test_gromov_finds_who_is_who_whatever_the_turn(clouds: Locator) -> None:
    root = clouds.nth(1)
    found = seen(root)
    C1, C2 = (ot.dist(np.array(p), metric="euclidean") for p in found["points"])
    plan = np.array(found["plan"])
    match = plan.argmax(1)
    assert sorted(match) == list(range(len(match)))
    np.testing.assert_allclose(C1, C2[np.ix_(match, match)], atol=0.03)  # the same shape, point by point
    root.get_by_role("button", name="Turn the targets").click()
    turned = seen(root)
    assert not np.allclose(turned["points"][1], found["points"][1])
    assert list(np.array(turned["plan"]).argmax(1)) == list(match)


def test_points_move_by_mouse_and_by_keys(clouds: Locator, page: Page) -> None:
    root = clouds.nth(0)
    before = seen(root)["points"][0][0]
    point = root.locator(".ot-points > *").first
    box = point.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 80, box["y"] + 10, steps=4)
    page.mouse.up()
    dragged = seen(root)["points"][0][0]
    assert dragged[0] > before[0] + 0.05
    point.focus()
    point.press("ArrowLeft")
    assert seen(root)["points"][0][0][0] == pytest.approx(dragged[0] - 0.02, abs=1e-6)
    root.get_by_role("button", name="Start again").click()
    assert seen(root)["points"][0][0] == pytest.approx(before)
