"""Why an image network gives a class its score: Captum on the pixels, or on regions that look alike."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from genomap_core.errors import InputError


def superpixels(image: np.ndarray, n_regions: int = 25, compactness: float = 0.1) -> np.ndarray:
    """Cut an image into about ``n_regions`` connected regions: ``(c, H, W)`` -> ``(H, W)`` int, numbered from 0.

    SLIC (Achanta et al., IEEE TPAMI 34:2274, 2012) on the channels, each scaled to [0, 1]; a larger ``compactness``
    follows the picture less and squares more.

    Raises
    ------
    InputError
        The image has no channel, or there are more regions asked for than pixels.
    """
    from skimage.segmentation import slic

    c, height, width = image.shape
    if c == 0 or not 1 <= n_regions <= height * width:
        raise InputError(
            f"{n_regions} regions can't be cut from an image of {c} channels and {height} x {width} pixels."
        )
    low, high = image.min(axis=(1, 2), keepdims=True), image.max(axis=(1, 2), keepdims=True)
    scaled = (image - low) / np.maximum(high - low, 1e-9)
    labels = slic(np.moveaxis(scaled, 0, -1), n_segments=n_regions, compactness=compactness, start_label=0)
    return np.asarray(np.unique(labels, return_inverse=True)[1].reshape(height, width), np.int64)


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
