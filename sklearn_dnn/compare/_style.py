"""What the pictures of a comparison share: colours, a canvas, axes.

Pictures are drawn 4.5 inches wide with panels below each other, so that their text is still
readable on a page of 320 pixels. Nothing here touches pyplot or matplotlib's global settings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from ._figures import Figures
from ._words import score_hint, score_name, shorten

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

WIDTH = 4.5  # inches
ROW = 0.27  # inches a line of a picture with one line a model or column

# Okabe and Ito's palette, told apart with every common colour blindness.
BLUE, ORANGE, GREEN, PINK, SKY, AMBER = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#E69F00",
)
GREY = "#767676"
CYCLE = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER)

STYLE: dict[str, Any] = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.labelsize": 10,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#555555",
    "axes.grid": False,
    "axes.axisbelow": True,
    "grid.color": "#e2e2e2",
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    # A column named "$a" or "x$y$" is a name, no formula.
    "text.parse_math": False,
    "text.usetex": False,
    # Text stays text: small files, any script, and the reader's own fonts.
    "svg.fonttype": "none",
}


def require_matplotlib() -> None:
    """Say how to get matplotlib where it is missing."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            "The pictures of a comparison need matplotlib, which is not installed: "
            'pip install "sklearn-dnn[report]"'
        ) from error


def styled(draw: Callable[[Figures], Figure]) -> Callable[[Figures], Figure]:
    """Draw under this module's style, leaving the user's settings as they were."""

    @functools.wraps(draw)
    def drawn(comparison: Figures) -> Figure:
        require_matplotlib()
        with import_module("matplotlib").rc_context(STYLE):
            return draw(comparison)

    return drawn


def canvas(height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of the common width with its panels below each other."""
    kinds = import_module("matplotlib.figure")
    figure = kinds.Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(hspace=0.08)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def colour_of(comparison: Figures, name: str) -> str:
    """Ours is orange, the best blue, all others grey."""
    if name == comparison.ours:
        return ORANGE
    return BLUE if name == comparison.best else GREY


def plain_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis as 0.1, 1, 10 in place of powers."""
    ticker = import_module("matplotlib.ticker")
    low, high = sorted(axis.get_view_interval())
    subs = (1.0,) if high > 30 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=7))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def score_label(comparison: Figures, scorer: str) -> str:
    """The label of an axis: the score's name, its unit where it has one, its good direction."""
    name = score_name(scorer)
    if name.endswith(("root mean squared error", "absolute error", "max error")):
        return f"{name}\n[unit of {shorten(comparison.target, 22)}], {score_hint(scorer)}"
    return f"{name} ({score_hint(scorer)})"


def label_height(figure: Figure, axes: Axes, label: str) -> None:
    """Name the vertical axis in a line above it, which is read without turning the head."""
    figure.suptitle(label, x=0.01, ha="left", fontsize=STYLE["axes.labelsize"])
    axes.set_ylabel("")


def short_numbers(axis: Axis) -> None:
    """Ticks such as 50k, so that large numbers do not run into each other."""
    if max(map(abs, axis.get_view_interval())) < 10_000:
        return
    ticker = import_module("matplotlib.ticker")
    axis.set_major_locator(ticker.MaxNLocator(6))
    axis.set_major_formatter(ticker.FuncFormatter(_short))


def _short(value: float, _: int) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def number_points(axes: Axes, points: list[tuple[float, float]], texts: list[str]) -> None:
    """Write each point's text beside it, on the side that is the least crowded.

    The horizontal axis is logarithmic.
    """
    ends = np.log10(axes.get_xlim()), axes.get_ylim()
    xy = np.array([[np.log10(x), y] for x, y in points])
    low, high = np.array(ends).T
    sides = ("left", "center", "right", "center")
    taken = list((xy - low) / (high - low) * (230, 190))  # about points of the page
    for i, home in enumerate(list(taken)):
        others = np.array([spot for j, spot in enumerate(taken) if j != i] or [[1e9] * 2])
        moves = [(10 * x, 10 * y) for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        room = [np.hypot(*(others - home - move).T).min() for move in moves]
        # The first of those with enough room, so that most numbers stand to the right.
        best = next((k for k, free in enumerate(room) if free > 12), int(np.argmax(room)))
        taken.append(home + moves[best])
        axes.annotate(
            texts[i], points[i],
            xytext=(0.6 * moves[best][0], moves[best][1]), textcoords="offset points",
            ha=sides[best], va="center", fontsize=9.5,
        )  # fmt: skip
