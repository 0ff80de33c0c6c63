"""Images of patients as arrays: made ready once, on one scale, before any network sees them. No torch."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "LabelledImages": "labelled",
        "PatientImages": "patients",
        "expression_cohort": "expression",
        "prepare_slices": "hygiene:prepare",
    },
)
