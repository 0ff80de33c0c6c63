"""What is known of weights: one file of them, and the official ones, how to get them and what they allow. Values only.

Read on the model pages of Prior Labs and in the package's own documentation; nothing here asks the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Family = Literal["v2", "v2_5", "v2_6", "v3", "v3_5", "in-house", "tabicl"]


@dataclass(frozen=True, slots=True)
class Official:
    """One official version: everything a card in the settings shows."""

    family: Family
    name: str
    page: str
    file: str
    """Name of the default file on that page; keep it when saving."""
    licence: str
    commercial: bool
    """Whether the licence allows commercial and production use."""
    gate: str
    """What must be done before the download starts."""

    @property
    def how_to_get(self) -> str:
        """The card's text: where, licence, gate, and where to put the file."""
        use = "commercial use allowed, with attribution" if self.commercial else "NOT for commercial or production use"
        return (
            f"{self.name}: open {self.page}, {self.gate}, download {self.file} and give its path here, or set "
            f"GENOMAP_PFN_WEIGHTS to the file or its folder. Licence: {self.licence} ({use})."
        )


_ACCOUNT = "log in (a free account) and accept the licence"

HOW_TO_GET: tuple[Official, ...] = (
    Official(
        "v2",
        "TabPFN v2",
        "https://huggingface.co/Prior-Labs/TabPFN-v2-clf",
        "tabpfn-v2-classifier-finetuned-zk73skhh.ckpt",
        "Prior Labs License 1.0: Apache 2.0 with an attribution clause",
        True,
        "no account needed",
    ),
    Official(
        "v2_5",
        "TabPFN v2.5",
        "https://huggingface.co/Prior-Labs/tabpfn_2_5",
        "tabpfn-v2.5-classifier-v2.5_default.ckpt",
        "TabPFN-2.5 License: research and internal evaluation only",
        False,
        _ACCOUNT,
    ),
    Official(
        "v2_6",
        "TabPFN v2.6",
        "https://huggingface.co/Prior-Labs/tabpfn_2_6",
        "tabpfn-v2.6-classifier-v2.6_default.ckpt",
        "TabPFN-2.6 License 1.0: research and internal evaluation only",
        False,
        _ACCOUNT,
    ),
    Official(
        "v3",
        "TabPFN v3",
        "https://huggingface.co/Prior-Labs/tabpfn_3",
        "tabpfn-v3-classifier-v3_default.ckpt",
        "TabPFN-3 License: research and internal evaluation only",
        False,
        _ACCOUNT,
    ),
    Official(
        "v3_5",
        "TabPFN v3.5",
        "https://huggingface.co/Prior-Labs/tabpfn_3_5",
        "tabpfn-v3.5-20260909.safetensors",
        "TabPFN-3.5 License: research and internal evaluation only",
        False,
        _ACCOUNT,
    ),
)


def official(family: str) -> Official:
    """The card of one family; in-house weights have none."""
    return next(card for card in HOW_TO_GET if card.family == family)


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

    def temperature(self, n_classes: int) -> float | Literal["auto"]:
        """What logits are divided by; "auto": as the file says.

        The in-house network is not sure enough, the less the more classes there are. Chosen for log-loss on six small
        tables outside the study (heart, hepatitis, pima, breast cancer; wine, iris); the class told hardly changes.
        """
        if self.family != "in-house":
            return "auto"
        return 0.77 if n_classes == 2 else 0.5

    def estimators(self, n_rows: int) -> int:
        """How many are usual with so many training rows: each costs little where weights or tables are small."""
        return 4 if not self.quick else 32 if n_rows <= _FEW_ROWS else 16
