"""What the lessons claim is what their shipped results say, and they make a path of twenty minutes."""

from __future__ import annotations

import re

import pytest

from genomap_core.plotting import lessons as figures
from genomap_core.reports.document import render_html, render_pdf
from genomap_core.reports.lessons import lesson_page, teachers_notes
from genomap_core.workflows.lessons.course import CLOSE, chapters
from genomap_core.workflows.lessons.samples import ATTRIBUTION, FOLDER, GROWTH, MAP, PICTURES, shipped, unscrambled
from genomap_core.workflows.lessons.unscramble import collection, unscramble


def test_six_lessons_of_twenty_minutes_with_everything_that_a_lesson_needs() -> None:
    assert len(chapters()) == 6
    assert sum(chapter.minutes for chapter in chapters()) == 20
    for chapter in chapters():
        assert re.fullmatch("[a-z]+", chapter.key)
        assert len(set(chapter.options)) == 3 > chapter.answer >= 0
        assert all((chapter.told, chapter.question, chapter.reveal, chapter.control, chapter.surprise, chapter.ask))


def test_unscrambling_needs_four_pictures_and_one_less_is_a_real_drop() -> None:
    kept = {n: unscrambled(n).kept for n in PICTURES}
    assert kept[3] < 0.15
    assert 0.5 < kept[4] < 0.6, "half of them, as the answer says"
    assert 0.6 < kept[30] < 0.75 < kept[100]
    assert abs(kept[400] - kept[100]) < 0.02
    assert unscrambled(400, control=True).kept < 0.05
    assert unscramble(collection("textures", 4)).kept == pytest.approx(kept[4], abs=0.06)  # computed here and now
    assert unscramble(collection("textures", 3)).kept < 0.2


def test_the_layout_keeps_two_of_ten_and_ten_times_more_than_chance() -> None:
    layout = chapters()[1]
    assert layout.reveal.startswith("About 2 of ten")
    kept, random = (float(re.findall(r"correlate (\d\.\d+)", text)[-1]) for text in (layout.reveal, layout.control))
    assert kept > random + 0.2


def test_missing_genes_spare_both_maps_and_noise_spares_the_ordered_one() -> None:
    found = shipped(MAP)
    lacking = {name: shares[-1] for name, shares in found["accuracy_missing"].items()}
    half = 1.96 * (0.25 / found["n_test"]) ** 0.5
    assert abs(lacking["ot"] - lacking["random"]) < 2**0.5 * half
    assert min(lacking["ot"], lacking["random"]) > lacking["logistic"] + 2**0.5 * half
    at = found["noise"].index(1.5)
    noisy = {name: shares[at] for name, shares in found["accuracy"].items()}
    assert noisy["ot"] > noisy["random"] + 2**0.5 * half
    assert noisy["logistic"] > noisy["ot"] - 2**0.5 * half


def test_the_shortcut_is_seen_by_the_attribution_and_costs_the_answer() -> None:
    found = shipped(ATTRIBUTION)
    mark, methods = found["shortcut"], found["methods"]
    assert mark["with"] > found["accuracy"] > mark["without"] + 0.1
    assert 0.45 < mark["without"] < 0.55
    assert mark["share"] > 4 * mark["share_of_genes"]
    assert methods["integrated_gradients"]["found"] > methods["integrated_gradients"]["found_shuffled"] + 0.15
    assert 0.4 < methods["gradcam"]["found"] < 0.6
    assert methods["integrated_gradients"]["unusual"] > 0.4


def test_a_lighter_background_is_all_that_the_network_on_pictures_learns_and_its_attribution_leans_there() -> None:
    empty, told = shipped(ATTRIBUTION)["background"], chapters()[4].reveal
    assert empty["with"] > 0.95
    assert 0.45 < empty["without"] < 0.55 < empty["accuracy"]
    assert empty["share"] > empty["usual_share"] + 0.1
    assert empty["share"] < empty["share_of_pixels"], "no reader would see it without the other network beside it"
    assert all(f"{empty[key]:.0%}" in told for key in ("with", "without", "share", "usual_share"))


def test_one_picture_leaves_many_tumours_and_its_age_few() -> None:
    seen = shipped(GROWTH)
    known, unknown = ((seen[key] < CLOSE).sum() for key in ("same_time", "any_time"))
    assert unknown > 5 * known > 0


def test_shipped_results_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 500_000


def test_the_notes_print_and_a_lesson_opens_from_a_file() -> None:
    notes = teachers_notes(chapters())
    html = render_html(notes)
    assert all(chapter.title in html.replace("&#39;", "'") for chapter in chapters())
    assert render_pdf(notes).startswith(b"%PDF")
    found = unscrambled(4)
    figure = figures.rebuilding([found.shown(0, at) for at in found.frames], found.pictures[0])
    page = lesson_page(chapters()[0], [figure])
    assert "Plotly.newPlot" in page
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=[\"']?(?:https?:)?//", page)
