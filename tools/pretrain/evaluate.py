"""A checkpoint beside logistic regression and random forest on real tables; only to judge, never to train."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genomap_core.pfn.classifier import PFNClassifier

Table = tuple[np.ndarray, np.ndarray]
CLINICAL = ("clin_heart_cleveland", "clin_pima", "clin_hepatitis")


@dataclass(frozen=True, slots=True)
class Score:
    """One model on one table: means over folds and seeds."""

    table: str
    model: str
    train_rows: str
    """"all" (five folds) or "40"."""
    auc: float
    accuracy: float
    log_loss: float


def real_tables(folder: Path | None = None) -> dict[str, Table]:
    """The tables scikit-learn bundles, and clinical ones where ``folder`` (default: GENOMAP_DATA) has them."""
    tables: dict[str, Table] = {
        name: load(return_X_y=True)
        for name, load in (
            ("breast_cancer", datasets.load_breast_cancer),
            ("wine", datasets.load_wine),
            ("iris", datasets.load_iris),
            ("digits", datasets.load_digits),
        )
    }
    folder = folder or Path(os.environ.get("GENOMAP_DATA", "../shared/data"))
    for name in CLINICAL:
        path = folder / "tabular" / f"{name}.parquet"
        if path.is_file():
            tables[name] = _clinical(path)
    return tables


def _clinical(path: Path) -> Table:
    import pandas as pd

    frame = pd.read_parquet(path)
    return frame.drop(columns="target").to_numpy(np.float32), np.unique(frame["target"], return_inverse=True)[1]


def models(weights: str | Path, n_estimators: int | None, seed: int, smallest: int = 5) -> dict[str, Any]:
    """The checkpoint and its two rivals; the logistic regression chooses its penalty on inner folds.

    ``smallest``: training rows of the rarest class, which bounds the number of inner folds.
    """
    logistic = LogisticRegressionCV(
        Cs=np.logspace(-3, 3, 7),
        l1_ratios=(0,),
        cv=min(5, smallest),
        max_iter=2000,
        scoring="neg_log_loss",
        use_legacy_attributes=False,
    )
    return {
        "pfn": PFNClassifier(weights, n_estimators=n_estimators, random_state=seed, beyond_limits=True),
        "logistic": make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), logistic),
        "forest": make_pipeline(SimpleImputer(strategy="median"), RandomForestClassifier(300, random_state=seed)),
    }


def compare(
    weights: str | Path,
    *,
    tables: dict[str, Table] | None = None,
    n_estimators: int | None = None,
    n_seeds: int = 4,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[Score, ...]:
    """Five folds with ``n_seeds`` seeds, and 40 training rows as often; every model sees the same rows."""
    scores = []
    for name, (X, y) in (tables or real_tables()).items():
        for rows in ("all", "40"):
            splits = [split for seed in range(n_seeds) for split in _splits(X, y, rows, seed)]
            for model in ("logistic", "forest", "pfn"):
                figures = [
                    _figures(models(weights, n_estimators, seed, _smallest(y[train]))[model], X, y, train, test)
                    for seed, train, test in splits
                ]
                scores.append(Score(name, model, rows, *(float(v) for v in np.mean(figures, axis=0))))
                report(f"{name}, {rows} rows, {model}: AUC {scores[-1].auc:.4f}, accuracy {scores[-1].accuracy:.4f}")
    return tuple(scores)


def _splits(X: np.ndarray, y: np.ndarray, rows: str, seed: int) -> Iterable[tuple[int, np.ndarray, np.ndarray]]:
    if rows == "all":
        parts = StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y)
    else:
        parts = StratifiedShuffleSplit(2, train_size=40, random_state=seed).split(X, y)
    return ((seed, train, test) for train, test in parts)


def _smallest(y: np.ndarray) -> int:
    """Rows of the rarest class."""
    return int(np.unique(y, return_counts=True)[1].min())


def _figures(
    model: Any, X: np.ndarray, y: np.ndarray, train: np.ndarray, test: np.ndarray
) -> tuple[float, float, float]:
    model.fit(X[train], y[train])
    k = int(y.max()) + 1
    proba = np.zeros((len(test), k))
    proba[:, model.classes_] = model.predict_proba(X[test])
    auc = roc_auc_score(y[test], proba[:, 1] if k == 2 else proba, multi_class="ovr", labels=np.arange(k))
    proba = np.clip(proba, 1e-6, 1)
    loss = log_loss(y[test], proba / proba.sum(1, keepdims=True), labels=np.arange(k))
    return float(auc), float(accuracy_score(y[test], proba.argmax(1))), float(loss)


def summary(scores: tuple[Score, ...]) -> list[str]:
    """A Markdown table of ROC-AUC (accuracy), with means, for the card."""
    names = list(dict.fromkeys(s.table for s in scores))
    kinds = list(dict.fromkeys(s.model for s in scores))
    lines = [
        "| table | training rows | " + " | ".join(kinds) + " |",
        "|---|---|" + "---|" * len(kinds),
    ]
    for rows in ("all", "40"):
        found = {(s.table, s.model): s for s in scores if s.train_rows == rows}
        for name in names:
            cells = [f"{found[name, k].auc:.3f} ({found[name, k].accuracy:.3f})" for k in kinds]
            lines.append(f"| {name} | {'four fifths' if rows == 'all' else rows} | " + " | ".join(cells) + " |")
        means = [np.mean([found[name, k].auc for name in names]) for k in kinds]
        lines.append(f"| **mean ROC-AUC** | {rows} | " + " | ".join(f"**{m:.4f}**" for m in means) + " |")
    return lines


def verdict(scores: tuple[Score, ...]) -> str:
    """The goal in words: mean ROC-AUC no more than .005 below both rivals on all rows, above both on 40 rows."""
    mean = {
        (rows, model): float(np.mean([s.auc for s in scores if (s.train_rows, s.model) == (rows, model)]))
        for rows in ("all", "40")
        for model in ("pfn", "logistic", "forest")
    }
    gaps = {rows: mean[rows, "pfn"] - max(mean[rows, "logistic"], mean[rows, "forest"]) for rows in ("all", "40")}
    words = []
    for rows, least, title in (("all", -0.005, "Four fifths of the rows"), ("40", 0.0, "40 training rows")):
        reached = "goal reached" if gaps[rows] >= least else f"goal ({least:+.3f} at least) missed"
        words.append(f"{title}: mean ROC-AUC {gaps[rows]:+.4f} against the better of the two, {reached}.")
    return " ".join(words)
