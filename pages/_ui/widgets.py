"""Forms that return frozen configs, and small things every page uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.reports.document import Document, render_html, render_pdf
from genomap_core.reports.glossary import GLOSSARY, terms_in
from genomap_core.workflows.tabular.genomap import DISTANCES, SOLVER_NAMES, SOLVER_TITLES, GenomapConfig
from genomap_core.workflows.tabular.train import TrainConfig
from pages._ui.shell import plain

SOLVER_LIMITS = {"gromov": 2000, "published": 2000, "embedding": 6000}
"""Most features a solver takes on a page without keeping the user waiting for minutes."""


def verdict_box(sentences: Sequence[str], details: Sequence[str], also: Sequence[str] = ()) -> None:
    """A sentence or few that can be repeated; their figures folded below, with every term that they use.

    ``also``: further texts on the page whose terms are explained here.
    """
    st.info("\n\n".join(f"**{plain(sentence)}**" for sentence in sentences), icon=":material/balance:")
    with st.expander("Details for statisticians", icon=":material/functions:"):
        st.markdown("\n\n".join(plain(text) for text in details))
        terms = terms_in((*details, *also))
        if terms:
            st.markdown("**Words**\n" + "\n".join(f"* **{plain(t)}**: {plain(GLOSSARY[t])}" for t in terms))


def bound(owner: object, name: str) -> dict[str, Any]:
    """Arguments of a widget that shows and changes ``owner.name``, whatever else may change it in between."""
    key = f"bound_{name}"
    st.session_state[key] = getattr(owner, name)
    return {"key": key, "on_change": lambda: setattr(owner, name, st.session_state[key])}


def layout_form(dataset: Dataset, config: GenomapConfig) -> GenomapConfig:
    """Options of the layout. Changes at once; the layout is then computed again."""
    solver = st.selectbox(
        "Placement",
        [s for s in SOLVER_TITLES if s in SOLVER_NAMES],
        index=list(SOLVER_TITLES).index(config.solver),
        format_func=SOLVER_TITLES.__getitem__,
        help="How features find their cells. Random is the control: what a map without any order looks like.",
    )
    distance = st.selectbox(
        "Features are near when they agree in",
        list(DISTANCES),
        index=list(DISTANCES).index(config.distance),
        format_func=DISTANCES.__getitem__,
    )
    most = min(dataset.n_features, SOLVER_LIMITS.get(solver, 20_000))
    count = st.number_input(
        "Features on the map",
        1,
        most,
        min(config.max_features, most),
        help="The most variable ones are kept. Some placements take fewer features.",
    )
    joint = dataset.omics is not None and st.toggle("Omics types on one map", config.joint)
    return replace(config, solver=solver, distance=distance, max_features=int(count), joint=joint)


NETWORKS = {
    "genomap": "GenoMap network",
    "genomap_random": "The same on a random layout (control)",
    "genonet": "genoNet as published",
}


def training_form(dataset: Dataset) -> TrainConfig | None:
    """Options of a training run; the config when the user starts it, else None."""
    with st.form("training"):
        first, second, third = st.columns(3)
        network = first.selectbox("Network", list(NETWORKS), format_func=NETWORKS.__getitem__)
        features = second.number_input(
            "Features on the map", 1, dataset.n_features, min(4096, dataset.n_features), help="The most variable ones."
        )
        seeds = third.number_input("Networks averaged", 1, 5, 2, help="Each starts from another seed.")
        with st.expander("More options"):
            a, b, c, d = st.columns(4)
            epochs = a.number_input("Most epochs", 1, 1000, None, placeholder="as usual")
            noise = b.number_input(
                "Training noise", 0.0, 3.0, None, 0.1, placeholder="as usual", help="In standard deviations."
            )
            device = c.selectbox("Device", ["auto", "cpu", "cuda", "mps"])
            seed = d.number_input("Seed", 0, 10_000, 0)
        if not st.form_submit_button("Start training", type="primary", icon=":material/play_arrow:"):
            return None
    return TrainConfig(
        network=network,
        max_features=int(features),
        n_seeds=int(seeds),
        max_epochs=epochs if epochs is None else int(epochs),
        noise=noise if noise is None else float(noise),
        device=device,
        seed=int(seed),
    )


def report_downloads(make: Callable[[], Document], stem: str, what: str = "") -> None:
    """A report as HTML and as PDF, made when it is asked for."""
    with st.container(horizontal=True):
        for kind, mime, render in (("html", "text/html", render_html), ("pdf", "application/pdf", render_pdf)):
            st.download_button(
                f"{what} {kind.upper()}".strip(), lambda render=render: render(make()), f"{stem}.{kind}", mime,
                on_click="ignore", icon=":material/download:",
            )  # fmt: skip


def file_stem(name: str) -> str:
    """A cohort's name as a safe file name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:60] or "cohort"


def caption(text: str) -> None:
    """A line under a figure. Plain text: captions of the theme are too pale to read."""
    st.markdown(plain(text))
