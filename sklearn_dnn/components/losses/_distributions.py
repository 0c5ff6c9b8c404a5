"""Losses whose networks predict more of a target's distribution than its middle."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval
from ..base import computed
from ._base import LOSSES
from ._constants import inverse_softplus, weighted_mean, weighted_quantile
from ._elementwise import ElementwiseLoss


@LOSSES.register("quantile")
class Quantile(ElementwiseLoss):
    r"""Pinball loss: the network predicts one quantile or several.

    For a level :math:`q`, :math:`\max(q\,(y - \hat y), (q-1)(y - \hat y))`, summed over
    levels and targets; for one level scikit-learn's ``mean_pinball_loss``. At level 0.5 it is
    half the absolute error. The derivative at zero error is zero.

    Several quantiles never cross. A target then takes one raw output a level: the first is the
    lowest quantile, and each other adds :math:`\log(1 + e^z)` to the quantile below it. The
    point prediction is the quantile of level 0.5 where that is among the levels, else the
    middle one, of two the lower.

    The best constant is the quantiles of the targets. Increments are kept from 0, where they
    would no longer learn: at least a thousandth of the mean distance from the median.

    Parameters
    ----------
    quantile : float or sequence of float, default=0.5
        The level, or increasing levels, each between 0 and 1.

    References
    ----------
    R. Koenker, G. Bassett, "Regression quantiles", Econometrica 46 (1978).
    """

    has_gradient = True
    has_quantiles = True
    _parameter_constraints = {
        "quantile": [Interval(numbers.Real, 0, 1, closed="neither"), "array-like"]
    }

    def __init__(self, quantile: float | Sequence[float] = 0.5) -> None:
        self.quantile = quantile

    def _check(self) -> None:
        given: Any = self.quantile
        levels: Any = [given] if isinstance(given, numbers.Real) else given
        # a Real has no > to checkers of types
        good = all(isinstance(q, numbers.Real) and 0 < q < 1 for q in levels)  # type: ignore[operator]
        if not good or not len(levels) or any(a >= b for a, b in itertools.pairwise(levels)):
            raise ValueError(
                "The 'quantile' parameter of Quantile must be a number between 0 and 1 or an "
                f"increasing sequence of such numbers. Got {self.quantile!r} instead: write for "
                "example quantile=(0.1, 0.5, 0.9)."
            )

    @property
    def levels(self) -> tuple[float, ...]:
        """The levels, one or several."""
        given: Any = self.quantile
        if isinstance(given, numbers.Real):
            return (float(given),)
        return tuple(float(q) for q in given)

    @computed
    def outputs_per_target(self) -> int:
        return len(self.levels)

    def quantiles(self, raw: Tensor) -> Tensor:
        parts = raw.unflatten(-1, (-1, len(self.levels)))
        if parts.shape[-1] == 1:
            return parts
        rises = functional.softplus(parts[..., 1:])
        return torch.cat([parts[..., :1], rises], -1).cumsum(-1)

    def inverse_link(self, raw: Tensor) -> Tensor:
        levels = self.levels
        middle = levels.index(0.5) if 0.5 in levels else (len(levels) - 1) // 2
        return self.quantiles(raw)[..., middle]

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        over = self.quantiles(raw) - target.unsqueeze(-1)
        # max(q e, (q - 1) e) of e = -over, for a level q
        levels = self._levels(raw)
        return torch.maximum((1 - levels) * over, -levels * over).sum(-1)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        over = self.quantiles(raw) - target.unsqueeze(-1)
        slope = (over.sign() + 1 - 2 * self._levels(raw)) / 2 * (over != 0)
        if slope.shape[-1] == 1:
            return slope.squeeze(-1)
        # an increment moves its own quantile and all above it
        above = slope.flip(-1).cumsum(-1).flip(-1)
        rises = torch.sigmoid(raw.unflatten(-1, (-1, len(self.levels)))[..., 1:])
        above[..., 1:] *= rises
        return above.flatten(-2)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        found = [weighted_quantile(target, weight, q) for q in self.levels]
        median = weighted_quantile(target, weight, 0.5)
        spread = weighted_mean((target.double() - median).abs(), weight)
        least = 1e-3 * torch.where(spread > 0, spread, 1.0)
        rises = [torch.maximum(b - a, least) for a, b in itertools.pairwise(found)]
        return torch.stack([found[0], *map(inverse_softplus, rises)], -1).flatten()

    def _levels(self, like: Tensor) -> Tensor:
        return torch.tensor(self.levels, dtype=like.dtype, device=like.device)


@LOSSES.register("gaussian")
class Gaussian(ElementwiseLoss):
    r"""Negative log-likelihood of a normal law whose mean and deviation the network predicts.

    :math:`\sum_j \log\sigma_j + (y_j - \mu_j)^2 / (2\sigma_j^2)`: torch's
    ``GaussianNLLLoss(full=False)``, the likelihood without :math:`\frac12\log 2\pi`. A target
    takes two raw outputs, its mean :math:`\mu` and an :math:`s` with
    :math:`\sigma = \sigma_{\min} + \log(1 + e^s)`; torch instead replaces variances below
    its `eps`. The point prediction is the mean. Values may be negative.

    The best constant is the mean and the deviation of the targets (divided by n).

    Parameters
    ----------
    min_deviation : float, default=1e-3
        :math:`\sigma_{\min}`, in units of the target that the network sees: standard
        deviations with ``target_scaling="standard"``. It bounds the likelihood of a row that
        is met exactly.

    References
    ----------
    D. A. Nix, A. S. Weigend, "Estimating the mean and variance of the target probability
    distribution", ICNN (1994).
    """

    outputs_per_target = 2
    has_gradient = True
    has_deviation = True
    _parameter_constraints = {"min_deviation": [Interval(numbers.Real, 0, None, closed="neither")]}

    def __init__(self, min_deviation: float = 1e-3) -> None:
        self.min_deviation = min_deviation

    def inverse_link(self, raw: Tensor) -> Tensor:
        return raw.unflatten(-1, (-1, 2))[..., 0]

    def deviation(self, raw: Tensor) -> Tensor:
        return functional.softplus(raw.unflatten(-1, (-1, 2))[..., 1]) + self.min_deviation

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        sigma = self.deviation(raw)
        return sigma.log() + ((self.inverse_link(raw) - target) / sigma).square() / 2

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        sigma = self.deviation(raw)
        error = (self.inverse_link(raw) - target) / sigma
        slope = torch.sigmoid(raw.unflatten(-1, (-1, 2))[..., 1])
        return torch.stack([error / sigma, (1 - error.square()) / sigma * slope], -1).flatten(-2)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        mean = weighted_mean(target, weight)
        deviation = weighted_mean((target.double() - mean).square(), weight).sqrt()
        # the least deviation itself is out of reach
        above = (deviation - self.min_deviation).clamp(min=1e-3 * self.min_deviation)
        return torch.stack([mean, inverse_softplus(above)], -1).flatten()
