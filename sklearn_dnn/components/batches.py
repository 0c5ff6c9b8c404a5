"""Batches that take several passes."""

from __future__ import annotations

import numbers

from .._compat import Interval, StrOptions
from .base import Component


class Accumulated(Component):
    """Batches whose mean gradient makes one step, as one of so many times their rows would.

    Parameters
    ----------
    size : int, "auto" or "full", default="auto"
        Rows of a batch, as `batch_size` without it.
    steps : int, default=2
        Batches of a step; an epoch's last step takes what is left.
    """

    _parameter_constraints = {
        "size": [StrOptions({"auto", "full"}), Interval(numbers.Integral, 1, None, closed="left")],
        "steps": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    def __init__(self, size: int | str = "auto", steps: int = 2) -> None:
        self.size = size
        self.steps = steps
