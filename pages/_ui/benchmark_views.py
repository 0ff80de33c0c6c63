"""What the Benchmark page shows of a study: the verdict, every data set, disturbances, costs, failures."""

from __future__ import annotations

import math
from collections.abc import Callable

import streamlit as st

from genomap_core.benchmark.models import CONTROL
from genomap_core.data.message import plural
from genomap_core.reports.benchmark_look import Look
from genomap_core.reports.benchmark_pictures import AXES, Picture
from genomap_core.reports.svg_file import svg_file
from pages._ui.shell import plain
from pages._ui.widgets import caption, file_stem

_FIGURES = st.column_config.NumberColumn(format="%.3f")
_SIGNED = st.column_config.NumberColumn(format="%+.4f")
_P = st.column_config.NumberColumn(format="%.2g")


def show(picture: Picture, key: str, file: Callable[[], bytes] | None = None) -> None:
    """A figure with its title, its caption and its file (SVG)."""
    title, about, figure = picture
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        st.subheader(plain(title))
        st.download_button(
            "SVG",
            file or (lambda: svg_file(figure, title)),
            f"{file_stem(title)}.svg",
            "image/svg+xml",
            on_click="ignore",
            icon=":material/download:",
            key=f"benchmark-svg-{key}",
            help=f"Download “{title}” as a picture.",
        )
    st.plotly_chart(figure, key=f"benchmark-figure-{key}", alt=title)
    caption(about)


def _verdict(look: Look) -> None:
    first, *rest = look.verdict()
    st.info(f"**{plain(first)}**\n\n" + "\n\n".join(plain(text) for text in rest), icon=":material/balance:")
    s = look.summary
    st.dataframe(
        look.models_table(),
        hide_index=True,
        column_config={
            "Mean rank": st.column_config.NumberColumn(format="%.2f"),
            "Mean over its sets": _FIGURES,
            f"Mean over the {s.n_common_sets} sets of all": _FIGURES,
        },
    )
    caption(
        f"Mean {look.metric_title} over the {plural(s.n_runs_compared, 'fold')} that every model was given; a model "
        "that failed on a set ranks last there. "
        + ("" if math.isnan(s.friedman_p) else f"Friedman's test that all models are alike: p = {s.friedman_p:.2g}.")
    )
    for i, picture in enumerate(look.rank_pictures()):
        show(picture, f"rank{i}")
    if s.comparisons:
        st.dataframe(
            look.comparison_table(),
            hide_index=True,
            column_config={"Difference": _SIGNED, "From": _SIGNED, "To": _SIGNED, "p (Holm)": _P},
        )
        caption(
            f"{look.titles[s.reference]} minus each other model over the data sets and folds that both ran: 95 % t "
            "interval, Wilcoxon's test corrected by Holm over the models; the last column: corrected resampled "
            "t-test on each set, corrected by Holm over the sets."
        )


def _sets(look: Look) -> None:
    show(look.scores_picture(), "scores")
    st.dataframe(look.scores_table(), hide_index=True)
    caption("Mean over the folds that every model was given, with its 95 % interval.")
    names = [m for m in look.titles if m in look.cells.models]
    if len(names) < 2:
        return
    a, b = st.columns(2)
    first = a.selectbox(
        "Model", names, names.index(look.summary.reference), look.titles.__getitem__, key="benchmark_first"
    )
    others = [m for m in names if m != first]
    second = b.selectbox(
        "Compared with",
        others,
        others.index(CONTROL) if CONTROL in others else 0,
        look.titles.__getitem__,
        key=f"benchmark-second-{first}",
    )
    table = look.pair(first, second)
    if table.empty:
        caption("There is no data set on which both ran to their end.")
        return
    show(look.pair_picture(first, second), "pair")
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            "dataset": "Data set",
            "runs": "Folds",
            "difference": st.column_config.NumberColumn("Difference", format="%+.4f"),
            "low": st.column_config.NumberColumn("From", format="%+.4f"),
            "high": st.column_config.NumberColumn("To", format="%+.4f"),
            "p": st.column_config.NumberColumn("p", format="%.2g"),
            "p_holm": st.column_config.NumberColumn("p (Holm)", format="%.2g"),
        },
    )
    caption("The differences as figures; p (Holm) is corrected over the data sets.")


def _conditions(look: Look) -> None:
    kinds = look.kinds()
    if not kinds:
        caption("The study holds no disturbed runs of these data sets and models: no noise, no smaller share of rows.")
    for kind in kinds:
        mean = look.mean_picture(kind)
        if mean is None:
            st.subheader(plain(AXES[kind].split(",")[0].capitalize()))
            caption("No data set was run by every model under all of these conditions: there is no mean.")
        else:
            show(mean, f"mean-{kind}")
        show(look.panels_picture(kind), f"panels-{kind}", lambda kind=kind: look.panels_file(kind))


def _costs(look: Look) -> None:
    for i, picture in enumerate(look.cost_pictures()):
        show(picture, f"cost{i}")
    caption("Measured on the machines that “Failures and data” names; a run of a second is measured poorly.")


def _failures(look: Look) -> None:
    st.subheader("Failures")
    failed = look.failures_table()
    if failed:
        st.dataframe(failed, hide_index=True)
        caption("A failure is a result: it stays in the records, and the model ranks last on that data set.")
    else:
        caption("None: every run came to its end.")
    st.subheader("Data sets")
    st.dataframe(look.sets_table(), hide_index=True)
    caption("No file of another's data comes with the program, only figures computed on them.")
    st.subheader("How it was made")
    for line in look.made_by():
        caption(line)


def _whole(draw: Callable[[Look], None]) -> Callable[[Look | None], None]:
    """A view that needs something to compare."""

    def drawn(look: Look | None) -> None:
        if look is not None and not look.empty:
            draw(look)

    return drawn


VIEWS: dict[str, Callable[[Look | None], None]] = {
    "Verdict": _whole(_verdict),
    "Every data set": _whole(_sets),
    "Noise and fewer rows": _whole(_conditions),
    "Where and at what cost": _whole(_costs),
    "Failures and data": lambda look: None if look is None else _failures(look),
}
"""Tab -> what draws it."""
