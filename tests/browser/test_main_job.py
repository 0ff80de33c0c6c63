"""The main job as a person does it: look, upload, train, compare, move the slider. Nothing leaves the machine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from app_steps import LONG, choose_view, compare_quickly, go, map_drawn, upload, use_sample
from browser_harness import ROOT, AppServer, artifact
from playwright.sync_api import Page, expect

DATA = Path(os.environ.get("GENOMAP_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app with small untrained TabPFN weights beside it."""
    from genomap_core.pfn.checkpoint import build_random

    weights = tmp_path_factory.mktemp("weights") / "random-v3.safetensors"
    build_random(weights)
    with AppServer(ROOT / "app.py", tmp_path_factory.mktemp("home"), {"GENOMAP_PFN_WEIGHTS": str(weights)}) as app:
        yield app


def test_the_sample_is_on_the_screen_without_a_click(server: AppServer, page: Page) -> None:
    page.goto(server.url)
    map_drawn(page)
    expect(page.get_by_text("TCGA breast cancer").first).to_be_visible()
    expect(page.get_by_text("For research use only. Not for use in diagnostic procedures.")).to_be_visible()


def test_a_click_on_the_map_names_the_gene(server: AppServer, page: Page) -> None:
    page.goto(server.url)
    map_drawn(page)
    page.locator(".gm canvas[role=application]").first.click(position={"x": 150, "y": 150})
    expect(page.get_by_text("Neighbours on the map")).to_be_visible()


def test_an_uploaded_table_is_mapped_and_the_sample_can_come_back(
    server: AppServer, page: Page, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(40, 150)).round(3), columns=[f"gene{j}" for j in range(150)])
    table.insert(0, "patient", [f"case-{i}" for i in range(40)])
    table["diagnosis"] = np.where(np.arange(40) % 2, "tumour", "normal")
    path = tmp_path / "mine.csv"
    table.to_csv(path, index=False)
    page.goto(server.url)
    map_drawn(page)
    upload(page, path)
    go(page, "Genomap")
    map_drawn(page)
    expect(page.get_by_text("40 samples")).to_be_visible()
    go(page, "Data")
    page.get_by_role("button", name="Back to the cohort before").click()
    expect(page.get_by_text("In use: TCGA breast cancer")).to_be_visible()


def test_a_bad_table_is_explained_and_nothing_in_use_is_lost(server: AppServer, page: Page, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("id,a,b,b,label\n1,2,3,4,x\n2,oops,3,4,y\n3,1,1,1,x\n4,5,6,7,y\n")
    page.goto(server.url)
    map_drawn(page)
    go(page, "Data")
    page.get_by_role("tab", name="Your own table").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(path)
    expect(page.get_by_text("Must be mended").first).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Use this cohort")).to_be_disabled()
    expect(page.get_by_text("In use: TCGA breast cancer")).to_be_visible()


def test_a_refresh_loses_neither_training_nor_cohort(server: AppServer, page: Page) -> None:
    page.goto(server.url)
    map_drawn(page)
    use_sample(page, "Wine")
    go(page, "Train")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("progressbar")).to_be_visible(timeout=LONG)
    page.reload()
    expect(page.get_by_text("178 samples")).to_be_visible(timeout=LONG)
    expect(page.get_by_role("button", name="Download the model")).to_be_visible(timeout=LONG)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the model").click()
    assert download.value.suggested_filename == "wine.genomap.safetensors"


def test_both_models_answer_the_slider_together(server: AppServer, make_page: Callable[..., Page]) -> None:
    page = make_page(width=1280, height=1000)
    page.goto(server.url)
    map_drawn(page)
    use_sample(page, "Wine")
    compare_quickly(page)
    root = page.locator(".gm").first
    before = root.get_attribute("data-digest")
    noise = root.get_by_role("slider").first
    noise.focus()
    for _ in range(25):
        noise.press("ArrowRight")
    expect(root).not_to_have_attribute("data-digest", before or "")
    expect(page.get_by_text(re.compile("held-out samples given|too few held-out")).first).to_be_visible(timeout=LONG)
    page.screenshot(path=artifact("compare-noise.png"), full_page=True)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["leukemia_golub", "prostate_singh"])
def test_a_real_cohort_is_mapped_trained_compared_and_explained(
    server: AppServer, page: Page, tmp_path: Path, name: str
) -> None:
    source = DATA / "tabular" / f"{name}.parquet"
    if not source.is_file():
        pytest.skip("the optional data folder is absent (GENOMAP_DATA)")
    path = tmp_path / f"{name}.csv"
    pd.read_parquet(source).to_csv(path)
    page.goto(server.url)
    map_drawn(page)
    upload(page, path)
    go(page, "Genomap")
    map_drawn(page)
    page.get_by_role("button", name="Next").click()
    noise = page.locator(".gm").first.get_by_role("slider").first
    noise.focus()
    noise.press("ArrowRight")
    choose_view(page, "Layout quality")
    expect(page.get_by_text("This layout is").first).to_be_visible()
    go(page, "Train")
    page.get_by_role("spinbutton", name="Features on the map").fill("400")
    page.get_by_role("spinbutton", name="Features on the map").press("Tab")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("button", name="Download the model")).to_be_visible(timeout=LONG)
    compare_quickly(page, leave_out=("Random forest",), features=400)
    expect(page.get_by_text("At 90% confidence").first).to_be_visible(timeout=LONG)
    expect(page.get_by_text("Report of this patient")).to_be_visible(timeout=LONG)
    page.screenshot(path=artifact(f"{name}.png"), full_page=True)
