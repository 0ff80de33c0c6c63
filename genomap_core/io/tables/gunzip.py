"""Unpack gzip, bzip2 and xz, counting what comes out: the size that a file declares is not trusted."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Mapping

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits

_STEP = 1 << 22
_MEMORY = 256 << 20
"""What xz may use for its dictionary; the largest preset needs 65 MB."""


class _Gzip:
    """zlib's object with the face of bz2's and lzma's."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(wbits=31)
        self._rest = b""

    def decompress(self, data: bytes, size: int) -> bytes:
        piece = self._stream.decompress(self._rest + data, size)
        self._rest = self._stream.unconsumed_tail
        return piece

    @property
    def needs_input(self) -> bool:
        return not self._rest

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data


_OPENERS: Mapping[str, Callable[[], _Gzip | bz2.BZ2Decompressor | lzma.LZMADecompressor]] = {
    "gzip": _Gzip,
    "bzip2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MEMORY),
}
PACKED = frozenset(_OPENERS)
"""Kinds of files that :func:`unpack` takes."""


def gunzip(data: bytes, limits: FileLimits) -> bytes:
    """:func:`unpack` of gzip."""
    return unpack(data, "gzip", limits)


def unpack(data: bytes, kind: str, limits: FileLimits) -> bytes:
    """The unpacked bytes; several members follow each other. Raises :class:`RefusedError` beyond the limits."""
    pieces: list[bytes] = []
    size = 0
    most = min(limits.unpacked, max(limits.ratio * len(data), 64 << 20))
    rest = data
    while rest:
        stream = _OPENERS[kind]()
        while not stream.eof:
            given, rest = (rest, b"") if stream.needs_input else (b"", rest)
            try:
                piece = stream.decompress(given, _STEP)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                raise InputError(f"The {kind} file is damaged. Copy or download it again.") from error
            size += len(piece)
            pieces.append(piece)
            if size > most:
                raise RefusedError(
                    f"The file unpacks from {len(data) >> 10:,} kB to more than the limit of {most >> 20:,} MB "
                    f"({limits.ratio} times its size, at most {limits.unpacked >> 20:,} MB)."
                )
            if not piece and not rest and stream.needs_input and not stream.eof:
                raise InputError(f"The {kind} file is truncated: its end is missing. Copy or download it again.")
        rest = stream.unused_data.lstrip(b"\0")
    return b"".join(pieces)
