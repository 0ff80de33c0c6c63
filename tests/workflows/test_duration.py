"""What is said of the time before the start is right within a factor of three, and grows as the work does."""

from __future__ import annotations

import pytest

from genomap_core.pfn import shipped_weights
from genomap_core.workflows.tabular.compare import CompareConfig
from genomap_core.workflows.tabular.duration import comparison_seconds, in_words, network_seconds

MEASURED = {"logistic": 1.3, "forest": 6.7, "genomap": 24.0, "pfn": 17.0}
"""Processor seconds of five folds of leukaemia (72 x 7,129, 2 classes) on one core."""


def test_leukaemia_takes_about_what_is_said() -> None:
    weights = shipped_weights()
    assert weights is not None
    said = comparison_seconds(72, 7129, 2, CompareConfig(tuple(MEASURED), weights=str(weights.path)))
    for model, seconds in MEASURED.items():
        assert seconds / 3 < said[model] < seconds * 3, model


@pytest.mark.parametrize(("rows", "seconds"), [(16_000, 261), (80_000, 300)])
def test_training_on_many_cells_takes_about_what_is_said(rows: int, seconds: float) -> None:
    """Processor seconds of `genomap train` on counts of 3,000 genes, reading included (docs/performance.md)."""
    assert seconds / 3 < network_seconds(rows, 3000) < seconds * 3


def test_many_rows_cost_little_more() -> None:
    assert network_seconds(100_000, 3000) == pytest.approx(network_seconds(20_000, 3000), rel=0.2)
    assert network_seconds(500, 3000) < network_seconds(1000, 3000)


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "about 5 s"), (42, "about 40 s"), (200, "about 3 min"), (9000, "about 2.5 h")]
)
def test_it_is_said_as_roughly_as_it_is_known(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
