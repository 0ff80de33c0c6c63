"""Compare the first sample and store it for the Compare page: ``python -m tools.compare_sample [FOLDER]``.

It takes some minutes; with a folder to work in, a run that was stopped goes on there.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from genomap_core.cli.progress import finish, teller
from genomap_core.pfn import shipped_weights
from genomap_core.progress import OnProgress, ignore
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.comparison.result import FILE
from genomap_core.workflows.comparison.runner import run_file
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.genomap import fit_genomap
from genomap_core.workflows.tabular.patient import explained_answers
from genomap_core.workflows.tabular.shipped import ANSWERING, ANSWERS, COMPARED, PATIENTS, SAMPLE, store_answers


def write_compared(folder: Path, target: Path = COMPARED, on_progress: OnProgress = ignore) -> None:
    """Compare with the default options and the shipped weights, explain the first patients, and store both.

    The work is done in ``folder``; what was finished there is not done again.
    """
    dataset = load_sample(SAMPLE)
    weights = shipped_weights()
    config = CompareConfig(weights=None if weights is None else str(weights.path))
    dataset.save(folder / "dataset.npz")
    found = compare(dataset, config, folder, on_progress)
    found = replace(found, config=CompareConfig())  # a path of this machine says nothing elsewhere
    found.save(folder)
    genomap, cache = fit_genomap(dataset), dict[object, object]()
    assert dataset.y is not None
    answers = [
        explained_answers(folder, dataset, genomap, found, row, int(code), ANSWERING, on_progress, cache=cache)
        for row, code in enumerate(dataset.y[:PATIENTS])
    ]
    store_answers(folder, dataset, answers)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in (FILE, ANSWERS, *(run_file(run.name) for run in found.runs)):
        shutil.copyfile(folder / name, target / name)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write_compared(Path(sys.argv[1] if len(sys.argv) > 1 else made), on_progress=teller(sys.stderr))
    finish(sys.stderr)
