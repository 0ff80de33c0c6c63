"""A comparison of fusion networks in words: what its figures allow to be said, and no more; and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from genomap_core.data.images.networks import BACKBONES, VARIANTS
from genomap_core.data.images.statistics import empty_background
from genomap_core.plotting.research_use import RESEARCH_USE
from genomap_core.workflows.comparison.result import failure, markdown, score_cells
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.comparison.scores import METRICS, Score
from genomap_core.workflows.fusion.adaptive import ADAPTIVE
from genomap_core.workflows.fusion.controls import ARTEFACTS, BASELINES, CONTROLS, TYPE, title
from genomap_core.workflows.fusion.scores import FusionResult

_METRIC = "balanced_accuracy"
_SINGLES = ("image", "omics")
FEWEST_GROUPS = 6
"""Of fewer, even all on one side are no rarity: 2 * (1/2)^5 = 0.06."""
_EXCHANGED = {"shuffled_omics": "omics", "shuffled_images": "images"}


def verdict(result: FusionResult) -> tuple[str, ...]:
    """The best model, whichever it is; whether fusion gains anything over each kind of data alone, whether the controls
    confirm it, and what else holds.

    A difference is claimed where the 95 % interval of balanced accuracy excludes zero; the gain is called real where
    that holds against every kind alone and the controls whose rows were exchanged fall too.
    """
    said = [_best(result), _level(result), *(_gain_of_fusion(result) if result.has_images else _gain_of_types(result))]
    if few := _few_groups(result):
        said.insert(2, _too_few(few))
    said += [*_controls(result), *_layout(result), *_others(result), *_adaptive(result)]
    runs = {run.name: run for run in result.runs}
    said += [*background_sentences(runs, result.champion, ARTEFACTS, "images"), _caution(result)]
    return tuple(said)


def in_short(result: FusionResult) -> str:
    """The verdict as one sentence with its consequence, without a figure; of a first look it is said that it is one."""
    needed = _EXCHANGED if result.has_images else {"shuffled_omics"}
    first_look = " No control was run: this is a first look, which settles nothing."
    return _in_short(result) + ("" if set(needed) <= result.gain.keys() else first_look)


def _in_short(result: FusionResult) -> str:
    if few := _few_groups(result):
        return f"These are {few} patients or sections: too few to say anything about others."
    if result.scores[result.champion][_METRIC].low <= 1 / len(result.classes):
        return "No better than guessing on this cohort: do not build on these networks."
    if not result.has_images:
        if gain_is_real(result):
            return "On this cohort the omics types together name the class better than any of them alone: measure all."
        return "On this cohort joining the omics types is not shown to help: the best single type is enough."
    found = [name for name in _SINGLES if name in result.gain]
    if gain_is_real(result):
        return "On this cohort images and omics together name the class better than either alone: use both."
    if len(found) == len(_SINGLES) and all(_ahead(result, n) for n in found):
        return "On this cohort both together do better than either alone, which the controls do not confirm."
    if behind := [n for n in found if _behind(result, n)]:
        return f"On this cohort {title(behind[0]).lower()} does better than both together: leave the other out."
    if len(found) == len(_SINGLES) and sum(_ahead(result, n) for n in found) == 1:
        carrier, idle = ("omics", "images") if _ahead(result, "image") else ("images", "omics")
        return f"On this cohort the {carrier} carry the answer; the {idle} are not shown to add anything."
    return "Whether both together beat either alone can't be told on this cohort: prefer the simpler one."


def scope(result: FusionResult) -> str:
    """How it was made, and what was left out: nothing is claimed of what was not run."""
    options, names = result.config, {run.name for run in result.runs}
    variants = VARIANTS if result.has_images else ()
    out = [title(name).removeprefix("Images + omics, ").lower() for name in variants if name not in names]
    groups = {"controls": CONTROLS, "linear models": BASELINES, "adaptive fusion": (ADAPTIVE,)}
    out += [what for what, members in groups.items() if names.isdisjoint(members)]
    made = f"{options['n_folds']} folds, {options['epochs']} epochs, network: {BACKBONES[options['backbone']]}."
    return f"{made} Left out: {', '.join(out)}." if out else made


def gain_is_real(result: FusionResult) -> bool:
    """Better than every kind of data alone, and fallen with the omics and with the images of other patients."""
    rivals = _rivals(result)
    drops = [c for c in _EXCHANGED if result.has_images or c == "shuffled_omics"]
    needed = [*rivals, *drops]
    return bool(rivals) and all(name in result.gain and _ahead(result, name) for name in needed)


def images_used(result: FusionResult) -> bool:
    """False where the first run is no worse with the images of other patients: nothing in them is shown to help."""
    return "shuffled_images" not in result.gain or _ahead(result, "shuffled_images")


def _rivals(result: FusionResult) -> list[str]:
    """Runs on one kind of data alone."""
    if result.has_images:
        return [name for name in _SINGLES if name != result.champion]
    return [run.name for run in result.runs if run.name.startswith(TYPE)]


def _difference(result: FusionResult, name: str) -> Score:
    return result.gain[name][_METRIC]


def _few_groups(result: FusionResult) -> int:
    """How many patients or sections there are where that is too few for any claim; 0 where they suffice."""
    n = 0 if result.groups is None else len(set(result.groups.tolist()))
    return n if n < FEWEST_GROUPS else 0


def _ahead(result: FusionResult, name: str) -> bool:
    return _difference(result, name).low > 0 and not _few_groups(result)


def _behind(result: FusionResult, name: str) -> bool:
    return _difference(result, name).high < 0 and not _few_groups(result)


def best_in_short(result: FusionResult) -> str:
    """Which of all models did best, whichever it is."""
    return f"Of all models “{name_of(result, _best_of_all(result))}” did best here."


def _best_of_all(result: FusionResult) -> str:
    compared = [run.name for run in result.runs if run.name in result.scores and run.name not in CONTROLS]
    return max(compared, key=lambda name: result.scores[name][_METRIC].value)


def _best(result: FusionResult) -> str:
    best = _best_of_all(result)
    return f"The best of all models is “{name_of(result, best)}”: balanced accuracy {result.scores[best][_METRIC]}."


def _adaptive(result: FusionResult) -> list[str]:
    """Adaptive fusion against the best of what it combines, and which part carries which class."""
    found = result.part_weights
    if found is None:
        return []
    names, weights = found
    best = max(names, key=lambda name: result.scores[name][_METRIC].value)
    lead, what = result.ahead[best], f"the best of its parts, “{name_of(result, best)}”"
    word = "level with"
    if not _few_groups(result):
        word = "ahead of" if lead.low > 0 else "behind" if lead.high < 0 else "level with"
    carriers = [(name, names[m], weights[m, c]) for c, (name, m) in enumerate(zip(result.classes, weights.argmax(0)))]
    if len({part for _, part, _ in carriers}) == 1:
        carried = f"“{name_of(result, carriers[0][1])}” has the most weight in every class"
    else:
        listed = (f"of {name} by “{name_of(result, part)}” ({weight:.2f})" for name, part, weight in carriers)
        carried = f"Most of the weight is carried {', '.join(listed)}"
    return [f"Adaptive fusion is {word} {what}: {lead:+}. {carried}."]


def weight_rows(result: FusionResult) -> list[dict[str, str]]:
    """One row a part of adaptive fusion: its weight in every class; none where it was not compared."""
    found = result.part_weights
    if found is None:
        return []
    return [
        {"Part": name_of(result, name)} | {c: f"{w:.2f}" for c, w in zip(result.classes, row, strict=True)}
        for name, row in zip(*found, strict=True)
    ]


def _level(result: FusionResult) -> str:
    score = result.scores[result.champion][_METRIC]
    chance = 1 / len(result.classes)
    k = len(result.omics_names)
    types = "Both omics types together" if k == 2 else f"All {k} omics types together"
    what = title(result.champion) if result.has_images else types
    above = "above" if score.low > chance and not _few_groups(result) else "not to be told from"
    return (
        f"{what}: balanced accuracy {score} (in brackets the 95 % interval), {above} chance "
        f"({chance:.{score.decimals}f})."
    )


def _gain_of_fusion(result: FusionResult) -> list[str]:
    found = [name for name in _SINGLES if name in result.gain]
    if len(found) < len(_SINGLES):
        return ["Images alone and omics alone were not both run: a gain of fusion can't be judged."]
    parts = ", ".join(f"{_difference(result, n):+} over {title(n).lower()}" for n in found)
    if gain_is_real(result):
        return [f"The gain of fusion is real: {parts}; the controls fall."]
    ahead = [n for n in found if _ahead(result, n)]
    behind = [n for n in found if _behind(result, n)]
    if behind:
        return [f"Fusion is worse than {' and '.join(title(n).lower() for n in behind)}: {parts}."]
    if len(ahead) == len(found):
        return [f"Fusion is ahead of either kind alone ({parts}), but a control is missing or does not fall: no claim."]
    if ahead:
        other = next(n for n in found if n not in ahead)
        carrier, idle = ("omics", "images") if ahead == ["image"] else ("images", "omics")
        return [
            f"No gain of fusion can be claimed: it is ahead of {title(ahead[0]).lower()}, but not of "
            f"{title(other).lower()} ({parts}). The {carrier} carry the answer; what the {idle} add can't be told "
            "from chance."
        ]
    return [f"No gain of fusion can be claimed: {parts}."]


def _gain_of_types(result: FusionResult) -> list[str]:
    rivals = _rivals(result)
    if not rivals:
        return []
    best = max(rivals, key=lambda n: result.scores[n][_METRIC].value)
    listed = ", ".join(f"{_difference(result, n):+} over {title(n)}" for n in rivals)
    if gain_is_real(result):
        return [f"The gain of joining the omics types is real: {listed}; the control falls."]
    if _behind(result, best):
        return [f"All types together are worse than {title(best)}: {listed}."]
    behind = f" over {title(best)}, the best type alone" if not _ahead(result, best) else ""
    return [f"No gain of joining the omics types can be claimed{behind}: {listed}."]


def _controls(result: FusionResult) -> list[str]:
    said = []
    for name, what in _EXCHANGED.items():
        if name in result.gain:
            fallen = _ahead(result, name)
            word = "falls" if fallen else "does not fall beyond chance"
            end = "" if fallen else f": no use of the {what} is shown"
            said.append(
                f"With the {what} of other patients it {word}{end} "
                f"(what the right ones are worth: {_difference(result, name):+})."
            )
    return said


def _layout(result: FusionResult) -> list[str]:
    if "shuffled_layout" not in result.gain:
        return []
    score = _difference(result, "shuffled_layout")
    if _ahead(result, "shuffled_layout"):
        return [f"Placing related features side by side helps: {score:+} over features placed at random."]
    if _behind(result, "shuffled_layout"):
        return [f"Features placed at random do better: {score:+}."]
    return [f"No difference between the layout and features placed at random can be claimed: {score:+}."]


def _others(result: FusionResult) -> list[str]:
    names = ["late", "attention", "logistic_both"] if result.has_images else ["logistic_omics"]
    said = []
    for name in (n for n in names if n in result.gain):
        words = f"“{title(name)}”"
        if _ahead(result, name):
            said.append(f"It is ahead of {words}: {_difference(result, name):+}.")
        elif _behind(result, name):
            said.append(f"It is behind {words}: {_difference(result, name):+}.")
        else:
            said.append(f"No difference from {words} can be claimed: {_difference(result, name):+}.")
    return said


def _too_few(few: int) -> str:
    return (
        f"All rows come from {few} groups (patients or sections): whatever the intervals say, nothing can be claimed "
        f"of others. At least {FEWEST_GROUPS} groups are needed."
    )


def _caution(result: FusionResult) -> str:
    n = len(result.y)
    units = f"{n} patients" if result.groups is None else f"{len(set(result.groups.tolist()))} groups ({n} rows)"
    return (
        f"Intervals come from resampling {units}; they hold neither the chance of training nor that of other folds. "
        f"{len(result.gain)} comparisons were made without correction."
    )


def faithfulness(beaten: float, deletion: float, insertion: float, what: str, parts: str) -> str:
    """The deletion and insertion test in plain words: ``what`` is answered from ``parts``."""
    falls = "lowers" if deletion > 0 else "does not lower"
    rises = "raises" if insertion > 0 else "does not raise"
    return (
        f"Taking away first the {parts} that the explanation names first {falls} {what} more than taking away any, and "
        f"showing them first {rises} it more; it beats {beaten:.0%} of random orders."
    )


COLUMNS = ("balanced_accuracy", "roc_auc", "accuracy", "macro_f1", "brier")
_CALIBRATION = "calibration"
"""Not in results of version 0.1"""


def score_rows(result: FusionResult) -> list[dict[str, str]]:
    """One row a run: scores with 95 % intervals, and what it costs."""
    calibrated = all(_CALIBRATION in row for row in result.scores.values())
    columns = (*COLUMNS, _CALIBRATION) if calibrated else COLUMNS
    return [
        {"Run": name_of(result, run.name)}
        | (score_cells(result.scores[run.name], columns) if run.status == "ok" else {METRICS[COLUMNS[0]]: failure(run)})
        | {"Parameters": f"{run.parameters:,}", "Training s": f"{run.fit_seconds:.0f}"}
        for run in result.runs
    ]


def gain_rows(result: FusionResult) -> list[dict[str, str]]:
    """What the first run leads each other by: an interval off zero is a difference."""
    first = name_of(result, result.champion)
    return [
        {f"{first}, minus": name_of(result, name)} | {METRICS[key]: str(s) for key, s in row.items()}
        for name, row in result.gain.items()
    ]


def name_of(result: FusionResult, name: str) -> str:
    """The name of a run in this result: without images "omics only" is all types together."""
    return "All omics types" if name == "omics" and not result.has_images else title(name)


def report(result: FusionResult, notes: Sequence[str] = ()) -> str:
    """Tables and verdict as Markdown."""
    tables = [score_rows(result), gain_rows(result), weight_rows(result)]
    return "\n\n".join([*notes, *(markdown(rows) for rows in tables if rows), *verdict(result)]) + "\n"


def heading(result: FusionResult) -> tuple[str, ...]:
    """What a report begins with: whose it is, what was predicted, and how it was trained."""
    counts = np.bincount(result.y, minlength=len(result.classes))
    classes = ", ".join(f"{name} {count}" for name, count in zip(result.classes, counts, strict=True))
    kinds = ", ".join([*(["images"] if result.has_images else []), *result.omics_names])
    return (
        f"# Images and omics: {result.name}",
        RESEARCH_USE,
        f"{len(result.y):,} patients or spots. Classes: {classes}. Data: {kinds}.",
        f"{scope(result)} Seed {result.config['seed']}. In brackets: 95 % intervals.",
    )


def rests_on_background(image: np.ndarray, labels: np.ndarray, values: np.ndarray) -> bool:
    """Whether the strongest region of an image lies on nothing, most of it.

    Parameters
    ----------
    image
        ``(c, H, W)``.
    labels, values
        ``(H, W)`` int region of each pixel; ``(K,)`` attribution of each region.
    """
    if not image.size or not len(values):
        return False
    return bool(empty_background(image)[labels == int(np.abs(values).argmax())].mean() > 0.5)


SHOWN = 0.01
"""Share of a picture below which its empty background is not worth a word."""


def on_background(share: float, area: float, control: float | None, taught: str) -> str:
    """How much of an attribution to images lies where nothing is, in plain words.

    ``control``: the same of a network that was taught ``taught`` of other patients.
    """
    if area < SHOWN:
        return "The images have no empty background on which an attribution could lie by mistake."
    text = f"{share:.0%} of the attribution to images lies on empty background, which is {area:.0%} of the picture"
    return f"{text}." if control is None else f"{text}; of a network taught other patients' {taught} {control:.0%}."


def background_sentences(runs: Mapping[str, Run], first: str, control: str, taught: str) -> list[str]:
    """:func:`on_background` over the patients of a comparison whose networks were looked at; none without.

    That the first network looks at the background less is claimed where the 95 % interval of the mean difference,
    patient by patient, excludes zero.
    """
    if first not in runs or "background" not in runs[first].values:
        return []
    own = runs[first].values["background"]
    share, area = np.nanmean(own, axis=0)
    other = runs[control].values.get("background") if control in runs else None
    if other is None or area < SHOWN:
        return [on_background(share, area, None, taught)]
    said = on_background(share, area, float(np.nanmean(other[:, 0])), taught)
    difference = (own - other)[:, 0][~np.isnan(own[:, 0])]
    high = difference.mean() + 1.96 * difference.std() / np.sqrt(len(difference))
    return [said if high < 0 else f"{said} That is not shown to be less: don't read single pixels."]
