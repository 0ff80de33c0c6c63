"""The Genomap page's views of the layout itself: features on their way, and how steady their places are."""

from __future__ import annotations

import time
from dataclasses import asdict

import numpy as np
import streamlit as st

from genomap_core.plotting import displacement_map, feature_journey
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.genomap import GenomapResult
from genomap_core.workflows.tabular.layout_study import (
    Journey,
    arrangement_picture,
    feature_colours,
    journey,
    positions_of,
)
from pages._ui import jobs as job_panel
from pages._ui.genomap_views import subsample
from pages._ui.session import Session, jobs
from pages._ui.widgets import caption

STABILITY = "tabular.layout_study:stability_task"
FRAME_SECONDS = 0.1


def placed(session: Session) -> GenomapResult:
    """The tab's layout; while it is computed its arrangements are drawn."""
    key = ("genomap", session.dataset.digest, session.layout)
    if key in session.cache:
        return session.genomap()
    stage = st.empty()
    with st.spinner("Placing the features ..."):
        result = session.genomap(_drawing(stage))
    stage.empty()
    return result


def _drawing(stage: st.delta_generator.DeltaGenerator, colours: np.ndarray | None = None) -> OnProgress:
    """A receiver of progress that draws the arrangement so far, at most ten times a second.

    Without ``colours`` features keep the colour of the place they had first.
    """
    last = 0.0

    def draw(report: Progress) -> None:
        nonlocal last, colours
        positions = positions_of(report)
        if positions is None or time.monotonic() - last < FRAME_SECONDS:
            return
        shape = (int(positions[:, 0].max()) + 1, int(positions[:, 1].max()) + 1)
        if colours is None:
            y, x = (positions / np.maximum(np.array(shape) - 1, 1)).T
            colours = (40 + 205 * np.column_stack([x, y, 1 - x])).astype(np.uint8)
        stage.image(arrangement_picture(positions, colours, shape), caption=f"Step {report.step} of {report.total}")
        last = time.monotonic()

    return draw


def placement(session: Session, result: GenomapResult) -> None:
    """Watch the features travel from the table's order to their places."""
    st.markdown(
        "From the order of the table to the map: the optimiser moves every feature until related ones lie side by "
        "side. Colour: what a feature varies with (its first three principal components), so a good map has smooth "
        "colours."
    )
    key = ("journey", session.dataset.digest, session.layout)
    if st.button("Place the features again", icon=":material/play_arrow:"):
        session.cache.pop(key, None)
        stage = st.empty()
        drawing = _drawing(stage, feature_colours(result.z))
        session.remember(key, lambda: journey(result, session.layout, drawing))
        stage.empty()
    seen: Journey | None = session.cache.get(key)
    if seen is None:
        return
    shape = result.layout.shape
    before, after = st.columns(2)
    before.image(
        arrangement_picture(seen.frames[0], seen.colours, shape), caption="Before: the table's order", width="stretch"
    )
    after.image(arrangement_picture(seen.frames[-1], seen.colours, shape), caption="After", width="stretch")
    st.plotly_chart(
        feature_journey(seen.frames, seen.colours, result.feature_names, shape),
        key="journey",
        alt="Features travelling to their places",
    )
    caption("Up to 500 features, step by step; press Play or move the slider.")


def other_patients(session: Session, result: GenomapResult) -> None:
    """The layout on fewer patients, and on patients drawn anew."""
    subsample(session, result)
    stability(session, result)


def stability(session: Session, result: GenomapResult) -> None:
    """How far features move when patients are drawn anew, and what holding them costs."""
    st.subheader("Stability")
    st.markdown(
        "Had other patients of the same kind been measured, where would the features lie? Patients are drawn anew with "
        "replacement (bootstrap), each draw is laid out again, turned and mirrored to the map, and the moves are "
        "measured. Holding on to the map keeps features in place at the cost of some fidelity."
    )
    with st.form("stability"):
        a, b = st.columns(2)
        resamples = a.slider("Draws", 3, 30, 8)
        hold = b.slider("Hold on to the map", 0.0, 0.5, 0.0, 0.01, help="0: every draw is laid out from nothing.")
        if st.form_submit_button("Measure stability", icon=":material/balance:"):
            spec = {"config": asdict(session.layout), "resamples": resamples, "stability": hold}
            job_panel.submit(session, STABILITY, spec, f"Stability, {resamples} draws, hold {hold:g}")
    job_panel.history(session, STABILITY, lambda job: _steadiness(session, result, job))


def _steadiness(session: Session, result: GenomapResult, job: job_panel.Job) -> None:
    with np.load(jobs().folder(job.id, session.owner) / "moved.npz", allow_pickle=False) as file:
        moved = file["cells_moved"]
    if len(moved) != len(result.feature_names):
        st.info("This result belongs to another cohort or other options: measure stability again.")
        return
    found = jobs().result(job.id, session.owner)
    (one, two), (three, four) = st.columns(2), st.columns(2)
    one.metric("Mean move", f"{100 * found['relative']:.0f} %", help="100 %: as far as to a random place.", border=True)
    two.metric("Median move", f"{found['median_cells_moved']:.1f} cells", border=True)
    whole = result.layout.quality
    fresh = found["quality"]
    three.metric("Distortion of the draws", f"{fresh['gw_distortion']:.3f}", border=True)
    four.metric("Neighbours of the draws", f"{fresh['neighbour_correlation']:.3f}", border=True)
    caption(f"The map itself: distortion {whole.gw_distortion:.3f}, neighbours {whole.neighbour_correlation:.3f}.")
    positions = result.layout.positions.astype(float)
    st.plotly_chart(
        displacement_map(positions, positions + [[0, 1]] * moved[:, None], result.layout.shape, result.feature_names),
        key="stability_map",
        alt="Mean move of each feature",
    )
    order = np.argsort(np.nan_to_num(moved, nan=np.inf))
    steady, restless = order[:10], order[np.isfinite(moved[order])][::-1][:10]
    for column, title, rows in zip(st.columns(2), ("Steadiest", "Most restless"), (steady, restless), strict=True):
        column.markdown(f"**{title}**")
        column.dataframe(
            {"feature": [result.feature_names[j] for j in rows], "mean move (cells)": moved[rows].round(1)},
            hide_index=True,
        )
