"""From images to gene expression: networks, controls and linear models on the same folds; every gene's test."""

from genomap_core.doors import door

__getattr__, __dir__ = door(
    __name__,
    {
        "ExpressionCompareConfig": "compare",
        "compare_expression": "compare",
        "load_expression_sample": "samples",
    },
)
