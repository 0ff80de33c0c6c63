"""PhysNet beside the other networks on the same split: ``python -m tools.growth_networks_table SLICES FOLDER``.

SLICES: what ``tools/train_growth.py`` cleaned (``slices-96.npz``). FOLDER: the networks that it trained; of several
seeds of one kind the mean answers. Prints scores on the Testing images, also degraded, intervals over groups of copies.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genomap_core.data.images.degrade import degrade
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.training.growth_ablation import ABLATIONS, ablated_proba
from genomap_core.training.growth_bundle import GrowthBundle, load_growth
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.comparison.scores import score
from genomap_core.workflows.growth import real
from genomap_core.workflows.growth.compare import conditions
from genomap_core.workflows.growth.scores import run_name, summarise
from genomap_core.workflows.growth.table import report


@dataclass(frozen=True, slots=True)
class Split:
    """What stands in the result's header."""

    split: str = "Training and Testing of the collection"
    seed: int = 0


def bundles_of(folder: Path) -> dict[str, list[GrowthBundle]]:
    """Network -> one bundle a seed."""
    found: dict[str, list[GrowthBundle]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.setdefault(path.name.split("-")[0], []).append(load_growth(path))
    return found


def run_of(network: str, bundles: list[GrowthBundle], cohort: LabelledImages) -> Run:
    """The mean answer of the seeds on Testing, as it is and degraded."""

    def answer(images: np.ndarray) -> np.ndarray:
        return np.mean([b.model.predict_proba(images) for b in bundles], axis=0)

    values = {f"degraded/{key}": answer(degrade(cohort.images, *how)) for key, *how in conditions()}
    parameters = sum(p.numel() for p in bundles[0].model.modules_[0].parameters())
    facts = {"network": network, "share": 1.0, "parameters": parameters}
    return Run(run_name(network, 1.0), {"proba": answer(cohort.images)} | values, facts)


def main() -> int:
    """Print the tables, and what single seeds and ablations reach."""
    parser = argparse.ArgumentParser(prog="python -m tools.growth_networks_table", description=__doc__)
    parser.add_argument("slices", type=Path)
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()

    slices = real.RealSlices.load(args.slices)
    train, _, test = slices.split()
    cohort = LabelledImages(
        "Testing", slices.images[test], slices.y[test], real.CLASSES, tuple(map(str, test)), slices.groups[test]
    )
    bundles = bundles_of(args.folder)
    runs = [run_of(network, found, cohort) for network, found in bundles.items()]
    result = summarise(cohort, runs, [(train, np.arange(len(test)))], Split())
    lines = [report(result), "| network | seeds | macro F1 of each |", "|---|---|---|"]
    for network, found in bundles.items():
        each = [score("macro_f1", cohort.y, b.model.predict_proba(cohort.images)) for b in found]
        lines.append(f"| {network} | {len(found)} | {', '.join(f'{v:.3f}' for v in each)} |")
    for name in ABLATIONS:
        each = [score("macro_f1", cohort.y, ablated_proba(b.model, cohort.images, name)) for b in bundles["physnet18"]]
        lines.append(f"\nPhysNet, {name}: {np.mean(each):.3f}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
