"""Fitted estimators written to files while training goes on."""

from __future__ import annotations

import math
import os
from copy import copy
from pathlib import Path
from string import Formatter
from typing import Any

import joblib
from sklearn.callback import CallbackContext, FitCallback

from .._compat import offers
from .._files import replacing
from ._epochs import Epoch, EpochCallback, WatchedFit, check_every, falls, monitored_name


class Checkpoint(EpochCallback):
    """Writes the fitted estimator of an epoch to a file, with joblib.

    Parameters
    ----------
    path : str or path
        May hold fields, which `str.format` fills in: ``{epoch}``, every curve of ``history_``
        such as ``{loss}`` or ``{validation_loss:.3f}``, ``{fit}`` (the number of the fit in
        this process) and ``{name}`` (estimator, tasks and run: no other fit has it). A name
        that comes again is written over. Missing folders are made.
    save_best_only : bool, default=False
        Whether an epoch is written only if its monitored value is better than all before it in
        the same fit.
    every : int, default=1
        Epochs between writes; epochs that `every` divides are looked at.
    monitor : str, default="auto"
        What `save_best_only` goes by: a curve of ``history_``. Of a name that ends in "loss"
        lower is better, else higher; of "validation_score" lower where the estimator monitors a
        score with ``early_stopping=EarlyStopping(mode="min")``. "auto" is what early stopping
        monitors.

    Notes
    -----
    A file is whole, or as it was: it is written under another name in the same folder and then
    renamed; what a killed process left there is removed by the next write. It holds the
    estimator as if training had ended with that epoch, without callbacks; read it with
    ``joblib.load``. As with every pickle, load only files you trust. Training can go on from it
    with ``warm_start=True``, though with a fresh optimizer.

    Several fits, such as those of a search, write over each other unless `path` has ``{fit}``
    or, with several processes, ``{name}``.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        save_best_only: bool = False,
        every: int = 1,
        monitor: str = "auto",
    ) -> None:
        super().__init__()
        self.path = path
        self.save_best_only = save_best_only
        self.every = every
        self.monitor = monitor

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse bad parameters before training."""
        check_every("every", self.every, least=1)
        fields = [name for _, name, _, _ in Formatter().parse(os.fspath(self.path)) if name == ""]
        if fields:
            raise ValueError(
                f"Checkpoint(path={os.fspath(self.path)!r}): a field has no name. Write "
                "{epoch}, {loss}, {fit} or {name}."
            )

    def _epoch_ends(self, epoch: Epoch) -> None:
        if epoch.number % self.every:
            return
        if self.save_best_only:
            name = monitored_name(self.monitor, epoch)
            value = -epoch.record[name] if falls(name, epoch) else epoch.record[name]
            if not value > epoch.fit.memory.get("best", -math.inf):
                return
            epoch.fit.memory["best"] = value
        write_safely(without_callbacks(epoch.fitted), self._file(epoch))

    def _file(self, epoch: Epoch) -> Path:
        fields = epoch.record | {
            "epoch": epoch.number,
            "fit": epoch.fit.number,
            "name": epoch.fit.name,
        }
        try:
            return Path(os.fspath(self.path).format(**fields))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"Checkpoint(path={os.fspath(self.path)!r}) can't be filled in: {error}. The "
                f"fields are {', '.join(fields)}."
            ) from error

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        pass


def without_callbacks(fitted: Any) -> Any:
    """A copy of a fitted estimator that holds no callbacks and no state of a running fit."""
    twin = copy(fitted)
    if offers(twin, "set_callbacks"):
        twin.set_callbacks()
    for name, value in list(vars(twin).items()):
        if isinstance(value, CallbackContext) or (
            name.startswith("_")
            and isinstance(value, list)
            and all(isinstance(entry, FitCallback) for entry in value)
        ):
            delattr(twin, name)
    # of an earlier fit: training would go on from there instead of from these weights
    vars(twin).pop("_progress", None)
    vars(twin).pop("_parts", None)
    return twin


def write_safely(thing: Any, path: Path) -> None:
    """Dump with joblib, so that the file is whole or is as it was."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        joblib.dump(thing, file)
