"""The six lessons of the Learn page: predict, then reveal; and what surrounds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import streamlit as st

from genomap_core.plotting import lessons as figures
from genomap_core.reports.glossary import GLOSSARY
from genomap_core.reports.lessons import lesson_page, teachers_notes
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE
from genomap_core.workflows.lessons.course import Chapter
from genomap_core.workflows.lessons.growth import DIFFUSION, RATE, values
from genomap_core.workflows.lessons.samples import (
    ATTRIBUTION,
    GROWN,
    GROWTH,
    MAP,
    MAPS,
    PICTURES,
    shipped,
    unscrambled,
)
from genomap_core.workflows.lessons.trained import NOISE
from genomap_core.workflows.lessons.unscramble import KINDS, Unscrambled, collection, unscramble
from genomap_core.workflows.tabular.genomap import fit_genomap
from genomap_core.workflows.tabular.patient import GRADIENT_METHODS
from pages._ui import jobs as job_panel
from pages._ui.growth_canvas import GrowthView, growth_canvas
from pages._ui.session import Session, jobs, shared_sample, warm
from pages._ui.shell import plain
from pages._ui.transport_canvas import transport_canvas
from pages._ui.widgets import caption, report_downloads

MAP_TASK, ATTRIBUTION_TASK = "lessons.trained:map_task", "lessons.trained:attribution_task"
AXES = {
    "noise": "noise (% of each gene's standard deviation)",
    "missing": "genes not measured (%)",
    "reads_lost": "reads not sequenced (%), totals scaled to what they were",
}
TIMES = dict.fromkeys((MAP_TASK, ATTRIBUTION_TASK), "10 to 30 s on a quiet machine, minutes beside other work")
"""Measured: 9 s and 12 s of one processor, and the start of a worker"""
LOOKED_AT = ("ER-alpha (protein)", "HER2 (protein)", "ASPM", "COL5A2", "CD96", "CSF1R", "KLHL29", "AGR3")
"""Genes and proteins offered: receptors, proliferation, stroma, lymphocytes, myeloid cells"""
MODEL_TITLES = {
    "ot": "network, optimal-transport map",
    "published": "network, published objective",
    "random": "network, random map",
    "logistic": "logistic regression",
}


def lesson(session: Session, chapter: Chapter, following: Chapter | None) -> None:
    """Question first; what is drawn below it appears with an answer."""
    st.subheader(chapter.title)
    st.markdown(plain(chapter.told))
    said = st.radio(
        f"**Predict.** {plain(chapter.question)}",
        range(len(chapter.options)),
        index=None,
        key=f"predict-{chapter.key}",
        format_func=chapter.options.__getitem__,
    )
    if said is None:
        caption("Choose an answer; then it is revealed.")
        return
    right = said == chapter.answer
    box, word = (st.success, "As you said.") if right else (st.info, "Not as you said.")
    box(f"**{word}** {plain(chapter.reveal)}", icon=":material/lightbulb:")
    DRAWN[chapter.key](session)
    one, two = st.container(key=f"wide-{chapter.key}").columns(2)
    one.markdown(f"**Control.** {plain(chapter.control)}")
    two.markdown(f"**Surprise.** {plain(chapter.surprise)}")
    with st.container(horizontal=True):
        if following is not None:
            st.button(
                f"Next: {following.title}", type="primary", icon=":material/arrow_forward:",
                on_click=lambda: st.session_state.update(lesson=following.key),
            )  # fmt: skip
        if chapter.key in FIGURES:
            st.download_button(
                "This lesson as one file",
                lambda: lesson_page(chapter, FIGURES[chapter.key]()),
                f"lesson-{chapter.key}.html",
                "text/html",
                on_click="ignore",
                icon=":material/download:",
                help="Opens from a file, without the app and without a network; its figures stay interactive.",
            )


def path(chapters: Sequence[Chapter]) -> None:
    """Teacher's notes, and the screen for a projector."""
    with st.container(horizontal=True, vertical_alignment="center"):
        whole = st.toggle("Whole screen", key="whole", bind="query-params", help="Hides the menu; the link keeps it.")
        with st.popover("For teachers", icon=":material/school:"):
            st.markdown(
                f"{len(chapters)} lessons, {sum(c.minutes for c in chapters)} minutes. The address of a lesson can be "
                "given to a class. Tab and the arrow keys do all that the mouse does."
            )
            report_downloads(lambda: teachers_notes(chapters), "teachers-notes", "Notes")
    if whole:
        st.html("<style>[data-testid=stSidebar], header[data-testid=stHeader] {display: none}</style>")


def words(_: Session) -> None:
    """The glossary."""
    st.subheader("Words")
    part = st.text_input("Find a word").strip().lower()
    shown = {term: text for term, text in GLOSSARY.items() if part in f"{term} {text}".lower()}
    st.markdown("\n".join(f"* **{plain(term)}**: {plain(text)}" for term, text in shown.items()) or "No such word.")


def _unscrambling(session: Session) -> None:
    """Pixels find back to their places."""
    left, right = st.container(horizontal=True, vertical_alignment="bottom"), st.container()
    with left:
        n = st.select_slider("How many pictures it may look at", PICTURES, 4, width=320)
        control = st.toggle("Control: shuffle every picture in its own way")
    found = session.remember(("unscrambled", n, control), lambda: unscrambled(n, control))
    with right:
        _rebuilt(found, "lesson_unscrambled")
    caption(
        "Neighbours found: share of the truly adjacent pixels that touch again. A map has no up or left: the result is "
        "turned and mirrored onto the truth before it is shown."
    )
    with st.expander("Other pictures, another shuffle (about two seconds)"):
        with st.form("unscramble"):
            kind = st.selectbox("Pictures", list(KINDS), format_func=KINDS.__getitem__)
            many = st.select_slider("How many pictures", [30, 60, 100, 200, 400, 800], 400)
            seed = st.number_input("Shuffle", 0, 99, 1, help="Another number: another order of the pixels.")
            key = ("unscramble", kind, many, seed)
            asked = st.form_submit_button("Place the pixels")
        if asked or key in session.cache:
            with st.spinner("Placing the pixels ..."):
                own = session.remember(key, lambda: unscramble(collection(kind, many), int(seed)))
            _rebuilt(own, "lesson_own")
    with st.expander("The formula"):
        st.markdown(
            r"With $d_{ij} = \tfrac12 (1 - r_{ij})$ between pixels and $g_{kl}$ between cells, the permutation $\pi$ "
            r"minimises the Gromov-Wasserstein distortion $\sum_{ij} (d_{ij} - g_{\pi(i)\pi(j)})^2$, plus a reward for "
            "correlation between cells that touch."
        )


def _rebuilt(found: Unscrambled, key: str) -> None:
    picture = st.slider("Which picture is shown", 1, min(50, len(found.pictures)), 1, key=f"{key}_picture") - 1
    frames = [found.shown(picture, at) for at in found.frames]
    st.plotly_chart(
        figures.rebuilding(frames, found.pictures[picture]),
        key=key,
        alt="A shuffled picture, the rebuilt and the true one",
    )
    one, two, three = st.columns(3)
    one.metric("Neighbours found", f"{found.kept:.0%}", border=True)
    two.metric("Before", f"{found.kept_shuffled:.0%}", border=True)
    three.metric("Mean misplacement", f"{found.off:.1f} cells", border=True)


def _kept_and_lost(_: Session) -> None:
    """Where the relatives of a gene lie on the opening sample's map."""
    st.plotly_chart(
        _relatives(), key="lesson_relatives", alt="Correlation of every gene with the chosen one, on the map"
    )
    caption("Choose a gene above the map; yellow: rises with it, blue: falls. The square is its own place.")


@st.cache_resource(show_spinner=False)
def _relatives() -> Any:
    dataset = shared_sample(DEFAULT_SAMPLE)
    result = fit_genomap(dataset)
    chosen = [name for name in LOOKED_AT if name in result.feature_names]
    r = np.corrcoef(result.z.T)
    rows = {name: r[result.feature_names.index(name)] for name in chosen}
    return figures.relatives(rows, result.layout.positions, result.layout.shape, result.feature_names)


def _unscrambled_figures() -> list[Any]:
    found = unscrambled(4)
    return [figures.rebuilding([found.shown(0, at) for at in found.frames], found.pictures[0])]


def _map_matters(session: Session) -> None:
    """The same network on three maps, under noise, with genes missing and with fewer reads."""
    _draw_map(shipped(MAP), "shipped")
    with _training(MAP_TASK):
        _start(session, MAP_TASK, "Train the three networks", "Does the map matter?")
        job_panel.history(session, MAP_TASK, lambda job: _draw_map(jobs().result(job.id, session.owner), job.id))


def _draw_map(found: dict[str, Any], key: str) -> None:
    level = st.slider(
        "Noise (% of each gene's standard deviation)", 0, int(100 * NOISE[-1]), 150, 10, key=f"noise-{key}"
    )
    for axis in AXES:
        shares, marked = ("accuracy", level / 100) if axis == "noise" else (f"accuracy_{axis}", None)
        if shares in found:
            st.plotly_chart(
                figures.accuracy_when_disturbed(
                    found[axis], found[shares], found["n_test"], MODEL_TITLES, marked, AXES[axis]
                ),
                key=f"lesson-{axis}-{key}",
                alt=f"Accuracy of each model against {AXES[axis]}",
            )
    caption(
        "Dots: simulated test patients; lines: 95 % intervals. The networks have no linear path here, so that the "
        "convolutions alone decide."
    )


@contextmanager
def _training(task: str) -> Iterator[None]:
    """What may be trained again, folded, with how long it takes."""
    with st.expander(f"Train it again on another cohort ({TIMES[task]})", icon=":material/model_training:"):
        yield


def _start(session: Session, task: str, button: str, title: str) -> None:
    """Choose a simulated cohort and submit the lesson on it."""
    with st.form(task):
        seed = st.number_input("Simulated cohort", 0, 99, 0, help="Another number: other genes, other patients.")
        if st.form_submit_button(button, icon=":material/play_arrow:", type="primary"):
            job_panel.submit(session, task, {"seed": int(seed)}, f"{title} Cohort {seed}")


def _transport(_: Session) -> None:
    """Points that can be dragged, and the plan between them."""
    st.markdown(
        "**Moving mass at least cost.** Drag the points or choose one and use the arrow keys; change its mass. Without "
        "entropy each point sends its mass along few routes; more entropy blurs the plan, and makes it fast to compute."
    )
    rng = np.random.default_rng(3)
    sources = [(float(x), float(y)) for x, y in rng.uniform((0.08, 0.1), (0.42, 0.9), (6, 2))]
    targets = [(float(x), float(y)) for x, y in rng.uniform((0.58, 0.1), (0.92, 0.9), (6, 2))]
    transport_canvas(sources, targets, mode="transport", label="Transport between two clouds", key="lesson_ot")
    st.markdown(
        "**Gromov-Wasserstein: only distances inside each cloud count.** The right cloud is the left one, turned and "
        "shuffled. The plan finds who is who without comparing a single point across. That is how features (distance: "
        "how differently they vary) find cells (distance: steps on the grid). Turn the targets: nothing changes. Drag "
        "one point: the plan hesitates."
    )
    shape = np.array([(0.1, 0.2), (0.13, 0.52), (0.17, 0.83), (0.29, 0.83), (0.4, 0.78), (0.24, 0.42)])
    turned = (shape - shape.mean(0)) @ np.array([[0.6, -0.8], [0.8, 0.6]]) + (0.7, 0.5)
    order = rng.permutation(len(shape))
    transport_canvas(
        [(float(x), float(y)) for x, y in shape],
        [(float(x), float(y)) for x, y in turned[order]],
        mode="gromov",
        label="Gromov-Wasserstein between two clouds of points",
        key="lesson_gw",
    )
    with st.expander("The formulas"):
        st.markdown(
            r"Transport: $\min_P \sum_{ij} P_{ij} c_{ij} - \varepsilon H(P)$ with the masses as row and column sums "
            r"(Cuturi, 2013). Gromov-Wasserstein: $\min_P \sum_{ijkl} (d_{ik} - g_{jl})^2 P_{ij} P_{kl} - \varepsilon "
            r"H(P)$ "
            "(Mémoli, 2011; Peyré, Cuturi and Solomon, 2016). A layout is the second one with a permutation for a plan."
        )


def _attributions(session: Session) -> None:
    """The shortcut, and five methods against a known cause."""
    _draw_attributions(shipped(ATTRIBUTION), shipped(MAPS), "shipped")

    def draw(job: job_panel.Job) -> None:
        with np.load(jobs().folder(job.id, session.owner) / "attributions.npz", allow_pickle=False) as file:
            _draw_attributions(jobs().result(job.id, session.owner), {k: file[k] for k in file.files}, job.id)

    with _training(ATTRIBUTION_TASK):
        _start(session, ATTRIBUTION_TASK, "Train and explain", "Five attributions.")
        job_panel.history(session, ATTRIBUTION_TASK, draw)


def _draw_attributions(found: dict[str, Any], arrays: dict[str, np.ndarray], key: str) -> None:
    methods = found["methods"]
    st.plotly_chart(
        figures.found_causes(
            {GRADIENT_METHODS[m]: v["found"] for m, v in methods.items()},
            {GRADIENT_METHODS[m]: v["found_shuffled"] for m, v in methods.items()},
        ),
        key=f"lesson-causes-{key}",
        alt="How well each method finds the planted genes",
    )
    maps = _attribution_maps(arrays, list(methods))
    names = ["planted genes (the truth)", *(GRADIENT_METHODS[m] for m in methods)]
    for row in (names[:3], names[3:]):
        for column, name in zip(st.columns(3), row, strict=True):
            column.image(maps[name], caption=name, width="stretch", alt=f"Map of {name}")
    caption("Mean size of the attribution over 24 test patients on the network's own map; brightest: the largest 2 %.")


def _attribution_maps(file: dict[str, np.ndarray], methods: list[str]) -> dict[str, np.ndarray]:
    """Pictures ``(h, w, 3)`` uint8 of the truth and of each method, magnified."""
    from genomap_core.plotting.colour import cividis

    height, width = (int(v) for v in file["shape"])
    row, column = file["positions"].T
    pictures = {}
    for name, sizes in {
        "planted genes (the truth)": file["planted"].astype(float),
        **{GRADIENT_METHODS[m]: file["trained"][k] for k, m in enumerate(methods)},
    }.items():
        board = np.zeros((height, width))
        board[row, column] = np.clip(sizes / max(float(np.quantile(sizes, 0.98)), 1e-12), 0, 1)
        pictures[name] = np.kron(cividis()[(255 * board).astype(int)], np.ones((12, 12, 1), np.uint8))
    return pictures


def _growth(session: Session) -> None:
    """Grow a tumour, then ask what its last picture tells."""
    st.markdown(
        "Choose D and rho and watch it grow; the sliders under the picture ask what another D or rho would have given."
    )
    one, two = st.columns(2)
    diffusion = one.slider("D (cells² per step)", *DIFFUSION, GROWN[0], 0.005, format="%.3f")
    rate = two.slider("rho (per step)", *RATE, GROWN[1], 0.01)
    if (diffusion, rate) == GROWN:
        seen = {key: array.astype(np.float32) for key, array in shipped(GROWTH).items()}
    else:
        with st.spinner("Growing (a few seconds at first) ..."):
            seen = session.remember(
                ("growth lesson", diffusion, rate),
                lambda: warm().call(
                    "genomap_core.workflows.lessons.growth:growth_lesson",
                    {"diffusion": diffusion, "rate": rate},
                    timeout=120,
                )[1],
            )
    frames = seen["frames"]
    growth_canvas(
        GrowthView(
            image=np.zeros(frames.shape[1:], np.float32),
            frames=frames,
            label="A simulated tumour",
            diffusion=diffusion,
            rate=rate,
            diffusion_range=DIFFUSION,
            rate_range=RATE,
            n_substeps=8,
        ),
        key="lesson_growth",
    )
    st.markdown(
        "**What does the last picture tell about D and rho?** Bright: tumours that look like this one. If its age is "
        "known, little is left open. If it is not - and in a clinic it never is - a whole valley of pairs fits: slow "
        "growth for a long time looks like fast growth for a short time. One picture gives D / rho at best, never "
        "both."
    )
    left, right = st.container(key="wide-valley").columns(2)
    for place, key, title in ((left, "same_time", "age known"), (right, "any_time", "age unknown")):
        place.plotly_chart(
            figures.mismatch(seen[key], values(DIFFUSION), values(RATE), (diffusion, rate), title),
            alt=f"Which growth parameters fit the picture, {title}",
        )
    caption("Root-mean-square difference of the densities; cross: the truth. Every pair was grown by the same solver.")


DRAWN: dict[str, Callable[[Session], None]] = {
    "unscramble": _unscrambling,
    "layout": _kept_and_lost,
    "transport": _transport,
    "map": _map_matters,
    "attribution": _attributions,
    "growth": _growth,
}
FIGURES: dict[str, Callable[[], list[Any]]] = {"unscramble": _unscrambled_figures, "layout": lambda: [_relatives()]}
"""Of lessons that can be saved as one file."""
