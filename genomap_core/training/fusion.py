"""Train a fusion network on images and omics of the same patients: a cohort in, class probabilities out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from genomap_core.data.images.networks import SPREADS
from genomap_core.data.images.patients import FusionInputs, PatientImages, slices_of
from genomap_core.errors import InputError
from genomap_core.models.fusion import FusionNet, FusionSpec, build_fusion
from genomap_core.models.fusion_parts import block_means
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.training.augment import vary_images
from genomap_core.training.bundle_header import check_features
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.cycle import Cycle, balanced_weights, seeded_generator, train_cycle
from genomap_core.training.device import autocast, choose_device, memory_errors_named, private_randomness, threads
from genomap_core.training.fusion_inputs import Canvas, canvas_size, cell_values, fit_layout, fit_scaling, make_canvas
from genomap_core.training.linear_start import LinearStart, linear_start, start_rows
from genomap_core.training.loop import weighted_cross_entropy


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


class Spreading:
    """Cells in standard deviations to squashed maps on a device, with noise where features are."""

    def __init__(self, canvas: Canvas, filled: np.ndarray, device: torch.device) -> None:
        self.rows = torch.from_numpy(canvas.rows).to(device)
        self.columns = torch.from_numpy(canvas.columns).to(device)
        self.filled = torch.from_numpy(filled.astype(np.float32)).to(device)

    def maps(self, cells: Tensor, noise: float, generator: torch.Generator) -> Tensor:
        """``(B, t, gh, gw)`` -> ``(B, t, H, W)``, each patient's features noisy to a degree of their own."""
        level = noise * torch.rand((len(cells), 1, 1, 1), generator=generator)
        drawn = (level * torch.randn(cells.shape, generator=generator)).to(cells.device)
        return self.rows @ torch.asinh(cells + drawn * self.filled) @ self.columns.mT


@dataclass(frozen=True, eq=False)
class FusionWork:
    """The training rows on the device.

    A linear path with more weights than rows tells its own training rows nearly without error, which would leave the
    rest of the network nothing to learn: in training it speaks of every row as if it had not seen it.
    """

    images: Tensor
    cells: Tensor
    present: Tensor
    y: Tensor
    class_weights: Tensor
    left_out_offset: Tensor
    """``(n, C)``: what the linear path would say of a row without having seen it, minus what it says"""
    spreading: Spreading
    config: FusionConfig

    def loss(self, module: FusionNet, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Class-weighted cross-entropy of one batch as it may look on another day."""
        config = self.config
        images = vary_images(self.images[rows], config.noise, config.mirror, config.shift, generator)
        maps = self.spreading.maps(self.cells[rows], config.omics_noise, generator)
        present = self._hide(self.present[rows], generator)
        with autocast(rows.device):
            logits = module(images, maps, present)
        shown = (present.sum(1) / self.present[rows].sum(1).clamp_min(1))[:, None]
        logits = logits.float() + shown * self.left_out_offset[rows]
        target = F.one_hot(self.y[rows], len(self.class_weights)).float()
        return weighted_cross_entropy(logits, target, self.class_weights)

    def _hide(self, present: Tensor, generator: torch.Generator) -> Tensor:
        """Some omics types hidden; never all of them where a network sees nothing else."""
        seen = (torch.rand(present.shape, generator=generator) >= self.config.channel_dropout).to(present)
        shown = present * seen
        if self.config.variant != "omics":
            return shown
        return torch.where(shown.sum(1, keepdim=True) > 0, shown, present)


__all__ = ["FusionClassifier", "FusionConfig", "FusionInputs"]

_BATCH = 64  # of a prediction


class FusionClassifier:
    """Fusion networks of one kind, one a seed.

    Attributes
    ----------
    modules_
        The trained networks, on the CPU: ``(images, maps, present)`` -> logits.
    layout_
        :class:`Layout` of all features of the table, one channel a type, on the engine's compact grid; features that
        were not selected have no cell.
    scaling_, canvas_
        Standardisation of the training rows, and how cells cover pixels.
    feature_names_, classes_, channels_, omics_names_
        Names: ``p`` features, ``C`` classes, ``c`` image channels, ``t`` omics types.
    history_
        A dict for each epoch of each seed: ``seed``, ``epoch``, ``loss``.
    """

    def __init__(
        self,
        config: FusionConfig = FusionConfig(),
        on_progress: OnProgress = ignore,
        checkpoint_dir: Path | None = None,
    ) -> None:
        self.config = config
        self.on_progress = on_progress
        self.checkpoint_dir = checkpoint_dir
        """Where the state after each epoch is kept, for a training that is stopped to go on from."""

    def fit(self, cohort: PatientImages) -> FusionClassifier:
        """Train on every patient of the cohort.

        Raises
        ------
        InputError
            No labels, one class, no images for a variant that needs them, pixels that are not finite, features that do
            not fit on the image.
        OutOfMemoryError
            When the device's memory is too small.
        """
        y = _check_training(cohort, self.config)
        self._learn(cohort)
        self.modules_: tuple[FusionNet, ...] = ()
        self.history_: tuple[dict[str, float], ...] = ()
        device = choose_device(self.config.device)
        # Small layers gain little from a second thread, and lose tenfold where others want the same cores.
        n = 1 if self.config.backbone.startswith("small") else None
        remedy = "choose a smaller `batch_size`, `width`, `max_features` or image size"
        with memory_errors_named("Training", device, remedy), private_randomness(device), threads(n):
            start, left_out_offset = self._linear_start(cohort, y)
            work = self._work(cohort, y, left_out_offset, device)
            cycle = self._cycle(cohort, device)
            for k in range(self.config.n_seeds):
                self._train(work, cycle, start, k)
        return self

    def _learn(self, cohort: PatientImages) -> None:
        """Standardisation, layout and canvas from the training rows."""
        config, table = self.config, cohort.table
        self.on_progress(Progress("placing features", 0, 1))
        self.scaling_ = fit_scaling(cohort, config.max_features)
        solver = config.solver if config.variant != "image" else "random"  # its maps are looked at by nobody
        self.layout_ = fit_layout(cohort, self.scaling_, solver, config.seed)
        self.canvas_ = make_canvas(canvas_size(cohort, self.layout_.shape), self.layout_.shape, config.spread)
        self.feature_names_, self.classes_ = table.feature_names, table.classes
        self.channels_, self.omics_names_ = cohort.channels, table.omics_names

    def _linear_start(self, cohort: PatientImages, y: np.ndarray) -> tuple[LinearStart | None, np.ndarray]:
        """The linear path, and what it would say of each row without having seen it, minus what it says: ``(n, C)``."""
        left_out_offset = np.zeros((len(y), len(self.classes_)), np.float32)
        if not self.config.linear or self.config.variant == "image":
            return None, left_out_offset
        rows = start_rows(len(y), self.config.seed)
        groups = None if cohort.table.groups is None else cohort.table.groups[rows]
        if groups is not None and len(np.unique(groups)) < 2:
            groups = None
        tick = lambda: self.on_progress(Progress("linear start", 0, 1))  # noqa: E731
        cells = self._linear_cells(cohort)[rows]
        start = linear_start(cells, y[rows], self._class_weights(y), groups, tick)
        seen = np.tensordot(cells, start.weight, axes=((1, 2, 3), (1, 2, 3)))
        left_out_offset[rows] = start.left_out - (seen + start.bias)
        return start, left_out_offset

    def _linear_cells(self, cohort: PatientImages) -> np.ndarray:
        """What the linear path sees: ``(n, t, gh, gw)``."""
        maps = torch.from_numpy(self.canvas_.spread(np.arcsinh(self._cells(cohort))))
        return block_means(maps, self.layout_.shape).numpy()

    def _class_weights(self, y: np.ndarray) -> np.ndarray:
        return balanced_weights(np.bincount(y, minlength=len(self.classes_))).astype(np.float32)

    def _work(
        self, cohort: PatientImages, y: np.ndarray, left_out_offset: np.ndarray, device: torch.device
    ) -> FusionWork:
        """The training rows on the device."""

        def tensor(a: np.ndarray) -> Tensor:
            return torch.from_numpy(a).to(device)

        return FusionWork(
            images=tensor(self.scaling_.images(cohort)),
            cells=tensor(self._cells(cohort)),
            present=tensor(cohort.present.astype(np.float32)),
            y=tensor(y),
            class_weights=tensor(self._class_weights(y)),
            left_out_offset=tensor(left_out_offset),
            spreading=Spreading(self.canvas_, self.layout_.feature_of_cell >= 0, device),
            config=self.config,
        )

    def _train(self, work: FusionWork, cycle: Cycle, start: LinearStart | None, k: int) -> None:
        config = self.config
        generator = seeded_generator(config.seed, k)
        module = build_fusion(self.spec).to(cycle.device)
        if config.backbone != "small3d":  # an order in memory for images, not for volumes
            module = module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if start is not None and module.linear is not None:
            with torch.no_grad():
                module.linear.weight.copy_(torch.from_numpy(start.weight.reshape(len(self.classes_), -1)))
                module.linear.bias.copy_(torch.from_numpy(start.bias))
            module.linear.requires_grad_(False)
        learnt = [p for p in module.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(learnt, config.learning_rate, weight_decay=config.weight_decay)

        def loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            return work.loss(module, rows, generator), {}

        self.history_ += tuple(train_cycle(cycle, k, module, optimiser, generator, loss))
        self.modules_ += (module.to("cpu", memory_format=torch.contiguous_format).eval(),)  # type: ignore[call-overload]

    def _cycle(self, cohort: PatientImages, device: torch.device) -> Cycle:
        config, saved = self.config, None
        if self.checkpoint_dir is not None:
            marked = f"{replace(config, device='')!r} {cohort.digest}"
            saved = Checkpoints(self.checkpoint_dir, hashlib.sha256(marked.encode()).hexdigest())
        sizes = (cohort.n_samples, config.epochs, config.batch_size, config.n_seeds)
        return Cycle(*sizes, device, self.on_progress, saved)

    @property
    def spec(self) -> FusionSpec:
        """Of the networks: what :func:`genomap_core.models.fusion.build_fusion` makes them from."""
        c, types = self.config, len(self.omics_names_)
        sizes = (len(self.channels_), types, self.layout_.shape, len(self.classes_))
        slices = slices_of(self.channels_)[0]
        return FusionSpec(c.variant, *sizes, c.backbone, c.width, c.hidden, c.dropout, c.linear, slices)

    @property
    def n_parameters(self) -> int:
        """Numbers that one network learned."""
        return sum(p.numel() for p in self.modules_[0].parameters())

    def inputs(self, cohort: PatientImages) -> FusionInputs:
        """Exactly what the networks get.

        Raises
        ------
        InputError
            Features, omics types, image channels or sizes are not those of the training.
        """
        self._check_same(cohort)
        maps = self.canvas_.spread(np.arcsinh(self._cells(cohort)))
        return FusionInputs(self.scaling_.images(cohort), maps, cohort.present.astype(np.float32))

    def logits(self, inputs: FusionInputs) -> np.ndarray:
        """``(n, C)`` float64, mean over the seeds."""
        n, found = len(inputs.present), []
        with torch.inference_mode():
            for rows in np.array_split(np.arange(n), max(1, -(-n // _BATCH))):
                part = inputs.take(rows)
                given = [torch.from_numpy(np.ascontiguousarray(a)) for a in (part.images, part.maps, part.present)]
                found.append(torch.stack([module(*given) for module in self.modules_]).double().mean(0))
        return torch.cat(found).numpy()

    def predict_proba(self, cohort: PatientImages) -> np.ndarray:
        """``(n, C)`` float64."""
        return F.softmax(torch.from_numpy(self.logits(self.inputs(cohort))), dim=1).numpy()

    def features_of_map(self, values: np.ndarray) -> np.ndarray:
        """An attribution over the omics maps, summed over every feature's block: ``(t, H, W)`` -> ``(p,)``.

        0 for features that were not selected: the networks never saw them.
        """
        expected = (self.layout_.n_channels, *self.canvas_.size)
        if values.shape != expected:
            raise InputError(f"Expected values over the omics maps, {expected}, got {values.shape}.")
        return np.nan_to_num(self.layout_.to_features(self.canvas_.gather(values)[None])[0])

    def _cells(self, cohort: PatientImages) -> np.ndarray:
        return cell_values(self.layout_, self.scaling_, self.scaling_.table(cohort))

    def _check_same(self, cohort: PatientImages) -> None:
        check_features(self.feature_names_, cohort.table.feature_names)
        _check_pixels(cohort)
        if len(cohort.channels) != len(self.channels_) or cohort.table.omics_names != self.omics_names_:
            raise InputError(
                f"The network was trained on the image channels {', '.join(self.channels_) or 'none'} and the omics "
                f"types {', '.join(self.omics_names_)}; this cohort has {', '.join(cohort.channels) or 'none'} and "
                f"{', '.join(cohort.table.omics_names)}."
            )
        size = canvas_size(cohort, self.layout_.shape)
        if size != self.canvas_.size:
            raise InputError(
                f"The network was trained on images of {self.canvas_.size[0]} x {self.canvas_.size[1]} pixels, these "
                f"have {size[0]} x {size[1]}: prepare them at that size."
            )


def _check_training(cohort: PatientImages, config: FusionConfig) -> np.ndarray:
    y = cohort.table.y
    if y is None:
        raise InputError(f"{cohort.name}: the cohort has no labels: choose a target column on the Data page.")
    if len(np.unique(y)) < 2:
        raise InputError(f"{cohort.name}: patients of at least two classes are needed.")
    if not cohort.channels and config.variant != "omics":
        raise InputError(f"{cohort.name} has no images: choose the variant 'omics', or load images.")
    if config.backbone == "small3d" and cohort.channels and slices_of(cohort.channels)[0] < 2:
        raise InputError(
            f"{cohort.name}: a network in 3-D needs several slices of each patient: read the images with evenly spaced "
            "slices, or choose the backbone 'small'."
        )
    _check_pixels(cohort)
    return np.asarray(y, np.int64)


def _check_pixels(cohort: PatientImages) -> None:
    if not np.isfinite(cohort.images).all():
        raise InputError(f"{cohort.name}: images hold values that are no finite number: normalise them first.")
