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


def test_sequences_and_variants_are_named():
    for content, word in (
        (b">a\nACGTACGTACGTACGT\n" * 9, "FASTA"),
        (b"@r1\nACGTACGTACGT\n+\nIIIIIIIIIIII\n" * 9, "FASTQ"),
        (b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\n1\t2\trs3\n", "VCF"),
    ):
        with pytest.raises(InputError, match=word):
            read_table(content, "t.csv")
