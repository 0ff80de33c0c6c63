"""Train PhysNet or one of the image networks beside it: images in, class probabilities and growth out."""

from __future__ import annotations

import hashlib
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from genomap_core.data.image_networks import NETWORKS
from genomap_core.errors import InputError
from genomap_core.models.baselines2d import build_network
from genomap_core.models.physnet import PhysicsConfig, PhysNet
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.device import autocast, choose_device, memory_errors_named, private_randomness
from genomap_core.training.growth_losses import LossWeights, Targets, growth_losses
from genomap_core.training.loop import TrainState


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
    ) -> None:
        self.config = config
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
        return Checkpoints(self.checkpoint_dir, digest.hexdigest())

    def _train(self, x: Tensor, targets: Targets, counts: np.ndarray, k: int, saved: Checkpoints | None) -> nn.Module:
        config, n = self.config, len(x)
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence([config.seed, k]).generate_state(1)[0]))
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        module = self.build().to(device=x.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimiser = torch.optim.AdamW(module.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        state = TrainState(module, optimiser)
        n_batches = math.ceil(n / config.batch_size)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, config.learning_rate, total_steps=config.max_epochs * n_batches, pct_start=0.2
        )
        save: Callable[[TrainState], None] = lambda state: None  # noqa: E731
        if saved is not None:
            saved.restore(str(k), state)
            _go_on(state, schedule, state.epoch * n_batches, generator)
            save = saved.saver(str(k))
        class_weights = torch.from_numpy(counts.sum() / np.maximum(counts, 1) / max(1, (counts > 0).sum())).to(x)
        total = config.n_seeds * config.max_epochs
        for epoch in range(state.epoch, config.max_epochs):
            module.train()
            sums: dict[str, float] = {}
            order = torch.randperm(n, generator=generator).to(x.device)
            for rows in torch.tensor_split(order, n_batches):
                batch, known = _augment(x[rows], targets.rows(rows), config, generator)
                with autocast(x.device):
                    observed = module.observe(batch) if isinstance(module, PhysNet) else (module(batch), None)
                loss, terms = growth_losses(
                    observed[0].float(), observed[1], known, class_weights, config.losses, config.physics
                )
                optimiser.zero_grad(set_to_none=True)
                loss.backward()
                nn.utils.clip_grad_norm_(module.parameters(), 5.0)
                optimiser.step()
                schedule.step()
                for name, value in {"loss": float(loss.detach()), **terms}.items():
                    sums[name] = sums.get(name, 0.0) + value * len(rows) / n
                self.on_progress(Progress("training", k * config.max_epochs + epoch, total))
            if not math.isfinite(sums["loss"]):
                raise InputError(f"The loss became {sums['loss']} in epoch {epoch + 1}: lower `learning_rate`.")
            state.epoch = epoch + 1
            state.curve.append({"seed": float(k), "epoch": epoch + 1.0, **sums})
            state.generators = {"own": generator.get_state(), "shared": torch.get_rng_state()}
            save(state)
            self.on_progress(Progress("training", k * config.max_epochs + epoch + 1, total, sums))
        self.history_ += tuple(state.curve)
        return module

    def build(self) -> nn.Module:
        """An untrained network of the configuration."""
        c = self.config
        return build_network(
            c.network, self.in_channels_, self.n_classes_, width=c.width, stem_stride=c.stem_stride, physics=c.physics
        )

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


def _go_on(
    state: TrainState, schedule: torch.optim.lr_scheduler.OneCycleLR, n_steps: int, generator: torch.Generator
) -> None:
    """Bring rates and randomness to where a restored state stopped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the schedule misses the optimiser's steps, which were made before
        for _ in range(n_steps):
            schedule.step()
    if state.generators:
        generator.set_state(state.generators["own"])
        torch.set_rng_state(state.generators["shared"])


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
    """Half of the batches mirrored, each image's contrast scaled and noise added."""
    masks = targets.masks
    if config.mirror and torch.rand((), generator=generator) < 0.5:
        x, masks = x.flip(-1), None if masks is None else masks.flip(-1)
    n = len(x)
    scale = 1 + 0.2 * (torch.rand((n, 1, 1, 1), generator=generator) - 0.5)
    level = config.noise * torch.rand((n, 1, 1, 1), generator=generator)
    noise = torch.randn(x.shape, generator=generator)
    x = x * scale.to(x.device) + (level * noise).to(x.device)
    return x, Targets(targets.one_hot, masks, targets.tumour, targets.known)


def _in_tumour(field: Tensor, density: Tensor) -> Tensor:
    """Mean of a field in the logarithm, weighted by the density: ``(B, 1, 1)`` or ``(B, h, w)`` -> ``(B,)``."""
    weight = (density + 1e-6) / (density + 1e-6).sum((1, 2), keepdim=True)
    return (field.log() * weight).sum((1, 2)).exp()
