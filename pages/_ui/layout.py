"""Views of the layout on the Genomap page: wishes, features on their way, and how steady their places are."""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from genomap_core.errors import GenomapError, InputError
from genomap_core.plotting import displacement_map, feature_journey
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.tabular.evidence import MEASURES, N_RANDOM, bought_words, evidence, reproducibility_words
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, reference_places, save_reference
from genomap_core.workflows.tabular.layout_study import (
    SMALLEST_SET,
    Journey,
    arrangement_picture,
    disc_rows,
    feature_colours,
    features_per_type,
    gene_sets,
    grid_of,
    journey,
    outline_rows,
    positions_of,
)
from pages._ui import jobs as job_panel
from pages._ui.feature_card import MOST_LISTED
from pages._ui.genomap_views import quality, subsample
from pages._ui.session import Session, jobs
from pages._ui.shell import plain, show_error
from pages._ui.widgets import caption, file_stem

if TYPE_CHECKING:
    from genomap_core.workflows.tabular.compare import CompareResult

MAX_BYTES = 20_000_000


def layout_wishes(session: Session, config: GenomapConfig) -> GenomapConfig:
    """Options of the default placement; other placements know only the shape."""
    with st.expander("Shape, gene sets, pins, reference map"):
        try:
            config = _reference(session, config)
            if config.reference is not None:
                return config
            config = _steady(_shape(session, config))
            if config.solver != "ot":
                st.markdown("Trade-off, gene sets and pins need the default placement.")
                return config
            balance = st.slider(
                "Global distances or close neighbours",
                0.0,
                1.0,
                config.balance,
                0.05,
                help="0 keeps distances over the whole map, 1 only neighbourhoods.",
            )
            return _pins(session, _gene_sets(session, replace(config, balance=balance)))
        except GenomapError as error:
            show_error(error)
            return config


def _reference(session: Session, config: GenomapConfig) -> GenomapConfig:
    """Places from a reference map, where one is given."""
    file = st.file_uploader(
        "Reference map (JSON)",
        ["json"],
        key=f"reference-{session.uploads}",
        help="Saved under Layout quality: the same places as in another cohort.",
    )
    if file is None:
        return replace(config, reference=None)
    data = _bytes(file.getvalue())
    key = ("reference", session.dataset.digest, hashlib.sha256(data).hexdigest())
    places, lacking, unknown = session.remember(key, lambda: reference_places(data, session.dataset))
    st.markdown(f"{plain(places.title)}: {len(places.cells):,} features of this cohort have a place.")
    for names, words in ((lacking, "of the map are not in this cohort"), (unknown, "of this cohort have no place")):
        if names:
            st.markdown(f"{len(names):,} {words}: {plain(', '.join(names[:8]))}{' ...' if len(names) > 8 else ''}")
    return replace(config, reference=places)


def _steady(config: GenomapConfig) -> GenomapConfig:
    a, b = st.columns(2)
    resamples = a.number_input(
        "Resamples to average over", 0, 50, config.resamples, help="For steadier places; takes time."
    )
    halves = b.number_input(
        "Splits for reproducibility", 0, 10, config.halves, help="Each half of the patients is laid out again."
    )
    return replace(config, resamples=int(resamples), halves=int(halves))


def _shape(session: Session, config: GenomapConfig) -> GenomapConfig:
    shape = st.selectbox("Shape", ["Rectangle", "Disc", "Outline from a picture"])
    count = features_per_type(session.dataset, config)
    if shape == "Disc":
        return replace(config, mask=disc_rows(count))
    if shape == "Outline from a picture":
        file = st.file_uploader(
            "Outline", ["png"], key=f"outline-{session.uploads}", help="Opaque, or dark on white, where genes may lie."
        )
        if file is not None:
            data = _bytes(file.getvalue())
            key = ("outline", hashlib.sha256(data).hexdigest(), count)
            return replace(config, mask=session.remember(key, lambda: outline_rows(data, count)))
    return replace(config, mask=())


def _bytes(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise InputError(
            f"The file has {len(data) / 1e6:.0f} MB, the limit is {MAX_BYTES / 1e6:.0f}: give a smaller one."
        )
    return data


def _gene_sets(session: Session, config: GenomapConfig) -> GenomapConfig:
    file = st.file_uploader(
        "Gene sets (GMT)",
        ["gmt", "txt"],
        key=f"gmt-{session.uploads}",
        help="Name, description and genes between tabs.",
    )
    if file is None:
        return replace(config, sets=())
    data = _bytes(file.getvalue())
    key = ("gmt", session.dataset.digest, hashlib.sha256(data).hexdigest())
    total, found = session.remember(key, lambda: gene_sets(data, session.dataset))
    st.markdown(f"{total:,} sets in the file; {len(found):,} have at least {SMALLEST_SET} genes in this table.")
    chosen = st.multiselect(
        "Draw as regions",
        list(found),
        list(found)[:5],
        format_func=lambda name: f"{name} ({len(found[name])})",
        max_selections=30,
        help="A gene in several sets belongs to the first.",
    )
    return replace(config, sets=tuple((name, found[name]) for name in chosen))


def _pins(session: Session, config: GenomapConfig) -> GenomapConfig:
    dataset = session.dataset
    height, width = grid_of(dataset, config)
    few = dataset.n_features <= MOST_LISTED
    a, b, c = st.columns([3, 1, 1])
    feature = a.selectbox(
        "Pin a feature",
        range(dataset.n_features) if few else [session.feature] if session.feature is not None else [],
        index=session.feature if few else None if session.feature is None else 0,
        format_func=dataset.feature_names.__getitem__,
        placeholder="Type a name" if few else "Choose it on the map first",
        key="pin_feature",
    )
    b.number_input("Row", 0, height - 1, height // 2, key="pin_row")
    c.number_input("Column", 0, width - 1, width // 2, key="pin_column")

    def pin() -> None:
        wanted = tuple(int(st.session_state[key]) for key in ("pin_feature", "pin_row", "pin_column"))
        others = tuple(p for p in session.layout.pins if p[0] != wanted[0] and p[1:] != wanted[1:])
        session.choose(replace(session.layout, pins=(*others, wanted)))

    st.button("Pin", icon=":material/push_pin:", on_click=pin, disabled=feature is None)
    if not config.pins:
        return config

    def unpin() -> None:
        session.choose(replace(session.layout, pins=tuple(st.session_state["pins"])))

    st.session_state["pins"] = list(config.pins)
    st.multiselect(
        "Held in place",
        list(config.pins),
        format_func=lambda pin: f"{dataset.feature_names[pin[0]]} at row {pin[1]}, column {pin[2]}",
        key="pins",
        on_change=unpin,
    )
    return config


def evidence_card(session: Session, result: GenomapResult) -> None:
    """What speaks for this layout and what does not; and the layout as a reference map for other cohorts."""
    quality(session, result)
    st.subheader("Evidence")
    job, found = _last_comparison(session)
    with st.spinner("Measuring random layouts ..."):
        key = ("evidence", session.dataset.digest, session.layout, job)
        card = session.remember(key, lambda: evidence(result, found))
    st.dataframe(
        {
            "measure": list(MEASURES.values()),
            "this layout": [round(getattr(card.quality, m), 3) for m in MEASURES],
            f"{N_RANDOM} random layouts (95 % of such)": [str(card.random[m]) for m in MEASURES],
        },
        hide_index=True,
    )
    measured = reproducibility_words(card.reproducibility)
    if card.reproducibility is None and session.layout.reference is None:
        measured += " Ask for splits under Layout."
    st.markdown(f"{measured}  \n{bought_words(card.bought)}")
    if result.layout.n_channels > 1:
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Name as a reference map", session.dataset.name, max_chars=60)
        version = st.text_input("Version", "1", max_chars=20)
        st.download_button(
            "Save as a reference map",
            lambda: save_reference(session.dataset, result, name, version),
            f"{file_stem(name)}.map.json",
            "application/json",
            on_click="ignore",
            icon=":material/download:",
            disabled=not (name.strip() and version.strip()),
            help="Names, places, quality and what it was fitted on; no patient's values.",
        )


def _last_comparison(session: Session) -> tuple[str, CompareResult] | tuple[str, None]:
    """The newest comparison of this cohort that has ended well, with its job's number."""
    for job in job_panel.of_task(session, COMPARISON):
        if job.status == "done":
            from genomap_core.workflows.tabular.compare import CompareResult

            folder = jobs().folder(job.id, session.owner)
            found: CompareResult = session.remember(("compare", job.id), lambda f=folder: CompareResult.load(f))
            if found.digest == session.dataset.digest:
                return job.id, found
    return "", None


COMPARISON = "tabular.compare:task"
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
    if _of_reference(session):
        return
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
        arrangement_picture(seen.frames[0], seen.colours, shape),
        caption="Before: the table's order",
        width="stretch",
        alt="Before",
    )
    after.image(
        arrangement_picture(seen.frames[-1], seen.colours, shape), caption="After", width="stretch", alt="After"
    )
    st.plotly_chart(
        feature_journey(seen.frames, seen.colours, result.feature_names, shape),
        key="journey",
        alt="Features travelling to their places",
    )
    caption("Up to 500 features, step by step; press Play or move the slider.")


def _of_reference(session: Session) -> bool:
    """Whether the places are a reference map's; then says that they depend on no patient of this cohort."""
    known = session.layout.reference
    if known is not None:
        st.info(f"The places are those of {plain(known.title)}: they do not depend on the patients of this cohort.")
    return known is not None


def other_patients(session: Session, result: GenomapResult) -> None:
    """The layout on fewer patients, and on patients drawn anew."""
    if _of_reference(session):
        return
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
