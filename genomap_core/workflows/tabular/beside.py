"""The control of a comparison in a process of its own, beside the others: ``with Beside(...) as beside: ...``.

The map's network and its control are equally slow, and each fills one core: batches are too small for two. The child
leaves its run in the comparison's folder, where the comparison takes it like any run that is kept; where it can't
(no memory for two, a GPU to be shared), it leaves none and the comparison fits the model itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from threadpoolctl import threadpool_limits

from genomap_core.data.dataset import Dataset
from genomap_core.layout.field import available_cores
from genomap_core.process import die_with_parent, kill_tree, worker_environment
from genomap_core.progress import OnProgress, Progress, ignore

if TYPE_CHECKING:
    from genomap_core.workflows.tabular.compare import CompareConfig

_TABLE = "beside.npz"
CONTROL = "genomap_random"
_WORTH = 8.0
"""Seconds that the control must take before a process of its own, whose start takes about two, is worth it."""
_LARGEST = 5e7
"""Values of a table above which it is not held twice."""


def chosen(dataset: Dataset, config: CompareConfig) -> bool:
    """Whether the control is fitted beside the others: it is slow enough, the table small enough, a core there."""
    from genomap_core.workflows.tabular.duration import comparison_seconds

    if not {"genomap", CONTROL} <= set(config.models):
        return False
    if available_cores() < 2 or dataset.n_samples * dataset.n_features > _LARGEST:
        return False
    expected = comparison_seconds(dataset.n_samples, dataset.n_features, len(dataset.classes), config)
    return expected[CONTROL] > _WORTH


class Beside:
    """A child process that fits the control on the folds of a comparison; ended with the block.

    It starts when :meth:`start` is called. Until the block ends the two share the cores: threads that wait for each
    other on a core that another process fills cost more than they bring.
    """

    def __init__(self, dataset: Dataset, config: CompareConfig, folder: Path) -> None:
        self._dataset, self._config, self._folder = dataset, config, folder
        self._child: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()

    def start(self, on_progress: OnProgress = ignore) -> None:
        """Start the child, unless it was started; what this process does next has the other half of the cores."""
        if self._child is not None:
            return
        cores = available_cores()
        self._held.callback((self._folder / _TABLE).unlink, missing_ok=True)
        self._dataset.save(self._folder / _TABLE)
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__, str(self._folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=worker_environment() | {"OMP_NUM_THREADS": str(cores // 2)},
        )
        self._held.callback(kill_tree, self._child)
        spec = {"parent": os.getpid(), "config": asdict(self._config)}
        assert self._child.stdin is not None
        with suppress(BrokenPipeError), self._child.stdin as pipe:  # it is gone already: `wait` finds no run
            pipe.write(json.dumps(spec).encode())
        from genomap_core.training.device import threads  # which imports torch

        self._held.enter_context(threadpool_limits(cores - cores // 2))
        self._held.enter_context(threads(cores - cores // 2))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._held.close()

    def wait(self, on_progress: OnProgress) -> None:
        """Until the child has ended; ``on_progress`` may raise."""
        while self._child is not None and self._child.poll() is None:
            on_progress(Progress("in a process of its own", 0, self._config.n_folds))
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(0.1)


def main(folder: Path) -> None:
    """The child: the control, its run and its networks in ``folder``."""
    spec = json.load(sys.stdin)
    die_with_parent(spec["parent"])
    from genomap_core.training.device import choose_device
    from genomap_core.workflows.tabular.compare import compare_config, fit_one

    config = compare_config(spec["config"])
    if choose_device(config.device).type == "cpu":
        fit_one(CONTROL, Dataset.load(folder / _TABLE), config, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
