"""
Dropout and uncertainty
=======================

Dropout switches off units at random while a network trains, and none when it predicts. Left on in
prediction, every pass is another thinned network: the mean over many passes is the prediction, and
their spread tells where the networks disagree. This is Monte Carlo (MC) dropout (Y. Gal and
Z. Ghahramani, 2016); here it is ``predict(X, n_samples=...)``.

A network with ``loss="gaussian"`` instead predicts a standard deviation itself: how far the targets
lie from their mean. The first is doubt about the function, the second noise in the data.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import AlphaDropout
from sklearn_dnn.inspection import CoverageDisplay

QUICK = "SKLEARN_DNN_QUICK" in os.environ
N_SAMPLES = 20 if QUICK else 200

# %%
# A curve with a gap
# ------------------
#
# The targets are a sine with noise, of deviation 0.1 on the left and 0.6 on the right. There are no
# rows in the middle, nor at the ends.

rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-4, -1, 150), rng.uniform(1, 4, 150)])
y = 2 * np.sin(x) + np.where(x < 0, 0.1, 0.6) * rng.normal(size=len(x))
grid = np.linspace(-7, 7, 281)

ways = {
    "MC dropout": ({"dropout": 0.1}, N_SAMPLES),
    "gaussian loss": ({"loss": "gaussian"}, None),
    "both": ({"loss": "gaussian", "dropout": 0.1}, N_SAMPLES),
}
places = np.array([-6.0, -2.5, 0.0, 2.5, 6.0])
print("standard deviation at " + "".join(f"{place:7g}" for place in places))
bands = {}
for name, (parameters, n_samples) in ways.items():
    network = MLPRegressor(
        (64, 64),
        **parameters,
        batch_size=50,
        learning_rate_init=0.005,
        schedule="cosine",
        max_iter=40 if QUICK else 400,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    network.fit(x[:, None], y)
    bands[name] = network.predict(grid[:, None], n_samples=n_samples, return_std=True)
    _, deviation = network.predict(places[:, None], n_samples=n_samples, return_std=True)
    print(f"{name:<22}" + "".join(f"{value:7.2f}" for value in deviation))

# %%
# The spread of the passes grows beyond the rows, and a little in the gap. It knows nothing of the
# noise, and its size depends on the rate of dropout, which was chosen by hand. The gaussian loss
# has found both deviations of the noise, but far away it is as sure of itself as at home.
# ``predict`` with both returns the root of the sum of squares; what the loss takes for noise then
# contains what dropout does to the network in training, so that the band on the left is too wide.
#
# Note that even so the sine leaves the band at the ends. A network does not know what it can't
# know: the doubt that it shows outside its rows is a warning, not a measurement.

figure, panels = plt.subplots(1, 3, figsize=(9, 3.6), sharey=True, layout="constrained")
for panel, (name, (mean, deviation)) in zip(panels, bands.items(), strict=True):
    panel.plot(x, y, ".", color="0.6", markersize=3, label="rows")
    panel.plot(grid, 2 * np.sin(grid), color="black", linestyle=":", label="without noise")
    panel.plot(grid, mean, color="#0072B2", label="prediction")
    panel.fill_between(
        grid, mean - 2 * deviation, mean + 2 * deviation, color="#0072B2", alpha=0.25,
        label="two deviations",
    )  # fmt: skip
    panel.set(title=name, xlabel="x", ylim=(-6, 6))
panels[0].set_ylabel("y")
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
plt.show()

# %%
# Digits, and what is none of them
# --------------------------------
#
# The networks see 400 digits from 0 to 7. They are asked for other such digits, and for 8s and 9s,
# of which no answer can be right. A row is answered if its largest probability is at least 0.9.
#
# Alpha dropout is the kind for ``"selu"``: it drops units to the function's lower end instead of 0
# and rescales, so that mean 0 and variance 1, which this activation keeps up, stay as they are.

X, y = load_digits(return_X_y=True)
known = y < 8
X_train, X_test, y_train, y_test = train_test_split(
    X[known], y[known], train_size=400, stratify=y[known], random_state=0
)
X_foreign = X[~known]


def network(**parameters):
    return MLPClassifier(
        (128, 128), **parameters, batch_size=32, max_iter=20 if QUICK else 100,
        n_iter_no_change=np.inf, random_state=0,
    ).fit(X_train, y_train)  # fmt: skip


networks = {
    "relu": network(),
    "relu, dropout": network(dropout=0.5),
    "selu, alpha dropout": network(activation="selu", dropout=AlphaDropout(0.2)),
}
curves = {}
print("\n                         all rows              at least 0.9 sure")
print("                         accuracy  log loss    answered  accuracy  8s and 9s answered")
for name, fitted in networks.items():
    for passes in (None,) if name == "relu" else (None, N_SAMPLES):
        probabilities = fitted.predict_proba(X_test, n_samples=passes)
        sure = probabilities.max(axis=1)
        right = fitted.classes_[probabilities.argmax(axis=1)] == y_test
        foreign = fitted.predict_proba(X_foreign, n_samples=passes).max(axis=1)
        loss = log_loss(y_test, probabilities)
        title = name if passes is None else f"{name}, MC"
        print(
            f"{title:<24} {right.mean():8.3f} {loss:9.3f} {np.mean(sure >= 0.9):11.3f} "
            f"{right[sure >= 0.9].mean():9.3f} {np.mean(foreign >= 0.9):19.3f}"
        )
        order = np.argsort(-sure)
        count = np.arange(1, len(sure) + 1)
        thresholds = sure[order]
        curves[title] = (
            count / len(sure),
            np.cumsum(right[order]) / count,
            [np.mean(foreign >= threshold) for threshold in thresholds],
        )

# %%
# Dropout left on makes next to no difference to the accuracy, but a large one to the probabilities:
# rows that are at least 0.9 sure are nearly all right, and far fewer 8s and 9s pass for something
# else. The price is that fewer of the good rows are answered too.
#
# Is this more than another threshold? Here is the same for all thresholds: each curve goes from the
# surest rows alone to all of them. At an equal share of answers a network with MC dropout lies
# close to the same network without it, and the network without any dropout lies among them. What is
# gained is hardly a better order of the rows, but more honest probabilities: a threshold such as
# 0.9 can be chosen without 8s and 9s to try it on.

styles = ("-", "--", "-", "--", "-")
colours = ("#000000", "#0072B2", "#0072B2", "#D55E00", "#D55E00")
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for (name, (coverage, accuracy, foreign)), line, colour in zip(
    curves.items(), styles, colours, strict=True
):
    CoverageDisplay(coverage, accuracy).plot(left).line_.set(linestyle=line, color=colour)
    right.plot(coverage, foreign, linestyle=line, color=colour, label=name)
left.set(xlim=(0.7, 1.0), ylim=(0.96, 1.002))
right.set(xlim=(0.7, 1.0), ylim=(0, 1))
right.set(xlabel="share of rows answered", ylabel="share of 8s and 9s answered")
figure.legend(loc="outside upper center", ncols=3)
plt.show()
