"""Gene sets among chosen genes: hypergeometric, against the measured genes."""

import numpy as np
import pytest
from scipy import stats

from genomap_core.errors import InputError
from genomap_core.layout.genesets import read_gmt
from genomap_core.workflows.expression.enrichment import enrichment
from genomap_core.workflows.expression.sets import set_scores

NAMES = [f"G{j}" for j in range(200)]
CHOSEN = np.arange(200) < 40


def sets_of(**members: range):
    lines = ["\t".join([name, "made up", *(f"G{j}" for j in genes)]) for name, genes in members.items()]
    return read_gmt("\n".join(lines).encode(), NAMES)


def test_every_set_agrees_with_scipy():
    sets = sets_of(even=range(0, 200, 10), rich=range(25, 50), none=range(150, 170), all=range(300))
    rows = {row.name: row for row in enrichment(sets, NAMES, CHOSEN)}
    for name, row in rows.items():
        inside = np.isin(np.arange(200), sets.sets[name])
        table = [
            [(inside & CHOSEN).sum(), (inside & ~CHOSEN).sum()],
            [(~inside & CHOSEN).sum(), (~inside & ~CHOSEN).sum()],
        ]
        assert row.p == pytest.approx(stats.fisher_exact(table, "greater").pvalue)
        assert row.overlap == table[0][0]
        assert row.expected == pytest.approx(inside.sum() * 0.2)
    assert rows["rich"].genes == tuple(f"G{j}" for j in range(25, 40))
    assert rows["none"].p == rows["all"].p == 1
    assert rows["all"].size == 200


def test_rows_come_by_p_with_their_false_discovery_rate():
    rows = enrichment(sets_of(none=range(150, 170), rich=range(25, 50), some=range(30, 60)), NAMES, CHOSEN)
    assert [row.name for row in rows] == ["rich", "some", "none"]
    np.testing.assert_allclose([row.fdr for row in rows], stats.false_discovery_control([row.p for row in rows]))


def test_nothing_chosen_is_nothing_enriched():
    (row,) = enrichment(sets_of(rich=range(25, 50)), NAMES, ~np.ones(200, bool))
    assert (row.overlap, row.expected, row.p) == (0, 0, 1)
    assert enrichment(sets_of(elsewhere=range(500, 510)), NAMES, CHOSEN) == ()


def test_sets_of_another_table_are_refused():
    with pytest.raises(InputError, match="one a gene"):
        enrichment(sets_of(rich=range(25, 50)), NAMES, CHOSEN[:50])
    with pytest.raises(InputError, match="for this table"):
        enrichment(sets_of(rich=range(25, 50)), NAMES[:40], CHOSEN[:40])


def test_a_set_of_predicted_genes_has_a_score_whose_interval_holds_nine_in_ten_patients():
    rng = np.random.default_rng(4)
    n, fold, one = 150, np.arange(150) % 5, np.arange(150) % 5
    driver = rng.normal(size=(n, 1))
    truth = rng.normal(size=(n, 200))
    truth[:, :30] += driver
    predicted = np.hstack([np.repeat(0.6 * driver, 30, axis=1), rng.normal(size=(n, 170))])
    predictable = np.arange(200) < 30
    sets = sets_of(driven=range(20, 40), other=range(100, 130))
    found = set_scores(sets, NAMES, truth, predicted, predictable, fold, one)
    assert [s.name for s in found] == ["driven"], "a set without a gene that can be predicted has no score"
    (s,) = found
    assert s.genes == tuple(f"G{j}" for j in range(20, 30))
    assert (s.size, s.told) == (20, True)
    assert s.r > 0.8
    assert 0.84 < ((s.low <= s.measured) & (s.measured <= s.high)).mean() < 0.96


def test_a_set_whose_prediction_says_nothing_is_told_so():
    rng = np.random.default_rng(0)
    truth, predicted = rng.normal(size=(2, 60, 200))
    (s,) = set_scores(sets_of(a=range(9)), NAMES, truth, predicted, CHOSEN, np.arange(60) % 4, np.zeros(60, int))
    assert not s.told
