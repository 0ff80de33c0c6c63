"""The options of one fusion network and its training."""

from __future__ import annotations

from dataclasses import dataclass

from genomap_core.data.fusion_networks import SPREADS
from genomap_core.errors import InputError
from genomap_core.models.fusion import FusionSpec


@dataclass(frozen=True, slots=True)
class FusionConfig:
    """Which network, what it is shown, and how it is trained."""

    variant: str = "stacked"
    backbone: str = "small"
    width: int = 16
    """Channels of the trunk's first layer; 64 as published for ResNet and DenseNet"""
    hidden: int = 64
    linear: bool = True
    """A linear path over the omics values beside the convolutions, found in closed form and then left as it is"""
    epochs: int = 40
    batch_size: int = 16
    learning_rate: float = 2e-3
    """Highest rate of the one-cycle schedule (Smith & Topin, 2019)"""
    weight_decay: float = 0.1
    dropout: float = 0.3
    channel_dropout: float = 0.4
    """Chance that a patient's omics type is hidden in a training step"""
    noise: float = 0.05
    """Highest standard deviation of the images' noise, in standard deviations of a channel"""
    omics_noise: float = 1.0
    """The same of the omics, in standard deviations of a feature"""
    mirror: bool = True
    """Images left to right, by chance; omics maps never"""
    shift: float = 0.06
    """Largest move of an image, as a share of its side"""
    spread: str = "block"
    """How a feature's cell covers the image's pixels: ``"block"`` or ``"smooth"``"""
    solver: str = "ot"
    """Of the layout; ``"random"`` is the control"""
    max_features: int = 1024
    """Of each omics type, those of highest variance in the training rows"""
    n_seeds: int = 2
    """Networks whose logits are averaged"""
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        FusionSpec(self.variant, 1, 1, (1, 1), 2, self.backbone, self.width, self.hidden, self.dropout)
        if self.spread not in SPREADS:
            raise InputError(f"`spread` must be one of {', '.join(SPREADS)}, got {self.spread!r}.")
        for name in ("epochs", "max_features", "n_seeds"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        if self.batch_size < 4:
            raise InputError(f"`batch_size` must be >= 4, got {self.batch_size}: batches are normalised.")
        for name in ("weight_decay", "noise", "omics_noise"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must be >= 0, got {getattr(self, name)}.")
        for name in ("channel_dropout", "shift"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"`{name}` must lie in [0, 1), got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be > 0, got {self.learning_rate}.")
