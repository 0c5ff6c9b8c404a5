"""Tables as the network reads them: rows of standardised numbers.

A table that is small, or that fits on the GPU, is encoded once and kept as one tensor.
Any other table stays where it is (an array, a read-only memory map, a CSR matrix) and is
gathered, made dense and encoded batch by batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from ..._compat import from_numpy
from ..._devices import free_memory, kind_of

# Bytes of a standardised copy that are cheaper to hold than to gather again and again.
RESIDENT_BYTES = 64 * 2**20
# Bytes of a table that are read at a time where it can't be held.
CHUNK_BYTES = 8 * 2**20

# Below both, a variance may be 0 because squares are too small for float64.
LEAST_VARIANCE, LEAST_MEAN = 1e-280, 1e-100
# A spread of so many of the steps between numbers of a type is one of rounding.
DIGITS = 100

Table = np.ndarray | sp.csr_matrix | sp.csr_array


class Scaling(NamedTuple):
    """Column means and scales, float64 of shape (p,); columns without spread have scale 1."""

    mean: np.ndarray
    scale: np.ndarray


def has_gaps(X: Table) -> bool:
    """Whether a table of finite numbers and NaN has any NaN; a sparse one can't."""
    if sp.issparse(X) or X.size == 0:
        return False
    return bool(np.isnan(np.min(X)))


def fit_scaling(
    X: Table,
    rows: np.ndarray | None,
    sample_weight: np.ndarray | None,
    fill: np.ndarray | None = None,
) -> Scaling:
    """Weighted means and standard deviations of the rows to train on, without a copy of X.

    Means are numbers of X's own type, so that ``x - mean`` is the same in a wider one. Columns
    whose squares leave the range of float64 are measured as shares of their largest number.

    Parameters
    ----------
    X : array or CSR matrix of shape (n, p)
    rows : ndarray of int or None
        The rows to take; None for all.
    sample_weight : ndarray of shape (n,) or None
    fill : ndarray of shape (p,) or None
        What stands for NaN in each column; without it they do not count.
    """
    sample_weight = _near_one(sample_weight)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, variance, scale = _moments(X, rows, sample_weight, fill)
    small = (variance < LEAST_VARIANCE) & (np.abs(mean) < LEAST_MEAN)
    far = np.flatnonzero(small | ~np.isfinite(variance))
    if len(far):
        peak = _peaks(X, rows, fill, far)
        far, peak = far[(peak > 0) & np.isfinite(peak)], peak[(peak > 0) & np.isfinite(peak)]
    if len(far):
        factor = np.ldexp(1.0, -np.clip(np.frexp(peak)[1], -1000, 1000))
        with np.errstate(invalid="ignore"):  # a variance of 0 may be rounded to less
            own_mean, own_variance, own_scale = _moments(X, rows, sample_weight, fill, far, factor)
            own_variance = np.maximum(own_variance, 0.0)
        constant = own_scale != np.sqrt(own_variance)  # what scikit-learn has put at 1
        mean[far] = own_mean / factor
        scale[far] = np.where(constant, 1.0, own_scale / factor)
    _center_constants(X, rows, fill, mean, scale)
    least = 4 * np.finfo(X.dtype).tiny  # whose inverse is finite
    return Scaling(mean.astype(X.dtype).astype(np.float64), np.maximum(scale, least))


def _center_constants(
    X: Table,
    rows: np.ndarray | None,
    fill: np.ndarray | None,
    mean: np.ndarray,
    scale: np.ndarray,
) -> None:
    """Let columns without spread become 0: a mean is rounded, by much where it is large.

    A spread of the last digits alone, which counts as none, becomes numbers within 1 of 0.
    """
    rounding = np.finfo(X.dtype).eps * np.abs(mean)
    flat = np.flatnonzero((mean != 0) & ((scale == 1.0) | (scale <= rounding)))
    if len(flat) == 0:
        return
    low, high = np.full(len(flat), np.inf), np.full(len(flat), -np.inf)
    for _, chunk in _chunks(X, rows, fill, flat):
        ends = (chunk.min(axis=0), chunk.max(axis=0))
        ends = [end.toarray().ravel() if sp.issparse(end) else end for end in ends]
        low, high = np.fmin(low, ends[0]), np.fmax(high, ends[1])
    constant = low == high
    mean[flat[constant]], scale[flat[constant]] = low[constant], 1.0
    spread = high - low
    digits = (spread > 1) & (spread <= DIGITS * rounding[flat])
    mean[flat[digits]], scale[flat[digits]] = (low + spread / 2)[digits], spread[digits]


def _near_one(sample_weight: np.ndarray | None) -> np.ndarray | None:
    """Weights times a power of two: scikit-learn takes their sum for a number of rows.

    A column would be constant to it where that is beyond the digits of float64.
    """
    if sample_weight is None or 1e-3 <= (largest := sample_weight.max(initial=0.0)) <= 1e3:
        return sample_weight
    return np.ldexp(sample_weight, -np.frexp(largest)[1])


def _moments(
    X: Table,
    rows: np.ndarray | None,
    sample_weight: np.ndarray | None,
    fill: np.ndarray | None,
    columns: np.ndarray | None = None,
    factor: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Means, variances and scales of all columns, or of some times a factor each."""
    scaler = StandardScaler(with_mean=not sp.issparse(X))
    for part, chunk in _chunks(X, rows, fill, columns):
        if factor is None:
            read = chunk
        else:
            read = chunk.multiply(factor).tocsr() if sp.issparse(chunk) else chunk * factor
        scaler.partial_fit(read, None, None if sample_weight is None else sample_weight[part])
    # A CSR chunk's means are computed for its variances, and kept.
    found = (scaler.mean_, scaler.var_, scaler.scale_)
    mean, variance, scale = (np.asarray(array, np.float64) for array in found)
    return mean, variance, scale


def _peaks(
    X: Table, rows: np.ndarray | None, fill: np.ndarray | None, columns: np.ndarray
) -> np.ndarray:
    """The largest absolute values of some columns."""
    peak = np.zeros(len(columns))
    for _, chunk in _chunks(X, rows, fill, columns):
        largest = abs(chunk).max(axis=0)
        np.maximum(peak, largest.toarray().ravel() if sp.issparse(largest) else largest, out=peak)
    return peak


def _chunks(
    X: Table, rows: np.ndarray | None, fill: np.ndarray | None, columns: np.ndarray | None = None
) -> Iterator[tuple[Any, Table]]:
    """Rows that train, a piece at a time, with what stands for NaN; and which they are."""
    n = X.shape[0] if rows is None else len(rows)
    step = max(1, CHUNK_BYTES // (8 * max(1, X.shape[1])))
    for start in range(0, n, step):
        part = slice(start, start + step) if rows is None else rows[start : start + step]
        chunk = X[part]
        if sp.issparse(chunk):
            if not chunk.has_canonical_format:
                chunk = chunk.copy()  # it may be X itself
                chunk.sum_duplicates()
        else:
            chunk = np.ascontiguousarray(chunk)  # sums depend on the order in memory
            chunk = chunk if fill is None else np.where(np.isnan(chunk), fill, chunk)
        yield part, chunk if columns is None else chunk[:, columns]


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
        if raw and not sp.issparse(self.X) and self.X.flags.c_contiguous:
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
        if sp.issparse(self.X):
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
