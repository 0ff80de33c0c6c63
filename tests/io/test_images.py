"""Images: sizes before pixels, and everything that will be changed or dropped is said."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.raster import check_image
from genomap_core.io.sandbox.limits import FileLimits

PIXELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def saved(image=None, kind="PNG", **options):
    data = io.BytesIO()
    (image or Image.fromarray(PIXELS)).save(data, kind, **options)
    return data.getvalue()


def codes(data, name="a.png"):
    return [m.code for m in check_image(data, name).messages]


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_plain_images_have_nothing_to_say():
    assert codes(saved()) == []
    assert codes(saved(Image.fromarray(PIXELS.astype(np.uint16) * 200))) == []
    assert codes(saved(Image.fromarray(PIXELS).convert("P"))) == []
    assert codes(saved(kind="TIFF"), "a.tif") == []


@pytest.mark.parametrize(
    ("data", "name", "code"),
    [
        (saved(kind="JPEG"), "a.png", "other-format"),
        (saved(Image.new("CMYK", (9, 9), (1, 2, 3, 4)), "JPEG"), "a.jpg", "colours"),
        (saved(Image.fromarray(PIXELS).convert("RGBA")), "a.png", "alpha"),
        (saved(Image.new("L", (9, 9))), "a.png", "constant-image"),
        (saved() + b"PK\x03\x04 hidden", "a.png", "trailing-bytes"),
    ],
)
def test_what_will_be_changed_is_said(data, name, code):
    assert code in codes(data, name)


def test_pages_are_counted():
    frames = [Image.fromarray(PIXELS + i) for i in range(3)]
    data = saved(frames[0], "TIFF", save_all=True, append_images=frames[1:])
    (said,) = check_image(data, "a.tif").messages
    assert "3 pages" in said.text


def test_texts_and_exif_are_told_without_their_content():
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "DOE JOHN")
    exif = Image.Exif()
    exif[0x013B] = "DOE JOHN"
    for data, name, code in (
        (saved(pnginfo=info), "a.png", "image-text"),
        (saved(kind="JPEG", exif=exif), "a.jpg", "exif"),
    ):
        (said,) = check_image(data, name).messages
        assert said.code == code
        assert "DOE" not in said.text


def test_declared_pixels_are_limited_before_any_is_read():
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(RefusedError, match="limit"):
        check_image(data, "a.png")
    with pytest.raises(RefusedError, match="limit"):
        check_image(saved(), "a.png", FileLimits(pixels=255))


def test_a_later_frame_that_enlarges_the_picture_is_limited_too():
    """Found by fuzzing: the second frame of a GIF claimed 40,000 x 40,000 pixels, and memory was filled with them."""
    frames = [Image.fromarray(np.full((64, 64), k, np.uint8)) for k in (0, 200)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    second = data.rindex(b",\0\0\0\0\x40\0\x40\0")
    wide = data[: second + 5] + struct.pack("<2H", 40_000, 40_000) + data[second + 9 :]
    with pytest.raises(RefusedError, match="frame"):
        check_image(wide, "a.gif")


def test_a_bomb_of_text_is_refused():
    text = chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80 << 20)))
    data = saved()
    with pytest.raises(RefusedError, match="limit"):
        check_image(data[:33] + text + data[33:], "a.png")


def test_a_chain_of_pages_that_bites_its_tail_is_an_error():
    data = bytearray(saved(kind="TIFF"))
    first = struct.unpack_from("<I", data, 4)[0]
    entries = struct.unpack_from("<H", data, first)[0]
    struct.pack_into("<I", data, first + 2 + 12 * entries, first)
    with pytest.raises(InputError, match="loop"):
        check_image(bytes(data), "a.tif")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "GIF"])
def test_damage_ends_in_a_report_or_our_error(kind):
    whole = saved(kind=kind)
    rng = np.random.default_rng(0)
    for _ in range(60):
        spoiled = bytearray(whole)
        for at in rng.integers(8, len(whole), 5):
            spoiled[at] = rng.integers(256)
        try:
            check_image(bytes(spoiled[: rng.integers(len(whole) // 2, len(whole))]), "a")
        except InputError:
            continue


def test_too_small_and_foreign_files_are_errors():
    with pytest.raises(InputError, match="1 x 1"):
        check_image(saved(Image.new("L", (1, 1))), "a.png")
    with pytest.raises(InputError, match="not an image"):
        check_image(b"sample_id,a\n", "a.png")
