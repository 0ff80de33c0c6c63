"""Up to thirty classes, of which the weights know ten: codes that can be told apart, and answers that fit."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from genomap_core.errors import InputError
from genomap_core.explain import explain
from genomap_core.pfn import PFNClassifier, shipped_weights
from genomap_core.pfn.many_classes import class_probabilities, code_book


@pytest.mark.parametrize("n_classes", [11, 12, 17, 20, 25, 30])
def test_every_two_classes_are_apart_in_most_codes(n_classes: int) -> None:
    book = code_book(n_classes, 10)
    apart = (book[:, :, None] != book[:, None, :]).sum(axis=0)
    assert apart[~np.eye(n_classes, dtype=bool)].min() >= len(book) / 2
    assert all(np.bincount(row, minlength=10).min() >= n_classes // 10 for row in book)


@pytest.mark.parametrize("n_classes", [11, 30])
def test_answers_that_fit_together_are_met(n_classes: int) -> None:
    true = np.random.default_rng(0).dirichlet(np.full(n_classes, 0.3), size=40)
    book = code_book(n_classes, 10)
    groups = np.stack([true @ (row[:, None] == np.arange(10)) for row in book])
    found = class_probabilities(book, groups)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(found, true, atol=0.02)


def blobs(n_classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Eight rows a class, as many new ones, and class codes of either."""
    rng = np.random.default_rng(n_classes)
    centres = 3 * rng.normal(size=(n_classes, 6))
    y = np.repeat(np.arange(n_classes), 8)
    X, new = (centres[y] + rng.normal(size=(len(y), 6)) for _ in range(2))
    return X, new, y


@pytest.mark.parametrize("n_classes", [11, 30])
def test_many_classes_are_told_apart_as_well_as_a_linear_model_does(n_classes: int) -> None:
    weights = shipped_weights()
    assert weights is not None
    assert weights.limits.classes == 10
    X, new, y = blobs(n_classes)
    names = np.array([f"class {c:02d}" for c in range(n_classes)])
    model = PFNClassifier(weights.path, n_estimators=2, device="cpu").fit(X, names[y])
    proba = model.predict_proba(new)
    assert proba.shape == (len(y), n_classes)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    right = (proba.argmax(axis=1) == y).mean()
    assert right >= LogisticRegression(max_iter=2000).fit(X, y).score(new, y) - 0.08
    with pytest.raises(InputError, match="and codes have no gradients"):
        model.input_gradients(X[:1], 0)
    if n_classes == 11:
        found = explain(model, new[0], method="shapley", groups=np.arange(6), background=X)
        assert abs(found.completeness_gap) < 1e-3
