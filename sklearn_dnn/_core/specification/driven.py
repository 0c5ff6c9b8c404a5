"""Numbers that schedules of their own drive: each taken apart into both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...components.base import Component, Scheduled, number_of, public_names, shown
from ...components.optimizers import OPTIMIZERS
from ...components.schedules import SCHEDULES, Schedule, as_schedule

# Parameters that are a number that may be scheduled, or hold one.
HOLDERS = ("dropout", "input_dropout", "weight_decay", "optimizer")


def taken_apart(value: Any) -> tuple[Any, dict[str, Scheduled]]:
    """A parameter's value with numbers for scheduled ones, and these by where they stood.

    Those of a sequence by their place, those of a component by their name, that of the value
    itself by "".
    """
    if isinstance(value, Scheduled):
        value.validate()
        return value.value, {"": value}
    if isinstance(value, Component):
        return value.taken_apart()
    if isinstance(value, list | tuple):
        parts = [taken_apart(each) for each in value]
        places = {str(i): each for i, (_, inner) in enumerate(parts) for each in inner.values()}
        return type(value)(part for part, _ in parts) if places else value, places
    return value, {}


def with_numbers(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The estimator's parameters with numbers for scheduled ones."""
    numbers = {name: taken_apart(parameters[name])[0] for name in HOLDERS if name in parameters}
    return {**parameters, **numbers}


def has_scheduled(parameters: Mapping[str, Any]) -> bool:
    """Whether some number among the estimator's parameters is scheduled."""
    return any(taken_apart(parameters[name])[1] for name in HOLDERS)


def refuse_scheduled(parameters: Mapping[str, Any]) -> None:
    """Refuse, among the estimator's parameters, what is no schedule or drives what none can."""
    for name in HOLDERS:
        for scheduled in taken_apart(parameters[name])[1].values():
            _schedule_of(scheduled)


def driven_numbers(parameters: Mapping[str, Any], n_hidden: int) -> dict[str, Schedule]:
    """The schedules of a fit's numbers, by the number that each drives.

    Parameters
    ----------
    parameters : mapping
        The estimator's.
    n_hidden : int
        Hidden layers.

    Returns
    -------
    dict of str to Schedule
        Of "momentum", "weight_decay", "input_dropout", and "dropout_0", "dropout_1", ... for the
        rates of the hidden layers.

    Raises
    ------
    ValueError and TypeError
        For what is no schedule.
    """
    found = _of_optimizer(parameters["optimizer"])
    if number_of(parameters["weight_decay"]) > 0:
        found.pop("weight_decay", None)  # the decay that counts is the estimator's
    for name in ("weight_decay", "input_dropout"):
        value = parameters[name]
        # and the optimizer's own where that is 0
        if isinstance(value, Scheduled) and (name != "weight_decay" or value.value > 0):
            found[name] = value
    dropout = parameters["dropout"]
    by_place = taken_apart(dropout)[1]
    if isinstance(dropout, list | tuple):
        found |= {f"dropout_{place}": each for place, each in by_place.items()}
    else:
        found |= {f"dropout_{i}": each for each in by_place.values() for i in range(n_hidden)}
    return {name: _schedule_of(each) for name, each in found.items()}


def _schedule_of(scheduled: Scheduled) -> Schedule:
    try:
        return SCHEDULES.resolve(as_schedule(scheduled.schedule))
    except (ValueError, TypeError) as error:
        named = public_names(" ".join(shown(scheduled).split()))
        raise type(error)(f"{error} It is that of {named}.") from error


def _of_optimizer(optimizer: Any) -> dict[str, Scheduled]:
    """What is scheduled of the update rule."""
    rule, scheduled = taken_apart(optimizer)
    if not scheduled:
        return {}
    momentum = OPTIMIZERS.resolve(rule).momentum_name
    drives = {
        name: "momentum" if name == momentum else name.rpartition("__")[2] for name in scheduled
    }
    for name, driven in drives.items():
        if driven not in {"momentum", "weight_decay"}:
            raise ValueError(
                f"A schedule can't drive {name!r} of optimizer={optimizer!r}: only its weight_decay"
                f" and its momentum ({momentum!r}) are read at each step. Give a number."
            )
    return {drives[name]: each for name, each in scheduled.items()}
