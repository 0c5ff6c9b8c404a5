r"""Losses of positive numbers and counts: the raw output is a logarithm of the prediction.

Targets are not standardised: the link would no longer be the logarithm of the mean.
"""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import LOSSES
from ._constants import log_mean, weighted_mean, weighted_quantile
from ._elementwise import ElementwiseLoss


class _LogLink(ElementwiseLoss):
    """A loss whose raw outputs are logarithms of predictions."""

    out_activation = "exp"
    scales_target = False
    has_gradient = True

    def inverse_link(self, raw: Tensor) -> Tensor:
        return raw.exp()


@LOSSES.register("poisson")
class Poisson(_LogLink):
    r"""Half the Poisson deviance with a log link, up to a term without the prediction.

    :math:`\sum_j \exp(z_j) - y_j z_j` for raw outputs :math:`z`, plus
    :math:`y \log y - y` so that a perfect prediction has loss zero; targets must not be
    negative. With no hidden layer the optimum is that of ``PoissonRegressor``. The best
    constant is the logarithm of the mean; where all rows are 0, that of half a count in all.
    """

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return _poisson_terms(raw, target)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return raw.exp().sub_(target)

    def target_fault(self, lowest: float) -> str:
        return _below_zero(lowest)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return log_mean(target, weight)


@LOSSES.register("gamma")
class Gamma(_LogLink):
    r"""Half the gamma deviance with a log link, for positive skewed targets.

    :math:`\sum_j y_j/\mu_j - \log(y_j/\mu_j) - 1` with :math:`\mu = e^z` for raw outputs
    :math:`z`; zero for a perfect prediction. Targets must be positive. Errors count relative
    to the prediction, as where the deviation is proportional to the mean. With no hidden layer
    the optimum is that of ``GammaRegressor``. The best constant is the logarithm of the mean.

    References
    ----------
    P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd ed., Chapman and Hall (1989).
    """

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return _gamma_terms(raw, target)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return torch.expm1(target.log() - raw).neg_()

    def target_fault(self, lowest: float) -> str:
        return _not_above_zero(lowest)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return log_mean(target, weight)


@LOSSES.register("tweedie")
class Tweedie(_LogLink):
    r"""Half the Tweedie deviance with a log link: a variance proportional to a power of the mean.

    With :math:`\mu = e^z` for raw outputs :math:`z` and a power :math:`p` other than 1 and 2,

    .. math:: \sum_j \frac{y_j^{2-p}}{(1-p)(2-p)} - \frac{y_j\,\mu_j^{1-p}}{1-p}
              + \frac{\mu_j^{2-p}}{2-p},

    zero for a perfect prediction; 1 is ``"poisson"`` and 2 is ``"gamma"``. Between 1 and 2 it
    is the law of sums of a random number of gamma variables, with zeros and positive amounts,
    as of insurance claims; 3 is the inverse Gaussian law. Targets must not be negative, and be
    positive for powers from 2. With no hidden layer the optimum is that of
    ``TweedieRegressor(power, link="log")``. Powers up to 0, whose link is the identity there,
    are not offered: power 0 is ``"squared_error"``. The best constant is the logarithm of the
    mean for every power.

    Parameters
    ----------
    power : float, default=1.5
        At least 1.

    References
    ----------
    B. Jorgensen, "Exponential dispersion models", Journal of the Royal Statistical Society B
    49 (1987).
    """

    _parameter_constraints = {"power": [Interval(numbers.Real, 1, None, closed="left")]}

    def __init__(self, power: float = 1.5) -> None:
        self.power = power

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        if self.power == 1:
            return _poisson_terms(raw, target)
        if self.power == 2:
            return _gamma_terms(raw, target)
        a, b = 1 - self.power, 2 - self.power
        return target.pow(b) / (a * b) - target * (a * raw).exp() / a + (b * raw).exp() / b

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        a, b = 1 - self.power, 2 - self.power
        return (b * raw).exp_().sub_(target * (a * raw).exp_())

    def target_fault(self, lowest: float) -> str:
        return _below_zero(lowest) if self.power < 2 else _not_above_zero(lowest)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return log_mean(target, weight)


@LOSSES.register("squared_log_error")
class SquaredLogError(ElementwiseLoss):
    r"""Squared error of logarithms, :math:`\frac12\sum_j (\log(1+\hat y_j) - \log(1+y_j))^2`.

    The raw output is :math:`\log(1 + \hat y)`, so that predictions are above -1, as targets
    must be. Half of scikit-learn's ``mean_squared_log_error`` for one target. Keras'
    ``MeanSquaredLogarithmicError`` takes predictions as they are, cut off at 0, and has no
    half. The best constant is the mean of :math:`\log(1 + y)`.
    """

    out_activation = "expm1"
    scales_target = False
    has_gradient = True

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return (raw - target.log1p()).square().mul_(0.5)

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        return raw - target.log1p()

    def inverse_link(self, raw: Tensor) -> Tensor:
        return raw.expm1()

    def target_fault(self, lowest: float) -> str:
        return f"targets must be > -1, got a smallest one of {lowest:g}" if lowest <= -1 else ""

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        return weighted_mean(target.double().log1p(), weight)


@LOSSES.register("absolute_percentage_error")
class AbsolutePercentageError(_LogLink):
    r"""Absolute error as a share of the target, :math:`\sum_j |\hat y_j - y_j| / y_j`.

    A share, not a percentage, as scikit-learn's ``mean_absolute_percentage_error``; Keras
    multiplies by 100. Targets must be positive, and so are predictions: the raw output is
    their logarithm, so that targets of any size are learnt alike. It prefers low predictions,
    since one too low costs at most 1. The best constant is the median with weights
    :math:`1/y`. The derivative at zero error is zero.
    """

    def terms(self, raw: Tensor, target: Tensor) -> Tensor:
        return torch.expm1(raw - target.log()).abs()

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        ahead = raw - target.log()
        return ahead.exp() * ahead.sign()

    def target_fault(self, lowest: float) -> str:
        return _not_above_zero(lowest)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        target = target.double()
        share = 1 / target
        if weight is not None:
            share = share * weight.to(share).unsqueeze(-1)
        return weighted_quantile(target, share, 0.5).log()


def _poisson_terms(raw: Tensor, target: Tensor) -> Tensor:
    constant = torch.xlogy(target, target) - target
    return raw.exp() - target * raw + constant


def _gamma_terms(raw: Tensor, target: Tensor) -> Tensor:
    ahead = target.log() - raw
    return torch.expm1(ahead) - ahead


def _below_zero(lowest: float) -> str:
    return f"targets must be >= 0, got a smallest one of {lowest:g}" if lowest < 0 else ""


def _not_above_zero(lowest: float) -> str:
    return f"targets must be > 0, got a smallest one of {lowest:g}" if lowest <= 0 else ""
