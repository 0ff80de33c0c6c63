"""One patient under a fusion network, or adaptive fusion, that never saw that patient: the Fusion page. Runs in the
warm worker."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import softmax

from genomap_core.data.images.patients import FusionInputs, PatientImages
from genomap_core.workflows.comparison.runner import Run, fold_file, run_file
from genomap_core.workflows.fusion.adaptive import ADAPTIVE, Pool
from genomap_core.workflows.fusion.controls import ARTEFACTS
from genomap_core.workflows.fusion.jobs import COHORT

Arrays = dict[str, np.ndarray]
Cache = MutableMapping[Any, Any]
N_REGIONS, N_MODULES = 20, 12
_ROUGH = 4
"""Permutations where only a share of the values is asked."""


def look(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """What the model is given and what it answers.

    Parameters
    ----------
    spec
        ``folder`` of a comparison, ``row`` of the patient, ``fold`` of the test; ``model`` "adaptive" for adaptive
        fusion, whose parts' features lie as in the first run's network.

    Returns
    -------
    ``shape`` of the omics maps; ``proba (C,)``; ``image (c, H, W)`` as given; ``z (p,)`` in standard deviations, 0
    where missing; ``positions (p, 2)`` and ``channel (p,)`` of the features, -1 without a cell.
    """
    model, cohort = _load(spec, cache)
    one, layout = cohort.take([spec["row"]]), model.layout_
    inputs = model.inputs(one)
    return {"shape": layout.shape}, {
        "proba": softmax(_asked(spec, model, cache).logits(inputs), axis=1)[0],
        "image": inputs.images[0],
        "z": _standardised(model, one)[0],
        "positions": layout.positions,
        "channel": layout.channel,
    }


def explain(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """What regions, modules, types and their pairs do for the log-odds of one class.

    Parameters
    ----------
    spec
        As of :func:`look`, with ``target``; ``n_regions`` and ``n_modules`` where others than the usual are wished.
    arrays
        ``fold_of_row (n,)`` of the comparison.

    Returns
    -------
    ``module_names``, ``faithful`` (share of random orders beaten, and both advantages), ``output``, ``baseline``,
    ``background`` (share of the regions' values on empty background, of the area, and the share of a network taught
    the images of other patients, None where it was not kept; None without an image), ``gap`` of the gradients;
    ``regions (H, W)`` and ``modules (p,)`` labels, -1 for none; their values ``region_values (R,)``, ``module_values
    (M,)``; ``interaction (M, R)``; gradients ``pixels (H, W)`` and ``features (p,)``, of a network alone;
    ``types (k, C)``.
    """
    from genomap_core.explain.fusion import PatientGame, interaction, part_values, pixel_values, type_values

    model, cohort = _load(spec, cache)
    asked, target = _asked(spec, model, cache), int(spec["target"])
    one = cohort.take([spec["row"]])
    inputs = model.inputs(one)
    modules, names = _modules(spec, arrays["fold_of_row"], cohort, model, cache)
    parts = _parts(inputs.images[0], modules, model, int(spec.get("n_regions", N_REGIONS)))
    game = PatientGame(asked, inputs, parts, target)
    found = part_values(game)
    checked = found.faithfulness
    about = {
        "module_names": names,
        "output": found.output,
        "baseline": found.baseline,
        "faithful": [checked.beaten, checked.deletion_advantage, checked.insertion_advantage],
        "background": _background(spec, inputs, parts, found.regions, cache),
    }
    gradients = {}
    if asked is model:
        pixels, cells, about["gap"] = pixel_values(model.modules_, inputs, target)
        gradients = {"pixels": pixels.sum(axis=0), "features": model.features_of_map(cells)}
    return about, gradients | {
        "regions": parts.image,
        "modules": modules,
        "region_values": found.regions,
        "module_values": found.modules,
        "interaction": interaction(game),
        "types": type_values(asked, inputs)[0],
    }


def _background(
    spec: dict[str, Any], inputs: FusionInputs, parts: Any, values: np.ndarray, cache: Cache
) -> tuple[float, float, float | None] | None:
    """Share of the regions' values on empty background, of the area, and the share of the control for artefacts."""
    from genomap_core.explain.background import region_share
    from genomap_core.explain.fusion import PatientGame
    from genomap_core.explain.regions import shapley_values

    if not parts.n_regions:
        return None
    image = inputs.images[0]
    share, area = region_share(values, parts.image, image)
    path = Path(spec["folder"]) / fold_file(spec["fold"], ARTEFACTS)
    if not path.is_file():
        return share, area, None
    game = PatientGame(_network(path, cache), inputs, parts, int(spec["target"])).game
    return share, area, region_share(shapley_values(game, _ROUGH)[: parts.n_regions], parts.image, image)[0]


def overlay(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Where a further method sees the class in the image: ``spec`` as of :func:`explain`, with ``method``.

    Returns ``values (H, W)``, the mean over the fold's networks.
    """
    from genomap_core.explain.fusion import image_values

    model, cohort = _load(spec, cache)
    inputs = model.inputs(cohort.take([spec["row"]]))
    found = [image_values(module, inputs, int(spec["target"]), spec["method"]) for module in model.modules_]
    return {}, {"values": np.mean(found, axis=0).astype(np.float32)}


def _parts(image: np.ndarray, modules: np.ndarray, model: Any, n_regions: int) -> Any:
    from genomap_core.explain.fusion import Parts
    from genomap_core.explain.images import superpixels

    canvas, owner = model.canvas_, model.layout_.feature_of_cell
    regions = superpixels(image, n_regions) if len(image) else np.full(canvas.size, -1)
    cells = np.where(owner >= 0, modules[owner], -1)
    return Parts(regions, cells[:, canvas.cell_of_row][:, :, canvas.cell_of_column])


def _modules(
    spec: dict[str, Any], fold_of_row: np.ndarray, cohort: PatientImages, model: Any, cache: Cache
) -> tuple[np.ndarray, list[str]]:
    """Module of every feature ``(p,)``, -1 for none, and a name for each; of the training rows."""
    n_modules = int(spec.get("n_modules", N_MODULES))
    key = ("fusion-modules", spec["folder"], spec["fold"], n_modules)
    if key not in cache:
        Z = _standardised(model, cohort.take(np.flatnonzero(fold_of_row != spec["fold"])))
        kinds = np.where(model.layout_.positions[:, 0] >= 0, cohort.omics, -1)
        labels = modules_of(Z, kinds, n_modules)
        cache[key] = labels, _names(labels, Z, cohort)
    found: tuple[np.ndarray, list[str]] = cache[key]
    return found


def modules_of(Z: np.ndarray, kinds: np.ndarray, n_modules: int) -> np.ndarray:
    """Features that vary together: ``(n, p)`` standardised, ``(p,)`` type or -1 -> ``(p,)`` label, -1 without a type.

    Ward's clusters (JASA 58, 1963) of the features' unit vectors over the rows, the same number of each type and about
    ``n_modules`` in all.
    """
    from scipy.cluster.hierarchy import fcluster, ward

    labels = np.full(len(kinds), -1)
    types = np.unique(kinds[kinds >= 0])
    for kind in types:
        own = np.flatnonzero(kinds == kind)
        vectors = Z[:, own].T
        vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
        most = max(2, n_modules // len(types))
        part = fcluster(ward(vectors), most, "maxclust") - 1 if len(own) > 1 else np.zeros(1, int)
        labels[own] = labels.max() + 1 + part
    return labels


def _names(labels: np.ndarray, Z: np.ndarray, cohort: PatientImages) -> list[str]:
    """A module is called after its type and the feature that goes most with the others, and by its size."""
    names = []
    for k in range(labels.max() + 1):
        own = np.flatnonzero(labels == k)
        with np.errstate(invalid="ignore", divide="ignore"):
            r = np.nan_to_num(np.corrcoef(Z[:, own].T)) if len(own) > 1 else np.ones((1, 1))
        middle = own[int(r.sum(axis=0).argmax())]
        kind = cohort.table.omics_names[cohort.omics[middle]]
        more = f" and {len(own) - 1} more" if len(own) > 1 else ""
        names.append(f"{kind}: {cohort.table.feature_names[middle].removeprefix(f'{kind}:')}{more}")
    return names


def _standardised(model: Any, cohort: PatientImages) -> np.ndarray:
    """``(n, p)`` in standard deviations; 0 where a value is missing or a feature was not kept."""
    Z = np.zeros((cohort.n_samples, cohort.table.n_features), np.float32)
    Z[:, model.scaling_.kept] = model.scaling_.table(cohort)
    return Z


def _asked(spec: dict[str, Any], model: Any, cache: Cache) -> Any:
    """What is explained: the first run's network itself, or adaptive fusion of this patient's fold."""
    if spec.get("model") != ADAPTIVE:
        return model
    from genomap_core.workflows.fusion.adaptive_model import load_adaptive

    path = Path(spec["folder"]) / run_file(ADAPTIVE)
    key = ("adaptive", str(path), path.stat().st_mtime_ns, spec["fold"])
    if key not in cache:
        run = Run.load(path)[0]
        pool = Pool.of_row(run.values, spec["row"])
        cache[key] = load_adaptive(path.parent, run.facts["parts"], spec["fold"], model.config.variant, pool)
    return cache[key]


def _load(spec: dict[str, Any], cache: Cache) -> tuple[Any, PatientImages]:
    """The fold's network and the cohort, kept between questions."""
    folder = Path(spec["folder"])
    return _network(folder / fold_file(spec["fold"]), cache), _kept(folder / COHORT, PatientImages.load, cache)


def _network(path: Path, cache: Cache) -> Any:
    from genomap_core.training.fusion_bundle import load_fusion

    return _kept(path, load_fusion, cache).model


def _kept(path: Path, read: Callable[[Path], Any], cache: Cache) -> Any:
    key = ("fusion", str(path), path.stat().st_mtime_ns)
    if key not in cache:
        cache[key] = read(path)
    return cache[key]
