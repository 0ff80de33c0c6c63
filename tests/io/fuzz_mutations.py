"""How good files are damaged: at random, and inside their packing, so that the damage gets past check sums."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
import zlib

INTERESTING = (0, 1, -1, 127, 128, 255, 256, 32767, 65535, 2**31 - 1, -(2**31), 2**32 - 1, 2**62, 2**63 - 1)
TOKENS = {
    "csv": (b'"', b'""', b"\n", b"\r", b"\r\n", b",", b";", b"\t", b"|", b"\0", b"NaN", b"inf", b"-", b"1e999", b"'="),
    "gz": (b"\x1f\x8b\x08", b"\0\0\0\0", b'"', b"\n", b","),
    "excel": (
        b"<!DOCTYPE",
        b'r="XFD1048576"',
        b"<v>",
        b"</c>",
        b't="s"',
        b't="n"',
        b"&#0;",
        b"<f>1</f>",
        b'hidden="1"',
    ),
    "cohort": (b"..", b"/", b"\\", b"PK\x03\x04", b"PK\x05\x06", b"table.csv"),
    "model": (b"{}", b'"dtype":"F32"', b'"shape":[-1]', b'"data_offsets":[0,0]', b"__metadata__", b"[[[[", b"null"),
}
DEFAULT_TOKENS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff")


def mutate(rng: random.Random, data: bytes, corpus: list[bytes], kind: str) -> bytes:
    """A damaged copy: of the bytes as they are, or of what is packed in them."""
    if rng.random() < 0.6:
        inner = _inside(rng, data, corpus, kind)
        if inner is not None:
            return inner
    return _damage(rng, data, corpus, kind)


def _inside(rng: random.Random, data: bytes, corpus: list[bytes], kind: str) -> bytes | None:
    try:
        if data[:2] == b"PK":
            return _inside_zip(rng, data, corpus, kind)
        if data[:2] == b"\x1f\x8b":
            return gzip.compress(_damage(rng, gzip.decompress(data), corpus[:1], kind), 1)
        if data[:4] == b"\x89PNG":
            return _inside_png(rng, data, corpus, kind)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, struct.error, RuntimeError):  # or encrypted
        return None
    return None


def _inside_zip(rng: random.Random, data: bytes, corpus: list[bytes], kind: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    hit = rng.randrange(len(members))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for k, (name, content) in enumerate(members):
            archive.writestr(name, _damage(rng, content, [content], kind) if k == hit else content)
    return out.getvalue()


def _inside_png(rng: random.Random, data: bytes, corpus: list[bytes], kind: str) -> bytes:
    """Damage one chunk and give it the right check sum."""
    chunks, at = [], 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    hit = rng.randrange(len(chunks))
    name, body = chunks[hit]
    chunks[hit] = (name, _damage(rng, body or b"\0", [body], kind))
    packed = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    return data[:8] + b"".join(packed)


def _damage(rng: random.Random, data: bytes, corpus: list[bytes], kind: str) -> bytes:
    out = bytearray(data or b"\0")
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        rng.choice(_WAYS)(rng, out, corpus, kind)
        if not out:
            break
    return bytes(out)


def _flip(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    out[rng.randrange(len(out))] = rng.randrange(256)


def _number(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    size = rng.choice((1, 2, 4, 8))
    value = rng.choice(INTERESTING) & (256**size - 1)
    at = rng.randrange(len(out))
    out[at : at + size] = value.to_bytes(size, rng.choice(("little", "big")))


def _cut(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    del out[rng.randrange(len(out)) :]


def _remove(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    at = rng.randrange(len(out))
    del out[at : at + rng.choice((1, 2, 8, 64))]


def _repeat(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    at = rng.randrange(len(out))
    piece = bytes(out[at : at + rng.choice((1, 4, 32, 256))])
    out[at:at] = piece * rng.choice((1, 2, 50))


def _splice(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    other = rng.choice(corpus)
    if other:
        start = rng.randrange(len(other))
        at = rng.randrange(len(out))
        out[at : at + 64] = other[start : start + rng.choice((4, 64, 512))]


def _token(rng: random.Random, out: bytearray, corpus: list[bytes], kind: str) -> None:
    at = rng.randrange(len(out))
    out[at : at + rng.choice((0, 4))] = rng.choice(TOKENS.get(kind, DEFAULT_TOKENS))


_WAYS = (_flip, _flip, _byte, _number, _number, _cut, _remove, _repeat, _splice, _token, _token)
