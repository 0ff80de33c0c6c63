"""An archive of tables and images, looked at: what is said is what the import says, for it is the import."""

from __future__ import annotations

from pathlib import Path

from genomap_core.data.images.patients import ImagingOptions
from genomap_core.data.message import Message, plural, some
from genomap_core.io.images.cohort import COHORT, read_imaging_cohort
from genomap_core.io.images.members import open_members
from genomap_core.io.images.spatial import is_spatial, read_spatial_upload
from genomap_core.io.kinds import IMAGE_SUFFIXES
from genomap_core.io.sandbox.limits import DEFAULT, FileLimits

_SIDE = 16


def check_archive(path: Path, limits: FileLimits = DEFAULT) -> tuple[Message, ...]:
    """All messages on one ZIP file, read as images of patients, or as spots of a tissue.

    Raises as :func:`read_imaging_cohort` does. One image of a patient is a warning here: others may be added.
    """
    limits = COHORT if limits == DEFAULT else limits
    with open_members(path, limits) as members:
        names = members.names
    if is_spatial(names):
        return read_spatial_upload(path, name=path.stem)[1]
    cohort, said = read_imaging_cohort(path, ImagingOptions(side=_SIDE), name=path.stem, limits=limits)
    if cohort is None and any(m.code == "few-pairs" for m in said):
        return tuple(Message("warn", m.code, m.text, remedy=m.remedy) if m.code == "few-pairs" else m for m in said)
    if any(m.code == "no-table" for m in said) and (classes := _class_folders(names)):
        text = f"Its pictures lie in {plural(len(classes), 'folder')} ({some(classes)}): the Growth page takes folders "
        said = (*said, Message("warn", "class-folders", text + "for classes, without a table."))
    return said


def _class_folders(names: list[str]) -> list[str]:
    """Folders that hold pictures, where there are several."""
    folders = {str(Path(name).parent.name) for name in names if Path(name).suffix.lower() in IMAGE_SUFFIXES}
    return sorted(folders) if len(folders - {""}) > 1 else []
