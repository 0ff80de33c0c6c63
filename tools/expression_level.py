"""Do the permutation tests of expression hold their level? ``python -m tools.expression_level``.

Simulated cohorts in which nothing (or, for the false discovery rate, a known part) of the expression can be told from
the features. Ridge regression is fitted five-fold and tested as a comparison does it; beside it stands the test by
permuting predictions that stay as they are. ``--networks`` trains small networks on images as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter

from genomap_core.workflows.comparison.result import markdown
from genomap_core.workflows.expression.linear import PENALTIES, RidgeFit, out_of_fold
from genomap_core.workflows.expression.statistics import (
    Refit,
    centred,
    false_discovery_rate,
    pearson_each,
    permutation_p,
    refitted_null,
)

FOLDS = 5
PERMUTATIONS = 100
_SIDE = 16
GENES = ("independent", "correlated", "smooth")
"""Kinds of expression: ten modules where correlated; smooth over the spots of five sections."""


@dataclass(frozen=True, eq=False)
class Drawn:
    """One simulated cohort: expression ``(n, g)``, a model of it, and what of it is true."""

    truth: np.ndarray
    refit: Refit
    fold: np.ndarray
    section: np.ndarray
    planted: np.ndarray
    """``(g,)`` bool"""
    places: np.ndarray | None = None


def nulls(n: int, q: int, g: int, genes: str, seed: int, planted: int = 0, penalty: float | None = None) -> Drawn:
    """``n`` patients (spots: five sections of 192) of ``q`` features and ``g`` genes of which the first ``planted``
    follow one of the first three features. ``penalty``: one for all genes instead of each gene's own."""
    rng = np.random.default_rng([seed, n, q])
    if genes == "smooth":
        places = np.argwhere(np.hypot(*(np.mgrid[:_SIDE, :_SIDE] - (_SIDE - 1) / 2)) < _SIDE / 2).astype(float)
        section = np.repeat(np.arange(FOLDS), len(places))
        X, Y = (np.vstack([_fields(k, rng, places) for _ in range(FOLDS)]) for k in (q, g))
        fold, places = section, np.vstack([places] * FOLDS)
    else:
        section, places = np.zeros(n, np.int64), None
        X = rng.normal(size=(n, min(q, 20))) @ rng.normal(size=(min(q, 20), q)) + rng.normal(size=(n, q))
        Y = rng.normal(size=(n, g))
        if genes == "correlated":
            Y = 0.8 * rng.normal(size=(n, 10))[:, rng.integers(0, 10, g)] + 0.6 * Y
        fold = rng.permutation(n) % FOLDS
    Z = (X - X.mean(0)) / X.std(0)
    Y[:, :planted] += 0.7 * Z[:, np.arange(planted) % 3]
    rows = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in range(FOLDS)]
    penalties = PENALTIES if penalty is None else np.array([penalty])
    parts = [(train, test, RidgeFit(X[train], X[test], None, penalties)) for train, test in rows]
    return Drawn(Y.astype(np.float32), partial(out_of_fold, parts), fold, section, np.arange(g) < planted, places)


def _fields(count: int, rng: np.random.Generator, places: np.ndarray) -> np.ndarray:
    """``(spots, count)`` smooth patterns of unit deviation, over a disc, with a fifth of their variance noise."""
    made = gaussian_filter(rng.normal(size=(count, 3 * _SIDE, 3 * _SIDE)), (0, 2, 2))[:, _SIDE:-_SIDE, _SIDE:-_SIDE]
    row, column = places.astype(int).T
    return made[:, row, column].T / made.std() + 0.5 * rng.normal(size=(len(places), count))


def refitted_p(drawn: Drawn, seed: int, permutations: int = PERMUTATIONS) -> np.ndarray:
    """p of every gene, as a comparison computes it: ``(g,)``."""
    one = np.zeros(len(drawn.truth), np.int64)
    rest = (one, drawn.fold, drawn.section, permutations, seed, drawn.places)
    null = refitted_null(drawn.truth, drawn.refit, *rest)[0]
    said = drawn.refit(drawn.truth)
    return permutation_p(pearson_each(centred(drawn.truth, drawn.fold), centred(said, drawn.fold)), null)


def permuted_predictions_p(drawn: Drawn, seed: int, permutations: int = PERMUTATIONS) -> np.ndarray:
    """p of every gene if the predictions are permuted within folds and not learned anew."""
    said = drawn.refit(drawn.truth)
    r = pearson_each(centred(drawn.truth, drawn.fold), centred(said, drawn.fold))
    one = np.zeros(len(said), np.int64)
    null = refitted_null(drawn.truth, lambda Y: said, one, drawn.fold, drawn.fold, permutations, seed, drawn.places)[0]
    return permutation_p(r, null)


def level_rows(cohorts: int, fixed: bool = True) -> Iterable[dict[str, str]]:
    """One row a setting: shares of genes called where nothing can be told."""
    settings = [(n, q, kind) for n in (60, 200) for q in (5, 42, 1764) for kind in GENES[:2]]
    settings.insert(6, (960, 42, "smooth"))
    for n, q, kind in settings:
        drawn = [nulls(n, q, 100, kind, seed) for seed in range(cohorts)]
        p = np.concatenate([refitted_p(one, k) for k, one in enumerate(drawn)])
        row = {"Patients (spots)": str(n), "Features": f"{q:,}", "Genes": kind, **_shares(p, "")}
        if fixed:
            apart = [nulls(n, q, 100, kind, seed, penalty=float(max(n, q))) for seed in range(cohorts)]
            row |= _shares(np.concatenate([refitted_p(one, k) for k, one in enumerate(apart)]), ", one penalty")
            old = np.concatenate([permuted_predictions_p(one, k) for k, one in enumerate(apart)])
            row |= _shares(old, ", one penalty, predictions permuted")
        yield row


def discovery_rows(cohorts: int) -> Iterable[dict[str, str]]:
    """One row a setting: false ones among the genes called at a false discovery rate of .05, mean over cohorts."""
    for n, q, kind in [(n, q, kind) for n in (60, 200) for q in (5, 42) for kind in GENES[:2]]:
        false, found = [], []
        for seed in range(cohorts):
            drawn = nulls(n, q, 100, kind, seed, planted=30)
            called = false_discovery_rate(refitted_p(drawn, seed)) < 0.05
            false.append((called & ~drawn.planted).sum() / max(1, called.sum()))
            found.append(called[drawn.planted].mean())
        yield {
            "Patients": str(n),
            "Features": str(q),
            "Genes": kind,
            "False discoveries": f"{np.mean(false):.3f}",
            "Planted genes found": f"{np.mean(found):.2f}",
        }


def network_rows(cohorts: int) -> Iterable[dict[str, str]]:
    """Small networks on images that show nothing of the expression, tested with their heads fitted anew."""
    from genomap_core.data.dataset import Dataset
    from genomap_core.data.images.expression import expression_cohort
    from genomap_core.data.images.networks import ExpressionConfig
    from genomap_core.data.images.patients import PatientImages
    from genomap_core.training.expression import ExpressionRegressor

    small = ExpressionConfig(width=4, embedding=16, n_layers=1, n_heads=2, epochs=10, device="cpu")
    p, fixed, n, g = [], [], 60, 60
    for seed in range(cohorts):
        rng = np.random.default_rng([seed, 7])
        images = gaussian_filter(rng.normal(size=(n, 1, 16, 16)), (0, 0, 1, 1)) * rng.uniform(0.5, 2, (n, 1, 1, 1))
        names = tuple(f"G{j}" for j in range(g)), tuple(f"P{i}" for i in range(n))
        X = (7 + rng.normal(size=(n, g))).astype(np.float32)
        table = Dataset("null", X, *names, omics_names=("expression",), unit="log2(1 + TPM)")
        cohort = expression_cohort(PatientImages(images.astype(np.float32), table, ("grey",)))
        fold, said, head = rng.permutation(n) % FOLDS, np.zeros((n, g), np.float32), np.zeros((n, n), np.float32)
        for k in range(FOLDS):
            rows = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            train, test = (cohort.take(r) for r in rows)
            model = ExpressionRegressor(replace(small, seed=k)).fit(train)
            said[rows[1]], head[np.ix_(rows[1], rows[0])] = model.predict(test), model.frozen_head(train, test)
        r = pearson_each(centred(cohort.expression, fold), centred(said, fold))
        one = np.zeros(n, np.int64)
        for into, refit in ((p, partial(np.matmul, head)), (fixed, lambda Y, said=said: said)):
            exchanged = one if into is p else fold
            null = refitted_null(cohort.expression, refit, one, fold, exchanged, PERMUTATIONS, seed)[0]
            into.append(permutation_p(r, null))
    shares = _shares(np.concatenate(p), "") | _shares(np.concatenate(fixed), ", predictions permuted")
    yield {"Cohorts": str(cohorts), "Patients": str(n), "Genes": str(g)} | shares


def _shares(p: np.ndarray, what: str) -> dict[str, str]:
    return {f"p < {at:g}{what}": f"{(p < at).mean():.4f}" for at in (0.05, 0.005)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, test, print."""
    parser = argparse.ArgumentParser(prog="python -m tools.expression_level", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=100, help="simulated cohorts a setting")
    parser.add_argument("--networks", type=int, default=0, help="cohorts on which networks are trained; 0: none")
    args = parser.parse_args(arguments)
    parts = [level_rows(args.cohorts), discovery_rows(args.cohorts)] if args.cohorts else []
    for rows in [*parts, *([network_rows(args.networks)] if args.networks else [])]:
        for k, row in enumerate(rows):  # as they come: the larger settings take minutes
            sys.stdout.write("\n".join(markdown([row]).splitlines()[2 if k else 0 :]) + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
