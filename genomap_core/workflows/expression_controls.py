"""Control of a comparison from images to expression: what is found when there is nothing to find."""

from __future__ import annotations

from dataclasses import replace

from genomap_core.data.expression import ExpressionCohort
from genomap_core.workflows.correlations import rows_of_each
from genomap_core.workflows.fusion_controls import exchanged


def shuffled(cohort: ExpressionCohort, seed: int) -> ExpressionCohort:
    """Every patient with the expression of one drawn by chance, of the same cohort (of the same section).

    A row of expression stays as it is, so that genes hang together as before; only whose it is gets lost.
    """
    source = exchanged(cohort.n_samples, rows_of_each(cohort.within), seed)
    return replace(cohort, expression=cohort.expression[source])
