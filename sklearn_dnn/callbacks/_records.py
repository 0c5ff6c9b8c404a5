"""Rows of numbers, one or more an epoch: in memory, in a file, and as a data frame."""

from __future__ import annotations

import csv
import json
import math
import os
from abc import ABC
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.callback import CallbackContext

from .._core.training.state import HISTORY
from .._files import begin_once, replacing
from .._warnings import warn
from ._epochs import Epoch, EpochCallback, WatchedFit

KEYS = ("fit", "estimator", "epoch")
ORIGIN = ("run_id", "task_id_path")


class RowsCallback(EpochCallback, ABC):
    """A callback that keeps rows.

    Parameters
    ----------
    path : str, path or None
        A file that rows are added to, one JSON object a line.
    """

    def __init__(self, path: str | os.PathLike[str] | None) -> None:
        super().__init__()
        self.path = path
        self._rows: list[dict[str, Any]] = []

    def frame(self) -> pd.DataFrame:
        """What was kept, as a data frame.

        Returns
        -------
        DataFrame
            ``fit`` numbers the fits from 0 in the order of their first rows, ``epoch`` counts
            from 1, ``estimator`` names the class. The last two columns tell where a row comes
            from, as those of :class:`sklearn.callback.ScoringMonitor` do: ``run_id`` is that of
            the outermost fit, ``task_id_path`` has the numbers of the tasks down to the epoch.
            Without rows it is empty.
        """
        rows = list(self._rows) if self.path is None else read_rows(Path(self.path))
        numbers: dict[Any, int] = {}
        table = []
        for row in rows:
            path = tuple(row["task_id_path"])
            number = numbers.setdefault((row["run_id"], path[:-1]), len(numbers))
            table.append({"fit": number} | row | {"task_id_path": path})
        names = dict.fromkeys(name for row in table for name in row if name not in ORIGIN)
        columns = [*dict.fromkeys((*KEYS, *names)), *ORIGIN]
        return pd.DataFrame(table, columns=columns)

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        pass

    def _keep(self, epoch: Epoch, values: dict[str, Any]) -> None:
        """Keep one row of an epoch."""
        row = {"estimator": epoch.fit.estimator_name, "epoch": epoch.number}
        row |= {name: plain(value) for name, value in values.items()}
        row |= {"run_id": epoch.fit.key[0], "task_id_path": list(epoch.path)}
        if self.path is None:
            self._rows.append(row)
        else:
            with self._lock:
                append(Path(self.path), json.dumps(row) + "\n")

    def __getstate__(self) -> dict[str, Any]:
        # another thread may add rows while this one pickles
        return {**super().__getstate__(), "_rows": list(self._rows)}


class History(RowsCallback):
    """Keeps a row of every epoch, of all fits.

    Parameters
    ----------
    path : str, path or None, default=None
        A file that rows are added to at once, one JSON object a line; :meth:`frame` then reads
        all of it, also what earlier programs left there. With None rows are kept in memory. A
        search with ``n_jobs`` over several processes needs a path: rows that a worker keeps in
        its own memory do not come back.

    See Also
    --------
    CSVLogger : The same rows in a file for other programs.

    Notes
    -----
    The columns of :meth:`frame` are ``fit``, ``estimator``, ``epoch``, one for each curve of
    the network's ``history_`` (``loss``, ``train_loss``, ``validation_loss``,
    ``validation_score``, ``learning_rate``, ``gradient_norm``, ``clipped``, ``seconds``),
    ``run_id`` and ``task_id_path``. Of another estimator that reports its iterations, ``seconds``
    alone is known.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.callbacks import History
    >>> history = History()
    >>> model = MLPClassifier(max_iter=3, early_stopping=True).set_callbacks(history)
    >>> model = model.fit(*load_iris(return_X_y=True))
    >>> list(history.frame()["epoch"])
    [1, 2, 3]
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(path)

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Called before the fit of the outermost estimator."""

    def _epoch_ends(self, epoch: Epoch) -> None:
        self._keep(epoch, epoch.record)


class CSVLogger(EpochCallback):
    """Writes a line an epoch to a CSV file, at once.

    Parameters
    ----------
    path : str or path
        Its folder must exist.
    append : bool, default=False
        Whether lines are added to what the file holds. With False the file is begun anew by the
        first fit; later fits of the same callback, such as those of a search, are added.

    Notes
    -----
    The columns are :attr:`columns`: those of :class:`History`. What is not known is left
    empty. ``fit`` counts the fits of this callback in one process; where a search runs
    several, ``run_id`` and ``task_id_path`` tell fits apart. A copy of the callback, such as a
    worker process gets, never begins the file anew.

    Read it with ``pandas.read_csv(path)``.
    """

    columns = (
        *KEYS,
        *HISTORY,
        *ORIGIN,
    )

    def __init__(self, path: str | os.PathLike[str], append: bool = False) -> None:
        super().__init__()
        self.path = path
        self.append = append
        self._begun = False

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Begin the file, before the first fit."""
        path = Path(self.path)
        with self._lock:
            anew = not (self._begun or self.append)
            self._begun = True
            if anew:
                with replacing(path) as begun:
                    begun.write(line(self.columns).encode())
                return
            begin_once(path, line(self.columns).encode())
        with path.open(encoding="utf-8", newline="") as file:
            found = next(csv.reader(file), [])
        if found != list(self.columns):
            raise ValueError(
                f"CSVLogger(path={os.fspath(path)!r}): the file has other columns, "
                f"{', '.join(found)}. Give another path, or append=False to begin it anew."
            )

    def _epoch_ends(self, epoch: Epoch) -> None:
        values = {name: plain(value) for name, value in epoch.record.items()}
        values |= {
            "fit": epoch.fit.number,
            "estimator": epoch.fit.estimator_name,
            "epoch": epoch.number,
            "run_id": epoch.fit.key[0],
            "task_id_path": "/".join(map(str, epoch.path)),
        }
        cells = [values.get(name, "") for name in self.columns]
        with self._lock:
            append(Path(self.path), line(["" if _is_nan(cell) else cell for cell in cells]))

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        pass

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_begun": True}


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a file of JSON lines; none where there is no file yet."""
    if not path.exists():
        return []
    rows, cut = [], []
    for number, text in enumerate(path.read_bytes().split(b"\n"), 1):
        try:
            rows += [json.loads(text)] if text else []
        except ValueError:  # a process was killed, or a disk was full, within the line
            cut.append(number)
    if cut:
        warn(
            f"{os.fspath(path)!r} has lines that are cut off, as a full disk leaves them; they "
            f"are left out: {', '.join(map(str, cut))}."
        )
    return rows


def append(path: Path, text: str) -> None:
    """Add a line in one write, so that processes don't cut into each other's lines."""
    cut = False
    if path.is_file() and path.stat().st_size:
        with path.open("rb") as before:
            before.seek(-1, os.SEEK_END)
            cut = before.read(1) != b"\n"  # a full disk or a kill left a part of a line
    with path.open("ab") as file:
        file.write(("\n" * cut + text).encode())


def line(cells: Any) -> str:
    """A line of CSV."""
    quoted = []
    for cell in map(str, cells):
        special = any(sign in cell for sign in ',"\n\r')
        quoted.append('"' + cell.replace('"', '""') + '"' if special else cell)
    return ",".join(quoted) + "\n"


def plain(value: Any) -> Any:
    """NumPy's numbers as Python's; None as NaN."""
    if value is None:
        return math.nan
    return value.item() if isinstance(value, np.generic) else value


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
