"""Checks of labels: too few, too many, spelled in several ways, and features that give them away."""

from __future__ import annotations

import math
import re
from collections import defaultdict

import numpy as np

from genomap_core.data.message import Message, plural, shown, some
from genomap_core.data.schema_cohort import Cohort
from genomap_core.data.schema_encode import Encoded
from genomap_core.data.schema_stats import column_stats
from genomap_core.data.schema_words import INVISIBLE
from genomap_core.data.table import TextColumn

_CHANCE = 0.01
_LISTED = 10


def same_label(word: str) -> str:
    """Equal for spellings of one label: case, blanks and ``_`` apart, and ``-`` between letters.

    Signs that can carry the meaning stay: ``ER+`` and ``ER-``, ``c-1`` and ``c1``, ``<50`` and ``>50`` differ.
    """
    joined = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", "", " ".join(word.casefold().split()))
    return re.sub(r"(?<!\d)[ _]+|[ _]+(?!\d)", "", joined) or word


def clean_labels(target: TextColumn, merge: bool) -> TextColumn:
    """Labels with blanks removed around them and, to ``merge``, variants under their most frequent spelling."""
    trimmed = target.recoded(" ".join(INVISIBLE.sub("", word).split()) or None for word in target.words)
    if not merge:
        return trimmed
    best: dict[str, int] = {}
    counts = trimmed.counts()
    for code, word in enumerate(trimmed.words):
        short = same_label(word)
        if short not in best or counts[code] > counts[best[short]]:
            best[short] = code
    return trimmed.recoded(trimmed.words[best[same_label(word)]] for word in trimmed.words)


def check_labels(cohort: Cohort, target: TextColumn | None) -> list[Message]:
    """Of the labels as given and as cleaned (``target``)."""
    if cohort.target is None or target is None:
        return [Message("ok", "no-labels", "No labels: maps can be drawn, models need a label column.")]
    name = cohort.roles.target or ""
    if not target.words:
        text = f"Label column {name} is empty."
        return [Message("error", "empty-label", text, name, remedy="Choose another label column, or none.")]
    counts = target.counts()
    n = int(counts.sum())
    said = _check_unlabelled(cohort, target, name) + _check_spelling(cohort.target, target, name)
    if len(target.words) == 1:
        text = f"Column {name} holds 1 class only ({shown(target.words[0])!r}); a model needs at least 2."
        said.append(
            Message(
                "error", "one-class", text, name, remedy="Choose another label column, or none: maps need no label."
            )
        )
    elif n > 3 and len(target.words) > max(0.9 * n, 2):
        text = (
            f"Label column {name} is unique in nearly every row ({len(target.words)} values in {n} rows), like an id."
        )
        said.append(Message("error", "unique-label", text, name, remedy="Choose another label column, or none."))
    elif len(target.words) > max(20, n / 5) and _all_numbers(target.words):
        text = f"Label column {name} holds {len(target.words)} different numbers: a measurement, not classes."
        said.append(
            Message(
                "error", "label-is-measurement", text, name, remedy="Choose another label column, or group its values."
            )
        )
    else:
        said += _check_sizes(cohort, target, counts, name)
        if _all_numbers(target.words):
            text = f"The labels in {name} are numbers ({some(sorted(target.words))}): treated as classes."
            said.append(Message("warn", "number-labels", text, name, remedy="Name the classes in words if you can."))
    return said


def _check_unlabelled(cohort: Cohort, target: TextColumn, name: str) -> list[Message]:
    rows = np.flatnonzero(target.codes < 0).tolist()
    if not rows:
        return []
    text = f"{plural(len(rows), 'sample')} without a label in {name} left out: {some(cohort.row(i) for i in rows)}."
    return [Message("warn", "missing-label", text, name, cohort.row_number(rows[0]), None, "Fill in the labels.")]


def _check_spelling(given: TextColumn, clean: TextColumn, name: str) -> list[Message]:
    variants: dict[str, list[str]] = defaultdict(list)
    counts = given.counts()
    code_of = {same_label(word): word for word in clean.words}
    for code, word in enumerate(given.words):
        target = code_of.get(same_label(word), word)
        variants[target].append(f"{shown(word)!r} ({counts[code]})")
    said = []
    for target, spelled in variants.items():
        if len(spelled) > 1:
            merged = target in clean.words and sum(same_label(w) == same_label(target) for w in clean.words) == 1
            done = f"merged into {target!r}" if merged else "kept as classes of their own"
            text = f"Column {name}: the labels {some(spelled)} look like one class; {done}."
            remedy = "Choose labels 'as written' if they differ." if merged else "Choose to merge label variants."
            said.append(Message("warn", "label-variants", text, name, value=target, remedy=remedy))
    return said + _check_typos(clean, name)


def _check_typos(clean: TextColumn, name: str) -> list[Message]:
    """Rare long words one letter away from a frequent one: told, never merged."""
    counts = clean.counts()
    said = []
    for code, word in enumerate(clean.words):
        near = [
            other
            for k, other in enumerate(clean.words)
            if counts[k] >= 9 * counts[code] and _one_edit(word.lower(), other.lower())
        ]
        if len(word) >= 5 and word.isalpha() and near:
            text = f"Column {name}: the label {shown(word)!r} ({counts[code]}) may be a misspelt {shown(near[0])!r}."
            said.append(Message("warn", "label-typo", text, name, value=word, remedy="Correct it in the file if so."))
    return said


def _one_edit(a: str, b: str) -> bool:
    if abs(len(a) - len(b)) > 1 or a == b:
        return False
    start = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return a[start + 1 :] == b[start + 1 :] or a[start:] == b[start + 1 :] or a[start + 1 :] == b[start:]


def _check_sizes(cohort: Cohort, target: TextColumn, counts: np.ndarray, name: str) -> list[Message]:
    said = []
    small = int(counts.min())
    word = shown(target.words[int(counts.argmin())])
    if small == 1:
        alone = [shown(target.words[k]) for k in np.flatnonzero(counts == 1).tolist()]
        text = f"Column {name}: class {some(map(repr, alone))} has 1 sample; the smallest split in folds needs 2."
        said.append(
            Message(
                "error", "single-sample-class", text, name, value=alone[0], remedy="Add samples, or remove the class."
            )
        )
    elif small < 5:
        text = f"Column {name}: class {word!r} has {small} samples, so at most {small} folds are possible."
        said.append(Message("warn", "small-class", text, name, value=word, remedy=f"Use {small} folds or fewer."))
    listed = some((f"{shown(w)} ({c})" for w, c in sorted(zip(target.words, counts.tolist()))), 12)
    said.append(Message("ok", "classes", f"{len(counts)} classes in {name}: {listed}.", name))
    return said


def _all_numbers(words: tuple[str, ...]) -> bool:
    try:
        return bool([float(word) for word in words])
    except ValueError:
        return False


def check_leaks(cohort: Cohort, target: TextColumn | None, encoded: list[Encoded]) -> list[Message]:
    """Features that tell the classes apart without a mistake, where chance would hardly do that for any of them."""
    if target is None or len(target.words) < 2 or target.counts().min() < 2:
        return []
    expected = max(len(cohort.names), 1) * _chance(target.counts())
    said = _check_word_leaks(cohort, target, encoded)
    if expected > _CHANCE or not len(cohort.names):
        return said
    lows, highs = zip(*[_extremes(cohort, np.flatnonzero(target.codes == code)) for code in range(len(target.words))])
    low, high = np.stack(lows), np.stack(highs)
    order = np.argsort(low, axis=0)
    low, high = np.take_along_axis(low, order, 0), np.take_along_axis(high, order, 0)
    with np.errstate(invalid="ignore"):
        apart = (high[:-1] < low[1:]).all(axis=0)
        copy = apart & (low == high).all(axis=0)
    for k in np.flatnonzero(apart).tolist()[:_LISTED]:
        what = "equals the label" if copy[k] else "predicts the label alone (AUC 1.0)"
        said.append(_leak(cohort.names[k], what))
    if apart.sum() > _LISTED:
        text = f"{int(apart.sum()):,} features in all predict the label alone."
        said.append(Message("warn", "leak", text, remedy="Check that they were known before the label."))
    return said


def _extremes(cohort: Cohort, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    stats = column_stats(cohort.values[rows])
    return np.where(stats.missing > 0.5 * len(rows), np.nan, stats.low), stats.high


def _chance(counts: np.ndarray) -> float:
    """The probability that a feature without any relation to the classes sorts them without a mistake."""
    orders = math.lgamma(counts.sum() + 1) - sum(math.lgamma(c + 1) for c in counts.tolist())
    return math.exp(math.lgamma(len(counts) + 1) - orders)


def _check_word_leaks(cohort: Cohort, target: TextColumn, encoded: list[Encoded]) -> list[Message]:
    said = []
    for at in (feature.position for feature in encoded):
        column = cohort.table.texts[at]
        both = (column.codes >= 0) & (target.codes >= 0)
        pairs = set(zip(column.codes[both].tolist(), target.codes[both].tolist()))
        if len(pairs) == len(column.words) >= len(target.words) and len(column.words) <= max(0.3 * both.sum(), 2):
            said.append(_leak(cohort.table.title(at), "tells the label of every row"))
    return said


def _leak(name: str, what: str) -> Message:
    text = f"Feature {shown(name)} {what}: a leak, unless it was measured before the label was known."
    return Message("warn", "leak", text, name, remedy="Set it aside if it was derived from the label.")
