"""The columns to learn from: numbers, categories, and what a user should know of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types

from ..data.texts import Texts, Verdict, told
from ._tables import TableProblem, count_distinct, has_infinite, is_number, is_whole, listed


@dataclass(frozen=True)
class Columns:
    """Which columns to use, and how.

    Attributes
    ----------
    numeric, categorical : list of str
        Columns to use as numbers and as categories.
    notes : list of str
        What a user should know of them.
    """

    numeric: list[str]
    categorical: list[str]
    notes: list[str]


def describe_columns(X: pd.DataFrame) -> Columns:
    """Sort the columns of a table into numbers, categories and useless ones.

    Parameters
    ----------
    X : DataFrame of shape (n_rows, n_columns)
        The table without its target.
    """
    numeric: list[str] = []
    categorical: list[str] = []
    useless: list[str] = []
    ids: list[str] = []
    notes: list[str] = []
    texts: list[tuple[str, Verdict]] = []
    for name in X.columns:
        column = X[name]
        if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
            raise TableProblem(
                f"Column {name!r} is a date or a time; make numbers of it, or drop it."
            )
        if has_infinite(column):
            raise TableProblem(f"Column {name!r} has infinite values; drop or cap them.")
        n_distinct = count_distinct(column)
        n_known = int(column.notna().sum())
        if n_distinct == 0 or (n_distinct == 1 and n_known == len(column)):
            useless.append(name)
            continue
        if is_number(column):
            values = column.to_numpy(dtype=float, na_value=np.nan)
            numeric.append(name)
            like_id = is_whole(values[~np.isnan(values)])
        elif (verdict := _stands_for(column)).kind == "numbers":
            numeric.append(name)
            like_id = False
        else:
            categorical.append(name)
            like_id = not types.is_bool_dtype(column)
            texts.append((repr(name), verdict))
        if like_id and n_distinct == n_known == len(column) and len(column) > 2:
            ids.append(name)
    notes += told(texts, "nothing has to be done")
    if useless:
        notes.append(f"Not used, the same or missing in every row: {listed(useless)}.")
    if ids:
        notes.append(
            f"Different in every row, like an identifier; drop if it is one: {listed(ids)}."
        )
    if not numeric and not categorical:
        raise TableProblem("No column is left to learn from: all are constant or missing.")
    return Columns(numeric, categorical, notes)


def _stands_for(column: pd.Series) -> Verdict:
    """What a column that is not of a type for numbers stands for, as the estimators see it."""
    if types.is_bool_dtype(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return Verdict("names")
    codes, levels = pd.factorize(column)  # -1 is a gap
    count = np.bincount(codes[codes >= 0], minlength=len(levels))
    return Texts(np.asarray(levels, dtype=object)).verdict(count)


def category_text(value: object) -> str:
    """What names a category, however a file's reader typed it: 1, 1.0 and "1" are the same."""
    if isinstance(value, bool | np.bool_) or str(value).lower() in {"true", "false"}:
        return "1" if str(value).lower() == "true" else "0"
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
