"""The harness sees what it must see: requests, restarts, processes, themes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from browser_harness import ROOT, AppServer, NetworkWatch, is_foreign
from playwright.sync_api import Page, expect

APP = ROOT / "tests/browser/apps/harness_app.py"


@pytest.mark.parametrize(
    ("url", "foreign"),
    [
        ("http://127.0.0.1:8501/x", False),
        ("ws://localhost:8501/_stcore/stream", False),
        ("data:image/png;base64,AA", False),
        ("blob:http://127.0.0.1/1", False),
        ("https://fonts.example/x", True),
        ("http://127.0.0.1.example/x", True),
        ("wss://example.org", True),
        ("http://192.168.0.1/", True),
    ],
)
def test_what_leaves_the_machine_is_foreign(url: str, foreign: bool) -> None:
    assert is_foreign(url) == foreign


def test_a_widget_works_and_nothing_leaves(
    make_server: Callable[..., AppServer], page: Page, network: NetworkWatch
) -> None:
    page.goto(make_server(APP).url)
    page.get_by_role("slider").press("ArrowRight")
    expect(page.get_by_text("level is 21")).to_be_visible()
    assert any(url.startswith("ws://127.0.0.1") for url in network.urls)
    assert network.foreign == []


def test_a_request_to_elsewhere_is_seen(
    make_server: Callable[..., AppServer], page: Page, network: NetworkWatch
) -> None:
    server = make_server(APP)
    with page.expect_request("http://example.invalid/**"):
        page.goto(server.url + "/?leak=1")
    expect(page.get_by_text("level is 20")).to_be_visible()
    assert set(network.foreign) == {"http://example.invalid/pixel.png"}
    network.urls.clear()


def step_of(page: Page) -> int:
    return int(page.get_by_text(re.compile("Count running at")).inner_text().split()[-1])


def test_a_job_survives_a_refresh_and_the_death_of_the_server(
    make_server: Callable[..., AppServer], make_page: Callable[..., Page]
) -> None:
    server = make_server(APP)
    page = make_page()
    page.goto(server.url)
    page.get_by_role("button", name="Start").click()
    expect(page.get_by_text(re.compile("Count running at"))).to_be_visible()
    page.reload()
    expect(page.get_by_text(re.compile("Count running at"))).to_be_visible()
    before = step_of(page)
    page.close()
    server.kill()
    workers = [process for process in server.processes() if "genomap_core.jobs.worker" in process.cmdline()]
    assert len(workers) == 1
    server.start()
    again = make_page()
    again.goto(server.url)
    expect(again.get_by_text(re.compile("Count running at"))).to_be_visible()
    assert step_of(again) > before
    again.get_by_role("button", name="Stop").click()
    expect(again.get_by_text(re.compile("Count cancelled at"))).to_be_visible()
    server.close()
    assert server.processes() == []
