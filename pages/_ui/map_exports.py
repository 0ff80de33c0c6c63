"""Maps as files: picture, drawing, table, arrays. Every text cell is safe to open in a spreadsheet."""

from __future__ import annotations

import streamlit as st

from genomap_core.plotting.static_map import map_png, map_svg
from genomap_core.reports.map_files import map_csv, maps_npz
from genomap_core.workflows.tabular.genomap import GenomapResult
from pages._ui.gene_map import MapData
from pages._ui.session import Session
from pages._ui.widgets import file_stem


def exports(session: Session, result: GenomapResult, data: MapData) -> None:
    stem = f"genomap-{file_stem(session.dataset.name)}-{session.patient + 1}"
    shown = session.perturbation
    files = {
        "PNG": (lambda: map_png(data.static(shown)), f"{stem}.png"),
        "SVG": (lambda: map_svg(data.static(shown)), f"{stem}.svg"),
        "CSV": (lambda: map_csv(result, data.shown(shown)[0]), f"{stem}.csv"),
        "All maps (npz)": (
            lambda: maps_npz(session.dataset, result),
            f"genomaps-{file_stem(session.dataset.name)}.npz",
        ),
    }
    with st.container(horizontal=True, gap="small"):
        for title, (make, name) in files.items():
            st.download_button(title, make, name, on_click="ignore", icon=":material/download:")
