"""P4 as a person meets it: browser or server killed while a file is uploaded, stored, mapped, trained on."""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd
import psutil
import pytest
from browser_harness import FLAGS, AppServer, NetworkWatch
from find_chromium import find_chromium
from playwright.sync_api import Browser, Page, expect

LONG = 180_000
SLOW = 50_000  # bytes a second: the file takes long enough to be struck on its way


def session_of(address: str) -> list[str]:
    """What an address says of whose cohort it opens; the rest, such as the patient, may change."""
    return parse_qs(urlsplit(address).query)["session"]


class Visit:
    """A Chromium of the test's own, which can be killed; it comes back by the link that it had."""

    def __init__(self, browser: Browser, network: NetworkWatch, url: str) -> None:
        self._launch, self._network, self.url = browser.browser_type.launch, network, url
        self._open()

    def _open(self) -> None:
        self._mark = f"--genomap-visit={uuid.uuid4().hex}"
        self.browser = self._launch(executable_path=find_chromium(), args=[*FLAGS, self._mark])
        context = self.browser.new_context(reduced_motion="reduce")
        self._network.attach(context)
        self.page = context.new_page()
        self.page.set_default_timeout(LONG)
        self.page.goto(self.url)

    def kill(self) -> None:
        """``kill -9``; then a new browser on the same link."""
        self.url = self.page.url
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if self._mark in process.cmdline():
                    process.kill()
        with contextlib.suppress(Exception):
            self.browser.close()
        self._open()


@pytest.fixture
def visit(browser: Browser, network: NetworkWatch) -> Iterator[Callable[[str], Visit]]:
    visits: list[Visit] = []

    def make(url: str) -> Visit:
        visits.append(Visit(browser, network, url))
        return visits[-1]

    yield make
    for found in visits:
        found.browser.close()
    assert not network.foreign


def settled(page: Page) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning", timeout=LONG)


def go(page: Page, name: str) -> None:
    """Follow the menu; a click that met a dead server is made again, as people do."""
    heading = page.get_by_role("heading", name=name, exact=True)
    for _ in range(12):
        page.get_by_test_id("stSidebarNav").get_by_text(name, exact=True).click()
        with contextlib.suppress(AssertionError):
            expect(heading).to_be_visible(timeout=15_000)
            return
    expect(heading).to_be_visible()


def give(page: Page, path: Path) -> None:
    """Hand a table to the uploader of the Data page, which is open."""
    page.get_by_role("tab", name="Your own table").click()
    page.get_by_test_id("stFileUploaderDropzoneInput").first.set_input_files(path)


def in_use(page: Page, *names: str) -> None:
    """One of the names is the cohort in use, once the page has settled (what stood before stays until then)."""
    go(page, "Data")
    settled(page)
    expect(page.get_by_text(re.compile("In use: (" + "|".join(names) + ")")).first).to_be_visible(timeout=LONG)


def table(path: Path, n: int, p: int) -> Path:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(n, p)).round(3), columns=[f"gene{j}" for j in range(p)])
    frame["diagnosis"] = np.where(np.arange(n) % 2, "tumour", "normal")
    frame.to_csv(path, index=False)
    return path


def bytes_of(home: Path, word: bytes) -> list[Path]:
    """Stored files that hold a word of the uploaded table."""
    return [path for path in home.rglob("*") if path.is_file() and word in path.read_bytes()]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("victim", ["browser", "server"])
def test_nothing_finished_is_lost_whoever_is_killed_at_whatever_stage(
    victim: str, make_server: Callable[..., AppServer], visit: Callable[[str], Visit], tmp_path: Path, figure
) -> None:
    server = make_server()
    here = visit(server.url)

    def strike() -> None:
        here.page.wait_for_url(re.compile("session="))  # a link is one once the page has begun to run
        if victim == "browser":
            here.kill()
            return
        link = here.page.url
        server.kill()
        server.start()
        here.page.reload()
        settled(here.page)
        assert session_of(here.page.url) == session_of(link), "the link outlives the server"

    in_use(here.page, "TCGA breast cancer")
    path = table(tmp_path / "mine.csv", 60, 1500)

    wire = here.page.context.new_cdp_session(here.page)
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    wire.send("Network.enable")
    wire.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": SLOW})
    with here.page.expect_request(re.compile("_stcore/upload_file")):
        give(here.page, path)
    strike()  # on its way
    if victim == "server":
        wire.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": -1})
    in_use(here.page, "TCGA breast cancer")
    expect(here.page.get_by_text("mine.csv")).to_have_count(0)
    assert bytes_of(server.home, b"gene1499") == []

    give(here.page, path)
    here.page.get_by_role("button", name="Use this cohort").click(timeout=LONG)
    strike()  # while it is stored
    in_use(here.page, "TCGA breast cancer", "mine.csv")
    if here.page.get_by_text("In use: mine.csv").count() == 0:
        give(here.page, path)
        here.page.get_by_role("button", name="Use this cohort").click(timeout=LONG)
        in_use(here.page, "mine.csv")

    here.page.get_by_test_id("stSidebarNav").get_by_text("Genomap", exact=True).click()
    here.page.wait_for_url(re.compile(r"//[^/]+/\?.*session="))  # the new page's address, not the old one's
    strike()  # while its features are placed
    go(here.page, "Genomap")
    expect(here.page.locator(".gm").first).to_have_attribute("data-digest", re.compile("."), timeout=LONG)
    expect(here.page.get_by_text("60 samples")).to_be_visible()

    go(here.page, "Train")
    here.page.get_by_role("button", name="Start training").click()
    expect(here.page.get_by_role("progressbar")).to_be_visible(timeout=LONG)
    strike()  # while a network is trained
    go(here.page, "Train")
    expect(here.page.get_by_role("button", name="Download the model")).to_be_visible(timeout=2 * LONG)
    figure("faults survived", 4)
