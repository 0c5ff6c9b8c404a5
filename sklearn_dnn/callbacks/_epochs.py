"""What the callbacks of this package share: which tasks are epochs, and what is known of one."""

from __future__ import annotations

import inspect
import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from sklearn.callback import CallbackContext

from ..components.base import refuse_arguments
from ..components.stopping import EarlyStopping
from ._observers import Parts

Key = tuple[str, tuple[int, ...]]


def task_key(context: CallbackContext) -> Key:
    """What tells a task from all others: the run, and the numbers of the tasks down to it."""
    path: list[int] = []
    task: CallbackContext | None = context
    while task is not None:
        path.insert(0, int(task.task_id))
        task = task.parent
    return str(context.root_uuid), tuple(path)


def may_be_epoch(context: CallbackContext) -> bool:
    """True of tasks without subtasks that are part of their own estimator's fit.

    The steps of a pipeline and the fits of a search can be such tasks, too; they differ in that
    no fitted estimator comes with them.
    """
    within_fit = context.parent is not None and context.source_estimator_name is None
    return within_fit and context.max_subtasks == 0


@dataclass
class WatchedFit:
    """One fit that is under way.

    Attributes
    ----------
    key : tuple of str and tuple of int
        The run, and the path of tasks within it.
    number : int
        Of the fits that this callback saw in this process, from 0.
    estimator_name : str
    memory : dict
        What a callback keeps from epoch to epoch.
    """

    key: Key
    number: int
    estimator_name: str
    memory: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The estimator, the path of tasks and the run: no other fit has it, in any process."""
        run, path = self.key
        return f"{self.estimator_name}-{'.'.join(map(str, path))}-{run[:8]}"


@dataclass(frozen=True)
class Epoch:
    """What is known at the end of an epoch.

    Attributes
    ----------
    fit : WatchedFit
    number : int
        From 1; with ``warm_start`` it counts on.
    path : tuple of int
        Numbers of the tasks from the outermost down to this epoch.
    record : dict
        The last value of each curve in ``history_``; NaN where there is none.
    estimator : estimator
        Being fitted.
    fitted : estimator
        A copy, as if training had ended here.
    X, y : array-like
        What `fit` was given.
    metadata : dict
        What else it was given.
    """

    fit: WatchedFit
    number: int
    path: tuple[int, ...]
    record: dict[str, Any]
    estimator: Any
    fitted: Any
    X: Any
    y: Any
    metadata: dict[str, Any]

    def part(self, which: str) -> tuple[Any, Any, Any] | None:
        """The ``"training"`` or ``"validation"`` rows (X, y, weights), if the estimator says."""
        parts = vars(self.fitted).get("_parts")
        return parts(which) if isinstance(parts, Parts) else None


class EpochCallback(ABC):
    """A callback of scikit-learn's protocol that acts at the end of epochs.

    It is handed down to inner estimators at any depth, so it is set on the outermost estimator:
    a pipeline, a search, or the network itself. One instance may watch many fits, one after
    another or in threads; what belongs to a fit is kept apart.
    """

    # scikit-learn hands a callback with this attribute on to inner estimators; None: to all
    max_propagation_depth: ClassVar[None] = None

    def __init__(self) -> None:
        self._fits: dict[Key, WatchedFit] = {}
        self._clocks: dict[Key, float] = {}
        self._n_fits = 0
        self._lock = threading.RLock()

    # What a callback does

    @abstractmethod
    def _epoch_ends(self, epoch: Epoch) -> bool | None:
        """Act; True asks to stop."""

    @abstractmethod
    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        """Act at the end of a fit that had epochs; `fitted` is None where it broke off."""

    # scikit-learn's hooks

    @abstractmethod
    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Called before the fit of the outermost estimator; refuses bad parameters."""

    def teardown(self, estimator: Any, context: CallbackContext) -> None:
        """Called after it, also after an error."""
        run = str(context.root_uuid)
        self._clocks = {key: began for key, began in self._clocks.items() if key[0] != run}
        for key in [key for key in self._fits if key[0] == run]:
            self._fit_ends(self._fits.pop(key), None)

    def on_fit_task_begin(self, estimator: Any, context: CallbackContext) -> None:
        """Called at the beginning of each task."""
        self._start_clock(context)

    def on_fit_task_end(
        self,
        estimator: Any,
        context: CallbackContext,
        *,
        X: Any = None,
        y: Any = None,
        metadata: dict[str, Any] | None = None,
        fitted_estimator: Any = None,
    ) -> bool:
        """Called at the end of each task; True asks to stop."""
        key = task_key(context)
        if not may_be_epoch(context):
            fit = self._fits.pop(key, None)
            if fit is not None:
                self._fit_ends(fit, fitted_estimator)
            return False
        began = self._clocks.pop(key, math.nan)
        if fitted_estimator is None:
            return False
        record = last_record(fitted_estimator)
        record.setdefault("seconds", perf_counter() - began)
        epoch = Epoch(
            fit=self._fit_of(context),
            number=epochs_done(fitted_estimator) or int(context.task_id) + 1,
            path=key[1],
            record=record,
            estimator=estimator,
            fitted=fitted_estimator,
            X=X,
            y=y,
            metadata=metadata or {},
        )
        return bool(self._epoch_ends(epoch))

    def _start_clock(self, context: CallbackContext) -> None:
        if may_be_epoch(context):
            self._clocks[task_key(context)] = perf_counter()

    def _fit_of(self, context: CallbackContext) -> WatchedFit:
        """The fit that an epoch is part of; a new one at its first epoch."""
        run, path = task_key(context)
        key = (run, path[:-1])
        with self._lock:
            if key not in self._fits:
                self._fits[key] = WatchedFit(key, self._n_fits, context.estimator_name)
                self._n_fits += 1
            return self._fits[key]

    # Copies go to worker processes; fits that are under way are not theirs

    def __getstate__(self) -> dict[str, Any]:
        state = {**vars(self), "_fits": {}, "_clocks": {}}
        del state["_lock"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        given = [
            f"{name}={vars(self)[name]!r}"
            for name, parameter in inspect.signature(type(self)).parameters.items()
            if vars(self)[name] is not parameter.default
        ]
        return f"{type(self).__name__}({', '.join(given)})"


def epochs_done(fitted: Any) -> int:
    """Epochs behind a fitted copy by its ``history_``; 0 where it has none."""
    history = vars(fitted).get("history_")
    return max(map(len, history.values()), default=0) if isinstance(history, dict) else 0


def last_record(fitted: Any) -> dict[str, Any]:
    """The last value of each curve; NaN for a value that was not computed."""
    history = vars(fitted).get("history_")
    if not isinstance(history, dict):
        return {}
    return {
        name: math.nan if values[-1] is None else values[-1]
        for name, values in history.items()
        if len(values)
    }


def monitored_name(monitor: str, epoch: Epoch) -> str:
    """The curve that ``monitor="auto"`` stands for, or a known name as it is.

    ``"auto"`` is what early stopping looks at: the score of the validation part if the estimator
    monitors a score, else the loss of that part, else the loss; the loss alone where an
    `EarlyStopping` of the estimator watches training.
    """
    record = epoch.record
    if monitor == "auto":
        rule = _early_stopping(epoch)
        wanted = ["validation_score"] if _is_scored(epoch) else []
        wanted.append("validation_loss")
        if rule is not None and rule.watch == "training":
            wanted = []
        for name in (*wanted, "loss"):
            if not math.isnan(record.get(name, math.nan)):
                return name
        raise ValueError(
            f"monitor='auto' needs an estimator that tells its loss in history_, as "
            f"MLPClassifier does; {type(epoch.estimator).__name__} has none. Use a callback that "
            "needs no loss, such as EpochScoring."
        )
    if monitor not in record:
        known = ", ".join(map(repr, record))
        raise ValueError(
            f"monitor={monitor!r} is not known of {type(epoch.estimator).__name__}; what is: "
            f"{known}. Choose one of these."
        )
    value = record[monitor]
    if monitor.startswith("validation") and math.isnan(value):
        raise ValueError(
            f"monitor={monitor!r} needs a validation part, and this fit has none. Set "
            "early_stopping=True, give X_val and y_val to fit, or monitor 'loss'."
        )
    return monitor


def falls(monitor: str, epoch: Epoch) -> bool:
    """Whether lower values are better: of losses; of a score if its `EarlyStopping` says so."""
    rule = _early_stopping(epoch)
    if monitor == "validation_score" and _is_scored(epoch) and rule is not None:
        return rule.sign(scored=True) > 0
    return monitor.endswith("loss")


def _is_scored(epoch: Epoch) -> bool:
    """Whether the estimator monitors a score of its own choice."""
    return vars(epoch.estimator).get("monitor", "loss") != "loss"


def _early_stopping(epoch: Epoch) -> EarlyStopping | None:
    """The rule by which the estimator stops, where one was given."""
    rule = vars(epoch.estimator).get("early_stopping")
    return rule if isinstance(rule, EarlyStopping) else None


def check_every(name: str, value: Any, *, least: int) -> None:
    """Refuse what is no number of epochs, rows or the like."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not (whole and value >= least):
        raise ValueError(
            f"{name} must be a whole number of at least {least}; got {value!r}. For example "
            f"{name}={max(1, least)}."
        )


def check_callable(name: str, value: Callable[..., Any] | None, wanted: Sequence[str]) -> None:
    """Refuse what can't be called, or not with the arguments that it will get."""
    if value is None:
        return
    if not callable(value):
        raise TypeError(f"{name} must be a function or None; got {value!r}.")
    refuse_arguments(name, value, wanted)
