"""A session from the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..._compat import from_numpy
from ..._warnings import warn
from ...components.norms import BatchNorm, Norm
from ..data.columns import MIN_COUNT, Columns, fit_columns
from ..data.scaling import fit_scaling
from ..data.splits import folds, inner_split
from ..data.targets import Codec, RegressionCodec
from ..network.architecture import Architecture
from ..network.data_dependent import scale_to_data
from ..network.parameters import Layout
from ..reading.inputs import Given, tell_of_new_gaps
from ..specification import (
    FitSpec,
    follows_recipe,
    holds_out_folds,
    is_auto,
    refuse_too_many_members,
    resolve,
    settled,
    stops_early,
    warn_of_broken_conditions,
    warn_of_missing_blocks,
    without_validation,
)
from ..training.state import Progress
from ..training.streams import Streams
from .far import check_sizes_of_targets, tell_of_strong_penalties
from .session import (
    Held,
    Session,
    Weigher,
    member_rows,
    refuse_targets_outside,
    task_of,
    tests_rates,
    weighted,
)
from .text_columns import decided

# Rates and steps of learning_rate_init="range_test".
RANGE_OF_TEST = (1e-6, 10.0, 200)
# Rows that are looked at to judge columns by, and the mean or deviation that is far from standard.
SEEN_ROWS = 10_000
FAR = 10.0
# What is too small, where all columns are, and how unlike columns may be that are one row's.
SMALL, UNLIKE = 0.01, 1000.0


def begin(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    *,
    weigher: Weigher,
    splitter: Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]],
    seed: int,
    goes_on: bool = False,
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
    goes_on : bool
        Whether training may be gone on with later.
    """
    by_recipe = follows_recipe(
        parameters, len(given.rows), is_sparse=sp.issparse(given.X), goes_on=goes_on
    )
    parameters = settled(
        parameters,
        codec.kind,
        *_shape(given),
        by_recipe=by_recipe,
        n_validation=None if validation is None else len(validation.rows),
    )
    shares = parameters["ensemble"] == "shared"
    if not shares:
        refuse_too_many_members(int(parameters["n_members"]), len(given.rows))
    streams = Streams.of_members(seed, 1 if shares else int(parameters["n_members"]))
    given, rows, training, held = _parted(
        parameters, given, codec, validation, weigher, splitter, streams[0].split
    )
    given, held = decided(given, held, rows)
    draws = [stream.rows for stream in streams]
    own = member_rows(training, draws, parameters)
    # folds make "auto" early stopping stop; who asks for it himself may have them train again
    in_folds = held is not None and held.by_member
    judged = validation is not None or (in_folds and is_auto(parameters["early_stopping"]))
    columns = _fitted_columns(parameters["input_scaling"], given, rows)
    if validation is not None and held.given.gappy:
        tell_of_new_gaps(columns, held.given.X[held.rows], given.names, held.given.unread)
    spec = resolve(parameters, task_of(given, codec, columns, own.shape[1], judged))
    spec = replace(spec, by_recipe=by_recipe)
    if held is None:
        spec = without_validation(spec)
    refuse_targets_outside(spec, given, rows, held)
    if isinstance(codec, RegressionCodec):
        codec = _fitted_units(codec, spec, given, rows)
        check_sizes_of_targets(spec, codec, given, rows, fresh=True)
    prior = None
    if spec.bias_initializer == "prior":
        prior = _prior(spec, codec, given, rows)
    progress = [Progress.begin([spec], [stream], prior) for stream in streams]
    session = Session(spec, codec, columns, progress, given, rows, own, held, draws)
    embedding = spec.numeric_embedding
    if embedding is not None and embedding.measures and spec.task.n_numbers > 0:
        _measure_numbers(session)
    _warn_of_scales(session)
    tell_of_strong_penalties(spec, given, rows)
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


def _shape(given: Given) -> tuple[int, int]:
    """Rows that count, and columns."""
    return len(given.rows), given.X.shape[1]


def _parted(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    weigher: Weigher,
    splitter: Callable[[Any, np.ndarray], tuple[np.ndarray, np.ndarray]],
    seed: int,
) -> tuple[Given, np.ndarray, np.ndarray, Held | None]:
    """The weighted table, its rows that train, those of them of each member, and what judges."""
    rows, held = given.rows, None
    if validation is not None:
        held = Held(validation, validation.rows, inner=False)
    elif holds_out_folds(parameters):
        given, rows, _ = weighted(weigher, given, rows, None)
        return given, rows, *_folds(parameters, given, codec, rows, seed)
    elif stops_early(parameters["early_stopping"], len(rows), has_validation=False):
        rows, judging = inner_split(
            rows,
            parameters["validation_fraction"],
            labels=_labels(given, codec, rows),
            shuffle=parameters["shuffle"],
            seed=seed,
            splitter=lambda how: splitter(how, given.rows),
        )
        if judging is not None:
            held = Held(given, judging, inner=True)
    given, rows, held = weighted(weigher, given, rows, held)
    return given, rows, rows, held


def _labels(given: Given, codec: Codec, rows: np.ndarray) -> np.ndarray | None:
    """The classes of rows, to stratify by, or their labels."""
    return None if codec.kind == "regression" else given.y[rows]


def _folds(
    parameters: Mapping[str, Any], given: Given, codec: Codec, rows: np.ndarray, seed: int
) -> tuple[np.ndarray, Held]:
    """The rows that each member may train on, (m, n), and those that judge it."""
    n_members = int(parameters["n_members"])
    if len(rows) < 2 * n_members:
        raise ValueError(
            f"validation_fraction='folds' needs two rows a member at least, but there are "
            f"{len(rows)} for n_members={n_members}. Use fewer members, or give more rows."
        )
    training, judging = folds(
        rows,
        n_members,
        labels=_labels(given, codec, rows),
        shuffle=parameters["shuffle"],
        seed=seed,
    )
    return training, Held(given, judging, inner=True)


def _fitted_columns(scaling: Any, given: Given, rows: np.ndarray) -> Columns:
    """What the rows that train make of the table's columns."""
    reading = given.reading
    if isinstance(scaling, Norm):
        scaling = scaling.input_scaling
    elif scaling == "batch_norm":
        scaling = BatchNorm.input_scaling
    columns = fit_columns(
        given.X,
        None if len(rows) == given.X.shape[0] else rows,
        given.weight,
        scaling=scaling,
        categorical=None if reading is None else reading.categorical,
        n_levels=() if reading is None else reading.n_levels,
        gappy=given.gappy,
    )
    if columns.width == 0:
        raise ValueError(
            "No column of X is left to learn from: all are without values, or without a level "
            f"that {MIN_COUNT} rows that train have. Give other columns, or more rows."
        )
    empty, rare = columns.left_out
    for left, why in (
        (empty, "have no value among the rows that train"),
        (rare, f"have no level with {MIN_COUNT} rows that train"),
    ):
        if len(left):
            names = np.asarray(left) if given.names is None else given.names[left]
            warn(f"Columns {names.tolist()} {why}, and are left out.")
    return columns


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


def _measure_numbers(session: Session) -> None:
    """Write what the embedding measures on rows to train on, the same for all members.

    Of many rows some stand for all, at equal steps.
    """
    spec, given, rows = session.spec, session.given, session.training
    embedding, n_numbers = spec.numeric_embedding, spec.task.n_numbers
    assert embedding is not None
    if len(rows) > SEEN_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, SEEN_ROWS).astype(np.int64)]
    some = given.X[rows]
    x = from_numpy(some.toarray() if sp.issparse(some) else np.ascontiguousarray(some))
    x = session.encoding(gappy=given.gappy)(x)[:, :n_numbers]
    weight = None if given.weight is None else given.weight[rows]
    found = embedding.measure(x.cpu().numpy(), weight)
    layout = Layout(Architecture.of(spec))
    for member in session.progress:
        own = layout.network(member.theta, member.statistics).embedding_statistics
        for name, values in found.items():
            own[name].copy_(torch.from_numpy(values))
        member.best_statistics.copy_(member.statistics)


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
    norm = session.spec.input_norm
    by_row = norm is not None and norm.input_scaling != "standard"
    if sp.issparse(session.given.X) or not (session.spec.input_scaling is None or by_row):
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    some = session.training[:SEEN_ROWS]
    fill = np.nan_to_num(session.columns.fill) if session.given.gappy else None
    scaling = fit_scaling(session.given.X, some, None, fill)
    seen = session.given.X[some]
    spread = np.fmin.reduce(seen, axis=0) < np.fmax.reduce(seen, axis=0)
    varied = spread & ~session.columns.categorical
    mean, scale = np.abs(scaling.mean[varied]), scaling.scale[varied]
    if by_row:
        _warn_of_unlike_columns(norm, np.hypot(mean, scale))
        warn_of_broken_conditions(session.spec, standardised=True)
        return
    if mean.size and (mean.max() > FAR or scale.max() > FAR):
        warn(
            f"input_scaling=None, but columns of X have means up to {mean.max():.3g} and standard "
            f"deviations up to {scale.max():.3g}; networks train badly on such. Use "
            "input_scaling='standard', or scale X before."
        )
    elif mean.size and scale.max() < SMALL and mean.max() < SMALL:
        warn(
            "input_scaling=None, but no column of X has a mean or a standard deviation above "
            f"{max(scale.max(), mean.max()):.3g}; a network learns little from numbers so small. "
            "Use input_scaling='standard', or scale X before."
        )
    near = (mean < 0.5) & (scale > 0.5) & (scale < 2.0)
    warn_of_broken_conditions(session.spec, standardised=bool(near.all()))


def _warn_of_unlike_columns(norm: Any, size: np.ndarray) -> None:
    """Say so where a norm of rows meets a column beside which others are nothing."""
    if size.size and size.max() > UNLIKE * size.min():
        warn(
            f"input_scaling={norm!r} normalises each row, but columns of X differ in size from "
            f"{size.min():.3g} to {size.max():.3g}, so that the small ones are lost beside the "
            "large. Use input_scaling='standard' or 'batch_norm', or scale X before."
        )
