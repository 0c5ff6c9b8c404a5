"""Raw tables as matrices: numbers as they are, categories as codes, gaps as NaN."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, time, timedelta
from numbers import Real
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import scipy.sparse as sp

from .._compat import check_categorical_features

# Numbers that a column of objects may hold; dates and times, which it may not.
_NUMBERS = (Real, np.bool_)
_DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
_LEVELS = (nw.Categorical, nw.Enum, nw.String)
# Beyond it floats skip whole numbers.
EXACT = 2**53
ADVICE = (
    "Name the column in categorical_features, leave categorical_features='from_dtype' where X is "
    "a data frame, or encode it before."
)


@dataclass(frozen=True, eq=False)
class Reading:
    """How the columns of a raw table are read.

    Attributes
    ----------
    categorical : ndarray of bool, shape (p,)
    categories : list of ndarray
        For each categorical column its levels; their positions are the codes.
    """

    categorical: np.ndarray
    categories: list[np.ndarray]

    @property
    def n_levels(self) -> list[int]:
        return [len(levels) for levels in self.categories]

    def decoded(self, X: np.ndarray) -> np.ndarray:
        """Rows with the levels in place of their codes; objects where not all are numbers."""
        fitting = all(_fits(levels, X.dtype) for levels in self.categories)
        table = X.astype(X.dtype if fitting else object)
        for j, levels in zip(np.flatnonzero(self.categorical), self.categories, strict=True):
            known = ~np.isnan(X[:, j])
            table[known, j] = levels[X[known, j].astype(np.int64)]
        return table


def _fits(levels: np.ndarray, dtype: np.dtype) -> bool:
    """Whether levels are numbers that another type holds exactly."""
    if levels.dtype.kind not in "biuf":
        return False
    return np.array_equal(levels.astype(dtype).astype(levels.dtype), levels)


class Column(NamedTuple):
    """A raw column.

    Attributes
    ----------
    name : str
        As messages show it.
    values : ndarray of shape (n,)
    by_type : bool
        Whether its type says that it is a category.
    """

    name: str
    values: np.ndarray
    by_type: bool = False


def reading_of(estimator: Any) -> Reading | None:
    """How a fitted estimator reads; None where all columns are numbers."""
    categorical = estimator.is_categorical_
    return None if categorical is None else Reading(categorical, estimator.categories_)


def names_of_categories(estimator: Any) -> list[Any]:
    """Names, or else positions, of a fitted estimator's columns of categories."""
    if estimator.is_categorical_ is None:
        return []
    names = vars(estimator).get("feature_names_in_", np.arange(estimator.n_features_in_))
    return names[estimator.is_categorical_].tolist()


def learn_reading(X: Any, categorical_features: Any) -> tuple[Any, Reading | None]:
    """A matrix of a raw table, and how its columns are to be read from now on.

    Parameters
    ----------
    X : data frame, array, sparse matrix or nested list
        Comes back as it is where scikit-learn makes the right numbers, or the right error, of it.
    categorical_features : "from_dtype", None or array-like
        The estimators' parameter.
    """
    by_type = isinstance(categorical_features, str)
    mask = None
    if not by_type and categorical_features is not None:
        if sp.issparse(X):
            raise ValueError(
                f"categorical_features={categorical_features!r} needs a dense table, but X is "
                "sparse. Give X.toarray(), or categorical_features=None."
            )
        X = X if _is_frame(X) else _as_array(X)
        if np.ndim(X) != 2:
            return X, None
        mask = check_categorical_features(X, categorical_features)
    if mask is None and not needs_reading(X):
        return X, None
    columns = _columns(X)
    if mask is None:
        mask = np.array([by_type and _has_levels(column) for column in columns], dtype=bool)
    mask = np.asarray(mask, dtype=bool)
    found = [_learn(column) for column, chosen in zip(columns, mask, strict=True) if chosen]
    table = _matrix(columns, mask, [codes for _, codes in found])
    return table, Reading(mask, [levels for levels, _ in found]) if mask.any() else None


def read_as_before(X: Any, reading: Reading | None) -> np.ndarray:
    """A matrix of a raw table, read as that of `fit` was.

    Parameters
    ----------
    X : data frame, array, sparse matrix or nested list, with the columns of `fit`
    reading : Reading or None
        None for numbers alone, of a data frame.
    """
    if reading is None:
        columns = _columns(X)
        return _matrix(columns, np.zeros(len(columns), dtype=bool), [])
    if sp.issparse(X):
        raise TypeError(
            "X is sparse, but the estimator was fitted with categories, which need a dense table. "
            "Give X.toarray()."
        )
    columns = _columns(X if _is_frame(X) else _as_array(X))
    chosen = [c for c, is_one in zip(columns, reading.categorical, strict=True) if is_one]
    codes = [
        _look_up(column, levels) for column, levels in zip(chosen, reading.categories, strict=True)
    ]
    return _matrix(columns, reading.categorical, codes)


def _is_frame(X: Any) -> bool:
    return bool(nw.dependencies.is_into_dataframe(X))


def _as_array(X: Any) -> np.ndarray:
    """Arrays as they are; nested lists without making text of their numbers."""
    return X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)


def needs_reading(X: Any) -> bool:
    """Whether X is a data frame with other columns than plain numbers."""
    if not _is_frame(X):
        return False
    frame = nw.from_native(X, eager_only=True)
    return not all(_is_plain(column) for column in frame.iter_columns())


def _is_plain(column: nw.Series[Any]) -> bool:
    """Whether scikit-learn reads a column as numbers, gaps or not."""
    kind = column.dtype
    if kind.is_numeric():
        return not kind.is_decimal()
    if kind == nw.Boolean:
        return column.null_count() == 0
    native = nw.to_native(column)  # pandas' own, or a null column of pyarrow, which has no dtype
    return kind == nw.Unknown and str(getattr(native, "dtype", "")).startswith("Sparse")


def _columns(X: Any) -> list[Column]:
    """The columns of a data frame or an array."""
    if not _is_frame(X):
        return [Column(f"at index {j}", X[:, j]) for j in range(X.shape[1])]
    return [
        Column(repr(column.name), _values(column), column.dtype in _LEVELS)
        for column in nw.from_native(X, eager_only=True).iter_columns()
    ]


def _values(column: nw.Series[Any]) -> np.ndarray:
    if column.implementation.is_pyarrow() and column.dtype == nw.Categorical:
        column = column.cast(nw.String)  # its dictionaries would lose their gaps
    has_both = column.dtype.is_integer() and 0 < column.null_count() < len(column)
    if has_both and max(-column.min(), column.max()) > EXACT:  # floats would lose digits
        return np.array(column.to_list(), dtype=object)
    return column.to_numpy()


def _missing(values: np.ndarray) -> np.ndarray:
    """Where a column has None, NaN, NaT or pandas.NA."""
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        return pandas.isna(values)
    # a gap of any type differs from itself
    return np.array([v is None or v != v for v in values], dtype=bool)  # noqa: PLR0124


def _has_levels(column: Column) -> bool:
    """Whether a column of a data frame is of categories by its type, or holds text."""
    _refuse_dates(column)
    values = column.values
    return column.by_type or (
        values.dtype.kind == "O" and any(isinstance(value, str | bytes) for value in values)
    )


def _refuse_dates(column: Column) -> None:
    name, values, _ = column
    dated = values.dtype.kind in "mM"
    if values.dtype.kind == "O" and not column.by_type:
        dates = (*_DATES, *_types_of_pandas("Period"))
        # a gap among dates, NaT, differs from itself
        dated = any(isinstance(v, dates) and v == v for v in values)  # noqa: PLR0124
    if dated:
        raise TypeError(
            f"Column {name} holds dates or times, which a network can't read. Make numbers of them "
            "(year, month, day of the week, seconds since a start, ...), or drop the column."
        )


def _matrix(columns: list[Column], mask: np.ndarray, codes: list[np.ndarray]) -> np.ndarray:
    """Columns side by side: float32 where all numbers are, else float64."""
    left = iter(codes)
    parts = [
        next(left) if is_category else _numbers(column)
        for column, is_category in zip(columns, mask, strict=True)
    ]
    types = [part.dtype for part, is_one in zip(parts, mask, strict=True) if not is_one]
    small = bool(types) and np.result_type(*types) == np.float32
    table = np.empty((len(parts[0]) if parts else 0, len(parts)), np.float32 if small else float)
    for j, part in enumerate(parts):
        table[:, j] = part
    return table


def _numbers(column: Column) -> np.ndarray:
    """A column of numbers, gaps as NaN."""
    name, values, _ = column
    if values.dtype.kind in "biuf":
        return values
    _refuse_dates(column)
    if values.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: column {name}. Give its parts as columns.")
    missing = _missing(values)
    if missing.any():
        values = np.where(missing, np.nan, values)
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{error} (column {name}). {ADVICE}") from error


def _learn(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """The levels of a category, and the column as codes."""
    values = column.values
    _refuse_dates(column)
    missing = _missing(values)
    codes = np.full(len(values), np.nan)
    if values.dtype.kind in "biuf":
        _refuse_infinite(column)
        levels, inverse = np.unique(values[~missing], return_inverse=True)
        codes[~missing] = inverse
        return levels, codes
    table: dict[Any, int] = {}
    known = _plain_values(column, ~missing)
    codes[~missing] = [table.setdefault(value, len(table)) for value in known]
    if table and all(isinstance(level, _NUMBERS) for level in table):
        codes[~missing] = np.unique(known, return_inverse=True)[1]
        return np.unique(known), codes
    levels = np.empty(len(table), dtype=object)
    levels[:] = list(table)
    return levels, codes


def _look_up(column: Column, levels: np.ndarray) -> np.ndarray:
    """A column as codes of known levels, -1 where it holds another.

    Raises
    ------
    TypeError
        If unknown values are numbers where levels are text, or the other way round: then the
        column was read in another way.
    """
    name, values, _ = column
    missing = _missing(values)
    codes = np.full(len(values), np.nan)
    numeric = levels.dtype.kind in "biuf"
    if numeric and values.dtype.kind in "biuf":
        _refuse_infinite(column)
        known = values[~missing]
        at = np.minimum(np.searchsorted(levels, known), max(len(levels) - 1, 0))
        found = levels[at] == known if len(levels) else np.zeros(len(known), dtype=bool)
        codes[~missing] = np.where(found, at, -1)
        return codes
    table = {level: i for i, level in enumerate(levels.tolist())}
    known = _plain_values(column, ~missing)
    codes[~missing] = [table.get(value, -1) for value in known]
    unlike = str if numeric else _NUMBERS
    if len(levels) and (numeric or all(isinstance(level, str) for level in table)):
        other = next((v for v in known if isinstance(v, unlike) and v not in table), None)
        if other is not None:
            raise TypeError(
                f"Column {name} holds {other!r}, but its categories in fit were "
                f"{'numbers' if numeric else 'text'}, such as {levels.tolist()[0]!r}. Convert the "
                "column to what it was in fit."
            )
    return codes


def _plain_values(column: Column, known: np.ndarray) -> list[Any]:
    """Values as plain Python ones; those of other types than text and numbers are refused.

    Intervals, as pandas.cut makes them, become their text.
    """
    name, values, _ = column
    plain = [v.item() if isinstance(v, np.generic) else v for v in values[known].tolist()]
    intervals = _types_of_pandas("Interval")
    plain = [str(v) if isinstance(v, intervals) else v for v in plain]
    for value in {type(v): v for v in plain}.values():
        if not isinstance(value, str | bytes | Real):
            raise TypeError(
                f"Column {name} holds {type(value).__name__} objects such as {value!r}; categories "
                "are text, numbers or booleans. Convert the column, or drop it."
            )
    return plain


def _types_of_pandas(name: str) -> tuple[type, ...]:
    """A type of pandas; none where pandas is not in use."""
    pandas = sys.modules.get("pandas")
    return () if pandas is None else (getattr(pandas, name),)


def _refuse_infinite(column: Column) -> None:
    name, values, _ = column
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {values.dtype}, in the "
            f"categorical column {name}. Replace it, e.g. by a gap (NaN)."
        )
