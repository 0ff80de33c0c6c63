"""What stands out in the patient on the screen: sentences that mark cells, and cells that call up their sentence."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.errors import GenomapError
from genomap_core.reports.standing import standing_document
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, fit_genomap
from genomap_core.workflows.tabular.layout_study import NamedRegions, named_regions
from genomap_core.workflows.tabular.stands_out import COHORT, Finding, Reference, StandsOut, stands_out
from pages._ui.feature_card import chosen_feature
from pages._ui.patient_bar import UPLOADED, reference_of
from pages._ui.session import Session
from pages._ui.shell import errors_shown, plain, show_error
from pages._ui.widgets import caption, report_downloads

_MOST_FEATURES = 2000
"""Of other data than the table in use: the most variable ones are looked at."""


def regions_of(session: Session, genomap: GenomapResult) -> NamedRegions:
    """The named regions of the map in use; computed once."""
    key = ("named regions", session.dataset.digest, session.layout)
    found: NamedRegions = session.remember(key, lambda: named_regions(genomap, session.layout))
    if session.region is not None and session.region >= len(found.names):
        session.region = None
    return found


def region_reasons(named: NamedRegions) -> None:
    """Every region's name, its size and what the name rests on."""
    with st.expander("What the regions are named after"):
        size = np.bincount(named.labels[named.labels >= 0], minlength=len(named.names))
        rows = zip(named.names, size, named.why, strict=True)
        st.markdown("\n".join(f"* **{plain(name)}** ({count} features): {plain(why)}." for name, count, why in rows))


def standing(session: Session, genomap: GenomapResult, row: int) -> StandsOut | None:
    """Hold the patient against the chosen reference; None where there is none yet, which is said."""
    try:
        reference = reference_of(session, genomap)
        if reference is None:
            return None
        regions, feature = regions_of(session, genomap), chosen_feature(session, genomap)
        whom = session.controls.digest if session.reference == UPLOADED and session.controls else session.chosen
        key = ("stands out", session.dataset.digest, session.layout, row, reference.name, whom, feature)
        found: StandsOut = session.remember(
            key,
            lambda: stands_out(
                session.dataset, genomap, row, reference, regions.labels, regions.names,
                also=() if feature is None else (feature,),
            ),
        )  # fmt: skip
    except GenomapError as error:
        show_error(error)
        return None
    return found


def marked(session: Session, genomap: GenomapResult) -> dict[str, object]:
    """What the map must show of the chosen sentence: rings around a feature, the outline of a region."""
    feature = chosen_feature(session, genomap)
    shown: dict[str, object] = {"highlighted": () if feature is None else (feature,)}
    if session.region is not None and (regions := regions_of(session, genomap)) and session.region is not None:
        shown["regions"], shown["region_names"] = regions.only(session.region)
    return shown


def sentences(session: Session, genomap: GenomapResult, found: StandsOut, features: int = 5, regions: int = 2) -> None:
    """What stands out, each a button that marks its cells; the chosen one first."""
    chosen = chosen_feature(session, genomap)
    picked = [f for f in found.features if f.features == (chosen,)]
    unpicked = [f for f in found.features if f.features != (chosen,)][: features - len(picked)]
    labels = regions_of(session, genomap).labels
    own = [(f, int(labels[f.features[0]])) for f in found.regions]
    own = [pair for k, pair in enumerate(own) if k < regions or pair[1] == session.region]
    with st.container(key="findings", gap="xxsmall"):
        st.markdown(f"**What stands out here**, compared with {plain(found.reference)} ({found.n_reference:,} others)")
        for finding in picked:
            _sentence(session, genomap, finding, None, on=True)
        for finding, k in sorted(own, key=lambda pair: pair[1] != session.region):
            _sentence(session, genomap, finding, k, on=k == session.region)
        for finding in unpicked:
            _sentence(session, genomap, finding, None, on=False)
    with st.container(key="usual"):
        caption(found.usual_words)


def _words(finding: Finding) -> str:
    """How rare and how far, kept apart."""
    return f"{plain(finding.sentence)} **z {finding.z_words}, percentile {finding.percentile:.0f}**"


def _sentence(session: Session, genomap: GenomapResult, finding: Finding, region: int | None, on: bool) -> None:
    name = f"region-{region}" if region is not None else f"feature-{finding.features[0]}"
    column = int(genomap.kept[finding.features[0]])
    st.button(
        _words(finding),
        key=f"finding-{name}",
        type="secondary" if on else "tertiary",
        icon=":material/my_location:" if on else None,
        width="stretch",
        on_click=_toggle(session, region, column, on),
    )


def _toggle(session: Session, region: int | None, column: int, on: bool) -> Callable[[], None]:
    def choose() -> None:
        if region is not None:
            session.region, session.feature = None if on else region, None
        else:
            session.feature, session.region = None if on else column, None

    return choose


def standing_apart(session: Session, dataset: Dataset, row: int, most: int = 5) -> None:
    """What stands out in a patient of other data than the table in use, beside all of them; nothing is marked."""

    def found() -> StandsOut:
        genomap = session.remember(
            ("measured", dataset.digest),
            lambda: fit_genomap(dataset, GenomapConfig(solver="sorted", max_features=_MOST_FEATURES)),
        )
        reference = Reference.of_rows(COHORT, genomap, np.arange(dataset.n_samples))
        return stands_out(dataset, genomap, row, reference, np.full(len(genomap.kept), -1), ())

    clinical_line(dataset, row)
    with st.expander("What stands out here, in the measured values", icon=":material/my_location:"), errors_shown():
        seen: StandsOut = session.remember(("stands out", dataset.digest, row), found)
        st.markdown(f"Compared with {plain(seen.reference)} ({seen.n_reference:,} others):")
        st.markdown("\n".join(f"* {_words(finding)}" for finding in seen.features[:most]))
        caption(seen.usual_words)
        if seen.nearest:
            caption(f"Most alike: {', '.join(_who(dataset, other) for other, _ in seen.nearest)}.")


def nearest_line(session: Session, found: StandsOut) -> None:
    """The patients that are most alike; a click goes there."""
    dataset = session.dataset
    if not found.nearest:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="nearest"):
        st.markdown("**Most alike**", width="content")
        for row, distance in found.nearest:
            st.button(
                plain(_who(dataset, row)),
                key=f"nearest-{row}",
                type="tertiary",
                help=f"{distance:.2f} standard deviations apart on the mean feature.",
                on_click=session.look_at,
                args=(row,),
            )
    if dataset.y is not None:
        classes = [dataset.classes[dataset.y[row]] for row, _ in found.nearest]
        top = max(set(classes), key=classes.count)
        with st.container(key="usual-class"):
            caption(f"{classes.count(top)} of these {len(classes)} are labelled {top}.")


def _who(dataset: Dataset, row: int) -> str:
    return (
        dataset.sample_ids[row]
        if dataset.y is None
        else f"{dataset.sample_ids[row]} ({dataset.classes[dataset.y[row]]})"
    )


def clinical_line(dataset: Dataset, row: int, most: int = 8) -> None:
    """Columns of the table that are no features, of this patient; the class first."""
    said = [] if dataset.y is None else [f"labelled **{plain(dataset.classes[dataset.y[row]])}**"]
    said += [f"{plain(name)} **{plain(texts[row])}**" for name, texts in dataset.clinical if texts[row]]
    if not dataset.clinical:
        return  # the class alone stands in the list of patients
    with st.container(horizontal=True, vertical_alignment="center", key="clinical"):
        st.markdown(" · ".join(said[:most]), width="content")
        if len(said) > most:
            with st.popover(f"{len(said) - most} more"):
                st.markdown("  \n".join(said[most:]))


def standing_report(session: Session, genomap: GenomapResult, row: int, found: StandsOut) -> None:
    """What stands out, as a file; it holds no identifier but the name that is written here."""
    name = st.text_input(
        "Name on the report", f"Patient {row + 1}", max_chars=60, key=f"report-name-{row}",
        help="The report holds no identifier but the one you write here.",
    )  # fmt: skip
    written = name.strip() or f"Patient {row + 1}"
    report_downloads(
        lambda: standing_document(session.dataset, genomap, session.layout, row, found, written),
        f"genomap-patient-{row + 1}",
        "Report,",
    )
