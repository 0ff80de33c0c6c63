"""One slice of brain MRI as a report: what the model says and where it sees growth, or why it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Document, Heading, Picture, Table, Text
from genomap_core.reports.parts import facts_table, origin
from genomap_core.workflows.growth.gate import NO_ANSWER
from genomap_core.workflows.growth.units import Figure


def slice_document(
    label: str, about: dict[str, Any], seen: dict[str, np.ndarray], figures: Sequence[Figure] = ()
) -> Document:
    """The report on one slice.

    Parameters
    ----------
    label
        How the reader shall know the slice.
    about, seen
        What :func:`genomap_core.workflows.growth.view.analyse` returned. Whatever its verdict is but ``answer``, the
        report holds the verdict and why, and no class, contour or figure.
    figures
        D, rho and what follows from them, where they may be told.
    """
    blocks: tuple[Block, ...] = (Text(about["why"], lead=NO_ANSWER.get(about["verdict"], ""), kind="warning"),)
    if about["verdict"] == "answer":
        blocks = (*_classes(about, seen), *_growth(about, seen), *_figures(figures))
    return Document(label, (*blocks, facts_table(origin())))


def _classes(about: dict[str, Any], seen: dict[str, np.ndarray]) -> tuple[Block, ...]:
    low, high = seen["proba"].min(0), seen["proba"].max(0)
    mean, names = seen["mean"], about["classes"]
    rows = tuple((names[c], f"{mean[c]:.0%}", f"{low[c]:.0%} to {high[c]:.0%}") for c in np.argsort(-mean))
    remark = "Trained on simulated slices." if about["simulated"] else about["why"]
    spread = f"Range: between {len(seen['proba'])} trainings of the network."
    return Heading("Class"), Table(("class", "PhysNet", "range"), rows), Text(f"{remark} {spread}", kind="about")


def _growth(about: dict[str, Any], seen: dict[str, np.ndarray]) -> tuple[Block, ...]:
    best = about["classes"][int(seen["mean"].argmax())]
    if best in about["clear"]:
        return (Heading("Growth"), Text("The model sees no tumour, so no density is drawn."))
    frames = seen["frames"]
    steps = sorted({0, (len(frames) - 1) // 2, len(frames) - 1})
    picture = StaticMap(
        frames[steps][:, None],
        tuple(f"step {k}" + (": the image" if k == len(frames) - 1 else "") for k in steps),
        (0.0, 1.0),
        unit="share of the space filled by tumour cells",
    )
    return (Heading("Growth"), Picture(picture, "The density that selects what the classes are read from."))


def _figures(figures: Sequence[Figure]) -> tuple[Block, ...]:
    if not figures:
        return (Text("No D, rho, length or speed is told of this slice.", kind="about"),)
    rows = tuple((f.title, f"{f.value:.2g}", f"{f.low:.2g} to {f.high:.2g}", f.unit) for f in figures)
    return (
        Table(("figure", "value", "trainings", "unit"), rows),
        Text("Taught by simulation: the true values were training targets.", kind="about"),
    )
