"""Where the predicted expression of an unseen patient comes from. Runs in the warm worker."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.workflows.comparison.runner import fold_file
from genomap_core.workflows.expression.compare import ARTEFACTS
from genomap_core.workflows.expression.jobs import COHORT, read_cohort
from genomap_core.workflows.fusion.view import modules_of

Arrays = dict[str, np.ndarray]
Cache = MutableMapping[Any, Any]


def attribute(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """The share of every pixel (of every feature of a table) in the predicted expression of some genes.

    Parameters
    ----------
    spec
        ``folder`` of a comparison, ``row`` of the patient, ``fold`` of the test, ``method``, and ``options``
        of the cohort.
    arrays
        ``genes``: numbers of one or more.

    Returns
    -------
    ``output`` and ``baseline`` in standard deviations, ``gap``, ``faithful`` (share of random orders beaten, both
    advantages), ``background`` (share on empty background, of the area, and the share of a network taught the
    expression of other patients, None where it was not kept; None of a table), ``names`` of a table's features;
    ``picture (s, c, H, W)`` and ``values (s, H, W)``; of a table
    ``features (q,)``.
    """
    from genomap_core.explain.expression import pixel_shares

    model, cohort = _load(spec, cache)
    pictures = model.inputs(cohort.take([spec["row"]]))
    found = pixel_shares(model.module_, pictures, arrays["genes"], spec["method"])
    checked = found.faithfulness
    about: dict[str, Any] = {
        "output": found.output,
        "baseline": found.baseline,
        "gap": found.gap,
        "faithful": [checked.beaten, checked.deletion_advantage, checked.insertion_advantage],
        "background": None if model.layout_ is not None else _background(spec, pictures, found.values, arrays, cache),
        "names": [] if model.layout_ is None else list(model.feature_names_),
    }
    seen = {"picture": pictures[0], "values": found.values.sum(axis=1)}
    if model.layout_ is not None:
        seen["features"] = np.nan_to_num(model.layout_.to_features(found.values[:1])[0])
    return about, seen


def _background(
    spec: dict[str, Any], pictures: np.ndarray, values: np.ndarray, arrays: Arrays, cache: Cache
) -> tuple[float, float, float | None]:
    from genomap_core.explain.background import background_share
    from genomap_core.explain.expression import pixel_shares

    share, area = background_share(values.sum(axis=1), pictures[0])
    path = Path(spec["folder"]) / fold_file(spec["fold"], ARTEFACTS)
    if not path.is_file():
        return share, area, None
    other = pixel_shares(_network(path, cache).module_, pictures, arrays["genes"], spec["method"])
    return share, area, background_share(other.values.sum(axis=1), pictures[0])[0]


def gene_modules(truth: np.ndarray, r: np.ndarray, genes: Sequence[str], n_modules: int = 8) -> dict[str, np.ndarray]:
    """The best predicted genes in groups that vary together: name -> numbers of its genes.

    At most 1,000 genes of positive ``r (g,)``, clustered on ``truth (n, g)``; a module is called after the gene that
    goes most with its others.
    """
    best = np.argsort(-r, kind="stable")[:1000]
    best = np.sort(best[r[best] > 0])
    if len(best) < 2:
        return {}
    Z = truth[:, best] - truth[:, best].mean(axis=0)
    Z = Z / np.maximum(np.linalg.norm(Z, axis=0), 1e-9)
    labels = modules_of(Z, np.zeros(len(best), np.int64), min(n_modules, len(best)))
    found = {}
    for k in range(labels.max() + 1):
        own = np.flatnonzero(labels == k)
        middle = best[own[int((Z[:, own].T @ Z[:, own]).sum(axis=0).argmax())]]
        found[f"{genes[middle]} and {len(own) - 1} more"] = best[own]
    return found


def _load(spec: dict[str, Any], cache: Cache) -> tuple[Any, Any]:
    """The fold's network and the cohort, kept between questions."""
    folder = Path(spec["folder"])
    cohort = _kept(folder / COHORT, lambda path: read_cohort(path.parent, spec["options"]), cache)
    return _network(folder / fold_file(spec["fold"]), cache), cohort


def _network(path: Path, cache: Cache) -> Any:
    from genomap_core.training.expression_bundle import load_expression

    return _kept(path, load_expression, cache).model


def _kept(path: Path, read: Any, cache: Cache) -> Any:
    key = ("expression", str(path), path.stat().st_mtime_ns)
    if key not in cache:
        cache[key] = read(path)
    return cache[key]
