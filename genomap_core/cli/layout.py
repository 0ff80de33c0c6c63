"""``layout``: a place on the grid for every feature, as a table or inside an AnnData file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Layout
from genomap_core.cli.tables import cohort
from genomap_core.data.dataset import Dataset
from genomap_core.errors import InputError
from genomap_core.files import USUAL, replacing
from genomap_core.layout import Match, ReferenceMap
from genomap_core.progress import OnProgress
from genomap_core.reports.map_files import layout_csv, maps_npz
from genomap_core.workflows.comparison.folds import make_folds
from genomap_core.workflows.tabular.evidence import (
    MEASURES,
    N_RANDOM,
    Evidence,
    bought_words,
    evidence,
    reproducibility_words,
)
from genomap_core.workflows.tabular.genomap import (
    GenomapConfig,
    GenomapResult,
    fit_genomap,
    known_places,
    save_reference,
)

if TYPE_CHECKING:
    from genomap_core.workflows.tabular.compare import CompareResult


def run(options: Layout, on_progress: OnProgress) -> Answer:
    """Read, fit, write; the quality beside that of a random layout of the same features."""
    for path in (options.out, options.maps, options.save):
        check_out(path, options.table, options.use)
    reference = None if options.use is None else _reference(options.use)
    dataset, report = cohort(options)
    if options.bought:
        make_folds(dataset, options.bought, options.seed)  # refuses now what it would refuse after the layout
    places, match = (None, None) if reference is None else known_places(reference, dataset)
    config = GenomapConfig(
        solver=options.solver,
        grid=options.sides,
        max_features=options.max_features,
        joint=options.joint,
        seed=options.seed,
        balance=options.balance,
        resamples=options.resamples,
        halves=options.halves,
        reference=places,
    )
    result = fit_genomap(dataset, config, on_progress)
    if options.out.suffix.lower() == ".h5ad":
        _write_h5ad(options.out, dataset, result)
    else:
        write_files({options.out: lambda: layout_csv(dataset, result)})
    if options.maps is not None:
        write_files({options.maps: lambda: maps_npz(dataset, result)})
    if options.save is not None:
        name = options.map_name or options.table.stem
        write_files({options.save: lambda: save_reference(dataset, result, name, options.map_version)})
    notes = tuple(str(message) for message in report.messages if message.severity == "warn")
    found = evidence(result, _compared(options, dataset, on_progress))
    text, facts = _text(options, dataset, result, found), _facts(options, dataset, result, found)
    if reference is not None and match is not None:
        text, facts = f"{text}\n{_matched(reference, match)}", facts | {"reference": _reference_facts(reference, match)}
    return Answer(text, facts, notes)


def _compared(options: Layout, dataset: Dataset, on_progress: OnProgress) -> CompareResult | None:
    """The map network and the same on a random layout on this table's folds, where asked."""
    if not options.bought:
        return None
    from genomap_core.workflows.tabular.compare import CompareConfig, compare

    models = ("genomap", "genomap_random")
    return compare(dataset, CompareConfig(models, options.bought, options.seed, device="cpu"), on_progress=on_progress)


def _reference(path: Path) -> ReferenceMap:
    if not path.is_file():
        raise InputError(f"There is no file {path}: give one that `layout --save` or the Genomap page wrote.")
    return ReferenceMap.from_bytes(path.read_bytes())


def _matched(reference: ReferenceMap, match: Match) -> str:
    lines = [f"Places of the reference map {reference.title}: {len(match.columns):,} features."]
    for names, words in ((match.lacking, "of the map not in the table"), (match.unknown, "without a place on it")):
        if names:
            lines.append(f"{len(names):,} {words}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}")
    return "\n".join(lines)


def _reference_facts(reference: ReferenceMap, match: Match) -> dict[str, object]:
    return {
        "name": reference.name,
        "version": reference.version,
        "fitted_on": dict(reference.fitted_on),
        "lacking": list(match.lacking),
        "unknown": list(match.unknown),
    }


def _write_h5ad(path: Path, dataset: Dataset, result: GenomapResult) -> None:
    from genomap_core.workflows.cohorts.annotated import to_anndata

    with replacing(path, USUAL) as beside:
        to_anndata(dataset, result).write_h5ad(beside)


def _facts(options: Layout, dataset: Dataset, result: GenomapResult, found: Evidence) -> dict[str, object]:
    return {
        "out": str(options.out),
        "maps": None if options.maps is None else str(options.maps),
        "samples": dataset.n_samples,
        "features": dataset.n_features,
        "placed": len(result.layout.placed),
        "grid": [int(side) for side in result.layout.shape],
        "channels": result.layout.n_channels,
        "solver": result.layout.solver,
        "unit": dataset.unit,
        "quality": asdict(result.layout.quality),
        "random_quality": asdict(result.control),
        "evidence": found.to_json(),
    }


def _text(options: Layout, dataset: Dataset, result: GenomapResult, found: Evidence) -> str:
    height, width = result.layout.shape
    maps = f" on {result.layout.n_channels} maps" if result.layout.n_channels > 1 else ""
    lines = [
        f"{options.out}: {len(result.layout.placed):,} of {dataset.n_features:,} features of {dataset.n_samples:,} "
        f"samples on {height} x {width} cells{maps}, solver {result.layout.solver}."
    ]
    if options.maps is not None:
        lines.append(f"{options.maps}: {dataset.n_samples:,} maps.")
    measured = [f"{t:30}{getattr(found.quality, m):6.3f}  {found.random[m]}" for m, t in MEASURES.items()]
    words = [reproducibility_words(found.reproducibility)]
    if found.bought is not None:
        words.append(bought_words(found.bought))
    return "\n".join([*lines, f"{'':30}layout  {N_RANDOM} random ones (95 % of such)", *measured, *words])
