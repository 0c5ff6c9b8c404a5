"""One fit of many that train as a stack: what it learns from, and how it begins and ends."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .._compat import has_callbacks
from .._core.data.targets import Codec
from .._core.fitting.ending import end
from .._core.fitting.fresh_start import begin
from .._core.fitting.opening import read_training
from .._core.fitting.request import Arguments, Request
from .._core.fitting.session import Session
from .._core.fitting.warm_start import refuse_what_ends
from .._core.reading.given import Given
from .._core.specification import plain_value
from .._core.training.ends import Outcome
from .._threads import torch_ready
from .._warnings import warn
from ._base import BaseMLP


class UnstackableError(Exception):
    """Why a fit is left to the estimator itself."""


@dataclass
class Fit:
    """One fit that is wanted: an estimator, and what it learns from.

    Attributes
    ----------
    estimator : MLPClassifier or MLPRegressor
        A clone of one's own, not fitted.
    X, y, sample_weight : the arguments of its ``fit``
        The same objects for fits on the same table.
    rows : ndarray of int or None
        The rows that it learns from; None for all.
    seconds : float
        Its share of the time that its stack took.
    reason : str or None
        Why it was left out of all stacks.
    before : Fit or None
        One of the same network that ended, to go on from for more epochs.
    candidate : int or None
        The number of the setting that it belongs to, where several are compared.
    error : Exception or None
        Why it could not be trained, alone neither.
    """

    estimator: BaseMLP
    X: Any
    y: Any
    sample_weight: Any = None
    rows: np.ndarray | None = None
    seconds: float = 0.0
    reason: str | None = None
    before: Fit | None = None
    candidate: int | None = None
    request: Request | None = None
    session: Session | None = None
    outcomes: list[Outcome] | None = None
    error: Exception | None = None
    warned: list[warnings.WarningMessage] = field(default_factory=list)

    @property
    def opened(self) -> Session:
        """Its session, once it has begun."""
        assert self.session is not None
        return self.session

    @property
    def is_done(self) -> bool:
        return self.outcomes is not None or self.error is not None

    @property
    def n_epochs(self) -> int:
        """Epochs to do, at most."""
        return self.opened.spec.max_iter - (0 if self.before is None else self.before.n_iter)

    @property
    def n_members(self) -> int:
        """Networks that it trains."""
        return len(self.opened.progress)

    @property
    def n_iter(self) -> int:
        """Epochs that were done."""
        assert self.outcomes is not None
        return max(outcome.n_iter for outcome in self.outcomes)

    @property
    def end_reasons(self) -> set[str]:
        """Why its members ended; nothing where it could not be trained."""
        return {outcome.end_reason for outcome in self.outcomes or ()}

    def finish(self) -> None:
        """Make the estimator what its own ``fit`` would have made it, warnings and errors too."""
        for warning in self.warned:
            warn(warning.message, warning.category)
        if self.error is not None:
            raise self.error
        assert self.request is not None
        assert self.outcomes is not None
        with torch_ready():
            ended = end(self.request, self.opened, self.outcomes)
            self.estimator._store(ended)
            ended.tell()


def why_not(estimator: BaseMLP) -> str | None:
    """Why an estimator's fit can't be a member of a stack, as far as its parameters tell."""
    if type(estimator).fit is not BaseMLP.fit:
        return f"{type(estimator).__name__} has a fit of its own"
    if has_callbacks(estimator):
        return "it has callbacks"
    if estimator.verbose:
        return "verbose is on"
    if estimator.max_time is not None:
        return "max_time is set"
    return None


def begin_fit(fit: Fit, tables: dict[Any, tuple[Given, Codec, BaseMLP]]) -> Session:
    """The session of a fit, whose table is checked only once."""
    estimator = fit.estimator
    reason = why_not(estimator)
    if reason is not None:
        raise UnstackableError(reason)
    estimator._validate_params()
    fit.request = estimator._request()
    if fit.before is not None:
        return _continued(fit, fit.before)
    categorical = repr(np.asarray(estimator.categorical_features).tolist())
    key = (type(estimator), id(fit.X), id(fit.y), id(fit.sample_weight), categorical)
    if key not in tables:
        read = read_training(fit.request, Arguments(fit.X, fit.y, fit.sample_weight))
        tables[key] = (*read, estimator)
    given, codec, reader = tables[key]
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(reader):
            setattr(estimator, name, getattr(reader, name))
    if fit.rows is not None:
        given = replace(given, only=np.asarray(fit.rows))
        if codec.lacks_classes(given.y[fit.rows]):
            raise UnstackableError("its rows lack a class")
    fit.request.targets.refuse_for_loss(given)
    session = begin(fit.request, given, codec, None)
    refuse_what_ends(fit.request, session)
    spec = session.spec
    if not spec.optimizer.stackable or spec.module is not None:
        raise UnstackableError("its kind is not stacked")
    if spec.refits or spec.curriculum is not None:
        raise UnstackableError("it trains twice, or draws rows")
    session.progress = [progress.kept() for progress in session.progress]
    return session


def _continued(fit: Fit, before: Fit) -> Session:
    """The session of a fit that goes on where another ended, for the epochs it has not done."""
    assert before.session is not None
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(before.estimator):
            setattr(fit.estimator, name, getattr(before.estimator, name))
    assert before.outcomes is not None
    spec = replace(
        before.session.spec, max_iter=int(plain_value("max_iter", fit.estimator.max_iter))
    )
    return replace(
        before.session,
        spec=spec,
        # a twin, so that what fails now leaves the earlier fit whole
        progress=[outcome.progress.apart() for outcome in before.outcomes],
    )
