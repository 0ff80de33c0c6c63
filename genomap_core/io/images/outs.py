"""Outputs of Space Ranger (Visium): a folder with counts, the spots' places and pictures of the tissue -> spots.

``filtered_feature_bc_matrix.h5`` or the folder of that name; ``spatial/tissue_positions.csv`` (or ``_list``, without a
header), ``spatial/scalefactors_json.json`` and ``spatial/tissue_hires_image.png`` (or ``lowres``). A picture beside
``spatial`` is taken for the one in full resolution. Of archives only these files are unpacked.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.errors import InputError, RefusedError
from genomap_core.io.images.members import Members
from genomap_core.io.images.spatial import Counts, Spots, counts_of
from genomap_core.io.sandbox.limits import FileLimits
from genomap_core.io.tables.read import read_table
from genomap_core.io.zips import escapes

_SCALES = "spatial/scalefactors_json.json"
_NEEDED = re.compile(
    r"spatial/(tissue_positions(_list)?\.csv|scalefactors_json\.json|tissue_(hires|lowres)_image\.png)|"
    r"filtered_feature_bc_matrix(\.h5|/(matrix\.mtx|barcodes\.tsv|(features|genes)\.tsv)(\.gz)?)|"
    r"[^/]+\.(tiff?|btf|jpe?g|png)",
    re.I,
)
_PICTURES = (".tif", ".tiff", ".btf", ".jpg", ".jpeg", ".png")


@dataclass(frozen=True, eq=False)
class Tissue:
    """The spots of one folder, its picture, and pixels of that for each pixel of the full resolution."""

    spots: Spots
    image: Path
    scale: float


def roots(names: Sequence[str]) -> list[str]:
    """Folders ("" or ending in "/") among files of these names that are outputs of Space Ranger."""
    return sorted(name.removesuffix(_SCALES) for name in names if name == _SCALES or name.endswith("/" + _SCALES))


def needed(names: Sequence[str]) -> list[str]:
    """Those of the files that are read."""
    found = roots(names)
    return [n for n in names if any(n.startswith(r) and _NEEDED.fullmatch(n.removeprefix(r)) for r in found)]


def unpack(members: Members, folder: Path) -> None:
    """Write the files that are read below ``folder``."""
    with tempfile.TemporaryDirectory(prefix="genomap-") as held:  # a copy left in `folder` would look like a picture
        for name in needed(members.names):
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(members.path(name, Path(held)), target)


def unpack_tar(source: bytes | Path, folder: Path, limits: FileLimits) -> None:
    """The same of a tar archive, gzipped or not.

    Raises
    ------
    RefusedError
        It has names that lead elsewhere, links, or more than the limits; or holds no outputs of Space Ranger.
    InputError
        It is damaged.
    """
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    held = source.open("rb") if isinstance(source, Path) else io.BytesIO(source)
    try:
        with held, tarfile.open(fileobj=held, mode="r:*") as archive:
            found: list[tarfile.TarInfo] = []
            total = 0
            for member in archive:
                if escapes(member.name) or not (member.isreg() or member.isdir()):
                    raise RefusedError(f"The archive has links, or names that lead out of it: {member.name!r}.")
                total += member.size
                if len(found) > limits.members or total > min(limits.unpacked, max(limits.ratio * size, 1 << 20)):
                    raise RefusedError("The archive unpacks to more than the limits: give a ZIP of the folder `outs`.")
                found.append(member)
            files = {member.name.removeprefix("./"): member for member in found if member.isreg()}
            for name in needed(list(files)):
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                packed = archive.extractfile(files[name])
                assert packed is not None  # a regular file has contents
                with packed, target.open("wb") as file:
                    shutil.copyfileobj(packed, file, 1 << 20)
    except InputError:
        raise
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error) as error:
        raise InputError("The tar archive is damaged: copy or download it again.") from error
    if not roots([path.relative_to(folder).as_posix() for path in folder.rglob("*.json")]):
        raise RefusedError("Of tar archives only outputs of Space Ranger are read: give a ZIP archive.")


def read_outs(folder: Path) -> list[Tissue]:
    """Every section below ``folder``; empty where there is none.

    Raises :class:`InputError` where files of one are missing or do not fit each other.
    """
    found = sorted(
        path.parent.parent for path in folder.rglob(PurePosixPath(_SCALES).name) if path.parent.name == "spatial"
    )
    names = [_name(root, folder) for root in found]
    return [_tissue(root, name) for root, name in zip(found, names)]


def _name(root: Path, folder: Path) -> str:
    """A section is called after its folder, or the one around ``outs``."""
    own = root.parent if root.name == "outs" else root
    return own.name if own != folder and folder in own.parents else "section"


def _tissue(root: Path, name: str) -> Tissue:
    counts = _counts(root, name)
    places = _places(root / "spatial", name)
    kept = [k for k, spot in enumerate(counts.spots) if spot in places]
    if not kept:
        raise InputError(
            f"{name}: no barcode of the counts is among the places in tissue: the files are not of one run."
        )
    said = []
    if len(kept) < len(counts.spots):
        text = f"{name}: {plural(len(counts.spots) - len(kept), 'spot')} beside the tissue left out."
        said.append(Message("ok", "no-tissue", text))
    spots = tuple(counts.spots[k] for k in kept)
    own = Counts(spots, counts.genes, counts.values[kept])
    image, scale = _image(root, name)
    if scale < 1:
        text = f"{name}: the picture {image.name} is used ({scale:.3g} of the full resolution)."
        said.append(Message("ok", "picture", text, remedy="Put the full-resolution image beside it for finer patches."))
    at = np.array([places[spot] for spot in spots])
    return Tissue(Spots(name, name, at, ("",) * len(spots), own, said), image, scale)


def _counts(root: Path, name: str) -> Counts:
    for path in (root / "filtered_feature_bc_matrix.h5", root / "filtered_feature_bc_matrix"):
        if path.exists():
            return counts_of(read_table(path, path.name))
    raise InputError(f"{name}: filtered_feature_bc_matrix.h5 (or the folder of that name) is missing beside `spatial`.")


def _places(spatial: Path, name: str) -> dict[str, tuple[float, float]]:
    """Barcode -> x and y in pixels of the full resolution, of spots in tissue."""
    path = next(
        (p for n in ("tissue_positions.csv", "tissue_positions_list.csv") if (p := spatial / n).is_file()), None
    )
    if path is None:
        raise InputError(f"{name}: spatial/tissue_positions.csv (or tissue_positions_list.csv) is missing.")
    rows = [row for row in csv.reader(path.read_text("utf-8", "replace").splitlines()) if row and row[0] != "barcode"]
    try:
        return {row[0]: (float(row[5]), float(row[4])) for row in rows if row[1] == "1"}
    except (IndexError, ValueError) as error:
        wanted = "barcode, in_tissue, array_row, array_col, pixel row, pixel column"
        raise InputError(f"{name}: {path.name} must have the columns {wanted}.") from error


def _image(root: Path, name: str) -> tuple[Path, float]:
    """The picture to cut patches from: one beside the outputs in full resolution, else the larger of the two within."""
    beside = [p for p in sorted(root.iterdir()) if p.suffix.lower() in _PICTURES]
    if len(beside) > 1:
        raise InputError(
            f"{name}: several pictures lie beside `spatial` ({some([p.name for p in beside])}): leave one."
        )
    if beside:
        return beside[0], 1.0
    try:
        scales = json.loads((root / _SCALES).read_text())
        for kind in ("hires", "lowres"):
            path = root / "spatial" / f"tissue_{kind}_image.png"
            if path.is_file():
                return path, float(scales[f"tissue_{kind}_scalef"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{name}: scalefactors_json.json does not say the scale of the picture.") from error
    raise InputError(f"{name}: spatial/tissue_hires_image.png is missing, and no picture lies beside it.")
