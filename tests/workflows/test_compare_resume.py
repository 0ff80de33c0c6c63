"""A comparison that was stopped goes on from its last finished model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genomap_core.progress import Progress
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult, compare
from genomap_core.workflows.tabular.patient import comparison

CONFIG = CompareConfig(("logistic", "forest"), n_folds=2)


class Killed(Exception):
    """Stands for the end of the process."""


def stopped_in_the_forest(folder: Path) -> None:
    def stop(progress: Progress) -> None:
        if "forest" in progress.stage.lower():
            raise Killed

    with pytest.raises(Killed):
        compare(load_sample("wine"), CONFIG, folder, stop)


def stages(config: CompareConfig, folder: Path) -> tuple[set[str], np.ndarray]:
    """What is fitted when the work is run again, and the forest's answers."""
    seen: set[str] = set()
    result = compare(load_sample("wine"), config, folder, lambda p: seen.add(p.stage.partition(":")[0]))
    proba = result.run("forest").proba
    assert proba is not None
    assert all(run.status == "ok" for run in result.runs)
    return seen, proba


def test_finished_models_are_not_fitted_again_and_the_answers_are_those_of_an_unbroken_run(tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "whole").mkdir()
    stopped_in_the_forest(tmp_path / "broken")
    again, proba = stages(CONFIG, tmp_path / "broken")
    unbroken, expected = stages(CONFIG, tmp_path / "whole")
    assert len(unbroken) == 3
    assert len(again) == 2, f"the finished model was fitted again: {again}"
    np.testing.assert_array_equal(proba, expected)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut"])
def test_a_damaged_answer_is_not_read(damage: bytes, tmp_path: Path) -> None:
    stopped_in_the_forest(tmp_path)
    (tmp_path / "run-logistic.npz").write_bytes(damage)
    assert len(stages(CONFIG, tmp_path)[0]) == 3


def test_answers_to_other_questions_are_not_taken(tmp_path: Path) -> None:
    stopped_in_the_forest(tmp_path)
    assert len(stages(CompareConfig(("logistic", "forest"), n_folds=2, seed=1), tmp_path)[0]) == 3


def test_the_fastest_model_is_readable_while_the_others_work(tmp_path: Path) -> None:
    seen: list[CompareResult] = []

    def look(progress: Progress) -> None:
        if "forest" in progress.stage.lower() and not seen:
            seen.append(CompareResult.load(tmp_path))

    config = CompareConfig(("forest", "logistic"), n_folds=2)
    finished = compare(load_sample("wine"), config, tmp_path, look)
    (early,) = seen
    assert [run.name for run in early.runs] == ["logistic"]
    assert early.pending == ("forest",)
    assert early.scores == {"logistic": finished.scores["logistic"]}
    assert [run.name for run in finished.runs] == ["forest", "logistic"]
    assert finished.pending == CompareResult.load(tmp_path).pending == ()
    assert finished.differences.keys() == {("forest", "logistic")}


def test_a_comparison_that_was_stopped_is_finished_when_it_is_asked_for(tmp_path: Path) -> None:
    stopped_in_the_forest(tmp_path)
    assert CompareResult.load(tmp_path).pending == ("forest",)
    assert comparison(load_sample("wine"), CONFIG, tmp_path).pending == ()


def test_the_first_answer_does_not_wait_for_torch(tmp_path: Path) -> None:
    """torch takes seconds to import, logistic regression milliseconds to fit."""
    code = (
        "import sys; from pathlib import Path\n"
        "from genomap_core.workflows.cohorts.samples import load_sample\n"
        "from genomap_core.workflows.tabular.compare import CompareConfig, compare\n"
        "compare(load_sample('wine'), CompareConfig(('logistic', 'forest'), n_folds=2), Path(sys.argv[1]))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 0
