"""A tabular foundation model behind scikit-learn's face, on raw tables: wide, with missing values, and offline."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from genomap_core.errors import InputError
from genomap_core.pfn import limits, package, tabicl
from genomap_core.pfn.description import Weights
from genomap_core.pfn.many_classes import CodedModel
from genomap_core.pfn.selection import CROSSED, STRATEGIES, Choice, FeatureReducer, Selection, candidates, choose
from genomap_core.pfn.weights import choose_weights


class PFNClassifier(ClassifierMixin, BaseEstimator):
    """Prior-data fitted network (TabPFN and relatives) run by the ``tabpfn`` package, with weights from a file.

    Nothing is downloaded: without a file, :meth:`fit` says at once how to get one. Columns beyond what the weights
    take are reduced inside ``fit``, so inside the fold; ``n_features_used_`` says how many the model saw. More classes
    than the weights know are dealt out by :mod:`error-correcting codes <genomap_core.pfn.many_classes>`.

    Parameters
    ----------
    model_path
        A ``.ckpt`` or ``.safetensors`` file; None: the best found by :func:`genomap_core.pfn.find_weights`.
    selection
        What the model is given of a table: "auto", or one of :data:`~genomap_core.pfn.selection.STRATEGIES`. Auto:
        small weights answer twice, given the scores of ridge regression, and given the whole table (where it is too
        wide, the scores beside some features), and the mean counts; others get the whole table, or, where it is too
        wide, what does best on inner folds of the training rows.
    n_selected
        Columns kept then; None: what the weights recommend. A number also reduces tables that would fit.
    n_estimators
        Differently prepared copies of the table whose answers are averaged; time grows with it. None: what is usual
        with the weights (small ones 16, up to 100 training rows 32; full-size ones 4).
    device
        "auto" (a CUDA GPU where there is one), "cpu", "cuda" or "mps".
    memory_limit_gb
        Refuse work estimated beyond this, in GiB; None: beyond what the machine has free.
    beyond_limits
        Insist on more training rows than the weights are meant for.
    keep_cache
        Keep keys and values of the training rows: the first prediction costs the same, every later one little.
    batch_rows
        Rows predicted at a time.

    Attributes
    ----------
    classes_, n_features_in_
        As everywhere in scikit-learn.
    weights_
        The :class:`~genomap_core.pfn.weights.Weights` that answer.
    label_
        Their name for tables, pictures and reports.
    n_features_used_
        Columns the model saw.
    n_estimators_
        Estimators that answer.
    reducer_
        The fitted :class:`~genomap_core.pfn.selection.FeatureReducer`; ``reducer_.kept_`` are the columns that matter.
    choice_
        The :class:`~genomap_core.pfn.selection.Choice` of how a wide table was reduced; None where it fits, and of
        several members.
    members_
        The fitted classifiers whose probabilities are averaged; itself alone, where only one way was taken.

    References
    ----------
    Hollmann et al., Nature 637:319 (2025).
    """

    def __init__(
        self,
        model_path: str | Path | None = None,
        selection: Selection = "auto",
        n_selected: int | None = None,
        n_estimators: int | None = None,
        device: str = "auto",
        random_state: int = 0,
        memory_limit_gb: float | None = None,
        beyond_limits: bool = False,
        keep_cache: bool = False,
        batch_rows: int = 1024,
    ) -> None:
        self.model_path = model_path
        self.selection = selection
        self.n_selected = n_selected
        self.n_estimators = n_estimators
        self.device = device
        self.random_state = random_state
        self.memory_limit_gb = memory_limit_gb
        self.beyond_limits = beyond_limits
        self.keep_cache = keep_cache
        self.batch_rows = batch_rows

    def fit(self, X: Any, y: Any) -> PFNClassifier:
        """Take training rows ``X`` ``(n, p)`` (NaN: missing; dense or CSR) and their classes ``y`` ``(n,)``.

        Raises
        ------
        WeightsMissingError
            No weights were found; nothing else has happened yet.
        InputError
            The weights are damaged, a label is missing, there is one class only, a value is infinite.
        ModelLimitError
            Too many rows for the weights, or too much memory.
        """
        weights = choose_weights(self.model_path)  # before anything slow: the answer without weights is immediate
        self._check_parameters()
        y = _labels(y)
        table = self._table(X, reset=True)
        if table.shape[0] != len(y):
            raise InputError(f"{table.shape[0]} rows, but {len(y)} classes: give one class a row.")
        self.classes_ = limits.check_classes(y)
        codes = np.searchsorted(self.classes_, y)
        self.n_estimators_ = int(self.n_estimators or weights.estimators(len(y)))
        device = _device(self.device)
        limits.check_rows(len(y), weights, on_cpu=device == "cpu", beyond=self.beyond_limits)
        self.__dict__.pop("_view", None)
        self.weights_, self.label_ = weights, weights.label
        if self.selection == "auto" and self.n_selected is None and weights.quick:
            self._fit_members(table, codes, device)
        else:
            self._fit_one(table, codes, device)
        return self

    def _fit_members(self, table: Any, codes: np.ndarray, device: str) -> None:
        """Given the table in two ways, half the estimators each."""
        fits = table.shape[1] <= self.weights_.limits.features
        ways: tuple[Selection, ...] = ("scores", "none") if fits else CROSSED
        options = {"model_path": self.weights_.path, "n_estimators": max(1, self.n_estimators_ // 2), "device": device}
        self.members_ = tuple(clone(self).set_params(selection=way, **options).fit(table, codes) for way in ways)
        self.choice_: Choice | None = None
        self.reducer_ = self.members_[0].reducer_
        self.n_features_used_ = max(member.n_features_used_ for member in self.members_)

    def _fit_one(self, table: Any, codes: np.ndarray, device: str) -> None:
        weights = self.weights_
        if self.selection in CROSSED and len(self.classes_) > weights.limits.classes:
            self._fit_groups(table, codes)
            return
        self.choice_ = self._choice(table, codes, weights, device)
        self.reducer_ = self._reducer(table.shape[1], weights)
        reduced = self.reducer_.fit_transform(table, codes)
        self.n_features_used_ = int(reduced.shape[1])
        rows = len(codes) + self.batch_rows
        needed = limits.estimated_bytes(weights, rows, self.n_features_used_, self.n_estimators_)
        limits.check_memory(needed, self.memory_limit_gb)
        self.training_, self.members_ = (reduced, codes), (self,)
        self._fit_package(reduced, codes, device)

    def _fit_groups(self, table: Any, codes: np.ndarray) -> None:
        """More classes than the weights know: scores are those of each code's groups, which is what is asked for."""
        self.model_: Any = CodedModel(partial(clone, self), self.weights_.limits.classes, self.random_state)
        self.model_.fit(table, codes)
        first = self.model_.models_[0]
        self.choice_, self.reducer_, self.n_features_used_ = first.choice_, first.reducer_, first.n_features_used_
        self.members_ = (self,)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities of rows ``X`` ``(m, p)``: ``(m, k)``, in the order of ``classes_``."""
        check_is_fitted(self, "members_")
        table = self._table(X, reset=False)
        proba = np.mean([member._answers(table) for member in self.members_], axis=0)
        return np.asarray(proba / proba.sum(1, keepdims=True))

    def _answers(self, table: Any) -> np.ndarray:
        """Of this member alone; of rows that were checked."""
        if self.selection in CROSSED and isinstance(self.model_, CodedModel):
            return self.model_.predict_proba(table)
        reduced = self.reducer_.transform(table)
        with self._package():
            parts = [
                np.asarray(self.model_.predict_proba(reduced[i : i + self.batch_rows]), np.float64)
                for i in range(0, len(reduced), self.batch_rows)
            ]
        return np.concatenate(parts)

    def predict(self, X: Any) -> np.ndarray:
        """The most probable class of every row: ``(m, p)`` -> ``(m,)``."""
        best = self.predict_proba(X).argmax(1)
        return self.classes_[best]

    def input_gradients(self, X: np.ndarray, index: int, *, log_odds: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Log-odds (or probability) of class ``index`` for rows ``(m, p)``, and its gradient: ``(m,)``, ``(m, p)``.

        Of a differentiable view of the model; see :class:`~genomap_core.pfn.classifier.DifferentiableView`.
        """
        check_is_fitted(self, "members_")
        if self.weights_.family == "tabicl":
            raise InputError(f"{self.label_} gives no gradients: explain it by Shapley values of map regions.")
        if any(isinstance(member.model_, CodedModel) for member in self.members_):
            raise InputError(
                f"{len(self.classes_)} classes are more than {self.label_} knows at once, and codes have no gradients: "
                "explain it by Shapley values of map regions."
            )

        if not hasattr(self, "_view"):
            self._view = [DifferentiableView(member) for member in self.members_]
        return view_answers(self._view, np.asarray(X, np.float32), index, log_odds)

    def _check_parameters(self) -> None:
        for name in ("n_estimators", "batch_rows"):
            value = getattr(self, name)
            if name == "n_estimators" and value is None:
                continue
            if not isinstance(value, (int, np.integer)) or value < 1:
                raise ValueError(f"`{name}` must be a whole number of at least 1, got {value!r}.")
        if self.selection != "auto" and self.selection not in STRATEGIES:
            raise ValueError(f"`selection` must be 'auto' or one of {', '.join(STRATEGIES)}, got {self.selection!r}.")

    def _table(self, X: Any, *, reset: bool) -> np.ndarray | sp.csr_matrix:
        try:
            table = validate_data(
                self,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=np.float32,
                ensure_all_finite=False,
                ensure_min_samples=2 if reset else 1,
            )
        except ValueError as error:
            raise InputError(str(error)) from error
        limits.check_values(table)
        return table

    def _n_kept(self, p: int, weights: Weights) -> int:
        """Columns the model is given of ``p``."""
        if self.n_selected is not None:
            return self.n_selected
        return weights.limits.selected if p > weights.limits.features else p

    def _choice(self, table: Any, codes: np.ndarray, weights: Weights, device: str) -> Choice | None:
        if self.selection not in CROSSED and self._n_kept(table.shape[1], weights) >= table.shape[1]:
            return None
        if self.selection != "auto":
            return Choice(self.selection, {})

        def quick(way: Selection) -> PFNClassifier:
            fewer = min(2, self.n_estimators_)
            return clone(self).set_params(selection=way, n_estimators=fewer, device=device, keep_cache=False)

        ways = candidates(weights, device == "cpu", len(self.classes_))
        return choose(quick, table, codes, ways, self.random_state)

    def _reducer(self, p: int, weights: Weights) -> FeatureReducer:
        way: Selection = "none" if self.choice_ is None else self.choice_.selection
        kept = weights.limits.selected if way in CROSSED and self.n_selected is None else self._n_kept(p, weights)
        return FeatureReducer(way, p if way == "none" else kept, self.random_state)

    def _fit_package(self, X: np.ndarray, codes: np.ndarray, device: str) -> None:
        options: dict[str, Any] = {"n_estimators": self.n_estimators_, "device": device}
        options |= {"random_state": self.random_state, "keep_cache": bool(self.keep_cache)}
        door: Any = package
        if self.weights_.family == "tabicl":
            door = tabicl
        else:
            options["softmax_temperature"] = self.weights_.temperature(len(self.classes_))
        if len(self.classes_) > self.weights_.limits.classes:
            make = partial(door.make, self.weights_, **options)
            self.model_ = CodedModel(make, self.weights_.limits.classes, self.random_state)
        else:
            self.model_ = door.make(self.weights_, **options)
        with self._package():
            self.model_.fit(X, codes)

    @contextmanager
    def _package(self) -> Iterator[None]:
        translated = (tabicl if self.weights_.family == "tabicl" else package).translated
        with translated(self.weights_.path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        return tags


def _labels(y: Any) -> np.ndarray:
    try:
        y = column_or_1d(y, warn=True)
        limits.check_labels_present(y)
        check_classification_targets(y)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
    return y


def _device(name: str) -> str:
    if name == "cpu":
        return name
    package.tabpfn_classifier()  # the quiet import, which brings torch
    import torch

    at_hand = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return "cuda" if at_hand["cuda"] else "cpu"
    if not at_hand.get(name.split(":")[0], False):
        raise InputError(f"The device {name!r} is not at hand: use 'auto' or 'cpu'.")
    return name


_MOST_ESTIMATORS = 4
"""Of the view: a gradient costs several times a prediction, and the estimators differ in little but their order."""


class DifferentiableView:
    """The fitted model as a differentiable function of raw rows.

    The package's own preprocessing can't be differentiated, so every estimator sees the columns as they are: this is
    another view of the same weights and training rows, and its probabilities are close to the model's, not the same.
    Missing values are replaced by the medians of the training rows.
    """

    def __init__(self, model: PFNClassifier) -> None:
        import torch

        self.model = model
        table, codes = model.training_
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column without any value has no median
            self.median = np.nan_to_num(np.nanmedian(table, axis=0)).astype(np.float32)
        self.centre, self.scale = self._filled(table).mean(0), self._filled(table).std(0) + 1e-6
        self.estimator: Any = package.make(
            model.weights_,
            n_estimators=min(_MOST_ESTIMATORS, model.n_estimators_),
            device="cpu",
            random_state=model.random_state,
            keep_cache=False,
            softmax_temperature=model.weights_.temperature(len(model.classes_)),
            differentiable_input=True,
        )
        with package.translated(model.weights_.path):
            self.estimator.fit_with_differentiable_input(
                torch.from_numpy(self._scaled(table)), torch.from_numpy(codes.astype(np.int64))
            )

    def probability(self, X: np.ndarray, index: int) -> tuple[Any, Any]:
        """Of class ``index`` for raw rows ``(m, p)``: what the estimators see ``(m, q)`` and what they say ``(m,)``."""
        import torch

        x = torch.from_numpy(self._scaled(self.model.reducer_.transform(X))).requires_grad_(True)
        with package.translated(self.model.weights_.path), torch.enable_grad():
            return x, self.estimator.forward(x, use_inference_mode=True)[:, index]

    def pull_back(self, X: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """A slope by what the estimators see, ``(m, q)``, as one by the raw columns: ``(m, p)``."""
        reducer = self.model.reducer_
        gradient = np.zeros((len(X), self.model.n_features_in_))
        gradient[:, reducer.kept_] = reducer.pull_back(X, slope / self.scale)
        return gradient

    def _filled(self, table: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(table), self.median, table).astype(np.float32)

    def _scaled(self, table: np.ndarray) -> np.ndarray:
        return np.asarray((self._filled(table) - self.centre) / self.scale, np.float32)


def view_answers(
    views: list[DifferentiableView], X: np.ndarray, index: int, log_odds: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Output of raw rows ``(m, p)`` for a class by the mean of the views, and its gradient: ``(m,)`` and ``(m, p)``."""
    import torch

    seen, said = zip(*(view.probability(X, index) for view in views))
    with torch.enable_grad():
        proba = torch.stack(said).mean(dim=0).clamp(1e-6, 1 - 1e-6)
        output = torch.log(proba) - torch.log1p(-proba) if log_odds else proba
        slopes = torch.autograd.grad(output.sum(), seen)
    gradient = sum(view.pull_back(X, slope.double().numpy()) for view, slope in zip(views, slopes))
    return output.detach().double().numpy(), np.asarray(gradient)
