"""Archives of a table and images: nothing leaves memory, names are judged, images find their rows."""

import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.archives import check_archive, match, refuse_tar
from genomap_core.io.zips import escapes

TABLE = "sample_id,TP53,label\n" + "".join(f"S{i},{i}.5,{'ab'[i % 2]}\n" for i in range(6))


def png(size=16, seed=0):
    data = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (size, size), np.uint8)).save(data, "PNG")
    return data.getvalue()


def write(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


GOOD = {"table.csv": TABLE} | {f"images/S{i}.png": png(seed=i) for i in range(6)}


def check(path):
    return check_archive(path, name=path.name)


def test_a_table_and_its_images_are_paired(tmp_path):
    junk = {"__MACOSX/images/._S0.png": b"x", ".DS_Store": b"x", "images/Thumbs.db": b"x"}
    messages = check(write(tmp_path / "a.zip", GOOD | junk))
    assert {m.severity for m in messages} == {"ok"}
    assert "6 samples in the table, 6 images, 6 pairs" in messages[0].text
    assert any("3 files" in m.text for m in messages if m.code == "junk")


@pytest.mark.parametrize(
    "name", ["../../evil.txt", "/tmp/evil.txt", "..\\evil.txt", "C:\\evil.txt", "a/../../b", "a\\..\\..\\b"]
)
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    assert escapes(name)
    before = set(tmp_path.parent.rglob("evil*"))
    with pytest.raises(RefusedError, match=r"\.\."):
        check(write(tmp_path / "a.zip", GOOD | {name: b"x"}))
    assert set(tmp_path.parent.rglob("evil*")) == before


def test_backslashes_of_windows_programs_are_folders(tmp_path):
    messages = check(write(tmp_path / "a.zip", {name.replace("/", "\\"): data for name, data in GOOD.items()}))
    assert "6 samples in the table, 6 images, 6 pairs" in messages[0].text


def test_links_bombs_nested_and_locked_archives(tmp_path):
    link = zipfile.ZipInfo("images/S9.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(RefusedError, match="links"):
        check(write(tmp_path / "a.zip", {"table.csv": TABLE, link: "/etc/passwd"}))
    with pytest.raises(RefusedError, match="limit"):
        check(write(tmp_path / "b.zip", GOOD | {"images/S9.png": bytes(50 << 20)}))
    with pytest.raises(RefusedError, match="archives"):
        check(write(tmp_path / "c.zip", GOOD | {"more.zip": b"PK"}))
    data = bytearray(write(tmp_path / "d.zip", GOOD).read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    (tmp_path / "d.zip").write_bytes(bytes(data))
    with pytest.raises(InputError, match="password"):
        check(tmp_path / "d.zip")


def test_one_table_is_needed(tmp_path):
    images = {name: content for name, content in GOOD.items() if name != "table.csv"}
    with pytest.raises(InputError, match="no table"):
        check(write(tmp_path / "a.zip", images))
    with pytest.raises(InputError, match=r"table\.csv, old\.csv"):
        check(write(tmp_path / "b.zip", GOOD | {"old.csv": TABLE}))


def test_a_wrong_check_sum_names_the_member(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in GOOD.items():
            archive.writestr(name, content)
    path.write_bytes(path.read_bytes().replace(b"S3,3.5", b"S3,9.5"))
    with pytest.raises(InputError, match=r"table\.csv"):
        check(path)


def test_sizes_programs_and_unmatched_images_are_told(tmp_path):
    members = {name: content for name, content in GOOD.items() if name != "images/S0.png"}
    members |= {"images/S77.png": png(), "images/S1.png": png(20), "run.exe": b"MZ"}
    said = {m.code: m.text for m in check(write(tmp_path / "a.zip", members))}
    assert "S0" in said["no-image"]
    assert "S77" in said["no-row"]
    assert "16 x 16 (5), 20 x 20 (1)" in said["image-sizes"]
    assert "run.exe" in said["ignored-members"]


def test_names_of_persons_in_file_names_are_not_repeated(tmp_path):
    members = {"table.csv": TABLE, "images/DOE_JOHN_1970-01-01_S0.png": png(), "images/ROE_JANE_X9.png": png(seed=3)}
    messages = check(write(tmp_path / "a.zip", members))
    assert "identifying" in [m.code for m in messages]
    assert "1 pair" in messages[0].text
    assert not any(name in repr(messages) for name in ("DOE", "ROE", "1970"))


def test_images_match_by_whole_parts_of_their_names():
    pairs, said = match(("a/S1.png", "a/x_S2.png", "a/S33.png"), ["S1", "S2", "S3"])
    assert pairs == 2
    assert {m.code for m in said} == {"no-image", "no-row"}


def test_tar_is_refused_with_its_dangers(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../evil.txt"))
    with pytest.raises(RefusedError, match=r"\.\./evil\.txt"):
        refuse_tar(path, name="a.tar")


def test_the_check_tells_what_the_import_would(tmp_path):
    """Two pictures of one sample, a hole in a map, a volume cut off: each is said, as when the archive is used."""
    held = io.BytesIO()
    holes = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    holes[0, 0] = np.nan
    Image.fromarray(holes).save(held, "TIFF")
    odd = {"images/s0.PNG": png(seed=9), "images/S1.tif": held.getvalue(), "S2/scan.nii": b"\x5c\x01\0\0" + bytes(400)}
    messages = check(write(tmp_path / "a.zip", GOOD | odd))
    said = {m.code: m.text for m in messages if m.severity != "ok"}
    assert "S0" in said["several-images"]
    assert "1 of 256" in said["nan-voxels"]
    assert "S2/scan.nii" in said["image"]
    assert "ignored-members" not in said
