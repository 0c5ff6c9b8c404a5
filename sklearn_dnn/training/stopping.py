"""When a member has stopped improving."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Patience:
    """Counts epochs without improvement, by scikit-learn's rule.

    An epoch whose value is not below the best one by more than `tol` is counted; one that is
    starts the count anew; training ends when the count exceeds `n_iter_no_change`. Lower
    values are better.

    Parameters
    ----------
    tol : float
        In units of the monitored value.
    n_iter_no_change : float
        Epochs; infinity never ends.
    """

    tol: float
    n_iter_no_change: float
    best: float = math.inf
    best_iter: int = 0
    count: int = 0

    def update(self, value: float, n_iter: int) -> bool:
        """Take in the value after epoch `n_iter` (from 1); True if it is the best so far."""
        self.count = self.count + 1 if value > self.best - self.tol else 0
        if value < self.best:
            self.best, self.best_iter = value, n_iter
            return True
        return False

    def forget(self) -> None:
        """Begin anew, because something else is monitored from here on."""
        self.best, self.best_iter, self.count = math.inf, 0, 0

    @property
    def exhausted(self) -> bool:
        return self.count > self.n_iter_no_change
