"""The growth canvas: an image with the tumour's density over it; time and what-if physics run in the browser."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.plotting.colour import cividis

__all__ = ["GrowthView", "growth_canvas", "pack"]

_HERE = Path(__file__).parent


@dataclass(frozen=True, eq=False)
class GrowthView:
    """What the canvas shows."""

    image: np.ndarray
    """``(s, s)`` float, drawn from its 0.5th to its 99.5th percentile"""
    frames: np.ndarray
    """``(K + 1, h, w)`` densities in [0, 1]"""
    label: str
    """What it is, for those who don't see it"""
    diffusion: float | None = None
    """D in cells^2 per step; None hides the what-if sliders"""
    rate: float | None = None
    diffusion_range: tuple[float, float] = (0.0, 1.0)
    rate_range: tuple[float, float] = (0.0, 1.0)
    n_substeps: int = 1


_mount = st.components.v2.component(
    "genomap_growth",
    html=(_HERE / "growth.html").read_text("utf-8"),
    css=(_HERE.parent / "canvas.css").read_text("utf-8") + (_HERE / "growth.css").read_text("utf-8"),
    js="\n".join((_HERE / name).read_text("utf-8") for name in ("physics.js", "growth.js")),
)


def growth_canvas(view: GrowthView, *, key: str) -> None:
    """Draw ``view``; nothing comes back to Python."""
    _mount(data=pack(view), key=key)


def pack(view: GrowthView) -> bytes:
    """``uint32 header length | JSON header | image uint8 | frames float32 | colours uint8``, each padded to 4."""
    steps, height, width = view.frames.shape
    header: dict[str, Any] = {
        "size": view.image.shape[0],
        "steps": steps - 1,
        "height": height,
        "width": width,
        "substeps": view.n_substeps,
        "label": view.label,
        "rates": None,
    }
    if view.diffusion is not None and view.rate is not None:
        header["rates"] = {
            "diffusion": view.diffusion,
            "rate": view.rate,
            "diffusion_range": view.diffusion_range,
            "rate_range": view.rate_range,
        }
    low, high = np.percentile(view.image, [0.5, 99.5])
    grey = (np.clip((view.image - low) / max(float(high - low), 1e-9), 0, 1) * 255).round().astype(np.uint8)
    body = b"".join(map(_padded, (grey.tobytes(), view.frames.astype("<f4").tobytes(), cividis().tobytes())))
    header["digest"] = hashlib.sha256(json.dumps(header).encode() + body).hexdigest()
    head = json.dumps(header, allow_nan=False).encode()
    return len(head).to_bytes(4, "little") + _padded(head) + body


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
