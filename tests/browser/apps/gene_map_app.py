"""A page that shows gene maps of made-up data; the query string chooses which. Driven by the browser tests."""

import sys
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from gene_map_examples import DEFAULTS, example

from genomap_core.data.perturb import Perturbation
from pages._ui.gene_map import gene_map
from pages._ui.gene_map.packing import pack

st.set_page_config(layout="wide")
ask = st.query_params
asked = {name: int(ask.get(name, default)) for name, default in DEFAULTS.items()}
if st.toggle("Next patient"):
    asked["patient"] += 1
if layout := st.toggle("Next layout"):
    asked["w"] -= 1
start = Perturbation(float(ask.get("level", 0)), float(ask.get("keep", 1)))
if st.toggle("Quarter"):
    start = Perturbation(0.25, 0.75)
data = st.cache_resource(example)(**asked)
if "lost" in ask and layout and "lost" not in st.session_state:  # what this layout's patients share never arrived
    st.session_state["lost"] = pack(example(**asked | {"patient": 9}), {}, sent=st.session_state["_gene_map_map"].sent)
event = gene_map(data, key="map", initial=start, height=int(ask.get("height", 520)))
st.text(f"committed level={event.perturbation.level} keep={event.perturbation.keep} seed={event.perturbation.seed}")
st.text(f"clicked {None if event.feature is None else data.names[event.feature]} on map {event.map_index}")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.button("Rerun")
st.text(f"run {st.session_state['runs']}")
