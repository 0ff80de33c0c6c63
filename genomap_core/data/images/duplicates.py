"""Copies and near-copies among images, found by a perceptual hash, so that they stay in one fold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

_SIDE = 32
_BLOCK = 256


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Groups of images that show the same."""

    groups: np.ndarray
    """``(n,)`` int64: images of one group are copies of each other, or of a common one."""
    pairs: np.ndarray
    """``(m, 2)`` row numbers."""
    n_identical: int
    """Pairs whose hash and thumbnail agree (correlation over 0.999)."""

    @property
    def n_copies(self) -> int:
        """Images beyond the first of each group."""
        return len(self.groups) - len(np.unique(self.groups))


def thumbnails(images: np.ndarray) -> np.ndarray:
    """``(n, H, W)`` -> ``(n, 32, 32)`` means, each of mean 0 and length 1; zero for an image of one value."""
    h, w = images.shape[1:]
    rows, columns = (np.linspace(0, s, _SIDE + 1).round().astype(int)[:-1] for s in (h, w))
    small = np.add.reduceat(np.add.reduceat(images.astype(np.float64), rows, axis=1), columns, axis=2)
    small -= small.mean((1, 2), keepdims=True)
    length = np.sqrt((small**2).sum((1, 2), keepdims=True))
    return np.divide(small, length, out=np.zeros_like(small), where=length > 1e-9)


def perceptual_hash(images: np.ndarray) -> np.ndarray:
    """64 bits of each image: which of its lowest 8 x 8 cosine coefficients exceed their median. ``(n, 64)`` bool.

    Changes of brightness, contrast, compression and size flip few bits (Zauner, 2010: "pHash"). The mean is left out.
    """
    spectrum = dctn(thumbnails(images), axes=(1, 2), norm="ortho")[:, :9, :9].reshape(len(images), -1)
    low = np.delete(spectrum, np.arange(0, 81, 9)[1:], axis=1)[:, 1:65]
    return low > np.median(low, axis=1, keepdims=True)


def find_duplicates(
    images: np.ndarray, max_bits: int = 10, min_correlation: float = 0.93, mirrored: bool = True
) -> Duplicates:
    """Pairs whose hashes differ in at most ``max_bits`` of 64 and whose thumbnails correlate; groups of such pairs.

    Parameters
    ----------
    images
        ``(n, H, W)``, normalised (the head cropped), so that margins and brightness play no part.
    mirrored
        Left-right mirror images count as copies: collections are often enlarged that way.
    """
    views = (images, images[:, :, ::-1]) if mirrored else (images,)
    hashes = [perceptual_hash(v).astype(np.float32) * 2 - 1 for v in views]
    thumbs = [thumbnails(v).reshape(len(images), -1).astype(np.float32) for v in views]
    found: list[np.ndarray] = []
    n_identical = 0
    for start in range(0, len(images), _BLOCK):
        stop = min(start + _BLOCK, len(images))
        near = np.zeros((stop - start, len(images)), bool)
        same = near.copy()
        for h, t in zip(hashes, thumbs):
            bits = (64 - hashes[0][start:stop] @ h.T) / 2
            correlation = thumbs[0][start:stop] @ t.T
            near |= (bits <= max_bits) & (correlation >= min_correlation)
            same |= (bits <= 2) & (correlation >= 0.999)
        later = np.arange(len(images)) > np.arange(start, stop)[:, None]
        rows, columns = np.nonzero(near & later)
        found.append(np.column_stack([rows + start, columns]))
        n_identical += int((same & later).sum())
    pairs = np.concatenate(found) if found else np.zeros((0, 2), int)
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(images),) * 2)
    return Duplicates(connected_components(graph, directed=False)[1].astype(np.int64), pairs, n_identical)
