"""The benchmark command runs and its rows tell the truth about what they compare."""

import json
import subprocess
import sys

import numpy as np

from genomap_core.layout.benchmark import in_child, line, synthetic


def test_the_command_prints_a_row_a_solver_and_writes_them_as_json(tmp_path):
    out = tmp_path / "rows.json"
    table = tmp_path / "table.csv"
    X = synthetic(30, 40)
    rows = "\n".join(",".join(["s" + str(i), *map(str, row)]) for i, row in enumerate(X))
    table.write_text(",".join(["id", *(f"g{j}" for j in range(40))]) + "\n" + rows)
    command = [sys.executable, "-m", "genomap_core.layout.benchmark", "--sizes", "50", "--data", str(table)]
    command += ["--solvers", "ot (default)", "PCA + assignment", "random", "--repeats", "1", "--json", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(out.read_text())
    assert [row["p"] for row in found] == [50] * 3 + [40] * 3
    assert done.stdout.count("| ot (default) |") == 2
    by_solver = {row["solver"]: row for row in found[:3]}
    assert by_solver["ot (default)"]["gw_distortion"] < by_solver["random"]["gw_distortion"]


def test_a_solver_that_fails_is_a_row_that_says_why(tmp_path):
    np.save(tmp_path / "X.npy", np.full((5, 4), np.nan, np.float32))
    row = in_child(str(tmp_path / "X.npy"), "random", 1, 60)
    assert "NaN" in row["failed"]
    assert "NaN" in line(row, {})
