"""The target of a table: its rows, the task that it stands for, and its values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from pandas.api import types

from .._core.data import texts
from ._cells import in_the_way, read_cells, shown, why_text
from ._tables import (
    TableProblem,
    count_distinct,
    has_infinite,
    is_number,
    is_whole,
    listed,
    nearest,
)

TASKS = ("regression", "binary", "multiclass")
MAX_WHOLE_CLASSES = 20
_MAX_HINTED_CLASSES = 100


def drop_gaps(X: pd.DataFrame, y: pd.Series) -> tuple[pd.DataFrame, pd.Series, list[str]]:
    """Drop the rows whose target is missing, and refuse a target that can't be learnt.

    The target keeps its index, which numbers the rows as they were given.
    """
    if X.shape[1] == 0:
        raise TableProblem(f"The table has no column besides the target {y.name!r}.")
    gaps = y.isna().to_numpy()
    notes = []
    if gaps.all():
        raise TableProblem(f"The target {y.name!r} is missing in every row.")
    if gaps.any():
        notes.append(f"{gaps.sum()} of {len(y)} rows dropped: the target {y.name!r} is missing.")
        X, y = X[~gaps].reset_index(drop=True), y[~gaps]
    if isinstance(y.dtype, pd.CategoricalDtype):
        y = y.cat.remove_unused_categories()
    if count_distinct(y) < 2:
        raise TableProblem(
            f"The target {y.name!r} is {texts.shown(y.iloc[0])} in every row; there is nothing to "
            "learn."
        )
    if types.is_datetime64_any_dtype(y) or types.is_timedelta64_dtype(y):
        raise TableProblem(f"The target {y.name!r} is a date or a time; make numbers of it.")
    if has_infinite(y):
        raise TableProblem(f"The target {y.name!r} has infinite values; drop or cap them.")
    return X, y, notes


def find_task(y: pd.Series, override: str | None = None) -> tuple[str, str]:
    """Find what is predicted from the target's values.

    Parameters
    ----------
    y : Series of shape (n_rows,)
        The target, without gaps; its index has the numbers of the rows, from 0.
    override : {"regression", "binary", "multiclass"} or None
        The task, where the user knows better.

    Returns
    -------
    task : {"regression", "binary", "multiclass"}
    note : str
        Why, and how to choose another.
    """
    n_distinct = int(y.nunique())
    number = is_number(y)
    if override is not None:
        return _check_task(y, override, n_distinct, number), f"Task {override}: as asked."
    if not number:
        task = "binary" if n_distinct == 2 else "multiclass"
        reason = f"the target has {n_distinct} distinct texts or categories{_odd_cells(y)}"
    else:
        task, reason = _task_of_numbers(y.to_numpy(dtype=float))
    _check_task(y, task, n_distinct, number)
    other = "multiclass" if task == "regression" else "regression"
    possible = number and n_distinct <= _MAX_HINTED_CLASSES
    hint = f"; --task {other} (task={other!r}) says otherwise" if possible else ""
    return task, f"Task {task}: {reason}{hint}."


def _task_of_numbers(values: np.ndarray) -> tuple[str, str]:
    n_distinct = len(np.unique(values))
    if n_distinct == 2:
        return "binary", "the target has two distinct values"
    if n_distinct <= MAX_WHOLE_CLASSES and is_whole(values):
        return "multiclass", f"the target has {n_distinct} distinct whole numbers"
    return "regression", f"the target has {n_distinct} distinct numbers"


def _odd_cells(y: pd.Series) -> str:
    """What makes text of a target of numbers; refused where nobody means classes by them."""
    if types.is_bool_dtype(y) or isinstance(y.dtype, pd.CategoricalDtype):
        return ""
    reading = read_cells(y)
    if len(reading.dates):
        found = f"such as {shown(y, reading.dates[0])}"
        if y.nunique() > MAX_WHOLE_CLASSES:
            raise TableProblem(
                f"The target {y.name!r} is text of dates or times: {found}. Make numbers of it: of "
                "d = pandas.to_datetime(...) the year, month, day of the week, or "
                "(d - d.min()).dt.total_seconds(); or say --task multiclass (task='multiclass') "
                "if they are names of classes."
            )
        return f" that read as dates or times: {found}"
    if not reading.nearly:
        return ""
    found = why_text(y, reading)
    if _task_of_numbers(reading.numbers[~np.isnan(reading.numbers)])[0] == "regression":
        raise TableProblem(
            f"The target {y.name!r} is text, but reads as numbers: {found}. Make plain numbers of "
            "it, and gaps of what is none; or say --task multiclass (task='multiclass') if they "
            "are names of classes."
        )
    return f" that read as numbers: {found}"


def _check_task(y: pd.Series, task: str, n_distinct: int, number: bool) -> str:
    if task not in TASKS:
        raise TableProblem(
            f"task must be one of {listed(TASKS)}; got {task!r}{nearest(task, TASKS)}."
        )
    if task == "regression":
        if not number:
            raise TableProblem(
                f"The target {y.name!r} has text where numbers are needed: {in_the_way(y)}; "
                "make numbers of it, or leave --task out to predict classes."
            )
        return task
    if task == "binary" and n_distinct != 2:
        raise TableProblem(
            f"The task binary needs two distinct values; the target {y.name!r} has {n_distinct}: "
            "use multiclass or regression."
        )
    counts = y.value_counts()
    if n_distinct > max(2, len(y) // 2):
        raise TableProblem(
            f"The target {y.name!r} has {n_distinct} distinct values in {len(y)} rows, too many "
            f"for classes, such as {in_the_way(y)}; choose another target, or "
            "make numbers of it for regression."
        )
    if counts.iloc[-1] < 2:
        raise TableProblem(
            f"The class {texts.shown(counts.index[-1])} of the target {y.name!r} has one row, and "
            "each class needs two: drop it or merge it with another."
        )
    return task


def target_array(y: pd.Series, task: str) -> np.ndarray:
    """The target as scikit-learn wants it: floats, or labels of one type.

    Returns
    -------
    y : ndarray of shape (n_rows,)
        float64 for regression; else whole numbers, bool, or object holding str.
    """
    if task == "regression":
        return y.to_numpy(dtype=float)
    if types.is_bool_dtype(y):
        return y.to_numpy(dtype=bool)
    if types.is_integer_dtype(y):
        return y.to_numpy(dtype=np.int64)
    if is_number(y):
        values = y.to_numpy(dtype=float)
        if is_whole(values):
            return values.astype(np.int64)
    return np.array([str(value) for value in y], dtype=object)
