"""The Expression page: training, which comparison is looked at, one gene in all patients, and one patient."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from genomap_core.data.images.expression import TRANSFORMS, ExpressionCohort, ExpressionOptions, expression_cohort
from genomap_core.data.images.networks import FRONTS, HEADS, LOSSES, PATHS, ExpressionConfig
from genomap_core.data.images.patients import PatientImages, slices_of
from genomap_core.data.message import plural, with_interval
from genomap_core.errors import InputError
from genomap_core.io.tables.export import csv_name, csv_table
from genomap_core.plotting import predicted_measured, r_histogram, score_intervals, tissue
from genomap_core.plotting.imaging import overlaid, to_rgb, with_regions
from genomap_core.workflows.expression.enrichment import enrichment_of_file
from genomap_core.workflows.expression.jobs import MODEL, read_cohort
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.samples import COMPARED, SAMPLE
from genomap_core.workflows.expression.sets import set_scores_of_file
from genomap_core.workflows.expression.view import gene_modules
from genomap_core.workflows.expression.words import count_rows, gene_rows, in_short, name_of, report, run_rows, verdict
from genomap_core.workflows.fusion.words import faithfulness, on_background
from genomap_core.workflows.tabular.genomap import GenomapConfig, genomap_at
from pages._ui import comparison_page
from pages._ui.comparison_page import Finished, Kind
from pages._ui.data_views import report_messages
from pages._ui.gene_map import MapData, gene_map
from pages._ui.links import follow_patient, keep_patient
from pages._ui.patient_bar import Patients, Subject, patient_bar, reference_picker
from pages._ui.session import Session, warm
from pages._ui.shell import IMAGES_TAB, errors_shown, page_link, plain
from pages._ui.standing import (
    DIFFERENCE,
    clinical_line,
    difference_map,
    map_of,
    marked,
    standing_words,
)
from pages._ui.widgets import caption, verdict_box

EXPRESSION = Kind(
    name="expression",
    result=ExpressionResult,
    train_task="expression.jobs:train_task",
    compare_task="expression.jobs:compare_task",
    shipped=COMPARED,
    sample=SAMPLE,
    work={
        "compare": (
            "Compare, with controls",
            "Networks, the same with random weights, a control and linear models on the same folds, and statistics "
            "of every gene: about ten minutes for two hundred patients on two cores.",
        ),
        "train": ("Train one network", "On all patients, to download: nothing is left to say how good it is."),
    },
    titles={"train": "Expression network", "compare": "Expression and its controls"},
    shown_where="in the first three tabs",
)


def training(session: Session) -> None:
    """Options, start, and what was started."""
    cohort = comparison_page.patients(session, EXPRESSION, "Images", "One type of a table from another")
    slices, channels = slices_of(cohort.channels)
    seen = (
        f"images of {plural(slices, 'slice')}, {plural(channels, 'channel')}"
        if cohort.channels
        else "a table's features"
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(cohort.name)}**: {cohort.n_samples:,} patients or spots, {seen}.")
        page_link("data", "Choose images and expression", ":material/image:", IMAGES_TAB)
    asked = _form(cohort)
    if asked is not None:
        what, options, config = asked
        ready = expression_cohort(cohort, ExpressionOptions(**options))
        report_messages(ready.messages)
        comparison_page.submit(session, EXPRESSION, what, {"config": config, "options": options}, cohort)
        st.toast(f"{len(ready.genes):,} genes of {ready.n_samples:,} patients: the work is queued.")
    comparison_page.history(session, EXPRESSION, MODEL)


def _form(cohort: PatientImages) -> tuple[str, dict[str, Any], dict[str, Any]] | None:
    usual = ExpressionConfig()
    what = comparison_page.chosen_work(EXPRESSION)
    with st.form(f"expression_{what}"):
        a, b, c = st.columns(3)
        target = a.selectbox("Predicted type", cohort.table.omics_names)
        transform = b.selectbox("Values", list(TRANSFORMS), format_func=TRANSFORMS.get)
        genes = c.number_input("Genes at most", 1, 20_000, 1000, help="Those that vary most; images play no part.")
        fronts = [name for name in FRONTS if name != "patches"] if cohort.channels else ["patches"]
        front = a.selectbox("Network", fronts, format_func=FRONTS.get)
        loss = b.selectbox("Loss", list(LOSSES), format_func=LOSSES.get)
        epochs = c.number_input("Epochs", 1, 500, usual.epochs, help="How often each network sees every patient.")
        options = {"target": target, "transform": transform, "max_genes": int(genes)}
        paths = a.selectbox(
            "Architecture",
            ["statistics", "both"] if cohort.channels else ["both", "statistics"],
            format_func=PATHS.get,
            help=_LAYERS,
        )
        network: dict[str, Any] = {"front": front, "paths": paths, "epochs": int(epochs), "loss": loss}
        config = network | {"head": b.selectbox("Head", list(HEADS), format_func=HEADS.get)} if what == "train" else {}
        if what == "compare":
            config, by_label = _comparison(cohort)
            options |= {"by_label": by_label}
            config |= {"training": network}
        if not st.form_submit_button("Start", type="primary", icon=":material/play_arrow:"):
            return None
    if what == "compare" and not config["heads"]:
        raise InputError("No head was chosen: choose at least one.")
    return what, options, config


_LAYERS = (
    "A transformer of eight layers was not ahead of the statistics alone on the cohorts where both were compared. A "
    "comparison runs the other one too and says what the layers add."
)


def _comparison(cohort: PatientImages) -> tuple[dict[str, Any], bool]:
    """What a comparison alone asks for, and whether the label names cohorts."""
    heads = st.multiselect(
        "Heads; the first is looked at gene by gene", list(HEADS), list(HEADS), format_func=HEADS.get
    )
    folds = st.number_input("Folds", 2, 10, 5, help="As many as there are patients or groups, where these are fewer.")
    by_label = alone = False
    if cohort.table.y is not None:
        by_label = st.toggle(
            "The classes of the label are cohorts: statistics for each",
            help="Differences between cohorts then don't count as prediction.",
        )
        alone = st.toggle("A network for each of these cohorts instead of one for all")
    return {"heads": heads, "n_folds": int(folds), "per_cohort": bool(alone and by_label)}, bool(by_label)


_VIEW = "genomap_core.workflows.expression.view"
METHODS = {"Occlusion": "occlusion", "Integrated Gradients": "integrated_gradients"}


_MAP_HEIGHT = 330


@st.fragment
def panel(session: Session, found: Finished[ExpressionResult]) -> None:
    """Choose a patient; see measured beside predicted expression, and what a prediction rests on."""
    with errors_shown():  # a fragment that runs again is no longer in the page's own
        _panel(session, found)


def _panel(session: Session, found: Finished[ExpressionResult]) -> None:
    subject = session.remember(("measured expression", str(found.folder)), lambda: _measured(session, found))
    measured, r = subject.dataset, found.result
    patients = Patients(r.digest, measured.sample_ids, measured.sample_ids, "Patient or spot")
    follow_patient(session, patients, measured)
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="patient-bar"):
        row = patient_bar(session, patients)
        reference_picker(session, measured)
        shows = map_of()
    clinical_line(measured, row)
    st.subheader("Expression on the map")
    maps, words = st.container(key="beside-expression").columns([13, 7], gap="medium")
    with words:
        standing_out = standing_words(subject, row)
    with maps:
        if shows == DIFFERENCE and standing_out is not None:
            difference_map(subject, row, standing_out, ("",), _MAP_HEIGHT, **marked(subject))
        else:
            _maps(subject, found, row)
    keep_patient(session, patients, measured)
    _sets(found, row)
    _origin(session, found, row)


def _measured(session: Session, found: Finished[ExpressionResult]) -> Subject:
    """The measured expression as a cohort of its own, on the map of the comparison."""
    r, table = found.result, cohort_of(session, found).source.table
    dataset = replace(
        table,
        name=r.name,
        X=r.truth.astype(np.float32),
        feature_names=tuple(r.genes),
        omics=None,
        omics_names=("features",),
        unit=r.unit,
        planted=(),
        recipe=None,
    )
    genomap = genomap_at(dataset, r.cells, r.grid)
    return Subject(session, dataset, genomap, GenomapConfig(), found.folder.name)


def _maps(subject: Subject, found: Finished[ExpressionResult], row: int) -> None:
    r, kept = found.result, subject.genomap.kept
    mean, sd = r.truth.mean(axis=0), np.maximum(r.truth.std(axis=0), 1e-6)
    measured, predicted = ((v[row] - mean) / sd for v in (r.truth, r.champion.predicted))
    told = r.statistics[r.cohort_names[r.cohort[row]]][r.champion.name].predictable
    shown = np.where(told, predicted, np.nan)
    data = MapData(
        places=subject.genomap.layout,
        values=np.stack([measured, shown, measured - shown])[:, kept].astype(np.float32),
        names=subject.genomap.feature_names,
        labels=("measured", "predicted", "measured - predicted"),
        value_range=(-3.0, 3.0),
        unit="standard deviations",
        title=f"{r.name}: {r.sample_ids[row]}",
        absent="can't be predicted",
        **marked(subject),
    )
    event = gene_map(data, key="expression_map", height=_MAP_HEIGHT, columns=3, controls=("zoom", "export"))
    subject.mark(event.feature)
    near = float(np.corrcoef(measured, predicted)[0, 1]) if predicted.std() > 0 else 0.0
    caption(
        f"Genes that vary together lie side by side. This patient's profile and its prediction correlate with "
        f"{near:.2f} over the genes, in standard deviations of the cohort; predictions vary less than measurements. "
        f"Hatched: {int((~told).sum()):,} genes that can't be predicted from such images."
    )


def _sets(found: Finished[ExpressionResult], row: int) -> None:
    """Gene sets of this patient, from the genes that can be predicted."""
    r = found.result
    with st.expander("Gene sets of this patient", icon=":material/hub:"):
        file = st.file_uploader("Gene sets (GMT)", max_upload_size=20, key=found.key("patient-gmt"))
        if file is None:
            caption("A GMT file of yours: scores with intervals, of the genes that can be predicted.")
            return
        told = r.statistics[r.cohort_names[r.cohort[row]]][r.champion.name].predictable
        known = (r.genes, r.truth, r.champion.predicted, told, r.fold_of_row, r.within)
        rows = set_scores_of_file(file.getvalue(), *known)
        if not rows:
            st.info("No gene of these sets can be predicted from such images.", icon=":material/info:")
            return
        st.dataframe(
            [
                {
                    "Set": s.name,
                    "Predicted score": f"{s.score[row]:+.2f} ({s.low[row]:+.2f} to {s.high[row]:+.2f})",
                    "Measured": round(float(s.measured[row]), 2),
                    "r over the patients": round(s.r, 2),
                    "Genes used": f"{len(s.genes)} of {s.size}",
                    "Can be predicted": "yes" if s.told else "no",
                }
                for s in rows[:200]
            ],
            hide_index=True,
        )
        caption(
            "Mean over the genes in standard deviations. In brackets: 90 % intervals, as wide as the errors for "
            "patients of other folds. The genes were chosen on these very patients, so that r is a little too high."
        )


def _origin(session: Session, found: Finished[ExpressionResult], row: int) -> None:
    r = found.result
    st.subheader("Where the prediction comes from")
    s = r.statistics[r.cohort_names[0]][r.champion.name]
    modules = session.remember(("expression-modules", str(found.folder)), lambda: gene_modules(r.truth, s.r, r.genes))
    order = np.argsort(-s.r, kind="stable").tolist()
    a, b, c = st.columns(3)
    what = a.segmented_control("Of", ["A gene", "A module"], default="A gene", required=True, key=found.key("of"))
    if what == "A module" and modules:
        name = b.selectbox("Module", list(modules), key=found.key("module"))
        genes = modules[name]
    else:
        gene = b.selectbox("Gene, best predicted first", order, format_func=r.genes.__getitem__, key=found.key("why"))
        name, genes = r.genes[gene], np.array([gene])
    method = c.selectbox("Method", list(METHODS), key=found.key("method"))
    spec = {
        "folder": str(found.folder),
        "row": row,
        "fold": int(r.fold_of_row[row]),
        "method": METHODS[method],
        "options": r.config["options"],
    }
    with st.spinner("Explaining ..."):
        about, seen = session.remember(
            ("expression-why", spec["folder"], row, str(name), method),
            lambda: warm().call(f"{_VIEW}:attribute", spec, {"genes": genes}, timeout=300),
        )
    if about["names"]:
        _features(about, seen)
    else:
        _image(found, row, seen)
    _figures(about, gradients=spec["method"] == "integrated_gradients")


def _image(found: Finished[ExpressionResult], row: int, seen: dict[str, Any]) -> None:
    pictures, values = seen["picture"], seen["values"]
    limit = float(np.quantile(np.abs(values), 0.995)) or 1.0
    blank = np.zeros(values.shape[1:], np.int64)
    left, right = st.container(key="wide-origin").columns(2, gap="medium")
    k = 0
    if len(values) > 1:
        strongest = int(np.abs(values).sum(axis=(1, 2)).argmax())
        k = st.slider("Slice", 1, len(values), strongest + 1, key=found.key(f"slice-{row}")) - 1
    rgb = to_rgb(pictures[k])
    left.image(with_regions(rgb, blank, numbered=False), caption="Image", width="stretch", alt="The patient's image")
    shares = with_regions(overlaid(rgb, values[k], limit), blank, numbered=False)
    right.image(shares, caption="Share", width="stretch", alt="The image with each pixel's share in the prediction")
    caption("Red raises the predicted expression, blue lowers it, against the mean image of the training patients.")


def _features(about: dict[str, Any], seen: dict[str, Any]) -> None:
    values = seen["features"]
    top = np.argsort(-np.abs(values))[:20]
    st.dataframe(
        {"Feature": [about["names"][j] for j in top], "Share, standard deviations": values[top]}, hide_index=True
    )
    caption("The 20 features with the largest share in the predicted expression (Integrated Gradients or occlusion).")


def _figures(about: dict[str, Any], gradients: bool) -> None:
    beaten, deletion, insertion = about["faithful"]
    with st.container(horizontal=True):
        metric("Predicted (standard deviations)", f"{about['output']:+.2f}")
        metric("For the mean image", f"{about['baseline']:+.2f}")
        metric("Better than random orders", f"{beaten:.0%}", help="Blocks of the image are removed, and added.")
        if gradients:
            metric("Sum misses the change by", f"{about['gap']:.0%}", help="Of the change from the mean image.")
    background = f" {on_background(*about['background'], 'expression')}" if about["background"] else ""
    caption(faithfulness(beaten, deletion, insertion, "the predicted expression", "blocks") + background)
    if beaten < 0.8 or min(deletion, insertion) <= 0:
        st.warning(
            "This explanation is hardly better than a random order: don't build on it.", icon=":material/warning:"
        )


def chosen_comparison(session: Session) -> Finished[ExpressionResult]:
    """Which comparison is looked at."""
    return comparison_page.chosen_comparison(session, EXPRESSION)


def cohort_of(session: Session, found: Finished[ExpressionResult]) -> ExpressionCohort:
    """The patients that a comparison was made on."""
    cohort: ExpressionCohort = session.remember(
        ("expression-cohort", str(found.folder)), lambda: read_cohort(found.folder, found.result.config["options"])
    )
    return cohort


def genes(session: Session, found: Finished[ExpressionResult]) -> None:
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
            help="False discovery rate below .05; every permutation is learned anew. Of spots of a tissue, the whole "
            "section is turned and shifted.",
        )
        metric("r above .4", f"{counts['n_strong']:,}")
        metric("Better than ridge", f"{counts['n_better_than_ridge_fdr_below_0.05']:,}", help=_RIDGE)
    verdict_box([in_short(r, cohort)], verdict(r, cohort), also=["r", "false discovery rate", "permutation", "ridge"])
    st.plotly_chart(r_histogram(s.r, s.r_null), key="expression_r", alt="Correlation of every gene beside chance")
    caption(
        "Correlation of predicted and measured expression, and what chance gives: the same, taught the expression of "
        "other patients."
    )
    shown = [(name_of(r, run.name), r.mean_r[cohort][run.name]) for run in r.runs]
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
    found.download_report(lambda: report(r))


def metric(label: str, value: str, **options: Any) -> None:
    """A figure in a frame as wide as its words need; a row of them breaks on a narrow screen."""
    st.metric(label, value, border=True, width="content", **options)


_RULE = (
    "r > 0 with p < .05, correlation above and error below those of the same network with random weights (Steiger's "
    "test, one-sided p < .05), and a false discovery rate of that test below .2."
)
_RIDGE = "Genes whose correlation is above the better linear model's (Steiger's test, false discovery rate below .05)."


def _table(found: Finished[ExpressionResult], cohort: str) -> None:
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
        csv_name("genes"),
        on_click="ignore",
        icon=":material/download:",
        key=found.key("table"),
    )


def _csv(frame: pd.DataFrame) -> bytes:
    return csv_table(list(frame.columns), frame.values.tolist())


def _enriched(found: Finished[ExpressionResult], chosen: np.ndarray) -> None:
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
def one_gene(session: Session, found: Finished[ExpressionResult]) -> None:
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
    model = b.selectbox("Model", names, format_func=lambda name: name_of(r, name), key=found.key("model"))
    truth, predicted = r.truth[:, gene], r.run(model).predicted[:, gene]
    source = cohort_of(session, found).source
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
        caption("A point a patient or spot, predicted by a model that never saw that patient. Dotted: equal.")
    with right:
        for cohort in r.cohort_names:
            _gene_figures(r, cohort, gene)
    if source.places is not None:
        _tissue(found, source, truth, predicted)


def _gene_figures(r: ExpressionResult, cohort: str, gene: int) -> None:
    s = r.statistics[cohort][r.champion.name]
    if len(r.cohort_names) > 1:
        st.markdown(f"**{plain(cohort)}**")
    said = "predicted" if s.predicted[gene] else "not predicted"
    st.markdown(f"{name_of(r, r.champion.name)}: this gene is **{said}**.")
    if not s.predictable[gene]:
        st.markdown("**This gene can't be predicted from such images**: by chance it is predicted as well.")
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
                with_interval(s.r[gene], s.r_low[gene], s.r_high[gene]),
                f"{s.spearman[gene]:.2f}",
                f"{s.rmse[gene]:.3g}",
                f"{s.r_random[gene]:.2f}",
                f"{s.fdr[gene]:.2g}",
                f"{s.permutation_p[gene]:.2g}",
                f"{s.r_ridge[gene]:.2f}",
            ],
        },
        hide_index=True,
        column_config={"Figure": st.column_config.TextColumn(width="small")},
    )


def _tissue(found: Finished[ExpressionResult], source: Any, truth: np.ndarray, predicted: np.ndarray) -> None:
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
