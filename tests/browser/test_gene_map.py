"""The gene map in a real browser: what is drawn is what Python computes, within one frame, by mouse and by keyboard."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest
from app_steps import settled
from browser_harness import ROOT, AppServer
from gene_map_examples import example
from gene_map_reader import READ, cell_colours, show, shown_values, slide
from playwright.sync_api import Page, expect

from genomap_core.data.perturb import Perturbation
from genomap_core.plotting.colour import blend_overlay, cividis, normalise


@pytest.mark.parametrize("shape", [(33, 33), (20, 57), (114, 114)])
def test_what_the_slider_shows_is_what_python_computes_bit_for_bit(gene_maps: AppServer, page: Page, shape) -> None:
    asked = {"h": shape[0], "w": shape[1]}
    root, data = show(page, gene_maps, **asked), example(**asked)
    np.testing.assert_array_equal(shown_values(root, data), data.shown()[:, data.placed])
    slide(root, "noise", 27)
    slide(root, "keep", 63)
    expect(page.get_by_text("committed level=0.135 keep=0.63 seed=7")).to_be_visible()
    expected = data.shown(Perturbation(0.135, 0.63, 7))
    drawn = shown_values(root, data)
    np.testing.assert_array_equal(drawn, expected[:, data.placed])
    assert 0.3 < np.isnan(drawn).mean() < 0.4, "not a trivial case"
    board = data.static(Perturbation(0.135, 0.63, 7)).maps[0, 0]
    colours = cell_colours(root, data)
    measured = np.isfinite(board)
    np.testing.assert_array_equal(colours[measured], cividis()[normalise(board, *data.span)][measured])


def test_the_slider_spans_the_study_levels_up_to_two_hundred_percent(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps)
    slider = root.locator("#gm-noise")
    for stop, level in ((10, "5 %"), (20, "10 %"), (30, "15 %"), (39, "19.5 %")):
        slide(root, "noise", stop)
        expect(slider).to_have_attribute("aria-valuetext", f"{level} of each gene's standard deviation")
    slider.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^20 %"))
    expect(page.get_by_text("committed level=0.2 keep=1.0")).to_be_visible()
    slider.press("End")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^200 %"))
    expect(page.get_by_text("committed level=2.0")).to_be_visible()
    marks = root.locator(".gm-noise .gm-study")
    assert marks.all_text_contents() == ["5", "10", "15", "20 %"]
    root.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("committed level=0.0 keep=1.0")).to_be_visible()


def test_an_overlay_is_drawn_by_pythons_formula(gene_maps: AppServer, page: Page) -> None:
    asked = {"overlays": 2, "missing": 0}
    root, data = show(page, gene_maps, **asked), example(**asked)
    expect(root.locator("canvas[role=application]")).to_have_count(1)
    root.locator("#gm-overlay").select_option("both")
    slide(root, "opacity", 55)
    static = data.static()
    base = cividis()[normalise(static.maps[0, 0], *data.span)]
    measured = np.isfinite(static.maps[0, 0])
    for j in data.highlighted:  # rings lie on top of these and their neighbours
        y, x = data.places.positions[j]
        measured[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = False
    for panel in (0, 1):
        overlay = data.static(overlay=panel)
        expected = blend_overlay(base, overlay.overlay[0, 0], overlay.overlay_limit, 0.55)
        got = cell_colours(root, data, panel)
        assert np.abs(got[measured].astype(int) - expected[measured]).max() <= 1


@pytest.mark.parametrize("side", [114, 320])
@pytest.mark.parametrize("overlays", [0, 1])
def test_a_slider_step_is_drawn_within_one_frame(gene_maps: AppServer, page: Page, side: int, overlays: int) -> None:
    root = show(page, gene_maps, h=side, w=side, overlays=overlays, keep=0.9)
    times = root.evaluate("""async root => {
      const slider = root.querySelector('#gm-noise');
      const times = [];
      for (let i = 1; i <= 40; i++) {
        slider.value = i;
        slider.dispatchEvent(new Event('input'));
        await new Promise(requestAnimationFrame);
        await new Promise(done => setTimeout(done));
        times.push(+root.dataset.drawMs);
      }
      return times;
    }""")
    print(f"{side} x {side}, {overlays} overlays: min {min(times)}, median {np.median(times)} ms a step")
    assert len(times) == 40
    assert float(root.get_attribute("data-level")) == 0.2
    assert min(times) < 16.7, "even an undisturbed step takes longer than a frame"


def test_a_click_and_the_keyboard_choose_a_gene(gene_maps: AppServer, page: Page) -> None:
    root, data = show(page, gene_maps), example()
    canvas = root.locator("canvas[role=application]")
    box = canvas.bounding_box()
    cell = box["width"] / 33
    canvas.click(position={"x": 4.5 * cell, "y": 2.5 * cell})
    expect(page.get_by_text(f"clicked {data.names[2 * 33 + 4]} on map 0")).to_be_visible()
    canvas.press("ArrowRight")
    canvas.press("Shift+ArrowDown")
    expect(root.locator(".gm-live")).to_contain_text(data.names[12 * 33 + 5])
    expect(root.locator(".gm-live")).to_contain_text("row 13, column 6")
    canvas.press("Enter")
    expect(page.get_by_text(f"clicked {data.names[12 * 33 + 5]} on map 0")).to_be_visible()
    page.get_by_role("button", name="Rerun").click()
    expect(page.get_by_text("clicked None on map None")).to_be_visible()


def test_the_tool_tip_reads_value_unit_and_attribution(gene_maps: AppServer, page: Page) -> None:
    asked = {"overlays": 1, "missing": 0, "level": 0.5}
    root, data = show(page, gene_maps, **asked), example(overlays=1, missing=0)
    canvas = root.locator("canvas[role=application]")
    cell = canvas.bounding_box()["width"] / 33
    canvas.hover(position={"x": 10.5 * cell, "y": 0.5 * cell})
    value = data.shown(Perturbation(0.5))[0, 10]
    tip = root.locator(".gm-tip")
    expect(tip).to_contain_text(data.names[10])
    said = tip.inner_text().replace("−", "-")
    shown, without = re.search(r"(-?[\d.]+) z-score\s+(-?[\d.]+) without noise", said).groups()
    assert float(shown) == pytest.approx(value, abs=0.006)
    assert float(without) == pytest.approx(data.values[0, 10], abs=0.006)
    assert float(re.search(r"([+-]?[\d.e-]+) · Genomap", said)[1]) == pytest.approx(
        data.overlays[0].values[0, 10], rel=0.1
    )


def test_what_is_missing_or_dropped_is_hatched_grey_and_said(gene_maps: AppServer, page: Page) -> None:
    asked = {"missing": 40, "keep": 0.7}
    root, data = show(page, gene_maps, **asked), example(missing=40)
    board = data.static(Perturbation(keep=0.7))
    hatched = board.panel(0)[2]
    assert hatched.sum() > 300
    colours = cell_colours(root, data)[hatched].astype(int)
    assert (np.ptp(colours, axis=1) < 25).all(), "greys"
    assert len(np.unique(colours, axis=0)) > 1, "a pattern"
    n = int((data.rank[data.placed] >= np.float32(0.7)).sum())
    expect(root.locator(".gm-holes")).to_contain_text(f"dropped: {n} of 1,082 genes")
    expect(root.locator(".gm-holes")).to_contain_text("not measured")
    y, x = data.places.positions[int(np.flatnonzero(data.rank >= np.float32(0.7))[0])]
    canvas = root.locator("canvas[role=application]")
    cell = canvas.bounding_box()["width"] / 33
    canvas.hover(position={"x": (x + 0.5) * cell, "y": (y + 0.5) * cell})
    expect(root.locator(".gm-tip")).to_contain_text("dropped (was ")


def test_a_filled_value_keeps_its_colour_under_the_hatching_and_is_counted(gene_maps: AppServer, page: Page) -> None:
    asked, first = {"missing": 0}, np.arange(33)[:, None] < 6
    plain = cell_colours(show(page, gene_maps, **asked), example(**asked)).astype(int)
    asked["filled"] = 6 * 33
    root = show(page, gene_maps, **asked)
    expect(root.locator(".gm-holes")).to_contain_text("filled from the others: 198 values")
    same = (cell_colours(root, example(**asked)).astype(int) == plain).all(axis=2)
    assert same[~first[:, 0]].all()
    assert 0.05 < same[first[:, 0]].mean() < 0.95, "lines over some cells' middles, the colour of the value in others"


def test_a_rerun_keeps_sliders_and_zoom_and_sends_nothing_again(gene_maps: AppServer, page: Page) -> None:
    frames: list[int] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: frames.append(len(data))))
    root = show(page, gene_maps, h=114, w=114)
    first = sum(frames)
    assert first > 2 * 4 * 114 * 114, "values and noise crossed once"
    slide(root, "noise", 20)
    expect(page.get_by_text("committed level=0.1 keep=1.0")).to_be_visible()
    root.locator("canvas[role=application]").press("+")
    expect(root.locator(".gm-whole")).to_have_text("1.5×")
    before = sum(frames)
    page.get_by_role("button", name="Rerun").click()
    expect(page.get_by_text("run 3")).to_be_visible()
    assert sum(frames) - before < 20_000
    assert root.get_attribute("data-level") == "0.1"
    expect(root.locator(".gm-whole")).to_have_text("1.5×")


def test_new_data_are_drawn_under_the_sliders_as_they_stand(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps)
    slide(root, "noise", 20)
    expect(page.get_by_text("committed level=0.1 keep=1.0")).to_be_visible()
    digest = root.get_attribute("data-digest")
    page.get_by_text("Next patient").click()
    expect(root.locator("figcaption").first).to_contain_text("Patient 002")
    expect(root).not_to_have_attribute("data-digest", digest)
    data = example(patient=1)
    np.testing.assert_array_equal(shown_values(root, data), data.shown(Perturbation(0.1))[:, data.placed])
    expect(page.get_by_text("committed level=0.1 keep=1.0")).to_be_visible()


def test_what_a_layouts_patients_share_is_sent_once_and_never_taken_from_another_layout(
    gene_maps: AppServer, page: Page
) -> None:
    frames: list[int] = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: frames.append(len(data))))
    root = show(page, gene_maps, h=60, w=60)
    whole = max(frames)

    def drawn(**asked: int) -> None:
        expect(root.locator("figcaption").first).to_contain_text(f"Patient {asked.get('patient', 0) + 1:03d}")
        canvas = root.locator("canvas[role=application]")
        expect(canvas).to_have_attribute("aria-label", re.compile(f"60 rows by {asked['w']} columns"))
        data = example(h=60, **asked)
        np.testing.assert_array_equal(shown_values(root, data), data.shown()[:, data.placed])
        board = data.static().maps[0, 0]
        measured = np.isfinite(board)
        np.testing.assert_array_equal(
            cell_colours(root, data)[measured], cividis()[normalise(board, *data.span)][measured]
        )
        cell = canvas.bounding_box()["width"] / asked["w"]
        canvas.hover(position={"x": 0.5 * cell, "y": 1.5 * cell})
        expect(root.locator(".gm-tip")).to_contain_text(data.names[asked["w"]])

    drawn(w=60)
    frames.clear()
    page.get_by_text("Next patient").click()
    drawn(w=60, patient=1)
    assert 0 < max(frames) < 0.6 * whole, "names, cells and ranks crossed again"
    page.get_by_text("Next layout").click()
    drawn(w=59, patient=1)
    page.get_by_text("Next patient").click()
    drawn(w=59)
    page.get_by_text("Next layout").click()
    drawn(w=60)
    page.reload()
    drawn(w=60)


def test_the_neighbour_is_drawn_before_the_server_answers_and_only_once(
    make_server: Callable[..., AppServer], page: Page
) -> None:
    root = show(page, make_server(ROOT / "tests/browser/apps/steps_app.py"))

    def step(button: str, to: int) -> None:
        settled(page)
        answered = page.get_by_text(f"answered: patient {to}")
        page.get_by_role("button", name=button).click()
        expect(root.locator("figcaption").first).to_contain_text(f"Patient {to + 1:03d}", timeout=1000)
        expect(answered).to_have_count(0)
        data = example(h=60, w=60, patient=to)
        np.testing.assert_array_equal(shown_values(root, data), data.shown()[:, data.placed])
        draws = root.get_attribute("data-draws")
        expect(answered).to_be_visible()
        assert root.get_attribute("data-draws") == draws, "the answer drew it again"

    for to in (1, 2, 3):
        step("Next", to)
    for to in (2, 1, 0, 4):
        step("Previous", to)


def test_a_browser_that_never_got_a_layouts_shared_part_asks_for_it(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps, lost=1)
    page.get_by_text("Next layout").click()
    expect(page.get_by_text("run 3")).to_be_visible()  # the second run's block named a part that the browser lacks
    expect(root.locator("canvas[role=application]")).to_have_attribute(
        "aria-label", re.compile("33 rows by 32 columns")
    )
    data = example(w=32)
    np.testing.assert_array_equal(shown_values(root, data), data.shown()[:, data.placed])


def test_python_can_move_the_sliders(gene_maps: AppServer, page: Page) -> None:
    root, data = show(page, gene_maps), example()
    slide(root, "noise", 20)
    expect(page.get_by_text("committed level=0.1 keep=1.0")).to_be_visible()
    page.get_by_text("Quarter").click()
    expect(page.get_by_text("committed level=0.25 keep=0.75")).to_be_visible()
    expect(root).to_have_attribute("data-level", "0.25")
    np.testing.assert_array_equal(shown_values(root, data), data.shown(Perturbation(0.25, 0.75))[:, data.placed])


def test_wheel_keys_and_drag_zoom_and_move_a_focused_map_only(gene_maps: AppServer, page: Page) -> None:
    root = show(page, gene_maps, h=114, w=114)
    canvas, whole = root.locator("canvas[role=application]"), root.locator(".gm-whole")
    canvas.hover(position={"x": 100, "y": 100})
    page.mouse.wheel(0, -480)
    page.wait_for_timeout(200)
    expect(whole).to_have_text("1×")  # an unfocused map lets the page scroll
    canvas.focus()
    page.mouse.wheel(0, -480)
    expect(whole).to_have_text("4×")
    before = root.evaluate(READ)["place"]
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 150, box["y"] + 170, steps=5)
    page.mouse.up()
    after = root.evaluate(READ)["place"]
    assert (after["x"] - before["x"], after["y"] - before["y"]) == (-50, -30)
    expect(page.get_by_text("clicked None on map None")).to_be_visible()  # a drag is no click
    canvas.press("0")
    expect(whole).to_have_text("1×")
    canvas.press("+")
    expect(whole).to_have_text("1.5×")
    canvas.dblclick()
    expect(whole).to_have_text("1×")


def test_two_dozen_maps_share_a_scale_and_answer_to_page_keys(gene_maps: AppServer, page: Page) -> None:
    root, data = show(page, gene_maps, maps=24, h=60, w=60), example(maps=24, h=60, w=60)
    canvases = root.locator("canvas[role=application]")
    expect(canvases).to_have_count(24)
    assert canvases.evaluate_all("all => all.filter(c => c.tabIndex === 0).length") == 1, "one stop for the Tab key"
    board = data.static().maps[13, 0]
    measured = np.isfinite(board)
    np.testing.assert_array_equal(
        cell_colours(root, data, 13)[measured], cividis()[normalise(board, *data.span)][measured]
    )
    canvases.first.press("PageDown")
    canvases.nth(1).press("Enter")
    expect(page.get_by_text(f"clicked {data.names[0]} on map 1")).to_be_visible()
    shown = shown_values(root, data)
    np.testing.assert_array_equal(shown, data.shown()[:, data.placed])


def test_each_omics_type_has_its_panel(gene_maps: AppServer, page: Page) -> None:
    asked = {"c": 3, "h": 12, "w": 18}
    root, data = show(page, gene_maps, **asked), example(**asked)
    captions = root.locator("figcaption").all_text_contents()
    assert captions == [f"Patient 001{t}" for t in ("expression", "methylation", "proteins")]
    for channel in range(3):
        board = data.static().maps[0, channel]
        measured = np.isfinite(board)
        expected = cividis()[normalise(board, *data.span)][measured]
        np.testing.assert_array_equal(cell_colours(root, data, channel)[measured], expected)
