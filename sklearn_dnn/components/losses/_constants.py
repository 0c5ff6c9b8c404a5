"""The constant that a loss is best at: sums over rows, and searches where no formula exists.

All results are float64. A `weight` is that of rows, of shape (n,), or of rows and targets, of
shape (n, t), or None for ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

# Halvings of a bracket: to 1e-15 of its width.
HALVINGS = 50


def weighted_mean(target: Tensor, weight: Tensor | None) -> Tensor:
    """Mean over rows, ``(n, t) -> (t,)``."""
    target = target.double()
    if weight is None:
        return target.mean(0)
    weight = _by_target(target, weight)
    return (weight * target).sum(0) / weight.sum(0)


def weighted_quantile(target: Tensor, weight: Tensor | None, level: float) -> Tensor:
    """Quantile over rows, ``(n, t) -> (t,)``.

    Where all numbers between two rows are quantiles, it is the middle of the two, as NumPy's
    ``averaged_inverted_cdf``; at level 0.5 the usual median.
    """
    values, order = target.double().sort(0)
    weight = torch.ones_like(values) if weight is None else _by_target(values, weight)
    reached = weight.expand_as(values).gather(0, order).cumsum(0)
    wanted = level * reached[-1]
    slack = 1e-12 * reached[-1]  # of the rounding in the sum
    last = len(values) - 1
    lower = (reached < wanted - slack).sum(0, keepdim=True).clamp(max=last)
    upper = (reached <= wanted + slack).sum(0, keepdim=True).clamp(max=last)
    return (values.gather(0, lower) + values.gather(0, upper))[0] / 2


def class_shares(target: Tensor, weight: Tensor | None, n_classes: int) -> Tensor:
    """Shares of classes, ``(n,)`` indices or ``(n, k)`` distributions ``-> (k,)``."""
    if target.is_floating_point():
        return weighted_mean(target, weight)
    weight = None if weight is None else weight.double()
    counts = torch.bincount(target, weight, minlength=n_classes).double()
    return counts / counts.sum()


def possible(shares: Tensor, n_rows: int) -> Tensor:
    """Shares whose logarithm is finite: nothing counts as half a row, all as all but that."""
    half = 0.5 / n_rows
    shares = torch.where(shares <= 0, half, shares)
    return torch.where(shares >= 1, 1 - half, shares)


def log_mean(target: Tensor, weight: Tensor | None) -> Tensor:
    """Logarithm of the mean over rows; rows that are all 0 have the mean of half a count."""
    mean = weighted_mean(target, weight)
    return torch.where(mean <= 0, 0.5 / len(target), mean).log()


def inverse_softplus(value: Tensor) -> Tensor:
    """z with log(1 + exp(z)) = value, for a positive `value`."""
    return value + torch.log(-torch.expm1(-value))


def flat_point(slope: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Where a rising slope crosses zero between `low` and `high`, by bisection.

    Where it is zero over an interval, the middle of the interval.

    Parameters
    ----------
    slope : callable
        Tensor of the shape of `low` to the same; each number by itself.
    low, high : Tensor
        Ends of the brackets, in float64.
    """
    edges = []
    for is_below in (torch.lt, torch.le):
        start, end = low, high
        for _ in range(HALVINGS):
            middle = (start + end) / 2
            below = is_below(slope(middle), 0)
            start, end = torch.where(below, middle, start), torch.where(below, end, middle)
        edges.append((start + end) / 2)
    return (edges[0] + edges[1]) / 2


def minimum(function: Callable[[Tensor], Tensor], start: Tensor) -> Tensor:
    """The vector at which a function is smallest, searched from `start` of shape (k,).

    BFGS with derivatives by autograd, in float64; where that cannot end, as at a kink, Powell's
    search without derivatives goes on from there.
    """

    def with_slope(at: np.ndarray) -> tuple[float, np.ndarray]:
        with torch.enable_grad():
            point = torch.tensor(at, dtype=torch.float64, device=start.device, requires_grad=True)
            value = function(point)
            (slope,) = torch.autograd.grad(value, point)
        number = float(value.detach())
        finite = np.nan_to_num(slope.cpu().numpy(), posinf=0.0, neginf=0.0)
        return (np.inf if math.isnan(number) else number), finite

    first = start.double().cpu().numpy()
    with np.errstate(all="ignore"):
        found = minimize(with_slope, first, jac=True, method="BFGS", options={"gtol": 1e-9})
        if not found.success:
            found = minimize(
                lambda at: with_slope(at)[0],
                found.x,
                method="Powell",
                options={"xtol": 1e-9, "ftol": 1e-14},
            )
    best = found.x if with_slope(found.x)[0] <= with_slope(first)[0] else first
    return torch.tensor(best, dtype=torch.float64, device=start.device)


def _by_target(target: Tensor, weight: Tensor) -> Tensor:
    weight = weight.to(target)
    return weight.unsqueeze(-1) if weight.dim() == 1 else weight
