"""The names of a family of components, and how a name becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Integral
from typing import Any, Generic, TypeVar

import numpy as np

from .._compat import Interval, InvalidParameterError
from .base import Component, changed, nearest, public_names, shown

# An integer of so many bits is more than torch's.
TOO_LONG = 2**63

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

    # `type[C]` would ask for a class that can be built, which an abstract one cannot
    def __init__(self, family: str, base: type[Any]) -> None:
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

    def resolve(self, value: object) -> C:
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
                    f"instance of {self.base.__name__}. Got {shown(value)} instead."
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
                f"instance of {self.base.__name__}. Got {public_names(shown(value))} instead."
            )
        value.validate()
        return _with_plain_numbers(value)


def _with_plain_numbers(component: C) -> C:
    """A component with numbers of Python in place of NumPy's, which not all of torch takes.

    An integer that torch could not hold becomes a float where a float is allowed.
    """
    plain = {}
    for name, value in component.get_params(deep=False).items():
        if isinstance(value, np.integer | np.floating):
            plain[name] = value.item() if isinstance(value, np.integer) else float(value)
        number = plain.get(name, value)
        constraints = component._parameter_constraints.get(name, ())
        counts = any(isinstance(c, Interval) and c.type is Integral for c in constraints)
        if isinstance(number, int) and abs(number) >= TOO_LONG and not counts:
            plain[name] = float(number)
    if not plain:
        return component
    return changed(component, plain)
