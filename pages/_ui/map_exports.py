"""Maps as files: picture, drawing, table, arrays. Every text cell is safe to open in a spreadsheet."""

from __future__ import annotations

import io

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.io.export import csv_table
from genomap_core.plotting.static_map import map_png, map_svg
from genomap_core.workflows.genomap import GenomapResult
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


def map_csv(result: GenomapResult, values: np.ndarray) -> bytes:
    """Every feature with its place and its value in standard deviations."""
    places = zip(result.feature_names, result.layout.channel, result.layout.positions, values, strict=True)
    header = ("feature", "channel", "row", "column", "z_score")
    return csv_table(header, ((n, int(c), int(at[0]), int(at[1]), float(v)) for n, c, at, v in places))


def maps_npz(dataset: Dataset, result: GenomapResult) -> bytes:
    """Every patient's map ``(n, c, H, W)`` with names and labels; no pickle inside."""
    out = io.BytesIO()
    labels = {} if dataset.y is None else {"y": dataset.y, "classes": np.array(dataset.classes)}
    np.savez_compressed(
        out,
        maps=result.maps,
        positions=result.layout.positions,
        feature_names=np.array(result.feature_names),
        sample_ids=np.array(dataset.sample_ids),
        **labels,
    )
    return out.getvalue()
