"""The six lessons: what a class predicts, what is then revealed, the control, the surprise. Figures are the shipped "
"ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from genomap_core.workflows.cohorts.precomputed import ready_layout
from genomap_core.workflows.cohorts.samples import DEFAULT_SAMPLE, load_sample
from genomap_core.workflows.lessons.samples import ATTRIBUTION, GROWTH, MAP, shipped, unscrambled

CLOSE = 0.02
"""Root-mean-square difference of densities below which two tumours look alike"""


@dataclass(frozen=True, slots=True)
class Chapter:
    """One lesson of the path."""

    key: str
    """Stands in links; never changed"""
    title: str
    minutes: int
    told: str
    """What is said before the question"""
    question: str
    options: tuple[str, ...]
    answer: int
    reveal: str
    control: str
    surprise: str
    ask: str
    """For the teacher: what to ask the class next"""


def _unscramble() -> Chapter:
    share = {n: unscrambled(n).kept for n in (3, 4, 30, 100, 400)}
    return Chapter(
        "unscramble",
        "Unscramble",
        3,
        "The pixels of a collection of pictures were shuffled, in every picture in the same way. The layout engine "
        "gets "
        "the shuffled table and nothing else; it places side by side what varies together.",
        "How many pictures must it see until half of the pixels that were side by side are found again?",
        ("4", "30", "400"),
        0,
        f"Four. With 3 pictures it finds {share[3]:.0%} of the neighbours, with 4 already {share[4]:.0%}, with 30 "
        f"{share[30]:.0%} and with 400 {share[400]:.0%}. Genes have no true places, but the same engine places them.",
        f"Shuffle every picture in its own way: nothing varies together any more, and of 400 pictures it finds "
        f"{unscrambled(400, control=True).kept:.0%}. The order comes from the data, not from the engine.",
        f"One picture less, 3 instead of 4, and nearly all is lost; 100 pictures find {share[100]:.0%}, and three "
        "hundred more add nothing to that.",
        "Which data of ours are like three pictures: too few patients for the places to mean anything?",
    )


def _layout() -> Chapter:
    found = ready_layout(load_sample(DEFAULT_SAMPLE).digest)
    assert found is not None, "the opening sample is shipped with its layout"
    quality, random = found[0].quality, found[1]
    return Chapter(
        "layout",
        "What a layout keeps and loses",
        3,
        "The map of 600 genes and proteins of 150 breast cancers, every one in a place of its own.",
        "Take a gene and the ten genes that go most with it. How many of them lie among its ten nearest cells?",
        ("About 2", "About 5", "About 9"),
        0,
        f"About {10 * quality.knn_recall:.0f} of ten. A flat map cannot hold what lies in many dimensions. What it "
        "keeps: "
        f"touching cells correlate {quality.neighbour_correlation:.2f} on average.",
        f"At random places {10 * random.knn_recall:.1f} of ten are near, and touching cells correlate "
        f"{random.neighbour_correlation:.2f}.",
        "Most of the closest relations are not side by side, and yet whole processes lie together: choose a gene on "
        "the map "
        "and see where its relatives are.",
        "If two genes lie far apart, what may you conclude? (Nothing: ask for their correlation.)",
    )


def _transport() -> Chapter:
    return Chapter(
        "transport",
        "Transport under your hand",
        3,
        "A plan moves mass from one cloud of points to another at least cost. Gromov-Wasserstein compares distances "
        "inside each cloud only: so features (how differently they vary) find cells (how far apart they are).",
        "Turn the right cloud by a quarter. What does the Gromov-Wasserstein plan do?",
        ("It changes wholly", "It changes a little", "Nothing"),
        2,
        "Nothing: turning changes no distance inside the cloud. So a map has no up or left either; it is turned and "
        "mirrored freely.",
        "The plain plan above, which compares places across the clouds, changes at once.",
        "Drag one point until two places are alike: the plan hesitates between them, and shares its mass.",
        "What would a plan do with two genes that vary in exactly the same way?",
    )


def _map() -> Chapter:
    found = shipped(MAP)
    at = found["noise"].index(1.5)
    noisy = {name: shares[at] for name, shares in found["accuracy"].items()}
    lacking = {name: shares[-1] for name, shares in found["accuracy_missing"].items()}
    half = 1.96 * np.sqrt(0.25 / found["n_test"])
    return Chapter(
        "map",
        "When the map matters",
        4,
        f"The same network learns on maps in the engine's order and in random order; {found['n_test']} simulated "
        "patients "
        "that it never saw are disturbed. Beside them: logistic regression, which knows no map.",
        "Nine of ten genes are not measured in a new patient. Who still names the subtype well?",
        ("The ordered map alone", "Both maps, ordered or random", "Logistic regression"),
        1,
        f"Both maps: right for {lacking['ot']:.0%} (ordered) and {lacking['random']:.0%} (random), logistic "
        "regression for "
        f"{lacking['logistic']:.0%} (each within {half:.0%}). The networks fill what is missing from what was "
        "measured, "
        "logistic regression puts each gene's median there; that the order helps is not shown.",
        f"The random map. Under noise of 150 % it falls to {noisy['random']:.0%}, the ordered map to "
        f"{noisy['ot']:.0%}: "
        "neighbours that vary together average the noise away.",
        f"Under that noise logistic regression is right for {noisy['logistic']:.0%}: a model without any map is as "
        "good. "
        "Never show the ordered map without it.",
        "Which of your own results had no random control?",
    )


def _attribution() -> Chapter:
    found = shipped(ATTRIBUTION)
    mark, empty, methods = found["shortcut"], found["background"], found["methods"]
    return Chapter(
        "attribution",
        "Reading and mistrusting an attribution",
        4,
        f"A network is trained where one class carries a mark that has nothing to do with it, as a scanner or a batch "
        f"leaves. On new patients that carry the mark too it is right for {mark['with']:.0%}. Without the mark a "
        "network "
        f"reaches {found['accuracy']:.0%}.",
        "The same network meets patients without the mark. How often is it right?",
        (f"{mark['with']:.0%} as before", f"{found['accuracy']:.0%}, as without the mark", "About half"),
        2,
        f"For {mark['without']:.0%} of them. Its attribution had told: {mark['share']:.0%} of its weight lay on the "
        f"{mark['share_of_genes']:.0%} of the genes that were marked. So with pictures: where one class had a lighter "
        f"empty background, a network was right for {empty['with']:.0%} with it and {empty['without']:.0%} without; "
        f"{empty['share']:.0%} of its attribution lay on the background, of an honest network's "
        f"{empty['usual_share']:.0%}. Where weight lies is shown; whether that is a cause, a scanner or nothing at "
        "all, only knowledge tells.",
        f"The same network with shuffled weights. Integrated Gradients find the planted genes with an area of "
        f"{methods['integrated_gradients']['found']:.2f}, shuffled "
        f"{methods['integrated_gradients']['found_shuffled']:.2f} "
        "(0.5 is chance). A picture that looks the same for shuffled weights shows the data, not the network.",
        f"Grad-CAM finds the planted genes no better than chance ({methods['gradcam']['found']:.2f}). And what is "
        "average "
        "in a patient gets nothing from Integrated Gradients, however important: their size goes with how unusual a "
        "gene "
        f"is (rank correlation {methods['integrated_gradients']['unusual']:.2f}), since the average is their "
        "background.",
        "How would you notice a shortcut before it reaches a patient?",
    )


def _growth() -> Chapter:
    seen = shipped(GROWTH)
    known, unknown = (int((seen[key] < CLOSE).sum()) for key in ("same_time", "any_time"))
    return Chapter(
        "growth",
        "What one picture can't tell of growth",
        3,
        "Tumour cells wander (diffusion D) and divide (rate rho). A simulated tumour has grown; you get its last "
        "picture.",
        "Can you tell from it how fast the tumour grows?",
        ("Yes, both D and rho", "Only the rate rho", "No, not from one picture"),
        2,
        f"No. Of 121 pairs of D and rho, {unknown} look like this picture when nobody knows how long it has grown: "
        "slow "
        "growth for a long time looks like fast growth for a short time.",
        f"Tell the tumour's age, and {known} of 121 pairs are left.",
        "The picture is not empty: it tells D / rho, the width of the edge. Two pictures of known dates tell both.",
        "Which program that states a growth rate from one scan would you believe?",
    )


_MAKE: tuple[Callable[[], Chapter], ...] = (_unscramble, _layout, _transport, _map, _attribution, _growth)


@cache
def chapters() -> tuple[Chapter, ...]:
    """All six, in the order of the path: twenty minutes. Raises :class:`InputError` where a shipped result is "
    "missing."""
    return tuple(make() for make in _MAKE)
