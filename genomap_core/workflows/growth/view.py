"""One image under a trained PhysNet and its physics-free twin: what the Growth page shows. Runs in the warm worker."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.workflows.growth.samples import FOLDER

Arrays = dict[str, np.ndarray]
Cache = MutableMapping[Any, Any]
PHYSNET, PLAIN = "physnet.safetensors", "resnet.safetensors"


def sample_models() -> dict[str, str]:
    """Paths of the models that come with the simulated slices."""
    return {"physnet": str(FOLDER / PHYSNET), "plain": str(FOLDER / PLAIN)}


def analyse(spec: dict[str, Any], arrays: Arrays, cache: Cache) -> tuple[dict[str, Any], Arrays]:
    """Classes and growth of one image.

    Parameters
    ----------
    spec
        ``physnet``, ``plain``: paths of models (``plain`` may be missing).
    arrays
        ``image (c, s, s)``: cleaned, of the size that the model was trained on.

    Returns
    -------
    ``classes``, ``infiltrating``, ``size`` and the physics' ranges; ``proba (n_seeds, C)``, ``frames (K + 1, h, w)``,
    ``diffusion (n_seeds,)``, ``rate (n_seeds,)``, and ``plain (C,)``.
    """
    bundle = _load(spec["physnet"], cache)
    image = arrays["image"][None]
    seen = bundle.model.observe(image)
    out = {
        "proba": _by_seed(bundle.model, image),
        "frames": seen.frames[0].astype(np.float32),
        "diffusion": seen.diffusion[:, 0],
        "rate": seen.rate[:, 0],
    }
    if spec.get("plain"):
        out["plain"] = _load(spec["plain"], cache).model.predict_proba(image)[0]
    physics = bundle.model.config.physics
    about = {
        "classes": bundle.classes,
        "infiltrating": bundle.infiltrating,
        "size": bundle.size,
        "diffusion_range": physics.diffusion_range,
        "rate_range": physics.rate_range,
        "n_substeps": physics.scheme.n_substeps,
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
