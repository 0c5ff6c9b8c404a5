"""When a member has stopped improving."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from ...components.stopping import EarlyStopping

_STATE = ("best", "best_iter", "count", "unbeaten")


@dataclass
class Patience:
    """Counts epochs without improvement, by scikit-learn's rule.

    An epoch whose value is not below the best one by at least `tol` is counted; one that is
    starts the count anew; training ends when the count exceeds `n_iter_no_change`. Lower
    values are better.

    Parameters
    ----------
    tol : float
        In units of the monitored value.
    n_iter_no_change : float
        Epochs; infinity never ends.
    best : float
        The lowest value so far.
    best_iter : int
        Its epoch, from 1; 0 if there was none.
    count : int
        Epochs in a row without improvement.
    relative : bool
        Whether `tol` is a share of the size of the value compared with.
    strict : bool
        Whether an epoch that equals the best one is counted also where `tol` is 0;
        scikit-learn's are not.
    baseline : float or None
        What the best value must be below, by at least `tol`.
    baseline_patience : float
        Epochs without that; one more ends training.
    target : float or None
        A best value this low ends training.
    start_after : int
        Epochs up to this one end nothing, and later ones are not compared with them.
    unbeaten : int
        Epochs so far that left the baseline unbeaten.
    """

    tol: float
    n_iter_no_change: float
    best: float = math.inf
    best_iter: int = 0
    count: int = 0
    relative: bool = False
    strict: bool = False
    baseline: float | None = None
    baseline_patience: float = math.inf
    target: float | None = None
    start_after: int = 0
    unbeaten: int = 0

    @classmethod
    def of(cls, rule: EarlyStopping, scored: bool) -> Patience:
        """The count that a component asks for.

        Parameters
        ----------
        rule : EarlyStopping
            Its patience may be "auto" no more.
        scored : bool
            Whether a score is monitored; its values must come times ``rule.sign(scored)``.
        """
        sign = rule.sign(scored)
        borne = rule.patience if rule.baseline_patience is None else rule.baseline_patience
        return cls(
            float(rule.min_delta),
            float(rule.patience),
            relative=bool(rule.relative),
            strict=True,
            baseline=None if rule.baseline is None else sign * float(rule.baseline),
            baseline_patience=float(borne),
            target=None if rule.target is None else sign * float(rule.target),
            start_after=int(rule.start_after),
        )

    def update(self, value: float, n_iter: int) -> bool:
        """Take in the value after epoch `n_iter` (from 1); True if it is the best so far."""
        if 0 < self.best_iter <= self.start_after < n_iter:
            self.forget()
        idle = self._falls_short(value, self.best)
        lowest = value < self.best
        if lowest:
            self.best, self.best_iter = value, n_iter
        if n_iter > self.start_after:
            self.count = self.count + 1 if idle else 0
            if self.baseline is not None:
                beaten = not self._falls_short(self.best, self.baseline)
                self.unbeaten = 0 if beaten else self.unbeaten + 1
        return lowest

    def forget(self) -> None:
        """Begin anew, because something else is monitored from here on."""
        self.best, self.best_iter, self.count, self.unbeaten = math.inf, 0, 0, 0

    @property
    def exhausted(self) -> bool:
        return self.count > self.n_iter_no_change

    @property
    def ended(self) -> str | None:
        """Why training ends after the last epoch: "target", "baseline", "patience", or None."""
        if self.target is not None and self.best <= self.target:
            return "target" if self.best_iter > self.start_after else None
        if self.unbeaten > self.baseline_patience:
            return "baseline"
        return "patience" if self.exhausted else None

    def export(self) -> dict[str, Any]:
        """Where the count stands, in plain numbers."""
        return {name: getattr(self, name) for name in _STATE}

    def resumed(self, saved: dict[str, Any]) -> Patience:
        """A count by the same rule that stands where :meth:`export` said."""
        return replace(self, **{name: saved[name] for name in _STATE if name in saved})

    def _falls_short(self, value: float, reference: float) -> bool:
        """Whether `value` is not an improvement on `reference`."""
        if reference == math.inf:
            return False
        tol = self.tol * abs(reference) if self.relative else self.tol
        if value > reference - tol:
            return True
        # scikit-learn's rule lets a flat curve run on where tol is 0
        return self.strict and value >= reference
