"""The gene map: a canvas in the browser whose sliders need no server, and whose committed values Python shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from genomap_core.data.perturb import Perturbation
from pages._ui.gene_map.data import MapData, Measured, Overlay, perturbation_fields
from pages._ui.gene_map.packing import Sent, pack

__all__ = ["CONTROLS", "GeneMapEvent", "MapData", "Measured", "Overlay", "gene_map", "perturbation_fields"]

CONTROLS = ("noise", "keep", "overlay", "regions", "zoom", "export")
"""Everything the tool bar can hold; a control whose data are not given is left out."""

_HERE = Path(__file__).parent
_SCRIPTS = ("values.js", "paint.js", "panels.js", "controls.js", "legend.js", "export.js", "reading.js", "gene_map.js")


def _component() -> Any:
    return st.components.v2.component(
        "genomap_gene_map",
        html=(_HERE / "gene_map.html").read_text("utf-8"),
        css=(_HERE / "gene_map.css").read_text("utf-8"),
        js="\n".join((_HERE / name).read_text("utf-8") for name in _SCRIPTS),
    )


_mount = _component()


@dataclass(frozen=True, slots=True)
class GeneMapEvent:
    """What the reader did, as of this run of the page."""

    perturbation: Perturbation
    """The sliders at their last release; the maps on the screen show exactly these numbers."""
    feature: int | None = None
    """The feature clicked, in the run that the click started; else None."""
    map_index: int | None = None
    """On which map it was clicked."""


def gene_map(
    data: MapData,
    *,
    key: str,
    height: int = 520,
    columns: int | None = None,
    controls: Sequence[str] = CONTROLS,
    initial: Perturbation = Perturbation(),
    on_change: Callable[[], None] | None = None,
    ahead: Mapping[str, MapData] | None = None,
) -> GeneMapEvent:
    """Show maps; return the committed perturbation and the clicked feature.

    Parameters
    ----------
    data
        What to draw. Keep one object while nothing changes: equal data are not sent again.
    key
        Identifies the component; sliders, zoom and selection survive reruns and a change of the data.
    height
        Aim for the height of one map in CSS pixels; cells are whole screen pixels.
    columns
        Maps in a row; None: as many as give the largest cells.
    controls
        Which of `CONTROLS` to offer.
    initial
        Where the sliders stand at first. A later call with another value moves them there.
    on_change
        Runs before the page's next run, after a slider was released.
    ahead
        Key of a button on the page -> what it leads to: drawn at once when it is pressed, before the server answers.
    """
    unknown = set(controls) - set(CONTROLS)
    if unknown:
        raise ValueError(f"`controls` may hold {CONTROLS}, got {sorted(unknown)}.")
    memory = st.session_state.setdefault(f"_gene_map_{key}", _Memory(initial))
    memory.begin(initial, mounted=key in st.session_state)
    view = {"height": int(height), "columns": columns, "controls": list(controls)}
    result = _mount(
        data=pack(data, view, memory.start, memory.epoch, memory.sent, ahead),
        key=key,
        on_perturbation_change=on_change or (lambda: None),
        on_cell_change=lambda: None,
        on_lacking_change=memory.sent.forget,
    )
    cell = result.cell or {}
    return GeneMapEvent(memory.end(result.perturbation, data.seed), cell.get("feature"), cell.get("map"))


class _Memory:
    """Where the sliders of one map stand, across reruns and visits to other pages."""

    def __init__(self, initial: Perturbation) -> None:
        self.given = self.start = self.last = Perturbation(initial.level, initial.keep)
        self.epoch = 0
        self.sent = Sent()

    def begin(self, initial: Perturbation, mounted: bool) -> None:
        """A new `initial` moves the sliders, unless it only repeats what they said; a map mounted anew resumes."""
        initial = Perturbation(initial.level, initial.keep)
        if initial == self.last:
            self.given = initial
        if initial != self.given:
            self.given = self.start = self.last = initial
            self.epoch += 1
        elif not mounted:
            self.start = self.last

    def end(self, state: Any, seed: int) -> Perturbation:
        """The browser's state as a checked value; until a slider moved, where the sliders started."""
        if state and state["epoch"] == self.epoch:
            self.last = Perturbation(float(state["level"]), float(state["keep"]))
        else:
            self.last = self.start
        return Perturbation(self.last.level, self.last.keep, seed)
