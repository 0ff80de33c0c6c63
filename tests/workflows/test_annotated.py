"""AnnData in and out: the same cohort comes back, the layout stands where scverse tools look, all else as it was."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.io.inspect import inspect
from genomap_core.workflows.cohorts.annotated import annotate, from_anndata, to_anndata
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap

anndata = pytest.importorskip("anndata", reason="AnnData objects need the package anndata")
pd = pytest.importorskip("pandas", reason="the obs of AnnData objects is a data frame")

N, P = 40, 17
GENES = tuple(f"G{j}" for j in range(P))


def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    return (rng.normal(size=(N, 4)) @ rng.normal(size=(4, P)) + rng.normal(size=(N, P))).astype(np.float32)


def annotated(matrix: object = None) -> anndata.AnnData:
    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(["T", "B"] * (N // 2)),
            "donor": [f"D{i % 8}" for i in range(N)],
            "surname": [f"Doe{i}" for i in range(N)],
        },
        index=[f"c{i}" for i in range(N)],
    )
    return anndata.AnnData(values() if matrix is None else matrix, obs, pd.DataFrame(index=list(GENES)))


@pytest.fixture(scope="module")
def cohort() -> Dataset:
    y = np.arange(N, dtype=np.int64) % 3
    omics = (np.arange(P) >= 9).astype(np.int64)
    names = tuple(f"{'rna' if j < 9 else 'cnv'}:G{j}" for j in range(P))
    ids = tuple(f"s{i}" for i in range(N))
    return Dataset("made", values(), names, ids, y, ("a", "b", "c"), np.arange(N) // 2, omics, ("rna", "cnv"))


def test_a_cohort_comes_back_from_an_object_and_from_its_file(cohort, tmp_path):
    made = to_anndata(cohort)
    made.write_h5ad(tmp_path / "made.h5ad")
    for adata in (made, anndata.read_h5ad(tmp_path / "made.h5ad")):
        back = from_anndata(adata, target="label", group="group")
        np.testing.assert_array_equal(back.X, cohort.X)
        np.testing.assert_array_equal(back.y, cohort.y)
        np.testing.assert_array_equal(back.omics, cohort.omics)
        assert len(set(zip(back.groups, cohort.groups, strict=True))) == len(set(back.groups)) == N // 2
        assert (back.classes, back.feature_names, back.sample_ids, back.omics_names) == (
            cohort.classes,
            cohort.feature_names,
            cohort.sample_ids,
            cohort.omics_names,
        )


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix])
def test_an_object_is_read_as_its_file_is_and_stays_as_it_was(kind, tmp_path):
    from genomap_core.data.schema.validate import to_dataset, validate
    from genomap_core.io.tables.read import read_table

    adata = annotated(kind(values()))
    before = adata.copy()
    from_object = from_anndata(adata)
    adata.write_h5ad(tmp_path / "t.h5ad")
    table = read_table(tmp_path / "t.h5ad")
    from_file = to_dataset(table, validate(table), "AnnData")
    assert from_object.digest == from_file.digest
    assert sp.issparse(from_object.X) == (kind is not np.asarray)
    from_object.X[0, 0] = 99.0
    assert (adata.obs == before.obs).all(axis=None)
    np.testing.assert_array_equal(adata.to_df(), before.to_df())


def test_infinite_values_are_told_and_not_written_into_the_object():
    matrix = values()
    matrix[3, 5] = np.inf
    adata = annotated(matrix)
    with pytest.raises(InputError, match="G5"):
        from_anndata(adata)
    assert np.isinf(adata.X[3, 5])


def test_what_is_done_to_the_object_does_not_reach_the_cohort(cohort):
    made = to_anndata(cohort)
    made.X[:] = 7.0
    np.testing.assert_array_equal(cohort.X, values())


def test_columns_that_may_identify_persons_leave_with_nothing():
    dataset = from_anndata(annotated())
    again = to_anndata(dataset)
    assert any("surname" in note for note in dataset.notes)
    assert not any("Doe" in str(column.tolist()) for _, column in again.obs.items())


@pytest.mark.parametrize("grid", [None, (3, 5)])
def test_every_gene_and_every_sample_finds_its_place_by_name(grid):
    adata = annotated()
    dataset = from_anndata(adata, target="cell_type")
    result = fit_genomap(dataset, GenomapConfig(grid=grid))
    turned = adata[::-1, ::-1].copy()
    annotate(turned, dataset, result)
    cells = turned.varm["genomap"]
    placed = cells[:, 0] >= 0
    assert placed.sum() == len(result.feature_names) == min(P, 15 if grid else P)
    shape = turned.uns["genomap"]["shape"]
    maps = turned.obsm["X_genomap"].reshape(N, *shape)
    z = dict(zip(result.feature_names, result.z.T, strict=True))
    for name, (row, column) in zip(turned.var_names[placed], cells[placed], strict=True):
        np.testing.assert_array_equal(maps[:, 0, row, column], z[name][::-1])
    assert turned.uns["genomap"]["quality"]["gw_distortion"] == result.layout.quality.gw_distortion
    assert turned.uns["genomap"]["solver"] == "ot"


def test_samples_outside_the_cohort_have_no_map_and_maps_can_be_left_out():
    adata = annotated()
    dataset = from_anndata(adata).take(np.arange(10))
    result = fit_genomap(dataset)
    annotate(adata, dataset, result)
    assert np.isfinite(adata.obsm["X_genomap"][:10]).all()
    assert np.isnan(adata.obsm["X_genomap"][10:]).all()
    bare = annotated()
    annotate(bare, dataset, result, maps=False)
    assert "X_genomap" not in bare.obsm
    assert "genomap" in bare.uns


def test_an_annotated_file_is_read_by_anndata_and_by_this_program(cohort, tmp_path):
    path = tmp_path / "out.h5ad"
    result = fit_genomap(cohort)
    to_anndata(cohort, result).write_h5ad(path)
    back = anndata.read_h5ad(path)
    np.testing.assert_array_equal(back.varm["genomap"], result.layout.positions)
    np.testing.assert_array_equal(back.obsm["X_genomap"].reshape(result.maps.shape), result.maps)
    assert list(back.uns["genomap"]["channels"]) == ["rna", "cnv"]
    assert inspect(path).verdict in ("ok", "warn")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"var_names": [f"H{j}" for j in range(P)]}, "None of the genes"),
        ({"obs_names": [f"d{i}" for i in range(N)]}, "None of the samples"),
    ],
)
def test_another_object_is_refused_before_anything_is_written(change, words):
    adata = annotated()
    dataset = from_anndata(adata)
    result = fit_genomap(dataset)
    for name, value in change.items():
        setattr(adata, name, value)
    with pytest.raises(InputError, match=words):
        annotate(adata, dataset, result)
    assert not (set(adata.uns) | set(adata.varm) | set(adata.obsm)) & {"genomap", "X_genomap"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"layer": "counts"}, "no layer 'counts'"),
        ({"target": "cluster"}, "no column is named 'cluster'.*cell_type"),
        ({"target": "cell_type", "group": "clone"}, "no column is named 'clone'"),
    ],
)
def test_what_is_not_there_is_named(options, words):
    with pytest.raises(InputError, match=words):
        from_anndata(annotated(), **options)


def test_layers_and_raw_are_read_on_request():
    adata = annotated()
    adata.layers["double"] = adata.X * 2
    adata.raw = adata
    small = adata[:, :6].copy()
    np.testing.assert_array_equal(from_anndata(small, layer="double").X, 2 * values()[:, :6])
    assert from_anndata(small, layer="raw").feature_names == GENES
