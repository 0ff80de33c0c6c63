"""Make a whole slide of any size, and measure what cutting patches from it takes.

``python -m tools.slide_benchmark --gigabytes 2`` writes one below ``--folder``, reads it as an upload is read (in the
sandboxed process) and prints seconds and that process's peak memory.
"""

from __future__ import annotations

import argparse
import io
import resource
import tempfile
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

from genomap_core.io.images.slide import SlideOptions, read_slide

TILE = 256
MICRONS = 0.25
_GLASS = (243, 242, 244)
_PALE, _DARK = (224, 170, 205), (120, 70, 150)


def write_slide(path: Path, side: int, quality: int = 80, compression: str = "jpeg", pixel: float = MICRONS) -> None:
    """A square pyramid of three levels as Aperio writes it: an ellipse of tissue, its left half dark, its right half
    pale, on glass.

    ``side`` in pixels, a multiple of 4 tiles; ``compression`` is jpeg, jpeg2000, deflate or none; ``pixel`` of
    0 writes no size of a pixel.
    """
    codes = {"jpeg": 7, "jpeg2000": 33005}
    about = f"Aperio Image Library\n{side}x{side} |AppMag = 40" + (f"|MPP = {pixel}" if pixel else "")
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for level in (1, 4, 16):
            shape = (side // level, side // level, 3)
            file.write(
                _tiles(shape[0], quality, compression),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                photometric="rgb",
                compression=None if compression == "none" else "deflate",
                subfiletype=int(level > 1),
                description=about if level == 1 else None,
                metadata=None,
            )
    if compression in codes:  # the tiles are encoded already; tifffile would ask for a codec
        with tifffile.TiffFile(path, mode="r+b") as tiff:
            for page in tiff.pages:
                page.tags[259].overwrite(codes[compression])  # type: ignore[union-attr]
                if compression == "jpeg":
                    page.tags[262].overwrite(6)  # type: ignore[union-attr]


def kind_at(x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    """Of places in shares of the slide: 0 glass, 1 dark tissue, 2 pale tissue."""
    x, y = np.asarray(x), np.asarray(y)
    inside = ((x - 0.5) / 0.38) ** 2 + ((y - 0.5) / 0.3) ** 2 <= 1
    return np.where(inside, np.where(x < 0.5, 1, 2), 0)


def _tiles(side: int, quality: int, compression: str) -> Iterator[bytes]:
    """Row by row; those of one kind are encoded once in eight patterns of noise."""
    count, at = -(-side // TILE), np.arange(TILE) + 0.5
    known: dict[tuple[int, int], bytes] = {}
    for k in range(count * count):
        row, column = divmod(k, count)
        y, x = (row * TILE + at) / side, (column * TILE + at) / side
        corners = kind_at(x[[0, 0, -1, -1]], y[[0, -1, 0, -1]])
        seed = (row * 5 + column * 3) % 8
        if count > 40 and (corners == corners[0]).all():
            key = int(corners[0]), seed
            known.setdefault(key, _encoded(np.full((TILE, TILE), key[0]), seed, quality, compression))
            yield known[key]
        else:
            yield _encoded(kind_at(x[None], y[:, None]), seed, quality, compression)


def _encoded(kinds: np.ndarray, seed: int, quality: int, compression: str) -> bytes:
    """A tile whose pixels ``(h, w)`` are of these kinds."""
    noise = np.random.default_rng(seed).normal(0, 1, (*kinds.shape, 1)) * np.where(kinds == 0, 2, 18)[..., None]
    pixels = np.clip(np.array((_GLASS, _DARK, _PALE))[kinds] + noise, 0, 255).astype(np.uint8)
    out = io.BytesIO()
    if compression == "jpeg":
        Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling="4:2:0")
    elif compression == "jpeg2000":
        Image.fromarray(pixels).save(out, "JPEG2000", no_jp2=True, quality_layers=[20])
    else:
        out.write(zlib.compress(pixels.tobytes()) if compression == "deflate" else pixels.tobytes())
    return out.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--patches", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    path = args.folder / "benchmark.svs"
    tile = sum(len(_encoded(np.full((TILE, TILE), k), 0, 95, "jpeg")) * w for k, w in ((0, 0.64), (1, 0.18), (2, 0.18)))
    side = 4 * TILE * max(1, round((args.gigabytes * 2**30 / tile / 1.066) ** 0.5 / 4))
    write_slide(path, side, quality=95)
    print(f"{path.name}: {side:,} x {side:,} pixels, {path.stat().st_size / 2**30:.2f} GB")
    began = time.monotonic()
    cut = read_slide(path, SlideOptions(side=224, most=args.patches))
    seconds, peak = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**10
    print(
        f"{len(cut.values):,} of {cut.found:,} patches of 224 pixels in {seconds:.1f} s; "
        f"the reader's peak {peak:,.0f} MB"
    )
    path.unlink()


if __name__ == "__main__":
    main()
