"""A patient's missing values as the others let expect them."""

from __future__ import annotations

import numpy as np

from genomap_core.data.fill import LowRankFill
from genomap_core.workflows.tabular.genomap import GenomapResult


def filled_row(result: GenomapResult, row: int, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill what is missing in a patient's shown values ``(q,)`` (z-scores, NaN where missing or dropped).

    Factor analysis of the other patients (:class:`~genomap_core.data.fill.LowRankFill`), as before the map classifier;
    the patient's own values teach it nothing.

    Returns
    -------
    Values ``(q,)`` float32 without NaN, and ``(q,)`` bool, which of them were filled in.
    """
    others = np.delete(np.arange(len(result.z)), row)
    known = np.where(result.missing[others], np.float32(np.nan), result.z[others])
    filled = LowRankFill.fit(known).apply(np.asarray(shown, np.float32)[None])[0]
    return filled, np.isnan(shown)
