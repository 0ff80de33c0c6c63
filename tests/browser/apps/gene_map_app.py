"""A page that shows gene maps of made-up data; the query string chooses which. Driven by the browser tests."""

import numpy as np
import streamlit as st

from genomap_core.data.perturb import Perturbation
from pages._ui.gene_map import MapData, Overlay, gene_map, perturbation_fields


class Grid:
    """A layout: features on a grid in a smooth order, a few cells empty."""

    def __init__(self, height: int, width: int, n_channels: int = 1, empty: int = 0) -> None:
        per = height * width - empty
        cell = np.tile(np.arange(per), n_channels)
        self.shape = (height, width)
        self.positions = np.stack([cell // width, cell % width], 1).astype(np.int32)
        self.channel = np.repeat(np.arange(n_channels), per).astype(np.int32)
        self.n_channels = n_channels


def smooth(rng: np.random.Generator, grid: Grid, waves: int = 5) -> np.ndarray:
    """A smooth random field over the grid, one value a feature."""
    row, column = (grid.positions / np.array(grid.shape)).T
    total = np.zeros(len(row))
    for _ in range(waves):
        a, b, phase = rng.normal(size=3) * (6, 6, 3)
        total += np.cos(a * row + b * column + phase + grid.channel)
    return total / np.sqrt(waves / 2)


@st.cache_resource
def example(
    height: int, width: int, maps: int, channels: int, overlays: int, empty: int, missing: int, hostile: bool
) -> MapData:
    rng = np.random.default_rng(height * 1000 + width)
    grid = Grid(height, width, channels, empty)
    p = len(grid.positions)
    values = np.stack([smooth(rng, grid) + 0.55 * rng.normal(size=p) for _ in range(maps)]).astype(np.float32)
    values[rng.random(values.shape) < missing / p] = np.nan
    noise, rank = perturbation_fields(7, np.arange(maps), p)
    names = [f"GENE{j:05d}" for j in range(p)]
    if hostile:
        names[0] = "<img src=x onerror=\"document.title='owned'\">"
    region = grid.positions[:, 0] * 3 // height * 3 + grid.positions[:, 1] * 3 // width
    attributions = [np.stack([smooth(rng, grid, 3) ** 3 * 0.01 for _ in range(maps)]) for _ in range(overlays)]
    return MapData(
        places=grid,
        values=values,
        names=tuple(names),
        labels=("<b>hostile</b>",) if hostile else tuple(f"Patient {i + 1:03d}" for i in range(maps)),
        channel_names=("",) if channels == 1 else ("expression", "methylation", "proteins")[:channels],
        noise=noise,
        rank=rank,
        seed=7,
        overlays=tuple(
            Overlay(name, a) for name, a in zip(("Genomap network, towards ALL", "TabPFN, towards ALL"), attributions)
        ),
        regions=region,
        highlighted=(p // 3, p // 2 + width // 3) if overlays else (),
        title="Sample cohort",
    )


ask = st.query_params
number = {
    name: int(ask.get(name, default))
    for name, default in {"h": 33, "w": 33, "maps": 1, "c": 1, "overlays": 0, "empty": 7, "missing": 12}.items()
}
st.set_page_config(layout="wide")
data = example(*number.values(), hostile="hostile" in ask)
start = Perturbation(float(ask.get("level", 0)), float(ask.get("keep", 1)))
event = gene_map(data, key="map", initial=start, height=int(ask.get("height", 520)))
st.text(f"committed level={event.perturbation.level} keep={event.perturbation.keep} seed={event.perturbation.seed}")
st.text(f"clicked {None if event.feature is None else data.names[event.feature]} on map {event.map_index}")
if st.button("Rerun"):
    st.text("ran again")
