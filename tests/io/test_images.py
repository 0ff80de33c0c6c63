"""Images: sizes before pixels, and everything that will be changed or dropped is said."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.raster import check_image, read_picture, shown_pixels
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


def planted(values, kind="PNG", orientation=None):
    """A picture as a file: bright in its first row of blocks once it stands upright."""
    image = Image.fromarray(values)
    if orientation is None:
        return saved(image, kind)
    exif = Image.Exif()
    exif[274] = orientation
    return saved(image, kind, exif=exif)


def as_tiff(values, **options):
    held = io.BytesIO()
    tifffile.imwrite(held, values, metadata=None, **options)
    return held.getvalue()


UPRIGHT = np.repeat(np.repeat(np.array([[250, 130, 30], [90, 60, 200]], np.uint8), 8, 0), 8, 1)
LAID = {  # how a camera stores it, for each value of the tag
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.T,
    6: np.rot90(UPRIGHT),
    7: UPRIGHT[::-1, ::-1].T,
    8: np.rot90(UPRIGHT, -1),
}


@pytest.mark.parametrize("orientation", LAID)
def test_pictures_are_turned_upright(orientation):
    stored = np.ascontiguousarray(LAID[orientation])
    for data in (
        planted(stored, "PNG", orientation),
        as_tiff(stored, extratags=[(274, "H", 1, orientation, True)]),
    ):
        np.testing.assert_array_equal(read_picture(data, "a").voxels[0], UPRIGHT)
    deep = as_tiff(stored.astype(np.float64), extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_picture(deep, "a.tif").voxels[0], UPRIGHT)
    said = [m.code for m in read_picture(planted(stored, "PNG", orientation), "a.png").messages]
    assert said == (["turned"] if orientation > 1 else [])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "uint32", "int16", "float32", "float64"])
def test_where_white_is_the_lowest_value_bright_stays_bright(dtype):
    stored = np.linspace(100, 3, 256).reshape(16, 16).astype(dtype)
    shown = read_picture(as_tiff(stored, photometric="miniswhite"), "a.tif").voxels[0].astype(float)
    assert shown[-1, -1] > shown[0, 0]
    np.testing.assert_allclose(shown.max() - shown, stored.astype(float) - stored.min(), rtol=1e-6, atol=300 / 2**24)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [("int8", -100, 100), ("uint32", 1e9, 4e9), ("int32", -2e9, 2e9), ("float32", -3.5, 7), ("int16", -30000, 30000)],
)
def test_numbers_of_a_tiff_keep_their_order(dtype, low, high):
    stored = np.linspace(low, high, 256).reshape(16, 16).astype(dtype)
    shown = read_picture(as_tiff(stored), "a.tif").voxels[0]
    np.testing.assert_allclose(shown.astype(float), stored.astype(float), rtol=1e-6)


@pytest.mark.parametrize(("low", "high"), [(1e60, 9e60), (-1e-60, 3e-60), (4e9, 4e9 + 255), (-1.7e308, 1.7e308)])
def test_what_32_bits_can_not_hold_or_tell_apart_is_scaled_and_told(low, high):
    ramp = np.linspace(0, 1, 256).reshape(16, 16)
    volume = read_picture(as_tiff(low * (1 - ramp) + high * ramp), "a.tif")
    np.testing.assert_allclose(volume.voxels[0], ramp, atol=1e-5)
    assert [m.code for m in volume.messages] == ["range"]


def test_pixels_without_a_number_leave_the_others_as_they_are():
    stored = np.linspace(-2, 5, 256, dtype=np.float32).reshape(16, 16)
    stored[3, :3] = np.nan, np.inf, -np.inf
    volume = read_picture(as_tiff(stored), "a.tif")
    holes = ~np.isfinite(stored)
    np.testing.assert_array_equal(volume.voxels[0][~holes], stored[~holes])
    assert (volume.voxels[0][holes] == -2).all()
    (said,) = volume.messages
    assert said.text.startswith("3 of 256")


@pytest.mark.parametrize("mode", ["LA", "RGBA", "P"])
def test_transparency_is_kept_to_look_at_and_dropped_for_networks(mode):
    drawn = np.zeros((16, 16), np.uint8)
    drawn[4:12, 2:9] = 255
    if mode == "P":
        data = saved(Image.fromarray(drawn // 255).convert("P"), transparency=0)
    else:
        data = saved(Image.merge("LA", [Image.fromarray(drawn * 0), Image.fromarray(drawn)]).convert(mode))
    np.testing.assert_array_equal(shown_pixels(data, "a.png")[0][..., 3], drawn)
    assert read_picture(data, "a.png").voxels.shape[3:] in ((), (3,))
