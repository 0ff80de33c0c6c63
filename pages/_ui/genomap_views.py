"""The views of the Genomap page: one patient, classes, patients side by side, the layout's quality, fewer samples.

Tables are plain dicts: importing pandas takes half a second that the first map need not wait for.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.io.tables.export import csv_name
from genomap_core.plotting import displacement_map, layout_quality
from genomap_core.plotting.colour import robust_range
from genomap_core.plotting.static_map import map_png, map_svg
from genomap_core.reports.map_files import map_csv, maps_npz
from genomap_core.workflows.tabular.genomap import GenomapResult, map_unit
from genomap_core.workflows.tabular.layout_study import named_regions
from pages._ui import jobs as job_panel
from pages._ui.feature_card import chosen_feature, feature_card
from pages._ui.gene_map import MapData, gene_map, perturbation_fields
from pages._ui.links import link_card
from pages._ui.session import Session, jobs
from pages._ui.shell import page_link, plain
from pages._ui.widgets import bound, caption, file_stem


def exports(session: Session, result: GenomapResult, data: MapData) -> None:
    stem = f"genomap-{file_stem(session.dataset.name)}-{session.patient + 1}"
    shown = session.perturbation
    files = {
        "PNG": (lambda: map_png(data.static(shown)), f"{stem}.png"),
        "SVG": (lambda: map_svg(data.static(shown)), f"{stem}.svg"),
        "CSV": (lambda: map_csv(result, data.shown(shown)[0]), csv_name(stem)),
        "All maps (npz)": (
            lambda: maps_npz(session.dataset, result),
            f"genomaps-{file_stem(session.dataset.name)}.npz",
        ),
    }
    with st.container(horizontal=True, gap="small"):
        for title, (make, name) in files.items():
            st.download_button(title, make, name, on_click="ignore", icon=":material/download:")


SUBSAMPLE = "tabular.genomap:subsample_task"
STEPPING = "_stepping"
"""Set while somebody steps through the patients: then the browser is given the neighbours beforehand."""


def cohort_line(session: Session) -> None:
    """What is looked at, in one line, and the way to another cohort."""
    d = session.dataset
    classes = "no labels" if d.y is None else f"{len(d.classes)} classes"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(
            f"**{plain(d.name)}** · {d.n_samples:,} samples · {d.n_features:,} features · {classes} · {plain(d.unit)}",
            width="content",
        )
        page_link("data", "Change cohort", ":material/swap_horiz:")


def map_data(
    session: Session, result: GenomapResult, rows: list[int], highlighted: tuple[int, ...] = (), title: str = ""
) -> MapData:
    """The maps of these rows on the cohort's common scale, ready for the sliders."""
    dataset = session.dataset
    noise, rank = perturbation_fields(session.perturbation.seed, np.asarray(rows), dataset.n_features, result.kept)
    span = session.remember(("span", dataset.digest, session.layout), lambda: robust_range(result.z))
    return MapData(
        places=result.layout,
        values=result.z[rows],
        names=result.feature_names,
        labels=tuple(label(dataset, i) for i in rows),
        channel_names=channel_names(dataset, result),
        noise=noise,
        rank=rank,
        seed=session.perturbation.seed,
        missing=result.missing[rows],
        value_range=span,
        unit=map_unit(dataset),
        highlighted=highlighted,
        title=title,
        noun="feature",
    )


def channel_names(dataset: Dataset, result: GenomapResult) -> tuple[str, ...]:
    """Caption of each omics type's map; empty for a single one."""
    return dataset.omics_names if result.layout.n_channels > 1 else ("",)


def label(dataset: Dataset, row: int) -> str:
    """A patient as captions say it: id and class."""
    if dataset.y is None:
        return dataset.sample_ids[row]
    return f"{dataset.sample_ids[row]} - {dataset.classes[dataset.y[row]]}"


def patient_picker(session: Session) -> int:
    """Choose a sample by id, or step through them."""
    d, n = session.dataset, session.dataset.n_samples

    def step(by: int) -> None:
        session.patient = (session.patient + by) % n
        st.session_state[STEPPING] = True

    chosen = bound(session, "patient")

    def choose() -> None:
        chosen["on_change"]()
        st.session_state.pop(STEPPING, None)

    st.selectbox("Patient", range(n), format_func=lambda i: label(d, i), key=chosen["key"], on_change=choose)
    with st.container(horizontal=True):
        st.button("Previous", key="previous", icon=":material/chevron_left:", on_click=step, args=(-1,))
        st.button("Next", key="next", icon=":material/chevron_right:", on_click=step, args=(1,))
    return session.patient


@st.fragment
def patient(session: Session, result: GenomapResult) -> None:
    """One patient's map with its sliders, and the feature that was clicked or searched."""
    left, right = st.container(key="wide-patient").columns([3, 2], gap="large")
    row, chosen = session.patient, chosen_feature(session, result)
    n = session.dataset.n_samples
    around = {"next": (row + 1) % n, "previous": (row - 1) % n} if STEPPING in st.session_state else {}
    with left:
        regions: dict[str, Any] = {}
        if st.toggle("Name the regions", help="Outlines of groups of related features, or of your gene sets."):
            key = ("named regions", session.dataset.digest, session.layout)
            labels, names = session.remember(key, lambda: named_regions(result, session.layout))
            regions = {"regions": labels, "region_names": tuple(names)}

        def shown(i: int) -> MapData:
            rings = () if chosen is None else (chosen,)
            return replace(map_data(session, result, [i], rings, title=session.dataset.name), **regions)

        data = shown(row)
        event = gene_map(
            data,
            key="patient_map",
            height=560,
            initial=session.perturbation,
            ahead={key: shown(i) for key, i in around.items()},
        )
        session.perturbation = event.perturbation
        if event.feature is not None and event.feature != chosen:
            session.feature = int(result.kept[event.feature])
            st.rerun()
        st.markdown(
            "Noise is in units of each feature's standard deviation; the marks are the robustness study's 5, 10, 15 "
            "and 20 %."
        )
        exports(session, result, data)
        with st.popover("Link to this view", icon=":material/link:"):
            link_card(session, "Patient")
    with right:
        patient_picker(session)
        feature_card(session, result, row)


def classes(session: Session, result: GenomapResult) -> None:
    """Mean map of each class on one scale, and the difference of two."""
    dataset = session.dataset
    if dataset.y is None:
        st.info("This cohort has no labels: choose a target column on the Data page.")
        return
    codes = [c for c in range(len(dataset.classes)) if (dataset.y == c).any()][:12]
    means = np.stack([result.z[dataset.y == c].mean(0) for c in codes])
    counts = [int((dataset.y == c).sum()) for c in codes]
    common = {
        "places": result.layout,
        "names": result.feature_names,
        "channel_names": channel_names(dataset, result),
        "unit": map_unit(dataset),
        "noun": "feature",
        "diverging": True,
    }
    named = tuple(f"{dataset.classes[c]} (n = {k})" for c, k in zip(codes, counts, strict=True))
    gene_map(
        MapData(values=means, labels=named, title=f"{dataset.name}: class means", **common),
        key="class_means",
        height=300,
        columns=min(3, len(codes)),
        controls=("zoom", "export"),
    )
    caption("Mean of the standardised values in each class, all on one scale; 0 is the mean of the cohort.")
    if len(codes) < 2:
        return
    one, other = st.columns(2)
    a = one.selectbox("Difference of", codes, format_func=dataset.classes.__getitem__)
    b = other.selectbox("to", [c for c in codes if c != a], format_func=dataset.classes.__getitem__)
    difference = result.z[dataset.y == a].mean(0) - result.z[dataset.y == b].mean(0)
    gene_map(
        MapData(
            values=difference[None],
            labels=(f"{dataset.classes[a]} minus {dataset.classes[b]}",),
            title=f"{dataset.name}: difference of means",
            **common,
        ),
        key="class_difference",
        height=420,
        controls=("zoom", "export"),
    )
    top = np.argsort(-np.abs(difference))[:15]
    st.dataframe(
        {
            "feature": [result.feature_names[j] for j in top],
            "difference of means (sd)": difference[top].round(2),
        },
        hide_index=True,
    )


def side_by_side(session: Session, result: GenomapResult) -> None:
    """Up to 24 patients on one scale."""
    dataset = session.dataset
    first, second = st.columns([3, 1])
    of = first.selectbox(
        "Patients",
        ["a few of each class", "from the chosen patient on"]
        if dataset.y is not None
        else ["from the chosen patient on"],
    )
    count = second.slider("How many", 2, 24, 12)
    rows = _few_of_each(dataset, count) if of.startswith("a few") else _from(session.patient, dataset.n_samples, count)
    event = gene_map(
        map_data(session, result, rows, title=dataset.name),
        key="many_maps",
        height=240,
        controls=("noise", "keep", "zoom", "export"),
        initial=session.perturbation,
    )
    session.perturbation = event.perturbation
    if event.feature is not None:
        session.feature = int(result.kept[event.feature])
    if event.map_index is not None:
        session.patient = rows[event.map_index]
    caption("All on the cohort's scale, so that brightness can be compared. Click a map to choose its patient.")


def _few_of_each(dataset: Dataset, count: int) -> list[int]:
    assert dataset.y is not None
    queues = [list(np.flatnonzero(dataset.y == c)) for c in range(len(dataset.classes))]
    each = max(1, count // max(1, len(queues)))
    rows = [int(i) for q in queues for i in q[:each]]
    rest = [int(i) for q in queues for i in q[each:]]
    return (rows + rest)[: min(count, dataset.n_samples)]


def _from(start: int, n: int, count: int) -> list[int]:
    return [(start + k) % n for k in range(min(count, n))]


def quality(session: Session, result: GenomapResult) -> None:
    """How faithful the layout is, beside a random one."""
    st.markdown(
        "A good map puts features that vary together side by side. Four measures say how well it does, beside a random "
        "layout of the same features: what an unordered map looks like. *Distortion* is the Gromov-Wasserstein loss; "
        "*distances agree* is the rank correlation of feature and grid distances; *neighbours agree* is the mean "
        "correlation of adjacent features; *nearest kept* is the share of the ten most correlated features that lie on "
        "the ten nearest cells."
    )
    chosen, control = asdict(result.layout.quality), asdict(result.control)
    measures = {
        "gw_distortion": ("Distortion", "lower is better"),
        "spearman": ("Distances agree", "higher is better"),
        "neighbour_correlation": ("Neighbours agree", "higher is better"),
        "knn_recall": ("Nearest kept", "higher is better"),
    }
    for column, (key, (title, direction)) in zip(st.columns(4), measures.items(), strict=True):
        column.metric(title, f"{chosen[key]:.3f}", help=direction, border=True)
        column.markdown(f"random: **{control[key]:.3f}** · {direction}")
    st.plotly_chart(layout_quality(result.layout.quality, result.control), alt="Layout quality beside a random layout")
    caption(f"Solver: {result.layout.solver}. Grid: {result.layout.shape[0]} x {result.layout.shape[1]} cells.")


def subsample(session: Session, result: GenomapResult) -> None:
    """The layout fitted again on fewer samples, and how far features moved."""
    st.markdown("Would the map look the same with fewer patients? The layout is fitted again on a share of them.")
    with st.form("subsample"):
        share = st.slider("Share of the samples", 20, 100, 60, 5, format="%d %%")
        if st.form_submit_button("Fit the layout again", icon=":material/refresh:"):
            config = asdict(session.layout)
            job_panel.submit(
                session, SUBSAMPLE, {"config": config, "fraction": share / 100}, f"Layout on {share} % of the samples"
            )

    def draw(job: job_panel.Job) -> None:
        with np.load(jobs().folder(job.id, session.owner) / "moved.npz", allow_pickle=False) as f:
            moved, positions = f["cells_moved"], f["positions"]
        if len(moved) != len(result.feature_names):
            st.info("This result belongs to another cohort or other options: fit the layout again.")
            return
        found = jobs().result(job.id, session.owner)
        one, two, three = st.columns(3)
        one.metric("Samples used", f"{found['n_samples']:,}", border=True)
        two.metric("Median move", f"{found['median_cells_moved']:.1f} cells", border=True)
        three.metric("If places were random", f"{found['random_cells_moved']:.1f} cells", border=True)
        st.plotly_chart(
            displacement_map(result.layout.positions, positions, result.layout.shape, result.feature_names),
            alt="How far each feature moved",
        )
        caption(
            "Each feature at its place on the full map; colour: how many cells it moved after the best turn or mirror."
        )

    job_panel.history(session, SUBSAMPLE, draw)
