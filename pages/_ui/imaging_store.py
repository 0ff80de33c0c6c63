"""Imaging cohorts of a tab: those that come with the app, and the stored one of the user."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from genomap_core.data.images.patients import PatientImages
from genomap_core.errors import InputError
from genomap_core.workflows.expression import samples as expression_samples
from genomap_core.workflows.fusion import samples as fusion_samples

IMAGING = "imaging.npz"
"""The user's own, in the session's folder."""


@dataclass(frozen=True, slots=True)
class ImagingSample:
    """An imaging cohort that comes with the app."""

    title: str
    about: str
    load: Callable[[], PatientImages]


IMAGING_SAMPLES: dict[str, ImagingSample] = {
    fusion_samples.SAMPLE: ImagingSample(
        "Simulated imaging + omics cohort",
        "240 patients with an image of an organ, expression and methylation; 4 classes: one seen in both, one in the "
        "image alone, one in the omics alone, one in neither.",
        fusion_samples.load_fusion_sample,
    ),
    expression_samples.SAMPLE: ImagingSample(
        "Simulated images and expression",
        "200 patients with an image of an organ and 400 genes, some of which follow the size, the core or the stripes "
        "of its lesion: for the page Expression.",
        expression_samples.load_expression_sample,
    ),
}
"""By key."""


@st.cache_resource(show_spinner=False)
def shared_imaging(key: str) -> PatientImages:
    """A sample imaging cohort, one for all sessions: nobody can change its arrays."""
    cohort = IMAGING_SAMPLES[key].load()
    for array in (cohort.images, cohort.table.X):
        if isinstance(array, np.ndarray):
            array.setflags(write=False)
    return cohort


def restore_imaging(path: Path, sample: str | None) -> tuple[PatientImages | None, str | None]:
    """The imaging cohort of a tab; the table's cohort does not suffer if it can't be read."""
    try:
        if sample in IMAGING_SAMPLES:
            return shared_imaging(str(sample)), sample
        return (PatientImages.load(path), None) if path.is_file() else (None, None)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        st.warning("The images of this tab could not be read again: load them once more.")
        return None, None
