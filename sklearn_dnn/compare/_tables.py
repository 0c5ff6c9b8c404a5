"""What a table is: read from a file, with names that tell its columns apart."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TextIO

import numpy as np
import pandas as pd
from pandas.api import types

from .._terminal import printable
from ._separators import ADVICE, first_rows, separator_beside, separator_of

# What stands for a gap in a CSV file; words such as "None" may be values.
GAPS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL"]


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


def read_file(path: str | Path) -> pd.DataFrame:
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
    opened = partial(_opened, path)
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


def _opened(path: Path) -> TextIO:
    """The text of a file, unpacked where it is packed."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


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
