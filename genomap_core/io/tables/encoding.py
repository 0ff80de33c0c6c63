"""Bytes of a text file -> UTF-8 bytes. The encoding is proved, or guessed and said; never mixed up silently."""

from __future__ import annotations

import codecs
import unicodedata
from itertools import pairwise

from genomap_core.data.message import Message, plural
from genomap_core.errors import InputError

_CHUNK = 1 << 20
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAVE_AS = "Save the file as UTF-8 (in Excel: 'CSV UTF-8') if names look wrong."


def to_utf8(data: bytes, given: str | None = None) -> tuple[bytes, str, tuple[Message, ...]]:
    """The text as UTF-8 without byte order mark, the encoding it had, and what there is to say about it.

    UTF-8 is checked throughout and not copied. Bytes that no encoding explains become U+FFFD with an error that names
    their lines. ``given``: the encoding that the user names; nothing is guessed then.
    """
    if given is not None:
        try:
            return _decoded(data, codecs.lookup(given).name)
        except LookupError as error:
            raise InputError(f"There is no encoding {given!r}: try utf-8, cp1252, utf-16, gb18030.") from error
    if data.isascii() and b"\0" not in data[:200]:
        return data, "utf-8", _binary(data)
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data, encoding)
    if b"\0" in data[:200] and (guess := _utf16_without_mark(data)):
        return _decoded(data, guess)
    bad = _invalid_lines(data)
    if not bad:
        return data, "utf-8", _binary(data)
    if guess := _guess(data, len(bad)):
        text, encoding, messages = _decoded(data, guess)
        said = Message(
            "warn", "encoding-guessed", f"The text is not UTF-8; read with the encoding {guess}.", remedy=_SAVE_AS
        )
        return text, encoding, (said, *messages)
    clean = data.decode("utf-8", "replace").encode()
    return clean, "utf-8", (*_binary(data), *map(_bad_line, bad[:20]))


def _decoded(data: bytes, encoding: str) -> tuple[bytes, str, tuple[Message, ...]]:
    if encoding == "utf-8-sig":
        text, name, messages = to_utf8(data[3:])
        return text, name, messages
    try:
        text = data.decode(encoding).removeprefix("\ufeff").encode()
    except UnicodeError:
        line = data[: len(data) // 2].count(b"\n") + 1
        said = f"The text can't be decoded as {encoding}: the file is damaged near line {line}."
        return b"", encoding, (Message("error", "encoding", said, row=line, remedy="Save it again as UTF-8."),)
    said = f"The text is {encoding.upper()} (Excel's 'Unicode text'), encoding {encoding}."
    note = (Message("warn", "encoding", said, remedy=_SAVE_AS),) if encoding.startswith("utf-") else ()
    return text, encoding, (*note, *_binary(text))


def _utf16_without_mark(data: bytes) -> str:
    sample = data[:4000]
    if len(sample) < 4 or len(data) % 2:
        return ""
    for encoding, zeros in (("utf-16-le", sample[1::2]), ("utf-16-be", sample[::2])):
        if zeros.count(0) > 0.9 * len(zeros):
            return encoding
    return ""


def _invalid_lines(data: bytes) -> list[tuple[int, int]]:
    """Line and byte of every place (the first 1,000) that is not UTF-8."""
    found: list[tuple[int, int]] = []
    line, start = 1, 0
    while start < len(data) and len(found) < 1000:
        stop = start + _CHUNK
        while stop < len(data) and data[stop] & 0xC0 == 0x80 and stop < start + _CHUNK + 4:
            stop += 1
        chunk = data[start:stop]
        if not chunk.isascii():
            found += [(line + chunk[:at].count(b"\n"), chunk[at]) for at in _invalid(chunk)]
        line += chunk.count(b"\n")
        start = stop
    return found[:1000]


def _invalid(chunk: bytes) -> list[int]:
    places: list[int] = []
    start = 0
    while start < len(chunk) and len(places) < 1000:
        try:
            chunk[start:].decode()
            break
        except UnicodeDecodeError as error:
            places.append(start + error.start)
            start += error.end
    return places


def _binary(data: bytes) -> tuple[Message, ...]:
    at = data.find(b"\0")
    if at < 0:
        return ()
    line, count = data.count(b"\n", 0, at) + 1, data.count(b"\0")
    said = f"The file has binary bytes: {plural(count, 'NUL byte')}, the first in line {line}."
    return (Message("error", "binary", said, row=line, remedy="Export the table again as text."),)


def _bad_line(place: tuple[int, int]) -> Message:
    line, byte = place
    said = f"Line {line} has a byte (0x{byte:02X}) that is not UTF-8; no other encoding explains it."
    return Message(
        "error", "encoding", said, row=line, remedy="Correct the line, or save the file again with encoding UTF-8."
    )


def _guess(data: bytes, n_bad: int) -> str:
    """A legacy encoding that makes sense of the text, or ''."""
    lines = [line for line in data[: 32 * _CHUNK].splitlines() if not line.isascii()][:2000]
    sample = b"\n".join(lines)
    if _east_asian(sample, "shift_jis", kana=True) > 0.1:
        return "shift_jis"
    if _alone(sample) < 0.15:
        for encoding in ("gb18030", "euc_kr"):
            if _east_asian(sample, encoding) > 0.9:
                return encoding
    high = sum(byte >= 0x80 for byte in sample)
    runs = sum(a >= 0xC0 and b >= 0xC0 for a, b in pairwise(sample))
    encoding = "cp1251" if runs > 0.5 * high and n_bad > 4 else "cp1252"
    return encoding if _latin(sample, encoding) else ""


def _alone(sample: bytes) -> float:
    """Share of the bytes beyond ASCII with none beside them: nearly all in Western text, nearly none in Chinese."""
    padded = b"\0" + sample + b"\0"
    high = [i for i in range(1, len(padded) - 1) if padded[i] >= 0x80]
    return sum(padded[i - 1] < 0x80 and padded[i + 1] < 0x80 for i in high) / max(len(high), 1)


def _east_asian(sample: bytes, encoding: str, kana: bool = False) -> float:
    """Share of characters common in the encoding's language (``kana``: of these only) among those beyond ASCII."""
    try:
        characters = [c for c in sample.decode(encoding) if ord(c) > 127]
    except UnicodeError:
        return 0.0
    ranges = [(0x3040, 0x30FF)] if kana else [(0x4E00, 0x9FFF), (0x3040, 0x30FF), (0xAC00, 0xD7A3)]
    wide = sum(any(low <= ord(c) <= high for low, high in ranges) for c in characters)
    return wide / len(characters) if len(characters) > 1 else 0.0


def _latin(sample: bytes, encoding: str) -> bool:
    """Whether every non-ASCII character is a letter, or a sign that tables use, and none of it is UTF-8."""
    if not sample.decode("utf-8", "ignore").isascii():
        return False
    try:
        characters = {c for c in sample.decode(encoding) if ord(c) > 127}
    except UnicodeError:
        return False
    return bool(characters) and all(
        (unicodedata.category(c) in ("Ll", "Lu") and c not in "ÿþð") or c in "µ°±²³·–—‘’“”„…\xa0«»§ªº€£®™×"
        for c in characters
    )
