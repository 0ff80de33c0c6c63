"""The house rules: who may import whom, what must not occur, how large a module may be, which versions are pinned."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from source_gates import browser_findings, findings

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
LIBRARY = sorted((ROOT / "genomap_core").rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
PRODUCT = [*LIBRARY, *sorted((ROOT / "pages").rglob("*.py")), ROOT / "app.py"]
BROWSER = [path for kind in ("*.js", "*.css", "*.html") for path in sorted((ROOT / "pages").rglob(kind))]
NO_TORCH = ("data", "io", "layout", "jobs", "plotting")
LOADED_BY_NAME = {
    "openpyxl": "pandas reads .xlsx through it",
    "defusedxml": "openpyxl refuses XML bombs with it",
    "h5py": "reads h5ad",
    "anndata": "reads h5ad",
    "python-gdcm": "pydicom decodes compressed pixels through it",
    "plotly": "figures",
    "pyarrow": "CSV and Parquet",
}


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize(
    "command",
    [["lint-imports", "--no-cache"], ["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]],
    ids=lambda command: command[0] + (" " + command[1] if command[0] == "ruff" else ""),
)
def test_the_tool_has_nothing_to_say(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def modules_of(*packages: str) -> list[str]:
    names = []
    for path in LIBRARY:
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) > 1 and parts[1] in packages and parts[-1] != "__main__":
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def test_importing_the_library_needs_neither_torch_nor_streamlit() -> None:
    code = "import sys, genomap_core; print([m for m in ('torch', 'streamlit', 'numpy') if m in sys.modules])"
    assert run_python(code) == "[]"


def test_what_draws_the_first_map_needs_no_torch() -> None:
    names = modules_of(*NO_TORCH)
    assert len(names) > 20
    code = (
        f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\n"
        "print([m for m in ('torch', 'tabpfn', 'captum', 'streamlit') if m in sys.modules])"
    )
    assert run_python(code) == "[]"


def test_importing_changes_nothing_and_says_nothing() -> None:
    packages = [path.name for path in (ROOT / "genomap_core").iterdir() if path.is_dir()]
    code = (
        "import importlib, os, random, signal, sys\nimport numpy as np, torch\n"
        "def state(): return (random.getstate(), np.random.get_state()[1].tobytes(), torch.initial_seed(), "
        "torch.get_num_threads(), dict(os.environ), signal.getsignal(signal.SIGINT), np.geterr())\n"
        "import sklearn, lightgbm, tabpfn, captum.attr, pandas, scipy.stats, pydicom\n"
        f"before = state()\nfor name in {modules_of(*packages)}: importlib.import_module(name)\n"
        "after = state()\nassert [a == b for a, b in zip(before, after)] == [True] * len(before), "
        "[a == b for a, b in zip(before, after)]"
    )
    assert run_python(code) == ""


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_a_python_file_has_no_forbidden_construct(path: Path) -> None:
    quiet_ok = path.name == "__main__.py"
    found = [f for f in findings(path.read_text()) if not (quiet_ok and ": print:" in f)]
    assert not found, f"{relative(path)}: {found}"


@pytest.mark.parametrize("path", BROWSER, ids=relative)
def test_a_browser_file_has_no_forbidden_construct(path: Path) -> None:
    assert not list(browser_findings(path.read_text())), relative(path)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.load(f)",
        "from pickle import loads as harmless\nharmless(b)",
        "import joblib as j\nj.load('x')",
        "import numpy as np\nnp.load(f, allow_pickle=True)",
        "import numpy as np\nnp.load(f, allow_pickle=flag)",
        "import pandas as pd\npd.read_pickle(f)",
        "import torch\ntorch.load(f)",
        "import torch\ntorch.load(f, weights_only=safe)",
        "zipfile.ZipFile(f).extractall(folder)",
        "import streamlit as st\nst.markdown(x, unsafe_allow_html=True)",
        "import streamlit as st\nst.components.v1.html(x)",
        "import streamlit.components.v1 as components",
        "from streamlit.components.v1 import html",
        "st.html(x, unsafe_allow_javascript=True)",
        "print('x')",
        "eval('1')",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor()",
    ],
)
def test_the_gate_finds_what_it_must(source: str) -> None:
    assert list(findings(source))


@pytest.mark.parametrize(
    "source",
    [
        "np.load(f, allow_pickle=False)",
        "model.eval()",
        "import torch\ntorch.load(f, weights_only=True)",
        "x = 'pickle.load(f)'",
        "st.components.v2.component('x')",
    ],
)
def test_the_gate_lets_the_harmless_pass(source: str) -> None:
    assert not list(findings(source))


@pytest.mark.parametrize(
    ("source", "bad"),
    [
        ("box.innerHTML = name", True),
        ("eval(text)", True),
        ("fetch('https://example.org')", True),
        ("@import url(x.css)", True),
        ("box.textContent = name", False),
        ("document.createElementNS('http://www.w3.org/2000/svg', 'g')", False),
        ("const retrieval = 1", False),
    ],
)
def test_the_browser_gate_finds_what_it_must(source: str, bad: bool) -> None:
    assert bool(list(browser_findings(source))) == bad


@pytest.mark.parametrize("path", [*PRODUCT, *TOOLS], ids=relative)
def test_a_module_says_what_it_promises_and_its_functions_are_short(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body and path.name != "__init__.py":
        assert ast.get_docstring(tree), "the first lines say what the module promises"
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    long = [f"{f.name}: {length}" for f in functions if (length := lines_of_code(f)) > 60]
    assert not long, f"longer than 60 lines: {long}"


def lines_of_code(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement behind the docstring to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def pins(name: str) -> dict[str, Requirement]:
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines if line}


@pytest.mark.parametrize("name", ["requirements.txt", "tests/requirements.txt"])
def test_every_requirement_is_pinned_to_the_version_that_is_tested_here(name: str) -> None:
    for package, requirement in pins(name).items():
        assert re.fullmatch(r"==[^,*]+", str(requirement.specifier)), f"{package} is not pinned"
        installed = Version(importlib.metadata.version(package)).public
        assert requirement.specifier.contains(installed), f"{package}: {installed} is installed"


def imported(paths: list[Path]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"genomap_core", "pages"}


PEERS = {"umap", "umap-learn", "vc-flas"}  # of the layout benchmark alone, which goes on without them


def test_what_the_product_imports_is_what_it_requires() -> None:
    required = set(pins("requirements.txt"))
    distributions = importlib.metadata.packages_distributions()
    used = {canonicalize_name(name) for module in imported(PRODUCT) for name in distributions.get(module, [module])}
    assert used - required - PEERS == set(), "imported, but not in requirements.txt"
    assert required - used - set(LOADED_BY_NAME) == set(), "in requirements.txt, but never imported"


def test_no_package_index_is_named() -> None:
    for name in (
        "requirements.txt",
        "tests/requirements.txt",
        "docs/requirements.txt",
        "Makefile",
        ".ci/run",
        "pyproject.toml",
    ):
        text = (ROOT / name).read_text()
        assert not re.search(r"://|index-url|find-links|trusted-host", text), name
