"""One patient under two models: map, predictions and attributions answer the same slider; with a report."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation
from genomap_core.errors import Cancelled, GenomapError
from genomap_core.jobs.warm import WarmWorker
from genomap_core.pfn import inspect_weights
from genomap_core.plotting import attribution_bars, probability_bars
from genomap_core.reports.patient import (
    PatientCase,
    in_words,
    overlays,
    patient_document,
    patient_likeness,
    patient_report,
    warnings_of,
)
from genomap_core.workflows.comparison import conformal as sets
from genomap_core.workflows.tabular.compare import CompareResult
from genomap_core.workflows.tabular.genomap import GenomapResult, region_groups
from genomap_core.workflows.tabular.patient import DRAWS, Desk, agreement, methods_for, noisy_rows, spread_of, top_of
from pages._ui.gene_map import MapData, Overlay, gene_map
from pages._ui.genomap_views import map_data
from pages._ui.patient_bar import patient_bar
from pages._ui.robustness import robustness_card
from pages._ui.session import Session, warm
from pages._ui.shell import plain, show_error
from pages._ui.weights_card import time_warning
from pages._ui.widgets import caption, report_downloads

TASK = "genomap_core.workflows.tabular.patient:attribute"
_KEPT = 12
_TIMEOUT = 1800.0  # seconds; full-size weights on a CPU take minutes, and a person can stop them

Key = tuple[Any, ...]
Answer = tuple[dict[str, Any], dict[str, np.ndarray]]


@dataclass(eq=False)
class Explanation:
    """One that runs or has ended."""

    title: str
    desk: Desk
    future: Future[Answer]

    @property
    def failure(self) -> Exception | None:
        """Why there is no answer, once it has ended."""
        return self.future.exception() if self.future.done() else None

    @property
    def answer(self) -> Answer | None:
        """What was found, None while it runs or when there is none."""
        return self.future.result() if self.future.done() and self.failure is None else None


@st.cache_resource(show_spinner=False)
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=4, thread_name_prefix="explaining")


def drop_others(wanted: list[Key]) -> None:
    """Stop every running explanation of this tab that is not wanted any more: the next answer need not wait for it."""
    known = _known()
    for key in [key for key, e in known.items() if key not in wanted and not e.future.done()]:
        known.pop(key).desk.stop()


def explanation(
    session: Session, key: Key, title: str, spec: Mapping[str, Any], arrays: dict[str, np.ndarray]
) -> Explanation:
    """The explanation under this key; started now where there is none."""
    known = _known()
    if key not in known:
        while len(known) >= _KEPT:
            known.pop(next(iter(known)))
        parent = session.folder / "explaining"
        parent.mkdir(exist_ok=True)
        desk = Desk(Path(tempfile.mkdtemp(dir=parent)))
        known[key] = Explanation(title, desk, _threads().submit(_run, warm(), desk, dict(spec), arrays))
    return known[key]


def follow(explanations: list[Explanation]) -> None:
    """Bars and a button while some still run; the page runs again when the last one ends. Failures in words."""
    if any(not e.future.done() for e in explanations):
        st.fragment(_live, run_every=0.4)(explanations)
    for e in explanations:
        if isinstance(e.failure, Cancelled):
            st.info(f"{e.title}: stopped.", icon=":material/stop_circle:")
        elif isinstance(e.failure, GenomapError):
            show_error(e.failure)
        elif e.failure is not None:
            raise e.failure
    if any(isinstance(e.failure, Cancelled) for e in explanations):
        st.button("Explain again", icon=":material/refresh:", on_click=_forget, args=(explanations,))


def _run(worker: WarmWorker, desk: Desk, spec: dict[str, Any], arrays: dict[str, np.ndarray]) -> Answer:
    try:
        return worker.call(TASK, spec | {"desk": str(desk.folder)}, arrays, timeout=_TIMEOUT)
    finally:
        shutil.rmtree(desk.folder, ignore_errors=True)


def _live(explanations: list[Explanation]) -> None:
    running = [e for e in explanations if not e.future.done()]
    if not running:
        st.rerun()
    bars, button = st.columns([5, 1], vertical_alignment="center")
    for e in running:
        bars.progress(e.desk.share(), text=f"Explaining: {e.title}")
    button.button(
        "Stop", icon=":material/stop:", key="stop-explaining", width="stretch", on_click=_stop, args=(running,)
    )


def _stop(explanations: list[Explanation]) -> None:
    for e in explanations:
        if not e.future.done():
            e.desk.stop()


def _forget(explanations: list[Explanation]) -> None:
    known = _known()
    for key in [key for key, e in known.items() if e in explanations and e.answer is None]:
        del known[key]


def _known() -> dict[Key, Explanation]:
    return st.session_state.setdefault("explanations", {})


def report_card(session: Session, case: PatientCase, maps: MapData) -> None:
    """Warnings about this patient, and the report as HTML and PDF once both explanations are there."""
    row = case.row
    like = session.remember(
        ("likeness", session.dataset.digest, session.layout, row),
        lambda: patient_likeness(case.genomap, case.found, row),
    )
    warnings = warnings_of(session.dataset, row, like, case.answers)
    for words in warnings:
        st.warning(plain(words), icon=":material/warning:")
    with st.container(border=True):
        st.markdown("**Report of this patient**")
        name = st.text_input(
            "Name on the report",
            f"Patient {row + 1}",
            max_chars=60,
            help="The report holds no identifier but the one you write here.",
        )
        if not all("values" in a for a in case.answers):
            caption("The report can be downloaded once both explanations are done.")
            return
        picture = maps.static(case.shown, overlay=0)
        report = patient_report(case, name.strip() or f"Patient {row + 1}", picture, warnings)
        report_downloads(lambda: patient_document(report), f"genomap-report-{row + 1}")


@st.fragment
def patient_panel(session: Session, folder: Path, found: CompareResult) -> None:
    """Choose a patient; move the sliders; read what both models say and why."""
    models = [r.name for r in found.runs if r.status == "ok"]
    names = {name: found.run(name).label for name in models}
    row = patient_bar(session)
    first, second, third = st.columns(3)
    left = first.selectbox("First model", models, format_func=names.__getitem__)
    others = [m for m in models if m != left] or models
    right = second.selectbox(
        "Second model", others, index=others.index("pfn") if "pfn" in others else 0, format_func=names.__getitem__
    )
    target = third.selectbox(
        "Explain the probability of", range(len(found.classes)), index=int(found.y[row]),
        format_func=found.classes.__getitem__, key=f"target-{row}",
    )  # fmt: skip
    pair = (left, right)
    asked = Asked(folder, found, row, target, _estimators(session, found, pair))
    keys = [asked.key(name, method, session.perturbation) for name, method in zip(pair, _methods(pair, names))]
    drop_others(keys)
    place = st.container()
    X = rows_for_models(session, row, session.perturbation)
    answers = [{"model": m, "label": names[m], "proba": p} for m, p in _probabilities(session, asked, pair, X)]
    said, why = st.container(key="wide-models").columns(2, gap="large")
    with said:
        _predictions(found, row, target, answers, session.confidence)
    genomap = session.genomap()
    explanations = _explanations(session, asked, keys, X[0], _groups(session, genomap), names)
    for answer, why_so in zip(answers, explanations):
        if why_so.answer is not None:
            about, arrays = why_so.answer
            answer |= {"values": arrays["values"], **about}
    with said:
        robustness_card(session, asked.spec(), {name: names[name] for name in pair}, row, target)
    with why:
        follow(explanations)
        _attributions(session.dataset, answers)
    with place:
        shown = session.perturbation
        maps = _two_maps(session, genomap, row, answers)
        event = gene_map(maps, key="compare_map", height=420, columns=2, initial=shown)
        caption(
            "Both models see exactly the values drawn here. They were fitted without this patient "
            f"(fold {asked.fold + 1} of {found.config.n_folds}). Colour: attribution of regions (the sum over "
            "their features) or of single features, as you choose; each model's in shares of its largest."
        )
    if event.perturbation != shown:
        session.perturbation = event.perturbation
        st.rerun(scope="fragment")
    case = PatientCase(
        session.dataset, genomap, session.layout, found, row, target, answers, session.perturbation, session.confidence
    )
    report_card(session, case, maps)


@dataclass(frozen=True, eq=False)
class Asked:
    """What the panel asks about: one patient of one comparison."""

    folder: Path
    found: CompareResult
    row: int
    target: int
    estimators: int | None

    @property
    def fold(self) -> int:
        """The fold whose models never saw the patient."""
        return int(self.found.fold_of_row[self.row])

    def spec(self) -> dict[str, Any]:
        """The part of the question that does not depend on the model."""
        return {"run": str(self.folder), "fold": self.fold, "estimators": self.estimators}

    def key(self, model: str, method: str, shown: Perturbation) -> tuple[Any, ...]:
        """Names one explanation."""
        return ("attribute", self.folder.name, self.row, shown, model, self.target, method, self.estimators)


def _estimators(session: Session, found: CompareResult, models: tuple[str, ...]) -> int | None:
    """How many estimators of the tabular model answer here; asked where its weights are slow on this machine."""
    most = found.config.n_estimators
    if "pfn" not in models or found.config.weights is None or not Path(found.config.weights).is_file():
        return most
    weights = inspect_weights(found.config.weights)
    most = most or weights.estimators(session.dataset.n_samples)
    words = time_warning(weights, session.dataset.n_samples, session.dataset.n_features, most)
    if not words:
        return most
    st.info(plain(words), icon=":material/hourglass_top:")
    options = sorted({1, 2, 4, most} & set(range(1, most + 1)))
    return st.segmented_control("Estimators for this patient", options, default=options[0], required=True)


def _probabilities(
    session: Session, asked: Asked, models: tuple[str, ...], X: np.ndarray
) -> list[tuple[str, np.ndarray]]:
    """``(1 + DRAWS, C)`` probabilities of every model: of what is drawn, then of other draws of the noise."""
    key = ("predict", asked.folder.name, asked.row, session.perturbation, models, asked.estimators)
    with st.spinner("Asking both models ...", show_time=True):
        _, probas = session.remember(
            key,
            lambda: warm().call(
                "genomap_core.workflows.tabular.patient:predict",
                asked.spec() | {"models": list(models)},
                {"X": X},
                timeout=600,
            ),
        )
    return [(name, probas[name]) for name in models]


def _explanations(
    session: Session,
    asked: Asked,
    keys: list[tuple[Any, ...]],
    x: np.ndarray,
    groups: np.ndarray,
    names: dict[str, str],
) -> list[Explanation]:
    return [
        explanation(
            session,
            key,
            names[key[4]],
            asked.spec() | {"model": key[4], "target": asked.target, "method": key[6]},
            {"x": x, "groups": groups},
        )
        for key in keys
    ]


def _methods(models: tuple[str, ...], names: dict[str, str]) -> list[str]:
    columns = st.columns(len(models))
    chosen = []
    for column, name in zip(columns, models, strict=True):
        options = methods_for(name)
        chosen.append(
            column.selectbox(
                f"Explain {names[name]} by", list(options), format_func=options.__getitem__, key=f"method-{name}"
            )
        )
    return chosen


def rows_for_models(session: Session, row: int, shown: Perturbation) -> np.ndarray:
    """``(1 + DRAWS, p)`` raw rows: what is drawn on the map, then other draws of the noise for the interval."""
    dataset = session.dataset
    scale = session.remember(("scale", dataset.digest), lambda: spread_of(dataset))
    return noisy_rows(dataset, row, shown, scale)


def _groups(session: Session, genomap: GenomapResult) -> np.ndarray:
    """``(p,)`` map region of every feature of the cohort, -1 for those not on the map."""

    key = ("regions", session.dataset.digest, session.layout)
    return session.remember(key, lambda: region_groups(genomap, session.dataset.n_features))


def _two_maps(session: Session, genomap: GenomapResult, row: int, about: list[dict[str, Any]]) -> MapData:
    """The patient twice, each time with one model's attribution on top; one pair of sliders moves both."""
    base = map_data(session, genomap, [row, row], title=session.dataset.name)
    regions = _groups(session, genomap)[genomap.kept]
    shown = overlays(about, genomap.kept, regions) if all("values" in a for a in about) else ()
    labels = tuple(str(a["label"]) for a in about)
    return MapData(
        places=base.places, values=base.values, names=base.names, labels=labels, channel_names=base.channel_names,
        noise=base.noise, rank=base.rank, seed=base.seed, missing=base.missing, value_range=base.value_range,
        unit=base.unit, title=base.title, noun=base.noun,
        overlays=tuple(Overlay(label, values, limit=1.0) for label, values in shown),
        regions=regions,
    )  # fmt: skip


def _predictions(found: CompareResult, row: int, target: int, about: list[dict[str, Any]], confidence: float) -> None:
    bars = [(a["label"], a["proba"][0], a["proba"][1:].min(axis=0), a["proba"][1:].max(axis=0)) for a in about]
    st.plotly_chart(probability_bars(bars, found.classes), alt="Probabilities of both models")
    caption(
        f"Lines: range over {DRAWS} fresh draws of the noise (at least 5 %). "
        f"Label in the cohort: {found.classes[found.y[row]]}."
    )
    for a in about:
        words = in_words(found, a["model"], target, float(a["proba"][0, target]))
        stays = sets.in_words(found, a["model"], int(found.fold_of_row[row]), a["proba"][0], confidence)
        st.markdown(f"**{plain(a['label'])}**: {plain(words)} {plain(stays)}")


def _attributions(dataset: Dataset, about: list[dict[str, Any]]) -> None:
    about = [a for a in about if "values" in a]
    names = dataset.feature_names
    if len(about) == 2:
        _agreement(about)
    for a in about:
        _top_features(names, a)


def _agreement(about: list[dict[str, Any]]) -> None:
    pair = agreement(about[0]["values"], about[1]["values"])
    top = top_of(len(about[0]["values"]))
    one, two = st.columns(2)
    one.metric(
        "Rank agreement", f"{pair.spearman:+.2f}", help="Spearman correlation of both attributions.", border=True
    )
    two.metric(f"Shared top {top}", f"{pair.top_k_overlap:.0%}", border=True)
    caption(f"Spearman correlation of both attributions, and the share of features in both top-{top} lists.")


def _top_features(names: Sequence[str], a: dict[str, Any]) -> None:
    with st.expander(f"Top features of {plain(a['label'])}"):
        top = np.argsort(-np.abs(a["values"]))[:10]
        st.plotly_chart(
            attribution_bars([names[j] for j in top], a["values"][top]),
            key=f"bars-{a['model']}",
            alt=f"Attribution of the ten most important features, {a['label']}",
        )
        st.dataframe(
            pd.DataFrame({"feature": [names[j] for j in top], "attribution": a["values"][top]}), hide_index=True
        )
        caption(
            f"{a['method']}. Sum of the attributions + baseline = output up to {abs(a['completeness_gap']):.2g} "
            f"(output {a['output']:.3f}, baseline {a['baseline_output']:.3f})."
        )
