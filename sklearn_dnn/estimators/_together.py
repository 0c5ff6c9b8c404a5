"""Fits of many estimators that differ in numbers only, trained as the members of stacks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np
import torch

from .._compat import from_numpy, has_callbacks
from .._interruption import loop
from .._threads import torch_ready
from .._warnings import warn
from ..data.batches import TrainingSet
from ..data.encoder import encoding_for
from ..data.features import Encoding, Features, Scaling, Standardiser
from ..data.targets import BinaryCodec, Codec, MulticlassCodec
from ..specification import plain_value, structure
from ..training.engine import MAX_ITER, Observer, Outcome, train
from ..training.evaluate import ValidationSet
from ._base import BaseMLP
from ._beginning import begin
from ._inputs import Given
from ._judging import first_split
from ._opening import read_training, refuse_targets
from ._session import Session
from ._training import judges_of


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
    session: Session | None = None
    outcomes: list[Outcome] | None = None
    warned: list[warnings.WarningMessage] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        return self.outcomes is not None

    @property
    def n_epochs(self) -> int:
        """Epochs to do, at most."""
        assert self.session is not None
        return self.session.spec.max_iter - (0 if self.before is None else self.before.n_iter)

    @property
    def n_members(self) -> int:
        """Networks that it trains."""
        assert self.session is not None
        return len(self.session.progress)

    @property
    def n_iter(self) -> int:
        """Epochs that were done."""
        assert self.outcomes is not None
        return max(outcome.n_iter for outcome in self.outcomes)

    @property
    def end_reasons(self) -> set[str]:
        """Why its members ended."""
        assert self.outcomes is not None
        return {outcome.end_reason for outcome in self.outcomes}

    def finish(self) -> None:
        """Make the estimator what its own ``fit`` would have made it, warnings and errors too."""
        assert self.session is not None
        assert self.outcomes is not None
        for warning in self.warned:
            warn(warning.message, warning.category)
        self.estimator._finish(self.session, self.outcomes)


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


def open_stacks(fits: Sequence[Fit], *, one_thread: bool = False) -> list[list[Fit]]:
    """Begin fits, and group those that can be trained as one stack.

    Parameters
    ----------
    fits : sequence of Fit
        Each gets its session. One that can't be stacked, for whatever reason, is left out: its
        estimator's own ``fit`` will do, or tell what is wrong.
    one_thread : bool
        Whether kernels take a single thread, because stacks are trained side by side.

    Returns
    -------
    list of list of Fit
    """
    groups: dict[Any, list[Fit]] = {}
    tables: dict[Any, tuple[Given, Codec]] = {}
    for fit in fits:
        started = perf_counter()
        with torch_ready(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                session = _begin(fit, tables)
            except (UnstackableError, ValueError, TypeError) as error:
                fit.reason = str(error).partition("\n")[0]
                continue
        fit.warned = list(warned)
        if one_thread:
            session.spec = replace(session.spec, n_threads=1)
        fit.session = session
        fit.seconds = perf_counter() - started
        if fit.before is not None and fit.before.end_reasons != {MAX_ITER}:
            fit.outcomes = fit.before.outcomes  # more epochs would change nothing
            continue
        with torch_ready():
            kind = _kind(fit.session)
        groups.setdefault(kind, []).append(fit)
    return list(groups.values())


def train_stack(stack: Sequence[Fit], observers: Sequence[Observer] = ()) -> None:
    """Train the fits of a stack, which :func:`open_stacks` made.

    Parameters
    ----------
    stack : sequence of Fit
        Each gets its outcome.
    observers : sequence of Observer
        They know fits by their positions.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; no fit then gets an outcome.
    """
    started = perf_counter()
    sessions = [fit.session for fit in stack]
    judges = [judge for fit in stack for judge in judges_of(fit.estimator, fit.session)]
    with torch_ready(), loop():
        data, held = _data(sessions)
        found = iter(
            train(
                [spec for session in sessions for spec in session.specs],
                [progress for session in sessions for progress in session.progress],
                data,
                held,
                observers=observers,
                judges=judges,
                n_epochs=[fit.n_epochs for fit in stack for _ in fit.session.progress],
            )
        )
    seconds = (perf_counter() - started) / len(stack)
    for fit in stack:
        fit.outcomes = [next(found) for _ in fit.session.progress]
        fit.seconds += seconds


def _begin(fit: Fit, tables: dict[Any, tuple[Given, Codec]]) -> Session:
    """The session of a fit, whose table is checked only once."""
    estimator = fit.estimator
    reason = why_not(estimator)
    if reason is not None:
        raise UnstackableError(reason)
    estimator._validate_params()
    if fit.before is not None:
        return _continued(fit, fit.before)
    categorical = repr(np.asarray(estimator.categorical_features).tolist())
    key = (type(estimator), id(fit.X), id(fit.y), id(fit.sample_weight), categorical)
    if key not in tables:
        read = read_training(estimator, fit.X, fit.y, fit.sample_weight, None, going_on=False)
        tables[key] = (*read, estimator)
    given, codec, reader = tables[key]
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(reader):
            setattr(estimator, name, getattr(reader, name))
    if fit.rows is not None:
        given = replace(given, only=np.asarray(fit.rows))
        labelled = isinstance(codec, BinaryCodec | MulticlassCodec)
        if labelled and len(np.unique(given.y[fit.rows])) < len(codec.classes):
            raise UnstackableError("its rows lack a class")
    refuse_targets(estimator, given, "")
    session = begin(
        {name: getattr(estimator, name) for name in estimator._parameters},
        given,
        codec,
        None,
        weigher=partial(estimator._weigher, codec),
        splitter=lambda how, rows: first_split(how, rows, given.y, None),
        seed=estimator._draw_seed(),
        goes_on=bool(estimator.warm_start),
    )
    spec = session.spec
    if not spec.optimizer.stackable or spec.module is not None:
        raise UnstackableError("its kind is not stacked")
    if spec.refits or spec.curriculum is not None:
        raise UnstackableError("it trains twice, or draws rows")
    return session


def _continued(fit: Fit, before: Fit) -> Session:
    """The session of a fit that goes on where another ended, for the epochs it has not done."""
    assert before.session is not None
    for name in ("n_features_in_", "feature_names_in_"):
        if name in vars(before.estimator):
            setattr(fit.estimator, name, getattr(before.estimator, name))
    assert before.outcomes is not None
    spec = replace(before.session.spec, max_iter=int(plain_value(fit.estimator, "max_iter")))
    return replace(
        before.session,
        spec=spec,
        # a twin, so that what fails now leaves the earlier fit whole
        progress=[outcome.progress.apart() for outcome in before.outcomes],
    )


def _kind(session: Session) -> tuple[Any, ...]:
    """What the fits of a stack have in common."""
    return (
        json.dumps(structure(session.spec), sort_keys=True),
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


def _data(sessions: Sequence[Session]) -> tuple[TrainingSet, ValidationSet | None]:
    """What the engine trains on: one table, and each member's rows, targets and scaling."""
    first = sessions[0]
    spec, given = first.spec, first.given
    features = Features(given.X, _encoding(sessions))
    found: dict[Any, int] = {}
    distinct: list[Session] = []
    which = []
    for session in sessions:
        units = tuple(part.tobytes() for part in session.codec.units())
        weight = session.given.weight
        key = (units, None if weight is None else weight.tobytes())
        if key not in found:
            found[key] = len(distinct)
            distinct.append(session)
        which += [found[key]] * len(session.progress)
    offsets = None
    if len(distinct) > 1:
        offsets = torch.tensor(which).unsqueeze(1) * given.X.shape[0]
    encoded = [s.codec.encode(s.given.y, spec.torch_dtype) for s in distinct]
    prepared = [spec.objective.prepare(y, spec.task.n_outputs, spec.torch_dtype) for y in encoded]
    weight = None
    if given.weight is not None:
        weight = torch.cat([from_numpy(s.given.weight) for s in distinct])
        weight = weight.to(device=spec.device, dtype=spec.torch_dtype)
    data = TrainingSet(
        features,
        torch.cat(prepared).to(spec.device),
        weight,
        torch.cat([from_numpy(s.rows).int() for s in sessions]),
        offsets=offsets,
    )
    if first.held is None:
        return data, None
    held = ValidationSet(
        features,
        torch.cat(encoded).to(spec.device),
        weight,
        torch.cat([_judging(s) for s in sessions]),
        first.codec.score,
        offsets=offsets,
        calibrated=spec.calibration is not None,
    )
    return data, held


def _judging(session: Session) -> torch.Tensor:
    """The rows that judge each member, (m, n)."""
    assert session.held is not None
    rows = session.held.rows
    return from_numpy(np.broadcast_to(rows, (len(session.progress), rows.shape[-1])).copy())


def _encoding(sessions: Sequence[Session]) -> Encoding:
    """What turns rows into network inputs, by member where only means and scales differ."""
    first = sessions[0]
    spec, gappy = first.spec, first.given.gappy
    if gappy or not first.columns.is_plain:
        return encoding_for(first.columns, spec.torch_dtype, spec.device, gappy=gappy)
    common = _common([s.columns.plain_scaling for s in sessions for _ in s.progress])
    return Standardiser(common, spec.torch_dtype, spec.device)


def _common(scalings: Sequence[Scaling | None]) -> Scaling | list[Scaling] | None:
    """The scaling of all members, or a list where they differ."""
    first = scalings[0]
    if first is None:
        return None
    if all(
        np.array_equal(s.mean, first.mean) and np.array_equal(s.scale, first.scale)
        for s in scalings
    ):
        return first
    return list(scalings)
