"""The levels of a column of categories, and its cells as their codes."""

from __future__ import annotations

from itertools import repeat
from numbers import Real
from typing import Any

import numpy as np

from .raw_columns import Column, missing, types_of_pandas

# Numbers that a column of objects may hold.
_NUMBERS = (Real, np.bool_)


def learn_levels(column: Column) -> tuple[np.ndarray, np.ndarray]:
    """The levels of a category, and the column as codes."""
    values = column.values
    gaps = missing(values)
    codes = np.full(len(values), np.nan)
    if values.dtype.kind in "biuf":
        _refuse_infinite(column)
        levels, inverse = np.unique(values[~gaps], return_inverse=True)
        codes[~gaps] = inverse
        return levels, codes
    known = _plain_values(column, ~gaps)
    table = {value: i for i, value in enumerate(dict.fromkeys(known))}
    codes[~gaps] = list(map(table.__getitem__, known))
    if table and all(isinstance(level, _NUMBERS) for level in table):
        codes[~gaps] = np.unique(known, return_inverse=True)[1]
        return np.unique(known), codes
    levels = np.empty(len(table), dtype=object)
    levels[:] = list(table)
    return levels, codes


def look_up(column: Column, levels: np.ndarray) -> np.ndarray:
    """A column as codes of known levels, -1 where it holds another.

    Raises
    ------
    TypeError
        If unknown values are numbers where levels are text, or the other way round: then the
        column was read in another way.
    """
    values = column.values
    gaps = missing(values)
    codes = np.full(len(values), np.nan)
    numeric = levels.dtype.kind in "biuf"
    if numeric and values.dtype.kind in "biuf":
        _refuse_infinite(column)
        known = values[~gaps]
        at = np.minimum(np.searchsorted(levels, known), max(len(levels) - 1, 0))
        found = levels[at] == known if len(levels) else np.zeros(len(known), dtype=bool)
        codes[~gaps] = np.where(found, at, -1)
        return codes
    table = {level: i for i, level in enumerate(levels.tolist())}
    known = _plain_values(column, ~gaps)
    codes[~gaps] = list(map(table.get, known, repeat(-1)))
    unlike = str if numeric else _NUMBERS
    if -1 in codes and len(levels) and (numeric or all(isinstance(level, str) for level in table)):
        other = next((v for v in known if isinstance(v, unlike) and v not in table), None)
        if other is not None:
            raise TypeError(
                f"Column {column.name} holds {other!r}, but its categories in fit were "
                f"{'numbers' if numeric else 'text'}, such as {levels.tolist()[0]!r}. Convert the "
                "column to what it was in fit."
            )
    return codes


def _plain_values(column: Column, known: np.ndarray) -> list[Any]:
    """Values as plain Python ones; those of other types than text and numbers are refused.

    Intervals, as pandas.cut makes them, become their text.
    """
    plain = column.values[known].tolist()
    if set(map(type, plain)) <= {str}:
        return plain
    plain = [v.item() if isinstance(v, np.generic) else v for v in plain]
    intervals = types_of_pandas("Interval")
    plain = [str(v) if isinstance(v, intervals) else v for v in plain]
    for value in {type(v): v for v in plain}.values():
        if not isinstance(value, str | bytes | Real):
            raise TypeError(
                f"Column {column.name} holds {type(value).__name__} objects such as {value!r}; "
                "categories are text, numbers or booleans. Convert the column, or drop it."
            )
    return plain


def _refuse_infinite(column: Column) -> None:
    values = column.values
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input X contains infinity or a value too large for {values.dtype}, in the "
            f"categorical column {column.name}. Replace it, e.g. by a gap (NaN)."
        )
