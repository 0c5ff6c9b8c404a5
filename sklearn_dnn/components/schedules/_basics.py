"""Schedules of time alone that are lines, stairs or one wave."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from ._base import (
    NON_NEGATIVE,
    POSITIVE,
    RATIO,
    SCHEDULES,
    HorizonSchedule,
    Schedule,
    between,
    whole,
)


@SCHEDULES.register("constant")
class Constant(Schedule):
    """A number that stays as it is: the factor is 1."""

    per_step = False

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return 1.0


@SCHEDULES.register("linear")
class Linear(HorizonSchedule):
    r"""A straight line to the horizon :math:`T`, constant afterwards.

    .. math:: f(t) = (1 - a) + a f_T, \quad a = \min(t / T, 1)

    It changes at every step and is continuous. For a learning rate :math:`f_T` is about 1 %.

    Parameters
    ----------
    final_factor : float, default=0.01
        :math:`f_T`, at least 0; more than 1 for a number that is to grow.
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.

    References
    ----------
    I. Goodfellow, Y. Bengio and A. Courville, "Deep learning", 2016, equation 8.14.
    """

    _parameter_constraints = {"final_factor": [NON_NEGATIVE], "horizon": [POSITIVE, None]}

    def __init__(self, final_factor: float = 0.01, horizon: float | None = None) -> None:
        self.final_factor = final_factor
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return between(1.0, self.final_factor, self.passed(t, horizon))


@SCHEDULES.register("polynomial")
class Polynomial(HorizonSchedule):
    r"""A power of the time that is left until the horizon :math:`T`, constant afterwards.

    .. math:: f(t) = f_T + (1 - f_T) (1 - a)^p, \quad a = \min(t / T, 1)

    It changes at every step and is continuous.

    Parameters
    ----------
    power : float, default=2.0
        :math:`p`, positive. 1 is :class:`Linear`, and the default of torch's ``PolynomialLR``
        and of Keras' ``PolynomialDecay``.
    final_factor : float, default=0.0
        :math:`f_T`, at least 0.
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.

    Notes
    -----
    Keras states the rate at the end, ours is a factor; its ``cycle=True`` is not offered.
    """

    _parameter_constraints = {
        "power": [POSITIVE],
        "final_factor": [NON_NEGATIVE],
        "horizon": [POSITIVE, None],
    }

    def __init__(
        self, power: float = 2.0, final_factor: float = 0.0, horizon: float | None = None
    ) -> None:
        self.power = power
        self.final_factor = final_factor
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        left = (1.0 - self.passed(t, horizon)) ** self.power
        return between(self.final_factor, 1.0, left)


@SCHEDULES.register("cosine")
class Cosine(HorizonSchedule):
    r"""Half a wave of the cosine to the horizon :math:`T`, constant afterwards.

    .. math:: f(t) = f_T + (1 - f_T) \frac{1 + \cos(\pi t / T)}{2}, \quad t \leq T

    It changes at every step and is continuous. :class:`CosineRestarts` is the one of the paper,
    which starts again and again.

    Parameters
    ----------
    final_factor : float, default=0.0
        :math:`f_T`, at least 0.
    horizon : float, default=None
        :math:`T` in epochs; None for the whole of training.

    Notes
    -----
    ``torch.optim.lr_scheduler.CosineAnnealingLR`` rises again after the horizon; ours stays.

    References
    ----------
    I. Loshchilov and F. Hutter, "SGDR: stochastic gradient descent with warm restarts", ICLR
    2017.
    """

    _parameter_constraints = {"final_factor": [NON_NEGATIVE], "horizon": [POSITIVE, None]}

    def __init__(self, final_factor: float = 0.0, horizon: float | None = None) -> None:
        self.final_factor = final_factor
        self.horizon = horizon

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return between(1.0, self.final_factor, self.passed(t, horizon), "cosine")


@SCHEDULES.register("step")
class Step(Schedule):
    r"""A cut at regular times, :math:`f(t) = r^{\lfloor t / e \rfloor}`.

    It is asked for once an epoch, or at every step if `every` is no whole number of epochs. It is
    torch's ``StepLR``; :class:`Piecewise` cuts at times of one's own, as ``MultiStepLR`` does.

    Parameters
    ----------
    every : float, default=10
        :math:`e`, the epochs between two cuts.
    ratio : float, default=0.1
        :math:`r` in (0, 1], what a cut multiplies the factor by.
    """

    _parameter_constraints = {"every": [POSITIVE], "ratio": [RATIO]}

    def __init__(self, every: float = 10, ratio: float = 0.1) -> None:
        self.every = every
        self.ratio = ratio

    @property
    def per_step(self) -> bool:
        return not float(self.every).is_integer()

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return float(self.ratio) ** whole(t / self.every)


@SCHEDULES.register("piecewise")
class Piecewise(Schedule):
    """One constant factor after the other.

    ``factors[i]`` holds for ``boundaries[i - 1] <= t < boundaries[i]``. It is asked for once an
    epoch, or at every step if a boundary lies within an epoch. The default with
    ``learning_rate_init=0.1`` is 0.1 for the first five epochs, 0.01 for the next five, then
    0.001.

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

    def cycle_end(self, t: float, horizon: float) -> float:
        return float(self.boundaries[-1]) if len(self.boundaries) else 0.0

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return float(self.factors[bisect_right(self.boundaries, t)])

    def _check(self) -> None:
        boundaries, factors = list(self.boundaries), list(self.factors)
        if not all(map(POSITIVE.is_satisfied_by, boundaries)) or any(
            later <= earlier for earlier, later in pairwise(boundaries)
        ):
            raise ValueError(
                "The 'boundaries' parameter of Piecewise must be increasing positive numbers of "
                f"epochs. Got {self.boundaries!r} instead."
            )
        if not all(map(NON_NEGATIVE.is_satisfied_by, factors)):
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
