"""Pictures (PNG, JPEG, GIF, TIFF): header first, then the pixels as a volume of one slice. Runs in the child."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from genomap_core.data.message import Message, plural
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.volume import Volume, reduce_to_float32
from genomap_core.io.kinds import IMAGE_SUFFIXES, NAMES, find_kind, told
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

FORMATS = {"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "tiff": "TIFF"}

_ORIENTATION = 274
_TURNS: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.swapaxes(0, 1)[::-1, ::-1],
    8: lambda a: np.rot90(a),
}
"""The tag's values of TIFF and EXIF -> how pixels ``(H, W)`` or ``(H, W, c)`` come upright."""
_EXIF_TAGS = {34665, 34853}
"""Of a TIFF: where EXIF and GPS data lie."""
_TEXT_TAGS = {270, 315, 316, 33432}
"""Of a TIFF: description, artist, host, copyright."""
_SMALLEST = 8
UNREADABLE = (
    *(ValueError, OSError, SyntaxError, TypeError, KeyError, IndexError, EOFError, OverflowError, AttributeError),
    *(struct.error, zlib.error, RuntimeError, ZeroDivisionError, AssertionError),
)
"""What Pillow raises for damaged files."""
_MOST_PAGES = 500
_TURNED = "The image's EXIF orientation says how the camera was held: it is turned upright."
_ALPHA = "The image has an alpha channel (transparency): it is dropped."
_DAMAGED = "The image is damaged: {}. Export or download it again."


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What an image is: ``width`` x ``height`` pixels, Pillow's ``mode``, and what there is to say."""

    width: int
    height: int
    mode: str
    messages: tuple[Message, ...]


def check_image_file(path: Path, *, name: str, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one image file, its size and kind among them. Raises where it can't or must not be opened."""
    with path.open("rb") as file:
        kind = find_kind(file.read(4096))
    if kind == "tiff":
        from genomap_core.io.images.slide import check_slide, is_slide

        if is_slide(path, name, limits):
            return check_slide(path, name=name)
    data = path.read_bytes()
    facts = check_picture(data, name, limits)
    size = Message("ok", "content", f"{FORMATS[kind]} image, {facts.width} x {facts.height} pixels, {facts.mode}.")
    return (size, *facts.messages)


def check_picture(data: bytes, name: str, limits: FileLimits = DEFAULT) -> ImageFacts:
    """:func:`check_image`, and what :func:`read_picture` says of the same pixels: whatever it refuses is refused."""
    try:
        facts = check_image(data, name, limits)
    except RefusedError:
        raise
    except InputError:
        if find_kind(data[:4096]) != "tiff":
            raise
        return _facts_of(read_picture(data, name, limits))
    known = {message.code for message in facts.messages}
    further = (m for m in read_picture(data, name, limits).messages if m.code not in known)
    return replace(facts, messages=(*facts.messages, *further))


def _facts_of(volume: Volume) -> ImageFacts:
    """Of what Pillow does not decode."""
    rows, columns = volume.voxels.shape[1:3]
    return ImageFacts(columns, rows, str(volume.voxels.dtype), volume.messages)


def check_image(data: bytes, name: str, limits: FileLimits = DEFAULT) -> ImageFacts:
    """Look at an image's header, and read its pixels when the header is within the limits."""
    return open_image(data, name, limits)[0]


def open_image(data: bytes, name: str, limits: FileLimits = DEFAULT) -> tuple[ImageFacts, Image.Image]:
    """:func:`check_image`, and the image itself, its first page or frame loaded."""
    kind = find_kind(data[:4096])
    if kind not in FORMATS:
        raise InputError(f"The file is {told(data[:4096], name)}")
    if kind == "tiff" and data[2:4] in (b"*\0", b"\0*"):
        check_tiff_chain(data)
    Image.MAX_IMAGE_PIXELS = None  # of the first picture we count the pixels ourselves, before they are read
    try:
        with warnings.catch_warnings(action="ignore"):
            image: Image.Image = Image.open(io.BytesIO(data), formats=[FORMATS[kind]])
            return _look(image, data, kind, name, limits), image
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise RefusedError(
            f"A frame of the image has over {limits.pixels:,} pixels: give the first one only."
        ) from error
    except UNREADABLE as error:
        raise _translated(error) from error


def _look(image: Image.Image, data: bytes, kind: str, name: str, limits: FileLimits) -> ImageFacts:
    width, height = image.size
    if kind == "tiff" and _is_beyond_pillow(image):
        raise InputError(_DAMAGED.format("its channels do not lie as usual"))  # whoever reads it tries tifffile then
    if width * height > limits.pixels:
        raise RefusedError(
            f"The image has {width:,} x {height:,} pixels, over the limit of {limits.pixels:,}: "
            "scale it down or cut it into tiles."
        )
    Image.MAX_IMAGE_PIXELS = limits.pixels // 2  # Pillow refuses twice as much: a later frame may enlarge the picture
    said = _messages_on_form(image, data, kind, name, _count_pages(image))
    image.load()
    values = np.asarray(image)
    if min(width, height) < _SMALLEST:
        size = f"{width} x {height}"
        raise InputError(f"The image has {size} pixels; at least {_SMALLEST} x {_SMALLEST} are needed.")
    if values.min() == values.max():
        said.append(Message("warn", "constant-image", f"The image is constant: all its pixels are {values.flat[0]}."))
    return ImageFacts(width, height, image.mode, tuple(said))


def _is_beyond_pillow(image: Image.Image) -> bool:
    """Whether Pillow would misread a TIFF: it takes the first of planes that lie apart, and swaps no bytes of packed
    numbers that are written the other way round."""
    tags: Any = getattr(image, "tag_v2", {})
    samples, bits = tags.get(277, 1), max(tags.get(258, (1,)))
    apart = samples > 1 and (tags.get(284, 1) == 2 or samples not in (3, 4) or bits != 8)
    return apart or (bits > 8 and tags.get(259, 1) != 1 and tags.prefix == b"MM")


def _translated(error: BaseException) -> InputError:
    """Pillow's errors in our words; its texts may quote the file."""
    if "Decompressed data too large" in str(error) or "too much memory" in str(error).lower():
        return RefusedError("A text inside the image unpacks to more than the limit of 1 MB: export it without.")
    if "truncated" in str(error).lower():
        return InputError(_DAMAGED.format("it is truncated, its end is missing"))
    return InputError(_DAMAGED.format("its header or its pixels can't be decoded"))


def _count_pages(image: Image.Image) -> int:
    """Pages of a TIFF or frames of a GIF; too many are an error."""
    pages = 1
    try:
        while True:
            image.seek(pages)
            pages += 1
            if pages > _MOST_PAGES:
                raise InputError(_DAMAGED.format(f"it has more than {_MOST_PAGES} pages"))
    except EOFError:
        image.seek(0)
    return pages


def check_tiff_chain(data: bytes) -> None:
    """Every page of a TIFF names the next one: a chain that comes back is an error (Pillow stops there silently)."""
    order = "<" if data[:2] == b"II" else ">"
    seen: set[int] = set()
    try:
        at = struct.unpack_from(f"{order}I", data, 4)[0]
        while at:
            if at in seen or len(seen) > _MOST_PAGES:
                raise InputError(_DAMAGED.format(f"its list of pages is a loop or longer than {_MOST_PAGES}"))
            seen.add(at)
            entries = struct.unpack_from(f"{order}H", data, at)[0]
            at = struct.unpack_from(f"{order}I", data, at + 2 + 12 * entries)[0]
    except struct.error as error:
        raise InputError(_DAMAGED.format("its list of pages leads out of the file")) from error


def _messages_on_form(image: Image.Image, data: bytes, kind: str, name: str, pages: int) -> list[Message]:
    """On everything that will be changed, or left out, when the image is used."""
    said: list[Message] = []
    expected = IMAGE_SUFFIXES.get(Path(name.lower()).suffix)
    if expected and expected != kind:
        text = f"The file is named {Path(name).suffix} but is {NAMES[kind]} ({kind}): read by its content."
        said.append(Message("warn", "other-format", text, remedy="Rename it."))
    if pages > 1:
        noun = "frame" if kind == "gif" else "page"
        said.append(Message("warn", "pages", f"The image has {plural(pages, noun)}: the first {noun} is used."))
    if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
        said.append(Message("warn", "colours", f"The colours are {image.mode}: they are converted to RGB."))
    if kind == "png" and data[24:26] in _DEEP:
        text = "The image has 16 bits in each of several channels: the upper 8 of them are read."
        said.append(Message("warn", "depth", text, remedy="Save it as TIFF to keep all of them."))
    if image.mode in ("RGBA", "LA", "PA", "RGBa"):
        said.append(Message("warn", "alpha", _ALPHA))
    tags = image.getexif()
    if tags.get(_ORIENTATION, 1) in _TURNS:
        said.append(Message("ok", "turned", _TURNED))
    if tags if kind != "tiff" else _EXIF_TAGS & set(tags):
        text = "The image carries EXIF data (camera, time, perhaps place and persons): never stored or exported."
        said.append(Message("warn", "exif", text, remedy="Remove it before you pass the file on."))
    if getattr(image, "text", None) or image.info.get("comment") or (kind == "tiff" and _TEXT_TAGS & set(tags)):
        text = "The image carries texts, which may identify persons: never stored or exported."
        said.append(Message("warn", "image-text", text))
    if kind == "png" and (rest := _behind_end(data)):
        text = f"{rest:,} bytes follow the image's end (another file may be hidden there): only the image is used."
        said.append(Message("warn", "trailing-bytes", text))
    return said


_DEEP = (b"\x10\x02", b"\x10\x04", b"\x10\x06")
"""Depth and colour type in a PNG's header, of which Pillow keeps 8 bits"""


def _behind_end(data: bytes) -> int:
    """Bytes behind a PNG's last chunk."""
    at = 8
    while at + 12 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        at += 12 + length
        if kind == b"IEND":
            return max(len(data) - at, 0)
    return 0


MOST_CHANNELS = 32
_RGB = ("red", "green", "blue")


def read_picture(data: bytes, name: str, limits: FileLimits = DEFAULT) -> Volume:
    """PNG, JPEG, GIF or TIFF. Pages of a TIFF are channels; alpha is dropped, odd colours become RGB.

    Raises :class:`InputError` or :class:`RefusedError` as :func:`genomap_core.io.images.raster.check_image` does.
    """
    tiff = find_kind(data[:4096]) == "tiff"
    try:
        facts, image = open_image(data, name, limits)
    except RefusedError:
        raise
    except InputError:  # Pillow knows no channels of more than 8 bits
        if not tiff:
            raise
        return _by_tifffile(data, limits)
    pages = getattr(image, "n_frames", 1) if tiff else 1
    said = [
        m for m in facts.messages if m.code not in ("pages", "exif", "image-text") or (m.code == "pages" and not tiff)
    ]
    if pages == 1:
        return _volume(plain_pixels(image), said)
    if pages > MOST_CHANNELS or pages * facts.width * facts.height > limits.pixels:
        raise RefusedError(f"The TIFF has {pages} pages; up to {MOST_CHANNELS} can be channels: give fewer.")
    planes: list[np.ndarray] = []
    for page in range(pages):
        image.seek(page)
        values = plain_pixels(image)
        if planes and values.shape[:2] != planes[0].shape:
            raise InputError("The TIFF's pages differ in size (an overview among them?): save the channels alone.")
        planes.append(values if values.ndim == 2 else values.mean(axis=2, dtype=np.float32))
    said.append(Message("ok", "pages-as-channels", f"The TIFF has {pages} pages (frames): each is taken as a channel."))
    return _volume(np.stack(planes, axis=-1), said)


def shown_pixels(data: bytes, name: str, limits: FileLimits = DEFAULT) -> tuple[np.ndarray, ImageFacts]:
    """One picture to be looked at: ``(H, W)`` or ``(H, W, c)`` of its first page or frame, upright, as stored.

    Transparency is kept as a fourth channel. Raises as :func:`read_picture` does.
    """
    try:
        facts, image = open_image(data, name, limits)
    except RefusedError:
        raise
    except InputError:
        if find_kind(data[:4096]) != "tiff":
            raise
        volume = _by_tifffile(data, limits)
        return volume.voxels[0], _facts_of(volume)
    return plain_pixels(image, keep_alpha=True), facts


def plain_pixels(image: Image.Image, keep_alpha: bool = False) -> np.ndarray:
    """``(H, W)`` or ``(H, W, 3)`` (4 with alpha): upright, bright where the image is, numbers as a TIFF says."""
    if keep_alpha and ("transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBa")):
        image = image.convert("RGBA")
    tags = getattr(image, "tag_v2", {})
    photometric, sign, bits = tags.get(262), tags.get(339, (1,))[0], tags.get(258, (8,))[0]
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode not in ("L", "I", "F", "RGB", "RGBA" if keep_alpha else "RGB") and image.mode[:2] != "I;":
        image = image.convert("L" if image.mode in ("1", "LA", "La") else "RGB")
    values = np.asarray(image)
    if image.mode == "I" and sign == 1 and bits == 32:  # Pillow knows signed ones only
        values = values.view(np.uint32)
    elif image.mode == "L" and sign == 2:
        values = values.view(np.int8).astype(np.int16)
    return _inverted(values) if photometric == 0 and bits > 8 else values


def _inverted(values: np.ndarray) -> np.ndarray:
    """Of an image whose white is stored as the lowest value (MinIsWhite)."""
    if values.dtype.itemsize >= 4 and values.dtype.kind in "ui":
        return -values.astype(np.float64)  # ~ would lift small numbers to where float32 is coarse
    return -values if values.dtype.kind == "f" else ~values


def _volume(values: np.ndarray, said: list[Message]) -> Volume:
    names: tuple[str, ...] = ()
    if values.ndim == 3:
        colours = values.shape[2] == 3 and values.dtype == np.uint8
        names = _RGB if colours else tuple(f"channel {c + 1}" for c in range(values.shape[2]))
    if values.dtype.kind == "f" or values.dtype.itemsize > 2:
        values, changed = reduce_to_float32(values)
        said = [*said, *changed]
    return Volume(values[None], None, "", "picture", names, tuple(said))


def _by_tifffile(data: bytes, limits: FileLimits) -> Volume:
    import tifffile

    if data[2:4] in (b"*\0", b"\0*"):
        check_tiff_chain(data)
    said = []
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            series, page = file.series[0], file.series[0].keyframe
            if len(file.series) > 1:
                text = f"The TIFF holds {len(file.series)} images of different sizes: the first one is used."
                said.append(Message("warn", "pages", text))
            shape, axes = tuple(int(s) for s in series.shape), str(series.axes)
            if page.bitspersample == 1 and page.samplesperpixel > 1:
                raise InputError("The TIFF has one bit in each of several channels: save it with 8 bits.")
            if page.photometric not in (0, 1, 2):
                kind = getattr(page.photometric, "name", page.photometric)
                raise InputError(f"The TIFF's colours are of a kind that is not read ({kind}): save it as RGB or grey.")
            if int(np.prod(shape)) > limits.pixels:
                raise RefusedError(f"The TIFF has {np.prod(shape):,} values, over the limit of {limits.pixels:,}.")
            values = np.asarray(series.asarray())
            turn, photometric = _TURNS.get(int(page.tags.valueof(_ORIENTATION, 1))), int(page.photometric)
    except InputError:
        raise
    except (*UNREADABLE, tifffile.TiffFileError, MemoryError) as error:
        text = "The TIFF can't be decoded (damaged, cut off, or packed in a rare way): save it uncompressed."
        raise InputError(text) from error
    if kinds := [f"{axis} {n}" for axis, n in zip(axes, shape) if axis not in "YXSC" and n > 1]:
        text = f"The TIFF holds more than one frame ({', '.join(kinds)}): each is taken as a channel."
        said.append(Message("ok", "pages-as-channels", text))
    values = _channels_last(values, axes)
    values = values * np.uint8(255) if values.dtype.kind == "b" else values
    if values.dtype.kind not in "buif" or values.shape[-1] > MOST_CHANNELS:
        raise InputError(f"The TIFF has {values.shape[-1]} channels of {values.dtype}: give up to {MOST_CHANNELS}.")
    values = _inverted(values) if photometric == 0 and values.dtype.kind in "uif" else values
    if photometric == 2 and values.shape[-1] == 4:
        values = values[..., :3]
        said.append(Message("warn", "alpha", _ALPHA))
    if turn:
        values = turn(values)
        said.append(Message("ok", "turned", _TURNED))
    return _volume(values[..., 0] if values.shape[-1] == 1 else values, said)


def _channels_last(values: np.ndarray, axes: str) -> np.ndarray:
    """``(H, W, c)``, whatever else than rows (Y) and columns (X) there is as channels."""
    if "Y" not in axes or "X" not in axes:
        raise InputError(f"The TIFF's axes are {axes}: save it with rows, columns and channels.")
    values = np.moveaxis(values, (axes.index("Y"), axes.index("X")), (0, 1))
    return values.reshape(*values.shape[:2], -1)
