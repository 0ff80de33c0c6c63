"""The settings card of tabular foundation models: which weights are here, what they allow, and how to get others."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from genomap_core.errors import GenomapError
from genomap_core.pfn import HOW_TO_GET, Weights, expected_seconds, inspect_weights, shipped_card, survey_weights
from pages._ui.shell import plain
from pages._ui.widgets import caption

SLOW_SECONDS = 5.0
"""A prediction expected to take longer is announced before it starts."""
_COMMERCIAL = {True: "yes", False: "NO", None: "not stated"}


def weights_card() -> Weights | None:
    """Show what was found and take a path; the weights that will answer, or None."""
    survey = survey_weights()
    found = list(survey.found)
    with st.expander(
        f"Weights of the tabular model: {plain(found[0].label)}"
        if found
        else "Weights of the tabular model: none found - how to get them",
        icon=":material/neurology:",
    ):
        path = st.text_input(
            "Path of a weights file on this machine",
            key="weights_path",
            persist_state="session",
            placeholder="/path/to/tabpfn-v2-classifier.ckpt",
            help="A .ckpt or .safetensors file of the tabpfn package. It is read where it lies.",
        )
        if path.strip():
            try:
                found.insert(0, inspect_weights(Path(path.strip()).expanduser()))
            except GenomapError as error:
                st.error(plain(str(error)), icon=":material/error:")
        chosen = _choice(found)
        for file, problem in survey.rejected:
            st.warning(f"{plain(Path(file).name)}: {plain(problem)}")
        st.markdown("**Official versions.** Nothing is downloaded by this app, and no browser is opened.")
        for card in HOW_TO_GET:
            st.markdown("- " + plain(card.how_to_get))
    if chosen is not None and chosen.commercial is not True:
        allowed = "Not for commercial use" if chosen.commercial is False else "Commercial use is not stated"
        st.warning(f"{plain(chosen.label)}: {plain(chosen.licence)}. {allowed}.", icon=":material/gavel:")
    return chosen


def _choice(found: list[Weights]) -> Weights | None:
    if not found:
        return None
    st.dataframe(
        pd.DataFrame(
            {
                "weights": [w.label for w in found],
                "licence": [w.licence for w in found],
                "commercial use": [_COMMERCIAL[w.commercial] for w in found],
                "training rows": [w.limits.rows for w in found],
                "on a CPU": [min(w.limits.rows, w.limits.rows_cpu) for w in found],
                "features": [w.limits.features for w in found],
                "classes": [w.limits.classes for w in found],
                "MB": [round(w.megabytes, 1) for w in found],
                "sha256": [w.sha256[:16] for w in found],
                "path": [str(w.path) for w in found],
            }
        ),
        hide_index=True,
    )
    chosen = found[0]
    if len(found) > 1:
        names = {w.sha256: w.label for w in found}
        picked = st.selectbox("Answering", list(names), format_func=names.__getitem__)
        chosen = next(w for w in found if w.sha256 == picked)
    kept = chosen.limits.selected
    caption(
        "Inside each fold these weights answer twice and the mean counts: given scores of the classes by ridge "
        f"regression, and given the whole table, or, of more than {chosen.limits.features} features, the scores beside "
        f"the {kept} that differ most between the classes."
        if chosen.quick
        else "Wider tables are narrowed inside each fold, in the way that does best on inner folds of the training "
        f"rows (to {kept} inputs with these weights)."
    )
    if text := shipped_card(chosen):
        with st.popover("Card: how these weights were made, and how good they are"):
            st.markdown(text)
    return chosen


def time_warning(weights: Weights, n_rows: int, n_features: int, n_estimators: int) -> str:
    """How long one prediction is expected to take on a CPU, where it is long enough to matter; else empty."""
    seconds, single = (_expected(weights, n_rows, n_features, n) for n in (n_estimators, 1))
    if seconds < SLOW_SECONDS:
        return ""
    return (
        f"On a CPU one prediction with {weights.label} is expected to take about {seconds:.0f} s "
        f"with {n_estimators} estimators, {single:.0f} s with one."
    )


def affordable(weights: Weights, n_rows: int, n_features: int) -> int:
    """The usual number of estimators, or as many as answer in :data:`SLOW_SECONDS` on a CPU; one at least."""
    single = _expected(weights, n_rows, n_features, 1)
    return max(1, min(weights.estimators(n_rows), int(SLOW_SECONDS / single)))


def _expected(weights: Weights, n_rows: int, n_features: int, n_estimators: int) -> float:
    kept = n_features if n_features <= weights.limits.features else weights.limits.selected
    return expected_seconds(weights, n_rows, kept, n_estimators)
