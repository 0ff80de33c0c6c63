"""Every image from outside passes here before a class, a contour or a figure of it is shown.

Three questions in turn: is it magnetic resonance, does a head stand out from its background, and is it like the images
that the model was trained on? The first that fails decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from genomap_core.data.images.hygiene import check_image, head_region, normalise, to_grey
from genomap_core.errors import InputError

if TYPE_CHECKING:
    from genomap_core.training.growth_bundle import GrowthBundle

Verdict = Literal["answer", "unlike", "refused"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NO_ANSWER = {"unlike": "No answer: the image is unlike what the model knows.", "refused": "No answer."}
"""What a reader is told first"""
MODALITIES = {
    "CT": "computed tomography",
    "US": "ultrasound",
    "NM": "nuclear medicine",
    "PT": "positron emission tomography",
    "CR": "a radiograph",
    "DX": "a radiograph",
    "MG": "a mammogram",
    "XA": "angiography",
    "RF": "fluoroscopy",
    "SM": "slide microscopy",
    "SEG": "a segmentation",
    "RTDOSE": "a radiotherapy dose",
    "OT": "another kind of image",
}
"""DICOM's names of what is no magnetic resonance ("MR"), in words"""
MR = "MR"


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What may be said of one image. Without ``answer`` it holds no class and no probability."""

    verdict: Verdict
    why: str
    """One or two sentences"""
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    """Calibrated, of ``classes``"""
    nearest: tuple[str, ...] = ()
    """The kinds of training images that an unlike image is nearest to, nearest first"""

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise InputError(f"`verdict` must be one of {', '.join(VERDICTS)}, got {self.verdict!r}.")
        if len(self.classes) != len(self.probabilities) or bool(self.classes) != (self.verdict == "answer"):
            raise InputError("An answer holds a probability for every class, and nothing else holds any.")

    @property
    def name(self) -> str | None:
        """The most probable class; None without an answer."""
        return self.classes[int(np.argmax(self.probabilities))] if self.classes else None

    def as_dict(self, file: str) -> dict[str, Any]:
        """The line of an image on the command line."""
        probabilities = {c: round(p, 4) for c, p in zip(self.classes, self.probabilities)} or None
        return {
            "file": file,
            "verdict": self.verdict,
            "class": self.name,
            "probabilities": probabilities,
            "why": self.why,
        }


def refuse_modality(modality: str, stated: str = "") -> GateVerdict | None:
    """A refusal of what is no magnetic resonance; None where it is, or where neither file nor user say.

    ``modality``: as DICOM calls it in the file, empty where it does not say. ``stated``: the user's word, used then.
    """
    known = (modality or stated).strip().upper()
    if known in ("", MR):
        return None
    words = f"{MODALITIES[known]} ({known})" if known in MODALITIES else f"of modality {known[:16]}"
    who = "The file says that it is" if modality else "You say that it is"
    return GateVerdict("refused", f"{who} {words}: the model knows magnetic resonance (MR) of the head only.")


def refuse_content(image: np.ndarray, name: str = "image") -> GateVerdict | None:
    """A refusal of an image that can't be looked at, or in which nothing stands out; None for others."""
    try:
        check_image(image, name)
    except InputError as error:
        return GateVerdict("refused", str(error))
    if head_region(to_grey(image)).all():
        return GateVerdict("refused", "No head was found: nothing stands out from a darker background.")
    return None


def examine(
    bundle: GrowthBundle, image: np.ndarray, *, modality: str = "", stated: str = "", name: str = "image"
) -> GateVerdict:
    """The verdict on one slice ``(H, W)`` or ``(H, W, c)``, as read from a file."""
    refusal = refuse_modality(modality, stated) or refuse_content(image, name)
    return refusal or judge(bundle, normalise(image, bundle.size))


def judge(bundle: GrowthBundle, clean: np.ndarray) -> GateVerdict:
    """The verdict on a slice that :func:`genomap_core.data.images.hygiene.normalise` cleaned: ``(1, s, s)``."""
    from genomap_core.training.growth_likeness import VIEWS, layout_of, texture_of

    if bundle.simulated:
        return GateVerdict(
            "refused",
            "The model was trained on simulated slices and answers those only: choose the model for real slices.",
        )
    if bundle.likeness is None:
        return GateVerdict(
            "refused",
            "The model does not know what its training images were like: train it again, on at least 140 images.",
        )
    modules, x = bundle.model.modules_, clean[None]
    found, to_class = bundle.likeness.distances(texture_of(modules, x), layout_of(x))
    beyond = found[0] > 1
    if beyond.any():
        nearest = tuple(bundle.classes[c] for c in np.argsort(to_class[0])[:2])
        return GateVerdict("unlike", _unlike(VIEWS, found[0], nearest), nearest=nearest)
    proba = bundle.calibration(bundle.model.predict_proba(x))[0]
    return GateVerdict(
        "answer",
        "It is like the images that the model was trained on.",
        bundle.classes,
        tuple(float(p) for p in proba),
    )


def _unlike(views: Sequence[str], found: np.ndarray, nearest: Sequence[str]) -> str:
    worst = int(np.argmax(found))
    return (
        f"The image is unlike what the model was trained on: its {views[worst]} lies {found[worst]:.1f} times as far "
        f"away as the limit. The training images nearest to it are of the kinds “{nearest[0]}” and “{nearest[1]}”, "
        "which says nothing about this one."
    )
