"""The models of the study by name: those of the library, the baselines of this package, and the user's own."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from genomap_core.errors import InputError
from genomap_core.workflows.tabular.models import MODELS as LIBRARY
from genomap_core.workflows.tabular.models import make_classifier

TITLES: dict[str, str] = {
    **LIBRARY,
    "lightgbm": "LightGBM",
    "lightgbm_nan": "LightGBM, missing values its own way",
    "svm": "Linear SVM",
    "prior": "Class frequencies",
    "convolutions": "Convolutions alone, filled on the map",
    "convolutions_random": "Convolutions alone, random layout (control)",
    "convolutions_random2": "Convolutions alone, 2nd random layout",
    "convolutions_random3": "Convolutions alone, 3rd random layout",
    "genonet_random": "genoNet, random layout (control)",
    "mlp": "Multilayer perceptron",
    "logistic_pca": "Logistic regression, filled from 20 components",
    "logistic_genes": "Logistic regression, filled from 5 correlated genes",
    "logistic_lowrank": "Logistic regression, filled as for the map network",
}
"""Name -> what tables and pictures say."""
BASELINES = ("logistic", "forest", "lightgbm", "svm")
REFERENCE = "genomap"
CONTROL = "genomap_random"
"""The same network on a random layout."""
MAP_LEARNERS = ("convolutions", "convolutions_random", "convolutions_random2", "convolutions_random3")
MAP_MODELS = frozenset({"genomap", "genomap_random", "genonet", "genonet_random", *MAP_LEARNERS})
"""Those that see a map, whatever its layout."""
_ON_DEVICE = MAP_MODELS | {"pfn"}

Factory = Callable[..., Any]
"""``factory(random_state=..., **options)`` -> an unfitted classifier on raw tables ``(n, p)`` with NaN."""


def gpu_models(names: tuple[str, ...], device: str) -> frozenset[str]:
    """Which of these models go to a GPU worker when ``device`` is ``cuda``."""
    return frozenset(names) & _ON_DEVICE if device == "cuda" else frozenset()


def build(name: str, *, random_state: int, device: str = "cpu", plugin: str | None = None, **options: Any) -> Any:
    """An unfitted classifier.

    Parameters
    ----------
    name
        Of :data:`TITLES`, or of the plugin's models.
    device
        Passed to the models that can use one.
    plugin
        A module of the user's with ``MODELS = {name: factory}``.
    """
    own = plugin_models(plugin)
    if name in own:
        return own[name](random_state=random_state, **options)
    if name in MAP_LEARNERS:
        from genomap_core.benchmark.map_learner import MapLearner

        drawn = MAP_LEARNERS.index(name)
        solver, seed = ("random", (random_state + drawn - 1) % 2**31) if drawn else ("ot", None)
        return MapLearner(solver, seed, random_state=random_state, device=device, **options)
    if name == "genonet_random":
        return make_classifier("genonet", random_state=random_state, device=device, **{**options, "solver": "random"})
    if name in _ON_DEVICE:
        return make_classifier(name, random_state=random_state, device=device, **options)
    if name in LIBRARY:
        return make_classifier(name, random_state=random_state, **options)
    from genomap_core.benchmark import baselines
    from genomap_core.benchmark import baselines as imputation

    factories: dict[str, Factory] = {
        "mlp": baselines.mlp_pipeline,
        **{f"logistic_{way}": partial(imputation.imputing_pipeline, way=way) for way in imputation.FILLS},
        "lightgbm": baselines.lightgbm_pipeline,
        "lightgbm_nan": baselines.lightgbm_nan_pipeline,
        "svm": baselines.svm_pipeline,
        "prior": baselines.prior_pipeline,
    }
    if name not in factories:
        raise InputError(f"No model {name!r}: choose some of {', '.join([*TITLES, *own])}.")
    return factories[name](random_state=random_state, **options)


def preload(name: str) -> None:
    """Import what a model imports late, so that the first run of an interpreter is not timed with it."""
    if name in _ON_DEVICE:
        importlib.import_module("torch")
    if name == "pfn":
        from genomap_core.pfn.package import tabpfn_classifier

        tabpfn_classifier()
    for module in {"lightgbm": ("lightgbm",), "lightgbm_nan": ("lightgbm",), "forest": ("sklearn.ensemble",)}.get(
        name, ()
    ):
        importlib.import_module(module)


def plugin_models(plugin: str | None) -> Mapping[str, Factory]:
    """Name -> factory of the user's module; empty for None."""
    if plugin is None:
        return {}
    try:
        module = importlib.import_module(plugin)
    except ImportError as error:
        raise InputError(f"The plugin {plugin!r} can't be imported ({error}): is its folder on PYTHONPATH?") from error
    models = getattr(module, "MODELS", None)
    if not isinstance(models, dict) or not models:
        raise InputError(f"The plugin {plugin!r} must hold a dictionary MODELS of name -> factory.")
    return models


def check_models(names: tuple[str, ...], plugin: str | None) -> None:
    """:class:`InputError` unless every name is a model's."""
    known = {**TITLES, **plugin_models(plugin)}
    unknown = [n for n in names if n not in known]
    if unknown:
        raise InputError(f"Unknown models: {', '.join(unknown)}. Choose some of {', '.join(known)}.")


def title_of(name: str) -> str:
    """For tables and pictures; a plugin's model is called by its name."""
    return TITLES.get(name, name)
