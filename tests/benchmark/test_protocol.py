"""The protocol's generator: every run once, seeds from names, the first seed of all sets first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genomap_core.benchmark.protocol import (
    CONDITIONS,
    FULL,
    MISSING,
    MODELS,
    PAIRS,
    TEST_NOISE,
    THINNED,
    Condition,
    Protocol,
    Run,
    about_left_out,
    bundles,
    runs,
    seed_of,
    shard,
)
from genomap_core.errors import InputError

STUDY = Protocol({"a": 5, "b": 4})
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
conditions = st.sampled_from([*CONDITIONS, *TEST_NOISE, *MISSING, *THINNED])
any_run = st.builds(Run, names, conditions, names, st.integers(0, 99), st.integers(0, 9))


def test_the_conditions_are_those_of_the_study() -> None:
    assert [c.name for c in CONDITIONS] == [
        "full", "rows-80", "rows-60", "rows-40", "rows-20",
        "noise-5", "noise-10", "noise-15", "noise-20", "noise-50", "noise-100", "noise-150",
    ]  # fmt: skip
    assert [(c.fraction, c.noise, c.noisy_training) for c in (FULL, Condition("rows-20"), Condition("noise-150"))] == [
        (1.0, 0.0, False),
        (0.2, 0.0, False),
        (1.0, 1.5, True),
    ]
    assert (TEST_NOISE[0].noise, TEST_NOISE[0].noisy_training) == (0.05, False)
    assert [c.name for c in MISSING[:5]] == ["keep-80", "keep-50", "keep-20", "keep-10", "keep-5"]
    assert [(c.keep, c.in_blocks, c.noise, c.fraction) for c in (MISSING[4], MISSING[9])] == [
        (0.05, False, 0.0, 1.0),
        (0.05, True, 0.0, 1.0),
    ]
    assert all(c.keep == 1 for c in (*CONDITIONS, *TEST_NOISE, *THINNED))
    assert [(c.name, c.reads, c.training) for c in THINNED] == [
        ("thin-50", 0.5, FULL),
        ("thin-10", 0.1, FULL),
        ("thin-2", 0.02, FULL),
    ]
    assert all(c.reads == 1 for c in (*CONDITIONS, *TEST_NOISE, *MISSING))


def test_fewer_reads_are_run_on_the_sets_that_hold_counts_alone() -> None:
    protocol = Protocol({"a": 5, "b": 4}, conditions=(FULL, *THINNED), counts=frozenset({"b"}))
    assert {(r.dataset, r.condition.name) for r in runs(protocol)} == {
        ("a", "full"), ("b", "full"), ("b", "thin-50"), ("b", "thin-10"), ("b", "thin-2"),
    }  # fmt: skip
    assert protocol.left_out == ("a",)
    assert about_left_out(protocol).startswith("Fewer reads: on sets that hold counts only (b); 1 of")
    assert not about_left_out(STUDY)
    with pytest.raises(InputError, match="none of these does: a, b"):
        Protocol({"a": 5, "b": 4}, conditions=(FULL, *THINNED))


def test_a_control_has_the_chance_of_its_partner_and_no_older_run_has_another() -> None:
    for control, partner in PAIRS.items():
        a, b = (Run("set", Condition("keep-20"), m, 0, 1) for m in (control, partner))
        assert a.random_state == b.random_state
    old, new = (Run("set", FULL, m, 0, 1) for m in ("genomap_random", "genomap"))
    assert old.random_state == seed_of(old.name) != new.random_state
    assert not set(PAIRS) & set(MODELS)
    lost = [Run("set", Condition(c), m, 0, 1) for c in ("keep-20", "testnoise-50") for m in MODELS[:2]]
    assert {r.random_state for r in lost} == {new.random_state}


def test_runs_that_ask_one_fitted_model_stand_together() -> None:
    conditions = tuple(map(Condition, ("full", "noise-5", "keep-20", "blocks-20")))
    protocol = Protocol({"a": 2}, models=("svm", "genomap_random"), conditions=conditions, seeds=(0,))
    first = [f"{r.condition.name} {r.model}" for r in next(iter(bundles(protocol))).runs]
    assert first == [
        "full svm", "keep-20 svm", "blocks-20 svm", "full genomap_random", "noise-5 svm", "noise-5 genomap_random",
        "keep-20 genomap_random", "blocks-20 genomap_random",
    ]  # fmt: skip


def test_full_has_four_seeds_and_the_other_conditions_one() -> None:
    found = list(runs(STUDY))
    assert len(found) == (5 + 4) * len(MODELS) * (4 + len(CONDITIONS) - 1)
    assert {r.seed for r in found if r.condition == FULL} == {0, 1, 2, 3}
    assert {r.seed for r in found if r.condition != FULL} == {0}


def test_no_name_occurs_twice_and_bundles_hold_every_run() -> None:
    found = [r.name for r in runs(STUDY)]
    assert len(set(found)) == len(found)
    assert [r.name for b in bundles(STUDY) for r in b.runs] == found


def test_all_sets_come_before_the_second_seed_of_any() -> None:
    seeds = [r.seed for r in runs(STUDY)]
    assert seeds == sorted(seeds)


def test_a_wider_protocol_keeps_the_seeds_of_the_runs_it_had() -> None:
    wider = Protocol({"z": 5, "a": 5, "b": 4}, models=("extra", *MODELS), seeds=(0, 1, 2, 3, 4))
    later = {r.name: r.random_state for r in runs(wider)}
    assert all(later[r.name] == r.random_state for r in runs(STUDY))


def test_models_and_conditions_share_folds_and_noise_and_nothing_else() -> None:
    a = Run("set", Condition("noise-5"), "svm", 0, 1)
    b = Run("set", Condition("noise-50"), "forest", 0, 1)
    assert (a.split_seed, a.noise_seed, a.rows_seed) == (b.split_seed, b.noise_seed, b.rows_seed)
    assert len({a.random_state, b.random_state, a.split_seed, a.noise_seed, a.rows_seed}) == 5
    assert a.split_seed != Run("set", FULL, "svm", 1, 1).split_seed


@given(any_run)
def test_a_name_gives_its_run_back(run: Run) -> None:
    assert Run.parse(run.name) == run
    assert 0 <= run.random_state < 2**31


def test_a_seed_is_pinned_to_its_name_for_ever() -> None:
    assert seed_of("colon_alon/full/genomap/s0/f0") == 732932493


def test_runs_of_a_gpu_model_are_bundles_of_their_own() -> None:
    protocol = Protocol({"a": 2}, models=("genomap", "svm"), seeds=(0,), gpu_models=frozenset({"genomap"}))
    found = list(bundles(protocol))
    assert [(b.fold, b.needs_gpu, {r.model for r in b.runs}) for b in found] == [
        (0, False, {"svm"}),
        (0, True, {"genomap"}),
        (1, False, {"svm"}),
        (1, True, {"genomap"}),
    ]


@given(st.integers(1, 9))
def test_shards_are_disjoint_and_together_everything(n: int) -> None:
    everything = list(bundles(STUDY))
    parts = [shard(everything, f"{i}/{n}") for i in range(1, n + 1)]
    assert sorted(b.name for p in parts for b in p) == sorted(b.name for b in everything)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "1/0"])
def test_a_wrong_shard_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="--shard"):
        shard([], text)


@pytest.mark.parametrize(
    "name", ["rows-0", "rows-100", "keep-0", "thin-100", "thin-2.5", "blocks-", "noise-", "dropout-5", "../x", ""]
)
def test_an_unknown_condition_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="condition"):
        Condition(name)


@pytest.mark.parametrize(
    "wrong", [{"folds": {"../a": 5}}, {"folds": {"a": 1}}, {"folds": {}}, {"seeds": ()}, {"models": ("svm", "svm")}]
)
def test_a_wrong_protocol_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Protocol(**{"folds": {"a": 5}, **wrong})  # type: ignore[arg-type]
