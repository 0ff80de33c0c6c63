"""Images and omics of the same patients: what a fusion network, or one from image to expression, is given."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO, Literal, get_args

import numpy as np

from genomap_core.data.dataset import Dataset
from genomap_core.data.images.framing import SLICE_CHOICES, SliceChoice
from genomap_core.data.images.intensity import CT_WINDOWS, MODALITIES, Modality
from genomap_core.errors import InputError
from genomap_core.store import decode, load_arrays, save_arrays


@dataclass(frozen=True, eq=False)
class FusionInputs:
    """``n`` patients as the networks get them, float32; 0 is the training patients' mean everywhere.

    ``images`` ``(n, c, H, W)`` in standard deviations; ``maps`` ``(n, t, H, W)``, the arcsinh of standard deviations:
    near 0 as they are, logarithmic in the tails; ``present`` ``(n, t)`` of 0 and 1.
    """

    images: np.ndarray
    maps: np.ndarray
    present: np.ndarray

    def take(self, rows: np.ndarray) -> FusionInputs:
        """These patients only."""
        return FusionInputs(self.images[rows], self.maps[rows], self.present[rows])


Treatment = Literal["auto"] | Modality
TREATMENTS: tuple[Treatment, ...] = ("auto", *get_args(Modality))
MOST_SLICES = 32


@dataclass(frozen=True, slots=True)
class ImagingOptions:
    """Choices that hold for all images of a cohort.

    Parameters
    ----------
    side
        Height and width of every image, in pixels; the aspect is kept.
    treatment
        Scale of the intensities; "auto" takes each file's own: CT in Hounsfield units, MR (and NIfTI without values
        far below 0) within the foreground, the rest as plain pictures. Histology can't be told by a file.
    window
        Of CT: a key of :data:`genomap_core.data.images.intensity.CT_WINDOWS`.
    slices, n_slices
        Which slices of a volume are seen; their number counts for "evenly spaced" ones, as channels.
    colours
        Keep red, green and blue as channels; else their luminance. Channels of other images always stay.
    stains
        Bring haematoxylin and eosin to standard colours (Macenko); needs colours and histology.
    target
        Column with the classes, in whichever table has it; empty: found by its name.
    sequence
        Of patients with several sequences each, told by the last part of the files' names (BIDS, BraTS): the one to
        use, or "all" of them as channels; empty: that of most patients.
    patches, microns, pixel
        Of a whole slide: how many patches of tissue are seen (as slices of the patient), the micrometres that a pixel
        of them spans, and those of the slide's own pixels where its file does not say (None: it says).
    """

    side: int = 96
    treatment: Treatment = "auto"
    window: str = "soft tissue"
    slices: SliceChoice = "largest foreground"
    n_slices: int = 3
    colours: bool = True
    stains: bool = False
    target: str = ""
    sequence: str = ""
    patches: int = 16
    microns: float = 0.5
    pixel: float | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.patches <= 256:
            raise ValueError(f"`patches` must be 1 to 256, got {self.patches}.")
        if not 0.1 <= self.microns <= 50 or not (self.pixel is None or 0.02 <= self.pixel <= 50):
            raise ValueError(f"`microns` and `pixel` must be micrometres, got {self.microns} and {self.pixel}.")
        if not 16 <= self.side <= 1024:
            raise ValueError(f"`side` must be 16 to 1024 pixels, got {self.side}.")
        if not 1 <= self.n_slices <= MOST_SLICES:
            raise ValueError(f"`n_slices` must be 1 to {MOST_SLICES}, got {self.n_slices}.")
        for name, value, allowed in (
            ("treatment", self.treatment, ("auto", *MODALITIES)),
            ("window", self.window, tuple(CT_WINDOWS)),
            ("slices", self.slices, SLICE_CHOICES),
        ):
            if value not in allowed:
                raise ValueError(f"`{name}` must be one of {', '.join(allowed)}, got {value!r}.")
        if self.stains and not (self.colours and self.treatment == "histology"):
            raise ValueError("`stains` needs `colours` and the treatment 'histology'.")


_SLICE = re.compile(r"slice (\d+)(?: (.+))?")
_ARRAYS = ("spacing", "regions", "places", "sections", "patches")


@dataclass(frozen=True, eq=False)
class PatientImages:
    """``n`` patients (or spots of a tissue), each with an image and a row of a table.

    Parameters
    ----------
    images
        ``(n, c, H, W)`` float32, normalised (about zero mean and unit variance); ``c`` may be 0: omics alone.
    table
        The same ``n`` rows: features with their omics types, ids, labels, groups. A row whose values of one type are
        all NaN lacks that type.
    channels
        ``c`` names of the image's channels: sequences, stains, slices.
    spacing
        ``(n, 2)`` float32, height and width of a pixel in mm, NaN where unknown; None: unknown everywhere.
    regions
        ``(n, H, W)`` uint8, where a simulation or a mask knows what lies where: 0 is outside, ``k`` is
        ``region_names[k - 1]``.
    notes
        What to look at in the images.
    places, sections
        Of spots of a tissue: ``(n, 2)`` float32, x and y in pixels of the section's image, and ``(n,)`` str, which
        section a spot lies in.
    """

    images: np.ndarray
    table: Dataset
    channels: tuple[str, ...]
    spacing: np.ndarray | None = None
    regions: np.ndarray | None = None
    region_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    places: np.ndarray | None = None
    sections: np.ndarray | None = None
    patches: np.ndarray | None = None
    """``(n, s, 2)`` float32, of whole slides whose slices are patches: x and y of each patch's centre as shares of the
    slide's width and height; NaN for other images"""

    def __post_init__(self) -> None:
        n = self.table.n_samples
        if self.images.ndim != 4:
            raise InputError(f"{self.name}: images must be (n, channels, height, width), got {self.images.shape}.")
        if self.images.shape[1] != len(self.channels):
            raise InputError(f"{self.name}: {len(self.channels)} names for {self.images.shape[1]} channels.")
        for what, values in (
            ("images", self.images),
            ("spacings", self.spacing),
            ("region maps", self.regions),
            ("places", self.places),
            ("sections", self.sections),
            ("patches' places", self.patches),
        ):
            if values is not None and len(values) != n:
                raise InputError(f"{self.name}: {len(values)} {what} for {n} patients.")

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def n_samples(self) -> int:
        return self.table.n_samples

    @property
    def omics(self) -> np.ndarray:
        """``(p,)`` int64: the type of each feature, a code into ``table.omics_names``."""
        return np.zeros(self.table.n_features, np.int64) if self.table.omics is None else self.table.omics

    @cached_property
    def present(self) -> np.ndarray:
        """``(n, t)`` bool: whether a patient has any value of an omics type."""
        known = ~np.isnan(np.asarray(self.table.X))
        types = range(len(self.table.omics_names))
        return np.stack([known[:, self.omics == t].any(axis=1) for t in types], axis=1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of images, table and labels: the key of every cache and record."""
        h = hashlib.sha256(self.table.digest.encode())
        for a in (self.images, self.spacing, self.regions):
            h.update(b"-" if a is None else repr(a.shape).encode() + np.ascontiguousarray(a).tobytes())
        for a in (self.places, self.sections, self.patches):
            h.update(b"" if a is None else np.ascontiguousarray(a).tobytes())
        h.update(json.dumps([self.channels, self.region_names]).encode())
        return h.hexdigest()

    def take(self, rows: np.ndarray | Sequence[int]) -> PatientImages:
        """The same cohort with these patients only, in this order."""
        rows = np.asarray(rows)

        def part(a: np.ndarray | None) -> np.ndarray | None:
            return None if a is None else a[rows]

        return replace(
            self,
            images=self.images[rows],
            table=self.table.take(rows),
            spacing=part(self.spacing),
            regions=part(self.regions),
            places=part(self.places),
            sections=part(self.sections),
            patches=part(self.patches),
        )

    def of_classes(self, classes: Sequence[int]) -> PatientImages:
        """The patients of these classes (codes into ``table.classes``), numbered anew in this order."""
        y = self.table.y
        if y is None:
            raise InputError(f"{self.name} has no labels: choose a class to predict on the Data page.")
        if list(classes) == list(range(len(self.table.classes))):
            return self
        rows = np.flatnonzero(np.isin(y, np.asarray(classes, np.int64)))
        kept = self.take(rows)
        codes = np.array([list(classes).index(code) for code in y[rows]], np.int64)
        names = tuple(self.table.classes[code] for code in classes)
        return replace(kept, table=replace(kept.table, y=codes, classes=names))

    def save(self, path: str | Path | BinaryIO) -> None:
        """Write as one ``.npz`` (no pickle), images in half precision."""
        table = io.BytesIO()
        self.table.save(table)
        header = {"channels": self.channels, "region_names": self.region_names, "notes": self.notes}
        arrays = {k: a for k in _ARRAYS if (a := getattr(self, k)) is not None}
        arrays |= {"table": np.frombuffer(table.getvalue(), np.uint8), "images": self.images.astype(np.float16)}
        save_arrays(path, header, arrays)

    @classmethod
    def load(cls, path: str | Path | BinaryIO) -> PatientImages:
        """Read what :meth:`save` wrote; every array is held against its check sum.

        Raises :class:`InputError` for a damaged file.
        """
        damaged = "The stored cohort is damaged: load its files again."
        header, arrays = load_arrays(path, damaged)
        try:
            table = Dataset.load(io.BytesIO(arrays.pop("table").tobytes()))
            images = arrays.pop("images").astype(np.float32)
        except (KeyError, ValueError) as error:
            raise InputError(damaged) from error
        return decode(cls, {**header, **arrays, "table": table, "images": images})


def slices_of(channels: Sequence[str]) -> tuple[int, int]:
    """Slices of a picture, and channels of each: from names like "slice 2 flair"; else one slice of all channels."""
    found = [_SLICE.fullmatch(name) for name in channels]
    if not channels or not all(found):
        return 1, len(channels)
    numbers = [int(m[1]) for m in found if m is not None]
    count = len(set(numbers))
    each = len(channels) // count
    if numbers != [k for k in sorted(set(numbers)) for _ in range(each)]:
        return 1, len(channels)
    return count, each
