"""What a command can't do it says, with what and where and how; the status tells whose fault it is; no file changes."""

from __future__ import annotations

import importlib.util
import os
import re
from typing import get_args

import pytest

from genomap_core.__main__ import main
from genomap_core.benchmark.engine import ENGINES
from genomap_core.cli import options, tables
from genomap_core.cli.parse import parse
from genomap_core.explain import METHODS
from genomap_core.layout import SOLVERS
from genomap_core.training.device import DEVICES
from genomap_core.workflows.tabular.compare import NETWORKS
from genomap_core.workflows.tabular.models import MODELS

COMMANDS = {
    "layout": ("{table}", "--out", "{out}/x.csv"),
    "train": ("{table}", "--out", "{out}/x.safetensors", "--epochs", "1"),
    "predict": ("{model}", "{table}", "--out", "{out}/x.csv"),
    "explain": ("{model}", "{table}", "--out", "{out}/x.csv"),
    "report": ("{table}", "--sample", "P001", "--out", "{out}/x.html"),
}
LABELLED = ("train", "report")
WITH_MODEL = ("predict", "explain")


def call(command: str, given, out, *more: str, **paths) -> int:
    named = {"table": given.table, "model": given.model, "out": out} | paths
    return main([command, *(word.format(**named) for word in COMMANDS[command]), *more])


def refused(capsys, *words: str) -> None:
    said = capsys.readouterr()
    assert said.out == ""
    last = said.err[said.err.index("error:") :]
    for word in words:
        assert word in last, said.err


@pytest.fixture
def out(tmp_path):
    """A folder with an older result in it, which must be there, unchanged and alone, in the end."""
    old = {name: tmp_path / name for name in ("x.csv", "x.safetensors", "x.html")}
    for path in old.values():
        path.write_text("older")
    yield tmp_path
    assert {path.name for path in tmp_path.iterdir()} == set(old)
    assert {path.read_text() for path in old.values()} == {"older"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_that_is_not_there(command, given, out, capsys):
    assert call(command, given, out, table=out / "nowhere.csv") == 1
    refused(capsys, "There is no file", "nowhere.csv", "check the path")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_table_with_errors_lists_them_as_inspect_does(command, given, out, capsys):
    assert call(command, given, out, table=given.bad) == 1
    refused(capsys, "bad.csv can't be used, 1 problem:", "Column G0, row 5 holds 'high", "->")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_column_that_is_not_there(command, given, out, capsys):
    assert call(command, given, out, "--target", "outcome") == 1
    refused(capsys, "no column is named 'outcome'", "target", "response")


@pytest.mark.parametrize("command", LABELLED)
def test_a_table_without_labels(command, given, out, capsys):
    assert call(command, given, out, table=given.unlabelled) == 1
    refused(capsys, "unlabelled.csv has no column with the classes", "--target")


@pytest.mark.parametrize("command", LABELLED)
def test_a_target_that_is_no_label(command, given, out, capsys):
    assert call(command, given, out, "--target", "G3") == 1
    refused(capsys, "G3")


def test_explaining_other_features_is_answered_with_the_difference_of_names(given, out, capsys):
    assert call("explain", given, out, table=given.other) == 1
    refused(capsys, "missing in the table (1): G11", "Set aside in the table: surname, response, H1")


@pytest.mark.parametrize("command", WITH_MODEL)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "There is no file"),
        (b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94.", "m.safetensors: Not a sound safetensors file"),
    ],
)
def test_a_model_that_is_none(command, content, words, given, out, tmp_path_factory, capsys):
    model = tmp_path_factory.mktemp("models") / "m.safetensors"
    if content is not None:
        model.write_bytes(content)
    assert call(command, given, out, model=model) == 1
    refused(capsys, words)


@pytest.mark.parametrize("command", ["explain", "report"])
def test_a_sample_or_class_that_is_not_there(command, given, out, capsys):
    assert call(command, given, out, "--sample", "P999") == 1
    refused(capsys, "no sample 'P999'", "P000, P001")
    assert call(command, given, out, "--class", "fair") == 1
    refused(capsys, "no class 'fair'", "good, poor")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_not_there_or_is_a_file(command, given, out, tmp_path, capsys):
    for folder in (tmp_path / "nowhere", given.table):
        assert call(command, given, folder) == 1
        refused(capsys, f"There is no folder {folder}", "make it first")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_folder(command, given, tmp_path, capsys):
    tmp_path.chmod(0o500)
    try:
        assert call(command, given, tmp_path) == 1
    finally:
        tmp_path.chmod(0o700)
    refused(capsys, "can't be written to")


def test_a_write_that_fails_is_told_and_leaves_the_old_file(given, out, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device", "x.csv")

    monkeypatch.setattr(os, "fsync", full)
    assert call("layout", given, out) == 1
    refused(capsys, "No space left on device")


def test_an_interrupted_command_leaves_the_old_file(given, out, monkeypatch, capsys):
    from genomap_core.cli import layout

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(layout, "fit_genomap", stop)
    assert call("layout", given, out) == 130
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_read_is_not_written_over(command, given, out, capsys):
    words = [word.format(table=given.table, model=given.model, out=out) for word in COMMANDS[command]]
    target = words[words.index("--out") + 1]
    own = out / os.path.basename(target)
    words[words.index(str(given.table))] = str(own)
    assert main([command, *words]) == 1
    refused(capsys, "is read by this command")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--out", "x.txt"), "must end in"),
        (("--seed", "-1"), "at least 0"),
        (("--scale", "ln"), "invalid choice"),
        (("--nonsense",), "unrecognized arguments"),
    ],
)
def test_wrong_arguments_are_status_2(command, more, words, given, out, capsys):
    with pytest.raises(SystemExit) as end:
        call(command, given, out, *more)
    assert end.value.code == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("grid", ["3", "3x", "0x4", "axb", "3x4x5", "-3x4"])
def test_a_grid_is_two_sides(grid, given, out, capsys):
    with pytest.raises(SystemExit) as end:
        call("layout", given, out, f"--grid={grid}")
    assert end.value.code == 2
    assert "is no grid" in capsys.readouterr().err


def test_what_can_be_chosen_is_what_the_library_has():
    assert tuple(SOLVERS) == get_args(options.Solver)
    assert tuple(MODELS) == get_args(options.Model)
    assert get_args(options.Network) == NETWORKS
    assert get_args(options.Method) == ("auto", *METHODS)
    assert get_args(options.Device) == DEVICES
    assert tuple(tables.SCALES) == get_args(options.Scale)
    assert get_args(options.Run.model_fields["engine"].annotation) == ENGINES


def test_the_module_describes_every_command_and_there_is_a_module_for_each():
    import genomap_core.__main__ as module

    commands = set(options.Genomap.model_fields)
    assert set(re.findall(r"^    (\w+) ", module.__doc__, re.MULTILINE)) == commands
    assert all(importlib.util.find_spec(f"genomap_core.cli.{command}") for command in commands)


@pytest.mark.parametrize("words", [(), ("benchmark",), ("grow",), ("benchmark", "grow")])
def test_no_command_is_status_2(words, capsys):
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_a_word_is_taken_as_it_stands():
    words = ["--set-aside", "a,b", "--set-aside", '["c"]', "--set-aside", " d", "--target", "None", "--id", "null"]
    _, read = parse(["layout", "a,b.csv", "--out", "x.csv", *words])
    assert (read.set_aside, read.target, read.id, str(read.table)) == (
        ("a,b", '["c"]', " d"),
        "None",
        "null",
        "a,b.csv",
    )


def test_two_models_leave_the_table_behind_them():
    _, read = parse(["report", "--models", "pfn", "genonet", "t.csv", "--sample", "1", "--out", "x.pdf"])
    assert (read.models, str(read.table)) == (("pfn", "genonet"), "t.csv")


def test_names_of_the_study_stand_between_commas():
    name, read = parse(["benchmark", "plan", "--sets", "a, b", "--option", "x.y=[1,2]", "--list"])
    assert (name, read.sets, read.option, read.as_list) == ("benchmark", ("a", "b"), ("x.y=[1,2]",), True)


def test_the_environment_gives_no_options(monkeypatch):
    for command in options.Genomap.model_fields:
        monkeypatch.setenv(command.upper(), '{"seed": 7}')
    _, read = parse(["layout", "t.csv", "--out", "x.csv"])
    assert read.seed == 0
