"""The views of the Genomap page: one patient, classes, patients side by side, the layout's quality, fewer samples.

Tables are plain dicts: importing pandas takes half a second that the first map need not wait for.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.data.perturb import Perturbation
from genomap_core.data.readings import Readings
from genomap_core.io.tables.export import csv_name
from genomap_core.plotting import displacement_map
from genomap_core.plotting.colour import robust_range
from genomap_core.plotting.static_map import map_png, map_svg
from genomap_core.reports.map_files import map_csv, maps_npz
from genomap_core.workflows.tabular.genomap import GenomapResult, filled_row, layout_verdict, map_unit, solver_words
from pages._ui import jobs as job_panel
from pages._ui.feature_card import feature_card
from pages._ui.gene_map import MapData, Measured, gene_map, perturbation_fields
from pages._ui.links import keep_link, link_card
from pages._ui.patient_bar import STEPPING, Subject, label, patient_bar, reference_picker
from pages._ui.session import Session, jobs
from pages._ui.shell import errors_shown, page_link, plain
from pages._ui.standing import (
    DIFFERENCE,
    clinical_line,
    difference_map,
    map_of,
    marked,
    nearest_line,
    region_reasons,
    sentences,
    standing,
    standing_report,
)
from pages._ui.widgets import caption, file_stem, verdict_box

MAP_HEIGHT = 400
"""CSS pixels: the map, its legend and what stands out fit on one screen of 1280 x 800."""


def exports(session: Session, result: GenomapResult, data: MapData) -> None:
    stem = f"genomap-{file_stem(session.dataset.name)}-{session.patient + 1}"
    shown = session.perturbation
    files = {
        "PNG": (lambda: map_png(data.static(shown)), f"{stem}.png"),
        "SVG": (lambda: map_svg(data.static(shown)), f"{stem}.svg"),
        "CSV": (lambda: map_csv(session.dataset, result, data.shown(shown)[0]), csv_name(stem)),
        "All maps (npz)": (
            lambda: maps_npz(session.dataset, result),
            f"genomaps-{file_stem(session.dataset.name)}.npz",
        ),
    }
    with st.container(horizontal=True, gap="small"):
        for title, (make, name) in files.items():
            st.download_button(title, make, name, on_click="ignore", icon=":material/download:")


SUBSAMPLE = "tabular.genomap:subsample_task"


def cohort_line(session: Session) -> None:
    """What is looked at, in one line, and the way to another cohort."""
    d = session.dataset
    classes = "no labels" if d.y is None else f"{len(d.classes)} class{'' if len(d.classes) == 1 else 'es'}"
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(
            f"**{plain(d.name)}** · {plural(d.n_samples, 'sample')} · {plural(d.n_features, 'feature')} · {classes}"
            + ("" if d.unit == "value" else f" · {plain(d.unit)}"),
            width="content",
        )
        page_link("data", "Change cohort", ":material/swap_horiz:")


def map_data(
    session: Session, result: GenomapResult, rows: list[int], highlighted: tuple[int, ...] = (), title: str = ""
) -> MapData:
    """The maps of these rows on the cohort's common scale, ready for the sliders."""
    dataset = session.dataset
    noise, rank = perturbation_fields(session.perturbation.seed, np.asarray(rows), dataset.n_features, result.kept)
    span = session.remember(("span", dataset.digest, session.layout), lambda: robust_range(result.z, symmetric=True))
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
        as_measured=session.remember(
            ("as measured", dataset.digest, session.layout), lambda: as_measured(dataset, result)
        ),
    )


def as_measured(dataset: Dataset, result: GenomapResult) -> Measured:
    """How the map's values are said in the units and words of the table."""
    readings, kept = Readings.of(dataset), result.kept.tolist()
    return Measured(
        result.standardisation.mean,
        result.standardisation.scale,
        tuple(readings.units[j] for j in kept),
        {k: readings.words[j] for k, j in enumerate(kept) if j in readings.words},
    )


def channel_names(dataset: Dataset, result: GenomapResult) -> tuple[str, ...]:
    """Caption of each omics type's map; empty for a single one."""
    return dataset.omics_names if result.layout.n_channels > 1 else ("",)


@st.fragment
def patient(session: Session, result: GenomapResult) -> None:
    """One patient: the map, what stands out in it, and the feature that was clicked or searched."""
    with errors_shown():  # a fragment that runs again is no longer in the page's own
        _patient(session, result)


def _patient(session: Session, result: GenomapResult) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-bar"):
        row = patient_bar(session)
        reference_picker(session)
        shows = map_of()
    clinical_line(session.dataset, row)
    subject = Subject.in_use(session, result)
    left, right = st.container(key="beside-patient").columns([3, 2], gap="medium")
    with right:
        found = standing(subject, row)
        if found is not None:
            sentences(subject, found)
    with left:
        if shows == DIFFERENCE and found is not None:
            difference_map(subject, row, found, channel_names(session.dataset, result), MAP_HEIGHT, **_marks(subject))
        else:
            _values(subject, row)
            _filled(session, result, row)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.toggle(
                "Name the regions",
                key="name_regions",
                help="Processes that lie together: your gene sets, or what groups of related features have in common.",
            )
            with st.popover("Save", icon=":material/download:"):
                exports(session, result, map_data(session, result, [row], title=session.dataset.name))
                if found is not None:
                    standing_report(subject, row, found)
            with st.popover("Link to this view", icon=":material/link:"):
                link_card(session, "Patient")
        if st.session_state.get("name_regions"):
            region_reasons(subject.regions)
    with right:
        if found is not None:
            nearest_line(subject, found)
        feature_card(session, result, row)
    keep_link(session)


def _values(subject: Subject, row: int) -> None:
    """The patient's values with the sliders; a click chooses a feature."""
    session, result = subject.session, subject.genomap
    n = session.dataset.n_samples
    around = {"next": (row + 1) % n, "previous": (row - 1) % n} if STEPPING in st.session_state else {}
    marks = _marks(subject)

    def shown(i: int) -> MapData:
        return replace(map_data(session, result, [i], title=session.dataset.name), **marks)

    event = gene_map(
        shown(row),
        key="patient_map",
        height=MAP_HEIGHT,
        initial=session.perturbation,
        ahead={key: shown(i) for key, i in around.items()},
    )
    session.perturbation = event.perturbation
    subject.mark(event.feature)
    disturbed_line(session.perturbation, "These are not the patient's own values")


def _filled(session: Session, result: GenomapResult, row: int) -> None:
    """On request the map a second time: what is missing, or taken away by a slider, filled from what was measured."""
    asked = st.toggle("Fill what is missing", help="From what is measured in this patient and what goes together.")
    if not asked:
        return
    data = map_data(session, result, [row])
    shown = data.shown(session.perturbation)[0]
    if not np.isnan(shown).any():
        caption("Every feature is measured: move “Features kept” below all.")
        return
    key = ("filled", session.dataset.digest, session.layout, row, session.perturbation)
    values, filled = session.remember(key, lambda: filled_row(result, row, shown))
    whole = replace(data, values=values[None], filled=filled[None], missing=None, noise=None, rank=None)
    gene_map(whole, key="filled_map", height=MAP_HEIGHT, controls=("zoom",))
    stem = f"genomap-{file_stem(session.dataset.name)}-{row + 1}-filled"
    with st.container(horizontal=True, gap="small"):
        for title, make in (("Filled PNG", map_png), ("Filled SVG", map_svg)):
            name = f"{stem}.{title[-3:].lower()}"
            st.download_button(
                title, lambda m=make: m(whole.static()), name, on_click="ignore", icon=":material/download:"
            )
    caption(
        f"Measured | filled from the others: the hatched {int(filled.sum()):,} of {len(filled):,} values are expected "
        "from this patient's measured ones by a factor analysis of all other patients."
    )


def _marks(subject: Subject) -> dict[str, Any]:
    """Rings and outlines: of the chosen sentence, else the names of all regions where they are asked for."""
    marks = marked(subject)
    if "regions" not in marks and st.session_state.get("name_regions"):
        marks |= {"regions": subject.regions.labels, "region_names": subject.regions.names}
    return marks


def disturbed_line(shown: Perturbation, words: str) -> None:
    """Said large where the sliders stand elsewhere than at the patient's own values."""
    if not shown.is_identity:
        st.warning(f"**{words}**: {plain(shown.in_words)}.", icon=":material/blur_on:")


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
        session.look_at(rows[event.map_index])
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
    details = (
        "A good map puts features that vary together side by side. Four measures say how well it does, beside a random "
        "layout of the same features: what an unordered map looks like. Distortion is the Gromov-Wasserstein loss; "
        "distances agree is the rank correlation of feature and grid distances; neighbours agree is the mean "
        "correlation of adjacent features; nearest kept is the share of the ten most correlated features that lie on "
        "the ten nearest cells."
    )
    height, width = result.layout.shape
    made = f"Placed by {solver_words(result.layout.solver)}. Grid: {height} x {width} cells."
    verdict_box([layout_verdict(result)], [details, made])


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
