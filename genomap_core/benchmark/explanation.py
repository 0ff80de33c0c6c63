"""Explanation as an endpoint: do regions of the map explain more steadily, or more truly, than groups without a map?

Each split holds rows out and divides the others into halves. The same model, fitted on either half, explains the same
held-out rows. Groups of features are learned on both halves together, without labels:

* *stability*: Spearman correlation, over the groups, of both halves' attributions summed over each group;
* *deletion*: how far the output (log-odds or margin of a row's own class) falls, as a share of its distance from the
  output at the mean row, when the groups of highest attribution a feature are set to the mean until a fifth of all
  features is; the same number of features whatever the size of the groups.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.cluster import AgglomerativeClustering
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedShuffleSplit

from genomap_core.data.dataset import Dataset
from genomap_core.data.standardise import fit_standardisation
from genomap_core.errors import InputError
from genomap_core.explain.attribution import rank_correlation
from genomap_core.files import SAMPLE_DATA
from genomap_core.layout import make_layout, map_regions

SHIPPED = SAMPLE_DATA / "explanation_endpoint.json"
N_REGIONS = 64
DELETED = 0.2
"""Share of the features."""
GROUPS = ("map regions", "Ward clusters", "random regions", "single features")

Attribute = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Standardised rows ``(m, p)`` and a class code each ``(m,)`` -> attributions ``(m, p)``."""
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""The same -> outputs ``(m,)``."""


@dataclass(frozen=True, slots=True)
class ExplanationRecord:
    """One model, one way to group features, one data set; means over splits and held-out rows."""

    dataset: str
    model: str
    groups: str
    n_groups: int
    stability: float
    deletion: float
    n_splits: int
    n_features: int = 1024
    """At most, those of highest variance"""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Means over data sets of one model: groups -> figure."""

    model: str
    n_sets: int
    stability: Mapping[str, float]
    deletion: Mapping[str, float]


def ridge(Z: np.ndarray, y: np.ndarray) -> tuple[Attribute, Score]:
    """Ridge regression on class indicators, its penalty by leave-one-out; exact attributions, weight times value."""
    model = RidgeClassifierCV(10.0 ** np.arange(0, 6)).fit(Z, y)
    weights = model.coef_ if len(model.classes_) > 2 else np.vstack([-model.coef_, model.coef_])
    offsets = np.atleast_1d(model.intercept_) if len(weights) > 2 else np.array([-1, 1]) * model.intercept_
    place = {int(c): k for k, c in enumerate(model.classes_)}

    def attribute(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        return rows * weights[[place[int(c)] for c in codes]]

    def score(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        at = [place[int(c)] for c in codes]
        return (rows * weights[at]).sum(axis=1) + offsets[at]

    return attribute, score


def map_network(Z: np.ndarray, y: np.ndarray) -> tuple[Attribute, Score]:
    """The map classifier, explained by Integrated Gradients."""
    from genomap_core.training import genomap_pipeline

    return _by_gradients(genomap_pipeline(n_seeds=1, device="cpu").fit(Z, y), Z)


def tabular_model(Z: np.ndarray, y: np.ndarray) -> tuple[Attribute, Score]:
    """The tabular foundation model with the first weights that are found, explained by Integrated Gradients."""
    from genomap_core.workflows.tabular.models import make_classifier

    return _by_gradients(make_classifier("pfn", n_estimators=1, device="cpu").fit(Z, y), Z, n_steps=8)


def _by_gradients(model: Any, Z: np.ndarray, n_steps: int | None = None) -> tuple[Attribute, Score]:
    """Attributions to, and values of, the log-odds of a row's class."""
    from genomap_core.explain import explain
    from genomap_core.explain.attribution import class_score

    place = {int(c): k for k, c in enumerate(model.classes_)}

    def by_class(codes: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        for code in np.unique(codes):
            yield place[int(code)], np.flatnonzero(codes == code)

    def attribute(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        values = np.zeros(rows.shape)
        for k, at in by_class(codes):
            values[at] = explain(
                model,
                rows[at],
                target=model.classes_[k],
                method="integrated_gradients",
                background=Z,
                n_samples=n_steps,
            ).values
        return values

    def score(rows: np.ndarray, codes: np.ndarray) -> np.ndarray:
        out = np.zeros(len(rows))
        for k, at in by_class(codes):
            out[at] = class_score(model, k)(rows[at])
        return out

    return attribute, score


MODELS = {"ridge": ridge, "genomap": map_network, "pfn": tabular_model}


def groupings(Z: np.ndarray, seed: int, sets: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """Name -> labels ``(p,)``: of the map's regions, as many Ward clusters, regions of the same sizes at random.

    ``Z (n, p)`` standardised. ``sets (p,)``: labels of gene sets, -1 for a feature of none, which then stands alone.
    """
    layout = make_layout(Z, random_state=seed)
    regions = map_regions(layout, Z, min(N_REGIONS, Z.shape[1]))
    n = int(regions.max()) + 1
    found = {
        "map regions": regions,
        "Ward clusters": AgglomerativeClustering(n, linkage="ward").fit_predict(Z.T),
        "random regions": np.random.default_rng(seed).permutation(regions),
        "single features": np.arange(Z.shape[1]),
    }
    if sets is not None:
        alone = sets < 0
        found["gene sets"] = np.where(alone, sets.max() + 1 + np.cumsum(alone), sets)
    return found


def stability(a: np.ndarray, b: np.ndarray, labels: np.ndarray) -> float:
    """Mean over rows of the rank correlation of two attributions ``(m, p)`` summed over groups ``(p,)``."""
    one, other = summed(a, labels), summed(b, labels)
    return float(np.mean([rank_correlation(x, y) for x, y in zip(one, other, strict=True)]))


def summed(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(m, p)`` -> ``(m, k)``, the groups in the order of their labels."""
    _, at = np.unique(labels, return_inverse=True)
    total = np.zeros((int(at.max()) + 1, len(values)))
    np.add.at(total, at, values.T)
    return total.T


def deleted(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """``(p,)`` bool for one row: groups of highest mean attribution, the last in part, :data:`DELETED` of all."""
    _, at, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    density = summed(values[None], labels)[0] / sizes
    order = np.lexsort((-values, -density[at]))
    gone = np.zeros(len(values), bool)
    gone[order[: round(DELETED * len(values))]] = True
    return gone


def deletion(score: Score, rows: np.ndarray, codes: np.ndarray, values: np.ndarray, labels: np.ndarray) -> float:
    """Median over rows of the share of the output's distance from the mean row's that is lost."""
    gone = np.stack([deleted(v, labels) for v in values])
    before, base = score(rows, codes), score(np.zeros_like(rows), codes)
    after = score(np.where(gone, 0, rows).astype(rows.dtype), codes)
    return float(np.median((before - after) / np.maximum(np.abs(before - base), 1e-9)))


def endpoint(
    dataset: Dataset, model: str = "ridge", n_splits: int = 3, max_features: int = 1024, sets: np.ndarray | None = None
) -> list[ExplanationRecord]:
    """The records of one data set: one for each way to group its features.

    Raises
    ------
    InputError
        It has no classes, or one of fewer than 5 samples.
    """
    if dataset.y is None or np.bincount(dataset.y).min() < 5:
        raise InputError(f"{dataset.name}: every class needs at least 5 samples for two halves and a test.")
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    found: dict[str, list[tuple[int, float, float]]] = {}
    outer = StratifiedShuffleSplit(n_splits, test_size=0.2, random_state=0)
    for seed, (train, test) in enumerate(outer.split(X, dataset.y)):
        one, other = next(StratifiedShuffleSplit(1, test_size=0.5, random_state=seed).split(train, dataset.y[train]))
        scaling = fit_standardisation(X[train], max_features=max_features)
        Z, T, codes = scaling.apply(X[train]), scaling.apply(X[test]), dataset.y[test]
        (attribute, score), (again, _) = (MODELS[model](Z[half], dataset.y[train][half]) for half in (one, other))
        a, b = attribute(T, codes), again(T, codes)
        kept = None if sets is None else sets[scaling.kept]
        for name, labels in groupings(Z, seed, kept).items():
            figures = stability(a, b, labels), deletion(score, T, codes, a, labels)
            found.setdefault(name, []).append((len(np.unique(labels)), *figures))
    records = []
    for name, rows in found.items():
        n_groups, steady, true = np.mean(rows, axis=0).tolist()
        about = dataset.name, model, name, round(n_groups)
        records.append(ExplanationRecord(*about, round(steady, 4), round(true, 4), len(rows), max_features))
    return records


def means_of(records: list[ExplanationRecord], model: str = "ridge", n_features: int = 1024) -> Endpoint | None:
    """Means over the data sets; None without a record of this model at this size."""
    own = [r for r in records if (r.model, r.n_features) == (model, n_features) and r.groups in GROUPS]
    names = sorted({r.dataset for r in own})
    if not own:
        return None

    def mean(what: str) -> dict[str, float]:
        return {g: float(np.mean([getattr(r, what) for r in own if r.groups == g])) for g in GROUPS}

    return Endpoint(model, len(names), mean("stability"), mean("deletion"))


def write_records(records: list[ExplanationRecord], path: Path) -> None:
    """As JSON, one record a line."""
    lines = ",\n".join(json.dumps(asdict(r)) for r in records)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def read_records(path: Path = SHIPPED) -> list[ExplanationRecord]:
    """What :func:`write_records` wrote; by default the shipped ones."""
    return [ExplanationRecord(**values) for values in json.loads(path.read_text(encoding="utf-8"))]


@cache
def shipped_endpoint(model: str = "ridge") -> Endpoint | None:
    """Means of the shipped records; None where they are not there."""
    return means_of(read_records(), model) if SHIPPED.is_file() else None
