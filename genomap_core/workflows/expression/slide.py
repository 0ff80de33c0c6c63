"""Expression predicted on a whole slide: what a saved network needs of it, and its answers, these in the worker."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genomap_core.data.images.intensity import scale_bytes
from genomap_core.data.images.patients import slices_of
from genomap_core.errors import BundleError
from genomap_core.modelfile import own_fields, read_container

FORMAT = "genomap-expression"
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class SlideModel:
    """What a network for coloured patches says of itself."""

    side: int
    genes: tuple[str, ...]
    unit: str
    patches: int
    """Patches of a patient that it was trained on; 1: spots of a tissue, each by itself"""
    cohort: str
    patients: int


def slide_model(data: bytes) -> SlideModel:
    """Read a model's header, without its weights.

    Raises
    ------
    InputError
        It is no model of the Expression page, or was trained on other images than coloured squares.
    """
    fields = own_fields(*read_container(data))
    if fields["format"] != FORMAT:
        raise BundleError("The file is no model that the Expression page saved: choose one.")
    try:
        channels = tuple(fields["channels"])
        slices, each = slices_of(channels)
        height, width = (int(side) for side in fields["size"])
        colours = tuple(name.rpartition(" ")[2] for name in channels) == _COLOURS * slices
        about = dict(fields["provenance"])
        found = SlideModel(
            height,
            tuple(map(str, fields["genes"])),
            str(fields["unit"]),
            slices,
            str(about.get("cohort", "")),
            int(about.get("patients", 0)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError("The model's header is damaged: save it again.") from error
    if not colours or each != 3 or height != width:
        raise BundleError(
            f"The model was trained on images of other channels ({', '.join(channels[:4])}) or shape: for a slide it "
            "must be one of coloured patches, such as spots of a tissue or slides."
        )
    return found


def on_patches(
    spec: dict[str, Any], arrays: dict[str, np.ndarray], cache: MutableMapping[Any, Any]
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Task: the network's answers on ``patches (p, side, side, 3)`` uint8.

    ``model``: the bytes of its file, whose digest is ``spec["digest"]``. Gives ``values (p, g)``, ``patient (g,)``,
    ``weights (p,)``, and whether the weights were ``learned``.
    """
    from genomap_core.training.expression_bundle import load_expression
    from genomap_core.training.expression_patches import predict_patches

    key = ("slide", spec["digest"])
    if key not in cache:
        cache[key] = load_expression(arrays["model"].tobytes()).model
    found = predict_patches(cache[key], scale_bytes(np.moveaxis(arrays["patches"], 3, 1)))
    return {"learned": found.learned}, {"values": found.values, "patient": found.patient, "weights": found.weights}
