"""`MapClassifier`: networks on maps, behind scikit-learn's face."""

from __future__ import annotations

import copy
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils import check_random_state, compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from genomap_core.data.preprocess import Preprocessor, refuse_infinite
from genomap_core.errors import InputError
from genomap_core.layout import GenomapTransformer
from genomap_core.progress import OnProgress, ignore
from genomap_core.training.checkpoint import Checkpoints
from genomap_core.training.device import choose_device, memory_errors_named, private_randomness, threads
from genomap_core.training.loop import TrainConfig, predict_logits
from genomap_core.training.masking import WAYS
from genomap_core.training.members import Cohort, Trainer
from genomap_core.training.networks import LEARNING_RATES, NetworkSpec
from genomap_core.training.rows import Maps, RowMaps, blocks

_SMALL_BATCH = 150_000  # cells


class MapClassifier(ClassifierMixin, BaseEstimator):
    """A map network, or genoNet, trained on maps of standardised features.

    Parameters
    ----------
    network
        ``"mapcnn"`` or ``"genonet"``.
    network_options
        Arguments of the network's constructor, such as ``{"n_filters": 16}``; None: its defaults.
    max_epochs, patience, batch_size, learning_rate, weight_decay, noise, mixup
        See :class:`genomap_core.training.loop.TrainConfig`; ``batch_size=None``: 32, more for large cohorts;
        ``learning_rate=None``: the network's own.
    class_weight
        None, ``"balanced"``, or ``{class: weight}``.
    validation_fraction
        Share of the training rows that early stopping watches; by class, and by group if ``groups`` are given.
    n_seeds
        Networks whose logits are averaged.
    refit
        Train again on all rows for as many epochs as validation found best; otherwise keep the validated networks.
    missing
        Measure on left-out rows what the model keeps of its accuracy when features are missing and filled:
        ``"lowrank"``, as the preprocessing does it, or on the ``"map"``. None: not measured.
    lose_features
        Train the convolutions on such rows, too: pays where they stand alone behind a fill on the map, not beside a
        linear path (docs/classifier_log.md).
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    n_threads
        Of torch on the CPU while fitting; None: its own number, at most 8, and one where a batch is so small that
        threads would only wait for each other (measured: 18 s with two, 16 s with one).
    layout
        Transformer for tables; None: ``GenomapTransformer(random_state=random_state)``. Not used for maps.
    checkpoint_dir
        A folder: the state is written there after each epoch, and a training that was stopped goes on from it.
        Emptied of states when the training is done.
    random_state
        Same state, same rows, same number of threads on a CPU: the same network, bit for bit.
    on_progress
        Called after each epoch with ``loss``, ``val_loss`` and ``val_accuracy``, and between batches (without figures)
        so that it can raise :class:`genomap_core.errors.Cancelled`.

    Attributes
    ----------
    classes_ : (k,) array
    module_ : MeanLogits
        The network that predicts, on the CPU: maps ``(B, c, H, W)`` -> logits ``(B, k)``.
    history_ : tuple of dict
        One entry an epoch: ``phase`` "validation" (``member`` counts inner folds; loss, val_loss, val_accuracy) or
        "final" (all rows; loss).
    n_epochs_ : int
        Epochs of the final training.
    endurance_ : Endurance or None
        Balanced accuracy on left-out rows by the share of features that is there; only with ``missing``.
    layout_ : Layout
        Only after fitting a table.
    """

    def __init__(
        self,
        network: str = "mapcnn",
        *,
        network_options: Mapping[str, float | int | bool] | None = None,
        max_epochs: int = 40,
        patience: int = 10,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        weight_decay: float = 0.1,
        noise: float = 0.5,
        mixup: float = 0.4,
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float = 0.2,
        n_seeds: int = 2,
        refit: bool = True,
        missing: str | None = None,
        lose_features: bool = False,
        device: str = "auto",
        n_threads: int | None = None,
        layout: GenomapTransformer | None = None,
        checkpoint_dir: str | Path | None = None,
        random_state: int | np.random.RandomState | None = 0,
        on_progress: OnProgress | None = None,
    ) -> None:
        self.network = network
        self.network_options = network_options
        self.max_epochs = max_epochs
        self.patience = patience
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.noise = noise
        self.mixup = mixup
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.n_seeds = n_seeds
        self.refit = refit
        self.missing = missing
        self.lose_features = lose_features
        self.device = device
        self.n_threads = n_threads
        self.layout = layout
        self.checkpoint_dir = checkpoint_dir
        self.random_state = random_state
        self.on_progress = on_progress

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Train on maps ``(n, c, H, W)``, or on a table ``(n, p)`` that is standardised and laid out first.

        Parameters
        ----------
        X
            Without NaN. Maps are taken as they are: standard deviations of the training rows, 0 where a cell is empty;
            those of a sparse table as :class:`genomap_core.training.rows.RowMaps`.
        y
            ``(n,)`` classes, two at least.
        groups
            ``(n,)``: rows of one group never part in the inner split.

        Raises
        ------
        InputError
            Values or parameters are out of range.
        OutOfMemoryError
            The device's memory is too small.
        Cancelled
            ``on_progress`` raised it.
        """
        device = choose_device(self.device)
        if self.n_seeds < 1:
            raise InputError(f"`n_seeds` must be >= 1, got {self.n_seeds}.")
        if not 0 < self.validation_fraction <= 0.5:
            raise InputError(f"`validation_fraction` must be in (0, 0.5], got {self.validation_fraction}.")
        if self.missing not in (None, *WAYS):
            raise InputError(f"`missing` must be None or one of {', '.join(WAYS)}, got {self.missing!r}.")
        if self.lose_features and self.missing is None:
            raise InputError("`lose_features` needs `missing`: how shall lost values be filled?")
        seed = _seed(self.random_state)
        X, codes = self._validated(X, y)
        maps = self._lay_out(X, seed)
        cohort = Cohort(maps, codes, _group_codes(groups, len(codes)), self._class_weights(codes))
        c, height, width = maps.shape[1:]
        spec = NetworkSpec(self.network, c, height, width, len(self.classes_), dict(self.network_options or {}))
        trainer = Trainer(
            spec=spec,
            config=self._config(len(codes)),
            seed=seed,
            n_members=self.n_seeds,
            n_folds=max(2, round(1 / self.validation_fraction)),
            refit=self.refit,
            device=device,
            on_progress=self.on_progress or ignore,
            checkpoints=self._checkpoints(cohort, spec, seed),
            missing=self.missing,
            lose_features=self.lose_features,
        )
        work = f"Training on {len(maps)} maps of {' x '.join(map(str, maps.shape[1:]))}"
        remedy = 'choose fewer features, a smaller `batch_size` or `device="cpu"`, or close other programs'
        with (
            memory_errors_named(work, device, remedy),
            threads(self._threads(maps, trainer.config)),
            private_randomness(device),
        ):
            trained = trainer.run(cohort)
        if trainer.checkpoints is not None:
            trainer.checkpoints.clear()
        self.network_ = spec
        self.module_, self.history_, self.n_epochs_ = trained.module, trained.history, trained.n_epochs
        self.endurance_ = trained.endurance
        return self

    def decision_logits(self, X: Any) -> np.ndarray:
        """Logits ``(n, k)`` of maps, or of a table if the classifier was fitted on one."""
        check_is_fitted(self, "module_")
        maps = self._maps_to_predict(X)
        device = choose_device(self.device)
        remedy = "predict fewer rows at a time"
        with memory_errors_named(f"Predicting {len(maps)} maps", device, remedy), threads(self.n_threads):
            # A copy goes to the GPU: the fitted network stays where it is for others who use it meanwhile.
            module = self.module_ if device.type == "cpu" else copy.deepcopy(self.module_).to(device)
            return predict_logits(module, torch.from_numpy(maps).to(device)).cpu().numpy()

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities ``(n, k)``, columns as in ``classes_``."""
        return softmax(self.decision_logits(X).astype(np.float64), axis=1)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row, ``(n,)``."""
        winners = self.decision_logits(X).argmax(axis=1)
        return self.classes_[winners]

    def _validated(self, X: Any, y: Any) -> tuple[Maps, np.ndarray]:
        if y is None:
            raise InputError("This classifier requires y to be passed, but the target y is None.")
        if isinstance(X, RowMaps):  # finite, as the steps that make them see to
            self.n_features_in_ = X.shape[1]
        else:
            X = self._checked(X, reset=True)
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError("A classifier needs rows of two classes at least: the training rows have one class.")
        return X, codes.astype(np.int64)

    def _checked(self, X: Any, reset: bool) -> np.ndarray:
        X = validate_data(
            self, X, reset=reset, dtype=np.float32, allow_nd=True, ensure_all_finite=False, ensure_min_samples=1
        )
        if X.ndim not in (2, 4):
            raise InputError(f"Expected maps (n, c, H, W) or a table (n, p), got an array of shape {X.shape}.")
        refuse_missing(X)
        return X

    def _lay_out(self, X: Maps, seed: int) -> Maps:
        for name in ("layout_", "preprocessor_", "transformer_"):
            self.__dict__.pop(name, None)
        self.map_shape_ = X.shape[1:]
        if isinstance(X, RowMaps):
            return X
        if X.ndim == 4:
            return np.ascontiguousarray(X)
        self.preprocessor_ = Preprocessor(selection="none").fit(X)
        transformer = self.layout if self.layout is not None else GenomapTransformer(random_state=seed)
        self.transformer_ = clone(transformer).fit(self.preprocessor_.transform(X))
        self.layout_ = self.transformer_.layout_
        return self._table_to_maps(X)

    def _table_to_maps(self, X: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(self.transformer_.transform(self.preprocessor_.transform(X)), dtype=np.float32)

    def _maps_to_predict(self, X: Any) -> np.ndarray:
        X = self._checked(X, reset=False)
        if X.shape[1:] != self.map_shape_:
            raise InputError(f"The classifier was fitted on rows of shape {self.map_shape_}, got {X.shape[1:]}.")
        return np.ascontiguousarray(X) if X.ndim == 4 else self._table_to_maps(X)

    def _class_weights(self, codes: np.ndarray) -> np.ndarray:
        weight = compute_class_weight(self.class_weight, classes=self.classes_, y=self.classes_[codes])
        return weight.astype(np.float32)

    def _config(self, n: int) -> TrainConfig:
        batch = self.batch_size if self.batch_size is not None else int(np.clip(2 ** int(np.log2(n / 25 + 1)), 32, 256))
        return TrainConfig(
            max_epochs=self.max_epochs,
            patience=self.patience,
            batch_size=batch,
            learning_rate=LEARNING_RATES[self.network] if self.learning_rate is None else self.learning_rate,
            weight_decay=self.weight_decay,
            noise=self.noise,
            mixup=self.mixup,
        )

    def _threads(self, maps: Maps, config: TrainConfig) -> int | None:
        small = config.batch_size * math.prod(maps.shape[1:]) <= _SMALL_BATCH
        return 1 if self.n_threads is None and small else self.n_threads

    def _checkpoints(self, cohort: Cohort, spec: NetworkSpec, seed: int) -> Checkpoints | None:
        if self.checkpoint_dir is None:
            return None
        told = [asdict(spec), asdict(self._config(len(cohort.y))), seed, self.n_seeds, self.validation_fraction]
        told += [self.missing, self.lose_features]
        digest = hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode())
        for array in chain(blocks(cohort.maps), (cohort.y, cohort.class_weights, cohort.groups)):
            digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
        return Checkpoints(Path(self.checkpoint_dir), digest.hexdigest())


def refuse_missing(X: np.ndarray) -> None:
    """Raise :class:`InputError` saying where the first NaN or inf is, if there is one."""
    rows = X.reshape(len(X), -1)
    refuse_infinite(rows)
    if np.isnan(rows.sum(dtype=np.float64)):
        row, column = np.argwhere(np.isnan(rows))[0]
        raise InputError(
            f"Missing value (NaN) in row number {row + 1}, value number {column + 1}: "
            "impute first, for example with Preprocessor()."
        )


def _seed(random_state: int | np.random.RandomState | None) -> int:
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _group_codes(groups: Any, n: int) -> np.ndarray | None:
    if groups is None:
        return None
    codes = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    if len(codes) != n:
        raise InputError(f"`groups` has {len(codes)} entries for {n} rows.")
    return None if len(np.unique(codes)) == n else codes
