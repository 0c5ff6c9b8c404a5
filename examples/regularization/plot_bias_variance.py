r"""
Bias and variance
=================

A model can be wrong in two ways: always in the same way, because it cannot follow the data (bias),
or in a different way with every training set, because it follows each too well (variance). For the
squared error, with predictions :math:`h` that depend on the training set,

.. math:: E[(y - h)^2] = \text{noise} + (E[y] - E[h])^2 + E[(h - E[h])^2]

The data here are made, so that the noise, and the curve under it, are known.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.ensemble import BaggingRegressor, VotingClassifier
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.inspection import bias_variance

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests
BLUE, ORANGE = "#0072B2", "#D55E00"
NOISE = 0.5

# The networks have no ``random_state``, so that each fit starts from other weights. Then NumPy's
# global stream gives them; it has a seed for this page to be the same each time.
np.random.seed(0)  # noqa: NPY002


def wave(x):
    return np.sin(6 * x) + 0.5 * x


def sample(n_rows, seed):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n_rows)
    return x[:, None], wave(x) + rng.normal(0, NOISE, n_rows)


def network(sizes=(100, 100, 100), **parameters):
    return MLPRegressor(
        sizes,
        batch_size=25,
        learning_rate_init=0.01,
        schedule="linear",
        n_iter_no_change=np.inf,
        **{"max_iter": 5 if QUICK else 200, "alpha": 0.0} | parameters,
    )


X, y = sample(50, seed=0)
X_test, y_test = sample(1000, seed=1)
grid = np.linspace(-1, 1, 201)[:, None]
n_sets = 3 if QUICK else 20

# %%
# Twenty training sets
# --------------------
# Each thin line is a network after another bootstrap set of the same 50 rows, the strong one the
# mean of them, the dashed one the truth.

settings = {
    "no hidden layer": network(()),
    "10 units": network((10,)),
    "100, 100, 100 units": network(),
    "the same, alpha=1": network(alpha=1.0),
}
rng = np.random.default_rng(0)
sets = rng.integers(len(X), size=(n_sets, len(X)))

figure, panels = plt.subplots(1, 4, sharey=True, figsize=(9, 3), layout="constrained")
for panel, (name, model) in zip(panels, settings.items(), strict=True):
    curves = [clone(model).fit(X[rows], y[rows]).predict(grid) for rows in sets]
    panel.plot(X[:, 0], y, ".", color="0.6", markersize=4)
    panel.plot(grid, np.transpose(curves), color=ORANGE, linewidth=0.5, alpha=0.6)
    panel.plot(grid, np.mean(curves, axis=0), color=BLUE, linewidth=2)
    panel.plot(grid, wave(grid), "k--", linewidth=1)
    panel.set_title(name, fontsize="medium")
    panel.set(ylim=(-2.5, 2.5), xlabel="x")
panels[0].set_ylabel("y")
plt.show()

# %%
# The parts in numbers
# --------------------
# ``bias_variance`` does the same and measures the parts on new rows. Its bias contains the noise,
# which is known here and subtracted. The means are over bootstrap sets of one table, so what is
# peculiar to these 50 rows counts as bias, too.

noise = np.mean((y_test - wave(X_test[:, 0])) ** 2)


def parts_of(models):
    print(f"noise {noise:.3f}                bias  variance   error")
    found = {}
    for name, model in models.items():
        parts = bias_variance(model, X, y, n_sets, X_test=X_test, y_test=y_test)
        found[name] = parts.bias - noise, parts.variance
        print(f"{name:<22}{parts.bias - noise:8.3f}{parts.variance:10.3f}{parts.error:8.3f}")
    return found


def draw(found):
    _, axes = plt.subplots(figsize=(7, 0.9 + 0.35 * len(found)), layout="constrained")
    bias, variance = np.transpose(list(found.values()))
    axes.barh(list(found), bias, color=BLUE, label="bias (squared)")
    axes.barh(list(found), variance, left=bias, color=ORANGE, label="variance")
    axes.invert_yaxis()
    axes.set_xlabel("squared error above the noise")
    axes.legend()
    plt.show()


draw(
    parts_of(
        {
            "no hidden layer": network(()),
            "10": network((10,)),
            "100": network((100,)),
            "100, 100, 100": network(),
            "the same, alpha=1": network(alpha=1.0),
            "the same, alpha=10": network(alpha=10.0),
        }
    )
)

# %%
# From the straight line to the large network bias falls, and in the end variance rises: the largest
# one follows every set's noise, and more units are no gain. A penalty of the right size takes the
# variance away at no cost; one that is too strong makes a straight line of the largest network.

# %%
# Averages
# --------
# The mean of several models varies less than one of them. ``BaggingRegressor`` averages networks of
# bootstrap sets, or, with ``bootstrap=False``, networks of the same rows that differ by their first
# weights and the order of rows alone. Dropout trains very many thinned networks, which share their
# weights, and predicts by an approximate mean of them: bagging for the price of one network.

n_members = 3 if QUICK else 6
draw(
    parts_of(
        {
            "one network": network(),
            f"{n_members} seeds": BaggingRegressor(network(), n_members, bootstrap=False),
            f"{n_members} bootstrap sets": BaggingRegressor(network(), n_members),
            "dropout=0.2": network(dropout=0.2),
        }
    )
)

# %%
# Other seeds alone hardly help here: what varies is the rows, which all of these networks share.
# Bootstrap sets vary the rows, and their mean has less variance. Dropout is ahead of both for a
# fraction of the time. The bias is the same in all four: averaging does nothing about it.

# %%
# Votes of classifiers
# --------------------
# The same for labels, with few training rows of the digits: networks that differ by their seed, and
# the mean of their probabilities.

digits, labels = load_digits(return_X_y=True)
few, many, few_labels, many_labels = train_test_split(
    digits, labels, train_size=200, stratify=labels, random_state=0
)
members = [
    (
        f"seed {seed}",
        MLPClassifier(
            (30,),
            batch_size=20,
            schedule="linear",
            max_iter=5 if QUICK else 40,
            random_state=seed,
        ),
    )
    for seed in range(n_members)
]
vote = VotingClassifier(members, voting="soft").fit(few, few_labels)
alone = [np.mean(member.predict(many) == many_labels) for member in vote.estimators_]
print(f"accuracy of each alone: {min(alone):.3f} to {max(alone):.3f}, mean {np.mean(alone):.3f}")
print(f"accuracy of their vote: {vote.score(many, many_labels):.3f}")

# %%
# Here it is the first weights that matter, and the vote is better than the best of its members: an
# average of seeds is an easy gain where a network is trained long on few rows.
