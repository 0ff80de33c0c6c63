"""``layout``: a place on the grid for every feature, as a table or inside an AnnData file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from genomap_core.cli.answer import Answer
from genomap_core.cli.files import check_out, write_files
from genomap_core.cli.options import Layout
from genomap_core.cli.tables import cohort
from genomap_core.data.dataset import Dataset
from genomap_core.files import USUAL, replacing
from genomap_core.layout import LayoutQuality
from genomap_core.progress import OnProgress
from genomap_core.reports.map_files import layout_csv, maps_npz
from genomap_core.workflows.tabular.genomap import GenomapConfig, GenomapResult, fit_genomap

TITLES = {
    "gw_distortion": "distortion (lower is better)",
    "spearman": "distances agree",
    "neighbour_correlation": "neighbours agree",
    "knn_recall": "nearest kept",
}


def run(options: Layout, on_progress: OnProgress) -> Answer:
    """Read, fit, write; the quality beside that of a random layout of the same features."""
    check_out(options.out, options.table)
    check_out(options.maps, options.table)
    dataset, report = cohort(options)
    config = GenomapConfig(
        solver=options.solver,
        grid=options.sides,
        max_features=options.max_features,
        joint=options.joint,
        seed=options.seed,
        balance=options.balance,
    )
    result = fit_genomap(dataset, config, on_progress)
    if options.out.suffix.lower() == ".h5ad":
        _write_h5ad(options.out, dataset, result)
    else:
        write_files({options.out: lambda: layout_csv(dataset, result)})
    if options.maps is not None:
        write_files({options.maps: lambda: maps_npz(dataset, result)})
    notes = tuple(str(message) for message in report.messages if message.severity == "warn")
    return Answer(_text(options, dataset, result), _facts(options, dataset, result), notes)


def _write_h5ad(path: Path, dataset: Dataset, result: GenomapResult) -> None:
    from genomap_core.workflows.cohorts.annotated import to_anndata

    with replacing(path, USUAL) as beside:
        to_anndata(dataset, result).write_h5ad(beside)


def _facts(options: Layout, dataset: Dataset, result: GenomapResult) -> dict[str, object]:
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
    }


def _text(options: Layout, dataset: Dataset, result: GenomapResult) -> str:
    height, width = result.layout.shape
    maps = f" on {result.layout.n_channels} maps" if result.layout.n_channels > 1 else ""
    lines = [
        f"{options.out}: {len(result.layout.placed):,} of {dataset.n_features:,} features of {dataset.n_samples:,} "
        f"samples on {height} x {width} cells{maps}, solver {result.layout.solver}."
    ]
    if options.maps is not None:
        lines.append(f"{options.maps}: {dataset.n_samples:,} maps.")
    return "\n".join([*lines, *_quality(result.layout.quality, result.control)])


def _quality(own: LayoutQuality, random: LayoutQuality) -> list[str]:
    rows = [(title, getattr(own, name), getattr(random, name)) for name, title in TITLES.items()]
    return [f"{'':30}layout  random", *(f"{title:30}{a:6.3f}  {b:6.3f}" for title, a, b in rows)]
