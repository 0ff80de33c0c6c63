"""Which column is the id, the label, the group, and what is set aside: the program's proposal, with its reasons."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.apply import find_gene_column, flip, stem
from genomap_core.data.schema.roles import ID_STEM, Roles
from genomap_core.data.schema.words import (
    DATE_PATTERN,
    GROUP_NAMES,
    ID_NAMES,
    PHI_VALUES,
    TARGET_NAMES,
    is_phi_name,
    key,
)
from genomap_core.data.table import Table, TextColumn

_SURE_TARGETS = TARGET_NAMES[:8]
_SURE_IDS = ID_NAMES[:14]
_PHI_SHARE = 0.6


@dataclass(slots=True)
class _Draft:
    """What is decided so far. Only lives inside :func:`propose`."""

    table: Table
    aside: list[int] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)

    def free_words(self, *taken: int | None) -> list[int]:
        """Text columns that play no part yet."""
        return [at for at in sorted(self.table.texts) if at not in self.aside and at not in taken]


def propose(table: Table) -> tuple[Roles, tuple[Message, ...]]:
    """Roles for a table, and what the user should know about how they were found."""
    genes = find_gene_column(table)
    if genes is None:
        roles, said = _propose_rows(table)
        return roles, tuple(said)
    position, reason = genes
    flipped = flip(table, position)
    target, draft = None, _Draft(flipped)
    for at in draft.free_words(0):
        if key(flipped.columns[at]) in TARGET_NAMES or (target is None and _n_classes(flipped.texts[at])):
            target = flipped.title(at)
    text = f"The file has genes in rows and samples in columns ({reason}): it is turned round."
    remedy = "Choose samples in rows if this is wrong."
    said = [Message("warn", "genes-in-rows", text, table.title(position), remedy=remedy)]
    aside = tuple(table.title(at) for at in sorted(table.texts) if at != position)
    return Roles(id=table.title(position), target=target, set_aside=aside, orientation="genes_in_rows"), tuple(said)


def _propose_rows(table: Table) -> tuple[Roles, list[Message]]:
    draft = _Draft(table)
    _set_identifiers_aside(draft)
    id_at = _find_id(draft)
    target_at = _find_target(draft, id_at)
    group = _find_group(draft, id_at, target_at)
    aside = tuple(dict.fromkeys(table.title(at) for at in draft.aside))
    if table.annotations:
        _say_annotations(draft, {id_at, target_at, None if group is None else table.find(group)})
    title = {at: table.title(at) for at in (id_at, target_at) if at is not None}
    roles = Roles(
        None if id_at is None else title[id_at], None if target_at is None else title[target_at], group, aside
    )
    return roles, draft.said


def _set_identifiers_aside(draft: _Draft) -> None:
    """Columns that may identify persons, and dates."""
    table = draft.table
    for at in sorted(table.texts):
        named = is_phi_name(table.title(at)) and not _fractions(table.texts[at])
        kind = "its name says so" if named else _identifying(table.texts[at])
        if kind:
            text = f"Column {table.title(at)} may identify persons ({kind}): set aside, its values are not shown."
            remedy = "Remove the column from the file, or keep it out of exports."
            draft.said.append(Message("warn", "identifying", text, table.title(at), remedy=remedy))
            draft.aside.append(at)
        elif _share(table.texts[at], lambda word: bool(DATE_PATTERN.fullmatch(word.strip()))) > 0.8:
            text = f"Column {table.title(at)} holds dates, which may identify persons: set aside."
            draft.said.append(Message("warn", "dates", text, table.title(at), remedy="Give durations or ages instead."))
            draft.aside.append(at)
    for at in table.number_at.tolist():
        if is_phi_name(table.columns[at]) and _whole(table.number_column(at)):
            text = f"Column {table.title(at)} may identify persons (its name says so): set aside."
            draft.said.append(Message("warn", "identifying", text, table.title(at), remedy="Remove the column."))
            draft.aside.append(at)


def _fractions(column: TextColumn) -> bool:
    """Measurements under a name such as DOB, which is also a gene."""
    return _share(column, lambda word: "." in word and word.replace(".", "", 1).lstrip("+-").isdecimal()) > 0.5


def _identifying(column: TextColumn) -> str:
    for kind, pattern in PHI_VALUES.items():
        if column.words and _share(column, lambda word, p=pattern: bool(p.fullmatch(word.strip()))) > _PHI_SHARE:
            return f"it holds what looks like {kind}"
    return ""


def _share(column: TextColumn, test: object) -> float:
    words = column.words[:: max(1, len(column.words) // 1000)]
    return sum(test(word) for word in words) / len(words) if words else 0.0  # type: ignore[operator]


def _whole(values: np.ndarray) -> bool:
    present = values[~np.isnan(values)]
    return bool(len(present)) and bool((present == np.rint(present)).all())


def _find_id(draft: _Draft) -> int | None:
    table = draft.table
    for at in draft.free_words():
        if (
            at == 0
            and _is_counter(table.texts[at])
            and (not table.columns[0] or key(table.columns[0]) in ("index", "unnamed0"))
        ):
            draft.aside.append(at)
            text = "The first column only counts the rows (the index of a data frame): it is left out."
            draft.said.append(Message("warn", "index-column", text, table.title(at), remedy="Save without the index."))
    names = {key(table.columns[at]): at for at in reversed(draft.free_words())}
    for name in ID_NAMES:
        if name in names and (_distinct(table.texts[names[name]]) > (0.5 if name in _SURE_IDS else 0.98)):
            return names[name]
    first = draft.free_words()[:1]
    if first and _distinct(table.texts[first[0]]) > 0.9 and not _reads_as_numbers(table.texts[first[0]]):
        return first[0]
    return None


def _find_target(draft: _Draft, id_at: int | None) -> int | None:
    table, free = draft.table, draft.free_words(id_at)
    names = {key(table.columns[at]): at for at in reversed(free)}
    for name in TARGET_NAMES:
        if name in names and (name in _SURE_TARGETS or _n_classes(table.texts[names[name]])):
            return names[name]
    candidates = [at for at in free if _n_classes(table.texts[at]) and key(table.columns[at]) not in GROUP_NAMES]
    listed = some(table.title(at) for at in candidates)
    guess = candidates[-1] if candidates and (len(candidates) == 1 or candidates[-1] == table.n_columns - 1) else None
    if guess is not None:
        text = f"Column {table.title(guess)} is taken for the label: it holds {len(table.texts[guess].words)} words."
        draft.said.append(
            Message("warn", "label-guessed", text, table.title(guess), remedy="Choose another, or none, if wrong.")
        )
    elif candidates:
        text = f"No column is named like a label; these could be one: {listed}."
        draft.said.append(
            Message("warn", "label-unclear", text, table.title(candidates[0]), remedy="Choose the label column.")
        )
    return guess


def _find_group(draft: _Draft, id_at: int | None, target_at: int | None) -> str | None:
    table = draft.table
    names = {key(table.columns[at]): at for at in reversed(draft.free_words(id_at, target_at))}
    for name in GROUP_NAMES:
        if name in names and 1 < len(table.texts[names[name]].words) < 0.98 * table.n_rows:
            title = table.title(names[name])
            count = len(table.texts[names[name]].words)
            text = f"Rows with the same {title} stay together in every split ({count} groups)."
            draft.said.append(Message("ok", "group", text, title))
            return title
    if id_at is not None and (count := _repeats(table.texts[id_at])):
        text = f"The ids look like repeats of {count} subjects (an id, then a number): these stay together in splits."
        draft.said.append(
            Message("warn", "group-by-id", text, table.title(id_at), remedy="Choose no group if they are not.")
        )
        return ID_STEM
    return None


def _repeats(ids: TextColumn) -> int:
    """How many stems the ids have, when (nearly) all stems have rows numbered 1, 2, ... or 0, 1, ...; else 0."""
    endings: dict[str, list[str]] = defaultdict(list)
    for word in ids.words:
        endings[stem(word)].append(word[len(stem(word)) + 1 :])
    if not 5 <= len(endings) <= 0.5 * len(ids.words):
        return 0
    numbered = sum(_numbered(sorted(ends)) for ends in endings.values())
    return len(endings) if numbered > 0.8 * len(endings) else 0


def _numbered(endings: list[str]) -> bool:
    numbers = sorted(int(end) for end in endings if end.isdecimal())
    return len(numbers) == len(endings) > 1 and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _say_annotations(draft: _Draft, used: set[int | None]) -> None:
    table = draft.table
    unused = [table.title(at) for at in sorted(table.annotations) if at not in used and at not in draft.aside]
    if unused:
        text = f"{plural(len(unused), 'column')} that describe samples not used as features: {some(unused)}."
        draft.said.append(Message("ok", "annotations", text))


def _n_classes(column: TextColumn) -> int:
    """The number of classes when the column could be a label: 2 to 30 words, each in three rows or more on average."""
    n = int((column.codes >= 0).sum())
    return len(column.words) if 2 <= len(column.words) <= min(30, max(2, n // 3)) else 0


def _is_counter(column: TextColumn) -> bool:
    values = column.values()
    return len(values) > 0 and (
        values == [str(i) for i in range(len(values))] or values == [str(i + 1) for i in range(len(values))]
    )


def _distinct(column: TextColumn) -> float:
    return len(column.words) / max(int((column.codes >= 0).sum()), 1)


def _reads_as_numbers(column: TextColumn) -> bool:
    kinds = Counter(word.strip().replace(".", "", 1).lstrip("+-").isdecimal() for word in column.words[:200])
    return kinds[True] > kinds[False]
