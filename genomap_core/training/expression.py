"""Train a network from images to gene expression: a cohort in, expression out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional as F

from genomap_core.data.images.expression import ExpressionCohort
from genomap_core.data.images.networks import FULL, ExpressionConfig
from genomap_core.data.images.patients import slices_of
from genomap_core.errors import InputError
from genomap_core.layout import Layout
from genomap_core.layout.build import make_layout
from genomap_core.models.expression import ExpressionNet, ExpressionSpec, adopt_resnet, randomise_head
from genomap_core.progress import OnProgress, Progress, ignore
from genomap_core.training.augment import vary_images
from genomap_core.training.bundle_header import check_features
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.cycle import Cycle, seeded_generator, train_cycle
from genomap_core.training.device import autocast, choose_device, memory_errors_named, private_randomness, threads
from genomap_core.training.fusion_inputs import cell_values, fit_layout, fit_scaling


def read_resnet(path: Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises
    ------
    InputError
        There is no such file, or it is no safetensors file.
    """
    if not path.is_file():
        raise InputError(f"There is no file {path.name}: give the weights of a 2-D ResNet-18 as .safetensors.")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path.name} is no safetensors file: save a state dict with `safetensors.torch.save_file`."
        ) from error


__all__ = ["FULL", "ExpressionConfig", "ExpressionRegressor"]

_BATCH = 64  # pictures of a prediction
_MOST_FEATURES = 4096


@dataclass(frozen=True, eq=False)
class ExpressionScaling:
    """Of the training rows: each gene's ``mean`` and ``sd`` ``(g,)`` float32, in the unit of the expression."""

    mean: np.ndarray
    sd: np.ndarray


class ExpressionRegressor:
    """One network from what is seen of a patient to the expression measured there.

    Attributes
    ----------
    module_
        The trained network, on the CPU: ``(B, s, c, H, W)`` -> ``(B, g)`` standardised.
    scaling_, expression_
        Standardisation of pictures or features, and of genes.
    layout_
        Of a table's features, the map that the network sees; None for images.
    gene_layout_
        Of the genes, where the head predicts their map; None else.
    genes_, channels_, feature_names_
        Names: ``g`` genes, ``c`` channels of the pictures, features of a table.
    history_
        A dict for each epoch: ``epoch``, ``loss``.
    """

    def __init__(
        self,
        config: ExpressionConfig = ExpressionConfig(),
        on_progress: OnProgress = ignore,
        checkpoint_dir: Path | None = None,
    ) -> None:
        self.config = config
        self.on_progress = on_progress
        self.checkpoint_dir = checkpoint_dir
        """Where the state after each epoch is kept, for a training that is stopped to go on from."""

    def fit(self, cohort: ExpressionCohort, learn: bool = True) -> ExpressionRegressor:
        """Train on every patient of the cohort; ``learn=False``: leave the weights random, the control of the study.

        Raises
        ------
        InputError
            Pixels that are not finite, fewer than 4 patients, weights of another network.
        OutOfMemoryError
            When the device's memory is too small.
        """
        _check_pixels(cohort)
        if cohort.n_samples < 4:
            raise InputError(f"{cohort.name}: 4 patients at least are needed to train, got {cohort.n_samples}.")
        device = choose_device(self.config.device)
        self._learn(cohort)
        self.history_: tuple[dict[str, float], ...] = ()
        # Small layers gain little from a second thread, and lose tenfold where others want the same cores.
        n = 1 if self.config.front != "resnet18" else None
        remedy = "choose more `accumulate`, a smaller `batch_size`, `width`, `embedding` or image size"
        with memory_errors_named("Training", device, remedy), private_randomness(device), threads(n):
            generator = seeded_generator(self.config.seed, 0)
            module = self._module()
            if learn:
                self._train(module.to(device), cohort, device, generator)
            else:
                randomise_head(module)
        self.module_ = module.to("cpu").eval()
        return self

    def _learn(self, cohort: ExpressionCohort) -> None:
        """Standardisations and layouts from the training rows."""
        self.on_progress(Progress("preparing", 0, 1))
        source = cohort.source
        self.scaling_ = fit_scaling(source, _MOST_FEATURES)
        self.layout_ = None if cohort.has_images else fit_layout(source, self.scaling_, "ot", self.config.seed)
        self.channels_, self.omics_names_ = source.channels, source.table.omics_names
        self.feature_names_, self.genes_, self.unit_ = source.table.feature_names, cohort.genes, cohort.unit
        sd = cohort.expression.std(axis=0)
        self.expression_ = ExpressionScaling(cohort.expression.mean(axis=0), np.where(sd > 1e-6, sd, 1).astype("f4"))
        self.gene_layout_ = self._gene_layout(cohort) if self.config.head == "map" else None
        self.size_ = self._pictures(cohort.take([0])).shape[3:]

    def _gene_layout(self, cohort: ExpressionCohort) -> Layout:
        return make_layout(self._standardised(cohort), random_state=self.config.seed, feature_names=cohort.genes)

    def _module(self) -> ExpressionNet:
        module = ExpressionNet(self.spec)
        if self.gene_layout_ is not None:
            row, column = self.gene_layout_.positions.T
            cells = torch.from_numpy(np.asarray(row * self.gene_layout_.shape[1] + column, np.int64))
            module.head.cell_of_gene.copy_(cells)  # type: ignore[operator]
        if self.config.weights:
            adopt_resnet(module, read_resnet(Path(self.config.weights)))
        return module

    def _train(
        self, module: ExpressionNet, cohort: ExpressionCohort, device: torch.device, generator: torch.Generator
    ) -> None:
        config = self.config
        pictures = torch.from_numpy(self._pictures(cohort))
        target = torch.from_numpy(self._standardised(cohort)).to(device)
        optimiser = torch.optim.AdamW(module.parameters(), config.learning_rate, weight_decay=config.weight_decay)
        varied = cohort.has_images  # a map's features have their places

        def loss(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            x = pictures[rows.cpu()].to(device)
            move = (config.mirror, config.shift) if varied else (False, 0.0)
            x = vary_images(x.flatten(1, 2), config.noise, *move, generator).view_as(x)
            with autocast(device):
                predicted = module(x)
            return expression_loss(config.loss, predicted.float(), target[rows]), {}

        saved = None
        if self.checkpoint_dir is not None:
            marked = f"{replace(config, device='')!r} {cohort.digest}"
            saved = Checkpoints(self.checkpoint_dir, hashlib.sha256(marked.encode()).hexdigest())
        sizes = (cohort.n_samples, config.epochs, config.batch_size, 1)
        cycle = Cycle(*sizes, device, self.on_progress, saved, config.accumulate)
        self.history_ = tuple(train_cycle(cycle, 0, module, optimiser, generator, loss))

    @property
    def spec(self) -> ExpressionSpec:
        """Of the network."""
        c = self.config
        front = c.front if self.layout_ is None else "patches"
        channels = slices_of(self.channels_)[1] if self.layout_ is None else self.layout_.n_channels
        size = (int(self.size_[0]), int(self.size_[1]))
        sizes = (c.width, c.embedding, c.n_layers, c.n_heads, c.expansion, c.dropout, c.pooling, c.head)
        grid = (1, 1) if self.gene_layout_ is None else self.gene_layout_.shape
        paths = c.seeing(self.layout_ is None).paths
        return ExpressionSpec(channels, size, len(self.genes_), front, *sizes, grid, paths)

    @property
    def n_parameters(self) -> int:
        """Numbers that the network learned."""
        return sum(p.numel() for p in self.module_.parameters())

    def inputs(self, cohort: ExpressionCohort) -> np.ndarray:
        """Exactly what the network gets: ``(n, s, c, H, W)`` float32, standardised.

        Raises
        ------
        InputError
            Channels, features or sizes are not those of the training.
        """
        self._check_same(cohort)
        return self._pictures(cohort)

    def answers(self, pictures: np.ndarray) -> np.ndarray:
        """``(n, g)`` float32 in the unit of the expression, from :meth:`inputs`."""
        return self._run(pictures, lambda module, x: module(x)) * self.expression_.sd + self.expression_.mean

    def _run(self, pictures: np.ndarray, forward: Callable[[ExpressionNet, Tensor], Tensor]) -> np.ndarray:
        """``forward`` in batches: ``(n, s, c, H, W)`` -> ``(n, ...)`` float32."""
        device = choose_device(self.config.device)
        module = self.module_.to(device)
        step = max(1, _BATCH // pictures.shape[1])
        found = []
        with torch.inference_mode(), autocast(device):
            for start in range(0, len(pictures), step):
                part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + step])).to(device)
                found.append(forward(module, part).float().cpu().numpy())
        self.module_ = module.to("cpu")
        return np.concatenate(found)

    def predict(self, cohort: ExpressionCohort) -> np.ndarray:
        """``(n, g)`` float32 in the unit of the expression."""
        return self.answers(self.inputs(cohort))

    def embed(self, cohort: ExpressionCohort) -> np.ndarray:
        """What the head reads of each patient: ``(n, d)`` float32."""
        return self._run(self.inputs(cohort), lambda module, x: module.embedding(x))

    def frozen_head(self, train: ExpressionCohort, test: ExpressionCohort) -> np.ndarray:
        """The network as a linear smoother: ``(m, n)``, times the expression of the training patients ``(n, g)`` it
        says, but for a constant, what the network with its head fitted anew says of the ``m`` test patients.

        Ridge regression on the embedding; the penalty is the mean squared singular value, which asks no expression.
        """
        seen, new = (self.embed(c).astype(np.float64) for c in (train, test))
        mean = seen.mean(axis=0)
        U, S, Vt = np.linalg.svd(seen - mean, full_matrices=False)
        weight = S / (S**2 + max(float((S**2).mean()), 1e-12))
        return np.asarray(((new - mean) @ Vt.T * weight) @ U.T, np.float32)

    def _pictures(self, cohort: ExpressionCohort) -> np.ndarray:
        if self.layout_ is None:
            values, (n, each) = self.scaling_.images(cohort.source), slices_of(cohort.source.channels)
            return values.reshape(len(values), n, each, *values.shape[2:])
        cells = cell_values(self.layout_, self.scaling_, self.scaling_.table(cohort.source))
        return np.arcsinh(cells)[:, None]

    def _standardised(self, cohort: ExpressionCohort) -> np.ndarray:
        return ((cohort.expression - self.expression_.mean) / self.expression_.sd).astype(np.float32)

    def _check_same(self, cohort: ExpressionCohort) -> None:
        _check_pixels(cohort)
        source = cohort.source
        if len(source.channels) != len(self.channels_) or source.table.omics_names != self.omics_names_:
            raise InputError(
                f"The network was trained on the channels {', '.join((*self.channels_, *self.omics_names_))}; this "
                f"cohort has {', '.join((*source.channels, *source.table.omics_names))}."
            )
        check_features(self.feature_names_, source.table.feature_names)
        if self.layout_ is None and source.images.shape[2:] != tuple(self.size_):
            height, width = source.images.shape[2:]
            raise InputError(
                f"The network was trained on images of {self.size_[0]} x {self.size_[1]} pixels, these have {height} "
                f"x {width}: prepare them at that size."
            )


def expression_loss(kind: str, predicted: Tensor, target: Tensor) -> Tensor:
    """Mean over patients and genes, all standardised: ``(B, g)``, ``(B, g)`` -> scalar.

    ``"pearson"`` adds 1 - r of every gene over the batch to the squared error, which keeps its scale.
    """
    if kind == "huber":
        return F.huber_loss(predicted, target)
    squared = F.mse_loss(predicted, target)
    if kind == "mse" or len(target) < 3:
        return squared
    a, b = predicted - predicted.mean(0), target - target.mean(0)
    r = (a * b).sum(0) / ((a**2).sum(0) * (b**2).sum(0) + 1e-6).sqrt()
    return squared + (1 - r).mean()


def _check_pixels(cohort: ExpressionCohort) -> None:
    if not np.isfinite(cohort.source.images).all():
        raise InputError(f"{cohort.name}: images hold values that are no finite number: normalise them first.")


_FROZEN_BATCH = 64


def frozen_features(cohort: ExpressionCohort, config: ExpressionConfig) -> np.ndarray:
    """Mean, deviation and maximum of every channel of the network's front: ``(n, 3 f)`` float64, mean over slices.

    The front has random weights, or those of ``config.weights``. Each channel of an image is standardised by itself:
    nothing is learned from any patient.
    """
    n, each = slices_of(cohort.source.channels)
    images = cohort.source.images
    pictures = images.reshape(len(images) * n, each, *images.shape[2:])
    size = (int(images.shape[2]), int(images.shape[3]))
    device = choose_device(config.device)
    found = []
    with private_randomness(device), threads(1), torch.inference_mode():
        seeded_generator(config.seed, 0)
        front = "small" if config.front == "patches" else config.front
        net = ExpressionNet(ExpressionSpec(each, size, 1, front, config.width, config.embedding, 1, config.n_heads))
        if config.weights:
            adopt_resnet(net, read_resnet(Path(config.weights)))
        body = net.front.to(device).eval()
        for start in range(0, len(pictures), _FROZEN_BATCH):
            x = torch.from_numpy(np.ascontiguousarray(pictures[start : start + _FROZEN_BATCH])).to(device)
            mean, sd = x.mean((2, 3), keepdim=True), x.std((2, 3), keepdim=True).clamp_min(1e-6)
            y = body((x - mean) / sd)
            parts = (y.mean((2, 3)), y.var((2, 3), correction=0).sqrt(), y.amax((2, 3)))
            found.append(torch.cat(parts, 1).cpu().double().numpy())
    return np.concatenate(found).reshape(len(images), n, -1).mean(axis=1)
