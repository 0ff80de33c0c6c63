"""A study's answer in plain sentences, the disappointing ones too."""

from __future__ import annotations

import math

from genomap_core.benchmark.layout_effect import LayoutEffect, Meaning
from genomap_core.benchmark.models import BASELINES, REFERENCE
from genomap_core.benchmark.score_grid import signed
from genomap_core.benchmark.summary import Comparison, ModelSummary, Summary
from genomap_core.data.message import plural, with_interval

METRIC_TITLES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "roc_auc": "ROC-AUC",
    "brier": "Brier score",
    "log_loss": "log-loss",
}

_HERE = {
    Meaning.TOO_FEW_SETS: "too few sets for an interval",
    Meaning.NOT_SHOWN: "the interval holds zero, so an effect of the layout is not shown here",
    Meaning.HELPS: "the layout matters",
    Meaning.MAY_HELP: "the layout may matter",
    Meaning.HARMS: "the layout does harm",
    Meaning.MAY_HARM: "the layout may do harm",
}
_NOTHING = (Meaning.NOT_SHOWN, Meaning.TOO_FEW_SETS)


def condition_title(name: str) -> str:
    """``noise-20`` -> "20 % noise"."""
    kind, _, percent = name.partition("-")
    titles = {
        "full": "undisturbed",
        "rows": f"{percent} % of the training rows",
        "noise": f"{percent} % noise",
        "testnoise": f"{percent} % noise on test rows only",
        "keep": f"{percent} % of the features in test rows",
        "blocks": f"{percent} % of the features in test rows, correlated ones lost together",
        "thin": f"{percent} % of the reads in test rows (sets that hold counts)",
    }
    return titles[kind]


def verdict(summary: Summary) -> list[str]:
    """Who is best, what the layout does, how the GenoMap network stands to the baselines."""
    if not summary.n_sets:
        return [f"No fold of any data set was run by every model yet ({condition_title(summary.condition)})."]
    sentences = [_best(summary)]
    by_name = {m.model: m for m in summary.models}
    if summary.layout:
        sentences.append(_layout(summary.layout, summary.condition))
    if REFERENCE in by_name and any(b in by_name for b in BASELINES):
        sentences.append(_baselines(by_name, summary))
    return sentences


def _best(summary: Summary) -> str:
    best, *rest = summary.models
    sets = plural(summary.n_sets, "data set")
    where = f"{sets}, {condition_title(summary.condition)}, {METRIC_TITLES[summary.metric]}"
    if not rest:
        return f"{best.title} on {where}."
    close = [m.title for m in rest if m.mean_rank - best.mean_rank <= summary.critical_difference]
    told = (
        f"By their ranks not told apart from it (Nemenyi): {', '.join(close)}."
        if close
        else "It differs from every other model."
    )
    return f"On {where}, {best.title} has the best mean rank ({best.mean_rank:.2f} of {len(summary.models)}). {told}"


def _layout(effects: tuple[LayoutEffect, ...], condition: str) -> str:
    here = next((e for e in effects if e.condition == condition), None)
    told = "The network on the optimal-transport layout minus the same network on a random layout"
    told += " was not run here." if here is None else f": {_figures(here)}; {_HERE[here.meaning]}."
    groups: dict[Meaning, list[str]] = {}
    for e in sorted(effects, key=lambda e: e.meaning in _NOTHING):
        if e is not here:
            figures = f"{e.difference.mean:+.3f}" if e.meaning in _NOTHING else _figures(e)
            groups.setdefault(e.meaning, []).append(f"{condition_title(e.condition)} ({figures})")
    if not groups:
        return told
    elsewhere = "; ".join(f"{meaning}: {', '.join(named)}" for meaning, named in groups.items())
    return f"{told} Elsewhere {elsewhere}. (p: t-test over the sets, corrected by Holm over the conditions.)"


def _figures(compared: LayoutEffect | Comparison) -> str:
    found = compared.difference
    return f"{with_interval(found.mean, found.low, found.high, '+')}, p = {compared.p:.2g}"


def _baselines(by_name: dict[str, ModelSummary], summary: Summary) -> str:
    present = [by_name[b] for b in BASELINES if b in by_name and not math.isnan(by_name[b].mean_score)]
    mine = by_name[REFERENCE]
    if not present:
        return f"{mine.title} has no baseline that ran to compare with."
    sign = signed(summary.metric)
    best = max(present, key=lambda m: sign * m.mean_score)
    behind = sign * mine.mean_score < sign * best.mean_score
    told = (
        f"Mean {METRIC_TITLES[summary.metric]} of {mine.title} is {mine.mean_score:.3f}, "
        f"{'worse' if behind else 'not worse'} than that of the best baseline ({best.title}, {best.mean_score:.3f})."
    )
    pair = next(c for c in summary.comparisons if c.other == best.model)
    if math.isnan(pair.difference.low):
        return told
    return (
        f"{told} Set by set the difference (positive: better) is {_figures(pair)} "
        "(Wilcoxon's, corrected by Holm over the models)."
    )
