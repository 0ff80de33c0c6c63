"""Why an image network gives a class its score: Captum on the pixels."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from genomap_core.errors import InputError

IMAGE_METHODS = {"integrated_gradients": "Integrated Gradients", "gradcam": "Layer Grad-CAM", "occlusion": "Occlusion"}


def explain_image(
    module: nn.Module, layer: nn.Module, image: np.ndarray, target: int, method: str = "integrated_gradients"
) -> np.ndarray:
    """Signed contribution of every pixel to the logit of ``target``: ``(c, H, W)`` -> ``(H, W)`` float32.

    The baseline is 0: the mean grey of the head, as its outside.

    Parameters
    ----------
    layer
        Whose features Grad-CAM weighs; not used by the other methods.

    Raises
    ------
    InputError
        For an unknown method.
    """
    from captum.attr import IntegratedGradients, LayerGradCam, Occlusion

    x = torch.from_numpy(np.ascontiguousarray(image, np.float32))[None].requires_grad_()
    side = min(image.shape[1:])
    if method == "integrated_gradients":
        found = IntegratedGradients(module).attribute(x, target=target, n_steps=24, internal_batch_size=8)
    elif method == "gradcam":
        coarse = LayerGradCam(module, layer).attribute(x, target=target)
        found = nn.functional.interpolate(coarse, size=x.shape[2:], mode="bilinear", align_corners=False)
    elif method == "occlusion":
        window, stride = (x.shape[1], side // 8, side // 8), (x.shape[1], side // 16, side // 16)
        with torch.no_grad():
            found = Occlusion(module).attribute(x, window, stride, baselines=0, target=target, perturbations_per_eval=8)
    else:
        raise InputError(f"Unknown method {method!r}: choose one of {', '.join(IMAGE_METHODS)}.")
    values: np.ndarray = found.detach()[0].sum(0).float().numpy()
    return values
