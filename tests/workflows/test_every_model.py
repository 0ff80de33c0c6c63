"""Every model answers whatever columns a table has; none is refused for an internal reason."""

from __future__ import annotations

import numpy as np
import pytest

from genomap_core.data.dataset import Dataset
from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.read import read_table
from genomap_core.pfn import shipped_weights
from genomap_core.workflows.tabular.compare import CompareConfig, compare
from genomap_core.workflows.tabular.models import MODELS

N = 24


def written(rng: np.random.Generator) -> Dataset:
    """Text, truth values, gaps, a constant and numbers of every size, read from CSV as a user's table is."""
    columns = {
        "sample": [f"s{i}" for i in range(N)],
        "stage": rng.choice(["early", "late", "unknown"], N),
        "smoker": rng.choice(["True", "False"], N),
        "dose": np.where(rng.random(N) < 0.4, "", rng.normal(size=N).round(3).astype(str)),
        "batch": np.full(N, "7"),
        "huge": (1e12 * rng.normal(size=N)).round(0).astype(str),
        "tiny": [f"{v:.3e}" for v in 1e-9 * rng.normal(size=N)],
        "count": rng.integers(0, 3, N).astype(str),
        "class": np.where(np.arange(N) % 2, "yes", "no"),
    }
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    table = read_table("\n".join(lines).encode(), "made.csv")
    report = validate(table)
    assert report.roles.target == "class"
    return to_dataset(table, report, "made")


def held(X: np.ndarray, n_classes: int = 2) -> Dataset:
    names = tuple(f"g{j}" for j in range(X.shape[1]))
    classes = tuple(f"c{k}" for k in range(n_classes))
    ids = tuple(f"s{i}" for i in range(len(X)))
    return Dataset("held", X.astype(np.float32), names, ids, y=np.arange(len(X)) % n_classes, classes=classes)


def hard(kind: str) -> Dataset:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 9))
    if kind == "one column":
        X = X[:, :1]
    elif kind == "empty and constant":
        X[:, 0], X[:, 1:4], X[rng.random(X.shape) < 0.3] = np.nan, 1, np.nan
        X[:, 0] = np.nan
    elif kind == "all alike":
        X = np.repeat(X[:, :1], 30, axis=1)
    elif kind == "many classes":
        return held(rng.normal(size=(26, 5)), 13)
    return written(rng) if kind == "text" else held(X)


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("one column", "all alike", "many classes")]


@pytest.mark.parametrize("kind", ["text", "empty and constant", *SLOW])
def test_every_model_answers(kind: str) -> None:
    weights = shipped_weights()
    assert weights is not None
    config = CompareConfig(tuple(MODELS), n_folds=2, max_epochs=1, weights=str(weights.path), n_estimators=1)
    found = compare(hard(kind), config)
    assert [f"{run.name}: {run.message}" for run in found.runs if run.status != "ok"] == []
    for run in found.runs:
        assert run.proba is not None
        np.testing.assert_allclose(run.proba.sum(axis=1), 1, atol=1e-5)


def test_a_table_in_which_nothing_varies_is_refused_in_words() -> None:
    found = compare(held(np.full((N, 4), 3.0)), CompareConfig(("genomap", "pfn", "logistic"), n_folds=2))
    assert [run.status for run in found.runs] == ["refused", "refused", "ok"]
    assert "constant" in found.run("genomap").message
    assert "constant" in found.run("pfn").message
