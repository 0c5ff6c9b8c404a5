"""What columns of text stand for, decided by the rows that train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..._warnings import warn
from ..data.scaling import Table
from ..data.texts import Verdict, told
from ..reading.inputs import Given
from ..reading.levels import look_up
from ..reading.raw_columns import Column
from ..reading.tables import Reading, refusal, tell_of_unread
from .session import Held

WAY_TO_KEEP = "name the columns in categorical_features, or give them the type category"


def decided(given: Given, held: Held | None, rows: np.ndarray) -> tuple[Given, Held | None]:
    """A table, and what judges, with their columns of text as numbers or as categories.

    Parameters
    ----------
    given : Given
    held : Held or None
    rows : ndarray of int
        Those of `given` that train.
    """
    reading = given.reading
    if reading is None or not reading.undecided:
        return given, held
    verdicts = _verdicts(given.X, reading, rows)
    for j, (kind, cell) in verdicts.items():
        if reading.of_array and kind == "names":
            raise refusal(cell, reading.names[j])
    for message in told(((reading.names[j], v) for j, v in verdicts.items()), WAY_TO_KEEP):
        warn(message)
    wanted = {"numbers", "nothing"} if reading.of_array else {"numbers"}
    numbers = tuple(j for j, verdict in verdicts.items() if verdict.kind in wanted)
    final = reading.with_numbers(numbers)
    if numbers not in given.versions:
        given.versions[numbers] = _with_numbers(given.X, reading, numbers)
    X = given.versions[numbers]
    gappy = given.gappy or _have_gaps(X, numbers)
    table = replace(given, X=X, gappy=gappy, reading=final)
    if held is None:
        return table, None
    unread = _unread(held.given, held.rows, numbers)
    tell_of_unread([(reading.names[j], cell) for j, cell in unread.items()])
    if held.inner:
        return table, replace(held, given=table)
    judging = replace(_like(final, held.given, numbers), unread=tuple(unread))
    return table, replace(held, given=judging)


def decided_by_all(X: Table, reading: Reading | None) -> tuple[Table, Reading | None]:
    """A table with its columns of text as all of its rows decide, without a word."""
    if reading is None or not reading.undecided:
        return X, reading
    numbers = [j for j, verdict in _verdicts(X, reading).items() if verdict.kind == "numbers"]
    return _with_numbers(X, reading, numbers), reading.with_numbers(numbers)


def _verdicts(X: Table, reading: Reading, rows: Any = slice(None)) -> dict[int, Verdict]:
    """What some rows say that the undecided columns stand for, by position."""
    found = {}
    for j, texts in reading.undecided.items():
        codes = X[rows, j]
        known = codes[~np.isnan(codes)].astype(np.int64)
        found[j] = texts.verdict(np.bincount(known, minlength=len(texts.levels)))
    return found


def _with_numbers(X: Table, reading: Reading, positions: Sequence[int]) -> Table:
    """A table with the numbers of some undecided columns in place of their codes."""
    if not positions:
        return X
    X = X.astype(np.float64)  # a copy
    for j in positions:
        known = ~np.isnan(X[:, j])
        X[known, j] = reading.undecided[j].numbers[X[known, j].astype(np.int64)]
    return X


def _have_gaps(X: Table, positions: Sequence[int]) -> bool:
    return any(bool(np.isnan(X[:, j]).any()) for j in positions)


def _like(final: Reading, given: Given, numbers: Sequence[int]) -> Given:
    """A validation set, whose columns of text have levels of their own, as the table is read."""
    assert given.reading is not None  # it has a column of text, as the table has
    X = _with_numbers(given.X, given.reading, numbers)
    gappy = given.gappy or _have_gaps(X, numbers)
    if X is given.X:
        X = X.copy()
    levels = dict(zip(np.flatnonzero(final.categorical), final.categories, strict=True))
    for j, texts in given.reading.undecided.items():
        if j in levels:
            codes = look_up(Column(final.names[j], texts.levels), levels[j])
            known = ~np.isnan(X[:, j])
            X[known, j] = codes[X[known, j].astype(np.int64)]
    return replace(given, X=X, gappy=gappy, reading=final)


def _unread(given: Given, rows: np.ndarray, positions: Sequence[int]) -> dict[int, Any]:
    """Cells of rows that judge which do not read as the numbers that train, one a column."""
    found = {}
    assert given.reading is not None
    for j in positions:
        codes = given.X[rows.ravel(), j]
        codes = np.unique(codes[~np.isnan(codes)]).astype(np.int64)
        texts = given.reading.undecided[j]
        for i in codes[np.isnan(texts.numbers[codes])][:1]:
            found[j] = texts.levels[i]
    return found
