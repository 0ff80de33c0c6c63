"""Tables with planted truth in the ways that programs write them: read as planted, or the user is asked."""

import numpy as np
import pytest
from made_tables import CONTAINERS, FACTORS, draw, judge, make


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_what_is_read_is_what_was_written_or_is_asked_about(start):
    outcomes = []
    for k in range(start, start + 50):
        rng = np.random.default_rng((0, k))
        way = draw(rng, str(rng.choice(["none", "gzip", "bzip2", "xz"])))
        outcomes.append((judge(make(way, rng)), way))
    assert [o for o in outcomes if o[0] not in ("read", "asked")] == []
    assert sum(outcome == "read" for outcome, _ in outcomes) >= 30


@pytest.mark.parametrize("packing", ["zip", *CONTAINERS])
def test_so_it_is_in_archives_and_files_of_cells(packing):
    outcomes = []
    for k in range(6):
        rng = np.random.default_rng((1, k))
        way = draw(rng, packing)
        outcomes.append((judge(make(way, rng)), way))
    assert [o for o in outcomes if o[0] not in ("read", "asked")] == []
    assert any(outcome == "read" for outcome, _ in outcomes)


def test_every_way_is_met():
    drawn = [draw(np.random.default_rng((0, k))) for k in range(1000)]
    for name, levels in FACTORS.items():
        assert set(levels) <= {way[name] for way in drawn}, name
