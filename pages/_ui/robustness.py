"""How steady both models' answers for the patient are: probability as noise grows and as features are lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import streamlit as st

from genomap_core.plotting import robustness_curves
from genomap_core.workflows.tabular.patient import spread_of
from genomap_core.workflows.tabular.robustness import DRAWS, curves_of, disturbed_rows
from pages._ui.session import Session, warm
from pages._ui.widgets import caption


def robustness_card(session: Session, spec: Mapping[str, Any], names: Mapping[str, str], row: int, target: int) -> None:
    """Curves of both axes, drawn when they are asked for; the sliders stand in them as lines.

    ``spec``: of the task ``patient:predict``; ``names``: model -> label.
    """
    if not st.toggle("How robust are these answers?", help="As noise grows and as features are lost."):
        return
    dataset = session.dataset
    seed = session.perturbation.seed
    key = ("robustness", str(spec["run"]), row, seed, tuple(names), spec.get("estimators"))

    def make() -> Any:
        scale = session.remember(("scale", dataset.digest), lambda: spread_of(dataset))
        X = disturbed_rows(dataset, row, scale, seed)
        task = "genomap_core.workflows.tabular.patient:predict"
        return warm().call(task, {**spec, "models": list(names)}, {"X": X}, timeout=600)

    with st.spinner("Disturbing this patient ...", show_time=True):
        _, probas = session.remember(key, make)
    found = {label: curves_of(probas[name], target) for name, label in names.items()}
    shown = session.perturbation
    axes = (("noise grows", 0, shown.level), ("features are lost", 1, shown.keep))
    for column, (words, axis, at) in zip(st.columns(2), axes, strict=True):
        column.plotly_chart(
            robustness_curves(
                [(label, astuple(curves[axis])) for label, curves in found.items()],
                kept=bool(axis),
                at=at,
                target=dataset.classes[target],
            ),
            key=f"robustness-{axis}",
            alt=f"Probability of {dataset.classes[target]} as {words}",
        )
    caption(f"Lines: mean of {DRAWS} draws; bands: their range; dotted: where the sliders stand.")
