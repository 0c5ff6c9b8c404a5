"""What the user gave, checked and as NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from .._compat import check_sample_weight
from ..data.features import Table

NUMBERS = (np.float64, np.float32)
SMALL = 10_000


def as_array(value: Any) -> Any:
    """Torch tensors as NumPy arrays; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.dtype == torch.bfloat16:  # unknown to NumPy
        value = value.float()
    return value.detach().cpu().numpy()


def read_table(estimator: BaseEstimator, X: Any) -> Table:
    """X to predict from: finite float32 or float64 numbers, or a CSR matrix of them."""
    if _is_plain(estimator, X):
        return X
    return validate_data(estimator, as_array(X), accept_sparse="csr", dtype=NUMBERS, reset=False)


def _is_plain(estimator: BaseEstimator, X: Any) -> bool:
    """True for a small array in which scikit-learn's checks, slower than the network, find nothing.

    Whatever is not certain goes through them.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or not 0 < X.size <= SMALL:
        return False
    if X.dtype not in NUMBERS or X.shape[1] != estimator.n_features_in_:
        return False
    if "feature_names_in_" in vars(estimator):
        return False  # there is a warning to give
    return bool(np.isfinite(X).all())


@dataclass(frozen=True)
class Given:
    """A table with its targets and weights.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, p), float32 or float64
    y : ndarray of shape (n,) or (n, k)
    weight : ndarray of shape (n,) or None
        Not negative, and not all zero.
    difficulty : ndarray of shape (n,) or None
        How hard each row is, in any unit.
    only : ndarray of int or None
        The rows that were given, where the table has more; None for all.
    """

    X: Table
    y: np.ndarray
    weight: np.ndarray | None
    difficulty: np.ndarray | None = None
    only: np.ndarray | None = None

    @property
    def rows(self) -> np.ndarray:
        """Positions of the rows that count: a weight of zero is an absent row."""
        if self.only is not None:
            return self.only if self.weight is None else self.only[self.weight[self.only] > 0]
        if self.weight is None:
            return np.arange(self.X.shape[0])
        return np.flatnonzero(self.weight)


def read_given(
    estimator: BaseEstimator, X: Any, y: Any, sample_weight: Any, *, y_numeric: bool, reset: bool
) -> Given:
    """Check a table, its targets and its weights by scikit-learn's rules."""
    X, y = validate_data(
        estimator,
        as_array(X),
        as_array(y),
        accept_sparse="csr",
        multi_output=True,
        y_numeric=y_numeric,
        dtype=NUMBERS,
        reset=reset,
    )
    weight = None
    if sample_weight is not None:
        weight = check_sample_weight(
            as_array(sample_weight), X, dtype=np.float64, ensure_non_negative=True
        )
    return Given(X, y, weight)


def read_validation(
    estimator: BaseEstimator, X_val: Any, y_val: Any, sample_weight_val: Any, *, y_numeric: bool
) -> Given | None:
    """The caller's validation set, or None where there is none.

    Raises
    ------
    ValueError
        If only some of it was given, or its columns differ from those of X.
    """
    if X_val is None:
        for name, value in (("y_val", y_val), ("sample_weight_val", sample_weight_val)):
            if value is not None:
                raise ValueError(f"{name} was given without X_val. Give both, or neither.")
        return None
    if y_val is None:
        raise ValueError("X_val was given without y_val. Give both, or neither.")
    X_val, y_val = as_array(X_val), as_array(y_val)
    check_consistent_length(X_val, y_val)
    return read_given(estimator, X_val, y_val, sample_weight_val, y_numeric=y_numeric, reset=False)


def read_difficulty(difficulty: Any, X: Table) -> np.ndarray | None:
    """How hard each row is: finite numbers, one a row.

    Raises
    ------
    ValueError
        If they are not.
    """
    if difficulty is None:
        return None
    try:
        values = np.asarray(as_array(difficulty), dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"difficulty must hold numbers, one a row of X: {error}") from error
    if len(values) != X.shape[0] or not np.isfinite(values).all():
        raise ValueError(
            f"difficulty must hold {X.shape[0]} finite numbers, one a row of X; got "
            f"{len(values)}{'' if np.isfinite(values).all() else ', some of them not finite'}."
        )
    return values
