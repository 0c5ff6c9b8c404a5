"""
Learning XOR
============

The smallest task that no linear model can do: of two inputs, 0 or 1, say whether exactly one is 1.
A hidden layer of two units is enough (I. Goodfellow, Y. Bengio and A. Courville, "Deep learning",
2016, section 6.1).

The best that a linear model can do, in squared error, is to answer 1/2 for each of the four rows.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression

from sklearn_dnn import MLPRegressor
from sklearn_dnn.inspection import activations

QUICK = "SKLEARN_DNN_QUICK" in os.environ

X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
y = np.array([0.0, 1.0, 1.0, 0.0])

linear = LinearRegression().fit(X, y)
print(f"rows               {X.astype(int).tolist()}")
print(f"targets            {y}")
print(f"linear model       {linear.predict(X)}")

# %%
# The network of the textbook is :math:`w^\top \max(0, W^\top x + c) + b` with
#
# .. math::
#     W = \begin{pmatrix} 1 & 1 \\ 1 & 1 \end{pmatrix}, \quad
#     c = \begin{pmatrix} 0 \\ -1 \end{pmatrix}, \quad
#     w = \begin{pmatrix} 1 \\ -2 \end{pmatrix}, \quad b = 0 .
#
# ``set_weights`` puts these numbers into an estimator, which has to be fitted before, if only for
# an epoch, so that the layers are there. The weights are meant for the inputs and targets as they
# are, so nothing may be scaled.

by_hand = MLPRegressor(
    (2,), input_scaling=None, target_scaling=None, max_iter=1, random_state=0
).fit(X, y)
W, c = np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([0.0, -1.0])
w, b = np.array([[1.0], [-2.0]]), np.array([0.0])
by_hand.set_weights([W, c, w, b])
print(f"weights by hand    {by_hand.predict(X)}")

# %%
# Training finds a solution by itself, but with two hidden units only from some starts: a unit that
# is 0 on all rows no longer learns, and the one that is left is not enough. So one tries several
# starts and keeps the best, or takes more units than are needed: of eight, two soon fit.


def train(n_units, seed):
    network = MLPRegressor(
        (n_units,),
        optimizer="lbfgs",
        alpha=0.0,
        max_iter=200,
        input_scaling=None,
        target_scaling=None,
        random_state=seed,
    )
    return network.fit(X, y)


n_starts = 5 if QUICK else 40
starts = {width: [train(width, seed) for seed in range(n_starts)] for width in (2, 4, 8)}
for width, networks in starts.items():
    solved = sum(np.allclose(network.predict(X), y, atol=0.01) for network in networks)
    print(f"{width} hidden units: {solved} of {n_starts} starts solve it")
trained = min(starts[2], key=lambda network: np.square(network.predict(X) - y).sum())
print(f"trained, 2 units   {trained.predict(X).round(3)}")

# %%
# The linear model is flat. The network by hand has a ridge over the rows whose target is 1; the
# trained one has a valley over the others instead. Both are right: the four rows do not say what
# lies between them.

ticks = np.linspace(-0.5, 1.5, 121)
grid = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
models = {"linear model": linear, "network by hand": by_hand, "network, trained": trained}


def draw_rows(panel, points):
    for label, marker, colour in ((0, "o", "white"), (1, "s", "black")):
        rows = points[y == label]
        panel.scatter(
            rows[:, 0], rows[:, 1], s=70, marker=marker, c=colour, edgecolors="black", zorder=3,
            label=f"target {label}",
        )  # fmt: skip


figure, panels = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True, layout="constrained")
for panel, (name, model) in zip(panels, models.items(), strict=True):
    surface = model.predict(grid).reshape(len(ticks), -1)
    levels = np.linspace(-0.55, 1.55, 22)
    image = panel.contourf(ticks, ticks, surface, levels, cmap="cividis", extend="both")
    draw_rows(panel, X)
    panel.set(title=name, xlabel="first input", aspect="equal")
panels[0].set_ylabel("second input")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
figure.colorbar(image, ax=panels, label="prediction", ticks=[-0.5, 0, 0.5, 1, 1.5])
plt.show()

# %%
# Why it works: the hidden layer moves the rows. The two whose target is 1 fall onto one point,
# and now a straight line parts the classes.

(hidden,) = activations(by_hand, X)
figure, panels = plt.subplots(1, 2, figsize=(7, 3.4), layout="constrained")
for panel, points in zip(panels, (X, hidden), strict=True):
    draw_rows(panel, points)
    panel.set(aspect="equal", xlim=(-0.4, 2.4), ylim=(-0.4, 1.6))
panels[0].set(title="inputs", xlabel="first input", ylabel="second input")
panels[1].set(title="hidden layer", xlabel="first unit", ylabel="second unit")
first = np.array([-0.4, 2.4])
panels[1].plot(first, (first - 0.5) / 2, color="black", linestyle="--", label="prediction 1/2")
figure.legend(*panels[1].get_legend_handles_labels(), loc="outside upper center", ncols=3)
plt.show()
