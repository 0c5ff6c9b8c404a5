"""One way to warn, so that a warning points to the line of the user's that it is about."""

from __future__ import annotations

import inspect
import warnings

from ._terminal import printable_lines

# Packages through which a user's call comes to this one.
_BETWEEN = frozenset({"sklearn_dnn", "sklearn", "joblib", "torch", "optuna", "dask", "distributed"})
_BETWEEN |= {
    "ray",
    "contextlib",
    "functools",
    "threading",
    "concurrent",
    "multiprocessing",
    "runpy",
}


def warn(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn, of the first line on the way out that is in none of the packages between.

    Parameters
    ----------
    message : str or Warning
    category : type of Warning
        Of a message that is text.

    Notes
    -----
    In a thread or a process that a pool started there is no such line; the outermost call of this
    package is shown then.
    """
    if isinstance(message, str):  # it may hold names from a table
        message = printable_lines(message)
    frame, level, found = inspect.currentframe(), 1, 1
    while frame is not None:
        package = frame.f_globals.get("__name__", "").partition(".")[0]
        if package not in _BETWEEN:
            found = level
            break
        if package == "sklearn_dnn":
            found = level
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=found)
