"""Values of features as a person reads them: the word that a number stands for, or the number with its unit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from genomap_core.data.dataset import Dataset

_UNITS = {
    "mm": "mm", "cm": "cm", "ml": "ml", "kg": "kg", "g": "g", "mg": "mg", "percent": "%", "pct": "%", "years": "years",
    "months": "months", "days": "days", "mmhg": "mmHg", "bpm": "bpm", "g_dl": "g/dl", "mg_dl": "mg/dl", "g_l": "g/l",
    "mg_l": "mg/l", "u_l": "U/l", "iu_l": "IU/l", "ng_ml": "ng/ml", "pg_ml": "pg/ml", "mmol_l": "mmol/l",
    "umol_l": "µmol/l", "kg_m2": "kg/m²",
}  # fmt: skip
_IN_BRACKETS = re.compile(r"^(?P<title>.*\S)\s*[\[(](?P<unit>[^\[\]()]{1,12})[\])]$")
_NO_UNITS = ("value", "z-score")


def title_and_unit(name: str) -> tuple[str, str]:
    """A column's name without its unit, and the unit: ``"crp_mg_l"`` -> ``("crp", "mg/l")``; "" where it names none."""
    if found := _IN_BRACKETS.match(name):
        return found["title"], found["unit"]
    parts = name.split("_")
    for k in (2, 1):
        if len(parts) > k and (unit := _UNITS.get("_".join(parts[-k:]).lower())):
            return " ".join(parts[:-k]), unit
    return name, ""


def number(value: float) -> str:
    """Four digits that count, without an exponent where it can be helped: 0.01234, 8.213, 12,345."""
    if value != value:
        return "not measured"
    if abs(value) >= 1e4 and abs(value) < 1e9:
        return f"{value:,.0f}"
    return f"{value:.4g}"


@dataclass(frozen=True, eq=False)
class Readings:
    """How the values of a cohort's features are said."""

    titles: tuple[str, ...]
    """Of each of the ``p`` features, without its unit"""
    units: tuple[str, ...]
    """"" where there is none"""
    words: dict[int, tuple[tuple[float, str], ...]]
    """Feature -> the values that stand for words, with these; for features of words only"""

    @classmethod
    def of(cls, dataset: Dataset) -> Readings:
        """From the names of the features, the unit of the values and the words that became numbers."""
        common = "" if dataset.unit in _NO_UNITS else dataset.unit
        named = [title_and_unit(name) for name in dataset.feature_names]
        titles, units = [title for title, _ in named], [unit or common for _, unit in named]
        at = {name: j for j, name in enumerate(dataset.feature_names)}
        words: dict[int, tuple[tuple[float, str], ...]] = {}
        for codes in () if dataset.roles is None else dataset.roles.codes:
            single = len(codes.features) == 1
            for k, feature in enumerate(codes.features):
                if feature not in at:
                    continue
                j, spelled = at[feature], feature.removeprefix(f"{codes.column}=")
                titles[j], units[j] = codes.column, ""
                values = sorted({(row[k], word) for row, word in zip(codes.values, codes.words, strict=True)})
                if single:
                    words[j] = tuple((v, _spelled(word, spelled)) for v, word in values)
                else:  # one 0/1 feature a word
                    words[j] = (0.0, f"not {spelled}"), (1.0, spelled)
        return cls(tuple(titles), tuple(units), words)

    def value(self, feature: int, value: float) -> str:
        """The value alone: "male", "23 mm", "8.213 log2(1 + count)"."""
        for code, word in self.words.get(feature, ()):
            if np.isclose(code, value, atol=1e-3):
                return word
        return f"{number(value)} {self.units[feature]}".strip() if value == value else "not measured"

    def said(self, feature: int, value: float) -> str:
        """With the feature's title: "sex = male"."""
        return f"{self.titles[feature]} = {self.value(feature, value)}"


def _spelled(word: str, as_written: str) -> str:
    """A code's word, which is in lower case, as the table wrote it where that is known; Roman numerals in capitals."""
    if word == as_written.lower():
        return as_written
    return word.upper() if set(word) <= set("ivx") else word
