"""Checks of sample ids: missing, twice, rounded by a spreadsheet, with characters nobody sees."""

from __future__ import annotations

import re

import numpy as np

from genomap_core.data.message import Message, Severity, capital, limited, shown, some
from genomap_core.data.schema_cohort import Cohort
from genomap_core.data.schema_words import INVISIBLE, is_phi_name

_LISTED = 20
_LONGEST = 1000
_SUMMARIES = {"mean", "average", "median", "total", "sum", "sd", "std", "min", "max", "minimum", "maximum", "count"}


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
    return limited(said + _check_doubles(cohort), _LISTED)


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
    if word.strip().lower() in _SUMMARIES:
        what = "the id %s names a summary, not a sample"
        return [_said(cohort, "warn", "summary-row", what, sample, word, "Delete the row if so.")]
    if clean_id(word) != word:
        what = "blanks or line breaks in the id %s were removed or replaced"
        return [_said(cohort, "warn", "id-cleaned", what, sample, word, "Remove them from the file.")]
    return []


def _check_doubles(cohort: Cohort) -> list[Message]:
    if cohort.id is None:
        return []
    clean = cohort.id.recoded(clean_id(word) for word in cohort.id.words)
    remedy = "Give every sample its own id; if the rows are repeats of one patient, choose the column as group."
    said = []
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
