"""The Growth page: a simulated slice is classified, uploads are checked, the trained work is submitted."""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import pytest
from app_harness import button, open_page, select, texts
from PIL import Image

from genomap_core.io.images.raster import shown_pixels
from genomap_core.training.growth_bundle import load_growth
from genomap_core.workflows.growth import real
from genomap_core.workflows.growth.gate import examine
from genomap_core.workflows.growth.samples import FOLDER as SAMPLES

DATA = Path(os.environ.get("GENOMAP_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
COLLECTION = DATA / "images" / "brain_mri_4class" / "Testing"


def png(image: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, "PNG")
    return out.getvalue()


def upload(app, content: bytes, name: str):
    app.segmented_control(key="growth_source").set_value("My own image").run()
    app.file_uploader[0].upload(name, content, "application/octet-stream")
    return app.run()


def figures(app):
    """The table of D, rho and lengths; None where there is none."""
    return next((d.value for d in app.dataframe if "figure" in d.value), None)


def units(app) -> set[str]:
    """What stands behind the values of that table."""
    return {value.partition(" ")[2] for value in figures(app)["value"]}


def test_a_simulated_glioma_has_classes_growth_and_figures_in_model_units(app) -> None:
    open_page(app, "growth")
    assert not app.exception
    classes = app.dataframe[0].value
    assert classes["PhysNet"].sum() == pytest.approx(100, abs=1e-3)
    assert classes["no physics"].sum() == pytest.approx(100, abs=1e-3)
    assert list(classes["class"])[int(classes["PhysNet"].argmax())] == "glioma"
    assert {"cells", "cells²"} <= units(app)
    assert "need a second date" in texts(app)
    assert [n.value for n in app.number_input if n.label.startswith(("Pixel size", "Age"))] == [None] * 3
    next(n for n in app.number_input if n.label.startswith("Pixel size")).set_value(1.0).run()
    assert {"mm", "mm²"} <= units(app)
    assert "gliomas" not in figures(app)
    next(n for n in app.number_input if n.label.startswith("Age")).set_value(400.0).run()
    assert {"mm²/day", "1/day", "mm/day"} <= units(app)
    assert "0.0027 to 0.27" in set(figures(app)["gliomas"])


def test_a_class_that_does_not_infiltrate_gets_no_figures(app) -> None:
    open_page(app, "growth")
    select(app, "Class").select("meningioma").run()
    assert not app.exception
    assert figures(app) is None
    assert "no class that infiltrates" in texts(app)


def test_both_networks_are_explained_side_by_side(app) -> None:
    open_page(app, "growth")
    select(app, "Method").select("gradcam").run()
    app.toggle(key="growth_attribution").set_value(True).run()
    assert not app.exception
    assert len(app.get("image")) == 2


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (png(np.zeros((64, 64), np.uint8)), "black.png", "black"),
        (png(np.eye(20, dtype=np.uint8) * 255), "tiny.png", "too few"),
        (b"no picture at all", "text.png", ""),
    ],
    ids=["black", "tiny", "no picture"],
)
def test_an_image_that_can_not_be_used_says_why_and_the_page_lives(app, content, name, words) -> None:
    open_page(app, "growth")
    upload(app, content, name)
    assert not app.exception
    said = [*app.error, *app.warning]
    assert len(said) == 1
    assert words in said[0].value
    assert not classes_of(app)
    assert button(app, "Start")


def classes_of(app):
    """The tables of classes on the page."""
    return [d.value for d in app.dataframe if "PhysNet" in d.value]


def test_an_image_that_is_no_head_gets_no_class_no_contour_and_no_figure(app) -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.ogrid[:90, :140]
    disc = ((rows - 45) ** 2 + (columns - 70) ** 2 < 1600) * (0.5 + 0.4 * rng.random((90, 140)))
    open_page(app, "growth")
    for image in (np.stack([(255 * disc).astype(np.uint8)] * 3, axis=2), (65535 * disc).astype(np.uint16)):
        upload(app, png(image), "own.png")
        assert not app.exception
        assert not app.error
        assert "No answer" in texts(app)
        assert not classes_of(app)
        assert figures(app) is None
        assert not [t for t in app.toggle if t.key == "growth_attribution"]


@pytest.mark.shared
@pytest.mark.parametrize("folder", ["glioma", "notumor"])
def test_a_slice_of_a_patient_has_classes_and_no_figures_and_a_healthy_one_no_density(app, folder) -> None:
    if not COLLECTION.is_dir():
        pytest.skip("no collection of real slices in the data folder")
    bundle = load_growth(real.FOLDER / real.MODEL)
    name = real.CLASSES[real.FOLDERS.index(folder)]
    for path in sorted((COLLECTION / folder).glob("*.jpg")):
        if examine(bundle, shown_pixels(path.read_bytes(), path.name)[0]).name == name:
            break
    open_page(app, "growth")
    upload(app, path.read_bytes(), path.name)
    assert not app.exception
    classes = classes_of(app)[0]
    assert list(classes["class"])[int(classes["PhysNet"].argmax())] == name
    assert figures(app) is None
    assert ("no density is drawn" in texts(app)) == (folder == "notumor")
    assert "See “Two dates”" in texts(app)


def test_a_file_that_does_not_say_what_it_is_is_asked_about(app) -> None:
    content = (SAMPLES / "glioma_01.png").read_bytes()
    open_page(app, "growth")
    upload(app, content, "own.png")
    assert select(app, "What is this image? The file does not say.").value == ""
    app.session_state[f"kind-{hashlib.sha256(content).hexdigest()[:12]}"] = "CT"
    upload(app, content, "own.png")
    assert "computed tomography" in texts(app)
    assert not classes_of(app)


def test_one_image_from_outside_and_no_second_date_give_no_figure_in_millimetres(app) -> None:
    open_page(app, "growth")
    assert "Give both outlines of the first date" in texts(app)


def test_a_comparison_without_networks_is_refused_at_the_door(app) -> None:
    open_page(app, "growth")
    select(app, "Work").select("Compare with the baselines")
    next(m for m in app.multiselect if m.label.startswith("Networks")).set_value([])
    button(app, "Start").click().run()
    assert "at least one network" in app.error[0].value
