"""Reads what the gene map has drawn in a browser, and moves its sliders."""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
from browser_harness import AppServer
from playwright.sync_api import Locator, Page, expect

from pages._ui.gene_map import MapData

READ = """root => {
  const detail = {};
  root.dispatchEvent(new CustomEvent('gene-map-read', {detail}));
  const bytes = new Uint8Array(detail.values.buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return {values: btoa(text), place: detail.place, size: detail.size, written: detail.written};
}"""
PIXELS = """canvas => {
  const image = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let text = '';
  for (let i = 0; i < image.data.length; i += 8192) text += String.fromCharCode(...image.data.subarray(i, i + 8192));
  return btoa(text);
}"""


def show(page: Page, server: AppServer, **asked: Any) -> Locator:
    """Open the page on such maps; the component's root once it has drawn."""
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    page.goto(f"{server.url}/?{query}")
    root = page.locator(".gm")
    expect(root).to_have_attribute("data-digest", re.compile("."), timeout=60_000)
    return root


def shown_values(root: Locator, data: MapData) -> np.ndarray:
    """What the browser has on its screen: ``(k, q)`` float32, features with a cell."""
    raw = base64.b64decode(root.evaluate(READ)["values"])
    return np.frombuffer(raw, "<f4").reshape(data.n_maps, -1)


def cell_colours(root: Locator, data: MapData, panel: int = 0) -> np.ndarray:
    """``(H, W, 3)``: the pixel in the middle of every cell of a panel that is not zoomed."""
    where = root.evaluate(READ)
    height, width = where["size"]["height"], where["size"]["width"]
    raw = base64.b64decode(root.locator("canvas[role=application]").nth(panel).evaluate(PIXELS))
    image = np.frombuffer(raw, np.uint8).reshape(height, width, 4)[..., :3]
    cell = where["place"]["cell"]
    rows, columns = (np.floor((np.arange(n) + 0.5) * cell).astype(int) for n in data.places.shape)
    return image[np.ix_(rows, columns)]


def slide(root: Locator, name: str, to: int) -> None:
    """Drag a slider to a stop and let go."""
    root.locator(f"#gm-{name}").evaluate(
        """(slider, to) => {
          slider.value = to;
          for (const kind of ['input', 'change']) slider.dispatchEvent(new Event(kind));
        }""",
        to,
    )
