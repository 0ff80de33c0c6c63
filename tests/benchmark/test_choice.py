"""A study chosen on the page: what is offered, plain values there and back, how many runs, how long."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from made_up_study import MODELS, SETS, planted, record
from study_helpers import own_cohort, planted_table

from genomap_core.benchmark.catalogue import load_catalogue
from genomap_core.benchmark.protocol import FULL, Protocol, Run, runs
from genomap_core.benchmark.sources import Places, data_folder, read_set
from genomap_core.benchmark.study_spec import BUNDLED, Choice, offers, own_entry
from genomap_core.errors import InputError


def test_sets_of_scikit_learn_are_as_their_entries_say() -> None:
    for entry in load_catalogue(BUNDLED).values():
        assert read_set(entry, Places()).X.shape == (entry.samples, entry.features)


def test_without_a_folder_of_data_only_what_needs_no_file_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GENOMAP_DATA", raising=False)
    found = offers(own_cohort())
    assert [n for n, o in found.items() if not o.absent] == ["own_my_cohort_2024", *load_catalogue(BUNDLED)]
    assert {n for n, o in found.items() if o.absent} == set(load_catalogue())
    assert "own_my_cohort_2024" not in offers(own_cohort(labelled=False))


def test_sets_in_the_folder_of_data_are_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tabular").mkdir()
    planted_table().to_parquet(tmp_path / "tabular" / "arcene.parquet")
    monkeypatch.setenv("GENOMAP_DATA", str(tmp_path))
    assert data_folder() == tmp_path / "tabular"
    found = offers()
    assert not found["arcene"].absent
    assert "tox171.parquet" in found["tox171"].absent


def test_a_choice_becomes_plain_values_and_comes_back() -> None:
    own = {"digest": "00", "entry": asdict(own_entry(own_cohort()))}
    made = Choice(("wine", "own_my_cohort_2024"), ("prior",), ("full", "noise-50"), seeds=2, cohort=own)
    spec = json.loads(json.dumps(made.to_spec()))
    assert spec == made.to_spec()
    again = Choice.from_spec(spec)
    assert again.to_spec() == spec
    assert again.protocol() == made.protocol()
    assert list(again.entries()) == ["wine", "own_my_cohort_2024"]
    assert made.n_runs() == 2 * 5 * (2 + 1)


def test_a_cohort_of_counts_can_be_thinned_and_no_other() -> None:
    for unit, counts in (("count", "reads"), ("log2(1 + count)", "log2"), ("value", "")):
        assert own_entry(replace(own_cohort(), unit=unit)).counts == counts
    own = {"digest": "00", "entry": asdict(own_entry(replace(own_cohort(), unit="count")))}
    made = Choice(("wine", "own_my_cohort_2024"), ("prior",), ("full", "thin-10"), cohort=own)
    assert made.protocol().left_out == ("wine",)
    assert made.n_runs() == 5 * (2 + 1)
    with pytest.raises(InputError, match="need a data set that holds counts"):
        Choice(("wine",), ("prior",), ("thin-10",))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sets": ()}, "No data set was chosen"),
        ({"models": ()}, "No model was chosen"),
        ({"conditions": ()}, "No condition was chosen"),
        ({"models": ("nobody",)}, "Unknown models: nobody"),
        ({"folds": 11}, "Folds: choose 1 to 10"),
        ({"seconds": 0.0}, "above 0"),
    ],
)
def test_what_can_not_be_run_is_said_before_it_is_started(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Choice(**{"sets": ("wine",), "models": ("prior",), **wrong})  # type: ignore[arg-type]


def test_an_unknown_set_is_named() -> None:
    with pytest.raises(InputError, match="no data set nowhere"):
        Choice(("nowhere",), ("prior",)).protocol()


def test_the_time_is_judged_by_other_studies() -> None:
    choice = Choice(("wine",), ("logistic", "forest"), folds=5)
    assert choice.expected_seconds([]) is None
    before = planted(Protocol(dict.fromkeys(SETS[:2], 3), models=MODELS, conditions=(FULL,), seeds=(0,)))
    assert choice.expected_seconds(before) == pytest.approx(10 * 2.5)  # 2 s to fit and .5 to predict, each
    slow = record(Run("wine", FULL, "forest", 0, 0), 0.9, fit_seconds=60.0)
    assert choice.expected_seconds([*before, slow]) == pytest.approx(5 * 2.5 + 5 * 60.5)
    assert len(list(runs(choice.protocol()))) == choice.n_runs() == 10
