"""The gene map at every width, in both themes, saved, with hostile text and with reduced motion."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser_harness import AppServer, artifact
from gene_map_examples import example
from gene_map_reader import READ, cell_colours, show
from PIL import Image
from playwright.sync_api import Page, expect


@pytest.mark.parametrize("width", [800, 1280])
@pytest.mark.parametrize(
    "asked", [{"maps": 24, "h": 114, "w": 114}, {"overlays": 2}, {"h": 4, "w": 30}, {"h": 320, "w": 320}]
)
def test_nothing_sticks_out_at_any_width(
    gene_maps: AppServer, make_page: Callable[..., Page], width: int, asked
) -> None:
    page = make_page(width=width)
    root = show(page, gene_maps, **asked)
    inside = root.evaluate("""root => {
      const edge = root.getBoundingClientRect();
      return [...root.querySelectorAll('canvas, button, input, select, .gm-scale')].every(e => {
        const box = e.getBoundingClientRect();
        return box.width === 0 || box.left >= edge.left - 1 && box.right <= edge.right + 1;
      });
    }""")
    assert inside
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_cells_are_whole_device_pixels_in_both_themes(
    gene_maps: AppServer, make_page: Callable[..., Page], dark: bool
) -> None:
    page = make_page(dark=dark)
    root = show(page, gene_maps, overlays=2, level=0.1, keep=0.9)
    where = root.evaluate(READ)
    assert where["place"]["cell"] == int(where["place"]["cell"]) >= 8
    empty = cell_colours(root, example(overlays=2))[32, 32]
    assert (empty.mean() < 80) == dark, "an empty cell takes the page's ground"
    page.screenshot(path=artifact(f"gene-map-{'dark' if dark else 'light'}.png"))


def test_a_saved_picture_is_four_times_as_large_and_carries_the_notice(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps, overlays=1)
    width = root.locator("canvas[role=application]").bounding_box()["width"]
    with page.expect_download() as download:
        root.get_by_role("button", name="PNG").click()
    assert download.value.suggested_filename == "gene-map.png"
    image = Image.open(io.BytesIO(Path(download.value.path()).read_bytes())).convert("L")
    assert image.width == pytest.approx(4 * (width + 48), abs=4)
    pixels = np.asarray(image)
    assert (pixels[:60] > 250).all(), "a white margin"
    line = pixels[-130:, 4 * 24 : 4 * 420]
    assert 0.02 < (line < 100).mean() < 0.3, "the research-use line is burned in"


@pytest.mark.parametrize("side", [20, 90])
def test_names_of_regions_are_whole_apart_and_inside(
    gene_maps: AppServer, make_page: Callable[..., Page], side: int
) -> None:
    root = show(make_page(width=800), gene_maps, named=1, h=side, w=side)
    read = root.evaluate(READ)
    (written,) = read["written"]
    assert len(written) >= 7
    assert {box["name"] for box in written} <= set(example(named=1, h=side, w=side).region_names)
    for k, a in enumerate(written):
        assert a["x"] >= a["half"]
        assert a["x"] + a["half"] <= read["size"]["width"]
        assert a["y"] >= a["tall"]
        assert a["y"] + a["tall"] <= read["size"]["height"]
        for b in written[:k]:
            apart = abs(a["x"] - b["x"]) >= a["half"] + b["half"] or abs(a["y"] - b["y"]) >= a["tall"] + b["tall"]
            assert apart, f"{a['name']} lies on {b['name']}"


def test_text_from_data_is_never_markup(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps, hostile=1, h=5, w=5)
    title = page.title()
    canvas = root.locator("canvas[role=application]")
    canvas.hover(position={"x": 20, "y": 20})
    expect(root.locator(".gm-tip")).to_contain_text("<img src=x onerror=")
    expect(root.locator("figcaption").first).to_contain_text("<b onmouseover=")
    canvas.click(position={"x": 20, "y": 20})
    expect(page.get_by_text("clicked <img src=x")).to_be_visible()
    assert root.locator("img").count() == 0
    assert page.title() == title


def test_reduced_motion_is_respected(gene_maps: AppServer, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    root = show(page, gene_maps)
    durations = root.evaluate("""root => [...root.querySelectorAll('*')].map(e => getComputedStyle(e))
      .flatMap(s => [s.transitionDuration, s.animationDuration].join(',').split(',').map(parseFloat))""")
    assert max(durations) == 0
