"""
Weights that are exactly zero
=============================

An l1 penalty makes many weights exactly zero, an l2 penalty makes all of them small. So it is in
textbooks, but a gradient step on the absolute value alone does not do it: it jumps from one side of
zero to the other. Here no step may leave the side that it started from, and a weight that would
becomes 0 (G. Andrew and J. Gao, 2007), whatever the optimizer is.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.linear_model import ElasticNet, Lasso, Ridge

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import FTRL, MaxNorm
from sklearn_dnn.inspection import prune

QUICK = "SKLEARN_DNN_QUICK" in os.environ

# %%
# The linear model: the same as the lasso
# ---------------------------------------
#
# Without hidden layers the network is a linear model, and there is a right answer. Of 30 columns
# five count. scikit-learn's lasso and elastic net have the mean of half the squared errors as loss;
# here penalties are divided by the number of rows n of a step, as in its ``Ridge``. So
# ``l1=n * a * r`` and ``alpha=n * a * (1 - r)`` are ``ElasticNet(a, l1_ratio=r)``.
#
# The optimizer FTRL has an l1 of its own. It weighs it once against the sum of all gradients of
# the run, so it is larger by the number of steps.

N_ROWS, A, N_STEPS = 300, 0.1, 500
rng = np.random.default_rng(0)
X = rng.normal(size=(N_ROWS, 30))
true = np.concatenate([[3.0, -2.0, 1.5, 1.0, -0.5], np.zeros(25)])
y = X @ true + rng.normal(size=N_ROWS)

linear = MLPRegressor(
    (), input_scaling=None, target_scaling=None, alpha=0.0, learning_rate_init=0.05,
    schedule="cosine", batch_size="full", max_iter=N_STEPS, n_iter_no_change=np.inf, random_state=0,
)  # fmt: skip
ftrl = {"optimizer": FTRL(l1=N_STEPS * A), "learning_rate_init": 1.0, "schedule": "constant"}
pairs = {
    "l1": ({"l1": N_ROWS * A}, Lasso(A)),
    "l2": ({"alpha": N_ROWS * A}, Ridge(N_ROWS * A)),
    "both, half of each": (
        {"l1": N_ROWS * A / 2, "alpha": N_ROWS * A / 2},
        ElasticNet(A, l1_ratio=0.5),
    ),
    "FTRL's l1": (ftrl, Lasso(A)),
}
weights = {}
print("penalty              weights that are 0   in scikit-learn   largest difference")
for name, (parameters, rival) in pairs.items():
    ours = clone(linear).set_params(**parameters).fit(X, y).coefs_[0].ravel()
    theirs = rival.fit(X, y).coef_
    weights[name] = ours, theirs
    print(
        f"{name:<20} {np.sum(ours == 0):18d} {np.sum(theirs == 0):17d} "
        f"{np.abs(ours - theirs).max():20.1e}"
    )

# %%
# Zeros and values agree with scikit-learn's. Only FTRL, which finds as many zeros as the lasso,
# ends at somewhat larger weights: it comes near the lasso only as far as its own history lets it.

figure, panels = plt.subplots(2, 2, figsize=(8, 5), sharex=True, sharey=True, layout="constrained")
for panel, (name, (ours, theirs)) in zip(panels.flat, weights.items(), strict=True):
    columns = np.arange(len(ours))
    zero = ours == 0
    panel.plot(columns, theirs, "o", color="0.6", fillstyle="none", markersize=9)
    panel.plot(columns[~zero], ours[~zero], "o", color="#0072B2", markersize=4)
    panel.plot(columns[zero], ours[zero], "x", color="#D55E00", markersize=5)
    panel.axhline(0, color="black", linewidth=0.5)
    panel.set_title(f"{name}: {zero.sum()} zeros")
panels[0, 0].legend(["scikit-learn", "network", "network, exactly 0"], loc="upper right")
figure.supxlabel("column")
figure.supylabel("weight")
plt.show()

# %%
# A network
# ---------
#
# The target of Friedman's table is curved in the first five of its 20 columns, and the other 15 are
# noise. A hidden layer of 64 units is more than 600 rows can bear without help.

X, y = make_friedman1(600, 20, noise=1.0, random_state=0)
X_test, y_test = make_friedman1(3000, 20, noise=1.0, random_state=1)
network = MLPRegressor(
    (64,), alpha=0.0, batch_size=50, learning_rate_init=0.01, schedule="cosine",
    max_iter=20 if QUICK else 100, n_iter_no_change=np.inf, random_state=0,
)  # fmt: skip
ways = {
    "no penalty": {},
    "l2": {"alpha": 0.5},
    "l1": {"l1": 0.1},
    "both": {"alpha": 0.1, "l1": 0.1},
    "max-norm": {"constraint": MaxNorm(1.0)},
    "FTRL's l1": {"optimizer": FTRL(l1=1.5), "learning_rate_init": 0.3},
}
fitted = {}
print("\n              R2, new rows   weights 0   units left   their zeros in columns 1-5   6-20")
for name, parameters in ways.items():
    fitted[name] = clone(network).set_params(**parameters).fit(X, y)
    first, second = fitted[name].coefs_
    share = np.mean(np.concatenate([first.ravel(), second.ravel()]) == 0)
    left = np.any(first != 0, axis=0) & (second[:, 0] != 0)
    zeros = first[:, left] == 0
    print(
        f"{name:<13} {fitted[name].score(X_test, y_test):12.3f} {share:11.2f} {left.sum():12d} "
        f"{zeros[:5].mean():28.2f} {zeros[5:].mean():6.2f}"
    )

# %%
# Penalties make the fit on new rows much better, and l1 hardly more so than l2; but it leaves only
# a part of the weights. Look at where its zeros are: it has emptied whole units and left 18 of the
# 64, while those that are left read nearly all columns, those of noise too. It has made the network
# narrower; it has not selected columns, as the lasso does. A max-norm, which bounds the length of
# the weights that lead into a unit, makes no zeros, and is no penalty: within the bound a weight
# costs nothing.
#
# Zeros can also be made afterwards: ``prune`` takes the smallest weights away, without training
# again. How many a network can spare depends on how it was trained. Without a penalty many weights
# that do nothing together do much alone, and a fifth is the limit. After l2 it is four fifths, the
# small ones being really of no use. The l1 networks have the zeros already, and can spare more
# besides.

shares = np.linspace(0, 0.98, 15 if QUICK else 50)
styles = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
colours = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
for (name, one), line, colour in zip(fitted.items(), styles, colours, strict=True):
    r2 = [prune(one, share).score(X_test, y_test) for share in shares]
    panel.plot(shares, r2, linestyle=line, color=colour, label=name)
panel.set(xlabel="share of the weights set to zero after training", ylabel="R2 on new rows")
panel.set_ylim(-0.05, 1)
panel.legend(loc="lower left")
plt.show()
