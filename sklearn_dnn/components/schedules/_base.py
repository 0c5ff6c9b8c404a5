r"""What a schedule is: the base classes, their registry, and how values are taken between two.

The unit of every time is the epoch: :math:`t` is the number of steps done over the number of
steps in an epoch, fractional within an epoch. The horizon is the epoch at which a schedule has
come to its end.
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from ..._compat import Interval, StrOptions
from ..base import Component
from ..registry import Registry


class Schedule(Component):
    """A factor on a number that changes with time.

    The number is that of the parameter which the schedule is given for: of `schedule` it is
    ``learning_rate_init``. A factor is never negative; it may be more than 1.
    """

    @property
    @abstractmethod
    def per_step(self) -> bool:
        """Whether the factor changes within an epoch; else it is asked for once an epoch."""

    @property
    def watches_loss(self) -> bool:
        """Whether the factor depends on what :meth:`observe` is told; not by default."""
        return False

    @property
    def ends_with_training(self) -> bool:
        """Whether the schedule comes to its end where training does; not by default."""
        return False

    def cycle_end(self, t: float, horizon: float) -> float:
        """The epoch at which what the schedule is in the middle of comes to its end.

        Training that has to find its end by itself is best not ended before: while the rate is
        high the loss is restless, and what its fall gains comes last.

        Parameters
        ----------
        t, horizon : float
            As :meth:`factor` gets them; `t` is a whole number of epochs done.

        Returns
        -------
        float
            `horizon` where the schedule ends with training; by default 0 elsewhere, which is
            over at any time.
        """
        return horizon if self.ends_with_training else 0.0

    @abstractmethod
    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        """What to multiply the number by.

        Parameters
        ----------
        t : float
            The time now, in epochs: steps done / steps in an epoch.
        horizon : float
            The end of training, in epochs, for a schedule that has no end of its own.
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

    def curve(
        self, n_epochs: int, steps_per_epoch: int = 1, losses: Sequence[float] | None = None
    ) -> np.ndarray:
        """The factors over a run of training, without training.

        Parameters
        ----------
        n_epochs : int
            The length of the run in epochs, and its horizon.
        steps_per_epoch : int, default=1
            The number of steps in an epoch.
        losses : sequence of float of length n_epochs, default=None
            The monitored value after each epoch, for a schedule that depends on it.

        Returns
        -------
        ndarray of shape (n_epochs * steps_per_epoch,)
            The factor of each step.

        Raises
        ------
        ValueError
            If the factor depends on the loss and none is given, or not one an epoch.
        """
        if losses is None and self.watches_loss:
            raise ValueError(
                f"{type(self).__name__} has no curve of its own, since its factor depends on the "
                "loss: give the monitored values as losses=, one an epoch."
            )
        if losses is not None and len(losses) != n_epochs:
            raise ValueError(
                f"The 'losses' parameter must have one value an epoch. Got {len(losses)} values "
                f"for n_epochs={n_epochs!r} instead."
            )
        state = self.start()
        factors = []
        for epoch in range(n_epochs):
            for i in range(steps_per_epoch):
                k = epoch * steps_per_epoch + i
                t = k / steps_per_epoch if self.per_step else epoch
                factors.append(self.factor(t, n_epochs, state))
            if losses is not None:
                self.observe(state, float(losses[epoch]))
        return np.array(factors, dtype=np.float64)


class HorizonSchedule(Schedule):
    """A schedule that runs to a horizon, and stays as it is from there on.

    It changes at every step and has a parameter `horizon`: its end in epochs, None for that of
    training.
    """

    per_step = True

    horizon: float | None

    @property
    def ends_with_training(self) -> bool:
        """Whether `horizon` is None."""
        return self.horizon is None

    def cycle_end(self, t: float, horizon: float) -> float:
        return horizon if self.horizon is None else float(self.horizon)

    def passed(self, t: float, horizon: float) -> float:
        """The part of the schedule that is over, in [0, 1].

        Parameters
        ----------
        t, horizon : float
            As :meth:`factor` got them, in epochs.
        """
        return min(t / (horizon if self.horizon is None else self.horizon), 1.0)


SCHEDULES: Registry[Schedule] = Registry("schedule", Schedule)

POSITIVE = Interval(numbers.Real, 0, None, closed="neither")
NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
FRACTION = Interval(numbers.Real, 0, 1, closed="both")
INNER_FRACTION = Interval(numbers.Real, 0, 1, closed="neither")
RATIO = Interval(numbers.Real, 0, 1, closed="right")
AT_LEAST_ONE = Interval(numbers.Real, 1, None, closed="left")
SHAPES = StrOptions({"linear", "cosine"})


def between(first: float, last: float, part: float, shape: str = "linear") -> float:
    """The value `part` of the way from `first` to `last`, exact at both ends.

    Parameters
    ----------
    first, last, part : float
        A `part` outside [0, 1] is taken as the nearer end.
    shape : {"linear", "cosine"}, default="linear"
        A straight line, or half a wave of the cosine.
    """
    part = min(max(part, 0.0), 1.0)
    if shape == "cosine":
        part = (1.0 - math.cos(math.pi * part)) / 2.0
    return (1.0 - part) * first + part * last


def whole(x: float) -> int:
    """`x` rounded down, but up where it fell short of a whole number by rounding alone."""
    return math.floor(x + 1e-9)


def whole_up(x: float) -> int:
    """`x` rounded up, but down where it is above a whole number by rounding alone."""
    return math.ceil(x - 1e-9)
