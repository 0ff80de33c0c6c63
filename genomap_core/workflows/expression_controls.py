"""Controls of a comparison from image to expression: what is found when there is nothing to find."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from genomap_core.data.imaging import ImagingCohort
from genomap_core.workflows.correlations import rows_of_each
from genomap_core.workflows.fusion_controls import exchanged


def shuffled(cohort: ImagingCohort, seed: int, within: np.ndarray | None = None) -> ImagingCohort:
    """The same cohort, each image with the expression of a patient drawn by chance.

    A row of expression stays as it is, so that genes hang together as before; only whose it is gets lost. With
    ``within (n,)``, int codes, rows are exchanged within the same cohort or section only.
    """
    codes = np.zeros(cohort.n_samples, np.int64) if within is None else np.asarray(within)
    source = exchanged(cohort.n_samples, rows_of_each(codes), seed)
    return replace(cohort, table=replace(cohort.table, X=cohort.table.X[source], planted=()))
