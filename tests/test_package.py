"""The package: what it requires, and that it works where it is installed, in a folder outside the repository."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import genomap_core

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def required(lines: list[str]) -> dict[str, Requirement]:
    found = [Requirement(line.partition("#")[0].strip()) for line in lines if line.partition("#")[0].strip()]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.mark.parametrize(
    ("pins", "ranges"),
    [
        ("requirements.txt", PROJECT["dependencies"]),
        ("tests/requirements.txt", PROJECT["optional-dependencies"]["dev"]),
        ("docs/requirements.txt", PROJECT["optional-dependencies"]["docs"]),
    ],
)
def test_the_tested_version_of_every_package_lies_in_the_range_that_is_required(pins: str, ranges: list[str]) -> None:
    tested, allowed = required((ROOT / pins).read_text().splitlines()), required(ranges)
    assert set(tested) == set(allowed)
    for name, pin in tested.items():
        (version,) = [Version(one.version) for one in pin.specifier]
        assert version in allowed[name].specifier, f"{name} {version}"
        assert not any(one.operator == "==" for one in allowed[name].specifier), f"{name} is pinned for all users"


def run(*words: str | Path, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """A fresh environment with the wheel in it: its ``bin``, an empty ``folder`` to stand in, ``env`` for processes.

    Everything that the wheel requires is seen in the environment that runs the tests; nothing is downloaded.
    """
    place = tmp_path_factory.mktemp("installed")
    assert ROOT not in place.parents
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if name not in hidden} | {"HOME": str(place / "home")}
    folder = place / "folder"
    for new in (folder, place / "home"):
        new.mkdir()
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    run(*pip, "wheel", ROOT, "--no-deps", "--no-build-isolation", "-w", place, cwd=place, env=env)
    (wheel,) = place.glob("*.whl")
    venv.create(place / "env", symlinks=True)
    python = place / "env" / "bin" / "python"
    run(*pip, "--python", python, "install", "--no-index", "--no-deps", wheel, cwd=place, env=env)
    (packages,) = (place / "env" / "lib").glob("python*/site-packages")
    (packages / "required.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return SimpleNamespace(bin=python.parent, python=python, packages=packages, folder=folder, env=env)


@pytest.mark.slow
def test_the_library_is_found_where_it_was_installed_and_nothing_is_called_pages(installed: SimpleNamespace) -> None:
    code = (
        "import importlib.util, json, genomap_core; from genomap_core.files import APP_FOLDER\n"
        "alien = [n for n in ('pages', 'app', 'tools', 'tests', 'sample_data') if importlib.util.find_spec(n)]\n"
        "print(json.dumps([genomap_core.__file__, str(APP_FOLDER), genomap_core.__version__, alien]))"
    )
    found = json.loads(run(installed.python, "-c", code, cwd=installed.folder, env=installed.env))
    home = installed.packages / "genomap_core"
    assert found == [str(home / "__init__.py"), str(home / "_app"), genomap_core.__version__, []]
    tops = {path.name for path in installed.packages.iterdir() if not path.name.endswith((".dist-info", ".pth"))}
    assert tops == {"genomap_core"}
    assert (home / "py.typed").is_file()


@pytest.mark.slow
def test_every_file_of_the_library_and_the_app_is_packed(installed: SimpleNamespace) -> None:
    home = installed.packages / "genomap_core"
    places = [(ROOT / "genomap_core", home), *((ROOT / n, home / "_app" / n) for n in ("pages", "sample_data"))]
    for source, packed in places:
        wanted = {p.relative_to(source) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        there = {p.relative_to(packed) for p in packed.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
        assert wanted - there == set()


@pytest.mark.slow
def test_the_command_inspects_lays_out_and_lists_licences(installed: SimpleNamespace) -> None:
    genomap, table = installed.bin / "genomap", installed.packages / "genomap_core/_app/sample_data/clinical.csv"

    def said(*words: str | Path) -> str:
        return run(genomap, *words, cwd=installed.folder, env=installed.env)

    assert json.loads(said("inspect", table, "--json"))["verdict"] in ("ok", "warn")
    assert json.loads(said("layout", table, "--out", "layout.csv", "--json"))["features"] == 14
    assert (installed.folder / "layout.csv").is_file()
    direct = {line.split(" | ")[0].strip("| ") for line in said("licences").splitlines() if line.endswith("| yes |")}
    assert direct == {canonicalize_name(Requirement(need).name) for need in PROJECT["dependencies"]}


@pytest.mark.slow
def test_the_examples_of_the_readme_run(installed: SimpleNamespace) -> None:
    folder = installed.folder / "readme"
    folder.mkdir()
    shutil.copy(ROOT / "README.md", folder)
    (folder / "sample_data").symlink_to(installed.packages / "genomap_core/_app/sample_data")
    code = "import doctest; print(*doctest.testfile('README.md', module_relative=False))"
    failed, tried = run(installed.python, "-c", code, cwd=folder, env=installed.env).split()[-2:]
    assert (int(failed), int(tried) > 5) == (0, True)


@pytest.mark.slow
def test_the_first_page_of_the_app_is_drawn(installed: SimpleNamespace) -> None:
    code = (
        "import json; from streamlit.testing.v1 import AppTest; from genomap_core.files import APP_FOLDER\n"
        "app = AppTest.from_file(str(APP_FOLDER / 'app.py'), default_timeout=120).run()\n"
        "print(json.dumps([[t.value for t in app.title], [e.value for e in (*app.exception, *app.error)]]))"
    )
    env = installed.env | {"GENOMAP_HOME": str(installed.folder / "app")}
    titles, errors = json.loads(run(installed.python, "-c", code, cwd=installed.folder, env=env).splitlines()[-1])
    assert (titles, errors) == (["Genomap"], [])


@pytest.fixture(scope="module")
def server(installed: SimpleNamespace) -> Iterator[SimpleNamespace]:
    """``pid`` and ``port`` of ``genomap app``, started where a file of settings opens what the app's own close."""
    (installed.folder / ".streamlit").mkdir()
    (installed.folder / ".streamlit/config.toml").write_text('[server]\naddress = "0.0.0.0"\nallowedHosts = ["*"]\n')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    words = [installed.bin / "genomap", "app", "--port", str(port), "--allow-host", "studio.example.org"]
    env = installed.env | {"GENOMAP_HOME": str(installed.folder / "served")}
    log = installed.folder / "server.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(words, cwd=installed.folder, env=env, stdout=out, stderr=out) as process,
    ):
        try:
            while answer(port, "/_stcore/health") != 200:
                assert process.poll() is None, log.read_text()[-4000:]
                time.sleep(0.1)
            yield SimpleNamespace(pid=process.pid, port=port)
        finally:
            process.terminate()


def answer(port: int, path: str, **headers: str) -> int:
    """Status of a GET; 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        return connection.getresponse().status
    except ConnectionError:
        return 0
    finally:
        connection.close()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "status"), [("127.0.0.1", 101), ("localhost", 101), ("studio.example.org", 101), ("evil.example", 403)]
)
def test_the_installed_app_answers_its_own_names_alone(server: SimpleNamespace, host: str, status: int) -> None:
    key = base64.b64encode(os.urandom(16)).decode()
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13", "Sec_WebSocket_Key": key}
    assert answer(server.port, "/") == 200
    assert answer(server.port, "/_stcore/stream", Host=host, Origin=f"http://{host}", **upgrade) == status


@pytest.mark.slow
def test_the_installed_app_is_reached_from_this_machine_alone(server: SimpleNamespace) -> None:
    listening = [c for c in psutil.Process(server.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert {c.laddr.ip for c in listening} == {"127.0.0.1"}
