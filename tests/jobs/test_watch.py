from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.jobs import JobEvent, JobLimits, curves
from genomap_core.jobs.watch import thin_out
from genomap_core.progress import Progress

REPORTS = st.lists(
    st.builds(
        Progress,
        st.sampled_from(["layout", "training"]),
        st.integers(0, 5),
        st.just(5),
        st.dictionaries(st.sampled_from(["loss", "accuracy"]), st.floats(0, 1), max_size=2),
    ),
    max_size=40,
)


@given(REPORTS)
def test_thinning_keeps_the_last_figures_of_every_step_and_the_newest_report(reports: list[Progress]) -> None:
    kept = [progress for _, progress in thin_out([(float(k), p) for k, p in enumerate(reports)])]
    figures = {(p.stage, p.step): p for p in reports if p.values}
    assert figures == {(p.stage, p.step): p for p in kept if p.values}
    assert kept[-1:] == reports[-1:]
    assert sum(not p.values for p in kept) <= 1
    assert len(figures) + (not kept[-1].values if kept else 0) == len(kept)


def test_a_sign_of_life_after_an_epoch_does_not_cost_its_figures() -> None:
    epoch, alive = Progress("training", 2, 9, {"loss": 0.1}), Progress("training", 2, 9)
    assert thin_out([(0.0, epoch), (0.1, alive), (0.2, alive)]) == [(0.0, epoch), (0.2, alive)]


@given(REPORTS)
def test_thinning_keeps_the_order_of_time(reports: list[Progress]) -> None:
    times = [at for at, _ in thin_out([(float(k), p) for k, p in enumerate(reports)])]
    assert times == sorted(times)


def test_behind_the_limit_of_points_only_the_newest_report_is_kept() -> None:
    reports = [(float(k), Progress("training", k, 9, {"loss": 0.1})) for k in range(5)]
    assert thin_out(reports, keep_points=False) == reports[-1:]


def test_curves_take_the_last_report_of_a_step_and_sort_the_steps() -> None:
    reports = [("a", 2, {"loss": 9.0}), ("a", 1, {"loss": 1.0}), ("a", 2, {"loss": 2.0, "f1": 0.5}), ("b", 1, {})]
    events = [JobEvent(k, float(k), Progress(s, n, 2, v)) for k, (s, n, v) in enumerate(reports)]
    found = curves(events)
    assert set(found) == {"a"}
    assert [array.tolist() for array in found["a"]["loss"]] == [[1, 2], [1.0, 2.0]]
    assert [array.tolist() for array in found["a"]["f1"]] == [[2], [0.5]]


@pytest.mark.parametrize("wrong", [{"wall_seconds": 0}, {"rss_bytes": -1}])
def test_a_limit_must_be_positive(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be > 0"):
        JobLimits(**wrong)
