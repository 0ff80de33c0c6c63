"""Patients to step through on a server that takes two seconds for an answer. Driven by the browser tests."""

import sys
import time
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[1]))

from gene_map_examples import example

from pages._ui.gene_map import gene_map

N = 5
state = st.session_state
state.setdefault("patient", 0)


def step(by: int) -> None:
    time.sleep(2)
    state.patient = (state.patient + by) % N


around = {key: example(h=60, w=60, patient=(state.patient + by) % N) for key, by in (("next", 1), ("previous", -1))}
gene_map(example(h=60, w=60, patient=state.patient), key="map", ahead=around)
st.button("Previous", key="previous", on_click=step, args=(-1,))
st.button("Next", key="next", on_click=step, args=(1,))
st.text(f"answered: patient {state.patient}")
