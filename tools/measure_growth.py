"""What the gate answers: ``python tools/measure_growth.py SLICES DATA [PICTURE...]``, a table as Markdown.

SLICES: what ``tools/train_growth.py`` cleaned (``slices-128.npz``). DATA: the folder of real data. Things that are no
brain MRI: pictures given, those that scikit-learn and scikit-image bundle, pieces of all of them, histology, DICOM of
other kinds, noise, text.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

Named = Iterator[tuple[str, np.ndarray]]


def bundled() -> list[Path]:
    """Pictures that come with scikit-learn and scikit-image, where installed."""
    found: list[Path] = []
    for package, folder in (("skimage", "data"), ("sklearn", "datasets/images")):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin:
            where = Path(spec.origin).parent / folder
            found += [p for p in sorted(where.glob("*")) if p.suffix in (".png", ".jpg")]
    return found


def pictures(paths: list[Path]) -> Named:
    """Whole pictures."""
    for path in paths:
        yield path.name, np.asarray(Image.open(path).convert("RGB"))


def pieces(images: Named, n: int, rng: np.random.Generator) -> Named:
    """``n`` squares out of each."""
    for name, image in images:
        least = min(image.shape[:2])
        for k in range(n):
            side = int(rng.integers(min(64, least), min(400, least) + 1))
            r, c = (int(rng.integers(s - side + 1)) for s in image.shape[:2])
            yield f"{name}#{k}", image[r : r + side, c : c + side]


def histology(data: Path) -> Named:
    """H&E sections at a tenth of their size."""
    Image.MAX_IMAGE_PIXELS = None
    for path in sorted((data / "images" / "her2st").glob("*_HE.jpg")):
        image = Image.open(path)
        image.draft("RGB", (2500, 2500))
        yield path.name, np.asarray(image.convert("RGB"))


def drawn(rng: np.random.Generator) -> Named:
    """Noise, smooth noise, discs of both, a gradient, text pages."""
    y, x = np.mgrid[:224, :224] - 112
    for k in range(20):
        noise = rng.integers(0, 256, (224, 224))
        smooth = ndimage.gaussian_filter(rng.normal(size=(224, 224)), rng.uniform(1, 30))
        smooth = 255 * (smooth - smooth.min()) / np.ptp(smooth)
        disc = np.hypot(y / rng.uniform(60, 100), x / rng.uniform(60, 100)) < 1
        for name, image in (("noise", noise), ("smooth", smooth), ("disc", disc * noise), ("soft disc", disc * smooth)):
            yield f"{name} {k}", image.astype(np.uint8)
        page = Image.new("L", (400, 500), 255 * (k % 2))
        for j in range(30):
            words = "".join(rng.choice(list("abcdefgh ijklmnop"), 50))
            ImageDraw.Draw(page).text((20, 10 + 16 * j), words, fill=255 * (1 - k % 2))
        yield f"text {k}", np.asarray(page)
    yield "gradient", np.tile(np.arange(224, dtype=np.uint8), (224, 1))
    yield "blank", np.zeros((224, 224), np.uint8)


def _files(bundle: Any, folder: Path) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Names and verdicts of slices of DICOM and NIfTI files: of other modalities, and of MR or not said."""
    from genomap_core.errors import InputError
    from genomap_core.io.images.preview import read_pixels
    from genomap_core.workflows.growth.gate import examine

    others: list[tuple[str, str]] = []
    heads: list[tuple[str, str]] = []
    for path in sorted(folder.glob("*")):
        try:
            stack = read_pixels(path, path.name)
        except InputError:
            continue
        for i in sorted({len(stack.slices) // 4, stack.middle, 3 * len(stack.slices) // 4}):
            verdict = examine(bundle, stack.slices[i], modality=stack.modality, name=path.name).verdict
            (heads if stack.modality in ("", "MR") else others).append((f"{path.name}[{i}]", verdict))
    return others, heads


def main() -> int:
    """Print the table and what was answered of other things."""
    parser = argparse.ArgumentParser(prog="python tools/measure_growth.py", description=__doc__)
    parser.add_argument("slices", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("pictures", type=Path, nargs="*")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()

    import torch

    from genomap_core.training.growth_bundle import load_growth
    from genomap_core.workflows.growth import real
    from genomap_core.workflows.growth.gate import examine, judge
    from genomap_core.workflows.growth.samples import simulated

    torch.set_num_threads(1)
    bundle = load_growth(args.model or real.FOLDER / real.MODEL)
    rows: list[tuple[str, str, list[str]]] = []

    def tell(kind: str, verdicts: list[tuple[str, str]]) -> None:
        counts = {v: sum(w == v for _, w in verdicts) for v in ("answer", "unlike", "refused")}
        answered = [name for name, w in verdicts if w == "answer"]
        told = " | ".join(f"{counts[v]} ({counts[v] / len(verdicts):.1%})" for v in counts)
        rows.append((kind, f"{len(verdicts)} | {told}", answered))

    slices = real.RealSlices.load(args.slices)
    _, held, test = slices.split()
    for kind, own in (("held out of Training", held), ("Testing", test)):
        tell(kind, [(str(i), judge(bundle, slices.images[i]).verdict) for i in own])
    whole = [*args.pictures, *bundled()]
    rng = np.random.default_rng(0)
    others: dict[str, Named] = {
        "pictures": pictures(whole),
        "pieces of pictures": pieces(pictures(whole), 6, rng),
        "histology, whole": histology(args.data),
        "histology, pieces": pieces(histology(args.data), 30, rng),
        "noise, text, blank": drawn(rng),
    }
    for kind, images in others.items():
        tell(kind, [(name, examine(bundle, image, name=name).verdict) for name, image in images])
    files, heads = _files(bundle, args.data / "images" / "dicom_nifti")
    tell("DICOM of other modalities", files)
    tell("DICOM and NIfTI, MR or not said", heads)
    tell("simulated slices", [(str(i), examine(bundle, x).verdict) for i, x in enumerate(simulated(10).images)])
    for k, name in enumerate(("pre", "FLAIR", "post contrast")):
        images = [np.asarray(Image.open(p)) for p in sorted((args.data / "images" / "lgg_mri").glob("*[0-9].png"))]
        found = [examine(bundle, x[..., k]) for x in images]
        tell(f"lgg_mri, {name}", [(str(i), v.verdict) for i, v in enumerate(found)])
        said = [v.name for v in found if v.name]
        if said:
            rows.append(
                (f"  of those answered, tumour found in {np.mean([s != 'no tumour' for s in said]):.0%}", "", [])
            )
    lines = ["| images | n | answered | unlike | refused |", "|---|---|---|---|---|"]
    lines += [f"| {kind} | {counts} |" for kind, counts, _ in rows]
    for kind, _, answered in rows[2:]:
        if answered and "lgg" not in kind:
            lines.append(f"answered of {kind}: {', '.join(answered)}")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
