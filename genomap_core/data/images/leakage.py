"""How much of the classes can be told without looking at the picture: from mode, size, brightness or margin alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.fft import dctn
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

from genomap_core.data.images.hygiene import normalise, to_grey
from genomap_core.errors import InputError

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


TRAPS: dict[str, str] = {
    "mode": "colour mode of the file",
    "size": "height and width in pixels",
    "brightness": "mean and standard deviation of the grey values",
    "margin": "share of black pixels and the values along the border",
}
"""Name -> what a classifier sees that looks only at this."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The balanced accuracy, on held-out groups, of a small tree that sees one property of the files only."""

    name: str
    before: float
    after: float
    """On the cleaned images."""
    chance: float
    limit: float
    """Above this it is no accident: chance + 3 standard errors of guessing, and at least chance + 0.1."""

    @property
    def present(self) -> bool:
        return self.before > self.limit

    @property
    def removed(self) -> bool:
        return self.present and self.after <= self.limit


@dataclass(frozen=True, eq=False)
class HygieneReport:
    """What was found in a collection of labelled images, and what cleaning left of it."""

    leaks: tuple[Leak, ...]
    duplicates: Duplicates
    n_conflicts: int
    """Pairs of copies with different labels."""
    n_images: int
    grouped: bool
    """Patients were given; without them slices of one patient can't be told apart."""

    @property
    def groups(self) -> np.ndarray:
        """``(n,)`` rows of one group never part in a split."""
        return self.duplicates.groups

    @property
    def messages(self) -> tuple[str, ...]:
        """The findings as sentences; none where nothing was found."""
        lines = [_leak_sentence(leak) for leak in self.leaks if leak.present]
        copies = self.duplicates.n_copies
        if copies:
            lines.append(
                f"{copies} of {self.n_images} images are copies, mirror images or near-copies of another "
                f"({self.duplicates.n_identical} pairs agree almost exactly): each group stays in one fold."
            )
        if self.n_conflicts:
            lines.append(f"{self.n_conflicts} pairs of copies carry different labels: look at them, one must be wrong.")
        if not self.grouped:
            lines.append(
                "No patient is named: slices of one patient that do not look alike may still be on both sides of a "
                "split, which makes every figure too good."
            )
        return tuple(lines)


def inspect_collection(
    images: Sequence[np.ndarray],
    y: np.ndarray,
    *,
    modes: Sequence[str] | None = None,
    patients: np.ndarray | None = None,
    cleaned: np.ndarray | None = None,
    seed: int = 0,
) -> HygieneReport:
    """Test a collection for the known traps.

    Parameters
    ----------
    images
        As read: ``(H, W)`` or ``(H, W, c)`` of any number type.
    y
        ``(n,)`` class codes.
    modes
        Colour mode of each file ("L", "RGB"); None: the number of channels.
    patients
        ``(n,)`` codes where known: joined with the groups of copies.
    cleaned
        ``(n, s, s)``, what :func:`genomap_core.data.images.hygiene.normalise` made of the images; None: made here.

    Raises
    ------
    InputError
        If lengths differ, or a class has fewer than 3 groups of images.
    """
    if not len(images) == len(y) or (modes is not None and len(modes) != len(y)):
        raise InputError(f"{len(images)} images, {len(y)} labels: every image needs one label and one mode.")
    if cleaned is None:
        cleaned = np.stack([normalise(image, 96)[0] for image in images])
    duplicates = find_duplicates(cleaned)
    groups = duplicates.groups if patients is None else join_groups(duplicates.groups, patients)
    smallest = min((len(np.unique(groups[y == c])) for c in np.unique(y)), default=0)
    if smallest < 3:
        raise InputError(f"A class has only {smallest} groups of different images: at least 3 are needed.")
    before = _properties(images, modes)
    after = _properties(list(cleaned), None)
    leaks = tuple(_leak(name, before[name], after[name], y, groups, seed) for name in TRAPS)
    conflicts = int((y[duplicates.pairs[:, 0]] != y[duplicates.pairs[:, 1]]).sum())
    joined = Duplicates(groups, duplicates.pairs, duplicates.n_identical)
    return HygieneReport(leaks, joined, conflicts, len(y), patients is not None)


def join_groups(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The finest grouping in which rows that share a group of ``a`` or of ``b`` are together: ``(n,)``."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    _, a = np.unique(a, return_inverse=True)
    _, b = np.unique(b, return_inverse=True)
    n = a.max() + b.max() + 2
    graph = coo_matrix((np.ones(len(a)), (a, b + a.max() + 1)), shape=(n, n))
    return connected_components(graph, directed=False)[1][a].astype(np.int64)


def _properties(images: Sequence[np.ndarray], modes: Sequence[str] | None) -> dict[str, np.ndarray]:
    """Name of the trap -> ``(n, k)`` numbers a tree may look at."""
    greys = [to_grey(image) for image in images]
    kinds = [str(1 if i.ndim == 2 else i.shape[2]) for i in images] if modes is None else list(modes)
    margins = [np.concatenate([g[0], g[-1], g[:, 0], g[:, -1]]) for g in greys]
    return {
        "mode": np.unique(kinds, return_inverse=True)[1][:, None].astype(float),
        "size": np.array([g.shape for g in greys], float),
        "brightness": np.array([[g.mean(), g.std()] for g in greys]),
        "margin": np.array([[(np.abs(g) <= 0.02 * np.abs(g).max()).mean(), m.mean()] for g, m in zip(greys, margins)]),
    }


def _leak(name: str, before: np.ndarray, after: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> Leak:
    present, counts = np.unique(y, return_counts=True)
    chance = 1 / len(present)
    error = np.sqrt(chance * (1 - chance) * np.mean(1 / counts) / len(present))
    seen, left = (_tree_accuracy(values, y, groups, seed) for values in (before, after))
    return Leak(name, seen, left, chance, chance + max(0.1, 3 * float(error)))


def _tree_accuracy(values: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> float:
    tree = DecisionTreeClassifier(max_depth=3, class_weight="balanced", min_samples_leaf=5, random_state=seed)
    folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    guess = cross_val_predict(tree, values, y, cv=folds, groups=groups)
    return float(np.mean([(guess[y == c] == c).mean() for c in np.unique(y)]))


def _leak_sentence(leak: Leak) -> str:
    what = TRAPS[leak.name]
    rest = "gone" if leak.removed else f"still {leak.after:.0%}: read every figure with that in mind"
    found = f"The {what} alone gives away the class ({leak.before:.0%} right, chance {leak.chance:.0%})"
    return f"{found}; after cleaning {rest}."
