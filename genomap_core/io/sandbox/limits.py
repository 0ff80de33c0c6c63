"""How large an input may be before it is refused. One frozen value, passed along."""

from __future__ import annotations

from dataclasses import dataclass

from genomap_core.errors import RefusedError


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Sizes in bytes unless said otherwise."""

    file: int = 1 << 30
    unpacked: int = 1 << 30
    """What a compressed file, or all members of an archive together, may unpack to."""
    ratio: int = 200
    """Unpacked over packed size, for anything that unpacks to more than a megabyte."""
    members: int = 5000
    """Files in an archive."""
    cells: int = 100_000_000
    """Rows x columns of a table."""
    rows: int = 1_000_000
    columns: int = 120_000
    text_columns: int = 2000
    pixels: int = 50_000_000
    """Width x height x pages of an image."""
    voxels: int = 100_000_000
    """Of a volume or a DICOM file with all its frames."""
    tensors: int = 5000
    header: int = 32 << 20
    """Of a saved model."""
    memory: int = 4 << 30
    """Address space of the process that parses a risky format."""
    seconds: float = 60.0
    """Its time."""


DEFAULT = FileLimits()


def check_size(rows: int, columns: int, limits: FileLimits) -> None:
    """Raise :class:`RefusedError` when a table has too many cells."""
    if rows > limits.rows or columns > limits.columns or rows * columns > limits.cells:
        raise RefusedError(
            f"The table has {rows:,} rows x {columns:,} columns, over the limit of {limits.rows:,} rows, "
            f"{limits.columns:,} columns and {limits.cells:,} cells: choose fewer rows or columns first."
        )
