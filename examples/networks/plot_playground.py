"""
A playground
============

Four toy tables of two columns and two classes, and a small network with parameters to turn: depth,
width, activation, penalty. The standard setting has two hidden layers of 4 and 2 units of ``tanh``,
batches of 10 rows and a learning rate of 0.03 with plain gradient descent.

Colours are the probability of a class, the line is where it is one half, and points are rows that
the network has not seen. The number in each picture is the accuracy on these.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from sklearn_dnn import MLPClassifier

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests
N_ROWS = 200
MAX_ITER = 10 if QUICK else 200
TWO_COLOURS = LinearSegmentedColormap.from_list("two", ("#E69F00", "white", "#0072B2"))


def circle(rng):
    """One class in the middle, the other in a ring around it."""
    y = np.repeat([0, 1], N_ROWS)
    radius = np.where(y == 0, rng.uniform(0, 2.5, y.size), rng.uniform(3.5, 5, y.size))
    angle = rng.uniform(0, 2 * np.pi, y.size)
    return np.column_stack([radius * np.sin(angle), radius * np.cos(angle)]), y


def xor(rng):
    """The class is 1 where both columns have the same sign."""
    X = rng.uniform(-5, 5, (2 * N_ROWS, 2))
    y = (X[:, 0] * X[:, 1] >= 0).astype(int)
    return X + 0.3 * np.sign(X), y


def gauss(rng):
    """A normal cloud for each class."""
    y = np.repeat([0, 1], N_ROWS)
    return rng.normal(np.where(y == 0, -2.0, 2.0)[:, None], 1.0, (y.size, 2)), y


def spiral(rng):
    """Two arms, wound around each other."""
    y = np.repeat([0, 1], N_ROWS)
    along = np.tile(np.linspace(0, 1, N_ROWS), 2)
    angle = 3.5 * np.pi * along + np.pi * y
    X = 5 * along[:, None] * np.column_stack([np.sin(angle), np.cos(angle)])
    return X + rng.normal(0, 0.1, X.shape), y


def noisy_xor(rng, wrong=0.2):
    """As xor, with a share of wrong labels."""
    X, y = xor(rng)
    return X, np.where(rng.random(y.size) < wrong, 1 - y, y)


TABLES = {table.__name__: table for table in (circle, xor, gauss, spiral)}


def network(**parameters):
    standard = {
        "hidden_layer_sizes": (4, 2),
        "activation": "tanh",
        "optimizer": "sgd",
        "learning_rate_init": 0.03,
        "batch_size": 10,
        "alpha": 0.0,
        "max_iter": MAX_ITER,
        "tol": 0.0,
        "n_iter_no_change": MAX_ITER,
        "random_state": 0,
    }
    return MLPClassifier(**standard | parameters)


def surface(axes, learnt, unseen, **parameters):
    """Fit, draw, and give the accuracy on rows that were not learnt."""
    X, y = learnt(np.random.default_rng(0))
    X_new, y_new = unseen(np.random.default_rng(1))
    model = network(**parameters).fit(X, y)
    side = np.linspace(-6, 6, 61)
    across, up = np.meshgrid(side, side)
    places = np.column_stack([across.ravel(), up.ravel()])
    p = model.predict_proba(places)[:, 1].reshape(across.shape)
    axes.contourf(across, up, p, np.linspace(0, 1, 11), cmap=TWO_COLOURS, alpha=0.8)
    axes.contour(across, up, p, [0.5], colors="black", linewidths=1)
    for label, marker, colour in ((0, "o", "#8A5A00"), (1, "^", "#00304D")):
        axes.plot(*X_new[y_new == label][::4].T, marker, color=colour, markersize=2.5)
    score = model.score(X_new, y_new)
    axes.text(-5.7, -5.6, f"{score:.2f}", bbox={"color": "white", "alpha": 0.8, "pad": 1.5})
    axes.set(xticks=[], yticks=[], aspect="equal")
    return score


def panel(settings, tables=TABLES, unseen=None):
    """A row for each table, a column for each setting of the parameters; prints the accuracies."""
    _, axes = plt.subplots(
        len(tables),
        len(settings),
        figsize=(7, 0.35 + 1.75 * len(tables)),
        layout="constrained",
        squeeze=False,
    )
    print(" " * 10 + "".join(f"{column:>16}" for column in settings))
    for line, (name, table) in zip(axes, tables.items(), strict=True):
        scores = [
            surface(place, table, unseen or table, **parameters)
            for place, parameters in zip(line, settings.values(), strict=True)
        ]
        line[0].set_ylabel(name.replace("_", " "))
        print(f"{name:<10}" + "".join(f"{score:16.2f}" for score in scores))
    for place, column in zip(axes[0], settings, strict=True):
        place.set_title(column, fontsize="medium")
    plt.show()


# %%
# Depth and width
# ---------------

shapes = {"no layer": (), "4": (4,), "4, 2": (4, 2), "16, 16": (16, 16)}
panel({name: {"hidden_layer_sizes": shape} for name, shape in shapes.items()})

# %%
# Without a hidden layer the line is straight: enough for the two clouds, a guess for the circle and
# xor. Four units draw four soft edges, which can close around the circle. More units make smoother
# shapes. None of them gets hold of the spiral in this time.

# %%
# Activation
# ----------

activations = ("identity", "logistic", "tanh", "relu")
panel({name: {"hidden_layer_sizes": (8, 8), "activation": name} for name in activations})

# %%
# Layers with ``identity`` are one linear model, however many. ``logistic`` has a slope of at most
# 1/4 and is slow: it has not arrived yet. ``tanh`` draws round shapes, ``relu`` draws polygons.

# %%
# The spiral
# ----------
# It takes more: another layer, and an optimizer that gets through flat country faster.

deep = {"hidden_layer_sizes": (16, 16, 16)}
fast = {"optimizer": "adam", "learning_rate_init": 0.01}
panel(
    {
        "4, 2": {},
        "16, 16, 16": deep,
        "with momentum": deep | {"optimizer": "momentum"},
        "relu, with adam": deep | fast | {"activation": "relu"},
    },
    {"spiral": spiral},
)

# %%
# Three layers alone do not do it in 200 epochs; momentum, whose steps are up to ten times as long,
# or Adam, which gives each weight a step length of its own, do.

# %%
# Penalty
# -------
# Now a fifth of the labels of xor are wrong, and the network is large. The rows that it is judged
# on, and that are drawn, have their true labels.

large = {"hidden_layer_sizes": (32, 32), "activation": "relu"} | fast
panel(
    {f"alpha={alpha}": large | {"alpha": alpha} for alpha in (0, 0.01, 0.1, 0.3)},
    {"noisy_xor": noisy_xor},
    unseen=xor,
)

# %%
# Without a penalty the line runs around single rows whose label is wrong, and the colours are
# strong: the network is sure of itself. A small penalty smooths the line, a larger one makes the
# network pale, and in the end it can no longer follow the shape. ``alpha`` counts against the
# number of rows in a batch, so its right size is not the same for other tables.
