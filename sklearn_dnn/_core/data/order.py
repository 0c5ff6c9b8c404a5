"""Quantiles of weighted numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

# Sums of weights that differ by less, as a share of the whole, are the same.
_ROUNDING = 1e-12
# Ranks stay so far from 0 and 1, whose normal numbers are not finite.
LEAST_RANK = 1e-9


def quantiles(
    values: np.ndarray, weight: np.ndarray | None, at: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Quantiles, so that a weight of 2 is the same as the number given twice.

    The averaged inverse of the distribution function, which NumPy calls
    ``method="averaged_inverted_cdf"``; its median is the usual one.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite.
    weight : ndarray of shape (n,) or None
        Positive.
    at : array-like of shape (k,)
        In [0, 1].

    Returns
    -------
    ndarray of float64, shape (k,)
    """
    order = np.argsort(values, kind="stable")
    ranked = values[order].astype(np.float64)
    weight = np.ones(len(values)) if weight is None else weight[order]
    reached = np.cumsum(weight, dtype=np.float64)
    wanted = np.asarray(at, dtype=np.float64) * reached[-1]
    rounding = _ROUNDING * reached[-1]
    last = len(values) - 1
    low = np.minimum(np.searchsorted(reached, wanted - rounding, side="left"), last)
    high = np.minimum(np.searchsorted(reached, wanted + rounding, side="right"), last)
    return 0.5 * ranked[low] + 0.5 * ranked[high]


def normal_scores(
    values: np.ndarray, weight: np.ndarray | None, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Distinct numbers, and the normal number whose rank is the middle of theirs.

    Equal numbers share the middle of their ranks: a mass of them at an end is no outlier.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite.
    weight : ndarray of shape (n,) or None
        Positive.
    most : int
        Knots at most; of more distinct numbers some are kept, at equal steps of rank.

    Returns
    -------
    knots, scores : ndarray of float64, shape (k,)
    """
    knots, which = np.unique(values, return_inverse=True)
    count = np.bincount(which, weight).astype(np.float64)
    upto = np.cumsum(count)
    # a number of hardly any weight at an end is no further out than the last of very many
    rank = np.clip((upto - 0.5 * count) / upto[-1], LEAST_RANK, 1 - LEAST_RANK)
    if len(knots) > most:
        inner = np.searchsorted(rank, np.linspace(0, 1, most)[1:-1])
        # a mass at the upper end has the middle of its ranks, which may lie below the last steps
        keep = np.unique([0, *np.minimum(inner, len(knots) - 1), len(knots) - 1])
        knots, rank = knots[keep], rank[keep]
    return knots.astype(np.float64), ndtri(rank)


def medians(table: np.ndarray) -> np.ndarray:
    """Medians of the columns of a table (n, q) of finite numbers.

    NumPy's own looks for two numbers and for gaps, which takes ten times as long.
    """
    columns = np.array(table.T, order="C")
    half = columns.shape[1] // 2
    columns.partition(half, axis=1)
    above = columns[:, half].astype(np.float64)
    if columns.shape[1] % 2:
        return above
    return 0.5 * columns[:, :half].max(axis=1).astype(np.float64) + 0.5 * above


def steps(n: int, most: int) -> slice | np.ndarray:
    """All of `n` positions, or `most` of them at equal steps."""
    if n <= most:
        return slice(None)
    return (np.arange(most) * (n / most)).astype(np.int64)
