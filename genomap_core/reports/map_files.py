"""Maps as tables and arrays. Every text cell is safe to open in a spreadsheet; no array holds a pickle."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.readings import Readings
from genomap_core.io.tables.export import csv_table
from genomap_core.workflows.tabular.genomap import GenomapResult


def layout_csv(dataset: Dataset, result: GenomapResult) -> bytes:
    """Every placed feature with its row and column, counted from 0, and the omics type whose map it lies on."""
    channels = dataset.omics_names if result.layout.n_channels > 1 else ("features",)
    places = zip(result.feature_names, result.layout.positions.tolist(), result.layout.channel.tolist(), strict=True)
    header = ("feature", "row", "column", "channel")
    return csv_table(header, ((name, *at, channels[c]) for name, at, c in places if at[0] >= 0))


def map_csv(dataset: Dataset, result: GenomapResult, values: np.ndarray) -> bytes:
    """Every feature with its place, its value in standard deviations, and as measured: with its unit, or in words."""
    readings, s = Readings.of(dataset), result.standardisation
    raw = values * s.scale + s.mean
    places = zip(result.feature_names, result.layout.channel, result.layout.positions, values, result.kept, raw)
    channels = dataset.omics_names if result.layout.n_channels > 1 else ("features",)
    header = ("feature", "channel", "row", "column", "z_score", "as_measured")
    rows = (
        (
            n,
            channels[c],
            *(at.tolist() if at[0] >= 0 else ("", "")),  # a feature without a cell
            float(v),
            "" if np.isnan(v) else readings.value(int(j), float(x)),
        )
        for n, c, at, v, j, x in places
    )
    return csv_table(header, rows)


def maps_npz(dataset: Dataset, result: GenomapResult) -> bytes:
    """Every patient's map ``(n, c, H, W)`` with names and labels; no pickle inside."""
    out = io.BytesIO()
    labels: dict[str, Any] = {} if dataset.y is None else {"y": dataset.y, "classes": np.array(dataset.classes)}
    np.savez_compressed(
        out,
        maps=result.maps,
        positions=result.layout.positions,
        feature_names=np.array(result.feature_names),
        sample_ids=np.array(dataset.sample_ids),
        **labels,
    )
    return out.getvalue()
