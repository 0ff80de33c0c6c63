"""The classifiers by name. Each takes raw tables ``(n, p)`` with NaN and learns everything inside ``fit``."""

from __future__ import annotations

from typing import Any

from genomap_core.errors import InputError

MODELS: dict[str, str] = {
    "genomap": "GenoMap network",
    "genomap_random": "GenoMap network, random layout (control)",
    "genonet": "genoNet as published",
    "pfn": "Tabular foundation model",
    "logistic": "Logistic regression",
    "forest": "Random forest",
}


def make_classifier(name: str, **options: Any) -> Any:
    """A scikit-learn classifier on raw tables.

    Parameters
    ----------
    name
        ``genomap`` (map CNN on the optimal-transport layout), ``genomap_random`` (the same on a random layout),
        ``genonet`` (the published network), ``pfn`` (TabPFN or
        relatives, weights by path), ``logistic`` (C chosen on inner folds) or ``forest``.
    options
        Passed to the factory of that model, such as ``max_features`` or ``model_path``.
    """
    if name == "pfn":
        from genomap_core.pfn import PFNClassifier

        return PFNClassifier(**options)
    if name == "genomap_random":
        name, options = "genomap", {**options, "solver": "random"}
    factories: dict[str, str] = {
        "genomap": "genomap_pipeline",
        "genonet": "genonet_pipeline",
        "logistic": "logistic_pipeline",
        "forest": "forest_pipeline",
    }
    if name not in factories:
        raise InputError(f"No classifier {name!r}: choose one of {', '.join(MODELS)}.")
    from genomap_core import training  # which imports torch for the networks only

    return getattr(training, factories[name])(**options)
