"""What stands between the columns of a file that has no commas there."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from typing import TextIO

_OTHERS = ";\t|"
ADVICE = "save it with commas between the columns, and points in the numbers"


def first_rows(opened: Callable[[], TextIO]) -> tuple[list[str], list[str]]:
    """The header and the first row of a file, as fields between commas."""
    return _first_rows(opened, ",")


def separator_of(opened: Callable[[], TextIO]) -> str | None:
    """The mark that stands between the columns in place of commas, if there is one.

    It cuts the header and the first row alike (a row may begin with its name, or end with the
    mark), where commas make a single name, or more cells than names, as decimal commas do.
    """
    header, first = first_rows(opened)
    if len(header) != 1 and len(first) <= len(header):
        return None
    for mark in _OTHERS:
        names, cells = _first_rows(opened, mark)
        if len(names) > 1 and len(cells) - len(names) in (0, 1):
            return mark
    return None


def separator_beside(column: str, names: Iterable[str]) -> str | None:
    """The mark that stands between the columns, if a column is found by it in the joined names."""
    joined = ",".join(names)
    for mark in _OTHERS:
        parts = joined.split(mark)
        if len(parts) > 1 and column in [part.strip().strip('"') for part in parts]:
            return mark
    return None


def _first_rows(opened: Callable[[], TextIO], mark: str) -> tuple[list[str], list[str]]:
    with opened() as file:
        reader = csv.reader(file, delimiter=mark)
        return next(reader, []), next(reader, [])
