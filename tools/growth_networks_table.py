"""PhysNet beside the other networks on the same split: ``python -m tools.growth_networks_table SLICES FOLDER``.

SLICES: what ``tools/train_growth.py`` cleaned (``slices-128.npz``). FOLDER: the networks that it trained; of several
seeds of one kind the mean answers. Prints scores on the Testing images, also degraded, intervals over groups of copies.
With ``--lesions`` also where the networks look in slices with masks, which no training saw. ``--beside SLICES FOLDER``:
networks trained at another size, which answer the same Testing images as they are.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from genomap_core.data.images.degrade import degrade
from genomap_core.data.images.labelled import LabelledImages
from genomap_core.explain.images import explain_image
from genomap_core.training.growth_ablation import ABLATIONS, ablated_proba
from genomap_core.training.growth_bundle import GrowthBundle, load_growth
from genomap_core.workflows.comparison.runner import Run
from genomap_core.workflows.comparison.scores import interval, paired_difference, resample_patients, score
from genomap_core.workflows.growth import real
from genomap_core.workflows.growth.compare import conditions
from genomap_core.workflows.growth.data import indexed_cohort
from genomap_core.workflows.growth.scores import mask_dice, run_name, summarise
from genomap_core.workflows.growth.table import report

FLAIR = 1
"""Channel of the slices with masks: lesions are bright in it"""
PHYSNET, PLAIN, MATCHED = real.PHYSNET, "efficientnet_lite", "efficientnet_lite_matched"


@dataclass(frozen=True, slots=True)
class Split:
    """What stands in the result's header."""

    split: str = "Training and Testing of the collection"
    seed: int = 0


def bundles_of(folder: Path) -> dict[tuple[str, float], list[GrowthBundle]]:
    """Network and share of the training images -> one bundle a seed; whole ones first."""
    found: dict[tuple[str, float], list[GrowthBundle]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        bundle = load_growth(path)
        key = bundle.model.config.network, float(bundle.provenance.get("share", 1.0))
        found.setdefault(key, []).append(bundle)
    return dict(sorted(found.items(), key=lambda item: -item[0][1]))


def mean_answer(bundles: list[GrowthBundle], images: np.ndarray) -> np.ndarray:
    """Probabilities ``(n, C)``, mean over the seeds."""
    return np.mean([b.model.predict_proba(images) for b in bundles], axis=0)


def run_of(network: str, share: float, bundles: list[GrowthBundle], cohort: LabelledImages) -> Run:
    """The mean answer of the seeds on Testing, as it is and, of whole trainings, degraded."""
    values = {"proba": mean_answer(bundles, cohort.images)}
    if share == 1:
        values |= {f"degraded/{k}": mean_answer(bundles, degrade(cohort.images, *how)) for k, *how in conditions()}
    parameters = sum(p.numel() for p in bundles[0].model.modules_[0].parameters())
    return Run(run_name(network, share), values, {"network": network, "share": share, "parameters": parameters})


def pointed(values: np.ndarray, masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of maps and masks ``(n, s, s)``: whether the highest value lies in the mask, and Dice at the mask's own size."""
    hits, dice = np.zeros(len(masks)), np.zeros(len(masks))
    for i, (v, mask) in enumerate(zip(values, masks >= 0.5, strict=True)):
        order = np.argsort(-v, axis=None, kind="stable")
        hits[i] = mask.flat[order[0]]
        dice[i] = mask.flat[order[: mask.sum()]].mean()
    return hits, dice


def occlusions(bundles: list[GrowthBundle], images: np.ndarray, target: int) -> np.ndarray:
    """What every pixel adds to a class's logit by occlusion, ``(n, s, s)``; mean over the seeds."""
    modules = [m for b in bundles for m in b.model.modules_]
    return np.mean([[explain_image(m, m, x, target, "occlusion") for x in images] for m in modules], axis=0)


def lesion_lines(folder: Path, label: str, most: int, found: dict[str, list[GrowthBundle]]) -> Iterator[str]:
    """Rows of a table: pointing game and Dice of each network against the masks of the first ``most`` gliomas."""
    cohort, _ = indexed_cohort(folder, label, next(iter(found.values()))[0].size, folder.name)
    known = np.flatnonzero(np.isfinite(cohort.masks).all((1, 2)) & (cohort.masks >= 0.5).any((1, 2)))[:most]
    images, masks = cohort.images[known, FLAIR : FLAIR + 1], cohort.masks[known]
    rows = resample_patients(np.zeros(len(masks)), None, 1000, 0)
    heads = [(m >= 0.5)[x[0] != 0].mean() for x, m in zip(images, masks, strict=True)]
    yield f"\n{len(masks)} slices with masks; chance: {np.mean(heads):.3f}, the mask's share of the head\n"
    yield "| network | answered with a tumour | pointing game | Dice at the mask's size |\n|---|---|---|---|"
    for network, bundles in found.items():
        tumour = mean_answer(bundles, images).argmax(1) != real.NO_TUMOUR
        maps = {network: occlusions(bundles, images, real.CLASSES.index("glioma"))}
        if network in (PHYSNET, MATCHED):
            density = np.mean([b.model.observe(images).frames[:, -1] for b in bundles], axis=0)
            zoom = (1, *(a / b for a, b in zip(masks.shape[1:], density.shape[1:], strict=True)))
            maps[f"{network}, its density"] = ndimage.zoom(density, zoom, order=1, grid_mode=True, mode="nearest")
            yield f"| {network}, 16 % contour | | | Dice {np.nanmean(mask_dice(density, masks)):.3f} |"
        for name, values in maps.items():
            told = [str(interval(lambda i, v=v: float(v[i].mean()), rows, len(masks))) for v in pointed(values, masks)]
            yield f"| {name} | {tumour.mean():.0%} | {told[0]} | {told[1]} |"


def growth_lines(cohort: LabelledImages, runs: dict[str, Run]) -> Iterator[str]:
    """What growth itself adds to the same network with growth off, undisturbed and degraded."""
    own, off = runs[PHYSNET], runs[MATCHED]
    yield "\n| images | macro F1 with growth minus growth off | minus no layer |\n|---|---|---|"
    for key in own.values:
        told = [
            f"{paired_difference('macro_f1', cohort.y, own.values[key], other.values[key], cohort.groups):+}"
            for other in (off, runs[PLAIN])
        ]
        yield f"| {key.removeprefix('degraded/').replace('proba', 'as they are')} | {' | '.join(told)} |"


def testing_of(slices: real.RealSlices) -> LabelledImages:
    """The Testing images."""
    _, _, test = slices.split()
    return LabelledImages(
        "Testing", slices.images[test], slices.y[test], real.CLASSES, tuple(map(str, test)), slices.groups[test]
    )


def beside_lines(cohort: LabelledImages, own: np.ndarray, slices: Path, folder: Path) -> Iterator[str]:
    """Rows of a table: networks of another size on the same Testing images, their vote, and how far PhysNet leads."""
    other = testing_of(real.RealSlices.load(slices))
    answers = {n: mean_answer(found, other.images) for (n, share), found in bundles_of(folder).items() if share == 1}
    answers["soft vote of VGG16, VGG19, MobileNetV2"] = np.mean(
        [answers[n] for n in ("vgg16", "vgg19", "mobilenet_v2") if n in answers], axis=0
    )
    yield f"\n| network at {other.images.shape[-1]} pixels | macro F1 | PhysNet minus it |\n|---|---|---|"
    for name, proba in answers.items():
        lead = paired_difference("macro_f1", cohort.y, own, proba, cohort.groups)
        yield f"| {name} | {score('macro_f1', cohort.y, proba):.3f} | {lead:+} |"


def main() -> int:
    """Print the tables, and what single seeds and ablations reach."""
    parser = argparse.ArgumentParser(prog="python -m tools.growth_networks_table", description=__doc__)
    parser.add_argument("slices", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lesions", type=Path, help="a folder with index.csv and masks, such as lgg_mri")
    parser.add_argument("--label", default="neoplasm_histologic_grade", help="a column of index.csv that is filled")
    parser.add_argument("--beside", type=Path, nargs=2, metavar=("SLICES", "FOLDER"), help="networks of another size")
    parser.add_argument("--most", type=int, default=40, help="so many of its slices: occlusion is slow")
    args = parser.parse_args()

    torch.set_num_threads(1)
    slices = real.RealSlices.load(args.slices)
    cohort = testing_of(slices)
    bundles = bundles_of(args.folder)
    whole = {network: found for (network, share), found in bundles.items() if share == 1}
    runs = [run_of(network, share, found, cohort) for (network, share), found in bundles.items()]
    result = summarise(cohort, runs, [(slices.split()[0], np.arange(len(cohort.y)))], Split())
    lines = [report(result), "| network | seeds | macro F1 of each |", "|---|---|---|"]
    for network, found in whole.items():
        each = [score("macro_f1", cohort.y, b.model.predict_proba(cohort.images)) for b in found]
        lines.append(f"| {network} | {len(found)} | {', '.join(f'{v:.3f}' for v in each)} |")
    if {PHYSNET, MATCHED, PLAIN} <= whole.keys():
        lines += growth_lines(cohort, {r.facts["network"]: r for r in runs if r.facts["share"] == 1})
    for network in (PHYSNET, MATCHED):
        for name in ABLATIONS if network in whole else ():
            each = [score("macro_f1", cohort.y, ablated_proba(b.model, cohort.images, name)) for b in whole[network]]
            lines.append(f"\n{network}, {name}: {np.mean(each):.3f}")
    if args.beside:
        lines += beside_lines(cohort, mean_answer(whole[PHYSNET], cohort.images), *args.beside)
    if args.lesions:
        lines += lesion_lines(args.lesions, args.label, args.most, whole)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
