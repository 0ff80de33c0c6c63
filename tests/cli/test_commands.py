"""Each command end to end: what it writes is what the library says, and what it says is true."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genomap_core.__main__ import main
from genomap_core.data.dataset import Dataset
from genomap_core.data.schema.validate import to_dataset, validate
from genomap_core.io.tables.read import read_table
from genomap_core.training import load_bundle
from genomap_core.workflows.comparison.folds import hold_out
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap

ROOT = Path(__file__).parents[2]


def rows_of(path: Path) -> list[dict[str, str]]:
    assert path.with_name(path.name + ".notice.txt").read_text().startswith("For research use only")
    return list(csv.DictReader(path.read_text().splitlines()))


def cohort(path: Path) -> Dataset:
    table = read_table(path)
    return to_dataset(table, validate(table), path.name)


def test_layout_writes_the_places_that_the_library_finds(given, tmp_path, capsys):
    out, maps = tmp_path / "layout.csv", tmp_path / "maps.npz"
    asked = ["--grid", "3x5", "--balance", "0.2", "--seed", "4", "--json", "--maps", str(maps)]
    assert main(["layout", str(given.table), "--out", str(out), *asked]) == 0
    dataset = cohort(given.table)
    result = fit_genomap(dataset, GenomapConfig(grid=(3, 5), balance=0.2, seed=4))
    written = [(row["feature"], [int(row["row"]), int(row["column"])]) for row in rows_of(out)]
    assert written == list(zip(result.feature_names, result.layout.positions.tolist(), strict=True))
    with np.load(maps, allow_pickle=False) as stored:
        np.testing.assert_array_equal(stored["maps"], result.maps)
        assert stored["sample_ids"].tolist() == list(dataset.sample_ids)
    told = json.loads(capsys.readouterr().out)
    assert told["grid"] == [3, 5]
    assert told["quality"]["gw_distortion"] == pytest.approx(result.layout.quality.gw_distortion)
    assert told["random_quality"]["knn_recall"] == pytest.approx(result.control.knn_recall)


def test_a_saved_reference_map_gives_another_cohort_the_same_places(given, tmp_path, capsys):
    saved, out, other = tmp_path / "pan.json", tmp_path / "layout.csv", tmp_path / "other.csv"
    asked = ["--save", str(saved), "--map-name", "pan", "--map-version", "3", "--halves", "2", "--quiet"]
    assert main(["layout", str(given.table), "--out", str(out), *asked]) == 0
    assert re.search(r"Reproducibility: \d+% of each feature's .* \(2 splits\)", capsys.readouterr().out)
    first = {row["feature"]: (row["row"], row["column"]) for row in rows_of(out)}
    table = given.table.read_text()
    for old, new in ((",G0,", ",unheard of,"), (",G1,", ",G one,")):
        assert old in table
        table = table.replace(old, new, 1)
    other.write_text(table)
    assert main(["layout", str(other), "--out", str(out), "--use", str(saved), "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["reference"]["version"] == "3"
    assert told["reference"]["fitted_on"]["samples"] == told["samples"]
    assert (told["reference"]["lacking"], told["reference"]["unknown"]) == (["G0", "G1"], ["unheard of", "G one"])
    assert told["evidence"]["random"]["gw_distortion"]["low"] < told["random_quality"]["gw_distortion"]
    again = {row["feature"]: (row["row"], row["column"]) for row in rows_of(out)}
    assert again == {name: at for name, at in first.items() if name not in ("G0", "G1")}


def test_what_a_layout_buys_is_measured_where_asked(given, tmp_path, capsys):
    asked = ["layout", str(given.table), "--out", str(tmp_path / "l.csv"), "--bought", "2"]
    assert main([*asked, "--quiet"]) == 0
    told = re.search(
        r"What it bought on this cohort: balanced accuracy (\S+) \((\S+) to (\S+)\)", capsys.readouterr().out
    )
    value, low, high = (float(found.replace("−", "-")) for found in told.groups())
    assert -1 <= low <= value <= high <= 1


def test_what_a_layout_buys_needs_labels_and_is_refused_before_the_work(given, tmp_path, capsys):
    out = tmp_path / "l.csv"
    assert main(["layout", str(given.unlabelled), "--out", str(out), "--bought", "2", "--quiet"]) != 0
    assert "no labels" in capsys.readouterr().err
    assert not out.exists()


def test_layout_of_an_h5ad_file_comes_back_as_one(given, tmp_path, capsys):
    anndata = pytest.importorskip("anndata", reason="AnnData files are written by the package anndata")
    first, second = tmp_path / "first.h5ad", tmp_path / "second.h5ad"
    assert main(["layout", str(given.table), "--out", str(first), "--quiet"]) == 0
    assert main(["layout", str(first), "--out", str(second), "--quiet"]) == 0
    adata = anndata.read_h5ad(second)
    dataset = cohort(given.table)
    result = fit_genomap(dataset)
    np.testing.assert_array_equal(adata.varm["genomap"], result.layout.positions)
    np.testing.assert_allclose(adata.obsm["X_genomap"].reshape(result.maps.shape), result.maps, atol=1e-6)
    assert list(adata.obs_names) == list(dataset.sample_ids)
    assert list(adata.obs["label"]) == [dataset.classes[k] for k in dataset.y]
    assert not [c for c in adata.obs if "Doe1" in adata.obs[c].astype(str).tolist()]


def test_names_that_look_like_formulas_leave_as_text(given, tmp_path):
    table = tmp_path / "formulas.csv"
    table.write_text(given.table.read_text().replace(",G0,", ",=G0,", 1))
    out = tmp_path / "layout.csv"
    assert main(["layout", str(table), "--out", str(out), "--quiet"]) == 0
    assert rows_of(out)[0]["feature"] == "'=G0"


def test_train_leaves_a_model_that_knows_its_table_and_its_scores(given, tmp_path, capsys):
    out = tmp_path / "model.safetensors"
    asked = ["--model", "genonet", "--epochs", "2", "--seed", "3", "--device", "cpu", "--json"]
    assert main(["train", str(given.table), "--out", str(out), *asked]) == 0
    said = capsys.readouterr()
    told, bundle = json.loads(said.out), load_bundle(out)
    assert bundle.classes == ("good", "poor")
    assert bundle.feature_names == cohort(given.table).feature_names
    assert bundle.header.metrics["accuracy"]["value"] == told["scores"]["accuracy"]["value"]
    assert bundle.header.provenance["recipe"]["roles"]["target"] == told["target"] == "response"
    assert bundle.header.provenance["config"]["seed"] == 3
    assert told["training_rows"] + told["test_rows"] == 48
    assert (told["features"], told["features_on_map"], told["networks"]) == (12, 12, 1)
    assert re.search(r"training: \d+ of \d+", said.err)
    assert "surname" in said.err
    assert "Doe" not in said.err + said.out
    assert list(tmp_path.iterdir()) == [out]


def test_predict_says_what_the_model_says_with_and_without_labels(given, tmp_path, capsys):
    dataset = cohort(given.table)
    wanted = load_bundle(given.model).pipeline.predict_proba(dataset.X)
    for name in ("table", "unlabelled"):
        out = tmp_path / f"{name}.csv"
        assert main(["predict", str(given.model), str(getattr(given, name)), "--out", str(out), "--quiet"]) == 0
        rows = rows_of(out)
        assert [row["sample_id"] for row in rows] == list(dataset.sample_ids)
        got = [[float(row["probability_good"]), float(row["probability_poor"])] for row in rows]
        np.testing.assert_allclose(got, wanted, rtol=1e-4)
        assert [row["predicted"] for row in rows] == [("good", "poor")[k] for k in wanted.argmax(axis=1)]
    assert f"({len(rows)}" not in capsys.readouterr().err


def test_predict_says_which_samples_were_in_the_training_and_what_they_are(given, tmp_path, capsys):
    """Four fifths were; a sample that was measured again is another row."""
    changed, out = tmp_path / "changed.csv", tmp_path / "out.csv"
    lines = given.table.read_text().splitlines()
    cells = lines[1].split(",")
    changed.write_text("\n".join([lines[0], ",".join([*cells[:2], "0.123", *cells[3:]]), *lines[2:]]) + "\n")
    assert main(["predict", str(given.model), str(changed), "--out", str(out), "--json"]) == 0
    said = capsys.readouterr()
    rows, dataset = rows_of(out), cohort(given.table)
    known = [i for i in hold_out(dataset, 0)[0] if i != 0]
    assert [i for i, row in enumerate(rows) if row["in_training"] == "yes"] == known
    assert json.loads(said.out)["in_training"] == len(known)
    assert f"{len(known)} of 48 samples were in this model's training" in said.err
    assert [row["label"] for row in rows] == [dataset.classes[code] for code in dataset.y]


def test_predict_answers_one_patient_with_a_gap(given, tmp_path):
    header, first = given.unlabelled.read_text().splitlines()[:2]
    cells = first.split(",")
    cells[4] = ""
    one, out = tmp_path / "one.csv", tmp_path / "out.csv"
    one.write_text(f"{header}\n{','.join(cells)}\n")
    assert main(["predict", str(given.model), str(one), "--out", str(out), "--quiet"]) == 0
    x = cohort(given.table).X[[0]].copy()
    x[0, 2] = np.nan
    wanted = load_bundle(given.model).pipeline.predict_proba(x)[0, 0]
    assert float(rows_of(out)[0]["probability_good"]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("method", ["auto", "shapley"])
def test_explain_adds_up_to_the_models_log_odds(given, tmp_path, capsys, method):
    out = tmp_path / "why.csv"
    asked = ["--sample", "P001", "--sample", "P002", "--class", "poor", "--method", method, "--quiet", "--json"]
    assert main(["explain", str(given.model), str(given.table), "--out", str(out), *asked]) == 0
    told = json.loads(capsys.readouterr().out)
    rows, dataset = rows_of(out), cohort(given.table)
    assert [row["sample_id"] for row in rows] == ["P001", "P002"]
    p = load_bundle(given.model).pipeline.predict_proba(dataset.X[1:3])[:, 1]
    for row, probability in zip(rows, p, strict=True):
        assert row["explained_class"] == "poor"
        assert float(row["log_odds"]) == pytest.approx(np.log(probability / (1 - probability)), abs=1e-3)
        total = sum(float(row[name]) for name in dataset.feature_names)
        change = float(row["log_odds"]) - float(row["baseline_log_odds"])
        assert change - total == pytest.approx(float(row["completeness_gap"]), abs=1e-3)
        assert abs(change - total) < 0.02
    assert told["complete"]
    assert told["largest_gap"] < 0.02


def test_explain_of_all_takes_each_samples_own_class(given, tmp_path, capsys):
    out, predicted = tmp_path / "why.csv", tmp_path / "p.csv"
    assert main(["explain", str(given.model), str(given.unlabelled), "--out", str(out)]) == 0
    assert "Completeness: attributions sum" in capsys.readouterr().out
    assert main(["predict", str(given.model), str(given.unlabelled), "--out", str(predicted)]) == 0
    pairs = list(zip(rows_of(out), rows_of(predicted), strict=True))
    assert len({a["explained_class"] for a, _ in pairs}) == 2
    assert all(a["explained_class"] == b["predicted"] for a, b in pairs)


def test_a_report_is_written_once_as_html_and_from_the_kept_comparison_as_pdf(given, tmp_path, capsys):
    run, page, paper = tmp_path / "run", tmp_path / "r.html", tmp_path / "r.pdf"
    asked = ["--models", "genomap", "logistic", "--folds", "2", "--epochs", "1", "--device", "cpu", "--run", str(run)]
    assert main(["report", str(given.table), "--sample", "P004", "--out", str(page), *asked]) == 0
    kept = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    assert main(["report", str(given.table), "--sample", "P007", "--out", str(paper), *asked, "--json"]) == 0
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == kept, "the comparison was made again"
    text = page.read_text()
    assert text.count("<svg") == 1
    assert "Patient 5" in text
    assert "Logistic regression" in text
    assert "P004" not in text
    assert "Doe" not in text
    assert paper.read_bytes().startswith(b"%PDF-")
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["name"] == "Patient 8"
    for answer in told["answers"]:
        assert sum(answer["proba"].values()) == pytest.approx(1, abs=1e-5)
    other = ["report", str(given.table), "--sample", "P004", "--out", str(page), *asked]
    assert main([*other, "--epochs", "2"]) == 0
    told = capsys.readouterr().err
    assert "GenoMap network: fold 1" in told
    assert "Logistic regression: fold 1" not in told, "it has no epochs: its answers are those that are kept"


def test_help_is_there_at_once_and_names_every_command():
    code = (
        "import sys; from genomap_core.__main__ import main\n"
        "try: main(['--help'])\nexcept SystemExit as end: print('status', end.code)\n"
        "print(sorted({'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'streamlit'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for command in ("app", "inspect", "layout", "train", "predict", "explain", "report", "benchmark", "licences"):
        assert f"    {command} " in done.stdout
    assert done.stdout.splitlines()[-2:] == ["status 0", "[]"]


def test_a_layout_needs_no_torch(given, tmp_path):
    code = (
        "import sys; from genomap_core.__main__ import main; print(main(sys.argv[1:]));"
        "print(sorted({'torch', 'streamlit', 'sklearn'} & set(sys.modules)))"
    )
    asked = ["layout", str(given.table), "--out", str(tmp_path / "l.csv")]
    done = subprocess.run([sys.executable, "-c", code, *asked], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["0", "[]"]


def test_predict_answers_a_table_that_lacks_a_feature_and_says_so(given, tmp_path, capsys):
    out = tmp_path / "answers.csv"
    assert main(["predict", str(given.model), str(given.table), "--out", str(out), "--quiet"]) == 0
    capsys.readouterr()
    lacking = tmp_path / "lacking.csv"
    assert main(["predict", str(given.model), str(given.other), "--out", str(lacking), "--json"]) == 0
    said = capsys.readouterr()
    told = said.out + said.err
    assert "lacks 1 of the model's 12 features: G11" in told
    assert "Not used, as the model does not know them: H1" in told
    assert "in_training" not in rows_of(lacking)[0], "whether they were in the training is not known"
    assert len(rows_of(lacking)) == len(rows_of(out)) == 48


def test_a_label_under_another_name_in_another_order_changes_no_answer(given, tmp_path, capsys):
    with given.table.open(newline="") as file:
        header, *rows = csv.reader(file)
    header[-1] = "outcome after a year"
    order = [0, *range(len(header) - 1, 0, -1)]
    other, out, wanted = tmp_path / "other.csv", tmp_path / "out.csv", tmp_path / "wanted.csv"
    other.write_text("\n".join(",".join(row[j] for j in order) for row in (header, *rows)) + "\n")
    for table, answers in ((given.table, wanted), (other, out)):
        assert main(["predict", str(given.model), str(table), "--out", str(answers)]) == 0
    assert rows_of(out) == rows_of(wanted)
    assert "Column outcome after a year holds the model's classes" in capsys.readouterr().err


def test_inspect_of_a_model_tells_how_its_table_was_read(given, capsys):
    assert main(["inspect", str(given.model)]) == 0
    assert "read as: samples in rows; id patient_id; target response" in capsys.readouterr().out
