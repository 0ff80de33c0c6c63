"""The Expression page: which comparison is looked at, which genes it predicts, and one gene in all patients."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from genomap_core.data.expression import ExpressionCohort
from genomap_core.plotting import predicted_measured, r_histogram, score_intervals, tissue
from genomap_core.workflows.expression import TITLES
from genomap_core.workflows.expression_enrichment import enrichment_of_file
from genomap_core.workflows.expression_jobs import read_cohort
from genomap_core.workflows.expression_result import ExpressionResult
from genomap_core.workflows.expression_samples import COMPARED
from genomap_core.workflows.expression_table import count_rows, gene_rows, report, run_rows
from genomap_core.workflows.expression_verdict import verdict
from pages._ui import jobs as job_panel
from pages._ui.session import Session
from pages._ui.shell import plain
from pages._ui.widgets import caption, file_stem

TRAIN, COMPARE = "expression_jobs:train_task", "expression_jobs:compare_task"


@dataclass(frozen=True, eq=False)
class Comparison:
    """A finished comparison and where its files lie."""

    folder: Path
    result: ExpressionResult

    def cohort(self, session: Session) -> ExpressionCohort:
        """The patients it was made on."""
        found: ExpressionCohort = session.remember(
            ("expression-cohort", str(self.folder)),
            lambda: read_cohort(self.folder, self.result.config["options"]),
        )
        return found

    def key(self, name: str) -> str:
        """Of a widget that belongs to this comparison."""
        return f"expression-{name}-{self.folder.name}"


def chosen_comparison(session: Session) -> Comparison:
    """The newest comparison of this tab, the one that comes with the program, or which of them is chosen."""
    folder = job_panel.chosen_folder(session, COMPARE, COMPARED, "Comparison")
    job_panel.only_an_example(session, folder, COMPARED)
    return Comparison(folder, session.remember(("expression", str(folder)), lambda: ExpressionResult.load(folder)))


def genes(session: Session, found: Comparison) -> None:
    """How many genes are predicted, their correlations beside chance, every run, and the table of genes."""
    r = found.result
    st.markdown(f"**{plain(r.name)}**: {len(r.truth):,} patients or spots, {len(r.genes):,} genes in {plain(r.unit)}.")
    cohort = r.cohort_names[0]
    if len(r.cohort_names) > 1:
        cohort = st.segmented_control(
            "Cohort", r.cohort_names, format_func=plain, default=cohort, required=True, key=found.key("cohort")
        )
    s = r.statistics[cohort][r.champion.name]
    counts = s.summary()
    with st.container(horizontal=True):
        metric("Predicted", f"{counts['n_predicted']:,} of {counts['n_genes']:,}", help=_RULE)
        metric(
            "Against permutations",
            f"{counts['n_permutation_fdr_below_0.05']:,}",
            help="False discovery rate below .05. Of spots of a tissue, the whole section is turned and shifted.",
        )
        metric("r above .4", f"{counts['n_strong']:,}")
        metric("Better than ridge", f"{counts['n_better_than_ridge_fdr_below_0.05']:,}", help=_RIDGE)
    first, *rest = verdict(r, cohort)
    st.info(f"**{plain(first)}**\n\n" + "\n\n".join(plain(text) for text in rest), icon=":material/balance:")
    st.plotly_chart(r_histogram(s.r, s.r_null), key="expression_r", alt="Correlation of every gene beside chance")
    caption("Correlation of predicted and measured expression, and the same with the predictions of other patients.")
    shown = [(TITLES[run.name], r.mean_r[cohort][run.name]) for run in r.runs]
    st.plotly_chart(
        score_intervals([(name, v.value, v.low, v.high) for name, v in shown], "Mean r over the genes", 0.0),
        key="expression_runs",
        alt="Mean correlation of every model",
    )
    caption("All models on the same folds. Lines: 95 % intervals over patients or groups. Dotted: nothing.")
    _table(found, cohort)
    _enriched(found, s.predicted)
    with st.expander("All runs", icon=":material/table_rows:"):
        st.dataframe(run_rows(r, cohort), hide_index=True)
        st.dataframe(count_rows(r), hide_index=True)
    st.download_button(
        "Download the report",
        lambda: report(r).encode(),
        f"expression-{file_stem(r.name)}.md",
        on_click="ignore",
        icon=":material/download:",
        key=found.key("report"),
    )


def metric(label: str, value: str, **options: Any) -> None:
    """A figure in a frame as wide as its words need; a row of them breaks on a narrow screen."""
    st.metric(label, value, border=True, width="content", **options)


_RULE = (
    "r > 0 with p < .05, correlation above and error below those of the same network with random weights (Steiger's "
    "test, one-sided p < .05), and a false discovery rate of that test below .2."
)
_RIDGE = "Genes whose correlation is above the better linear model's (Steiger's test, false discovery rate below .05)."


def _table(found: Comparison, cohort: str) -> None:
    r = found.result
    st.subheader("Every gene")
    a, b = st.columns([2, 1], vertical_alignment="bottom")
    wanted = a.text_input("Search a gene", key=found.key("search"), placeholder="part of its name")
    only = b.toggle("Predicted ones only", key=found.key("only"))
    frame = pd.DataFrame(gene_rows(r, cohort, r.champion.name)).sort_values("r", ascending=False)
    kept = frame["gene"].str.contains(wanted.strip(), case=False, regex=False) & (frame["predicted"] | (not only))
    figures = {name: st.column_config.NumberColumn(format="%.3g") for name in frame.columns[1:-1]}
    st.dataframe(frame[kept], hide_index=True, column_config=figures, height=320)
    caption(f"{int(kept.sum()):,} of {len(frame):,} genes, best first. A click on a heading sorts.")
    st.download_button(
        "Download the table",
        lambda: _csv(frame),
        "genes.csv",
        on_click="ignore",
        icon=":material/download:",
        key=found.key("table"),
    )


def _csv(frame: pd.DataFrame) -> bytes:
    from genomap_core.io.export import csv_table

    return csv_table(list(frame.columns), frame.values.tolist())


def _enriched(found: Comparison, chosen: np.ndarray) -> None:
    with st.expander("Which gene sets hold them", icon=":material/hub:"):
        file = st.file_uploader("Gene sets (GMT)", max_upload_size=20, key=found.key("gmt"))
        if file is None:
            caption(
                "A GMT file of yours, with the genes' names as in the table. Test: hypergeometric, against all genes."
            )
            return
        rows = enrichment_of_file(file.getvalue(), found.result.genes, chosen)
        st.dataframe(
            [
                {
                    "Set": row.name,
                    "Genes here": row.size,
                    "Predicted": row.overlap,
                    "Expected": round(row.expected, 1),
                    "p": row.p,
                    "FDR": row.fdr,
                    "Which": ", ".join(row.genes[:20]),
                }
                for row in rows[:200]
            ],
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="%.2g") for name in ("p", "FDR")},
        )


@st.fragment
def one_gene(session: Session, found: Comparison) -> None:
    """Predicted against measured in all patients, and over the tissue where there is one."""
    r = found.result
    order = np.argsort(-r.statistics[r.cohort_names[0]][r.champion.name].r, kind="stable")
    a, b = st.columns(2)
    gene = int(
        a.selectbox(
            "Gene, best predicted first", order.tolist(), format_func=r.genes.__getitem__, key=found.key("gene")
        )
    )
    names = [run.name for run in r.runs if run.name != "mean"]
    model = b.selectbox("Model", names, format_func=TITLES.__getitem__, key=found.key("model"))
    truth, predicted = r.truth[:, gene], r.run(model).predicted[:, gene]
    source = found.cohort(session).source
    if source.places is None:
        left, right = st.container(key="wide-gene").columns([5, 4], gap="medium")
    else:
        left, right = st.container(), st.container()
    with left:
        st.plotly_chart(
            predicted_measured(truth, predicted, r.sample_ids, r.cohort, r.cohort_names, r.unit),
            key="expression_scatter",
            alt="Predicted against measured expression of the gene",
        )
        caption("A point a patient or spot, predicted by a model that never saw him. Dotted: equal.")
    with right:
        for cohort in r.cohort_names:
            _figures(r, cohort, gene)
    if source.places is not None:
        _tissue(found, source, truth, predicted)


def _figures(r: ExpressionResult, cohort: str, gene: int) -> None:
    s = r.statistics[cohort][r.champion.name]
    if len(r.cohort_names) > 1:
        st.markdown(f"**{plain(cohort)}**")
    said = "predicted" if s.predicted[gene] else "not predicted"
    st.markdown(f"{TITLES[r.champion.name]}: this gene is **{said}**.")
    st.dataframe(
        {
            "Figure": [
                "r (95 % interval)",
                "Spearman",
                "RMSE",
                "r, random weights",
                "FDR",
                "permutation p",
                "r, ridge",
            ],
            "Value": [
                f"{s.r[gene]:.3f} ({s.r_low[gene]:.3f} to {s.r_high[gene]:.3f})",
                f"{s.spearman[gene]:.3f}",
                f"{s.rmse[gene]:.3g}",
                f"{s.r_random[gene]:.3f}",
                f"{s.fdr[gene]:.2g}",
                f"{s.permutation_p[gene]:.2g}",
                f"{s.r_ridge[gene]:.3f}",
            ],
        },
        hide_index=True,
        column_config={"Figure": st.column_config.TextColumn(width="small")},
    )


def _tissue(found: Comparison, source: Any, truth: np.ndarray, predicted: np.ndarray) -> None:
    """Measured and predicted side by side over one section, on one scale each: predictions vary less."""
    r = found.result
    sections = sorted(set(source.sections.tolist()))
    chosen = st.segmented_control(
        "Section", sections, format_func=plain, default=sections[0], required=True, key=found.key("section")
    )
    own = np.flatnonzero(source.sections == chosen)
    ids = [r.sample_ids[i] for i in own]
    for place, title, values in zip(
        st.container(key="wide-tissue").columns(2, gap="medium"),
        ("Measured", "Predicted"),
        (truth[own], predicted[own]),
        strict=True,
    ):
        low, high = (float(v) for v in np.percentile(values, [2, 98]))
        with place:
            st.markdown(f"**{title}**")
            st.plotly_chart(
                tissue(source.places[own], values, (low, high), r.unit, ids),
                key=f"expression_tissue_{title}",
                alt=f"{title} expression over the tissue",
            )
    rho = float(np.corrcoef(truth[own], predicted[own])[0, 1]) if len(own) > 2 else float("nan")
    caption(
        f"{len(own):,} spots of section {plain(chosen)}, r {rho:.2f} within it. Each picture has its own scale: "
        "predictions vary less than measurements."
    )
