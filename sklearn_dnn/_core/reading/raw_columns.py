"""Data frames, arrays and nested lists as columns, with what their types say of them."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import date, time, timedelta
from typing import Any, NamedTuple

import narwhals.stable.v2 as nw
import numpy as np
import torch
from narwhals.exceptions import DuplicateError

_DATES = (date, time, timedelta, np.datetime64, np.timedelta64)
_TEXT = (str, bytes)
_NESTED = (list, tuple, dict, set, frozenset)
_ARRAYS = (np.ndarray, torch.Tensor)
# Beyond it floats skip whole numbers.
EXACT = 2**53


class Column(NamedTuple):
    """A raw column.

    Attributes
    ----------
    name : str
        As messages show it.
    values : ndarray of shape (n,)
    by_type : bool
        Whether its type says that it is a category.
    may_hold_text : bool
        Whether its type allows that.
    is_text : bool
        Whether it is of text, or holds some.
    """

    name: str
    values: np.ndarray
    by_type: bool = False
    may_hold_text: bool = False
    is_text: bool = False


def as_table(X: Any) -> Any:
    """Torch tensors as arrays, with NaN for what is masked; anything else as it is.

    Raises
    ------
    TypeError
        If rows have yet to be computed.
    ValueError
        If columns of a frame have equal names.
    """
    if np.ma.isMaskedArray(X):
        if not np.ma.getmaskarray(X).any():
            return X.data
        exact = X.dtype.kind in "bf" or (X.dtype.kind in "iu" and np.abs(X).max() <= EXACT)
        if exact and X.dtype.kind != "f":
            X = X.astype(np.float64)
        return (X if exact else X.astype(object)).filled(np.nan)
    refuse_lazy(X, "X")
    if is_frame(X):
        _refuse_equal_names(X)
    return as_array(X)


def _refuse_equal_names(X: Any) -> None:
    """Refuse a frame of which a name stands for several columns."""
    try:
        nw.from_native(X, eager_only=True)
    except DuplicateError as error:
        names = X.column_names if nw.dependencies.is_pyarrow_table(X) else X.columns
        found = [name for name, n in Counter(names).items() if n > 1]
        shown = ", ".join(map(repr, found[:8])) + (", ..." if len(found) > 8 else "")
        raise ValueError(
            f"Columns of X have equal names: {shown}. Rename them, so that each name stands for "
            "one column."
        ) from error


def refuse_lazy(value: Any, name: str) -> None:
    """Refuse a frame without rows of its own."""
    if nw.dependencies.is_polars_lazyframe(value):
        raise TypeError(
            f"{name} is a LazyFrame of polars, whose rows are yet to be computed. Give "
            f"{name}.collect()."
        )


def as_array(value: Any) -> Any:
    """Torch tensors as NumPy arrays; anything else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.dtype == torch.bfloat16:  # unknown to NumPy
        value = value.float()
    try:
        return value.detach().cpu().resolve_conj().resolve_neg().numpy()
    except (TypeError, RuntimeError) as error:  # NotImplementedError is one
        raise TypeError(
            f"A torch tensor on {str(value.device)!r} of {value.dtype} and {value.layout} can't be "
            "read as an array. Give a dense tensor of numbers, or a NumPy array."
        ) from error


def is_frame(X: Any) -> bool:
    return bool(nw.dependencies.is_into_dataframe(X))


def as_columns_of(X: Any) -> Any:
    """Frames and arrays as they are; nested lists without making text of their numbers."""
    return X if is_frame(X) or isinstance(X, np.ndarray) else np.asarray(X, dtype=object)


def needs_reading(X: Any) -> bool:
    """Whether X has other columns than plain numbers."""
    if not is_frame(X):
        return _kind(X) in "OUSmMc"
    frame = nw.from_native(X, eager_only=True)
    return not frame.columns or not all(_is_plain(column) for column in frame.iter_columns())


def _kind(X: Any) -> str:
    """What an array, or a nested list of two axes, holds; nothing where it is something else."""
    if isinstance(X, list | tuple):
        try:
            X = np.asarray(X)
        except ValueError:  # of rows that differ, which scikit-learn tells
            return "-"
    return X.dtype.kind if isinstance(X, np.ndarray) and X.ndim == 2 else "-"


def _is_plain(column: nw.Series[Any]) -> bool:
    """Whether scikit-learn reads a column as numbers, gaps or not."""
    kind = column.dtype
    if kind.is_numeric():
        return not kind.is_decimal()
    if kind == nw.Boolean:
        return column.null_count() == 0
    native = nw.to_native(column)  # pandas' own, or a null column of pyarrow, which has no dtype
    return kind == nw.Unknown and str(getattr(native, "dtype", "")).startswith("Sparse")


def columns_of(X: Any) -> list[Column]:
    """The columns of a data frame or an array.

    Raises
    ------
    TypeError
        If one holds dates, times or nested values.
    """
    if is_frame(X):
        frame = nw.from_native(X, eager_only=True)
        return [_column_of_frame(column) for column in frame.iter_columns()]
    if X.dtype.kind in "US":
        X = X.astype(object)
    loose = X.dtype.kind == "O"
    return [_checked(Column(f"at index {j}", X[:, j], False, loose)) for j in range(X.shape[1])]


def _column_of_frame(column: nw.Series[Any]) -> Column:
    name, kind = repr(column.name), column.dtype
    if kind.is_nested():
        raise _refusal_of_several(name, kind)
    by_type, is_text = kind in (nw.Categorical, nw.Enum), kind == nw.String
    loose = is_text or kind in (nw.Object, nw.Binary)
    return _checked(Column(name, _values(column), by_type, loose, is_text))


def _refusal_of_several(name: str, kind: Any) -> TypeError:
    return TypeError(
        f"Column {name} holds several values a row ({kind}), but a cell as an argument must be a "
        "string or a number. Make a column of each of them, or drop it."
    )


def _values(column: nw.Series[Any]) -> np.ndarray:
    if column.implementation.is_pyarrow() and column.dtype == nw.Categorical:
        column = column.cast(nw.String)  # its dictionaries would lose their gaps
    has_both = column.dtype.is_integer() and 0 < column.null_count() < len(column)
    if has_both and max(-column.min(), column.max()) > EXACT:  # floats would lose digits
        return np.array(column.to_list(), dtype=object)
    return column.to_numpy()


def _checked(column: Column) -> Column:
    """A column with what its cells say of it; dates, times and nested values are refused."""
    values = column.values
    if values.dtype.kind not in "OmM" or column.by_type or column.is_text:
        return column
    dates = (*_DATES, *types_of_pandas("Period"))
    kinds = set(map(type, values.tolist())) if values.dtype.kind == "O" else set()
    if any(issubclass(kind, _NESTED + _ARRAYS) for kind in kinds):
        for cell in values:
            if isinstance(cell, _NESTED) or (isinstance(cell, _ARRAYS) and cell.ndim > 0):
                raise _refusal_of_several(column.name, type(cell).__name__)
    dated = values.dtype.kind in "mM"
    if any(issubclass(kind, dates) for kind in kinds):
        # a gap among dates, NaT, differs from itself
        dated = any(isinstance(v, dates) and v == v for v in values)  # noqa: PLR0124
    if dated:
        raise TypeError(
            f"Column {column.name} holds dates or times, which a network can't read. Make numbers "
            "of them (year, month, day of the week, seconds since a start, ...), or drop the "
            "column."
        )
    return column._replace(is_text=any(issubclass(kind, _TEXT) for kind in kinds))


def missing(values: np.ndarray) -> np.ndarray:
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


def first_odd(values: np.ndarray) -> tuple[int, Any]:
    """The row, and the cell, of the first object in an array that float64 does not hold."""
    for position, cell in enumerate(values.flat):
        try:
            float(cell)
        except (ValueError, TypeError, OverflowError):
            return position * len(values) // values.size, cell
    raise AssertionError("all are numbers")


def too_large(what: str) -> str:
    """The message for an integer that float64 does not hold, and where it is."""
    return (
        f"{what}, which is too large for float64. Divide by a number of its size, or leave it out."
    )


def types_of_pandas(name: str) -> tuple[type, ...]:
    """A type of pandas; none where pandas is not in use."""
    pandas = sys.modules.get("pandas")
    return () if pandas is None else (getattr(pandas, name),)
