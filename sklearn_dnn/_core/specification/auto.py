"""What "auto" means where several parameters are chosen together.

With ``hidden_layer_sizes="auto"`` all that is left at "auto" is chosen for tables, by experiment
on real ones: :func:`recipe`. A network whose layers are named, one that is to be trained further,
and one of a table too small to hold rows out, is scikit-learn's plain one: :data:`PLAIN`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import clone

from ..._warnings import warn
from ...components.activations import Selu
from ...components.base import number_of
from ...components.batches import Accumulated
from ...components.embeddings import Periodic
from ...components.ensembles import Bagging
from ...components.losses import LOSSES, as_loss
from ...components.optimizers import OPTIMIZERS, AdamW
from ...components.schedules import Cosine, Warmup
from ...components.stopping import EarlyStopping
from .driven import has_scheduled, with_numbers
from .spec import FitSpec

# Rows below which no fold of them says anything.
LEAST_ROWS = 100

# Rows that judge a network below which they can't tell how sure it may be, and all of them.
LEAST_FOLD, LEAST_JUDGING = 50, 100
# Rows a member below which members do not take folds in turn.
LEAST_A_MEMBER = 10
# Columns above which each is no longer embedded: the first layer would take nearly all the time.
MOST_EMBEDDED = 128
MEMBERS, EPOCHS = 8, 60
# Idle epochs that are borne with the recipe's own schedule.
RECIPE_PATIENCE = 12
# Rows of a batch: as many as make this number of batches an epoch, within the bounds.
BATCHES, LEAST_BATCH, MOST_BATCH = 16, 16, 256
# Parameters that may have one value a layer: who gives that has layers of his own in mind.
BY_LAYER = ("activation", "initializer", "dropout", "alpha", "l1")
# Of the rows, what is held out where members can't take folds in turn.
SHARE_HELD = 0.2
# Rows below which the rate is lower: there are fewer to average over.
ROWS_FOR_RATE = 600

PLAIN: dict[str, Any] = {
    "hidden_layer_sizes": (100,),
    "activation": "relu",
    "dropout": 0.0,
    "optimizer": "adam",
    "schedule": "constant",
    "input_scaling": "standard",
    "numeric_embedding": None,
    "calibration": None,
    "validation_fraction": 0.1,
    "max_iter": 200,
    "n_members": 1,
}
EARLY_STOPPING_ROWS = 10_000


def recipe(
    kind: str, n_samples: int, n_features: int, *, n_training: int, max_iter: int = EPOCHS
) -> dict[str, Any]:
    """What suits tables of numbers and categories.

    Several networks, each of which holds out a fold of the rows to choose its best epoch by, so
    that together they learn from all; numbers by their ranks, embedded periodically.

    Parameters
    ----------
    kind : str
        Of the task.
    n_samples, n_features : int
        Rows and columns of the table.
    n_training : int
        Rows that each network learns from.
    max_iter : int
    """
    batch_size = min(MOST_BATCH, max(LEAST_BATCH, n_training // BATCHES))
    n_batches = max(1, n_training // batch_size)
    activation, rate = ("gelu", 0.015) if kind == "regression" else ("silu", 0.01)
    wide = n_features > MOST_EMBEDDED
    return {
        "hidden_layer_sizes": (128, 128),
        "activation": activation,
        "initializer": ("he_normal", "he_normal", "lecun_normal"),
        "dropout": 0.05,
        "optimizer": AdamW(beta_2=0.95, weight_decay=0.01),
        "learning_rate_init": rate * min(1.0, math.sqrt(n_samples / ROWS_FOR_RATE)),
        "schedule": Warmup(Cosine(), epochs=0.05 * max_iter, initial_factor=0.1),
        "batch_size": -(-n_training // n_batches),  # of equal sizes
        "max_iter": max_iter,
        "input_scaling": "quantile" if wide else "quantile_robust",
        "numeric_embedding": None if wide else Periodic(n_frequencies=8, size=4, scale=0.3),
        "early_stopping": True,
        "calibration": "temperature",
        "validation_fraction": "folds",
        "n_iter_no_change": RECIPE_PATIENCE,
        "n_members": MEMBERS,
        "dtype": "float32",
    }


def settled(
    parameters: Mapping[str, Any],
    kind: str,
    n_samples: int,
    n_features: int,
    *,
    by_recipe: bool,
    n_validation: int | None = None,
) -> dict[str, Any]:
    """The parameters without those "auto" that :func:`recipe`, or :data:`PLAIN`, decides.

    Parameters
    ----------
    parameters : mapping
        The estimator's.
    kind : str
        Of the task.
    n_samples : int
        Rows of positive weight.
    n_features : int
        Columns of the table.
    by_recipe : bool
        Whether the recipe decides; see :func:`follows_recipe`.
    n_validation : int or None
        Rows of a validation set of the caller's.
    """
    if not by_recipe:
        return plain(parameters)
    given = dict(parameters)
    n_members = MEMBERS if is_auto(given["n_members"]) else int(given["n_members"])
    validation = given["validation_fraction"]
    if is_auto(validation):
        several = given["ensemble"] != "shared" and n_members > 1
        in_folds = several and n_samples >= LEAST_A_MEMBER * n_members
        validation = "folds" if in_folds else SHARE_HELD
    stops = given["early_stopping"]
    holds_out = stops.watch == "validation" if isinstance(stops, EarlyStopping) else bool(stops)
    n_held = _n_held(validation, n_samples, n_members) if holds_out else 0
    n_judging, n_all_judging = n_held, n_samples if validation == "folds" else n_held
    if n_validation is not None and holds_out:
        n_held, n_judging, n_all_judging = 0, n_validation, n_validation
    chosen = recipe(
        kind,
        n_samples,
        n_features,
        n_training=max(1, round((n_samples - n_held) * _share_drawn(given["ensemble"]))),
        max_iter=EPOCHS if is_auto(given["max_iter"]) else int(given["max_iter"]),
    )
    chosen["validation_fraction"] = validation
    if not holds_out:
        chosen["n_iter_no_change"] = np.inf
    elif _has_plans(given):
        del chosen["n_iter_no_change"]  # it suits the recipe's own schedule
    too_few = n_judging < LEAST_FOLD or n_all_judging < LEAST_JUDGING
    if too_few or kind == "regression" or not _is_calibratable(given["loss"], kind):
        chosen["calibration"] = None
    _suit(chosen, given)
    if isinstance(stops, EarlyStopping) and "n_iter_no_change" in chosen:
        given["early_stopping"] = stops.settled(chosen["n_iter_no_change"])
    if isinstance(given["batch_size"], Accumulated):
        given["batch_size"] = _sized(given["batch_size"], chosen["batch_size"])
    return given | {name: v for name, v in chosen.items() if is_auto(given.get(name))}


def _has_plans(given: Mapping[str, Any]) -> bool:
    """Whether something is to change over time by the user's own plan, which patience goes by."""
    if not is_auto(given["schedule"]) or given["curriculum"] is not None:
        return True
    return has_scheduled(given)


def _share_drawn(ensemble: str | Bagging) -> float:
    """Of the rows that train, those that each member draws."""
    return float(ensemble.fraction) if isinstance(ensemble, Bagging) else 1.0


def _sized(batches: Accumulated, size: int) -> Accumulated:
    """Accumulated batches of the recipe's size, where theirs is left to it."""
    return Accumulated(size, batches.steps) if is_auto(batches.size) else batches


def _suit(chosen: dict[str, Any], given: Mapping[str, Any]) -> None:
    """Take out of the recipe what does not go with what the user chose."""
    if number_of(given["weight_decay"]) > 0:
        chosen["optimizer"].set_params(weight_decay=0.0)
    if not is_auto(given["optimizer"]):
        del chosen["learning_rate_init"]  # what suits one optimizer does not suit another
    if not is_auto(given["activation"]):
        del chosen["initializer"]
    if given["activation"] == "selu" or isinstance(given["activation"], Selu):
        chosen |= {"dropout": 0.0, "numeric_embedding": None}  # it keeps scales by itself


def _n_held(validation: Any, n_samples: int, n_members: int) -> int:
    """About how many rows do not train."""
    if isinstance(validation, str):
        return n_samples // n_members
    if isinstance(validation, Real):
        return math.ceil(float(validation) * n_samples)
    return n_samples // 2


def follows_recipe(
    parameters: Mapping[str, Any], n_samples: int, *, is_sparse: bool, goes_on: bool
) -> bool:
    """Whether what is left at "auto" is chosen by the recipe for tables.

    Parameters
    ----------
    parameters : mapping
    n_samples : int
    is_sparse : bool
        Whether the table is sparse, whose zeros a rank would fill.
    goes_on : bool
        Whether training may be gone on with later, for which held-out folds are no use.
    """
    if not is_auto(parameters["hidden_layer_sizes"]) or n_samples < LEAST_ROWS:
        return False
    if is_sparse or goes_on:
        return False
    if any(isinstance(parameters[name], list | tuple | np.ndarray) for name in BY_LAYER):
        return False
    if is_auto(parameters["optimizer"]):
        return True
    optimizer = OPTIMIZERS.resolve(with_numbers(parameters)["optimizer"])
    return optimizer.stackable and optimizer.follows_rate


def plain(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with plain values for those that are left at "auto"."""
    given = dict(parameters)
    return given | {name: v for name, v in PLAIN.items() if is_auto(given.get(name))}


def plain_value(name: str, value: Any) -> Any:
    """A parameter's value, the plain one where it is left at "auto"."""
    return PLAIN[name] if is_auto(value) else value


def is_auto(value: Any) -> bool:
    """Whether a parameter is left to the estimator."""
    return isinstance(value, str) and value == "auto"


def _is_calibratable(loss: Any, kind: str) -> bool:
    return LOSSES.resolve(as_loss(loss)).bind(kind).is_calibratable


def stops_early(value: bool | str | EarlyStopping, n_samples: int, has_validation: bool) -> bool:
    """Whether a validation part decides when a fit ends: what "auto" means."""
    if isinstance(value, str):
        return has_validation or n_samples > EARLY_STOPPING_ROWS
    if isinstance(value, EarlyStopping):
        return value.watch == "validation"
    return bool(value)


def holds_out_folds(parameters: Mapping[str, Any]) -> bool:
    """Whether each member of an ensemble is to hold out rows of its own.

    Raises
    ------
    ValueError
        If there are no members that could.
    """
    asked = parameters["validation_fraction"] == "folds"
    if not asked or not stops_early(parameters["early_stopping"], 0, has_validation=True):
        return False
    if int(parameters["n_members"]) == 1 or parameters["ensemble"] == "shared":
        raise ValueError(
            "validation_fraction='folds' lets each of several independent members hold out rows "
            f"of its own, but n_members={parameters['n_members']!r} and "
            f"ensemble={parameters['ensemble']!r}. Set n_members to 2 or more (where the recipe "
            "for tables does not apply, 'auto' is 1) with ensemble='independent', or give a "
            "fraction."
        )
    return True


def without_validation(spec: FitSpec) -> FitSpec:
    """What is really done where no rows could be held out: the training loss is monitored.

    A target and a baseline of a score are left out with a warning, since no loss can be compared
    with them.
    """
    rule = spec.stopping
    if rule is not None and spec.monitor != "loss":
        given = {name: getattr(rule, name) for name in ("target", "baseline")}
        given = {name: value for name, value in given.items() if value is not None}
        if given:
            values = " and ".join(f"{name}={value!r}" for name, value in given.items())
            warn(
                f"{values} of EarlyStopping is left out: without a validation part there are no "
                f"scores of monitor={spec.monitor!r} to compare it with. Give X_val and y_val, or "
                "more rows."
            )
        changes = {"mode": "auto", "target": None, "baseline": None, "baseline_patience": None}
        rule = clone(rule).set_params(**changes)
    return replace(spec, early_stopping=False, monitor="loss", stopping=rule, calibration=None)
