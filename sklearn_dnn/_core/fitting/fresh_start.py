"""A session from the first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..._compat import from_numpy
from ..._warnings import warn
from ...components.norms import BatchNorm, Norm
from ..data.columns import MIN_COUNT, Columns, fit_columns
from ..data.splits import folds, inner_split
from ..data.targets import Codec
from ..network.architecture import Architecture
from ..network.data_dependent import scale_to_data
from ..network.parameters import Layout
from ..reading.given import Given
from ..reading.inputs import tell_of_new_gaps
from ..reading.raw_columns import as_array
from ..specification import (
    FitSpec,
    follows_recipe,
    holds_out_folds,
    is_auto,
    refuse_too_many_members,
    resolve,
    settled,
    stops_early,
    warn_of_missing_blocks,
)
from ..training.state import Progress
from ..training.streams import Streams
from .far import check_sizes_of_targets, tell_of_strong_penalties, warn_of_scales
from .request import Request, Weigher
from .session import (
    Held,
    Session,
    member_rows,
    refuse_targets_outside,
    task_of,
    tests_rates,
    weighted,
)
from .text_columns import decided

# Rates and steps of learning_rate_init="range_test".
RANGE_OF_TEST = (1e-6, 10.0, 200)


# Rows that embeddings are measured on, at most.
SEEN_ROWS = 10_000


def begin(
    request: Request, given: Given, codec: Codec, validation: Given | None, groups: Any = None
) -> Session:
    """A session from the first step.

    Parameters
    ----------
    given, validation : Given
        The tables, checked.
    codec : Codec
        It gets the units that the rows that train ask for.
    groups : array-like or None
        Of the rows, for a splitter.
    """
    parameters, seed = request.parameters, request.seed
    # first what decides which rows train: members, folds, early stopping
    by_recipe = follows_recipe(
        parameters, len(given.rows), is_sparse=sp.issparse(given.X), goes_on=request.may_go_on
    )
    parameters = settled(
        parameters,
        codec.kind,
        len(given.rows),
        given.X.shape[1],
        by_recipe=by_recipe,
        n_validation=None if validation is None else len(validation.rows),
    )
    shares = parameters["ensemble"] == "shared"  # then the members are one network
    if not shares:
        refuse_too_many_members(int(parameters["n_members"]), len(given.rows))
    streams = Streams.of_members(seed, 1 if shares else int(parameters["n_members"]))
    given, rows, training, held = _parted(
        parameters, given, codec, validation, request.weigher(codec), groups, streams[0].split
    )
    # what columns of text stand for, and all that is measured below, no row that judges decides
    given, held = decided(given, held, rows)
    draws = [stream.rows for stream in streams]
    own = member_rows(training, draws, parameters["ensemble"])
    # folds make "auto" early stopping stop; who asks for it himself may have them train again
    in_folds = held is not None and held.by_member
    judged = validation is not None or (in_folds and is_auto(parameters["early_stopping"]))
    columns = _fitted_columns(parameters["input_scaling"], given, rows)
    if validation is not None and held is not None and held.given.gappy:
        tell_of_new_gaps(columns, held.given.X[held.rows], given.names, held.given.unread)
    # batches, patience and the machine depend on how many rows train
    task = task_of(given, codec, columns, own.shape[1], judged)
    spec = resolve(parameters, task, by_recipe=by_recipe, is_judged=held is not None)
    refuse_targets_outside(spec, given, rows, held)
    codec = codec.in_units_of(
        given.y[rows],
        None if given.weight is None else given.weight[rows],
        standardised=spec.target_scaling == "standard",
        bounds=spec.output_range,
        reach=(-np.inf, np.inf) if spec.output_activation is None else spec.output_activation.range,
    )
    # only now: what is too large depends on the units
    check_sizes_of_targets(spec, codec, given, rows, fresh=True)
    prior = None
    if spec.bias_initializer == "prior":
        prior = _prior(spec, codec, given, rows)
    progress = [Progress.begin([spec], [stream], prior) for stream in streams]
    session = Session(spec, codec, columns, progress, given, rows, own, held, draws)
    _start_from_data(session, streams)
    warn_of_scales(session)
    tell_of_strong_penalties(spec, given, rows)
    warn_of_missing_blocks(spec)
    if tests_rates(parameters):
        # the one number that is not settled before: it is found by training
        found = session.range_test(*RANGE_OF_TEST)
        session.spec = replace(spec, learning_rate_init=found.suggestion)
    return session


def _parted(
    parameters: Mapping[str, Any],
    given: Given,
    codec: Codec,
    validation: Given | None,
    weigher: Weigher,
    groups: Any,
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
            labels=codec.strata(given.y[rows]),
            shuffle=parameters["shuffle"],
            seed=seed,
            splitter=lambda how: first_split(how, given.rows, given.y, groups),
        )
        if judging is not None:
            held = Held(given, judging, inner=True)
    given, rows, held = weighted(weigher, given, rows, held)
    return given, rows, rows, held


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
        labels=codec.strata(given.y[rows]),
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


def _prior(spec: FitSpec, codec: Codec, given: Given, rows: np.ndarray) -> torch.Tensor:
    """Raw outputs of the best constant prediction."""
    y = codec.encode(given.y[rows], torch.float64)
    weight = None if given.weight is None else torch.from_numpy(given.weight[rows])
    return spec.objective.best_constant(y, weight, spec.task.n_outputs)


def _start_from_data(session: Session, streams: Sequence[Streams]) -> None:
    """Let embeddings, and initializers that ask for it, look at rows that train.

    Parameters
    ----------
    session : Session
        Its networks are as their initializers drew them.
    streams : sequence of Streams
        Of chance, one a member.
    """
    spec = session.spec
    embedding = spec.numeric_embedding
    if embedding is not None and embedding.measures and spec.task.n_numbers > 0:
        _measure_numbers(session)
    if any(initializer.data_dependent for initializer in spec.initializer):
        data = session.training_set()
        for member, stream, rows in zip(session.progress, streams, session.rows, strict=True):
            drawn = _drawn_rows(session.given, rows, spec.batch_size, stream.weights)
            batch = data.features.rows(torch.from_numpy(drawn))
            scale_to_data(spec, member.theta, member.statistics, batch)
            member.begin_from_theta(spec.optimizer)


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


def first_split(
    how: Any, rows: np.ndarray, y: np.ndarray, groups: Any
) -> tuple[np.ndarray, np.ndarray]:
    """The first split of a scikit-learn splitter, as positions in `rows`."""
    positions = rows.reshape(-1, 1)
    if groups is not None:
        groups = np.asarray(as_array(groups))
        if len(groups) != len(y):
            raise ValueError(
                f"groups has {len(groups)} rows, but X has {len(y)}. Give one group a row of X."
            )
        groups = groups[rows]
    try:
        for training, judging in how.split(positions, y[rows], groups):
            return training, judging
    except ValueError as error:
        error.add_note(f"It is the splitter validation_fraction={how!r} that refused these rows.")
        raise
    raise ValueError(
        f"The splitter validation_fraction={how!r} gave no split. Give one with at least one, or "
        "a fraction."
    )
