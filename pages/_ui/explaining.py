"""Explanations that a person can follow and stop: they run in the warm process while the page goes on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.errors import Cancelled, GenomapError
from genomap_core.jobs.warm import WarmWorker
from genomap_core.workflows.tabular.patient import Desk
from pages._ui.session import Session, warm
from pages._ui.shell import show_error

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
