"""One patient under two models: map, predictions and attributions that answer the same slider together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.perturb import Perturbation, perturb
from genomap_core.plotting import attribution_bars, probability_bars
from genomap_core.workflows.compare import NETWORKS, CompareResult
from genomap_core.workflows.genomap import GenomapResult, region_groups
from genomap_core.workflows.models import MODELS
from genomap_core.workflows.patient import GRADIENT_METHODS, REGION_METHODS, agreement
from pages._ui.gene_map import MapData, Overlay, gene_map
from pages._ui.genomap_views import map_data, patient_picker
from pages._ui.session import Session, warm
from pages._ui.shell import plain
from pages._ui.widgets import caption

DRAWS = 16
LEAST_NOISE = 0.05
N_REGIONS = 64


@st.fragment
def patient_panel(session: Session, folder: Path, found: CompareResult) -> None:
    """Choose a patient; move the sliders; read what both models say and why."""
    models = [r.name for r in found.runs if r.status == "ok"]
    row = patient_picker(session)
    fold = int(found.fold_of_row[row])
    first, second, third = st.columns(3)
    left = first.selectbox("First model", models, format_func=MODELS.__getitem__)
    others = [m for m in models if m != left] or models
    right = second.selectbox(
        "Second model", others, index=others.index("pfn") if "pfn" in others else 0, format_func=MODELS.__getitem__
    )
    target = third.selectbox(
        "Explain the probability of", range(len(found.classes)), index=int(found.y[row]),
        format_func=found.classes.__getitem__, key=f"target-{row}",
    )  # fmt: skip
    genomap = session.genomap()
    about = _ask_both(session, folder, found, row, fold, (left, right), target, genomap)
    event = gene_map(
        _two_maps(session, genomap, row, about), key="compare_map", height=420, columns=2, initial=session.perturbation
    )
    if event.perturbation != session.perturbation:
        session.perturbation = event.perturbation
        st.rerun(scope="fragment")
    caption(
        "Both models see exactly the values drawn here. They were fitted without this patient "
        f"(fold {fold + 1} of {found.config.n_folds}). Colour of the overlay: share of the largest attribution."
    )
    said, why = st.container(key="wide-models").columns(2, gap="large")
    with said:
        _predictions(found, row, about)
    with why:
        _attributions(session.dataset, about)


def _ask_both(
    session: Session,
    folder: Path,
    found: CompareResult,
    row: int,
    fold: int,
    models: tuple[str, ...],
    target: int,
    genomap: GenomapResult,
) -> list[dict[str, Any]]:
    shown = session.perturbation
    X = rows_for_models(session, row, shown)
    with st.spinner("Asking both models ..."):
        key = ("predict", folder.name, row, shown, models)
        probas = session.remember(
            key,
            lambda: warm().call(
                "genomap_core.workflows.patient:predict",
                {"run": str(folder), "fold": fold, "models": list(models)},
                {"X": X},
                timeout=600,
            )[1],
        )
    methods = _methods(models)
    groups = _groups(session, genomap)
    answers = []
    for name, method in zip(models, methods, strict=True):
        with st.spinner(f"Explaining {MODELS[name]} ..."):
            key = ("attribute", folder.name, row, shown, name, target, method)
            about, arrays = session.remember(
                key,
                lambda name=name, method=method: warm().call(
                    "genomap_core.workflows.patient:attribute",
                    {"run": str(folder), "fold": fold, "model": name, "target": target, "method": method},
                    {"x": X[0], "groups": groups},
                    timeout=600,
                ),
            )
        answers.append({"model": name, "label": found.run(name).label, "target": target, "proba": probas[name][0]})
        answers[-1] |= {"draws": probas[name][1:], "values": arrays["values"], **about}
    return answers


def _methods(models: tuple[str, ...]) -> list[str]:
    columns = st.columns(len(models))
    chosen = []
    for column, name in zip(columns, models, strict=True):
        options = (GRADIENT_METHODS if name in NETWORKS else {}) | REGION_METHODS
        chosen.append(
            column.selectbox(
                f"Explain {MODELS[name]} by", list(options), format_func=options.__getitem__, key=f"method-{name}"
            )
        )
    return chosen


def rows_for_models(session: Session, row: int, shown: Perturbation) -> np.ndarray:
    """``(1 + DRAWS, p)`` raw rows: what is drawn on the map, then other draws of the noise for the interval."""
    dataset = session.dataset
    scale = session.remember(("scale", dataset.digest), lambda: _spread(dataset))
    x = dataset.X[[row]]
    level = max(shown.level, LEAST_NOISE)
    draws = [Perturbation(level, shown.keep, shown.seed)] * DRAWS
    again = [perturb(x, np.array([dataset.n_samples * (k + 1) + row]), scale, d) for k, d in enumerate(draws)]
    return np.vstack([perturb(x, np.array([row]), scale, shown), *again])


def _spread(dataset: Dataset) -> np.ndarray:
    """``(p,)`` standard deviation of every feature in the cohort, missing values left out."""
    X = dataset.X if isinstance(dataset.X, np.ndarray) else dataset.X.toarray()
    count = (~np.isnan(X)).sum(0)
    return np.where(count > 0, np.nanstd(np.where(count > 0, X, 0), axis=0), 0).astype(np.float32)


def _groups(session: Session, genomap: GenomapResult) -> np.ndarray:
    """``(p,)`` map region of every feature of the cohort, -1 for those not on the map."""

    key = ("regions", session.dataset.digest, session.layout)
    return session.remember(key, lambda: region_groups(genomap, session.dataset.n_features, N_REGIONS))


def _two_maps(session: Session, genomap: GenomapResult, row: int, about: list[dict[str, Any]]) -> MapData:
    """The patient twice, each time with one model's attribution on top; one pair of sliders moves both."""
    base = map_data(session, genomap, [row, row], title=session.dataset.name)
    values = np.stack([a["values"][genomap.kept] for a in about])
    largest = np.abs(values).max(axis=1, keepdims=True)
    shares = values / np.where(largest > 0, largest, 1)
    labels = tuple(f"{MODELS[a['model']]}" for a in about)
    return MapData(
        places=base.places, values=base.values, names=base.names, labels=labels, channel_names=base.channel_names,
        noise=base.noise, rank=base.rank, seed=base.seed, missing=base.missing, value_range=base.value_range,
        unit=base.unit, title=base.title, noun=base.noun,
        overlays=(Overlay("attribution, share of the largest", shares, limit=1.0),),
        regions=_groups(session, genomap)[genomap.kept],
    )  # fmt: skip


def _predictions(found: CompareResult, row: int, about: list[dict[str, Any]]) -> None:
    bars = [(a["label"], a["proba"], a["draws"].min(axis=0), a["draws"].max(axis=0)) for a in about]
    st.plotly_chart(
        probability_bars([(n, p, lo, hi) for n, p, lo, hi in bars], found.classes), alt="Probabilities of both models"
    )
    caption(
        f"Lines: range over {DRAWS} fresh draws of the noise (at least 5 %). "
        f"Label in the cohort: {found.classes[found.y[row]]}."
    )
    for a in about:
        words = in_words(found, a["model"], a["target"], float(a["proba"][a["target"]]))
        st.markdown(f"**{plain(MODELS[a['model']])}**: {plain(words)}")


def in_words(found: CompareResult, name: str, target: int, p: float) -> str:
    """What such a probability has meant so far, as a count of held-out samples."""
    proba = found.run(name).proba
    assert proba is not None
    near = np.abs(proba[:, target] - p) <= 0.1
    if near.sum() < 5:
        return "too few held-out samples had such a probability to say how often it was right."
    hits = int((found.y[near] == target).sum())
    return (
        f"of {int(near.sum())} held-out samples given {p:.0%} (within 10 points), {hits} were {found.classes[target]}."
    )


def _attributions(dataset: Dataset, about: list[dict[str, Any]]) -> None:
    names = dataset.feature_names
    pair = agreement(about[0]["values"], about[1]["values"], k=50)
    one, two = st.columns(2)
    one.metric(
        "Rank agreement", f"{pair.spearman:+.2f}", help="Spearman correlation of both attributions.", border=True
    )
    two.metric("Shared top 50", f"{pair.top_k_overlap:.0%}", border=True)
    caption("Spearman correlation of both attributions, and the share of features in both top-50 lists.")
    for a in about:
        with st.expander(f"Top features of {plain(MODELS[a['model']])}"):
            top = np.argsort(-np.abs(a["values"]))[:10]
            st.plotly_chart(
                attribution_bars([names[j] for j in top], a["values"][top]),
                key=f"bars-{a['model']}",
                alt=f"Attribution of the ten most important features, {MODELS[a['model']]}",
            )
            st.dataframe(
                pd.DataFrame({"feature": [names[j] for j in top], "attribution": a["values"][top]}), hide_index=True
            )
            caption(
                f"{a['method']}. Sum of the attributions + baseline = output up to {abs(a['completeness_gap']):.2g} "
                f"(output {a['output']:.3f}, baseline {a['baseline_output']:.3f})."
            )
