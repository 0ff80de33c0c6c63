"""Unpack gzip, counting what comes out: the size that a file declares is not trusted."""

from __future__ import annotations

import zlib

from genomap_core.errors import InputError, RefusedError
from genomap_core.io.sandbox.limits import FileLimits


def gunzip(data: bytes, limits: FileLimits) -> bytes:
    """The unpacked bytes; several members follow each other. Raises :class:`RefusedError` beyond the limits."""
    pieces: list[bytes] = []
    size = 0
    most = min(limits.unpacked, max(limits.ratio * len(data), 64 << 20))
    rest = data
    while rest:
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            try:
                piece = stream.decompress(rest, 1 << 22)
            except zlib.error as error:
                raise InputError("The gzip file is damaged. Copy or download it again.") from error
            rest = stream.unconsumed_tail
            size += len(piece)
            pieces.append(piece)
            if size > most:
                raise RefusedError(
                    f"The file unpacks from {len(data) >> 10:,} kB to more than the limit of {most >> 20:,} MB "
                    f"({limits.ratio} times its size, at most {limits.unpacked >> 20:,} MB)."
                )
            if not piece and not rest and not stream.eof:
                raise InputError("The gzip file is truncated: its end is missing. Copy or download it again.")
        rest = stream.unused_data.lstrip(b"\0")
    return b"".join(pieces)
