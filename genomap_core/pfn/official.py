"""The official weights of the ``tabpfn`` package: what they are called, how to get them, what their licences allow.

Read on the model pages of Prior Labs and in the package's own documentation; nothing here asks the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
