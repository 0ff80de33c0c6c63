"""One image under a trained PhysNet and its physics-free twin: what the Growth page shows. Runs in the warm worker."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.workflows.growth import real as growth_real
from genomap_core.workflows.growth.data import without_tumour
from genomap_core.workflows.growth.samples import FOLDER

Arrays = dict[str, np.ndarray]
Cache = MutableMapping[Any, Any]
PHYSNET, PLAIN = "physnet.safetensors", "resnet.safetensors"


def sample_models() -> dict[str, str]:
    """Paths of the models that come with the simulated slices."""
    return {"physnet": str(FOLDER / PHYSNET), "plain": str(FOLDER / PLAIN)}


def real_model() -> dict[str, str]:
    """Path of the model for real slices that comes with the program."""
    return {"physnet": str(growth_real.FOLDER / growth_real.MODEL)}


def analyse(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Classes and growth of one image; of an image from outside only where the gate answers.

    Parameters
    ----------
    spec
        ``physnet``, ``plain``: paths of models (``plain`` may be missing); ``outside``: the image is none of those
        that come with the program.
    arrays
        ``image (c, s, s)``: cleaned, of the size that the model was trained on.

    Returns
    -------
    ``verdict`` and ``why`` of the gate, ``classes``, ``infiltrating``, ``clear`` (classes without a tumour), ``size``,
    ``shipped`` (the model is the one for real slices that comes with the program: its measured limits are told of it
    alone) and the physics' ranges; ``mean (C,)`` and ``proba (n_seeds, C)``, ``frames (K + 1, h, w)``, ``diffusion``
    and ``rate (n_seeds,)``, and ``plain (C,)``. Without an answer only ``verdict`` and ``why``, and no array.
    """
    from genomap_core.workflows.growth.gate import judge

    bundle = _load(spec["physnet"], cache)
    image = arrays["image"][None]
    gate = judge(bundle, arrays["image"]) if spec.get("outside") else None
    if gate is not None and gate.verdict != "answer":
        return {"verdict": gate.verdict, "why": gate.why}, {}
    seen = bundle.model.observe(image)
    proba = _by_seed(bundle.model, image)
    out = {
        "mean": bundle.calibration(proba.mean(0, keepdims=True))[0],
        "proba": bundle.calibration(proba),
        "frames": seen.frames[0].astype(np.float32),
        "diffusion": seen.diffusion[:, 0],
        "rate": seen.rate[:, 0],
    }
    if spec.get("plain"):
        out["plain"] = _load(spec["plain"], cache).model.predict_proba(image)[0]
    physics = bundle.model.config.physics
    about = {
        "verdict": "answer",
        "why": "It is one of the program's own simulated slices." if gate is None else gate.why,
        "clear": [c for c in bundle.classes if without_tumour(c)],
        "simulated": bundle.simulated,
        "shipped": spec["physnet"] == real_model()["physnet"],
        "classes": bundle.classes,
        "infiltrating": bundle.infiltrating,
        "size": bundle.size,
        "diffusion_range": physics.diffusion_range,
        "rate_range": physics.rate_range,
        "n_substeps": replace(physics.scheme, method="explicit", refine=2).n_substeps,  # of the page's own solver
    }
    return about, out


def attribute(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Where both networks look for a class: ``spec``: as :func:`analyse`, and ``target``, ``method``."""
    from genomap_core.explain.images import explain_image

    found = {}
    for name in ("physnet", "plain"):
        if spec.get(name):
            module: Any = _load(spec[name], cache).model.modules_[0]
            layer = getattr(module, "backbone", module).stages[2]
            found[name] = explain_image(module, layer, arrays["image"], int(spec["target"]), spec["method"])
    return {}, found


def _by_seed(model: Any, image: np.ndarray) -> np.ndarray:
    import torch

    x = torch.from_numpy(np.ascontiguousarray(image, np.float32))
    with torch.inference_mode():
        return np.stack([m(x).softmax(1)[0].double().numpy() for m in model.modules_])


def _load(path: str, cache: Cache) -> Any:
    from genomap_core.training.growth_bundle import load_growth

    key = ("growth", path, Path(path).stat().st_mtime_ns)
    if key not in cache:
        cache[key] = load_growth(Path(path))
    return cache[key]
