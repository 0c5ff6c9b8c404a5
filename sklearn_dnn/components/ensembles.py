"""Ensembles whose members learn from rows of their own."""

from __future__ import annotations

import numbers

from .._compat import Interval
from .base import Component


class Bagging(Component):
    """Independent members, each of which learns from rows that it draws for itself.

    Parameters
    ----------
    fraction : float, default=1.0
        Rows that a member draws, as a share of those that train, in (0, 1].
    bootstrap : bool, default=True
        Whether it draws with replacement; else no row comes twice.

    References
    ----------
    L. Breiman, "Bagging predictors", Machine Learning 24, 1996.
    """

    _parameter_constraints = {
        "fraction": [Interval(numbers.Real, 0, 1, closed="right")],
        "bootstrap": ["boolean"],
    }

    def __init__(self, fraction: float = 1.0, bootstrap: bool = True) -> None:
        self.fraction = fraction
        self.bootstrap = bootstrap
