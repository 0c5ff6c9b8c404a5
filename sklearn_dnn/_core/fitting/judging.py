"""What judges a fit: the scorer that early stopping asks, and a splitter's first part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring

from ..._compat import scorer_takes_weights
from ..fitted.fitted import Fitted
from ..network.weights import Weights
from ..reading.inputs import TOLD
from ..reading.raw_columns import as_array
from .attributes import attributes_now
from .request import Request
from .session import Session


def scorer_judge(request: Request, session: Session) -> Callable[[Weights], float] | None:
    """The score of weights that ``monitor`` asks for; None where the loss is monitored.

    Parameters
    ----------
    request : Request
    session : Session
        Of a single member.
    """
    monitor = request.parameters["monitor"]
    if monitor == "loss" or session.held is None:
        return None
    given, rows = session.held.given, session.held.rows
    scorer = check_scoring(request.copy({}), scoring=monitor)
    extra = {}
    if given.weight is not None and scorer_takes_weights(scorer):
        extra["sample_weight"] = given.weight[rows]
    X, y = given.raw(rows), given.y[rows]

    def judge(weights: Weights) -> float:
        network = request.copy(attributes_now(session, lambda _: weights) | {TOLD: True})
        try:
            score = float(scorer(network, X, y, **extra))
        except (ValueError, TypeError) as error:
            if not _outputs_are_finite(network, X):
                return np.nan
            raise ValueError(
                f"monitor={monitor!r} can't score this estimator on its validation part: "
                f"{str(error).rstrip('.')}. Choose another scorer, or monitor='loss'."
            ) from error
        if not np.isfinite(score) and _outputs_are_finite(network, X):
            raise ValueError(
                f"monitor={monitor!r} gave {score}, which is no score. Choose another scorer, or "
                "monitor='loss'."
            )
        return score

    return judge


def _outputs_are_finite(network: Any, X: Any) -> bool:
    """Whether a score that is none is the scorer's fault, not that of a fit which diverges."""
    return bool(np.isfinite(Fitted(network).raw(X)).all())


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
