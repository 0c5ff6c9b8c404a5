"""What a fit is known by: a digest of all that decides it, the same in every process."""

from __future__ import annotations

import copyreg
import inspect
import pickle
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    ModuleType,
)
from typing import Any

import joblib
import numpy as np
import torch
from scipy.sparse import issparse
from sklearn.base import BaseEstimator

from .._compat import callbacks_of, offers
from ._digests import BYTES_OF, digest, is_constant
from ._origin import (
    found_at,
    has_code,
    is_installed,
    is_known_by_name,
    read_by,
    stands_installed,
    where,
)

# Of a class: what Python writes into it, which decides nothing or is a place in a file.
_BY_PYTHON = {
    "__annotations__",
    "__annotate__",
    "__annotate_func__",
    "__annotations_cache__",
    "__abstractmethods__",
    "__classcell__",
    "__classdictcell__",
    "__dict__",
    "__doc__",
    "__firstlineno__",
    "__module__",
    "__qualname__",
    "__slotnames__",
    "__static_attributes__",
    "__weakref__",
    "_abc_impl",
}
# Flags of code that say how it is called: *args, **kwargs.
_STARRED = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS
# Modules of what has no content, such as locks.
_EMPTY = {"_thread", "threading", "weakref", "_weakref"}


@dataclass
class _Met:
    """What is behind a digest and no part of it: it may lead back to where it was met."""

    packages: set[str] = field(default_factory=set)
    # by the digest of who calls it, the name, and the id of what is called
    called: dict[tuple[bytes, str, int], Any] = field(default_factory=dict)

    def add(self, more: _Met) -> None:
        self.packages |= more.packages
        self.called |= more.called


class Fingerprints:
    """Digests of values: by content, and functions and classes of the user's by their code.

    Names of files and lines are no part of a function, nor is what its name is. The user's
    functions and classes that it calls by name belong to it, and so do numbers, texts and tuples of
    them; all else is known by name alone. A function or class of an installed package is known
    by its name, and the version of the package is for others to compare.

    What was met once is remembered, so that values must not change while this is used.
    """

    def __init__(self) -> None:
        # values are held, so that their ids stay theirs
        self._known: dict[int, tuple[Any, bytes, _Met]] = {}
        self._met = _Met()
        self._path: list[int] = []
        self._lowest = 0  # of the places on the path that a value holds again
        self._kinds: list[tuple[Any, Callable[[Any], bytes]]] = [
            ((np.ndarray, np.generic, np.dtype), self._of_array),
            (torch.Tensor, self._of_tensor),
            ((FunctionType, type), self._of_definition),
            ((ModuleType, MethodType, BuiltinFunctionType), self._of_reference),
            (BaseEstimator, self._of_estimator),
        ]

    def known_by(self, value: Any) -> tuple[str, set[str]]:
        """The digest of a value, and the installed packages whose names are part of it."""
        self._met = _Met()
        whole, met = self.of(value), self._met
        links, waiting = {}, list(met.called.items())
        while waiting:
            (caller, name, place), called = waiting.pop()
            if (caller, name, place) in links:
                continue
            self._met = _Met()
            try:
                found = self.of(called)
            except TypeError:  # it has no content to be known by, and may go by its name
                found = b""
            links[caller, name, place] = digest(name, caller, found)
            met.packages |= self._met.packages
            waiting += self._met.called.items()
        return digest("whole", whole, *sorted(set(links.values()))).hex(), met.packages

    def of(self, value: Any) -> bytes:
        """The digest of a value.

        Raises
        ------
        TypeError
            If it holds something that has neither content nor code to be known by.
        """
        if type(value) in BYTES_OF:
            return digest(type(value).__name__, BYTES_OF[type(value)](value))
        place = id(value)
        if place in self._known:
            _, found, met = self._known[place]
            self._met.add(met)
            return found
        if place in self._path:  # it holds itself
            depth = self._path.index(place)
            self._lowest = min(self._lowest, depth)
            return digest("again", str(len(self._path) - depth).encode())
        depth, lowest, met = len(self._path), self._lowest, self._met
        self._path.append(place)
        self._lowest, self._met = depth, _Met()
        try:
            found = self._of_whole(value)
            if self._lowest >= depth:  # it is the same wherever it is met
                self._known[place] = (value, found, self._met)
            return found
        finally:
            self._path.pop()
            met.add(self._met)
            self._lowest, self._met = min(lowest, self._lowest), met

    def _of_whole(self, value: Any) -> bytes:
        """The digest of a value with parts."""
        kind = type(value)
        if kind in {list, tuple}:
            return self._parts(kind.__name__, value)
        if kind in {set, frozenset}:
            return digest(kind.__name__, *sorted(map(self.of, value)))
        if kind in {dict, MappingProxyType}:
            return digest("dict", *sorted(self._parts("pair", pair) for pair in value.items()))
        for kinds, of in self._kinds:
            if isinstance(value, kinds):
                return of(value)
        if issparse(value) or offers(value, "iloc") or offers(value, "__dataframe__"):
            return digest("table", joblib.hash(value).encode())
        return self._of_object(value)

    def _of_array(self, value: Any) -> bytes:
        if isinstance(value, np.ndarray) and value.dtype.hasobject:
            return self._parts("objects", (type(value), value.shape, value.ravel().tolist()))
        return digest("array", joblib.hash(value).encode())

    def _of_tensor(self, value: torch.Tensor) -> bytes:
        plain = value.detach().cpu()
        plain = plain.double() if plain.is_floating_point() else plain
        return self._parts("tensor", (str(value.dtype), plain.numpy()))

    def _of_estimator(self, value: BaseEstimator) -> bytes:
        """An estimator by its parameters and callbacks: what else it holds decides nothing."""
        callbacks = [as_made(callback) for callback in callbacks_of(value)]
        parameters = value.get_params(deep=False)
        return self._parts("estimator", (type(value), parameters, callbacks))

    def _of_definition(self, value: Any) -> bytes:
        """A function or class: of an installed package its name, of the user's what it does."""
        if is_known_by_name(value):
            return self._named(value.__module__, value.__qualname__)
        return self._of_class(value) if isinstance(value, type) else self._of_function(value)

    def _of_reference(self, value: Any) -> bytes:
        """A module, a function that is not written in Python, or a method of an object."""
        if isinstance(value, ModuleType):
            return self._named(value.__name__, "")
        owner = value.__self__
        if isinstance(value, MethodType):
            return self._parts("method", (value.__func__, owner))
        if owner is None or isinstance(owner, ModuleType):
            return self._named(value.__module__ or "builtins", value.__qualname__)
        return self._parts("method", (value.__name__, owner))

    def _parts(self, kind: str, values: Iterable[Any]) -> bytes:
        return digest(kind, *map(self.of, values))

    def _named(self, module: str, name: str) -> bytes:
        self._met.packages.add(module.partition(".")[0])
        return digest("named", module.encode(), name.encode())

    def _of_function(self, function: FunctionType) -> bytes:
        cells = []
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # an empty one
                cells.append(self.of(cell.cell_contents))
                continue
            cells.append(b"")
        code, named = function.__code__, function.__globals__
        module, place = str(named.get("__name__")), b""
        if stands_installed(function):  # what a package made, or what decorates
            place, named = self._named(module, code.co_qualname), {}
        found = digest(
            "function",
            place,
            self._of_code(code, named, function.__doc__ or ""),
            self.of(function.__defaults__),
            self.of(function.__kwdefaults__),
            self.of(dict(vars(function))),
            *cells,
        )
        for name, value in read_by(code, named, within=True).items():
            if has_code(value):
                self._met.called[found, name, id(value)] = value
        return found

    def _of_code(self, code: CodeType, named: Mapping[str, Any], text: str = "") -> bytes:
        """Code by what it does, without the text that documents it."""
        constants = list(code.co_consts)
        if text and constants[:1] == [text]:
            constants[0] = None
        read = [
            (name, value if is_constant(value) else where(name, value, named))
            for name, value in read_by(code, named).items()
        ]
        return digest(
            "code",
            code.co_code,
            code.co_exceptiontable,
            self.of(
                [
                    code.co_argcount,
                    code.co_posonlyargcount,
                    code.co_kwonlyargcount,
                    code.co_flags & _STARRED,
                    code.co_names,
                    code.co_varnames,
                    code.co_freevars,
                    code.co_cellvars,
                    read,
                ]
            ),
            *(
                self._of_code(constant, named)
                if isinstance(constant, CodeType)
                else self.of(constant)
                for constant in constants
            ),
        )

    def _of_class(self, cls: type) -> bytes:
        """A class of the user's: its bases, and what is written in it."""
        own = [
            digest(name, self._of_member(value))
            for name, value in sorted(vars(cls).items())
            if name not in _BY_PYTHON
        ]
        return digest("class", self.of(type(cls)), self.of(cls.__bases__), *own)

    def _of_member(self, value: Any) -> bytes:
        """Something in a class, such as a method or a property."""
        if isinstance(value, staticmethod | classmethod):
            return self._parts(type(value).__name__, (value.__func__,))
        if isinstance(value, property):
            return self._parts("property", (value.fget, value.fset, value.fdel))
        if isinstance(value, cached_property):
            return self._parts("property", (value.func,))
        if inspect.ismemberdescriptor(value) or inspect.isgetsetdescriptor(
            value
        ):  # the place of a slot, which __slots__ names
            return digest("slot")
        return self.of(value)

    def _of_object(self, value: Any) -> bytes:
        """Any other object, as pickle would take it apart."""
        if type(value).__module__ in _EMPTY:
            return self._parts("empty", (type(value),))
        try:
            special = copyreg.dispatch_table.get(type(value))  # as of ufuncs
            reduced = value.__reduce_ex__(4) if special is None else special(value)
        except (TypeError, AttributeError, RuntimeError, pickle.PicklingError) as error:
            raise TypeError(f"{type(value).__name__}: {error}") from error
        if isinstance(reduced, str):
            return self._of_global(value, reduced)
        how, arguments, *more = reduced
        state, items, pairs = (*more, None, None, None)[:3]
        parts = (
            state,
            None if items is None else list(items),
            None if pairs is None else dict(pairs),
        )
        return self._parts("object", (how, arguments, *parts))

    def _of_global(self, value: Any, name: str) -> bytes:
        """What pickle knows by a name, such as a ufunc, or what wraps a function."""
        if isinstance(value, np.ufunc) and set("".join(value.types)) <= set("O->"):
            raise TypeError(f"{name}: np.frompyfunc hides its function")
        module = value.__module__ if offers(value, "__module__") else None
        if is_installed(module or "") and found_at(module or "", name) is value:
            return self._named(module or "", name)
        state = object.__getstate__(value)
        if state is None and is_known_by_name(type(value)):
            return self._named(type(value).__module__, name)
        return self._parts("global", (type(value), name if state is None else state))


def as_made(callback: Any) -> tuple[type, Any]:
    """A callback by what it was made with: what it has seen since decides nothing.

    One that does not hold its arguments under their names is known by all that it holds.
    """
    names = inspect.signature(type(callback)).parameters
    held = vars(callback) if offers(callback, "__dict__") else {}
    if any(name not in held for name in names):
        return type(callback), callback
    return type(callback), {name: held[name] for name in names}
