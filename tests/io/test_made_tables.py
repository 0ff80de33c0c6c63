"""Tables with planted truth in the ways that programs write them: read as planted, or the user is asked."""

import numpy as np
import pytest
from made_tables import FACTORS, draw, judge, make


@pytest.mark.parametrize("start", range(0, 300, 50))
def test_what_is_read_is_what_was_written_or_is_asked_about(start):
    outcomes = []
    for k in range(start, start + 50):
        rng = np.random.default_rng((0, k))
        way = draw(rng)
        outcomes.append((judge(make(way, rng)), way))
    assert [o for o in outcomes if o[0] not in ("read", "asked")] == []
    assert sum(outcome == "read" for outcome, _ in outcomes) >= 30


def test_every_way_is_met():
    drawn = [draw(np.random.default_rng((0, k))) for k in range(1000)]
    for name, levels in FACTORS.items():
        assert set(levels) <= {way[name] for way in drawn}, name
