"""What the user gave as targets and as classes, where scikit-learn's checks say too little."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from ..._warnings import warn
from ...components.base import shown
from ...components.registry import TOO_LONG
from .raw_columns import first_odd, too_large

_COMPLEX = (
    "Complex data not supported: y holds complex numbers. Give their real or imaginary parts, or "
    "both as two columns."
)
# Rows from which labels can be too many to be labels, as scikit-learn counts them.
FEW_ROWS = 20
# How many times as far the targets that judge spread, or as little, before they look like others.
OTHER_UNITS = 20.0


def without_gaps(y: Any, *, numeric: bool) -> Any:
    """Targets as they are, but of numbers where they are objects and have to be.

    Raises
    ------
    ValueError
        If one is missing (None, NaN, NaT, pandas.NA, masked), or is text in place of a number.
    """
    if y is None or sp.issparse(y):
        return y
    try:
        values = np.asarray(y)
    except (ValueError, TypeError) as error:  # rows of unequal length
        way_out = (
            ""
            if numeric
            else (
                " For several labels a row give a 0/1 indicator matrix, as "
                "sklearn.preprocessing.MultiLabelBinarizer makes it."
            )
        )
        raise ValueError(
            f"y must hold one target a row of X, or as many in each. Got {shown(y)} instead: "
            f"{str(error).rstrip('.')}.{way_out}"
        ) from error
    if values.ndim == 0:
        raise TypeError(f"y must be array-like, one target a row of X. Got {shown(y)} instead.")
    if values.dtype.kind == "c":
        raise ValueError(_COMPLEX)
    missing = np.ma.getmaskarray(y) if np.ma.is_masked(y) else _missing(values)
    if missing.any():
        row = int(np.argwhere(missing)[0][0])
        value = "masked" if np.ma.is_masked(y) else repr(values[missing][0])
        raise ValueError(
            f"Input y contains NaN: that of row {row} is {value}. Leave out the rows without a "
            f"target{'' if numeric else ', or give them a label of their own'}."
        )
    if not numeric or values.dtype.kind != "O":
        return y
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        row, cell = first_odd(values)
        if isinstance(error, OverflowError):
            raise ValueError(too_large(f"y has {shown(cell)} in row {row}")) from error
        if any(isinstance(v, complex) for v in values.flat):
            raise ValueError(_COMPLEX) from error
        raise ValueError(
            f"y must hold numbers for a regressor. Got {values.dtype} instead: {error}. For labels "
            "use MLPClassifier."
        ) from error


def tell_of_other_units(y: np.ndarray, y_val: np.ndarray) -> None:
    """Warn where the targets that judge can't be of the kind of those that train.

    They lie beyond these by more than their range, on the other side of 0, or spread twenty times
    as much or as little.
    """
    for j, (own, judging) in enumerate(zip(_columns(y), _columns(y_val), strict=True)):
        low, high = float(own.min()), float(own.max())
        apart = not low - (high - low) <= float(np.median(judging)) <= high + (high - low)
        spreads = [float(np.subtract(*np.quantile(part, [0.75, 0.25]))) for part in (own, judging)]
        other_side = high < 0 < judging.min() or judging.max() < 0 < low
        wider = min(spreads) > 0 and max(spreads) > OTHER_UNITS * min(spreads)
        enough = min(len(own), len(judging)) >= FEW_ROWS
        if (high > low and apart) or (enough and (wider or other_side)):
            where = "" if y.ndim == 1 else f"column {j} of "
            warn(
                f"{where}y_val goes from {judging.min():.3g} to {judging.max():.3g}, but y from "
                f"{low:.3g} to {high:.3g}: they do not look like the same quantity. A "
                "TransformedTargetRegressor transforms y and not y_val, so give it y_val as the "
                "network gets y."
            )
            return


def _columns(y: np.ndarray) -> np.ndarray:
    """Targets (n, k) as (k, n)."""
    return np.asarray(y, dtype=np.float64).reshape(len(y), -1).T


def _missing(values: np.ndarray) -> np.ndarray:
    """Where there is None, NaN, NaT or pandas.NA among objects or times."""
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O" or values.ndim == 0:
        return np.zeros(values.shape, dtype=bool)
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        return np.asarray(pandas.isna(values))
    # a gap of any type differs from itself
    flat = [value is None or bool(value != value) for value in values.flat]  # noqa: PLR0124
    return np.array(flat).reshape(values.shape)


def as_column(y: np.ndarray) -> np.ndarray:
    """A matrix of one column as a vector, with scikit-learn's warning."""
    if y.ndim != 2 or y.shape[1] != 1:
        return y
    warn(
        "A column-vector y was passed when a 1d array was expected. Please change the shape of y "
        "to (n_samples,), for example using ravel().",
        DataConversionWarning,
    )
    return column_or_1d(y)


def kind_of_labels(y: np.ndarray) -> str:
    """What scikit-learn calls the kind of a target; refuses what holds no labels.

    Its warning of labels that may be numbers is given at the user's line.
    """
    kind = type_of_target(y, input_name="y")
    if kind == "unknown":
        _refuse_unlike_labels(y)
    if kind not in {"binary", "multiclass", "multilabel-indicator"}:
        check_classification_targets(y)
        raise ValueError(
            f"y has several columns of more than two labels each ({kind}), which one softmax "
            "can't predict. Use sklearn.multioutput.MultiOutputClassifier(MLPClassifier()), or a "
            "0/1 indicator matrix."
        )
    if kind == "multiclass" and len(y) > FEW_ROWS and len(np.unique(y)) > round(0.5 * len(y)):
        warn(
            "The number of unique classes is greater than 50% of the number of samples. `y` could "
            "represent a regression problem, not a classification problem."
        )
    return kind


def _refuse_unlike_labels(y: np.ndarray) -> None:
    """Refuse objects that are no labels, or labels of several types."""
    large = {True: " of more than 64 bits", False: ""}
    of_type = {
        type(v).__name__ + large[isinstance(v, int) and abs(v) >= TOO_LONG]: v for v in y.flat
    }
    found = ", ".join(f"{name} (such as {shown(v, 60)})" for name, v in of_type.items())
    raise ValueError(
        "Unknown label type: y must hold labels of one type, text, integers of at most 64 bits or "
        f"booleans. Got {found} instead. Convert them, e.g. by "
        "numpy.array([str(label) for label in y])."
    )


def read_classes(classes: Any) -> np.ndarray:
    """The labels that `partial_fit` was told of, sorted.

    Raises
    ------
    ValueError
        If they are no list of labels.
    """
    given = list(classes) if isinstance(classes, set | frozenset) else classes
    try:
        values = np.asarray(given)
    except (ValueError, TypeError):
        values = np.asarray(None)
    problem = ""
    if values.ndim != 1 or not len(values):
        problem = f"an array of shape {values.shape}" if values.ndim > 1 else ""
        problem = "an empty one" if values.ndim == 1 else problem
    elif values.dtype.kind == "c" or np.ma.is_masked(given) or _missing(values).any():
        problem = "one with missing or complex labels"
    elif values.dtype.kind == "f" and not np.isfinite(values).all():
        problem = "one with labels that are not finite"
    else:
        try:
            return np.unique(values)
        except TypeError:  # labels that have no order
            problem = "one of labels of several types"
    raise ValueError(
        "The 'classes' parameter of partial_fit must be a one-dimensional array-like of all "
        f"labels of y. Got {classes!r} instead{problem and ', '}{problem}. Give e.g. "
        "classes=numpy.unique(y) of all rows that will come."
    )
