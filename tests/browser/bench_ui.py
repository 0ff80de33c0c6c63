"""How fast the app feels: ``make bench-ui``, on a machine with nothing else to do.

A cohort of 20,000 features (a map of 142 x 142) is uploaded in a real browser; then each thing a person does is timed
many times, from the key press to the picture. Printed: median and 95th percentile, beside what is promised.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from app_steps import LONG, go, map_drawn, settled, upload
from browser_harness import FLAGS, ROOT, AppServer
from find_chromium import find_chromium
from playwright.sync_api import Browser, Page, sync_playwright

FEATURES, PATIENTS = 20_000, 100
PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
CLICK = """async (root, [what, words]) => {
  const wanted = [...document.querySelectorAll(what)].find(e => e.innerText.trim().endsWith(words));
  const before = root.dataset.digest, began = performance.now();
  wanted.click();
  while (root.dataset.digest === before) await new Promise(requestAnimationFrame);
  await new Promise(done => setTimeout(done));
  return performance.now() - began;
}"""
SLIDE = """async root => {
  const slider = root.querySelector('#gm-noise'), times = [];
  for (let i = 1; i <= 60; i++) {
    slider.value = 1 + i % 60;
    slider.dispatchEvent(new Event('input'));
    await new Promise(requestAnimationFrame);
    await new Promise(done => setTimeout(done));
    times.push(+root.dataset.drawMs);
  }
  return times;
}"""


def table(folder: Path) -> Path:
    """A made-up cohort with structure to place: 40 factors, two classes."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(PATIENTS, 40)) @ rng.normal(size=(40, FEATURES)) + rng.normal(size=(PATIENTS, FEATURES))
    frame = pd.DataFrame(X.astype(np.float32), columns=[f"G{j:05d}" for j in range(FEATURES)])
    frame.insert(0, "sample", [f"S{i:03d}" for i in range(PATIENTS)])
    frame.insert(1, "class", np.where(np.arange(PATIENTS) % 2, "case", "control"))
    path = folder / "wide.parquet"
    frame.to_parquet(path)
    return path


def first_paints(browser: Browser, url: str, repeats: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first paint, and to the first map, in a fresh profile each time."""
    paints, maps = [], []
    for _ in range(repeats):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        page = context.new_page()
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        map_drawn(page)
        maps.append(1e3 * (time.perf_counter() - began))
        paints.append(float(page.evaluate(PAINT)))
        context.close()
    return paints, maps


def timed(page: Page, act: Callable[[], None], done: Callable[[], None]) -> float:
    """Milliseconds from ``act`` to ``done``."""
    page.wait_for_timeout(400)
    began = time.perf_counter()
    act()
    done()
    return 1e3 * (time.perf_counter() - began)


def place_all(page: Page) -> None:
    """All features on the map, which takes fewer by default."""
    root = page.locator(".gm").first
    before = root.get_attribute("data-digest")
    page.get_by_role("button", name="Layout", exact=True).click()
    page.get_by_role("spinbutton", name="Features on the map").fill(str(FEATURES))
    page.get_by_role("spinbutton", name="Features on the map").press("Enter")
    page.keyboard.press("Escape")
    page.locator(f".gm:not([data-digest='{before}'])").first.wait_for()
    map_drawn(page)


def page_changes(page: Page, repeats: int) -> list[float]:
    """To the Data page and back to the drawn map, in turn."""
    times = []
    for _ in range(repeats):
        times.append(timed(page, lambda: go(page, "Data"), lambda: settled(page)))
        times.append(timed(page, lambda: go(page, "Genomap"), lambda: map_drawn(page)))
    return times


def patient_changes(page: Page, repeats: int) -> list[float]:
    """The next patient's map, drawn; on the page's own clock, from the click's event."""
    root, times = page.locator(".gm").first, []
    for _ in range(repeats):
        page.wait_for_timeout(400)
        times.append(float(root.evaluate(CLICK, ["button", "Next"])))
    return times


def patient_choices(page: Page, repeats: int) -> list[float]:
    """Any other patient's map, drawn after a choice from the list."""
    root, times = page.locator(".gm").first, []
    for k in range(repeats):
        page.wait_for_timeout(400)
        page.get_by_role("combobox", name="Patient").fill(f"S{(37 * k + 50) % PATIENTS:03d}")
        page.get_by_role("option").first.wait_for()
        times.append(float(root.evaluate(CLICK, ["[role=option]", ""])))
    return times


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=12)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = AppServer(ROOT / "app.py", Path(folder) / "home").start()
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        try:
            first_paints(browser, server.url, 1)  # the server's own first run
            paints, maps = first_paints(browser, server.url, repeats)
            page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
            page.set_default_timeout(LONG)
            page.goto(server.url)
            map_drawn(page)
            upload(page, table(Path(folder)))
            go(page, "Genomap")
            page.get_by_text(f"{FEATURES:,} features").first.wait_for()
            map_drawn(page)
            place_all(page)
            rows = [
                ("first paint, the app already running", paints, 3000),
                ("first map, the app already running", maps, 5000),
                ("page change, until it is drawn", page_changes(page, repeats), 1000),
                ("slider step to picture, 142 x 142", page.locator(".gm").first.evaluate(SLIDE), 1000 / 60),
                ("next patient, from the click to the drawn map, 142 x 142", patient_changes(page, 2 * repeats), 150),
                ("any patient of the list, likewise", patient_choices(page, repeats), 150),
            ]
        finally:
            browser.close()
            server.close()
    sys.stdout.write("| what | median | 95th percentile | promised |\n|---|---|---|---|\n")
    for what, times, promised in rows:
        sys.stdout.write(
            f"| {what} | {np.median(times):.4g} ms | {np.percentile(times, 95):.4g} ms | {promised:.4g} ms |\n"
        )


if __name__ == "__main__":
    main()
