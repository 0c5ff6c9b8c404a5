"""Whose code it is: Python's and an installed package's, or the user's; and what it reads."""

from __future__ import annotations

import dis
import inspect
import os
import sys
import sysconfig
from collections.abc import Mapping
from functools import lru_cache, partial
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

_STANDARD = tuple(
    os.path.join(folder, "")
    for folder in {
        os.path.dirname(os.__file__),
        *(sysconfig.get_path(kind) for kind in ("stdlib", "platstdlib")),
    }
)
# LOAD_NAME is that of the body of a class.
_READS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_INSTALLED = {"site-packages", "dist-packages"}
_HERE = os.path.join(os.path.dirname(os.path.dirname(__file__)), "")
# Of what code calls by name: what has code of its own to be known by.
_CODED = (FunctionType, type, partial, type(lru_cache(len)))
_ON_THE_HEAP = 1 << 9  # a flag of classes that are made while Python runs


def is_known_by_name(value: Any) -> bool:
    """Whether the name of a function or class says all of it.

    It does where an installed module has this very thing under this name. What a decorator copied
    a name onto, and what a function of a package made, has another content.
    """
    module = value.__module__ or ""
    if not is_installed(module):
        return False
    if isinstance(value, FunctionType):
        return stands_installed(value) and found_at(module, value.__qualname__) is value
    return found_at(module, value.__qualname__) is value or not value.__flags__ & _ON_THE_HEAP


def stands_installed(function: FunctionType) -> bool:
    """Whether the code of a function is installed, whatever the function says of itself."""
    module, file = str(function.__globals__.get("__name__")), function.__code__.co_filename
    if file.startswith("<"):  # text that was made, such as a method of a data class
        loaded = sys.modules.get(module)
        return loaded is not None and vars(loaded) is function.__globals__ and is_installed(module)
    return _lies_installed(file, module)


def is_installed(module: str) -> bool:
    """Whether a module belongs to Python, or to an installed package that has a version."""
    if module == "__main__":
        return False
    name = module
    while name:  # a part of an extension has no file of its own
        loaded = sys.modules.get(name)
        file = inspect.getattr_static(loaded, "__file__", None)
        if isinstance(file, str):
            return _lies_installed(file, module)
        name = name.rpartition(".")[0]
    return _top(module) in sys.stdlib_module_names


def found_at(module: str, name: str) -> Any:
    """What a module that is loaded has under a name with dots; None if there is no such thing."""
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = inspect.getattr_static(found, part, None)
        if isinstance(found, staticmethod | classmethod):
            found = found.__func__
    return found


def read_by(code: CodeType, named: Mapping[str, Any], *, within: bool = False) -> dict[str, Any]:
    """What code reads by name in its module, and does not set itself; also that within it."""
    steps = [(step.opname, step.argval) for step in dis.get_instructions(code)]
    own = {name for how, name in steps if how in {"STORE_GLOBAL", "DELETE_GLOBAL"}}
    asked = [name for how, name in steps if how in _READS]
    found = {
        name: named[name]
        for name in asked
        if name in named and name not in own and not name.startswith("__")
    }
    for constant in code.co_consts if within else ():
        if isinstance(constant, CodeType):
            found |= read_by(constant, named, within=True)
    return found


def has_code(value: Any) -> bool:
    """Whether what code calls by name is more than a name."""
    if isinstance(value, FunctionType | type):
        return not is_known_by_name(value)
    return isinstance(value, _CODED)


def where(name: str, value: Any, named: Mapping[str, Any]) -> str:
    """Of what code calls by name: where that is defined, if it has such a place."""
    if has_code(value):  # which is followed from there
        return f"{named.get('__name__')}.{name}"
    if isinstance(value, ModuleType):
        return value.__name__
    if isinstance(value, FunctionType | type):
        return f"{value.__module__}.{value.__qualname__}"
    return ""


def version_of(package: str) -> str | None:
    """The version that a package says it has; None for Python's own and for the user's."""
    if package in sys.stdlib_module_names:
        return None
    version = getattr(sys.modules.get(package), "__version__", None)
    return None if version is None else str(version)


def _lies_installed(file: str, module: str) -> bool:
    """Whether a file is where Python's own are, or packages; a user's may be named like theirs."""
    if file.startswith(("<frozen", _HERE)):
        return True
    if _INSTALLED & set(Path(file).parts):
        return version_of(_top(module)) is not None
    return file.startswith(_STANDARD)


def _top(module: str) -> str:
    return module.partition(".")[0]
