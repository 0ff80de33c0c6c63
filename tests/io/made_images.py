"""Images with planted pixels, written in every way that formats know: what is read is the truth, or is refused by name.

``PYTHONPATH=tests/io python tests/io/made_images.py --count 5000`` makes as many and prints what came out otherwise.
Each maker draws one value of every axis (depth, photometric, orientation, frames, rescale, layout, compression), so
that pairs of values meet; the values are planted as physical ones and stored as the format wants them.
"""

from __future__ import annotations

import argparse
import io
import random
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import nibabel as nib
import numpy as np
import tifffile
from imaging_files import dicom
from PIL import Image

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.read import read_volume

ROWS, COLUMNS = 12, 17


@dataclass(frozen=True, eq=False)
class Made:
    """A file and the truth ``(z, y, x)`` or ``(z, y, x, c)``; ``inverse``: white is 0, known but for an offset."""

    axes: dict[str, object]
    name: str
    data: bytes
    truth: np.ndarray
    inverse: bool = False
    must_say: str = ""
    """The code of a message on what was chosen or done"""
    may_refuse: bool = False
    may_tell: str = ""
    """The code of a message that says that fewer bits are read"""


def ramp(rng: random.Random, low: float, high: float, shape: tuple[int, ...], whole: bool = True) -> np.ndarray:
    """Values from low to high, both met, no two rows or columns alike."""
    values = np.random.default_rng(rng.randrange(1 << 30)).uniform(0, 1, shape)
    values.flat[0], values.flat[-1] = 0, 1
    values = low + values * (high - low)
    return np.rint(values) if whole else values


def laid(values: np.ndarray, orientation: int) -> np.ndarray:
    """Upright ``(H, W, ...)`` as a camera stores it under this value of the tag."""
    turned = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: np.rot90, 7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
        8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    return np.ascontiguousarray(turned[orientation](values))


def made_png(rng: random.Random) -> Made:
    """Bits 1 to 16, grey, colours, palette, with and without alpha, interlaced by Pillow's writer never."""
    kind = rng.choice(["grey", "grey alpha", "rgb", "rgba", "palette"])
    bits = rng.choice({"grey": [1, 2, 4, 8, 16], "palette": [1, 2, 4, 8]}.get(kind, [8, 16]))
    orientation = rng.choice([1, 1, *range(2, 9)])
    channels = {"grey": 1, "grey alpha": 2, "rgb": 3, "rgba": 4, "palette": 1}[kind]
    shape = (ROWS, COLUMNS) if channels == 1 else (ROWS, COLUMNS, channels)
    upright = ramp(rng, 0, (1 << bits) - 1, shape).astype(np.int64)
    stored = laid(upright, orientation)
    chunks, truth = [], upright
    if kind == "palette":
        colours = np.random.default_rng(rng.randrange(1 << 30)).integers(0, 256, (1 << bits, 3))
        chunks.append((b"PLTE", colours.astype(np.uint8).tobytes()))
        truth = colours[upright]
        if rng.random() < 0.3:
            chunks.append((b"tRNS", bytes([128] * (1 << bits))))
    elif kind in ("grey alpha", "rgba"):
        truth = upright[..., 0] if kind == "grey alpha" else upright[..., :3]
    if bits < 8 and kind == "grey":
        truth = truth * (255 // ((1 << bits) - 1))
    if orientation > 1:
        exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">H", orientation) + bytes(6)
        chunks.insert(0, (b"eXIf", exif))
    code = {"grey": 0, "rgb": 2, "palette": 3, "grey alpha": 4, "rgba": 6}[kind]
    return Made(
        {"format": "png", "kind": kind, "bits": bits, "orientation": orientation},
        "a.png",
        _png(stored, bits, code, chunks),
        truth[None],
        must_say="turned" * (orientation > 1),
        may_tell="depth" if bits == 16 and kind != "grey" else "",
    )


def _png(stored: np.ndarray, bits: int, code: int, chunks: list[tuple[bytes, bytes]]) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = []
    for row in stored.reshape(stored.shape[0], -1):
        if bits >= 8:
            rows.append(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes())
        else:
            spread = (row[:, None] >> np.arange(bits - 1, -1, -1)) & 1
            rows.append(b"\0" + np.packbits(spread.astype(np.uint8)).tobytes())
    header = struct.pack(">IIBBBBB", stored.shape[1], stored.shape[0], bits, code, 0, 0, 0)
    found = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    found += b"".join(chunk(kind, body) for kind, body in chunks)
    return found + chunk(b"IDAT", zlib.compress(b"".join(rows))) + chunk(b"IEND", b"")


def made_tiff(rng: random.Random) -> Made:
    """Number types, white as zero, planes apart or together, tiles, compressions, byte orders, pages, orientations."""
    kind = rng.choice(
        [
            "uint8",
            "int8",
            "uint16",
            "int16",
            "uint32",
            "int32",
            "uint64",
            "int64",
            "float16",
            "float32",
            "float64",
            "bool",
        ]
    )
    form = rng.choice(["grey", "grey", "rgb", "channels", "pages"])
    compression = rng.choice([None, None, "zlib", "deflate"])
    orientation = rng.choice([1, 1, *range(2, 9)])
    inverse = form == "grey" and kind != "bool" and rng.random() < 0.25
    count = {"grey": 0, "rgb": 3, "channels": rng.choice([2, 4, 5]), "pages": rng.choice([2, 3])}[form]
    shape = (ROWS, COLUMNS) if not count else (ROWS, COLUMNS, count)
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        size = 10.0 ** rng.choice([-3, 0, 4]) if kind == "float16" else 10.0 ** rng.choice([-20, -3, 0, 6, 20])
        upright = ramp(rng, -0.5 * size, size, shape, whole=False).astype(dtype)
    elif kind == "bool":
        upright = ramp(rng, 0, 1, shape).astype(bool)
    else:
        info = np.iinfo(dtype)
        low, high = rng.choice([(info.min, info.max), (0, min(200, info.max)), (max(info.min, -90), 100)])
        upright = ramp(rng, low, high, shape).clip(info.min, info.max).astype(dtype)
    holes = dtype.kind == "f" and not inverse and rng.random() < 0.2
    if holes:
        upright.flat[7] = rng.choice([np.nan, np.inf, -np.inf])
    stored = laid(upright, orientation)
    options: dict[str, object] = {"photometric": "rgb" if form == "rgb" else "minisblack"}
    options |= {"compression": compression} if compression else {}
    options |= {"photometric": "miniswhite"} if inverse else {}
    if form in ("rgb", "channels"):
        options["planarconfig"] = rng.choice(["contig", "separate"])
        stored = np.moveaxis(stored, 2, 0) if options["planarconfig"] == "separate" else stored
    if form == "pages":
        stored = np.moveaxis(stored, 2, 0)
    if rng.random() < 0.3 and kind != "bool":
        options["tile"] = (16, 16)
    order = rng.choice(["<", ">"])
    big = rng.random() < 0.15
    out = io.BytesIO()
    if orientation > 1:
        options["extratags"] = [(274, "H", 1, orientation, False)]
    tifffile.imwrite(out, np.ascontiguousarray(stored), metadata=None, byteorder=order, bigtiff=big, **options)
    axes = {"format": "tiff", "dtype": kind, "form": form, "compression": compression, "orientation": orientation}
    axes |= {"inverse": inverse, "tile": "tile" in options, "order": order, "big": big, "holes": holes}
    axes |= {"planar": options.get("planarconfig", "")}
    truth = upright.astype(np.float64)
    truth = truth * 255 if kind == "bool" else truth
    rare = kind == "bool" and form != "grey"  # one bit in each of several channels
    if holes:
        truth.flat[7] = truth[np.isfinite(truth)].min()
    said = "nan-voxels" if holes else "turned" * (orientation > 1)
    return Made(axes, "a.tif", out.getvalue(), truth[None], inverse, said, rare)


def made_packed_tiff(rng: random.Random) -> Made:
    """Compressions that Pillow alone writes."""
    mode = rng.choice(["1", "L", "I;16", "RGB", "P", "RGBA", "CMYK"])
    ways = {"1": ["group3", "group4", "packbits"], "L": ["tiff_lzw", "packbits"], "I;16": ["tiff_lzw"]}
    compression = rng.choice(ways.get(mode, ["tiff_lzw", "packbits", "tiff_adobe_deflate"]))
    shape = (
        (ROWS, COLUMNS, {"RGB": 3, "RGBA": 4, "CMYK": 4}[mode]) if mode in ("RGB", "RGBA", "CMYK") else (ROWS, COLUMNS)
    )
    values = ramp(rng, 0, 65535 if mode == "I;16" else 255, shape).astype(np.uint16 if mode == "I;16" else np.uint8)
    image = Image.fromarray(values > 127) if mode == "1" else Image.fromarray(values, mode if mode == "CMYK" else None)
    if mode == "P":
        image = image.quantize(16)
    truth = np.asarray(image.convert("RGB") if mode in ("P", "RGBA", "CMYK") else image)
    out = io.BytesIO()
    image.save(out, "TIFF", compression=compression)
    axes = {"format": "packed tiff", "mode": mode, "compression": compression}
    return Made(axes, "a.tif", out.getvalue(), (truth * 255 if mode == "1" else truth)[None])


def made_jpeg(rng: random.Random) -> Made:
    """Grey and colours of one value a block: exact but for the rounding of colours."""
    grey, orientation = rng.random() < 0.5, rng.choice(range(1, 9))
    blocks = ramp(rng, 10, 245, (2, 3) if grey else (2, 3, 3)).astype(np.uint8)
    upright = blocks.repeat(16, 0).repeat(16, 1)
    exif = Image.Exif()
    exif[274] = orientation
    out = io.BytesIO()
    how = {"quality": 100, "subsampling": 0, "progressive": rng.random() < 0.5}
    Image.fromarray(laid(upright, orientation)).save(out, "JPEG", exif=exif, **how)
    axes = {"format": "jpeg", "grey": grey, "orientation": orientation, **how}
    return Made(axes, "a.jpg", out.getvalue(), upright[None], must_say="turned" * (orientation > 1))


def made_dicom(rng: random.Random) -> Made:
    """Bits stored and their place, signs, slope and intercept, MONOCHROME1, frames, floating point."""
    bits = rng.choice([8, 10, 12, 14, 16, 32])
    allocated = 8 if bits == 8 else (16 if bits <= 16 else 32)
    signed, modality = rng.random() < 0.4, rng.choice(["CT", "MR", "MR", "PT"])
    high = rng.choice([bits - 1, bits - 1, allocated - 1])
    frames = rng.choice([1, 1, 1, 3])
    slope, intercept = rng.choice([(1, 0), (1, -1024), (2, 0), (0.5, 10), (-1, 5), (1e-3, 0), (1e5, -7)])
    inverse = modality != "CT" and rng.random() < 0.25
    shape = (ROWS, COLUMNS) if frames == 1 else (frames, ROWS, COLUMNS)
    low, top = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if modality == "CT" and rng.random() < 0.7:
        top = min(top, 3000)
        low = max(low, -900)
    stored = ramp(rng, low, top, shape).astype(np.int64)
    kind = np.dtype(f"{'i' if signed else 'u'}{allocated // 8}")
    held = ((stored & ((1 << bits) - 1)) << (high + 1 - bits)).astype(f"u{allocated // 8}").view(kind)
    if high == bits - 1:
        held = stored.astype(kind)
    tags: dict[str, object] = {"Modality": modality, "BitsStored": bits, "HighBit": high, "BitsAllocated": allocated}
    tags |= {"RescaleSlope": slope, "RescaleIntercept": intercept, "PixelRepresentation": int(signed)}
    tags |= {"NumberOfFrames": frames} if frames > 1 else {}
    tags |= {"PhotometricInterpretation": "MONOCHROME1"} if inverse else {}
    shown = ((-1 if signed else (1 << bits) - 1) - stored) if inverse else stored
    truth = shown.astype(np.float64) * slope + intercept
    if modality == "CT":
        truth = np.maximum(truth, -1024)
        truth = np.minimum(truth, 32767) if (slope, float(intercept).is_integer()) == (1, True) else truth
    axes = {"format": "dicom", "bits": bits, "signed": signed, "modality": modality, "high": high - bits + 1}
    axes |= {"frames": frames, "slope": slope, "intercept": intercept, "inverse": inverse}
    truth = truth if frames > 1 else truth[None]
    return Made(axes, "a.dcm", dicom(held, **tags), truth, must_say="frames" * (frames > 1))


def made_nifti(rng: random.Random) -> Made:
    """Number types, slope and intercept, axes in all orders and directions, byte orders, NIfTI-2, further volumes."""
    kind = rng.choice(["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
    dtype = np.dtype(rng.choice("<>") + kind)
    slope, inter = rng.choice([(0, 0), (1, 0), (2.5, 0), (1, -1024), (-0.5, 3), (float("nan"), 0)])
    volumes = rng.choice([1, 1, 1, 4])
    axes_of = list(rng.choice([(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]))
    signs = [rng.choice([-1, 1]) for _ in range(3)]
    which = rng.choice(["sform", "qform", "both"])
    truth = ramp(rng, *_range(rng, kind), (5, ROWS, COLUMNS), whole=dtype.kind != "f")  # (z, y, x) on screen
    truth = (
        truth.astype(dtype) if dtype.kind == "f" else truth.clip(np.iinfo(dtype).min, np.iinfo(dtype).max).astype(dtype)
    )
    world = truth.transpose(2, 1, 0)[::-1, ::-1]  # (right, front, head): from left to right, from back to front
    stored, affine = world.transpose(axes_of), np.zeros((4, 4))
    for axis, target in enumerate(axes_of):
        affine[target, axis] = signs[axis] * (axis + 1.5)
        stored = np.flip(stored, axis) if signs[axis] < 0 else stored
    affine[3, 3] = 1
    if volumes > 1:
        stored = np.stack([stored, *(stored * 0 for _ in range(volumes - 1))], axis=-1)
    data = _nifti(stored.astype(dtype), affine, slope, inter, which, rng.random() < 0.3)
    factor = slope if slope and np.isfinite(slope) else 1.0
    shown = truth.astype(np.float64) * factor + (inter if slope else 0.0)
    axes = {"format": "nifti", "dtype": str(dtype), "slope": slope, "inter": inter, "volumes": volumes}
    return Made(
        axes | {"axes": tuple(axes_of), "signs": tuple(signs), "form": which},
        "a.nii",
        data,
        shown,
        must_say="series" * (volumes > 1),
    )


def _range(rng: random.Random, kind: str) -> tuple[float, float]:
    if kind[0] == "f":
        return rng.choice([(-1.0, 1.0), (0.0, 1e-3), (-1e6, 1e6)] + ([(0.0, 9e60)] if kind == "f8" else []))
    info = np.iinfo(kind)
    return rng.choice([(0.0, 100.0), (float(max(info.min, -(2**53))), float(min(info.max, 2**53)))])


def _nifti(stored: np.ndarray, affine: np.ndarray, slope: float, inter: float, which: str, second: bool) -> bytes:
    order = ">" if stored.dtype.byteorder == ">" else "<"
    header = (nib.Nifti2Header if second else nib.Nifti1Header)(endianness=order)
    header.set_data_dtype(stored.dtype)
    header.set_data_shape(stored.shape)
    if which in ("sform", "both"):
        header.set_sform(affine, 1)
    if which in ("qform", "both"):
        header.set_qform(affine, 1, strip_shears=False)
    header["pixdim"][1:4] = np.linalg.norm(affine[:3, :3], axis=0)
    header["scl_slope"], header["scl_inter"] = slope, inter
    header["magic"] = header.single_magic
    header["vox_offset"] = offset = int(header["sizeof_hdr"]) + 4
    return header.binaryblock + bytes(offset - len(header.binaryblock)) + stored.tobytes(order="F")


MAKERS: tuple[Callable[[random.Random], Made], ...] = (
    *(made_png, made_tiff, made_tiff, made_packed_tiff, made_jpeg, made_dicom, made_dicom, made_nifti, made_nifti),
)


def outcome(made: Made) -> str:
    """Empty: the truth was read, or refused or asked about by name; else what happened."""
    try:
        volume = read_volume(made.data, made.name)
    except (InputError, RefusedError) as error:
        return "" if made.may_refuse else f"refused: {error}"
    except Exception as error:  # noqa: BLE001 - a crash is what is looked for
        return f"crash: {type(error).__name__}: {error}"
    read, truth = volume.voxels.astype(np.float64), made.truth.astype(np.float64)
    if read.ndim > truth.ndim and (read == read[..., :1]).all():
        read = read[..., 0]
    if read.shape != truth.shape:
        return f"shape {read.shape} for {truth.shape}"
    said = {m.code for m in volume.messages}
    if made.must_say and made.must_say not in said:
        return f"nothing says {made.must_say}"
    if "range" in said:  # scaled to 0 to 1, and told
        truth = (truth - truth.min()) / (truth.max() - truth.min())
        return "" if np.allclose(read, truth, atol=1e-4) else "scaled wrongly"
    if made.inverse:
        read, truth = read - read.min(), truth.max() - truth
    spread = max(float(np.ptp(truth)), 1e-30)
    loose = 2.5 if made.name == "a.jpg" else max(2e-6 * np.abs(truth).max(), 1e-6 * spread)
    if made.may_tell in said:
        truth = truth // 256
    return "" if np.allclose(read, truth, atol=loose, rtol=0) else f"differs by {np.abs(read - truth).max():g}"


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    found: Counter[str] = Counter()
    for k in range(args.count):
        rng = random.Random(f"{args.seed} {k}")
        made = MAKERS[k % len(MAKERS)](rng)
        if why := outcome(made):
            form = made.axes["format"]
            found[str(form)] += 1
            if found[str(form)] <= 12:
                print(k, why, made.axes, flush=True)
    print(f"{args.count - found.total()} of {args.count} as planted or refused by name; otherwise: {dict(found)}")
    return int(bool(found))


if __name__ == "__main__":
    raise SystemExit(main())
