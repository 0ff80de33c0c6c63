"""One patient under two models: map, predictions and attributions answer the same slider; with a report."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
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
from genomap_core.reports.parts import share_words
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
from genomap_core.workflows.tabular.agreement import noise_range
from genomap_core.workflows.tabular.compare import CompareResult
from genomap_core.workflows.tabular.genomap import GenomapResult, region_groups
from genomap_core.workflows.tabular.patient import DRAWS, Desk, method_title, methods_for, noisy_rows, spread_of
from genomap_core.workflows.tabular.shipped import COMPARED, Shipped
from pages._ui.gene_map import MapData, Overlay, gene_map
from pages._ui.genomap_views import disturbed_line, map_data
from pages._ui.links import keep_link
from pages._ui.patient_bar import Subject, patient_bar, reference_picker
from pages._ui.robustness import robustness_card
from pages._ui.session import Session, warm
from pages._ui.shell import errors_shown, plain, show_error
from pages._ui.standing import clinical_line, marked, sentences, standing
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
    session: Session, key: Key, title: str, spec: Mapping[str, Any], arrays: dict[str, np.ndarray], task: str = TASK
) -> Explanation:
    """The explanation under this key; started now where there is none."""
    known = _known()
    if key not in known:
        while len(known) >= _KEPT:
            known.pop(next(iter(known)))
        parent = session.folder / "explaining"
        parent.mkdir(exist_ok=True)
        desk = Desk(Path(tempfile.mkdtemp(dir=parent)))
        known[key] = Explanation(title, desk, _threads().submit(_run, warm(), task, desk, dict(spec), arrays))
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


def _run(worker: WarmWorker, task: str, desk: Desk, spec: dict[str, Any], arrays: dict[str, np.ndarray]) -> Answer:
    try:
        return worker.call(task, spec | {"desk": str(desk.folder)}, arrays, timeout=_TIMEOUT)
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


@st.fragment
def patient_panel(session: Session, folder: Path, found: CompareResult, stored: Shipped | None = None) -> None:
    """One screen: who, the maps, what both models say, what stands out; the sliders move all of it.

    ``stored``: answers that come with the program, shown before any model is asked.
    """
    with errors_shown():  # a fragment that runs again is no longer in the page's own
        _panel(session, folder, found, stored)


def _panel(session: Session, folder: Path, found: CompareResult, stored: Shipped | None) -> None:
    names = {r.name: r.label for r in found.runs if r.status == "ok"}
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-bar"):
        row = patient_bar(session)
        reference_picker(session)
    asked, pair, methods = _question(session, folder, found, row, names)
    clinical_line(session.dataset, row)
    shown, genomap = session.perturbation, session.genomap()
    disturbed_line(shown, "Disturbed: these are not the patient's own values, and the models answer for them")
    warned = st.container(key="warned")
    keys = [asked.key(name, method, shown) for name, method in zip(pair, methods, strict=True)]
    drop_others(keys)
    left, right = st.container(key="wide-models").columns([13, 7], gap="medium")
    with right:
        answers, explanations = _answers(session, asked, pair, methods, keys, genomap, names, stored)
        with st.container(key="said"):
            _predictions(found, asked, answers, session.confidence)
        subject = Subject.in_use(session, genomap)
        standing_found = standing(subject, row)
        if standing_found is not None:
            sentences(subject, standing_found, features=2, regions=1)
    with left:
        maps = maps_with(session, genomap, row, answers)
        event = gene_map(maps, key="compare_map", height=300, columns=2, initial=shown)
        follow(explanations)
        caption(
            "The models see exactly the values drawn here and were fitted without this patient (fold "
            f"{asked.fold + 1} of {found.config.n_folds}). Colour over grey: how much a region or feature speaks for "
            f"{found.classes[asked.target]}, each model in shares of its largest."
        )
    if event.perturbation != shown:
        session.perturbation = event.perturbation
        keep_link(session)
        st.rerun(scope="fragment")
    subject.mark(event.feature)
    case = PatientCase(
        session.dataset, genomap, session.layout, found, row, asked.target, answers, shown, session.confidence,
        standing_found, map_regions_of(session, genomap),
    )  # fmt: skip
    warnings = _warnings(session, case)
    if warnings:
        warned.warning("  \n".join(plain(words) for words in warnings), icon=":material/warning:")
    _attributions(case)
    robustness_card(session, asked.spec(), {name: names[name] for name in pair}, row, asked.target)
    report_card(case, maps, warnings)
    keep_link(session)


def _warnings(session: Session, case: PatientCase) -> list[str]:
    like = session.remember(
        ("likeness", session.dataset.digest, session.layout, case.row),
        lambda: patient_likeness(case.genomap, case.found, case.row),
    )
    return warnings_of(case, like)


def report_card(case: PatientCase, maps: MapData, warnings: Sequence[str]) -> None:
    """The report as HTML and PDF once both explanations are there."""
    row = case.row
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


def _question(
    session: Session, folder: Path, found: CompareResult, row: int, names: dict[str, str]
) -> tuple[Asked, tuple[str, ...], list[str]]:
    """Which models, two where there are, which class, and by which methods."""
    models = list(names)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-question"):
        left = st.selectbox(
            "First model", models, format_func=names.__getitem__, key="first", bind="query-params", width=245,
            label_visibility="collapsed",
        )  # fmt: skip
        others = [m for m in models if m != left]
        pair: tuple[str, ...] = (left,)
        if others:
            st.markdown("and", width="content")
            right = st.selectbox(
                "Second model", others, index=others.index("pfn") if "pfn" in others else 0,
                format_func=names.__getitem__, key="second", bind="query-params", width=245,
                label_visibility="collapsed",
            )  # fmt: skip
            pair = (left, right)
        st.markdown("explained for", width="content")
        target = st.selectbox(
            "Explain the probability of", range(len(found.classes)), index=int(found.y[row]),
            format_func=found.classes.__getitem__, key=f"target-{row}", width=150, label_visibility="collapsed",
        )  # fmt: skip
        with st.popover("How", icon=":material/tune:"):
            methods = _methods(pair, names)
            estimators = _estimators(session, found, pair)
    return Asked(folder, found, row, target, estimators), pair, methods


def _answers(
    session: Session,
    asked: Asked,
    pair: tuple[str, ...],
    methods: list[str],
    keys: list[Key],
    genomap: GenomapResult,
    names: dict[str, str],
    stored: Shipped | None,
) -> tuple[list[dict[str, Any]], list[Explanation]]:
    """What both models say of what is drawn, and undisturbed beside it; why, as far as it is known."""
    shown, usual = session.perturbation, Perturbation()
    first = [next(iter(methods_for(name))) for name in pair] == methods
    kept = None if stored is None or not first else stored.answers(asked.row, asked.target, pair)
    if kept is not None and shown.is_identity:
        return kept, []
    own = dict(zip(pair, [a["proba"] for a in kept])) if kept else {}
    if not own and not shown.is_identity:
        own = dict(_probabilities(session, asked, pair, usual))
    answers: list[dict[str, Any]] = [
        {"model": m, "label": names[m], "proba": p} | ({"undisturbed": own[m]} if own else {})
        for m, p in _probabilities(session, asked, pair, shown)
    ]
    x = rows_for_models(session, asked.row, shown)[0]
    explanations = _explanations(session, asked, keys, x, map_regions_of(session, genomap), names)
    for answer, why in zip(answers, explanations, strict=True):
        if why.answer is not None:
            about, arrays = why.answer
            answer |= {**arrays, **about}
    return answers, explanations


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
    session: Session, asked: Asked, models: tuple[str, ...], shown: Perturbation
) -> list[tuple[str, np.ndarray]]:
    """``(1 + DRAWS, C)`` probabilities of every model: of the values so disturbed, then of other draws of the noise."""
    key = ("predict", asked.folder.name, asked.row, shown, models, asked.estimators)
    words = "Asking the models ..."
    if asked.folder == COMPARED:
        words = "Fitting the networks of this fold again, once: they don't come with the program ..."
    with st.spinner(words, show_time=True):
        _, probas = session.remember(
            key,
            lambda: warm().call(
                "genomap_core.workflows.tabular.patient:predict",
                asked.spec() | {"models": list(models)},
                {"X": rows_for_models(session, asked.row, shown)},
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


def map_regions_of(session: Session, genomap: GenomapResult) -> np.ndarray:
    """``(p,)`` map region of every feature of the cohort, -1 for those not on the map."""

    key = ("regions", session.dataset.digest, session.layout)
    return session.remember(key, lambda: region_groups(genomap, session.dataset.n_features))


def maps_with(session: Session, genomap: GenomapResult, row: int, about: list[dict[str, Any]]) -> MapData:
    """The patient once for each model, with its attribution on top; one pair of sliders moves all."""
    base = map_data(session, genomap, [row] * len(about), title=session.dataset.name)
    regions = map_regions_of(session, genomap)[genomap.kept]
    shown = overlays(about, genomap.kept, regions) if all("values" in a for a in about) else ()
    labels = tuple(str(a["label"]) for a in about)
    return replace(
        base,
        labels=labels,
        overlays=tuple(Overlay(label, values, limit=1.0) for label, values in shown),
        **({"regions": regions} | marked(Subject.in_use(session, genomap))),
    )


def _predictions(found: CompareResult, asked: Asked, about: list[dict[str, Any]], confidence: float) -> None:
    """Bars and one paragraph a model: what it says, how often that was right, what stays possible."""
    bars = [(a["label"], a["proba"][0], *noise_range(a["proba"])) for a in about]
    st.plotly_chart(
        probability_bars(bars, found.classes, compact=True), alt="Probabilities of both models", key="probabilities"
    )
    for a in about:
        own = a.get("undisturbed", a["proba"])[0]
        guess, best = int(np.argmax(a["proba"][0])), int(np.argmax(own))
        said = f"{plain(found.classes[guess])} {a['proba'][0, guess]:.0%}"
        if "undisturbed" in a:
            said += f" disturbed, {plain(found.classes[best])} {own[best]:.0%} undisturbed"
        words = in_words(found, a["model"], best, float(own[best]))
        stays = sets.set_in_words(sets.prediction_set(found, a["model"], asked.fold, own, confidence), confidence)
        did = sets.coverage(found.y, sets.held_out_sets(found, a["model"], confidence)).overall
        st.markdown(
            f"**{plain(a['label'])}: {said}**  \n{plain(words[:1].upper() + words[1:])} {plain(stays)}",
            help=f"Such sets held the truth for {share_words(did)} of the held-out samples. Lines in the chart: range "
            f"over {DRAWS} fresh draws of the noise (at least 5 %).",
        )


def _attributions(case: PatientCase) -> None:
    """Agreement of both attributions, and the strongest features of each."""
    if (pair := case.agreed) is not None:
        one, two = st.columns(2)
        one.metric("Rank agreement", "-" if np.isnan(pair.value) else f"{pair.value:+.2f}", border=True)
        two.metric(f"Shared top {pair.k}", "-" if np.isnan(pair.shared) else f"{pair.shared:.0%}", border=True)
        caption(pair.words)
    about = [a for a in case.answers if "values" in a]
    for column, a in zip(st.container(key="wide-top").columns(2), about):
        with column:
            _top_features(case.dataset, a)


def _top_features(dataset: Dataset, a: dict[str, Any]) -> None:
    names = dataset.feature_names
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
            f"{method_title(a['model'], a['method'])}. Sum of the attributions + baseline = output up to "
            f"{abs(a['completeness_gap']):.2g} "
            f"(output {a['output']:.3f}, baseline {a['baseline_output']:.3f})."
        )
