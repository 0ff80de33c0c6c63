"""Made-up gene maps, the same for the page that shows them and for the test that reads them back."""

import numpy as np

from pages._ui.gene_map import MapData, Overlay, perturbation_fields

DEFAULTS = {"h": 33, "w": 33, "maps": 1, "c": 1, "overlays": 0, "empty": 7, "missing": 12, "patient": 0}
DEFAULTS |= {"hostile": 0, "named": 0, "filled": 0}
NAMES = (
    "Epithelial-mesenchymal transition",
    "Stroma",
    "Interferon response",
    "Estrogen receptor",
    "Cell cycle control",
)
SEED = 7


class Grid:
    """A layout: features on a grid, row by row, a few cells empty."""

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


def example(**asked: int) -> MapData:
    """The maps that the query string of the same words shows."""
    ask = DEFAULTS | asked
    rng = np.random.default_rng([ask["h"], ask["w"], ask["patient"]])
    grid = Grid(ask["h"], ask["w"], ask["c"], ask["empty"])
    p, k = len(grid.positions), ask["maps"]
    values = np.stack([smooth(rng, grid) + 0.55 * rng.normal(size=p) for _ in range(k)]).astype(np.float32)
    values[rng.random(values.shape) < ask["missing"] / p] = np.nan
    noise, rank = perturbation_fields(SEED, ask["patient"] + np.arange(k), p)
    names = [f"GENE{j:05d}" for j in range(p)]
    labels = tuple(f"Patient {ask['patient'] + i + 1:03d}" for i in range(k))
    if ask["hostile"]:
        names[0] = "<img src=x onerror=\"document.title='owned'\">"
        labels = ("<b onmouseover=\"document.title='owned'\">bold</b>",) * k
    overlay_names = ("Genomap network, towards ALL", "TabPFN, towards ALL")[: ask["overlays"]]
    return MapData(
        places=grid,
        values=values,
        names=tuple(names),
        labels=labels,
        channel_names=("",) if ask["c"] == 1 else ("expression", "methylation", "proteins")[: ask["c"]],
        noise=noise,
        rank=rank,
        seed=SEED,
        overlays=tuple(
            Overlay(n, np.stack([smooth(rng, grid, 3) ** 3 * 0.01 for _ in range(k)])) for n in overlay_names
        ),
        regions=grid.positions[:, 0] * 3 // ask["h"] * 3 + grid.positions[:, 1] * 3 // ask["w"],
        region_names=tuple(f"{NAMES[k % 5]} {k}" for k in range(9)) if ask["named"] else (),
        highlighted=(p // 3, p // 2 + ask["w"] // 3) if ask["overlays"] else (),
        title="Sample cohort",
        filled=np.arange(p)[None].repeat(k, axis=0) < ask["filled"] if ask["filled"] else None,
    )
