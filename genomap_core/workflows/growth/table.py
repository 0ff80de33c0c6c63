"""A comparison of image networks as rows of tables, and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from genomap_core.data.images.networks import NETWORKS
from genomap_core.workflows.comparison.result import failure, markdown, score_cells
from genomap_core.workflows.comparison.scores import METRICS, Score
from genomap_core.workflows.growth.scores import ENSEMBLE, GrowthResult

COLUMNS = ("accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "brier", "calibration")


def title(name: str) -> str:
    """A network's name for people."""
    return "Soft vote of the baselines" if name == ENSEMBLE else NETWORKS[name]


def score_rows(result: GrowthResult) -> list[dict[str, str]]:
    """One row a network: scores with 95 % intervals, and what it costs."""
    share = result.runs[0].facts.get("share")
    first = {run.facts.get("network"): run for run in reversed(result.runs) if run.facts.get("share") == share}
    rows = []
    for name, scores in result.scores.items():
        row = {"Network": title(name)} | score_cells(scores, COLUMNS)
        run = first.get(name)
        row["Parameters"] = f"{run.parameters:,}" if run else ""
        row["Images/s"] = f"{len(result.y) / run.predict_seconds:.0f}" if run and run.predict_seconds else ""
        row["Training s"] = f"{run.fit_seconds:.0f}" if run and run.fit_seconds else ""
        rows.append(row)
    failed = [run for run in result.runs if run.status != "ok"]
    return [*rows, *({"Network": run.label, METRICS[COLUMNS[0]]: failure(run)} for run in failed)]


def wide_rows(table: dict[str, dict[str, Score]]) -> list[dict[str, str]]:
    """One row a network, one column a condition or a share of the training images."""
    return [{"Network": title(name)} | {k: str(s) for k, s in row.items()} for name, row in table.items()]


def lead_rows(result: GrowthResult) -> list[dict[str, str]]:
    """How far PhysNet leads in macro F1: an interval off zero is a difference."""
    return [{"Baseline": title(name), "Macro F1 of PhysNet minus its own": str(s)} for name, s in result.lead.items()]


def report(result: GrowthResult, notes: Sequence[str] = ()) -> str:
    """Everything as Markdown."""
    parts = [*notes, markdown(score_rows(result))]
    if result.lead:
        parts.append(markdown(lead_rows(result)))
    if result.robustness:
        parts.append("Macro F1 on degraded test images:\n\n" + markdown(wide_rows(result.robustness)))
    if any(len(row) > 1 for row in result.few.values()):
        parts.append("Macro F1 by share of the training images:\n\n" + markdown(wide_rows(result.few)))
    parts.extend(f"{title(name)}: Dice of the 16 % contour against the masks {s}." for name, s in result.dice.items())
    return "\n\n".join(parts) + "\n"
