"""Which weights of tabular foundation models lie on this machine. Files are read; no network, no torch, no tabpfn."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from genomap_core.errors import InputError, WeightsMissingError
from genomap_core.pfn import tabicl
from genomap_core.pfn.description import HOW_TO_GET, Family, WeightLimits, Weights, official
from genomap_core.pfn.header import SUFFIXES, CheckpointHeader, read_header

ENVIRONMENT_VARIABLE = "GENOMAP_PFN_WEIGHTS"
SHIPPED = Path(__file__).parent / "weights"
"""Where the in-house checkpoint lies when the program was shipped with one."""


def shipped_weights() -> Weights | None:
    """The weights that came with the program; None where it was shipped without."""
    for path in sorted(SHIPPED.iterdir() if SHIPPED.is_dir() else ()):
        if _may_classify(path):
            return inspect_weights(path)
    return None


def shipped_card(weights: Weights) -> str:
    """The card (Markdown) of weights that came with the program; empty for any others."""
    card = weights.path.with_suffix(".md")
    return card.read_text(encoding="utf-8") if weights.path.parent == SHIPPED.absolute() and card.is_file() else ""


_V3_LIKE = ("v3", "v3_5")
_FALLBACK_ROWS = {"v2": 10_000, "v2_5": 50_000, "v2_6": 50_000, "v3": 50_000, "v3_5": 50_000}
_FALLBACK_FEATURES = {"v2": 500, "v2_5": 2_000, "v2_6": 2_000, "v3": 2_000, "v3_5": 2_000}
_FAMILIES: dict[str, Family] = {f"tabpfn_{card.family}": card.family for card in HOW_TO_GET}


def inspect_weights(path: str | Path) -> Weights:
    """Describe one checkpoint of a classifier.

    Raises
    ------
    InputError
        The file is missing, damaged, of an unknown architecture, or of a regressor.
    """
    path = Path(path)
    header = read_header(path)
    if tabicl.recognises(header.config):
        return tabicl.describe(path, header, file_sha256(path))
    if header.architecture not in _FAMILIES:
        raise InputError(
            f"{path.name}: the architecture `{header.architecture}` is unknown; known are {', '.join(_FAMILIES)}."
        )
    classes = int(header.config.get("max_num_classes") or 0)
    if classes < 2:
        raise InputError(f"{path.name}: weights of a regression model; take those of a classifier.")
    architecture = _FAMILIES[header.architecture]
    digest = file_sha256(path)
    return Weights(
        path=path.absolute(),
        **_identity(header, architecture, digest),
        architecture=architecture,
        sha256=digest,
        limits=_limits(header, architecture, classes),
        width=int(header.config.get("emsize") or header.config.get("embed_dim") or 192),
        megabytes=path.stat().st_size / 1e6,
        provenance=header.provenance,
    )


def _identity(header: CheckpointHeader, architecture: Family, digest: str) -> dict[str, Any]:
    made_by = header.provenance
    if made_by.get("weights") == "in-house":
        name = f"{made_by.get('name', 'in-house PFN')} {made_by.get('version', '')}".strip()
        licence = str(made_by.get("licence", "not stated"))
        return {
            "family": "in-house",
            "label": f"{name} (not Prior Labs)",
            "licence": licence,
            "commercial": True if licence == "MIT" else None,
        }
    card = official(architecture)
    return {
        "family": architecture,
        "label": f"{card.name} (sha256 {digest[:8]})",
        "licence": card.licence,
        "commercial": card.commercial,
    }


def _limits(header: CheckpointHeader, architecture: Family, classes: int) -> WeightLimits:
    inference = header.inference
    features = int(inference.get("MAX_NUMBER_OF_FEATURES", _FALLBACK_FEATURES[architecture]))
    views = [int(view["max_features_per_estimator"]) for view in inference.get("PREPROCESS_TRANSFORMS", ())]
    selected = int(header.provenance.get("selected_features", min(features, 200)))
    return WeightLimits(
        rows=int(inference.get("MAX_NUMBER_OF_SAMPLES", _FALLBACK_ROWS[architecture])),
        rows_cpu=5_000 if architecture in _V3_LIKE else 1_000,
        features=features,
        selected=selected,
        classes=min(classes, int(inference.get("MAX_NUMBER_OF_CLASSES", classes))),
        per_estimator=max(views, default=1_000_000 if architecture == "v2" else 500),
    )


@dataclass(frozen=True, slots=True)
class Survey:
    """All that was looked at: usable weights, best first, and files that can't be used, with the reason."""

    found: tuple[Weights, ...]
    rejected: tuple[tuple[Path, str], ...]


def survey_weights(extra_paths: Iterable[str | Path] = ()) -> Survey:
    """Look at ``extra_paths``, GENOMAP_PFN_WEIGHTS, tabpfn's cache folder and the shipped weights, in this order."""
    found: dict[str, Weights] = {}
    rejected: list[tuple[Path, str]] = []
    for path in _candidates(extra_paths):
        try:
            weights = inspect_weights(path)
        except InputError as error:
            rejected.append((path, str(error)))
        else:
            found.setdefault(weights.sha256, weights)
    return Survey(tuple(found.values()), tuple(rejected))


def find_weights(extra_paths: Iterable[str | Path] = ()) -> tuple[Weights, ...]:
    """Usable weights on this machine, best first; see :func:`survey_weights`."""
    return survey_weights(extra_paths).found


def choose_weights(model_path: str | Path | None = None) -> Weights:
    """The weights at ``model_path``, or the best ones found.

    Raises
    ------
    InputError
        ``model_path`` is given, but is no usable file.
    WeightsMissingError
        None is given and none was found; the message says how to get some.
    """
    if model_path is not None:
        return inspect_weights(model_path)
    survey = survey_weights()
    if survey.found:
        return survey.found[0]
    raise WeightsMissingError(missing_message(survey))


def missing_message(survey: Survey) -> str:
    """What to tell a user who has no weights."""
    lines = ["No weights of a tabular foundation model are on this machine, and none are downloaded by this program."]
    lines += [f"Can't be used: {reason}" for _, reason in survey.rejected]
    lines += [card.how_to_get for card in HOW_TO_GET]
    return "\n".join(lines)


def _candidates(extra_paths: Iterable[str | Path]) -> Iterator[Path]:
    places = [Path(p) for p in extra_paths]
    if named := os.environ.get(ENVIRONMENT_VARIABLE, "").strip():
        places.append(Path(named).expanduser())
    for place in [*places, cache_folder(), SHIPPED]:
        if place.is_dir():
            yield from sorted((p for p in place.iterdir() if _may_classify(p)), key=_preference)
        elif place in places:
            yield place


def _may_classify(path: Path) -> bool:
    return path.suffix in SUFFIXES and "regressor" not in path.name and path.is_file()


def _preference(path: Path) -> tuple[int, int, str]:
    """Newer versions first, the default file of a version before its variants."""
    name = path.name.lower()
    version = next((k for k, v in enumerate(("v3.5", "v3", "v2.6", "v2.5", "v2")) if v in name), 5)
    return version, path.name not in {card.file for card in HOW_TO_GET}, name


def cache_folder() -> Path:
    """The folder in which the ``tabpfn`` package keeps weights, by its own rules."""
    if named := os.environ.get("TABPFN_MODEL_CACHE_DIR", "").strip():
        return Path(named).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "tabpfn"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "tabpfn"
    return Path(os.environ.get("XDG_CACHE_HOME", "").strip() or Path.home() / ".cache") / "tabpfn"


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; taken again only when its time or size changed."""
    stat = path.stat()
    return _sha256(str(path.resolve()), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=64)
def _sha256(path: str, mtime_ns: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
