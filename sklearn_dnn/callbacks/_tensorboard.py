"""Event files for TensorBoard."""

from __future__ import annotations

import math
import os
import warnings
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from sklearn.callback import CallbackContext

from .._threads import torch_ready
from ._diagnosis import Sample, SampleLoss, draw_sample, look_into, module_of
from ._epochs import Epoch, EpochCallback, WatchedFit, check_callable, check_every


class TensorBoard(EpochCallback):
    """Writes curves, histograms, the graph and hyperparameters for TensorBoard.

    Needs the extra ``tensorboard``. Look at them with ``tensorboard --logdir LOG_DIR``.

    Parameters
    ----------
    log_dir : str or path
        Each fit gets a folder of its own in it, named by time, estimator, tasks and run.
    histograms_every : int, default=0
        Epochs between histograms of weights, gradients and activations; 0 for none.
    graph : bool, default=False
        Whether the network's graph is written, with the first epoch.
    hparams : bool, default=True
        Whether the estimator's parameters are written at the end of a fit, with the last value
        of each curve.
    n_rows : int, default=256
        Training rows that gradients and activations are computed on.
    loss : callable or None, default=None
        What gradients are taken of; see :class:`GradientActivationMonitor`.

    Notes
    -----
    Scalars are the curves of ``history_`` by their names, a step an epoch, from 1; a value that
    is NaN is left out. Gradients and activations are those of :class:`GradientActivationMonitor`.

    Hyperparameters that are numbers, texts or truth values are written as they are, others as
    their `repr`. Components have theirs as ``optimizer__momentum``.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        histograms_every: int = 0,
        graph: bool = False,
        hparams: bool = True,
        *,
        n_rows: int = 256,
        loss: SampleLoss | None = None,
    ) -> None:
        super().__init__()
        self.log_dir = log_dir
        self.histograms_every = histograms_every
        self.graph = graph
        self.hparams = hparams
        self.n_rows = n_rows
        self.loss = loss

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse bad parameters, and look for the package, before training."""
        check_every("histograms_every", self.histograms_every, least=0)
        check_every("n_rows", self.n_rows, least=2)
        check_callable("loss", self.loss, ("raw", "target"))
        _summary_writer()

    def _epoch_ends(self, epoch: Epoch) -> None:
        memory = epoch.fit.memory
        if "writer" not in memory:
            folder = f"{datetime.now():%Y%m%d-%H%M%S}-{epoch.fit.name}"
            memory["writer"] = _summary_writer()(log_dir=str(Path(self.log_dir) / folder))
            memory["parameters"] = epoch.estimator.get_params()
            if self.graph:
                self._write_graph(epoch)
        writer = memory["writer"]
        for name, value in epoch.record.items():
            if not math.isnan(value):
                writer.add_scalar(name, value, epoch.number)
        if self.histograms_every and epoch.number % self.histograms_every == 0:
            self._write_histograms(epoch)
        memory["record"] = epoch.record
        writer.flush()

    def _sample(self, epoch: Epoch) -> Sample:
        memory = epoch.fit.memory
        if "sample" not in memory:
            memory["sample"] = draw_sample(epoch, self.n_rows)
        return memory["sample"]

    def _write_graph(self, epoch: Epoch) -> None:
        with torch_ready(), warnings.catch_warnings():
            # torch draws graphs by a trace that it advises others against, and that is told of
            # what would not hold for other rows; a drawing needs neither
            warnings.simplefilter("ignore", DeprecationWarning)
            # documented, but not among the names that torch.jit tells checkers of types
            warnings.simplefilter("ignore", torch.jit.TracerWarning)  # type: ignore[attr-defined]
            module = module_of(epoch.fitted, "TensorBoard(graph=True)").requires_grad_(False)
            epoch.fit.memory["writer"].add_graph(module, self._sample(epoch).X[:2])

    def _write_histograms(self, epoch: Epoch) -> None:
        who = f"TensorBoard(histograms_every={self.histograms_every})"
        writer = epoch.fit.memory["writer"]
        for layer in look_into(epoch.fitted, self._sample(epoch), who, self.loss):
            for name, value in layer.weights.items():
                writer.add_histogram(f"weights/{name}", value, epoch.number)
            for name, value in layer.gradients.items():
                writer.add_histogram(f"gradients/{name}", value, epoch.number)
            writer.add_histogram(f"activations/{layer.name}", layer.activations, epoch.number)

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        writer = fit.memory.get("writer")
        if writer is None:
            return
        try:
            if self.hparams and fitted is not None:
                settings = {name: _setting(v) for name, v in fit.memory["parameters"].items()}
                last = {
                    f"final/{name}": value
                    for name, value in fit.memory["record"].items()
                    if not math.isnan(value)
                }
                writer.add_hparams(settings, last, run_name=".")
        finally:
            writer.close()


def _summary_writer() -> Any:
    try:
        return import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise ImportError(
            "TensorBoard needs the package tensorboard, which is not installed: "
            'pip install "sklearn-dnn[tensorboard]".'
        ) from error


def _setting(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str)) else repr(value)
