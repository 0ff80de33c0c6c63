"""What pictures and tables of a study need: curves over conditions, costs, winners, failures."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from genomap_core.benchmark import statistics as st
from genomap_core.benchmark.reading import StudyRecords
from genomap_core.benchmark.score_grid import Cells, cells, signed


def curves(study: StudyRecords, conditions: dict[str, float], metric: str) -> pd.DataFrame:
    """Mean score of every model on every set under each of these conditions.

    ``conditions``: name -> place on the axis. Columns ``dataset, model, x, mean, low, high``; ``dataset`` is "" for the
    mean over the sets that all models ran on in all conditions. Only sets and models that were run disturbed are shown,
    and ``full`` only where all of these sets have records of it.
    """
    rows = []
    run = study.table[study.table["condition"].isin(set(conditions) - {"full"})]
    study = study.filtered(sets=run["dataset"].unique(), models=run["model"].unique())
    whole = set(study.table["dataset"][study.table["condition"] == "full"]) == set(run["dataset"])
    wanted = {c: x for c, x in conditions.items() if c != "full" or whole}
    present = {c: x for c, x in wanted.items() if (study.table["condition"] == c).any()}
    found = {c: cells(study, c, metric) for c in present}
    for c, x in present.items():
        for dataset in found[c].sets:
            for model in found[c].models:
                i = found[c].interval(dataset, model)
                rows.append((dataset, model, x, i.mean, i.low, i.high))
    frame = pd.DataFrame(rows, columns=["dataset", "model", "x", "mean", "low", "high"])
    if frame.empty:
        return frame
    grid = frame.pivot(index="dataset", columns=["model", "x"], values="mean").dropna()
    overall = grid.mean().rename("mean").reset_index().assign(dataset="", low=np.nan, high=np.nan)
    return pd.concat([frame, overall[frame.columns]], ignore_index=True)


def set_scores(found: Cells) -> pd.DataFrame:
    """Mean score of every model on every set with its interval: ``dataset, model, runs, mean, low, high``."""
    rows = []
    for dataset in found.sets:
        for model in found.models:
            i = found.interval(dataset, model)
            rows.append((dataset, model, len(found.values[dataset]), i.mean, i.low, i.high))
    return pd.DataFrame(rows, columns=["dataset", "model", "runs", "mean", "low", "high"])


def paired(study: StudyRecords, condition: str, metric: str, first: str, second: str) -> pd.DataFrame:
    """Two models on the folds of each set that both have run: ``dataset, runs, difference, low, high, p, p_holm``.

    Differences are ``first - second`` (less is better: reversed, so that positive means that the first is better),
    with the corrected resampled t interval and test; ``p_holm`` is corrected by Holm over the sets.
    Sets on which a run of either failed are left out.
    """
    found = cells(study.filtered(models=[first, second]), condition, metric)
    rows = []
    if {first, second} <= set(found.models):
        turn = np.array([1.0 if m == first else -1.0 for m in found.models]) * signed(metric)
        for dataset, difference in zip(found.sets, found.means() @ turn, strict=True):
            if not np.isnan(difference):
                runs, share = found.values[dataset] @ turn, found.test_share[dataset]
                i, p = st.corrected_interval(runs, share), st.corrected_p(runs, share)
                rows.append((dataset, len(runs), difference, i.low, i.high, p))
    frame = pd.DataFrame(rows, columns=["dataset", "runs", "difference", "low", "high", "p"])
    return frame.assign(p_holm=st.holm(frame["p"].to_numpy(float)))


def failures(study: StudyRecords) -> pd.DataFrame:
    """Runs that gave no scores, counted by model, data set, condition kind and status, with one message each."""
    table = study.table[study.table["status"] != "ok"]
    grouped = table.groupby(["model", "dataset", "status"], sort=True)
    return grouped.agg(
        runs=("status", "size"),
        conditions=("condition", lambda names: tuple(dict.fromkeys(names))),
        message=("message", "first"),
    ).reset_index()


def sizes(study: StudyRecords) -> pd.DataFrame:
    """Samples, features and classes of every set, as its runs saw them: ``n, p, classes`` by ``dataset``."""
    table = study.table
    seen = table.assign(n=table["n_train"] + table["n_test"], p=table["n_features"], classes=table["n_classes"])
    return seen.groupby("dataset")[["n", "p", "classes"]].max()


def costs(study: StudyRecords, condition: str = "full") -> pd.DataFrame:
    """Median seconds and peak memory of every model on every set: ``dataset, model, n, p, seconds, peak_mb``."""
    table = study.table[(study.table["condition"] == condition) & (study.table["status"] == "ok")]
    table = table.assign(
        seconds=table["fit_seconds"] + table["predict_seconds"], n=table["n_train"], p=table["n_features"]
    )
    return table.groupby(["dataset", "model"])[["n", "p", "seconds", "peak_mb"]].median().reset_index()


def winners(study: StudyRecords, condition: str, metric: str) -> pd.DataFrame:
    """Best model of each set, or several equal ones, with size and lead: ``dataset, n, p, models, score, lead``."""
    found = cells(study, condition, metric)
    size = sizes(study)
    rows = []
    for dataset, scores in zip(found.sets, signed(metric) * found.means(), strict=True):
        if np.isnan(scores).all():
            continue
        best, *rest = sorted(scores[~np.isnan(scores)].tolist(), reverse=True)
        models = tuple(m for m, score in zip(found.models, scores, strict=True) if score == best)
        n, p = (int(v) for v in size.loc[dataset, ["n", "p"]].to_numpy())
        rows.append((dataset, n, p, models, abs(best), best - rest[0] if rest else math.nan))
    return pd.DataFrame(rows, columns=["dataset", "n", "p", "models", "score", "lead"])
