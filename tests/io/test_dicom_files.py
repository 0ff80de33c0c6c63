"""DICOM: tags that identify are named, their values never shown; sizes and contradictions are found in the header."""

import io

import numpy as np
import pytest

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.dicom import check_dicom

pydicom = pytest.importorskip("pydicom")


def write(path, **tags):
    """A small CT slice with these tags changed; None removes one."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = tags.pop("syntax", ExplicitVRLittleEndian)
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid()
    data = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    plain = {
        "PatientName": "ANON",
        "PatientID": "S000",
        "Modality": "CT",
        "Rows": 16,
        "Columns": 16,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": np.arange(256, dtype=np.uint16).tobytes(),
    }
    for keyword, value in (plain | tags).items():
        if value is not None:
            setattr(data, keyword, value)
    data.save_as(path, enforce_file_format=True)
    return path


def check(path):
    return check_dicom(path, name=path.name)


def test_an_anonymous_slice_is_ok(tmp_path):
    (content,) = check(write(tmp_path / "a.dcm"))
    assert content.severity == "ok"
    assert "CT" in content.text
    assert "16 x 16" in content.text


def test_identifying_tags_are_named_and_never_quoted(tmp_path, caplog, recwarn):
    path = write(
        tmp_path / "a.dcm",
        PatientName="DOE^JOHN",
        PatientBirthDate="19700101",
        PatientAddress="1 Main St",
        StudyDate="not a date DOE",
        InstitutionName="General",
    )
    recwarn.clear()
    caplog.clear()
    (said,) = [m for m in check(path) if m.code == "identifying"]
    assert {"PatientName", "PatientBirthDate", "PatientAddress"} <= set(
        said.text.replace(",", "").replace(".", "").split()
    )
    everything = " ".join([repr(check(path)), caplog.text, *(str(w.message) for w in recwarn)])
    assert not any(secret in everything for secret in ("DOE", "19700101", "Main", "General"))


@pytest.mark.parametrize(
    ("tags", "word"),
    [
        ({"PixelData": None}, "pixel data"),
        ({"BitsStored": 99}, "BitsStored"),
        ({"Rows": 17}, "pixels do not fit"),
        ({"Rows": 0}, "Rows 0"),
    ],
)
def test_contradictions_are_errors_with_the_tag(tmp_path, tags, word):
    with pytest.raises(InputError, match=word):
        check(write(tmp_path / "a.dcm", **tags))


def test_declared_sizes_and_deflated_files_are_refused(tmp_path):
    with pytest.raises(RefusedError, match="limit"):
        check(write(tmp_path / "a.dcm", Rows=65535, Columns=65535, NumberOfFrames=1000))
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    with pytest.raises(RefusedError, match="transfer syntax"):
        check(write(tmp_path / "b.dcm", syntax=DeflatedExplicitVRLittleEndian))


def test_a_file_without_preamble_and_one_with_an_unknown_kind_of_value(tmp_path):
    path = write(tmp_path / "a.dcm")
    whole = path.read_bytes()
    path.write_bytes(whole[132:])
    with pytest.raises(InputError, match="not DICOM"):
        check(path)
    at = whole.index(b"\x08\x00\x60\x00CS")
    path.write_bytes(whole[: at + 4] + b"ZZ" + whole[at + 6 :])
    with pytest.raises(InputError, match="VR 'ZZ'"):
        check(path)


def test_bytes_outside_the_character_set_are_told(tmp_path):
    path = write(tmp_path / "a.dcm", PatientID="XXXX")
    path.write_bytes(path.read_bytes().replace(b"XXXX", b"\xd0\xcf\xd0\xcf"))
    assert "character-set" in [m.code for m in check(path)]


def test_damage_ends_in_a_report_or_our_error(tmp_path):
    whole = write(tmp_path / "a.dcm").read_bytes()
    rng = np.random.default_rng(0)
    path = tmp_path / "b.dcm"
    for _ in range(80):
        spoiled = bytearray(whole)
        for at in rng.integers(132, len(whole) - 512, 4):
            spoiled[at] = rng.integers(256)
        data = io.BytesIO(spoiled).getvalue()
        path.write_bytes(data[: rng.integers(200, len(data) + 1)])
        try:
            check(path)
        except InputError:
            continue
