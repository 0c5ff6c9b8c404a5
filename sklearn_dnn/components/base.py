"""What every component is, and how a name becomes one."""

from __future__ import annotations

import copy
import inspect
import re
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from sklearn.base import BaseEstimator

from .._compat import Interval, InvalidParameterError, NamesReadOnce, StrOptions, make_constraint

T = TypeVar("T")

if TYPE_CHECKING:

    def computed(read: Callable[[Any], T], /) -> T:
        """A property that stands for a class attribute of the base, such as ``Loss.kinds``."""

else:
    # a property; checkers of types are told of an attribute, since none may override one by it
    computed = property


class Component(NamesReadOnce, ABC, BaseEstimator):
    """A part of a network or of its training, with parameters of its own.

    Deriving from scikit-learn's ``BaseEstimator`` gives ``get_params``, ``clone``, ``repr``,
    pickling, and nested names such as ``optimizer__momentum`` in a search.

    A subclass stores its constructor's arguments untouched, lists what it allows in
    ``_parameter_constraints`` (scikit-learn's constraint objects), and puts contradictions
    between its own parameters into :meth:`_check`.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def validate(self) -> None:
        """Refuse bad parameters.

        Raises
        ------
        ValueError
            Naming the parameter, what is allowed and what came.
        """
        refuse_parameters(
            self._parameter_constraints, self.get_params(deep=False), type(self).__name__
        )
        self.taken_apart()[0]._check()

    def set_params(self, **params: Any) -> Self:
        """Set parameters, or nested ones of a component among them."""
        for key in params:
            name, nested, sub = key.partition("__")
            value = params.get(name, vars(self).get(name))
            if nested and name in vars(self) and not isinstance(value, Component):
                allowed = self._parameter_constraints.get(name, ())
                advice, given = "", None
                if Scheduled in allowed and sub in {"value", "schedule"}:
                    given = f"Scheduled({value!r}, 'linear')"
                elif any(isinstance(c, type) and issubclass(c, Component) for c in allowed):
                    given = "..."
                if given is not None:
                    as_in = f"{type(self).__name__}({name}={given})"
                    advice = f" Give the component that has {sub!r}, as in {as_in}."
                raise ValueError(
                    f"{key!r} can't be set: {name}={value!r} has no parameters of its own.{advice}"
                )
        return super().set_params(**params)

    def _check(self) -> None:
        """Refuse contradictions between parameters; a number stands for a scheduled one."""

    def taken_apart(self) -> tuple[Self, dict[str, Scheduled]]:
        """This component with a number for each :class:`Scheduled` one, and these by name.

        Returns
        -------
        component : Component
            Itself where nothing is scheduled, else a copy.
        scheduled : dict of str to Scheduled
            By the names of parameters, nested ones with ``__``.
        """
        plain: dict[str, Any] = {}
        scheduled: dict[str, Scheduled] = {}
        for name, value in self.get_params(deep=False).items():
            if isinstance(value, Scheduled):
                allowed = Scheduled in self._parameter_constraints.get(name, ())
                if allowed and not isinstance(value.value, Scheduled):
                    plain[name], scheduled[name] = value.value, value
            elif isinstance(value, Component):
                part, inner = value.taken_apart()
                if inner:
                    plain[name] = part
                    scheduled |= {f"{name}__{sub}": each for sub, each in inner.items()}
        return (changed(self, plain) if plain else self), scheduled


class Scheduled(Component):
    """A number that a schedule drives while training runs, in place of the number itself.

    The estimators' ``dropout``, ``input_dropout`` and ``weight_decay`` take it, the rate of a
    dropout, the ``weight_decay`` of an optimizer, and what it calls its momentum (``momentum``,
    or ``beta_1``). The learning rate has parameters of its own: ``learning_rate_init`` and
    ``schedule``.

    Parameters
    ----------
    value : float
        The number, in the range of the parameter that it stands for. A search reaches it as
        ``dropout__value``.
    schedule : str, Schedule or callable
        What multiplies it, by a name of ``schedule`` or with parameters of its own, or a
        function ``f(t, horizon)`` of times in epochs; as ``dropout__schedule`` in a search.

    Examples
    --------
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.components import SGD, Scheduled
    >>> MLPClassifier(
    ...     dropout=Scheduled(0.2, "linear"),
    ...     optimizer=SGD(momentum=Scheduled(0.95, "momentum_cycle")),
    ...     schedule="one_cycle",
    ... ).get_params()["dropout__value"]
    0.2
    """

    # names, and what a schedule is, are known where families meet
    _parameter_constraints = {
        "value": [Interval(Real, None, None, closed="neither")],
        "schedule": [str, Component, callable],
    }

    def __init__(self, value: float, schedule: Any) -> None:
        self.value = value
        self.schedule = schedule


def number_of(value: float | Scheduled) -> float:
    """A number, or the one that a schedule drives."""
    return value.value if isinstance(value, Scheduled) else value


def refuse_parameters(
    constraints: Mapping[str, Any], parameters: Mapping[str, Any], owner: str
) -> None:
    """Refuse a parameter whose value satisfies none of its constraints.

    Parameters
    ----------
    constraints : mapping of list
        scikit-learn's, by the parameters' names; a value without is not looked at.
    parameters : mapping
        Values by name.
    owner : str
        The class that has the parameters, for the message.

    Raises
    ------
    ValueError and TypeError
        Naming the parameter, what is allowed, what came and the way out.
    """
    for name, value in parameters.items():
        if constraints.get(name, "no_validation") == "no_validation":
            continue
        allowed = [make_constraint(constraint) for constraint in constraints[name]]
        number = value
        if isinstance(value, Scheduled) and Scheduled in constraints[name]:
            number = value.value  # a schedule drives what could stand there by itself
            numbers = [each for each in allowed if isinstance(each, Interval)]
            others = [each for each in constraints[name] if each is not Scheduled]
            allowed = numbers or [make_constraint(each) for each in others]
        # NumPy counts spans of time among the integers, and scikit-learn arrays without axes
        # among the lists
        none = isinstance(number, np.timedelta64) or _has_no_axes(number)
        if none or not any(constraint.is_satisfied_by(number) for constraint in allowed):
            *first, last = map(str, allowed)
            said = f"{', '.join(first)} or {last}" if first else last
            raise InvalidParameterError(
                public_names(
                    f"The {name!r} parameter of {owner} must be {said}. Got {shown(value)} instead."
                    f"{_way_out(number, allowed, constraints[name])}"
                    f"{_swapped(value)}"
                )
            )


def _swapped(value: Any) -> str:
    """What to write where a schedule stands in the place of its number."""
    if isinstance(value, Scheduled) and isinstance(value.value, str):
        return " The number comes first, as in Scheduled(0.2, 'linear')."
    return ""


def call_of(component: type) -> str:
    """How one of its objects is made."""
    parameters = inspect.signature(component).parameters.values()
    return f"{component.__name__}({'...' if any(p.default is p.empty for p in parameters) else ''})"


def _has_no_axes(value: Any) -> bool:
    """Whether a value is an array or a tensor of a single number."""
    return isinstance(value, np.ndarray | torch.Tensor) and value.ndim == 0


def _way_out(value: Any, allowed: list[Any], given: list[Any]) -> str:
    """A closing sentence for a refused value, or nothing."""
    if isinstance(value, str):
        names = {name for c in allowed if isinstance(c, StrOptions) for name in c.options}
        return nearest(value, sorted(names))
    if isinstance(value, type):
        fits = any(isinstance(base, type) and issubclass(value, base) for base in given)
        return f" It takes an instance, not a class: write {call_of(value)}." if fits else ""
    if isinstance(value, Scheduled) and Scheduled not in given:
        return (
            " A schedule drives dropout, input_dropout, weight_decay and the momentum (or beta_1) "
            "of an optimizer; that of learning_rate_init is given as `schedule`."
        )
    if any(isinstance(constraint, Interval) for constraint in allowed):
        if isinstance(value, bool | np.bool_):
            return " Give a number: True and False are none here."
        if isinstance(value, Fraction | Decimal):
            return " Give the number that float() makes of it."
    return " Give what its .item() returns." if _has_no_axes(value) else ""


def refuse_arguments(
    parameter: str, function: Callable[..., Any], wanted: Sequence[str], owner: str = ""
) -> None:
    """Refuse a function that can't be called with what it will get.

    Parameters
    ----------
    parameter : str
        Which holds the function, for the message.
    function : callable
        One whose arguments Python can't tell passes.
    wanted : sequence of str
        Names for what it gets, by position.
    owner : str
        The component that has the parameter.

    Raises
    ------
    ValueError and TypeError
    """
    try:
        takes = inspect.signature(function)
    except (ValueError, TypeError):
        return
    try:
        takes.bind(*wanted)
    except TypeError as error:
        call = f"({', '.join(wanted)})"
        raise InvalidParameterError(
            f"The {parameter!r} parameter{owner and ' of '}{owner} takes a function that is called "
            f"with {call}. Got {shown(function)} instead, which takes {takes}: give it "
            f"{len(wanted)} argument{'s' * (len(wanted) > 1)}."
        ) from error


def shown(value: Any, length: int = 200) -> str:
    """A value as messages show it: what is long is cut in the middle."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        return f"an {type(value).__name__} that is too large to be written"
    return text if len(text) <= length else f"{text[: length - 40]} ... {text[-30:]}"


def public_names(message: str) -> str:
    """A message that names classes of this package by where they can be imported from."""
    return re.sub(r"(sklearn_dnn(?:\.[a-z]\w*)*)\._\w+\.", r"\1.", message)


# What other libraries call things that have another name here.
SYNONYMS = {
    "batch_normalization": "batch",
    "batchnorm": "batch",
    "binary_crossentropy": "log_loss",
    "categorical_crossentropy": "log_loss",
    "cosine_annealing": "cosine",
    "cross_entropy": "log_loss",
    "he": "he_normal",
    "invscaling": "inverse_scaling",
    "kaiming": "he_normal",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "layer_normalization": "layer",
    "layernorm": "layer",
    "mae": "absolute_error",
    "mse": "squared_error",
    "pinball": "quantile",
    "reduce_lr_on_plateau": "performance",
    "resnet": "residual",
    "sequential": "plain",
    "sigmoid": "logistic",
    "skip": "residual",
    "swish": "silu",
    "wide_and_deep": "wide",
    "xavier": "glorot_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}


def nearest(name: str, known: list[str]) -> str:
    """A closing sentence with the one or two known names most like `name`, or nothing."""
    meant = SYNONYMS.get(name.lower())
    if meant in known:
        return f" Did you mean {meant!r}?"
    close = get_close_matches(name, known, n=2) or get_close_matches(name.lower(), known, n=2)
    return f" Did you mean {' or '.join(map(repr, close))}?" if close else ""


def changed(component: T, changes: Mapping[str, Any]) -> T:
    """A copy with other values of some parameters; the component stays as it is."""
    twin = copy.copy(component)
    for name, value in changes.items():
        setattr(twin, name, value)
    return twin
