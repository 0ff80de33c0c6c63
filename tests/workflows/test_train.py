"""What training hands out: a model that knows its rows, and scores that say on what they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genomap_core.data.fingerprint import row_fingerprints
from genomap_core.training import load_bundle
from genomap_core.workflows.cohorts.samples import load_sample
from genomap_core.workflows.tabular.saved_model import seen_in_training, seen_in_words
from genomap_core.workflows.tabular.train import BUNDLE, TrainConfig, TrainResult, train


def test_the_scores_come_with_rows_features_networks_and_seed(tmp_path: Path) -> None:
    wine = load_sample("wine")
    found = train(wine, TrainConfig(max_features=5, max_epochs=1, n_seeds=2, seed=7, device="cpu"), tmp_path)
    assert found.words == (
        "Tested on 36 held-out samples, trained on 142. 5 of 13 features are on the map; 2 networks averaged, seed 7."
    )
    seen = seen_in_training(load_bundle(tmp_path / BUNDLE), wine.X)
    assert seen is not None
    assert np.flatnonzero(~seen).tolist() == sorted(found.test_rows.tolist())
    assert seen_in_words(seen).startswith("142 of 178 samples were in this model's training")
    assert seen_in_words(seen[~seen]) == ""
    before = TrainResult(found.scores, found.test_rows, found.proba, found.history, found.seconds)
    assert before.words == "Tested on 36 held-out samples."


@pytest.mark.parametrize("change", [1e-6, -1.0])
def test_a_row_is_known_by_its_values_alone(change: float) -> None:
    X = np.array([[0.0, 1.0, np.nan], [2.0, 1.0, 3.0]], np.float32)
    own = row_fingerprints(X)
    other = X.copy()
    other[1, 1] += change
    assert row_fingerprints(other)[0] == own[0]
    assert row_fingerprints(other)[1] != own[1]
    assert row_fingerprints(np.array([[-0.0, 1.0, -np.nan]], np.float32))[0] == own[0]
