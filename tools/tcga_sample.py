"""Write the real sample from the sources that ``GENOMAP_DATA`` holds: ``python -m tools.tcga_sample``.

150 breast cancers of The Cancer Genome Atlas (open tier): RNA of 1,087 genes from two tables of the same RSEM values,
and reverse-phase protein arrays. Every gene of ``sample_data/gene_sets.gmt`` is kept, then the most variable ones.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

from genomap_core.files import SAMPLE_DATA, write_atomically
from genomap_core.workflows.cohorts.precomputed import STEM

FEATURES = 600
PROTEIN = " (protein)"
CLASSES = {"LumA": "luminal A", "Basal": "basal-like", "Her2": "HER2-enriched"}


def cohort(folder: Path) -> pd.DataFrame:
    """Samples by features (log2), and the column ``subtype``.

    Raises
    ------
    FileNotFoundError
        A source is missing.
    """
    counts = pd.read_parquet(folder / "tabular" / "tcga_brca_pam50.parquet")
    views = pd.read_parquet(folder / "tabular" / "mo_brca_mixomics_3view.parquet")
    counts["patient"] = counts.index.str.split("-").str[:3].str.join("-")
    counts = counts.set_index(counts.index.str.split("-").str[2]).loc[views.index]
    rna = np.log2(counts.drop(columns=["target", "patient"]).astype(np.float64) + 1)
    more = views.filter(regex="^mrna:").rename(columns=lambda name: name.removeprefix("mrna:")).astype(np.float64)
    both = [gene for gene in more if gene in rna]
    # the second table is the first one's log2 less a constant, as the genes in both prove: put it on the first's scale
    shift = float(np.median(rna[both].to_numpy() - more[both].to_numpy()))
    rna = rna.join(more.drop(columns=both) + shift)
    protein = views.filter(regex="^protein:").rename(columns=_protein)
    named = _named()
    everything = rna.join(protein.astype(np.float64)[[name for name in protein if name in named]])
    known = [name for name in everything if name in named]
    varying = (
        rna.drop(columns=[name for name in known if name in rna]).var().sort_values(ascending=False, kind="stable")
    )
    table = everything[known + list(varying.index[: FEATURES - len(known)])].round(2)
    table.insert(0, "subtype", counts["target"].map(CLASSES))
    return table.set_index(pd.Index(counts["patient"], name="sample_id")).sort_index()


def _protein(name: str) -> str:
    """``protein:Caspase-7_cleavedD198`` -> ``Caspase-7 cleaved D198 (protein)``."""
    return name.removeprefix("protein:").replace("_", " ").replace("cleavedD", "cleaved D") + PROTEIN


def _named() -> set[str]:
    """Every name in the shipped gene sets."""
    lines = (SAMPLE_DATA / "gene_sets.gmt").read_text().splitlines()
    return {name for line in lines for name in line.split("\t")[2:]}


if __name__ == "__main__":
    write_atomically(
        SAMPLE_DATA / f"{STEM}.csv", cohort(Path(os.environ["GENOMAP_DATA"])).to_csv().encode(), mode=0o666
    )
