"""The Fusion page: which comparison is looked at, what it says, forms for new ones, and one patient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.images.networks import BACKBONES, VARIANTS
from genomap_core.data.images.patients import PatientImages, slices_of
from genomap_core.data.message import some
from genomap_core.errors import InputError
from genomap_core.io.tables.export import csv_name, csv_table
from genomap_core.plotting import interaction_heatmap, probability_bars, score_intervals, type_heatmap
from genomap_core.plotting.imaging import overlaid, to_rgb, with_regions
from genomap_core.workflows.comparison.folds import class_sizes, largest_fold_count
from genomap_core.workflows.comparison.scores import METRICS
from genomap_core.workflows.fusion.compare import QUICK, FusionCompareConfig, expected_seconds
from genomap_core.workflows.fusion.jobs import COHORT, MODEL
from genomap_core.workflows.fusion.samples import COMPARED, SAMPLE
from genomap_core.workflows.fusion.scores import FusionResult
from genomap_core.workflows.fusion.words import (
    best_in_short,
    faithfulness,
    gain_rows,
    heading,
    images_used,
    in_short,
    name_of,
    on_background,
    report,
    rests_on_background,
    scope,
    score_rows,
    verdict,
    weight_rows,
)
from genomap_core.workflows.tabular.duration import in_words
from genomap_core.workflows.tabular.genomap import GenomapConfig, genomap_at
from pages._ui import comparison_page
from pages._ui.comparison_page import Finished, Kind
from pages._ui.gene_map import MapData, Overlay, gene_map
from pages._ui.imaging_store import shared_imaging
from pages._ui.links import follow_patient, keep_patient
from pages._ui.patient_bar import Patients, Subject, patient_bar, reference_picker
from pages._ui.session import Session, warm
from pages._ui.shell import IMAGES_TAB, errors_shown, page_link, plain
from pages._ui.standing import (
    DIFFERENCE,
    clinical_line,
    difference_map,
    map_of,
    marked,
    standing_words,
)
from pages._ui.widgets import caption, verdict_box

_VIEW = "genomap_core.workflows.fusion.view"
REGIONS, PIXELS = "Regions", "Gradients"
FURTHER = {"Grad-CAM": "gradcam", "Occlusion": "occlusion"}
_MAP_HEIGHT = 300
_METRIC = 190
"""Pixels: four in a row of a wide page, two of a narrow one, no word cut."""
METHODS = {
    PIXELS: "Integrated Gradients from the image of the mean patient, in log-odds a pixel",
    "Grad-CAM": "Layer Grad-CAM: where the last convolutions see the class, in no unit of its own",
    "Occlusion": "Occlusion: how far the class falls while a patch is covered, in log-odds",
}


@st.fragment
def panel(session: Session, found: Finished[FusionResult]) -> None:
    """Choose a patient and a class; see the answer of a network that never saw that patient, and what it rests on."""
    with errors_shown():  # a fragment that runs again is no longer in the page's own
        _panel(session, found)


def _panel(session: Session, found: Finished[FusionResult]) -> None:
    r, cohort = found.result, cohort_of(session, found.folder)
    run = r.runs[0]
    fold_of_row = r.arrays.get("fold_of_row")
    if fold_of_row is None or "types" not in run.values:
        st.info("This comparison kept no networks: compare again to look at patients.", icon=":material/info:")
        return
    labels = tuple(f"{name} - {r.classes[y]}" for name, y in zip(cohort.table.sample_ids, r.y, strict=True))
    patients = Patients(r.digest, cohort.table.sample_ids, labels, "Patient" if r.groups is None else "Sample")
    follow_patient(session, patients, cohort.table)
    bar = st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-bar")
    with bar:
        row = patient_bar(session, patients)
    keep_patient(session, patients, cohort.table)
    spec = {"folder": str(found.folder), "row": row, "fold": int(fold_of_row[row])}
    if len(r.explained) > 1:
        spec["model"] = bar.segmented_control(
            "Model explained", r.explained, format_func=lambda name: name_of(r, name), default=r.explained[0],
            required=True, key=found.key("explained"), label_visibility="collapsed",
        )  # fmt: skip
    with st.spinner("Asking the network ..."):
        about, seen = session.remember(
            ("fusion-look", *spec.values()), lambda: warm().call(f"{_VIEW}:look", spec, {}, timeout=120)
        )
    best = int(seen["proba"].argmax())
    target = bar.selectbox(
        "Class explained", range(len(r.classes)), best, format_func=lambda k: f"explained for {r.classes[k]}",
        key=f"fusion-target-{r.digest[:8]}-{row}", width=240, label_visibility="collapsed",
    )  # fmt: skip
    with bar:
        reference_picker(session, cohort.table)
    with st.spinner("Explaining ..."):
        why, parts = session.remember(
            ("fusion-why", *spec.values(), target),
            lambda: warm().call(
                f"{_VIEW}:explain", spec | {"target": int(target)}, {"fold_of_row": fold_of_row}, timeout=300
            ),
        )
    clinical_line(cohort.table, row)
    _answer(found, row, seen, parts)
    _omics(_on_map_of_model(session, spec, cohort, about, seen), row, seen, parts)
    if r.has_images and r.champion != "omics":
        image, together = st.container(key="wide-fusion").columns(2, gap="medium")
        with image:
            _image(found, session, spec | {"target": int(target)}, seen, parts, slices_of(cohort.channels))
        with together:
            _interaction(why, parts)
    _faithful(why)
    keep_patient(session, patients, cohort.table)


def _answer(found: Finished[FusionResult], row: int, seen: dict[str, Any], parts: dict[str, Any]) -> None:
    r = found.result
    left, right = st.container(key="wide-fusion-answer").columns(2, gap="medium")
    with left:
        st.plotly_chart(
            probability_bars([("model", seen["proba"], None, None)], r.classes, compact=True),
            key="fusion_proba",
            alt="Probabilities of the classes",
        )
        caption(f"By a model that was trained without this patient. Label in the cohort: {r.classes[r.y[row]]}.")
        said = int(seen["proba"].argmax())
        if said != r.y[row]:
            st.warning(
                f"The model is wrong about this patient: it says {plain(r.classes[said])}. What follows shows what "
                "misled it, not what the disease looks like.",
                icon=":material/error:",
            )
    with right:
        st.plotly_chart(
            type_heatmap(parts["types"], r.types, r.classes), key="fusion_own_types", alt="Types of data, this patient"
        )
        caption("What each type of data does for each class's probability in this patient (exact Shapley values).")


@st.fragment
def _image(
    found: Finished[FusionResult],
    session: Session,
    spec: dict[str, Any],
    seen: dict[str, Any],
    parts: dict[str, Any],
    slices: tuple[int, int],
) -> None:
    """The image and what lies over it; another overlay draws nothing else again."""
    with errors_shown():
        _overlaid_image(found, session, spec, seen, parts, slices)


def _overlaid_image(
    found: Finished[FusionResult],
    session: Session,
    spec: dict[str, Any],
    seen: dict[str, Any],
    parts: dict[str, Any],
    slices: tuple[int, int],
) -> None:
    st.subheader("Image")
    offered = [REGIONS, PIXELS, *FURTHER] if "pixels" in parts else [REGIONS]  # several models have no gradient
    how = st.segmented_control("Shown over the image", offered, default=REGIONS, required=True)
    n_slices, each = slices
    at = st.slider("Slice", 1, n_slices, (n_slices + 1) // 2) if n_slices > 1 else 1
    rgb, labels = to_rgb(seen["image"][(at - 1) * each : at * each]), parts["regions"]
    if how == REGIONS:
        values, strongest = parts["region_values"], int(np.abs(parts["region_values"]).argmax())
        picture = with_regions(overlaid(rgb, values[labels], _strongest(parts)), labels)
        words = (
            "Numbered regions of alike pixels, Shapley values: red speaks for the class, blue against it, full colour "
            f"at {_strongest(parts):.2g} log-odds, the strongest region or module. All regions together "
            f"{values.sum():+.2f}; the strongest is {strongest + 1} with {values[strongest]:+.2f}."
        )
    else:
        values = parts["pixels"] if how == PIXELS else _further(session, spec, FURTHER[how])
        picture = with_regions(overlaid(rgb, values), np.zeros_like(labels), numbered=False)
        words = (
            f"{METHODS[how]}. Red speaks for the class, blue against it; colours are on this picture's own scale, "
            "however little it changes the answer."
        )
    st.image(picture, width="stretch", alt="The image with what speaks for and against the class")
    if rests_on_background(seen["image"], labels, parts["region_values"]):
        st.warning(
            "The strongest region of this image is empty background: the network answers to something that is no part "
            "of the patient, such as how the picture was taken.",
            icon=":material/warning:",
        )
    caption(words + (" What lies over it counts all slices: it is the same on each." if n_slices > 1 else ""))
    if not images_used(found.result):
        caption(
            "In the comparison the right images are worth no more than those of other patients: the regions say what "
            "this network looked at, not what is to be seen of the class."
        )


def _further(session: Session, spec: dict[str, Any], method: str) -> np.ndarray:
    """Values of a method that is computed when it is asked for."""
    _, found = session.remember(
        ("fusion-overlay", *spec.values(), method),
        lambda: warm().call(f"{_VIEW}:overlay", spec | {"method": method}, {}, timeout=120),
    )
    values: np.ndarray = found["values"]
    return values


def _on_map_of_model(
    session: Session, spec: dict[str, Any], cohort: PatientImages, about: dict[str, Any], seen: dict[str, Any]
) -> Subject:
    """The patients of the comparison, their features where the model that answers put them."""
    place = " ".join(str(value) for key, value in spec.items() if key != "row")
    genomap = session.remember(
        ("fusion-map", cohort.table.digest, place),
        lambda: genomap_at(cohort.table, seen["positions"], tuple(about["shape"]), seen["channel"]),
    )
    return Subject(session, cohort.table, genomap, GenomapConfig(), place)


def _omics(subject: Subject, row: int, seen: dict[str, Any], parts: dict[str, Any]) -> None:
    """The map of the patient's omics, or what differs from the reference, and beside it what stands out."""
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.subheader("Omics", width="content")
        shows = map_of()
    maps, words = st.container(key="beside-omics").columns([3, 2], gap="medium")
    with words:
        standing_out = standing_words(subject, row)
    with maps:
        if shows == DIFFERENCE and standing_out is not None:
            difference_map(subject, row, standing_out, _types_of(subject), _MAP_HEIGHT, **marked(subject))
        else:
            _values(subject, row, seen, parts)


def _values(subject: Subject, row: int, seen: dict[str, Any], parts: dict[str, Any]) -> None:
    modules, values, gradients = parts["modules"], parts["module_values"], "features" in parts
    sums = np.where(modules >= 0, values[np.maximum(modules, 0)], 0.0)
    table, genomap = subject.dataset, subject.genomap
    kept = genomap.kept
    x = np.asarray(table.X[row])
    data = MapData(
        places=genomap.layout,
        values=np.where(np.isnan(x), np.nan, seen["z"])[None, kept].astype(np.float32),
        names=_short(genomap.feature_names, table.omics_names),
        labels=(table.sample_ids[row],),
        channel_names=_types_of(subject),
        overlays=(
            Overlay("modules (Shapley)", sums[None, kept].astype(np.float32), limit=_strongest(parts)),
            *([Overlay("features (gradients)", parts["features"][None, kept].astype(np.float32))] if gradients else []),
        ),
        value_range=(-3.0, 3.0),
        title=table.name,
        noun="feature",
        **({"regions": modules[kept]} | marked(subject)),
    )
    event = gene_map(
        data,
        key="fusion_map",
        height=_MAP_HEIGHT,
        columns=min(2, genomap.layout.n_channels),
        controls=("overlay", "regions", "zoom", "export"),
    )
    subject.mark(event.feature)
    apart = (
        " A gene's place has nothing to do with the place in the image that lies under it: only the values are shared "
        "between the two."
    )
    said = "The patient's omics as the model sees them; attributions in log-odds."
    caption(said + (apart if seen["image"].size else ""))


def _types_of(subject: Subject) -> tuple[str, ...]:
    """Over each map: the type of its features; nothing where there is one."""
    codes = np.unique(subject.dataset.omics[subject.genomap.kept]) if subject.dataset.omics is not None else []
    return tuple(subject.dataset.omics_names[code] for code in codes) if len(codes) > 1 else ("",)


def _short(names: Sequence[str], kinds: Sequence[str]) -> tuple[str, ...]:
    """Features without the type in front: it stands over their map."""
    return tuple(next((n.removeprefix(f"{k}:") for k in kinds if n.startswith(f"{k}:")), n) for n in names)


def _strongest(parts: dict[str, Any]) -> float:
    """Largest value of a single region or module, in log-odds."""
    return float(np.abs(np.concatenate([parts["region_values"], parts["module_values"]])).max()) or 1.0


def _faithful(why: dict[str, Any]) -> None:
    beaten, deletion, insertion = why["faithful"]
    with st.container(horizontal=True):
        st.metric("Log-odds of the class", f"{why['output']:+.2f}", border=True, width=_METRIC)
        st.metric("Of the mean patient", f"{why['baseline']:+.2f}", border=True, width=_METRIC)
        st.metric(
            "Better than random orders",
            f"{beaten:.0%}",
            border=True,
            width=_METRIC,
        )
        if "gap" in why:
            help_ = "Of the change from the mean patient."
            st.metric("Gradients' sum misses", f"{why['gap']:.1%}", border=True, width=_METRIC, help=help_)
    background = f" {on_background(*why['background'], 'images')}" if why["background"] else ""
    caption(faithfulness(beaten, deletion, insertion, "the log-odds", "regions and modules") + background)
    if beaten < 0.8 or min(deletion, insertion) <= 0:
        st.warning(
            "The explanation is hardly better than a random order of the parts: don't build on it.",
            icon=":material/warning:",
        )


def _interaction(why: dict[str, Any], parts: dict[str, Any]) -> None:
    st.subheader("Modules and image regions together")
    names = [f"M{k + 1} {name}" for k, name in enumerate(why["module_names"])]
    single = _strongest(parts)
    st.plotly_chart(
        interaction_heatmap(
            parts["interaction"], names, [str(k + 1) for k in range(len(parts["region_values"]))], 0.2 * single
        ),
        key="fusion_interaction",
        alt="How modules change the attribution of image regions",
    )
    strength = float(np.abs(parts["interaction"]).max())
    caption(
        "How much more a region of the image (column, numbered as above) changes the log-odds of the class while a "
        "module of the omics is there than while it is ablated. Zero: they act on their own. Strongest: "
        f"{strength:.2g}, against {single:.2g} of the strongest single part. A module is called after the feature that "
        "goes most with its others."
    )
    st.download_button(
        "Download the matrix",
        lambda: _csv(names, parts["interaction"]),
        csv_name("modules-regions"),
        on_click="ignore",
        icon=":material/download:",
    )


def _csv(names: list[str], values: np.ndarray) -> bytes:
    header = ["module", *(f"region {k + 1}" for k in range(values.shape[1]))]
    return csv_table(header, [[name, *map(float, row)] for name, row in zip(names, values, strict=True)])


METRIC = "balanced_accuracy"
FUSION = Kind(
    name="fusion",
    result=FusionResult,
    train_task="fusion.jobs:train_task",
    compare_task="fusion.jobs:compare_task",
    shipped=COMPARED,
    sample=SAMPLE,
    work={
        "quick": (
            "Quick look",
            f"Images, omics and both in a small network of {QUICK.epochs} epochs, beside the linear models, on two "
            "folds. Controls, the other networks and adaptive fusion are left out, so that no gain is claimed.",
        ),
        "compare": (
            "Compare, with controls",
            "Every network below, controls and linear models are trained on the same folds.",
        ),
        "train": ("Train one network", "On all patients, to download: nothing is left to say how good it is."),
    },
    titles={"train": "Fusion network", "compare": "Fusion and its controls", "quick": "Quick look at fusion"},
    shown_where="under “What fusion gains”",
)


def chosen_comparison(session: Session) -> Finished[FusionResult]:
    """Which comparison is looked at."""
    return comparison_page.chosen_comparison(session, FUSION)


def cohort_of(session: Session, folder: Path) -> PatientImages:
    """The patients that a comparison was made on."""
    if folder == COMPARED:
        return shared_imaging(SAMPLE)
    path = folder / COHORT
    found: PatientImages = session.remember(("fusion-cohort", str(path)), lambda: PatientImages.load(path))
    return found


def result(found: Finished[FusionResult]) -> None:
    """What the comparison says: in words, as dots with intervals, as tables; and what each type of data does."""
    r = found.result
    kinds = [*(["images"] if r.has_images else []), *r.omics_names]
    st.markdown(
        f"**{plain(r.name)}**: {_size(len(r.y), r.groups)}, {len(r.classes)} classes, {plain(', '.join(kinds))}."
    )
    verdict_box([f"{best_in_short(r)} {in_short(r)}"], verdict(r), also=list(METRICS.values()))
    scores = [(name_of(r, run.name), r.scores[run.name][METRIC]) for run in r.runs if run.name in r.scores]
    caption(scope(r))
    found.say_failures()
    st.plotly_chart(
        score_intervals([(n, s.value, s.low, s.high) for n, s in scores], METRICS[METRIC], 1 / len(r.classes)),
        key="fusion_scores",
        alt="Balanced accuracy of every network, control and linear model",
    )
    caption(
        "Every patient is answered by networks that never saw that patient; all runs share the same folds. Lines: 95 % "
        "intervals. Dotted: chance. Controls exchange patients or places: what falls with them was truly used."
    )
    _types(found)
    with st.expander("All scores", icon=":material/table_rows:"):
        st.dataframe(score_rows(r), hide_index=True, height="content")
    if rows := weight_rows(r):
        with st.expander("Adaptive fusion: which part carries which class", icon=":material/tune:"):
            st.dataframe(rows, hide_index=True, height="content")
            caption("Weights learned on inner folds, mean over the patients; each class's add up to 1.")
    if r.gain:
        with st.expander("Differences to the first run, paired by patient", icon=":material/difference:"):
            st.dataframe(gain_rows(r), hide_index=True, height="content")
    found.download_report(lambda: report(r, heading(r)))


def _types(found: Finished[FusionResult]) -> None:
    r = found.result
    if not r.explained:
        return
    st.subheader("What each type of data does for each class")
    name = r.explained[0]
    if len(r.explained) > 1:
        name = st.segmented_control(
            "Model", r.explained, format_func=lambda n: name_of(r, n), default=name, required=True,
            key=found.key("types"), label_visibility="collapsed",
        )  # fmt: skip
    values = r.type_values(name)
    st.plotly_chart(type_heatmap(values, r.types, r.classes), key="fusion_types", alt="Types of data by classes")
    caption(
        "Mean change of a class's probability in its own patients when a type of data is added (exact Shapley values "
        "over the types; the rows of a column sum to the change from a patient who is the mean in everything)."
    )


def training(session: Session) -> None:
    """Options, start, and what was started."""
    cohort = comparison_page.patients(session, FUSION, "Images and omics", "Omics types alone")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            f"**{plain(cohort.name)}**: {_size(cohort.n_samples, cohort.table.groups)}, {plain(_kinds(cohort))}."
        )
        page_link("data", "Choose images and omics", ":material/image:", IMAGES_TAB)
    if cohort.table.y is None:
        st.info("This cohort has no labels: choose a class to predict on the Data page.", icon=":material/label:")
        return
    cohort = _told_apart(session, cohort)
    what = comparison_page.chosen_work(FUSION)
    _form(session, cohort, what)
    comparison_page.history(session, FUSION, MODEL)


def _size(n: int, groups: np.ndarray | None) -> str:
    """How many there are; where several belong to a patient or section, of how many."""
    return f"{n:,} patients" if groups is None else f"{n:,} samples in {len(np.unique(groups)):,} groups"


def _told_apart(session: Session, cohort: PatientImages) -> PatientImages:
    """The patients of the classes chosen; a class that no fold can both train on and test is left out at first."""
    table, sizes = cohort.table, class_sizes(cohort.table)
    counts = np.bincount(table.y, minlength=len(table.classes))  # type: ignore[arg-type]
    unit = "patient" if table.groups is None else "group"
    chosen = st.multiselect(
        "Classes to tell apart",
        range(len(table.classes)),
        [k for k in range(len(table.classes)) if sizes[k] > 1],
        format_func=lambda k: f"{table.classes[k]} ({counts[k]:,})",
        key=f"fusion-classes-{cohort.digest[:12]}",
    )
    if len(chosen) < 2:
        raise InputError("Fewer than two classes are chosen: choose at least two to tell apart.")
    lone = [table.classes[k] for k in range(len(table.classes)) if sizes[k] == 1 and k not in chosen]
    if lone:
        caption(
            f"Left out at first: {some(lone)}, seen in one {unit} only, so that no network could be trained on it and "
            "asked about it as well."
        )
    codes = tuple(sorted(chosen))
    found: PatientImages = session.remember(("fusion-classes", cohort.digest, codes), lambda: cohort.of_classes(codes))
    return found


def _kinds(cohort: PatientImages) -> str:
    return ", ".join([*(["images"] if cohort.channels else []), *cohort.table.omics_names])


@st.fragment
def _form(session: Session, cohort: PatientImages, what: str) -> None:
    """Options of the work, its expected time first; a changed option draws nothing else again."""
    with errors_shown(), st.container(border=True):
        if what == "train":
            options: dict[str, Any] = _training_options(cohort)
        else:
            config = QUICK if what == "quick" else _comparison_options(cohort)
            seconds = expected_seconds(cohort, config)
            caption(
                "These networks are for a GPU: on processors they take hours."
                if seconds is None
                else f"Takes {in_words(seconds)} on two quiet cores, for these {cohort.n_samples:,} patients."
            )
            options = asdict(config)
        if st.button("Start", type="primary", icon=":material/play_arrow:", key=f"start-fusion-{what}"):
            comparison_page.submit(session, FUSION, what, {"config": options}, cohort)
            st.rerun()


def _network(cohort: PatientImages) -> str:
    return st.selectbox(
        "Network",
        [name for name in BACKBONES if name != "small3d" or slices_of(cohort.channels)[0] > 1],
        format_func=BACKBONES.__getitem__,
        help="The small one suits some hundred patients; the others have millions of weights and need a GPU.",
    )


def _epochs() -> int:
    usual = FusionCompareConfig().epochs
    return int(st.number_input("Epochs", 1, 300, usual, help="How often each network sees every patient."))


def _training_options(cohort: PatientImages) -> dict[str, Any]:
    a, b, c = st.columns(3)
    with a:
        backbone = _network(cohort)
    with b:
        epochs = _epochs()
    variant = c.selectbox("Data", list(VARIANTS) if cohort.channels else ["omics"], format_func=VARIANTS.__getitem__)
    return {"backbone": backbone, "epochs": epochs, "variant": variant}


def _comparison_options(cohort: PatientImages) -> FusionCompareConfig:
    usual = FusionCompareConfig()
    a, b, c = st.columns(3)
    with a:
        backbone = _network(cohort)
    with b:
        epochs = _epochs()
    most = max(2, min(10, largest_fold_count(cohort.table)))
    folds = c.number_input(
        "Folds",
        2,
        most,
        min(usual.n_folds, most),
        help=f"Parts of the patients, each answered by networks of the others. The classes allow {most}.",
        key=f"fusion-folds-{most}",
    )
    variants = list(VARIANTS) if cohort.channels else ["omics"]
    if cohort.channels:
        variants = st.multiselect(
            "Networks; the first is held against the others", variants, variants, format_func=VARIANTS.__getitem__
        )
    else:
        caption("Without images: all omics types together, each alone, and controls.")
    with st.container(horizontal=True, gap="medium"):
        controls = st.toggle(
            "Controls", True, help="Omics and images of other patients, and features placed at random. Without them no "
            "gain can be claimed.",
        )  # fmt: skip
        baselines = st.toggle("Linear models", True)
        adaptive = st.toggle(
            "Adaptive fusion", int(folds) > 2, disabled=int(folds) < 3, key=f"fusion-adaptive-{int(folds) > 2}",
            help="Weighs the parts for each class; it takes as many trainings again as all its parts, and three folds.",
        )  # fmt: skip
    if not variants:
        raise InputError("No network was chosen: choose at least one.")
    return FusionCompareConfig(
        variants=tuple(variants), controls=controls, baselines=baselines, adaptive=bool(adaptive),
        n_folds=int(folds), backbone=backbone, epochs=epochs,
    )  # fmt: skip
