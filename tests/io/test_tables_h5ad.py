"""AnnData files as anndata writes them: matrix, labels, layers; links, bombs and damage stopped before reading."""

import os

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.tables.h5ad import read_h5ad
from genomap_core.io.tables.read import read_table

X = np.random.default_rng(0).poisson(0.7, (30, 12)).astype(np.float32)


@pytest.fixture(scope="module")
def write(tmp_path_factory):
    """Write an AnnData file with anndata itself."""
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    def make(matrix, layers=None, change=None):
        obs = pd.DataFrame(
            {
                "cell_type": pd.Categorical(["T", "B", "NK"] * 10),
                "n_counts": X.sum(axis=1),
                "donor": [f"D{i % 5}" for i in range(30)],
                "doublet": pd.array([True, None] * 15, dtype="boolean"),
            },
            index=[f"c{i}" for i in range(30)],
        )
        data = anndata.AnnData(matrix, obs, pd.DataFrame(index=[f"G{j}" for j in range(12)]))
        data.obsm["X_pca"] = np.zeros((30, 2))
        data.layers.update(layers or {})
        path = tmp_path_factory.mktemp("h5ad") / "t.h5ad"
        data.write_h5ad(path)
        if change:
            with h5py.File(path, "r+") as file:
                change(file)
        return path

    return make


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix], ids=["dense", "csr", "csc"])
def test_files_of_anndata_are_read_and_sparse_stays_sparse(write, kind):
    path = write(kind(X))
    table = read_table(path, path.name)
    report = validate(table)
    dataset = to_dataset(table, report, "t")
    assert sp.issparse(dataset.X) == (kind is not np.asarray)
    np.testing.assert_array_equal(dataset.X.toarray() if sp.issparse(dataset.X) else dataset.X, X)
    assert dataset.feature_names == tuple(f"G{j}" for j in range(12))
    assert dataset.sample_ids == tuple(f"c{i}" for i in range(30))
    assert [dataset.classes[k] for k in dataset.y] == ["T", "B", "NK"] * 10
    assert len(set(dataset.groups.tolist())) == 5
    assert table.texts[4].values()[:2] == ["True", None]


def test_a_layer_is_read_on_request_and_scaled_values_are_told(write):
    path = write(X - X.mean(axis=0), {"smoothed": sp.csr_matrix(X)})
    (said,) = [m for m in read_h5ad(path, name="t").messages if m.code == "layers"]
    assert said.severity == "warn"
    assert "smoothed" in said.text
    np.testing.assert_array_equal(read_h5ad(path, name="t", layer="smoothed").numbers.toarray(), X)
    with pytest.raises(InputError, match="no layer 'x'"):
        read_h5ad(path, name="t", layer="x")


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_matrix, sp.csc_matrix], ids=["dense", "csr", "csc"])
def test_raw_counts_are_read_where_a_layer_holds_them_and_x_does_not(write, kind):
    path = write(kind(np.log1p(X)), {"counts": kind(X)})
    table = read_table(path, path.name)
    values = table.numbers if isinstance(table.numbers, np.ndarray) else table.numbers.toarray()
    np.testing.assert_array_equal(values, X)
    assert "counts-preferred" in {m.code for m in table.messages}
    values = read_table(path, path.name, layer="X").numbers
    np.testing.assert_allclose(values if isinstance(values, np.ndarray) else values.toarray(), np.log1p(X), rtol=1e-6)


def test_x_is_read_where_it_holds_counts_or_no_layer_does(write):
    for matrix, layer in ((X, X + 1), (np.log1p(X), np.log1p(X) / 2)):
        table = read_h5ad(write(matrix, {"counts": layer}), name="t")
        np.testing.assert_allclose(table.numbers, matrix, rtol=1e-6)


def _spoil(part, index, value):
    def change(file):
        file[f"X/{part}"][index] = value

    return change


@pytest.mark.parametrize(
    "change",
    [_spoil("indices", 3, 2_000_000_000), _spoil("indices", 3, -1), _spoil("indptr", 2, 10**6), _spoil("indptr", 0, 1)],
)
def test_sparse_matrices_with_wrong_indices_are_damaged_not_a_crash(write, change):
    path = write(sp.csr_matrix(X), change=change)
    with pytest.raises(InputError, match="damaged"):
        read_h5ad(path, name="t")


def _external_link(file):
    del file["X"]
    file["X"] = h5py.ExternalLink("/etc/hostname", "/X")


def _soft_link(file):
    file["uns/loop"] = h5py.SoftLink("/uns")


def _external_storage(file):
    del file["X"]
    file.create_dataset("X", (30, 12), "u1", external=[("/etc/hostname", 0, 360)])


def _virtual(file):
    del file["X"]
    layout = h5py.VirtualLayout((30, 12), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "x", (30, 12))
    file.create_virtual_dataset("X", layout)


def _huge(file):
    del file["X"]
    file.create_dataset("X", (10**7, 10**5), "f4", chunks=(1000, 1000))


def _bomb(file):
    file.create_dataset("uns/zeros", (10**8,), "f4", chunks=(10**6,), compression="gzip", fillvalue=0)[:] = 0


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (_external_link, "external link"),
        (_soft_link, "soft link"),
        (_external_storage, "external file"),
        (_virtual, "virtual"),
        (_huge, "limit"),
        (_bomb, "limit"),
    ],
)
def test_what_reads_other_files_or_fills_memory_is_refused(write, change, word):
    path = write(X, change=change)
    with pytest.raises(RefusedError, match=word):
        read_h5ad(path, name="t")


def test_a_file_of_anndata_0_6_is_read_and_told(tmp_path):
    path = tmp_path / "old.h5ad"
    with h5py.File(path, "w") as file:
        file["X"] = X
        obs = [(f"c{i}".encode(), b"ab"[i % 2 : i % 2 + 1]) for i in range(30)]
        file["obs"] = np.array(obs, [("index", "S8"), ("label", "S8")])
        file["var"] = np.array([(f"G{j}".encode(),) for j in range(12)], [("index", "S8")])
    table = read_h5ad(path, name="t")
    assert [m.code for m in table.messages] == ["old-version"]
    assert table.texts[1].words == ("a", "b")


def test_truncated_and_foreign_files_say_so(write, tmp_path):
    whole = write(X).read_bytes()
    path = tmp_path / "t.h5ad"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_h5ad(path, name="t")
    path.write_bytes(b"hello")
    with pytest.raises(InputError, match="not HDF5"):
        read_h5ad(path, name="t")


def test_a_crash_of_the_library_does_not_reach_this_process(write, tmp_path):
    """Whatever bytes are overwritten, reading ends in a table or in our error."""
    whole = bytearray(write(sp.csr_matrix(X)).read_bytes())
    rng = np.random.default_rng(1)
    path = tmp_path / "t.h5ad"
    for _ in range(int(os.environ.get("GENOMAP_FUZZ", "4"))):
        spoiled = whole.copy()
        for at in rng.integers(100, len(whole), 40):
            spoiled[at] = rng.integers(256)
        path.write_bytes(bytes(spoiled))
        try:
            table = read_table(path, path.name)
        except InputError:
            continue
        assert table.numbers.shape[0] == 30
