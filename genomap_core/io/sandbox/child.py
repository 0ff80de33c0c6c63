"""The process that parses risky files: limits itself first, then runs one named function and writes its answer."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from types import TracebackType

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.process import die_with_parent, without_pandas

JOBS = {
    "excel": "genomap_core.io.tables.excel:read_excel",
    "parquet": "genomap_core.io.tables.parquet:read_parquet",
    "rows": "genomap_core.io.tables.parquet:rows_of",
    "ods": "genomap_core.io.tables.ods:read_ods",
    "mtx": "genomap_core.io.tables.h5ad:read_mtx",
    "h5ad": "genomap_core.io.tables.h5ad:read_h5ad",
    "image": "genomap_core.io.images.raster:check_image_file",
    "dicom": "genomap_core.io.images.dicom:check_dicom",
    "nifti": "genomap_core.io.images.nifti:check_nifti",
    "pixels": "genomap_core.io.images.preview:pixels_of",
    "units": "genomap_core.io.images.prepare:units_of",
    "patches": "genomap_core.io.images.patches:patches_of",
    "visium": "genomap_core.io.images.patches:visium_of",
    "slide": "genomap_core.io.images.slide:check_slide",
    "slide patches": "genomap_core.io.images.slide:patches_of_slide",
    "tar": "genomap_core.io.zips:refuse_tar",
    "model": "genomap_core.io.modelfiles:check_model",
}
"""What a child may run: functions of a path, options and ``limits`` that give a table or messages."""


def main(folder: str) -> int:
    """Do what ``spec.json`` in the folder says; the answer lies beside it."""
    place = Path(folder)
    spec = json.loads((place / "spec.json").read_text())
    limits = FileLimits(**spec["limits"])
    _limit(limits)
    sys.excepthook = _tell_crash(place)
    without_pandas()
    module, function = JOBS[spec["job"]].split(":")
    try:
        result = getattr(importlib.import_module(module), function)(
            Path(spec["path"]), limits=limits, **spec["options"]
        )
    except (RefusedError, InputError) as error:
        kind = "refused" if isinstance(error, RefusedError) else "input"
        (place / "error.json").write_text(json.dumps({"kind": kind, "text": str(error)}))
        return 3
    from genomap_core.io.sandbox.transfer import save_answer

    save_answer(result, place)
    return 0


def _limit(limits: FileLimits) -> None:
    """Memory, processor time, file size and open files, as far as the system knows them."""
    if sys.platform == "win32":
        return
    import resource

    die_with_parent(os.getppid())
    for what, amount in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, int(limits.seconds) + 1),
        (resource.RLIMIT_FSIZE, limits.memory),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        soft = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        try:
            resource.setrlimit(what, (soft, hard))
        except (ValueError, OSError):  # macOS knows no limit of the address space
            continue


def _tell_crash(place: Path):  # type: ignore[no-untyped-def]
    """An exception hook that tells the exception's name only: its text may quote the file.

    A library's own kind of MemoryError (Arrow's) is one too.
    """

    def hook(kind: type[BaseException], value: BaseException, trace: TracebackType | None) -> None:
        told = {"kind": "memory" if issubclass(kind, MemoryError) else "crash", "text": kind.__name__}
        (place / "error.json").write_text(json.dumps(told))

    return hook
