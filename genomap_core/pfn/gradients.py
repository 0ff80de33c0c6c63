"""Gradients of the answer with respect to the table's values, through the package's ``differentiable_input``."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from genomap_core.pfn.package import make, translated

if TYPE_CHECKING:
    from genomap_core.pfn.classifier import PFNClassifier


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
        self.package: Any = make(
            model.weights_,
            n_estimators=min(_MOST_ESTIMATORS, model.n_estimators_),
            device="cpu",
            random_state=model.random_state,
            keep_cache=False,
            differentiable_input=True,
        )
        with translated(model.weights_.path):
            self.package.fit_with_differentiable_input(
                torch.from_numpy(self._scaled(table)), torch.from_numpy(codes.astype(np.int64))
            )

    def answers(self, X: np.ndarray, index: int, log_odds: bool) -> tuple[np.ndarray, np.ndarray]:
        """Output of raw rows ``(m, p)`` for a class, and its gradient: ``(m,)`` and ``(m, p)``."""
        import torch

        x = torch.from_numpy(self._scaled(self.model.reducer_.transform(X))).requires_grad_(True)
        with translated(self.model.weights_.path), torch.enable_grad():
            proba = self.package.forward(x, use_inference_mode=True).clamp(1e-6, 1 - 1e-6)[:, index]
            output = torch.log(proba) - torch.log1p(-proba) if log_odds else proba
            (slope,) = torch.autograd.grad(output.sum(), x)
        reducer = self.model.reducer_
        gradient = np.zeros((len(X), self.model.n_features_in_))
        gradient[:, reducer.kept_] = (slope.double().numpy() / self.scale) @ reducer.slope().T
        return output.detach().double().numpy(), gradient

    def _filled(self, table: np.ndarray) -> np.ndarray:
        return np.where(np.isnan(table), self.median, table).astype(np.float32)

    def _scaled(self, table: np.ndarray) -> np.ndarray:
        return np.asarray((self._filled(table) - self.centre) / self.scale, np.float32)
