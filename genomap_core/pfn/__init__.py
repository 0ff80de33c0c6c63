"""Tabular foundation models behind scikit-learn's face: weights by path, never downloaded. Imports no torch."""

from genomap_core.pfn.classifier import PFNClassifier
from genomap_core.pfn.description import HOW_TO_GET, Official, WeightLimits, Weights
from genomap_core.pfn.limits import expected_seconds
from genomap_core.pfn.selection import STRATEGIES
from genomap_core.pfn.weights import (
    Survey,
    choose_weights,
    find_weights,
    inspect_weights,
    shipped_card,
    shipped_weights,
    survey_weights,
)

__all__ = [
    "HOW_TO_GET",
    "STRATEGIES",
    "Official",
    "PFNClassifier",
    "Survey",
    "WeightLimits",
    "Weights",
    "choose_weights",
    "expected_seconds",
    "find_weights",
    "inspect_weights",
    "shipped_card",
    "shipped_weights",
    "survey_weights",
]
