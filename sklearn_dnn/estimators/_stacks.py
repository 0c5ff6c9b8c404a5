"""Fits of many estimators that differ in numbers only, trained as the members of stacks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np

from .._compat import has_callbacks
from .._core.data.targets import Codec
from .._core.fitting.ending import end
from .._core.fitting.fresh_start import begin
from .._core.fitting.opening import read_training
from .._core.fitting.request import Arguments, Request
from .._core.fitting.running import in_parts, judges_of, tried
from .._core.fitting.session import Session
from .._core.fitting.stack_data import data_of
from .._core.fitting.warm_start import refuse_what_ends
from .._core.messages import memory_error
from .._core.reading.inputs import Given
from .._core.specification import device_of_stack, members_that_fit, plain_value, structure
from .._core.training.ends import MAX_ITER, Outcome
from .._core.training.engine import Observer, train
from .._core.training.stack_run import Judge
from .._devices import MEMORY_ERRORS, lacks_memory
from .._interruption import loop
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


def open_stacks(fits: Sequence[Fit], *, n_at_once: int = 1) -> list[list[Fit]]:
    """Begin fits, and group those that can be trained as one stack.

    Parameters
    ----------
    fits : sequence of Fit
        Each gets its session. One that can't be stacked, for whatever reason, is left out: its
        estimator's own ``fit`` will do, or tell what is wrong.
    n_at_once : int
        Stacks that are trained side by side: each takes one thread if there are several, and its
        part of a GPU's memory.

    Returns
    -------
    list of list of Fit
    """
    groups: dict[Any, list[Fit]] = {}
    tables: dict[Any, tuple[Given, Codec, BaseMLP]] = {}
    for fit in fits:
        started = perf_counter()
        if fit.before is not None and fit.before.error is not None:
            fit.before = None
        with torch_ready(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                session = _begin(fit, tables)
            except (UnstackableError, ValueError, TypeError, *MEMORY_ERRORS) as error:
                if isinstance(error, MEMORY_ERRORS) and not lacks_memory(error):
                    raise
                fit.reason = str(error).partition("\n")[0]
                continue
        fit.warned = list(warned)
        if n_at_once > 1:
            session.spec = replace(session.spec, n_threads=1)
        fit.session = session
        fit.seconds = perf_counter() - started
        if fit.before is not None and fit.before.end_reasons != {MAX_ITER}:
            fit.outcomes = fit.before.outcomes  # more epochs would change nothing
            continue
        device = "auto" if _may_move(fit) else session.spec.device
        with torch_ready():
            kind = _kind(session)
        groups.setdefault((device, kind), []).append(fit)
    stacks: list[list[Fit]] = []
    for (device, _), group in groups.items():
        if device == "auto":
            _move(group)
        stacks += _cut(group, n_at_once)
    return stacks


def _may_move(fit: Fit) -> bool:
    """Whether its stack's work decides the device."""
    return fit.before is None and fit.estimator.device == "auto"


def _move(stack: Sequence[Fit]) -> None:
    """Bring fits to the device on which their stack is trained sooner."""
    sessions = [fit.session for fit in stack if fit.session is not None]
    device = device_of_stack([session.spec for session in sessions])
    for fit, session in zip(stack, sessions, strict=True):
        if session.spec.device != device:
            fit.session = session.on(device)


def _cut(stack: list[Fit], n_at_once: int) -> list[list[Fit]]:
    """A stack in parts that fit a GPU's memory, as far as that is known before."""
    session = stack[0].session
    assert session is not None
    if session.spec.device == "cpu":
        return [stack]
    most = max(1, members_that_fit(session.spec) // n_at_once)
    parts: list[list[Fit]] = [[]]
    n_members = 0
    for fit in stack:
        if parts[-1] and n_members + fit.n_members > most:
            parts.append([])
            n_members = 0
        parts[-1].append(fit)
        n_members += fit.n_members
    return parts


Watched = Callable[[Sequence[Fit]], AbstractContextManager[Sequence[Observer]]]


def train_stack(stack: Sequence[Fit], watched: Watched = lambda _: nullcontext(())) -> None:
    """Train the fits of a stack, which :func:`open_stacks` made.

    Where memory is too small for all at once, one half is trained after the other, down to
    single members.

    Parameters
    ----------
    stack : sequence of Fit
        Each gets its outcome, or its error where memory is too small for it alone.
    watched : callable
        Gives the block within which some fits are trained, and the observers there, which know
        members by their positions. What it saw is void where that block ends by an error.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; fits of parts that were trained before have their outcomes.
    """
    if len(stack) == 1:
        _train_alone(stack[0], watched)
        return
    progress = [own for fit in stack for own in fit.opened.progress]
    if tried(progress, lambda: _train(stack, watched)) is not None:
        return
    for part in (stack[: len(stack) // 2], stack[len(stack) // 2 :]):
        train_stack(part, watched)


def _train_alone(fit: Fit, watched: Watched) -> None:
    """Train a single fit, its members in parts if need be; an error of memory becomes its own."""
    session = fit.opened

    def run(members: list[int]) -> list[Outcome]:
        return _train([replace(fit, session=session.only(members))], watched)

    started = perf_counter()
    try:
        fit.outcomes = in_parts(list(range(fit.n_members)), session.progress, run)
    except MEMORY_ERRORS as error:
        if not lacks_memory(error):
            raise
        fit.error = memory_error(error, session.spec.device)
    fit.seconds += perf_counter() - started


def _train(stack: Sequence[Fit], watched: Watched) -> list[Outcome]:
    """Train the fits of a stack as one; the outcomes of all members."""
    started = perf_counter()
    sessions = [fit.opened for fit in stack]
    judges: list[Judge | None] = []
    for fit, session in zip(stack, sessions, strict=True):
        assert fit.request is not None
        judges += judges_of(fit.request, session)
    with torch_ready(), loop(), watched(stack) as observers:
        data, held = data_of(sessions)
        outcomes = train(
            [spec for session in sessions for spec in session.specs],
            [progress for session in sessions for progress in session.progress],
            data,
            held,
            observers=observers,
            judges=judges,
            n_epochs=[fit.n_epochs for fit in stack for _ in fit.opened.progress],
        )
        for outcome in outcomes:  # until it is asked for, it takes no memory of a GPU
            outcome.progress = outcome.progress.kept()
    seconds = (perf_counter() - started) / len(stack)
    found = iter(outcomes)
    for fit in stack:
        fit.outcomes = [next(found) for _ in fit.opened.progress]
        fit.seconds += seconds
    return outcomes


def _begin(fit: Fit, tables: dict[Any, tuple[Given, Codec, BaseMLP]]) -> Session:
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


def _kind(session: Session) -> tuple[Any, ...]:
    """What the fits of a stack have in common, beside the device."""
    common = structure(session.spec)
    del common["device"]
    return (
        json.dumps(common, sort_keys=True),
        id(session.given.X),
        session.rows.shape[1],
        -1 if session.held is None else session.held.rows.shape[-1],
        session.given.weight is None,
        _plan(session),
        session.progress[0].counts,
    )


def _plan(session: Session) -> bool | bytes:
    """What the plans of a stack's tables have in common: means and scales may be each one's own."""
    columns = session.columns
    is_plain = columns.is_plain and not session.given.gappy
    return columns.scaling is None if is_plain else columns.key
