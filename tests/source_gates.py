"""Constructs that must not occur in the product, found in the syntax tree rather than by words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

FORBIDDEN_CALLS = {
    "pickle.load": "runs code from the file",
    "pickle.loads": "runs code from the file",
    "pickle.Unpickler": "runs code from the file",
    "joblib.load": "runs code from the file",
    "pandas.read_pickle": "runs code from the file",
    "yaml.load": "use yaml.safe_load",
    "eval": "runs code",
    "exec": "runs code",
    "print": "the library is silent; pages use streamlit",
    "multiprocessing.Process": "it runs app.py again; use genomap_core.jobs",
    "concurrent.futures.ProcessPoolExecutor": "it runs app.py again; use genomap_core.jobs",
}
ONLY_WITH = {"torch.load": "weights_only"}
"""Call -> keyword that must be literally True."""
FORBIDDEN_ENDINGS = {".extractall": "archives are read member by member"}
FORBIDDEN_NAMES = {
    "unsafe_allow_html": "shows uploaded text as HTML",
    "unsafe_allow_javascript": "runs script in the app's origin",
    "allow_dangerous_deserialization": "runs code from the file",
}
FORBIDDEN_TRUE = {"allow_pickle": "runs code from the file"}
FORBIDDEN_ATTRIBUTES = {"components.v1": "its html() runs script in the app's origin", "components.html": "runs script"}
FORBIDDEN_IN_BROWSER = {
    r"\.(inner|outer)HTML\b": "uploaded text could become elements; use textContent",
    r"insertAdjacentHTML|document\.write|\beval\s*\(|new Function\b": "uploaded text could become code",
    r"\b(https?|wss?):(?!//www\.w3\.org/)": "nothing is fetched from elsewhere",
    r"@import": "nothing is fetched from elsewhere",
}


def findings(source: str) -> Iterator[str]:
    """Each forbidden construct of a Python source, with its line and the reason."""
    tree = ast.parse(source)
    aliases = _aliases(tree)
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Call):
            name = _dotted(node.func, aliases)
            if name in FORBIDDEN_CALLS:
                yield f"line {line}: {name}: {FORBIDDEN_CALLS[name]}"
            if name in ONLY_WITH and not _literally_true(node, ONLY_WITH[name]):
                yield f"line {line}: {name}: only with {ONLY_WITH[name]}=True"
            for ending, reason in FORBIDDEN_ENDINGS.items():
                if name.endswith(ending):
                    yield f"line {line}: {name}: {reason}"
        elif isinstance(node, ast.keyword):
            if node.arg in FORBIDDEN_NAMES:
                yield f"line {node.value.lineno}: {node.arg}: {FORBIDDEN_NAMES[node.arg]}"
            literal_false = isinstance(node.value, ast.Constant) and node.value.value is False
            if node.arg in FORBIDDEN_TRUE and not literal_false:
                yield f"line {node.value.lineno}: {node.arg}: {FORBIDDEN_TRUE[node.arg]}"
        elif isinstance(node, ast.Attribute):
            name = _dotted(node, aliases)
            for ending, reason in FORBIDDEN_ATTRIBUTES.items():
                if name.endswith(f".{ending}"):
                    yield f"line {line}: {name}: {reason}"
        elif isinstance(node, ast.ImportFrom | ast.Import):
            for alias in node.names:
                full = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
                if full.startswith("streamlit.components.v1"):
                    yield f"line {line}: {full}: {FORBIDDEN_ATTRIBUTES['components.v1']}"


def _literally_true(call: ast.Call, keyword: str) -> bool:
    given = {k.arg: k.value for k in call.keywords}.get(keyword)
    return isinstance(given, ast.Constant) and given.value is True


def browser_findings(source: str) -> Iterator[str]:
    """Each forbidden construct of a JavaScript, CSS or HTML source, with its line and the reason."""
    for number, line in enumerate(source.splitlines(), 1):
        for pattern, reason in FORBIDDEN_IN_BROWSER.items():
            if re.search(pattern, line):
                yield f"line {number}: {line.strip()[:80]}: {reason}"


def _aliases(tree: ast.Module) -> dict[str, str]:
    """Local name -> what it was imported as."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _dotted(node: ast.expr, aliases: dict[str, str]) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value, aliases)}.{node.attr}"
    return aliases.get(node.id, node.id) if isinstance(node, ast.Name) else "?"
