"""Cells of text among numbers: which they are, and how a message shows one."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

_NEARLY = 0.9  # share of the cells from which on a column of text is one of numbers
_MARKS = re.compile(r"[\s\x00'’_%‰$€£¥]")  # noqa: RUF001
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_LONGEST = 40


class Reading(NamedTuple):
    """What the cells of a column of text read as.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows,)
        NaN where a cell does not read, marks such as "%" or a decimal comma put aside.
    odd, marked : ndarray of int
        Positions of the cells that do not read, and of those that do only without their marks.
    nearly : bool
        Whether most cells read.
    """

    numbers: np.ndarray
    odd: np.ndarray
    marked: np.ndarray
    nearly: bool


def read_cells(column: pd.Series) -> Reading:
    """Read a column of text, without gaps, as numbers."""
    codes, levels = pd.factorize(column.astype(str).to_numpy(dtype=object))
    plain = _numbers(levels)
    mended = np.where(np.isnan(plain), _numbers([*map(_without_marks, levels)]), plain)
    numbers = mended[codes]
    odd = np.flatnonzero(np.isnan(numbers))
    marked = np.flatnonzero(np.isnan(plain[codes]) & ~np.isnan(numbers))
    return Reading(numbers, odd, marked, len(odd) <= (1 - _NEARLY) * len(column))


def _numbers(texts: Any) -> np.ndarray:
    """Finite numbers, NaN where a text is none."""
    numbers = np.asarray(pd.to_numeric(np.array(texts, dtype=object), errors="coerce"), dtype=float)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def shown(column: pd.Series, position: int) -> str:
    """A cell and its row; the index has the numbers of the rows as they were given, from 0."""
    cell = str(column.iloc[position])
    cell = cell if len(cell) <= _LONGEST else f"{cell[:_LONGEST]}..."
    return f"{cell!r} in row {column.index[position] + 1} (the first is 1)"


def _without_marks(text: str) -> str:
    plain = _MARKS.sub("", text)
    if _THOUSANDS.fullmatch(plain):
        return plain.replace(",", "")
    if plain.count(",") == 1:  # a decimal comma, beside dots between thousands
        return plain.replace(".", "").replace(",", ".")
    return plain
