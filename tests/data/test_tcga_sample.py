"""The real sample is what its maker writes, names nobody but by TCGA's numbers, and holds the biology it is for."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from genomap_core.files import SAMPLE_DATA
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE, load_sample
from tools.tcga_sample import cohort

PATH = SAMPLE_DATA / f"{DEFAULT_SAMPLE}.csv"
SOURCES = Path(os.environ.get("GENOMAP_DATA", Path(__file__).parents[3] / "shared" / "data"))


@pytest.mark.shared
@pytest.mark.skipif(not (SOURCES / "tabular").is_dir(), reason="needs the folder of real data")
def test_the_maker_writes_the_shipped_bytes():
    assert cohort(SOURCES).to_csv().encode() == PATH.read_bytes()


def test_it_is_small_and_every_subtype_shows_its_marker():
    assert PATH.stat().st_size < 1_000_000
    dataset = load_sample(DEFAULT_SAMPLE)
    assert (dataset.n_samples, dataset.n_features, dataset.unit) == (150, 600, "log2 expression")
    assert all(re.fullmatch(r"TCGA-[A-Z0-9]{2}-[A-Z0-9]{4}", name) for name in dataset.sample_ids)
    mean = pd.DataFrame(dataset.X, columns=dataset.feature_names).groupby(dataset.y).mean()
    mean.index = list(dataset.classes)
    assert mean["ER-alpha (protein)"].idxmax() == "luminal A"
    assert mean["HER2 (protein)"].idxmax() == "HER2-enriched"
    assert mean["P-Cadherin (protein)"].idxmax() == "basal-like"
    assert mean["ASPM"].idxmin() == "luminal A"


def test_the_gene_sets_are_well_formed_and_most_are_in_the_sample():
    lines = [line.split("\t") for line in (SAMPLE_DATA / "gene_sets.gmt").read_text().splitlines()]
    assert len(lines) >= 12
    assert len({line[0] for line in lines}) == len(lines)
    features = set(load_sample(DEFAULT_SAMPLE).feature_names)
    for name, about, *genes in lines:
        assert about
        assert len(genes) == len(set(genes)) >= 15, name
        assert len(features & set(genes)) >= 3, name
