"""One slice of brain MRI as a report: what the model says and where it sees growth, or why it says nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genomap_core.plotting.static_map import StaticMap
from genomap_core.reports.document import Block, Document, Heading, Picture, Table, Text
from genomap_core.reports.parts import facts_table, origin
from genomap_core.workflows.growth.gate import NO_ANSWER
from genomap_core.workflows.growth.units import WHERE_TAUGHT, Figure, no_density, told_range, why_no_figures


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
        blocks = (*_classes(about, seen), *_growth(about, seen), *_figures(about, seen, figures))
    return Document(label, (*blocks, facts_table(origin())))


def _classes(about: dict[str, Any], seen: dict[str, np.ndarray]) -> tuple[Block, ...]:
    mean, n = seen["mean"], len(seen["proba"])
    head: tuple[str, ...] = ("class", "PhysNet")
    rows = [[about["classes"][c], f"{mean[c]:.0%}"] for c in np.argsort(-mean)]
    remark = "Trained on simulated slices." if about["simulated"] else about["why"]
    if n > 1:
        low, high = seen["proba"].min(0), seen["proba"].max(0)
        head = (*head, "trainings")
        for row, c in zip(rows, np.argsort(-mean), strict=True):
            row.append(told_range(low[c], high[c], ".0%"))
        remark += f" Trainings: spread between {n} trainings of the network."
    return Heading("Class"), Table(head, tuple(map(tuple, rows))), Text(remark, kind="about")


def _growth(about: dict[str, Any], seen: dict[str, np.ndarray]) -> tuple[Block, ...]:
    best = about["classes"][int(seen["mean"].argmax())]
    if best in about["clear"]:
        return (Heading("Growth"), Text(no_density(about["shipped"])))
    frames = seen["frames"]
    steps = sorted({0, (len(frames) - 1) // 2, len(frames) - 1})
    picture = StaticMap(
        frames[steps][:, None],
        tuple(f"step {k}" + (": the image" if k == len(frames) - 1 else "") for k in steps),
        (0.0, 1.0),
        unit="share of the space filled by tumour cells",
    )
    drawn = Picture(picture, "The density that selects what the classes are read from.")
    return (Heading("Growth"), drawn, *((Text(WHERE_TAUGHT, kind="about"),) if about["shipped"] else ()))


def _figures(about: dict[str, Any], seen: dict[str, np.ndarray], figures: Sequence[Figure]) -> tuple[Block, ...]:
    if not figures:
        best = about["classes"][int(seen["mean"].argmax())]
        why = why_no_figures(about["simulated"], best, about["infiltrating"])
        return (Text(why or "No D, rho, length or speed is told of this slice.", kind="about"),)
    rows = tuple((f.title, f"{f.value:.2g}", told_range(f.low, f.high), f.unit) for f in figures)
    return (
        Table(("figure", "value", "trainings", "unit"), rows),
        Text("Taught by simulation: the true values were training targets.", kind="about"),
    )
