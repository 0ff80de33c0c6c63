"""Pictures of patients and the expression to be predicted from them: what is asked of a network, made ready once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp

from genomap_core.data.images.patients import PatientImages, slices_of
from genomap_core.data.message import Message, plural, some
from genomap_core.errors import InputError

TRANSFORMS: dict[str, str] = {"auto": "Log where values are counts", "log2": "log2(1 + x)", "none": "As they are"}
MOST_GENES = 20_000
_COUNT_LIKE = 64.0
"""A highest value above this is no logarithm to base 2 of anything that is counted."""
_WORDS = ("expression", "rna", "transcript", "mrna", "gene")


@dataclass(frozen=True, slots=True)
class ExpressionOptions:
    """What is predicted.

    Parameters
    ----------
    target
        The omics type to be predicted; empty: the only one, or the one named after expression.
    transform
        A key of :data:`TRANSFORMS`.
    max_genes
        Those that vary most over all patients; images play no part.
    unexpressed
        Keep genes whose median is 0; else they are left out (Schmauch et al., Nat Commun 2020), but never of spots,
        whose counts are few.
    by_label
        The classes of the label are cohorts: statistics for each, differences between them don't count.
    """

    target: str = ""
    transform: str = "auto"
    max_genes: int = MOST_GENES
    unexpressed: bool = False
    by_label: bool = False

    def __post_init__(self) -> None:
        if self.transform not in TRANSFORMS:
            raise InputError(f"`transform` must be one of {', '.join(TRANSFORMS)}, got {self.transform!r}.")
        if not 1 <= self.max_genes <= MOST_GENES:
            raise InputError(f"`max_genes` must be 1 to {MOST_GENES:,}, got {self.max_genes}.")


@dataclass(frozen=True, eq=False)
class ExpressionCohort:
    """``n`` patients (or spots), what is seen of them and ``g`` genes.

    Parameters
    ----------
    source
        The same ``n`` rows: images, or, where it has no channels, a table of features to predict from.
    expression
        ``(n, g)`` float32, transformed; no missing value.
    cohort
        ``(n,)`` int64 code into ``cohort_names``: patients of different cohorts differ by more than biology.
    unit
        Of the expression.
    options
        That chose the genes.
    messages
        What was left out, and what to look at.
    """

    source: PatientImages
    expression: np.ndarray
    genes: tuple[str, ...]
    cohort: np.ndarray
    cohort_names: tuple[str, ...]
    unit: str
    options: ExpressionOptions = ExpressionOptions()
    messages: tuple[Message, ...] = ()

    @property
    def name(self) -> str:
        return self.source.name

    @property
    def n_samples(self) -> int:
        return len(self.expression)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what is seen, of the expression, and of who is of which cohort."""
        h = hashlib.sha256(self.source.digest.encode())
        for a in (self.expression, self.cohort):
            h.update(np.ascontiguousarray(a).tobytes())
        h.update(json.dumps([self.genes, self.cohort_names, self.unit]).encode())
        return h.hexdigest()

    @property
    def has_images(self) -> bool:
        return bool(self.source.channels)

    @property
    def n_slices(self) -> int:
        """Slices of each patient that a network sees one by one; 1 where channels belong together."""
        return slices_of(self.source.channels)[0]

    @property
    def within(self) -> np.ndarray:
        """``(n,)`` int64: patients that may be exchanged for each other: of one cohort, spots of one section."""
        if self.source.sections is None:
            return self.cohort
        codes = np.unique(self.source.sections, return_inverse=True)[1]
        return np.unique(self.cohort * (codes.max() + 1) + codes, return_inverse=True)[1].astype(np.int64)

    def take(self, rows: np.ndarray | Sequence[int]) -> ExpressionCohort:
        """These patients only, in this order."""
        rows = np.asarray(rows)
        return replace(self, source=self.source.take(rows), expression=self.expression[rows], cohort=self.cohort[rows])


def expression_cohort(cohort: PatientImages, options: ExpressionOptions = ExpressionOptions()) -> ExpressionCohort:
    """Choose, check and transform what is to be predicted.

    Raises
    ------
    InputError
        No such omics type, nothing to predict from, negative values under a logarithm, no gene left, too few patients.
    """
    target = target_type(cohort, options.target)
    own = cohort.omics == cohort.table.omics_names.index(target)
    said: list[Message] = []
    source = _source(cohort, own)
    values = _dense(cohort.table.X, own)
    names = np.array(cohort.table.feature_names, object)[own]
    rows = _measured(values, cohort, said)
    values, unit = _transformed(values[rows], names, options.transform, cohort.table.unit)
    spots = cohort.sections is not None
    kept = _genes(values, names, options.max_genes, spots or options.unexpressed, said)
    cohorts, codes = ("all",), np.zeros(len(rows), np.int64)
    if options.by_label:
        if cohort.table.y is None:
            raise InputError(f"{cohort.name}: no label names the cohorts: choose one on the Data page.")
        present, codes = np.unique(cohort.table.y[rows], return_inverse=True)
        cohorts, codes = tuple(cohort.table.classes[c] for c in present), codes.astype(np.int64)
        small = [name for k, name in enumerate(cohorts) if (codes == k).sum() < 4]
        if small:
            raise InputError(f"Cohort {small[0]!r} has fewer than 4 patients: leave it out.")
    if len(rows) < 8:
        raise InputError(f"{plural(len(rows), 'patient')} with expression: 8 at least are needed.")
    return ExpressionCohort(
        source=source.take(rows),
        expression=np.ascontiguousarray(values[:, kept], np.float32),
        genes=tuple(map(str, names[kept])),
        cohort=codes,
        cohort_names=cohorts,
        unit=unit,
        options=options,
        messages=tuple(said),
    )


def target_type(cohort: PatientImages, wanted: str = "") -> str:
    """The omics type that is predicted. Raises :class:`InputError` where it isn't there, or is not clear."""
    types = cohort.table.omics_names
    if wanted:
        if wanted not in types:
            raise InputError(f"{cohort.name} has no omics type {wanted!r}: choose one of {', '.join(types)}.")
        return wanted
    if len(types) == 1:
        return types[0]
    named = [t for t in types if any(word in t.lower() for word in _WORDS)]
    if len(named) != 1:
        raise InputError(f"{cohort.name}: which type is predicted is not clear: choose one of {', '.join(types)}.")
    return named[0]


def _source(cohort: PatientImages, target: np.ndarray) -> PatientImages:
    """The images alone, or without images the other features."""
    table = cohort.table
    if cohort.channels:
        return replace(cohort, table=replace(table.select(np.array([], np.int64)), omics=None, omics_names=()))
    if target.all():
        raise InputError(f"{cohort.name} has neither images nor features of another type: nothing to predict from.")
    types, codes = np.unique(cohort.omics[~target], return_inverse=True)
    names = tuple(table.omics_names[t] for t in types)
    return replace(cohort, table=replace(table.select(np.flatnonzero(~target)), omics=codes, omics_names=names))


def _dense(X: Any, columns: np.ndarray) -> np.ndarray:
    part = X[:, np.flatnonzero(columns)]
    return np.asarray(part.toarray() if sp.issparse(part) else part, np.float32)


def _measured(values: np.ndarray, cohort: PatientImages, said: list[Message]) -> np.ndarray:
    """Numbers of the patients with any expression."""
    some_value = ~np.isnan(values).all(axis=1)
    if not some_value.all():
        names = [s for s, ok in zip(cohort.table.sample_ids, some_value, strict=True) if not ok]
        text = f"{plural(len(names), 'patient')} without expression left out: {some(names)}."
        said.append(Message("warn", "no-expression", text))
    return np.flatnonzero(some_value)


def _transformed(values: np.ndarray, names: np.ndarray, transform: str, unit: str) -> tuple[np.ndarray, str]:
    infinite = np.isinf(values).any(axis=0)
    if infinite.any():
        raise InputError(f"Gene {names[infinite][0]} holds infinite values: correct the table.")
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    logged = transform == "log2" or (transform == "auto" and low >= 0 and high > _COUNT_LIKE)
    if not logged:
        return values, unit or "as given"
    if low < 0:
        gene = names[np.nanargmin(np.nanmin(values, axis=0))]
        raise InputError(
            f"Gene {gene} has negative values ({low:.3g}): they have no logarithm; choose the transform 'none' for "
            "values that are logarithms or differences already."
        )
    return np.log2(1 + values), "log2(1 + x)"


def _genes(values: np.ndarray, names: np.ndarray, most: int, unexpressed: bool, said: list[Message]) -> np.ndarray:
    """Numbers of the genes to predict, in their order."""
    gaps, constant = np.isnan(values).any(axis=0), np.nanstd(values, axis=0) <= 1e-6
    silent = (np.nanmedian(values, axis=0) == 0) & (not unexpressed) & ~constant
    for what, bad, code in (
        ("with missing values", gaps, "gaps"),
        ("the same in every patient", constant & ~gaps, "constant"),
        ("whose median is 0", silent & ~gaps, "unexpressed"),
    ):
        if bad.any():
            text = f"{plural(int(bad.sum()), 'gene')} {what} left out: {some(list(names[bad]))}."
            said.append(Message("warn", code, text))
    kept = np.flatnonzero(~(gaps | constant | silent))
    if not len(kept):
        raise InputError("No gene is left that varies and is expressed in half of the patients: check the table.")
    if len(kept) > most:
        order = np.argsort(-values[:, kept].var(axis=0), kind="stable")
        kept = np.sort(kept[order[:most]])
        said.append(Message("ok", "most-variable", f"The {len(kept):,} genes that vary most are predicted."))
    return kept
