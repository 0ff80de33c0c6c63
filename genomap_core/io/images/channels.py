"""A volume as the channels a network gets: slices chosen, intensities scaled, one size. Runs in the child process."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genomap_core.data.images.framing import choose_slices, fit_square
from genomap_core.data.images.intensity import CT_WINDOWS, Modality, normalised, padding, to_grey
from genomap_core.data.images.patients import ImagingOptions
from genomap_core.data.images.stain import find_stains, normalise_stains
from genomap_core.data.message import Message
from genomap_core.errors import InputError
from genomap_core.io.images.volume import Volume

_SMALLEST = 8
_AIR = -500
"""A NIfTI volume with values below is taken for CT: magnitudes of MR are not negative."""


@dataclass(frozen=True, eq=False)
class Picture:
    """``values (c, side, side)`` float32 with ``c`` names; ``pixel``: height and width of a pixel in mm."""

    values: np.ndarray
    channels: tuple[str, ...]
    pixel: float | None
    treatment: Modality
    messages: tuple[Message, ...]


def picture_of(volume: Volume, options: ImagingOptions) -> Picture:
    """Raises :class:`InputError` for images of a few pixels."""
    voxels = volume.voxels
    if min(voxels.shape[1:3]) < _SMALLEST:
        rows, columns = voxels.shape[1:3]
        raise InputError(f"The image has {columns} x {rows} pixels; at least {_SMALLEST} x {_SMALLEST} are needed.")
    treatment = _treatment(volume, options)
    chosen = choose_slices(voxels, options.slices, options.n_slices, treatment)
    planes, names = [], []
    for k, z in enumerate(chosen):
        values, own = _channels(voxels[z], volume.channels, options)
        planes.append(normalised(values, treatment, CT_WINDOWS[options.window]))
        names += [_name(own[c], k, len(chosen), len(own)) for c in range(len(own))]
    image = np.concatenate(planes)
    said = list(volume.messages)
    if float(np.ptp(image)) == 0.0:
        said.append(Message("warn", "constant-image", "All pixels of the image are alike: it shows nothing."))
    fitted, frame = fit_square(image, options.side, padding(image, treatment), volume.pixel)
    return Picture(fitted, tuple(names), frame.spacing, treatment, tuple(said))


def _treatment(volume: Volume, options: ImagingOptions) -> Modality:
    if options.treatment != "auto":
        return options.treatment
    if volume.kind == "nifti":
        return "ct" if float(volume.voxels.min()) < _AIR else "mr"
    return {"CT": "ct", "MR": "mr"}.get(volume.modality, "picture")  # type: ignore[return-value]


def _channels(
    values: np.ndarray, names: tuple[str, ...], options: ImagingOptions
) -> tuple[np.ndarray, tuple[str, ...]]:
    """``(H, W)`` or ``(H, W, c)`` -> ``(c, H, W)`` with names; red, green and blue that are alike are one grey."""
    if values.ndim == 2:
        return values[None], ("image",)
    if names != ("red", "green", "blue"):
        return np.moveaxis(values, 2, 0), names
    if not options.colours:
        return to_grey(values)[None], ("grey",)
    if (values == values[..., :1]).all():
        return np.moveaxis(values[..., :1], 2, 0), ("image",)
    if options.stains:
        values = normalise_stains(values, find_stains(values))
    return np.moveaxis(values, 2, 0), names


def _name(channel: str, k: int, n_slices: int, n_channels: int) -> str:
    if n_slices == 1:
        return channel
    return f"slice {k + 1}" if n_channels == 1 else f"slice {k + 1} {channel}"
