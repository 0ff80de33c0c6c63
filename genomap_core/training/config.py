"""The options of one training run."""

from __future__ import annotations

from dataclasses import dataclass

from genomap_core.errors import InputError


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """How one network is trained; every default was chosen on colon, SRBCT, leukaemia and micromass only."""

    max_epochs: int = 40
    patience: int = 10
    """Epochs without a better validation loss before training ends."""
    batch_size: int = 32
    learning_rate: float = 1e-3
    linear_rate: float = 10.0
    """The linear path's learning rate, as a share of ``learning_rate / its number of inputs``: every input moves
    the logits, so that a step of Adam would otherwise grow with the map."""
    weight_decay: float = 0.1
    noise: float = 0.5
    """Highest standard deviation of the noise, in standard deviations of each feature."""
    mixup: float = 0.4
    """Both parameters of mixup's Beta distribution; 0: none."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        for name in ("learning_rate", "linear_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"`{name}` must be > 0, got {getattr(self, name)}.")
        for name in ("weight_decay", "noise", "mixup"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must be >= 0, got {getattr(self, name)}.")
