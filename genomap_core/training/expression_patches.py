"""Expression predicted on patches of a slide: for every patch by itself, and for the patient from all of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from genomap_core.data.images.patients import slices_of
from genomap_core.errors import InputError
from genomap_core.training.device import threads
from genomap_core.training.expression import ExpressionRegressor

_BATCH = 64


@dataclass(frozen=True, eq=False)
class PatchExpression:
    """Of ``p`` patches and ``g`` genes, in the unit of the expression.

    ``values (p, g)``: each patch by itself; ``patient (g,)``: all together; ``weights (p,)``: what each counts in it,
    of sum 1, learned where the network was trained on several patches a patient, else equal.
    """

    values: np.ndarray
    patient: np.ndarray
    weights: np.ndarray
    learned: bool


def predict_patches(model: ExpressionRegressor, images: np.ndarray) -> PatchExpression:
    """Ask a network about ``images (p, 3, s, s)`` float32, scaled as those it was trained on.

    A network of one image a patient (a spot of tissue) answers for each patch, and the patient is their mean; one of
    several pools the patches by its gated attention (Ilse et al., ICML 2018).

    Raises :class:`InputError` where it was trained on images of other channels or size.
    """
    slices, each = slices_of(model.channels_)
    if each != images.shape[1] or images.shape[2:] != tuple(model.size_):
        raise InputError(
            f"The network was trained on {each} channels of {model.size_[0]} x {model.size_[1]} pixels; the patches "
            f"have {images.shape[1]} of {images.shape[2]} x {images.shape[3]}."
        )
    mean, sd = (getattr(model.scaling_, f"image_{name}").reshape(slices, each).mean(0) for name in ("mean", "sd"))
    x = ((images - mean[:, None, None]) / sd[:, None, None]).astype(np.float32)
    values = model.answers(x[:, None])
    if slices == 1:
        return PatchExpression(values, values.mean(0), np.full(len(x), 1 / len(x), np.float32), False)
    seen: list[Tensor] = []
    kept = model.module_.over_slices.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        with torch.inference_mode(), threads(1):
            out = model.module_(torch.from_numpy(x)[None])[0].numpy()
            weights = model.module_.over_slices.weights(seen[0])[0, :, 0].numpy()
    finally:
        kept.remove()
    return PatchExpression(values, out * model.expression_.sd + model.expression_.mean, weights, True)
