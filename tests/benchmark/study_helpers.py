"""Small studies for the tests: a catalogue, a data folder, and models that fail in every way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from genomap_core.benchmark.catalogue import Entry
from genomap_core.benchmark.protocol import Condition, Protocol
from genomap_core.benchmark.store import open_store
from genomap_core.data.dataset import Dataset

ROOT = Path(__file__).parents[2]
SLOW = ("--models", "slow,prior", "--option", "slow.seconds=0.15", "--plugin", "own_models")
WINE = Entry("wine", "Wine", source="sklearn")

PLUGIN = """
import os, signal, time
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from genomap_core.errors import ModelLimitError

class Model(ClassifierMixin, BaseEstimator):
    def __init__(self, how="fine", random_state=0, seconds=0.0):
        self.how, self.random_state, self.seconds = how, random_state, seconds
    def fit(self, X, y):
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share_ = counts / len(y)
        if self.how == "hungry":
            self.held_ = [np.ones(1_000_000) for _ in range(800)]
        if self.how == "asleep":
            time.sleep(120)
        if self.how == "broken":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.how == "wrong":
            raise ValueError("a bug of the model")
        if self.how == "picky":
            raise ModelLimitError("3 classes, but 2 at most")
        if self.how == "polluting":
            print("hello on standard output", flush=True)
        time.sleep(self.seconds)
        return self
    def predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))

def _make(how):
    return lambda random_state, **options: Model(how, random_state, **options)

HOWS = ("fine", "hungry", "asleep", "broken", "wrong", "picky", "polluting", "slow")
MODELS = {how: _make(how) for how in HOWS}
"""

CATALOGUE = """
[sets.wine]
source = "sklearn"
[sets.first]
[sets.second]
"""


def write_plugin(folder: Path) -> str:
    """A module ``own_models`` in this folder; its name."""
    (folder / "own_models.py").write_text(PLUGIN)
    return "own_models"


def planted_table(n: int = 60, p: int = 12, classes: int = 2, seed: int = 0) -> pd.DataFrame:
    """Features of which the first follows the class; column ``target`` and index ``sample_id``."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    X = rng.normal(size=(n, p))
    X[:, 0] += 4 * y
    frame = pd.DataFrame(X.astype(np.float32), columns=[f"g{j}" for j in range(p)])
    frame["target"] = [f"class {c}" for c in y]
    frame.index = pd.Index([f"m{i // 3}_{i % 3}" for i in range(n)], name="sample_id")
    return frame


def write_data(folder: Path) -> Path:
    """Tables ``first`` (Parquet) and ``second`` (CSV) and their catalogue; the catalogue's path."""
    folder.mkdir(exist_ok=True)
    planted_table(seed=1).to_parquet(folder / "first.parquet")
    planted_table(seed=2).reset_index().to_csv(folder / "second.csv", index=False)
    catalogue = folder / "catalogue.toml"
    catalogue.write_text(CATALOGUE)
    return catalogue


def own_cohort(name: str = "My Cohort, 2024", labelled: bool = True) -> Dataset:
    """A cohort as a user has it in use: two rows a patient."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 6)).astype(np.float32), np.arange(30) % 2
    X[:, 0] += 3 * y
    names, ids = tuple(f"g{j}" for j in range(6)), tuple(f"s{i}" for i in range(30))
    classes = ("a", "b") if labelled else ()
    return Dataset(name, X, names, ids, y if labelled else None, classes, groups=np.arange(30) // 2)


def small_protocol(**more: object) -> Protocol:
    """Wine in two folds with the cheapest model, undisturbed and with noise."""
    values: dict[str, object] = {
        "folds": {"wine": 2},
        "models": ("prior",),
        "conditions": (Condition("full"), Condition("noise-50")),
        "seeds": (0,),
    }
    return Protocol(**{**values, **more})  # type: ignore[arg-type]


def environment(folder: Path) -> dict[str, str]:
    """For a process that runs the command line with the plugin of this folder."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder)]), "OMP_NUM_THREADS": "1"}


def command(*arguments: str) -> list[str]:
    """``python -m genomap_core.benchmark ...``."""
    return [sys.executable, "-m", "genomap_core.benchmark", *arguments]


def run_command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line to its end."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )


def arguments(*more: str, seeds: int = 1) -> tuple[str, ...]:
    what = ("--catalogue", "data/catalogue.toml", "--data", "data", "--sets", "first,second", "--folds", "3")
    return ("run", *what, "--conditions", "full,noise-10,rows-60", "--seeds", str(seeds), *more)


def fingerprints(store: Path) -> dict[str, tuple[int, int, bytes]]:
    found = (store / "rows").rglob("*.json")
    return {str(p): (p.stat().st_ino, p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def assert_complete(store: Path, n: int, before: dict[str, tuple[int, int, bytes]]) -> None:
    records = open_store(store).records()
    assert len(records) == n == len({r.name for r in records})
    assert {r.status for r in records} == {"ok"}
    after = fingerprints(store)
    assert {k: after[k] for k in before} == before  # what was done is neither done again nor lost


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
