"""Simulated cohorts whose truth is known: tables, images with omics, slices with tumours, radiogenomics."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "expression_cohort": "tables",
        "simulate_slices": "mri",
    },
)
