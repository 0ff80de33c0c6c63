"""What is checked before the model is asked: rows, classes, values, memory. Every refusal names its remedy."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from genomap_core.errors import InputError, ModelLimitError
from genomap_core.pfn.description import Weights

GIB = 2**30
_COPIES = 9
"""Arrays of the size of the embedded table alive at once in the largest step; peaks measured at 600-2,000 rows,
30-200 columns and widths of 48-192 need 7 to 8."""
_BASE_BYTES = 0.45 * GIB
"""Memory that the package and torch take before any data."""
_COLUMNS_PER_CELL = {"v2": 2, "v2_5": 3, "v2_6": 3, "v3": 1, "v3_5": 1, "tabicl": 1}


def check_labels_present(y: np.ndarray) -> None:
    """Refuse missing classes in ``y`` ``(n,)``: NaN or None."""
    missing = np.isnan(y) if y.dtype.kind == "f" else np.array([v is None or v != v for v in y], bool)
    if missing.any():
        raise InputError(
            f"The class of {int(missing.sum())} training rows is missing (NaN), the first in row "
            f"{int(missing.argmax())}: remove or label these rows."
        )


def check_classes(y: np.ndarray) -> np.ndarray:
    """The distinct classes of ``y`` ``(n,)``, sorted; :class:`InputError` where there is one only."""
    classes = np.unique(y)
    if len(classes) < 2:
        raise InputError(
            f"All {len(y)} training rows have the same class ({classes[0]}): a classifier needs 2 classes."
        )
    return classes


def check_values(X: np.ndarray | sp.csr_matrix) -> None:
    """Refuse infinite values in ``X`` ``(n, p)``; NaN means missing and is fine."""
    infinite = np.isinf(X) if isinstance(X, np.ndarray) else np.isinf(X.data)
    if infinite.any():
        if isinstance(X, np.ndarray):
            row, column = (int(v) for v in np.argwhere(infinite)[0])
        else:
            first = int(infinite.argmax())
            row, column = int(np.searchsorted(X.indptr, first, side="right")) - 1, int(X.indices[first])
        raise InputError(
            f"{int(infinite.sum())} infinite values (inf), the first in row {row}, column {column}: replace them, or "
            "leave the cells empty (missing)."
        )


def check_rows(n: int, weights: Weights, *, on_cpu: bool, beyond: bool) -> None:
    """Refuse more training rows than the weights take; ``beyond`` lets a user insist."""
    cap = min(weights.limits.rows, weights.limits.rows_cpu) if on_cpu else weights.limits.rows
    if n > cap and not beyond:
        where = " on a CPU" if on_cpu and weights.limits.rows_cpu < weights.limits.rows else ""
        raise ModelLimitError(
            f"{n:,} training rows, but {weights.label} takes at most {cap:,}{where}: train on a stratified part of the "
            f"rows{', use a GPU' if where else ''}, or insist with `beyond_limits=True` (slow, and of unknown quality)."
        )


def estimated_bytes(weights: Weights, n_rows: int, n_features: int, n_estimators: int) -> float:
    """Peak memory (bytes) of one prediction with ``n_rows`` training and test rows together; from shapes alone.

    The largest step embeds every cell of the table as ``width`` float32. From v3 on the estimators run as one batch.
    """
    together = n_estimators if weights.architecture in ("v3", "v3_5") else 1
    columns = min(n_features, weights.limits.per_estimator) + 4
    cells = n_rows * columns * together / _COLUMNS_PER_CELL[weights.architecture]
    return _BASE_BYTES + _COPIES * 4.0 * weights.width * cells


def expected_seconds(weights: Weights, n_rows: int, n_features: int, n_estimators: int) -> float:
    """Seconds that one prediction takes on two CPU cores, to be said before it starts; right within a factor of 2.

    Every weight meets every token once, in two operations; 60 GFLOP/s and the overhead of an estimator were measured.
    """
    columns = min(n_features, weights.limits.per_estimator)
    tokens = n_rows * columns / (1 if weights.family == "in-house" else 2)
    weights_count = weights.megabytes * 1e6 / 4
    return n_estimators * (0.05 + 2 * weights_count * tokens / 60e9)


def check_memory(needed: float, limit_gb: float | None) -> None:
    """Refuse work that needs more memory (bytes) than the limit in GiB, or than the machine has left."""
    limit = limit_gb * GIB if limit_gb is not None else available_bytes()
    if needed > limit:
        raise ModelLimitError(
            f"About {needed / GIB:.1f} GiB of memory are needed, {limit / GIB:.1f} GiB are at hand: use fewer "
            "estimators, keep fewer features (`n_selected`), or train on fewer rows."
        )


def available_bytes() -> float:
    """Memory that can still be taken without swapping, in bytes; infinite where the system does not say."""
    free = float("inf")
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                free = float(line.split()[1]) * 1024
    elif "SC_PHYS_PAGES" in os.sysconf_names:
        free = float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) / 2
    return min(free, _container_bytes())


def _container_bytes() -> float:
    """What the control group of a container leaves, in bytes."""
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if not (limit.is_file() and used.is_file()) or not (text := limit.read_text().strip()).isdigit():
        return float("inf")
    return float(text) - float(used.read_text())
