"""Archives of tables and images: nothing leaves memory, names are judged, and the check says what the import says."""

import io
import stat
import tarfile
import zipfile

import nibabel as nib
import numpy as np
import openpyxl
import pytest
from imaging_files import body, series
from PIL import Image

from genomap_core.data.images.patients import ImagingOptions
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.archives import check_archive
from genomap_core.io.images.cohort import read_imaging_cohort
from genomap_core.io.inspect import inspect
from genomap_core.io.zips import escapes, refuse_tar

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
    return check_archive(path)


def test_a_table_and_its_images_are_paired(tmp_path):
    junk = {"__MACOSX/images/._S0.png": b"x", ".DS_Store": b"x", "images/Thumbs.db": b"x"}
    messages = check(write(tmp_path / "a.zip", GOOD | junk))
    assert {m.severity for m in messages} == {"ok"}
    assert messages[0].text.startswith("6 samples with 1 image channel")
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
    assert messages[0].text.startswith("6 samples with 1 image channel")


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


def test_a_table_is_needed_and_a_copy_of_one_is_an_error(tmp_path):
    images = {name: content for name, content in GOOD.items() if name != "table.csv"}
    said = {m.code: m for m in check(write(tmp_path / "a.zip", images))}
    assert said["no-table"].severity == "error"
    said = {m.code: m for m in check(write(tmp_path / "b.zip", GOOD | {"old.csv": TABLE}))}
    assert said["copied-table"].severity == "error"
    assert "old.csv and table.csv" in said["copied-table"].text
    other = TABLE.replace("TP53", "MYC").replace(".5", ".75")
    assert {m.severity for m in check(write(tmp_path / "c.zip", GOOD | {"protein.csv": other}))} == {"ok"}


def test_pictures_in_folders_of_classes_are_pointed_to_the_page_that_takes_them(tmp_path):
    members = {f"{name}/{i}.png": png(seed=i) for i in range(3) for name in ("glioma", "none")}
    said = {m.code: m.text for m in check(write(tmp_path / "a.zip", members))}
    assert "Growth page" in said["class-folders"]


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
    assert any(m.text.startswith("1 sample with an image and a row") for m in messages)
    assert not any(name in repr(messages) for name in ("DOE", "ROE", "1970"))


def test_tar_is_refused_with_its_dangers(tmp_path):
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("../evil.txt"))
    with pytest.raises(RefusedError, match=r"\.\./evil\.txt"):
        refuse_tar(path, name="a.tar")


def workbook():
    held = io.BytesIO()
    book = openpyxl.Workbook()
    for line in TABLE.split():
        book.active.append([float(v) if v[:1].isdigit() else v for v in line.split(",")])
    book.save(held)
    return held.getvalue()


def pairs():
    """Volumes of two files each."""
    found = {}
    for i in range(6):
        image = nib.Nifti1Pair(np.random.default_rng(i).integers(0, 99, (16, 16, 3)).astype(np.int16), np.eye(4))
        maps = nib.Nifti1Pair.make_file_map()
        for part in maps.values():
            part.fileobj = io.BytesIO()
        image.to_file_map(maps)
        found |= {f"S{i}.{end}": maps[part].fileobj.getvalue() for part, end in (("header", "hdr"), ("image", "img"))}
    return found


HOLES = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
IMAGES = {name: content for name, content in GOOD.items() if name != "table.csv"}


def archives():
    """Name -> members of what people pack."""
    held, holes = io.BytesIO(), HOLES.copy()
    holes[0, 0] = np.nan
    Image.fromarray(holes).save(held, "TIFF")
    lines = TABLE.splitlines()
    with_endings = "\n".join([lines[0], *(line.replace(",", ".png,", 1) for line in lines[1:])]) + "\n"
    volumes = body(4)
    slices = {f"S{i}/{k:03d}.dcm": data for i in range(6) for k, data in enumerate(series(volumes, uid=f"1.2.{i}"))}
    return {
        "a workbook": {"table.xlsx": workbook()} | IMAGES,
        "series file by file": {"table.csv": TABLE} | slices,
        "volumes in two files": {"table.csv": TABLE} | pairs(),
        "ids with an ending": {"table.csv": with_endings} | IMAGES,
        "names that differ in case": GOOD | {"images/s0.PNG": png(seed=9)},
        "a hole and a volume cut off": GOOD
        | {"images/S1.tif": held.getvalue(), "S2/scan.nii": b"\x5c\x01\0\0" + bytes(400)},
        "slides": GOOD | {"S0.czi": b"ZISRAWFILE"},
        "a table for each type": GOOD | {"protein.csv": TABLE.replace("TP53", "MYC").replace(".5", ".25")},
    }


@pytest.mark.parametrize("kind", archives())
def test_the_check_tells_what_the_import_would(tmp_path, kind):
    path = write(tmp_path / "a.zip", archives()[kind])
    cohort, told = read_imaging_cohort(path, ImagingOptions(side=16))
    report = inspect(path)
    assert (cohort is None) == (report.verdict in ("error", "refuse"))
    assert {m.text for m in told if m.code != "content"} == {m.text for m in report.messages}
    said = {m.code: m.text for m in report.messages}
    for code, word in {
        "names that differ in case": {"several-images": "S0"},
        "a hole and a volume cut off": {"nan-voxels": "1 of 256", "image": "S2/scan.nii"},
        "slides": {"slides": "S0.czi"},
    }.get(kind, {}).items():
        assert word in said[code]
    if kind not in ("a hole and a volume cut off",):
        assert report.summary.startswith("6 samples")


def test_an_archive_of_one_table_is_that_table(tmp_path):
    report = inspect(write(tmp_path / "a.zip", {"notes/table.csv": TABLE, "__MACOSX/._table.csv": b"x"}))
    assert report.summary.startswith("6 samples x 1 feature")
