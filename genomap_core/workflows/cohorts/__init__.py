"""Cohorts: from tables, from AnnData, and those that come with the program."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "annotate": "annotated",
        "from_anndata": "annotated",
        "load_sample": "samples",
        "to_anndata": "annotated",
    },
)
