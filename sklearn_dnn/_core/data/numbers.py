"""Targets that are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .codec import Codec

# Targets whose size lies between these keep all digits of float32, also a few times as far out.
FLOAT32_RANGE = (1e-30, 1e30)
# The step from one float32 number to the next as a share of it, and what that step may be of a
# target's deviation: a share of 1e-4 costs 1e-9 of R2.
FLOAT32_STEP, FLOAT32_SHARE = float(np.finfo(np.float32).eps), 1e-4


class RegressionCodec(Codec):
    """Real targets, standardised or as they are.

    Parameters
    ----------
    mean, scale : ndarray of shape (k,)
        The network learns ``(y - mean) / scale``.
    one_column : bool
        True if `y` had one axis, and predictions get one.
    bounds : tuple of float
        What predictions stay within, rounding included.
    """

    kind = "regression"
    is_numeric = True

    def __init__(
        self,
        mean: np.ndarray,
        scale: np.ndarray,
        one_column: bool,
        bounds: tuple[float, float] = (-np.inf, np.inf),
    ) -> None:
        self.mean = mean
        self.scale = scale
        self.one_column = one_column
        self.bounds = bounds
        self.n_outputs = len(mean)

    @classmethod
    def unscaled(cls, y: np.ndarray) -> RegressionCodec:
        """The codec of targets taken as they are."""
        k = 1 if y.ndim == 1 else y.shape[1]
        return cls(np.zeros(k), np.ones(k), y.ndim == 1)

    @classmethod
    def read(cls, attributes: Mapping[str, Any]) -> RegressionCodec:
        reach = attributes["spec_"]["output_range"]
        return cls(
            attributes["target_mean_"],
            attributes["target_scale_"],
            attributes["target_is_column_"],
            cls.bounds if reach is None else (reach[0], reach[1]),
        )

    def attributes(self, temperature: float) -> dict[str, Any]:
        return {
            "target_mean_": self.mean,
            "target_scale_": self.scale,
            "target_is_column_": self.one_column,
        }

    def in_units_of(
        self,
        y: np.ndarray,
        weight: np.ndarray | None,
        *,
        standardised: bool,
        bounds: tuple[float, float] | None,
        reach: tuple[float, float],
    ) -> RegressionCodec:
        codec = self.fitted(y, weight) if standardised else self
        return codec if bounds is None else codec.within(bounds, reach)

    def strata(self, y: np.ndarray) -> None:
        return None

    def suits_float32(self, y: np.ndarray) -> bool:
        return suits_float32(y)

    def fitted(self, y: np.ndarray, weight: np.ndarray | None) -> RegressionCodec:
        """A codec that standardises by these rows' weighted mean and deviation."""
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        # as shares of a power of two: squares of very small numbers would be 0
        unit = np.ldexp(1.0, np.minimum(np.frexp(np.max(np.abs(y), axis=0))[1], 1000))
        y = y / unit
        mean = np.average(y, axis=0, weights=weight)
        deviation = np.sqrt(np.average((y - mean) ** 2, axis=0, weights=weight))
        # a constant column has a deviation of rounding errors
        constant = deviation <= 10 * np.finfo(np.float64).eps * np.abs(mean)
        scale = np.where(constant, 1.0, deviation * unit)
        return RegressionCodec(mean * unit, scale, self.one_column)

    def within(self, bounds: tuple[float, float], reach: tuple[float, float]) -> RegressionCodec:
        """A codec of targets within `bounds`, for a link that gives numbers within `reach`.

        Between two bounds the network learns on the scale of the link; beside a single one the
        distance from it is divided by the targets' deviation, so that a bound of zero stays zero.
        """
        if np.isfinite(bounds).all():
            scale = (bounds[1] - bounds[0]) / (reach[1] - reach[0])
            mean = np.full(self.n_outputs, bounds[0] - reach[0] * scale)
            return RegressionCodec(mean, np.full_like(mean, scale), self.one_column, bounds)
        bound = bounds[0] if np.isfinite(bounds[0]) else bounds[1]
        return RegressionCodec(bound * (1 - self.scale), self.scale, self.one_column, bounds)

    def encode(self, y: np.ndarray, dtype: torch.dtype) -> Tensor:
        y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
        return torch.from_numpy((y - self.mean) / self.scale).to(dtype)

    # Units are float64, so that an offset loses nothing; results have the predictions' own type.

    def decode(self, prediction: np.ndarray) -> np.ndarray:
        y = prediction * self.scale
        y += self.mean
        y = self._rounded(y, prediction.dtype)
        return y[:, 0] if self.one_column else y

    def _rounded(self, y: np.ndarray, dtype: np.dtype) -> np.ndarray:
        """Numbers in a type, without what rounding put beyond the bounds."""
        y = y.astype(dtype, copy=False)
        if self.bounds != (-np.inf, np.inf):
            np.clip(y, *_inside(self.bounds, dtype), out=y)
        return y

    def decode_deviation(self, deviation: np.ndarray) -> np.ndarray:
        """Standard deviations of the network's predictions, ``(n, k)``, in the user's units."""
        y = (deviation * self.scale).astype(deviation.dtype, copy=False)
        return y[:, 0] if self.one_column else y

    def decode_quantiles(self, quantiles: np.ndarray) -> np.ndarray:
        """Quantiles ``(n, k, q)`` in the user's units; ``(n, q)`` for one column."""
        y = quantiles * self.scale[:, None] + self.mean[:, None]
        y = self._rounded(y, quantiles.dtype)
        return y[:, 0] if self.one_column else y

    def units(self) -> tuple[np.ndarray, np.ndarray]:
        return self.mean, self.scale

    def score(self, prediction: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
        """Coefficient of determination, averaged over outputs (the same in any units)."""
        w = 1.0 if weight is None else weight.unsqueeze(-1)
        total = target.shape[-2] if weight is None else weight.sum(-1)[..., None, None]
        mean = (w * target).sum(-2, keepdim=True) / total
        residual = (w * (target - prediction).square()).sum(-2)
        spread = (w * (target - mean).square()).sum(-2)
        r2 = 1 - residual / spread
        # scikit-learn's convention for a target without spread
        flat = torch.where(residual == 0, 1.0, 0.0).to(r2)
        return torch.where(spread == 0, flat, r2).mean(-1)


def suits_float32(y: np.ndarray) -> bool:
    """Whether float32 tells numbers apart, so that predictions of them may be float32.

    Its steps at the largest number of each column must be small beside the column's deviation,
    and no number may lie near the ends of what it reaches.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, k)
        Targets of rows that train.
    """
    y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    largest = np.max(np.abs(y), axis=0)
    if np.any((largest > FLOAT32_RANGE[1]) | ((largest < FLOAT32_RANGE[0]) & (largest > 0))):
        return False
    told_apart = largest * FLOAT32_STEP <= FLOAT32_SHARE * np.std(y, axis=0)
    exact = np.ptp(y, axis=0) == 0
    exact &= y[0] == y[0].astype(np.float32)
    return bool(np.all(told_apart | exact))


def _inside(bounds: tuple[float, float], dtype: np.dtype) -> tuple[Any, Any]:
    """The outermost numbers of a type that lie within bounds."""
    low, high = (np.asarray(bound, dtype=dtype) for bound in bounds)
    if float(low) < bounds[0]:
        low = np.nextafter(low, np.asarray(np.inf, dtype))
    if float(high) > bounds[1]:
        high = np.nextafter(high, np.asarray(-np.inf, dtype))
    return low, high
