"""Schedules that watch the loss."""

from __future__ import annotations

import math
import numbers
from typing import Literal

from ..._compat import Interval, StrOptions
from ._base import FRACTION, INNER_FRACTION, NON_NEGATIVE, SCHEDULES, Schedule


@SCHEDULES.register("performance")
class Performance(Schedule):
    r"""A cut each time the monitored value has stopped falling.

    An epoch counts as idle unless its value is more than `threshold` below the reference. After
    `patience` idle epochs in a row the factor is multiplied by `reduction`, and the count starts
    anew.

    Parameters
    ----------
    reduction : float, default=0.5
        What a cut multiplies the factor by, in (0, 1).
    patience : int, default=5
        The number of idle epochs that lead to a cut.
    threshold : float, default=1e-4
        The least fall that counts.
    min_factor : float, default=1e-4
        The factor that cuts do not go below, in [0, 1].
    threshold_mode : {"absolute", "relative"}, default="absolute"
        Whether `threshold` is in units of the monitored value, or a part of the absolute
        reference.
    reference : {"lowest", "last_fall"}, default="lowest"
        What a value is compared with: the lowest before it, as scikit-learn's stopping does; or
        the last that counted as a fall, to which many small falls add up.
    cooldown : int, default=0
        The number of epochs after a cut that are not counted.

    Notes
    -----
    ``torch.optim.lr_scheduler.ReduceLROnPlateau`` is ``reduction=0.1, patience=11,
    threshold_mode="relative", reference="last_fall", min_factor=0.0``: its patience of 10 is the
    number of idle epochs that it bears, and it cuts at the next. Its ``eps`` is not offered.

    ``keras.callbacks.ReduceLROnPlateau`` is ``reduction=0.1, patience=10,
    reference="last_fall", min_factor=0.0``; in Keras the last epoch of a cooldown counts, so that
    its cooldown of n is one of n - 1 here. Its ``min_lr`` is a rate, `min_factor` a factor.
    """

    per_step = False
    watches_loss = True
    _parameter_constraints = {
        "reduction": [INNER_FRACTION],
        "patience": [Interval(numbers.Integral, 1, None, closed="left")],
        "threshold": [NON_NEGATIVE],
        "min_factor": [FRACTION],
        "threshold_mode": [StrOptions({"absolute", "relative"})],
        "reference": [StrOptions({"lowest", "last_fall"})],
        "cooldown": [Interval(numbers.Integral, 0, None, closed="left")],
    }

    def __init__(
        self,
        reduction: float = 0.5,
        patience: int = 5,
        threshold: float = 1e-4,
        min_factor: float = 1e-4,
        threshold_mode: Literal["absolute", "relative"] = "absolute",
        reference: Literal["lowest", "last_fall"] = "lowest",
        cooldown: int = 0,
    ) -> None:
        self.reduction = reduction
        self.patience = patience
        self.threshold = threshold
        self.min_factor = min_factor
        self.threshold_mode = threshold_mode
        self.reference = reference
        self.cooldown = cooldown

    def start(self) -> dict[str, float]:
        return {"factor": 1.0, "best": math.inf, "idle": 0.0, "rest": 0.0}

    def factor(self, t: float, horizon: float, state: dict[str, float]) -> float:
        return state["factor"]

    def observe(self, state: dict[str, float], value: float) -> None:
        fell = value < state["best"] - self._least_fall(state["best"])
        if fell or (self.reference == "lowest" and value < state["best"]):
            state["best"] = float(value)
        state["idle"] = 0.0 if fell else state["idle"] + 1.0
        if state["rest"] > 0.0:
            state["rest"] -= 1.0
            state["idle"] = 0.0
        if state["idle"] >= self.patience:
            state["factor"] = max(state["factor"] * self.reduction, float(self.min_factor))
            state["idle"] = 0.0
            state["rest"] = float(self.cooldown)

    def _least_fall(self, best: float) -> float:
        if self.threshold_mode == "absolute" or not math.isfinite(best):
            return float(self.threshold)
        return float(self.threshold) * abs(best)
