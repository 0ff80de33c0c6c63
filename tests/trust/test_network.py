"""P6, threats 12 and 16: nothing that a user gives is taken for an address, and no library calls home."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from genomap_core.errors import InputError
from genomap_core.io.inspect import inspect
from genomap_core.io.tables.read import read_table
from genomap_core.jobs.runner import worker_environment

ADDRESSES = (
    "http://evil.example/a.csv",
    "https://evil.example/a.parquet",
    "s3://bucket/a.h5ad",
    "ftp://evil.example/a.csv",
    "file:///etc/passwd",
    "\\\\evil.example\\share\\a.csv",
    "zip://a.zip::http://evil.example/a.csv",
)


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch):
    """Every try to open a connection or to look a name up is noted, and fails."""
    tried: list[object] = []

    def refuse(*arguments: object, **options: object) -> None:
        tried.append(arguments)
        raise OSError("no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return tried


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_no_source(address: str, no_network) -> None:
    assert inspect(address).verdict == "error"
    with pytest.raises((InputError, OSError)):
        read_table(address)
    assert not no_network


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_inside_a_table_is_text(address: str, no_network) -> None:
    table = read_table(f"sample_id,link,a\nS1,{address},1\nS2,{address},2\n".encode(), f"{address[:4]}.csv")
    assert table.texts[1].words == (address,)
    assert not no_network


def test_workers_are_told_to_stay_at_home() -> None:
    environment = worker_environment()
    for name in ("TABPFN_NO_BROWSER", "TABPFN_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY", "DO_NOT_TRACK"):
        assert environment[name] == "1"
    assert environment["HF_HUB_OFFLINE"] == "1"


LIBRARIES = ("torch", "tabpfn", "captum", "sklearn", "pandas", "pyarrow", "anndata", "streamlit", "plotly", "dask")
WATCH = """
import importlib, json, socket, sys
tried = []
def refuse(*arguments, **options):
    tried.append(repr(arguments)[:200])
    raise OSError("no network")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
for name in sys.argv[1:]: importlib.import_module(name)
print(json.dumps(tried))
"""


@pytest.mark.slow
def test_importing_the_libraries_asks_nobody(figure) -> None:
    names = [
        *LIBRARIES,
        "genomap_core.workflows.tabular.compare",
        "genomap_core.workflows.tabular.train",
        "genomap_core.pfn",
    ]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *names],
        env=os.environ | worker_environment(),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout.splitlines()[-1]) == []
    figure("outbound connections", 0)
