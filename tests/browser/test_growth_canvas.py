"""The Growth page in a real browser: time, play, and the what-if physics, which is the network's own."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from app_steps import choose, choose_view
from browser_harness import AppServer
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from genomap_core.models.physnet import PhysicsConfig
from genomap_core.models.reaction_diffusion import evolve

LONG = 180_000
READ = """root => {
  const detail = {};
  root.dispatchEvent(new CustomEvent('growth-read', {detail}));
  return detail;
}"""


@pytest.fixture
def canvas(app_server: AppServer, page: Page) -> Locator:
    """The growth canvas of the first simulated glioma."""
    page.goto(f"{app_server.url}/growth")
    root = page.locator(".gr")
    expect(root).to_have_attribute("data-digest", re.compile("."), timeout=LONG)
    return root


def seen(root: Locator) -> dict[str, Any]:
    """What is on the screen."""
    return dict(root.evaluate(READ))


def slide(root: Locator, name: str, to: float) -> None:
    """Move a slider."""
    root.locator(f".gr-{name}").evaluate("(s, to) => { s.value = to; s.dispatchEvent(new Event('input')); }", to)


def test_time_moves_by_slider_keys_and_play(canvas: Locator) -> None:
    last = len(seen(canvas)["frames"]) - 1
    assert seen(canvas)["at"] == last == 10
    slide(canvas, "time", 3)
    assert seen(canvas)["at"] == 3
    expect(canvas.locator(".gr-time-out")).to_have_text("step 3 of 10")
    canvas.locator("canvas").focus()
    canvas.locator("canvas").press("ArrowRight")
    assert seen(canvas)["at"] == 4
    canvas.get_by_role("button", name="Play").click()
    expect(canvas.locator(".gr-time-out")).to_have_text("step 10 of 10: the image")
    expect(canvas.get_by_role("button", name="Play")).to_have_attribute("aria-pressed", "false")


def test_the_words_below_count_the_cells_within_the_contours(canvas: Locator) -> None:
    last = np.array(seen(canvas)["frames"][-1])
    share = f"{100 * (last >= 0.16).mean():.1f} % of the picture above 16 %, {100 * (last >= 0.8).mean():.1f} %"
    expect(canvas.locator(".gr-live")).to_contain_text(share)


def test_other_rates_grow_as_the_network_would_grow_them_and_can_be_taken_back(canvas: Locator) -> None:
    before = seen(canvas)["frames"]
    u0 = torch.tensor(before[0], dtype=torch.float64)
    side = int(np.sqrt(len(u0)))
    slide(canvas, "d", 1.0)
    slide(canvas, "r", 1.0)
    after = seen(canvas)
    assert after["whatIf"]
    numbers = [canvas.locator(f".gr-{n}-out").inner_text().split()[0] for n in ("d", "r")]
    d, r = (torch.full((1, 1, 1), float(n), dtype=torch.float64) for n in numbers)
    scheme = replace(PhysicsConfig().scheme, method="explicit", refine=2)
    want = evolve(u0.reshape(1, side, side), d, r, scheme)[0].flatten(1).numpy()
    np.testing.assert_allclose(np.array(after["frames"]), want, atol=1e-4)
    canvas.get_by_role("button", name="As seen in the image").click()
    assert seen(canvas)["frames"] == before


def test_a_photograph_gets_no_class_and_no_contour_on_the_page_or_in_its_report(
    app_server: AppServer, page: Page, tmp_path: Path
) -> None:
    path = tmp_path / "photo.png"
    rows, columns = np.mgrid[:200, :260]
    light = 120 + 60 * np.sin(rows / 17) + 50 * np.cos(columns / 23)
    Image.fromarray(np.stack([light, light * 0.8, 255 - light], axis=2).clip(0, 255).astype(np.uint8)).save(path)
    page.goto(f"{app_server.url}/growth")
    expect(page.locator(".gr")).to_have_attribute("data-digest", re.compile("."), timeout=LONG)
    choose_view(page, "My own image")
    uploader = page.get_by_test_id("stFileUploader").filter(has_text="One MRI slice or volume")
    uploader.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(path)
    choose(page, "What is this image? The file does not say.", "Magnetic resonance (MRI)")
    expect(page.get_by_text("No answer").first).to_be_visible(timeout=LONG)
    expect(page.locator(".gr")).to_have_count(0)
    expect(page.get_by_text("Classes", exact=True)).to_have_count(0)
    expect(page.get_by_text("PhysNet", exact=True)).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report of this slice HTML").click()
    report = download.value.path().read_text()
    assert "No answer" in report
    assert "<svg" not in report
    assert "PhysNet" not in report
    # The kinds of training images that lie nearest are named, once, and that they say nothing of this one.
    rest, told = re.subn(
        r"The training images nearest to it are of the kinds .*? says nothing about this one", "", report
    )
    assert told == 1
    assert not [word for word in ("glioma", "meningioma", "pituitary", "no tumour") if word in rest]
