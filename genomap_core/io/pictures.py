"""A picture's pixels as a volume of one slice: colours, grey, 16 bits, TIFF of many channels. Runs in the child."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from genomap_core.data.message import Message
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images import UNREADABLE, check_image, check_tiff_chain
from genomap_core.io.kinds import find_kind
from genomap_core.io.limits import DEFAULT, Limits
from genomap_core.io.volume import Volume

MOST_CHANNELS = 32
_RGB = ("red", "green", "blue")


def read_picture(data: bytes, name: str, limits: Limits = DEFAULT) -> Volume:
    """PNG, JPEG, GIF or TIFF. Pages of a TIFF are channels; alpha is dropped, odd colours become RGB.

    Raises :class:`InputError` or :class:`RefusedError` as :func:`genomap_core.io.images.check_image` does.
    """
    tiff = find_kind(data[:4096]) == "tiff"
    try:
        facts = check_image(data, name, limits)
    except RefusedError:
        raise
    except InputError:  # Pillow knows no channels of more than 8 bits
        if not tiff:
            raise
        return _by_tifffile(data, limits)
    image: Image.Image = Image.open(io.BytesIO(data))
    pages = getattr(image, "n_frames", 1) if tiff else 1
    said = [
        m for m in facts.messages if m.code not in ("pages", "exif", "image-text") or (m.code == "pages" and not tiff)
    ]
    if pages == 1:
        return _volume(_plain(image), said)
    if pages > MOST_CHANNELS or pages * facts.width * facts.height > limits.pixels:
        raise RefusedError(f"The TIFF has {pages} pages; up to {MOST_CHANNELS} can be channels: give fewer.")
    planes = []
    for page in range(pages):
        image.seek(page)
        if image.size != (facts.width, facts.height):
            raise InputError("The TIFF's pages differ in size (an overview among them?): save the channels alone.")
        values = _plain(image)
        planes.append(values if values.ndim == 2 else values.mean(axis=2, dtype=np.float32))
    return _volume(np.stack(planes, axis=-1), said)


def _plain(image: Image.Image) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)``."""
    if image.mode in ("P", "1", "LA", "La", "PA", "CMYK", "YCbCr", "RGBA", "RGBa", "RGBX", "LAB", "HSV"):
        image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    return np.asarray(image)


def _volume(values: np.ndarray, said: list[Message]) -> Volume:
    names: tuple[str, ...] = ()
    if values.ndim == 3:
        colours = values.shape[2] == 3 and values.dtype == np.uint8
        names = _RGB if colours else tuple(f"channel {c + 1}" for c in range(values.shape[2]))
    return Volume(values[None], None, "", "picture", names, tuple(said))


def _by_tifffile(data: bytes, limits: Limits) -> Volume:
    import tifffile

    if data[2:4] in (b"*\0", b"\0*"):
        check_tiff_chain(data)
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            series = file.series[0]
            shape, axes = tuple(int(s) for s in series.shape), str(series.axes)
            if int(np.prod(shape)) > limits.pixels:
                raise RefusedError(f"The TIFF has {np.prod(shape):,} values, over the limit of {limits.pixels:,}.")
            values = np.asarray(series.asarray())
    except InputError:
        raise
    except (*UNREADABLE, tifffile.TiffFileError, MemoryError) as error:
        text = "The TIFF can't be decoded (damaged, or packed in a rare way): save it uncompressed."
        raise InputError(text) from error
    values = _channels_last(values, axes)
    if values.dtype.kind not in "buif" or values.shape[-1] > MOST_CHANNELS:
        raise InputError(f"The TIFF has {values.shape[-1]} channels of {values.dtype}: give up to {MOST_CHANNELS}.")
    return _volume(values[..., 0] if values.shape[-1] == 1 else values, [])


def _channels_last(values: np.ndarray, axes: str) -> np.ndarray:
    """``(H, W, c)``, whatever else than rows (Y) and columns (X) there is as channels."""
    if "Y" not in axes or "X" not in axes:
        raise InputError(f"The TIFF's axes are {axes}: save it with rows, columns and channels.")
    values = np.moveaxis(values, (axes.index("Y"), axes.index("X")), (0, 1))
    return values.reshape(*values.shape[:2], -1)
