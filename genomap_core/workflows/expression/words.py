"""A comparison of models from images to expression in words: what its figures allow to be said, and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genomap_core.data.message import plural
from genomap_core.workflows.comparison.result import failure, markdown
from genomap_core.workflows.comparison.scores import Score
from genomap_core.workflows.expression.compare import ARTEFACTS, title
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.fusion.words import FEWEST_GROUPS, background_sentences


def name_of(result: ExpressionResult, name: str) -> str:
    """The title of a run in this result."""
    training = result.config["training"]
    return title(name, training.get("paths", "both"), training["n_layers"])  # version 0.1 had no other paths


def verdict(result: ExpressionResult, cohort: str | None = None) -> tuple[str, ...]:
    """How many genes are predicted, whether the linear model does as well, and what the control says.

    ``cohort``: the first by default.
    """
    cohort = cohort or result.cohort_names[0]
    found = result.statistics[cohort][result.champion.name]
    counts = found.summary()
    first = name_of(result, result.champion.name)
    said = [
        f"{first}: {counts['n_predicted']:,} of {counts['n_genes']:,} genes are predicted "
        "(r > 0, ahead of the same network with random weights, FDR below .2), "
        f"{counts['n_permutation_fdr_below_0.05']:,} against permutations (FDR below .05); {counts['n_strong']:,} have "
        f"r above .4. Mean r {result.mean_r[cohort][result.champion.name]}."
    ]
    if result.mean_r[cohort][result.champion.name].low <= 0:
        said.append("On average nothing is predicted: whatever it is ahead of predicts nothing either.")
    elif result.n_units < FEWEST_GROUPS:
        said.append(
            f"From {result.n_units} groups no difference to other models can be claimed for new ones: the table speaks "
            "of these groups."
        )
    else:
        said += _comparisons(result, cohort, counts["n_better_than_ridge_fdr_below_0.05"])
    runs = {run.name: run for run in result.runs}
    said += background_sentences(runs, result.champion.name, ARTEFACTS, "expression")
    said.append(_caution(result))
    return tuple(said)


def in_short(result: ExpressionResult, cohort: str | None = None) -> str:
    """The verdict as one sentence with its consequence."""
    cohort = cohort or result.cohort_names[0]
    counts = result.statistics[cohort][result.champion.name].summary()
    if result.mean_r[cohort][result.champion.name].low <= 0:
        return "These images are not shown to say anything about expression here: do not build on the predictions."
    share = f"{counts['n_predicted']:,} of {counts['n_genes']:,} genes"
    if result.n_units < FEWEST_GROUPS:
        return (
            f"In these {result.n_units} groups the images tell of {share}; of other patients nothing can be said yet."
        )
    lead = result.lead[cohort][result.best_ridge]
    linear = (
        "a plain linear model does less well, so the network is worth its cost"
        if lead.low > 0
        else "a plain linear model does better: use that one"
        if lead.high < 0
        else "that the network beats a plain linear model is not shown, so take the linear one"
    )
    return f"The images tell of the expression of {share}; {linear}."


def _comparisons(result: ExpressionResult, cohort: str, ahead: int | float) -> list[str]:
    """Against the better linear model, the other head, and the control."""
    leads, ridge = result.lead[cohort], result.best_ridge
    other = name_of(result, ridge)
    other = other[0].lower() + other[1:]
    said = [f"{_against(other, leads[ridge])} Gene by gene it is ahead for {ahead:,} (FDR below .05)."]
    if "map" in leads:
        said.append(_against("the head that predicts the genomap", leads["map"]))
    said += _layers(result, leads)
    if "exchanged" in leads:
        word = "falls, as it must" if leads["exchanged"].low > 0 else "does NOT fall: what is shown above may be chance"
        control = result.mean_r[cohort]["exchanged"]
        said.append(f"Trained on the expression of other patients it {word} (mean r {control}).")
    return said


def _layers(result: ExpressionResult, leads: Mapping[str, Score]) -> list[str]:
    """What the transformer adds here, whether it is in the first network or beside it."""
    if "full" in leads:
        without = leads["full"]
        added = Score(-without.value, -without.high, -without.low)
    elif "statistics" in leads:
        added = leads["statistics"]
    else:
        return []
    word = "adds to the CNN" if added.low > 0 else "costs" if added.high < 0 else "is not shown to add to the CNN"
    layers = plural(result.config["training"]["n_layers"], "layer")
    return [f"The transformer of {layers} {word} here: mean r {added:+}."]


def _against(other: str, lead: Score) -> str:
    if lead.low > 0:
        return f"It is ahead of {other}: mean r {lead:+}."
    if lead.high < 0:
        return f"It is behind {other}: mean r {lead:+}."
    return f"No difference to {other} can be claimed: mean r {lead:+}."


def _caution(result: ExpressionResult) -> str:
    folds = len(set(result.fold_of_row.tolist()))
    text = (
        f"Every prediction is by a model that saw neither the patient nor any of the same group ({folds} folds). "
        "Intervals come from resampling patients or groups; they hold neither the chance of training nor that of "
        "other folds."
    )
    if result.n_units < len(result.truth):
        text += " Rows of one group are alike: what is chance among them, the permutations tell better than the rule."
    if folds == 2:
        text += " Two folds: each model learned from half of the groups."
    return text


def run_rows(result: ExpressionResult, cohort: str) -> list[dict[str, str]]:
    """One row a run: mean r with its interval, what the first leads it by, and what it costs."""
    return [
        {
            "Run": name_of(result, run.name),
            "Mean r": str(result.mean_r[cohort][run.name]) if run.status == "ok" else failure(run),
            "First, minus it": str(result.lead[cohort][run.name]) if run.name in result.lead[cohort] else "",
            "Parameters": f"{run.parameters:,}",
            "Training s": f"{run.fit_seconds:.0f}",
        }
        for run in result.runs
    ]


def count_rows(result: ExpressionResult) -> list[dict[str, str]]:
    """One row a cohort and network: how many genes are predicted, and the spread of r."""
    rows = []
    for cohort, networks in result.statistics.items():
        for name, found in networks.items():
            s = found.summary()
            rows.append(
                {
                    "Cohort": cohort,
                    "Network": name_of(result, name),
                    "Patients": f"{s['n_patients']:,}",
                    "Genes": f"{s['n_genes']:,}",
                    "Predicted": f"{s['n_predicted']:,}",
                    "By permutation": f"{s['n_permutation_fdr_below_0.05']:,}",
                    "r above .4": f"{s['n_strong']:,}",
                    "Better than ridge": f"{s['n_better_than_ridge_fdr_below_0.05']:,}",
                    "r mean": f"{s['r_mean']:.3f}",
                    "r least": f"{s['r_min']:.3f}",
                    "r most": f"{s['r_max']:.3f}",
                }
            )
    return rows


def gene_rows(result: ExpressionResult, cohort: str, network: str) -> dict[str, Any]:
    """Every gene's statistics as columns."""
    s = result.statistics[cohort][network]
    return {
        "gene": list(result.genes),
        "r": s.r,
        "r low": s.r_low,
        "r high": s.r_high,
        "Spearman": s.spearman,
        "RMSE": s.rmse,
        "p": s.p,
        "r, random weights": s.r_random,
        "RMSE, random weights": s.rmse_random,
        "Steiger p": s.steiger_p,
        "FDR": s.fdr,
        "permutation p": s.permutation_p,
        "permutation FDR": s.permutation_fdr,
        "r, ridge": s.r_ridge,
        "ahead of ridge p": s.better_than_ridge_p,
        "ahead of ridge FDR": s.better_than_ridge_fdr,
        "predicted": s.predicted,
    }


def report(result: ExpressionResult, notes: Sequence[str] = ()) -> str:
    """Tables and verdict as Markdown."""
    parts = [*notes, markdown(count_rows(result))]
    for cohort in result.cohort_names:
        title = [f"**{cohort}**"] if len(result.cohort_names) > 1 else []
        parts += [*title, markdown(run_rows(result, cohort)), *verdict(result, cohort)]
    return "\n\n".join(parts) + "\n"
