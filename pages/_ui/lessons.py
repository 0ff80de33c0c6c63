"""The demonstrations of the Learn page."""

from __future__ import annotations

import numpy as np
import streamlit as st

from genomap_core.plotting import lessons as figures
from genomap_core.workflows.lessons.growth import DIFFUSION, RATE, values
from genomap_core.workflows.lessons.trained import NOISE
from genomap_core.workflows.lessons.unscramble import KINDS, collection, unscramble
from genomap_core.workflows.tabular.patient import GRADIENT_METHODS
from pages._ui import jobs as job_panel
from pages._ui.growth_canvas import GrowthView, growth_canvas
from pages._ui.session import Session, jobs, warm
from pages._ui.transport_canvas import transport_canvas
from pages._ui.widgets import caption

MAP_TASK, ATTRIBUTION_TASK = "lessons.trained:map_task", "lessons.trained:attribution_task"
MODEL_TITLES = {
    "ot": "network, optimal-transport map",
    "published": "network, published objective",
    "random": "network, random map",
    "logistic": "logistic regression",
}


def unscrambling(session: Session) -> None:
    """Pixels find back to their places."""
    st.markdown(
        "Every picture of a collection had its pixels shuffled in the same way. The layout engine gets the shuffled "
        "table and nothing else. Pixels that lie side by side vary together over the collection; placing what varies "
        "together side by side rebuilds the picture. **Genes have no true places - but the same engine finds theirs.**"
    )
    with st.container(horizontal=True):
        kind = st.selectbox("Pictures", list(KINDS), format_func=KINDS.__getitem__, width=280)
        n = st.select_slider("How many pictures it may look at", [30, 60, 100, 200, 400, 800, 1600], 400, width=320)
        seed = st.number_input("Shuffle", 0, 99, 0, width=120, help="Another number: another order of the pixels.")
    with st.spinner("Placing the pixels ..."):
        found = session.remember(("unscramble", kind, n, seed), lambda: unscramble(collection(kind, n), int(seed)))
    picture = st.slider("Which picture is shown", 1, min(50, len(found.pictures)), 1) - 1
    frames = [found.shown(picture, at) for at in found.frames]
    st.plotly_chart(
        figures.rebuilding(frames, found.pictures[picture]), alt="A shuffled picture, the rebuilt one and the truth"
    )
    one, two, three = st.columns(3)
    one.metric("Neighbours found", f"{found.kept:.0%}", border=True)
    two.metric("Before", f"{found.kept_shuffled:.0%}", border=True)
    three.metric("Mean misplacement", f"{found.off:.1f} cells", border=True)
    caption(
        "Neighbours found: share of the truly adjacent pixels that touch again. Misplacement: how far a pixel lies "
        "from its true place. A map has no up or left: the result is turned and mirrored onto the truth before it is "
        "shown. With few pictures, chance correlations mislead it: try 30."
    )
    with st.expander("The formula"):
        st.markdown(
            r"With $d_{ij} = \tfrac12 (1 - r_{ij})$ between pixels and $g_{kl}$ between cells, the permutation $\pi$ "
            r"minimises the Gromov-Wasserstein distortion $\sum_{ij} (d_{ij} - g_{\pi(i)\pi(j)})^2$, plus a reward for "
            "correlation between cells that touch."
        )


def map_matters(session: Session) -> None:
    """The same network on three maps, under noise."""
    st.markdown(
        "The same convolutional network is trained on maps of the same patients: once placed by optimal transport, "
        "once by the published objective, once at random. Then noise is added to patients it never saw. Convolutions "
        "average over neighbours: where neighbours vary together the noise averages out, **and only then the map "
        "matters.**"
    )
    _start(session, MAP_TASK, "Train the three networks", "Does the map matter?")

    def draw(job: job_panel.Job) -> None:
        found = jobs().result(job.id, session.owner)
        level = st.slider("Noise (% of each gene's standard deviation)", 0, int(100 * NOISE[-1]), 100, 10)
        st.plotly_chart(
            figures.accuracy_under_noise(found["noise"], found["accuracy"], found["n_test"], MODEL_TITLES, level / 100),
            alt="Accuracy of each network against noise",
        )
        at = {name: float(np.interp(level / 100, found["noise"], v)) for name, v in found["accuracy"].items()}
        gain = at["ot"] - at["random"]
        st.markdown(
            f"At {level} % noise the optimal-transport map is right for **{at['ot']:.0%}** of {found['n_test']} "
            f"patients, the random map for {at['random']:.0%} ({gain:+.0%}), logistic regression for "
            f"{at['logistic']:.0%}."
        )
        caption(
            "Dots: simulated test patients; lines: 95 % intervals. The networks have no linear path here, so that the "
            "convolutions alone decide. Look at logistic regression before calling the map necessary."
        )

    job_panel.history(session, MAP_TASK, draw)


def _start(session: Session, task: str, button: str, title: str) -> None:
    """Choose a simulated cohort and submit the lesson on it."""
    with st.form(task):
        seed = st.number_input("Simulated cohort", 0, 99, 0, help="Another number: other genes, other patients.")
        if st.form_submit_button(button, icon=":material/play_arrow:", type="primary"):
            job_panel.submit(session, task, {"seed": int(seed)}, f"{title} Cohort {seed}")


def transport(session: Session) -> None:
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


def attributions(session: Session) -> None:
    """Five methods against a known cause."""
    st.markdown(
        "In this simulated cohort three modules of genes decide the subtype, and we know which. A network learns it; "
        "five Captum methods say what it looked at. **A method that draws the same picture for a network with shuffled "
        "weights shows the data, not the network.**"
    )
    _start(session, ATTRIBUTION_TASK, "Train and explain", "Five attributions.")

    def draw(job: job_panel.Job) -> None:
        found = jobs().result(job.id, session.owner)
        methods = found["methods"]
        st.plotly_chart(
            figures.found_causes(
                {GRADIENT_METHODS[m]: v["found"] for m, v in methods.items()},
                {GRADIENT_METHODS[m]: v["found_shuffled"] for m, v in methods.items()},
            ),
            alt="How well each method finds the planted genes",
        )
        best = max(methods, key=lambda m: methods[m]["found"] - methods[m]["found_shuffled"])
        alike = max(methods, key=lambda m: methods[m]["agreement"])
        st.markdown(
            f"The network is right for {found['accuracy']:.0%} of the test patients. **{GRADIENT_METHODS[best]}** "
            f"gains most over its control. **{GRADIENT_METHODS[alike]}** changes least when the weights are shuffled "
            f"(rank correlation {methods[alike]['agreement']:+.2f}): part of what it shows comes from the map, not "
            f"from what was learned."
        )
        with np.load(jobs().folder(job.id, session.owner) / "attributions.npz", allow_pickle=False) as file:
            maps = _attribution_maps({k: file[k] for k in file.files}, list(methods))
        names = ["planted genes (the truth)", *(GRADIENT_METHODS[m] for m in methods)]
        for row in (names[:3], names[3:]):
            for column, name in zip(st.columns(3), row, strict=True):
                column.image(maps[name], caption=name, width="stretch")
        caption(
            "Mean size of the attribution over 24 test patients on the network's own map; brightest: the largest 2 %."
        )

    job_panel.history(session, ATTRIBUTION_TASK, draw)


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


def growth(session: Session) -> None:
    """Grow a tumour, then ask what its last picture tells."""
    st.markdown(
        "Tumour cells wander (diffusion D) and divide (rate rho). Choose both and watch it grow; the sliders under the "
        "picture ask what another D or rho would have given."
    )
    one, two = st.columns(2)
    diffusion = one.slider("D (cells² per step)", *DIFFUSION, 0.08, 0.005, format="%.3f")
    rate = two.slider("rho (per step)", *RATE, 0.2, 0.01)
    with st.spinner("Growing ..."):
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
