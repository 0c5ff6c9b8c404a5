"""Classes of torch, or of a user's own, as components."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from .base import Component, nearest


class ForeignClass:
    """Mixin of a component that wraps a class and the arguments to build it with.

    The arguments are the component's parameters: ``get_params``, ``set_params``, clones and
    searches reach them by name. They are the class' own keywords, so that none is declared
    here; each is checked against the signature of the class.

    Parameters
    ----------
    wrapped : type
        The class.
    **arguments
        Keyword arguments of its constructor.

    Attributes
    ----------
    reserved : tuple of str
        Arguments of the class that the component gives itself.
    convention : str
        What more there is to say of arguments that the class lacks.
    """

    reserved: ClassVar[tuple[str, ...]] = ()
    convention: ClassVar[str] = ""

    def __init__(self, wrapped: type, **arguments: Any) -> None:
        self.wrapped = wrapped
        self._names = tuple(arguments)
        for name, value in arguments.items():
            setattr(self, name, value)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The wrapped class and the arguments, and with `deep` those of components among them."""
        own = {"wrapped": self.wrapped} | {name: getattr(self, name) for name in self._names}
        if deep:
            for name, value in list(own.items()):
                if isinstance(value, Component):
                    own |= {f"{name}__{sub}": each for sub, each in value.get_params().items()}
        return own

    def set_params(self, **params: Any) -> Self:
        """Set the wrapped class or arguments, also ones that were left at their default.

        Or parameters of components among them, such as ``momentum__value``.
        """
        plain = {name: value for name, value in params.items() if "__" not in name}
        self._refuse_unknown(
            params.get("wrapped", self.wrapped), [n for n in plain if n != "wrapped"]
        )
        for name, value in plain.items():
            if name != "wrapped" and name not in self._names:
                self._names = (*self._names, name)
            setattr(self, name, value)
        nested = {name: value for name, value in params.items() if "__" in name}
        return super().set_params(**nested) if nested else self  # type: ignore[misc]

    @property
    def arguments(self) -> dict[str, Any]:
        """The keyword arguments."""
        return {name: getattr(self, name) for name in self._names}

    def _check(self) -> None:
        if not isinstance(self.wrapped, type):
            raise TypeError(
                f"{type(self).__name__} wraps a class. Got {self.wrapped!r} instead: give the "
                "class, and its arguments as keywords."
            )
        self._refuse_unknown(self.wrapped, self._names)

    def _refuse_missing(self) -> None:
        """Refuse a class that can't be built from the arguments; for subclasses' checks."""
        known = inspect.signature(self.wrapped).parameters
        missing = [
            name
            for name, p in known.items()
            if p.default is p.empty and p.kind not in {p.VAR_POSITIONAL, p.VAR_KEYWORD}
        ]
        missing = [n for n in missing if n not in self._names and n not in self.reserved]
        if missing:
            given = ", ".join([self.wrapped.__name__, *(f"{name}=..." for name in missing)])
            raise ValueError(
                f"{self.wrapped.__name__} can't be built without its arguments {missing}. Give "
                f"them as keywords, {type(self).__name__}({given})."
                f"{self.convention if 'n_features' not in known else ''}"
            )

    def _refuse_unknown(self, wrapped: type, given: Iterable[str]) -> None:
        allowed = inspect.signature(wrapped).parameters
        if any(p.kind is p.VAR_KEYWORD for p in allowed.values()):
            return
        names = [n for n, p in allowed.items() if p.kind is not p.VAR_POSITIONAL]
        names = [name for name in names if name not in self.reserved]
        for name in given:
            if name not in names:
                raise ValueError(
                    f"{name!r} is no argument of {wrapped.__name__} that can be given here: "
                    f"those are {names}.{nearest(name, names)}"
                )
