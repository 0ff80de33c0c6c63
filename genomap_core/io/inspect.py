"""What is wrong with a file, of any kind that the program takes: one report, as JSON or for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from genomap_core.data.message import SEVERITIES, Message, Severity, plural, worst
from genomap_core.data.schema.validate import validate
from genomap_core.data.table import Table
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.kinds import (
    CONVERT,
    IMAGE_ENDINGS,
    IMAGE_SUFFIXES,
    NAMES,
    SLIDES,
    find_kind,
    foreign,
)
from genomap_core.io.sandbox.call import as_path, run_in_child
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits
from genomap_core.io.sandbox.transfer import load_answer
from genomap_core.io.tables.bundled import is_zip_of_counts
from genomap_core.io.tables.read import head_of, is_workbook, read_table
from genomap_core.io.zips import is_junk, names_of


@dataclass(frozen=True, slots=True)
class Inspection:
    """The messages on one file; ``summary`` is what was found in it, empty when it can't be used."""

    file: str
    messages: tuple[Message, ...]
    summary: str = ""

    @property
    def verdict(self) -> Severity:
        """The worst severity among the messages."""
        return worst(self.messages)

    def as_json(self) -> str:
        """One line: ``{"file", "verdict", "messages", "summary"}``."""
        messages = [message.as_dict() for message in self.messages]
        return json.dumps(
            {"file": self.file, "verdict": self.verdict, "summary": self.summary, "messages": messages},
            ensure_ascii=False,
        )

    def as_text(self) -> str:
        """Several lines for people."""
        lines = [f"{self.verdict.upper():7}{self.file}" + (f": {self.summary}" if self.summary else "")]
        return "\n".join([*lines, *listed(self.messages)])


def listed(messages: Sequence[Message]) -> list[str]:
    """Lines for people: the worst first, below each its remedy."""
    lines = []
    for message in sorted(messages, key=lambda m: -SEVERITIES.index(m.severity)):
        lines.append(f"  {message.severity:7}{message.text}")
        if message.remedy:
            lines.append(f"         -> {message.remedy}")
    return lines


def inspect(source: str | Path | bytes, name: str | None = None, limits: FileLimits = DEFAULT) -> Inspection:
    """Look at a file (its path, or its bytes with a ``name``) as an upload. Never raises on what the file holds."""
    source = Path(source) if isinstance(source, str) else source
    name = name or (source.name if isinstance(source, Path) else "file")
    try:
        if isinstance(source, Path) and not source.is_file():
            raise InputError(f"There is no file {name!r}: check the path.")
        messages, summary = _look(source, name, limits)
    except RefusedError as error:
        messages, summary = (Message("refuse", "refused", str(error)),), ""
    except InputError as error:
        messages, summary = (Message("error", "unreadable", str(error)),), ""
    return Inspection(name, messages, summary)


def _look(source: Path | bytes, name: str, limits: FileLimits) -> tuple[tuple[Message, ...], str]:
    """Messages and summary. Tables are read and validated; all else is checked in a child process."""
    job = kind_of_upload(source, name, limits)
    if job == "table":
        return _look_at_table(source, name, limits)
    with as_path(source) as path:
        if job == "archive":
            from genomap_core.io.archives import check_archive

            messages = check_archive(path, limits)
        else:
            messages = _in_child(job, path, name, limits)
    summary = " ".join(message.text for message in messages if message.code == "content")
    return tuple(message for message in messages if message.code != "content"), summary


def _in_child(job: str, path: Path, name: str, limits: FileLimits) -> tuple[Message, ...]:
    limits = replace(limits, seconds=max(limits.seconds, 300.0)) if job == "slide" else limits
    with run_in_child(job, path, {"name": name}, limits) as folder:
        answer = load_answer(folder)
    if isinstance(answer, Table):
        raise InputError("The file is a table.")
    return answer


def kind_of_upload(source: Path | bytes, name: str, limits: FileLimits = DEFAULT) -> str:
    """Which check a file gets, by its content, and where that does not tell, by its name: "table" or a child's job.

    Raises :class:`InputError` for an empty file, :class:`RefusedError` for one that is too large.
    """
    head = head_of(source)
    kind, suffixes = find_kind(head), "".join(PurePath(name).suffixes[-2:]).lower()
    suffix = PurePath(name).suffix.lower()
    if kind != "npy" and (unread := foreign(head, name)):
        raise InputError(f"The file is {CONVERT[unread]}")  # before its size: naming takes no reading
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if kind == "tiff" and (suffix in SLIDES or size > limits.file):
        return "slide"
    if size > limits.file and kind != "zip":
        raise RefusedError(f"The file has {size >> 20:,} MB, over the limit of {limits.file >> 20:,} MB.")
    if kind == "empty":
        raise InputError("The file is empty (0 bytes): export or copy it again.")
    if suffix in _MODELS or kind in ("pickle", "npy"):
        return "model"
    if suffix in _BY_SUFFIX or suffixes.endswith(".nii.gz"):
        return _BY_SUFFIX.get(suffix, "nifti")
    if kind in _BY_KIND and suffix not in _TABLES:
        return _BY_KIND[kind]
    if kind == "zip" and not suffix.startswith(".xls") and not is_workbook(source):
        names = [name.lower().removesuffix(".gz") for name in names_of(source)]
        tissue = any(name.endswith("scalefactors_json.json") for name in names)  # 10x counts with their picture
        return "table" if not tissue and (is_zip_of_counts(source) or _is_one_table(names)) else "archive"
    if suffix == ".zip":
        raise InputError(f"The file is {NAMES[kind]}, not a ZIP archive: other formats are not supported.")
    return "table"


def _is_one_table(names: Sequence[str]) -> bool:
    """Whether files of these names are one table and no image."""
    tables = [name for name in names if name.endswith((*_TABLES, ".pq")) and not is_junk(name)]
    return len(tables) == 1 and not any(name.endswith((*IMAGE_ENDINGS, *SLIDES)) for name in names)


_MODELS = {".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".joblib", ".npy", ".npz", ".safetensors"}
_BY_SUFFIX = {".dcm": "dicom", ".nii": "nifti"} | dict.fromkeys(IMAGE_SUFFIXES, "image")
_BY_KIND = {
    "png": "image",
    "jpeg": "image",
    "gif": "image",
    "tiff": "image",
    "dicom": "dicom",
    "nifti": "nifti",
    "tar": "tar",
}
_TABLES = {".csv", ".tsv", ".txt", ".xls", ".xlsx", ".parquet", ".h5ad"}


def _look_at_table(source: Path | bytes, name: str, limits: FileLimits) -> tuple[tuple[Message, ...], str]:
    report = validate(read_table(source, name, limits=limits))
    classes = ", ".join(f"{name} {count}" for name, count in report.classes[:8])
    labels = (
        f", {len(report.classes)} class{'es' * (len(report.classes) > 1)} ({classes})"
        if report.classes
        else ", no labels"
    )
    return report.messages, f"{plural(report.n_samples, 'sample')} x {plural(report.n_features, 'feature')}{labels}"
