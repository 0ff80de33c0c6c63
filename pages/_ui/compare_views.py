"""What the Compare page shows: weights, options, the table of models, and one patient under two of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.errors import GenomapError, InputError
from genomap_core.io.tables.export import csv_name, csv_table
from genomap_core.jobs import Job
from genomap_core.pfn import Weights
from genomap_core.plotting import confusion, reliability, roc, score_intervals
from genomap_core.reports.cohort import cohort_document
from genomap_core.reports.parts import share_words
from genomap_core.workflows.comparison import conformal as sets
from genomap_core.workflows.comparison.folds import largest_fold_count, make_folds, rare_class_note
from genomap_core.workflows.comparison.result import changed, exists
from genomap_core.workflows.comparison.scores import METRICS
from genomap_core.workflows.tabular.compare import CompareConfig, CompareResult, compare_config, in_short, verdict
from genomap_core.workflows.tabular.duration import comparison_seconds, elapsed_seconds, in_words
from genomap_core.workflows.tabular.models import MODELS
from genomap_core.workflows.tabular.shipped import Shipped, shipped_comparison
from pages._ui import jobs as job_panel
from pages._ui.genomap_views import cohort_line
from pages._ui.patient_panel import patient_panel
from pages._ui.session import Session, jobs
from pages._ui.shell import plain
from pages._ui.weights_card import affordable, time_warning, weights_card
from pages._ui.widgets import bound, caption, file_stem, report_downloads, verdict_box

__all__ = ["TASK", "cohort_line", "weights_card"]

TASK = "tabular.compare:task"
SHIPPED = "shipped"
WORD_OF = {"queued": "waiting", "starting": "running", "running": "running", "cancelled": "stopped", "failed": "failed",
           "lost": "interrupted", "oom": "out of memory"}  # fmt: skip
STATUS = {"ok": "ok", "refused": "refused", "oom": "out of memory", "error": "error"}


def shown_comparison(session: Session) -> Look | None:
    """What the page opens on: the newest comparison of this tab that has an answer, else the one that is shipped."""
    runs = {job.id: job for job in job_panel.of_task(session, TASK) if _folder_of(session, job)}
    stored = session.remember(("shipped", session.dataset.digest), lambda: shipped_comparison(session.dataset))
    names = {
        key: f"{job.title}{'' if job.status == 'done' else f' ({WORD_OF[job.status]})'}" for key, job in runs.items()
    }
    if stored is not None:
        names[SHIPPED] = "The comparison that comes with the program"
    if not names:
        return None
    own = [key for key, job in runs.items() if _digest(session, job) == session.dataset.digest]
    chosen = (own or [SHIPPED] if stored is not None else list(names))[0]
    if len(names) > 1:
        chosen = st.selectbox(
            "Result", list(names), index=list(names).index(chosen), format_func=names.__getitem__, key="result",
            bind="query-params", label_visibility="collapsed",
        )  # fmt: skip
    if chosen == SHIPPED and stored is not None:
        return Look(SHIPPED, stored.folder, stored.result, stored)
    folder = jobs().folder(chosen, session.owner)
    return Look(chosen, folder, _loaded(session, runs[chosen]), None)


@dataclass(frozen=True, eq=False)
class Look:
    """The comparison on the screen."""

    id: str
    folder: Path
    found: CompareResult
    stored: Shipped | None


def _folder_of(session: Session, job: Job) -> Path | None:
    folder = jobs().folder(job.id, session.owner)
    return folder if exists(folder, CompareResult.kind) else None


def _loaded(session: Session, job: Job) -> CompareResult:
    """The comparison as far as it is; read again when another model has answered."""
    folder = jobs().folder(job.id, session.owner)
    found: CompareResult = session.remember(("compare", job.id, changed(folder)), lambda: CompareResult.load(folder))
    return found


def _digest(session: Session, job: Job) -> str:
    return _loaded(session, job).digest


def changes(session: Session, job: Job) -> int:
    """Another number once another model of a running comparison has answered: then the page is drawn again."""
    return changed(jobs().folder(job.id, session.owner))


def unfinished(session: Session, look: Look | None) -> None:
    """The last comparison, where it ended without its result: why, and how to go on."""
    job = job_panel.latest(session, TASK)
    if job is not None and not job.active and job.status != "done":
        job_panel.ended(session, job, lambda _: None)


def patient(session: Session, look: Look) -> None:
    """One patient under two models: the first thing on the page."""
    if look.found.digest != session.dataset.digest:
        st.info("This comparison belongs to another cohort: go back to it on the Data page, or compare again.")
    elif not any(run.status == "ok" for run in look.found.runs):
        st.info("No model has an answer: the table below says why.")
    else:
        patient_panel(session, look.folder, look.found, look.stored)


def settings_line(session: Session, look: Look) -> bool:
    """With what the comparison was made; True when it is asked for again."""
    c = look.found.config
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(
            f"Made with {plain(plural(len(c.models), 'model'))}, {c.n_folds} folds, at most {c.max_features:,} "
            f"features on the map, seed {c.seed}."
            + (
                f" Still at work: {plain(', '.join(MODELS[m] for m in look.found.pending))}."
                if look.found.pending
                else ""
            ),
            width="content",
        )
        return st.button("Compare again", icon=":material/refresh:", help="With the same settings, on this cohort.")


def asked_before(session: Session) -> CompareConfig | None:
    """The settings asked for last in this tab, which the form keeps."""
    job = job_panel.latest(session, TASK)
    if job is None:
        return None
    try:
        return compare_config(jobs().spec(job.id, session.owner)["config"])
    except (GenomapError, OSError, ValueError, KeyError):
        return None  # of an earlier version: the form starts from the usual ones


def compare_form(session: Session, weights: Weights | None) -> CompareConfig | None:
    """Options of a comparison; the config when the user starts it."""
    most = largest_fold_count(session.dataset)
    if most < 2:
        make_folds(session.dataset, 2, 0)  # raises, and names the class
    if note := rare_class_note(session.dataset):
        st.info(plain(note), icon=":material/group_remove:")
    available = [m for m in MODELS if m != "pfn" or weights is not None]
    n, p = session.dataset.n_samples, session.dataset.n_features
    slow = "" if weights is None else time_warning(weights, n, p, weights.estimators(n))
    if slow:
        st.info(f"{plain(slow)} A comparison asks it once a fold.", icon=":material/hourglass_top:")
    before = asked_before(session) or CompareConfig()
    with st.form("compare", border=False):
        models = st.multiselect(
            "Models",
            available,
            default=[m for m in before.models if m in available],
            format_func=lambda m: weights.label if m == "pfn" and weights is not None else MODELS[m],
            help="The random layout is the control of the map; logistic regression is the baseline to beat.",
        )
        first, second, third, fourth = st.columns(4)
        folds = first.number_input("Folds", 2, min(10, most), min(before.n_folds, 10, most))
        features = second.number_input("Features on the map", 1, p, min(before.max_features, p))
        usual = 1 if weights is None else affordable(weights, n, p)
        estimators = third.number_input(
            "Estimators of the tabular model",
            1,
            32,
            before.n_estimators or usual,
            disabled=weights is None,
            help="Differently prepared copies of the table whose answers are averaged; time grows with it.",
        )
        seed = fourth.number_input("Seed", 0, 10_000, before.seed)
        usually = again(session, before, weights)
        if usually.models:
            st.markdown(plain(expected_time(session.dataset, usually)))
        if not st.form_submit_button("Compare", type="primary", icon=":material/play_arrow:"):
            return None
    if not models:
        raise InputError("Choose at least one model.")
    return CompareConfig(
        models=tuple(models),
        n_folds=int(folds),
        seed=int(seed),
        max_features=int(features),
        weights=None if weights is None else str(weights.path),
        n_estimators=int(estimators),
    )


def expected_time(dataset: Dataset, config: CompareConfig) -> str:
    """How long it is expected to take, said before it starts."""
    seconds = comparison_seconds(dataset.n_samples, dataset.n_features, len(dataset.classes), config)
    first, together = min(seconds, key=seconds.__getitem__), in_words(elapsed_seconds(dataset, config))
    return (
        f"Expected on two quiet cores: {together} for {plural(len(seconds), 'model')} and "
        f"{config.n_folds} folds, {MODELS[first]} within {in_words(seconds[first])}. Models answer one by one, the "
        "fastest first, and every answer can be read at once."
    )


def again(session: Session, config: CompareConfig, weights: Weights | None) -> CompareConfig:
    """The same settings for this cohort and the weights that are here."""
    models = tuple(m for m in config.models if m != "pfn" or weights is not None)
    folds = min(config.n_folds, largest_fold_count(session.dataset))
    return replace(config, models=models, n_folds=folds, weights=None if weights is None else str(weights.path))


def submit(session: Session, config: CompareConfig) -> None:
    """Queue the comparison."""
    title = f"{plural(len(config.models), 'model')}, {config.n_folds} folds on {session.dataset.name}"
    job_panel.submit(session, TASK, {"config": asdict(config), "cohort": session.dataset.digest}, title)
    st.toast("The comparison is queued. It goes on if this page is closed.")
    st.rerun()


def models(session: Session, look: Look) -> None:
    """Scores of all models."""
    found, key = look.found, look.id
    st.subheader("All models on the same folds")
    _table(found)
    probas = {r.label: r.proba for r in found.runs if r.proba is not None}
    if not probas:
        return
    metric = st.segmented_control(
        "Score", list(next(iter(found.scores.values()))), default="balanced_accuracy", required=True,
        format_func=METRICS.__getitem__, key=f"metric-{key}",
    )  # fmt: skip
    rows = [
        (found.run(m).label, row[metric].value, row[metric].low, row[metric].high) for m, row in found.scores.items()
    ]
    st.plotly_chart(score_intervals(rows, METRICS[metric]), key=f"scores-{key}", alt=f"{METRICS[metric]} of each model")
    caption("Dots: out-of-fold score; lines: 95 % interval from resampling patients (fitted models given).")
    a, b = st.container(key="wide-curves").columns(2)
    a.plotly_chart(roc(found.y, probas, found.classes), key=f"roc-{key}", alt="ROC curves")
    b.plotly_chart(reliability(found.y, probas), key=f"calibration-{key}", alt="Calibration")
    with st.expander("Confusion matrices"):
        for column, (name, proba) in zip(st.columns(len(probas)), probas.items(), strict=True):
            column.markdown(f"**{plain(name)}**")
            column.plotly_chart(
                confusion(found.y, proba, found.classes), key=f"confusion-{key}-{name}", alt=f"Confusion of {name}"
            )
    _sets(session, found)
    _downloads(session, found)
    if found.digest == session.dataset.digest:
        _cohort_report(session, found)


def _table(found: CompareResult) -> None:
    rows = []
    for run in found.runs:
        scores = found.scores.get(run.name, {})
        difference = found.differences.get((run.name, "logistic"))
        cells = {METRICS[m]: str(s) for m, s in scores.items()}
        rows.append(
            {"model": run.label, **cells}
            | {
                "balanced accuracy minus logistic regression": "" if difference is None else f"{difference:+}",
                "fit s": round(run.fit_seconds, 1),
                "predict s": round(run.predict_seconds, 2),
                "memory MB": round(run.peak_mb),
                "features": run.note,
                "status": STATUS[run.status],
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    for run in found.runs:
        if run.status != "ok":
            st.warning(f"{plain(run.label)}: {plain(run.message)}", icon=":material/report:")
    if words := verdict(found):
        verdict_box([in_short(found)], [words], also=METRICS.values())


def _sets(session: Session, found: CompareResult) -> None:
    """How often prediction sets held the truth, model by model."""
    st.markdown("**Prediction sets**: the classes that can't be ruled out, and how often they held the truth.")
    st.segmented_control(
        "Confidence", sets.CONFIDENCES, required=True, format_func=lambda c: f"{c:.0%}", **bound(session, "confidence")
    )
    rows = []
    for run in found.runs:
        if run.proba is None:
            continue
        did = sets.coverage(found.y, sets.held_out_sets(found, run.name, session.confidence))
        rows.append(
            {
                "model": run.label,
                "sets that held the truth": share_words(did.overall),
                "in the worst class": f"{found.classes[did.worst]}: {share_words(did.by_class[did.worst])}",
                "classes in a set": round(did.mean_size, 2),
                "one class named": f"{did.single:.0%}",
                "right, where one is named": share_words(did.single_right),
                "no class fits": f"{did.empty:.0%}",
            }
        )
    st.dataframe(pd.DataFrame(rows), hide_index=True)
    caption(
        "Measured on held-out samples, calibrated on each class of the other folds (conformal prediction); in brackets "
        "95 % intervals."
    )


def _cohort_report(session: Session, found: CompareResult) -> None:
    """The whole comparison as a document that names no patient."""
    with st.container(border=True):
        st.markdown("**Report of this cohort**: classes, scores with controls, prediction sets, map, origin.")
        name = st.text_input("Name on the cohort's report", "Cohort", max_chars=60)
        report_downloads(
            lambda: cohort_document(name.strip() or "Cohort", session.dataset, found, session.genomap()),
            "genomap-cohort-report",
        )


def _downloads(session: Session, found: CompareResult) -> None:
    def table() -> bytes:
        rows: list[dict[str, object]] = [
            {"model": r.label, "status": r.status, "message": r.message, "fit_seconds": r.fit_seconds, "inputs": r.note}
            | {key: r.facts.get(key, "") for key in ("weights_sha256", "licence")}
            | {f"{m}{suffix}": getattr(s, part) for m, s in found.scores.get(r.name, {}).items()
               for suffix, part in (("", "value"), ("_low", "low"), ("_high", "high"))}
            for r in found.runs
        ]  # fmt: skip
        header = list(dict.fromkeys(name for row in rows for name in row))
        return csv_table(header, ([row.get(name) for name in header] for row in rows))

    st.download_button(
        "Download the scores (CSV)", table, csv_name(f"comparison-{file_stem(session.dataset.name)}"), on_click="ignore"
    )
