"""One way to warn, so that a warning points to the line of the user's that it is about."""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from types import FrameType
from typing import Any

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
    filename, line, names = _place()
    warnings.warn_explicit(
        message,
        category,
        filename,
        line,
        module=str(names.get("__name__", "<unknown>")),
        registry=names.setdefault("__warningregistry__", {}),
    )


def _place() -> tuple[str, int, dict[str, Any]]:
    """File, line and global names of what a warning is shown at."""
    here = inspect.currentframe()
    assert here is not None, "Python runs without frames"
    frame = outermost = here.f_back
    del here  # a frame that knows itself would keep the caller's tables alive
    inner = ""
    while frame is not None:
        package = _package(frame)
        if package == "sklearn_dnn":
            outermost = frame
        elif not _is_between(package, frame, inner):
            outermost = frame
            break
        inner = str(frame.f_globals.get("__name__"))
        frame = frame.f_back
    return outermost.f_code.co_filename, outermost.f_lineno, outermost.f_globals


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
