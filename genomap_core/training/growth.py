"""Train PhysNet or one of the image networks beside it: images in, class probabilities and growth out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.data.images.networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.models.baselines2d import build_network
from genomap_core.models.mobile import EfficientNetLite
from genomap_core.models.physnet import Growth, PhysicsConfig, PhysNet
from genomap_core.progress import OnProgress, ignore
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.cycle import Cycle, balanced_weights, seeded_generator, train_cycle
from genomap_core.training.device import autocast, choose_device, memory_errors_named, private_randomness
from genomap_core.training.growth_augment import Shift
from genomap_core.training.growth_losses import (
    LossWeights,
    Targets,
    growth_losses,
    misplaced_density,
    misplaced_loss,
)
from genomap_core.training.growth_planted import Planted


@dataclass(frozen=True, slots=True)
class GrowthTraining:
    """Which network, and how it is trained. The same for PhysNet and for its baselines."""

    network: str = "physnet18"
    width: int = 64
    """Channels of the first stage; 64 as published."""
    stem_stride: int = 4
    physics: PhysicsConfig = field(default_factory=PhysicsConfig)
    losses: LossWeights = field(default_factory=LossWeights)
    max_epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 1e-3
    """Highest rate of the one-cycle schedule (Smith & Topin, 2019)."""
    weight_decay: float = 0.05
    noise: float = 0.2
    """Highest standard deviation of the noise added in training, in standard deviations of the image."""
    mirror: bool = True
    shift: Shift | None = None
    """Train on images as other scanners might have made them, instead of ``noise`` and ``mirror``."""
    planted: Planted | None = None
    """Draw lesions into some training images; for classes of which one has no tumour"""
    frozen: int = 0
    """Stages of a network with weights to start from that keep them, its stem with them; 0: all learn"""
    half: bool = False
    """bfloat16 on a CPU as well: twice as fast on chips that have it, slower on others."""
    n_seeds: int = 1
    """Networks from different seeds: their mean predicts, their spread is the uncertainty of D and rho."""
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"Unknown network {self.network!r}: choose one of {', '.join(NETWORKS)}.")
        for name in ("width", "max_epochs", "batch_size", "n_seeds"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        if not self.learning_rate > 0 or self.noise < 0 or self.weight_decay < 0:
            raise InputError("`learning_rate` must be > 0, `noise` and `weight_decay` >= 0.")
        if self.losses.misplaced and self.physics.clear < 0:
            raise InputError("`losses.misplaced` needs the class without a tumour: give `physics.clear`.")
        if self.planted is not None and self.shift is None:
            raise InputError("Lesions are drawn into shifted images: give `shift` with `planted`.")


@dataclass(frozen=True, eq=False)
class Knowledge:
    """What is known of the training images besides their class; None or NaN where it is not."""

    masks: np.ndarray | None = None
    """``(n, H, W)`` in [0, 1]; a row of NaN has no mask"""
    tumour: np.ndarray | None = None
    """``(n,)`` 1 with a tumour, 0 without"""
    log_ratio: np.ndarray | None = None
    """``(n,)`` log(D / rho) in cells^2 of the growth's grid"""
    log_product: np.ndarray | None = None
    """``(n,)`` log(D rho) in cells^2 / step^2"""

    def take(self, rows: np.ndarray) -> Knowledge:
        """These rows only."""
        parts = (self.masks, self.tumour, self.log_ratio, self.log_product)
        return Knowledge(*(None if p is None else p[rows] for p in parts))


@dataclass(frozen=True, eq=False)
class GrowthFields:
    """What trained networks see in ``n`` images. Lengths in cells of the grid, times in steps."""

    frames: np.ndarray
    """``(n, n_steps + 1, h, w)`` density, mean over the seeds; the last frame is the image's time"""
    diffusion: np.ndarray
    """``(n_seeds, n)`` D; of a map the mean over the tumour in the logarithm"""
    rate: np.ndarray
    """``(n_seeds, n)`` rho"""


class GrowthClassifier:
    """Networks of one kind, one a seed.

    Attributes
    ----------
    modules_
        The trained networks, on the CPU.
    history_
        A dict for each epoch of each seed: ``seed``, ``epoch``, ``loss`` and every term of the loss.
    """

    def __init__(
        self,
        config: GrowthTraining = GrowthTraining(),
        on_progress: OnProgress = ignore,
        checkpoint_dir: Path | None = None,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.config = config
        self.start = start
        """State dict of a published EfficientNet-Lite0 that a network of this kind starts from"""
        self.on_progress = on_progress
        self.checkpoint_dir = checkpoint_dir
        """Where the state after each epoch is kept, for a training that is stopped to go on from."""

    def fit(
        self, images: np.ndarray, y: np.ndarray, n_classes: int | None = None, knowledge: Knowledge = Knowledge()
    ) -> GrowthClassifier:
        """Train on ``(n, c, H, W)`` float32 images (normalised) with class codes ``(n,)``.

        Raises
        ------
        InputError
            For other shapes, fewer than two images, or values that are not finite.
        OutOfMemoryError
            When the device's memory is too small.
        """
        _check_images(images)
        if len(images) != len(y) or len(y) < 2:
            raise InputError(f"{len(images)} images with {len(y)} labels: at least two of each are needed, as many.")
        self.n_classes_ = int(y.max()) + 1 if n_classes is None else n_classes
        self.in_channels_ = images.shape[1]
        self.modules_: tuple[nn.Module, ...] = ()
        self.history_: tuple[dict[str, float], ...] = ()
        saved = self._checkpoints(images, y, knowledge)
        device = choose_device(self.config.device)
        remedy = "choose a smaller `batch_size`, `width` or image size"
        with memory_errors_named("Training", device, remedy), private_randomness(device):
            x = torch.from_numpy(np.ascontiguousarray(images, np.float32)).to(device)
            targets = _targets(y, self.n_classes_, knowledge).to(device)
            for k in range(self.config.n_seeds):
                module = self._train(x, targets, np.bincount(y, minlength=self.n_classes_), k, saved)
                self.modules_ += (module.to("cpu").eval(),)
        return self

    def _checkpoints(self, images: np.ndarray, y: np.ndarray, knowledge: Knowledge) -> Checkpoints | None:
        """Where states go, marked with the options and the images they belong to."""
        if self.checkpoint_dir is None:
            return None
        digest = hashlib.sha256(repr(replace(self.config, device="")).encode())
        for array in (images, y, knowledge.masks, knowledge.tumour, knowledge.log_ratio, knowledge.log_product):
            digest.update(b"-" if array is None else repr(array.shape).encode() + np.ascontiguousarray(array).tobytes())
        for tensor in (self.start or {}).values():
            digest.update(tensor.contiguous().numpy().tobytes())
        return Checkpoints(self.checkpoint_dir, digest.hexdigest())

    def _train(self, x: Tensor, targets: Targets, counts: np.ndarray, k: int, saved: Checkpoints | None) -> nn.Module:
        config = self.config
        generator = seeded_generator(config.seed, k)
        module = self.build().to(device=x.device, memory_format=_memory_format(config.width))  # type: ignore[call-overload]
        learning = [p for p in module.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learning, config.learning_rate, weight_decay=config.weight_decay)
        class_weights = torch.from_numpy(balanced_weights(counts)).to(x)
        half = config.half and x.device.type == "cpu"

        def loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            batch, known = _augment(x[rows], targets.rows(rows), config, generator)
            with torch.autocast("cpu", torch.bfloat16) if half else autocast(x.device):
                logits, growth, terms = _observe(module, batch, config, generator)
            value, told = growth_losses(logits.float(), growth, known, class_weights, config.losses, config.physics)
            for name, term in terms.items():
                value = value + getattr(config.losses, name) * term
            return value, told | {name: float(term.detach()) for name, term in terms.items()}

        cycle = Cycle(len(x), config.max_epochs, config.batch_size, config.n_seeds, x.device, self.on_progress, saved)
        self.history_ += tuple(train_cycle(cycle, k, module, optimiser, generator, loss))
        return module

    def build(self) -> nn.Module:
        """An untrained network of the configuration, or one with the weights to start from."""
        c = self.config
        net = build_network(
            c.network, self.in_channels_, self.n_classes_, width=c.width, stem_stride=c.stem_stride, physics=c.physics
        )
        if self.start is None:
            return net
        if not isinstance(net, PhysNet | EfficientNetLite):
            raise InputError(f"{NETWORKS[c.network]} can't start from weights: choose an EfficientNet-Lite0.")
        net.adopt(self.start)
        backbone = net.backbone if isinstance(net, PhysNet) else net
        for part in (backbone.stem, *backbone.stages[: c.frozen]) if c.frozen else ():
            part.requires_grad_(False)
        return net

    def predict_proba(self, images: np.ndarray) -> np.ndarray:
        """``(n, c, H, W)`` -> ``(n, C)`` float64, mean over the seeds."""
        with torch.inference_mode():
            parts = [torch.stack([m(x).softmax(1) for m in self.modules_]).mean(0) for x in self._batches(images)]
        return torch.cat(parts).double().numpy()

    def observe(self, images: np.ndarray) -> GrowthFields:
        """Densities in time, D and rho of ``(n, c, H, W)`` images.

        Raises
        ------
        InputError
            The network holds no growth model.
        """
        if not self.modules_ or not isinstance(self.modules_[0], PhysNet):
            raise InputError(f"{NETWORKS[self.config.network]} holds no growth model: choose a PhysNet.")
        frames, rates = [], []
        with torch.inference_mode():
            for x in self._batches(images):
                seen = [m.observe(x)[1] for m in self.modules_ if isinstance(m, PhysNet)]
                frames.append(torch.stack([g.frames for g in seen]).mean(0))
                rates.append(
                    torch.stack(
                        [torch.stack([_in_tumour(f, g.frames[:, -1]) for f in (g.diffusion, g.rate)]) for g in seen]
                    )
                )
        both = torch.cat(rates, dim=2)
        return GrowthFields(torch.cat(frames).numpy(), both[:, 0].numpy(), both[:, 1].numpy())

    def _batches(self, images: np.ndarray) -> Iterator[Tensor]:
        _check_images(images)
        if images.shape[1] != self.in_channels_:
            raise InputError(f"The network was trained on {self.in_channels_} channels, these have {images.shape[1]}.")
        yield from torch.from_numpy(np.ascontiguousarray(images, np.float32)).split(32)


def _observe(
    module: nn.Module, batch: Tensor, config: GrowthTraining, generator: torch.Generator
) -> tuple[Tensor, Growth | None, dict[str, Tensor]]:
    """Logits, growth, and the loss of misplaced densities, if that counts; the last two of a PhysNet only."""
    if not isinstance(module, PhysNet):
        return module(batch), None, {}
    if not config.losses.misplaced:
        return *module.observe(batch), {}
    features = module.features(batch)
    growth = module.physics.grow(features)
    rows, other, beside = misplaced_density(growth, generator)
    both = Growth(*(torch.cat(parts) for parts in zip(growth, other)))
    # In one batch: a normalisation has to see what it will see.
    logits = module.classify(torch.cat([features, features[rows]]), both)
    own, wrong = logits.tensor_split([len(batch)])
    return own, growth, {"misplaced": misplaced_loss(wrong.float(), beside, config.physics.clear)}


def _memory_format(width: int) -> torch.memory_format:
    """Channels last is faster, but torch 2.13 ends the process in the way back through narrow networks."""
    return torch.channels_last if width >= 16 else torch.contiguous_format


def _check_images(images: np.ndarray) -> None:
    if images.ndim != 4 or min(images.shape[2:]) < 32:
        raise InputError(f"Images must be (n, channels, height, width) of at least 32 x 32 pixels, got {images.shape}.")
    if not np.isfinite(images).all():
        raise InputError("Images hold values that are no finite number: normalise them first.")


def _targets(y: np.ndarray, n_classes: int, knowledge: Knowledge) -> Targets:
    def tensor(a: np.ndarray | None) -> Tensor | None:
        return None if a is None else torch.from_numpy(np.ascontiguousarray(a, np.float32))

    known = None
    if knowledge.log_ratio is not None or knowledge.log_product is not None:
        empty = np.full(len(y), np.nan)
        parts = (knowledge.log_ratio, knowledge.log_product)
        known = tensor(np.column_stack([empty if p is None else p for p in parts]))
    one_hot = F.one_hot(torch.from_numpy(np.asarray(y, np.int64)), n_classes).float()
    return Targets(one_hot, tensor(knowledge.masks), tensor(knowledge.tumour), known)


def _augment(x: Tensor, targets: Targets, config: GrowthTraining, generator: torch.Generator) -> tuple[Tensor, Targets]:
    """Shifted, or half of the batches mirrored, each image's contrast scaled and noise added."""
    masks = targets.masks
    if config.shift is not None:
        x, masks = config.shift(x, masks, generator)
        targets = replace(targets, masks=masks)
        return (x, targets) if config.planted is None else config.planted(x, targets, generator)
    if config.mirror and torch.rand((), generator=generator) < 0.5:
        x, masks = x.flip(-1), None if masks is None else masks.flip(-1)
    n = len(x)
    scale = 1 + 0.2 * (torch.rand((n, 1, 1, 1), generator=generator) - 0.5)
    level = config.noise * torch.rand((n, 1, 1, 1), generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    x = x * scale.to(x.device) + (level * noise).to(x.device)
    return x, replace(targets, masks=masks)


def _in_tumour(field: Tensor, density: Tensor) -> Tensor:
    """Mean of a field in the logarithm, weighted by the density: ``(B, 1, 1)`` or ``(B, h, w)`` -> ``(B,)``."""
    weight = (density + 1e-6) / (density + 1e-6).sum((1, 2), keepdim=True)
    return (field.log() * weight).sum((1, 2)).exp()
