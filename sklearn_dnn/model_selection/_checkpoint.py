"""Results of fits on disk, so that none is lost."""

from __future__ import annotations

import os
import pickle
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import joblib
from sklearn.base import BaseEstimator

from .._files import replacing, sweep
from .._version import __version__
from ._calls import Call

# Arguments of a call that do not change its result.
_ASIDE = {"caller", "callback_ctx", "verbose", "split_progress", "candidate_progress"}


class Checkpoint:
    """A folder with a file for each result, named after everything that decides it.

    Parameters
    ----------
    folder : path-like
        It is made if it is not there.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)
        self._names: dict[int, str] = {}

    def load(self, calls: Sequence[Call]) -> dict[int, Any]:
        """Results that are there, by the positions of their calls."""
        seen: dict[int, str] = {}
        self._names = {id(call): self._name(call, seen) for call in calls}
        found = {}
        for i, call in enumerate(calls):
            path = self.folder / self._names[id(call)]
            with suppress(FileNotFoundError, EOFError, pickle.UnpicklingError):  # or cut off
                found[i] = pickle.loads(path.read_bytes())
        return found

    def keep(self, call: Call, result: Any) -> None:
        """Write a result; a file is there whole, or not at all.

        A fit that failed is tried again, on a device with more memory, say.
        """
        if isinstance(result, dict) and result.get("fit_error"):
            return
        path = self.folder / self._names[id(call)]
        with replacing(path) as file:
            pickle.dump(result, file)

    def _name(self, call: Call, seen: dict[int, str]) -> str:
        """The file of a call; `seen` has the hashes of tables, which many calls share."""
        decisive = {}
        assert call.asked is not None
        for name, value in call.asked.items():
            if name in _ASIDE:
                continue
            if name not in {"X", "y"}:
                decisive[name] = _plain(value)
                continue
            if id(value) not in seen:
                seen[id(value)] = joblib.hash(value)
            decisive[name] = seen[id(value)]
        try:
            return f"{joblib.hash((__version__, decisive))}.pkl"
        except pickle.PicklingError as error:
            raise ValueError(
                "checkpoint needs to know a fit again in another process, but a part of it has no "
                f"name there ({error}). Define functions and classes at the top of a module, or "
                "set checkpoint=None."
            ) from error


def _plain(value: Any) -> Any:
    """An estimator by its class and parameters: what it holds beside them decides nothing."""
    if not isinstance(value, BaseEstimator):
        return value
    return type(value), {k: _plain(v) for k, v in sorted(value.get_params(deep=True).items())}
