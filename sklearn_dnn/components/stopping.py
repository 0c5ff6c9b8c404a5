"""Early stopping: when a fit has learnt enough, as a component of numbers."""

from __future__ import annotations

import math
import numbers
from typing import Literal

from .._compat import Interval, Options, StrOptions
from .base import Component

_COUNT = Interval(numbers.Integral, 0, None, closed="left")
_FOREVER = Options(numbers.Real, {math.inf})
_VALUE = Interval(numbers.Real, None, None, closed="neither")

# Idle epochs that are borne where nothing else is said: as many as scikit-learn bears.
PATIENCE = 10


class EarlyStopping(Component):
    r"""Ends training when a monitored value no longer gets better.

    An epoch is idle unless its value is better than the best one before it, and by at least
    `min_delta`. Training ends when more than `patience` epochs in a row were idle: with
    ``patience=0`` at the first one. This is the rule of ``n_iter_no_change`` and ``tol``, save
    that a tie is idle here even where `min_delta` is 0.

    Given as the estimator's ``early_stopping``, it takes the place of ``n_iter_no_change`` and
    ``tol``. What is monitored is the estimator's ``monitor``: the loss, or a score. Of too few rows
    none are held out, and the training loss is monitored instead; `target` and `baseline` of a
    score are then left out, and both are told in warnings.

    Parameters
    ----------
    patience : int, inf or "auto", default="auto"
        How many idle epochs in a row are borne; ``math.inf`` bears any number, for an end by
        `target` or `baseline` alone. ``"auto"`` is what the estimator's ``n_iter_no_change="auto"``
        is: 10, but no end before a schedule has come to its own, or the recipe's.
    min_delta : float, default=0.0
        The least improvement that counts, at least 0. The best value is the best of all epochs,
        also of those that improved by less.
    relative : bool, default=False
        Whether `min_delta` is a share of the size of the best value (then below 1) instead of
        being in units of the monitored value.
    mode : {"auto", "min", "max"}, default="auto"
        Whether less or more is better. ``"auto"``: less for a loss, more for a score, as all
        scorers of scikit-learn are. ``"min"`` is for an error that a function given as
        ``monitor`` returns.
    baseline : float, default=None
        A value to beat, such as that of a linear model, in units of the monitored value. Training
        ends if the best value is not better than it (by at least `min_delta`) after
        `baseline_patience` epochs and one more.
    baseline_patience : int, default=None
        How many epochs there are to beat `baseline`; None for `patience`, and for 10 where that
        is "auto".
    target : float, default=None
        A value that is good enough, in units of the monitored value: training ends after the
        first epoch that reaches it.
    start_after : int, default=0
        The number of first epochs that can't end training and that are not compared with later
        ones, for a value that is restless in the beginning. Their best weights are kept until
        there are later ones.
    restore_best : bool, default=True
        Whether the weights of the best epoch are those that predict; else the last ones are.
    watch : {"validation", "training"}, default="validation"
        What is judged: rows held out (or ``X_val``), or the training loss, for which no rows are
        held out.
    refit : bool, default=False
        Whether, at the end, a new network is trained on all rows, those held out too, for as
        many epochs as the best one took. It costs a second fit, within the estimator's
        ``max_time``; where that is cut short, the first network stays.

    Notes
    -----
    Keras' callback of this name and ours:

    ========================  =============================================================
    Keras                     here
    ========================  =============================================================
    ``patience=p``            ``patience=p - 1`` (and 0 for 0): it ends when p epochs, not
                              more than p, were idle
    ``min_delta=d``           ``min_delta=d``: there more than d counts, here d or more, and
                              there improvements of less don't move the best value
    ``baseline=v``            ``baseline=v``: there a fit that still improves goes on
    ``start_from_epoch=s``    ``start_after=s``
    ``restore_best_weights``  ``restore_best``, which is True by default
    ``monitor``, ``verbose``  parameters of the estimator
    ========================  =============================================================

    The best epoch is chosen by the monitored value, which is therefore flattering: judge the fit
    on other rows.

    References
    ----------
    L. Prechelt, "Early stopping - but when?", in Neural networks: tricks of the trade, 1998.
    I. Goodfellow, Y. Bengio and A. Courville, "Deep learning", 2016, section 7.8 and algorithm
    7.2, which is `refit`.
    """

    _parameter_constraints = {
        "patience": [_COUNT, _FOREVER, StrOptions({"auto"})],
        "min_delta": [Interval(numbers.Real, 0, None, closed="left")],
        "relative": ["boolean"],
        "mode": [StrOptions({"auto", "min", "max"})],
        "baseline": [_VALUE, None],
        "baseline_patience": [_COUNT, None],
        "target": [_VALUE, None],
        "start_after": [_COUNT],
        "restore_best": ["boolean"],
        "watch": [StrOptions({"validation", "training"})],
        "refit": ["boolean"],
    }

    def __init__(
        self,
        patience: float | Literal["auto"] = "auto",
        min_delta: float = 0.0,
        relative: bool = False,
        mode: Literal["auto", "min", "max"] = "auto",
        baseline: float | None = None,
        baseline_patience: int | None = None,
        target: float | None = None,
        start_after: int = 0,
        restore_best: bool = True,
        watch: Literal["validation", "training"] = "validation",
        refit: bool = False,
    ) -> None:
        self.patience = patience
        self.min_delta = min_delta
        self.relative = relative
        self.mode = mode
        self.baseline = baseline
        self.baseline_patience = baseline_patience
        self.target = target
        self.start_after = start_after
        self.restore_best = restore_best
        self.watch = watch
        self.refit = refit

    def settled(self, patience: float) -> EarlyStopping:
        """The same rule with this `patience` where its own is "auto"."""
        if self.patience != "auto":
            return self
        given = self.get_params() | {"patience": patience}
        if self.baseline is not None and self.baseline_patience is None:
            given["baseline_patience"] = PATIENCE
        return EarlyStopping(**given)

    def sign(self, scored: bool) -> float:
        """1 if less is better, -1 if more is: what turns values into ones that are to fall.

        Parameters
        ----------
        scored : bool
            Whether a score is monitored, not the loss.

        Raises
        ------
        ValueError
            If a loss is asked to rise.
        """
        if self.mode == "max" and not scored:
            raise ValueError(
                "EarlyStopping got mode='max', but the loss is monitored, and less of it is "
                "better. Use mode='auto', or a score as the estimator's monitor."
            )
        return -1.0 if scored and self.mode != "min" else 1.0

    def _check(self) -> None:
        if self.baseline_patience is not None and self.baseline is None:
            raise ValueError(
                f"EarlyStopping got baseline_patience={self.baseline_patience!r} with "
                "baseline=None: give the baseline to beat, or leave baseline_patience=None."
            )
        if (
            self.baseline is not None
            and self.baseline_patience is None
            and self.patience == math.inf
        ):
            raise ValueError(
                f"EarlyStopping got baseline={self.baseline!r} with patience=inf: give "
                "baseline_patience, the number of epochs to beat the baseline in."
            )
        if self.relative and self.min_delta >= 1:
            raise ValueError(
                f"EarlyStopping got min_delta={self.min_delta!r} with relative=True: no loss falls "
                "by all of itself. Use a min_delta below 1, or relative=False."
            )
        if self.refit and self.watch == "training":
            raise ValueError(
                "EarlyStopping got refit=True with watch='training': no rows are held out, so "
                "there are none to add. Use watch='validation', or refit=False."
            )
