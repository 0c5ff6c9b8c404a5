"""The columns to learn from: numbers, categories, and what a user should know of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types

from .._core.data.texts import Texts, Verdict, told
from ._tables import TableProblem, count_distinct, has_infinite, is_number, is_whole, listed

_CELLS_AT_ONCE = 2**22


@dataclass(frozen=True)
class ColumnUse:
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


def describe_columns(X: pd.DataFrame) -> ColumnUse:
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
    plain = _plain_numbers(X)
    for name in X.columns:
        facts = plain.get(name) or _look(X[name])
        if facts.infinite:
            raise TableProblem(f"Column {name!r} has infinite values; drop or cap them.")
        if facts.n_distinct == 0 or (facts.n_distinct == 1 and facts.n_known == len(X)):
            useless.append(name)
            continue
        if facts.is_number:
            numeric.append(name)
        else:
            categorical.append(name)
            texts.append((repr(name), facts.verdict))
        if facts.like_id and facts.n_distinct == facts.n_known == len(X) and len(X) > 2:
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
    return ColumnUse(numeric, categorical, notes)


class _Facts(NamedTuple):
    """What decides how a column is used."""

    is_number: bool
    n_distinct: int
    n_known: int
    infinite: bool
    like_id: bool
    verdict: Verdict = Verdict("names")


def _look(column: pd.Series) -> _Facts:
    if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
        raise TableProblem(
            f"Column {column.name!r} is a date or a time; make numbers of it, or drop it."
        )
    n_distinct, n_known = count_distinct(column), int(column.notna().sum())
    if not is_number(column):
        verdict = _stands_for(column)
        reads = verdict.kind == "numbers"
        like_id = not reads and not types.is_bool_dtype(column)
        return _Facts(reads, n_distinct, n_known, False, like_id, verdict)
    values = column.to_numpy(dtype=float, na_value=np.nan)
    whole = is_whole(values[~np.isnan(values)])
    return _Facts(True, n_distinct, n_known, has_infinite(column), whole)


def _plain_numbers(X: pd.DataFrame) -> dict[str, _Facts]:
    """The columns of numbers, all of a type at once, since there may be tens of thousands."""
    kinds = X.dtypes.to_numpy()
    found: dict[str, _Facts] = {}
    for kind in dict.fromkeys(kinds):
        if types.is_bool_dtype(kind) or not types.is_numeric_dtype(kind) or kind.kind not in "iuf":
            continue
        positions = np.flatnonzero([other == kind for other in kinds])
        step = max(1, _CELLS_AT_ONCE // len(X))
        for start in range(0, len(positions), step):
            part = X.iloc[:, positions[start : start + step]]
            exact = np.full(part.shape[1], True)
            if isinstance(kind, np.dtype):
                values = part.to_numpy()
            else:  # with gaps of its own
                values = part.to_numpy(dtype=float, na_value=np.nan)
                if kind.kind != "f":
                    exact = ~(np.abs(values) >= 2.0**53).any(axis=0)
            facts = zip(part.columns, _facts_of(values), exact, strict=True)
            found |= {name: own for name, own, is_exact in facts if is_exact}
    return found


def _facts_of(values: np.ndarray) -> list[_Facts]:
    """Of each column of an array of shape (n, p)."""
    missing = np.isnan(values)
    n_known = len(values) - missing.sum(axis=0)
    ordered = np.sort(values, axis=0)  # nan goes to the end
    new = ordered[1:] != ordered[:-1]
    new &= np.arange(1, len(values))[:, None] < n_known
    n_distinct = new.sum(axis=0) + (n_known > 0)
    infinite = np.isinf(values).any(axis=0)
    whole = (missing | (values == np.round(values))).all(axis=0)
    columns = zip(n_distinct, n_known, infinite, whole, strict=True)
    return [_Facts(True, int(d), int(k), bool(i), bool(w)) for d, k, i, w in columns]


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
