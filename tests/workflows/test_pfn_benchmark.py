"""The benchmark of the tabular model: real work, and a table that names goals that were missed."""

import json

from tools.pfn_benchmark import Line, beside, cohort, main, patient, text, wide


def test_every_line_is_measured_on_the_real_way():
    lines = [beside("logistic", 1), *patient(40, 12, [("shapley", 10.0)], 1)]
    assert [line.work for line in lines] == [
        "logistic: 200 rows predicted from 400 x 30",
        "slider released: both models, 17 rows, 40 x 12",
        "shapley, one patient, 40 x 12",
    ]
    assert all(line.seconds > 0 for line in lines)
    found = wide(cohort(30, 120, 2))
    assert found.work == "pfn, five folds, 30 x 120 (given scores, scores_anova)"
    assert found.peak_mb is not None


def test_the_command_measures_a_part_and_prints_plain_values(capsys):
    assert main(["--part", "logistic", "--repeats", "1"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert Line(**line).work == "logistic: 200 rows predicted from 400 x 30"


def test_a_missed_goal_is_said():
    shown = text([Line("fast", 1.0, 3, 12.4, 2.0), Line("slow", 3.0, 3, None, 2.0)]).splitlines()
    assert shown[2:] == ["| fast | 1 | 12 | 2 s |", "| slow | 3 |  | 2 s, missed |"]
