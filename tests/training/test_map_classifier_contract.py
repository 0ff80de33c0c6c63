"""The classifier keeps scikit-learn's contract."""

from __future__ import annotations

from sklearn.utils.estimator_checks import parametrize_with_checks

from genomap_core.training.classifier import MapClassifier


@parametrize_with_checks(
    [MapClassifier(max_epochs=3, n_threads=1), MapClassifier("genonet", max_epochs=20, n_seeds=1, n_threads=1)]
)
def test_keeps_the_scikit_learn_contract(estimator, check):
    check(estimator)
