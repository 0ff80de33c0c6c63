"""Checks of a table under its roles: single cells, sample ids, column names, labels, and the values as a whole."""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.message import Message, Severity, capital, limited, plural, shown, some, spreadsheet_column
from genomap_core.data.schema.apply import Cohort
from genomap_core.data.schema.encode import Encoded
from genomap_core.data.schema.nomenclature import feature_share, is_feature
from genomap_core.data.schema.notation import bound_of
from genomap_core.data.schema.roles import Log, Roles
from genomap_core.data.schema.statistics import (
    ColumnStats,
    alike_by_chance,
    column_stats,
    equal_columns,
    equal_rows,
    row_totals,
    sample_values,
)
from genomap_core.data.schema.words import DATE_GENE_PATTERN, FLOAT_GENE_PATTERN, INVISIBLE, is_phi_name
from genomap_core.data.table import OddCell, Table, TextColumn

_LISTED_CELLS = 50
_ACROSS_SHARE = 0.6


def check_cells(cohort: Cohort) -> list[Message]:
    """Every cell of a feature that holds no finite number; a row of words all across counts as one finding."""
    features = set(cohort.origin.tolist())
    cells = [cell for cell in cohort.table.odd if cell.position in features]
    if cohort.roles.not_numbers != "error":
        return _as_missing(cohort, cells)
    bounds = [cell for cell in cells if not np.isnan(bound_of(cell.text))]
    if bounds:
        return _bounds(cohort, bounds) + check_odd(
            cohort, [cell for cell in cells if cell not in set(bounds)], features
        )
    return check_odd(cohort, cells, features)


def check_odd(cohort: Cohort, cells: list[OddCell], features: set[int]) -> list[Message]:
    """Every cell that is neither number nor bound."""
    by_row: dict[int, list[OddCell]] = defaultdict(list)
    for cell in cells:
        by_row[cell.row].append(cell)
    across = {row for row, found in by_row.items() if len(found) > max(_ACROSS_SHARE * len(features), 1)}
    said = [_row_of_words(cohort, row, by_row[row]) for row in sorted(across)]
    said += [_odd(cohort, cell) for cell in cells if cell.row not in across]
    return limited(said, _LISTED_CELLS)


def _bounds(cohort: Cohort, cells: list[OddCell]) -> list[Message]:
    """Values below or above what could be measured, a finding a column."""
    by_column: dict[str, list[OddCell]] = defaultdict(list)
    for cell in cells:
        by_column[cohort.table.title(cell.position)].append(cell)
    said = []
    for name, found in by_column.items():
        column, row = cohort.table.place(found[0].row, found[0].position)
        words = some(f"{shown(word)!r} ({count})" for word, count in Counter(cell.text for cell in found).most_common())
        text = (
            f"Feature {shown(name)} holds bounds, a number with a sign, not a value: {words}; the first in row {row}."
        )
        remedy = "Choose to read them as their number, or as missing."
        said.append(Message("error", "bounds", text, column, row, shown(found[0].text, 80), remedy, "not_numbers"))
    return limited(said, _LISTED_CELLS)


def check_missing(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """How much is missing in all, and which samples and features are mostly or wholly missing."""
    n, q = cohort.values.shape
    missing = stats.missing
    if n == 0 or q == 0 or not missing.any():
        return []
    share = missing.sum() / (n * q)
    said = [Message("ok", "missing", f"{plural(int(missing.sum()), 'value')} of {n * q:,} missing ({share:.2%}).")]
    if empty := np.flatnonzero(stats.empty).tolist():
        text = f"{plural(len(empty), 'sample')} without a single value left out: {some(cohort.row(i) for i in empty)}."
        said.append(Message("warn", "empty-sample", text, None, cohort.row_number(empty[0]), None, "Delete the rows."))
    absent = [cohort.names[k] for k in np.flatnonzero(missing == n).tolist()]
    needed = frozenset(cohort.roles.needed)
    if kept := [name for name in absent if name in needed]:
        text = f"{plural(len(kept), 'feature')} that the model needs without a single value: {some(map(shown, kept))}."
        remedy = "It answers as for the median of its training samples."
        said.append(Message("warn", "needed-feature", text, kept[0], remedy=remedy))
    if names := [name for name in absent if name not in needed]:
        text = f"{plural(len(names), 'feature')} without a single value left out: {some(map(shown, names))}."
        said.append(Message("warn", "empty-feature", text, names[0], remedy="Remove the columns from the file."))
    half = [cohort.names[k] for k in np.flatnonzero((missing > 0.5 * n) & (missing < n)).tolist()]
    if half:
        text = f"More than half of the values are missing in {plural(len(half), 'feature')}: {some(map(shown, half))}."
        said.append(Message("warn", "mostly-missing", text, half[0], remedy="Consider setting them aside."))
    return said


def _as_missing(cohort: Cohort, cells: list[OddCell]) -> list[Message]:
    if not cells:
        return []
    words = some(f"{shown(word)!r} ({count})" for word, count in Counter(cell.text for cell in cells).most_common())
    how = "missing" if cohort.roles.not_numbers == "missing" else "their bound, or as missing where there is none"
    names = some(dict.fromkeys(shown(cohort.table.title(cell.position)) for cell in cells))
    text = f"{plural(len(cells), 'cell')} without a finite number read as {how}: {words} in {names}."
    return [Message("warn", "not-numbers-missing", text)]


def _row_of_words(cohort: Cohort, row: int, cells: list[OddCell]) -> Message:
    words = some(dict.fromkeys(repr(shown(cell.text)) for cell in cells), 3)
    what = f"holds text in {len(cells)} number columns ({words}): a second header row or a note"
    text = f"{capital(cohort.row(row))} {what}."
    return Message("error", "row-of-text", text, None, cohort.row_number(row), cells[0].text, "Delete the row.")


def _odd(cohort: Cohort, cell: OddCell) -> Message:
    column, row = cohort.table.place(cell.row, cell.position)
    text, code, remedy = _reason(cell.text)
    said = f"Column {column}, row {row} holds {shown(cell.text)!r}: {text}."
    return Message("error", code, said, column, row, shown(cell.text, 80), remedy, "not_numbers")


def _reason(word: str) -> tuple[str, str, str]:
    """What is wrong with a cell, a code for it, and the remedy."""
    missing = "or choose to treat such cells as missing"
    if re.fullmatch(r"(?i)[+-]?inf(inity)?", word):
        return "an infinite value", "infinite", f"Replace it, {missing}."
    if re.fullmatch(r"(?a)[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", word):
        return "a number beyond 3.4e38, the largest that fits", "too-large", f"Check the value, {missing}."
    if re.fullmatch(r"[+-]?\d{1,3}([,.'\s]\d{3})+([.,]\d+)?", word):
        return "a number with thousands separators", "thousands-separator", "Write it without separators."
    if re.fullmatch(r"[+-]?\d+,\d+", word):
        return "a decimal comma among decimal points", "decimal-comma", "Write all numbers with the same decimal sign."
    if re.search(r"(?a)\d", word) and re.search(r"[%$€£¥<>~]|[a-zA-Zµ]+(/[a-zA-Z]+)?$", word):
        return (
            "a number with a sign or unit",
            "unit",
            f"Write the bare number and put the unit into the column's name, {missing}.",
        )
    return "not a number", "not-a-number", f"Replace it by a number or leave the cell empty, {missing}."


_LISTED_IDS = 20
_LONGEST = 1000
_SUMMARIES = re.compile(
    r"(mean|average|avg|median|total|sum|sd|std|min|max|minimum|maximum|count|mittelwert|summe|moyenne|somme|promedio|"
    r"media|mediana|suma|gemiddelde|totaal)(\s.*)?"
)


def check_ids(cohort: Cohort) -> list[Message]:
    """Every sample whose id can't be used as it is."""
    if cohort.id is None:
        return [Message("ok", "no-ids", "No column holds sample ids: samples are numbered.")]
    said = [
        _said(cohort, "error", "missing-id", "no sample id", sample, None, "Give every sample an id.")
        for sample in np.flatnonzero(cohort.id.codes < 0).tolist()
    ]
    for sample in np.sort(np.unique(cohort.id.codes, return_index=True)[1]).tolist():
        if (code := cohort.id.codes[sample]) >= 0:
            said += _check_word(cohort, cohort.id.words[code], sample)
    return limited(said + _check_doubles(cohort), _LISTED_IDS)


def clean_id(word: str) -> str:
    """An id without blanks around it and line breaks in it."""
    return " ".join(word.split()) if "\n" in word or "\r" in word else word.strip()


def _check_word(cohort: Cohort, word: str, sample: int) -> list[Message]:
    if hidden := INVISIBLE.findall(word):
        points = some(dict.fromkeys(f"U+{ord(c):04X}" for c in hidden))
        what, remedy = f"invisible characters ({points})", "Remove them: ids that look alike would differ."
        return [_said(cohort, "error", "invisible-characters", f"the id %s has {what}", sample, word, remedy)]
    if re.fullmatch(r"\d\.\d+E\+\d{2}", word):
        remedy = "Restore the ids: format the column as text before saving."
        return [_said(cohort, "error", "rounded-id", "the id %s was rounded by a spreadsheet", sample, word, remedy)]
    if len(word) > _LONGEST:
        what = f"the id has {len(word):,} characters"
        return [
            _said(cohort, "error", "long-id", what, sample, None, "Check the line for a missing quote or delimiter.")
        ]
    if _SUMMARIES.fullmatch(word.strip().lower()):
        what = "the id %s names a summary, not a sample"
        return [_said(cohort, "warn", "summary-row", what, sample, word, "Delete the row if so.")]
    if clean_id(word) != word:
        what = "blanks or line breaks in the id %s were removed or replaced"
        return [_said(cohort, "warn", "id-cleaned", what, sample, word, "Remove them from the file.")]
    return []


def _check_ids_alike(cohort: Cohort, ids: TextColumn) -> list[Message]:
    """Ids that differ only in how they are written: capitals, composed letters, letters of full width."""
    alike: dict[str, list[str]] = defaultdict(list)
    for word in ids.words:
        alike[unicodedata.normalize("NFKC", word).casefold()].append(word)
    pairs = [words for words in alike.values() if len(words) > 1]
    if not pairs:
        return []
    hidden = is_phi_name(cohort.roles.id or "")
    listed = "" if hidden else f": {some(f'{shown(words[0])!r} and {shown(words[1])!r}' for words in pairs)}"
    text = f"{plural(len(pairs), 'sample id')} written in two ways that differ in capitals or composed letters{listed}."
    return [Message("warn", "ids-alike", text, cohort.roles.id, remedy="Check that they are different samples.")]


def _check_doubles(cohort: Cohort) -> list[Message]:
    if cohort.id is None:
        return []
    clean = cohort.id.recoded(clean_id(word) for word in cohort.id.words)
    remedy = "Give every sample its own id; if the rows are repeats of one patient, choose the column as group."
    said = _check_ids_alike(cohort, clean)
    for code in np.flatnonzero(clean.counts() > 1).tolist():
        samples = np.flatnonzero(clean.codes == code).tolist()
        what = f"the sample id %s occurs {len(samples)} times ({some(cohort.row(i) for i in samples)})"
        said.append(_said(cohort, "error", "duplicate-id", what, samples[1], clean.words[code], remedy))
    return said


def _said(
    cohort: Cohort, severity: Severity, code: str, what: str, sample: int, word: str | None, remedy: str
) -> Message:
    """A message on one sample; ids from a column of direct identifiers are not repeated in it."""
    value = None if word is None or is_phi_name(cohort.roles.id or "") else shown(word)
    text = f"{capital(cohort.row(sample))}: {what.replace('%s', repr(value) if value else '(not shown)')}."
    return Message(severity, code, text, cohort.roles.id, cohort.row_number(sample), value, remedy)


_MONTHS = {3: "MARCH", 9: "SEPT", 12: "DEC", 10: "OCT", 11: "NOV", 2: "FEB", 4: "APR"}
_LISTED_NAMES = 20


def check_feature_names(cohort: Cohort) -> list[Message]:
    """Dates and floats where genes stood, columns without a name, invisible characters."""
    said: list[Message] = []
    few_numbers = 0 < sum(name.isdecimal() for name in cohort.names) <= 0.2 * len(cohort.names)
    for at in cohort.origin.tolist():
        name = cohort.table.columns[at]
        if not name:
            text = f"Column {at + 1} has no name; it is called {cohort.table.title(at)!r}."
            said.append(Message("warn", "nameless-column", text, cohort.table.title(at), remedy="Name it in the file."))
        elif (name[0].isdigit() or name[-1].isdigit()) and (gene := date_gene(name)):
            where = _where(cohort.table, at)
            text = f"{where} is {name!r}: a date that Excel made of a gene's name, probably of {gene}."
            remedy = f"Write {gene} (or its new name) in the file; in Excel format the cells as text first."
            said.append(Message("warn", "date-gene", text, name, value=name, remedy=remedy))
        elif few_numbers and _SERIAL.fullmatch(name):
            text = (
                f"{_where(cohort.table, at)} is {name!r} among names: a date, as a number, that Excel made of a gene."
            )
            said.append(Message("warn", "date-gene", text, name, value=name, remedy="Restore the name in the file."))
        elif FLOAT_GENE_PATTERN.fullmatch(name):
            text = f"{_where(cohort.table, at)} is {name!r}: a number that Excel made of a gene's name."
            said.append(Message("warn", "float-gene", text, name, value=name, remedy="Restore the name in the file."))
        elif not name.isascii() and INVISIBLE.search(name):
            text = f"Feature name {shown(name)!r} has invisible characters."
            said.append(Message("warn", "invisible-characters", text, name, remedy="Remove them from the file."))
    return limited(said, _LISTED_NAMES) + _check_alike(cohort)


_ALIKE = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")
"""Signs that are written or left out, between digits apart."""


def _check_alike(cohort: Cohort) -> list[Message]:
    """Names that differ only in how they are written: capitals, composed letters, blanks and ``_``."""
    folded = [_ALIKE.sub("", unicodedata.normalize("NFC", name).casefold()) for name in cohort.names]
    if len(set(folded)) == len(set(cohort.names)):
        return []
    alike: dict[str, list[str]] = defaultdict(list)
    for short, name in zip(folded, cohort.names):
        alike[short].append(name)
    pairs = [names for names in alike.values() if len(set(names)) > 1]
    text = f"Names of {plural(len(pairs), 'feature')} differ only in how they are written: "
    text += f"{some(f'{shown(names[0])!r} and {shown(names[1])!r}' for names in pairs)}."
    return [Message("warn", "names-alike", text, pairs[0][0], remedy="Check that they are different features.")]


_SERIAL = re.compile(r"4[1-7]\d{3}")
"""A day from 2012 to 2030 as a spreadsheet counts it."""


def date_gene(name: str) -> str:
    """The gene that Excel most likely made this date of: ``"2-Sep"`` -> ``"SEPT2"``; "" when it is no date."""
    found = DATE_GENE_PATTERN.fullmatch(name.strip())
    if found is None:
        return ""
    if iso := found["iso"]:
        month, day = int(iso[5:7]), int(iso[8:10])
        return f"{_MONTHS.get(month, f'month {month} of')}{day}" if month in _MONTHS else "a gene of the date's month"
    word, day_text = found["month"] or found["month2"], found["day"] or found["day2"]
    if word is None:
        return "a gene such as SEPT2 or MARCH1"
    return {"sep": "SEPT", "mar": "MARCH", "mär": "MARCH"}.get(word.lower(), word.upper()) + str(int(day_text))


def _where(table: Table, at: int) -> str:
    if table.flipped:
        return f"The gene's name in row {table.rows[at - 1]}"
    return f"Header cell {spreadsheet_column(at)}{max(int(table.rows[0]) - 1, 1) if table.n_rows else 1}"


def check_header(table: Table) -> list[Message]:
    """A header made of data: numbers where names should stand, and a word that its own column holds."""
    titles = [table.columns[at] for at in table.number_at.tolist()]
    numbers = [float(t) for t in titles if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", t)]
    if table.flipped or not titles or len(numbers) < 0.5 * len(titles):
        return []
    with np.errstate(invalid="ignore"):  # two names of 1e999 are both infinite
        steps = np.diff(numbers)
    axis = len(numbers) > 2 and (bool((steps > 0).all()) or bool((steps < 0).all()))
    codes = np.mean([value.is_integer() for value in numbers]) > 0.8 and len(set(titles)) == len(titles)
    named = 0 in table.texts and is_feature(table.columns[0]) and feature_share(table.texts[0].words) > 0.5
    repeated = named or any(table.columns[at] in column.words for at, column in table.texts.items() if at)
    if repeated or not (axis or codes):
        text = f"The header looks like data: {plural(len(numbers), 'column name')} are numbers ({some(titles, 3)})."
        remedy = "Add a first line with the columns' names."
        return [Message("error", "header-is-data", text, row=1, value=titles[0], remedy=remedy)]
    return []


_CHANCE = 0.01
_LISTED_LABELS = 10


def same_label(word: str) -> str:
    """Equal for spellings of one label: case, blanks and ``_`` apart, and ``-`` between letters.

    Signs that can carry the meaning stay: ``ER+`` and ``ER-``, ``c-1`` and ``c1``, ``<50`` and ``>50`` differ. Letters
    of full width, as East Asian keyboards write them, are the usual ones.
    """
    word = unicodedata.normalize("NFKC", word)
    joined = re.sub(r"(?<=[^\W\d_])-(?=[^\W\d_])", "", " ".join(word.casefold().split()))
    return re.sub(r"(?<!\d)[ _]+|[ _]+(?!\d)", "", joined) or word


def clean_labels(target: TextColumn, merge: bool) -> TextColumn:
    """Labels with blanks removed around them and, to ``merge``, variants under their most frequent spelling."""
    trimmed = target.recoded(
        unicodedata.normalize("NFC", " ".join(INVISIBLE.sub("", word).split())) or None for word in target.words
    )
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
    given = cohort.target.codes if cohort.target is not None else target.codes
    rows = np.flatnonzero(given < 0).tolist()
    if not rows:
        return []
    text = f"{plural(len(rows), 'sample')} without a label in {name} left out: {some(cohort.row(i) for i in rows)}."
    remedy = "Fill in the labels."
    if marks := cohort.target.marks if cohort.target is not None else ():
        text = text[:-1] + f". The word {some(f'{word!r} ({count})' for word, count in marks)} was read as missing."
        remedy = f"Fill in the labels; if {marks[0][0]!r} is a class, say which words mean missing (--missing)."
    return [
        Message(
            "warn", "missing-label", text, name, cohort.row_number(rows[0]), None, remedy, "missing" if marks else ""
        )
    ]


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
    if small == 1:
        alone = [shown(target.words[k]) for k in np.flatnonzero(counts == 1).tolist()]
        text = f"Column {name}: class {some(map(repr, alone))} has 1 sample; the smallest split in folds needs 2."
        said.append(
            Message(
                "error",
                "single-sample-class",
                text,
                name,
                value=alone[0],
                remedy="Add samples, or leave the class out (--leave-out-class).",
                option="without_classes",
            )
        )
    for rare in [k for k in np.argsort(counts, kind="stable").tolist() if 1 < counts[k] < 5][:_LISTED_LABELS]:
        size, word = counts[rare], target.words[rare]
        text = f"Column {name}: class {shown(word)!r} has {size} samples, so at most {size} folds are possible with it."
        remedy = f"Use {size} folds or fewer, or leave the class out (--leave-out-class)."
        said.append(Message("warn", "small-class", text, name, value=word, remedy=remedy, option="without_classes"))
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
    for k in np.flatnonzero(apart).tolist()[:_LISTED_LABELS]:
        what = "equals the label" if copy[k] else "predicts the label alone (AUC 1.0)"
        said.append(_leak(cohort.names[k], what))
    if apart.sum() > _LISTED_LABELS:
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


SENTINELS = (-9.0, -99.0, -999.0, -9999.0, -99999.0, 999.0, 9999.0, 99999.0)

_LISTED_VALUES = 20
_TINY = 1e-30
_LOG_FROM = 50
"""Below this many features a table is taken for clinical, and no logarithm is proposed."""


_FOLD = 2.0
"""Counts whose totals differ more than this in nine of ten samples are proposed to be scaled to one total."""
_BYTE = 255
"""Whole numbers up to this may be grey values of an image, whose sum is no depth."""


@dataclass(frozen=True, slots=True)
class Scale:
    """``unit`` of the values as they are; the transformation that is ``advised``, "as is" for none; and why.

    ``fold``: of counts, how many times the 95 % quantile of the samples' totals is their 5 % quantile; else 1.
    ``total``: the power of ten nearest to the median of the totals.
    """

    unit: str
    advised: Log
    reason: str
    fold: float = 1.0
    total: float = 0.0


def find_scale(values: np.ndarray, stats: ColumnStats, n_features: int) -> Scale:
    """Judge the scale on a sample of present ``values`` and the columns' extremes."""
    if not len(values) or not np.isfinite(stats.low).any():
        return Scale("value", "as is", "")
    low, high = float(np.nanmin(stats.low)), float(np.nanmax(stats.high))
    middle, top = (float(v) for v in np.quantile(values, [0.5, 0.999]))
    whole = bool(stats.whole.all())
    if low < 0:
        standard = abs(values.mean(dtype=float)) < 0.1 and 0.8 < values.std(dtype=float) < 1.2
        return Scale("z-score" if standard else "value", "as is", "")
    if whole and high > 1:
        skewed = n_features >= _LOG_FROM and high > 100 and top > 5 * (middle + 1)
        return Scale("count", "log2(1+x)" if skewed else "as is", f"whole numbers from {low:g} to {high:g}")
    if n_features >= _LOG_FROM and high > 100 and top > 20 * middle:
        return Scale("value", "log2(1+x)", f"values from {low:g} to {high:g}, half of them at most {middle:g}")
    if high <= 1:
        return Scale("fraction", "as is", "")
    if high <= 30 and (base := _log_of_counts(values)):
        return Scale(f"{base}(1 + count)", "as is", f"{base}(1 + x) of whole numbers")
    return Scale("log", "as is", "") if high <= 30 and n_features >= _LOG_FROM else Scale("value", "as is", "")


def _log_of_counts(values: np.ndarray) -> str:
    """Whether most values are logarithms of 1 + a whole number that was small enough to tell; which logarithm."""
    positive = values[values > 0].astype(np.float64)[:20_000]
    for name, inverse in (("log", np.expm1), ("log2", lambda v: np.exp2(v) - 1), ("log10", lambda v: 10**v - 1)):
        with np.errstate(over="ignore"):
            counts = inverse(positive)
        told = counts[counts < 200]
        if len(told) >= 50 and len(told) > 0.3 * len(positive) and (np.abs(told - np.rint(told)) < 0.02).mean() > 0.95:
            return name
    return ""


def check_scale(cohort: Cohort, scale: Scale, stats: ColumnStats) -> list[Message]:
    """Counts, logarithms, and a logarithm where none can be taken."""
    said: list[Message] = []
    if cohort.roles.log != "as is":
        below = [cohort.names[k] for k in np.flatnonzero(stats.low < 0).tolist()]
        if below:
            text = f"log2(1 + x) can't be taken: {plural(len(below), 'feature')} hold values below 0: {some(below)}."
            said.append(Message("error", "log-of-negative", text, below[0], remedy="Take the values as they are."))
        elif scale.unit.startswith("log"):
            text = "The values look log-scaled already: a second log would flatten them."
            said.append(Message("warn", "second-log", text, remedy="Take the values as they are."))
        else:
            said.append(_log_taken(cohort.roles, scale))
    elif scale.advised != "as is":
        text = f"The values are on a linear scale ({scale.reason}) and are taken as they are."
        said.append(
            Message("warn", "linear-scale", text, remedy="Choose log2(1 + x) if they are counts or intensities.")
        )
    elif scale.reason and scale.unit.startswith("log"):
        text = f"The values look log-scaled ({scale.reason}): they are taken as they are, with no second log."
        said.append(Message("warn", "log-scale", text, remedy="Leave the scale 'as is'."))
    elif scale.unit == "log":
        said.append(Message("ok", "log-scale", "The values look log-scaled: they are taken as they are."))
    return said + _check_spread(cohort, stats)


def _log_taken(roles: Roles, scale: Scale) -> Message:
    """A logarithm, and whether the samples were scaled to one total before it."""
    text = f"log2(1 + x) is taken of all number features ({scale.reason})"
    differ = f"totals of nine in ten samples differ up to {scale.fold:.3g}-fold"
    if roles.log == "log2(1+x) per total":
        text += f", of each sample's numbers scaled to a total of {roles.total:,.0f} ({differ})."
        remedy = "Choose log2(1 + x) without it where the totals say something themselves (--scale log2)."
        return Message("warn", "log-per-total", text, remedy=remedy, option="log")
    if scale.fold <= _FOLD:
        return Message("warn", "log-taken", f"{text}.", option="log")
    remedy = "Choose log2(1 + x) per total if they only tell how deeply each was sequenced (--scale log2-per-total)."
    return Message("warn", "log-taken", f"{text}; {differ} and stay so.", remedy=remedy, option="log")


def _check_spread(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    said: list[Message] = []
    size = np.fmax(np.abs(stats.low), np.abs(stats.high))
    tiny = [cohort.names[k] for k in np.flatnonzero((size > 0) & (size < _TINY)).tolist()]
    if tiny:
        text = f"The scale of {plural(len(tiny), 'feature')} is too small to compute with (below 1e-30): {some(tiny)}."
        said.append(Message("warn", "tiny-scale", text, tiny[0], remedy="Multiply the columns by a power of ten."))
    constant = [cohort.names[k] for k in np.flatnonzero(stats.low == stats.high).tolist()]
    if constant:
        text = f"{plural(len(constant), 'feature')} constant: {some(map(shown, constant))}."
        if len(constant) == len(cohort.names) > 1 and cohort.n_samples > 1:
            text = (
                f"Nothing varies: all {plural(len(constant), 'feature')} are constant ({some(map(shown, constant))})."
            )
            said.append(Message("warn", "all-constant", text, remedy="Check that the right columns were read."))
            return said
        said.append(Message("ok", "constant-feature", text, constant[0], remedy="They say nothing and do no harm."))
    return said


def check_equal(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    """Features that repeat another one, and samples that repeat another one under their own id."""
    varying = np.flatnonzero(stats.low < stats.high)
    said: list[Message] = []
    groups = equal_columns(cohort.values, varying)
    if groups:
        count = sum(len(group) - 1 for group in groups)
        pairs = some(f"{shown(cohort.names[g[1]])} = {shown(cohort.names[g[0]])}" for g in groups)
        text = f"{plural(count, 'duplicate feature')} with the values of another one: {pairs}."
        said.append(Message("warn", "equal-features", text, cohort.names[groups[0][1]], remedy="Keep one of each."))
    groups = equal_rows(cohort.values) if len(varying) >= 5 else []
    if groups and not alike_by_chance(cohort.values, varying):
        count = sum(len(group) - 1 for group in groups)
        pairs = some(f"{cohort.row(g[1])} = {cohort.row(g[0])}" for g in groups)
        text = f"{plural(count, 'duplicate sample')} with all feature values of another one under another id: {pairs}."
        remedy = "Remove them, or choose a group column: the same patient must not be in training and test."
        said.append(Message("warn", "equal-samples", text, None, cohort.row_number(groups[0][1]), None, remedy))
    return said


def check_sentinels(cohort: Cohort, stats: ColumnStats, scale: Scale) -> list[Message]:
    """Values such as -999 far outside their column's range; zeros that stand apart in clinical tables."""
    said: list[Message] = []
    for k in np.flatnonzero(np.isin(stats.low, SENTINELS) | np.isin(stats.high, SENTINELS)).tolist():
        column = _column(cohort, k)
        for mark in (float(stats.low[k]), float(stats.high[k])):
            if mark in SENTINELS and _stands_apart(column, mark):
                said.append(_sentinel(cohort, k, mark, np.flatnonzero(column == mark).tolist()))
    if len(cohort.names) < _LOG_FROM and not scale.unit.startswith("log"):
        said += _check_zeros(cohort, stats)
    return limited(said, _LISTED_VALUES)


def _sentinel(cohort: Cohort, k: int, mark: float, samples: list[int]) -> Message:
    name, rows = cohort.names[k], some(cohort.row(i) for i in samples)
    text = f"Feature {shown(name)} holds {mark:g} far outside its other values ({rows}): it may mean missing."
    remedy = f"Add {mark:g} to the missing values if so."
    return Message("warn", "sentinel", text, name, cohort.row_number(samples[0]), f"{mark:g}", remedy)


def _check_zeros(cohort: Cohort, stats: ColumnStats) -> list[Message]:
    zeros = [cohort.names[k] for k in np.flatnonzero(stats.low == 0).tolist() if _zeros_apart(_column(cohort, k))]
    text = f"Zeros stand apart from all other values in {some(zeros)}: they may mean missing."
    return [Message("warn", "zeros-apart", text, zeros[0], value="0", remedy="Check their meaning.")] if zeros else []


def _column(cohort: Cohort, k: int) -> np.ndarray:
    column = cohort.values[:, k] if isinstance(cohort.values, np.ndarray) else cohort.values[:, [k]].toarray().ravel()
    return np.asarray(column)


def _stands_apart(column: np.ndarray, mark: float) -> bool:
    others = column[(column != mark) & ~np.isnan(column)]
    if len(others) < 3 or (column == mark).sum() > len(others):
        return False
    gap = float(np.abs(others - mark).min())
    return gap > max(2 * float(np.ptp(others)), 1.0) or (abs(mark) >= 999 and gap > float(np.ptp(others)))


def _zeros_apart(column: np.ndarray) -> bool:
    positive = np.unique(column[column > 0])
    return (
        len(positive) >= 10
        and float(positive[0]) > 3 * float(np.median(np.diff(positive)))
        and bool(positive[0] > 0.2 * np.median(positive))
    )


def scale_of(cohort: Cohort, stats: ColumnStats, kept: np.ndarray) -> Scale:
    """The scale of a cohort's number features; totals are those of the samples ``kept`` ``(n,)``."""
    scale = find_scale(sample_values(cohort.values), stats, cohort.values.shape[1])
    per_total = cohort.roles.log == "log2(1+x) per total"
    if not per_total and (scale.unit != "count" or scale.advised == "as is"):
        return scale
    totals = row_totals(cohort.values)
    totals = totals[kept & (totals > 0)]
    if not len(totals):
        return scale
    low, middle, high = np.quantile(totals, (0.05, 0.5, 0.95)).tolist()
    fold, total = high / low, 10.0 ** round(math.log10(middle))
    sequenced = fold > _FOLD and float(np.nanmax(stats.high)) > _BYTE
    return replace(scale, advised="log2(1+x) per total" if sequenced else scale.advised, fold=fold, total=total)
