"""
An ensemble, and how sure it is
===============================

Networks that differ only in the seed of their weights agree where there were rows to learn from,
and go their own ways elsewhere. Their mean predicts better than one of them, and their spread tells
how far to trust it (B. Lakshminarayanan, A. Pritzel and C. Blundell, 2017). ``n_members=8`` trains
eight of them as one stack, in much less time than eight fits.
"""

import os
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.inspection import CoverageDisplay

QUICK = "SKLEARN_DNN_QUICK" in os.environ

# %%
# A curve with a gap
# ------------------
#
# The targets are a sine with noise. There are no rows in the middle, nor at the ends.

rng = np.random.default_rng(0)
x = np.concatenate([rng.uniform(-4, -1, 100), rng.uniform(1, 4, 100)])
y = np.sin(x) + 0.1 * rng.normal(size=len(x))
grid = np.linspace(-6, 6, 241)

network = MLPRegressor(
    (64, 64),
    n_members=8,
    batch_size=50,
    learning_rate_init=0.01,
    schedule="cosine",
    max_iter=60 if QUICK else 400,
    n_iter_no_change=np.inf,
    random_state=0,
)
network.fit(x[:, None], y)
mean, deviation = network.predict(grid[:, None], return_std=True)
members = network.predict_members(grid[:, None])

_, ax = plt.subplots(figsize=(7, 4))
ax.plot(grid, members.T, color="tab:blue", linewidth=0.6, alpha=0.6)
ax.plot(grid, mean, color="tab:blue", linewidth=2, label="mean of 8 members")
ax.fill_between(grid, mean - 2 * deviation, mean + 2 * deviation, alpha=0.2, label="2 deviations")
ax.plot(x, y, ".", color="black", markersize=3, label="rows")
ax.set(xlabel="x", ylabel="y", ylim=(-3, 3), title="Members part where there are no rows")
ax.legend()

places = np.array([-5.0, -2.5, 0.0, 2.5, 5.0])
for place, spread in zip(places, np.interp(places, grid, deviation), strict=True):
    print(f"deviation of the members at {place:4}: {spread:.3f}")

# %%
# Members' spread is doubt about the curve alone. With ``loss="gaussian"`` every member predicts the
# deviation of the noise too; quantiles and intervals are then those of the members' mixture.

noisy = network.set_params(loss="gaussian", n_members=4).fit(x[:, None], y)
low, middle, high = noisy.predict_quantiles(grid[:, None], [0.05, 0.5, 0.95]).T
_, ax = plt.subplots(figsize=(7, 4))
ax.fill_between(grid, low, high, alpha=0.2, label="90 % interval")
ax.plot(grid, middle, label="median")
ax.plot(x, y, ".", color="black", markersize=3)
ax.set(xlabel="x", ylabel="y", ylim=(-3, 3), title="Doubt and noise together")
ax.legend()

# %%
# Probabilities
# -------------
#
# On digits, few rows are given to learn from. The mean of eight networks' probabilities has a lower
# log loss than one network's. Members that share one network (``ensemble="shared"``) hold little
# more than the numbers of a single one (the table counts weights and biases, not the members' small
# vectors); they learn more slowly, and on so few rows do not beat it.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=500, stratify=y, random_state=0
)
settings = {
    "one network": {},
    "8 independent members": {"n_members": 8},
    "8 members of one network": {"n_members": 8, "ensemble": "shared"},
}
fitted = {}
print(f"{'':26}log loss  accuracy  seconds   numbers")
for name, parameters in settings.items():
    classifier = MLPClassifier(
        (64, 64),
        **parameters,
        schedule="cosine",
        batch_size=50,
        learning_rate_init=0.003,
        max_iter=10 if QUICK else 60,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    started = perf_counter()
    fitted[name] = classifier.fit(X_train, y_train)
    seconds = perf_counter() - started
    loss = log_loss(y_test, classifier.predict_proba(X_test))
    numbers = sum(np.size(w) for w in classifier.coefs_ + classifier.intercepts_)
    accuracy = classifier.score(X_test, y_test)
    print(f"{name:26}{loss:8.3f}{accuracy:10.3f}{seconds:9.2f}{numbers:10,}")

# %%
# Where the members disagree, more answers are wrong: rows that are put aside by their spread leave
# the sure ones.

ensemble = fitted["8 independent members"]
probabilities, deviation = ensemble.predict_proba(X_test, return_std=True)
wrong = ensemble.predict(X_test) != y_test
doubt = deviation.max(axis=1)
_, axes = plt.subplots(1, 2, figsize=(10, 4))
axes[0].hist([doubt[~wrong], doubt[wrong]], bins=20, density=True, label=["right", "wrong"])
axes[0].set(xlabel="deviation of the members' probabilities", ylabel="density")
axes[0].legend()
order = np.argsort(doubt)
answered = np.arange(1, len(doubt) + 1)
CoverageDisplay(answered / len(doubt), np.cumsum(~wrong[order]) / answered).plot(axes[1])

plt.show()
