"""The licence of every package that the program uses: ``genomap licences``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, requires

from genomap_core.files import INSTALLED, PACKAGE_ROOT

_LONG = 120


@dataclass(frozen=True, slots=True)
class Licence:
    """What an installed package says of itself. ``direct``: required by this program, not brought by another."""

    package: str
    version: str
    licence: str
    direct: bool


def list_licences() -> list[Licence]:
    """Of the required packages and, in turn, of what they require here; sorted, the direct ones first."""
    direct = {_plain(need) for need in _required() if "extra ==" not in need}
    found: dict[str, Licence] = {}
    waiting = sorted(direct)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = Licence(name, package.version, licence_of(package.metadata), name in direct)
        waiting += [_plain(need) for need in package.requires or [] if "extra ==" not in need]
    return sorted(found.values(), key=lambda licence: (not licence.direct, licence.package))


def _required() -> list[str]:
    """By the installed package's own metadata; in a checkout by ``requirements.txt``."""
    if INSTALLED:
        return requires("genomap-studio") or []
    return re.findall(r"(?m)^[\w.-]+==.*$", (PACKAGE_ROOT / "requirements.txt").read_text())


def licence_of(metadata: object) -> str:
    """The SPDX expression, else the classifiers, else the licence field's first line."""
    fields = {key.lower(): metadata.get_all(key) or [] for key in ("License-Expression", "Classifier", "License")}  # type: ignore[attr-defined]
    classifiers = [c.rpartition(" :: ")[2] for c in fields["classifier"] if c.startswith("License :: OSI Approved ::")]
    first = [(text.strip().splitlines() or [""])[0] for text in fields["license"]]
    known = [*fields["license-expression"], ", ".join(classifiers), *first]
    return next((text[:_LONG] for text in known if text and text != "UNKNOWN"), "not stated")


def as_table(licences: list[Licence]) -> str:
    """Markdown."""
    rows = [f"| {x.package} | {x.version} | {x.licence} | {'yes' if x.direct else ''} |" for x in licences]
    return "\n".join(["| package | version | licence | required directly |", "|---|---|---|---|", *rows])


def _plain(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[\s;\[(<>=!~]", requirement, maxsplit=1)[0]).lower()
