"""A comparison of models from images to expression as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genomap_core.workflows.comparison.words import markdown
from genomap_core.workflows.expression.compare import TITLES
from genomap_core.workflows.expression.result import ExpressionResult
from genomap_core.workflows.expression.verdict import verdict


def run_rows(result: ExpressionResult, cohort: str) -> list[dict[str, str]]:
    """One row a run: mean r with its interval, what the first leads it by, and what it costs."""
    return [
        {
            "Run": TITLES[run.name],
            "Mean r": str(result.mean_r[cohort][run.name]),
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
                    "Network": TITLES[name],
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
