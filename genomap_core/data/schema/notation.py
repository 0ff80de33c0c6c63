"""How the numbers of one column are written: decimal sign, thousands sign, unit. Proved by the cells, or asked about.

A comma or a point behind one to three digits and before exactly three more may group thousands or mark decimals; any
other place of it proves which. What a column does not prove may be known from the file's other columns; what nothing
proves is ambiguous and never guessed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from genomap_core.data.schema.words import LIKELY_MISSING_WORDS, MISSING_WORDS

Problem = Literal["", "ambiguous", "mixed", "units"]

_CODES_AT_MOST = 10
"""Whole numbers of so few kinds among words are codes (grades 1, 2, 3, 4a), not measurements with odd cells."""

_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2212\u2010\u2011\u2012\u2013\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u202f\u2007\u2008\u2009\u200a\u3000", " "),
        **dict.fromkeys("\u2019\u02bc\u00b4`\uff07", "'"),
        "\u066b": ",",
        "\uff0c": ",",
        "\uff0e": ".",
    }
)
"""Signs that word processors and locales put where a number has a minus, a blank or an apostrophe."""

_NUMBER = re.compile(
    r"(?P<bound>[<>\u2264\u2265]=?\s*)?(?P<sign>[+-]?)\s*[$\u20ac\u00a3]?\s*"
    r"(?P<body>\d(?:[\d.,' ]*\d)?[.,]?|[.,]\d+)(?P<power>[eE][+-]?\d+|[dD][+-]\d{2,3})?"
    r"\s*(?P<unit>%|\u2030|[\u00d7A-Za-z\u00b5\u03bc\u00b0$\u20ac\u00a3]"
    # digits of a unit are exponents (m2, 10^9) or the body surface's 1.73: other ones are names of places, as in 10x14
    r"(?:[A-Za-z\u00b5\u03bc%/^\u00b2\u00b3*. -]|(?<=[\^*])\d{1,2}|"
    r"(?:(?<=[x\u00d7])|(?<=[x\u00d7] ))10(?=[\^*])|(?<=m)[23]|(?<=/)1\.73){0,11})?"
)
_MINUS_BEHIND = re.compile(r"\d[\d.,' ]*\d-")
"""As accounting programs write it; a grade such as ``2-`` has one digit."""
_IN_BRACKETS = re.compile(r"\(\d[\d.,' ]*\)")
"""A negative number of an accountant."""
_WRAPPED = re.compile(r"""^(?:="(.*)"|'(?=[\d+-])(.*))$""")
"""As spreadsheets keep a number from being one: ="12" and '12."""
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True, slots=True)
class Notation:
    """``decimal`` and ``thousands`` sign ("" where none is used), and the ``unit`` behind every number."""

    decimal: str = "."
    thousands: str = ""
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What the words of a column are.

    ``values``: a number for each word, NaN where it is missing or none. ``odd``: positions of words that hold no
    number, bounds such as ``<5`` among them. ``problem``: why there are no values, with two words as ``examples``.
    """

    notation: Notation = Notation()
    values: tuple[float, ...] = ()
    odd: tuple[int, ...] = ()
    problem: Problem = ""
    examples: tuple[str, ...] = ()
    plain: bool = True
    """Every number is written as a program writes it."""


@dataclass(slots=True)
class _Signs:
    """What the places of signs prove: for each sign, a word that proves it."""

    decimal: dict[str, str] = field(default_factory=dict)
    thousands: dict[str, str] = field(default_factory=dict)
    open: dict[str, list[str]] = field(default_factory=dict)
    bare: int = 0


def is_missing_word(word: str) -> bool:
    """Whether a word is a mark of a missing value, usual or not."""
    low = word.strip().lower()
    return low in MISSING_WORDS or low in LIKELY_MISSING_WORDS


def read_words(
    words: Sequence[str],
    counts: np.ndarray,
    decimal: str = "",
    thousands: str | None = None,
    proven: Collection[str] = (),
) -> Written | None:
    """The distinct ``words`` of a column, ``counts (k,)`` times each, as numbers; None for a column of words.

    Parameters
    ----------
    decimal
        The decimal sign that the file's other columns prove, or "".
    thousands
        The thousands sign that the user gave, "" for none; None: found.
    proven
        Decimal signs that other cells of this column prove.
    """
    parts = [_match(word) for word in words]
    missing = [is_missing_word(word) for word in words]
    numbers = [k for k, part in enumerate(parts) if part is not None]
    words_at = [k for k, part in enumerate(parts) if part is None and not missing[k]]
    cells, others = int(counts[numbers].sum()), int(counts[words_at].sum())
    if not numbers or others >= cells:
        return None
    found = {k: part for k, part in enumerate(parts) if part is not None}
    if others and _codes(found):
        return None
    if problem := _units(found):
        few = len(found) <= _CODES_AT_MOST and all(part["body"].isdigit() for part in found.values())
        return None if others or few else problem
    signs = _signs({k: p["body"] for k, p in found.items()}, words)
    for sign in proven:
        signs.decimal.setdefault(sign, "")
    settled = _settle(signs, decimal, thousands)
    if isinstance(settled, Written):
        return settled
    unit = next(iter(found.values()))["unit"] or ""
    notation = Notation(*settled, unit=unit.strip())
    values = tuple(
        math.nan if (part := found.get(k)) is None or part["bound"] else _value(part, notation)
        for k in range(len(words))
    )
    odd = tuple(k for k in range(len(words)) if not missing[k] and (k not in found or found[k]["bound"]))
    plain = all(_PLAIN.fullmatch(words[k].strip()) for k in numbers)
    return Written(notation, values, odd, plain=plain)


def _match(word: str) -> re.Match[str] | None:
    """A word as the parts of a number; None where signs stand in it as in no number (dates, versions, telephones)."""
    word = _WRAPPED.sub(r"\1\2", word.strip().translate(_SAME))
    if _MINUS_BEHIND.fullmatch(word):
        word = f"-{word[:-1]}"
    elif _IN_BRACKETS.fullmatch(word):
        word = f"-{word[1:-1]}"
    part = _NUMBER.fullmatch(word)
    if part is None:
        return None
    body = part["body"]
    used = [sign for sign in ",.' " if sign in body]
    last = max(used, key=body.rfind, default="")
    once = body.count(last) == 1 and last in ",." if last else True
    others = [sign for sign in used if sign != last or not once]
    return part if len(others) < 2 and all(_grouped(body, sign) for sign in others) else None


def _codes(found: dict[int, re.Match[str]]) -> bool:
    return len(found) <= _CODES_AT_MOST and all(
        part["body"].isdigit() and not part["bound"] and not part["unit"] for part in found.values()
    )


def _units(found: dict[int, re.Match[str]]) -> Written | None:
    """A problem where some numbers have a unit and others none, or another."""
    units: dict[str, str] = {}
    for part in found.values():
        if not part["bound"]:
            units.setdefault((part["unit"] or "").strip(), part.string)
    return Written(problem="units", examples=tuple(units.values())[:2]) if len(units) > 1 else None


def _signs(bodies: dict[int, str], words: Sequence[str]) -> _Signs:
    signs = _Signs()
    for k, body in bodies.items():
        used = [sign for sign in ",.' " if sign in body]
        if not used:
            signs.bare += 1
            continue
        last = max(used, key=body.rfind)
        for sign in used:
            grouped = _grouped(body, sign)
            if sign in "' " or body.count(sign) > 1 or sign != last:
                signs.thousands.setdefault(sign, words[k])
            elif grouped and len(used) == 1:
                signs.open.setdefault(sign, []).append(words[k])
            else:
                signs.decimal.setdefault(sign, words[k])
    return signs


def _grouped(body: str, sign: str) -> bool:
    """Whether a sign stands where it can group thousands: three digits behind each, one to three before the first."""
    whole = re.split(r"[.,]", body)[0] if sign in "' " else body
    first, *groups = whole.split(sign)
    others = [re.split(r"[.,' ]", group)[0] for group in groups]
    lakh = len(groups) > 1 and all(len(g) == 2 for g in others[:-1])
    return (
        bool(groups)
        and re.fullmatch(r"[1-9]\d{0,2}", first) is not None
        and len(others[-1]) == 3
        and (lakh or all(len(g) == 3 for g in others))
    )


def _settle(signs: _Signs, decimal: str, thousands: str | None) -> tuple[str, str] | Written:
    """Decimal and thousands sign of a column, or the problem."""
    for sign in (*signs.decimal, *signs.thousands):
        if sign in signs.decimal and sign in signs.thousands:
            return Written(problem="mixed", examples=(signs.decimal[sign], signs.thousands[sign]))
    if len(signs.decimal) > 1:
        return Written(problem="mixed", examples=tuple(signs.decimal.values())[:2])
    point = next(iter(signs.decimal), "")
    group = next(iter(signs.thousands), "")
    if len(signs.thousands) > 1:
        return Written(problem="mixed", examples=tuple(signs.thousands.values())[:2])
    for sign, cells in signs.open.items():
        if sign in (point, group):
            continue
        if thousands is not None:
            is_group = sign == thousands
        elif point or group:
            is_group = bool(point)
        elif decimal:
            is_group = sign != decimal
        elif sign == "." and not _like_groups(cells, signs.bare):
            is_group = False
        elif sign == "," and signs.bare and any(cell.rstrip().endswith("0") for cell in cells) and len(cells) > 4:
            is_group = True  # decimals written at fixed length leave no number bare, those at free length no last 0
        else:
            return Written(problem="ambiguous", examples=(cells[0],))
        if (is_group and group) or (not is_group and point):
            return Written(
                problem="mixed", examples=(cells[0], signs.thousands.get(group, signs.decimal.get(point, "")))
            )
        point, group = (point, sign) if is_group else (sign, group)
    return point or ("," if group == "." else "."), group


def _like_groups(cells: list[str], bare: int) -> bool:
    """Points that would be decimals of fixed length, with a last 0, beside numbers without any; or few points before
    three digits, where nearly all numbers are whole: of numbers with three decimals one in a thousand is."""
    return bare > 0 and (any(cell.rstrip().endswith("0") for cell in cells) or bare >= 10 * len(cells))


def _value(part: re.Match[str], notation: Notation) -> float:
    body = part["body"]
    if notation.thousands:
        body = body.replace(notation.thousands, "")
    text = body.replace(notation.decimal, ".") if notation.decimal != "." else body
    try:
        return float(f"{part['sign']}{text}{(part['power'] or '').lower().replace('d', 'e')}")
    except ValueError:
        return math.nan


def bound_of(word: str, notation: Notation = Notation()) -> float:
    """The number of a word such as ``<5`` or ``> 1.000``; NaN for any other word."""
    part = _match(word)
    return math.nan if part is None or not part["bound"] else _value(part, notation)
