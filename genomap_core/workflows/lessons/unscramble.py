"""A picture whose pixels were shuffled, rebuilt from samples alone: a layout at work where the truth is known."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.standardise import fit_standardisation
from genomap_core.errors import InputError
from genomap_core.layout import Arrangement, align, make_layout
from genomap_core.progress import Progress

KINDS = {"textures": "Simulated textures (24 x 24)", "digits": "Handwritten digits (8 x 8)"}
N_FRAMES = 24
BALANCE, EFFORT = 0.3, 3.0
"""Of the solver: pictures have a true whole, so global distances count more and take longer than for genes."""


@dataclass(frozen=True, eq=False)
class Unscrambled:
    """A collection of pictures, their pixels shuffled, and the way back."""

    pictures: np.ndarray
    """``(n, H, W)`` float32: the truth, which the layout never saw"""
    shuffled: np.ndarray
    """``(p, 2)`` row and column at which each pixel lies in the shuffled pictures"""
    frames: tuple[np.ndarray, ...]
    """``(p, 2)`` places on the way, the last one being the result; turned to lie on the truth as well as they can"""
    kept: float
    """Share of the truly adjacent pixels that are adjacent again (eight neighbours)"""
    kept_shuffled: float
    """The same before"""
    off: float
    """Mean distance of a pixel from its true place, in cells"""

    def shown(self, sample: int, positions: np.ndarray) -> np.ndarray:
        """``(H, W)``: picture ``sample`` with its pixels at ``positions``."""
        picture = np.full(self.pictures.shape[1:], np.nan, np.float32)
        picture[positions[:, 0], positions[:, 1]] = self.pictures[sample].ravel()
        return picture


def collection(kind: str, n: int = 600, seed: int = 0) -> np.ndarray:
    """Pictures ``(n, H, W)`` float32: ``digits`` of scikit-learn, or ``textures``, smooth Gaussian random fields."""
    if kind == "digits":
        import sklearn.datasets

        return np.asarray(sklearn.datasets.load_digits().images[:n], np.float32)
    if kind != "textures":
        raise InputError(f"No pictures {kind!r}: choose one of {', '.join(KINDS)}.")
    side = 24
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(2 * side), np.fft.fftfreq(2 * side)))
    smooth = (1 + (frequency * 2 * side / 1.5) ** 2) ** -1.5
    fields = np.fft.ifft2(np.fft.fft2(rng.normal(size=(n, 2 * side, 2 * side))) * smooth).real[:, :side, :side]
    return ((fields - fields.mean()) / fields.std()).astype(np.float32)


def unscramble(pictures: np.ndarray, seed: int = 0) -> Unscrambled:
    """Shuffle the pixels of ``pictures (n, H, W)`` and lay them out again from their correlations over the samples.

    Which pixel is which is used for turning the result and for the score only.
    """
    n, height, width = pictures.shape
    truth = np.stack(np.divmod(np.arange(height * width), width), axis=1).astype(np.int32)
    shuffled = truth[np.random.default_rng(seed).permutation(len(truth))]
    # the solver sees the table in its shuffled order: nothing of the true neighbourhood is left in the column numbers
    column = np.argsort(shuffled[:, 0] * width + shuffled[:, 1])
    standardisation = fit_standardisation(pictures.reshape(n, -1)[:, column], max_features=len(truth))
    back = np.argsort(column)
    seen: list[np.ndarray] = []

    def collect(progress: Progress) -> None:
        if isinstance(progress, Arrangement) and progress.positions is not None:
            seen.append(progress.positions)

    layout = make_layout(
        standardisation.apply(pictures.reshape(n, -1)[:, column]),
        (height, width),
        random_state=seed,
        balance=BALANCE,
        effort=EFFORT,
        on_progress=collect,
    )
    target = replace(layout, positions=truth[column])
    turned = [align(layout, target)]
    for positions in reversed(_thin(seen)):  # each is turned as the one after it, so that nothing jumps
        turned.insert(0, align(replace(layout, positions=positions), turned[0]))
    frames = [step.positions[back] for step in turned]
    return Unscrambled(
        pictures=pictures,
        shuffled=shuffled,
        frames=(shuffled, *frames),
        kept=_kept(frames[-1], truth),
        kept_shuffled=_kept(shuffled, truth),
        off=float(np.hypot(*(frames[-1] - truth).T).mean()),
    )


def _thin(seen: list[np.ndarray]) -> list[np.ndarray]:
    """At most ``N_FRAMES`` of them, first and last included."""
    return [seen[k] for k in np.unique(np.linspace(0, len(seen) - 1, min(N_FRAMES, len(seen))).astype(int))]


def _kept(positions: np.ndarray, truth: np.ndarray) -> float:
    """Of pixels side by side in the truth, the share that touch in ``positions``."""
    distance = np.abs(truth[:, None] - truth[None]).sum(2)
    a, b = np.nonzero(np.triu(distance == 1))
    return float((np.abs(positions[a] - positions[b]).max(1) <= 1).mean())
