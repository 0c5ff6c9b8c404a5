"""The pictures of a comparison, one function a picture, each returning a matplotlib ``Figure``.

A picture that a comparison has not the numbers for raises ``NoPictureError`` with the reason.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import clone
from sklearn.inspection import permutation_importance
from sklearn.metrics import (
    auc,
    average_precision_score,
    confusion_matrix,
    get_scorer,
    precision_recall_curve,
    roc_curve,
)
from threadpoolctl import threadpool_limits

from ._figures import Figures
from ._points import (
    MOST_CURVES,
    NoPictureError,
    curve_cases,
    known,
    score_limits,
    spread_order,
    values_of,
)
from ._style import (
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    ROW,
    canvas,
    colour_of,
    label_height,
    number_points,
    plain_log,
    score_label,
    short_numbers,
    styled,
)
from ._words import score_name, score_sign, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY_POINTS = 2000
MOST_BARS = 15
MOST_SHUFFLED = 1000
SHARES_OF_ROWS = (0.125, 0.25, 0.5, 1.0)
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))


@styled
def overview(comparison: Figures) -> Figure:
    """Every model's score on every fold, their mean and standard deviation, best first."""
    scorer = comparison.scoring[0]
    scored = {name: values_of(comparison, name, scorer) for name in comparison.ranking}
    scored = {name: values for name, values in scored.items() if values.size}
    if not scored:
        raise NoPictureError("No model has a score on any fold.")
    figure, (axes,) = canvas(1.0 + ROW * len(scored))
    low, high = score_limits(list(scored.values()), score_sign(scorer))
    axes.axvline(next(iter(scored.values())).mean(), color=BLUE, linewidth=1, linestyle=":")
    for row, (name, values) in enumerate(scored.items()):
        colour, mean = colour_of(comparison, name), values.mean()
        inside = values[(values >= low) & (values <= high)]
        axes.plot(inside, np.full(inside.size, row), "|", color=colour, alpha=0.6, markersize=8)
        if low <= mean <= high:
            spread = values.std(ddof=1) if values.size > 1 else 0.0
            axes.errorbar(mean, row, xerr=spread, fmt="o", color=colour, elinewidth=1.5)
        else:
            beyond = mean > high
            axes.text(
                high if beyond else low, row, f"{mean:.3g} →" if beyond else f"← {mean:.3g}",
                ha="right" if beyond else "left", va="center", color=colour, fontsize=9,
            )  # fmt: skip
    axes.set_yticks(range(len(scored)), [shorten(name) for name in scored])
    axes.get_yticklabels()[0].set_fontweight("bold")
    axes.set_ylim(len(scored) - 0.5, -0.5)
    axes.set_xlim(low, high)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    short_numbers(axes.xaxis)
    figure.supxlabel(score_label(comparison, scorer), fontsize=10)
    return figure


@styled
def time_against_score(comparison: Figures) -> Figure:
    """The time a fit takes (logarithmic) against the score; numbers are places in the ranking."""
    scorer = comparison.scoring[0]
    points = []
    for place, name in enumerate(comparison.ranking, 1):
        values = values_of(comparison, name, scorer)
        seconds = np.asarray(comparison.fit_seconds[name], dtype=float)
        seconds = seconds[np.isfinite(seconds)]
        if values.size and seconds.size:
            points.append((place, name, max(seconds.mean(), 1e-4), values.mean()))
    if not points:
        raise NoPictureError("No model has both a score and a time.")
    figure, (axes,) = canvas(3.2 + 0.2 * ((len(points) + 1) // 2))
    low, high = score_limits([np.array([point[3]]) for point in points], score_sign(scorer))
    axes.set_xscale("log")
    handles = []
    shown = [(seconds, float(np.clip(mean, low, high))) for _, _, seconds, mean in points]
    for (place, name, _, _), (x, y) in zip(points, shown, strict=True):
        (handle,) = axes.plot(
            x, y, "o", color=colour_of(comparison, name),
            markersize=8, markeredgecolor="white", clip_on=False,
            label=f"{place}  {shorten(name, 22)}",
        )  # fmt: skip
        handles.append(handle)
    axes.margins(x=0.1)
    room = 0.05 * (high - low)  # for what stands at the edge
    axes.set_ylim(low - room, high + room)
    plain_log(axes.xaxis)
    texts = [
        str(place) if low <= mean <= high else f"{place} ({mean:.3g})"
        for place, _, _, mean in points
    ]
    number_points(axes, shown, texts)
    axes.grid()
    axes.set_xlabel("mean time of one fit [seconds, logarithmic]")
    short_numbers(axes.yaxis)
    label_height(figure, axes, score_label(comparison, scorer))
    figure.legend(
        handles=handles, loc="outside lower center", ncols=2, markerscale=0.9, handlelength=1,
        columnspacing=1,
    )  # fmt: skip
    return figure


@styled
def learning_curves(comparison: Figures) -> Figure:
    """The loss by epoch of every network: folds thin, their mean thick."""
    curves = {
        name: [fold for fold in comparison.curves.get(name) or [] if len(fold.get("loss") or ())]
        for name in comparison.ranking
    }
    names = [name for name, folds in curves.items() if folds][:MOST_CURVES]
    if not names:
        raise NoPictureError("No model that took part has a loss by epoch.")
    figure, panels = canvas(0.4 + 2.4 * len(names), len(names))
    for axes, name in zip(panels, names, strict=True):
        losses = []
        for key, colour, label in (
            ("loss", BLUE, "training"),
            ("validation_loss", ORANGE, "validation"),
        ):
            runs = [np.asarray(fold.get(key) or (), dtype=float) for fold in curves[name]]
            runs = [run for run in runs if np.isfinite(run).any()]
            if not runs:
                continue
            for run in runs:
                seen = np.flatnonzero(np.isfinite(run))
                axes.plot(seen + 1, run[seen], color=colour, linewidth=0.7, alpha=0.4)
                losses.append(run[seen])
            # Beyond the shortest run a mean would jump as folds leave it.
            shortest = min(run.size for run in runs)
            mean = np.mean([run[:shortest] for run in runs], axis=0)
            seen = np.flatnonzero(np.isfinite(mean))
            axes.plot(seen + 1, mean[seen], color=colour, linewidth=2.4, label=label)
        values = np.concatenate(losses)
        if values.min() > 0 and values.max() > 3 * values.min():
            axes.set_yscale("log")
            plain_log(axes.yaxis)
        axes.grid()
        axes.legend(loc="upper right")
        axes.set_title(shorten(name, 40))
        axes.set_ylabel("loss [the network's own]")
    panels[-1].set_xlabel("epoch")
    return figure


@styled
def rows_against_score(comparison: Figures) -> Figure:
    """The score of the best model and of our network by the number of training rows."""
    scorer = comparison.scoring[0]
    train, test = (np.asarray(part) for part in comparison.folds[0])
    X, y = comparison.X, comparison.y
    train = train[spread_order(y[train], comparison.task, 0)]
    sizes = sorted({max(2, round(share * train.size)) for share in SHARES_OF_ROWS})
    names = [comparison.best, comparison.ours or comparison.best]
    if names[0] == names[1]:
        names[1:] = comparison.ranking[1:2]
    figure, (axes,) = canvas(3.2)
    for name, marker in zip(names, "os", strict=False):
        scores = []
        for size in sizes:
            model = clone(comparison.models[name]).fit(X.iloc[train[:size]], y[train[:size]])
            scores.append(get_scorer(scorer)(model, X.iloc[test], y[test]))
        values = score_sign(scorer) * np.array(scores)
        colour = colour_of(comparison, name)
        axes.plot(sizes, values, marker=marker, color=colour, linewidth=2, label=shorten(name))
    axes.set_xscale("log")
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.grid()
    axes.legend()
    axes.set_xlabel("training rows [count, logarithmic]")
    short_numbers(axes.yaxis)
    label_height(figure, axes, score_label(comparison, scorer))
    return figure


@styled
def predicted_against_true(comparison: Figures) -> Figure:
    """Out-of-fold predictions of the best model against the truth, and their errors."""
    if comparison.task != "regression":
        raise NoPictureError("Predicted values against true ones are for a target of numbers.")
    true, predicted = (values.astype(float) for values in known(comparison))
    unit = shorten(comparison.target, 28)
    figure, (axes, below) = canvas(6.0, 2)
    grid = axes.get_gridspec()
    assert grid is not None  # as of all panels of a canvas
    grid.set_height_ratios([1.6, 1])
    if true.size > MANY_POINTS:
        cells = axes.hexbin(
            true, predicted, gridsize=32, mincnt=1, bins="log", cmap="cividis_r", linewidths=0.1
        )
        bar = figure.colorbar(cells, ax=axes, label="rows a cell [logarithmic]", aspect=30)
        plain_log(bar.ax.yaxis)
    else:
        axes.plot(true, predicted, "o", color=BLUE, markersize=3, alpha=0.5, markeredgewidth=0)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="black", linewidth=1, linestyle="--")
    axes.set_xlabel(f"true {unit}")
    axes.set_ylabel(f"predicted {unit}")
    for axis in (axes.xaxis, axes.yaxis):
        short_numbers(axis)
    below.hist(true - predicted, bins=40, color=BLUE)
    below.axvline(0, color="black", linewidth=1, linestyle="--")
    below.set_xlabel(f"true minus predicted {unit}")
    short_numbers(below.xaxis)
    below.set_ylabel("rows [count]")
    return figure


@styled
def confusion(comparison: Figures) -> Figure:
    """Which classes the best model takes for which: share of each true class, and counts."""
    if comparison.task == "regression":
        raise NoPictureError("A confusion matrix is for a target of classes.")
    true, predicted = known(comparison)
    labels = np.asarray(comparison.classes)
    counts = confusion_matrix(true, predicted.astype(labels.dtype), labels=labels)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure, (axes,) = canvas(4.0)
    cells = axes.pcolormesh(
        100 * shares, cmap="Blues", vmin=0, vmax=100, edgecolors="white", linewidth=0.5
    )
    if labels.size <= 12:
        both, size = labels.size <= 6, 9.5 if labels.size <= 8 else 8
        for (row, column), count in np.ndenumerate(counts):
            share = shares[row, column]
            axes.text(
                column + 0.5, row + 0.5, f"{100 * share:.0f} %\n{count:,}" if both else f"{count}",
                ha="center", va="center", fontsize=size, color="white" if share > 0.6 else "black",
            )  # fmt: skip
    step = -(-labels.size // 16)
    names = [shorten(label, 14) for label in labels[::step]]
    slant = 45 if max(map(len, names)) * len(names) > 28 else 0
    places = np.arange(0, labels.size, step) + 0.5
    axes.set_xticks(places, names, rotation=slant, ha="right" if slant else "center")
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.set_xlabel(f"predicted {shorten(comparison.target)}")
    axes.set_ylabel(f"true {shorten(comparison.target)}")
    figure.colorbar(cells, ax=axes, label="share of the true class [%]", aspect=30)
    return figure


@styled
def roc_and_precision_recall(comparison: Figures) -> Figure:
    """ROC and precision-recall curves from out-of-fold probabilities."""
    if comparison.task == "regression":
        raise NoPictureError("ROC and precision-recall curves are for a target of classes.")
    cases = curve_cases(comparison)
    figure, (roc, recall) = canvas(6.2 + 0.2 * len(cases), 2)
    for (label, truth, score), colour, line in zip(cases, CYCLE, LINES, strict=False):
        false, hits, _ = roc_curve(truth, score)
        precision, share, _ = precision_recall_curve(truth, score, drop_intermediate=True)
        average = average_precision_score(truth, score)
        text = f"{shorten(label, 22)}: {auc(false, hits):.3f}, {average:.3f}"
        roc.plot(false, hits, color=colour, linestyle=line, linewidth=1.8, label=text)
        recall.step(share, precision, color=colour, linestyle=line, linewidth=1.8, where="post")
    roc.plot([0, 1], [0, 1], color=GREY, linewidth=1)
    roc.set_xlabel("false positive rate [share]")
    roc.set_ylabel("true positive rate [share]")
    roc.set_title("ROC")
    recall.set_xlabel("recall [share]")
    recall.set_ylabel("precision [share]")
    recall.set_title("Precision and recall")
    for axes in (roc, recall):
        axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        axes.grid()
    handles = roc.get_lines()[: len(cases)]
    figure.legend(
        handles=handles, loc="outside lower center", title="area under ROC, average precision"
    )
    return figure


@styled
def importance(comparison: Figures) -> Figure:
    """What shuffling each raw column costs the best model, on the last fold's test rows."""
    scorer = comparison.scoring[0]
    train, test = (np.asarray(part) for part in comparison.folds[-1])
    X, y = comparison.X, comparison.y
    if X.shape[1] > MOST_SHUFFLED:
        raise NoPictureError(
            f"The table has {X.shape[1]:,} columns, and shuffling more than {MOST_SHUFFLED:,}, one "
            "after the other, takes too long."
        )
    model = clone(comparison.models[comparison.best]).fit(X.iloc[train], y[train])
    test = test[spread_order(y[test], comparison.task, 0)][:MANY_POINTS]
    # Hundreds of short predictions: on a busy machine threads wait for each other most of the time.
    with threadpool_limits(1):
        result = permutation_importance(
            model, X.iloc[test], y[test], scoring=scorer, n_repeats=5, random_state=0
        )
    order = np.argsort(-result.importances_mean, kind="stable")[:MOST_BARS]
    figure, (axes,) = canvas(0.9 + ROW * order.size)
    axes.barh(
        range(order.size), result.importances_mean[order], xerr=result.importances_std[order],
        color=BLUE, height=0.7, error_kw={"ecolor": "#333333", "elinewidth": 1.2},
    )  # fmt: skip
    axes.axvline(0, color="#555555", linewidth=1)
    axes.set_yticks(range(order.size), [shorten(X.columns[column], 26) for column in order])
    axes.set_ylim(order.size - 0.5, -0.5)
    axes.grid(axis="x")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    short_numbers(axes.xaxis)
    verb = "rise" if score_sign(scorer) < 0 else "fall"
    figure.supxlabel(
        f"{verb} of the {score_name(scorer)}\nwhen the column is shuffled", fontsize=10
    )
    return figure
