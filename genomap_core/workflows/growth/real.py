"""The PhysNet for real slices: which images it is trained on, how, and the card that says so.

The collection is a folder of ``Training`` and ``Testing``, each with a folder of pictures for each class. Copies and
near-copies of Testing images are taken out of Training; a part of what is left is held out for everything that is
chosen or calibrated, so that Testing need not be looked at before the end. No image is kept in the model's files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.data.images.hygiene import check_image, normalise, to_grey
from genomap_core.data.images.leakage import find_duplicates
from genomap_core.errors import InputError
from genomap_core.files import SAMPLE_DATA
from genomap_core.io.images.raster import shown_pixels
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.store import load_arrays, save_arrays

if TYPE_CHECKING:
    from torch import Tensor

    from genomap_core.training.growth import GrowthClassifier, GrowthTraining
    from genomap_core.training.growth_bundle import GrowthBundle

FOLDER = SAMPLE_DATA / "growth_real"
MODEL, CARD = "physnet.safetensors", "card.json"
STARTS_FROM = "EfficientNet-Lite0 for colour pictures (ImageNet), Apache License 2.0"
PHYSNET = "physnet_lite"
CLASSES = ("glioma", "meningioma", "no tumour", "pituitary")
FOLDERS = ("glioma", "meningioma", "notumor", "pituitary")
NO_TUMOUR = CLASSES.index("no tumour")
SIZE = 128
HELD_OUT = 0.15
"""Share of the Training images, by groups of copies, that no weight is fitted on"""


@dataclass(frozen=True, eq=False)
class RealSlices:
    """Cleaned slices of both parts of the collection."""

    images: np.ndarray
    """``(n, 1, s, s)`` float32"""
    y: np.ndarray
    """``(n,)`` codes into :data:`CLASSES`"""
    testing: np.ndarray
    """``(n,)`` bool"""
    groups: np.ndarray
    """``(n,)``: copies and near-copies of one image share a number"""

    def save(self, path: Path) -> None:
        save_arrays(path, {}, {"images": self.images, "y": self.y, "testing": self.testing, "groups": self.groups})

    @staticmethod
    def load(path: Path) -> RealSlices:
        _, kept = load_arrays(path, f"{path.name} is damaged: make it again from the collection.")
        return RealSlices(kept["images"], kept["y"], kept["testing"], kept["groups"])

    def split(self, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Row numbers to train on, held out, and of Testing; no group is in two of them.

        Of a group in both parts of the collection only the Testing images are kept.
        """
        test = np.flatnonzero(self.testing)
        free = np.flatnonzero(~self.testing & ~np.isin(self.groups, self.groups[test]))
        rng = np.random.default_rng(seed)
        held = np.zeros(len(self.y), bool)
        for c in range(len(CLASSES)):
            own = free[self.y[free] == c]
            chosen = rng.permutation(np.unique(self.groups[own]))
            held |= np.isin(self.groups, chosen[: round(HELD_OUT * len(chosen))])
        return free[~held[free]], free[held[free]], test


def read_collection(folder: Path, size: int = SIZE, on_progress: OnProgress = ignore) -> RealSlices:
    """Read and clean every picture of ``folder/Training`` and ``folder/Testing``.

    Raises
    ------
    InputError
        A class has no pictures in one of both, or a picture can't be looked at.
    """
    paths: list[tuple[Path, int, bool]] = []
    for part in ("Training", "Testing"):
        for c, name in enumerate(FOLDERS):
            own = sorted(p for p in (folder / part / name).glob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
            if not own:
                raise InputError(f"{folder / part / name} holds no pictures: give the folder of Training and Testing.")
            paths += [(p, c, part == "Testing") for p in own]
    images = []
    for i, (path, _, _) in enumerate(paths):
        on_progress(Progress("cleaning the images", i, len(paths)))
        picture = to_grey(shown_pixels(path.read_bytes(), path.name)[0])
        check_image(picture, path.name)
        images.append(normalise(picture, size))
    x = np.stack(images)
    return RealSlices(
        x,
        np.array([c for _, c, _ in paths]),
        np.array([t for _, _, t in paths]),
        find_duplicates(x[:, 0]).groups,
    )


def options(network: str = PHYSNET, seed: int = 0, width: int = 16, epochs: int = 30) -> GrowthTraining:
    """How one network is trained: those of EfficientNet-Lite0 alike, from published weights, and the others alike."""
    from genomap_core.models.physnet import PhysicsConfig
    from genomap_core.training.growth import GrowthTraining
    from genomap_core.training.growth_augment import Shift
    from genomap_core.training.growth_losses import LossWeights
    from genomap_core.training.growth_planted import Planted

    started = "lite" in network
    return GrowthTraining(
        network=network,
        width=max(4, width // 2) if network.startswith("vgg") else width,
        stem_stride=2,
        physics=PhysicsConfig(stage=3, clear=NO_TUMOUR) if started else PhysicsConfig(),
        max_epochs=epochs,
        batch_size=32,
        learning_rate=1e-3 if started else 3e-3,
        losses=LossWeights(misplaced=0.5 if started else 0.0),
        shift=Shift(),
        planted=Planted(),
        frozen=2 if started else 0,
        half=not started,
        seed=seed,
        device="cpu",
    )


def train_one(
    slices: RealSlices,
    training: GrowthTraining,
    folder: Path,
    on_progress: OnProgress = ignore,
    share: float = 1.0,
    start: Mapping[str, Tensor] | None = None,
) -> GrowthClassifier:
    """One network on the rows to train on; its state after each epoch lies in ``folder`` and is gone on from.

    ``share``: of these rows, of each class alike, whole groups of copies. ``start``: published weights of a network
    that can start from them.
    """
    from genomap_core.training.growth import GrowthClassifier, Knowledge
    from genomap_core.workflows.growth.compare import share_of

    rows = share_of(slices.split()[0], slices.y, slices.groups, share, training.seed)
    tumour = (slices.y != NO_TUMOUR).astype(np.float32)
    model = GrowthClassifier(replace(training, n_seeds=1), on_progress, folder, start)
    return model.fit(slices.images[rows], slices.y[rows], len(CLASSES), Knowledge(tumour=tumour[rows]))


def assemble(
    slices: RealSlices, models: list[GrowthClassifier], folder: Path, sources: dict[str, str]
) -> dict[str, Any]:
    """Put networks from several seeds into one file with its calibration, its gate and its card; returns the card.

    Everything is fitted on the held-out part; Testing is looked at once, here. ``sources``: what the card says of where
    the images come from and under which licence.
    """
    from genomap_core.training.growth import GrowthClassifier
    from genomap_core.training.growth_bundle import GrowthBundle, save_growth
    from genomap_core.training.growth_likeness import fit_calibration, fit_likeness

    train, held, test = slices.split()
    model = GrowthClassifier(replace(models[0].config, n_seeds=len(models)))
    model.n_classes_, model.in_channels_, model.history_ = len(CLASSES), 1, ()
    model.modules_ = tuple(m.modules_[0] for m in models)
    copies = _shifted(slices.images[held], 4)
    calibration = fit_calibration(model.predict_proba(copies), np.tile(slices.y[held], 5), NO_TUMOUR, most=0.0)
    likeness = fit_likeness(model.modules_, slices.images[train], slices.y[train], slices.images[held])
    sources = sources | {"starts_from": STARTS_FROM if "lite" in model.config.network else "random weights"}
    provenance = {"simulated": False, "images": len(train), "held_out": len(held), "lengths_taught": False} | sources
    size = slices.images.shape[-1]
    bundle = GrowthBundle(model, CLASSES, ("glioma",), size, {}, provenance, calibration, likeness)
    card: dict[str, Any] = {
        "name": "PhysNet for slices of brain MRI",
        "networks": [
            {"seed": m.config.seed, "epochs": m.config.max_epochs, "macro_f1": _f1(m, slices, test)} for m in models
        ],
        "trained_on": {
            **sources,
            "images": len(train),
            "held_out": len(held),
            "left_out_as_copies_of_testing": int((~slices.testing).sum()) - len(train) - len(held),
            "pixels": size,
        },
        "testing": measure_testing(bundle, slices),
        "calibration": {"temperature": calibration.temperature, "offset_of_no_tumour": calibration.offset},
        "not_for": [
            "Diagnosis or any decision about a patient: for research use only.",
            "Images of other scanners, sequences and hospitals: what is unlike the training images gets no answer.",
            "Ruling a tumour out: of another source's tumours 12 % (FLAIR) to 38 % (T1 without contrast) were called "
            "none.",
            "D, rho, lengths in millimetres or days: one image does not fix them.",
            "Patients: the collection names none, so that slices of one patient may be in both of its parts, which "
            "makes every figure here too good.",
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_growth(
        folder / MODEL,
        model,
        classes=CLASSES,
        size=size,
        infiltrating=("glioma",),
        metrics=card["testing"],
        provenance=provenance,
        calibration=calibration,
        likeness=likeness,
        half=True,
    )
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card


def measure_testing(bundle: GrowthBundle, slices: RealSlices) -> dict[str, Any]:
    """Figures on the Testing images: of all of them, and how many the gate would answer."""
    from genomap_core.training.growth_ablation import ABLATIONS, ablated_proba
    from genomap_core.workflows.comparison.scores import interval, resample_patients, score
    from genomap_core.workflows.growth.gate import judge
    from genomap_core.workflows.growth.scores import calibration_error

    _, _, test = slices.split()
    x, y = slices.images[test], slices.y[test]
    raw = bundle.model.predict_proba(x)
    proba = bundle.calibration(raw)
    rows = resample_patients(y, slices.groups[test], 1000, 0)
    f1 = interval(lambda i: score("macro_f1", y[i], proba[i]), rows, len(y))
    answered = np.array([judge(bundle, image).verdict == "answer" for image in x])
    guess = proba.argmax(1)
    by_class = {
        name: {
            "images": int((y == c).sum()),
            "recall": round(float((guess[y == c] == c).mean()), 4),
            "precision": round(float((y[guess == c] == c).mean()), 4) if (guess == c).any() else None,
        }
        for c, name in enumerate(CLASSES)
    }
    plain = {name: score("macro_f1", y, ablated_proba(bundle.model, x, name)) for name in ABLATIONS}
    return {
        "macro_f1": [round(v, 4) for v in (f1.value, f1.low, f1.high)],
        "macro_f1_uncalibrated": round(score("macro_f1", y, raw), 4),
        "expected_calibration_error": round(calibration_error(y, proba), 4),
        "unlike": round(float(1 - answered.mean()), 4),
        "by_class": by_class,
        "macro_f1_ablated": {name: round(value, 4) for name, value in plain.items()},
    }


def _shifted(images: np.ndarray, copies: int) -> np.ndarray:
    """The images, and behind them ``copies`` of each as other scanners might have made them."""
    import torch

    from genomap_core.training.growth_augment import Shift

    generator = torch.Generator().manual_seed(0)
    x = torch.from_numpy(images)
    return np.concatenate([images, *(Shift()(x, None, generator)[0].numpy() for _ in range(copies))])


def _f1(model: GrowthClassifier, slices: RealSlices, rows: np.ndarray) -> float:
    from genomap_core.workflows.comparison.scores import score

    return round(score("macro_f1", slices.y[rows], model.predict_proba(slices.images[rows])), 4)
