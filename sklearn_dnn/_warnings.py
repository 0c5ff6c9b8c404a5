"""One way to warn, so that a warning points to the line of the user's that it is about."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import NamedTuple

from ._terminal import printable_lines

# Packages through which a user's call comes to this one, besides the standard library.
_BETWEEN = frozenset(
    {
        "cloudpickle",
        "dask",
        "dask_ml",
        "distributed",
        "imblearn",
        "joblib",
        "mlflow",
        "narwhals",
        "numpy",
        "optuna",
        "optuna_integration",
        "pandas",
        "polars",
        "ray",
        "scipy",
        "skl2onnx",
        "sklearn",
        "sklearn_dnn",
        "skops",
        "skopt",
        "threadpoolctl",
        "torch",
        "tqdm",
        "wrapt",
    }
)
_STANDARD = (os.path.dirname(os.__file__), "<frozen")
# Modules that begin a worker's process, called by a line that no user wrote.
_STARTERS = ("multiprocessing.", "joblib.externals.loky.")


class Line(NamedTuple):
    """A line of code that a warning is shown at."""

    filename: str
    number: int
    module: str


# Where the work was asked for that a thread or a process of a pool does.
_ASKED: ContextVar[Line | None] = ContextVar("asked", default=None)


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn, of the first line on the way out that is in none of the packages between.

    Parameters
    ----------
    message : str or Warning
    category : type of Warning
        Of a message that is text.

    Notes
    -----
    In a thread or a process that a pool started there is no such line: what :func:`asked_at` says
    is shown then, or else the outermost call of this package.
    """
    if isinstance(message, str):  # it may hold names from a table
        message = printable_lines(message)
    frame, is_users = _frame()
    asked = None if is_users else _ASKED.get()
    shown = _line(frame) if asked is None else asked
    warnings.warn_explicit(
        message,
        category,
        shown.filename,
        shown.number,
        module=shown.module,
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def users_line() -> Line | None:
    """The line of the user's that leads here, for :func:`asked_at` elsewhere; None without."""
    frame, is_users = _frame()
    return _line(frame) if is_users else _ASKED.get()


@contextmanager
def asked_at(line: Line | None) -> Iterator[None]:
    """Let warnings of what is done in a pool be shown where it was asked for."""
    token = _ASKED.set(line)
    try:
        yield
    finally:
        _ASKED.reset(token)


def _frame() -> tuple[FrameType, bool]:
    """The frame of the user's that leads here, or the outermost of the package; and which it is."""
    here = inspect.currentframe()
    assert here is not None, "Python runs without frames"
    assert here.f_back is not None
    outermost = here.f_back.f_back  # of what called `warn`
    assert outermost is not None
    del here  # a frame that knows itself would keep the caller's tables alive
    frame: FrameType | None = outermost
    inner = ""
    while frame is not None:
        package = _package(frame)
        if package == "sklearn_dnn":
            outermost = frame
        elif not _is_between(package, frame, inner):
            return frame, True
        inner = str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return outermost, False


def _line(frame: FrameType) -> Line:
    name = str(frame.f_globals.get("__name__", "<unknown>"))
    return Line(frame.f_code.co_filename, frame.f_lineno, name)


def _package(frame: FrameType) -> str:
    """The top package of what runs in a frame, also where ``python -m`` calls it "__main__"."""
    spec = frame.f_globals.get("__spec__")
    name = getattr(spec, "name", None) or frame.f_globals.get("__name__")
    return str(name).partition(".")[0]


def _is_between(package: str, frame: FrameType, inner: str) -> bool:
    """Whether a frame, which called one of the module `inner`, is of no user's."""
    if package == "__main__":
        return frame.f_code.co_filename == "<string>" and inner.startswith(_STARTERS)
    # a user's file may be named like a part of the standard library
    standard = package in sys.stdlib_module_names
    return package in _BETWEEN or (standard and frame.f_code.co_filename.startswith(_STANDARD))
