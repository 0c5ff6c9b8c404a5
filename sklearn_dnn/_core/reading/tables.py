"""Raw tables as matrices: numbers as they are, categories as codes, gaps as NaN."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..._compat import check_categorical_features
from ..._warnings import warn
from ..data.texts import Texts, read_numbers, shown
from .levels import learn_levels, look_up
from .raw_columns import (
    Column,
    as_columns_of,
    columns_of,
    first_odd,
    is_frame,
    missing,
    needs_reading,
    too_large,
)

_INTERVALS = {"Interval", "Period"}  # of pandas, which is not imported for them
ADVICE = (
    "Name the column in categorical_features, leave categorical_features='from_dtype' where X is "
    "a data frame (some meta-estimators make an array of it), or encode it before; if it is of "
    "numbers but for a few cells, pandas.to_numeric(..., errors='coerce') makes gaps of these."
)


@dataclass(frozen=True, eq=False)
class Reading:
    """How the columns of a raw table are read.

    Attributes
    ----------
    categorical : ndarray of bool, shape (p,)
    categories : list of ndarray
        For each categorical column its levels; their positions are the codes.
    parsed : ndarray of bool, shape (p,), or None
        Columns of numbers that came as text, or as objects; None without any.
    undecided : mapping of Texts
        The columns of text, by position, of which the rows that train have yet to tell what
        they stand for. Until then they are read as categories.
    names : sequence of str
        Of the columns, for messages.
    of_array : bool
        Whether the table was no data frame: then columns of names are refused.
    """

    categorical: np.ndarray
    categories: list[np.ndarray]
    parsed: np.ndarray | None = None
    undecided: Mapping[int, Texts] = field(default_factory=dict)
    names: Sequence[str] = ()
    of_array: bool = False

    @property
    def mask(self) -> np.ndarray | None:
        """`categorical`; None without any."""
        return self.categorical if self.categorical.any() else None

    @property
    def n_levels(self) -> list[int]:
        return [len(levels) for levels in self.categories]

    def with_numbers(self, positions: Sequence[int]) -> Reading:
        """The same with all decided: some of the undecided columns are numbers."""
        categorical = self.categorical.copy()
        categorical[list(positions)] = False
        known = zip(np.flatnonzero(self.categorical), self.categories, strict=True)
        parsed = np.zeros(len(categorical), bool) if self.parsed is None else self.parsed.copy()
        parsed[list(positions)] = True
        return replace(
            self,
            categorical=categorical,
            categories=[levels for j, levels in known if categorical[j]],
            parsed=parsed if parsed.any() else None,
            undecided={},
        )

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


def reading_of(estimator: Any) -> Reading | None:
    """How a fitted estimator reads; None where all columns are numbers."""
    categorical, parsed = estimator.is_categorical_, estimator.is_parsed_
    if categorical is None and parsed is None:
        return None
    if categorical is None:
        categorical = np.zeros(len(parsed), dtype=bool)
    return Reading(categorical, estimator.categories_, parsed)


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
        X = as_columns_of(X)
        if np.ndim(X) != 2:
            return X, None
        try:
            mask = check_categorical_features(X, categorical_features)
        except ValueError as error:
            raise ValueError(
                f"{str(error).rstrip('.')}. Got {shown(categorical_features)} instead, for "
                f"{np.shape(X)[1]} columns. Give a mask, positions or names of columns in one list."
            ) from error
    if mask is None and not needs_reading(X):
        return X, None
    columns = columns_of(as_columns_of(X))
    if not columns:
        return np.empty((len(X), 0)), None  # which scikit-learn refuses
    undecided = []
    if mask is None:
        mask = [by_type and (column.by_type or column.is_text) for column in columns]
        undecided = [j for j, c in enumerate(columns) if mask[j] and not c.by_type]
    mask = np.asarray(mask, dtype=bool)
    found = {int(j): learn_levels(columns[j]) for j in np.flatnonzero(mask)}
    table, _ = _matrix(columns, {j: codes for j, (_, codes) in found.items()})
    parsed = np.array([column.may_hold_text for column in columns]) & ~mask
    if not mask.any() and not parsed.any():
        return table, None
    return table, Reading(
        mask,
        [levels for levels, _ in found.values()],
        parsed if parsed.any() else None,
        {j: Texts(found[j][0]) for j in undecided},
        [column.name for column in columns],
        of_array=not is_frame(X),
    )


class Read(NamedTuple):
    """A raw table that was read as an earlier one.

    Attributes
    ----------
    table : ndarray of shape (n, p)
    reading : Reading or None
        The earlier one's; but undecided columns have their own levels in this table.
    unread : tuple of int
        Columns of numbers with cells of text that do not read, and are gaps.
    """

    table: np.ndarray
    reading: Reading | None
    unread: tuple[int, ...] = ()


def read_as_before(X: Any, reading: Reading | None) -> Read:
    """A matrix of a raw table, read as that of `fit` was.

    Parameters
    ----------
    X : data frame, array or nested list, with the columns of `fit`
    reading : Reading or None
        None for numbers alone.
    """
    columns = columns_of(as_columns_of(X))
    if reading is None:
        return Read(_matrix(columns, {})[0], None)
    codes, undecided = {}, {}
    categories = list(reading.categories)
    for i, j in enumerate(np.flatnonzero(reading.categorical).tolist()):
        if j in reading.undecided:
            categories[i], codes[j] = learn_levels(columns[j])
            undecided[j] = Texts(categories[i])
        else:
            codes[j] = look_up(columns[j], categories[i])
    if undecided:
        reading = replace(reading, categories=categories, undecided=undecided)
    table, unread = _matrix(columns, codes, reading.parsed)
    tell_of_unread([(columns[j].name, cell) for j, cell in unread.items()])
    return Read(table, reading, tuple(unread))


def _matrix(
    columns: list[Column],
    codes: Mapping[int, np.ndarray],
    parsed: np.ndarray | None = None,
) -> tuple[np.ndarray, dict[int, Any]]:
    """Columns side by side, float32 where all numbers are, else float64; cells that do not read.

    Parameters
    ----------
    codes : mapping of ndarray
        What stands for categories, by position.
    parsed : ndarray of bool or None
        Columns of numbers in which cells of text that do not read are gaps.
    """
    parts: list[np.ndarray] = []
    unread: dict[int, Any] = {}
    for j, column in enumerate(columns):
        if j in codes:
            parts.append(codes[j])
        elif parsed is not None and parsed[j] and column.is_text:
            numbers, odd = _parsed(column)
            parts.append(numbers)
            if len(odd):
                unread[j] = column.values[odd[0]]
        else:
            parts.append(_numbers(column))
    types = [part.dtype for j, part in enumerate(parts) if j not in codes]
    small = bool(types) and np.result_type(*types) == np.float32
    dtype = np.float32 if small else np.float64
    table = np.empty((len(parts[0]), len(parts)), dtype)
    for j, part in enumerate(parts):
        table[:, j] = part
    return table, unread


def refusal(cell: Any, name: str) -> ValueError:
    """The error for a cell of text in a column that has to be of numbers."""
    return ValueError(f"could not convert string to float: {shown(cell)} (column {name}). {ADVICE}")


def tell_of_unread(found: Sequence[tuple[str, Any]]) -> None:
    """Warn of cells, with the names of their columns, that do not read as numbers."""
    if found:
        columns = ", ".join(f"{name} (such as {shown(cell)})" for name, cell in found)
        warn(
            f"Cells of text that do not read as numbers count as gaps in columns that were "
            f"numbers in fit: column {columns}."
        )


def _parsed(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """A column of numbers that came as text, gaps as NaN, and the rows that do not read."""
    values = column.values
    known = np.flatnonzero(~missing(values))
    found = np.full(len(values), np.nan)
    found[known] = read_numbers(values[known])
    return found, known[np.isnan(found[known])]


def _numbers(column: Column) -> np.ndarray:
    """A column of numbers, gaps as NaN."""
    name, values = column.name, column.values
    if values.dtype.kind in "biuf":
        return values
    if column.is_text:
        found, unread = _parsed(column)
        if len(unread):
            raise refusal(values[unread[0]], name)
        return found
    if values.dtype.kind == "c":
        raise ValueError(_of_complex(name))
    gaps = missing(values)
    if gaps.any():
        values = np.where(gaps, np.nan, values)
    try:
        return values.astype(np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        row, cell = first_odd(values)
        place = f"X has {shown(cell)} in row {row} of column {name}"
        if isinstance(error, OverflowError):
            raise ValueError(too_large(place)) from error
        if isinstance(cell, complex):
            raise ValueError(_of_complex(name)) from error
        said = str(error).replace(f"{type(cell).__module__}.", "")
        if isinstance(error, ValueError):
            raise ValueError(f"{said}: {place}. {ADVICE}") from error
        # intervals may be categories, other objects not
        named = "name it in categorical_features, " if type(cell).__name__ in _INTERVALS else ""
        raise TypeError(
            f"{said}: {place}. Make numbers or text of the column, {named}or drop it."
        ) from error


def _of_complex(name: str) -> str:
    return (
        f"Complex data not supported: column {name} of X. Give its real and its imaginary parts "
        "as columns."
    )
