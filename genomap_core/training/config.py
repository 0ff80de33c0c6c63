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
    learning_rate: float = 3e-3
    weight_decay: float = 0.1
    noise: float = 0.5
    """Highest standard deviation of the noise, in standard deviations of each feature."""
    mixup: float = 0.4
    """Both parameters of mixup's Beta distribution; 0: none."""

    def __post_init__(self) -> None:
        for name in ("max_epochs", "patience", "batch_size"):
            if getattr(self, name) < 1:
                raise InputError(f"`{name}` must be >= 1, got {getattr(self, name)}.")
        if not self.learning_rate > 0:
            raise InputError(f"`learning_rate` must be > 0, got {self.learning_rate}.")
        for name in ("weight_decay", "noise", "mixup"):
            if getattr(self, name) < 0:
                raise InputError(f"`{name}` must be >= 0, got {getattr(self, name)}.")
