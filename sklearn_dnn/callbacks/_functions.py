"""Functions of one's own, and the simplest reasons to stop."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

from sklearn.callback import CallbackContext

from ._epochs import (
    Epoch,
    EpochCallback,
    WatchedFit,
    check_callable,
    epochs_done,
    falls,
    last_record,
    may_be_epoch,
    monitored_name,
)

Function = Callable[[int, dict[str, Any], Any], Any]


class FunctionCallback(EpochCallback):
    """Calls functions of ``(epoch, record, fitted_estimator)``.

    Parameters
    ----------
    on_epoch_end : callable or None, default=None
        Called after each epoch. If what it returns is true, training stops there.
    on_epoch_begin : callable or None, default=None
        Called before each epoch.
    on_fit_begin : callable or None, default=None
        Called before the first epoch of a fit.
    on_fit_end : callable or None, default=None
        Called after the last; `fitted_estimator` is then what `fit` leaves behind, with the best
        weights where early stopping keeps them. It is not called where `fit` broke off with an
        error.

    Notes
    -----
    ``epoch`` is the number of epochs that are behind: 1 at the end of the first one, and 0 at
    its beginning. ``record`` is a dictionary with the last value of each curve of ``history_``
    (``loss``, ``validation_loss``, ``learning_rate``, ...), NaN for what was not computed; it
    is empty before the first epoch. ``fitted_estimator`` can predict, as if training had ended
    there; changing it changes nothing of the fit.

    A search over several processes pickles the functions, and what they change in a worker
    stays there.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.callbacks import FunctionCallback
    >>> stop = FunctionCallback(lambda epoch, record, fitted: epoch == 2)
    >>> model = MLPClassifier().set_callbacks(stop).fit(*load_iris(return_X_y=True))
    >>> model.n_iter_, model.end_reason_
    (2, 'callback')
    """

    def __init__(
        self,
        on_epoch_end: Function | None = None,
        *,
        on_epoch_begin: Function | None = None,
        on_fit_begin: Function | None = None,
        on_fit_end: Function | None = None,
    ) -> None:
        super().__init__()
        self.on_epoch_end = on_epoch_end
        self.on_epoch_begin = on_epoch_begin
        self.on_fit_begin = on_fit_begin
        self.on_fit_end = on_fit_end

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse what is no function before training."""
        for name in ("on_epoch_end", "on_epoch_begin", "on_fit_begin", "on_fit_end"):
            check_callable(name, getattr(self, name), ("epoch", "record", "fitted_estimator"))

    def on_fit_task_begin(
        self, estimator: Any, context: CallbackContext, *, fitted_estimator: Any = None
    ) -> None:
        """Called at the beginning of each task."""
        self._start_clock(context)
        if fitted_estimator is None or not may_be_epoch(context):
            return
        fit = self._fit_of(context)
        told = (
            epochs_done(fitted_estimator) or int(context.task_id),
            last_record(fitted_estimator),
            fitted_estimator,
        )
        if not fit.memory.setdefault("begun", False):
            fit.memory["begun"] = True
            if self.on_fit_begin is not None:
                self.on_fit_begin(*told)
        if self.on_epoch_begin is not None:
            self.on_epoch_begin(*told)

    def _epoch_ends(self, epoch: Epoch) -> bool:
        epoch.fit.memory["last"] = (epoch.number, epoch.record)
        if self.on_epoch_end is None:
            return False
        return bool(self.on_epoch_end(epoch.number, epoch.record, epoch.fitted))

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        if fitted is not None and self.on_fit_end is not None and "last" in fit.memory:
            number, record = fit.memory["last"]
            self.on_fit_end(number, record, fitted)


class StopAtTarget(EpochCallback):
    """Asks to stop as soon as a value fixed in advance is reached.

    Parameters
    ----------
    monitor : str
        A curve of ``history_``: "loss", "validation_loss", "validation_score", ...; "auto" is
        what early stopping monitors.
    value : float
        The target. A monitored name that ends in "loss" must fall to it or below; others must
        rise to it or above, but "validation_score" falls where the estimator monitors a score
        with ``early_stopping=EarlyStopping(mode="min")``.

    Notes
    -----
    The network then has ``end_reason_ == "callback"``. The epoch of the target is the last one;
    with early stopping the weights kept are the best so far, which that epoch's are if it is
    the monitored value that reached the target.
    """

    def __init__(self, monitor: str, value: float) -> None:
        super().__init__()
        self.monitor = monitor
        self.value = value

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse bad parameters before training."""
        if not isinstance(self.value, Real) or self.value != self.value:
            raise ValueError(f"value must be a number; got {self.value!r}. For example value=0.9.")

    def _epoch_ends(self, epoch: Epoch) -> bool:
        name = monitored_name(self.monitor, epoch)
        value = epoch.record[name]
        return value <= self.value if falls(name, epoch) else value >= self.value

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        pass
