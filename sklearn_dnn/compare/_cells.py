"""Cells of text among numbers: which they are, and how a message shows one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from .._core.data import texts
from .._core.data.texts import FEW_NUMBERS, NEARLY


class CellReading(NamedTuple):
    """What the cells of a column of text read as.

    Attributes
    ----------
    numbers : ndarray of shape (n_rows,)
        NaN where a cell does not read, marks such as "%" or a decimal comma put aside.
    odd, marked : ndarray of int
        Positions of the cells that do not read, and of those that do only without their marks.
    nearly : bool
        Whether most cells read.
    dates : ndarray of int
        Positions of the dates and times, where most cells are some; else none.
    """

    numbers: np.ndarray
    odd: np.ndarray
    marked: np.ndarray
    nearly: bool
    dates: np.ndarray


def read_cells(column: pd.Series) -> CellReading:
    """Read a column of text, without gaps, as numbers."""
    codes, levels = pd.factorize(column.astype(str).to_numpy(dtype=object))
    numbers = texts.read_numbers(levels)
    kinds = texts.kinds_of(levels, ~np.isnan(numbers), np.bincount(codes))
    for i in np.flatnonzero(kinds.marked):
        numbers[i] = texts.without_marks(levels[i])
    known = ~np.isnan(numbers)
    odd = np.flatnonzero(~known[codes])
    marked = np.flatnonzero((kinds.marked & known)[codes])
    dates = np.flatnonzero(kinds.dated[codes])
    if len(dates) < NEARLY * len(column) or kinds.dated.sum() < FEW_NUMBERS:
        dates = dates[:0]
    return CellReading(
        numbers[codes], odd, marked, known[codes].sum() >= NEARLY * len(column), dates
    )


def shown(column: pd.Series, position: int) -> str:
    """A cell and its row; the index has the numbers of the rows as they were given, from 0."""
    cell = texts.shown(str(column.iloc[position]))
    return f"{cell} in row {column.index[position] + 1} (the first is 1)"


def in_the_way(column: pd.Series) -> str:
    """The cell, and its row, that keeps a target from being one of numbers, or else the first."""
    reading = read_cells(column)
    return shown(column, int([*reading.odd, *reading.marked, 0][0]))


def why_text(y: pd.Series, reading: CellReading) -> str:
    """What makes text of a target of numbers."""
    if len(reading.odd):
        found = f"all but {len(reading.odd)} of {len(y)} cells do, not {shown(y, reading.odd[0])}"
        return found if not len(reading.marked) else f"{found}, once marks are removed"
    if len(reading.marked):
        return f"they have marks, such as {shown(y, reading.marked[0])}"
    return f"such as {shown(y, 0)}"
