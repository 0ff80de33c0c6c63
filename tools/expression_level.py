"""Do the permutation tests of expression hold their level? ``python -m tools.expression_level``.

Simulated cohorts in which nothing (or, for the false discovery rate, a known part) of the expression can be told from
the features. Ridge regression is fitted five-fold and tested as a comparison does it; beside it stands the test by
permuting predictions that stay as they are. ``--networks`` trains small networks on images as well. In brackets: 95 %
intervals over the simulated cohorts. Each cohort is kept in ``--out``; the same command goes on, with more of them too.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from genomap_core.files import write_atomically
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
"""Of 60 patients; 40 where there are more, whose refits take longer."""
_SIDE = 16
_FIXED = 20
"""Cohorts on which fixed predictions are permuted."""
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


def refitted_p(drawn: Drawn, seed: int, permutations: int | None = None) -> np.ndarray:
    """p of every gene, as a comparison computes it: ``(g,)``."""
    permutations = permutations or (PERMUTATIONS if len(drawn.truth) == 60 else 40)
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


def level_of(n: int, q: int, kind: str, seed: int) -> dict[str, float]:
    """Shares of the genes called in one cohort in which nothing can be told; in the first cohorts also of a ridge
    regression that chooses nothing, whose predictions spread as a network's do."""
    found = _shares(refitted_p(nulls(n, q, 100, kind, seed), seed), "")
    if seed < _FIXED:
        plain = nulls(n, q, 100, kind, seed, penalty=float(max(n, q)))
        found |= _shares(refitted_p(plain, seed), ", one penalty")
        found |= _shares(permuted_predictions_p(plain, seed), ", one penalty, predictions permuted")
    return found


def discoveries_of(n: int, q: int, kind: str, seed: int) -> dict[str, float]:
    """False ones among the genes called at a false discovery rate of .05, where 30 of 100 genes are planted."""
    drawn = nulls(n, q, 100, kind, seed, planted=30)
    called = false_discovery_rate(refitted_p(drawn, seed)) < 0.05
    false = (called & ~drawn.planted).sum() / max(1, called.sum())
    return {"False discoveries": float(false), "Planted genes found": float(called[drawn.planted].mean())}


def network_of(paths: str, seed: int) -> dict[str, float]:
    """The same of a small network, its head fitted anew, on images that show nothing of the expression."""
    from genomap_core.data.dataset import Dataset
    from genomap_core.data.images.expression import expression_cohort
    from genomap_core.data.images.networks import ExpressionConfig
    from genomap_core.data.images.patients import PatientImages
    from genomap_core.training.expression import ExpressionRegressor

    small = ExpressionConfig(width=4, embedding=16, n_layers=1, n_heads=2, epochs=10, device="cpu", paths=paths)
    rng, n, g = np.random.default_rng([seed, 7]), 60, 60
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
    one, found = np.zeros(n, np.int64), {}
    for what, refit, exchanged in (
        ("", partial(np.matmul, head), one),
        (", predictions permuted", lambda Y: said, fold),
    ):
        null = refitted_null(cohort.expression, refit, one, fold, exchanged, PERMUTATIONS, seed)[0]
        found |= _shares(permutation_p(r, null), what)
    return found


def _shares(p: np.ndarray, what: str) -> dict[str, float]:
    return {f"p < {at:g}{what}": float((p < at).mean()) for at in (0.05, 0.005)}


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of a table: ``measure(*values, seed)`` of each of so many cohorts."""

    measure: Callable[..., dict[str, float]]
    names: tuple[str, ...]
    values: tuple[Any, ...]
    cohorts: int

    @property
    def key(self) -> str:
        return " ".join(map(str, (self.measure.__name__, *self.values)))


def _tables(cohorts: int, networks: int) -> list[list[Setting]]:
    """Correlated genes tell less each, so that twice as many cohorts are drawn; of 60 patients they are cheap."""
    sizes = [(n, q, kind) for n in (60, 200) for q in (5, 42, 1764) for kind in GENES[:2]] + [(960, 42, "smooth")]
    names = ("Patients (spots)", "Features", "Genes")
    many = [cohorts * (1 + (n == 60)) * (1 + (kind == "correlated")) for n, _, kind in sizes]
    level = [Setting(level_of, names, size, count) for size, count in zip(sizes, many, strict=True)]
    mixed = [Setting(discoveries_of, names, size, cohorts) for size in sizes if size[1] < 1764]
    trained = [Setting(network_of, ("Network",), (paths,), networks) for paths in ("statistics", "both")]
    return [table for table in (level, mixed, trained) if table[0].cohorts]


def row(setting: Setting, found: Sequence[dict[str, float]]) -> dict[str, str]:
    """The mean over the cohorts of each figure, with its 95 % interval."""
    said = {n: f"{v:,}" if isinstance(v, int) else v for n, v in zip(setting.names, setting.values, strict=True)}
    said["Cohorts"] = f"{len(found)}"
    for name in found[0]:
        values = [one[name] for one in found if name in one]
        half = 1.96 * np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
        said[name] = f"{np.mean(values):.4f} ({np.mean(values) - half:.4f} to {np.mean(values) + half:.4f})"
    return said


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate, test, print."""
    parser = argparse.ArgumentParser(prog="python -m tools.expression_level", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=100, help="simulated cohorts of a setting, or more")
    parser.add_argument("--networks", type=int, default=0, help="cohorts on which networks are trained; 0: none")
    parser.add_argument("--out", type=Path, help="file of what is done")
    args = parser.parse_args(arguments)
    done = json.loads(args.out.read_text()) if args.out and args.out.is_file() else {}
    for table in _tables(args.cohorts, args.networks):
        for k, setting in enumerate(table):  # as they come: the larger settings take minutes
            found = done.setdefault(setting.key, [])
            while len(found) < setting.cohorts:
                found.append(setting.measure(*setting.values, len(found)))
                if args.out:
                    write_atomically(args.out, json.dumps(done).encode())
            text = markdown([row(setting, found)])
            sys.stdout.write("\n".join(text.splitlines()[2 if k else 0 :]) + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
