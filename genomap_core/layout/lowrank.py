"""Feature distances as inner products of short vectors, so that no p x p matrix is needed.

C1(i, j) = c - <z_i, z_j> on pairs i != j, where <., .> has a sign per dimension (all + for correlations, whose
kernel is positive). Sources: truncated eigenvectors of the samples' Gram matrix, or by randomised subspace iteration
(Halko et al., SIAM Rev 53, 2011) where there are many samples; Nystroem's method for distances without a feature map
(Williams & Seeger, NIPS 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from genomap_core.layout.distances import FeatureTable

LANDMARKS = 1024
GRAM = 1024
"""Most samples for which the Gram matrix is made."""
ENERGY = 0.98
"""Share of the kernel's squared weight that the dimensions shall carry."""


@dataclass(frozen=True, eq=False)
class FeatureVectors:
    """Low-rank features.

    Parameters
    ----------
    values
        ``(p, d)`` float32, dimensions in falling order of weight.
    signs
        ``(d,)`` +1 or -1: sign of each dimension in the inner product.
    mean_distance
        Mean of C1 over pairs of different features.
    constant
        C1 is this number minus the inner product.
    """

    values: np.ndarray
    signs: np.ndarray
    mean_distance: float
    constant: float = 1.0


def feature_vectors(table: FeatureTable, most: int = 64, least: int = 24, seed: int = 0) -> FeatureVectors:
    """Vectors with 98 % of the kernel's squared weight, in ``least`` to ``most`` dimensions if there are as many."""
    if table.distance in ("correlation", "spearman"):
        return _from_samples(table, most, least, seed)
    return _from_landmarks(table, most, least, seed)


def _from_samples(table: FeatureTable, most: int, least: int, seed: int) -> FeatureVectors:
    """Principal components of the unit columns, without a copy of the table."""
    n, p = table.n_samples, table.n_features
    weight, basis, square = _gram_basis(table, most) if n <= GRAM else _random_basis(table, most, seed)
    rank = _rank(weight, most, least, square)
    basis = _fixed_signs(basis[:, :rank]).astype(np.float32)
    values = table.project(basis)
    total = table.combine(np.ones((p, 1), np.float32)).ravel().astype(np.float64)
    squares = int((values != 0).any(axis=1).sum())  # every column has length 1, but for constant ones
    mean = 1 - (float(total @ total) - squares) / (p * (p - 1)) if p > 1 else 1.0
    return FeatureVectors(values, np.ones(rank, np.float32), mean)


def _gram_basis(table: FeatureTable, most: int) -> tuple[np.ndarray, np.ndarray, float]:
    """Leading eigenvalues of the samples' Gram matrix, their vectors ``(n, k)``, and the sum of all squared values."""
    gram = np.zeros((table.n_samples, table.n_samples), np.float32)
    for _, Z in table.blocks():
        gram += Z @ Z.T
    n = len(gram)
    weight, basis = scipy.linalg.eigh(gram, subset_by_index=[max(0, n - most), n - 1])
    return weight[::-1], basis[:, ::-1], float(np.vdot(gram, gram))


def _random_basis(
    table: FeatureTable, most: int, seed: int, iterations: int = 3
) -> tuple[np.ndarray, np.ndarray, float]:
    """Leading left singular vectors ``(n, k)`` of the prepared table and their squared singular values.

    Iterates on the side of the features, where a vector is short.
    """
    budget = table.memory_mb * 2**20 // (16 * table.n_samples)  # four float32 columns of samples for each axis
    k = min(most + 8, max(budget, 16), table.n_samples, table.n_features)
    axes = np.random.default_rng(seed).normal(size=(table.n_features, k)).astype(np.float32)
    for _ in range(iterations):
        axes = table.project(table.combine(np.linalg.qr(axes)[0]))
    image = table.combine(np.linalg.qr(axes)[0])
    weight, turn = np.linalg.eigh((image.T @ image).astype(np.float64))
    scale = np.sqrt(np.maximum(weight, 1e-12 * max(float(weight[-1]), 1e-30)))
    weight = np.maximum(weight[::-1], 0)
    return weight, image @ (turn / scale)[:, ::-1].astype(np.float32), float(weight @ weight)


def _from_landmarks(table: FeatureTable, most: int, least: int, seed: int) -> FeatureVectors:
    """Nystroem's extension of the similarity mean(C1) - C1 from random landmark features (all of them if few)."""
    p = table.n_features
    marks = np.sort(np.random.default_rng(seed).choice(p, min(p, LANDMARKS), replace=False))
    Z = table.take(marks)
    inner = table.between(Z, Z).astype(np.float64)
    np.fill_diagonal(inner, 0)
    mean = inner.sum() / (len(marks) * (len(marks) - 1)) if p > 1 else 1.0
    weight, basis = np.linalg.eigh(mean - inner)
    order = np.argsort(-np.abs(weight), kind="stable")
    weight, basis = weight[order], basis[:, order]
    rank = min(
        _rank(np.abs(weight), most, least, float(weight @ weight)),
        int((np.abs(weight) > 1e-9 * np.abs(weight[0])).sum()),
    )
    weight, basis = weight[:rank], _fixed_signs(basis[:, :rank])
    project = (basis / np.sqrt(np.abs(weight))).astype(np.float32)
    values = np.empty((p, rank), np.float32)
    for columns, block in table.blocks():
        values[columns] = (mean - table.between(block, Z)) @ project
    return FeatureVectors(values, np.sign(weight).astype(np.float32), max(float(mean), 1e-12), float(mean))


def _rank(weight: np.ndarray, most: int, least: int, square: float) -> int:
    """How many of the falling weights carry the wanted share of ``square``, the sum of all squares."""
    needed = int(np.searchsorted(np.cumsum(np.maximum(weight, 0) ** 2), ENERGY * square)) + 1
    return min(max(needed, least), most, len(weight))


def _fixed_signs(basis: np.ndarray) -> np.ndarray:
    """Eigenvectors whose entry of largest size is positive, so that every machine finds the same ones."""
    largest = np.abs(basis).argmax(axis=0)
    return basis * np.where(basis[largest, np.arange(basis.shape[1])] < 0, -1, 1)
