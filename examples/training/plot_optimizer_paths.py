"""
Paths of eight optimizers
=========================

The update rules of the package on landscapes with two parameters, and then on a network. Momentum
and Nesterov's variant remember steps, so that they gather speed along a valley and cancel
oscillations across it. Adagrad, RMSprop, Adam, Nadam and AdaMax divide each parameter's step by the
size of its own gradients. The rate of every rule and landscape is the one of ten, from 0.001 to 1
and at equal ratios, with
the lowest mean loss along the path.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components.optimizers import OPTIMIZERS

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"

names = ("sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "nadam", "adamax")
# Okabe and Ito's colours, with marks beside them
colours = dict(
    zip(
        names,
        ("#000000", "#0072B2", "#D55E00", "#CC79A7", "#56B4E9", "#E69F00", "#009E73", "#0072B2"),
        strict=True,
    )
)
marks = dict(zip(names, "o^soDv^s", strict=True))


def ravine(x, y):
    """Thirty times as steep across as along; lowest at (0, 0)."""
    return (x**2 + 30 * y**2) / 2


def saddle(x, y):
    """Flat in the middle, downhill to both sides; lowest at (0, 1) and (0, -1)."""
    return x**2 / 2 - y**2 / 2 + y**4 / 4 + 1 / 4


def rosenbrock(x, y):
    """A bent valley; lowest at (1, 1)."""
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


landscapes = {
    # loss, start, steps, what the picture shows
    "ravine": (ravine, (-4.0, 1.0), 50, (-5, 3, -1.4, 2.4)),
    "saddle": (saddle, (-2.0, 1e-3), 50, (-2.5, 2.5, -1.6, 1.9)),
    "Rosenbrock": (rosenbrock, (-1.2, 1.0), 300, (-2, 2, -1, 3)),
}
lowest = {"ravine": [(0, 0)], "saddle": [(0, 1), (0, -1)], "Rosenbrock": [(1, 1)]}
rates = np.geomspace(1e-3, 1, 2 if QUICK else 10)


def descend(loss, start, n_steps, optimizer, rate):
    """The places that an optimizer visits, of shape (n_steps + 1, 2)."""
    theta = torch.tensor([start], dtype=torch.float64)
    state, coefficients = optimizer.start(theta), optimizer.coefficients()
    path = [theta[0].tolist()]
    for _ in range(n_steps):
        point = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(*point[0]), point)
        with torch.no_grad():
            optimizer.step(theta, gradient, state, rate, coefficients)
        path.append(theta[0].tolist())
    return np.array(path)


def best_path(loss, start, n_steps, optimizer):
    """The rate with the lowest mean loss along its path, and that path."""
    tried = {rate: descend(loss, start, n_steps, optimizer, rate) for rate in rates}
    with np.errstate(over="ignore", invalid="ignore"):  # too large rates leave for good
        means = {rate: loss(*path.T).mean() for rate, path in tried.items()}
    rate = min(tried, key=lambda rate: np.nan_to_num(means[rate], nan=np.inf))
    return rate, tried[rate]


found = {
    (title, name): best_path(loss, start, n_steps, OPTIMIZERS[name]())
    for title, (loss, start, n_steps, _) in landscapes.items()
    for name in names
}
for title, (loss, _, n_steps, _) in landscapes.items():
    print(f"{title}, {n_steps} steps")
    for name in names:
        rate, path = found[title, name]
        losses = loss(*path.T)
        near = np.flatnonzero(losses < 0.01 * losses[0])
        first = f"below 1 % of the start after {near[0]}" if len(near) else "above 1 % of the start"
        print(f"  {name:<9} rate {rate:5.3f}   last loss {losses[-1]:.1e}   {first}")

# %%
# Large dots are the starts, stars the lowest points. Down the ravine, plain descent may take no
# larger rate than the steep direction bears, and crawls along the flat one; momentum swings along.
# Rules that scale each parameter by itself begin with a diagonal step, as if there were no ravine,
# and could not if it lay askew. On the saddle the start is nearly on the ridge, where the slope
# sideways is close to zero: plain descent and momentum first go along it, while dividing by the
# size of the gradients makes the small slope count as much as the large one.

figure, panels = plt.subplots(3, 2, figsize=(7, 9), layout="constrained")
for row, (title, (loss, start, _, box)) in zip(panels, landscapes.items(), strict=True):
    x, y = np.meshgrid(np.linspace(*box[:2], 200), np.linspace(*box[2:], 200))
    heights = np.log10(loss(x, y) + 1e-3)
    for panel, family in zip(row, (names[:3], names[3:]), strict=True):
        panel.contour(x, y, heights, levels=12, colors="0.8", linewidths=0.7)
        for name in family:
            _, path = found[title, name]
            panel.plot(
                *path.T,
                color=colours[name],
                marker=marks[name],
                markevery=max(1, len(path) // 25),
                markersize=4,
                linewidth=1.2,
                label=name,
            )
        panel.plot(*start, "o", color="black", markersize=8)
        for place in lowest[title]:
            panel.plot(*place, "*", color="black", markersize=11)
        panel.set(xlim=box[:2], ylim=box[2:], title=title)
for panel in panels[0]:
    panel.legend(fontsize="small", loc="upper center", ncols=3, columnspacing=0.8, handlelength=1)
figure.supxlabel("first parameter")
figure.supylabel("second parameter")
plt.show()

# %%
# On a network
# ------------
# Two parameters are not a network. So the same rules train one on the digits, each with the
# largest rate, of four multiples of its default, whose accuracy on a validation part is within
# 0.005 of its best. Speed is the
# number of epochs until the training loss is below 0.05, quality the accuracy on test rows, both as
# means over seeds. Stars: speed gets three within 1.5 times the fewest epochs, and two within 3
# times; quality gets three within 0.005 of the best accuracy, and two within 0.01. The last
# columns are stars as they are printed in courses (after Géron, 2019), where the newer rules share
# one rating of quality, two to three.

N_EPOCHS, N_SEEDS = (5, 1) if QUICK else (25, 3)
FACTORS = (1, 10) if QUICK else (1, 3, 10, 30)
ENOUGH = 0.05

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)


def network(name, rate, seed):
    return MLPClassifier(
        (64,),
        optimizer=name,
        learning_rate_init=rate,
        batch_size=32,
        max_iter=N_EPOCHS,
        early_stopping=False,
        tol=0.0,
        n_iter_no_change=np.inf,  # all epochs, however little they improve
        random_state=seed,
    )


def choose_rate(name):
    tried = [OPTIMIZERS[name].default_rate * factor for factor in FACTORS]
    scores = [network(name, rate, 0).fit(X_train, y_train).score(X_val, y_val) for rate in tried]
    return max(r for r, score in zip(tried, scores, strict=True) if score >= max(scores) - 0.005)


printed = (
    dict(zip(names, ("1", "2", "2", "3", "3", "3", "3", "3"), strict=True)),
    dict(zip(names, ("3", "3", "3", "1", "2-3", "2-3", "2-3", "2-3"), strict=True)),
)
rows, curves = {}, {}
for name in names:
    rate = choose_rate(name)
    fitted = [network(name, rate, seed).fit(X_train, y_train) for seed in range(N_SEEDS)]
    scores = [model.score(X_test, y_test) for model in fitted]
    curves[name] = np.mean([model.loss_curve_ for model in fitted], axis=0)
    reached = [np.flatnonzero(np.array(model.loss_curve_) < ENOUGH) for model in fitted]
    epochs = np.mean([places[0] + 1 if len(places) else np.inf for places in reached])
    rows[name] = {
        "rate": rate,
        "epochs": epochs,
        "accuracy": np.mean(scores),
        "std": np.std(scores),
    }
table = pd.DataFrame(rows).T
fastest, best = table["epochs"].min(), table["accuracy"].max()
table["speed"] = [
    "*" * (3 if epochs <= 1.5 * fastest else 2 if epochs <= 3 * fastest else 1)
    for epochs in table["epochs"]
]
table["quality"] = [
    "*" * (3 if score >= best - 0.005 else 2 if score >= best - 0.01 else 1)
    for score in table["accuracy"]
]
table["course: speed"], table["course: quality"] = (pd.Series(stars) for stars in printed)
print(table.round({"rate": 4, "epochs": 1, "accuracy": 4, "std": 4}).to_string())

# %%
# With rates of their own, all eight are there within six epochs, and their accuracies lie within
# about a hundredth of each other; seeds alone change them by a third of that. Plain descent is no
# slower than momentum here: a momentum of 0.9 adds up to ten times the rate, and the search gave
# plain descent ten times the rate instead. The courses' stars tell what to try first, not what is
# found.

figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
for name in names:
    panel.semilogy(
        np.arange(1, N_EPOCHS + 1),
        curves[name],
        color=colours[name],
        linestyle="-" if name in names[:3] else "--",
        marker=marks[name],
        markersize=4,
        label=name,
    )
panel.axhline(ENOUGH, color="0.5", linewidth=0.8)
panel.set(xlabel="epoch", ylabel="training loss")
panel.legend(ncols=2)
plt.show()
