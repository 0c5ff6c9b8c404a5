r"""Curricula: which rows are drawn in an epoch, easy ones first.

``n`` rows. The unit of time is the epoch. A row's rank is the share of rows that are easier
than it, so that the rows of rank below :math:`q` are the easiest share :math:`q`.
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .._compat import Interval, InvalidParameterError
from .base import Component, refuse_arguments
from .registry import Registry


class Curriculum(Component):
    """A plan of how likely each row is to be drawn, epoch by epoch."""

    @property
    def ends_with_training(self) -> bool:
        """Whether the plan comes to its end where training does; not by default."""
        return False

    def cycle_end(self, t: float, horizon: float) -> float:
        """The epoch from which on the plan stays as it is; 0 by default, if not that of training.

        Parameters
        ----------
        t, horizon : float
            As :meth:`weights` gets them.
        """
        return horizon if self.ends_with_training else 0.0

    @abstractmethod
    def weights(self, difficulty_rank: Tensor, t: float, horizon: float) -> Tensor | None:
        """How likely each row is at every draw of an epoch.

        Parameters
        ----------
        difficulty_rank : Tensor of shape (n,)
            What :func:`ranks` gives, in [0, 1]; 0 is the easiest.
        t : float
            Epochs done since the plan began.
        horizon : float
            The end of training, in epochs, for a plan without a length of its own.

        Returns
        -------
        Tensor of shape (n,) or None
            Probabilities that sum to 1, for as many draws with replacement as there are rows;
            None for every row once, in random order.
        """


CURRICULA: Registry[Curriculum] = Registry("curriculum", Curriculum)

_FRACTION = Interval(numbers.Real, 0, 1, closed="both")
_SHARE = Interval(numbers.Real, 0, 1, closed="right")
_POSITIVE = Interval(numbers.Real, 0, None, closed="neither")


def ranks(difficulty: np.ndarray) -> np.ndarray:
    """The share of rows that are easier than each row; rows of equal difficulty get the same.

    Parameters
    ----------
    difficulty : array-like of shape (n,)
        One number a row, in any unit: larger is harder. Infinity is the hardest.

    Returns
    -------
    ndarray of float64, shape (n,)
        In [0, 1); the easiest rows have 0.

    Raises
    ------
    ValueError
        If there is not one number a row.
    """
    values = np.asarray(difficulty)
    if values.ndim != 1 or values.dtype.kind not in "biuf":
        raise ValueError(
            "difficulty must hold one number a row, larger for harder rows. Got an array of "
            f"shape {values.shape} and type {values.dtype}."
        )
    missing = int(np.isnan(values).sum())
    if missing:
        raise ValueError(
            f"difficulty must not hold NaN, but {missing} of its {len(values)} values are NaN: "
            "give rows of unknown difficulty a number, such as the median."
        )
    return np.searchsorted(np.sort(values), values, side="left") / max(len(values), 1)


class _PacedCurriculum(Curriculum):
    """Draws from the easiest share of rows, which grows, and a part from all rows."""

    random_share: float

    @abstractmethod
    def easiest(self, t: float, horizon: float) -> float:
        """The share of rows that is drawn from at time `t`, in (0, 1]."""

    def weights(self, difficulty_rank: Tensor, t: float, horizon: float) -> Tensor | None:
        share = self.easiest(t, horizon)
        if share >= 1.0 or self.random_share == 1.0:
            return None
        easy = (difficulty_rank < share).to(difficulty_rank.dtype)
        n_rows = difficulty_rank.shape[-1]
        easy.mul_((1.0 - self.random_share) / easy.sum(-1, keepdim=True))
        return easy.add_(self.random_share / n_rows)


@CURRICULA.register("linear")
class LinearCurriculum(_PacedCurriculum):
    r"""The easiest share of rows grows on a straight line, with some rows of all kinds.

    .. math:: q(t) = q_0 + (1 - q_0) \frac{t}{T}, \quad
        w_i(t) = (1 - r) \frac{[\mathrm{rank}_i < q(t)]}{n\,q(t)} + \frac{r}{n}

    From :math:`T` on every row comes once an epoch.

    Parameters
    ----------
    start : float, default=0.2
        :math:`q_0` in (0, 1]: the share of rows that training begins with.
    epochs : float, default=10.0
        :math:`T`, after which there is no curriculum; None for the whole of training.
    random_share : float, default=0.2
        :math:`r` in [0, 1]: the chance that a draw is one of all rows. 0 is the curriculum of
        Bengio et al.; with more it is the mixed strategy of Zaremba and Sutskever, which keeps
        a network from learning what is true of easy rows only. 1 is no curriculum.

    References
    ----------
    Y. Bengio, J. Louradour, R. Collobert and J. Weston, "Curriculum learning", ICML 2009.
    W. Zaremba and I. Sutskever, "Learning to execute", 2014, section 3.
    """

    _parameter_constraints = {
        "start": [_SHARE],
        "epochs": [_POSITIVE, None],
        "random_share": [_FRACTION],
    }

    def __init__(
        self, start: float = 0.2, epochs: float | None = 10.0, random_share: float = 0.2
    ) -> None:
        self.start = start
        self.epochs = epochs
        self.random_share = random_share

    @property
    def ends_with_training(self) -> bool:
        """Whether `epochs` is None."""
        return self.epochs is None

    def cycle_end(self, t: float, horizon: float) -> float:
        return horizon if self.epochs is None else float(self.epochs)

    def easiest(self, t: float, horizon: float) -> float:
        part = min(t / (horizon if self.epochs is None else self.epochs), 1.0)
        return 1.0 if part == 1.0 else self.start + (1.0 - self.start) * part


@CURRICULA.register("exponential")
class ExponentialCurriculum(_PacedCurriculum):
    r"""The easiest share of rows grows by the same factor every few epochs, in steps.

    .. math:: q(t) = \min(q_0\, g^{\lfloor t / s \rfloor}, 1)

    with the weights of :class:`LinearCurriculum`.

    Parameters
    ----------
    start : float, default=0.2
        :math:`q_0` in (0, 1]: the share of rows that training begins with.
    growth : float, default=2.0
        :math:`g > 1`.
    every : float, default=3.0
        :math:`s`, the length of a step in epochs.
    random_share : float, default=0.2
        The chance in [0, 1] that a draw is one of all rows.

    References
    ----------
    G. Hacohen and D. Weinshall, "On the power of curriculum learning in training deep networks",
    ICML 2019: the fixed exponential pacing. Steps there are counted in batches.
    """

    _parameter_constraints = {
        "start": [_SHARE],
        "growth": [Interval(numbers.Real, 1, None, closed="neither")],
        "every": [_POSITIVE],
        "random_share": [_FRACTION],
    }

    def __init__(
        self,
        start: float = 0.2,
        growth: float = 2.0,
        every: float = 3.0,
        random_share: float = 0.2,
    ) -> None:
        self.start = start
        self.growth = growth
        self.every = every
        self.random_share = random_share

    def cycle_end(self, t: float, horizon: float) -> float:
        return self.every * math.ceil(-math.log(self.start) / math.log(self.growth))

    def easiest(self, t: float, horizon: float) -> float:
        n_steps = math.floor(t / self.every)
        if n_steps * math.log(self.growth) >= -math.log(self.start):  # the power may overflow
            return 1.0
        return min(self.start * self.growth**n_steps, 1.0)


class FunctionCurriculum(Curriculum):
    """A user's own plan. A bare function in place of this component means the same.

    Parameters
    ----------
    function : callable
        ``function(t, difficulty_rank)`` gives a weight of at least 0 for each row (they need not
        sum to 1), or None for every row once. `t` is the number of epochs done, and
        `difficulty_rank` a NumPy array of shape (n,) with the share of easier rows.

    Notes
    -----
    A function that pickle can find by its name, not a lambda, is needed where the estimator is
    pickled, as searches with several processes do.
    """

    _parameter_constraints = {"function": [callable]}

    def __init__(self, function: Callable[[float, np.ndarray], Any]) -> None:
        self.function = function

    def _check(self) -> None:
        refuse_arguments("function", self.function, ("t", "difficulty_rank"), type(self).__name__)

    def weights(self, difficulty_rank: Tensor, t: float, horizon: float) -> Tensor | None:
        result = self.function(t, difficulty_rank.cpu().numpy().copy())
        if result is None:
            return None
        values = np.asarray(result, dtype=np.float64)
        if values.shape != tuple(difficulty_rank.shape):
            raise ValueError(
                f"The curriculum {self.function!r} must return one weight a row, or None. Got "
                f"shape {values.shape} for {len(difficulty_rank)} rows at epoch {t:g}."
            )
        total = values.sum()
        if not (np.isfinite(total) and total > 0 and values.min() >= 0):
            raise ValueError(
                f"The curriculum {self.function!r} must return finite weights of at least 0 that "
                f"are not all 0. Got {values.min():g} to {values.max():g} at epoch {t:g}; return "
                "None for every row once."
            )
        return torch.from_numpy(values / total).to(difficulty_rank)


def as_curriculum(value: Any) -> Curriculum | None:
    """A checked curriculum.

    Parameters
    ----------
    value : None, str, Curriculum or callable
        A callable is wrapped in :class:`FunctionCurriculum`.

    Raises
    ------
    ValueError
        If a name is unknown, a parameter is not allowed, or `value` is something else.
    TypeError
        If it is a class instead of an instance.
    """
    if value is None:
        return None
    if isinstance(value, str | type | Curriculum):
        return CURRICULA.resolve(value)
    if callable(value):
        return CURRICULA.resolve(FunctionCurriculum(value))
    raise InvalidParameterError(
        f"The 'curriculum' parameter must be None, one of {sorted(CURRICULA)}, an instance of "
        "Curriculum, or a function(t, difficulty_rank) that gives a weight a row. "
        f"Got {value!r} instead."
    )
