"""What networks begin with that is measured on rows that train."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch

from ..._compat import from_numpy
from ..network.architecture import Architecture
from ..network.data_dependent import scale_to_data
from ..network.parameters import Layout
from ..reading.inputs import Given
from ..training.state import Streams
from .session import Session

# Rows that embeddings are measured on, at most.
SEEN_ROWS = 10_000


def start_from_data(session: Session, streams: Sequence[Streams]) -> None:
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
