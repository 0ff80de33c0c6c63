"""The Growth page's second tab: what two outlines of one date, or of two, say of a tumour's growth."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.data.images.hygiene import to_grey
from genomap_core.errors import InputError
from genomap_core.io.images.preview import read_pixels
from pages._ui.growth_canvas import GrowthView, growth_canvas
from pages._ui.session import Session, warm
from pages._ui.widgets import caption

_VIEW = "genomap_core.workflows.growth.dates:dates_view"
_ASKED = {
    "wide": "Outer outline (T2 or FLAIR: 16 % of the space filled by tumour cells)",
    "dense": "Inner outline (T1 with contrast agent: 80 %)",
    "later_wide": "Outer outline at the later date",
    "later_dense": "Inner outline at the later date",
}
_TYPES = ["png", "tif", "tiff", "nii", "gz"]


def dates(session: Session) -> None:
    """Masks in, figures with intervals and a look ahead out."""
    st.markdown(
        "One image alone fixes no figure in millimetres or days. **Two outlines of one date** fix the infiltration "
        "length sqrt(D / rho); **the same two at a later date** fix D and rho. Outlines are masks: pixels above 0 are "
        "inside. All of them lie on one grid."
    )
    left, right = st.columns(2)
    files = {
        name: (left if k < 2 else right).file_uploader(text, _TYPES) for k, (name, text) in enumerate(_ASKED.items())
    }
    spacing = left.number_input("Pixel size (mm)", 0.05, 20.0, None, 0.1, placeholder="not given")
    days = right.number_input("Days between the dates", 1.0, 36_500.0, None, 1.0, placeholder="not given")
    given = {name: file for name, file in files.items() if file is not None}
    if not {"wide", "dense"} <= given.keys() or spacing is None:
        st.info("Give both outlines of the first date and the pixel size.", icon=":material/info:")
        return
    later = {"later_wide", "later_dense"} <= given.keys() and days is not None
    if not later:
        caption("D, rho and days are not told: they need both outlines of a second date, and the days between.")
    masks, digests = {}, []
    for name, file in given.items():
        content = file.getvalue()
        digests.append(hashlib.sha256(content).hexdigest())
        masks[name] = _mask(content, file.name)
    if len({m.shape for m in masks.values()}) > 1:
        raise InputError("The outlines differ in size: all of them must lie on one grid.")
    spec: dict[str, Any] = {"spacing": spacing, "days": days if later else None}
    with st.spinner("Fitting ..."):
        about, seen = session.remember(
            ("growth dates", *digests, *spec.values()), lambda: warm().call(_VIEW, spec, masks, timeout=300)
        )
    _figures(about["figures"])
    if later:
        caption(f"The fit's outlines lie {about['misfit']:.2g} mm off those drawn at the later date.")
        _ahead(seen, float(days or 0))


def _mask(content: bytes, name: str) -> np.ndarray:
    stack = read_pixels(content, name)
    return np.asarray(to_grey(stack.slices[stack.middle]) > 0)


def _figures(figures: dict[str, dict[str, Any]]) -> None:
    rows = figures.items()
    st.dataframe(
        {
            "figure": [name for name, _ in rows],
            "value": [f"{f['value']:.2g}" for _, f in rows],
            "95 % interval": [f"{f['low']:.2g} to {f['high']:.2g}" for _, f in rows],
            "unit": [f["unit"] for _, f in rows],
        },
        hide_index=True,
    )


def _ahead(seen: dict[str, np.ndarray], days: float) -> None:
    st.subheader("The same time ahead")
    frames = seen["frames"]
    side = max(frames.shape[1:])
    square = np.zeros((len(frames), side, side), np.float32)
    square[:, : frames.shape[1], : frames.shape[2]] = frames
    growth_canvas(
        GrowthView(np.zeros((side, side), np.float32), square, "The tumour after the later date"), key="ahead"
    )
    now, (value, low, high) = seen["areas"][0, 0], seen["areas"][-1]
    st.markdown(
        f"Outer outline: {now:.0f} mm² at the later date, **{value:.0f} mm²** after {days:.0f} days more "
        f"(95 % of the figures that fit: {low:.0f} to {high:.0f} mm²), if nothing is treated."
    )
