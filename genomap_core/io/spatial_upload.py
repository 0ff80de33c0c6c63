"""Spatial transcriptomics from an upload: an archive or named files, laid in a private folder while they are read."""

from __future__ import annotations

import tempfile
from pathlib import Path, PurePosixPath

from genomap_core.data.imaging import ImagingCohort
from genomap_core.data.message import Message
from genomap_core.errors import InputError
from genomap_core.io.imaging import COHORT, Source, as_source
from genomap_core.io.kinds import find_kind
from genomap_core.io.members import open_members
from genomap_core.io.spatial import SpatialOptions, read_spatial
from genomap_core.progress import OnProgress, ignore


def read_spatial_upload(
    source: Source,
    options: SpatialOptions = SpatialOptions(),
    on_progress: OnProgress = ignore,
    name: str = "Spatial transcriptomics",
) -> tuple[ImagingCohort, tuple[Message, ...]]:
    """:func:`read_spatial` of a ZIP archive (its bytes or path), of named files, or of the bytes of a .h5ad file.

    Raises :class:`InputError` and :class:`RefusedError` as reading an imaging cohort does.
    """
    with tempfile.TemporaryDirectory(prefix="genomap-") as folder:
        place = Path(folder)
        if isinstance(source, bytes) and find_kind(source[:4096]) == "hdf5":
            path = place / "section.h5ad"
            path.write_bytes(source)
            return read_spatial(path, options, on_progress, name)
        with as_source(source) as given, open_members(given, COHORT) as members:
            for member in members.names:
                target = place / PurePosixPath(member).name
                if target.exists():
                    raise InputError(f"Two files are called {target.name!r}: give each section files of its own name.")
                target.write_bytes(members.read(member))
        whole = sorted(place.glob("*.h5ad"))
        return read_spatial(whole[0] if len(whole) == 1 else place, options, on_progress, name)
