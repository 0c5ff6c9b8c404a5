"""Results of fits on disk, so that none is lost."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import joblib
import sklearn
import torch

from .._compat import propagated_callbacks
from .._files import replacing, sweep
from .._version import __version__
from .._warnings import warn
from ._calls import Call
from ._fingerprints import Fingerprints, as_made
from ._origin import version_of
from ._results import is_scored

# Arguments of a call that do not change its result.
_ASIDE = {"caller", "callback_ctx", "verbose", "split_progress", "candidate_progress"}


class ResultFolder:
    """A folder with a file for each result, named after everything that decides it.

    A file's name is what the fit is known by, and the versions it was done with. It begins with a
    line of JSON, which has these versions and a checksum of the pickle that follows.

    Parameters
    ----------
    folder : path-like
        It is made if it is not there.

    Raises
    ------
    ValueError
        If it can't be a folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        told = f"checkpoint must be the path of a folder, or None. Got {folder!r} instead."
        try:
            self.folder = Path(folder)
        except TypeError as error:
            raise ValueError(told) from error
        if not os.fspath(folder):
            raise ValueError(f"{told} For the current folder give '.'.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except ValueError as error:  # characters that no path has
            raise ValueError(f"{told} It can't be a path: {error}.") from error
        except OSError as error:
            name = os.fspath(self.folder)
            there = (p for p in (self.folder, *self.folder.parents) if os.path.lexists(p))
            first = next(there, self.folder)
            if not os.path.lexists(first) or first.is_dir():
                error.add_note(f"checkpoint={name!r} can't be made a folder.")
                raise
            kind = "a file" if os.path.exists(first) else "a link that leads nowhere"
            raise ValueError(
                f"checkpoint must be the path of a folder, but {os.fspath(first)!r} is {kind}. Got "
                f"{name!r}; give another path, or checkpoint=None."
            ) from error
        sweep(self.folder)
        self._keys: dict[int, tuple[str, dict[str, str]]] = {}

    def load(self, calls: Sequence[Call]) -> dict[int, Any]:
        """Results that are there, by the positions of their calls."""
        fingerprints = Fingerprints()
        tables: dict[int, str] = {}
        self._keys = {id(call): _key(call, fingerprints, tables) for call in calls}
        of_others = self._versions_by_fit()
        found: dict[int, Any] = {}
        damaged, outdated = [], []
        for i, call in enumerate(calls):
            fit, versions = self._keys[id(call)]
            path = self.folder / _name(fit, versions)
            if path.is_dir():
                raise ValueError(
                    f"checkpoint={os.fspath(self.folder)!r}: {path.name!r} is a folder where the "
                    "result of a fit belongs. Remove it, or give another path."
                )
            try:
                found[i] = _read(path)
            except FileNotFoundError:
                outdated += [(i, path) for path in of_others.get(fit, ())][:1]
            except _DamagedError:
                damaged.append(path)
        if damaged:
            warn(
                f"checkpoint={os.fspath(self.folder)!r}: {len(damaged)} results are damaged, and "
                f"these fits are done anew (such as {damaged[0].name})."
            )
        self._tell_of_versions(calls, outdated)
        return found

    def keep(self, call: Call, result: Any) -> None:
        """Write a result; a file is there whole, or not at all.

        A failure is not kept: what it came from, such as a function that is called by name, may
        have been mended when the fit is asked for again.
        """
        if not is_scored(result):
            return
        fit, versions = self._keys[id(call)]
        where = f"checkpoint={os.fspath(self.folder)!r}"
        try:
            content = pickle.dumps(result)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{where} can't keep a result that can't be pickled ({error}). Define functions "
                "and classes at the top of a module, or set checkpoint=None."
            ) from error
        head = {"sha256": hashlib.sha256(content).hexdigest(), "versions": versions}
        try:
            with replacing(self.folder / _name(fit, versions)) as file:
                file.write(json.dumps(head).encode() + b"\n" + content)
        except OSError as error:
            error.add_note(
                f"{where}: the result of a fit could not be written. Those before are there "
                "whole, and the same search goes on from them."
            )
            raise

    def _versions_by_fit(self) -> dict[str, list[Path]]:
        """The files of each fit, whatever their versions."""
        found: dict[str, list[Path]] = {}
        for path in sorted(self.folder.glob("*-*.pkl")):
            if path.is_file():
                found.setdefault(path.stem.partition("-")[0], []).append(path)
        return found

    def _tell_of_versions(self, calls: Sequence[Call], outdated: list[tuple[int, Path]]) -> None:
        """Warn of fits that are done anew because they were done with other versions."""
        changes: dict[str, None] = {}
        for i, path in outdated:
            _, now = self._keys[id(calls[i])]
            changes |= dict.fromkeys(_changes(_head(path).get("versions", {}), now))
        if outdated:
            warn(
                f"checkpoint={os.fspath(self.folder)!r} has {len(outdated)} of {len(calls)} fits "
                f"by other versions ({', '.join(changes)}): they are done anew."
            )


class _DamagedError(Exception):
    """A file is not what was written."""


def _key(
    call: Call, fingerprints: Fingerprints, tables: dict[int, str]
) -> tuple[str, dict[str, str]]:
    """What a call is known by, and the versions that matter to it; `tables` has their hashes."""
    assert call.asked is not None
    callbacks = propagated_callbacks(call.asked.get("callback_ctx"))  # they may end a fit
    decisive: dict[str, Any] = {"callbacks": [as_made(callback) for callback in callbacks]}
    for name, value in call.asked.items():
        if name in {"X", "y"}:  # which many calls share
            if id(value) not in tables:
                tables[id(value)] = joblib.hash(value)
            decisive[name] = tables[id(value)]
        elif name not in _ASIDE:
            decisive[name] = value
    try:
        fit, packages = fingerprints.known_by(decisive)
    except TypeError as error:
        raise ValueError(
            "checkpoint needs to know a fit again in another process, but a part of it can't be "
            f"told by its content ({error}). Set checkpoint=None, or leave the part out."
        ) from error
    return fit[:32], _versions(packages)


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of what does the work, and of packages whose functions and classes are called."""
    found = {package: version_of(package) for package in sorted(packages)}
    return {name: version for name, version in found.items() if version is not None} | {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "sklearn": sklearn.__version__,
        "sklearn_dnn": __version__,
        "torch": torch.__version__,
    }


def _name(fit: str, versions: dict[str, str]) -> str:
    text = json.dumps(versions, sort_keys=True)
    return f"{fit}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.pkl"


def _changes(before: dict[str, str], now: dict[str, str]) -> list[str]:
    """Such as "torch 2.12, now 2.13"."""
    names = [name for name in now if before.get(name) != now[name]]
    return [
        f"{name} {before.get(name, 'of an unknown version')}, now {now[name]}" for name in names
    ]


def _head(path: Path) -> dict[str, Any]:
    """What a file says of itself; nothing if it is damaged."""
    with path.open("rb") as file:
        try:
            head = json.loads(file.readline())
        except ValueError:
            return {}
    return head if isinstance(head, dict) else {}


def _read(path: Path) -> Any:
    """The result in a file."""
    head, _, content = path.read_bytes().partition(b"\n")
    try:
        expected = json.loads(head)["sha256"]
    except (ValueError, TypeError, KeyError) as error:
        raise _DamagedError(path) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise _DamagedError(path)
    try:
        return pickle.loads(content)
    except Exception as error:  # what it holds is not here any more; anything may be raised
        raise _DamagedError(path) from error
