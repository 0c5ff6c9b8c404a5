"""A table with its targets and weights, once they are checked."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ..data.source import Table
from .tables import Reading


@dataclass(frozen=True)
class Given:
    """A table with its targets and weights.

    Attributes
    ----------
    X : ndarray or CSR matrix of shape (n, p), float32 or float64
        Categories are the codes of their levels, and gaps NaN.
    y : ndarray of shape (n,) or (n, k)
    weight : ndarray of shape (n,) or None
        Not negative, and not all zero.
    difficulty : ndarray of shape (n,) or None
        How hard each row is, in any unit.
    only : ndarray of int or None
        The rows that were given, where the table has more; None for all.
    reading : Reading or None
        How the raw table was read; None where all columns are numbers.
    gappy : bool
        Whether the table has gaps.
    names : ndarray of str or None
        Of the columns.
    unread : tuple of int
        Columns of numbers with gaps for cells of text that do not read, which was told.
    versions : dict
        The table again for each choice of columns of text that are numbers, by their positions;
        shared by all that are made of this.
    """

    X: Table
    y: np.ndarray
    weight: np.ndarray | None
    difficulty: np.ndarray | None = None
    only: np.ndarray | None = None
    reading: Reading | None = None
    gappy: bool = False
    names: np.ndarray | None = None
    unread: tuple[int, ...] = ()
    versions: dict[tuple[int, ...], Table] = field(default_factory=dict)

    def raw(self, rows: np.ndarray) -> Table:
        """Rows with levels in place of their codes, as the user gave them."""
        X = self.X[rows]
        return X if self.reading is None else self.reading.decoded(X)

    @property
    def rows(self) -> np.ndarray:
        """Positions of the rows that count: a weight of zero is an absent row."""
        if self.only is not None:
            return self.only if self.weight is None else self.only[self.weight[self.only] > 0]
        if self.weight is None:
            return np.arange(self.X.shape[0])
        return np.flatnonzero(self.weight)
