"""Means and scales of a table's columns, measured a piece at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeGuard

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import StandardScaler

# Bytes of a table that are read at a time where it can't be held.
CHUNK_BYTES = 8 * 2**20

# Below both, a variance may be 0 because squares are too small for float64.
LEAST_VARIANCE, LEAST_MEAN = 1e-280, 1e-100
# A spread of so many of the steps between numbers of a type is one of rounding.
DIGITS = 100

Table: TypeAlias = np.ndarray | sp.csr_matrix | sp.csr_array

# SciPy tells checkers of types nothing: what this is true of is no ndarray to them
is_sparse: Callable[[object], TypeGuard[Any]] = sp.issparse


class Scaling(NamedTuple):
    """Column means and scales, float64 of shape (p,); columns without spread have scale 1."""

    mean: np.ndarray
    scale: np.ndarray


def has_gaps(X: Table) -> bool:
    """Whether a table of finite numbers and NaN has any NaN; a sparse one can't."""
    if is_sparse(X) or X.size == 0:
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
        least, most = chunk.min(axis=0), chunk.max(axis=0)
        if is_sparse(chunk):
            least, most = least.toarray().ravel(), most.toarray().ravel()
        low, high = np.fmin(low, least), np.fmax(high, most)
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
    scaler = StandardScaler(with_mean=not is_sparse(X))
    for part, chunk in _chunks(X, rows, fill, columns):
        if factor is None:
            read = chunk
        else:
            read = chunk.multiply(factor).tocsr() if is_sparse(chunk) else chunk * factor
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
        np.maximum(peak, largest.toarray().ravel() if is_sparse(largest) else largest, out=peak)
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
        if is_sparse(chunk):
            if not chunk.has_canonical_format:
                chunk = chunk.copy()  # it may be X itself
                chunk.sum_duplicates()
        else:
            chunk = np.ascontiguousarray(chunk)  # sums depend on the order in memory
            chunk = chunk if fill is None else np.where(np.isnan(chunk), fill, chunk)
        yield part, chunk if columns is None else chunk[:, columns]
