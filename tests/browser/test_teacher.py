"""A teacher's walk: the whole path in an offline browser, its notes, and a lesson that opens from a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from browser_harness import AppServer, artifact
from playwright.sync_api import Page, expect
from test_accessibility import settle, violations

from genomap_core.workflows.lessons.course import chapters


def answer(page: Page, text: str) -> None:
    """Choose an answer and wait for what it reveals."""
    page.get_by_test_id("stRadio").get_by_text(text, exact=True).click()
    expect(page.get_by_text("As you said.", exact=True)).to_be_visible()


def test_the_whole_path_is_walked_offline_and_a_lesson_opens_from_a_file(
    app_server: AppServer, make_page: Callable[..., Page], tmp_path: Path
) -> None:
    page = make_page(width=1280, height=900)
    page.goto(f"{app_server.url}/learn")
    course, found = chapters(), {}
    for chapter, following in zip(course, [*course[1:], None], strict=True):
        expect(page.get_by_role("heading", name=chapter.title, exact=True)).to_be_visible()
        expect(page.get_by_text("Control.", exact=True)).to_have_count(0)
        answer(page, chapter.options[chapter.answer])
        expect(page.get_by_text("Surprise.", exact=True)).to_be_visible()
        settle(page)
        found[chapter.key] = violations(page)
        page.screenshot(path=artifact(f"lesson-{chapter.key}.png"), full_page=True)
        if following is not None:
            page.get_by_role("button", name=f"Next: {following.title}").click()
    assert not {name: what for name, what in found.items() if what}
    page.get_by_role("button", name="For teachers").click()
    with page.expect_download() as notes:
        page.get_by_role("button", name="Notes PDF").click()
    assert Path(notes.value.path()).read_bytes().startswith(b"%PDF")
    page.goto(f"{app_server.url}/learn?lesson=layout&whole=true")
    answer(page, "About 2")
    expect(page.get_by_test_id("stSidebar")).to_be_hidden()
    with page.expect_download() as saved:
        page.get_by_role("button", name="This lesson as one file").click()
    alone = tmp_path / saved.value.suggested_filename
    saved.value.save_as(alone)
    page.context.set_offline(True)
    page.goto(alone.as_uri())
    page.get_by_text("I have chosen: reveal").click()
    expect(page.get_by_text("A flat map cannot hold")).to_be_visible()
    before = page.locator(".heatmaplayer image").get_attribute("xlink:href")
    page.locator(".updatemenu-header").click()
    page.locator(".updatemenu-dropdown-button", has_text="HER2").click()
    expect(page.locator(".heatmaplayer image")).not_to_have_attribute("xlink:href", before or "")
