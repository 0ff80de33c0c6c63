"""TabICL behind the same interface: weights by path, described, run by its own package (an optional extra).

A model for another package needs the four names below: how its weights are told, described and run, and what it raises.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from genomap_core.errors import GenomapError, InputError
from genomap_core.pfn.description import WeightLimits, Weights
from genomap_core.pfn.header import CheckpointHeader

LIMITS = WeightLimits(rows=60_000, rows_cpu=5_000, features=500, selected=100, classes=10, per_estimator=1_000_000)
"""Qu et al., ICML 2025: trained on up to 60,000 rows and 100 features; more of both are accepted."""


def recognises(config: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's configuration is that of TabICL."""
    return "icl_num_blocks" in config


def describe(path: Path, header: CheckpointHeader, sha256: str) -> Weights:
    """One file of TabICL weights."""
    if int(header.config.get("max_classes") or 0) < 2:
        raise InputError(f"{path.name}: TabICL weights of a regression model; take those of a classifier.")
    return Weights(
        path=path.absolute(),
        family="tabicl",
        architecture="tabicl",
        label=f"TabICL (sha256 {sha256[:8]})",
        licence="BSD-3-Clause",
        commercial=True,
        sha256=sha256,
        limits=LIMITS,
        width=int(header.config.get("embed_dim") or 128),
        megabytes=path.stat().st_size / 1e6,
    )


def make(weights: Weights, *, n_estimators: int, device: str, random_state: int, keep_cache: bool) -> Any:
    """The package's unfitted classifier on these weights.

    Raises
    ------
    GenomapError
        The package is not installed.
    """
    try:
        package = importlib.import_module("tabicl")
    except ImportError as error:
        raise GenomapError(f"{weights.label} needs the `tabicl` package ({error}): pip install tabicl.") from error
    return package.TabICLClassifier(
        model_path=str(weights.path),  # the file exists, so nothing is asked of the network
        allow_auto_download=False,
        n_estimators=n_estimators,
        device=device,
        random_state=random_state,
        kv_cache=keep_cache,
        use_amp=False,
    )


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn what the package raises into errors of ours."""
    try:
        yield
    except GenomapError:
        raise
    except (ValueError, RuntimeError, KeyError, TypeError, AssertionError, OSError) as error:
        raise InputError(f"{path.name}: TabICL does not load or run ({' '.join(str(error).split())[:300]}).") from error
