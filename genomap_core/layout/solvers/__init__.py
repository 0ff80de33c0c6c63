"""Solvers behind one interface, one file each; a solver's libraries are imported when it runs."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType

from genomap_core.errors import LayoutError
from genomap_core.layout.problem import Solver

_WHERE = {
    "ot": ("transport", "transport"),
    "gromov": ("gromov", "gromov"),
    "published": ("published", "published"),
    "embedding": ("embedding", "embedding"),
    "sorted": ("simple", "sorted_by_variance"),
    "random": ("simple", "random_cells"),
}

SOLVERS: MappingProxyType[str, str] = MappingProxyType(
    {
        "ot": "Fast optimal transport (default): global distances and neighbourhoods at once",
        "gromov": "Gromov-Wasserstein by POT, then assignment: the reference for up to 2,000 features",
        "published": "The published objective with its radial grid distance",
        "embedding": "Embedding of the features in the plane (PCA or t-SNE), then assignment",
        "sorted": "Sorted by variance, row by row",
        "random": "At random: the control",
    }
)
"""Name -> one line on what it does."""


def get_solver(name: str) -> Solver:
    """The function behind a solver's name."""
    if name not in _WHERE:
        raise LayoutError(f"`solver` must be one of {', '.join(SOLVERS)}; got {name!r}.")
    module, function = _WHERE[name]
    return getattr(import_module(f"{__name__}.{module}"), function)
