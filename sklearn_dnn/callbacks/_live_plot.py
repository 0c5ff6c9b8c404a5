"""Loss curves that grow while a network trains."""

from __future__ import annotations

import math
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import Any

from sklearn.callback import CallbackContext

from .._compat import offers
from ._epochs import Epoch, EpochCallback, WatchedFit, check_every

CURVES = (("loss", "training loss", -0.5), ("validation_loss", "validation loss", 0.0))


class LivePlot(EpochCallback):
    """Draws the loss curves of a fit while it runs.

    Needs the extra ``report`` (matplotlib).

    Parameters
    ----------
    every : int, default=1
        Epochs between pictures. The last epoch is always drawn.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or None
        Of the latest fit, for ``figure.savefig``.

    Notes
    -----
    In a notebook the picture stands below the cell, one a fit, and is drawn anew in its place.
    Where matplotlib has windows it stands in one. Elsewhere, as in a script on a machine without
    a screen, nothing is shown, and `figure` holds the curves.

    The training loss is a mean over the epoch, while the weights change; the validation loss is
    measured at its end. So the training curve is drawn half an epoch further left.

    It is for one fit at a time, in the main process; fits in other processes show nothing.
    """

    def __init__(self, every: int = 1) -> None:
        super().__init__()
        self.every = every
        self.figure: Any = None

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse bad parameters, and look for matplotlib, before training."""
        check_every("every", self.every, least=1)
        _matplotlib("figure")

    def _epoch_ends(self, epoch: Epoch) -> None:
        memory = epoch.fit.memory
        if "loss" not in epoch.record:
            raise TypeError(
                "LivePlot draws the losses in history_, as MLPClassifier keeps them; "
                f"{type(epoch.estimator).__name__} has none. Use EpochScoring for it."
            )
        if "screen" not in memory:
            memory["screen"] = _Screen(epoch.fit.estimator_name)
            self.figure = memory["screen"].figure
            memory["points"] = {name: ([], []) for name, _, _ in CURVES}
        for name, _, shift in CURVES:
            value = epoch.record.get(name, math.nan)
            if not math.isnan(value):
                memory["points"][name][0].append(epoch.number + shift)
                memory["points"][name][1].append(value)
        memory["drawn"] = epoch.number % self.every == 0
        if memory["drawn"]:
            memory["screen"].draw(memory["points"])

    def _fit_ends(self, fit: WatchedFit, fitted: Any) -> None:
        screen = fit.memory.get("screen")
        if screen is not None and not fit.memory["drawn"]:
            screen.draw(fit.memory["points"])

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "figure": None}


class _Screen:
    """A figure, and where it is shown: in a notebook, in a window, or nowhere."""

    def __init__(self, title: str) -> None:
        self.notebook = _notebook()
        self.handle: Any = None
        self.window = self.notebook is None and _has_windows()
        if self.window:
            self.figure = _matplotlib("pyplot").figure()
        else:
            self.figure = _matplotlib("figure").Figure()
        self.axes = self.figure.add_subplot()
        self.axes.set(title=title, xlabel="epoch", ylabel="loss")
        self.lines: dict[str, Any] = {}
        if self.window:
            self.figure.show()

    def draw(self, points: dict[str, tuple[list[float], list[float]]]) -> None:
        for name, label, _ in CURVES:
            if points[name][0] and name not in self.lines:
                (self.lines[name],) = self.axes.plot([], [], label=label, marker=".")
                self.axes.legend()
            if name in self.lines:
                self.lines[name].set_data(*points[name])
        self.axes.relim()
        self.axes.autoscale_view()
        if self.window:
            self.figure.canvas.draw_idle()
            self.figure.canvas.flush_events()
        elif self.notebook is not None:
            self._show_in_notebook()

    def _show_in_notebook(self) -> None:
        picture = BytesIO()
        self.figure.savefig(picture, format="png")
        image = self.notebook.Image(data=picture.getvalue(), format="png")
        if self.handle is None:
            self.handle = self.notebook.display(image, display_id=True)
        else:
            self.handle.update(image)


def _notebook() -> Any:
    """IPython's display module in a notebook, else None."""
    if find_spec("IPython") is None:
        return None
    shell = import_module("IPython").get_ipython()
    # a terminal's shell has no kernel and can show no picture
    return import_module("IPython.display") if offers(shell, "kernel") else None


def _has_windows() -> bool:
    backends = _matplotlib("backends")
    plain = backends.backend_registry.list_builtin(backends.BackendFilter.NON_INTERACTIVE)
    name = _matplotlib("pyplot").get_backend().lower()
    return name not in plain and not name.startswith("module://")


def _matplotlib(module: str) -> Any:
    try:
        return import_module(f"matplotlib.{module}")
    except ImportError as error:
        raise ImportError(
            'LivePlot needs matplotlib, which is not installed: pip install "sklearn-dnn[report]".'
        ) from error
