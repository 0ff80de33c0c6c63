"""A table's reading in a real browser: proposed with first values, changed, mended; what is in use is never lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from app_steps import LONG, go, map_drawn
from browser_harness import AppServer, artifact
from playwright.sync_api import Page, expect

GENES = ["Gnai3", "Pbsn", "Cdc45", "H19", "Scml2", "Apoh", "Narf", "Cav2", "Klf6", "Scmh1", "Cox5a", "Tbx2"]


def open_upload(page: Page, server: AppServer, path: Path) -> None:
    page.goto(server.url)
    map_drawn(page)
    go(page, "Data")
    page.get_by_role("tab", name="Your own table").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(path)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click(timeout=LONG)


def test_a_wrong_proposal_is_seen_in_its_first_values_and_put_right_in_two_clicks(
    app_server: AppServer, page: Page, tmp_path: Path
) -> None:
    counts = np.random.default_rng(0).poisson(60, (len(GENES), 6)).tolist()
    path = tmp_path / "mouse.csv"
    lines = [",WT_a,WT_b,WT_c,KO_a,KO_b,KO_c", *(",".join([g, *map(str, row)]) for g, row in zip(GENES, counts))]
    path.write_text("\n".join(lines))
    open_upload(page, app_server, path)
    expect(page.get_by_text("6 samples x 12 features, genes were in rows")).to_be_visible(timeout=LONG)
    page.screenshot(path=artifact("reading-preview.png"))
    press(page, "A row is a sample")
    expect(page.get_by_text("12 samples x 6 features, samples in rows")).to_be_visible(timeout=LONG)
    press(page, "Take my answers back")
    expect(page.get_by_text("6 samples x 12 features, genes were in rows")).to_be_visible(timeout=LONG)


def test_cells_that_are_no_numbers_are_mended_with_a_click_and_the_cohort_is_used(
    app_server: AppServer, page: Page, tmp_path: Path
) -> None:
    rows = [f"P{i:02d},{'<5' if i % 4 == 0 else 5 + i},{i * 7 % 11},{('case', 'control')[i % 2]}" for i in range(30)]
    path = tmp_path / "crp.csv"
    path.write_text("\n".join(["sample_id,crp,ldh,label", *rows]))
    open_upload(page, app_server, path)
    expect(page.get_by_text("Must be mended").first).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Use this cohort")).to_be_disabled()
    press(page, "Use bounds as their number")
    expect(page.get_by_text("Must be mended")).to_have_count(0)
    press(page, "Use this cohort")
    expect(page.get_by_text("In use: crp.csv")).to_be_visible(timeout=LONG)
