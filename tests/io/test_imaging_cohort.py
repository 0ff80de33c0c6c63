"""Imaging cohorts: images find their rows, types of omics stay apart, and everything left out is named."""

from __future__ import annotations

import gzip
import io
import json
import logging
import zipfile

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import tifffile
from imaging_files import body, dicom, encoded, nifti, packed, png, series, table

from genomap_core.data.images.patients import ImagingOptions, PatientImages
from genomap_core.errors import Cancelled, InputError, RefusedError
from genomap_core.io.images import cohort as imaging
from genomap_core.io.images.cohort import read_imaging_cohort
from genomap_core.io.images.matching import find_owners
from genomap_core.io.inspect import inspect
from genomap_core.io.sandbox import call as sandbox

SMALL = ImagingOptions(side=32)
GOOD: dict[str, bytes | str] = {"expression.csv": table()} | {f"images/S{i}.png": png(i) for i in range(6)}


def read(members, options=SMALL):
    cohort, messages = read_imaging_cohort(packed(members), options)
    return cohort, {m.code: m for m in messages}


def test_a_zip_of_images_and_a_table_becomes_a_cohort():
    cohort, said = read(GOOD)
    assert cohort.images.shape == (6, 1, 32, 32)
    assert cohort.images.dtype == np.float32
    np.testing.assert_allclose(cohort.images.mean(axis=(1, 2, 3)), 0, atol=0.05)
    assert cohort.table.sample_ids == tuple(f"S{i}" for i in range(6))
    assert cohort.table.classes == ("a", "b")
    assert cohort.table.y.tolist() == [0, 1, 0, 1, 0, 1]
    assert cohort.present.all()
    assert {m.severity for m in said.values()} == {"ok"}
    assert "6 samples with 1 image channel" in said["content"].text


def test_each_image_lies_with_its_own_row(tmp_path):
    values = {f"S{i}": 40 * i for i in range(6)}
    members = {"t.csv": table()} | {
        f"x/{name}.png": encoded(np.full((40, 40), value, np.uint8)) for name, value in reversed(values.items())
    }
    cohort, said = read(members, ImagingOptions(side=16, treatment="histology"))
    means = cohort.images.mean(axis=(1, 2, 3))
    np.testing.assert_allclose(means, [40 * i * 4 / 255 - 2 for i in range(6)], atol=1e-5)
    assert said["constant-image"].severity == "warn"


def test_a_folder_files_and_a_zip_give_the_same_cohort(tmp_path):
    for name, content in GOOD.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    files = [(name, content.encode() if isinstance(content, str) else content) for name, content in GOOD.items()]
    digests = {read_imaging_cohort(source, SMALL)[0].digest for source in (tmp_path, files, packed(GOOD))}
    assert len(digests) == 1


def test_types_of_omics_stay_apart_and_missing_ones_stay_missing():
    members = GOOD | {"methylation.csv": table(4, genes=("TP53", "KRAS"), label=False, seed=1)}
    cohort, said = read(members)
    assert cohort.table.omics_names == ("expression", "methylation")
    assert cohort.table.feature_names == (
        "expression:TP53", "expression:MYC", "methylation:TP53", "methylation:KRAS",
    )  # fmt: skip
    assert cohort.omics.tolist() == [0, 0, 1, 1]
    assert cohort.present[:, 1].tolist() == [True] * 4 + [False] * 2
    assert "2 samples of 6 lack methylation" in said["type-missing"].text


def test_images_without_rows_and_rows_without_images_are_named():
    members = {name: content for name, content in GOOD.items() if "S0" not in name} | {"images/S77.png": png(9)}
    cohort, said = read(members)
    assert cohort.n_samples == 5
    assert "S0" in said["no-image"].text
    assert "S77" in said["no-row"].text
    assert any("S0" in note for note in cohort.notes)


def test_images_of_patients_without_a_label_are_explained_and_no_list_is_of_names_not_shown():
    rows = "sample_id,TP53,MYC,P53,label\n" + "".join(f"Q{i},{i}.5,{i}.1,{7 - i}.2,{'ab'[i % 2]}\n" for i in range(5))
    members: dict[str, bytes | str] = {"rna.csv": rows + "Q5,1.5,2.5,3.5,\n"}
    cohort, said = read(members | {f"images/Q{i}_19960909_14.png": png(i) for i in range(6)})
    assert cohort.n_samples == 5
    assert "1 sample without a label" in said["missing-label"].text
    assert said["no-row"].text.endswith("left out (names not shown).")


def test_a_damaged_image_costs_its_patient_only():
    cohort, said = read(GOOD | {"images/S2.png": png(2)[:300]})
    assert cohort.table.sample_ids == ("S0", "S1", "S3", "S4", "S5")
    assert "S2.png" in said["image"].text
    assert "truncated" in said["image"].text


def test_a_second_image_of_a_patient_is_named():
    cohort, said = read(GOOD | {"images/again_S3.png": png(33)})
    assert cohort.n_samples == 6
    assert "S3" in said["several-images"].text


def test_a_patient_twice_in_a_table_is_an_error():
    cohort, said = read(GOOD | {"expression.csv": table() + "S1,5,5,a\n"})
    assert cohort is None
    assert said["duplicate-id"].severity == "error"


def test_a_manifest_names_patients_and_channels_whatever_the_files_are_called():
    members: dict[str, bytes | str] = {"rna.csv": table(4)}
    rows = ["patient,file,channel,split"]
    for i in range(4):
        for channel in ("T1", "FLAIR"):
            name = f"scan {i}{channel[0]}.png"
            members[f"pictures/{name}"] = png(10 * i + len(channel))
            rows.append(f"S{i},{name},{channel},train")
    cohort, said = read(members | {"manifest.csv": "\n".join(rows[:-1]) + "\n"})
    assert cohort.channels == ("T1", "FLAIR")
    assert cohort.images[:3].std(axis=(2, 3)).min() > 0.5
    assert not cohort.images[3, 1].any()
    assert "S3" in said["channels-filled"].text
    assert "manifest-split" in said
    assert "scan 3F" in said["no-row"].text


def test_labels_may_stand_in_the_manifest_or_in_a_table_of_their_own():
    unlabelled = {name: content for name, content in GOOD.items() if name != "expression.csv"}
    unlabelled["rna.csv"] = table(label=False)
    rows = "\n".join(f"S{i},images/S{i}.png,{'xyz'[i % 3]}" for i in range(6))
    cohort, _ = read(unlabelled | {"list.csv": f"patient,file,label\n{rows}\n"})
    assert cohort.table.classes == ("x", "y", "z")
    labels = "\n".join(f"S{i},{'pq'[i % 2]}" for i in range(5))
    cohort, said = read(unlabelled | {"outcome.csv": f"sample_id,diagnosis\n{labels}\n"})
    assert cohort.table.classes == ("p", "q")
    assert cohort.n_samples == 5
    assert "S5" in said["no-label"].text
    cohort, said = read(unlabelled)
    assert cohort.table.y is None
    assert "no-labels" in said


def test_the_class_can_be_another_column():
    rows = "\n".join(f"S{i},{i}.5,{'ab'[i % 2]},{i % 3}" for i in range(6))
    members = GOOD | {"expression.csv": f"sample_id,TP53,label,grade\n{rows}\n"}
    cohort, _ = read(members, ImagingOptions(side=32, target="grade"))
    assert cohort.table.classes == ("0", "1", "2")
    assert "grade" not in cohort.table.feature_names
    cohort, said = read(members, ImagingOptions(side=32, target="nothing"))
    assert cohort is None
    assert said["no-target"].severity == "error"


def test_folders_of_dicom_files_are_series_and_their_slices_channels():
    members: dict[str, bytes | str] = {"rna.csv": table(4)}
    for i in range(4):
        for k, data in enumerate(series(body(6, 32 + 4 * i), uid=f"1.2.{i}", PatientID=f"P{i}")):
            members[f"ct/S{i}/IM{k:04d}"] = data
    cohort, said = read(members)
    assert cohort.images.shape == (4, 1, 32, 32)
    assert (cohort.images.min(), cohort.images.max() <= 2) == (-2, True)
    assert cohort.spacing[:, 0] == pytest.approx([(32 + 4 * i) * 0.75 / 32 for i in range(4)])
    assert "32 x 32 x 6 (1)" in said["image-sizes"].text
    assert "3-D" in said["content"].text
    cohort, _ = read(members, ImagingOptions(side=32, slices="evenly spaced", n_slices=3))
    assert cohort.channels == ("slice 1", "slice 2", "slice 3")


def test_single_dicom_files_in_one_folder_are_patients():
    members: dict[str, bytes | str] = {"rna.csv": table(4)}
    for i in range(4):
        members[f"mr/S{i}.dcm"] = dicom(
            np.random.default_rng(i).integers(0, 900, (40, 40)).astype(np.uint16), Modality="MR", PatientID=f"P{i}"
        )
    cohort, said = read(members)
    assert cohort.n_samples == 4
    assert "mr (4)" in said["treatment"].text


def test_a_series_with_a_missing_slice_is_used_and_told():
    members: dict[str, bytes | str] = {"rna.csv": table(4)}
    for i in range(4):
        files = series(body(), uid=f"1.2.{i}")
        for k, data in enumerate(files[:4] + files[5:]):
            members[f"S{i}/{k}.dcm"] = data
    cohort, said = read(members)
    assert cohort.n_samples == 4
    assert "1 slice missing" in said["missing-slices"].text
    assert "3 images more" in said["missing-slices"].text


def test_volumes_of_nifti_are_told_to_be_ct_by_their_air():
    volume = body().transpose(2, 1, 0)
    members = {"rna.csv": table(2), "S0.nii": nifti(volume), "S1.nii": nifti(np.abs(volume))}
    _, said = read(members)
    assert "ct (1)" in said["treatment"].text
    assert said["treatment"].severity == "warn"


def test_grey_among_colours_is_repeated_and_told():
    colours = {f"images/S{i}.png": png(i, (40, 40, 3)) for i in range(5)}
    cohort, said = read(GOOD | colours)
    assert cohort.channels == ("red", "green", "blue")
    np.testing.assert_array_equal(cohort.images[5, 0], cohort.images[5, 2])
    assert "S5" in said["grey-repeated"].text
    cohort, _ = read(GOOD | colours, ImagingOptions(side=32, colours=False, treatment="picture"))
    assert cohort.images.shape[1] == 1


def test_types_of_omics_without_any_image_are_a_cohort_too():
    cohort, said = read({"rna.csv": table(), "mirna.csv": table(genes=("m1", "m2"), label=False)})
    assert cohort.images.shape == (6, 0, 32, 32)
    assert "no-images" in said


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({k: v for k, v in GOOD.items() if k != "expression.csv"}, "no-table"),
        ({"expression.csv": table(prefix="Q")} | {k: v for k, v in GOOD.items() if k != "expression.csv"}, "few-pairs"),
        (GOOD | {"expression.csv": "sample_id,label\nS0,a\nS1,b\nS2,a\nS3,b\nS4,a\nS5,b\n"}, "no-features"),
    ],
)
def test_what_makes_no_cohort_is_an_error_with_a_remedy(members, code):
    cohort, said = read(members)
    assert cohort is None
    assert said[code].severity == "error"


def test_bombs_links_and_paths_are_refused_before_a_byte_is_unpacked(tmp_path):
    for name, content, word in (
        ("images/S9.png", bytes(50 << 20), "limit"),
        ("../S9.png", b"x", r"\.\."),
        ("more.zip", b"PK", "archives"),
    ):
        with pytest.raises(RefusedError, match=word):
            read(GOOD | {name: content})
    with pytest.raises(InputError, match="not a ZIP"):
        read_imaging_cohort(b"sample_id,a\n", SMALL)
    with pytest.raises(InputError, match="No files"):
        read_imaging_cohort([], SMALL)


def test_one_child_reads_the_whole_cohort(monkeypatch):
    jobs = []
    monkeypatch.setattr(imaging, "run_in_child", lambda job, *a: jobs.append(job) or sandbox.run_in_child(job, *a))
    read(GOOD)
    assert jobs == ["units"]


def test_progress_is_told_and_may_cancel(tmp_path):
    seen = []
    big = GOOD | {f"images/S{i}.png": png(i, (1500, 1500)) for i in range(6)}
    read_imaging_cohort(packed(big), SMALL, seen.append)
    assert all(p.stage == "reading images" and p.step <= p.total == 6 for p in seen)

    def stop(progress):
        raise Cancelled

    with pytest.raises(Cancelled):
        read_imaging_cohort(packed(big), SMALL, stop)


def test_a_name_gives_its_owner_only_without_doubt():
    ids = ["S1", "S2", "TCGA_CS_4941", "007", "p-3"]
    files = {
        "a": ("S1",), "b": ("x_S2_t1",), "c": ("TCGA_CS_4941_19960909_14",), "d": ("S1_S2",), "e": ("S11",),
        "f": ("img", "S2"), "j": ("007", "S2"), "g": ("7",), "h": ("P-03",), "i": ("scan 007",),
    }  # fmt: skip
    found = find_owners(files, ids)
    assert found.owner == {
        "a": "S1", "b": "S2", "c": "TCGA_CS_4941", "f": "S2", "g": "007", "h": "p-3", "i": "007",
    }  # fmt: skip
    assert set(found.lost) == {"d", "e", "j"}
    assert set(found.bent) == {"g", "h"}


CANARIES = {
    "PatientName": "CANARY^NAME",
    "PatientID": "CANARYPATID",
    "PatientBirthDate": "19010203",
    "PatientAddress": "CANARY street 1",
    "PatientTelephoneNumbers": "0190-CANARY",
    "OtherPatientIDs": "CANARYOTHER",
    "PatientMotherBirthName": "CANARY^MOTHER",
    "PatientComments": "CANARY comment",
    "InstitutionName": "CANARY hospital",
    "InstitutionAddress": "CANARY road",
    "ReferringPhysicianName": "CANARY^REF",
    "PerformingPhysicianName": "CANARY^PERF",
    "OperatorsName": "CANARY^OP",
    "AccessionNumber": "CANARYACC",
    "StudyDate": "19020304",
    "StudyID": "CANARYSTUDY",
    "StudyDescription": "CANARY description",
    "SeriesDescription": "CANARY series",
    "DeviceSerialNumber": "CANARYDEV",
    "StationName": "CANARYSTATION",
    "ProtocolName": "CANARY protocol",
    "StudyInstanceUID": "1.2.999.4242.1",
    "FrameOfReferenceUID": "1.2.999.4242.2",
    "ImageComments": "CANARY image",
    "RequestedProcedureDescription": "CANARY procedure",
}
SECRETS = (b"CANARY", b"19010203", b"19020304", b"4242", b"DOE", b"1970")


def test_nothing_that_identifies_a_person_leaves_the_dicom_files(tmp_path, caplog, capfd, monkeypatch):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    members: dict[str, bytes | str] = {"rna.csv": table(4)}
    for i in range(4):
        for k, data in enumerate(series(body(), uid=f"1.2.999.4242.{i + 3}", **CANARIES)):
            members[f"DOE_JOHN_1970-01-01/S{i}/{k}.dcm"] = data
    members["S1/broken.dcm"] = members["DOE_JOHN_1970-01-01/S1/0.dcm"][:900]
    cohort, messages = read_imaging_cohort(packed(members), SMALL)
    assert cohort.n_samples == 4
    cohort.save(tmp_path / "cohort.npz")
    assert PatientImages.load(tmp_path / "cohort.npz").digest is not None
    with zipfile.ZipFile(tmp_path / "cohort.npz") as archive:
        stored = b"".join(archive.read(name) for name in archive.namelist())
    said = json.dumps([m.as_dict() for m in messages])
    assert "identifying" in said
    written = "".join((caplog.text, *capfd.readouterr())).encode()
    for place in ((tmp_path / "cohort.npz").read_bytes(), stored, said.encode(), written, repr(cohort).encode()):
        assert not [s for s in SECRETS if s in place or s.decode().encode("utf-16-le") in place]
    assert not list((tmp_path / "temporary").iterdir()), "temporary files stay"


def pictures(names):
    """Half-bright pictures: the k-th is bright in its k-th row of blocks."""
    found = {}
    for k, name in enumerate(names):
        pixels = np.full((48, 48), 20, np.uint8)
        pixels[8 * k : 8 * k + 8] = 230
        found[name] = encoded(pixels)
    return found


def bright_rows(cohort):
    """Which row of blocks is brightest, by sample id."""
    rows = cohort.images[:, 0].mean(axis=2).reshape(len(cohort.images), 6, -1).mean(axis=2).argmax(axis=1)
    return dict(zip(cohort.table.sample_ids, rows.tolist()))


SIX = {f"S{k}": k for k in range(6)}


@pytest.mark.parametrize(
    ("names", "ids"),
    [
        ([f"cohort\\img\\S{k}.png" for k in range(6)], None),
        ([f"S{k}.png" for k in range(6)], [f"S{k}.png" for k in range(6)]),
        ([f"S{k}.png" for k in range(6)], [f"s{k}.DCM" for k in range(6)]),
        ([f"Zu\u0308{k}.png" for k in range(6)], [f"Z\u00fc{k}" for k in range(6)]),
        ([f"Z\u00fc{k}.png" for k in range(6)], [f"Zu\u0308{k}" for k in range(6)]),
    ],
)
def test_names_and_ids_meet_however_they_are_written(names, ids):
    rows = table()
    for k, own in enumerate(ids or []):
        rows = rows.replace(f"S{k},", f"{own},")
    cohort, said = read_imaging_cohort(packed({"table.csv": rows, **pictures(names)}), ImagingOptions(side=48))
    assert cohort is not None, said
    assert list(bright_rows(cohort).values()) == list(range(6))


def test_a_backslash_leads_out_of_the_folder_no_more_than_a_slash():
    with pytest.raises(RefusedError, match="lead out"):
        read_imaging_cohort(packed({"table.csv": table(), "a\\..\\..\\b.png": png()}))


def test_ids_that_differ_in_their_ending_only_stay_apart():
    names = ["S0.png", "S0.tif", *(f"S{k}.png" for k in range(1, 5))]
    found = find_owners({name: (name.rpartition(".")[0], name) for name in names}, names)
    assert found.owner == {name: name for name in names}


def test_volumes_in_two_files_are_one(tmp_path):
    planted = body().transpose(2, 1, 0).astype(np.int16)
    members = {"table.csv": table()}
    for k in range(6):
        pair = nib.Nifti1Pair(planted + np.int16(k), np.eye(4))
        nib.save(pair, tmp_path / "a.hdr")
        header, voxels = (tmp_path / "a.hdr").read_bytes(), (tmp_path / "a.img").read_bytes()
        packed_too = k == 5
        members[f"S{k}.hdr"] = header
        members[f"S{k}.img" + ".gz" * packed_too] = gzip.compress(voxels) if packed_too else voxels
    cohort, _ = read_imaging_cohort(packed(members), ImagingOptions(side=32))
    members = {"table.csv": table()} | {f"S{k}.nii": nifti_bytes(planted + np.int16(k)) for k in range(6)}
    same, _ = read_imaging_cohort(packed(members), ImagingOptions(side=32))
    np.testing.assert_array_equal(cohort.images, same.images)
    assert float(np.ptp(cohort.images)) > 1
    (tmp_path / "b.hdr").write_bytes(header)
    assert "pair" in str(inspect(tmp_path / "b.hdr").messages)


def nifti_bytes(values):
    return nib.Nifti1Image(values, np.eye(4)).to_bytes()


def test_the_table_may_be_a_workbook():
    held = io.BytesIO()
    pd.read_csv(io.StringIO(table())).to_excel(held, index=False)
    given = packed({"clinic.xlsx": held.getvalue(), **pictures([f"S{k}.png" for k in range(6)])})
    cohort, _ = read_imaging_cohort(given, ImagingOptions(side=48))
    assert bright_rows(cohort) == SIX


def test_whole_slides_are_named_with_what_to_do():
    slides = {"S0.mrxs": b"\xff\xd8\xff", "S1.SVS": b"II*\0"}
    given = packed({"table.csv": table(), **slides, **pictures([f"S{k}.png" for k in range(6)])})
    _, messages = read_imaging_cohort(given, ImagingOptions(side=48))
    said = {m.code: m for m in messages}
    assert "S0.mrxs" in said["slides"].text
    assert "TIFF" in said["slides"].remedy
    assert "S1.SVS: The slide can't be opened" in said["image"].text


def test_formats_that_are_not_read_are_named_with_how_to_convert_them():
    members = {"omics.csv": table(4), **{f"S{i}.png": png(i) for i in range(4)}}
    _, messages = read_imaging_cohort(packed(members | {"S1.nrrd": b"NRRD0004", "S2.heic": b"x", "x.exe": b"MZ"}))
    said = {m.text: m.remedy for m in messages if m.code == "not-read"}
    assert "NIfTI" in said["1 file not read: S1.nrrd."]
    assert "JPEG" in said["1 file not read: S2.heic."]
    assert any("x.exe" in m.text for m in messages if m.code == "ignored-members")


def test_ids_may_be_the_paths_of_their_files():
    rows = table(4).replace("\nS", "\nscans/S").splitlines()
    text = "\n".join([rows[0], *(row.replace(",", ".png,", 1) for row in rows[1:])])
    cohort, messages = read_imaging_cohort(packed({"t.csv": text} | {f"scans/S{i}.png": png(i) for i in range(4)}))
    assert cohort.n_samples == 4
    assert "near-match" in {m.code for m in messages}


def test_dicom_files_that_are_called_by_ids_are_patients_though_their_tags_name_no_series():
    pixels = np.arange(900, dtype=np.uint16).reshape(30, 30)
    files = {f"scans/S{i}.dcm": dicom(pixels + i, Modality="MR") for i in range(4)}
    cohort, _ = read_imaging_cohort(packed({"t.csv": table(4)} | files), ImagingOptions(side=16))
    assert cohort.n_samples == 4


def test_frames_of_a_tiff_are_channels_and_told():
    held = io.BytesIO()
    tifffile.imwrite(held, np.random.default_rng(0).integers(0, 9, (5, 20, 20), np.uint8), photometric="minisblack")
    members = {"t.csv": table(4)} | {f"S{i}.tif": held.getvalue() for i in range(4)}
    cohort, messages = read_imaging_cohort(packed(members), ImagingOptions(side=16))
    assert len(cohort.channels) == 5
    assert any("5 pages (frames)" in m.text for m in messages)


def volume(seed: int) -> bytes:
    voxels = np.random.default_rng(seed).integers(0, 99, (20, 20, 4)).astype(np.int16)
    return gzip.compress(nib.Nifti1Image(voxels, np.eye(4)).to_bytes())


def bids() -> dict[str, bytes | str]:
    """Six patients in two sessions and two sequences, one without the second; sidecars and a table of scans."""
    files: dict[str, bytes | str] = {"participants.tsv": table(6, "sub-0").replace(",", "\t"), "README": "x"}
    for i in range(6):
        for session in ("01", "02"):
            start = f"sub-0{i}/ses-{session}/anat/sub-0{i}_ses-{session}_"
            files |= {f"{start}T1w.nii.gz": volume(i), f"{start}T1w.json": "{}"}
            files |= {f"{start}FLAIR.nii.gz": volume(i + 50)} if i else {}
        files[f"sub-0{i}/sub-0{i}_scans.tsv"] = "filename\tacq_time\nx\t1\n"
    return files


def brats() -> dict[str, bytes | str]:
    names = [f"BraTS20_Training_00{i}" for i in range(1, 7)]
    rows = table(6).splitlines()
    text = "\n".join([rows[0], *(name + row[row.index(",") :] for name, row in zip(names, rows[1:]))])
    return {"survival_info.csv": text} | {
        f"{name}/{name}_{kind}.nii.gz": volume(9 * k + j)
        for k, name in enumerate(names)
        for j, kind in enumerate(("flair", "t1", "t1ce", "t2", "seg"))
    }


def test_bids_and_brats_folders_are_joined_by_patient_and_the_sequence_is_said_and_chosen():
    cohort, said = read(bids())
    assert cohort.images.shape[:2] == (6, 1)
    assert "t1w (6), flair (5); t1w is used" in said["sequence"].text
    assert {c for c, m in said.items() if m.severity == "error"} == set()
    flair, told = read(bids(), ImagingOptions(side=32, sequence="FLAIR"))
    assert flair.n_samples == 5
    assert "sub-00" in told["sequence"].text
    plain = cohort.images[cohort.table.sample_ids.index("sub-03")]
    assert np.abs(plain - flair.images[flair.table.sample_ids.index("sub-03")]).max() > 0.1
    cohort, said = read(brats())
    assert cohort.images.shape[:2] == (6, 1)
    assert "t1ce is used" in said["sequence"].text
    assert said["masks"].text.startswith("6 masks")
    every, _ = read(brats(), ImagingOptions(side=32, sequence="all"))
    assert every.images.shape[:2] == (6, 4)
    assert set(every.channels) == {"flair", "t1", "t1ce", "t2"}
    nothing, said = read(brats(), ImagingOptions(side=32, sequence="pet"))
    assert nothing is None
    assert "flair (6)" in said["no-sequence"].text


def test_the_column_of_ids_is_the_one_that_names_the_images():
    grades = "Grade,BraTS_2020_subject_ID\n" + "".join(f"{'HL'[i % 2]}GG,BraTS20_Training_00{i}\n" for i in range(1, 7))
    cohort, said = read(brats() | {"name_mapping.csv": grades})
    assert {m.severity for m in said.values()} <= {"ok", "warn"}
    assert cohort.n_samples == 6
    assert set(cohort.table.classes) in ({"a", "b"}, {"HGG", "LGG"})
