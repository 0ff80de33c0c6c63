"""One bar for every page with patients: who is looked at, the one before and after, and whom they are held against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult
from genomap_core.workflows.tabular.layout_study import NamedRegions, named_regions
from genomap_core.workflows.tabular.stands_out import Reference, named_rows
from pages._ui.session import Marks, Session
from pages._ui.shell import errors_shown, plain

STEPPING = "_stepping"
"""Set while somebody steps through the patients: then the browser is given the neighbours beforehand."""
CHOSEN, UPLOADED = "patients that I choose", "controls from a file"


@dataclass(frozen=True, eq=False)
class Patients:
    """Those of one cohort, as the bar lists them."""

    digest: str
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    noun: str = "Patient"

    @classmethod
    def of(cls, dataset: Dataset) -> Patients:
        return cls(dataset.digest, dataset.sample_ids, tuple(label(dataset, i) for i in range(dataset.n_samples)))


@dataclass(frozen=True, eq=False)
class Subject:
    """Whose patients are looked at: a cohort on its map, and what the reader marked there."""

    session: Session
    dataset: Dataset
    genomap: GenomapResult
    layout: GenomapConfig
    place: str = ""
    """Names the places of the features where they are not those of ``layout``"""

    @classmethod
    def in_use(cls, session: Session, genomap: GenomapResult) -> Subject:
        """The cohort in use, on its map."""
        return cls(session, session.dataset, genomap, session.layout)

    @property
    def marks(self) -> Marks:
        """What is marked; a region of another map is none of this one."""
        marks = self.session.marks(self.dataset)
        if marks.place not in ("", self.place):
            marks.region = None
        marks.place = self.place
        return marks

    def remember(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        """A value that belongs to this cohort on this map."""
        return self.session.remember((*key, self.dataset.digest, self.layout, self.place), make)

    @property
    def regions(self) -> NamedRegions:
        """The named regions of the map; computed once."""
        named: NamedRegions = self.remember(("named regions",), lambda: named_regions(self.genomap, self.layout))
        if self.marks.region is not None and self.marks.region >= len(named.names):
            self.marks.region = None
        return named

    @property
    def feature(self) -> int | None:
        """The looked-at feature as an index into the map's features; none if it is not on the map."""
        found = [] if self.marks.feature is None else np.flatnonzero(self.genomap.kept == self.marks.feature)
        if len(found) == 0:
            self.marks.feature = None
            return None
        return int(found[0])

    def mark(self, feature: int | None) -> None:
        """A clicked cell: its feature is marked and its sentence called up; the fragment runs again."""
        if feature is not None and int(self.genomap.kept[feature]) != self.marks.feature:
            self.marks.feature, self.marks.region = int(self.genomap.kept[feature]), None
            st.rerun(scope="fragment")


def label(dataset: Dataset, row: int) -> str:
    """A patient as captions say it: id and class."""
    if dataset.y is None:
        return dataset.sample_ids[row]
    return f"{dataset.sample_ids[row]} - {dataset.classes[dataset.y[row]]}"


def row_of(session: Session, patients: Patients) -> int:
    """The row that is looked at: the patient chosen last, on whatever page, where this cohort has that patient."""
    own = patients.digest == session.dataset.digest
    row = session.patient if own else session.rows.get(patients.digest, 0)
    row = min(row, len(patients.ids) - 1)
    if session.followed not in (None, patients.ids[row]) and session.followed in patients.ids:
        row = patients.ids.index(session.followed)
        session.look_at(row, patients.digest, session.followed)
    return row


def patient_bar(session: Session, patients: Patients | None = None) -> int:
    """Previous, the list (type to search it), next; the row chosen. Put it into a horizontal container."""
    patients = patients or session.remember(("patients", session.dataset.digest), lambda: Patients.of(session.dataset))
    n, row = len(patients.ids), row_of(session, patients)
    key = f"patient-{patients.digest[:8]}"
    st.session_state[key] = row

    def choose(to: int, stepping: bool) -> None:
        session.look_at(to % n, patients.digest, patients.ids[to % n])
        if stepping:
            st.session_state[STEPPING] = True
        else:
            st.session_state.pop(STEPPING, None)

    st.button(
        "Previous", key="previous", icon=":material/chevron_left:", on_click=choose, args=(row - 1, True),
        help="The patient before",
    )  # fmt: skip
    st.selectbox(
        patients.noun, range(n), format_func=patients.labels.__getitem__, key=key, width=215,
        on_change=lambda: choose(st.session_state[key], False), label_visibility="collapsed",
    )  # fmt: skip
    st.button("Next", key="next", icon=":material/chevron_right:", on_click=choose, args=(row + 1, True))
    return row


def reference_picker(session: Session, dataset: Dataset | None = None) -> None:
    """Whom the patient is held against; ``dataset``: the patient's cohort, None for the one in use."""
    dataset = dataset or session.dataset
    names, marks = [*named_rows(dataset), CHOSEN, UPLOADED], session.marks(dataset)
    key = "reference"
    st.session_state[key] = marks.reference if marks.reference in names else names[0]

    def choose() -> None:
        marks.reference = st.session_state[key]

    st.selectbox(
        "Compared with", names, format_func=lambda name: f"compared with {name}", key=key, on_change=choose, width=240,
        label_visibility="collapsed",
    )  # fmt: skip


def reference_of(subject: Subject) -> Reference | None:
    """The chosen reference; None while it has nobody in it yet. Its own questions are asked here."""
    dataset, genomap, marks = subject.dataset, subject.genomap, subject.marks
    rows = named_rows(dataset)
    if marks.reference == CHOSEN:
        ids = dataset.sample_ids
        st.session_state["controls"] = list(marks.chosen)

        def keep() -> None:
            marks.chosen = tuple(st.session_state["controls"])

        st.multiselect("Controls", range(len(ids)), format_func=lambda i: label(dataset, i), key="controls",
                       on_change=keep, placeholder="Choose at least five patients")  # fmt: skip
        chosen = np.array(marks.chosen, np.int64)
        return (
            Reference.of_rows(f"the {plural(len(chosen), 'chosen patient')}", genomap, chosen) if len(chosen) else None
        )
    if marks.reference == UPLOADED:
        controls = _controls(marks, dataset, subject.session.uploads)
        if controls is None:
            return None
        name = f"{plural(controls.n_samples, 'uploaded control')}"
        return Reference.of_table(name, genomap, controls, dataset)
    name = marks.reference if marks.reference in rows else next(iter(rows))
    found: Reference = subject.remember(("reference", name), lambda: Reference.of_rows(name, genomap, rows[name]))
    return found


def _controls(marks: Marks, dataset: Dataset, uploads: int) -> Dataset | None:
    """Uploaded controls, read as the cohort's own table was; they are kept in memory only."""
    if marks.controls is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"Controls: **{plain(marks.controls.name)}**", width="content")
            st.button("Other controls", on_click=lambda: setattr(marks, "controls", None))
        return marks.controls
    file = st.file_uploader("A table of controls with the same columns", key=f"controls-{uploads}")
    if file is not None:
        from genomap_core.io.tables.read import read_table  # with pandas, which the first map need not wait for
        from genomap_core.workflows.cohorts.cohort import Wishes, cohort_of, for_model

        with errors_shown():
            table, recipe = read_table(file.getvalue(), file.name), dataset.recipe
            provenance = {} if recipe is None else {"recipe": asdict(recipe)}
            marks.controls = cohort_of(table, for_model(table, dataset.feature_names, provenance, Wishes()))
    return marks.controls
