"""One patient on the Expression page: predicted and measured genomap, and what in the image a prediction rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.plotting.region_picture import overlaid, to_rgb, with_regions
from genomap_core.workflows.expression_view import gene_modules
from pages._ui.expression_views import Comparison, metric
from pages._ui.gene_map import MapData, gene_map
from pages._ui.session import Session, warm
from pages._ui.widgets import caption

_VIEW = "genomap_core.workflows.expression_view"
METHODS = {"Occlusion": "occlusion", "Integrated Gradients": "integrated_gradients"}


@dataclass(frozen=True, eq=False)
class _Places:
    """Where genes lie, as the gene map wants it."""

    shape: tuple[int, int]
    positions: np.ndarray
    channel: np.ndarray
    n_channels: int = 1


@st.fragment
def panel(session: Session, found: Comparison) -> None:
    """Choose a patient; see his expression beside the predicted one, and what a gene's prediction rests on."""
    r = found.result
    row = int(
        st.selectbox("Patient or spot", range(len(r.truth)), format_func=r.sample_ids.__getitem__, key=found.key("row"))
    )
    _maps(found, row)
    _origin(session, found, row)


def _maps(found: Comparison, row: int) -> None:
    r = found.result
    st.subheader("Measured, predicted, and the difference")
    mean, sd = r.truth.mean(axis=0), np.maximum(r.truth.std(axis=0), 1e-6)
    measured, predicted = ((v[row] - mean) / sd for v in (r.truth, r.champion.predicted))
    data = MapData(
        places=_Places(r.grid, r.cells, np.zeros(len(r.genes), np.int64)),
        values=np.stack([measured, predicted, measured - predicted]).astype(np.float32),
        names=r.genes,
        labels=("measured", "predicted", "measured - predicted"),
        value_range=(-3.0, 3.0),
        unit="standard deviations",
        diverging=True,
        title=f"{r.name}: {r.sample_ids[row]}",
    )
    gene_map(data, key="expression_map", height=330, columns=3, controls=("zoom", "export"))
    near = float(np.corrcoef(measured, predicted)[0, 1]) if predicted.std() > 0 else 0.0
    caption(
        f"Genes that vary together lie side by side. This patient's profile and its prediction correlate with "
        f"{near:.2f} over the genes, in standard deviations of the cohort; predictions vary less than measurements."
    )


def _origin(session: Session, found: Comparison, row: int) -> None:
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


def _image(found: Comparison, row: int, seen: dict[str, Any]) -> None:
    pictures, values = seen["picture"], seen["values"]
    limit = float(np.quantile(np.abs(values), 0.995)) or 1.0
    blank = np.zeros(values.shape[1:], np.int64)
    left, right = st.container(key="wide-origin").columns(2, gap="medium")
    k = 0
    if len(values) > 1:
        strongest = int(np.abs(values).sum(axis=(1, 2)).argmax())
        k = st.slider("Slice", 1, len(values), strongest + 1, key=found.key(f"slice-{row}")) - 1
    rgb = to_rgb(pictures[k])
    left.image(with_regions(rgb, blank, numbered=False), caption="Image", width="stretch")
    right.image(with_regions(overlaid(rgb, values[k], limit), blank, numbered=False), caption="Share", width="stretch")
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
        metric("Random orders beaten", f"{beaten:.0%}", help="Blocks of the image are removed, and added.")
        if gradients:
            metric("Sum misses the change by", f"{about['gap']:.0%}", help="Of the change from the mean image.")
    if beaten < 0.8 or min(deletion, insertion) <= 0:
        st.warning(
            "This explanation is hardly better than a random order: don't build on it.", icon=":material/warning:"
        )
