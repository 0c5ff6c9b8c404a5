"""Schedules of time alone that rise and fall: cycles, restarts, one cycle."""

from __future__ import annotations

import math
from typing import Literal

from ..._compat import StrOptions
from ._base import (
    AT_LEAST_ONE,
    FRACTION,
    INNER_FRACTION,
    POSITIVE,
    RATIO,
    SCHEDULES,
    SHAPES,
    HorizonSchedule,
    Schedule,
    between,
    whole,
    whole_up,
)

_ROUNDING = 1e-12  # by which fractions that add up to 1 may miss it


def _refuse_more_than_all(component: HorizonSchedule, up: float, down: float) -> None:
    if up + down > 1.0 + _ROUNDING:
        raise ValueError(
            f"{type(component).__name__} got up_fraction={up!r} with down_fraction={down!r}, more "
            "than the whole horizon: lower one of them so that they add up to at most 1."
        )


@SCHEDULES.register("cyclic")
class Cyclic(Schedule):
    r"""Up to the peak and down again, over and over, in straight lines.

    .. math:: f(t) = f_0 + (1 - f_0) \, \Delta(t) \, h(t)

    :math:`\Delta` is 0 where a cycle begins, 1 at `up_fraction` of it, and 0 at its end. The
    height :math:`h` is 1 with ``mode="triangular"``, :math:`2^{-i}` in cycle :math:`i` (from 0)
    with "triangular2", and :math:`\gamma^t` with "exp_range". ``learning_rate_init`` is the
    maximum. It changes at every step and is continuous.

    Parameters
    ----------
    period : float, default=10.0
        The length of a cycle in epochs, twice the "step size" of the paper, which advises 4 to
        20 epochs.
    min_factor : float, default=0.25
        :math:`f_0` in [0, 1], where a cycle begins and ends; the paper advises a third to a
        quarter.
    mode : {"triangular", "triangular2", "exp_range"}, default="triangular"
        How the height changes with time.
    gamma : float, default=0.97
        :math:`\gamma` in (0, 1], a ratio by epoch that "exp_range" alone reads. The default is
        the paper's 0.99994 by step with 500 steps in an epoch.
    up_fraction : float, default=0.5
        The part of a cycle in (0, 1) that rises.

    Notes
    -----
    ``torch.optim.lr_scheduler.CyclicLR`` counts steps, and its ``gamma`` is a ratio by step:
    ours is that to the power of the steps in an epoch.

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """

    per_step = True
    _parameter_constraints = {
        "period": [POSITIVE],
        "min_factor": [FRACTION],
        "mode": [StrOptions({"triangular", "triangular2", "exp_range"})],
        "gamma": [RATIO],
        "up_fraction": [INNER_FRACTION],
    }

    def __init__(
        self,
        period: float = 10.0,
        min_factor: float = 0.25,
        mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
        gamma: float = 0.97,
        up_fraction: float = 0.5,
    ) -> None:
        self.period = period
        self.min_factor = min_factor
        self.mode = mode
        self.gamma = gamma
        self.up_fraction = up_fraction

    def cycle_end(self, t: float, horizon: float) -> float:
        return self.period * whole_up(t / self.period)

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        cycle = math.floor(t / self.period)
        passed, up = t / self.period - cycle, self.up_fraction
        triangle = passed / up if passed <= up else (1.0 - passed) / (1.0 - up)
        height = {
            "triangular": 1.0,
            "triangular2": 0.5**cycle,
            "exp_range": float(self.gamma) ** t,
        }[self.mode]
        return between(self.min_factor, 1.0, triangle * height)


@SCHEDULES.register("cosine_restarts")
class CosineRestarts(Schedule):
    r"""Half a wave of the cosine, over and over, each longer than the last.

    .. math:: f(t) = f_T + (1 - f_T) \frac{1 + \cos(\pi t_i / T_i)}{2}, \quad T_i = T_0 m^i

    where :math:`t_i` is the time since wave :math:`i` began. It changes at every step, and jumps
    back to 1 where a wave begins: with the defaults after 10, 30, 70 and 150 epochs.

    Parameters
    ----------
    period : float, default=10
        :math:`T_0`, the length of the first wave in epochs.
    multiplier : float, default=2
        :math:`m`, at least 1; 1 for waves of the same length, the default of torch.
    final_factor : float, default=0.0
        :math:`f_T` in [0, 1], to which a wave falls.

    Notes
    -----
    Training ends best where a wave does: `max_iter` of 10, 30, 70, 150 with the defaults.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017.
    """

    per_step = True
    _parameter_constraints = {
        "period": [POSITIVE],
        "multiplier": [AT_LEAST_ONE],
        "final_factor": [FRACTION],
    }

    def __init__(
        self, period: float = 10, multiplier: float = 2, final_factor: float = 0.0
    ) -> None:
        self.period = period
        self.multiplier = multiplier
        self.final_factor = final_factor

    def cycle_end(self, t: float, horizon: float) -> float:
        m, periods = float(self.multiplier), t / self.period
        if m == 1.0:
            return self.period * whole_up(periods)
        waves = whole_up(math.log(1.0 + periods * (m - 1.0), m))
        return self.period * (m**waves - 1.0) / (m - 1.0)

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        m = float(self.multiplier)
        periods = t / self.period
        if m == 1.0:
            passed = periods - whole(periods)
        else:
            wave = whole(math.log(1.0 + periods * (m - 1.0), m))
            passed = (periods - (m**wave - 1.0) / (m - 1.0)) / m**wave
        return between(1.0, self.final_factor, passed, "cosine")


@SCHEDULES.register("one_cycle")
class OneCycle(HorizonSchedule):
    r"""Up to the peak, back down, and to nearly nothing at the horizon :math:`T`.

    ``learning_rate_init`` is the peak. The factor is piecewise linear in the time:
    :math:`1/d_0` at 0, 1 at `up_fraction` of the horizon, :math:`1/d_0` again after a further
    `down_fraction`, :math:`1/d_1` at the horizon and afterwards. If the two fractions add up to
    1 there is no third part, and the second falls to :math:`1/d_1`. It changes at every step and
    is continuous.

    Parameters
    ----------
    initial_divisor : float, default=10.0
        :math:`d_0`, at least 1.
    final_divisor : float, default=1000.0
        :math:`d_1`, at least 1.
    up_fraction, down_fraction : float, default=0.45 and 0.45
        Lengths of the first two parts, as fractions of the horizon; together at most 1.
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.
    anneal : {"linear", "cosine"}, default="linear"
        The shape of the parts: straight lines, or halves of a wave of the cosine.

    Notes
    -----
    ``torch.optim.lr_scheduler.OneCycleLR`` by default has :math:`d_0 = 25`, cosine annealing and
    two parts, of 30 % and 70 %. Its ``final_div_factor`` is :math:`d_1 / d_0`, and its parts end
    with the last step done in them, one step before ours: with :math:`N` steps in all, n of them
    an epoch, ``pct_start=p`` and two parts it is
    ``up_fraction=(p * N - 1) / (N - 1)``, ``down_fraction=1 - up_fraction`` and
    ``horizon=(N - 1) / n``; with three, both are ``(p * N - 1) / (N - 1)``.

    References
    ----------
    L. N. Smith, "A disciplined approach to neural network hyper-parameters", 2018.
    A. Geron, "Hands-on machine learning with Scikit-Learn, Keras, and TensorFlow", 2nd ed., 2019,
    chapter 11. The momentum, which goes the opposite way in both, is :class:`MomentumCycle`.
    """

    _parameter_constraints = {
        "initial_divisor": [AT_LEAST_ONE],
        "final_divisor": [AT_LEAST_ONE],
        "up_fraction": [INNER_FRACTION],
        "down_fraction": [INNER_FRACTION],
        "horizon": [POSITIVE, None],
        "anneal": [SHAPES],
    }

    def __init__(
        self,
        initial_divisor: float = 10.0,
        final_divisor: float = 1000.0,
        up_fraction: float = 0.45,
        down_fraction: float = 0.45,
        horizon: float | None = None,
        anneal: Literal["linear", "cosine"] = "linear",
    ) -> None:
        self.initial_divisor = initial_divisor
        self.final_divisor = final_divisor
        self.up_fraction = up_fraction
        self.down_fraction = down_fraction
        self.horizon = horizon
        self.anneal = anneal

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        passed = self.passed(t, horizon)
        low, last = 1.0 / self.initial_divisor, 1.0 / self.final_divisor
        up, down = self.up_fraction, self.down_fraction
        two_parts = up + down > 1.0 - _ROUNDING
        if passed <= up:
            return between(low, 1.0, passed / up, self.anneal)
        if two_parts:
            return between(1.0, last, (passed - up) / (1.0 - up), self.anneal)
        if passed <= up + down:
            return between(1.0, low, (passed - up) / down, self.anneal)
        return between(low, last, (passed - up - down) / (1.0 - up - down), self.anneal)

    def _check(self) -> None:
        _refuse_more_than_all(self, self.up_fraction, self.down_fraction)


@SCHEDULES.register("momentum_cycle")
class MomentumCycle(HorizonSchedule):
    r"""The other way around than one cycle: down to a low, back up, and constant.

    The factor is 1 at 0, `low_factor` at `up_fraction` of the horizon :math:`T`, 1 again after a
    further `down_fraction`, and 1 from there on. It changes at every step and is continuous.

    It is meant for the momentum beside :class:`OneCycle` for the rate, and the fractions bear
    the names of the parts there: where the rate goes up the momentum goes down.

    Parameters
    ----------
    low_factor : float, default=0.8947368421052632
        The factor where the rate has its peak, in [0, 1]. The default is 0.85 / 0.95, the
        momentums of the paper.
    up_fraction, down_fraction : float, default=0.45 and 0.45
        Lengths of the first two parts, as fractions of the horizon; together at most 1.
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.
    anneal : {"linear", "cosine"}, default="linear"
        The shape of the parts: straight lines, or halves of a wave of the cosine.

    Notes
    -----
    It is what ``torch.optim.lr_scheduler.OneCycleLR`` does with ``cycle_momentum=True``, given
    the fractions and horizon that :class:`OneCycle` states.

    References
    ----------
    L. N. Smith, "A disciplined approach to neural network hyper-parameters", 2018.
    """

    _parameter_constraints = {
        "low_factor": [FRACTION],
        "up_fraction": [INNER_FRACTION],
        "down_fraction": [INNER_FRACTION],
        "horizon": [POSITIVE, None],
        "anneal": [SHAPES],
    }

    def __init__(
        self,
        low_factor: float = 0.85 / 0.95,
        up_fraction: float = 0.45,
        down_fraction: float = 0.45,
        horizon: float | None = None,
        anneal: Literal["linear", "cosine"] = "linear",
    ) -> None:
        self.low_factor = low_factor
        self.up_fraction = up_fraction
        self.down_fraction = down_fraction
        self.horizon = horizon
        self.anneal = anneal

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        passed, up = self.passed(t, horizon), self.up_fraction
        if passed <= up:
            return between(1.0, self.low_factor, passed / up, self.anneal)
        return between(self.low_factor, 1.0, (passed - up) / self.down_fraction, self.anneal)

    def _check(self) -> None:
        _refuse_more_than_all(self, self.up_fraction, self.down_fraction)
