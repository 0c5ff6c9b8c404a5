"""A session from the first step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..data.features import fit_scaling
from ..data.splits import inner_split
from ..data.targets import Codec, RegressionCodec
from ..network.data_dependent import scale_to_data
from ..specification import (
    FitSpec,
    resolve,
    stops_early,
    warn_of_broken_conditions,
    warn_of_missing_blocks,
    without_validation,
)
from ..training.state import Progress, Streams
from ._inputs import Given
from ._session import (
    Held,
    Session,
    Weigher,
    member_rows,
    refuse_targets_outside,
    task_of,
    tests_rates,
    weighted,
)

# Rates and steps of learning_rate_init="range_test".
RANGE_OF_TEST = (1e-6, 10.0, 200)
# Rows that are looked at to judge columns by, and the mean or deviation that is far from standard.
SEEN_ROWS = 10_000
FAR = 10.0


def begin(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    *,
    weigher: Weigher,
    splitter: Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> Session:
    """A session from the first step.

    Parameters
    ----------
    parameters : mapping
        The estimator's parameters.
    given, validation : Given
        What the user gave.
    codec : Codec
        A regression codec is replaced by one with the training rows' mean and scale.
    weigher : callable
        ``weigher(given, rows)`` computes class weights on `rows`, and gives what multiplies
        them into the weights of a table.
    splitter : callable
        ``splitter(how, rows)`` gives the first split of a scikit-learn splitter.
    seed : int
    """
    shares = parameters["ensemble"] == "shared"
    streams = Streams.of_members(seed, 1 if shares else int(parameters["n_members"]))
    rows, held = given.rows, None
    if validation is not None:
        held = Held(validation, validation.rows, inner=False)
    elif stops_early(parameters["early_stopping"], len(rows), has_validation=False):
        stratify = codec.kind in {"binary", "multiclass"}
        training, judging = inner_split(
            rows,
            parameters["validation_fraction"],
            labels=given.y[rows] if stratify else None,
            shuffle=parameters["shuffle"],
            seed=streams[0].split,
            splitter=lambda how: splitter(how, rows),
        )
        rows = training
        if judging is not None:
            held = Held(given, judging, inner=True)
    given, rows, held = weighted(weigher, given, rows, held)
    draws = [stream.rows for stream in streams]
    own = member_rows(rows, draws, parameters)
    spec = resolve(parameters, task_of(given, codec, own.shape[1], validation is not None))
    if held is None:
        spec = without_validation(spec)
    scaling = None
    if spec.input_scaling == "standard":
        whole = len(rows) == given.X.shape[0]
        scaling = fit_scaling(given.X, None if whole else rows, given.weight)
    refuse_targets_outside(spec, given, rows, held)
    if isinstance(codec, RegressionCodec):
        codec = _fitted_units(codec, spec, given, rows)
    prior = None
    if spec.bias_initializer == "prior":
        prior = _prior(spec, codec, given, rows)
    progress = [Progress.begin([spec], [stream], prior) for stream in streams]
    session = Session(spec, codec, scaling, progress, given, rows, own, held, draws)
    _warn_of_scales(session)
    warn_of_missing_blocks(spec)
    if any(initializer.data_dependent for initializer in spec.initializer):
        data = session.training_set()
        for member, stream, index in zip(progress, streams, own, strict=True):
            drawn = _drawn_rows(given, index, spec.batch_size, stream.weights)
            batch = data.features.rows(torch.from_numpy(drawn))
            scale_to_data(spec, member.theta, member.statistics, batch)
            member.begin_from_theta(spec.optimizer)
    if isinstance(parameters["learning_rate_init"], str) and tests_rates(parameters):
        found = session.range_test(*RANGE_OF_TEST)
        session.spec = replace(spec, learning_rate_init=found.suggestion)
    return session


def _drawn_rows(given: Given, rows: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` rows that stand for all: each is expected as often as its weight says.

    They are found at equal steps along the sum of the weights of shuffled rows, so that rows of
    equal weight come once before any comes twice.
    """
    rng = np.random.default_rng([seed, 1])  # apart from the draws of the weights themselves
    shuffled = rng.permutation(rows)
    weight = np.ones(len(rows)) if given.weight is None else given.weight[shuffled]
    reached = np.cumsum(weight, dtype=np.float64)
    steps = (np.arange(n) + rng.random()) * (reached[-1] / n)
    return shuffled[np.minimum(np.searchsorted(reached, steps, side="right"), len(rows) - 1)]


def _fitted_units(
    codec: RegressionCodec, spec: FitSpec, given: Given, rows: np.ndarray
) -> RegressionCodec:
    """The codec with the units that the network learns in."""
    if spec.target_scaling == "standard":
        codec = codec.fitted(given.y[rows], None if given.weight is None else given.weight[rows])
    if spec.output_range is None:
        return codec
    assert spec.output_activation is not None
    return codec.within(spec.output_range, spec.output_activation.range)


def _prior(spec: FitSpec, codec: Codec, given: Given, rows: np.ndarray) -> torch.Tensor:
    """Raw outputs of the best constant prediction."""
    y = codec.encode(given.y[rows], torch.float64)
    weight = None if given.weight is None else torch.from_numpy(given.weight[rows])
    return spec.objective.best_constant(y, weight, spec.task.n_outputs)


def _warn_of_scales(session: Session) -> None:
    """Say so where the network gets columns as they are, and they are far from standard."""
    if session.spec.input_scaling is not None or sp.issparse(session.given.X):
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    some = session.training[:SEEN_ROWS]
    scaling = fit_scaling(session.given.X, some, None)
    varied = np.ptp(session.given.X[some], axis=0) > 0
    mean, scale = np.abs(scaling.mean[varied]), scaling.scale[varied]
    if mean.size and (mean.max() > FAR or scale.max() > FAR):
        warnings.warn(
            f"input_scaling=None, but columns of X have means up to {mean.max():.3g} and standard "
            f"deviations up to {scale.max():.3g}; networks train badly on such. Use "
            "input_scaling='standard', or scale X before.",
            UserWarning,
            stacklevel=7,
        )
    near = (mean < 0.5) & (scale > 0.5) & (scale < 2.0)
    warn_of_broken_conditions(session.spec, standardised=bool(near.all()))
