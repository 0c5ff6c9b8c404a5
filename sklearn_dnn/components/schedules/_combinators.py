"""Schedules made of other schedules, or of a function."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

from ..._compat import StrOptions
from ..base import refuse_arguments
from ._base import NON_NEGATIVE, POSITIVE, SCHEDULES, SHAPES, Schedule, between

_LEAST_HORIZON = 1e-9  # of a part that begins after training has ended


class FunctionSchedule(Schedule):
    """A function of the time.

    Parameters
    ----------
    function : callable
        ``function(t, horizon) -> factor``: `t` is the time now and `horizon` the end of training,
        both in epochs. The factor is a finite number of at least 0. The estimator is pickled
        with the function, so let it be one that is defined in a module, not a lambda.
    interval : {"step", "epoch"}, default="step"
        How often it is asked: at every step, or once an epoch with `t` rounded down.

    Notes
    -----
    A factor that depends on the loss needs a class of one's own with ``observe``. A function whose
    factors would be others for a longer `horizon` is on its way until then: early stopping waits
    for that end. It is asked for both horizons where training might end before.
    """

    _parameter_constraints = {"function": [callable], "interval": [StrOptions({"step", "epoch"})]}

    def __init__(
        self,
        function: Callable[[float, float], float],
        interval: Literal["step", "epoch"] = "step",
    ) -> None:
        self.function = function
        self.interval = interval

    def _check(self) -> None:
        refuse_arguments("function", self.function, ("t", "horizon"), type(self).__name__)

    @property
    def per_step(self) -> bool:
        return self.interval == "step"

    def cycle_end(self, t: float, horizon: float) -> float:
        """`horizon`, where the function goes by it: factors would be others for a later one."""
        times = [horizon * part for part in (0.0, 0.25, 0.5, 0.75)] + [max(horizon - 1.0, 0.0)]
        goes_by_it = any(
            self.factor(s, horizon, {}) != self.factor(s, 2.0 * horizon, {}) for s in times
        )
        return horizon if goes_by_it else 0.0

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        t = t if self.per_step else float(math.floor(t))
        given = self.function(t, horizon)
        if not NON_NEGATIVE.is_satisfied_by(given):
            raise ValueError(
                "The function of a schedule must return a finite number of at least 0, the "
                f"factor at time t. Got {given!r} from {self.function!r} at t={t!r} of "
                f"horizon={horizon!r} instead."
            )
        return float(given)


def as_schedule(value: Any) -> Any:
    """A function as a :class:`FunctionSchedule`; names, schedules and all else as they are.

    Parameters
    ----------
    value : str, Schedule, callable or other
        What a user gave for a schedule. ``SCHEDULES.resolve`` refuses what is none.
    """
    if callable(value) and not isinstance(value, Schedule | type):
        return FunctionSchedule(value)
    return value


def _checked(value: Any) -> Schedule:
    return SCHEDULES.resolve(as_schedule(value))


def _made(value: Any) -> Schedule:
    """A schedule from a value that was checked before."""
    return SCHEDULES[value]() if isinstance(value, str) else as_schedule(value)


@SCHEDULES.register("warmup")
class Warmup(Schedule):
    r"""A slow start in front of another schedule.

    .. math::

        f(t) = \begin{cases}
            (f_0 + (1 - f_0) \, t / w) \; g(0) & t < w \\
            g(t - w) & t \geq w
        \end{cases}

    where :math:`w` is `epochs` and :math:`g` the other schedule. Its time begins when the warmup
    has ended, and the horizon it is told is that of training less :math:`w`, so that both end
    together. It changes at every step and is continuous where :math:`g` is.

    Parameters
    ----------
    schedule : str, Schedule or callable, default="constant"
        What follows. Of a component the parameters can be searched: with
        ``schedule=Warmup(Cosine())`` there is ``schedule__schedule__final_factor``.
    epochs : float, default=5.0
        :math:`w`. If training is shorter the warmup is all there is of it.
    initial_factor : float, default=0.0
        :math:`f_0`, at least 0. At 0 the first step changes nothing.
    shape : {"linear", "cosine"}, default="linear"
        Whether the rise is a straight line or half a wave of the cosine.

    Notes
    -----
    A schedule that watches the loss watches it in the warmup too. With "constant" and "linear" it
    is ``torch.optim.lr_scheduler.LinearLR``, with ``start_factor`` as `initial_factor`.

    References
    ----------
    P. Goyal et al., "Accurate, large minibatch SGD: training ImageNet in 1 hour", 2017.
    """

    per_step = True
    _parameter_constraints = {
        "schedule": [str, Schedule, callable],
        "epochs": [POSITIVE],
        "initial_factor": [NON_NEGATIVE],
        "shape": [SHAPES],
    }

    def __init__(
        self,
        schedule: str | Schedule | Callable[[float, float], float] = "constant",
        epochs: float = 5.0,
        initial_factor: float = 0.0,
        shape: Literal["linear", "cosine"] = "linear",
    ) -> None:
        self.schedule = schedule
        self.epochs = epochs
        self.initial_factor = initial_factor
        self.shape = shape

    @property
    def watches_loss(self) -> bool:
        return _made(self.schedule).watches_loss

    @property
    def ends_with_training(self) -> bool:
        return _made(self.schedule).ends_with_training

    def cycle_end(self, t: float, horizon: float) -> float:
        left = max(horizon - self.epochs, _LEAST_HORIZON)
        return self.epochs + _made(self.schedule).cycle_end(max(t - self.epochs, 0.0), left)

    def start(self) -> dict[str, float]:
        return _made(self.schedule).start()

    def observe(self, state: dict[str, float], value: float) -> None:
        _made(self.schedule).observe(state, value)

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        left = max(horizon - self.epochs, _LEAST_HORIZON)
        following = _made(self.schedule).factor(max(t - self.epochs, 0.0), left, state)
        rise = between(self.initial_factor, 1.0, t / self.epochs, self.shape)
        return rise * following

    def _check(self) -> None:
        _checked(self.schedule)


@SCHEDULES.register("sequential")
class Sequential(Schedule):
    """One schedule after the other, each with a time of its own.

    ``schedules[i]`` holds for ``boundaries[i - 1] <= t < boundaries[i]``. The time that it sees
    begins with its piece, and the horizon it is told is the length of its piece, for the last
    one until the end of training. It is asked for at every step if any of them is, or if a
    boundary lies within an epoch. A factor begins where its own schedule does, not where the one
    before it has ended: as in torch's ``SequentialLR`` there may be a jump.

    Parameters
    ----------
    schedules : sequence of str, Schedule or callable, default=("constant", "cosine")
        Schedules of time alone; for one that watches the loss there is :class:`Warmup`.
        Parameters within the sequence can't be searched.
    boundaries : sequence of float, default=(10,)
        Increasing positive times, in finished epochs, one less than there are schedules.
    """

    _parameter_constraints = {"schedules": [tuple, list], "boundaries": ["array-like"]}

    def __init__(
        self,
        schedules: Sequence[str | Schedule | Callable[[float, float], float]] = (
            "constant",
            "cosine",
        ),
        boundaries: Sequence[float] = (10,),
    ) -> None:
        self.schedules = schedules
        self.boundaries = boundaries

    @property
    def per_step(self) -> bool:
        return any(not float(boundary).is_integer() for boundary in self.boundaries) or any(
            _made(schedule).per_step for schedule in self.schedules
        )

    @property
    def ends_with_training(self) -> bool:
        return _made(self.schedules[-1]).ends_with_training

    def cycle_end(self, t: float, horizon: float) -> float:
        begin = float(self.boundaries[-1]) if len(self.boundaries) else 0.0
        left = max(horizon - begin, _LEAST_HORIZON)
        return begin + _made(self.schedules[-1]).cycle_end(max(t - begin, 0.0), left)

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        i = bisect_right(self.boundaries, t)
        bounds = (0.0, *self.boundaries, horizon)
        length = max(bounds[i + 1] - bounds[i], _LEAST_HORIZON)
        return _made(self.schedules[i]).factor(t - bounds[i], length, state)

    def _check(self) -> None:
        boundaries = list(self.boundaries)
        if not all(map(POSITIVE.is_satisfied_by, boundaries)) or any(
            later <= earlier for earlier, later in pairwise(boundaries)
        ):
            raise ValueError(
                "The 'boundaries' parameter of Sequential must be increasing positive numbers of "
                f"epochs. Got {self.boundaries!r} instead."
            )
        if len(self.schedules) != len(boundaries) + 1:
            raise ValueError(
                f"Sequential got schedules={self.schedules!r} with boundaries="
                f"{self.boundaries!r}: {len(boundaries)} boundaries part the time into "
                f"{len(boundaries) + 1} pieces, so give {len(boundaries) + 1} schedules instead "
                f"of {len(self.schedules)}."
            )
        for schedule in map(_checked, self.schedules):
            if schedule.watches_loss:
                raise ValueError(
                    "The 'schedules' parameter of Sequential takes schedules of time alone. Got "
                    f"{schedule!r}, which watches the loss: use it by itself, or behind a "
                    "Warmup."
                )
