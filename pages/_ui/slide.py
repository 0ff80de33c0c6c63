"""The Expression page's tab for a whole slide: its patches, and what a saved network predicts, drawn over it."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.message import plural
from genomap_core.io.images.slide import SlideOptions, SlidePatches, read_slide
from genomap_core.plotting import over_slide
from genomap_core.workflows.expression.slide import SlideModel, slide_model
from pages._ui.data_views import report_messages
from pages._ui.session import Session, warm
from pages._ui.shell import plain
from pages._ui.widgets import caption

_TASK = "genomap_core.workflows.expression.slide:on_patches"
_MOST_MB = 4000
_SHOWN = 12
_ATTENTION = "What each patch counts (attention)"


def on_a_slide(session: Session) -> None:
    """Model and slide in, patches and prediction over the tissue out."""
    st.markdown(
        "Expression predicted on a whole slide (SVS, NDPI, pyramidal or OME-TIFF) by a network that was trained here "
        "on coloured patches: spots of a tissue, or slides of patients. The slide is read region by region in a "
        "process of its own; names and labels in it are never read."
    )
    a, b = st.columns(2)
    model = a.file_uploader("Model (.safetensors)", ["safetensors"], key=f"slide-model-{session.uploads}")
    kinds = ["svs", "ndpi", "scn", "bif", "svslide", "tif", "tiff"]
    slide = b.file_uploader("Slide", kinds, max_upload_size=_MOST_MB, key=f"slide-file-{session.uploads}")
    if model is None:
        caption("Models are downloaded on this page under *Train and compare*, *Train one network*.")
        return
    data = model.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    facts = slide_model(data)
    seen = f"{facts.patches} patches a patient" if facts.patches > 1 else "one patch a spot"
    st.markdown(
        f"The model predicts **{plural(len(facts.genes), 'gene')}** from {seen} of {facts.side} pixels; it was trained "
        f"on **{plain(facts.cohort) or 'an unnamed cohort'}** ({facts.patients:,} patients or spots)."
    )
    options = _options(facts.side)
    if slide is None:
        return
    key = ("slide", slide.file_id, options)
    if key not in session.cache and not st.button(
        "Read the slide and predict", type="primary", icon=":material/search:"
    ):
        return
    with st.spinner("Cutting patches ..."):
        found: SlidePatches = session.remember(key, lambda: read_slide(slide.getvalue(), options))
    report_messages(found.messages)
    _patches(found)
    with st.spinner("Predicting ..."):
        about, answers = session.remember((*key, digest), lambda: _answers(found, data, digest))
    _prediction(facts, found, about, answers)


def _options(side: int) -> SlideOptions:
    with st.container(border=True, horizontal=True, vertical_alignment="bottom"):
        microns = st.number_input(
            "Micrometres a pixel", 0.1, 50.0, 0.5, step=0.1, help="Of the patches: as in training. .5 is 20x."
        )
        most = st.number_input("Patches at most", 1, 1024, 256, help="Where more hold tissue, so many are drawn.")
        pixel = st.number_input(
            "The slide's pixels (micrometres)",
            0.02,
            50.0,
            None,
            step=0.05,
            format="%.3f",
            placeholder="as its file says",
        )
        stains = st.toggle("Standard stains", help="If the model was trained so (Macenko).")
    return SlideOptions(side, float(microns), int(most), pixel, stains=bool(stains))


def _answers(found: SlidePatches, data: bytes, digest: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    arrays = {"patches": found.values, "model": np.frombuffer(data, np.uint8)}
    return warm().call(_TASK, {"digest": digest}, arrays, timeout=600)


def _patches(found: SlidePatches) -> None:
    n = min(_SHOWN, len(found.values))
    st.markdown(f"**{n} of the {plural(len(found.values), 'patch').replace('patchs', 'patches')}**")
    chosen = np.linspace(0, len(found.values) - 1, n).astype(int)
    st.image(list(found.values[chosen]), width=72)


def _prediction(facts: SlideModel, found: SlidePatches, about: dict[str, Any], answers: dict[str, np.ndarray]) -> None:
    spread = answers["values"].std(axis=0)
    order = np.argsort(-spread, kind="stable").tolist()
    names = [facts.genes[j] for j in order] + ([_ATTENTION] if about["learned"] else [])
    what = st.selectbox("Drawn over the slide; genes that vary most over it first", names, key="slide-gene")
    if what == _ATTENTION:
        values, unit = answers["weights"] * len(answers["weights"]), "times the mean"
    else:
        gene = facts.genes.index(what)
        values, unit = answers["values"][:, gene], facts.unit
        st.metric(f"{plain(what)}, of the patient ({plain(unit)})", f"{answers['patient'][gene]:.3g}", border=True)
    st.plotly_chart(
        over_slide(found.thumbnail, found.size, found.places, found.span, values, unit),
        key="slide_map",
        alt=f"{what} over the slide",
    )
    caption(
        "Each square is one patch; where there is none, the slide shows. Predicted, not measured: how well a gene is "
        "predicted stands in the comparison of the model's cohort, and holds for slides like those alone."
    )
    st.dataframe(
        {
            "Gene": [facts.genes[j] for j in order],
            f"Predicted ({facts.unit})": answers["patient"][order],
            "Deviation over the slide": spread[order],
        },
        hide_index=True,
    )
