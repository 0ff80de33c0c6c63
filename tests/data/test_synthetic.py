from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.simulated.tables import (
    ExpressionConfig,
    clinical_table,
    expression_cohort,
    multiomics_cohort,
    sample_files,
)

SAMPLE_DATA = Path(__file__).parents[2] / "sample_data"


def test_the_shipped_samples_are_what_the_command_writes():
    for name, content in sample_files().items():
        assert (SAMPLE_DATA / name).read_bytes() == content, name


def test_another_seed_is_another_cohort():
    a = expression_cohort(ExpressionConfig(n_samples=30, n_genes=60, n_modules=10, seed=1))
    b = expression_cohort(ExpressionConfig(n_samples=30, n_genes=60, n_modules=10, seed=2))
    assert (a.values != b.values).any()


def test_informative_modules_differ_between_classes_and_others_do_not():
    cohort = expression_cohort(ExpressionConfig(n_samples=600, label_noise=0.0, batch_effect=0.0))
    log = np.log2(1 + cohort.values)
    z = (log - log.mean(0)) / (log.std(0) + 1e-9)
    spread = np.stack([z[cohort.labels == c].mean(0) for c in range(3)]).std(0)
    informative = np.isin(cohort.module, cohort.informative)
    other = (cohort.module >= 0) & ~informative
    assert np.median(spread[informative]) > 3 * np.median(spread[other])


def test_genes_of_a_module_are_correlated():
    cohort = expression_cohort()
    r = np.abs(np.corrcoef(np.log2(1 + cohort.values), rowvar=False))
    genes = np.flatnonzero(cohort.module == 0)
    strangers = np.flatnonzero(cohort.module == -1)
    within = r[np.ix_(genes, genes)][np.triu_indices(len(genes), 1)]
    assert np.median(within) > 0.3 > np.median(r[np.ix_(genes, strangers)]) * 2


def test_counts_are_whole_and_not_negative():
    values = expression_cohort().values
    assert values.dtype.kind == "i"
    assert values.min() >= 0


def test_planted_names_are_the_genes_of_informative_modules():
    cohort = multiomics_cohort()
    types = {name.split(":")[0] for name in cohort.planted}
    assert types == {"rna", "meth", "cnv"}
    assert len(cohort.planted) == np.isin(cohort.module, cohort.informative).sum()


def test_the_clinical_table_has_gaps_and_categories():
    rows = clinical_table()
    assert len(rows) == 200
    assert {len(r) for r in rows} == {16}
    assert any("" in r for r in rows)
    assert {r[2] for r in rows} == {"female", "male"}


def test_more_informative_modules_than_modules_is_an_error():
    with pytest.raises(ValueError, match="n_informative"):
        ExpressionConfig(n_modules=3, n_informative=4)
