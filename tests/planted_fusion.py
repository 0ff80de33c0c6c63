"""A tiny cohort whose four classes are told by the brightness of the image and by a block of features together."""

from __future__ import annotations

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.patients import PatientImages

CLASSES = ("dark low", "bright low", "dark high", "bright high")


def planted(
    n: int = 96, seed: int = 0, *, size: int = 24, p: int = 24, images: bool = True, missing: float = 0.0
) -> PatientImages:
    """Brightness tells the first word of a patient's class, the first 8 features the second: each alone half of it.

    ``missing``: share of the patients who lack all features of the second type.
    """
    rng = np.random.default_rng(seed)
    bright, high = rng.integers(0, 2, (2, n))
    pixels = rng.normal(0, 1, (n, 1, size, size))
    pixels[:, 0, 6:18, 6:18] += 0.5 * (2 * bright - 1)[:, None, None]
    X = rng.normal(0, 1, (n, p))
    X[:, :8] += 0.9 * (2 * high - 1)[:, None]
    codes = np.arange(p, dtype=np.int64) % 2
    X[np.ix_(rng.random(n) < missing, codes == 1)] = np.nan
    table = Dataset(
        name="planted",
        X=X.astype(np.float32),
        feature_names=tuple(f"{'ab'[code]}:{j}" for j, code in enumerate(codes)),
        sample_ids=tuple(f"patient {i}" for i in range(n)),
        y=(bright + 2 * high).astype(np.int64),
        classes=CLASSES,
        omics=codes,
        omics_names=("a", "b"),
    )
    if not images:
        return PatientImages(np.zeros((n, 0, 0, 0), np.float32), table, ())
    return PatientImages(pixels.astype(np.float32), table, ("grey",))
