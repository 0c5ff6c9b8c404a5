"""What the pictures and the page of a comparison share: words, colours, a canvas.

Pictures are drawn 4.5 inches wide with panels below each other, so that their text is still
readable on a page of 320 pixels. Nothing here touches pyplot or matplotlib's global settings.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .._compat import offers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    from ._result import Comparison

WIDTH = 4.5  # inches
MOST_CURVES = 4
MOST_CLASSES = 6
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

STYLE = {
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

NAMES = {
    "r2": "R²",
    "roc_auc": "ROC AUC",
    "roc_auc_ovr": "ROC AUC (one against rest)",
    "roc_auc_ovo": "ROC AUC (one against one)",
    "f1": "F1",
    "f1_macro": "F1 (macro)",
    "f1_micro": "F1 (micro)",
    "f1_weighted": "F1 (weighted)",
}


class NoPictureError(ValueError):
    """This comparison has not what the picture shows; the message says why, as a sentence."""


def score_name(scorer: str) -> str:
    """The name of a scorer as people say it: ``neg_log_loss`` is the log loss."""
    return NAMES.get(scorer, scorer.removeprefix("neg_").replace("_", " "))


def score_sign(scorer: str) -> int:
    """-1 for scikit-learn's negated losses, which are shown as they were before negation."""
    return -1 if scorer.startswith("neg_") else 1


def score_hint(scorer: str) -> str:
    """Which direction is the good one."""
    return "lower is better" if score_sign(scorer) < 0 else "higher is better"


def is_ours(estimator: object) -> bool:
    """Whether the estimator, or a step within it, is one of this package's networks."""
    parts = [estimator]
    if offers(estimator, "get_params"):
        parts += estimator.get_params(deep=True).values()
    return any(
        type(part).__name__ in {"MLPClassifier", "MLPRegressor"}
        and type(part).__module__.startswith("sklearn_dnn.")
        for part in parts
    )


def our_model(comparison: Comparison) -> str | None:
    """The best of this package's networks in the ranking, or None where none took part."""
    for name in comparison.ranking:
        if name in comparison.models and is_ours(comparison.models[name]):
            return name
    return None


def shorten(text: object, length: int = 24) -> str:
    """One line of at most ``length`` characters, the middle left out where it is longer."""
    line = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(str(text).split())
    )
    if len(line) <= length:
        return line
    head = (length - 1) // 2
    return f"{line[:head]}…{line[len(line) - (length - 1 - head) :]}"


def escaped(value: object) -> str:
    """Text of the data as harmless HTML, on one line."""
    return escape(shorten(value, 400))


def require_matplotlib() -> None:
    """Say how to get matplotlib where it is missing."""
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise ImportError(
            "The pictures of a comparison need matplotlib, which is not installed: "
            'pip install "sklearn-dnn[report]"'
        ) from error


def styled(draw: Callable[[Comparison], Figure]) -> Callable[[Comparison], Figure]:
    """Draw under this module's style, leaving the user's settings as they were."""

    @functools.wraps(draw)
    def drawn(comparison: Comparison) -> Figure:
        require_matplotlib()
        with import_module("matplotlib").rc_context(STYLE):
            return draw(comparison)

    return drawn


def canvas(height: float, panels: int = 1) -> tuple[Figure, list[Axes]]:
    """A figure of the common width with its panels below each other."""
    figures = import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(hspace=0.08)
    axes = figure.subplots(panels, 1, squeeze=False)[:, 0]
    return figure, list(axes)


def colour_of(comparison: Comparison, name: str) -> str:
    if name == our_model(comparison):
        return ORANGE
    return BLUE if name == comparison.best else GREY


def values_of(comparison: Comparison, name: str, scorer: str) -> np.ndarray:
    values = np.asarray(comparison.scores[name][scorer], dtype=float)
    return score_sign(scorer) * values[np.isfinite(values)]


def plain_log(axis: Axis) -> None:
    """Ticks of a logarithmic axis as 0.1, 1, 10 in place of powers."""
    ticker = import_module("matplotlib.ticker")
    low, high = sorted(axis.get_view_interval())
    subs = (1.0,) if high > 30 * low else (1.0, 2.0, 5.0)
    axis.set_major_locator(ticker.LogLocator(subs=subs, numticks=7))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def score_limits(folds: list[np.ndarray], sign: int) -> tuple[float, float]:
    """The range to show: one model that went astray must not squeeze all others together.

    ``folds`` are the scores of each model, best model first.
    """
    means = np.array([values.mean() for values in folds])
    everything = np.concatenate(folds)
    low, high = everything.min(), everything.max()
    reach = max(4 * np.quantile(np.abs(means - means[0]), 0.75), 2 * np.ptp(folds[0]))
    if reach > 0 and sign < 0:
        high = min(high, means[0] + reach)
    elif reach > 0:
        low = max(low, means[0] - reach)
    margin = 0.05 * (high - low) or 0.05 * max(abs(high), 1e-3)
    return low - margin, high + margin


def score_label(comparison: Comparison, scorer: str) -> str:
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


def number_points(axes: Axes, points: list[Line2D], texts: list[str]) -> None:
    """Write each point's text beside it, on the side that is the least crowded."""
    ends = np.log10(axes.get_xlim()), axes.get_ylim()
    xy = np.array([[np.log10(p.get_xdata()[0]), p.get_ydata()[0]] for p in points])
    low, high = np.array(ends).T
    sides = ("left", "center", "right", "center")
    taken = list((xy - low) / (high - low) * (230, 190))  # about points of the page
    for place, (point, home) in enumerate(zip(points, list(taken), strict=True)):
        others = np.array(
            [spot for index, spot in enumerate(taken) if index != place] or [[1e9] * 2]
        )
        moves = [(10 * x, 10 * y) for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))]
        room = [np.hypot(*(others - home - move).T).min() for move in moves]
        # The first of those with enough room, so that most numbers stand to the right.
        best = next((i for i, free in enumerate(room) if free > 12), int(np.argmax(room)))
        taken.append(home + moves[best])
        axes.annotate(
            texts[place], (point.get_xdata()[0], point.get_ydata()[0]),
            xytext=(0.6 * moves[best][0], moves[best][1]), textcoords="offset points",
            ha=sides[best], va="center", fontsize=9.5,
        )  # fmt: skip


def spread_order(y: np.ndarray, task: str, seed: int) -> np.ndarray:
    """An order of the rows each of whose beginnings is a fair sample, with every class in it."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    if task == "regression":
        return order
    labels = pd.factorize(y[order])[0]
    place = np.empty(len(y))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rows] = np.arange(rows.size) / rows.size
    return order[np.argsort(place, kind="stable")]


def known(comparison: Comparison) -> tuple[np.ndarray, np.ndarray]:
    """The true and predicted values of the rows that the best model has predicted."""
    predicted = np.asarray(comparison.predictions[comparison.best])
    rows = ~pd.isna(predicted)
    if not rows.any():
        raise NoPictureError("The best model has predicted no row out of fold.")
    return np.asarray(comparison.y)[rows], predicted[rows]


def curve_cases(comparison: Comparison) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Label, truth (0 or 1) and score of every curve to draw."""
    given = {
        name: comparison.probabilities.get(name)
        for name in comparison.ranking
        if comparison.probabilities.get(name) is not None
    }
    if not given:
        raise NoPictureError("No model that took part gives probabilities.")
    y, classes = np.asarray(comparison.y), np.asarray(comparison.classes)
    if comparison.task == "binary":
        columns = [(name, table, 1) for name, table in list(given.items())[:MOST_CURVES]]
    else:
        table = next(iter(given.values()))
        counts = np.array([(y == label).sum() for label in classes])
        most = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
        columns = [(str(classes[column]), table, column) for column in most]
    cases = []
    for label, table, column in columns:
        score = np.asarray(table, dtype=float)[:, column]
        rows = np.isfinite(score)
        truth = (y[rows] == classes[column]).astype(int)
        if 0 < truth.sum() < truth.size:
            cases.append((label, truth, score[rows]))
    if not cases:
        raise NoPictureError("Too few rows have probabilities for a curve.")
    return cases
