"""One feature of one patient: found by name or by a click, with its value, its rank and its neighbours on the map."""

from __future__ import annotations

from typing import Any

import numpy as np
import streamlit as st

from genomap_core.plotting import feature_distribution
from genomap_core.workflows.tabular.genomap import GenomapResult, unit_words
from pages._ui.patient_bar import Subject
from pages._ui.session import Session
from pages._ui.shell import plain
from pages._ui.widgets import bound

MOST_LISTED = 2000
"""Features of a list: a browser takes half a second for one of 20,000, at every change of the page."""
MOST_FOUND = 50


def find_feature(session: Session, kept: np.ndarray) -> None:
    """One list of few features; of many, which a browser lists slowly, a name is typed first."""
    if len(kept) <= MOST_LISTED:
        _choose(session, "Find a feature", "Type a name", [int(j) for j in kept])
        return
    part = st.text_input(
        "Find a feature",
        placeholder="Type a name, or part of one, and press Enter",
        key="feature_part",
        on_change=lambda: _take_the_only_one(session, kept),
    ).strip()
    found = _named(session, kept, part)
    if part and not found:
        st.markdown("No feature on the map has this in its name.")
    elif len(found) > 1:
        shown = found[:MOST_FOUND]
        more = f", the first {MOST_FOUND} of them" if len(found) > MOST_FOUND else ""
        if session.feature is not None and session.feature not in shown:
            shown = [session.feature, *shown]
        _choose(session, f"{len(found):,} features with this in their name{more}", "Choose one", shown)


def _choose(session: Session, label: str, placeholder: str, features: list[int]) -> None:
    names = session.dataset.feature_names
    st.selectbox(
        label,
        features,
        format_func=names.__getitem__,
        index=None,
        placeholder=placeholder,
        **bound(session, "feature"),
    )


def _named(session: Session, kept: np.ndarray, part: str) -> list[int]:
    """Features with ``part`` in their name, whatever its case: the very name first, then the shortest."""
    part, names = part.lower(), session.dataset.feature_names
    found = [int(j) for j in kept if part and part in names[j].lower()]
    return sorted(found, key=lambda j: (names[j].lower() != part, len(names[j])))


def _take_the_only_one(session: Session, kept: np.ndarray) -> None:
    """A name that one feature alone has, or has in it, needs no second choice."""
    part = st.session_state["feature_part"].strip()
    found = _named(session, kept, part)
    if len(found) == 1 or (found and session.dataset.feature_names[found[0]].lower() == part.lower()):
        session.feature = found[0]


def feature_card(session: Session, result: GenomapResult, row: int) -> None:
    """Find a feature; its value in this patient, its rank in the cohort, its neighbours on the map."""
    dataset = session.dataset
    names = result.feature_names
    find_feature(session, result.kept)
    picked = Subject.in_use(session, result).feature
    if picked is None:
        st.info(
            "Click a cell of the map, or type a name, to see where this patient stands.", icon=":material/ads_click:"
        )
        return
    z = result.z[:, picked]
    missing = result.missing[:, picked]
    shown = np.where(missing, np.nan, z * result.standardisation.scale[picked] + result.standardisation.mean[picked])
    first, second, third = st.columns(3)
    value = "missing" if missing[row] else f"{shown[row]:.4g}"
    first.metric("Value", value, help=f"Unit: {plain(unit_words(dataset.unit))}.")
    second.metric("z-score", "-" if missing[row] else f"{z[row]:+.2f}")
    rank = float((z[~missing] <= z[row]).mean())
    third.metric("Percentile", "-" if missing[row] else f"{100 * rank:.0f}")
    figure = feature_distribution(
        shown,
        None if dataset.y is None else dataset.y,
        dataset.classes,
        highlight=row,
        feature=names[picked],
        unit=unit_words(dataset.unit),
    )
    st.plotly_chart(figure, key="feature_distribution", alt=f"{names[picked]} across the cohort")
    if names[picked] in set(dataset.planted):
        st.badge("planted cause of the classes (simulation)", icon=":material/eco:", color="blue")
    st.markdown("**Neighbours on the map**")
    st.dataframe(_neighbours(result, picked), hide_index=True, height=230)


def _neighbours(result: GenomapResult, feature: int) -> dict[str, list[Any]]:
    """Features on the eight cells around, with their correlation over the cohort."""
    row, column = result.layout.positions[feature]
    board = result.layout.feature_of_cell[result.layout.channel[feature]]
    around = board[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].ravel()
    around = around[(around >= 0) & (around != feature)]
    n = len(result.z)
    with np.errstate(invalid="ignore"):
        r = result.z[:, around].T @ result.z[:, feature] / n
    order = np.argsort(-r)
    return {"feature": [result.feature_names[j] for j in around[order]], "correlation": r[order].round(3).tolist()}
