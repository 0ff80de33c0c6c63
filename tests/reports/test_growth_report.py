"""The report on one slice: what the model says where the gate answers, and nothing of it where it does not."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pytest

from genomap_core.data.images.hygiene import normalise
from genomap_core.reports.document import Picture, Table, render_html, render_pdf
from genomap_core.reports.growth import slice_document
from genomap_core.workflows.growth.samples import read_samples
from genomap_core.workflows.growth.units import growth_figures
from genomap_core.workflows.growth.view import analyse, sample_models


def sample(kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    images, _, _, names = read_samples()
    own = next(i for i, name in enumerate(names) if name.startswith(kind))
    return analyse(sample_models(), {"image": normalise(images[own], 64)}, {})


def test_a_glioma_has_its_classes_its_density_and_its_figures() -> None:
    about, seen = sample("glioma")
    document = slice_document("glioma <1>", about, seen, growth_figures(seen["diffusion"], seen["rate"], True))
    html = render_html(document)
    assert "glioma &lt;1&gt;" in html
    table = next(b for b in document.blocks if isinstance(b, Table))
    assert table.rows[0][:2] == ("glioma", f"{seen['mean'].max():.0%}")
    assert sum(isinstance(b, Picture) for b in document.blocks) == 1
    assert "Infiltration length" in html
    assert "Taught by simulation" in html
    assert render_pdf(document).startswith(b"%PDF")


def test_a_slice_without_tumour_has_no_density_and_no_figure() -> None:
    about, seen = sample("no")
    document = slice_document("healthy", about, seen)
    assert not [b for b in document.blocks if isinstance(b, Picture)]
    assert "no density is drawn" in render_html(document)


@pytest.mark.parametrize("verdict", ["unlike", "refused"])
def test_without_an_answer_there_is_no_class_no_contour_and_no_figure(verdict: str) -> None:
    about, seen = sample("glioma")
    figures = growth_figures(seen["diffusion"], seen["rate"], True)
    document = slice_document("photo.png", {**about, "verdict": verdict, "why": "It is no head."}, seen, figures)
    html = re.sub(r"<style>.*?</style>", "", render_html(document), flags=re.S)
    assert "No answer" in html
    assert "It is no head." in html
    assert "<svg" not in html
    assert not [word for word in ("glioma", "meningioma", "pituitary", "PhysNet", "Infiltration") if word in html]


def test_one_training_has_no_range_and_equal_ends_are_one_number() -> None:
    about, seen = sample("glioma")
    seen["proba"][:, 1] = 0.0  # all trainings agree
    table = next(b for b in slice_document("slice", about, seen).blocks if isinstance(b, Table))
    row = next(r for r in table.rows if r[0] == about["classes"][1])
    assert row[2] == "0%"
    seen["proba"] = seen["proba"][:1]
    html = render_html(slice_document("slice", about, seen))
    assert "trainings of the network" not in html
    assert next(b for b in slice_document("slice", about, seen).blocks if isinstance(b, Table)).header == (
        "class",
        "PhysNet",
    )


def test_without_figures_the_report_says_why() -> None:
    about, seen = sample("meningioma")
    assert "no class that infiltrates" in render_html(slice_document("slice", about, seen))
    assert "without a second date" in render_html(slice_document("slice", {**about, "simulated": False}, seen))


def test_the_limits_of_the_shipped_model_are_told_of_no_other() -> None:
    for kind, words in (("glioma", "no person's outline"), ("no", "rules none out")):
        about, seen = sample(kind)
        assert not about["shipped"]
        own = {**about, "simulated": False}
        assert words not in html.unescape(render_html(slice_document("slice", own, seen)))
        assert words in html.unescape(render_html(slice_document("slice", {**own, "shipped": True}, seen)))
