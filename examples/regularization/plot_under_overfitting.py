"""
Too little and too much
=======================

Eight noisy points of a parabola. A line cannot bend: it underfits. A polynomial of degree 4 has two
terms more than are needed, and with eight rows it spends them on the noise: it overfits. There are
two ways out, fewer terms or a penalty, and the second works without knowing the answer. The same
holds for networks, whose terms are units; dropout is one more way.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.inspection import diagnose

QUICK = "SKLEARN_DNN_QUICK" in os.environ
N_DRAWS = 1 if QUICK else 5
NOISE = 0.15


def polynomial(degree, model):
    return make_pipeline(PolynomialFeatures(degree, include_bias=False), StandardScaler(), model)


def network(*units, **parameters):
    return MLPRegressor(
        units, activation="tanh", alpha=parameters.pop("alpha", 0.0), **parameters,
        learning_rate_init=0.01, schedule="cosine", max_iter=100 if QUICK else 1000,
        n_iter_no_change=np.inf, random_state=0,
    )  # fmt: skip


def draw(seed, n_rows=8):
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, n_rows)
    return x[:, None], x**2 + NOISE * rng.normal(size=n_rows)


grid = np.linspace(-1, 1, 1000)
X_new = grid[:, None]
y_new = grid**2 + NOISE * np.random.default_rng(100).normal(size=len(grid))

models = {
    "polynomial, degree 1": polynomial(1, LinearRegression()),
    "polynomial, degree 2": polynomial(2, LinearRegression()),
    "polynomial, degree 4": polynomial(4, LinearRegression()),
    "degree 4, ridge": polynomial(4, Ridge(0.3)),
    "network, linear": network(),
    "network, 1 unit": network(1),
    "network, 3 units": network(3),
    "network, 10 units": network(10),
    "network, 100 units": network(100),
    "network, 100 + 100": network(100, 100),
    "100 + 100, l2": network(100, 100, alpha=0.3),
    "100 + 100, dropout": network(100, 100, dropout=0.3),
}

# %%
# Capacity
# --------
#
# R2 on the eight rows and on new ones, as means over several draws of the eight rows. As many new
# rows as one likes can be made here, and the noise keeps R2 on them at 0.8 even for the parabola
# itself.

best = 1 - NOISE**2 / y_new.var()
print(f"the parabola itself     new rows {best:6.3f}\n")
print("model                  numbers   own rows   new rows")
fits, scores = {}, {}
for name, model in models.items():
    fits[name] = [(clone(model).fit(*draw(seed)), *draw(seed)) for seed in range(N_DRAWS)]
    scores[name] = np.array([(m.score(X, y), m.score(X_new, y_new)) for m, X, y in fits[name]])
    first = fits[name][0][0]
    numbers = first[-1].n_features_in_ + 1 if hasattr(first, "steps") else first.n_parameters_
    own, new = scores[name].mean(axis=0)
    print(f"{name:<22} {numbers:7d} {own:10.3f} {new:10.3f}")

# %%
# With more numbers a model fits its own rows better, by and large. On new rows it gets better and
# then worse again: for polynomials beyond degree 2, and for networks with the second layer, though
# 10401 numbers for eight rows do less harm than one might fear. Penalties fit the own rows less
# well and new ones better. So does dropout, which helps less here.

steps = [name for name in models if name.startswith("network")]
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for column, (label, marker, line, colour) in enumerate(
    (("own rows", "o", "-", "#0072B2"), ("new rows", "s", "--", "#D55E00"))
):
    means = [scores[name][:, column].mean() for name in steps]
    left.plot(range(len(steps)), means, marker=marker, linestyle=line, color=colour, label=label)
left.axhline(best, color="black", linestyle=":", label="the parabola, new rows")
left.set_xticks(range(len(steps)), ["linear", "1", "3", "10", "100", "100 + 100"])
left.set(xlabel="units of the network", ylabel="mean R2", ylim=(-0.5, 1.05))
left.legend(loc="lower right")

X, y = draw(0)
lines = {
    "polynomial, degree 4": ("-", "#CC79A7"),
    "network, 1 unit": ("-.", "#D55E00"),
    "network, 100 + 100": ("--", "#0072B2"),
    "100 + 100, l2": ("-", "#009E73"),
}
right.plot(grid, grid**2, color="black", linestyle=":", label="the parabola")
for name, (line, colour) in lines.items():
    curve = fits[name][0][0].predict(X_new)
    right.plot(grid, curve, linestyle=line, color=colour, label=name)
right.plot(X[:, 0], y, "o", color="black", label="first draw")
right.set(xlabel="x", ylabel="y", ylim=(-0.5, 1.5))
right.legend(fontsize="small", loc="upper center")
plt.show()

# %%
# What to do
# ----------
#
# ``diagnose`` reads this from two scores. By itself it asks for half of the way from a constant
# prediction to an R2 of 1, and for a gap of no more than a tenth of that way. Between eight rows
# and new ones the gap is wide for most models, and the advice is right: with eight rows, more data
# help more than any penalty.

for name in ("network, linear", "network, 100 + 100"):
    model, X, y = fits[name][0]
    print(f"\n{name}\n{diagnose(model, X, y, X_new, y_new)}")

X, y = draw(0, n_rows=80)
model = network(100, 100, alpha=0.3).fit(X, y)
print(f"\n100 + 100, l2, 80 rows\n{diagnose(model, X, y, X_new, y_new)}")
