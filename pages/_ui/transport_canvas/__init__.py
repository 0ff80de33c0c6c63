"""Points with masses that can be dragged, and the transport plan between them; everything runs in the browser."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import streamlit as st

__all__ = ["transport_canvas"]

_HERE = Path(__file__).parent
Points = Sequence[tuple[float, float]]

_mount = st.components.v2.component(
    "genomap_transport",
    html=(_HERE / "transport.html").read_text("utf-8"),
    css=(_HERE.parent / "canvas.css").read_text("utf-8") + (_HERE / "transport.css").read_text("utf-8"),
    js=(_HERE / "transport.js").read_text("utf-8"),
)


def transport_canvas(
    sources: Points, targets: Points, *, mode: Literal["transport", "gromov"], label: str, key: str
) -> None:
    """Draw two clouds of points in the unit square, each point of mass 1 to begin with.

    ``transport``: the plan of least squared distance. ``gromov``: the plan that keeps the distances inside each cloud,
    which is blind to where the clouds lie. Nothing comes back to Python.
    """
    data = {
        "mode": mode,
        "points": [[list(p) for p in sources], [list(p) for p in targets]],
        "masses": [[1.0] * len(sources), [1.0] * len(targets)],
        "label": label,
    }
    data["digest"] = hashlib.sha256(json.dumps(data).encode()).hexdigest()
    _mount(data=data, key=key)
