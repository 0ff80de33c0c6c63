"""Pictures for files: the right colour in the right cell, all text shown as text, the research-use line always."""

import io
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from genomap_core.errors import InputError
from genomap_core.plotting import RESEARCH_USE, StaticMap, map_png, map_svg
from genomap_core.plotting.colour import blend_overlay, cividis, normalise, vik

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def picture():
    maps = np.random.default_rng(0).normal(size=(2, 1, 5, 8)).astype(np.float32)
    maps[0, 0, 1, 2] = np.nan  # missing in one patient
    maps[:, 0, 4, 7] = np.nan  # no feature there
    return StaticMap(maps, ("P1", "P2"), (-2.0, 2.0), "z-score", title="Cohort", cell=10)


def cell_colours(m, panel, scale=1):
    """RGB in the middle of every cell of a panel, read back from the PNG."""
    image = np.asarray(Image.open(io.BytesIO(map_png(m, scale))).convert("RGB"))
    found = np.argwhere((image == m.panel(panel)[1][0, 0]).all(-1))
    height, width = m.maps.shape[2:]
    size = m.cell_size * scale
    y0, x0 = found[0] if panel == 0 else found[found[:, 1] > image.shape[1] // 2][0]
    ys, xs = (y0 + np.arange(height) * size + size // 2), (x0 + np.arange(width) * size + size // 2)
    return image[np.ix_(ys, xs)]


def test_every_cell_has_the_colour_of_its_value(picture):
    expected = cividis()[normalise(picture.maps[0, 0], -2, 2)]
    measured = np.isfinite(picture.maps[0, 0])
    np.testing.assert_array_equal(cell_colours(picture, 0, scale=2)[measured], expected[measured])


def test_missing_is_hatched_and_a_cell_without_a_feature_is_blank(picture):
    _, rgb, hatched = picture.panel(0)
    assert np.argwhere(hatched).tolist() == [[1, 2]]
    assert not picture.panel(1)[2].any()
    assert (rgb[4, 7] > 230).all()
    assert not (rgb[1, 2] == rgb[4, 7]).all()
    known = replace(picture, occupied=np.ones((1, 5, 8), bool))
    assert known.panel(1)[2][4, 7], "told that a feature lies there, its absence is missing data"


def test_an_overlay_is_blended_as_the_formula_says(picture):
    attribution = np.random.default_rng(1).normal(size=picture.maps.shape)
    m = replace(picture, overlay=attribution, overlay_label="TabPFN", overlay_limit=2.0, overlay_opacity=0.6)
    base = cividis()[normalise(picture.maps[1, 0], -2, 2)]
    expected = blend_overlay(base, attribution[1, 0], 2.0, 0.6)
    measured = np.isfinite(picture.maps[1, 0])
    np.testing.assert_array_equal(m.panel(1)[1][measured], expected[measured])
    assert "Attribution · TabPFN" in map_svg(m)


def test_values_and_attributions_never_share_a_colour_table(picture):
    m = replace(picture, overlay=np.zeros(picture.maps.shape), overlay_label="model")
    values, attributions = (table for *_, table in m.scales())
    np.testing.assert_array_equal(values, cividis())
    np.testing.assert_array_equal(attributions, vik())
    assert int(np.ptp(values[128].astype(int))) <= 10, "0 in the middle of a centred scale is grey"


def test_filled_values_keep_their_colour_under_the_hatching_and_are_told(picture):
    full = replace(picture, maps=np.zeros(picture.maps.shape, np.float32))
    filled = np.zeros(picture.maps.shape, bool)
    filled[0, 0, 1, 1] = True
    m = replace(full, filled=filled)
    _, rgb, hatched = m.panel(0)
    assert np.argwhere(hatched).tolist() == [[1, 1]]
    np.testing.assert_array_equal(rgb, full.panel(0)[1])
    svg = map_svg(m)
    assert svg.count('stroke-width=".16"') == 1
    assert "hatched in colour: filled from the others" in svg
    assert "not measured" not in svg
    assert "filled" not in map_svg(full)
    png, plain = (np.asarray(Image.open(io.BytesIO(map_png(each, 1)))) for each in (m, full))
    changed = np.argwhere((png != plain).any(-1)[:-60])
    assert 0 < len(changed) < m.cell_size**2, "lines in one cell, and its colour between them"
    with pytest.raises(InputError, match="filled"):
        replace(full, filled=filled[0])


def test_the_svg_holds_each_cell_once_in_its_colour(picture):
    root = ET.fromstring(map_svg(picture))
    panel = next(g for g in root.iter(f"{SVG}g"))
    area = {}
    for path in panel.iter(f"{SVG}path"):
        runs = [part for part in path.get("d").split("M") if part]
        if path.get("fill"):
            area[path.get("fill")] = sum(int(run.split("h")[1].split("v")[0]) for run in runs)
    rgb = picture.panel(0)[1].reshape(-1, 3)
    codes, counts = np.unique([f"#{r:02x}{g:02x}{b:02x}" for r, g, b in rgb], return_counts=True)
    assert area == dict(zip(codes, counts.tolist(), strict=True))


def test_hostile_names_stay_text(picture):
    hostile = "</text><script>alert(1)</script>\x00&"
    svg = map_svg(replace(picture, labels=(hostile, hostile), title=hostile, unit=hostile, note=hostile))
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert not list(root.iter("script"))
    assert any("<script>alert(1)</script>" in (t.text or "") for t in root.iter(f"{SVG}text"))
    assert "href" not in svg
    assert map_png(replace(picture, labels=("Пациент 1", "患者"), title=hostile)).startswith(b"\x89PNG")


def test_research_use_scale_and_unit_are_on_every_picture(picture):
    texts = [t.text for t in ET.fromstring(map_svg(picture)).iter(f"{SVG}text")]
    assert {RESEARCH_USE, "z-score", "−2", "0", "2", "Cohort", "P1", "P2"} <= set(texts)
    image = Image.open(io.BytesIO(map_png(picture, 1)))
    ink = np.asarray(image.convert("L"))[-60:]
    assert (ink < 120).sum() > 200, "the line is burned into the pixels"


def test_several_omics_types_lie_side_by_side():
    maps = np.zeros((2, 3, 4, 4), np.float32)
    m = StaticMap(maps, ("a", "b"), (-1, 1), channel_names=("rna", "protein", "methylation"), cell=20)
    texts = [t.text for t in ET.fromstring(map_svg(m)).iter(f"{SVG}text")]
    assert {"a · rna", "b · methylation"} <= set(texts)
    width, height = Image.open(io.BytesIO(map_png(m, 1))).size
    assert width > height - 100


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(InputError, match="maps, omics types"):
        StaticMap(np.zeros((4, 4)), ("a",), (0, 1))
    with pytest.raises(InputError, match="2 maps of 1 types"):
        StaticMap(np.zeros((2, 1, 4, 4)), ("a",), (0, 1))
    with pytest.raises(InputError, match="overlay"):
        StaticMap(np.zeros((1, 1, 4, 4)), ("a",), (0, 1), overlay=np.zeros((1, 1, 4, 5)))
