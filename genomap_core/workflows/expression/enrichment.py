"""Which gene sets hold more of the well predicted genes than chance would put there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import hypergeom

from genomap_core.errors import InputError
from genomap_core.layout.genesets import GeneSets, read_gmt
from genomap_core.workflows.expression.statistics import false_discovery_rate


@dataclass(frozen=True, slots=True)
class EnrichedSet:
    """One gene set among the measured genes."""

    name: str
    size: int
    """Genes of the set that were measured"""
    genes: tuple[str, ...]
    """Those of them that were chosen"""
    expected: float
    """How many chance would choose"""
    p: float
    """One-sided, hypergeometric: as many or more by chance"""
    fdr: float
    """``p`` after Benjamini-Hochberg over all sets"""

    @property
    def overlap(self) -> int:
        """How many of the set's genes were chosen."""
        return len(self.genes)


def enrichment(sets: GeneSets, names: Sequence[str], chosen: np.ndarray) -> tuple[EnrichedSet, ...]:
    """Over-representation of the chosen genes in every set, against all measured genes; smallest p first.

    Parameters
    ----------
    sets
        Read for the table with these genes (:func:`~genomap_core.layout.genesets.read_gmt`).
    names
        ``g`` measured genes: the background, not the whole genome.
    chosen
        ``(g,)`` bool.

    Raises
    ------
    InputError
        A choice of another length, or sets that were read for another table.
    """
    chosen = np.asarray(chosen, bool)
    if chosen.shape != (len(names),):
        raise InputError(f"{chosen.shape} choices for {len(names)} genes: give one a gene.")
    if any(max(members) >= len(names) for members in sets.sets.values()):
        raise InputError(f"The gene sets go beyond the {len(names)} genes: read their file for this table.")
    if not sets.sets:
        return ()
    members = [np.array(indices) for indices in sets.sets.values()]
    size = np.array([len(indices) for indices in members])
    overlap = np.array([chosen[indices].sum() for indices in members])
    p = np.clip(hypergeom.sf(overlap - 1, len(names), chosen.sum(), size), 0, 1)
    fdr, expected = false_discovery_rate(p), size * chosen.mean()
    rows = [
        EnrichedSet(
            name,
            int(size[k]),
            tuple(names[j] for j in members[k] if chosen[j]),
            float(expected[k]),
            float(p[k]),
            float(fdr[k]),
        )
        for k, name in enumerate(sets.sets)
    ]
    return tuple(sorted(rows, key=lambda row: row.p))


def enrichment_of_file(gmt: bytes, names: Sequence[str], chosen: np.ndarray) -> tuple[EnrichedSet, ...]:
    """:func:`enrichment` in the sets of a GMT file. Raises :class:`InputError` for one that can't be read."""
    return enrichment(read_gmt(gmt, names), names, chosen)
