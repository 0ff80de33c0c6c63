"""Puts this folder's helpers on the path; the folder in which a small study is made."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from study_helpers import write_data, write_plugin

    write_plugin(tmp_path)
    write_data(tmp_path / "data")
    return tmp_path
