"""``report``: one patient under two models that never saw that patient, as HTML or PDF."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Report
from genomap_core.cli.tables import cohort, need_labels
from genomap_core.data.dataset import Dataset
from genomap_core.data.message import some
from genomap_core.errors import InputError
from genomap_core.progress import OnProgress
from genomap_core.reports.document import render_html, render_pdf
from genomap_core.reports.patient import (
    PatientCase,
    case_picture,
    patient_document,
    patient_likeness,
    patient_report,
    warnings_of,
)
from genomap_core.workflows.tabular.compare import CompareConfig
from genomap_core.workflows.tabular.genomap import GenomapConfig, fit_genomap
from genomap_core.workflows.tabular.patient import comparison, explained_answers, row_of


def run(options: Report, on_progress: OnProgress) -> Answer:
    """Compare both models on the same folds, ask those that never saw the patient, write what they say and why."""
    check_out(options.out, options.table)
    dataset, report = cohort(options)
    need_labels(dataset, report)
    row = row_of(dataset, options.sample)
    target = _target(dataset, row, options.explained)
    config = CompareConfig(
        models=tuple(dict.fromkeys(options.models)),
        n_folds=options.folds,
        seed=options.seed,
        max_features=options.max_features,
        max_epochs=options.epochs,
        device=options.device,
        weights=options.weights,
    )
    layout = GenomapConfig(seed=options.seed)
    with _folder(options.run) as folder:
        found = comparison(dataset, config, folder, on_progress)
        genomap = fit_genomap(dataset, layout, on_progress)
        answers = explained_answers(folder, dataset, genomap, found, row, target, config.models, on_progress)
    case = PatientCase(dataset, genomap, layout, found, row, target, answers)
    warnings = warnings_of(case, patient_likeness(genomap, found, row))
    name = (options.name or "").strip() or f"Patient {row + 1}"
    made = patient_document(patient_report(case, name, case_picture(case), warnings))
    render = render_pdf if options.out.suffix.lower() == ".pdf" else lambda it: render_html(it).encode()
    write_files({options.out: lambda: render(made)})
    lines = [f"{options.out}: {name}, fold {case.fold + 1} of {config.n_folds}."]
    facts: list[dict[str, object]] = []
    for a in answers:
        proba = a["proba"][0]
        k = int(np.argmax(proba))
        lines.append(f"  {a['label']}: {found.classes[k]} {proba[k]:.0%} ({a['method']})")
        facts.append({"model": a["label"], "proba": dict(zip(found.classes, proba.tolist(), strict=True))})
    lines += [f"  Warning: {words}" for words in warnings]
    answer: dict[str, object] = {"out": str(options.out), "name": name, "answers": facts, "warnings": warnings}
    return Answer("\n".join(lines), answer, dataset.notes)


def _target(dataset: Dataset, row: int, name: str | None) -> int:
    """The class to explain, by name or else the patient's own."""
    assert dataset.y is not None
    if name is None:
        return int(dataset.y[row])
    if name not in dataset.classes:
        raise InputError(f"{dataset.name}: there is no class {name!r}: choose one of {some(dataset.classes, 20)}.")
    return dataset.classes.index(name)


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="genomap-report-") as folder:
        yield Path(folder)
