"""One patient on the Fusion page: what image regions, gene modules, types of data and their pairs do for a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.imaging import ImagingCohort
from genomap_core.plotting import interaction_heatmap, probability_bars, type_heatmap
from genomap_core.plotting.region_picture import overlaid, to_rgb, with_regions
from pages._ui.fusion_views import Comparison
from pages._ui.gene_map import MapData, Overlay, gene_map
from pages._ui.session import Session, warm
from pages._ui.widgets import caption

_VIEW = "genomap_core.workflows.fusion_view"
REGIONS, PIXELS = "Regions (Shapley)", "Integrated Gradients"
FURTHER = {"Layer Grad-CAM": "gradcam", "Occlusion": "occlusion"}


@dataclass(frozen=True, eq=False)
class _Places:
    """Where features lie, as the gene map wants it."""

    shape: tuple[int, int]
    positions: np.ndarray
    channel: np.ndarray
    n_channels: int


@st.fragment
def panel(session: Session, found: Comparison) -> None:
    """Choose a patient and a class; see the answer of a network that never saw him, and what it rests on."""
    r, cohort = found.result, found.cohort(session)
    run = r.runs[0]
    if run.fold_of_row is None or run.types is None:
        st.info("This comparison kept no networks: compare again to look at patients.", icon=":material/info:")
        return
    a, b = st.columns(2)
    ids = cohort.table.sample_ids
    row = a.selectbox(
        "Patient",
        range(len(r.y)),
        format_func=lambda i: f"{ids[i]} ({r.classes[r.y[i]]})",
        key=f"fusion-row-{r.digest[:8]}",
    )
    spec = {"folder": str(found.folder), "row": int(row), "fold": int(run.fold_of_row[row])}
    with st.spinner("Asking the network ..."):
        about, seen = session.remember(
            ("fusion-look", spec["folder"], row), lambda: warm().call(f"{_VIEW}:look", spec, {}, timeout=120)
        )
    best = int(seen["proba"].argmax())
    target = b.selectbox(
        "Class explained",
        range(len(r.classes)),
        best,
        format_func=r.classes.__getitem__,
        key=f"fusion-target-{r.digest[:8]}-{row}",
    )
    with st.spinner("Explaining ..."):
        why, parts = session.remember(
            ("fusion-why", spec["folder"], row, target),
            lambda: warm().call(
                f"{_VIEW}:explain", spec | {"target": int(target)}, {"fold_of_row": run.fold_of_row}, timeout=300
            ),
        )
    _answer(found, int(row), seen, parts)
    with st.container(key="wide-fusion"):
        left, right = st.columns(2, gap="medium")
    if r.has_images:
        with left:
            _image(session, spec | {"target": int(target)}, seen, parts)
    with right if r.has_images else left:
        _maps(cohort, int(row), about, seen, parts)
    _faithful(why)
    if r.has_images:
        _interaction(why, parts)


def _answer(found: Comparison, row: int, seen: dict[str, Any], parts: dict[str, Any]) -> None:
    r = found.result
    left, right = st.container(key="wide-fusion-answer").columns(2, gap="medium")
    with left:
        st.plotly_chart(
            probability_bars([("network", seen["proba"], None, None)], r.classes),
            key="fusion_proba",
            alt="Probabilities of the classes",
        )
        caption(f"By the network of the fold that he was left out of. Label in the cohort: {r.classes[r.y[row]]}.")
    with right:
        st.plotly_chart(
            type_heatmap(parts["types"], r.types, r.classes), key="fusion_own_types", alt="Types of data, this patient"
        )
        caption("What each type of data does for each class's probability in this patient (exact Shapley values).")


def _image(session: Session, spec: dict[str, Any], seen: dict[str, Any], parts: dict[str, Any]) -> None:
    st.subheader("Image")
    how = st.segmented_control("Shown over the image", [REGIONS, PIXELS, *FURTHER], default=REGIONS, required=True)
    rgb, labels = to_rgb(seen["image"]), parts["regions"]
    if how == REGIONS:
        picture = with_regions(overlaid(rgb, parts["region_values"][labels], _strongest(parts)), labels)
        words = (
            "Numbered regions of alike pixels; red speaks for the class, blue against it, on the scale of regions and "
            "modules together."
        )
    else:
        values = parts["pixels"] if how == PIXELS else _further(session, spec, FURTHER[how])
        picture = with_regions(overlaid(rgb, values), np.zeros_like(labels), numbered=False)
        words = (
            "Red speaks for the class, blue against it, summed over the image's channels; on the picture's own scale."
        )
    st.image(picture, width="stretch")
    strongest = int(np.abs(parts["region_values"]).argmax())
    caption(
        f"{words} All regions together {parts['region_values'].sum():+.2f} log-odds; the strongest is "
        f"{strongest + 1} with {parts['region_values'][strongest]:+.2f}."
    )


def _further(session: Session, spec: dict[str, Any], method: str) -> np.ndarray:
    """Values of a method that is computed when it is asked for."""
    _, found = session.remember(
        ("fusion-overlay", *spec.values(), method),
        lambda: warm().call(f"{_VIEW}:overlay", spec | {"method": method}, {}, timeout=120),
    )
    values: np.ndarray = found["values"]
    return values


def _maps(cohort: ImagingCohort, row: int, about: dict[str, Any], seen: dict[str, Any], parts: dict[str, Any]) -> None:
    st.subheader("Omics")
    modules, values = parts["modules"], parts["module_values"]
    sums = np.where(modules >= 0, values[np.maximum(modules, 0)], 0.0)
    table = cohort.table
    x = np.asarray(table.X[row])
    data = MapData(
        places=_Places(tuple(about["shape"]), seen["positions"], seen["channel"], len(table.omics_names)),
        values=np.where(np.isnan(x), np.nan, seen["z"])[None].astype(np.float32),
        names=table.feature_names,
        labels=(table.sample_ids[row],),
        channel_names=table.omics_names if len(table.omics_names) > 1 else ("",),
        overlays=(
            Overlay("modules, log-odds (Shapley)", sums[None].astype(np.float32), limit=_strongest(parts)),
            Overlay("features (Integrated Gradients)", parts["features"][None].astype(np.float32)),
        ),
        value_range=(-3.0, 3.0),
        diverging=True,
        regions=modules,
        title=table.name,
        noun="feature",
    )
    gene_map(data, key="fusion_map", height=380, controls=("overlay", "regions", "zoom", "export"))
    caption(
        "The patient's omics as the network sees them. A gene's place has nothing to do with the place in the image "
        "that lies under it: only the values are shared between the two."
    )


def _strongest(parts: dict[str, Any]) -> float:
    """Largest value of a single region or module, in log-odds."""
    return float(np.abs(np.concatenate([parts["region_values"], parts["module_values"]])).max()) or 1.0


def _faithful(why: dict[str, Any]) -> None:
    beaten, deletion, insertion = why["faithful"]
    a, b, c, d = st.columns(4)
    a.metric("Log-odds of the class", f"{why['output']:+.2f}", border=True)
    b.metric("Of the mean patient", f"{why['baseline']:+.2f}", border=True)
    c.metric(
        "Random orders beaten",
        f"{beaten:.0%}",
        border=True,
        help="Regions and modules are removed, and added, in the order of their values and in random orders.",
    )
    d.metric("Gradients' sum misses", f"{why['gap']:.1%}", border=True, help="Of the change from the mean patient.")
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
            parts["interaction"], names, [str(k + 1) for k in range(len(parts["region_values"]))], 0.05 * single
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
        "modules-regions.csv",
        on_click="ignore",
        icon=":material/download:",
    )


def _csv(names: list[str], values: np.ndarray) -> bytes:
    from genomap_core.io.export import csv_table

    header = ["module", *(f"region {k + 1}" for k in range(values.shape[1]))]
    return csv_table(header, [[name, *map(float, row)] for name, row in zip(names, values, strict=True)])
