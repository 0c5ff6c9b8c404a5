"""What every component is, and how a name becomes one."""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, ClassVar, Generic, TypeVar

from sklearn.base import BaseEstimator

from .._compat import InvalidParameterError, NamesReadOnce, validate_parameter_constraints


class Component(NamesReadOnce, ABC, BaseEstimator):
    """A part of a network or of its training, with parameters of its own.

    Deriving from scikit-learn's ``BaseEstimator`` gives ``get_params``, ``clone``, ``repr``,
    pickling, and nested names such as ``optimizer__momentum`` in a search.

    A subclass stores its constructor's arguments untouched, lists what it allows in
    ``_parameter_constraints`` (scikit-learn's constraint objects), and puts contradictions
    between its own parameters into :meth:`_check`.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def validate(self) -> None:
        """Refuse bad parameters.

        Raises
        ------
        ValueError
            Naming the parameter, what is allowed and what came.
        """
        try:
            validate_parameter_constraints(
                self._parameter_constraints, self.get_params(deep=False), type(self).__name__
            )
        except InvalidParameterError as error:
            raise InvalidParameterError(public_names(str(error))) from None
        self._check()

    def _check(self) -> None:
        """Refuse contradictions between parameters; nothing by default."""


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


C = TypeVar("C", bound=Component)


class Registry(Generic[C]):
    """The names of one family of components.

    Parameters
    ----------
    family : str
        The parameter that takes these names, for messages.
    base : type
        The abstract class of the family.
    """

    def __init__(self, family: str, base: type[C]) -> None:
        self.family = family
        self.base = base
        self._classes: dict[str, type[C]] = {}
        self._by_class_name: dict[str, type[C]] = {}

    def register(self, name: str) -> Callable[[type[C]], type[C]]:
        """Class decorator that enters a component under `name`."""

        def enter(cls: type[C]) -> type[C]:
            assert name not in self._classes, f"{name!r} stands twice in {self.family}"
            self._classes[name] = self._by_class_name[cls.__name__] = cls
            return cls

        return enter

    @property
    def classes(self) -> dict[str, type[C]]:
        """The registered classes by name."""
        return dict(self._classes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._classes)

    def __getitem__(self, name: str) -> type[C]:
        return self._classes[name]

    def __contains__(self, name: object) -> bool:
        return name in self._classes

    def name_of(self, component: C) -> str:
        """The registered name of a component, or its class name if it is a user's own."""
        for name, cls in self._classes.items():
            if type(component) is cls:
                return name
        return type(component).__name__

    def rebuild(self, plain: dict[str, Any]) -> C:
        """A registered component from what ``FitSpec.as_dict`` writes of it."""
        parameters = dict(plain)
        return self._by_class_name[parameters.pop("component")](**parameters)

    def resolve(self, value: str | C) -> C:
        """A checked component from a name or a component.

        Raises
        ------
        ValueError
            If the name is unknown (the nearest known name is given) or the component's
            parameters are not allowed.
        TypeError
            If `value` is neither a name nor a component of this family.
        """
        if isinstance(value, str):
            if value not in self._classes:
                raise InvalidParameterError(
                    f"The {self.family!r} parameter must be one of {sorted(self._classes)} or an "
                    f"instance of {self.base.__name__}. Got {value!r} instead."
                    + nearest(value, list(self._classes))
                )
            return self._classes[value]()
        if isinstance(value, type) and issubclass(value, self.base):
            raise TypeError(
                f"The {self.family!r} parameter takes an instance, not a class: "
                f"write {value.__name__}() instead of {value.__name__}."
            )
        if not isinstance(value, self.base):
            raise InvalidParameterError(
                f"The {self.family!r} parameter must be one of {sorted(self._classes)} or an "
                f"instance of {self.base.__name__}. Got {value!r} instead."
            )
        value.validate()
        return value
