"""Reading data sets: folders, scikit-learn, and OpenML from a stand-in server with a cache."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets._openml
from study_helpers import CATALOGUE, planted_table, write_data

from genomap_core.benchmark.catalogue import DEFAULT, Entry, choose, folds_of, load_catalogue
from genomap_core.benchmark.sources import Places, read_set
from genomap_core.data.counts import counts_of
from genomap_core.errors import InputError
from genomap_core.workflows.comparison.folds import make_folds

SHARED = Path(os.environ.get("GENOMAP_DATA", Path(__file__).parents[3] / "shared" / "data")) / "tabular"

ARFF = """@RELATION tissue
@ATTRIBUTE size REAL
@ATTRIBUTE colour {red, blue}
@ATTRIBUTE kind {benign, malignant}
@DATA
1.5,red,benign
2.5,blue,malignant
?,red,benign
4.5,?,malignant
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    return tmp_path


def test_parquet_and_csv_give_the_table_that_was_written(folder: Path) -> None:
    for name, seed in (("first", 1), ("second", 2)):
        table = planted_table(seed=seed)
        found = read_set(Entry(name, name), Places(folder))
        np.testing.assert_array_equal(found.X, table.drop(columns="target").to_numpy())
        assert found.sample_ids == tuple(table.index)
        assert [found.classes[c] for c in found.y] == list(table["target"])
        assert found.groups is None


def test_the_group_pattern_names_what_stays_together(folder: Path) -> None:
    found = read_set(Entry("first", "", groups="^(.*)_[^_]*$"), Places(folder))
    ids = [i.rpartition("_")[0] for i in found.sample_ids]
    assert len(set(ids)) == len(set(found.groups)) == 20
    assert len(set(zip(ids, found.groups, strict=True))) == 20
    for train, test in make_folds(found, 5, seed=0):
        assert not {ids[i] for i in train} & {ids[i] for i in test}


def test_a_group_column_is_no_feature(folder: Path) -> None:
    table = planted_table().assign(patient=[f"p{i // 4}" for i in range(60)])
    table.to_parquet(folder / "third.parquet")
    found = read_set(Entry("third", "", group_column="patient"), Places(folder))
    assert found.n_features == 12
    assert len(set(found.groups)) == 15


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        (Entry("missing", ""), r"missing\.parquet"),
        (Entry("first", "", target="diagnosis"), "diagnosis"),
        (Entry("first", "", samples=61), "61"),
        (Entry("first", "", features=11), "11"),
        (Entry("first", "", groups="^(x.*)$"), "no group"),
        (Entry("first", "", group_column="patient"), "patient"),
        (Entry("cut", ""), r"cut\.parquet"),
        (Entry("words", ""), "text"),
        (Entry("unlabelled", ""), "no class"),
        (Entry("make_moons", "", source="sklearn"), "make_moons"),
    ],
    ids=lambda v: v.name if isinstance(v, Entry) else "",
)
def test_what_cannot_be_read_is_refused_with_the_reason(folder: Path, entry: Entry, named: str) -> None:
    (folder / "cut.parquet").write_bytes((folder / "first.parquet").read_bytes()[:900])
    planted_table().assign(note="text").to_parquet(folder / "words.parquet")
    table = planted_table()
    table.loc[table.index[3], "target"] = None
    table.to_parquet(folder / "unlabelled.parquet")
    with pytest.raises(InputError, match=named) as error:
        read_set(entry, Places(folder))
    assert entry.name in str(error.value)


def test_without_a_folder_the_message_says_how_to_name_one() -> None:
    with pytest.raises(InputError, match="--data"):
        read_set(Entry("first", ""), Places())


def test_scikit_learns_own_sets_need_no_files() -> None:
    found = read_set(Entry("wine", "Wine", source="sklearn", samples=178, features=13, classes=3), Places())
    assert np.bincount(found.y).tolist() == [59, 71, 48]


def test_the_catalogue_holds_the_22_open_sets_with_their_provenance() -> None:
    found = load_catalogue()
    assert len(found) == 22
    assert all(e.origin and e.taken_from and e.licence and e.samples and e.features for e in found.values())
    assert {n for n, e in found.items() if "ceiling" in e.known} == {
        "lung_gordon", "leukemia_yeoh", "srbct_khan83", "lymphoma_alizadeh", "methylation_christensen",
    }  # fmt: skip
    assert "label_derived" in found["tcga_brca_pam50"].known
    assert folds_of(found, 5)["braintumor_pomeroy5"] == 4
    assert folds_of(found, 3)["braintumor_pomeroy5"] == 3


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("sets = 3", "no data set"),
        ("[sets.a]\nsize = 3", "size"),
        ('[sets.a]\nsource = "web"', "source"),
        ('[sets.a]\nsource = "openml"', "openml"),
        ("[sets.a]\ngroups = '^.*$'", "group"),
        ("[sets.a]\ngroups = '('", "regular expression"),
        ('[sets.a]\nsamples = "3"', "samples"),
        ("[sets.a", "TOML"),
    ],
)
def test_a_wrong_catalogue_is_refused_with_its_place(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=named):
        load_catalogue(path)


def test_choosing_keeps_the_catalogues_order_and_names_what_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text(CATALOGUE)
    found = load_catalogue(tmp_path / "c.toml")
    assert list(choose(found, ["second", "wine"])) == ["wine", "second"]
    with pytest.raises(InputError, match="third"):
        choose(found, ["third"])


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the data folder is absent")
def test_mice_never_part_in_the_folds_of_the_real_set() -> None:
    found = read_set(load_catalogue(DEFAULT)["mice_protein"], Places(SHARED))
    mice = np.array([i.rpartition("_")[0] for i in found.sample_ids])
    assert len(set(mice)) == 72
    for train, test in make_folds(found, 5, seed=1):
        assert not set(mice[train]) & set(mice[test])


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="the data folder is absent")
def test_the_real_sets_that_are_said_to_hold_counts_do() -> None:
    counts = {name: entry for name, entry in load_catalogue(DEFAULT).items() if entry.counts}
    assert list(counts) == ["sc_pollen", "sc_ginhoux_dc"]
    for name, entry in counts.items():
        X = read_set(entry, Places(SHARED)).X
        reads, factor = counts_of(X, entry.counts, name)
        assert reads.sum(axis=1).min() > 60_000
        again = np.log1p(reads * factor) / np.log({"log10": 10, "log2 scaled": 2}[entry.counts])
        np.testing.assert_allclose(
            again, X, rtol=6e-5, atol=1e-6
        )  # five digits in the one, single precision in the other
    with pytest.raises(InputError, match="no counts"):
        counts_of(read_set(load_catalogue(DEFAULT)["tcga_brca_pam50"], Places(SHARED)).X, "reads")  # RSEM's expected


class OpenmlStandIn(BaseHTTPRequestHandler):
    """Answers as OpenML does for data set 61."""

    asked: list[str] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        digest = hashlib.md5(ARFF.encode()).hexdigest()
        features = [
            {"index": "0", "name": "size", "data_type": "numeric", "is_target": "false"},
            {"index": "1", "name": "colour", "data_type": "nominal", "is_target": "false"},
            {"index": "2", "name": "kind", "data_type": "nominal", "is_target": "true"},
        ]
        description = {
            "id": "61", "name": "tissue", "version": "1", "format": "ARFF", "file_id": "61", "status": "active",
            "description": "made up",
            "default_target_attribute": "kind", "md5_checksum": digest,
            "url": f"http://127.0.0.1:{self.server.server_port}/data/v1/download/61",  # type: ignore[attr-defined]
        }  # fmt: skip
        for f in features:
            f |= {"is_ignore": "false", "is_row_identifier": "false", "number_of_missing_values": "0"}
        answers: dict[str, object] = {
            "/api/v1/json/data/61": {"data_set_description": description},
            "/api/v1/json/data/features/61": {"data_features": {"feature": features}},
            "/api/v1/json/data/qualities/61": {
                "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": "4"}]}
            },
        }
        body = json.dumps(answers[self.path]).encode() if self.path in answers else ARFF.encode()
        self.send_response(200 if self.path in answers or "download" in self.path else 412)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Silent."""


def _redirect(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Let scikit-learn ask this port instead of OpenML."""
    for name in ("_DATA_INFO", "_DATA_FEATURES", "_DATA_QUALITIES"):
        address = getattr(sklearn.datasets._openml, name).replace("https://www.openml.org", f"http://127.0.0.1:{port}")
        monkeypatch.setattr(f"sklearn.datasets._openml.{name}", address)


@pytest.fixture
def openml(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    OpenmlStandIn.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), OpenmlStandIn)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    _redirect(monkeypatch, server.server_port)
    yield server
    server.shutdown()
    server.server_close()


def test_openml_is_asked_once_and_then_read_from_the_cache(openml: ThreadingHTTPServer, tmp_path: Path) -> None:
    entry, places = Entry("tissue", "", source="openml", openml=61), Places(cache=tmp_path / "cache")
    found = read_set(entry, places)
    assert found.feature_names == ("size", "colour=blue", "colour=red")
    np.testing.assert_array_equal(
        found.X, np.array([[1.5, 0, 1], [2.5, 1, 0], [np.nan, 0, 1], [4.5, np.nan, np.nan]], np.float32)
    )
    assert [found.classes[c] for c in found.y] == ["benign", "malignant"] * 2
    n = len(OpenmlStandIn.asked)
    openml.shutdown()
    openml.server_close()
    again = read_set(entry, places)
    assert again.digest == found.digest
    assert n > 0
    assert len(OpenmlStandIn.asked) == n


def test_without_network_openml_is_an_error_that_names_the_cache(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _redirect(monkeypatch, 9)
    with pytest.raises(InputError, match="cache"):
        read_set(Entry("tissue", "", source="openml", openml=61), Places(cache=tmp_path))
