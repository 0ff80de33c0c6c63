"""The tables of spots for the axis of fewer reads: their reads are found again, sections stay together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from genomap_core.benchmark.catalogue import load_catalogue
from genomap_core.data.counts import counts_of
from tools.her2st_tables import SECTIONS, table

CATALOGUE = Path(__file__).parents[2] / "tools" / "her2st.toml"


def write_section(folder: Path, name: str, seed: int) -> pd.DataFrame:
    """Thirty spots on a grid, the last of them in no cluster; the reads."""
    rng = np.random.default_rng(seed)
    places = [(x, y) for x in range(5) for y in range(6)]
    reads = pd.DataFrame(
        rng.poisson(rng.gamma(0.5, 20, 60), (30, 60)),
        index=[f"{x}x{y}" for x, y in places],
        columns=[f"g{j}" for j in range(60)],
    )
    reads.to_csv(folder / f"{name}.tsv.gz", sep="\t")
    at = np.array(places[:-1]) + rng.uniform(-0.3, 0.3, (29, 2))
    clusters = pd.DataFrame({"label": np.arange(29) % 3, "x": at[:, 0], "y": at[:, 1]})
    clusters.to_csv(folder / f"{name}-cluster-annotation.tsv.gz", sep="\t")
    return reads.iloc[:-1].set_axis([f"{name}_{spot}" for spot in reads.index[:-1]])


def test_a_patients_table_holds_the_reads_of_its_sections(tmp_path: Path) -> None:
    planted = pd.concat([write_section(tmp_path, name, seed) for seed, name in enumerate(SECTIONS["her2st_c"])])
    found = table(tmp_path, SECTIONS["her2st_c"])
    entry = load_catalogue(CATALOGUE)["her2st_c"]
    values = found.drop(columns=entry.target)
    reads, _ = counts_of(values.to_numpy(np.float32), entry.counts)
    np.testing.assert_array_equal(reads, planted[values.columns])
    assert list(found.index) == list(planted.index)
    assert found[entry.target].nunique() == 3
    assert found.index.str.extract(entry.groups)[0].nunique() == entry.folds == 4
