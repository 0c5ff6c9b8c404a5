"""What the user gave, checked and as NumPy arrays."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_array, check_consistent_length, check_X_y
from sklearn.utils.validation import validate_data

from ..._compat import check_sample_weight, num_samples
from ..._warnings import warn
from ...components.base import shown
from ..data.columns import Columns
from ..data.scaling import Table, has_gaps, is_sparse
from .labels import without_gaps
from .raw_columns import as_array, as_table, needs_reading, refuse_lazy
from .tables import ADVICE, Reading, learn_reading, read_as_before, reading_of

NUMBERS = (np.float64, np.float32)
SMALL = 10_000
# An attribute of copies whose tables were told of before.
TOLD = "_told_of_gaps"


def read_table(estimator: BaseEstimator, X: Any) -> tuple[Table, bool]:
    """X to predict from as a matrix, or a CSR matrix, and whether it has gaps.

    It is of float32 or float64, with codes for categories and NaN for gaps.
    """
    if _is_plain(estimator, X):
        return X, False
    X, reading = as_table(X), reading_of(estimator)
    may_have_gaps = estimator.input_columns_["fill"] is not None
    unread: tuple[int, ...] = ()
    with _way_out(), _large():
        if _is_read_by_us(X, reading):
            _check_axes(estimator, X)
            validate_data(estimator, X, reset=False, skip_check_array=True)
            table, _, unread = read_as_before(X, reading)
            table = check_array(table, estimator=estimator, input_name="X", **_checks(X))
        else:
            table = validate_data(estimator, X, reset=False, **_checks(X))
    gappy = _is_gappy(estimator, table, may_have_gaps=may_have_gaps)
    if gappy and TOLD not in vars(estimator):
        columns = Columns.from_dict(estimator.input_columns_, estimator.is_categorical_, None)
        tell_of_new_gaps(columns, table, vars(estimator).get("feature_names_in_"), unread)
    return table, gappy


def _is_read_by_us(X: Any, reading: Reading | None) -> bool:
    """Whether scikit-learn's checks would not make the right numbers, or error, of a table."""
    if is_sparse(X):
        if reading is not None and reading.categorical.any():
            raise TypeError(
                "X is sparse, but the estimator was fitted with categories, which need a dense "
                "table. Give X.toarray()."
            )
        return False
    has_categories = reading is not None and bool(reading.categorical.any())
    return has_categories or needs_reading(X)


def tell_of_new_gaps(
    columns: Columns, X: Table, names: np.ndarray | None, told: Sequence[int] = ()
) -> None:
    """Warn of gaps among numbers where the rows that trained had none, but for those told of.

    A category's gap is an unknown level then, of which there may be others.
    """
    found = np.setdiff1d(columns.new_gaps(X), np.asarray(told, dtype=np.int64))
    if len(found):
        known = found if names is None else names[found]
        shown = ", ".join(map(repr, known[:8].tolist())) + (", ..." if len(found) > 8 else "")
        warn(
            f"Columns [{shown}] have gaps (NaN) but had none in the rows that trained: their "
            "medians stand for them."
        )


def _checks(X: Any) -> dict[str, Any]:
    """What is asked of a table: scikit-learn's arguments."""
    # dense numbers are looked through once, by _is_gappy
    return {"accept_sparse": "csr", "dtype": NUMBERS, "ensure_all_finite": is_sparse(X)}


def _is_gappy(estimator: BaseEstimator, table: Table, *, may_have_gaps: bool = True) -> bool:
    """Whether a table has gaps; infinities are refused, and gaps where there may be none."""
    numbers: Any = table  # it may have been a data frame
    sparse = is_sparse(table)
    if sparse:
        numbers = numbers.data
    with np.errstate(all="ignore"):
        if np.isfinite(numbers.sum()):  # one pass, mostly the only one
            return False
        assert_all_finite(
            numbers,
            allow_nan=may_have_gaps and not sparse,
            estimator_name=type(estimator).__name__,
            input_name="X",
        )
    return has_gaps(table)


def _check_axes(estimator: BaseEstimator, X: Any) -> None:
    """Refuse, in scikit-learn's words, what has not two axes."""
    if np.ndim(X) != 2:
        check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X")


@contextmanager
def _way_out() -> Iterator[None]:
    """Say what to do about text and complex numbers where numbers are needed."""
    try:
        yield
    except (ValueError, TypeError) as error:
        said = str(error)
        if said.startswith("Complex data not supported\n"):  # and then all of them
            raise ValueError(
                "Complex data not supported: X holds complex numbers. Give their real and "
                "imaginary parts as columns."
            ) from None
        if "could not convert string to float" in said and ADVICE not in said:
            raise ValueError(f"{said}. {ADVICE}") from error
        if said.startswith(("float() argument must be", "setting an array element")):
            error.add_note("It is about X, a table with a row a sample and as many cells in each.")
        raise


def _large() -> np.errstate:
    """Sums of large numbers, by which scikit-learn looks for infinities, say nothing by it."""
    return np.errstate(over="ignore", invalid="ignore")


def _is_plain(estimator: BaseEstimator, X: Any) -> bool:
    """True for a small array in which scikit-learn's checks, slower than the network, find nothing.

    Whatever is not certain goes through them.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or not 0 < X.size <= SMALL:
        return False
    if X.dtype not in NUMBERS or X.shape[1] != estimator.n_features_in_:
        return False
    if "feature_names_in_" in vars(estimator) or estimator.is_categorical_ is not None:
        return False  # there is a warning to give, or levels to look up
    return all_finite(X)


def all_finite(numbers: np.ndarray) -> bool:
    """Whether no number is infinite or NaN."""
    # of few numbers the sum of squares is found in a third of the time, and is mostly finite
    if numbers.size <= SMALL and math.isfinite(np.vdot(numbers, numbers)):
        return True
    return bool(np.isfinite(numbers).all())


@dataclass(frozen=True)
class Given:
    """A table with its targets and weights.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, p), float32 or float64
        Categories are the codes of their levels, and gaps NaN.
    y : ndarray of shape (n,) or (n, k)
    weight : ndarray of shape (n,) or None
        Not negative, and not all zero.
    difficulty : ndarray of shape (n,) or None
        How hard each row is, in any unit.
    only : ndarray of int or None
        The rows that were given, where the table has more; None for all.
    reading : Reading or None
        How the raw table was read; None where all columns are numbers.
    gappy : bool
        Whether the table has gaps.
    names : ndarray of str or None
        Of the columns.
    unread : tuple of int
        Columns of numbers with gaps for cells of text that do not read, which was told.
    versions : dict
        The table again for each choice of columns of text that are numbers, by their positions;
        shared by all that are made of this.
    """

    X: Table
    y: np.ndarray
    weight: np.ndarray | None
    difficulty: np.ndarray | None = None
    only: np.ndarray | None = None
    reading: Reading | None = None
    gappy: bool = False
    names: np.ndarray | None = None
    unread: tuple[int, ...] = ()
    versions: dict[tuple[int, ...], Table] = field(default_factory=dict)

    def raw(self, rows: np.ndarray) -> Table:
        """Rows with levels in place of their codes, as the user gave them."""
        X = self.X[rows]
        return X if self.reading is None else self.reading.decoded(X)

    @property
    def rows(self) -> np.ndarray:
        """Positions of the rows that count: a weight of zero is an absent row."""
        if self.only is not None:
            return self.only if self.weight is None else self.only[self.weight[self.only] > 0]
        if self.weight is None:
            return np.arange(self.X.shape[0])
        return np.flatnonzero(self.weight)


def read_given(
    estimator: BaseEstimator,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    y_numeric: bool,
    reset: bool,
    reading: Reading | None = None,
) -> Given:
    """Check a table, its targets and its weights by scikit-learn's rules.

    Parameters
    ----------
    reset : bool
        Whether this is the first table of a fit, which decides how tables are read.
    reading : Reading or None
        How to read another table.
    """
    X, y = as_table(X), _targets(y, y_numeric=y_numeric)
    unread: tuple[int, ...] = ()
    with _way_out(), _large():
        table = X
        if reset:
            table, reading = learn_reading(X, estimator.categorical_features)
        elif _is_read_by_us(X, reading):
            _check_axes(estimator, X)
            validate_data(estimator, X, y, reset=False, skip_check_array=True)
            table, reading, unread = read_as_before(X, reading)
        asked = {"multi_output": True, "y_numeric": y_numeric, **_checks(X)}
        if table is X:
            table, y = validate_data(estimator, X, y, reset=reset, **asked)
        else:
            validate_data(estimator, X, y, reset=reset, skip_check_array=True)
            table, y = check_X_y(table, y, estimator=estimator, **asked)
    gappy = _is_gappy(estimator, table)
    weight = None if sample_weight is None else _read_weights(sample_weight, table)
    names = vars(estimator).get("feature_names_in_")
    return Given(table, y, weight, reading=reading, gappy=gappy, names=names, unread=unread)


def _read_weights(sample_weight: Any, table: Table) -> np.ndarray:
    """Weights of rows, checked by scikit-learn's rules."""
    given = _unmasked(sample_weight, "sample_weight")
    try:
        if np.asarray(given).dtype.kind == "c":
            raise TypeError("complex numbers are no weights")
        return check_sample_weight(given, table, dtype=np.float64, ensure_non_negative=True)
    except (ValueError, TypeError, OverflowError) as error:
        if re.search(r"sample.weight", str(error), re.IGNORECASE):
            raise
        raise ValueError(
            "sample_weight must be None, a number, or finite numbers of at least 0, one a row of "
            f"X. Got {' '.join(shown(sample_weight).split())} instead: {str(error).rstrip('.')}."
        ) from error


def _targets(y: Any, *, y_numeric: bool) -> Any:
    """Targets, of which none are masked, nor dates where numbers are needed."""
    y = without_gaps(_unmasked(y, "y"), numeric=y_numeric)
    if y_numeric and not isinstance(y, list | tuple) and np.asarray(y).dtype.kind in "mM":
        raise ValueError(
            "y holds dates or times, but a regressor learns numbers. Make numbers of them, such "
            "as the days since a start."
        )
    return y


def _unmasked(values: Any, name: str) -> Any:
    """What stands beside the rows of X; where a mask leaves some of it out, it is refused."""
    if not np.ma.isMaskedArray(values):
        refuse_lazy(values, name)
        return as_array(values)
    masked = np.any(np.ma.getmaskarray(values).reshape(len(values), -1), axis=1)
    if masked.any():
        raise ValueError(
            f"{name} has masked values in {masked.sum()} of its {len(masked)} rows (the first is "
            f"row {int(masked.argmax())}). Leave those rows out of all that is given."
        )
    return values.data


def read_validation(
    read: Callable[..., Given],
    X_val: Any,
    y_val: Any,
    sample_weight_val: Any,
    *,
    reading: Reading | None,
) -> Given | None:
    """The caller's validation set, or None where there is none.

    Parameters
    ----------
    read : callable
        :func:`read_given` for the estimator.

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
    X_val, y_val = as_table(X_val), as_array(y_val)
    for name, value in (("X_val", X_val), ("y_val", y_val)):
        try:
            num_samples(value)
        except TypeError as error:
            raise TypeError(
                f"{name} must be array-like, as {name[0]} is. Got {shown(value)} instead."
            ) from error
    check_consistent_length(X_val, y_val)
    return read(X_val, y_val, sample_weight_val, reset=False, reading=reading)


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
        given = _unmasked(difficulty, "difficulty")
        values = np.asarray(given, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ValueError(f"difficulty must hold numbers, one a row of X: {error}") from error
    if len(values) != X.shape[0] or not np.isfinite(values).all():
        raise ValueError(
            f"difficulty must hold {X.shape[0]} finite numbers, one a row of X; got "
            f"{len(values)}{'' if np.isfinite(values).all() else ', some of them not finite'}."
        )
    return values
