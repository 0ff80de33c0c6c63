"""Which column is the id, the label, the group, and what is set aside: the program's proposal, with its reasons."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

import numpy as np

from genomap_core.data.message import Message, plural, some
from genomap_core.data.schema.apply import flip, stem
from genomap_core.data.schema.beside import (
    FEATURES_FROM,
    beside_features,
    main_measure,
    measures,
    one_hot,
    sorts,
    unlike_others,
)
from genomap_core.data.schema.nomenclature import (
    SUMMARY_ROW,
    feature_share,
    is_annotation,
    is_gene_among_genes,
)
from genomap_core.data.schema.orientation import Verdict, judge_orientation
from genomap_core.data.schema.roles import ID_STEM, Orientation, Roles
from genomap_core.data.schema.shape import no_samples
from genomap_core.data.schema.statistics import summary_rows
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
_NAMED, DATES = "its name says so", "it holds dates"

ASK_ORIENTATION = "ambiguous-orientation"
"""Code of the question whether rows are samples or genes."""


@dataclass(slots=True)
class _Draft:
    """What is decided so far. Only lives inside :func:`propose`."""

    table: Table
    aside: list[int] = field(default_factory=list)
    said: list[Message] = field(default_factory=list)

    def free_words(self, *taken: int | None) -> list[int]:
        """Text columns that play no part yet."""
        return [at for at in sorted(self.table.texts) if at not in self.aside and at not in taken]


def propose(table: Table, orientation: Orientation | None = None) -> tuple[Roles, tuple[Message, ...]]:
    """Roles for a table, and what the user should know about how they were found; ``orientation``: the user's word."""
    if orientation == "samples_in_rows" or table.annotations or table.source.kind in ("h5ad", "anndata"):
        roles, said = _propose_rows(table)
        return roles, (*said, *_turned_object(table))
    verdict = judge_orientation(table)
    if refused := no_samples(table, verdict.position):
        roles, said = _propose_rows(table)
        return roles, (*said, refused)
    if orientation is not None and verdict.position is not None:
        return _propose_turned(table, verdict.position, "as you say")
    if not verdict.turned or verdict.position is None:
        roles, said = _propose_rows(table)
        return roles, tuple(said) + _ask_orientation(verdict)
    return _propose_turned(table, verdict.position, verdict.reason)


def _turned_object(table: Table) -> tuple[Message, ...]:
    """On an AnnData whose observations are genes."""
    if table.source.kind not in ("h5ad", "anndata"):
        return ()
    samples = table.text_column(0).words
    genes = [table.columns[at] for at in table.number_at[:500].tolist()]
    if feature_share(samples) < 0.5 or feature_share(genes) > 0.2:
        return ()
    text = "Observations (obs) are named like genes, variables (var) are not: genes may be in rows."
    return (Message("warn", "object-turned", text, remedy="If so, transpose it (adata.T) and save it again."),)


def _ask_orientation(verdict: Verdict) -> tuple[Message, ...]:
    if not verdict.doubtful:
        return ()
    text = f"Rows may be samples or genes: {verdict.reason or 'names and values tell neither'}."
    remedy = "Say whether genes are in rows (--orientation samples_in_rows or genes_in_rows)."
    return (Message("error", ASK_ORIENTATION, text, remedy=remedy, option="orientation"),)


def _propose_turned(table: Table, position: int, reason: str) -> tuple[Roles, tuple[Message, ...]]:
    text = f"The file has genes in rows and samples in columns ({reason}): it is turned round."
    remedy = "Choose samples in rows if this is wrong."
    said = [Message("warn", "genes-in-rows", text, table.title(position), remedy=remedy, option="orientation")]
    describing = _describing(table, position, said)
    flipped = flip(table, position, describing)
    draft = _Draft(flipped)
    aside = [table.title(at) for at in sorted({*table.texts, *describing}) if at != position]
    counters = [flipped.title(at) for at in flipped.number_at.tolist() if SUMMARY_ROW.fullmatch(flipped.columns[at])]
    if counters:
        listed = some(counters, 6)
        what = "counts what fell on no gene" if len(counters) == 1 else "count what fell on no gene"
        said.append(Message("warn", "summary-rows", f"Rows {listed} {what}: left out.", remedy="Use them if wrong."))
    left_out = [at for name in counters if (at := flipped.find(name)) is not None]
    target_at = _set_strangers_aside(draft, _target_row(draft), 0, *left_out)
    group = _find_group(draft, 0, target_at)
    strangers = [flipped.title(at) for at in draft.aside]
    roles = Roles(
        id=table.title(position),
        target=None if target_at is None else flipped.title(target_at),
        group=group,
        set_aside=tuple(dict.fromkeys((*aside, *counters, *strangers))),
        orientation="genes_in_rows",
    )
    return roles, (*said, *draft.said)


def _target_row(draft: _Draft) -> int | None:
    """The row with the classes: of words, or of a few whole numbers under a label's name above the genes."""
    flipped, found = draft.table, None
    for at in draft.free_words(0):
        if key(flipped.columns[at]) in TARGET_NAMES or (found is None and _n_classes(flipped.texts[at])):
            found = at
    if found is not None:
        if key(flipped.columns[found]) not in TARGET_NAMES:
            _say_label(draft, found, "is taken for the label")
        return found
    for at in flipped.number_at[:10].tolist():
        values = flipped.number_column(at)
        few = len(np.unique(values)) <= min(10, len(values) // 2) and bool((values == np.rint(values)).all())
        if few and key(flipped.columns[at]) in TARGET_NAMES[:-3]:
            _say_label(draft, at, "above the genes is taken for the label: it holds a few whole numbers")
            return at
    return None


def _say_label(draft: _Draft, at: int, why: str) -> None:
    """Say that a column (with genes in rows: a row) is proposed as the label without being named like one."""
    noun, title = "Row" if draft.table.flipped else "Column", draft.table.title(at)
    remedy = "Choose another, or none, if wrong."
    draft.said.append(Message("warn", "label-guessed", f"{noun} {title} {why}.", title, remedy=remedy, option="target"))


def _describing(table: Table, position: int, said: list[Message]) -> list[int]:
    """Number columns beside the genes that are no samples: by their names, by values unlike all the others', and all
    but one of several measures of each sample."""
    numbers = [j for j in table.number_at.tolist() if j != position]
    named = [j for j in numbers if is_annotation(table.columns[j])]
    if len(named) == len(numbers):
        return []
    others = [j for j in numbers if j not in named]
    if kinds := measures(table, others):
        kept = main_measure(list(kinds))
        beside = [j for kind, at in kinds.items() if kind != kept for j in at]
        text = f"Every sample has {len(kinds)} measures ({some(kinds, 8)}): {kept} is read, the others are left out."
        remedy = "Set aside other columns to read another one."
        said.append(Message("warn", "measures", text, table.title(kinds[kept][0]), remedy=remedy, option="set_aside"))
        return sorted((*named, *beside))
    unlike = unlike_others(table, others)
    if not named and not unlike:
        return []
    text = f"{plural(len(named) + len(unlike), 'column')} beside the samples that describe genes left out: "
    text += f"{some([table.title(j) for j in sorted((*named, *unlike))], 10)}."
    remedy = "Use them if they are samples." if not unlike else f"Check {some([table.title(j) for j in unlike])}."
    said.append(Message("warn", "gene-columns", text, table.title((named + unlike)[0]), remedy=remedy))
    return sorted((*named, *unlike))


def _set_strangers_aside(draft: _Draft, target_at: int | None, *taken: int | None) -> int | None:
    """What stands beside many features and is none: the label where none is known and only one column or row can be
    it; all else set aside."""
    table = draft.table
    found = beside_features(table)
    noun = "Row" if table.flipped else "Column"
    free = [at for at in found.sorting if at not in taken and at not in draft.aside]
    if target_at is None and len(free) == 1 and not draft.free_words(*taken):
        target_at = free[0]
        _say_label(
            draft, target_at, "is taken for the label: it holds a few whole numbers, unlike the features beside it"
        )
    pieces = [at for stem, at in one_hot(table).items() if key(stem) in TARGET_NAMES]
    for at in pieces:
        titles = [table.title(j) for j in at]
        text = f"{noun}s {some(titles)} hold one label in pieces of 0 and 1: set aside."
        remedy = "Write it as one column of words, and choose that as the label."
        draft.said.append(Message("warn", "label-in-pieces", text, titles[0], remedy=remedy, option="target"))
    known = {target_at, *taken, *draft.aside, *(j for at in pieces for j in at)}
    unlike = [at for at in found.unlike if at not in known]
    draft.aside += [*unlike, *(j for at in pieces for j in at)]
    if unlike:
        titles = [table.title(at) for at in unlike]
        text = f"{noun}{'s' * (len(unlike) > 1)} {some(titles)}: names and values unlike those of the features beside "
        text += "them, so they are set aside." if len(unlike) > 1 else "it, so it is set aside."
        remedy = "Take them among the features again if they are, or choose the label or group among them."
        draft.said.append(Message("warn", "unlike-features", text, titles[0], remedy=remedy, option="set_aside"))
    if named := [table.title(at) for at in found.named if at not in known and at not in found.unlike]:
        text = f"{noun}{'s' * (len(named) > 1)} {some(named)}: named unlike the other features, and used as features."
        draft.said.append(Message("warn", "named-unlike", text, named[0], remedy="Set aside what is none."))
    return target_at


def _propose_rows(table: Table) -> tuple[Roles, list[Message]]:
    draft = _Draft(table)
    _set_identifiers_aside(draft)
    id_at = _find_id(draft)
    target_at = _find_target(draft, id_at)
    group = _find_group(draft, id_at, target_at)
    if not table.annotations:
        target_at = _set_strangers_aside(draft, target_at, id_at, None if group is None else table.find(group))
    aside = tuple(dict.fromkeys(table.title(at) for at in draft.aside))
    without = _summaries(draft, id_at)
    if table.annotations:
        _say_annotations(draft, {id_at, target_at, None if group is None else table.find(group)})
    title = {at: table.title(at) for at in (id_at, target_at) if at is not None}
    roles = Roles(
        None if id_at is None else title[id_at],
        None if target_at is None else title[target_at],
        group,
        aside,
        without=without,
    )
    return roles, draft.said


def _set_identifiers_aside(draft: _Draft) -> None:
    """Columns that may identify persons, and dates."""
    table = draft.table
    for at in (*sorted(table.texts), *table.number_at.tolist()):
        title, kind = table.title(at), may_identify(table, at)
        if not kind:
            continue
        if kind == DATES:
            text = f"Column {title} holds dates, which may identify persons: set aside."
            said = Message("warn", "dates", text, title, remedy="Give durations or ages instead.")
        elif at in table.texts:
            text = f"Column {title} may identify persons ({kind}): set aside, its values are not shown."
            remedy = "Remove the column from the file, or keep it out of exports."
            said = Message("warn", "identifying", text, title, remedy=remedy)
        else:
            text = f"Column {title} may identify persons ({kind}): set aside."
            said = Message("warn", "identifying", text, title, remedy="Remove the column.")
        draft.said.append(said)
        draft.aside.append(at)


def may_identify(table: Table, at: int) -> str:
    """Why a column may identify persons, in words; "" where nothing says so."""
    if at in table.texts:
        if is_phi_name(table.title(at)) and not _fractions(table.texts[at]):
            return _NAMED
        dates = _share(table.texts[at], lambda word: bool(DATE_PATTERN.fullmatch(word.strip()))) > 0.8
        return _identifying(table.texts[at]) or (DATES if dates else "")
    name = table.columns[at]
    if is_phi_name(name) and _whole(table.number_column(at)) and not is_gene_among_genes(table.columns, name):
        return _NAMED
    return ""


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
    if (numbered := _numbered_ids(draft)) is not None:
        return numbered
    first = draft.free_words()[:1]
    if first and _distinct(table.texts[first[0]]) > 0.9 and not _reads_as_numbers(table.texts[first[0]]):
        return first[0]
    return None


def _numbered_ids(draft: _Draft) -> int | None:
    """The first column, where its whole numbers never repeat and rise, or where it has no title or that of a number."""
    table = draft.table
    if table.n_rows < 8 or 0 in draft.aside or 0 in table.annotations or not table.n_columns:
        return None
    words = table.text_column(0).values()
    if not all(word and word.strip().isdecimal() for word in words):
        return None
    values = [int(word or "") for word in words]
    titled = not table.columns[0] or set(re.split(r"[^a-z0-9]+", table.columns[0].casefold())) & _NUMBERS
    if len(set(values)) < len(values) or not (titled or values == sorted(values)):
        return None
    text = f"Column {table.title(0)} numbers the samples: its whole numbers never repeat. It is taken for their ids."
    remedy = "Choose another id, or none, if it is a measurement."
    draft.said.append(Message("warn", "numbered-ids", text, table.title(0), remedy=remedy, option="id"))
    return 0


_NUMBERS = frozenset({"id", "no", "nr", "num", "number", "nummer", "numero", "code", "key", "index", "eid", "uid"})


def _find_target(draft: _Draft, id_at: int | None) -> int | None:
    table, free = draft.table, draft.free_words(id_at)
    names = {key(table.columns[at]): at for at in reversed(free)}
    for name in TARGET_NAMES:
        if name in names and (name in _SURE_TARGETS or _n_classes(table.texts[names[name]])):
            return names[name]
    candidates = [at for at in free if _n_classes(table.texts[at]) and key(table.columns[at]) not in GROUP_NAMES]
    if not candidates and (numbers := _sorting_numbers(draft, id_at)):
        title, listed = table.title(numbers[-1]), some(map(table.title, numbers))
        text = f"No column is named like a label; these could be one, and are features now: {listed}."
        remedy = "Choose the label column (--target), or leave it so."
        draft.said.append(Message("warn", "label-unclear", text, title, remedy=remedy, option="target"))
    listed = some(table.title(at) for at in candidates)
    guess = candidates[-1] if candidates and (len(candidates) == 1 or candidates[-1] == table.n_columns - 1) else None
    if guess is not None:
        _say_label(draft, guess, f"is taken for the label: it holds {len(table.texts[guess].words)} words")
    elif candidates:
        text = f"No column is named like a label; these could be one: {listed}."
        draft.said.append(
            Message("warn", "label-unclear", text, table.title(candidates[0]), remedy="Choose the label column.")
        )
    return guess


def _sorting_numbers(draft: _Draft, id_at: int | None) -> list[int]:
    """Number columns of a small table that could be a label: few whole numbers, where most columns hold many."""
    table = draft.table
    numbers = [at for at in table.number_at.tolist() if at not in draft.aside and at != id_at]
    if table.annotations or not 2 <= len(numbers) < FEATURES_FROM or table.n_rows < 8:
        return []
    found = [at for at in numbers if sorts(table.number_column(at))]
    return found if len(found) <= max(1, 0.3 * len(numbers)) else []


def _find_group(draft: _Draft, id_at: int | None, target_at: int | None) -> str | None:
    table = draft.table
    names = {key(table.columns[at]): at for at in reversed(draft.free_words(id_at, target_at))}
    for name in GROUP_NAMES:
        if name in names and 1 < len(table.texts[names[name]].words) < 0.98 * table.n_rows:
            column = table.texts[names[name]]
            if target_at is not None and _same_partition(column, table.text_column(target_at)):
                continue  # the classes once more: no fold could be made
            title = table.title(names[name])
            count = len(table.texts[names[name]].words)
            text = f"Rows with the same {title} stay together in every split ({count} groups)."
            draft.said.append(Message("ok", "group", text, title))
            return title
    target = None if target_at is None else table.text_column(target_at)
    if (at := _numbered_subjects(draft, target_at, id_at)) is not None:
        title, count = table.title(at), len(table.text_column(at).words)
        text = f"Column {title} numbers {count} subjects, most with several rows: these stay together in every split."
        remedy = "Choose no group if it is a measurement."
        draft.said.append(Message("warn", "group-by-number", text, title, remedy=remedy, option="group"))
        return title
    if id_at is not None and (count := _repeats(table.text_column(id_at), target)):
        text = f"The ids look like repeats of {count} subjects: these stay together in every split."
        draft.said.append(
            Message(
                "warn",
                "group-by-id",
                text,
                table.title(id_at),
                remedy="Choose no group if they are not.",
                option="group",
            )
        )
        return ID_STEM
    if id_at is not None and (pairs := _prefixed(table.text_column(id_at))):
        text = f"The ids look like repeats of {pairs} subjects, told apart by what stands before their names."
        remedy = "If they are, give the subjects as a column of their own and choose it as group."
        draft.said.append(Message("warn", "repeats-in-front", text, table.title(id_at), remedy=remedy))
    return None


_SUBJECT = re.compile(
    r"(patient|pat|subject|subj|donor|participant|proband|person|individual|record|animal|mouse|maus|tier|family|pair|"
    r"paciente|paziente|sujet|sujeto|fall|case|twin)(en|s)?(id|ids|no|nr|num|number|nummer|numero|code|key|index)"
)


def _numbered_subjects(draft: _Draft, *taken: int | None) -> int | None:
    """A column of numbers named like a number of subjects (``Patient No.``, ``record_id``) whose values return."""
    table = draft.table
    for at in (*sorted(table.texts), *table.number_at[:200].tolist()) if not table.annotations else ():
        if at in taken or at in draft.aside or not _SUBJECT.fullmatch(key(table.columns[at])):
            continue
        column = table.text_column(at)
        if all(word.strip().isdecimal() for word in column.words) and 3 <= len(column.words) <= 0.75 * len(column):
            return at
    return None


def _prefixed(ids: TextColumn) -> int:
    """How many subjects there are when a few words stand before their codes: ``pre_P01``, ``post_P01``."""
    parts = [re.split(r"[-_. ]", word, maxsplit=1) for word in ids.words]
    if any(len(part) < 2 for part in parts):
        return 0
    subjects = Counter(rest for _, rest in parts)
    counted = all(rest.isdecimal() for rest in subjects) and {int(rest) for rest in subjects} >= {1, 2, 3}
    coded = all(re.search(r"\d", rest) for rest in subjects) and not counted
    twice = sum(count > 1 for count in subjects.values())
    few = 2 <= len({prefix for prefix, _ in parts}) <= _REPEATS_AT_MOST
    return len(subjects) if coded and few and len(subjects) >= 3 and twice > 0.8 * len(subjects) else 0


_REPEATS_AT_MOST = 8


def _repeats(ids: TextColumn, target: TextColumn | None) -> int:
    """How many stems the ids have when the rows of one stem look like repeats of one subject; else 0.

    Repeats are numbered 1, 2, ... or 0, 1, ... within (nearly) all stems, or their endings (``rep1``, ``pre``, ``V2``,
    ``01A``) are few and each stands behind many stems. Stems that are the classes under another name are none.
    """
    endings: dict[str, list[str]] = defaultdict(list)
    for word in ids.words:
        endings[stem(word)].append(word[len(stem(word)) :].lstrip("_-. "))
    rows, stems = len(ids.words), len(endings)
    if not 3 <= stems <= 0.75 * rows or _are_classes(ids, target):
        return 0
    numbered = sum(_numbered(sorted(ends)) for ends in endings.values())
    if numbered > 0.8 * stems and sum(any(c.isdigit() for c in name) for name in endings) < 0.5 * stems:
        return 0  # words with a number behind them: strains, arms, tissues and their samples
    if stems >= 5 and stems <= 0.5 * rows and numbered > 0.8 * stems:
        return stems
    repeated = [ends for ends in endings.values() if len(ends) > 1 and len(set(ends)) == len(ends)]
    common = Counter(end for ends in repeated for end in ends).most_common()
    crossed = len(common) >= 2 and common[1][1] >= 0.4 * len(repeated) and len(common) <= _REPEATS_AT_MOST
    return stems if crossed and len(repeated) >= max(3, 0.5 * stems) else 0


def _are_classes(ids: TextColumn, target: TextColumn | None) -> bool:
    """Whether every stem has one class and every class one stem."""
    if target is None:
        return False
    both = (ids.codes >= 0) & (target.codes >= 0)
    stems = [stem(word) for word in ids.words]
    pairs = {(stems[i], t) for i, t in zip(ids.codes[both].tolist(), target.codes[both].tolist())}
    return len(pairs) == len({s for s, _ in pairs}) and len({t for _, t in pairs}) >= 0.5 * len(pairs)


def _numbered(endings: list[str]) -> bool:
    numbers = sorted(int(end) for end in endings if end.isdecimal())
    return len(numbers) == len(endings) > 1 and numbers in (list(range(len(numbers))), list(range(1, len(numbers) + 1)))


def _same_partition(a: TextColumn, b: TextColumn) -> bool:
    both = (a.codes >= 0) & (b.codes >= 0)
    pairs = set(zip(a.codes[both].tolist(), b.codes[both].tolist()))
    return len(pairs) == len({x for x, _ in pairs}) == len({y for _, y in pairs})


def _say_annotations(draft: _Draft, used: set[int | None]) -> None:
    table = draft.table
    unused = [table.title(at) for at in sorted(table.annotations) if at not in used and at not in draft.aside]
    if unused:
        text = f"{plural(len(unused), 'column')} that describe samples not used as features: {some(unused)}."
        draft.said.append(Message("ok", "annotations", text))


def _summaries(draft: _Draft, id_at: int | None) -> tuple[str, ...]:
    """Ids of rows that are proved to hold statistics of the others."""
    table = draft.table
    if id_at is None or not isinstance(table.numbers, np.ndarray):
        return ()
    found = summary_rows(table.numbers)
    words = table.text_column(id_at).values()
    named = {i: (words[i] or "", what) for i, what in found.items()}
    for i, (name, what) in named.items():
        text = f"Row {table.rows[i]} ({name!r}) holds the {what} of the other rows: left out."
        draft.said.append(
            Message(
                "warn", "summary-row", text, table.title(id_at), int(table.rows[i]), remedy="Delete it in the file."
            )
        )
    return tuple(name for name, _ in named.values() if name)


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
