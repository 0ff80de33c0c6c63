"""The patient's map a second time, what is missing filled from what was measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import streamlit as st

from genomap_core.plotting.static_map import map_png, map_svg
from genomap_core.workflows.tabular.filled import filled_row
from genomap_core.workflows.tabular.genomap import GenomapResult
from pages._ui.gene_map import MapData, gene_map
from pages._ui.session import Session
from pages._ui.widgets import caption, file_stem


def filled_view(session: Session, result: GenomapResult, row: int, data: MapData, height: int) -> None:
    """On request, for what the sliders of ``data``, the patient's map, leave measured."""
    asked = st.toggle("Fill what is missing", help="From what is measured in this patient and what goes together.")
    if not asked:
        return
    shown = data.shown(session.perturbation)[0]
    if not np.isnan(shown).any():
        caption("Every feature is measured: move “Features kept” below all.")
        return
    key = ("filled", session.dataset.digest, session.layout, row, session.perturbation)
    values, filled = session.remember(key, lambda: filled_row(result, row, shown))
    whole = replace(data, values=values[None], filled=filled[None], missing=None, noise=None, rank=None)
    gene_map(whole, key="filled_map", height=height, controls=("zoom",))
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
