"""From what the user gave to a session: all is checked, and nothing trained yet."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from numbers import Real
from typing import Any

import numpy as np

from ...components.losses import LOSSES, as_loss
from ..data.targets import Codec
from ..fitted.fitted import Fitted
from ..messages import told_of
from ..reading.inputs import Given, read_difficulty, read_given, read_validation
from ..reading.labels import tell_of_other_units
from ..reading.tables import Reading, reading_of
from .fresh_start import begin
from .judging import first_split
from .session import Session
from .warm_start import go_on


def open_session(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    validation: tuple[Any, Any, Any] = (None, None, None),
    groups: Any = None,
    *,
    going_on: bool,
    classes: Any = None,
    difficulty: Any = None,
    changes: dict[str, Any] | None = None,
    seed: int | None = None,
    piecewise: bool = False,
) -> Session:
    """Check everything that was given, and set up what the engine needs.

    Parameters
    ----------
    changes : dict or None
        Parameters that take the place of the estimator's own.
    seed : int or None
        Of all streams of chance; None draws one from `random_state`.
    piecewise : bool
        Whether the rows are the first of several calls.
    """
    given, codec = read_training(
        estimator,
        X,
        y,
        sample_weight,
        classes,
        going_on=going_on,
        same_classes=going_on and not piecewise,
    )
    given = replace(given, difficulty=read_difficulty(difficulty, given.X))
    held = _read_held(estimator, validation, codec, given.reading, going_on=going_on)
    if held is not None and estimator._numeric_targets and not (going_on or piecewise):
        tell_of_other_units(given.y[given.rows], held.y)
    parameters = {name: getattr(estimator, name) for name in estimator._parameters}
    parameters |= changes or {}
    how = estimator.validation_fraction
    if groups is not None and isinstance(how, Real | str):
        raise ValueError(
            f"groups was given, but validation_fraction={how!r} holds out rows without regard to "
            "groups. Give a splitter such as sklearn.model_selection.GroupShuffleSplit as "
            "validation_fraction."
        )
    if seed is None:
        seed = estimator._draw_seed()
    weigher = partial(estimator._weigher, codec)
    if not going_on:
        return begin(
            parameters,
            given,
            codec,
            held,
            weigher=weigher,
            splitter=lambda how, rows: first_split(how, rows, given.y, groups),
            seed=seed,
            goes_on=piecewise or bool(estimator.warm_start),
        )
    fitted = Fitted(estimator)
    return go_on(
        parameters,
        given,
        codec,
        held,
        weigher=weigher,
        seed=seed,
        samples=estimator.t_,
        columns=fitted.columns,
        before=estimator.spec_,
        saved=vars(estimator).get("_progress"),
        weights=fitted.weights.members(),
        histories=[member["history"] for member in estimator.members_],
    )


def read_training(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    classes: Any,
    *,
    going_on: bool,
    same_classes: bool = False,
) -> tuple[Given, Codec]:
    """The rows to train on, checked, and the codec of their targets.

    `same_classes` asks a fit that goes on for rows of all classes, as scikit-learn does.
    """
    numeric = estimator._numeric_targets
    reading = reading_of(estimator) if going_on else None
    given = read_given(
        estimator, X, y, sample_weight, y_numeric=numeric, reset=not going_on, reading=reading
    )
    given, codec = estimator._read_targets(
        given, classes, going_on=going_on, same_classes=same_classes
    )
    refuse_targets(estimator, given, "")
    return given, codec


def _read_held(
    estimator: Any,
    validation: tuple[Any, Any, Any],
    codec: Codec,
    reading: Reading | None,
    *,
    going_on: bool,
) -> Given | None:
    """The validation set that the caller gave, checked; None where there is none."""
    with told_of("the validation set (X_val, y_val, sample_weight_val)"):
        held = read_validation(
            estimator, *validation, y_numeric=estimator._numeric_targets, reading=reading
        )
        if held is None:
            return None
        held, _ = estimator._read_targets(held, codec, going_on=going_on)
    refuse_targets(estimator, held, "y_val: ")
    return held


def refuse_targets(estimator: Any, given: Given, name: str) -> None:
    """Refuse numbers that the loss is not for."""
    lowest = float(np.min(given.y)) if estimator._numeric_targets else np.inf
    fault = LOSSES.resolve(as_loss(estimator.loss)).target_fault(lowest)
    if fault:
        raise ValueError(f"loss={estimator.loss!r}: {name}{fault}. Choose another loss.")
