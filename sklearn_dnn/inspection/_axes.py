"""What all displays share: where they draw, and what is said without matplotlib."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's palette, told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"


def axes_for(display: Any, ax: Axes | None) -> Axes:
    """The axes to draw on, a new figure's where none are given; noted on the display.

    Raises
    ------
    ImportError
        Without matplotlib.
    """
    try:
        pyplot = import_module("matplotlib.pyplot")
    except ImportError as error:
        raise ImportError(
            f"{type(display).__name__}.plot needs matplotlib: python -m pip install "
            "'sklearn-dnn[report]'."
        ) from error
    if ax is None:
        _, ax = pyplot.subplots()
    display.ax_ = ax
    display.figure_ = ax.figure
    return ax
