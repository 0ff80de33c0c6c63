"""How long a comparison takes through the page: ``PYTHONPATH=. python tests/browser/bench_compare.py TABLE...``.

Each table is uploaded in a real browser on a machine with nothing else to do and compared with all defaults. Printed:
seconds from the click to the first model's answer on the page, and to the last one's.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from app_steps import LONG, go, map_drawn, settled, upload
from browser_harness import FLAGS, ROOT, AppServer
from find_chromium import find_chromium
from playwright.sync_api import Page, expect, sync_playwright


def seconds_of(page: Page, table: Path) -> tuple[float, float]:
    """Seconds to the first answer and to the last."""
    upload(page, table)
    go(page, "Compare")
    page.get_by_role("button", name="Compare", exact=True).wait_for(timeout=LONG)
    settled(page)
    began = time.perf_counter()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Still at work:")).to_be_visible(timeout=LONG)
    expect(page.get_by_text("All models on the same folds")).to_be_visible(timeout=LONG)
    first = time.perf_counter() - began
    expect(page.get_by_text("Still at work:")).to_have_count(0, timeout=4 * LONG)
    return first, time.perf_counter() - began


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", type=Path, nargs="+")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        AppServer(ROOT / "app.py", Path(folder) / "home") as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        for table in options.tables:
            page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
            page.goto(server.url)
            map_drawn(page)
            first, last = seconds_of(page, table)
            sys.stdout.write(f"{table.stem}: first answer {first:.1f} s, all {last:.1f} s\n")
            sys.stdout.flush()
            page.context.close()
        browser.close()


if __name__ == "__main__":
    main()
