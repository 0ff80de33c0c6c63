"""Tables as further programs, countries and people write them, each read as it was planted or asked about."""

import unicodedata

import numpy as np
import pytest

from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.errors import InputError
from genomap_core.io.tables.read import read_table

RNG = np.random.default_rng(4)
N = 24
NAMES = ["CRP", "LDH", "ALB"]
X = RNG.normal(20, 4, (N, 3)).round(2)
IDS = [f"P{i:02d}" for i in range(N)]
LABELS = ["case" if i % 2 else "control" for i in range(N)]


def lines(ids=IDS, corner="id", sep=",", names=NAMES, first=None):
    first = first or {}
    made = [sep.join([corner, *first, *names, "label"])]
    for i, name in enumerate(ids):
        made.append(sep.join([str(name), *(str(v[i]) for v in first.values()), *map(str, X[i]), LABELS[i]]))
    return made


def read(made, name="t.csv"):
    table = read_table(("\n".join(made) + "\n").encode(), name)
    return table, validate(table)


def dataset_of(made, ids=IDS, names=NAMES):
    table, report = read(made)
    dataset = to_dataset(table, report, "t")
    assert list(dataset.sample_ids) == [str(name) for name in ids]
    assert list(dataset.feature_names) == names
    np.testing.assert_allclose(dataset.X, X, rtol=1e-5)
    assert [dataset.classes[k] for k in dataset.y] == LABELS
    return report


@pytest.mark.parametrize("corner", ["Patienten-Nr.", "eid", "", "Record No"])
def test_a_first_column_that_numbers_the_samples_holds_their_ids(corner):
    ids = [4000 + 3 * i for i in range(N)]
    report = dataset_of(lines(ids, corner), ids)
    assert "numbered-ids" in {m.code for m in report.messages}


def test_a_first_column_of_measurements_stays_one():
    values = RNG.permutation(np.arange(100, 100 + N))
    _, report = read(lines(values.tolist(), "platelets"))
    assert report.n_features == 4


def test_described_columns_above_the_header_and_plate_readers_lines_are_skipped():
    described = ["#Patient\tC-reactive protein\tLactate\tAlbumin\tClass", "#STRING\tNUMBER\tNUMBER\tNUMBER\tSTRING"]
    dataset_of([*described, "#1\t1\t1\t1\t1", *lines(sep="\t", corner="PATIENT_ID")])
    dataset_of(["Plate reader export", "", "Protocol,ELISA", "Date,2021-01-01,,", "", *lines(corner="Well")])


def test_line_ends_within_quotes_do_not_hide_the_delimiter():
    made = lines(first={"note": ['"one line\nanother"'] * N})
    dataset_of(made)


def test_thousands_between_semicolons_are_asked_about():
    counts = [f"{v:,}".replace(",", ".") for v in RNG.integers(1001, 999_000, N).tolist()]
    made = ["id;cells;label", *(f"{IDS[i]};{counts[i]};{LABELS[i]}" for i in range(N))]
    _, report = read(made)
    assert [m.option for m in report.errors] == ["thousands"]


def test_a_minus_behind_the_number_is_a_minus():
    written = [f"{abs(v)}-" if i % 2 else str(abs(v)) for i, v in enumerate(X[:, 0])]
    made = ["id\tchange\tcrp\tlabel", *(f"{IDS[i]}\t{written[i]}\t{X[i, 1]}\t{LABELS[i]}" for i in range(N))]
    table, report = read(made)
    dataset = to_dataset(table, report, "t")
    signs = np.where(np.arange(N) % 2, -1, 1)
    np.testing.assert_allclose(dataset.X[:, dataset.feature_names.index("change")], signs * X[:, 0], rtol=1e-5)


def test_counters_without_underscores_are_no_genes():
    genes = [f"ENSG{i:011d}" for i in range(30)]
    counts = RNG.poisson(50, (30, 8))
    special = ["no_feature", "ambiguous", "too_low_aQual", "not_aligned", "alignment_not_unique"]
    made = [",".join(["", *(f"s{j}" for j in range(8))])]
    made += [",".join([gene, *map(str, row)]) for gene, row in zip(genes, counts.tolist(), strict=True)]
    made += [",".join([name, *["90000"] * 8]) for name in special]
    table, report = read(made)
    assert to_dataset(table, report, "t").feature_names == tuple(genes)


def test_genes_that_other_excels_made_dates_of_are_told():
    _, report = read(lines(names=["01. Mrz", "10-dic", "ALB"]))
    assert [m.value for m in report.messages if m.code == "date-gene"] == ["01. Mrz", "10-dic"]


def test_ids_that_differ_only_in_how_they_are_written_are_told():
    ids = [unicodedata.normalize("NFC" if i % 2 else "NFD", f"Zoë {i // 2}") for i in range(N)]
    _, report = read(lines(ids))
    assert "ids-alike" in {m.code for m in report.messages}


def test_eyes_of_one_person_stay_together_and_strains_are_no_persons():
    _, report = read(lines([f"S{i // 2:02d} {'OD' if i % 2 else 'OS'}" for i in range(N)]))
    assert report.roles.group is not None
    made = [line.rsplit(",", 1)[0] for line in lines([f"{('WT', 'KO', 'het')[i % 3]}-{i // 3 + 1}" for i in range(N)])]
    assert read(made)[1].roles.group is None


def test_files_of_other_programs_are_named():
    gene = b'1\thavana\tgene\t11\t99\t.\t+\t.\tgene_id "ENSG1";\n'
    for content, word in (
        (b"SQLite format 3\0" + bytes(99), "SQLite"),
        (b"ORC\n\x03" + bytes(99), "ORC"),
        (b"BAM\x01" + bytes(99), "BAM"),
        (b"IDAT\x03\0" + bytes(99), "IDAT"),
        (b"FCS3.1         58    1000" + b" " * 99, "FCS"),
        (b"MTD\tmzTab-version\t1.0.0\n", "mzTab"),
        (b"<Header>\nFileVersion,1.7\n", "NanoString"),
        (b"!Checksum\tabc\n^HEADER\n", "ADAT"),
        (b"#!genome-build x\n" + gene * 3, "GTF"),
        (b"track type=wiggle_0\n1.5\n", "WIG"),
        (b"A\tna\tTP53\nB\tna\tTP53\tMYC\nC\tna\tTP53\tMYC\tVIM\n", "GMT"),
        (b">a\nACGTACGTACGTACGT\n" * 9, "FASTA"),
        (b"@r1\nACGTACGTACGT\n+\nIIIIIIIIIIII\n" * 9, "FASTQ"),
        (b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\n1\t2\trs3\n", "VCF"),
    ):
        with pytest.raises(InputError, match=word):
            read_table(content, "t.csv")


def genes_in_rows(genes, samples, first=None):
    counts = np.exp(np.random.default_rng(1).normal(8, 0.1, (len(genes), len(samples)))).round(2)
    made = [",".join(["", *(first or {}), *samples])]
    made += [
        ",".join([gene, *(str(v[i]) for v in (first or {}).values()), *map(str, counts[i])])
        for i, gene in enumerate(genes)
    ]
    return made


def test_symbols_beside_names_of_cell_lines_are_asked_about():
    genes = "MXRA8 SCNN1D ACAP3 PUSL1 DVL1 CCNL2 VWA1 SSU72 MIB2 CDK11A NADK GNB1 CALML6 GABRD PRKCZ SKI HES5".split()  # noqa: SIM905
    table, report = read(genes_in_rows(genes, ["A549", "MCF7", "HeLa", "K562", "HL60"]))
    assert [m.option for m in report.errors] == ["orientation"]
    turned = validate(table, orientation="genes_in_rows")
    assert to_dataset(table, turned, "t").feature_names == tuple(genes)


def test_a_pair_told_by_what_stands_in_front_is_told():
    ids = [f"{way}_P{i:02d}" for i in range(N // 2) for way in ("pre", "post")]
    _, report = read(lines(ids))
    assert "repeats-in-front" in {m.code for m in report.messages}


def test_means_of_groups_below_are_told():
    made = [*lines(), "Mean of cases,20,20,20,case"]
    assert "summary-row" in {m.code for m in read(made)[1].messages}


FORMS = ["{:.3f}D+00", "{:.2f} x 10^5", "{:.2f} \u00d710^9/l", "'{:.2f}", '"=""{:.2f}"""']


@pytest.mark.parametrize(("form", "value"), [*((form, 1) for form in FORMS), ("({:.2f})", -1)])
def test_powers_as_other_programs_write_them_are_numbers(form, value):
    written = [form.format(v) for v in X[:, 0]]
    made = ["id\tflux\tcrp\tlabel", *(f"{IDS[i]}\t{written[i]}\t{X[i, 1]}\t{LABELS[i]}" for i in range(N))]
    table, report = read(made)
    dataset = to_dataset(table, report, "t")
    np.testing.assert_allclose(dataset.X[:, dataset.feature_names.index("flux")], X[:, 0] * value, rtol=1e-5)
    assert any(m.code == "number-notation" and "flux" in m.text for m in report.messages)


def test_a_gene_called_target_is_no_label():
    genes = ["TARGET", *(f"{a}{b}N{i}" for i, (a, b) in enumerate(zip("ABCDEFGHIJKL", "QRSTUVWXYZAB", strict=True)))]
    values = RNG.normal(8, 1, (N, len(genes))).round(3)
    made = [",".join(["sample", *genes, "diagnosis"])]
    made += [",".join([IDS[i], *map(str, values[i]), LABELS[i]]) for i in range(N)]
    table, report = read(made)
    assert report.roles.target == "diagnosis"
    assert to_dataset(table, report, "t").feature_names == tuple(genes)
