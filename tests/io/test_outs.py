"""Outputs of Space Ranger: each spot has its own patch and its own counts, however the folder is packed."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.sparse as sp
import tifffile
from PIL import Image
from scipy.io import mmwrite

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.spatial import SpatialOptions, read_spatial, read_spatial_upload
from genomap_core.io.inspect import inspect

OPTIONS = SpatialOptions(patch=80, side=16, n_genes=5)
SPOTS, SCALE, FULL = 12, 0.25, 800


def counts() -> sp.csc_matrix:
    """Genes x spots; the first gene follows the spot's brightness."""
    rng = np.random.default_rng(0)
    values = rng.poisson(3, (5, SPOTS)) + 1
    values[0] = 5 * np.arange(SPOTS) + 1
    return sp.csc_matrix(values)


def write_outs(root: Path, *, matrix: bool = False, header: bool = True, full: str = "") -> None:
    """Spots in rows of four, each on a square as bright as its number; spot 3 lies beside the tissue."""
    spatial = root / "spatial"
    spatial.mkdir(parents=True)
    X, names = counts(), [f"AAAC{k:04d}-1" for k in range(SPOTS)]
    if matrix:
        folder, held = root / "filtered_feature_bc_matrix", io.BytesIO()
        folder.mkdir()
        mmwrite(held, X.tocoo(), field="integer")
        (folder / "matrix.mtx.gz").write_bytes(gzip.compress(held.getvalue()))
        (folder / "barcodes.tsv.gz").write_bytes(gzip.compress("".join(f"{n}\n" for n in names).encode()))
        genes = "".join(f"ENSG{k:011d}\tG{k}\tGene Expression\n" for k in range(5))
        (folder / "features.tsv.gz").write_bytes(gzip.compress(genes.encode()))
    else:
        with h5py.File(root / "filtered_feature_bc_matrix.h5", "w") as file:
            group = file.create_group("matrix")
            for part in ("data", "indices", "indptr", "shape"):
                group[part] = getattr(X, part)
            group["barcodes"] = np.array(names, "S")
            features = group.create_group("features")
            features["id"] = np.array([f"ENSG{k:011d}" for k in range(5)], "S")
            features["name"] = np.array([f"G{k}" for k in range(5)], "S")
            features["feature_type"] = np.array(["Gene Expression"] * 5, "S")
    picture, rows = np.full((FULL, FULL, 3), 255, np.uint8), []
    for k in range(SPOTS):
        row, column = divmod(k, 4)
        y, x = 120 + 200 * row, 110 + 180 * column
        picture[y - 60 : y + 60, x - 60 : x + 60] = 20 * k + 10
        rows.append(f"{names[k]},{int(k != 3)},{row},{column},{y},{x}")
    start = "barcode,in_tissue,array_row,array_col,pxl_row_in_fullres,pxl_col_in_fullres\n" if header else ""
    text = start + "\n".join(rows) + "\n"
    (spatial / f"tissue_positions{'' if header else '_list'}.csv").write_text(text)
    scales = {"tissue_hires_scalef": SCALE, "tissue_lowres_scalef": SCALE / 4, "spot_diameter_fullres": 90.0}
    (spatial / "scalefactors_json.json").write_text(json.dumps(scales))
    for kind, part in (("hires", SCALE), ("lowres", SCALE / 4)):
        small = Image.fromarray(picture).resize((round(FULL * part),) * 2, Image.Resampling.BOX)
        small.save(spatial / f"tissue_{kind}_image.png")
    if full:
        tifffile.imwrite(root / full, picture, photometric="rgb", tile=(128, 128), metadata=None)
    (root / "web_summary.html").write_text("<html>")
    (root / "raw_feature_bc_matrix.h5").write_bytes(b"x" * 100)


def check(cohort) -> None:
    assert cohort.n_samples == SPOTS - 1
    for sample, image in zip(cohort.table.sample_ids, cohort.images):
        k = int(sample.rpartition("AAAC")[2][:4])
        np.testing.assert_allclose(image.mean(axis=(1, 2)), (20 * k + 10) * 4 / 255 - 2, atol=0.02)
        totals = np.expm1(np.asarray(cohort.table.X)[cohort.table.sample_ids.index(sample)])
        whole = counts().toarray()[:, k]
        np.testing.assert_allclose(totals, whole / whole.sum() * 10_000, rtol=1e-4)


def packed(root: Path, kind: str) -> bytes:
    out, files = io.BytesIO(), [p for p in sorted(root.rglob("*")) if p.is_file()]
    if kind == "zip":
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in files:
                archive.write(path, path.relative_to(root).as_posix())
    else:
        with tarfile.open(fileobj=out, mode="w:gz" if kind == "tar.gz" else "w") as archive:
            for path in files:
                archive.add(path, f"./{path.relative_to(root).as_posix()}")
    return out.getvalue()


@pytest.mark.parametrize("how", [{}, {"matrix": True}, {"header": False}, {"full": "slide.tif"}], ids=str)
def test_spots_have_their_own_patches_and_counts(tmp_path, how):
    write_outs(tmp_path / "outs", **how)
    cohort, messages = read_spatial(tmp_path, OPTIONS)
    check(cohort)
    said = {m.code for m in messages}
    assert "no-tissue" in said
    assert ("picture" in said) == (not how.get("full"))


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_of_one_or_several_sections_are_read(tmp_path, kind):
    write_outs(tmp_path / "A" / "outs")
    write_outs(tmp_path / "B" / "outs", matrix=True)
    cohort, messages = read_spatial_upload(packed(tmp_path, kind), OPTIONS)
    assert cohort.n_samples == 2 * (SPOTS - 1)
    assert sorted(set(cohort.sections.tolist())) == ["A", "B"]
    assert len(set(cohort.table.groups.tolist())) == 2
    assert messages[0].code == "content"
    if kind == "zip":
        (tmp_path / "a.zip").write_bytes(packed(tmp_path, kind))
        assert "22 spots of 2 sections" in inspect(tmp_path / "a.zip").summary


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_an_archive_of_what_lies_in_outs_is_read_alike(tmp_path, kind):
    write_outs(tmp_path)
    cohort, messages = read_spatial_upload(packed(tmp_path, kind), OPTIONS)
    check(cohort)
    assert "picture" in {m.code for m in messages}


def test_what_is_missing_or_does_not_fit_is_named(tmp_path):
    write_outs(tmp_path / "outs")
    with pytest.raises(InputError, match="at least 24 pixels"):
        read_spatial(tmp_path, SpatialOptions(patch=10, side=16))
    positions = tmp_path / "outs" / "spatial" / "tissue_positions.csv"
    text = positions.read_text()
    positions.write_text(text.replace("AAAC", "GGGG"))
    with pytest.raises(InputError, match="not of one run"):
        read_spatial(tmp_path, OPTIONS)
    positions.write_text("\n".join(line.rpartition(",")[0] for line in text.splitlines()))
    with pytest.raises(InputError, match="must have the columns"):
        read_spatial(tmp_path, OPTIONS)
    positions.write_text(text)
    (tmp_path / "outs" / "filtered_feature_bc_matrix.h5").unlink()
    with pytest.raises(InputError, match="filtered_feature_bc_matrix"):
        read_spatial(tmp_path, OPTIONS)


def test_tar_archives_that_lead_elsewhere_or_hold_something_else_are_refused(tmp_path):
    def tar(*members: tarfile.TarInfo) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            for member in members:
                archive.addfile(member, io.BytesIO(bytes(member.size)))
        return out.getvalue()

    link = tarfile.TarInfo("outs/spatial/scalefactors_json.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    huge = tarfile.TarInfo("outs/a.tif")
    for bad in (tarfile.TarInfo("../evil"), tarfile.TarInfo("/evil"), link, huge):
        with pytest.raises(RefusedError):
            read_spatial_upload(tar(bad), OPTIONS)
    with pytest.raises(InputError):
        read_spatial_upload(gzip.compress(b"no tar" * 100), OPTIONS)
    assert not list(tmp_path.rglob("evil"))
