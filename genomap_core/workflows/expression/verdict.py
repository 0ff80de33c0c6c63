"""A comparison of models from images to expression in plain sentences: what its figures allow to be said."""

from __future__ import annotations

from genomap_core.workflows.comparison.scores import Score
from genomap_core.workflows.expression.compare import TITLES
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.fusion.verdict import FEWEST_GROUPS


def verdict(result: ExpressionResult, cohort: str | None = None) -> tuple[str, ...]:
    """How many genes are predicted, whether the linear model does as well, and what the control says.

    ``cohort``: the first by default.
    """
    cohort = cohort or result.cohort_names[0]
    found = result.statistics[cohort][result.champion.name]
    counts = found.summary()
    said = [
        f"{TITLES[result.champion.name]}: {counts['n_predicted']:,} of {counts['n_genes']:,} genes are predicted "
        "(r > 0, ahead of the same network with random weights, FDR below .2), "
        f"{counts['n_permutation_fdr_below_0.05']:,} against permutations (FDR below .05); {counts['n_strong']:,} have "
        f"r above .4. Mean r {_score(result.mean_r[cohort][result.champion.name])}."
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
    said.append(_caution(result))
    return tuple(said)


def _comparisons(result: ExpressionResult, cohort: str, ahead: int | float) -> list[str]:
    """Against the better linear model, the other head, and the control."""
    leads, ridge = result.lead[cohort], result.best_ridge
    other = TITLES[ridge][0].lower() + TITLES[ridge][1:]
    said = [f"{_against(other, leads[ridge])} Gene by gene it is ahead for {ahead:,} (FDR below .05)."]
    if "map" in leads:
        said.append(_against("the head that predicts the genomap", leads["map"]))
    if "exchanged" in leads:
        word = "falls, as it must" if leads["exchanged"].low > 0 else "does NOT fall: what is shown above may be chance"
        control = _score(result.mean_r[cohort]["exchanged"])
        said.append(f"Trained on the expression of other patients it {word} (mean r {control}).")
    return said


def _against(other: str, lead: Score) -> str:
    if lead.low > 0:
        return f"It is ahead of {other}: mean r {_signed(lead)}."
    if lead.high < 0:
        return f"It is behind {other}: mean r {_signed(lead)}."
    return f"No difference to {other} can be claimed: mean r {_signed(lead)}."


def _caution(result: ExpressionResult) -> str:
    folds = len(set(result.fold_of_row.tolist()))
    text = (
        f"Every prediction is by a model that saw neither the patient nor his group ({folds} folds). Intervals come "
        "from resampling patients or groups; they hold neither the chance of training nor that of other folds."
    )
    if result.n_units < len(result.truth):
        text += " Rows of one group are alike: what is chance among them, the permutations tell better than the rule."
    if folds == 2:
        text += " Two folds: each model learned from half of the groups."
    return text


def _score(s: Score) -> str:
    return f"{s.value:.3f} ({s.low:.3f} to {s.high:.3f})"


def _signed(s: Score) -> str:
    return f"{s.value:+.3f} ({s.low:+.3f} to {s.high:+.3f})"
