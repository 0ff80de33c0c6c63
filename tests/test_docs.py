"""README.md and docs/: short where they must be, every link and command real, every example runs, the site builds."""

from __future__ import annotations

import doctest
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import genomap_core

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
WITH_EXAMPLES = [page for page in PAGES if ">>> " in page.read_text()]
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def headings(page: Path) -> set[str]:
    """Anchors as a forge makes them."""
    titles = re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_readme_fits_a_screen_or_two() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    lost = []
    for link in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        name, _, anchor = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in headings(target)):
            lost.append(link)
    assert not lost


@pytest.mark.parametrize("page", PAGES, ids=relative)
def test_every_module_and_file_that_is_named_exists(page: Path) -> None:
    text = page.read_text()
    modules = {name for name in re.findall(r"python -m ([\w.]+)", text) if re.match(r"genomap_core|tools", name)}
    assert not {name for name in modules if not runs(name)}
    paths = re.findall(
        r"(?:^|[`= ])((?:genomap_core|pages|tools|tests|docs|sample_data)/[\w./-]*\w)", text, re.MULTILINE
    )
    assert not {path for path in paths if not (ROOT / path).exists()}


def runs(module: str) -> bool:
    """Whether ``python -m module`` starts something; a name in capitals stands for any."""
    found = importlib.util.find_spec(re.sub(r"\.[A-Z]+$", "", module))
    package = found is not None and found.submodule_search_locations is not None
    return found is not None and (
        module.endswith("NAME") or not package or importlib.util.find_spec(f"{module}.__main__") is not None
    )


def test_every_command_that_is_named_exists() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "genomap_core", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    named = {name for page in PAGES for name in re.findall(r"(?:`|^)genomap ([a-z]+)", page.read_text(), re.MULTILINE)}
    table = (ROOT / "docs/command-line.md").read_text().partition("\n## ")[0]
    named |= set(re.findall(r"^\| `([a-z]+)", table, re.MULTILINE))
    assert len(named) >= 5
    assert not {name for name in named if not re.search(rf"\b{name}\b", shown)}


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_EXAMPLES, ids=relative)
def test_the_examples_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    failed, tried = doctest.testfile(str(page), module_relative=False)
    assert tried >= 5
    assert failed == 0


@pytest.mark.parametrize("name", genomap_core.__all__)
def test_every_stable_name_is_there_and_in_the_docs(name: str) -> None:
    assert getattr(genomap_core, name) is not None
    assert f"`{name}" in (ROOT / "docs" / "library.md").read_text()


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'genomap'"):
        genomap_core.genomap  # noqa: B018


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("myst_parser", reason="docs/requirements.txt is not installed")
    for pin in re.findall(r"^[\w-]+==.*$", (ROOT / "docs/requirements.txt").read_text(), re.MULTILINE):
        assert importlib.metadata.version(pin.partition("==")[0]) == pin.partition("==")[2]
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path / "site")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    site = {page.stem for page in (tmp_path / "site").glob("*.html")}
    assert site >= {page.stem for page in PAGES if page != README}
    loaded = re.findall(r'(?:src|href)="(https?:[^"]*\.(?:css|js|woff2?))', (tmp_path / "site/index.html").read_text())
    assert not loaded, "a page loads nothing from elsewhere"
