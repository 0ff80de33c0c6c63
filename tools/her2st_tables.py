"""Write the count tables of her2st for the study: ``python -m tools.her2st_tables HER2ST OUT``.

A table a patient, for ``genomap benchmark run --catalogue tools/her2st.toml --data OUT``: spots that have a cluster,
genes with a read in a tenth of them, log2 of 1 + reads scaled to the median spot's total.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

SECTIONS = {"her2st_b": ("B4",), "her2st_c": ("C2", "C3", "C4", "C5")}
DETECTED = 0.1


def spots(folder: Path, section: str) -> tuple[pd.DataFrame, pd.Series]:
    """Reads ``(spots, genes)`` of the spots that have a cluster, and the clusters; the index is SECTION_XxY."""
    reads = pd.read_csv(folder / f"{section}.tsv.gz", sep="\t", index_col=0)
    found = pd.read_csv(folder / f"{section}-cluster-annotation.tsv.gz", sep="\t")
    place = found["x"].round().astype(int).astype(str) + "x" + found["y"].round().astype(int).astype(str)
    cluster = pd.Series("cluster " + found["label"].astype(str).to_numpy(), index=place)
    reads = reads.loc[[spot for spot in reads.index if spot in cluster.index]]
    ids = [f"{section}_{spot}" for spot in reads.index]
    return reads.set_axis(ids), cluster.loc[reads.index].set_axis(ids)


def table(folder: Path, sections: tuple[str, ...]) -> pd.DataFrame:
    """Genes float32, then ``target``; index ``sample_id``."""
    parts = [spots(folder, section) for section in sections]
    reads = pd.concat([part for part, _ in parts]).fillna(0)
    reads = reads.loc[:, (reads > 0).mean() >= DETECTED]
    total = reads.sum(axis=1)
    values = np.log2(1 + reads.mul(total.median() / total, axis=0)).astype(np.float32)
    return values.assign(target=pd.concat([cluster for _, cluster in parts])).rename_axis("sample_id")


def main() -> None:
    """Write both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("her2st", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    for name, sections in SECTIONS.items():
        table(given.her2st, sections).to_parquet(given.out / f"{name}.parquet")


if __name__ == "__main__":
    main()
