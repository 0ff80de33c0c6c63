"""Whether a row of a table is a sample or a gene: evidence from names, words, shape and values, weighed.

Every piece of evidence adds to a score, in favour of genes in rows above 0. Names weigh most; the values tell as well:
features differ in size far more than samples do (a two-way analysis of variance), and a table of whole numbers in some
lines and fractions in others has its features along these lines.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np

from genomap_core.data.schema.beside import has_another_form, main_measure, measures
from genomap_core.data.schema.nomenclature import (
    SUMMARY_ROW,
    feature_share,
    is_annotation,
    regularity,
    sample,
    sample_share,
    symbol_share,
)
from genomap_core.data.schema.words import GENE_COLUMN_NAMES, ID_NAMES, KNOWN_GENES, TARGET_NAMES, key
from genomap_core.data.table import Table

TURNED, ASKED = 2.0, 0.8
"""From these scores on the table is turned round, and the user is asked."""

_LINES = 300
_VAGUE_NAMES = frozenset({"probe", "feature", "features", "name", "symbol", "genus", "class", "protein"})
_GENE_NAMES = GENE_COLUMN_NAMES | {
    "accession", "proteinids", "proteinid", "majorityproteinids", "otuid", "otu", "asv", "taxon", "taxonomy", "genus",
    "species", "metabolite", "compound", "compoundname", "mz", "geneids", "transcripts", "targetid", "genesymbols",
    "locustag", "orf", "peptide", "name", "analyte", "snp", "rsid", "peak", "peakid", "region", "elementref",
    "tracking", "trackingid", "ensemblid", "gensymbol",
}  # fmt: skip

_GENE_TITLE = re.compile(
    r".*(gene|protein|transcript|metabolite|peptide|probeset)(group)?s?(id|ids|name|names|accession)?"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``position``: the column that names the rows, None where there is none. ``score``: above 0 for genes in rows."""

    position: int | None
    score: float
    evidence: tuple[tuple[float, str], ...]

    @property
    def turned(self) -> bool:
        """Genes are in rows."""
        return self.position is not None and self.score >= TURNED

    @property
    def doubtful(self) -> bool:
        """Both readings are plausible."""
        return self.position is not None and ASKED <= self.score < TURNED

    @property
    def confidence(self) -> float:
        """Of the reading that is proposed, 0.5 to 1: the score as log odds."""
        return 1 / (1 + math.exp(-abs(self.score - 0.5 * (TURNED + ASKED))))

    @property
    def reason(self) -> str:
        """The evidence that weighs most for the reading proposed."""
        sign = 1 if self.score >= ASKED else -1
        told = sorted((e for e in self.evidence if e[0] * sign > 0), key=lambda e: -abs(e[0]))
        return "; ".join(text for _, text in told[:2])


def judge_orientation(table: Table) -> Verdict:
    """What speaks for genes in rows, and what against."""
    position = name_column(table)
    if position is None:
        return Verdict(None, -TURNED, ((-TURNED, "no column names the rows"),))
    rows = [word for word in table.text_column(position).values() if word is not None]
    samples = [j for j in table.number_at.tolist() if j != position]
    if not samples or not rows:
        return Verdict(position, -TURNED, ())
    told = [j for j in samples if not is_annotation(table.columns[j])]
    several = measures(table, told, named=True)
    if several:
        told = several[main_measure(list(several))]
    is_odd = has_another_form([table.columns[j] for j in told])
    own = [j for j in sample(told) if not is_odd(table.columns[j])] or samples
    title = _title(table, position)
    found = [*_names(rows, [table.columns[j] for j in own], any(weight >= 2 for weight, _ in title)), *title]
    found += _words(table, position)
    if len(told) < len(samples) and len(own) > 1 and found and sum(weight for weight, _ in found) > 0:
        kept = set(told)
        beside = next(table.columns[j] for j in samples if j not in kept)
        found.append((1.0, f"columns such as {beside!r} describe genes"))
    if several:
        found.append((2.5, f"its columns hold {len(several)} measures of each sample"))
    found += [*_shape(len(rows), len(told) or len(samples)), *_values(table, own)]
    return Verdict(position, sum(weight for weight, _ in found), tuple(found))


def name_column(table: Table) -> int | None:
    """The first column with (nearly) no value twice that can name rows: words, or numbers under a gene's title."""
    for position in sorted({*table.texts, *table.number_at[:3].tolist()}):
        titled = key(table.columns[position]) in _GENE_NAMES
        if position not in table.texts and not titled:
            continue
        column = table.text_column(position)
        if not column.words or len(column.words) < 0.5 * len(column):
            continue
        counts = [str(i) for i in range(len(column))]
        if position == 0 and not titled and list(column.words) in (counts, [str(i + 1) for i in range(len(column))]):
            continue  # the index of a data frame
        return position
    return None


def _names(rows: list[str], columns: list[str], titled: bool) -> list[tuple[float, str]]:
    found: list[tuple[float, str]] = []
    genes_in_rows, genes_in_columns = feature_share(rows), feature_share(columns)
    known_rows, known_columns = (len(KNOWN_GENES.intersection(names)) >= 3 for names in (rows, columns))
    if (genes_in_columns > 0.5 or known_columns) and not (genes_in_rows > 0.5 or known_rows):
        found.append((-4.0, "its columns are named like genes"))
    elif (genes_in_rows > 0.5 or known_rows) and not (genes_in_columns > 0.5 or known_columns):
        found.append((3.5, "its rows are named like genes"))
    if sum(bool(SUMMARY_ROW.fullmatch(name)) for name in (*rows[:6], *rows[-6:])) >= 2:
        found.append((4.0, "rows such as those of a counting program"))
    in_rows, in_columns = sample_share(rows), sample_share(columns)
    if in_columns > 0.8 and len(columns) > 2 and in_rows < 0.5:
        found.append((2.5, "its columns are named like samples"))
    elif in_rows > 0.8 and in_columns < 0.5 and not titled:  # P10431 may be a protein
        found.append((-2.5, "its rows are named like samples"))
    if not found and len(rows) >= max(10, len(columns)) and symbol_share(rows) > max(0.8, symbol_share(columns) - 0.1):
        found.append((0.6, "its rows may be symbols of genes"))
    bare = all(name.replace(".", "", 1).isdigit() for name in rows[:500])
    if bare and regularity(columns) > 0.4 and genes_in_columns <= 0.5:
        found.append((1.0, "its rows are numbered, its columns named in one form"))
    elif len(rows) > 3 and len(columns) > 2:
        difference = regularity(columns) - regularity(rows)
        if abs(difference) > 0.4:
            which, other = ("columns", "rows") if difference > 0 else ("rows", "columns")
            found.append((math.copysign(2.0, difference), f"names of {which} follow one form, those of {other} do not"))
    return found


def _title(table: Table, position: int) -> list[tuple[float, str]]:
    title, shown = key(table.columns[position]), table.title(position)
    if title in _GENE_NAMES:
        vague = title in _VAGUE_NAMES
        return [(0.7 if vague else 2.5, f"its column {shown!r} names genes")]
    if _GENE_TITLE.fullmatch(title):
        return [(2.0, f"its column {shown!r} names genes")]
    if title in ID_NAMES:
        return [(-0.7 if title in ("sample", "samples", "id", "uid", "key", "index", "rowname", "rownames") else -2.0,
                 f"its column {shown!r} names samples")]  # fmt: skip
    return []


def _words(table: Table, position: int) -> list[tuple[float, str]]:
    """Columns of words beside the names: labels speak for samples, descriptions of genes against."""
    found: list[tuple[float, str]] = []
    for j, column in table.texts.items():
        if j == position or not column.words:
            continue
        title = table.title(j)
        if is_annotation(title) and (key(title) not in TARGET_NAMES or position > 0):
            found.append((1.5, f"column {title!r} describes genes"))
        elif key(title) in TARGET_NAMES[:12]:
            found.append((-7.0, f"column {title!r} is named like a label"))
        elif 1 < len(column.words) <= max(2, 0.2 * len(column)):
            found.append((-2.0, f"column {title!r} sorts the rows into few kinds"))
    told = sorted(found, key=lambda e: e[0])
    return told[:1] + [e for e in told[1:] if e[0] > 0][:1]


def _shape(rows: int, columns: int) -> list[tuple[float, str]]:
    text = f"{rows:,} rows and {columns:,} columns"
    if rows >= 1000 and columns >= 6 and rows > 10 * columns:
        return [(1.5 if columns >= 20 else 0.8, text)]
    if columns >= 200 and columns > 2 * rows:
        return [(-1.5, text)]
    return [(0.4, text)] if rows > 3 * columns and columns > 2 else []


def _values(table: Table, used: list[int]) -> list[tuple[float, str]]:
    kept = np.searchsorted(table.number_at, used)
    if table.n_rows < 8 or len(kept) < 3:
        return []
    rows = np.unique(np.linspace(0, table.n_rows - 1, min(_LINES, table.n_rows)).astype(int))
    columns = kept[np.unique(np.linspace(0, len(kept) - 1, min(_LINES, len(kept))).astype(int))]
    V = table.numbers[np.ix_(rows, columns)] if isinstance(table.numbers, np.ndarray) else None
    V = table.numbers[rows][:, columns].toarray() if V is None else V
    found = _kinds(V)
    if (effect := _effect(V.astype(np.float64))) is not None:
        found.append(effect)
    return found


def _kinds(V: np.ndarray) -> list[tuple[float, str]]:
    """Lines of whole numbers among lines of fractions: columns in clinical tables."""
    with np.errstate(invalid="ignore"):
        whole = (np.rint(V) == V) | np.isnan(V)
    for axis, weight, which in ((0, -2.0, "columns"), (1, 2.0, "rows")):
        share = whole.mean(axis=axis)
        other = whole.mean(axis=1 - axis)
        if V.shape[axis] >= 8 and (share == 1).any() and (share < 0.6).any() and not ((other == 1).any() and axis == 1):
            return [(weight, f"some {which} hold whole numbers, others fractions")]
    return []


def _effect(V: np.ndarray) -> tuple[float, str] | None:
    """Which lines differ in size: variance components of rows and of columns on the scale of asinh."""
    V = np.arcsinh(V)
    V = V[~np.isnan(V).all(axis=1)][:, ~np.isnan(V).all(axis=0)]
    n, p = V.shape
    if n < 8 or p < 3:
        return None
    V = np.where(np.isnan(V), np.nanmean(V, axis=1, keepdims=True), V)
    row, column, all_ = V.mean(axis=1), V.mean(axis=0), V.mean()
    rest = float(((V - row[:, None] - column + all_) ** 2).sum() / ((n - 1) * (p - 1)))
    of_rows, of_columns = float(row.var(ddof=1)), float(column.var(ddof=1))
    if rest <= 0 and of_rows <= 0 and of_columns <= 0:
        return None
    s_rows, s_columns = max(of_rows - rest / p, 0.0), max(of_columns - rest / n, 0.0)
    if s_rows > 4 * s_columns and of_rows * p > 3 * rest and s_rows > 0.05 * rest:
        return 2.0, "rows differ in size as genes do"
    if s_columns > 4 * s_rows and of_columns * n > 3 * rest and s_columns > 0.05 * rest:
        return -2.0, "columns differ in size as genes do"
    return None
