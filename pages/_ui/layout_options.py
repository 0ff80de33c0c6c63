"""Wishes for the layout beyond fidelity: the trade-off, a shape, gene sets and pins."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import streamlit as st

from genomap_core.errors import GenomapError, InputError
from genomap_core.workflows.tabular.genomap import GenomapConfig
from genomap_core.workflows.tabular.layout_wishes import (
    SMALLEST_SET,
    disc_rows,
    features_per_type,
    gene_sets,
    grid_of,
    outline_rows,
)
from pages._ui.feature_card import MOST_LISTED
from pages._ui.session import Session
from pages._ui.shell import show_error

MAX_BYTES = 20_000_000


def layout_wishes(session: Session, config: GenomapConfig) -> GenomapConfig:
    """Options of the default placement; other placements know only the shape."""
    with st.expander("Shape, gene sets, pins"):
        try:
            config = _shape(session, config)
            if config.solver != "ot":
                st.markdown("Trade-off, gene sets and pins need the default placement.")
                return config
            balance = st.slider(
                "Global distances or close neighbours",
                0.0,
                1.0,
                config.balance,
                0.05,
                help="0 keeps distances over the whole map, 1 only neighbourhoods.",
            )
            return _pins(session, _gene_sets(session, replace(config, balance=balance)))
        except GenomapError as error:
            show_error(error)
            return config


def _shape(session: Session, config: GenomapConfig) -> GenomapConfig:
    shape = st.selectbox("Shape", ["Rectangle", "Disc", "Outline from a picture"])
    count = features_per_type(session.dataset, config)
    if shape == "Disc":
        return replace(config, mask=disc_rows(count))
    if shape == "Outline from a picture":
        file = st.file_uploader(
            "Outline", ["png"], key=f"outline-{session.uploads}", help="Opaque, or dark on white, where genes may lie."
        )
        if file is not None:
            data = _bytes(file.getvalue())
            key = ("outline", hashlib.sha256(data).hexdigest(), count)
            return replace(config, mask=session.remember(key, lambda: outline_rows(data, count)))
    return replace(config, mask=())


def _bytes(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise InputError(
            f"The file has {len(data) / 1e6:.0f} MB, the limit is {MAX_BYTES / 1e6:.0f}: give a smaller one."
        )
    return data


def _gene_sets(session: Session, config: GenomapConfig) -> GenomapConfig:
    file = st.file_uploader(
        "Gene sets (GMT)",
        ["gmt", "txt"],
        key=f"gmt-{session.uploads}",
        help="Name, description and genes between tabs.",
    )
    if file is None:
        return replace(config, sets=())
    data = _bytes(file.getvalue())
    key = ("gmt", session.dataset.digest, hashlib.sha256(data).hexdigest())
    total, found = session.remember(key, lambda: gene_sets(data, session.dataset))
    st.markdown(f"{total:,} sets in the file; {len(found):,} have at least {SMALLEST_SET} genes in this table.")
    chosen = st.multiselect(
        "Draw as regions",
        list(found),
        list(found)[:5],
        format_func=lambda name: f"{name} ({len(found[name])})",
        max_selections=30,
        help="A gene in several sets belongs to the first.",
    )
    return replace(config, sets=tuple((name, found[name]) for name in chosen))


def _pins(session: Session, config: GenomapConfig) -> GenomapConfig:
    dataset = session.dataset
    height, width = grid_of(dataset, config)
    few = dataset.n_features <= MOST_LISTED
    a, b, c = st.columns([3, 1, 1])
    feature = a.selectbox(
        "Pin a feature",
        range(dataset.n_features) if few else [session.feature] if session.feature is not None else [],
        index=session.feature if few else None if session.feature is None else 0,
        format_func=dataset.feature_names.__getitem__,
        placeholder="Type a name" if few else "Choose it on the map first",
        key="pin_feature",
    )
    b.number_input("Row", 0, height - 1, height // 2, key="pin_row")
    c.number_input("Column", 0, width - 1, width // 2, key="pin_column")

    def pin() -> None:
        wanted = tuple(int(st.session_state[key]) for key in ("pin_feature", "pin_row", "pin_column"))
        others = tuple(p for p in session.layout.pins if p[0] != wanted[0] and p[1:] != wanted[1:])
        session.choose(replace(session.layout, pins=(*others, wanted)))

    st.button("Pin", icon=":material/push_pin:", on_click=pin, disabled=feature is None)
    if not config.pins:
        return config

    def unpin() -> None:
        session.choose(replace(session.layout, pins=tuple(st.session_state["pins"])))

    st.session_state["pins"] = list(config.pins)
    st.multiselect(
        "Held in place",
        list(config.pins),
        format_func=lambda pin: f"{dataset.feature_names[pin[0]]} at row {pin[1]}, column {pin[2]}",
        key="pins",
        on_change=unpin,
    )
    return config
