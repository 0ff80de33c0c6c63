"""Raw table -> standardised features behind scikit-learn's face; the work is in `genomap_core.data.standardise`."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from genomap_core.data.fill import LowRankFill, rows_to_learn_from
from genomap_core.data.standardise import Standardisation, column_medians, fit_standardisation, refuse_infinite
from genomap_core.errors import InputError

FILLS = ("median", "lowrank")
__all__ = ["Preprocessor", "column_medians", "refuse_infinite"]


class Preprocessor(TransformerMixin, BaseEstimator):
    """Imputation, choice of features and standardisation of a raw table.

    Parameters
    ----------
    max_features
        At most so many features are kept (no limit for ``selection="none"``).
    selection
        ``"variance"``: of the imputed raw values, highest first; ``"anova"``: F statistic of the classes, which needs
        ``y``; ``"none"``: every feature. Ties go to the earlier column.
    scale
        Mean 0 and standard deviation 1 for each kept feature (population formula); otherwise only imputed.
    fill
        What stands where a value is missing: ``"median"`` of the feature, or ``"lowrank"``, the most likely value given
        the row's measured ones (:class:`~genomap_core.data.fill.LowRankFill`; needs ``scale=True``). Features are
        chosen and standardised by medians either way.

    Attributes
    ----------
    median_ : (p,) float64
        Of the present values; 0 for a column without any.
    kept_ : (q,) int64
        Kept columns, ascending.
    mean_, scale_ : (q,) float64
        In the units of the table; ``scale_`` of a constant feature is 1.
    fill_ : LowRankFill or None
        Of the standardised features.
    """

    def __init__(
        self, max_features: int = 4096, selection: str = "variance", scale: bool = True, fill: str = "median"
    ) -> None:
        self.max_features = max_features
        self.selection = selection
        self.scale = scale
        self.fill = fill

    def fit(self, X: Any, y: Any = None) -> Preprocessor:
        """Learn from a raw table ``(n, p)``, NaN where a value is missing, dense or CSR.

        Raises
        ------
        InputError
            A parameter is out of range, a value is infinite, or ``"anova"`` has no classes.
        """
        if self.fill not in FILLS:
            raise InputError(f"`fill` must be one of {', '.join(FILLS)}, got {self.fill!r}.")
        if self.fill == "lowrank" and not self.scale:
            raise InputError('`fill="lowrank"` compares features and needs `scale=True`.')
        X = self._validated(X, reset=True)
        found = fit_standardisation(X, y, max_features=self.max_features, selection=self.selection, scale=self.scale)
        self.median_, self.kept_, self.mean_, self.scale_ = found.median, found.kept, found.mean, found.scale
        self.fill_ = self._learned_fill(X) if self.fill == "lowrank" else None
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Raw table ``(n, p)`` -> ``(n, q)`` float32 without NaN, in standard deviations of the training rows."""
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        if self.fill_ is None:
            return self.standardised(X)
        return self.fill_.apply(self.standardised(X, holed=True))

    def _learned_fill(self, X: Any) -> LowRankFill:
        return LowRankFill.fit(self.standardised(X[rows_to_learn_from(X.shape[0])], holed=True))

    def standardised(self, X: Any, holed: bool = False) -> np.ndarray:
        """Validated rows ``(n, p)`` -> ``(n, q)`` float32 by medians; ``holed``: NaN stays where a value is missing."""
        median = np.full_like(self.median_, np.nan) if holed else self.median_
        return Standardisation(median, self.kept_, self.mean_, self.scale_).apply(X)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the kept features, ``(q,)`` of dtype object."""
        check_is_fitted(self)
        names = input_features if input_features is not None else getattr(self, "feature_names_in_", None)
        if names is None:
            names = [f"x{j}" for j in range(self.n_features_in_)]
        if len(names) != self.n_features_in_:
            raise InputError(f"`input_features` must have length {self.n_features_in_}, got {len(names)}.")
        return np.asarray(names, dtype=object)[self.kept_]

    def _validated(self, X: Any, reset: bool) -> Any:
        X = validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=(np.float32, np.float64), ensure_all_finite=False
        )
        refuse_infinite(X, getattr(self, "feature_names_in_", None))
        return X

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.target_tags.required = self.selection == "anova"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
