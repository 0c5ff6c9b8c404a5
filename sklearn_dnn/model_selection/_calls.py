"""The calls that scikit-learn hands to joblib, and what is prepared for them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any

import numpy as np
from joblib import hash as hash_of
from sklearn.base import clone

from .._compat import (
    check_method_params,
    evaluation_of,
    has_callbacks,
    num_features,
    propagated_callbacks,
    safe_split,
)
from .._interruption import whole_fit
from .._lockstep import seconds_of_others
from .._warnings import Line, asked_at, users_line
from ..estimators._stacked_fit import Fit, why_not
from ._composites import (
    holds_theirs,
    may_hold_network,
    network_of,
    path_of,
    record,
    recorded,
    surroundings,
)
from ._costs import epochs_of, planned_for, seconds_of
from ._stand_ins import OnSharedTable, Place, Prepared, interrupted


def _at_its_line(run: Callable[[Call], Any]) -> Callable[[Call], Any]:
    """Decorator of what a pool may do: its warnings are shown where it was asked for."""

    @wraps(run)
    def placed(call: Call) -> Any:
        with asked_at(call.line):
            return run(call)

    return placed


@dataclass
class Call:
    """One call that joblib was given.

    Attributes
    ----------
    function : callable
    args, kwargs : tuple and dict
        With which it is to be called.
    asked : dict or None
        The arguments by name, of a call that fits and judges an estimator; None of any other.
    candidate : estimator or None
        A clone with the call's parameters, where it holds a network.
    reason : str or None
        Why it is not stacked.
    fit : Fit or None
        The fit of the network, once it is prepared.
    composition : estimator or None
        The fitted surroundings of the network.
    line : Line or None
        The user's line that asks for it.
    in_step : bool
        Whether its fit waits for others, and trains with them.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    asked: dict[str, Any] | None = None
    candidate: Any = None
    reason: str | None = None
    fit: Fit | None = None
    composition: Any = None
    line: Line | None = None
    in_step: bool = False

    @classmethod
    def read(cls, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Call:
        """A call, and whether a stack may do its fit."""
        call = cls(function, tuple(args), dict(kwargs), line=users_line())
        target = evaluation_of(function)
        if target is None:
            call.reason = "it is no evaluation of an estimator"
            return call
        asked = dict(inspect.signature(target).bind(*args, **kwargs).arguments)
        call.asked, estimator = asked, asked["estimator"]
        if holds_theirs(estimator, asked.get("parameters")):
            call.in_step, call.reason = True, "it is scikit-learn's own, and trains in step"
            return call
        if not may_hold_network(estimator):
            call.reason = f"{type(estimator).__name__} holds no network of this package"
            return call
        try:
            num_features(asked["X"])
        except TypeError as error:
            call.reason = str(error)
            return call
        # a copy, since the estimator is the search's own, and its fit must find it as it was
        try:
            candidate = clone(estimator)
            if asked.get("parameters"):
                candidate.set_params(**clone(asked["parameters"], safe=False))
        except (TypeError, ValueError, AttributeError):
            # which scikit-learn's own code will tell, in the words that its users know
            call.reason = "its parameters are refused"
            return call
        network = network_of(candidate)
        if network is None:
            call.reason = f"{type(estimator).__name__} holds no network of this package"
        elif has_callbacks(estimator) or propagated_callbacks(asked.get("callback_ctx")):
            call.reason = "it has callbacks"
        else:
            call.reason = why_not(network)
        if call.reason is None:
            call.candidate = candidate
        return call

    @property
    def network(self) -> Any:
        return network_of(self.candidate)

    @property
    def is_bare(self) -> bool:
        """Whether the network is the estimator, and learns from the table as it is."""
        return self.candidate is self.network

    @cached_property
    def table_key(self) -> tuple[Any, ...]:
        """What decides the table that the network learns from, among the calls of a search.

        All folds are rows of one table for a bare network; behind other steps each fold and
        each setting of these makes a table of its own.
        """
        assert self.asked is not None
        if self.is_bare:
            return (id(self.asked["X"]), id(self.asked["y"]))
        return (
            id(self.asked["X"]),
            id(self.asked["train"]),
            path_of(self.candidate),
            hash_of(surroundings(self.candidate)),
        )

    @cached_property
    def planned(self) -> dict[str, Any]:
        """The network's parameters with those that the number of rows decides."""
        assert self.asked is not None
        return planned_for(self.network, self.asked["X"], self.n_rows)

    @property
    def n_rows(self) -> int:
        """Rows that its network is to learn from."""
        assert self.asked is not None
        return len(np.asarray(self.asked["train"]))

    @property
    def n_epochs(self) -> int:
        """Epochs that its network may do; 1 where there is none."""
        return epochs_of(self.planned) if self.reason is None else 1

    @property
    def seconds(self) -> float:
        """About how long one core takes to train the network in a stack."""
        if self.reason is not None or self.asked is None:
            return 0.0
        return seconds_of(self.planned, self.n_rows, num_features(self.asked["X"]))

    def prepare(
        self, compositions: dict[Any, Any], ended: dict[Any, Fit] | None = None
    ) -> Fit | None:
        """Fit what is in front of the network, once for all calls that share it.

        Parameters
        ----------
        compositions : dict
            Of the calls before, by their :attr:`table_key`.
        ended : dict or None
            Fits of earlier calls, which those that differ in ``max_iter`` only go on from.

        Returns
        -------
        Fit or None
            What is left to do; None if a stack can't do it.
        """
        if self.reason is None:
            self._prepare(compositions)
        if self.fit is not None:
            assert self.asked is not None
            numbered = self.asked.get("candidate_progress")
            self.fit.candidate = None if numbered is None else numbered[0]
        if self.fit is not None and ended is not None:
            key = self._without_length()
            self.fit.before = ended.get(key)
            ended[key] = self.fit
        return self.fit

    def _without_length(self) -> str:
        """What a fit and its continuation have in common."""
        assert self.asked is not None
        network = {k: v for k, v in self.network.get_params().items() if k != "max_iter"}
        rows = np.asarray(self.asked["train"])
        return hash_of((rows, surroundings(self.candidate), network, type(self.network)))

    def _prepare(self, compositions: dict[Any, Any]) -> None:
        assert self.asked is not None
        X, y = self.asked["X"], self.asked["y"]
        given = self.asked.get("fit_params") or {}
        rows = np.asarray(self.asked["train"])
        if rows.dtype == bool:
            rows = np.flatnonzero(rows)
        if self.is_bare:
            if set(given) - {"sample_weight"}:
                self.reason = f"fit is given {sorted(given)}"
                return
            self.fit = Fit(clone(self.network), X, y, given.get("sample_weight"), rows)
            return
        key = self.table_key
        if key not in compositions:
            X_train, y_train = safe_split(self.candidate, X, y, self.asked["train"])
            params = check_method_params(X, params=given, indices=self.asked["train"])
            try:
                compositions[key] = record(self.candidate, X_train, y_train, params)
            except Exception as error:
                compositions[key] = error
        composition = compositions[key]
        if isinstance(composition, Exception):
            self.reason = f"{type(composition).__name__} in front of the network: {composition}"
            return
        self.composition = composition
        table, target, weight = recorded(composition).given_
        self.fit = Fit(clone(self.network), table, target, weight)

    @property
    def is_fitted(self) -> bool:
        """Whether a fit was prepared for it and is done."""
        return self.fit is not None and self.fit.is_done

    def run_in_step(self, tables: dict[Any, Any]) -> Any:
        """Let scikit-learn's code do the call; `tables` has those of the calls before, by fold."""
        with asked_at(self.line), whole_fit():
            result = self._with(OnSharedTable(self, tables))
        if isinstance(result, dict) and "fit_time" in result:
            result["fit_time"] += seconds_of_others()
        return result

    @_at_its_line
    def run(self) -> Any:
        """Let scikit-learn's code do the call, with the fit that is prepared, if one is."""
        if not self.is_fitted:
            if self.fit is not None and self.reason is None:
                self.reason = self.fit.reason
            with whole_fit():
                return self.function(*self.args, **self.kwargs)
        with whole_fit():
            result = self._with(Prepared(self))
        assert self.fit is not None
        if isinstance(result, dict) and "fit_time" in result:
            result["fit_time"] += self.fit.seconds
        return result

    def release(self) -> None:
        """Let go of what was fitted, after the call was done."""
        self.args, self.kwargs, self.asked = (), {}, None
        self.candidate = self.fit = self.composition = None

    def fail(self) -> Any:
        """The result that scikit-learn gives a fit that raises, with a score of NaN.

        An `error_score` may be above all scores, and what was not done must not be the best.
        """
        return replace(self, kwargs=self.kwargs | {"error_score": np.nan})._with(interrupted)

    def _with(self, fit: Callable[..., Any]) -> Any:
        """Do the call with something in place of the estimator's ``fit``."""
        assert self.asked is not None
        estimator, train = self.asked["estimator"], self.asked["train"]
        call = self
        if not self.asked.get("return_train_score"):
            # rows to train on would be copied for nothing: they were learnt from before
            first = np.flatnonzero(train)[:1] if np.asarray(train).dtype == bool else train[:1]
            call = self._mapped(lambda value: first if value is train else value)
        # on the instance: scikit-learn then scores, times and reports as it always does
        estimator.fit = fit
        try:
            return call.function(*call.args, **call.kwargs)
        finally:
            del estimator.fit

    def without_tables(self, tables: list[Any]) -> Call:
        """A copy that names its table by places in a list, to which the table is added.

        So a table that many calls share is an argument of its own of what goes to a worker,
        which Dask holds once a worker.
        """
        if self.asked is None:
            return self

        def placed(value: Any) -> Any:
            if value is None or (value is not X and value is not y):
                return value
            if not any(table is value for table in tables):
                tables.append(value)
            return Place([table is value for table in tables].index(True))

        X, y = self.asked["X"], self.asked["y"]
        return self._mapped(placed)

    def with_tables(self, tables: Sequence[Any]) -> Call:
        """The call of which :meth:`without_tables` made this one."""
        return self._mapped(lambda v: tables[v.index] if isinstance(v, Place) else v)

    def _mapped(self, change: Callable[[Any], Any]) -> Call:
        """A copy with changed arguments."""
        return replace(
            self,
            args=tuple(change(value) for value in self.args),
            kwargs={name: change(value) for name, value in self.kwargs.items()},
            asked=self.asked and {name: change(value) for name, value in self.asked.items()},
        )
