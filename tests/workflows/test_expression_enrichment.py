"""Gene sets among chosen genes: hypergeometric, against the measured genes."""

import numpy as np
import pytest
from scipy import stats

from genomap_core.errors import InputError
from genomap_core.layout.genesets import read_gmt
from genomap_core.workflows.expression.enrichment import enrichment

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
    assert rows["rich"].fold == pytest.approx(15 / 5)
    assert rows["none"].p == rows["all"].p == 1
    assert rows["all"].size == 200


def test_rows_come_by_p_with_their_false_discovery_rate():
    rows = enrichment(sets_of(none=range(150, 170), rich=range(25, 50), some=range(30, 60)), NAMES, CHOSEN)
    assert [row.name for row in rows] == ["rich", "some", "none"]
    np.testing.assert_allclose([row.fdr for row in rows], stats.false_discovery_control([row.p for row in rows]))


def test_nothing_chosen_is_nothing_enriched():
    (row,) = enrichment(sets_of(rich=range(25, 50)), NAMES, ~np.ones(200, bool))
    assert (row.overlap, row.expected, row.p) == (0, 0, 1)
    assert np.isnan(row.fold)
    assert enrichment(sets_of(elsewhere=range(500, 510)), NAMES, CHOSEN) == ()


def test_sets_of_another_table_are_refused():
    with pytest.raises(InputError, match="one a gene"):
        enrichment(sets_of(rich=range(25, 50)), NAMES, CHOSEN[:50])
    with pytest.raises(InputError, match="for this table"):
        enrichment(sets_of(rich=range(25, 50)), NAMES[:40], CHOSEN[:40])
