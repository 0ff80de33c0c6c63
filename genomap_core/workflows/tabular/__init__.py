"""Tables: their genomaps, every model on the same folds, one patient under several models, a network to keep."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "CompareConfig": "compare",
        "GenomapConfig": "genomap",
        "compare": "compare",
        "fit_genomap": "genomap",
        "make_classifier": "models",
    },
)
