"""What a layout of other cohorts is worth to a small one: ``python -m tools.reference_map --data FOLDER``.

Four cohorts of one chip (Hu6800, 7,129 probes). leukemia_golub and braintumor_pomeroy5 name them alike; cns_pomeroy
writes hyphens and lacks one; dlbcl_shipp lost the names but not the order (mean ranks agree with golub at rho .92,
at .07 when shifted by one place). Six samples of the two brain cohorts are the same: none stands in for the other.

Values are ranks within the sample. The probes, the layout "of the others" and the components are learned on the other
cohorts, without labels; the cohort's own layout on its few labelled rows. All other rows are tested, whole and with a
random 80 % of the probes missing. Mean balanced accuracy over draws of the labelled rows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.decomposition import PCA
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import Pipeline

from genomap_core.benchmark.baselines import imputing_pipeline
from genomap_core.benchmark.catalogue import DEFAULT, load_catalogue
from genomap_core.benchmark.map_learner import MapLearner
from genomap_core.benchmark.sources import Places, data_folder, read_set
from genomap_core.data.perturb import keep_rank
from genomap_core.layout import Layout, layout_at, make_layout
from genomap_core.training import genomap_pipeline
from genomap_core.training.logistic import TunedLogistic

CHIP = ("leukemia_golub", "dlbcl_shipp", "braintumor_pomeroy5", "cns_pomeroy")
ALIKE = {"braintumor_pomeroy5": "cns_pomeroy", "cns_pomeroy": "braintumor_pomeroy5"}
"""Cohorts that share samples."""
LOST = "X97230_f_at"
"""The probe that cns_pomeroy lacks."""
N_PROBES = 1024
KEPT = 0.2
NEIGHBOURS = "neighbours, test rows"
"""Mean correlation of adjacent probes among the rows that are tested."""


def cohorts(folder: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> ranks within the sample ``(n, 7128)`` in [0, 1] and classes ``(n,)``, probes in one order."""
    catalogue, found = load_catalogue(DEFAULT), {}
    for name in CHIP:
        if name in catalogue:
            data = read_set(catalogue[name], Places(folder))
            X, y, probes = np.asarray(data.X), np.asarray(data.y), list(data.feature_names)
        else:
            table = pd.read_parquet(folder / f"{name}.parquet")
            table = table.drop(columns="sample_id", errors="ignore")
            y = np.unique(table.pop("target").astype(str), return_inverse=True)[1]
            X, probes = table.to_numpy(np.float32), list(table.columns)
        if name == "leukemia_golub":
            order = [probe.replace("_", "-") for probe in probes if probe != LOST]
            lost = probes.index(LOST)
        X = np.delete(X, lost, axis=1) if X.shape[1] == 7129 else X
        if name == "cns_pomeroy" and probes != order:
            raise SystemExit("cns_pomeroy has other probes than leukemia_golub")
        found[name] = (rankdata(X, axis=1).astype(np.float32) / X.shape[1], y)
    return found


def standardised(X: np.ndarray, by: np.ndarray | None = None) -> np.ndarray:
    """In standard deviations of ``by``, or of the rows themselves."""
    by = X if by is None else by
    scale = by.std(axis=0)
    return ((X - by.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float32)


def learners(layouts: dict[str, Layout], components: PCA, seed: int) -> Iterator[tuple[str, str, Any]]:
    """(model, layout, unfitted classifier of standardised rows)."""
    for name, layout in layouts.items():
        yield "convolutions alone", name, MapLearner(layout=layout, random_state=seed, device="cpu")
        whole = genomap_pipeline(random_state=seed, device="cpu", n_seeds=1)
        yield "map classifier", name, whole.set_params(genomap__layout=layout)
    yield "logistic regression", "none, 20 own components fill", imputing_pipeline(seed, "pca")
    corpus = Pipeline([("components", OnComponents(components)), ("model", TunedLogistic(random_state=seed))])
    yield "logistic regression", "none, on 20 components of the others", corpus


class OnComponents:
    """Scores on given components; of a row that lacks values, by ridge regression on what is there."""

    def __init__(self, components: PCA) -> None:
        self.components = components

    def fit(self, X: np.ndarray, y: object = None) -> OnComponents:
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        loadings = self.components.components_ * np.sqrt(self.components.explained_variance_)[:, None]
        known = ~np.isnan(X).any(axis=0)
        L = loadings[:, known]
        gram = L @ L.T + self.components.noise_variance_ * np.eye(len(L))
        return np.linalg.solve(gram, L @ (X[:, known] - self.components.mean_[known]).T).T


def study(
    data: dict[str, tuple[np.ndarray, np.ndarray]], name: str, k: int, draws: int, networks: bool = True
) -> list[dict[str, Any]]:
    """Every model on one cohort with ``k`` labelled rows a class; ``networks``: those on the map, too."""
    others = [data[other][0] for other in CHIP if other not in (name, ALIKE.get(name))]
    spread = np.mean([rankdata(X.var(axis=0)) for X in others], axis=0)
    probes = np.sort(np.argsort(-spread)[:N_PROBES])
    corpus = np.concatenate([standardised(X[:, probes]) for X in others])
    X, y = data[name][0][:, probes], data[name][1]
    X, y = (a[np.isin(y, np.flatnonzero(np.bincount(y) > k))] for a in (X, y))
    if len(np.unique(y)) < 2:
        return []
    foreign, components = make_layout(corpus), PCA(20, random_state=0).fit(corpus)
    rows = []
    for draw in range(draws):
        rng = np.random.default_rng([draw, k])
        train = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:k] for c in np.unique(y)])
        test = np.setdiff1d(np.arange(len(y)), train)
        Z, T = standardised(X[train]), standardised(X[test], X[train])
        holed = T.copy()
        holed[:, keep_rank(draw, N_PROBES) >= KEPT] = np.nan
        own, random = (make_layout(Z, solver=solver, random_state=draw) for solver in ("ot", "random"))
        layouts = {"of the others": foreign, "its own": own, "random": random}
        quality = {n: layout_at(T, a.positions, a.shape).quality.neighbour_correlation for n, a in layouts.items()}
        if not networks:
            rows += [{"cohort": name, "labelled": k, "draw": draw, "model": "", "layout": n, NEIGHBOURS: v}
                     for n, v in quality.items()]  # fmt: skip
        for model, layout, learner in learners(layouts if networks else {}, components, draw):
            learner.fit(Z, y[train])
            whole, lost = (balanced_accuracy_score(y[test], learner.predict(rows_)) for rows_ in (T, holed))
            rows.append(
                {"cohort": name, "labelled": k, "draw": draw, "model": model, "layout": layout, "whole": whole,
                 "20 % of the probes": lost, NEIGHBOURS: quality.get(layout, np.nan)}
            )  # fmt: skip
    return rows


def main() -> None:
    """Print the table, one line a model and layout; further files keep every draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets; if not given, $GENOMAP_DATA")
    parser.add_argument("--labelled", type=int, nargs="+", default=[3, 5], help="rows a class")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--cohorts", nargs="+", default=list(CHIP))
    parser.add_argument("--no-networks", action="store_true", help="layouts and linear models only: seconds")
    parser.add_argument("--out", type=Path, help="CSV of every draw")
    asked = parser.parse_args()
    folder = data_folder(asked.data)
    if folder is None:
        parser.error("name the folder of the data sets with --data")
    data, rows = cohorts(folder), []
    for name in asked.cohorts:
        for k in asked.labelled:
            rows += study(data, name, k, asked.draws, not asked.no_networks)
            if asked.out:
                pd.DataFrame(rows).to_csv(asked.out, index=False)
    table = pd.DataFrame(rows)
    means = table.groupby(["labelled", "model", "layout"]).mean(numeric_only=True).drop(columns="draw")
    sys.stdout.write(means.round(3).to_string() + "\n")


if __name__ == "__main__":
    main()
