"""Where a table's rows lie: the seam for tables that memory does not hold.

What measures columns asks a source for blocks, and what trains and predicts for rows by their
numbers; nothing else of the loop touches a table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeGuard

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from ..._compat import from_numpy

# Bytes of a table that are read at a time where it can't be held.
CHUNK_BYTES = 8 * 2**20

Table: TypeAlias = np.ndarray | sp.csr_matrix | sp.csr_array

# SciPy tells checkers of types nothing: what this is true of is no ndarray to them
is_sparse: Callable[[object], TypeGuard[Any]] = sp.issparse


class Source(ABC):
    """Rows of numbers, wherever they lie.

    Attributes
    ----------
    n_rows, n_columns : int
    dtype : numpy.dtype
        float32 or float64.
    """

    n_rows: int
    n_columns: int
    dtype: np.dtype

    @abstractmethod
    def rows(self, index: np.ndarray) -> Tensor:
        """A dense copy of some rows, by their numbers, in memory that the next call may reuse."""

    @abstractmethod
    def blocks(
        self, rows: np.ndarray | None, fill: np.ndarray | None, columns: np.ndarray | None = None
    ) -> Iterator[tuple[Any, Table]]:
        """Rows a block at a time, in their order, and which they are.

        Parameters
        ----------
        rows : ndarray of int or None
            None for all.
        fill : ndarray of shape (p,) or None
            What stands for NaN in each column; None leaves it.
        columns : ndarray of int or None
            None for all.
        """

    def whole(self) -> Tensor | None:
        """The table without a copy, where it is one piece of memory; else None."""
        return None

    @abstractmethod
    def let_go(self) -> None:
        """Give back the memory that :meth:`rows` reuses."""

    def _parts(self, rows: np.ndarray | None) -> Iterator[Any]:
        """Rows of each block."""
        n = self.n_rows if rows is None else len(rows)
        step = max(1, CHUNK_BYTES // (8 * max(1, self.n_columns)))
        for start in range(0, n, step):
            yield slice(start, start + step) if rows is None else rows[start : start + step]


def source_of(X: Table) -> Source:
    """What reads a table: an array, a memory map, or a CSR matrix."""
    return SparseRows(X) if is_sparse(X) else DenseRows(X)


class DenseRows(Source):
    """Rows of an array, which may be a read-only memory map."""

    def __init__(self, X: np.ndarray) -> None:
        self.X = X
        (self.n_rows, self.n_columns), self.dtype = X.shape, X.dtype
        self._buffer = np.empty((0, self.n_columns), dtype=self.dtype)

    def rows(self, index: np.ndarray) -> Tensor:
        if len(index) > len(self._buffer):
            self._buffer = np.empty((len(index), self.n_columns), dtype=self.dtype)
        out = self._buffer[: len(index)]
        if self.X.flags.c_contiguous:
            # mode="clip" writes straight to `out`; indices are always within the table
            np.take(self.X, index, axis=0, out=out, mode="clip")
        else:
            out[...] = self.X[index]  # np.take would copy the whole table into C order first
        return torch.from_numpy(out)

    def blocks(
        self, rows: np.ndarray | None, fill: np.ndarray | None, columns: np.ndarray | None = None
    ) -> Iterator[tuple[Any, Table]]:
        for part in self._parts(rows):
            block = np.ascontiguousarray(self.X[part])  # sums depend on the order in memory
            block = block if fill is None else np.where(np.isnan(block), fill, block)
            yield part, block if columns is None else block[:, columns]

    def whole(self) -> Tensor | None:
        return from_numpy(self.X) if self.X.flags.c_contiguous else None

    def let_go(self) -> None:
        self._buffer = np.empty((0, self.n_columns), dtype=self.dtype)


class SparseRows(Source):
    """Rows of a CSR matrix, in which nothing is a gap."""

    def __init__(self, X: Any) -> None:
        self.X = X
        (self.n_rows, self.n_columns), self.dtype = X.shape, X.dtype

    def rows(self, index: np.ndarray) -> Tensor:
        return torch.from_numpy(self.X[index].toarray())

    def blocks(
        self, rows: np.ndarray | None, fill: np.ndarray | None, columns: np.ndarray | None = None
    ) -> Iterator[tuple[Any, Table]]:
        for part in self._parts(rows):
            block = self.X[part]
            if not block.has_canonical_format:
                block = block.copy()  # it may be X itself
                block.sum_duplicates()
            yield part, block if columns is None else block[:, columns]

    def let_go(self) -> None:
        """There is none: each call makes rows of its own."""
