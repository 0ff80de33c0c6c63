"""Formats of single-cell and counting programs, each written with a planted truth; and those named with what to do."""

import gzip
import io
import zipfile

import anndata
import h5py
import numpy as np
import openpyxl
import pandas as pd
import pytest
import scipy.io
import scipy.sparse as sp

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.errors import InputError
from genomap_core.io.tables.read import read_table

RNG = np.random.default_rng(0)
COUNTS = RNG.poisson(2, (12, 30)).astype(np.float32)  # samples x genes
CELLS = [f"AAAC{i:03d}-1" for i in range(12)]
GENES = [f"G{j}" for j in range(30)]
IDS = [f"ENSG{j:011d}" for j in range(30)]


def dense(table):
    """Values as they were written."""
    return table.numbers if isinstance(table.numbers, np.ndarray) else table.numbers.toarray()


def zipped(members):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return held.getvalue()


def tenx_members():
    held = io.BytesIO()
    scipy.io.mmwrite(held, sp.csc_matrix(COUNTS.T.astype(int)), field="integer")
    features = "".join(f"{i}\t{g}\tGene Expression\n" for i, g in zip(IDS, GENES))
    return {
        "run/matrix.mtx.gz": gzip.compress(held.getvalue()),
        "run/barcodes.tsv.gz": gzip.compress("".join(f"{c}\n" for c in CELLS).encode()),
        "run/features.tsv.gz": gzip.compress(features.encode()),
    }


@pytest.mark.parametrize("how", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_workbook_in_an_archive_is_read_however_it_is_packed(how):
    book, out, archive = openpyxl.Workbook(), io.BytesIO(), io.BytesIO()
    for row in [["sample", "crp", "label"], *([f"P{i}", i * 1.5, "AB"[i % 2]] for i in range(12))]:
        book.active.append(row)
    book.save(out)
    with zipfile.ZipFile(archive, "w", how) as packed:
        packed.writestr("study/data.xlsx", out.getvalue())
    assert validate(read_table(archive.getvalue(), "study.zip")).classes == (("A", 6), ("B", 6))


def test_a_matrixmarket_archive_and_folder_give_the_counts(tmp_path):
    members = tenx_members()
    for name, data in members.items():
        (tmp_path / name.split("/")[1]).write_bytes(data)
    for source in (zipped(members), tmp_path):
        table = read_table(source, "run.zip")
        np.testing.assert_array_equal(dense(table), COUNTS)
        assert table.texts[0].values() == CELLS
        assert table.columns[1:] == tuple(GENES)


def test_cell_rangers_h5_gives_the_counts_and_tells_genes_of_one_symbol_apart(tmp_path):
    path = tmp_path / "filtered_feature_bc_matrix.h5"
    matrix = sp.csc_matrix(COUNTS.T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        for part in ("data", "indices", "indptr"):
            group[part] = getattr(matrix, part)
        group["shape"], group["barcodes"] = np.array(matrix.shape), np.array(CELLS, "S")
        group["features/id"], group["features/name"] = np.array(IDS, "S"), np.array(["G0", *GENES[:-1]], "S")
    table = read_table(path)
    np.testing.assert_array_equal(dense(table), COUNTS)
    assert table.columns[1:4] == (f"G0 ({IDS[0]})", f"G0 ({IDS[1]})", "G1")


def test_a_loom_file_is_cells_by_genes(tmp_path):
    path = tmp_path / "cells.loom"
    with h5py.File(path, "w") as file:
        file["matrix"] = COUNTS.T
        file["row_attrs/Gene"], file["col_attrs/CellID"] = np.array(GENES, "S"), np.array(CELLS, "S")
        file["col_attrs/Cluster"] = np.array(["a", "b"] * 6, "S")
        file["layers/spliced"] = COUNTS.T + 1
    np.testing.assert_array_equal(dense(read_table(path)), COUNTS)
    table = read_table(path, layer="spliced")
    np.testing.assert_array_equal(dense(table), COUNTS + 1)
    assert validate(table).roles.target == "Cluster"


def test_a_modality_of_an_h5mu_file_is_read_and_the_others_named(tmp_path):
    path, part = tmp_path / "two.h5mu", tmp_path / "part.h5ad"
    anndata.AnnData(COUNTS, pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES)).write_h5ad(part)
    with h5py.File(path, "w") as file, h5py.File(part) as source:
        for kind in ("prot", "rna"):
            group = file.create_group(f"mod/{kind}")
            for key in ("X", "obs", "var"):
                source.copy(key, group)
        file["mod/prot/X"][:] += 1
    table = read_table(path)
    np.testing.assert_array_equal(dense(table), COUNTS)
    assert "prot" in " ".join(m.text for m in table.messages)
    np.testing.assert_array_equal(dense(read_table(path, layer="prot")), COUNTS + 1)


STAR = "N_unmapped\t9\t9\t9\nN_multimapping\t1\t1\t1\nN_noFeature\t2\t5\t5\nN_ambiguous\t3\t3\t3\n"


def outputs(kind):
    """``{path: text}`` for four samples of one program."""
    made = {}
    for i in range(4):
        rows = list(zip(IDS, COUNTS[i].astype(int)))
        if kind == "star":
            made[f"s{i}ReadsPerGene.out.tab"] = STAR + "".join(f"{g}\t{v}\t0\t{v}\n" for g, v in rows)
        elif kind == "salmon":
            made[f"s{i}/quant.sf"] = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n" + "".join(
                f"{g}\t900\t700.5\t1.5\t{v}\n" for g, v in rows
            )
        elif kind == "htseq":
            made[f"s{i}.txt"] = "".join(f"{g}\t{v}\n" for g, v in rows) + "__no_feature\t5\n__ambiguous\t3\n"
        else:
            made[f"s{i}/abundance.tsv"] = "target_id\tlength\teff_length\test_counts\ttpm\n" + "".join(
                f"{g}\t900\t700.5\t{v}\t1.5\n" for g, v in rows
            )
    return made


@pytest.mark.parametrize("kind", ["star", "salmon", "htseq", "kallisto"])
def test_outputs_of_counting_programs_are_one_table_together_and_none_alone(kind, tmp_path):
    files = outputs(kind)
    table = read_table(zipped(files), "run.zip")
    report = validate(table)
    dataset = to_dataset(table, report, "run")
    values = np.exp2(dataset.X) - 1 if report.roles.log != "as is" else dataset.X
    np.testing.assert_allclose(values, COUNTS[:4], atol=1e-4)
    assert dataset.sample_ids == ("s0", "s1", "s2", "s3")
    assert dataset.feature_names == tuple(IDS)
    with pytest.raises(InputError, match="one sample"):
        read_table(next(iter(files.values())).encode(), "alone.txt")


def ods(rows):
    """An OpenDocument spreadsheet by hand, with repeated cells and rows as LibreOffice writes them."""
    space = 'xmlns:{0}="urn:oasis:names:tc:opendocument:xmlns:{0}:1.0"'
    spaces = " ".join(space.format(name) for name in ("office", "table", "text"))

    def cell(value):
        if isinstance(value, float):
            kind = f'office:value-type="float" office:value="{value!r}"'
            return f"<table:table-cell {kind}><text:p>x</text:p></table:table-cell>"
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    body = "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
    end = (
        '<table:table-row table:number-rows-repeated="1048000"><table:table-cell table:number-columns-repeated="1000"/>'
    )
    end += "</table:table-row>"
    sheet = f'<table:table table:name="Data">{body}{end}</table:table>'
    content = f"<office:document-content {spaces}><office:body><office:spreadsheet>{sheet}"
    content += "</office:spreadsheet></office:body></office:document-content>"
    return zipped({"mimetype": "application/vnd.oasis.opendocument.spreadsheet", "content.xml": content})


def test_an_opendocument_spreadsheet_is_read():
    values = RNG.normal(8, 1, (15, 2)).round(3)
    rows = [["sample", "TP53", "EGFR", "label"]] + [[f"P{i}", *v, "AB"[i % 2]] for i, v in enumerate(values.tolist())]
    table = read_table(ods(rows), "lab.ods")
    dataset = to_dataset(table, validate(table), "lab")
    np.testing.assert_allclose(dataset.X, values, rtol=1e-6)
    assert dataset.classes == ("A", "B")


def test_gct_1_3_keeps_the_descriptions_of_samples_as_labels():
    samples = [f"S{i}" for i in range(12)]
    lines = ["#1.3", "30\t12\t2\t2", "\t".join(["id", "symbol", "length", *samples])]
    lines += ["\t".join(["age", "na", "na", *(str(40 + i) for i in range(12))])]
    lines += ["\t".join(["diagnosis", "na", "na", *(["case", "control"][i % 2] for i in range(12))])]
    X = RNG.normal(8, 2, (12, 30)).round(3)
    lines += ["\t".join([IDS[j], GENES[j], "900", *map(str, X[:, j])]) for j in range(30)]
    table = read_table("\n".join(lines).encode(), "e.gct")
    report = validate(table)
    dataset = to_dataset(table, report, "e")
    np.testing.assert_allclose(dataset.X, X, rtol=1e-5)
    assert report.roles.target == "diagnosis"
    assert dataset.feature_names == tuple(IDS)
    assert dataset.sample_ids == tuple(samples)


def test_a_geo_series_matrix_brings_its_characteristics():
    samples = [f"GSM{i}" for i in range(12)]
    quoted = [f'"{s}"' for s in samples]
    lines = ['!Series_title\t"made up"', "\t".join(["!Sample_geo_accession", *quoted])]
    lines += ["\t".join(["!Sample_characteristics_ch1", *(f'"tissue: {["liver", "lung"][i % 2]}"' for i in range(12))])]
    lines += ["!series_matrix_table_begin", "\t".join(['"ID_REF"', *quoted])]
    X = RNG.normal(8, 2, (12, 30)).round(3)
    lines += ["\t".join([f'"{1000 + j}_at"', *map(str, X[:, j])]) for j in range(30)]
    table = read_table("\n".join([*lines, "!series_matrix_table_end", ""]).encode(), "GSE1_series_matrix.txt")
    report = validate(table)
    dataset = to_dataset(table, report, "e")
    np.testing.assert_allclose(dataset.X, X, rtol=1e-5)
    assert (report.roles.target, dataset.classes) == ("tissue", ("liver", "lung"))
    assert "label-guessed" in {m.code for m in report.messages}


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"$FL2@(#) SPSS DATA FILE" + bytes(300), "SPSS"),
        (b"<stata_dta><header>" + bytes(300), "Stata"),
        (b"r\x01\x01\0" + bytes(300), "Stata"),
        (b"HEADER RECORD*******LIBRARY HEADER RECORD!!!!!!!" + bytes(80), "SAS"),
        (gzip.compress(b"X\n\0\0\0\x03" + bytes(300), mtime=0), "RDS"),
        (b"% made\n@relation t\n@attribute a numeric\n@data\n1\n", "ARFF"),
        (b"1 1:0.5 3:2.5\n-1 2:1.5\n1 1:3\n", "libsvm"),
        (b"NRRD0005\ntype: short\n" + bytes(300), "NRRD"),
        (b"%%MatrixMarket matrix coordinate integer general\n3 3 1\n1 1 1\n", "MatrixMarket"),
    ],
)
def test_formats_that_are_not_read_are_named_with_what_to_do(head, says):
    with pytest.raises(InputError, match=says):
        read_table(head, "file.dat")
