"""What the fit of a network will cost, before anything is fitted: its epochs and seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scipy.sparse import issparse

from .._compat import num_features
from .._core.specification import follows_recipe, hidden_sizes, settled, step_work
from ..components.batches import Accumulated

# Of a member of a stack: what a step takes beside arithmetic, and multiply-adds of the forward
# pass for which a core takes a second of forward and backward.
SECONDS_A_STEP, WORK_A_SECOND = 1e-5, 1e10
# Rows of a batch where the specification says "auto".
USUAL_BATCH = 200


def planned_for(network: Any, X: Any, n_rows: int) -> dict[str, Any]:
    """The parameters of a network with those that its rows decide.

    An estimate: what a classifier decides by its classes is taken as a regressor would, and the
    table as it is in front of the pipeline's steps.

    Parameters
    ----------
    network : estimator
    X : table
        Of all rows.
    n_rows : int
        Rows to learn from.
    """
    given = network.get_params(deep=False)
    by_recipe = follows_recipe(
        given, n_rows, is_sparse=issparse(X), goes_on=bool(given["warm_start"])
    )
    return settled(given, "regression", n_rows, num_features(X), by_recipe=by_recipe)


def epochs_of(parameters: Mapping[str, Any]) -> int:
    """Epochs that a network may do, those of its members counted one by one."""
    shares = parameters["ensemble"] == "shared"
    return int(parameters["max_iter"]) * (1 if shares else int(parameters["n_members"]))


def seconds_of(parameters: Mapping[str, Any], n_rows: int, n_features: int) -> float:
    """About how long one core takes to train a network in a stack; 0 where that isn't known."""
    try:
        hidden = hidden_sizes(parameters["hidden_layer_sizes"])
    except ValueError:  # which its fit will tell
        return 0.0
    if not isinstance(hidden, tuple):
        return 0.0
    batch = parameters["batch_size"]
    batch = batch.size if isinstance(batch, Accumulated) else batch
    n_steps = -(-n_rows // (batch if isinstance(batch, int) else USUAL_BATCH))
    work = step_work((n_features, *hidden, 1), n_rows)
    return epochs_of(parameters) * (n_steps * SECONDS_A_STEP + work / WORK_A_SECOND)
