r"""Schedules: factors on ``learning_rate_init`` over the time of training.

The unit of every time is the epoch: :math:`t` is the number of steps done over the number of
steps in an epoch, fractional within an epoch. The horizon is the epoch at which a schedule has
come to its end.
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Literal

import numpy as np

from .._compat import Interval, StrOptions
from .base import Component, Registry


class Schedule(Component):
    """A factor on the initial learning rate that changes with time.

    Attributes
    ----------
    has_horizon : bool
        Whether there is a parameter `horizon` (epochs), None for the whole of training.
    watches_loss : bool
        Whether the factor depends on what :meth:`observe` is told.
    """

    has_horizon: ClassVar[bool] = False
    watches_loss: ClassVar[bool] = False

    @property
    @abstractmethod
    def per_step(self) -> bool:
        """Whether the factor changes within an epoch; else it is asked for once an epoch."""

    @abstractmethod
    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        """What to multiply the initial learning rate by.

        Parameters
        ----------
        t : float
            The time now, in epochs: steps done / steps in an epoch.
        horizon : float
            The end of training, in epochs, for a schedule whose own `horizon` is None.
        state : dict of str to float
            The state of this member, from :meth:`start`.

        Returns
        -------
        float
            The factor, never negative.
        """

    def start(self) -> dict[str, float]:
        """The state of one member before training; empty by default."""
        return {}

    def observe(self, state: dict[str, float], value: float) -> None:
        """Take note, after each epoch, of the monitored value (lower is better)."""

    def curve(self, n_epochs: int, steps_per_epoch: int = 1) -> np.ndarray:
        """The factors over a run of training, without training.

        Parameters
        ----------
        n_epochs : int
            The length of the run in epochs, and its horizon.
        steps_per_epoch : int, default=1
            The number of steps in an epoch.

        Returns
        -------
        ndarray of shape (n_epochs * steps_per_epoch,)
            The factor of each step.

        Raises
        ------
        ValueError
            If the factor depends on the loss.
        """
        if self.watches_loss:
            raise ValueError(
                f"{type(self).__name__} has no curve of its own, since its factor depends on the "
                "loss: fit a network and look at the rates in its history instead."
            )
        state = self.start()
        steps = range(n_epochs * steps_per_epoch)
        times = (k / steps_per_epoch if self.per_step else k // steps_per_epoch for k in steps)
        return np.array([self.factor(t, n_epochs, state) for t in times], dtype=np.float64)


class _HorizonSchedule(Schedule):
    """A schedule that runs to a horizon and stays as it is from there on."""

    has_horizon = True
    per_step = True

    horizon: float | None

    def _passed(self, t: float, horizon: float) -> float:
        """The part of the schedule that is over, in [0, 1]."""
        return min(t / (horizon if self.horizon is None else self.horizon), 1.0)


SCHEDULES: Registry[Schedule] = Registry("schedule", Schedule)

_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")
_NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
_FRACTION = Interval(numbers.Real, 0, 1, closed="both")
_DIVISOR = Interval(numbers.Real, 1, None, closed="left")
_INTERVAL = StrOptions({"step", "epoch"})


def _between(first: float, last: float, part: float) -> float:
    """The value `part` of the way from `first` to `last`, exact at both ends."""
    part = min(max(part, 0.0), 1.0)
    return (1.0 - part) * first + part * last


@SCHEDULES.register("constant")
class Constant(Schedule):
    """A rate that stays as it is: the factor is 1."""

    per_step = False

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return 1.0


@SCHEDULES.register("linear")
class Linear(_HorizonSchedule):
    r"""A straight line to the horizon :math:`T`, constant afterwards.

    .. math:: f(t) = (1 - a) + a f_T, \quad a = \min(t / T, 1)

    It changes at every step and is continuous.

    Parameters
    ----------
    final_factor : float, default=0.01
        :math:`f_T` in [0, 1].
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep learning", 2016, equation 8.14.
    """

    _parameter_constraints = {"final_factor": [_FRACTION], "horizon": [_POSITIVE, None]}

    def __init__(self, final_factor: float = 0.01, horizon: float | None = None) -> None:
        self.final_factor = final_factor
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return _between(1.0, self.final_factor, self._passed(t, horizon))


@SCHEDULES.register("piecewise")
class Piecewise(Schedule):
    """One constant factor after the other.

    ``factors[i]`` holds for ``boundaries[i - 1] <= t < boundaries[i]``. It is asked for once an
    epoch, or at every step if a boundary lies within an epoch.

    Parameters
    ----------
    boundaries : sequence of float, default=(5, 10)
        Increasing positive times, in finished epochs.
    factors : sequence of float, default=(1.0, 0.1, 0.01)
        Factors of at least 0, one more than there are boundaries.
    """

    _parameter_constraints = {"boundaries": ["array-like"], "factors": ["array-like"]}

    def __init__(
        self,
        boundaries: Sequence[float] = (5, 10),
        factors: Sequence[float] = (1.0, 0.1, 0.01),
    ) -> None:
        self.boundaries = boundaries
        self.factors = factors

    @property
    def per_step(self) -> bool:
        return any(not float(boundary).is_integer() for boundary in self.boundaries)

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return float(self.factors[bisect_right(self.boundaries, t)])

    def _check(self) -> None:
        boundaries, factors = list(self.boundaries), list(self.factors)
        if not all(map(_POSITIVE.is_satisfied_by, boundaries)) or any(
            later <= earlier for earlier, later in pairwise(boundaries)
        ):
            raise ValueError(
                "The 'boundaries' parameter of Piecewise must be increasing positive numbers of "
                f"epochs. Got {self.boundaries!r} instead."
            )
        if not all(map(_NON_NEGATIVE.is_satisfied_by, factors)):
            raise ValueError(
                "The 'factors' parameter of Piecewise must be numbers of at least 0. "
                f"Got {self.factors!r} instead."
            )
        if len(factors) != len(boundaries) + 1:
            raise ValueError(
                f"Piecewise got factors={self.factors!r} with boundaries={self.boundaries!r}: "
                f"{len(boundaries)} boundaries part the time into {len(boundaries) + 1} pieces, so "
                f"give {len(boundaries) + 1} factors instead of {len(factors)}."
            )


@SCHEDULES.register("power")
class Power(Schedule):
    r"""A power of the time, :math:`f(t) = (1 + t / s)^{-c}`.

    Continuous by step; by epoch :math:`t` is rounded down.

    Parameters
    ----------
    s : float, default=10.0
        The time in epochs after which the factor is :math:`2^{-c}`.
    c : float, default=1.0
        The exponent, at least 0.
    interval : {"step", "epoch"}, default="step"
        How often the factor changes.

    References
    ----------
    A. Senior et al., "An empirical study of learning rates in deep neural networks for speech
    recognition", ICASSP 2013.
    """

    _parameter_constraints = {
        "s": [_POSITIVE],
        "c": [_NON_NEGATIVE],
        "interval": [_INTERVAL],
    }

    def __init__(
        self, s: float = 10.0, c: float = 1.0, interval: Literal["step", "epoch"] = "step"
    ) -> None:
        self.s = s
        self.c = c
        self.interval = interval

    @property
    def per_step(self) -> bool:
        return self.interval == "step"

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return (1.0 + (t if self.per_step else math.floor(t)) / self.s) ** -self.c


@SCHEDULES.register("exponential")
class Exponential(Schedule):
    r"""The same ratio every `s` epochs, :math:`f(t) = b^{t / s}`.

    Continuous by step; by epoch :math:`t` is rounded down, a staircase.

    Parameters
    ----------
    s : float, default=20.0
        The time in epochs in which the factor falls by `base`.
    base : float, default=0.1
        :math:`b` in (0, 1].
    interval : {"step", "epoch"}, default="step"
        How often the factor changes.

    References
    ----------
    A. Senior et al., "An empirical study of learning rates in deep neural networks for speech
    recognition", ICASSP 2013.
    """

    _parameter_constraints = {
        "s": [_POSITIVE],
        "base": [Interval(numbers.Real, 0, 1, closed="right")],
        "interval": [_INTERVAL],
    }

    def __init__(
        self, s: float = 20.0, base: float = 0.1, interval: Literal["step", "epoch"] = "step"
    ) -> None:
        self.s = s
        self.base = base
        self.interval = interval

    @property
    def per_step(self) -> bool:
        return self.interval == "step"

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return self.base ** ((t if self.per_step else math.floor(t)) / self.s)


@SCHEDULES.register("cosine")
class Cosine(_HorizonSchedule):
    r"""Half a wave of the cosine to the horizon :math:`T`, constant afterwards.

    .. math:: f(t) = f_T + (1 - f_T) \frac{1 + \cos(\pi t / T)}{2}, \quad t \leq T

    It changes at every step and is continuous. There are no restarts, unlike in the paper.

    Parameters
    ----------
    final_factor : float, default=0.0
        :math:`f_T` in [0, 1].
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017.
    """

    _parameter_constraints = {"final_factor": [_FRACTION], "horizon": [_POSITIVE, None]}

    def __init__(self, final_factor: float = 0.0, horizon: float | None = None) -> None:
        self.final_factor = final_factor
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        wave = (1.0 - math.cos(math.pi * self._passed(t, horizon))) / 2.0
        return _between(1.0, self.final_factor, wave)


@SCHEDULES.register("performance")
class Performance(Schedule):
    """A cut each time the monitored value has stopped falling.

    An epoch counts as idle unless its value is more than `threshold` below the lowest value
    before it. After `patience` idle epochs in a row the factor is multiplied by `reduction`, and
    the count starts anew.

    Parameters
    ----------
    reduction : float, default=0.5
        What a cut multiplies the factor by, in (0, 1).
    patience : int, default=5
        The number of idle epochs that lead to a cut.
    threshold : float, default=1e-4
        The least fall that counts, in units of the monitored value.
    min_factor : float, default=1e-4
        The factor that cuts do not go below, in [0, 1].

    Notes
    -----
    ``torch.optim.lr_scheduler.ReduceLROnPlateau`` cuts one epoch later, has a relative threshold
    by default, and compares with the last value that counted as a fall; ours compares with the
    lowest of all, as scikit-learn's stopping does.
    """

    watches_loss = True
    per_step = False
    _parameter_constraints = {
        "reduction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "patience": [Interval(numbers.Integral, 1, None, closed="left")],
        "threshold": [_NON_NEGATIVE],
        "min_factor": [_FRACTION],
    }

    def __init__(
        self,
        reduction: float = 0.5,
        patience: int = 5,
        threshold: float = 1e-4,
        min_factor: float = 1e-4,
    ) -> None:
        self.reduction = reduction
        self.patience = patience
        self.threshold = threshold
        self.min_factor = min_factor

    def start(self) -> dict[str, float]:
        return {"factor": 1.0, "best": math.inf, "idle": 0.0}

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return state["factor"]

    def observe(self, state: dict[str, float], value: float) -> None:
        fell = value < state["best"] - self.threshold
        if value < state["best"]:
            state["best"] = float(value)
        state["idle"] = 0.0 if fell else state["idle"] + 1.0
        if state["idle"] >= self.patience:
            state["factor"] = max(state["factor"] * self.reduction, float(self.min_factor))
            state["idle"] = 0.0


@SCHEDULES.register("one_cycle")
class OneCycle(_HorizonSchedule):
    r"""Up to the peak, back down, and to nearly nothing at the horizon :math:`T`.

    ``learning_rate_init`` is the peak. The factor is piecewise linear in the time:
    :math:`1/d_0` at 0, 1 at `up_fraction` of the horizon, :math:`1/d_0` again after a further
    `down_fraction`, :math:`1/d_1` at the horizon and afterwards. It changes at every step and
    is continuous, save for a drop at the horizon if the two fractions add up to 1.

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

    References
    ----------
    L. N. Smith, "A disciplined approach to neural network hyper-parameters", 2018.
    A. Geron, "Hands-on machine learning with Scikit-Learn, Keras, and TensorFlow", 2nd ed., 2019,
    chapter 11. The momentum, which goes the opposite way there, is left alone here.
    """

    _parameter_constraints = {
        "initial_divisor": [_DIVISOR],
        "final_divisor": [_DIVISOR],
        "up_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "down_fraction": [Interval(numbers.Real, 0, 1, closed="neither")],
        "horizon": [_POSITIVE, None],
    }

    def __init__(
        self,
        initial_divisor: float = 10.0,
        final_divisor: float = 1000.0,
        up_fraction: float = 0.45,
        down_fraction: float = 0.45,
        horizon: float | None = None,
    ) -> None:
        self.initial_divisor = initial_divisor
        self.final_divisor = final_divisor
        self.up_fraction = up_fraction
        self.down_fraction = down_fraction
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        passed = self._passed(t, horizon)
        low, last = 1.0 / self.initial_divisor, 1.0 / self.final_divisor
        up, down = self.up_fraction, self.down_fraction
        if passed >= 1.0:
            return last
        if passed <= up:
            return _between(low, 1.0, passed / up)
        if passed <= up + down:
            return _between(1.0, low, (passed - up) / down)
        return _between(low, last, (passed - up - down) / (1.0 - up - down))

    def _check(self) -> None:
        if self.up_fraction + self.down_fraction > 1.0 + 1e-12:  # 1e-12: sums are rounded
            raise ValueError(
                f"OneCycle got up_fraction={self.up_fraction!r} with "
                f"down_fraction={self.down_fraction!r}, more than the whole horizon: lower one of "
                "them so that they add up to at most 1."
            )
