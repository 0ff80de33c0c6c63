"""What comparisons of models share, whatever is compared: folds, scores, intervals, files of a run."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "Score": "scores",
        "make_folds": "folds",
    },
)
