"""What is known of one file of weights: where it is, whose it is, and what it takes. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genomap_core.pfn.official import Family

_QUICK_MB = 20.0
_FEW_ROWS = 100


@dataclass(frozen=True, slots=True)
class WeightLimits:
    """What one set of weights takes."""

    rows: int
    """Training rows."""
    rows_cpu: int
    """Training rows on a CPU, where more would take too long."""
    features: int
    """Columns; wider tables are reduced to ``selected`` columns first."""
    selected: int
    """Columns kept of a table that is too wide."""
    classes: int
    per_estimator: int
    """Columns that one estimator sees of a wider table; the package draws them at random."""


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights, and everything a user must know about it."""

    path: Path
    family: Family
    architecture: str
    """The package's architecture: ``v2``, ``v2_5``, ``v2_6``, ``v3`` or ``v3_5``; or ``tabicl``."""
    label: str
    """Named in every result: "TabPFN v2 (sha256 1a2b3c4d)" or "in-house PFN 1.0 (not Prior Labs)"."""
    licence: str
    commercial: bool | None
    """Whether commercial use is allowed; None where the file does not say."""
    sha256: str
    limits: WeightLimits
    width: int
    """Length of the embedding of one cell: what memory and time grow with."""
    megabytes: float
    """Size of the file."""
    provenance: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def quick(self) -> bool:
        """Small enough to answer in tenths of a second on a CPU."""
        return self.megabytes <= _QUICK_MB

    def estimators(self, n_rows: int) -> int:
        """How many are usual with so many training rows: each costs little where weights or tables are small."""
        return 4 if not self.quick else 32 if n_rows <= _FEW_ROWS else 16
