"""Tables as the network reads them: rows of standardised numbers.

A table that is small, or that fits on the GPU, is encoded once and kept as one tensor.
Any other table stays where it is (an array, a read-only memory map, a CSR matrix) and is
gathered, made dense and encoded batch by batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from copy import copy

import numpy as np
import torch
from torch import Tensor

from ..._compat import from_numpy
from ..._devices import free_memory, kind_of
from .scaling import CHUNK_BYTES, Scaling, Table, is_sparse

# Bytes of a standardised copy that are cheaper to hold than to gather again and again.
RESIDENT_BYTES = 64 * 2**20


class Encoding(ABC):
    """Turns rows of a table into rows of network inputs.

    Attributes
    ----------
    dtype : torch.dtype
        Of the result.
    device : str
    by_member : bool
        Whether members of a stack have numbers of their own.
    """

    dtype: torch.dtype
    device: str
    by_member: bool

    @abstractmethod
    def width(self, n_raw: int) -> int:
        """Columns of the network's input, for a table of `n_raw` columns."""

    @abstractmethod
    def select(self, members: Sequence[int]) -> Encoding:
        """The same for some of the members."""

    @abstractmethod
    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """Rows in the network's type and place.

        Parameters
        ----------
        x : Tensor of shape (b, p), or (m, b, p) where members differ
        out : Tensor of the shape and type of `x`, default=None
            Memory to work in, `x` itself if it may be lost: for large pieces, taking new
            memory costs as much time as the arithmetic.
        """


class Standardiser(Encoding):
    """Brings numbers without gaps to mean 0 and standard deviation 1, or leaves them.

    Parameters
    ----------
    scaling : Scaling, list of Scaling, or None
        None passes the numbers through. A list has one a member of a stack, whose inputs
        then have a leading axis m.
    dtype : torch.dtype
        Of the result. Standardisation itself is done in the table's own type.
    device : str
    """

    def __init__(
        self, scaling: Scaling | list[Scaling] | None, dtype: torch.dtype, device: str
    ) -> None:
        self.scaling = scaling
        self.dtype = dtype
        self.device = device
        self.by_member = isinstance(scaling, list)
        self._columns: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def width(self, n_raw: int) -> int:
        """As many as the table has."""
        return n_raw

    def select(self, members: Sequence[int]) -> Standardiser:
        """The same for some of the members."""
        if not isinstance(self.scaling, list):
            return self
        return Standardiser([self.scaling[i] for i in members], self.dtype, self.device)

    def __call__(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """``(x - mean) / scale`` in the network's type and place."""
        if self.scaling is not None:
            mean, factor = self._in(x.dtype, x.device)
            x = torch.sub(x, mean, out=out).mul_(factor)
        if x.dtype == self.dtype and self.device == "cpu":
            return x
        return x.to(device=self.device, dtype=self.dtype)

    def _in(self, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
        found = self._columns.get((dtype, device))
        if found is None:
            assert self.scaling is not None
            if not isinstance(self.scaling, list):
                mean, scale = self.scaling
            elif len(self.scaling) == 1:
                ((mean, scale),) = self.scaling
            else:  # m times (p,) -> (m, 1, p)
                mean = np.stack([s.mean for s in self.scaling])[:, None]
                scale = np.stack([s.scale for s in self.scaling])[:, None]
            numpy_type = np.float32 if dtype == torch.float32 else np.float64
            found = self._columns[dtype, device] = (
                torch.from_numpy(mean.astype(numpy_type)).to(device),
                torch.from_numpy((1.0 / scale).astype(numpy_type)).to(device),
            )
        return found


class Features:
    """Rows of network inputs by index.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p), float32 or float64
    encoding : Encoding
        Where members of a stack have means and scales of their own, what is resident is the
        table as it is, for all of them.

    Attributes
    ----------
    width : int
        Columns of the network's input.
    """

    def __init__(self, X: Table, encoding: Encoding) -> None:
        self.X = X
        self.encoding = encoding
        self.width = encoding.width(X.shape[1])
        self.resident: Tensor | None = None
        self._buffer = np.empty((0, X.shape[1]), dtype=X.dtype)
        if self._fits():
            self.resident = self._filled()

    def select(self, members: Sequence[int]) -> Features:
        """The same table for some of the members."""
        if not self.encoding.by_member:
            return self
        twin = copy(self)
        twin.encoding = self.encoding.select(members)
        return twin

    def _filled(self) -> Tensor:
        """The whole table, encoded where it is to stay a piece at a time."""
        n, p = self.X.shape
        raw = self.encoding.by_member
        if raw and not is_sparse(self.X) and self.X.flags.c_contiguous:
            return from_numpy(self.X).to(self.encoding.device)
        own = torch.float32 if self.X.dtype == np.float32 else torch.float64
        dtype = own if raw else self.encoding.dtype
        resident = torch.empty(n, self.width, dtype=dtype, device=self.encoding.device)
        step = max(1, CHUNK_BYTES // max(1, p * self.X.dtype.itemsize))
        for start in range(0, n, step):
            x = self._read(np.arange(start, min(n, start + step)))
            resident[start : start + step] = x if raw else self.encoding(x, out=x)
        self._buffer = np.empty((0, p), dtype=self.X.dtype)
        return resident

    def _fits(self) -> bool:
        needed = self.X.shape[0] * self.width * self.encoding.dtype.itemsize
        share = kind_of(self.encoding.device).resident_share
        if share is None:
            return needed <= RESIDENT_BYTES
        return needed <= share * free_memory(self.encoding.device)

    def _read(self, index: np.ndarray) -> Tensor:
        """A copy of rows in the table's own type, in a buffer that the next call reuses."""
        if is_sparse(self.X):
            return torch.from_numpy(self.X[index].toarray())
        if len(index) > len(self._buffer):
            self._buffer = np.empty((len(index), self.X.shape[1]), dtype=self.X.dtype)
        out = self._buffer[: len(index)]
        if self.X.flags.c_contiguous:
            # mode="clip" writes straight to `out`; indices are always within the table
            np.take(self.X, index, axis=0, out=out, mode="clip")
        else:
            out[...] = self.X[index]  # np.take would copy the whole table into C order first
        return torch.from_numpy(out)

    def rows(self, index: Tensor) -> Tensor:
        """Inputs of the rows in `index`, of its shape with an axis of columns behind.

        They may lie in memory that the next call uses again.
        """
        flat = index.reshape(-1)
        if self.resident is not None:
            x = self.resident.index_select(0, flat.to(self.resident.device))
        else:
            x = self._read(flat.numpy())
        if self.encoding.by_member:
            x = x.view(*index.shape, -1)
            return self.encoding(x, out=x)
        if self.resident is None:
            x = self.encoding(x, out=x)
        return x.view(*index.shape, -1)
