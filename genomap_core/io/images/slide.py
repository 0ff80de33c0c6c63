"""Whole slides (SVS, NDPI, pyramidal and OME-TIFF), region by region: few tiles in memory at a time. Runs in the child.

tifffile finds the pages and where their tiles lie; each tile is decoded by itself with Pillow, as a TIFF of one strip
(libtiff knows LZW, deflate and JPEG with shared tables) or as a JPEG 2000 code stream. No text of the file is kept.
"""

from __future__ import annotations

import io
import json
import re
import struct
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from PIL import Image

from genomap_core.data.images.intensity import otsu_threshold
from genomap_core.data.images.stain import find_stains, normalise_stains
from genomap_core.data.message import Message, plural
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.raster import UNREADABLE
from genomap_core.io.kinds import SLIDES
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

SLIDE_FILE = replace(DEFAULT, file=32 << 30, memory=2 << 30, seconds=900.0)
"""A slide may be large: what is read of it at a time is not."""
MOST_PATCHES = 4096
_OVERVIEW, _THUMBNAIL = 2048, 640
"""Longest sides in pixels of the picture in which tissue is sought, and of the one to draw on"""
_LARGEST_TILE = 1 << 26
_MOST_WITHOUT_PYRAMID = 4_000_000_000
_KEPT_TILES = 32
_JPEG_2000 = (33003, 33004, 33005, 34712)
_ALIKE = 0.02
"""Levels of a pyramid differ by no more in their aspect; labels and macro pictures do"""
_MICRONS = (0.02, 50.0)
"""Sizes of a pixel in micrometres that are believed"""
_LEAST_COLOUR = 12.0
"""Difference of the strongest and the weakest colour, of 255, below which nothing counts as tissue"""


@dataclass(frozen=True, slots=True)
class SlideOptions:
    """How patches are cut from a slide.

    Parameters
    ----------
    side
        Of a patch, in pixels as a network sees it.
    microns
        Micrometres that each of these pixels spans: .5 is 20x.
    most
        Patches of one slide; where more hold tissue, so many are drawn at random with ``seed``.
    pixel
        Micrometres of the slide's own pixels, where its file does not say.
    tissue
        Share of a patch that must be tissue.
    stains
        Bring haematoxylin and eosin of each slide to standard colours (Macenko).
    """

    side: int = 64
    microns: float = 0.5
    most: int = 256
    pixel: float | None = None
    tissue: float = 0.5
    stains: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (("side", 16, 512), ("microns", 0.1, 50), ("most", 1, MOST_PATCHES), ("tissue", 0, 1)):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"`{name}` must be {low} to {high}, got {getattr(self, name)}.")
        if self.pixel is not None and not _MICRONS[0] <= self.pixel <= _MICRONS[1]:
            raise ValueError(f"`pixel` must be {_MICRONS[0]} to {_MICRONS[1]} micrometres, got {self.pixel}.")


@dataclass(frozen=True, eq=False)
class SlidePatches:
    """What was cut from one slide.

    ``values (p, side, side, 3)`` uint8; ``places (p, 2)`` float32, x and y of the patches' centres in pixels of the
    slide, whose ``size`` is width and height; ``span``: pixels of the slide across a patch; ``thumbnail (h, w, 3)``
    uint8 of the whole slide; ``found``: places on the grid that hold tissue.
    """

    values: np.ndarray
    places: np.ndarray
    thumbnail: np.ndarray
    size: tuple[int, int]
    span: float
    found: int
    messages: tuple[Message, ...] = ()

    def save(self, folder: Path) -> None:
        """Write the arrays and ``slide.json``."""
        for name in ("values", "places", "thumbnail"):
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        header = {"size": self.size, "span": self.span, "found": self.found}
        header["messages"] = [asdict(message) for message in self.messages]
        (folder / "slide.json").write_text(json.dumps(header))

    @classmethod
    def load(cls, folder: Path) -> SlidePatches:
        """Read what :meth:`save` wrote."""
        header = json.loads((folder / "slide.json").read_text())
        values, places, thumbnail = (
            np.load(folder / f"{name}.npy", allow_pickle=False) for name in ("values", "places", "thumbnail")
        )
        said = tuple(Message(**fields) for fields in header["messages"])
        width, height = header["size"]
        return cls(values, places, thumbnail, (width, height), header["span"], header["found"], said)


class Slide:
    """An open slide: ``levels`` from the finest to the coarsest, ``pixel`` in micrometres or None."""

    def __init__(self, file: BinaryIO, levels: list[tifffile.TiffPage], pixel: float | None) -> None:
        self.levels, self.pixel = levels, pixel
        self._file = file
        self._tiles: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the finest level."""
        return int(self.levels[0].imagewidth), int(self.levels[0].imagelength)

    def scale(self, level: int) -> float:
        """Pixels of the finest level across one of this."""
        return self.size[0] / float(self.levels[level].imagewidth)

    def level_for(self, scale: float) -> int:
        """The coarsest level that is not coarser than ``scale`` pixels of the finest across one of it."""
        return max((k for k in range(len(self.levels)) if self.scale(k) <= scale * 1.01), key=self.scale, default=0)

    def region(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        """``(height, width, 3)`` uint8 of a level, in its pixels; white beyond the slide."""
        out = np.full((height, width, 3), 255, np.uint8)
        page = self.levels[level]
        across, down = _tile_size(page)
        columns = -(-page.imagewidth // across)
        rows = range(max(top, 0) // down, -(-min(top + height, page.imagelength) // down))
        for row in rows:
            for column in range(max(left, 0) // across, -(-min(left + width, page.imagewidth) // across)):
                tile = self._tile(level, row * columns + column)
                y, x = row * down, column * across
                tile = tile[: page.imagelength - y, : page.imagewidth - x]
                a, b = max(top, y), min(top + height, y + tile.shape[0])
                c, d = max(left, x), min(left + width, x + tile.shape[1])
                out[a - top : b - top, c - left : d - left] = tile[a - y : b - y, c - x : d - x]
        return out

    def overview(self, longest: int) -> np.ndarray:
        """``(h, w, 3)`` uint8: the whole slide, its longest side at most ``longest``; tile row by tile row."""
        want = max(self.size) / longest
        level = self.level_for(want)
        page, step = self.levels[level], max(1, int(np.ceil(want / self.scale(level))))
        if len(self.levels) == 1 and page.imagewidth * page.imagelength > _MOST_WITHOUT_PYRAMID:
            raise RefusedError("The slide has no smaller levels and is too large without: save it as a pyramid.")
        down = -(-_tile_size(page)[1] // step) * step
        bands = []
        for top in range(0, page.imagelength, down):
            rows = min(down, page.imagelength - top)
            band = self.region(level, 0, top, page.imagewidth, rows)
            bands.append(np.asarray(Image.fromarray(band).reduce(step)))
        return np.concatenate(bands)

    def _tile(self, level: int, number: int) -> np.ndarray:
        """``(h, w, 3)`` of one tile or strip; the last few are kept."""
        key = level, number
        if key not in self._tiles:
            self._tiles[key] = _decoded(self._file, self.levels[level], number)
            if len(self._tiles) > _KEPT_TILES:
                self._tiles.popitem(last=False)
        self._tiles.move_to_end(key)
        return self._tiles[key]


def _tile_size(page: tifffile.TiffPage) -> tuple[int, int]:
    """Width and height of a tile; of a strip as wide as the page."""
    if page.is_tiled:
        return int(page.tilewidth), int(page.tilelength)
    return int(page.imagewidth), int(min(page.rowsperstrip or page.imagelength, page.imagelength))


def _decoded(file: BinaryIO, page: tifffile.TiffPage, number: int) -> np.ndarray:
    width, height = _tile_size(page)
    if not page.is_tiled:
        height = min(height, page.imagelength - number * height)
    offset, count = page.dataoffsets[number], page.databytecounts[number]
    if not count:  # scanners leave empty glass out
        return np.full((height, width, 3), 255, np.uint8)
    file.seek(offset)
    data = file.read(count)
    try:
        if page.compression in _JPEG_2000:
            image: Image.Image = Image.open(io.BytesIO(data), formats=["JPEG2000"])
            if page.compression == 33003:
                image = Image.merge("YCbCr", image.convert("RGB").split())
        else:
            image = Image.open(io.BytesIO(_one_strip(page, data, width, height)), formats=["TIFF"])
        return np.asarray(image.convert("RGB"))
    except UNREADABLE as error:
        text = f"Tile {number + 1} of the slide can't be decoded: it is damaged, or packed in a rare way."
        raise InputError(f"{text} Save it as pyramidal TIFF with JPEG tiles (QuPath, vips).") from error


def _one_strip(page: tifffile.TiffPage, data: bytes, width: int, height: int) -> bytes:
    """A tile's bytes as a TIFF file of one strip."""
    bits = (8,) * page.samplesperpixel
    tags: dict[int, tuple[str, Any]] = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", bits),
        259: ("H", (int(page.compression),)),
        262: ("H", (int(page.photometric),)),
        273: ("I", (0,)),
        277: ("H", (page.samplesperpixel,)),
        278: ("I", (height,)),
        279: ("I", (len(data),)),
        284: ("H", (1,)),
    }
    if page.predictor not in (None, 1):
        tags[317] = "H", (int(page.predictor),)
    if page.jpegtables:
        tags[347] = "B", tuple(page.jpegtables)
    if page.samplesperpixel == 4:
        tags[338] = "H", (2,)
    if subsampling := page.tags.valueof(530):
        tags[530] = "H", tuple(subsampling)
    behind = 8 + 2 + 12 * len(tags) + 4
    extra = b""
    kinds = {"H": 3, "I": 4, "B": 7}
    where, entries = {}, []
    for tag, (code, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{code}", *values)
        if len(packed) > 4:
            where[tag] = behind + len(extra)
            extra += packed + bytes(len(packed) % 2)
            packed = struct.pack("<I", where[tag])
        entries.append((tag, kinds[code], len(values), packed.ljust(4, b"\0")))
    start = behind + len(extra)
    body = b"".join(
        struct.pack("<HHI", tag, kind, count) + (struct.pack("<I", start) if tag == 273 else packed)
        for tag, kind, count, packed in entries
    )
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + bytes(4) + extra + data


@contextmanager
def open_slide(path: Path) -> Iterator[Slide]:
    """Open a slide.

    Raises :class:`InputError` for what is no TIFF of 8-bit colours, or is damaged.
    """
    try:
        with tifffile.TiffFile(path) as tiff, path.open("rb") as file:
            levels = _levels(tiff)
            yield Slide(file, levels, _microns(levels[0], tiff))
    except InputError:
        raise
    except (*UNREADABLE, tifffile.TiffFileError) as error:
        text = "The slide can't be opened as a TIFF: it is damaged or of another format."
        raise InputError(f"{text} Save it as pyramidal TIFF (QuPath, vips).") from error


def _levels(tiff: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """Pages of one picture, the largest first; labels, macro pictures and thumbnails of another aspect are none."""
    pages = [page for page in tiff.pages if isinstance(page, tifffile.TiffPage)]
    if not pages:
        raise InputError("The slide holds no picture.")
    main = max(pages, key=lambda page: page.imagewidth * page.imagelength)
    pages += [page for page in (main.pages or ()) if isinstance(page, tifffile.TiffPage)]
    found = {main.imagewidth: main}
    aspect = main.imagewidth / main.imagelength
    for page in pages:
        alike = abs(page.imagewidth / page.imagelength / aspect - 1) <= _ALIKE + 2 / min(page.shape[:2])
        if alike and _usable(page) and page.is_tiled == main.is_tiled:
            found.setdefault(page.imagewidth, page)
    if not _usable(main):
        raise InputError("The slide's pixels are no 8-bit colours, or its tiles too large: save it as RGB, tiled.")
    return [found[width] for width in sorted(found, reverse=True)]


def _usable(page: tifffile.TiffPage) -> bool:
    across, down = _tile_size(page)
    forms = page.bitspersample == 8 and page.samplesperpixel in (1, 3, 4) and page.planarconfig == 1
    return bool(forms and page.sampleformat == 1 and across * down <= _LARGEST_TILE and min(page.shape[:2]) > 1)


def _microns(page: tifffile.TiffPage, tiff: tifffile.TiffFile) -> float | None:
    """Micrometres of a pixel: as Aperio, OME or the TIFF's resolution say; None where none is credible."""
    text = str(page.description or "")[: 1 << 20]
    found = re.search(r"\bMPP\s*=\s*([\d.]+)", text) or re.search(r'PhysicalSizeX="([\d.]+)"', text)
    if found:
        unit = {"nm": 1e-3, "mm": 1e3, "cm": 1e4}
        given = re.search(r'PhysicalSizeXUnit="(\w+)"', text)
        pixel = float(found[1]) * (unit.get(given[1], 1.0) if given else 1.0)
    else:
        per = page.tags.valueof(282)
        unit_length = {2: 25_400.0, 3: 10_000.0}.get(int(page.tags.valueof(296, 0)))
        if not per or unit_length is None or not per[0]:
            return None
        pixel = unit_length * per[1] / per[0]
    return pixel if _MICRONS[0] <= pixel <= _MICRONS[1] else None


def is_slide(path: Path, name: str, limits: FileLimits = DEFAULT) -> bool:
    """Whether a TIFF is a slide: named so, or larger than a picture may be, with smaller levels or tiles."""
    if name.lower().endswith(SLIDES):
        return True
    try:
        with tifffile.TiffFile(path) as tiff:
            page = tiff.pages.first
            return bool(page.imagewidth * page.imagelength > limits.pixels and (page.is_tiled or len(tiff.pages) > 1))
    except (*UNREADABLE, tifffile.TiffFileError):
        return False


def tissue(overview: np.ndarray) -> np.ndarray:
    """``(h, w)`` bool of ``(h, w, 3)`` uint8: where colour stands out from glass, which has none (Otsu's threshold)."""
    colour = overview.max(axis=2).astype(np.float32) - overview.min(axis=2)
    if float(np.ptp(colour)) < 1:
        return np.zeros(colour.shape, bool)
    return colour > max(otsu_threshold(colour), _LEAST_COLOUR)


def check_slide(path: Path, *, name: str, limits: FileLimits = SLIDE_FILE) -> tuple[Message, ...]:
    """Messages on a slide: its size, levels and the size of its pixels. One tile is decoded."""
    with open_slide(path) as slide:
        width, height = slide.size
        slide.region(len(slide.levels) - 1, 0, 0, 1, 1)
        known = f"{slide.pixel:.3g} micrometres a pixel" if slide.pixel else "the size of its pixels unknown"
        text = f"Whole slide, {width:,} x {height:,} pixels, {plural(len(slide.levels), 'level')}, {known}."
        said = [Message("ok", "content", text)]
        if slide.pixel is None:
            said.append(_no_pixel("warn"))
        return tuple(said)


def _no_pixel(severity: Any) -> Message:
    text = "The slide does not say how large its pixels are."
    return Message(severity, "no-microns", text, remedy="Give it in micrometres: usually .25 at 40x, .5 at 20x.")


def read_slide(source: bytes | Path, options: SlideOptions = SlideOptions()) -> SlidePatches:
    """Patches of a slide's tissue, cut in a child process.

    Raises
    ------
    InputError
        The file is no slide or damaged, the size of its pixels is unknown, or nothing on it is tissue.
    RefusedError
        It is over a limit.
    """
    with (
        as_path(source) as path,
        run_in_child("slide patches", path, {"options": json.dumps(asdict(options))}, SLIDE_FILE) as folder,
    ):
        return SlidePatches.load(folder)


def patches_of_slide(path: Path, *, options: str, limits: FileLimits = SLIDE_FILE) -> SlidePatches:
    """Patches of tissue on a grid. ``options``: :class:`SlideOptions` as JSON.

    Raises :class:`InputError` where the size of a pixel is unknown, or nothing on the slide is tissue.
    """
    chosen = SlideOptions(**json.loads(options))
    with open_slide(path) as slide:
        pixel = chosen.pixel or slide.pixel
        if pixel is None:
            raise InputError(str(_no_pixel("error")))
        overview = slide.overview(_OVERVIEW)
        span = chosen.side * chosen.microns / pixel
        grid = _grid(tissue(overview), slide.size, span, chosen.tissue)
        said = _said(slide, pixel, len(grid), chosen)
        if len(grid) > chosen.most:
            grid = grid[np.sort(np.random.default_rng(chosen.seed).choice(len(grid), chosen.most, replace=False))]
        stains = find_stains(np.asarray(Image.fromarray(overview).reduce(2))) if chosen.stains else None
        values = np.empty((len(grid), chosen.side, chosen.side, 3), np.uint8)
        level = slide.level_for(span / chosen.side)
        across = max(round(span / slide.scale(level)), 1)
        for k, (x, y) in enumerate(grid):
            left, top = (round(v / slide.scale(level) - across / 2) for v in (x, y))
            patch = Image.fromarray(slide.region(level, left, top, across, across))
            seen = np.asarray(patch.resize((chosen.side, chosen.side), Image.Resampling.BOX))
            values[k] = seen if stains is None else normalise_stains(seen, stains)
        shrink = max(1, -(-max(overview.shape[:2]) // _THUMBNAIL))
        thumbnail = np.asarray(Image.fromarray(overview).reduce(shrink))
        return SlidePatches(values, grid.astype(np.float32), thumbnail, slide.size, span, said[0], tuple(said[1]))


def _grid(mask: np.ndarray, size: tuple[int, int], span: float, least: float) -> np.ndarray:
    """``(k, 2)`` centres of the cells, ``span`` wide, of which at least ``least`` is tissue, row by row."""
    rows, columns = (max(int(length // span), 1) for length in size[::-1])
    total = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1))
    total[1:, 1:] = mask.cumsum(0).cumsum(1)
    y, x = (
        np.minimum(np.rint(np.arange(count + 1) * span / length * pixels).astype(int), pixels)
        for count, length, pixels in ((rows, size[1], mask.shape[0]), (columns, size[0], mask.shape[1]))
    )
    area = np.maximum(np.diff(y)[:, None] * np.diff(x)[None], 1)
    share = (
        total[y[1:]][:, x[1:]] - total[y[:-1]][:, x[1:]] - total[y[1:]][:, x[:-1]] + total[y[:-1]][:, x[:-1]]
    ) / area
    row, column = np.nonzero((share >= least) & (share > 0))
    return np.column_stack([(column + 0.5) * span, (row + 0.5) * span])


def _said(slide: Slide, pixel: float, found: int, options: SlideOptions) -> tuple[int, list[Message]]:
    if not found:
        raise InputError(
            f"No patch of {options.side * options.microns:g} micrometres holds {options.tissue:.0%} tissue: choose "
            "smaller patches, or check that the slide is stained."
        )
    text = f"{plural(found, 'patch')} of {options.side} x {options.side} pixels at {options.microns:g} micrometres"
    text = text.replace("patchs", "patches") + " hold tissue"
    if found > options.most:
        text += f"; {options.most:,} of them are used, drawn at random over the slide"
    said = [Message("ok", "patches", f"{text}.")]
    if options.microns < 0.7 * pixel:
        text = (
            f"The slide has {pixel:.3g} micrometres a pixel, coarser than the {options.microns:g} asked for: enlarged."
        )
        said.append(Message("warn", "enlarged", text, remedy="Ask for no finer pixels than the slide has."))
    return found, said
