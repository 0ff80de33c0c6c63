"""A cohort of images that a network can take: cleaned, of one size, with labels, groups and masks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from genomap_core.errors import InputError


@dataclass(frozen=True, eq=False)
class LabelledImages:
    """``n`` images with what is known of them."""

    name: str
    images: np.ndarray
    """``(n, c, s, s)`` float32, normalised by :func:`genomap_core.data.images.hygiene.normalise`"""
    y: np.ndarray
    """``(n,)`` int64 codes into ``classes``"""
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    groups: np.ndarray | None = None
    """``(n,)`` int64: copies and slices of one patient share a number and never part in a split"""
    masks: np.ndarray | None = None
    """``(n, s, s)`` float32 in [0, 1], a row of NaN without a mask"""
    lengths: np.ndarray | None = None
    """``(n,)`` sqrt(D / rho) in pixels, where a simulation knows it; NaN elsewhere"""
    without_tumour: tuple[str, ...] = ()
    """Classes whose images hold no tumour"""
    infiltrating: tuple[str, ...] = ()
    """Classes for which diffusion and growth rates mean something: gliomas"""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.images)
        if self.images.ndim != 4:
            raise InputError(f"{self.name}: images must be (n, channels, height, width), got {self.images.shape}.")
        for what, values in (
            ("labels", self.y),
            ("ids", self.ids),
            ("groups", self.groups),
            ("masks", self.masks),
            ("lengths", self.lengths),
        ):
            if values is not None and len(values) != n:
                raise InputError(f"{self.name}: {len(values)} {what} for {n} images.")
        unknown = {*self.without_tumour, *self.infiltrating} - set(self.classes)
        if unknown:
            raise InputError(f"{self.name}: no such classes: {', '.join(sorted(unknown))}.")

    @property
    def tumour(self) -> np.ndarray | None:
        """``(n,)`` float32: 1 with a tumour, 0 without; None where no class tells."""
        if not self.without_tumour:
            return None
        clear = [self.classes.index(c) for c in self.without_tumour]
        return (~np.isin(self.y, clear)).astype(np.float32)

    @property
    def digest(self) -> str:
        """SHA-256 of images, labels and groups."""
        h = hashlib.sha256(json.dumps([self.classes, self.ids]).encode())
        for a in (self.images, self.y, self.groups, self.masks, self.lengths):
            h.update(b"-" if a is None else np.ascontiguousarray(a).tobytes())
        return h.hexdigest()

    def save(self, path: str | Path) -> None:
        """Write as one ``.npz`` (no pickle), images in half precision."""
        names = ("name", "classes", "ids", "without_tumour", "infiltrating", "notes")
        header = np.frombuffer(json.dumps({k: getattr(self, k) for k in names}).encode(), np.uint8)
        arrays = {k: a for k in ("groups", "masks", "lengths") if (a := getattr(self, k)) is not None}
        np.savez(path, header=header, images=self.images.astype(np.float16), y=self.y, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> LabelledImages:
        """Read what :meth:`save` wrote."""
        with np.load(path, allow_pickle=False) as f:
            header = json.loads(f["header"].tobytes())
            arrays = {k: f[k] for k in ("groups", "masks", "lengths") if k in f.files}
            images, y = f["images"].astype(np.float32), f["y"]
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in header.items()}
        return cls(images=images, y=y, **arrays, **fields)
