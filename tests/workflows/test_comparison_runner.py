"""The policy of every comparison: a failure is a result, what is done is kept, and only what changed is made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from genomap_core.errors import InputError, ModelLimitError
from genomap_core.progress import OnProgress, Progress
from genomap_core.workflows.comparison.runner import Answer, Clock, Entry, Fold, Run, run_entries, run_file

FOLDS = [(np.arange(2, 6), np.arange(2)), (np.arange(2), np.arange(2, 6))]
ABOUT = {"digest": "cohort", "seed": 0}


def entry(name: str, answer: Callable[[Fold], np.ndarray], asked: list[str], **options: object) -> Entry:
    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        asked.append(f"{name}{fold.index}")
        with clock.training():
            values = answer(fold)
        with clock.predicting():
            on_progress(Progress("epoch", 1, 1))
        return Answer({"proba": values}, {"parameters": fold.index})

    return Entry(name, name.title(), fit_predict, options)


def constant(fold: Fold) -> np.ndarray:
    return np.full((len(fold.test), 2), fold.index / 4)


def refusing(fold: Fold) -> np.ndarray:
    raise ModelLimitError("too many classes")


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (ModelLimitError("too wide"), "refused", "too wide"),
        (MemoryError(), "oom", "MemoryError"),
        (RuntimeError("CUDA out of memory"), "oom", "out of memory"),
        (IndexError("3"), "error", "IndexError: 3"),
    ],
)
def test_a_failure_is_recorded_and_the_others_go_on(error: Exception, status: str, words: str) -> None:
    def failing(fold: Fold) -> np.ndarray:
        if fold.index:
            raise error
        return constant(fold)

    failed, fine = run_entries([entry("bad", failing, []), entry("good", constant, [])], FOLDS, ABOUT)
    assert (failed.status, failed.values) == (status, {})
    assert words in failed.message
    assert fine.status == "ok"
    np.testing.assert_array_equal(fine.values["proba"][:, 0], [0, 0, 0.25, 0.25, 0.25, 0.25])
    assert fine.parameters == 1


def test_a_wish_to_stop_is_nobodys_failure_and_what_is_finished_stays(tmp_path: Path) -> None:
    asked: list[str] = []
    entries = [entry("first", constant, asked), entry("second", constant, asked)]

    def stop(p: Progress) -> None:
        if p.stage.startswith("Second"):
            raise OSError("the ledger is gone")

    with pytest.raises(OSError, match="ledger"):
        run_entries(entries, FOLDS, ABOUT, tmp_path, stop)
    asked.clear()
    run_entries(entries, FOLDS, ABOUT, tmp_path)
    assert asked == ["second0", "second1"]


def test_a_changed_option_refits_what_it_touches_and_nothing_else(tmp_path: Path) -> None:
    asked: list[str] = []
    run_entries([entry("a", constant, asked, width=1), entry("b", constant, asked)], FOLDS, ABOUT, tmp_path)
    asked.clear()
    run_entries([entry("a", constant, asked, width=2), entry("b", constant, asked)], FOLDS, ABOUT, tmp_path)
    assert asked == ["a0", "a1"]
    asked.clear()
    run_entries([entry("b", constant, asked)], FOLDS, ABOUT | {"seed": 1}, tmp_path)
    assert asked == ["b0", "b1"], "the seed makes other folds"
    with pytest.raises(InputError, match="another cohort"):
        run_entries([entry("b", constant, asked)], FOLDS, ABOUT | {"digest": "other"}, tmp_path)


@pytest.mark.parametrize("file", [run_file("a"), "tables-a.npz"])
def test_an_answer_to_other_options_never_passes_for_a_run_that_failed(tmp_path: Path, file: str) -> None:
    """It is still in the folder when the run with the new options fails."""
    (run,) = run_entries([entry("a", constant, [], width=1)], FOLDS, ABOUT)
    run.save(tmp_path / file, ABOUT | {"width": 1})
    (run,) = run_entries([entry("a", refusing, [], width=2)], FOLDS, ABOUT, tmp_path, kind="tables")
    assert run.status == "refused"
    assert not (tmp_path / file).exists()


def test_a_failure_is_tried_again_and_a_damaged_file_made_again(tmp_path: Path) -> None:
    asked: list[str] = []
    (run,) = run_entries([entry("a", refusing, asked)], FOLDS, ABOUT, tmp_path)
    assert (run.status, list(tmp_path.iterdir())) == ("refused", [])
    (run,) = run_entries([entry("a", constant, asked)], FOLDS, ABOUT, tmp_path)
    assert run.status == "ok"
    (tmp_path / run_file("a")).write_bytes(b"PK\x03\x04 cut")
    asked.clear()
    run_entries([entry("a", constant, asked)], FOLDS, ABOUT, tmp_path)
    assert asked == ["a0", "a1"]


def test_a_finished_run_is_readable_while_the_others_go_on(tmp_path: Path) -> None:
    seen: list[Run] = []

    def look(p: Progress) -> None:
        if p.stage.startswith("Second") and not seen:
            seen.append(Run.load(tmp_path / run_file("first"))[0])

    runs = run_entries([entry("first", constant, []), entry("second", constant, [])], FOLDS, ABOUT, tmp_path, look)
    np.testing.assert_array_equal(seen[0].values["proba"], runs[0].values["proba"])


def test_training_seconds_hold_no_prediction() -> None:
    def fit_predict(fold: Fold, clock: Clock, on_progress: OnProgress) -> Answer:
        with clock.training():
            pass
        with clock.predicting():
            np.linalg.svd(np.random.default_rng(0).normal(size=(300, 300)))
        return Answer({"proba": constant(fold)})

    (run,) = run_entries([Entry("a", "A", fit_predict)], FOLDS, ABOUT)
    assert 0 < run.fit_seconds < run.predict_seconds
