"""P1, threat 3: no uploaded byte is executed, however a pickle is dressed and wherever it is dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from hostile import CANARY, pickles

from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.io.images.preview import read_pixels
from genomap_core.io.inspect import inspect
from genomap_core.io.tables.read import read_table
from genomap_core.training.bundle import load_bundle


@pytest.fixture(autouse=True)
def nothing_ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not Path(CANARY).exists(), "the file ran something"


def test_the_canary_sings_when_it_is_unpickled(tmp_path: Path) -> None:
    import pickle

    pickle.loads(pickles()["e.pkl"])
    assert Path(CANARY).is_dir()
    Path(CANARY).rmdir()


@pytest.mark.parametrize("name", pickles())
def test_nothing_runs_on_inspection(name: str, figure) -> None:
    assert inspect(pickles()[name], name).verdict in ("refuse", "error")
    figure("pickles refused", 1)


@pytest.mark.parametrize("name", pickles())
@pytest.mark.parametrize("read", [read_table, read_pixels])
def test_nothing_runs_as_a_table_or_an_image(name: str, read) -> None:
    with pytest.raises(InputError):
        read(pickles()[name], name)


@pytest.mark.parametrize("name", pickles())
def test_nothing_runs_as_a_model(name: str) -> None:
    with pytest.raises(InputError):
        load_bundle(pickles()[name])


@pytest.mark.parametrize("name", ["e.npz", "e.npy", "e.pkl"])
def test_nothing_runs_as_a_stored_cohort(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(pickles()[name])
    with pytest.raises(InputError):
        Dataset.load(path)
