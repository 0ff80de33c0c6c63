import doctest
from pathlib import Path

import pytest

import genomap_core

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_in_the_readme_run(monkeypatch):
    monkeypatch.chdir(README.parent)
    failed, tried = doctest.testfile(str(README), module_relative=False)
    assert tried >= 10
    assert failed == 0


@pytest.mark.parametrize("name", genomap_core.__all__)
def test_every_stable_name_is_there_and_in_the_readme(name):
    assert getattr(genomap_core, name) is not None
    assert f"`{name}" in README.read_text()


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'genomap'"):
        genomap_core.genomap  # noqa: B018
