"""Ridge regression of many genes at once equals the closed form, gene by gene."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from genomap_core.data.images.statistics import image_statistics
from genomap_core.errors import InputError
from genomap_core.workflows.expression.linear import PENALTIES, ridge_predict


def drawn(n: int, q: int, g: int, seed: int = 0):
    """Numbers of very different size, and genes that follow some of them more or less."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, q))
    Y = 6 + X[:, :4] @ rng.normal(size=(4, g)) * rng.uniform(0, 1, g) + rng.normal(0, 2, (n, g))
    return X * rng.uniform(0.01, 100, q) + 3, Y


def closed_form(X, Y, new, penalty):
    """Ridge with a free mean, by the normal equations."""
    centred = X - X.mean(0)
    weights = np.linalg.solve(centred.T @ centred + penalty * np.eye(X.shape[1]), centred.T @ (Y - Y.mean(0)))
    return Y.mean(0) + (new - X.mean(0)) @ weights


@pytest.mark.parametrize(("n", "q", "g"), [(25, 40, 7), (40, 14, 1), (30, 29, 5)])
def test_every_gene_has_the_penalty_with_the_least_error_on_rows_left_out_one_by_one(n, q, g):
    X, Y = drawn(n + 20, q, g)
    scaled = (X - X[:n].mean(0)) / X[:n].std(0)
    error = np.zeros((len(PENALTIES), g))
    for k, penalty in enumerate(PENALTIES):
        for i in range(n):
            rest = np.delete(np.arange(n), i)
            error[k] += ((Y[i] - closed_form(scaled[rest], Y[rest], scaled[i : i + 1], penalty)) ** 2)[0]
    best = PENALTIES[error.argmin(0)]
    wanted = np.column_stack([closed_form(scaled[:n], Y[:n], scaled[n:], best[j])[:, j] for j in range(g)])
    np.testing.assert_allclose(ridge_predict(X[:n], Y[:n], X[n:]), wanted, rtol=1e-8)


def test_groups_are_left_out_as_wholes():
    X, Y = drawn(90, 12, 10)
    groups = np.arange(90) // 15
    error = np.zeros((len(PENALTIES), 10))
    for rest, left in GroupKFold(5).split(X, groups=groups):
        scaler = StandardScaler().fit(X[rest])
        for k, penalty in enumerate(PENALTIES):
            guess = Ridge(penalty).fit(scaler.transform(X[rest]), Y[rest]).predict(scaler.transform(X[left]))
            error[k] += ((guess - Y[left]) ** 2).sum(0)
    scaler, best = StandardScaler().fit(X), PENALTIES[error.argmin(0)]
    wanted = Ridge(best).fit(scaler.transform(X), Y).predict(scaler.transform(X))
    np.testing.assert_allclose(ridge_predict(X, Y, X, groups), wanted, rtol=1e-8)


def test_numbers_that_only_tell_who_it_is_get_a_large_penalty_once_patients_are_left_out():
    rng = np.random.default_rng(1)
    groups = np.arange(120) // 12
    X = rng.normal(size=(10, 30))[groups] + 0.1 * rng.normal(size=(120, 30))
    Y = rng.normal(size=(10, 25))[groups] + 0.1 * rng.normal(size=(120, 25))
    by_row, by_patient = (ridge_predict(X, Y, X, g).std(0).mean() for g in (None, groups))
    assert by_patient < 0.6 * by_row
    np.testing.assert_array_equal(ridge_predict(X, Y, X, groups // 5), ridge_predict(X, Y, X))  # two groups: by row


def test_constant_genes_and_constant_numbers():
    X, Y = drawn(40, 6, 5)
    X[:, 2], Y[:, 1] = 0.1, 0.7
    found = ridge_predict(X.astype(np.float32), Y.astype(np.float32), X[:9].astype(np.float32))
    np.testing.assert_allclose(found[:, 1], 0.7, rtol=1e-6)
    np.testing.assert_allclose(found, ridge_predict(X, Y, X[:9]), atol=1e-3)


def test_image_statistics_are_finite_numbers_of_each_channel():
    images = np.random.default_rng(0).normal(size=(5, 3, 32, 32)).astype(np.float32)
    assert np.isfinite(image_statistics(images)).all()
    assert image_statistics(images).shape == (5, 3 * image_statistics(images[:, :1]).shape[1])


def test_what_does_not_fit_is_refused():
    X, Y = drawn(10, 5, 2)
    with pytest.raises(InputError, match="as many of each"):
        ridge_predict(X, Y[:5], X)
    with pytest.raises(InputError, match="missing"):
        ridge_predict(X, np.where(Y < 6, Y, np.nan), X)
