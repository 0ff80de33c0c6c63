"""Every file of the bad-input collection gets its verdict and says what it must; the command line reports it."""

import json
import subprocess
import sys

import pytest
from bad_inputs import FOLDER, expected

from genomap_core.__main__ import main
from genomap_core.io.inspect import inspect


@pytest.mark.shared
@pytest.mark.parametrize("row", expected())
def test_a_bad_input_gets_its_verdict_and_says_why(row, tmp_path, monkeypatch, figure):
    monkeypatch.chdir(tmp_path)
    report = inspect(FOLDER / "files" / row["file"])
    said = " ".join(map(str, report.messages)).lower()
    assert report.verdict == row["verdict"], report.as_text()
    for term in filter(None, row["must_say"].split("|")):
        assert term.lower() in said, report.as_text()
    assert list(tmp_path.iterdir()) == [], "the file ran something here"
    for secret in ("doe", "mrn0000001", "1 main st"):
        assert secret not in report.as_json().lower().replace("does", "")
    figure("bad files through the command line", 1)


def test_a_file_that_is_not_there_is_an_error():
    assert inspect("/nowhere/x.csv").verdict == "error"


@pytest.fixture
def files(tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("sample_id,a,b,label\n" + "".join(f"s{i},{i * 1.5},{i % 7},{'xy'[i % 2]}\n" for i in range(20)))
    bad.write_text(good.read_text().replace("s3,4.5", "s3,high"))
    return str(good), str(bad)


def test_json_is_one_line_a_file(files, capsys):
    assert main(["inspect", *files, "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["file"], first["verdict"]) == ("good.csv", "ok")
    assert second["verdict"] == "error"
    (problem,) = [m for m in second["messages"] if m["severity"] == "error"]
    assert (problem["column"], problem["row"], problem["value"]) == ("a", 5, "high")
    assert problem["remedy"]


def test_people_get_the_worst_first_and_the_remedy(files, capsys):
    assert main(["inspect", files[0]]) == 0
    assert main(["inspect", files[1]]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "OK     good.csv: 20 samples x 2 features, 2 classes (x 10, y 10)"
    at = next(i for i, line in enumerate(lines) if line.startswith("ERROR"))
    assert "Column a, row 5 holds 'high'" in lines[at + 1]
    assert "->" in lines[at + 2]


def test_the_command_loads_no_heavy_library(files):
    code = (
        "import sys; from genomap_core.__main__ import main; main(['inspect', sys.argv[1]]);"
        "print(sorted({'torch', 'streamlit', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, files[0]], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
