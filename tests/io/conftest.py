"""A small good table as CSV, and how to spoil it."""

from __future__ import annotations

import numpy as np
import pytest

GENES = ("TP53", "BRCA1", "EGFR", "MYC", "KRAS", "PTEN")


@pytest.fixture(scope="session")
def values() -> np.ndarray:
    """``(24, 6)``, three decimals."""
    return np.round(np.random.default_rng(3).gamma(2, 20, (24, 6)), 3)


@pytest.fixture(scope="session")
def good(values: np.ndarray) -> str:
    """Samples in rows, id first, label last."""
    lines = [f"sample_id,{','.join(GENES)},label"]
    for i, row in enumerate(values):
        lines.append(f"S{i:03d},{','.join(map(str, row))},{'tumor' if i % 2 else 'normal'}")
    return "\n".join(lines) + "\n"
