"""Captum's methods on the network that predicts, on the map; answers come back in the raw feature space.

The explained output is that of the whole model: all seeds averaged. The baseline is the zero map, which is the mean of
the training rows.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from captum.attr import DeepLift, GradientShap, IntegratedGradients, LayerAttribution, LayerGradCam, Occlusion
from torch import Tensor, nn

from genomap_core.errors import InputError
from genomap_core.explain.attribution import Attribution, Output, class_name, target_index
from genomap_core.explain.stages import Stages, map_stages, model_name
from genomap_core.progress import OnProgress, Progress, ignore


@dataclass(frozen=True, eq=False)
class MapModel:
    """The network that predicts, and the stages around it."""

    network: nn.Module
    """Maps ``(B, c, H, W)`` -> logits ``(B, k)``, all seeds averaged."""
    stages: Stages

    @property
    def members(self) -> list[nn.Module]:
        """The networks whose logits are averaged, one a seed."""
        return list(getattr(self.network, "members", [self.network]))

    def maps(self, X: np.ndarray) -> Tensor:
        """Raw rows ``(n, p)`` as maps on the network's device, float32."""
        device = next(self.network.parameters()).device
        return torch.as_tensor(np.ascontiguousarray(self.stages.maps(X)), device=device)

    def to_raw(self, maps: Tensor) -> np.ndarray:
        """Values of cells as values of raw features: ``(n, c, H, W)`` -> ``(n, p)``; 0 for features without a cell."""
        of_layout = self.stages.layout.to_features(maps.detach().cpu().double().numpy())
        values = np.zeros((len(of_layout), self.stages.n_features))
        values[:, self.stages.kept] = np.nan_to_num(of_layout, nan=0.0)
        return values

    def explained(self, index: int, output: Output) -> Callable[[Tensor], Tensor]:
        """The explained output of class ``index``: maps ``(B, c, H, W)`` -> ``(B,)``."""
        return lambda maps: from_logits(self.network(maps), index, output)


def from_logits(logits: Tensor, index: int, output: Output) -> Tensor:
    """Log-odds or probability of one class: logits ``(B, k)`` -> ``(B,)``."""
    if output == "probability":
        return logits.softmax(1)[:, index]
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], 1)
    return logits[:, index] - others.logsumexp(1)


def map_model(model: Any) -> MapModel:
    """Open a fitted map model, its network in evaluation mode.

    Raises
    ------
    InputError
        The model has no network on maps, so there is nothing to differentiate.
    """
    stages = map_stages(model)
    if stages is None:
        raise InputError(
            "Gradient methods explain a network on maps (`genomap`, `genonet`); explain this model by regions: "
            "`method='shapley'`."
        )
    return MapModel(stages.network.module_.eval(), stages)


GradientMethod = Literal["integrated_gradients", "deeplift", "gradient_shap", "occlusion", "gradcam"]
GRADIENT_METHODS: tuple[GradientMethod, ...] = (
    "integrated_gradients",
    "deeplift",
    "gradient_shap",
    "occlusion",
    "gradcam",
)
COMPLETE = ("integrated_gradients", "deeplift", "gradient_shap")
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
    classes: tuple[str, ...] | None = None,
    method: GradientMethod = "integrated_gradients",
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
        ``(b, p)`` raw training rows; only "gradient_shap" needs them (its baseline is their mean output).
    n_samples
        Steps of the path ("integrated_gradients") or random points ("gradient_shap").
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
    reference = _background_maps(opened, background) if method == "gradient_shap" else zero
    if method == "integrated_gradients":
        values = _integrated_gradients(forward, maps, n_samples)
    elif method == "deeplift":
        values = _deeplift(opened, maps, index, output)
    elif method == "gradient_shap":
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
        target=class_name(model, index, classes),
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
        raise InputError("'gradient_shap' needs training rows: pass them as `background`.")
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


@contextmanager
def _numpy_seeded(seed: int) -> Iterator[None]:
    """Captum draws from NumPy's global generator: seed it, and put its state back afterwards."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _occlusion(forward: Forward, maps: Tensor) -> Tensor:
    """Zeiler & Fergus, ECCV 2014: drop of the output under a sliding window of the zero map, channel by channel."""
    height, width = maps.shape[2:]
    stride = max(1, math.ceil(math.sqrt(height * width * maps.shape[1] / _MAX_WINDOWS)))
    window = (1, min(max(3, stride), height), min(max(3, stride), width))
    strides = (1, min(stride, window[1]), min(stride, window[2]))
    with torch.no_grad():
        return Occlusion(forward).attribute(maps, window, strides=strides, baselines=0, perturbations_per_eval=_BATCH)


def _grad_cam(opened: MapModel, forward: Forward, maps: Tensor) -> Tensor:
    """Selvaraju et al., ICCV 2017: last convolution of every branch, weighted by its mean gradient, both signs.

    Sees the convolutions only: what a linear path beside them contributes is not in it.
    """
    heat = torch.zeros_like(maps)
    for layer in last_convolutions(opened.network):
        cam = LayerGradCam(forward, layer).attribute(maps, relu_attributions=False)
        heat = heat + LayerAttribution.interpolate(cam, tuple(maps.shape[2:]), "nearest").detach()
    return heat


def last_convolutions(network: nn.Module) -> list[nn.Module]:
    """The last convolution of every block that holds some: one a branch, in every member of an ensemble."""
    last: dict[str, nn.Module] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            last[name.rpartition(".")[0]] = layer
    if not last:
        raise InputError("The network has no convolution: Grad-CAM can't explain it; use 'integrated_gradients'.")
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
    zero = torch.zeros_like(maps)
    with torch.no_grad():
        multipliers = _logit_multipliers(opened.network(zero), opened.network(maps), index, output)
    total = zero
    for member in opened.members:
        squashes = hasattr(member, "convolutional_path")
        inputs = torch.asinh(maps * member.get_buffer("mask")) if squashes else maps
        explainer = DeepLift(_AfterSquash(member) if squashes else member)
        for c in range(multipliers.shape[1]):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Captum announces its hooks at every call
                values = explainer.attribute(inputs, target=c).detach()
            total = total + multipliers[:, c, None, None, None] * values / len(opened.members)
    return total


@torch.enable_grad()
def _logit_multipliers(start: Tensor, end: Tensor, index: int, output: Output, n_steps: int = 64) -> Tensor:
    """Mean gradient of the output on the straight path between two sets of logits ``(B, k)``: ``(B, k)``.

    The logits' differences, so weighted, sum to the difference of the output.
    """
    nodes, weights = np.polynomial.legendre.leggauss(n_steps)
    total = torch.zeros_like(end)
    for node, weight in zip((nodes + 1) / 2, weights / 2):
        z = (start + node * (end - start)).requires_grad_(True)
        (slope,) = torch.autograd.grad(from_logits(z, index, output).sum(), z)
        total += weight * slope
    return total
