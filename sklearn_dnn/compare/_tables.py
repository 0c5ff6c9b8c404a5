"""What a table is: reading it, its target, its task, its columns."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api import types

from .._core.data import texts
from .._terminal import printable
from ._cells import in_the_way, read_cells, shown, why_text
from ._separators import ADVICE, first_rows, separator_beside, separator_of

# What stands for a gap in a CSV file; words such as "None" may be values.
GAPS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]
TASKS = ("regression", "binary", "multiclass")
MAX_WHOLE_CLASSES = 20
_MAX_HINTED_CLASSES = 100


class TableProblem(ValueError):  # noqa: N818 - it says what is wrong with a table
    """Why a comparison can't go on, as one sentence for the user."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that looks most like `name`, or nothing."""
    by_lower = {str(entry).lower(): str(entry) for entry in known}
    close = get_close_matches(str(name).lower(), list(by_lower), n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else ""


def listed(names: Iterable[object], limit: int = 8) -> str:
    """Names for a message, cut short where there are many."""
    texts = [printable(name) for name in names]
    more = f", ... ({len(texts)} in all)" if len(texts) > limit else ""
    return ", ".join(texts[:limit]) + more


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table from a .csv, .csv.gz or .parquet file.

    Parameters
    ----------
    path : str or Path
        The file. The first line of a CSV file names its columns.

    Returns
    -------
    frame : DataFrame of shape (n_rows, n_columns)

    Raises
    ------
    TableProblem
        If there is no such file, or no table in it.
    """
    path = Path(path)
    name = path.name.lower()
    if not path.exists():
        raise TableProblem(f"There is no file {str(path)!r}.")
    if path.is_dir():
        raise TableProblem(f"{str(path)!r} is a folder; give a .csv, .csv.gz or .parquet file.")
    try:
        if name.endswith((".csv", ".csv.gz")):
            _check_header(path)
            frame = pd.read_csv(path, low_memory=False, keep_default_na=False, na_values=GAPS)
        elif name.endswith(".parquet"):
            frame = _read_parquet(path)
        else:
            raise TableProblem(
                f"{str(path)!r} ends in {path.suffix!r}; a table ends in .csv, .csv.gz or .parquet."
            )
    except pd.errors.EmptyDataError as error:
        raise TableProblem(f"{str(path)!r} is empty.") from error
    except UnicodeDecodeError as error:
        raise TableProblem(f"{str(path)!r} is not text in UTF-8; save it as UTF-8.") from error
    except (
        pd.errors.ParserError,
        csv.Error,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        OSError,
    ) as error:
        reason = " ".join(str(error).split())
        raise TableProblem(f"{str(path)!r} can't be read as a table: {reason}.") from error
    frame = frame.rename(columns=str)
    check_names(frame)
    if len(frame) == 0:
        raise TableProblem(f"{str(path)!r} has columns but no rows.")
    return frame


def _check_header(path: Path) -> None:
    """Refuse what pandas would silently mend: duplicate names, and rows with a field too many."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    opened = partial(opener, path, "rt", encoding="utf-8-sig", newline="")
    mark = separator_of(opened)
    if mark is not None:
        raise TableProblem(f"{str(path)!r} has {mark!r} between its columns; {ADVICE}.")
    header, first = first_rows(opened)
    _check_duplicates(header)
    if len(first) > len(header):  # pandas would take the first field for a row's name
        raise TableProblem(
            f"{str(path)!r} has rows of {len(first)} fields but names for {len(header)} columns; "
            "name every column, or remove the comma that ends the lines."
        )


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise TableProblem(
            "Reading .parquet needs pyarrow: pip install pyarrow, or save the table as .csv."
        ) from error
    except ValueError as error:  # pyarrow's own errors derive from it
        raise TableProblem(f"{str(path)!r} is not a Parquet file.") from error


def _check_duplicates(names: Iterable[object]) -> None:
    seen: set[object] = set()
    repeated: dict[object, None] = {}
    for name in names:
        if name in seen:
            repeated[name] = None
        seen.add(name)
    if repeated:
        raise TableProblem(
            f"Column names appear more than once: {listed(map(_name_shown, repeated))}; "
            "rename or drop the repeats."
        )


def _name_shown(name: object) -> str:
    return repr(name) if str(name).strip() else f"{name!r} (an empty name)"


def check_names(frame: pd.DataFrame) -> None:
    """Refuse a table with repeated column names, or names that pandas can't find again."""
    _check_duplicates(frame.columns)
    for name in frame.columns:
        if "\0" in str(name):
            raise TableProblem(
                f"The column name {name!r} holds a NUL character; rename the column (where a file "
                "has many, it is not UTF-8: save it as UTF-8)."
            )


def split_target(frame: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.Series]:
    """Take the target out of a table.

    Parameters
    ----------
    frame : DataFrame of shape (n_rows, n_columns)
        The table.
    column : str
        The target's name.

    Returns
    -------
    X : DataFrame of shape (n_rows, n_columns - 1)
        The other columns.
    y : Series of shape (n_rows,)
        The target.
    """
    if column not in frame.columns:
        mark = separator_beside(column, map(str, frame.columns))
        if mark is not None:
            raise TableProblem(f"The table has {mark!r} between its columns; {ADVICE}.")
        raise TableProblem(
            f"There is no column {column!r}{nearest(column, frame.columns) or '.'} "
            f"The columns are {listed(frame.columns, 20)}."
        )
    return frame.drop(columns=column), frame[column]


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


def count_distinct(column: pd.Series) -> int:
    try:
        return int(column.nunique())
    except TypeError as error:  # what can't be hashed
        raise TableProblem(
            f"Column {column.name!r} holds lists or records; make plain values of them, or drop it."
        ) from error


def is_number(column: pd.Series) -> bool:
    return types.is_numeric_dtype(column) and not types.is_bool_dtype(column)


def has_infinite(column: pd.Series) -> bool:
    if not is_number(column):
        return False
    return bool(np.isinf(column.to_numpy(dtype=float, na_value=np.nan)).any())


def is_whole(values: np.ndarray) -> bool:
    return bool((values == np.round(values)).all())


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
