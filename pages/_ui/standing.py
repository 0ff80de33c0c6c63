"""What stands out in the patient on the screen: sentences that mark cells, and cells that call up their sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.errors import GenomapError
from genomap_core.reports.standing import DIFFERENCE_ENDS, standing_document
from genomap_core.workflows.tabular.layout_study import NamedRegions
from genomap_core.workflows.tabular.stands_out import Finding, StandsOut, stands_out
from pages._ui.gene_map import MapData, gene_map
from pages._ui.patient_bar import UPLOADED, Subject, label, reference_of
from pages._ui.shell import plain, show_error
from pages._ui.widgets import caption, report_downloads

VALUES, DIFFERENCE = "Values", "Difference"


def map_of() -> str:
    """Whether the map shows the patient's values or the difference from the reference; a control of the bar."""
    return st.segmented_control(
        "Map of", [VALUES, DIFFERENCE], default=VALUES, required=True, key="shows", bind="query-params",
        label_visibility="collapsed",
    )  # fmt: skip


def region_reasons(named: NamedRegions) -> None:
    """Every region's name, its size and what the name rests on."""
    with st.expander("What the regions are named after"):
        size = np.bincount(named.labels[named.labels >= 0], minlength=len(named.names))
        rows = zip(named.names, size, named.why, strict=True)
        st.markdown(
            "\n".join(
                f"* **{plain(name)}** ({plural(int(count), 'feature')}): {plain(why)}." for name, count, why in rows
            )
        )


def standing(subject: Subject, row: int) -> StandsOut | None:
    """Hold the patient against the chosen reference; None where there is none yet, which is said."""
    marks = subject.marks
    try:
        reference = reference_of(subject)
        if reference is None:
            return None
        regions, feature = subject.regions, subject.feature
        whom = marks.controls.digest if marks.reference == UPLOADED and marks.controls else marks.chosen
        found: StandsOut = subject.remember(
            ("stands out", row, reference.name, whom, feature),
            lambda: stands_out(
                subject.dataset, subject.genomap, row, reference, regions.labels, regions.names,
                also=() if feature is None else (feature,),
            ),
        )  # fmt: skip
    except GenomapError as error:
        show_error(error)
        return None
    return found


def marked(subject: Subject) -> dict[str, Any]:
    """What the map must show of the chosen sentence: rings around a feature, the outline of a region."""
    feature = subject.feature
    shown: dict[str, Any] = {"highlighted": () if feature is None else (feature,)}
    if subject.marks.region is not None and (regions := subject.regions) and subject.marks.region is not None:
        shown["regions"], shown["region_names"] = regions.only(subject.marks.region)
    return shown


def sentences(subject: Subject, found: StandsOut, features: int = 5, regions: int = 2) -> None:
    """What stands out, each a button that marks its cells; the chosen one first."""
    chosen, marks = subject.feature, subject.marks
    picked = [f for f in found.features if f.features == (chosen,)]
    unpicked = [f for f in found.features if f.features != (chosen,)][: features - len(picked)]
    labels = subject.regions.labels
    own = [(f, int(labels[f.features[0]])) for f in found.regions]
    own = [pair for k, pair in enumerate(own) if k < regions or pair[1] == marks.region]
    with st.container(key="findings", gap="xxsmall"):
        st.markdown(f"**What stands out here**, compared with {plain(found.reference)} ({found.n_reference:,} others)")
        for finding in picked:
            _sentence(subject, finding, None, on=True)
        for finding, k in sorted(own, key=lambda pair: pair[1] != marks.region):
            _sentence(subject, finding, k, on=k == marks.region)
        for finding in unpicked:
            _sentence(subject, finding, None, on=False)
    with st.container(key="usual"):
        caption(found.usual_words)


def standing_words(subject: Subject, row: int) -> StandsOut | None:
    """A few sentences, the nearest patients and the report, as they stand beside a map among other figures."""
    found = standing(subject, row)
    if found is not None:
        sentences(subject, found, features=3, regions=2)
        nearest_line(subject, found)
        with st.popover("Report", icon=":material/download:"):
            standing_report(subject, row, found)
    return found


def _sentence(subject: Subject, finding: Finding, region: int | None, on: bool) -> None:
    name = f"region-{region}" if region is not None else f"feature-{finding.features[0]}"
    column = int(subject.genomap.kept[finding.features[0]])
    st.button(
        f"{plain(finding.sentence)} **z {finding.z_words}, percentile {finding.percentile:.0f}**",
        key=f"finding-{name}",
        type="secondary" if on else "tertiary",
        icon=":material/my_location:" if on else None,
        width="stretch",
        on_click=_toggle(subject, region, column, on),
    )


def _toggle(subject: Subject, region: int | None, column: int, on: bool) -> Callable[[], None]:
    marks = subject.marks

    def choose() -> None:
        if region is not None:
            marks.region, marks.feature = None if on else region, None
        else:
            marks.feature, marks.region = None if on else column, None

    return choose


def difference_map(
    subject: Subject, row: int, found: StandsOut, channel_names: Sequence[str], height: int, **marks: Any
) -> None:
    """Patient minus reference, in standard deviations of the reference; a click calls up a feature's sentence."""
    dataset = subject.dataset
    data = MapData(
        places=subject.genomap.layout,
        values=found.difference[None],
        names=subject.genomap.feature_names,
        labels=(f"{label(dataset, row)}, minus {found.reference}",),
        channel_names=tuple(channel_names),
        value_range=DIFFERENCE_ENDS,
        unit="sd from the reference's mean",
        title=f"{dataset.name}: difference from {found.reference}",
        noun="feature",
        **marks,
    )
    event = gene_map(data, key="difference_map", height=height, controls=("regions", "zoom", "export"))
    subject.mark(event.feature)


def nearest_line(subject: Subject, found: StandsOut) -> None:
    """The patients that are most alike; a click goes there."""
    dataset, session = subject.dataset, subject.session
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
                args=(row, dataset.digest, dataset.sample_ids[row]),
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


def standing_report(subject: Subject, row: int, found: StandsOut) -> None:
    """What stands out, as a file; it holds no identifier but the name that is written here."""
    name = st.text_input(
        "Name on the report", f"Patient {row + 1}", max_chars=60, key=f"report-name-{row}",
        help="The report holds no identifier but the one you write here.",
    )  # fmt: skip
    written = name.strip() or f"Patient {row + 1}"
    report_downloads(
        lambda: standing_document(subject.dataset, subject.genomap, subject.layout, row, found, written),
        f"genomap-patient-{row + 1}",
        "Report,",
    )
