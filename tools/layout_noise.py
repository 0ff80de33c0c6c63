"""Which layout serves a classifier best under noise: ``python -m tools.layout_noise FILE ...``.

Prints, for each setting of the layout's trade-off and the random control, the accuracy on held-out rows. Selection,
scaling and layout are learned on the training rows; noise, in units of each feature's standard deviation, is added to
training and held-out rows. ``--model blur``: a linear model that sees nothing but means over neighbouring cells, what a
first convolution can at most make of a neighbourhood. ``--model network``: the map network itself.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedKFold

from genomap_core.data.preprocess import Preprocessor
from genomap_core.layout import GenomapTransformer

RANDOM = "random"


def accuracy(
    X: np.ndarray,
    y: np.ndarray,
    balance: float | str,
    noise: float,
    model: str = "blur",
    max_features: int = 2048,
    repeat: int = 0,
    folds: int = 3,
) -> float:
    """Mean accuracy over folds with one layout: ``X (n, p)``, ``y (n,)``; ``balance``: 0 to 1, or "random"."""
    rng = np.random.default_rng([repeat, 7])
    X = X + noise * np.nanstd(X, axis=0) * rng.normal(size=X.shape)
    right = 0
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=repeat).split(X, y):
        scaling = Preprocessor(max_features=max_features).fit(X[train])
        z, z_test = (np.nan_to_num(scaling.transform(X[rows])) for rows in (train, test))
        options = {"solver": RANDOM} if balance == RANDOM else {"balance": balance}
        layout = GenomapTransformer(random_state=repeat, **options).fit(z)
        maps, maps_test = layout.transform(z), layout.transform(z_test)
        right += int((_predict(model, maps, y[train], maps_test, repeat) == y[test]).sum())
    return right / len(y)


def _predict(model: str, maps: np.ndarray, y: np.ndarray, maps_test: np.ndarray, seed: int) -> np.ndarray:
    if model == "network":
        from genomap_core.training import MapClassifier

        return np.asarray(MapClassifier(n_seeds=1, random_state=seed).fit(maps, y).predict(maps_test))
    smooth, smooth_test = (gaussian_filter(m, (0, 0, 1, 1)).reshape(len(m), -1) for m in (maps, maps_test))
    return np.asarray(RidgeClassifierCV(10.0 ** np.arange(0, 6)).fit(smooth, y).predict(smooth_test))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.layout_noise", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help="Parquet tables with a text column `target`")
    parser.add_argument("--noise", nargs="*", type=float, default=[0.5, 1.5])
    parser.add_argument("--balances", nargs="*", type=float, default=[0.0, 0.2, 0.5, 0.7, 0.9])
    parser.add_argument("--model", choices=["blur", "network"], default="blur")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    import pandas as pd

    settings: list[float | str] = [*options.balances, RANDOM]
    _say("| set | noise | " + " | ".join(map(str, settings)) + " |\n" + "|---" * (len(settings) + 2) + "|")
    for file in options.files:
        frame = pd.read_parquet(file)
        y = frame.pop("target").astype("category").cat.codes.to_numpy()
        X = frame.to_numpy(np.float32)
        for noise in options.noise:
            found = [
                np.mean([accuracy(X, y, s, noise, options.model, repeat=k) for k in range(options.repeats)])
                for s in settings
            ]
            _say(f"| {file.stem} | {noise:g} | " + " | ".join(f"{a:.3f}" for a in found) + " |")


if __name__ == "__main__":
    main()
