"""Spatial transcriptomics: each spot's patch is cut where it lies, with its own counts; genes are chosen blindly."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import tifffile
from PIL import Image

from genomap_core.errors import InputError
from genomap_core.io.images.patches import cut
from genomap_core.io.images.spatial import (
    Counts,
    Section,
    SpatialOptions,
    counts_of,
    expression,
    find_sections,
    most_variable,
    read_spatial,
    stacked,
)
from genomap_core.io.tables.read import read_table

SHARED = Path(os.environ.get("GENOMAP_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
HER2ST = SHARED / "images" / "her2st"
OPTIONS = SpatialOptions(patch=20, side=16, n_genes=4)
RNG = np.random.default_rng(0)


def section(folder: Path, name: str, patient: str, seed: int, labels: bool = True) -> dict[str, tuple[int, int, int]]:
    """Twelve spots on a grid, each a square of its own colour; the colours by spot."""
    rng = np.random.default_rng(seed)
    image = np.full((160, 200, 3), 255, np.uint8)
    colours, places, counts, known = {}, ["x\ty\tpixel_x\tpixel_y\tselected"], ["\tG1\tG2\tG3\tG4\tG5\tG6"], []
    for k in range(12):
        column, row = k % 4, k // 4
        spot, x, y = f"{column}x{row}", 30 + 45 * column, 30 + 45 * row
        colours[spot] = tuple(int(v) for v in rng.integers(30, 200, 3))
        image[y - 15 : y + 15, x - 15 : x + 15] = colours[spot]
        places.append(f"{column}\t{row}\t{x}\t{y}\t{int(spot != '3x2')}")
        values = [10 * (k % 2), k, 1, 0, int(rng.integers(0, 5)), 50]
        counts.append(f"{spot}\t" + "\t".join(map(str, values)))
        known.append(f"{x}.0x{y}.0\t{patient}\t{name}\t{'pq'[k % 2]}\t{column}\t{row}")
    Image.fromarray(image).save(folder / f"{name}_HE.png")
    (folder / f"{name}_selection.tsv").write_text("\n".join(places) + "\n")
    (folder / f"{name}.tsv.gz").write_bytes(gzip.compress(("\n".join(counts) + "\n").encode()))
    if labels:
        text = "\tpatient_id\tids\tlabel\tx\ty\n" + "\n".join(known[:-2]) + "\n"
        (folder / f"{name}-cluster-annotation.tsv.gz").write_bytes(gzip.compress(text.encode()))
    return colours


def test_every_spot_has_its_own_patch_counts_label_and_patient(tmp_path):
    colours = {f"{name} {spot}": c for name, patient, seed in (("B1", "B", 1), ("C1", "C", 2))
               for spot, c in section(tmp_path, name, patient, seed).items()}  # fmt: skip
    cohort, messages = read_spatial(tmp_path, OPTIONS)
    assert cohort.images.shape == (20, 3, 16, 16)
    for sample, image in zip(cohort.table.sample_ids, cohort.images):
        expected = np.array(colours[sample]) * 4 / 255 - 2
        np.testing.assert_allclose(image.mean(axis=(1, 2)), expected, atol=1e-5)
        assert float(np.ptp(image, axis=(1, 2)).max()) < 1e-5
    assert cohort.table.classes == ("p", "q")
    odd = [int(spot.partition(" ")[2].partition("x")[0]) % 2 for spot in cohort.table.sample_ids]
    assert cohort.table.y.tolist() == odd
    assert np.bincount(cohort.table.groups).tolist() == [10, 10]
    codes = {m.code for m in messages}
    assert {"no-place", "spots", "content"} <= codes
    assert cohort.table.unit == "log(1 + counts per 10,000)"


def test_counts_become_shares_of_the_spot_and_genes_are_chosen_without_labels(tmp_path):
    section(tmp_path, "B1", "B", 1)
    section(tmp_path, "C1", "C", 2, labels=False)
    labelled, _ = read_spatial([find_sections(tmp_path)[0]], OPTIONS)
    (tmp_path / "B1-cluster-annotation.tsv.gz").unlink()
    plain, _ = read_spatial([find_sections(tmp_path)[0]], SpatialOptions(patch=20, side=16, n_genes=6))
    assert plain.table.y is None
    assert set(labelled.table.feature_names) < set(plain.table.feature_names)
    totals = np.expm1(np.asarray(plain.table.X)).sum(axis=1)
    np.testing.assert_allclose(totals, 10_000, rtol=1e-4)


def test_one_section_alone_is_parted_into_blocks_and_told(tmp_path):
    section(tmp_path, "B1", "B", 1)
    cohort, messages = read_spatial(tmp_path, OPTIONS)
    assert len(set(cohort.table.groups.tolist())) > 3
    assert "blocks" in {m.code for m in messages}


def test_groups_are_sections_where_asked_for(tmp_path):
    for name, patient in (("C1", "C"), ("C2", "C"), ("B1", "B")):
        section(tmp_path, name, patient, 3)
    by_patient, _ = read_spatial(tmp_path, OPTIONS)
    by_section, _ = read_spatial(tmp_path, SpatialOptions(patch=20, side=16, groups="section"))
    assert len(set(by_patient.table.groups.tolist())) == 2
    assert len(set(by_section.table.groups.tolist())) == 3


def test_patches_over_the_edge_are_filled_with_white():
    slide = Image.fromarray(np.zeros((50, 50, 3), np.uint8))
    patches, edge = cut(slide, np.array([[25.0, 25.0], [0.0, 0.0], [500.0, 500.0]]), 20, 20)
    assert edge == 2
    assert not patches[0].any()
    assert patches[1, :10, :].min() == 255
    assert not patches[1, 10:, 10:].any()
    assert patches[2].min() == 255


def test_stains_are_those_of_the_whole_slide(tmp_path):
    section(tmp_path, "B1", "B", 1)
    cohort, _ = read_spatial(tmp_path, SpatialOptions(patch=20, side=16, stains=True))
    assert np.isfinite(cohort.images).all()


@pytest.mark.parametrize(
    ("spoil", "word"),
    [
        (lambda f: (f / "B1_selection.tsv").unlink(), "lacks places"),
        (lambda f: (f / "B1.tsv.gz").unlink(), "lacks counts"),
        (lambda f: (f / "B1_HE.png").write_bytes(b"broken"), "section 1"),
        (lambda f: (f / "B1_HE.png").unlink(), "_HE"),
        (lambda f: (f / "B1_selection.tsv").write_text("x\ty\n1\t2\n2\t3\n"), "pixel_x"),
        (lambda f: (f / "B1.tsv.gz").write_bytes(gzip.compress(b"\tG1\tG2\n90x90\t1\t2\n91x90\t4\t2\n")), "10x14"),
    ],
)
def test_what_does_not_fit_says_why(tmp_path, spoil, word):
    section(tmp_path, "B1", "B", 1)
    spoil(tmp_path)
    with pytest.raises(InputError, match=word):
        read_spatial(tmp_path, OPTIONS)


def test_genes_that_a_section_lacks_were_never_seen_in_it():
    one = Counts(("a",), ("G1", "G2"), sp.csr_matrix(np.array([[1.0, 2.0]])))
    other = Counts(("b",), ("G2", "G3"), sp.csr_matrix(np.array([[5.0, 7.0]])))
    both = stacked([one, other])
    assert both.genes == ("G1", "G2", "G3")
    np.testing.assert_array_equal(both.values.toarray(), [[1, 2, 0], [0, 5, 7]])


def test_genes_named_twice_are_added_and_zero_one_columns_count():
    table = read_table(
        b"\tG1\tG2\tG1\n" + b"".join(b"%dx1\t%d\t%d\t2\n" % (i, i % 2, i * 3) for i in range(8)), "a.tsv"
    )
    counts = counts_of(table)
    assert counts.genes == ("G1", "G2")
    np.testing.assert_array_equal(counts.values.toarray(), [[i % 2 + 2, 3 * i] for i in range(8)])


def test_expression_matches_its_formula_and_variance_orders_the_genes():
    counts = RNG.poisson(3, (30, 20)).astype(np.float32)
    counts[:, 7] *= RNG.integers(0, 9, 30)
    values = expression(sp.csr_matrix(counts))
    expected = np.log1p(counts / counts.sum(1, keepdims=True) * 1e4)
    np.testing.assert_allclose(values.toarray(), expected, rtol=1e-5)
    want = np.sort(np.argsort(-expected.var(axis=0))[:5])
    np.testing.assert_array_equal(most_variable(values, 5), want)


def visium(path: Path, n: int = 30, images: bool = True) -> np.ndarray:
    """A section of ``n`` spots as scanpy stores it; the colour of each spot."""
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    rng = np.random.default_rng(4)
    places = np.stack([(np.arange(n) % 6) * 100 + 80, (np.arange(n) // 6) * 100 + 80], axis=1).astype(float)
    colours = rng.integers(0, 200, (n, 3))
    image = np.ones((400, 400, 3), np.float32)
    for (x, y), colour in zip(places / 2, colours):
        image[int(y) - 20 : int(y) + 20, int(x) - 20 : int(x) + 20] = colour / 255
    obs = pd.DataFrame(
        {"cluster": pd.Categorical(["pqr"[k % 3] for k in range(n)]), "in_tissue": [int(k > 1) for k in range(n)]},
        index=[f"AAAC{k:03d}-1" for k in range(n)],
    )
    adata = anndata.AnnData(
        sp.csr_matrix(rng.poisson(2, (n, 12)).astype(np.float32)),
        obs=obs,
        var=pd.DataFrame(index=[f"GENE{j}" for j in range(12)]),
    )
    adata.obsm["spatial"] = places
    library = {"images": {"hires": image} if images else {}, "scalefactors": {"tissue_hires_scalef": 0.5}}
    adata.uns["spatial"] = {"section": library}
    adata.write_h5ad(path)
    return colours


def test_a_visium_file_gives_its_spots(tmp_path):
    colours = visium(tmp_path / "a.h5ad")
    cohort, messages = read_spatial(tmp_path / "a.h5ad", SpatialOptions(patch=40, side=16, n_genes=8))
    assert cohort.n_samples == 28
    np.testing.assert_allclose(cohort.images.mean(axis=(2, 3)), colours[2:] * 4 / 255 - 2, atol=0.02)
    assert cohort.table.classes == ("p", "q", "r")
    assert cohort.table.n_features == 8
    assert {"blocks", "no-tissue"} <= {m.code for m in messages}


def test_a_visium_file_without_image_or_with_too_coarse_a_one_says_so(tmp_path):
    visium(tmp_path / "a.h5ad", images=False)
    with pytest.raises(InputError, match="hires"):
        read_spatial(tmp_path / "a.h5ad", OPTIONS)
    visium(tmp_path / "b.h5ad")
    with pytest.raises(InputError, match="at least 12 pixels"):
        read_spatial(tmp_path / "b.h5ad", SpatialOptions(patch=8, side=16))


def test_a_slide_over_the_limit_is_refused(tmp_path, monkeypatch):
    from dataclasses import replace

    from genomap_core.io.images import spatial

    section(tmp_path, "B1", "B", 1)
    monkeypatch.setattr(spatial, "SLIDE", replace(spatial.SLIDE, pixels=10_000))
    with pytest.raises(InputError, match="limit"):
        read_spatial(tmp_path, OPTIONS)


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.skipif(not HER2ST.is_dir(), reason="the optional data folder is absent (GENOMAP_DATA)")
def test_real_sections_lie_where_their_tissue_is():
    sections: list[Section] = [s for s in find_sections(HER2ST) if s.name in ("B4", "C3")]
    cohort, _ = read_spatial(sections)
    assert cohort.images.shape[1:] == (3, 64, 64)
    assert cohort.n_samples > 350
    assert np.bincount(cohort.table.groups).min() > 100
    assert cohort.images.mean() < 1.0, "tissue is darker than glass"


def test_slides_of_16_bits_are_scaled_and_one_with_an_orientation_tag_is_asked_about(tmp_path):
    colours = section(tmp_path, "B1", "B", 1)
    slide = np.asarray(Image.open(tmp_path / "B1_HE.png"))
    (tmp_path / "B1_HE.png").unlink()
    tifffile.imwrite(tmp_path / "B1_HE.tif", slide.astype(np.uint16) * 257, photometric="rgb")
    cohort, _ = read_spatial(tmp_path, OPTIONS)
    for sample, image in zip(cohort.table.sample_ids, cohort.images):
        np.testing.assert_allclose(image.mean(axis=(1, 2)), np.array(colours[sample]) * 4 / 255 - 2, atol=1e-5)
    exif = Image.Exif()
    exif[274] = 6
    (tmp_path / "B1_HE.tif").unlink()
    Image.fromarray(slide).save(tmp_path / "B1_HE.jpg", exif=exif)
    with pytest.raises(InputError, match="save it upright"):
        read_spatial(tmp_path, OPTIONS)
