"""The list of licences names every requirement, and none that binds the program's users."""

from __future__ import annotations

import re
from email.message import Message
from pathlib import Path

import pytest

from genomap_core.__main__ import main
from genomap_core.licences import licence_of, list_licences

PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|Zlib|PSF|Python Software|MPL|Mozilla|Unlicense|0BSD|HPND|CC0|Public Domain"
)


def test_every_requirement_is_listed_with_a_permissive_licence() -> None:
    found = list_licences()
    required = set(re.findall(r"(?m)^([\w.-]+)==", (Path(__file__).parents[1] / "requirements.txt").read_text()))
    assert {x.package for x in found if x.direct} == {re.sub(r"[-_.]+", "-", name).lower() for name in required}
    assert len(found) > len(required), "what they bring is listed too"
    assert not [x for x in found if not PERMISSIVE.search(x.licence)]


@pytest.mark.parametrize(
    ("fields", "licence"),
    [
        ({"License-Expression": "MIT", "License": "x"}, "MIT"),
        ({"Classifier": "License :: OSI Approved :: BSD License", "License": "Copyright ..."}, "BSD License"),
        ({"License": "Apache 2.0\nand much more"}, "Apache 2.0"),
        ({"License": "UNKNOWN"}, "not stated"),
        ({}, "not stated"),
    ],
)
def test_the_best_statement_counts(fields: dict[str, str], licence: str) -> None:
    metadata = Message()
    for name, value in fields.items():
        metadata[name] = value
    assert licence_of(metadata) == licence


def test_the_command_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["licences"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| package |")
    assert any(line.startswith("| torch | 2.13.0") for line in lines)
