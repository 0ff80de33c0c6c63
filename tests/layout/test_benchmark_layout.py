"""The benchmark command runs and its rows tell the truth about what they compare."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tools.layout_benchmark import compare, growth, in_child, line, synthetic, verdict


@pytest.mark.slow
def test_the_command_prints_a_row_a_solver_and_writes_them_as_json(tmp_path):
    out = tmp_path / "rows.json"
    table = tmp_path / "table.csv"
    X = synthetic(30, 40)
    rows = "\n".join(",".join(["s" + str(i), *map(str, row)]) for i, row in enumerate(X))
    table.write_text(",".join(["id", *(f"g{j}" for j in range(40))]) + "\n" + rows)
    command = [sys.executable, "-m", "tools.layout_benchmark", "--sizes", "50", "--data", str(table)]
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


def test_a_peer_that_is_not_tried_on_a_large_table_is_a_row_that_says_so():
    said = []
    (row,) = compare("1101", ["POT entropic proximal"], 1, 60, said.append)
    assert row["failed"] == "not tried above 1,100 features"
    assert row["failed"] in said[-2]


def test_memory_is_the_peak_of_what_runs_and_not_of_what_was_before_it():
    """In a process of its own: 90 MB come and go, then 40 MB are the peak."""
    code = (
        "import numpy as np\n"
        "from tools.layout_benchmark import _forget_peak, _peak_mb\n"
        "np.ones(90 * 2**17).sum()\n"
        "before = _forget_peak()\n"
        "np.ones(40 * 2**17).sum()\n"
        "print(_peak_mb() - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert float(done.stdout) == pytest.approx(40, abs=4)


def test_growth_is_the_slope_of_time_on_size_from_five_thousand_features_on():
    rows = [{"solver": "ot (default)", "p": p, "seconds": 3e-6 * p**1.1} for p in (100, 5000, 20_000, 100_000)]
    rows[0]["seconds"] = 99
    assert abs(growth(rows) - 1.1) < 1e-9
    assert growth(rows[:2]) is None


def test_a_peer_is_on_the_front_unless_one_setting_of_ours_beats_it_on_both():
    rows = [
        {"solver": name, "gw_distortion": gw, "neighbour_correlation": near}
        for name, gw, near in (
            ("ot (default)", 0.20, 0.4),
            ("ot, local", 0.21, 0.5),
            ("FLAS", 0.205, 0.45),
            ("random", 0.24, 0),
        )
    ]
    assert verdict(rows) == ["- FLAS: on the front", "- random: beaten on both by ot (default), ot, local"]
