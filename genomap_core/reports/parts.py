"""Tables that several reports share."""

from __future__ import annotations

from datetime import UTC, datetime

from genomap_core import __version__
from genomap_core.data.dataset import Dataset
from genomap_core.data.message import plural
from genomap_core.layout.quality import MEASURES
from genomap_core.reports.document import Table
from genomap_core.workflows.comparison.scores import Score
from genomap_core.workflows.tabular.compare import CompareResult
from genomap_core.workflows.tabular.genomap import GenomapResult, unit_words


def size_words(dataset: Dataset) -> str:
    """How large a cohort is, and in which unit its values are."""
    size = f"{plural(dataset.n_samples, 'sample')}, {plural(dataset.n_features, 'feature')}"
    return f"{size}. Values: {unit_words(dataset.unit)}."


def share_words(score: Score) -> str:
    """A share with its interval, in percent; "-" where nothing was counted."""
    return "-" if score.value != score.value else f"{score.value:.0%} ({score.low:.0%} to {score.high:.0%})"


def layout_rows(genomap: GenomapResult) -> tuple[tuple[str, str, str], ...]:
    """Measure, this layout, random layout."""
    own, random = genomap.layout.quality, genomap.control
    return tuple((title, f"{getattr(own, m):.3f}", f"{getattr(random, m):.3f}") for m, title in MEASURES.items())


def origin(found: CompareResult | None = None, **more: str) -> dict[str, str]:
    """Where a report comes from: program, time, comparison, cohort, weights; then ``more``."""
    facts = {"Program": f"GenoMap Studio {__version__}", "Written": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}
    if found is not None:
        facts["Cohort (SHA-256)"] = found.digest
        facts["Comparison"] = f"{found.config.n_folds} folds, seed {found.config.seed}"
        for run in found.runs:
            if digest := run.facts.get("weights_sha256"):
                facts[f"Weights of {run.label} (SHA-256)"] = f"{digest}; licence {run.facts.get('licence', '')}"
    return facts | more


def facts_table(facts: dict[str, str]) -> Table:
    """What, and its value."""
    return Table(("what", "value"), tuple(facts.items()))
