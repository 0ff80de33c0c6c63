"""Tables whose best layout is known."""

import numpy as np


def factor_table(n=200, p=256, factors=12, seed=0):
    """Features that load on one to three of a few latent factors, plus noise (the benchmark of docs/layout.md)."""
    rng = np.random.default_rng(seed)
    F, W = rng.normal(size=(n, factors)), np.zeros((factors, p))
    for j in range(p):
        k = rng.integers(1, 4)
        W[rng.choice(factors, k, replace=False), j] = rng.normal(size=k)
    return (F @ W + 0.7 * rng.normal(size=(n, p))).astype(np.float32)


def scrambled_picture(height=12, width=12, n=600, reach=2.0, seed=0):
    """Smooth random pictures with their pixels shuffled: ``X (n, p)`` and each column's true ``(row, column)``."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    pictures = gaussian_filter(rng.normal(size=(n, height, width)), (0, reach, reach), mode="reflect").reshape(n, -1)
    order = rng.permutation(height * width)
    return pictures[:, order].astype(np.float32), np.stack(np.divmod(order, width), 1)
