"""Columns of words as features: numbers written as text, yes and no, scales with an order, categories."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.message import Message, plural, shown, some
from genomap_core.data.schema.apply import Cohort
from genomap_core.data.schema.roles import WordCodes
from genomap_core.data.schema.words import FALSE_WORDS, LIKELY_MISSING_WORDS, ORDERED_WORDS, TRUE_WORDS
from genomap_core.data.table import TextColumn

_MOST_CATEGORIES = 20


@dataclass(frozen=True, eq=False, slots=True)
class Encoded:
    """Features made from the text column at ``position``: ``values`` ``(n, e)`` float32, NaN for missing."""

    position: int
    names: tuple[str, ...]
    values: np.ndarray
    codes: WordCodes | None = None
    """None where the words are numbers: these mean the same in every table."""


def encode_words(cohort: Cohort) -> tuple[list[Encoded], list[Message]]:
    """Every text column that is to be a feature, and what was made of it; those no use can be made of are set aside."""
    made: list[Encoded] = []
    said: list[Message] = []
    known = {codes.column: codes for codes in cohort.roles.codes}
    for at in cohort.words:
        title, column = cohort.table.title(at), cohort.table.text_column(at)
        if title in known:
            features, message = recode(known[title], column)
        elif not column.words and title in cohort.roles.needed:
            features, message = ((title,), np.full((len(column), 1), np.nan, np.float32)), None
        else:
            features, message = encode(title, column)
        if features is not None:
            made.append(Encoded(at, *features, known.get(title) or _codes_of(title, column, *features)))
        if message is not None:
            said.append(replace(message, row=_row_of(cohort, at, message.value)) if message.value else message)
    return made, said


def _row_of(cohort: Cohort, at: int, word: str) -> int:
    column = cohort.table.text_column(at)
    return int(cohort.table.rows[np.flatnonzero(column.codes == column.words.index(word))[0]])


Features = tuple[tuple[str, ...], np.ndarray]


def encode(title: str, column: TextColumn) -> tuple[Features | None, Message | None]:
    """One text column as features, or None; and what to say."""
    words = [word.strip().lower() for word in column.words]
    n_filled = int((column.codes >= 0).sum())
    if len(set(words)) < 2:
        text = f"Column {title} holds the same word in every row: set aside."
        return None, Message("ok", "constant-text", text, column=title)
    if (numbers := _numbers(words)) is not None:
        return ((title,), _lookup(column, numbers)), None
    if word := _word_among_numbers(column):
        text = f"Column {title} holds {shown(word)!r} among numbers."
        remedy = "Replace it by a number or leave the cell empty."
        return None, Message("error", "not-a-number", text, column=title, value=word, remedy=remedy)
    if all(word in TRUE_WORDS | FALSE_WORDS for word in words):
        true = [shown(w) for w, low in zip(column.words, words) if low in TRUE_WORDS]
        false = [shown(w) for w, low in zip(column.words, words) if low in FALSE_WORDS]
        text = f"Column {title} holds yes and no: {some(true, 10)} became 1; {some(false, 10)} became 0."
        codes = [float(word in TRUE_WORDS) for word in words]
        return ((title,), _lookup(column, codes)), Message("warn", "yes-no", text, column=title)
    scale = next((scale for scale in ORDERED_WORDS if set(words) <= set(scale) and len(set(words)) > 2), None)
    if scale is not None:
        order = [w for w in scale if w in words]
        text = f"Column {title} holds an ordered scale: {' < '.join(order)} became 0 to {len(order) - 1}."
        found = Message("warn", "ordered-categories", text, column=title, remedy="Set it aside if the order is wrong.")
        return ((title,), _lookup(column, [float(order.index(word)) for word in words])), found
    kinds = sorted(set(words))
    if len(kinds) > _MOST_CATEGORIES or len(kinds) > max(2, n_filled // 2):
        words_in_rows = f"{plural(len(kinds), 'different word')} in {plural(n_filled, 'row')}"
        text = f"Column {title} holds free text ({words_in_rows}): set aside."
        return None, Message("warn", "free-text", text, column=title)
    return _categories(title, column, words, kinds)


def recode(codes: WordCodes, column: TextColumn) -> tuple[Features | None, Message | None]:
    """One text column as the features that another table made of it, or an error for a word that it did not have."""
    words = [word.strip().lower() for word in column.words]
    missing = (np.nan,) * len(codes.features)
    values = dict.fromkeys(LIKELY_MISSING_WORDS, missing) | dict(zip(codes.words, codes.values))
    for word, low in zip(column.words, words):
        if low not in values:
            text = f"Column {codes.column} holds {shown(word)!r}, which the table before it did not have: "
            text += f"it had {some(map(shown, codes.words), 10)}."
            remedy = "Write it as there, or leave the cell empty."
            return None, Message("error", "unknown-word", text, column=codes.column, value=word, remedy=remedy)
    looked_up = [_lookup(column, [values[low][k] for low in words]) for k in range(len(codes.features))]
    return (codes.features, np.column_stack(looked_up)), None


def _codes_of(title: str, column: TextColumn, names: tuple[str, ...], values: np.ndarray) -> WordCodes | None:
    """What :func:`encode` made of each word; None where it read the words as numbers."""
    words = [word.strip().lower() for word in column.words]
    if _numbers(words) is not None:
        return None
    used = [(words[code], values[row]) for code, row in zip(*np.unique(column.codes, return_index=True)) if code >= 0]
    found = {low: tuple(float(v) for v in row) for low, row in used}
    return WordCodes(title, names, tuple(found), tuple(found.values()))


def _categories(title: str, column: TextColumn, words: list[str], kinds: list[str]) -> tuple[Features, Message]:
    spelled = {low: word.strip() for word, low in zip(column.words, words)}
    used = kinds[1:] if len(kinds) == 2 else kinds
    names = tuple(f"{title}={spelled[kind]}" for kind in used)
    values = np.column_stack([_lookup(column, [float(word == kind) for word in words]) for kind in used])
    listed = some((shown(spelled[kind]) for kind in kinds), 10)
    text = f"Column {title} holds categories ({listed}): each became a 0/1 feature ({some(map(shown, names), 3)})."
    if column.marks:
        text += f" The word {some(f'{word!r} ({count})' for word, count in column.marks)} was read as missing."
    return (names, values), Message(
        "warn", "categories", text, column=title, remedy="Set it aside if it is no feature."
    )


def _numbers(words: list[str]) -> list[float] | None:
    """The words as numbers, unusual marks of missing values as NaN; None when one is neither."""
    numbers = []
    for word in words:
        try:
            numbers.append(np.nan if word in LIKELY_MISSING_WORDS else float(word))
        except ValueError:
            return None
    finite = [value for value in numbers if np.isfinite(value)]
    return numbers if finite and not np.isinf(numbers).any() else None


def _word_among_numbers(column: TextColumn) -> str:
    """The most frequent word of a column with numbers in more than four of five cells."""
    counts = column.counts()
    words = {k for k, word in enumerate(column.words) if _numbers([word.strip().lower()]) is None}
    rare = 0 < counts[list(words)].sum() < 0.2 * counts.sum()
    return column.words[max(words, key=counts.__getitem__)] if rare else ""


def _lookup(column: TextColumn, values: list[float]) -> np.ndarray:
    """``(n, 1)`` the value of each row's word."""
    return np.append(np.array(values, np.float32), np.float32(np.nan))[column.codes][:, None]
