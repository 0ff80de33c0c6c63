"""Browser tests: a real Chromium on a real server. Every test fails if a request leaves this machine.

Fixtures: ``app_server`` (app.py, one for all tests), ``make_server`` (a server of one's own, for any script),
``make_page`` (a fresh browser profile; size and colour scheme as arguments), ``page`` (one at 1280 x 800), ``network``
(the watch).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_harness import FLAGS, ROOT, AppServer, NetworkWatch, artifact
from find_chromium import find_chromium
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

HERE = Path(__file__).parent
expect.set_options(timeout=60_000)  # a truth may come late on a busy machine; it must come


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder is a browser test."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Leave a picture of every page of a failed test."""
    outcome: Any = yield
    if call.when != "call" or not outcome.get_result().failed:
        return
    for k, page in enumerate(page for context in getattr(item, "contexts", []) for page in context.pages):
        page.screenshot(path=artifact(f"failed-{item.name}-{k}.png"), full_page=True)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium with a throw-away profile."""
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def app_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app itself, one server for all tests; each page is a session of its own."""
    with AppServer(ROOT / "app.py", tmp_path_factory.mktemp("home")) as server:
        yield server


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., AppServer]]:
    """``make_server(script=app.py, environment=...)``: a server of the test's own, on a home of its own."""
    servers: list[AppServer] = []

    def make(script: Path = ROOT / "app.py", environment: dict[str, str] | None = None) -> AppServer:
        servers.append(AppServer(script, tmp_path / f"home{len(servers)}", environment))
        return servers[-1].start()

    yield make
    for server in servers:
        server.close()


@pytest.fixture
def network() -> NetworkWatch:
    """What the pages of this test asked the network for."""
    return NetworkWatch()


@pytest.fixture
def make_page(browser: Browser, network: NetworkWatch, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """``make_page(width=1280, height=800, dark=False, touch=False)``: a page in a fresh browser profile, watched."""
    contexts: list[BrowserContext] = []
    request.node.contexts = contexts

    def make(width: int = 1280, height: int = 800, dark: bool = False, touch: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            has_touch=touch,
            is_mobile=touch,
            reduced_motion="reduce",  # animations are painted by the CPU here, at the server's expense
        )
        network.attach(context)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.set_default_navigation_timeout(120_000)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not network.foreign, f"requests left this machine: {sorted(set(network.foreign))}"


@pytest.fixture
def page(make_page: Callable[..., Page]) -> Page:
    """A page of 1280 x 800 in a fresh browser profile."""
    return make_page()


@pytest.fixture(scope="module")
def gene_maps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """One server for all tests of the gene map; each page is a session of its own."""
    with AppServer(ROOT / "tests/browser/apps/gene_map_app.py", tmp_path_factory.mktemp("home")) as app:
        yield app
