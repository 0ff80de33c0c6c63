"""Columns read as words that hold numbers in a notation of their own: read them, or say what can't be told."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from genomap_core.data.message import Message, shown
from genomap_core.data.schema.nomenclature import is_gene_among_genes
from genomap_core.data.schema.notation import Written, read_words
from genomap_core.data.schema.recipe import Recipe
from genomap_core.data.schema.words import (
    DATE_PATTERN,
    ID_NAMES,
    PHI_VALUES,
    TARGET_NAMES,
    is_phi_name,
    is_role_name,
    key,
)
from genomap_core.data.table import OddCell, Table, TextColumn

_SEEN = 2000


@dataclass(frozen=True, eq=False, slots=True)
class _Numbers:
    """A column that turned out to hold numbers: ``(r,)`` float32 and its odd cells."""

    values: np.ndarray
    odd: tuple[OddCell, ...]


def settle_numbers(table: Table, recipe: Recipe, decimal: str = "") -> Table:
    """The table with number columns instead of words that are numbers; ``decimal``: the sign that the file proves.

    A column that can't be told is an error among the messages; it stays as it was.
    """
    said: list[Message] = []
    made: dict[int, _Numbers] = {}
    wish = recipe.decimal or decimal
    for at, column in sorted(table.texts.items()):
        written = _written(table, at, column, wish, recipe)
        if written is None:
            continue
        if written.problem:
            said.append(_problem(table, at, column, written))
            continue
        made[at] = _numbers(at, column, written)
        said += messages_on_rounding(table.title(at), np.array(written.values, np.float64))
        said += _on_notation(table, at, column, written)
    if recipe.thousands:  # a few such cells among plain ones are errors, each with its row, until the user says so
        table = _mended(table, recipe, wish, said)
    if made:
        table = _with_numbers(table, made)
    return replace(table, messages=(*table.messages, *said))


def _written(table: Table, at: int, column: TextColumn, decimal: str, recipe: Recipe) -> Written | None:
    """The column as numbers; None where it stays text."""
    if not column.words or not _may_be_numbers(column) or at in table.annotations:
        return None
    written = read_words(column.words, column.counts(), decimal, recipe.thousands)
    if written is None or written.problem:
        return None if at == 0 or is_role_name(table.columns[at]) else written
    return written if _is_measured(table, at, column, written) else None


def _may_be_numbers(column: TextColumn) -> bool:
    """A look at some of the words: most begin like a number, and they are no dates and no telephone numbers."""
    words = [word.strip() for word in column.words[:: max(1, len(column.words) // 200)]]
    if 2 * sum(any(c.isdigit() for c in word[:3]) for word in words) < len(words):
        return False
    patterns = (DATE_PATTERN, *PHI_VALUES.values())
    return not any(sum(bool(p.fullmatch(word)) for word in words) > 0.6 * len(words) for p in patterns)


def _is_measured(table: Table, at: int, column: TextColumn, written: Written) -> bool:
    """Whether numbers in a column that was kept as text are values rather than names, codes or labels.

    Numbers with fractions are values wherever they stand. Whole ones are names in the first column, in columns named
    like an id, label or group and where they are written as no program writes numbers (leading zeros).
    """
    title = table.columns[at]
    if is_phi_name(title):
        return _is_gene_like(table, at, written)
    values = np.array([v for v in written.values if not np.isnan(v)])
    whole = bool(len(values)) and bool((values == np.rint(values)).all())
    first = at == 0
    if first and (written.odd or (whole and not written.notation.unit)):
        return False
    if not is_role_name(title):
        return not (whole and any(len(w) > 2 and w[0] == "0" and w.isdigit() for w in column.words[:_SEEN])) and not (
            whole and any(w.isdigit() and len(w) > 15 for w in column.words[:_SEEN])
        )
    if written.odd:
        return False
    if key(title) in TARGET_NAMES and not _is_gene_among_others(table, at, written):
        return False
    if not whole:
        few = len(column.words) <= max(2, 0.1 * len(column))
        return not few and (key(title) not in ID_NAMES or len(column.words) < len(column) or not first)
    return _is_gene_like(table, at, written)


def _is_gene_among_others(table: Table, at: int, written: Written) -> bool:
    """Whether numbers under a label's name are a gene's: ``y`` of the fly, or capitals among capitals (TARGET)."""
    title, others = table.columns[at], [name for name in table.columns if len(name) > 1]
    capitals = title.isupper() and len(others) >= 12 and sum(name.isupper() for name in others) > 0.8 * len(others)
    return (key(title) == "y" or capitals) and _is_gene_like(table, at, written)


def _is_gene_like(table: Table, at: int, written: Written) -> bool:
    """Among many number columns, away from the edges where ids and labels stand, or named like a gene among genes, with
    values of their size: a gene."""
    values = np.abs([v for v in written.values if not np.isnan(v)])
    named = is_gene_among_genes(table.columns, table.columns[at])
    if len(values) and not written.odd and float((values != np.rint(values)).mean()) > 0.5:
        return named or len(table.number_at) >= 5  # no number that identifies a person has decimals
    many = len(table.number_at) >= 30 and 3 <= at < table.n_columns - 2
    if not (many or named) or written.odd or not len(values):
        return False
    around = table.numbers[:200, :200]
    around = around if isinstance(around, np.ndarray) else around.toarray()
    if not np.isfinite(around).any():
        return named
    return float(values.max()) <= 10 * max(float(np.nanquantile(np.abs(around), 0.999)), 1.0)


def _numbers(at: int, column: TextColumn, written: Written) -> _Numbers:
    with np.errstate(over="ignore"):
        lookup = np.append(np.array(written.values, np.float64), np.nan).astype(np.float32)
    values = lookup[column.codes]
    beyond = {k for k, value in enumerate(lookup[:-1].tolist()) if np.isinf(value)}
    odd = np.flatnonzero(np.isin(column.codes, list({*written.odd, *beyond})))
    cells = tuple(OddCell(int(row), at, column.words[column.codes[row]]) for row in odd.tolist())
    values[np.isinf(values)] = np.nan
    return _Numbers(values, cells)


def messages_on_grouped(table: Table) -> list[Message]:
    """On columns of bare whole numbers beside numbers with exactly three decimals: points may group thousands.

    Only for files of which no other cell proves a decimal point. Decimals of free length leave one number in a
    thousand bare, those of fixed length none. Between semicolons, which stand where a comma marks decimals, a column of
    nothing but such numbers from 1 on is as doubtful.
    """
    if not table.n_rows or not isinstance(table.numbers, np.ndarray):
        return []
    step = max(1, table.numbers.size // 2_000_000)
    X = table.numbers[::step].astype(np.float64)
    with np.errstate(invalid="ignore"):
        size, fraction = np.abs(X), np.rint(X) != X
        fraction &= ~np.isnan(X)
        thousandths = fraction & (size >= 1) & (size < 1000) & (np.abs(X * 1000 - np.rint(X * 1000)) < 0.1)
    if (fraction & ~thousandths).any() or not thousandths.any():
        return []
    bare = (~fraction & ~np.isnan(X)).sum(axis=0)
    mostly_whole = X.shape[1] >= 12 and float((~fraction.any(axis=0)).mean()) > 0.8
    beside = (bare >= 0.02 * len(X)) & (bare > 0)
    if table.source.delimiter == ";":
        with np.errstate(invalid="ignore"):
            beside |= (thousandths | np.isnan(X)).all(axis=0)
    found = np.flatnonzero(thousandths.any(axis=0) & (beside | mostly_whole))
    if not len(found):
        return []
    k = int(found[0])
    row = int(np.flatnonzero(thousandths[:, k])[0]) * step
    title = table.title(int(table.number_at[k]))
    word = f"{table.numbers[row, k]:.3f}"
    more = f", and {len(found) - 1:,} more columns" if len(found) > 1 else ""
    text = (
        f"Column {shown(title)}{more}: the number {word!r} (row {table.rows[row]}) may have a decimal point or group "
    )
    text += "thousands" + (", as whole numbers stand beside it." if bare[k] else ": nothing in the file tells which.")
    remedy = "Say which: --decimal . or --thousands ."
    return [Message("error", "ambiguous-number", text, title, int(table.rows[row]), word, remedy, "thousands")]


def messages_on_rounding(title: str, values: np.ndarray) -> list[Message]:
    """On numbers that differ and become equal in float32, which has 24 bits: whole numbers beyond 2^24."""
    values = np.unique(values[~np.isnan(values)])
    with np.errstate(over="ignore"):
        kept = len(np.unique(values.astype(np.float32)))
    if kept == len(values) or np.abs(values).max() < 2**24:
        return []
    text = f"Column {shown(title)} holds {len(values):,} different numbers beyond 16,777,216; rounded to 24 bits, "
    text += f"{kept:,} remain."
    remedy = "Subtract a constant in the file, or set the column aside if it is an id."
    return [Message("warn", "rounded-numbers", text, title, remedy=remedy)]


def _with_numbers(table: Table, made: dict[int, _Numbers]) -> Table:
    number_at = np.array(sorted({*table.number_at.tolist(), *made}), np.int64)
    numbers = np.empty((table.n_rows, len(number_at)), np.float32)
    new = np.isin(number_at, list(made))
    numbers[:, ~new] = table.numbers
    for k in np.flatnonzero(new).tolist():
        numbers[:, k] = made[int(number_at[k])].values
    odd = sorted(
        [*table.odd, *(cell for column in made.values() for cell in column.odd)], key=lambda c: (c.row, c.position)
    )
    texts = {at: column for at, column in table.texts.items() if at not in made}
    return replace(table, numbers=numbers, number_at=number_at, texts=texts, odd=tuple(odd))


def _mended(table: Table, recipe: Recipe, decimal: str, said: list[Message]) -> Table:
    """Odd cells of number columns that are numbers in the notation which the column proves, read as such."""
    by_column: dict[int, list[OddCell]] = {}
    for cell in table.odd:
        by_column.setdefault(cell.position, []).append(cell)
    values: dict[tuple[int, int], float] = {}
    for at, cells in list(by_column.items())[:_SEEN]:
        column = table.number_column(at)
        fraction = column[~np.isnan(column)]
        proven = (decimal or ".",) if bool((fraction != np.rint(fraction)).any()) else ()
        words = TextColumn.of(cell.text for cell in cells)
        written = read_words(words.words, words.counts(), decimal, recipe.thousands, proven)
        if written is None or written.problem or written.notation.unit or written.odd:
            continue
        read = [written.values[code] for code in words.codes.tolist()]
        if written.plain or not all(np.abs(read) < 3e38):
            continue
        values |= {(cell.row, at): value for cell, value in zip(cells, read)}
        said += _on_notation(table, at, words, written)
    if not values:
        return table
    numbers = table.numbers.copy()
    for (row, at), value in values.items():
        numbers[row, int(np.searchsorted(table.number_at, at))] = value
    kept = tuple(cell for cell in table.odd if (cell.row, cell.position) not in values)
    return replace(table, numbers=numbers, odd=kept)


def _on_notation(table: Table, at: int, column: TextColumn, written: Written) -> list[Message]:
    """What a reader of the column should know."""
    title, notation = shown(table.title(at)), written.notation
    if written.plain:
        return []
    example = max(range(len(written.values)), key=lambda k: (not np.isnan(written.values[k]), len(column.words[k])))
    how = [f"{notation.unit!r} behind the numbers"] * bool(notation.unit)
    how += [f"{notation.thousands!r} groups thousands"] * bool(notation.thousands)
    how += [f"decimal sign {notation.decimal!r}"] * (not how or notation.decimal == ",")
    said = _on_percent(table, at, column, written) if notation.unit == "%" else []
    text = f"Column {title}: the number {shown(column.words[example])!r} is read as {written.values[example]:.9g}"
    remedy = "Give the decimal and thousands sign (--decimal, --thousands) if this is wrong."
    found = Message("warn", "number-notation", f"{text} ({', '.join(how)}).", title, remedy=remedy)
    return [found, *said]


def _on_percent(table: Table, at: int, column: TextColumn, written: Written) -> list[Message]:
    """On percentages outside 0 to 100 where hardly any are."""
    beyond = [k for k, value in enumerate(written.values) if value < 0 or value > 100]
    if not beyond or len(beyond) > 0.2 * len(written.values):
        return []
    word = column.words[beyond[0]]
    row = _row(table, column, word)
    text = f"Column {shown(table.title(at))} holds {shown(word)!r} (row {row}): a percentage outside 0 to 100."
    return [Message("warn", "impossible-value", text, table.title(at), row, shown(word), "Correct it in the file.")]


def _problem(table: Table, at: int, column: TextColumn, written: Written) -> Message:
    title = shown(table.title(at))
    places = [f"{shown(word)!r} (row {_row(table, column, word)})" for word in written.examples]
    if written.problem == "ambiguous":
        text = f"Column {title}: the number {places[0]} may have a decimal sign or group thousands."
        remedy = "Say which: --decimal or --thousands, or write it without."
        return _message(table, at, column, written, "ambiguous-number", text, remedy)
    if written.problem == "units":
        text = f"Column {title} has numbers with different units or signs: {' and '.join(places)}."
        remedy = "Convert them to one unit, and put it into the column's name."
        return _message(table, at, column, written, "units", text, remedy)
    text = f"Column {title} has numbers in two notations (comma and point): {' and '.join(places)}."
    return _message(table, at, column, written, "mixed-notation", text, "Write all its numbers with one decimal sign.")


def _message(table: Table, at: int, column: TextColumn, written: Written, code: str, text: str, remedy: str) -> Message:
    word = written.examples[0]
    option = "thousands" if code == "ambiguous-number" else ""
    return Message("error", code, text, table.title(at), _row(table, column, word), shown(word), remedy, option)


def _row(table: Table, column: TextColumn, word: str) -> int:
    if word not in column.words:
        return 0
    return int(table.rows[np.flatnonzero(column.codes == column.words.index(word))[0]])
