"""Patches of large tissue images, cut around spots. Runs in the child process; one whole image in memory at a time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from genomap_core.data.images.stain import Stains, find_stains, normalise_stains
from genomap_core.errors import InputError
from genomap_core.io.images.raster import read_picture
from genomap_core.io.images.slide import is_slide, open_slide
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.tables.h5ad import check_hdf5, open_hdf5

SLIDE = replace(DEFAULT, pixels=200_000_000, seconds=900.0)
"""Slides are larger than pictures: 200 million pixels take 1.5 GB here, within the child's memory."""
LEAST = 6
"""Pixels across a patch before it is resized."""


@dataclass(frozen=True, eq=False)
class Patches:
    """``values (n, side, side, 3)`` uint8, in the order asked for; ``edge``: how many reach beyond their image."""

    values: np.ndarray
    edge: int = 0
    places: np.ndarray | None = None
    """``(n, 2)`` x and y in pixels of the full image, where the file held them"""

    def save(self, folder: Path) -> None:
        """Write ``patches.npy`` and ``patches.json``."""
        np.save(folder / "patches.npy", self.values, allow_pickle=False)
        if self.places is not None:
            np.save(folder / "places.npy", self.places, allow_pickle=False)
        (folder / "patches.json").write_text(json.dumps({"edge": self.edge}))

    @classmethod
    def load(cls, folder: Path) -> Patches:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "patches.json").read_text())
        stored = folder / "places.npy"
        places = np.load(stored, allow_pickle=False) if stored.is_file() else None
        return cls(np.load(folder / "patches.npy", allow_pickle=False), header["edge"], places)


def patches_of(path: Path, *, progress: str | None = None, limits: FileLimits = SLIDE) -> Patches:
    """Cut what a JSON file asks for: ``images`` (each ``path``, ``centres (k, 2)`` of x and y in its pixels, and, where
    it has its own, ``patch``), ``patch`` and ``side`` in pixels, ``stains``."""
    asked = json.loads(path.read_text())
    found, edge = [], 0
    for k, one in enumerate(asked["images"]):
        if progress is not None:
            Path(progress).write_text(f"{k} {len(asked['images'])}")
        centres, patch = np.array(one["centres"]), one.get("patch", asked["patch"])
        if is_slide(Path(one["path"]), one["path"], limits):
            values, outside = _cut_regions(Path(one["path"]), centres, patch, asked["side"], asked["stains"])
        else:
            slide = _open_slide(Path(one["path"]), k, limits)
            values, outside = cut(slide, centres, patch, asked["side"], asked["stains"])
        found.append(values)
        edge += outside
    return Patches(np.concatenate(found), edge)


def visium_of(path: Path, *, asked: str, limits: FileLimits = SLIDE) -> Patches:
    """Patches around the spots of an AnnData file with ``uns["spatial"]`` and ``obsm["spatial"]``, all rows.

    ``asked``: JSON with ``patch`` (in pixels of the full image), ``side``, ``stains``.
    """
    options = json.loads(asked)
    with open_hdf5(path) as file:
        check_hdf5(file, limits)
        image, scale = _visium_image(file, limits)
        if "obsm" not in file or "spatial" not in file["obsm"]:
            raise InputError('The file has no obsm["spatial"]: the places of its spots are missing.')
        places = np.asarray(file["obsm"]["spatial"][:], np.float64)
    if places.ndim != 2 or places.shape[1] < 2 or not np.isfinite(places[:, :2]).all():
        raise InputError('obsm["spatial"] must hold x and y of every spot.')
    patch = options["patch"] * scale
    if patch < LEAST:
        text = f"A patch of {options['patch']} pixels is {patch:.1f} pixels of the stored image (scale {scale:.3g})"
        raise InputError(f"{text}: choose a larger patch, at least {int(np.ceil(LEAST / scale))} pixels.")
    values, edge = cut(image, places[:, :2] * scale, patch, options["side"], options["stains"])
    return Patches(values, edge, places[:, :2])


def _visium_image(file: h5py.File, limits: FileLimits) -> tuple[Image.Image, float]:
    """The largest stored image of the one library, and its pixels for each pixel of the full image."""
    spatial = file.get("uns/spatial", {})
    if len(spatial) != 1:
        what = "no image of the tissue" if not len(spatial) else f"{len(spatial)} libraries"
        raise InputError(f'The file\'s uns["spatial"] holds {what}: save one section with its image.')
    (library,) = spatial.values()
    for kind in ("hires", "lowres"):
        factor = f"scalefactors/tissue_{kind}_scalef"
        if f"images/{kind}" in library and factor in library:
            values = library[f"images/{kind}"]
            if values.ndim != 3 or values.shape[2] < 3 or values.shape[0] * values.shape[1] > limits.pixels:
                raise InputError(f"The image {kind} is {values.shape}, not height x width x 3 within the limits.")
            pixels = np.asarray(values[..., :3])
            if pixels.dtype.kind == "f":
                pixels = np.clip(pixels * (255 if float(pixels.max()) <= 1.0 else 1), 0, 255)
            return Image.fromarray(pixels.astype(np.uint8)), float(np.ravel(library[factor][()])[0])
    raise InputError('uns["spatial"] has no image "hires" or "lowres" with its scale factor.')


def _cut_regions(path: Path, centres: np.ndarray, patch: float, side: int, stains: bool) -> tuple[np.ndarray, int]:
    """:func:`cut` from a slide too large to be held, region by region."""
    out, edge = np.empty((len(centres), side, side, 3), np.uint8), 0
    with open_slide(path) as slide:
        level = slide.level_for(patch / side)
        scale, found = slide.scale(level), find_stains(slide.overview(1024)) if stains else None
        across = max(round(patch / scale), 1)
        for k, (x, y) in enumerate(centres):
            left, top = round(x / scale - across / 2), round(y / scale - across / 2)
            edge += bool(min(x, y) < patch / 2 or x > slide.size[0] - patch / 2 or y > slide.size[1] - patch / 2)
            piece = Image.fromarray(slide.region(level, left, top, across, across))
            out[k] = _painted(np.asarray(piece.resize((side, side), Image.Resampling.BILINEAR)), found)
    return out, edge


def _open_slide(path: Path, number: int, limits: FileLimits) -> Image.Image:
    try:
        volume = read_picture(path.read_bytes(), path.name, limits)
    except InputError as error:
        raise type(error)(f"Image of section {number + 1}: {error}") from error
    if any(m.code == "turned" for m in volume.messages):
        text = "its EXIF orientation turns it, so that places in its pixels mean two things: save it upright, untagged."
        raise InputError(f"Image of section {number + 1}: {text}")
    return Image.fromarray(_colours(volume.voxels[0], number))


def _colours(values: np.ndarray, number: int) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)`` of any number type -> ``(H, W, 3)`` uint8; deeper ones up to their highest value."""
    if values.ndim == 2:
        values = np.broadcast_to(values[..., None], (*values.shape, 3))
    if values.shape[2] != 3:
        raise InputError(f"Image of section {number + 1} has {values.shape[2]} channels: give red, green and blue.")
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    low, high = min(float(values.min()), 0.0), float(values.max())
    return ((values - low) * (255 / max(high - low, 1e-9))).round().astype(np.uint8)


def cut(
    slide: Image.Image, centres: np.ndarray, patch: float, side: int, stains: bool = False
) -> tuple[np.ndarray, int]:
    """``(k, side, side, 3)`` uint8 around ``centres (k, 2)``, and how many reach beyond the image (filled with white).

    ``patch``: side in the slide's pixels. ``stains``: those of the whole slide brought to standard colours.
    """
    found = find_stains(np.asarray(slide.reduce(8))) if stains else None
    out = np.full((len(centres), side, side, 3), 255, np.uint8)
    edge = 0
    for k, (x, y) in enumerate(centres):
        left, top, right, bottom = (
            round(float(v)) for v in (x - patch / 2, y - patch / 2, x + patch / 2, y + patch / 2)
        )
        inside = (max(left, 0), max(top, 0), min(right, slide.width), min(bottom, slide.height))
        piece = Image.new("RGB", (max(right - left, 1), max(bottom - top, 1)), (255, 255, 255))
        if inside[0] < inside[2] and inside[1] < inside[3]:
            piece.paste(slide.crop(inside), (inside[0] - left, inside[1] - top))
        edge += inside != (left, top, right, bottom)
        values = np.asarray(piece.resize((side, side), Image.Resampling.BILINEAR))
        out[k] = _painted(values, found)
    return out, edge


def _painted(values: np.ndarray, stains: Stains | None) -> np.ndarray:
    return values if stains is None else normalise_stains(values, stains)
