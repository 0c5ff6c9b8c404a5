r"""Schedules of time alone that fall for ever, fast at first: powers, exponentials, inverses.

Most have a time :math:`s` in epochs after which they have fallen by a stated factor, and a choice
of how often they fall.
"""

from __future__ import annotations

import math
from typing import Literal

from ..._compat import StrOptions
from ._base import FRACTION, NON_NEGATIVE, POSITIVE, RATIO, SCHEDULES, Schedule, whole

_INTERVALS = StrOptions({"step", "epoch", "s"})


class Decay(Schedule):
    r"""A function of :math:`t / s`.

    With ``interval="step"`` it is continuous. With "epoch" :math:`t` is rounded down, with "s"
    :math:`t / s` is: stairs of a length of one epoch, or of `s` epochs.
    """

    s: float
    interval: str

    @property
    def per_step(self) -> bool:
        if self.interval == "s":
            return not float(self.s).is_integer()
        return self.interval == "step"

    def _ratio(self, t: float) -> float:
        if self.interval == "s":
            return float(whole(t / self.s))
        return (t if self.interval == "step" else math.floor(t)) / self.s


@SCHEDULES.register("power")
class Power(Decay):
    r"""A power of the time, :math:`f(t) = (1 + t / s)^{-c}`.

    With :math:`c = 1` half is left after `s` epochs, a third after two times `s`. Keras' old
    argument ``decay``, which counts updates, is that with ``s = 1 / (decay * steps per epoch)``.

    Parameters
    ----------
    s : float, default=10.0
        The time in epochs after which the factor is :math:`2^{-c}`.
    c : float, default=1.0
        The exponent, at least 0.
    interval : {"step", "epoch", "s"}, default="step"
        How often the factor changes: at every step, every epoch, or every `s` epochs.

    References
    ----------
    A. Senior et al., "An empirical study of learning rates in deep neural networks for speech
    recognition", ICASSP 2013.
    """

    _parameter_constraints = {
        "s": [POSITIVE],
        "c": [NON_NEGATIVE],
        "interval": [_INTERVALS],
    }

    def __init__(
        self, s: float = 10.0, c: float = 1.0, interval: Literal["step", "epoch", "s"] = "step"
    ) -> None:
        self.s = s
        self.c = c
        self.interval = interval

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return (1.0 + self._ratio(t)) ** -self.c


@SCHEDULES.register("exponential")
class Exponential(Decay):
    r"""The same ratio every `s` epochs, :math:`f(t) = b^{t / s}`.

    It is torch's ``ExponentialLR`` with ``gamma`` :math:`= b^{1/s}`, and Keras'
    ``ExponentialDecay`` with ``decay_rate`` :math:`= b`, whose ``staircase=True`` is
    ``interval="s"``. ``base=exp(-k)`` is natural exponential decay, :math:`e^{-k t / s}`.

    Parameters
    ----------
    s : float, default=20.0
        The time in epochs in which the factor falls by `base`.
    base : float, default=0.1
        :math:`b` in (0, 1].
    interval : {"step", "epoch", "s"}, default="step"
        How often the factor changes: at every step, every epoch, or every `s` epochs.

    References
    ----------
    A. Senior et al., "An empirical study of learning rates in deep neural networks for speech
    recognition", ICASSP 2013.
    """

    _parameter_constraints = {"s": [POSITIVE], "base": [RATIO], "interval": [_INTERVALS]}

    def __init__(
        self, s: float = 20.0, base: float = 0.1, interval: Literal["step", "epoch", "s"] = "step"
    ) -> None:
        self.s = s
        self.base = base
        self.interval = interval

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return self.base ** self._ratio(t)


@SCHEDULES.register("inverse_time")
class InverseTime(Decay):
    r"""One over the time, :math:`f(t) = 1 / (1 + k t / s)`.

    It is Keras' ``InverseTimeDecay``, whose ``staircase=True`` is ``interval="s"``. Except for
    those stairs it is :class:`Power` with an exponent of 1 and `s` over `rate`.

    Parameters
    ----------
    s : float, default=10.0
        The time in epochs after which the factor is :math:`1 / (1 + k)`; ``decay_steps`` of
        Keras, in steps there.
    rate : float, default=1.0
        :math:`k`, at least 0; ``decay_rate`` of Keras.
    interval : {"step", "epoch", "s"}, default="step"
        How often the factor changes: at every step, every epoch, or every `s` epochs.
    """

    _parameter_constraints = {
        "s": [POSITIVE],
        "rate": [NON_NEGATIVE],
        "interval": [_INTERVALS],
    }

    def __init__(
        self, s: float = 10.0, rate: float = 1.0, interval: Literal["step", "epoch", "s"] = "step"
    ) -> None:
        self.s = s
        self.rate = rate
        self.interval = interval

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return 1.0 / (1.0 + self.rate * self._ratio(t))


@SCHEDULES.register("inverse_scaling")
class InverseScaling(Schedule):
    r"""scikit-learn's ``"invscaling"``, :math:`f(t) = (1 + n t)^{-p}`.

    scikit-learn divides the first rate by :math:`\tau^p`, where :math:`\tau` begins at 1 and
    counts rows or epochs. :math:`n` says what is counted; :math:`t` is in epochs as everywhere.

    Parameters
    ----------
    power_t : float, default=0.5
        :math:`p`, at least 0.
    per_epoch : float, default=1.0
        :math:`n`, what is counted in an epoch. 1 counts epochs. The number of training rows
        counts rows: with it and ``interval="epoch"`` the rates are exactly those of
        ``sklearn.neural_network.MLPClassifier(learning_rate="invscaling")``; with it,
        ``interval="step"`` and ``batch_size=1`` those of ``SGDClassifier``. The number of steps
        in an epoch counts steps.
    interval : {"step", "epoch"}, default="epoch"
        How often the factor changes: at every step, or every epoch, where :math:`t` is rounded
        down.

    Notes
    -----
    With `per_epoch` in the thousands the first epoch alone divides the rate by tens, after which
    it hardly falls; :class:`Power` with `s` in epochs is the milder form.
    """

    _parameter_constraints = {
        "power_t": [NON_NEGATIVE],
        "per_epoch": [POSITIVE],
        "interval": [StrOptions({"step", "epoch"})],
    }

    def __init__(
        self,
        power_t: float = 0.5,
        per_epoch: float = 1.0,
        interval: Literal["step", "epoch"] = "epoch",
    ) -> None:
        self.power_t = power_t
        self.per_epoch = per_epoch
        self.interval = interval

    @property
    def per_step(self) -> bool:
        return self.interval == "step"

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        done = t if self.per_step else math.floor(t)
        return (1.0 + self.per_epoch * done) ** -self.power_t


@SCHEDULES.register("inverse_square_root")
class InverseSquareRoot(Schedule):
    r"""A line up for :math:`w` epochs, then one over the root of the time.

    .. math:: f(t) = \min\left(f_0 + (1 - f_0) \frac{t}{w}, \sqrt{\frac{w}{t}}\right)

    with the first for :math:`t < w` and the second from there on. It changes at every step, is
    continuous, and has its peak of 1 at :math:`w`.

    Parameters
    ----------
    warmup : float, default=5.0
        :math:`w` in epochs.
    initial_factor : float, default=0.0
        :math:`f_0` in [0, 1]. At 0 the first step changes nothing.

    Notes
    -----
    The paper's rate, :math:`d^{-1/2} \min(k^{-1/2}, k w^{-3/2})` at step :math:`k`, has the
    same form, but its peak follows from the width :math:`d` of the network and :math:`w` in steps;
    ours is ``learning_rate_init``. From :math:`w` on it equals
    ``Warmup(Power(s=w, c=0.5), epochs=w)``.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS 2017, section 5.3.
    """

    per_step = True
    _parameter_constraints = {"warmup": [POSITIVE], "initial_factor": [FRACTION]}

    def __init__(self, warmup: float = 5.0, initial_factor: float = 0.0) -> None:
        self.warmup = warmup
        self.initial_factor = initial_factor

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        if t < self.warmup:
            return self.initial_factor + (1.0 - self.initial_factor) * t / self.warmup
        return math.sqrt(self.warmup / t)
