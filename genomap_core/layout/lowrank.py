"""Feature distances as inner products of short vectors, so that no p x p matrix is needed.

C1(i, j) = c - <z_i, z_j> on pairs i != j, where <., .> has a sign per dimension (all + for correlations, whose
kernel is positive). Sources: truncated eigenvectors of the Gram matrix; Nystroem's method for distances without a
feature map (Williams & Seeger, NIPS 2000).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.layout.distances import FeatureTable

LANDMARKS = 1024


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
    """

    values: np.ndarray
    signs: np.ndarray
    mean_distance: float


def feature_vectors(table: FeatureTable, rank: int = 32, seed: int = 0) -> FeatureVectors:
    """The best vectors of at most ``rank`` dimensions for the table's distance."""
    if table.distance in ("correlation", "spearman"):
        return _from_samples(table, rank, seed)
    return _from_landmarks(table, rank, seed)


def _from_samples(table: FeatureTable, rank: int, seed: int) -> FeatureVectors:
    """Principal components of the unit columns, by the Gram matrix of samples (or of their random projections)."""
    n, p = table.n_samples, table.n_features
    sketch = None
    if n > LANDMARKS:
        sketch = np.random.default_rng(seed).normal(0, LANDMARKS**-0.5, (LANDMARKS, n)).astype(np.float32)
    prepared = (Z if sketch is None else sketch @ Z for _, Z in table.blocks())
    gram = np.zeros((min(n, LANDMARKS),) * 2, np.float32)
    total = np.zeros(len(gram))
    squares = 0.0
    kept = []
    for Z in prepared:
        gram += Z @ Z.T
        total += Z.sum(axis=1, dtype=np.float64)
        squares += float(np.vdot(Z, Z))
        kept.append(Z)
    weight, basis = np.linalg.eigh(gram.astype(np.float64))
    top = np.argsort(-weight)[: min(rank, p, len(weight))]
    basis = _fixed_signs(basis[:, top]).astype(np.float32)
    values = np.concatenate([Z.T @ basis for Z in kept])
    mean = 1 - (float(total @ total) - squares) / (p * (p - 1)) if p > 1 else 1.0
    return FeatureVectors(values, np.ones(len(top), np.float32), mean)


def _from_landmarks(table: FeatureTable, rank: int, seed: int) -> FeatureVectors:
    """Nystroem's extension of the similarity mean(C1) - C1 from random landmark features (all of them if few)."""
    p = table.n_features
    marks = np.sort(np.random.default_rng(seed).choice(p, min(p, LANDMARKS), replace=False))
    Z = table.take(marks)
    inner = table.between(Z, Z).astype(np.float64)
    np.fill_diagonal(inner, 0)
    mean = inner.sum() / (len(marks) * (len(marks) - 1)) if p > 1 else 1.0
    weight, basis = np.linalg.eigh(mean - inner)
    top = np.argsort(-np.abs(weight), kind="stable")[: min(rank, p)]
    top = top[np.abs(weight[top]) > 1e-9 * max(np.abs(weight).max(), 1e-30)]
    weight, basis = weight[top], _fixed_signs(basis[:, top])
    project = (basis / np.sqrt(np.abs(weight))).astype(np.float32)
    values = np.concatenate([(mean - table.between(block, Z)) @ project for _, block in table.blocks()])
    return FeatureVectors(values.astype(np.float32), np.sign(weight).astype(np.float32), max(float(mean), 1e-12))


def _fixed_signs(basis: np.ndarray) -> np.ndarray:
    """Eigenvectors whose entry of largest size is positive, so that every machine finds the same ones."""
    largest = np.abs(basis).argmax(axis=0)
    return basis * np.where(basis[largest, np.arange(basis.shape[1])] < 0, -1, 1)
