"""Captum's methods on the network that predicts, on the map; answers come back in the raw feature space.

The explained output is that of the whole model: all seeds averaged. The baseline is the zero map, which is the mean of
the training rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from captum.attr import DeepLift, GradientShap, IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion
from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, Output
from genomap_core.explain.mapmodel import MapModel, combine, map_model
from genomap_core.explain.target import model_name, target_index
from genomap_core.progress import OnProgress, Progress, ignore

GradientMethod = Literal["integrated-gradients", "deeplift", "gradient-shap", "occlusion", "grad-cam"]
GRADIENT_METHODS: tuple[GradientMethod, ...] = (
    "integrated-gradients",
    "deeplift",
    "gradient-shap",
    "occlusion",
    "grad-cam",
)
COMPLETE = ("integrated-gradients", "deeplift", "gradient-shap")
"""Methods whose values sum to output minus baseline output, up to their numerical error."""

_BATCH = 32
_MAX_WINDOWS = 1_600

Forward = Callable[[Tensor], Tensor]


def gradient_attribution(
    model: Any,
    X: np.ndarray,
    *,
    feature_names: tuple[str, ...],
    target: Any = None,
    method: GradientMethod = "integrated-gradients",
    output: Output = "log-odds",
    background: np.ndarray | None = None,
    n_samples: int = 64,
    random_state: int = 0,
    on_progress: OnProgress = ignore,
) -> Attribution:
    """Explain rows ``X`` ``(m, p)`` of a fitted map pipeline: values ``(m, p)``.

    Parameters
    ----------
    background
        ``(b, p)`` raw training rows; only "gradient-shap" needs them (its baseline is their mean output).
    n_samples
        Steps of the path ("integrated-gradients") or random points ("gradient-shap").
    on_progress
        Hears of every forward pass, and may raise :class:`~genomap_core.errors.Cancelled`.
    """
    if method not in GRADIENT_METHODS:
        raise InputError(f"`method` must be one of {', '.join(GRADIENT_METHODS)}, got {method!r}.")
    opened = map_model(model)
    index = target_index(model, X, target)
    maps = opened.maps(X)
    forward = _reporting(opened.explained(index, output), on_progress)
    zero = torch.zeros_like(maps[:1])
    reference = _background_maps(opened, background) if method == "gradient-shap" else zero
    if method == "integrated-gradients":
        values = _integrated_gradients(forward, maps, n_samples)
    elif method == "deeplift":
        values = _deeplift(opened, maps, index, output)
    elif method == "gradient-shap":
        values = _gradient_shap(forward, maps, reference, n_samples, random_state)
    elif method == "occlusion":
        values = _occlusion(forward, maps)
    else:
        values = _grad_cam(opened, forward, maps)
    with torch.no_grad():
        reached, start = forward(maps), float(forward(reference).mean())
    return Attribution(
        values=opened.to_raw(values),
        feature_names=feature_names,
        method=method,
        target=str(model.classes_[index]),
        output=reached.cpu().double().numpy(),
        baseline_output=np.full(len(X), start),
        model=model_name(model),
        scale=output,
        complete=method in COMPLETE,
    )


def _reporting(forward: Forward, on_progress: OnProgress) -> Forward:
    """The same function, reporting each call, so that a long explanation can be followed and stopped."""
    calls = 0

    def reporting(maps: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        on_progress(Progress("explaining", calls, 0))
        return forward(maps)

    return reporting


def _background_maps(opened: MapModel, background: np.ndarray | None) -> Tensor:
    if background is None:
        raise InputError("'gradient-shap' needs training rows: pass them as `background`.")
    return opened.maps(background)


def _integrated_gradients(forward: Forward, maps: Tensor, n_steps: int) -> Tensor:
    """Sundararajan et al., ICML 2017: mean gradient on the straight path from the zero map, times the map."""
    explainer = IntegratedGradients(forward)
    return explainer.attribute(maps, n_steps=n_steps, internal_batch_size=max(_BATCH, len(maps)))


def _gradient_shap(forward: Forward, maps: Tensor, reference: Tensor, n_samples: int, seed: int) -> Tensor:
    """Lundberg & Lee, NeurIPS 2017: mean gradient at random points between the map and random training maps."""
    with torch.random.fork_rng(devices=[]), _numpy_seeded(seed):
        torch.manual_seed(seed)
        return GradientShap(forward).attribute(maps, baselines=reference, n_samples=n_samples, stdevs=0.0)


class _numpy_seeded:
    """Captum draws from NumPy's global generator: seed it, and put its state back afterwards."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        self.state = np.random.get_state()  # noqa: NPY002
        np.random.seed(self.seed)  # noqa: NPY002

    def __exit__(self, *_: object) -> None:
        np.random.set_state(self.state)  # noqa: NPY002


def _occlusion(forward: Forward, maps: Tensor) -> Tensor:
    """Zeiler & Fergus, ECCV 2014: drop of the output under a sliding window of the zero map, channel by channel."""
    height, width = maps.shape[2:]
    stride = max(1, math.ceil(math.sqrt(height * width * maps.shape[1] / _MAX_WINDOWS)))
    window = (1, min(max(3, stride), height), min(max(3, stride), width))
    strides = (1, min(stride, window[1]), min(stride, window[2]))
    with torch.no_grad():
        return Occlusion(forward).attribute(maps, window, strides=strides, baselines=0, perturbations_per_eval=_BATCH)


def _grad_cam(opened: MapModel, forward: Forward, maps: Tensor) -> Tensor:
    """Selvaraju et al., ICCV 2017: last convolution at every resolution, weighted by its mean gradient, both signs.

    Sees the convolutions only: what a linear path beside them contributes is not in it.
    """
    heat = torch.zeros_like(maps)
    for network in opened.networks:
        for layer in last_convolutions(network, maps[:1]):
            cam = LayerGradCam(forward, layer).attribute(maps, relu_attributions=False)
            heat = heat + LayerAttribution.interpolate(cam, tuple(maps.shape[2:]), "nearest").detach()
    return heat


def last_convolutions(network: nn.Module, maps: Tensor) -> list[nn.Module]:
    """The last convolution at every resolution, in every member of an ensemble."""
    last: dict[tuple[int, int, int], nn.Module] = {}
    members = list(getattr(network, "members", [network]))
    hooks = [
        layer.register_forward_hook(lambda m, _, out, i=i: last.__setitem__((i, *out.shape[2:]), m))
        for i, member in enumerate(members)
        for layer in member.modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        with torch.no_grad():
            network(maps)
    finally:
        for hook in hooks:
            hook.remove()
    if not last:
        raise InputError("The network has no convolution: Grad-CAM can't explain it; use 'integrated-gradients'.")
    return list(last.values())


class _AfterSquash(nn.Module):
    """A network behind its first, cell-wise function.

    What is cell-wise hands a cell's contribution on unchanged, so DeepLift may start behind it; Captum does not know
    ``arcsinh`` and would take its slope at the patient instead.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, squashed: Tensor) -> Tensor:
        return self.network.linear_path(squashed) + self.network.convolutional_path(squashed)  # type: ignore[operator]


def _deeplift(opened: MapModel, maps: Tensor, index: int, output: Output) -> Tensor:
    """Shrikumar et al., ICML 2017, rescale rule, of every logit; put together by :func:`_logit_multipliers`."""
    members = [m for network in opened.networks for m in getattr(network, "members", [network])]
    parts, ends, starts = [], [], []
    for member in members:
        squashes = hasattr(member, "convolutional_path")
        inputs = torch.asinh(maps * member.mask) if squashes else maps
        explainer = DeepLift(_AfterSquash(member) if squashes else member)
        with torch.no_grad():
            ends.append(member(maps))
            starts.append(member(torch.zeros_like(maps)))
        parts.append([explainer.attribute(inputs, target=c).detach() for c in range(ends[-1].shape[1])])
    multipliers = _logit_multipliers(opened, ends, starts, index, output)
    total = torch.zeros_like(maps)
    for of_member, weight in zip(parts, multipliers):
        for c, values in enumerate(of_member):
            total += weight[:, c, None, None, None] * values
    return total


def _logit_multipliers(
    opened: MapModel, ends: list[Tensor], starts: list[Tensor], index: int, output: Output, n_steps: int = 64
) -> Tensor:
    """Mean gradient of the output on the straight path between two sets of logits: ``(members, B, k)``.

    The logits' differences, so weighted, sum to the difference of the output.
    """
    end, start = torch.stack(ends), torch.stack(starts)
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(end)
    sizes = [len(list(getattr(network, "members", [network]))) for network in opened.networks]
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        z = (start + node * (end - start)).requires_grad_(True)
        logits = [part.mean(0) for part in z.split(sizes)]
        (slope,) = torch.autograd.grad(combine(logits, index, output).sum(), z)
        total += weight * slope
    return total
