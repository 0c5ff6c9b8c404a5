"""
Losses for outliers, skew and bands
===================================

A loss says which number stands for a row's target. The squared error wants the mean, the absolute
error the median, a quantile loss any other quantile, and the losses of Poisson, gamma and
Tweedie the mean of targets that are not negative and more scattered where they are larger. Huber's
and log-cosh are the squared error for small errors and the absolute one for large.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import HuberRegressor

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import Huber, Quantile

QUICK = "SKLEARN_DNN_QUICK" in os.environ
N_EPOCHS = 10 if QUICK else 150
grid = np.linspace(-3, 3, 301)


def fit(loss, x, y, units=(50, 50)):
    network = MLPRegressor(
        units, loss=loss, alpha=0.01, batch_size=50, learning_rate_init=0.005, schedule="cosine",
        max_iter=N_EPOCHS, n_iter_no_change=np.inf, random_state=0,
    )  # fmt: skip
    return network.fit(x[:, None], y)


# %%
# Outliers
# --------
#
# A curve with noise of deviation 0.3, and 7 % of the targets, all of them on the right, far too
# high. ``delta`` and all such numbers are in deviations of the target, since the
# network sees standardised targets, and here the outliers have made the deviation large, 4:
# Huber's default of 1 takes much of what is wrong for small.

rng = np.random.default_rng(0)


def middle(x):
    return 2 * np.sin(x) + 0.5 * x


x = rng.uniform(-3, 3, 400)
y = middle(x) + 0.3 * rng.normal(size=400)
outlier = (rng.random(400) < 0.1) & (x > 0)
y[outlier] += rng.uniform(8, 15, outlier.sum())
losses = {
    "squared_error": "squared_error",
    "log_cosh": "log_cosh",
    "huber, delta 1": "huber",
    "huber, delta 0.2": Huber(delta=0.2),
    "absolute_error": "absolute_error",
}
curves = {}
print(f"{outlier.mean():.1%} outliers; deviation of the targets {y.std():.2f}")
print("root of the mean squared distance from the curve")
for name, loss in losses.items():
    curves[name] = fit(loss, x, y).predict(grid[:, None])
    print(f"  {name:<17} {np.sqrt(np.mean((curves[name] - middle(grid)) ** 2)):.3f}")

# %%
# Outliers draw the squared error up to the mean of what is there. The absolute error hardly
# sees them, nor does Huber's with a small ``delta``.

styles = ("-", "--", "-.", (0, (1, 1)), "-")
colours = ("#D55E00", "#E69F00", "#CC79A7", "#009E73", "#0072B2")
figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
panel.plot(x, y, ".", color="0.7", markersize=3)
panel.plot(grid, middle(grid), color="black", linestyle=":", label="without noise")
for (name, curve), line, colour in zip(curves.items(), styles, colours, strict=True):
    panel.plot(grid, curve, color=colour, linestyle=line, label=name)
panel.set(xlabel="x", ylabel="y")
panel.legend(loc="upper left")
plt.show()

# %%
# scikit-learn's ``HuberRegressor`` has the same loss for a linear model, but finds its unit, the
# deviation without the outliers, by itself. With that in ``delta``, and no hidden layer, the
# network is the same model.

rival = HuberRegressor(alpha=0.0).fit(x[:, None], y)
delta = rival.epsilon * rival.scale_ / y.std()
same = MLPRegressor((), loss=Huber(delta), alpha=0.0, optimizer="lbfgs", random_state=0)
same.fit(x[:, None], y)
low, high = same.predict([[0.0], [1.0]])
print(f"HuberRegressor         {rival.coef_[0]:.3f} x + {rival.intercept_:.3f}")
print(f"network, delta {delta:.3f}   {high - low:.3f} x + {low:.3f}")

# %%
# Skew
# ----
#
# Three kinds of target with the same mean, a curve between 0.7 and 3.7: gamma (positive and
# skewed), counts, and sums of a random number of gamma variables, of which many are exactly 0, such
# as claims. With each, the error of the mean that its own loss finds and that of the squared error.


def mean(x):
    return np.exp(0.8 * np.sin(1.5 * x) + 0.5)


N_EPOCHS = 5 if QUICK else 40
x = rng.uniform(-3, 3, 2000)
number = rng.poisson(mean(x) / 2)
targets = {
    "gamma": rng.gamma(2.0, mean(x) / 2),
    "poisson": rng.poisson(mean(x)).astype(float),
    "tweedie": np.where(number > 0, rng.gamma(np.maximum(2.0 * number, 1)), 0.0),
}
print("                error of the mean, in percent of it")
means = {}
for name, y in targets.items():
    for loss in dict.fromkeys((name, "squared_error", *["absolute_error"] * (name == "gamma"))):
        means[name, loss] = fit(loss, x, y).predict(grid[:, None])
        error = np.sqrt(np.mean((means[name, loss] / mean(grid) - 1) ** 2))
        print(f"{name:<10} {loss:<16} {100 * error:5.1f}")

# %%
# The mean is what all but the absolute error are after, and each loss that knows how the scatter
# grows with the mean comes nearer to it than the squared error does. The absolute error finds the
# median, which is below the mean of targets with such a skew: it answers another question.
#
# Bands
# -----
#
# Quantiles of several levels in one network: they can't cross, since each is the one below
# it and something positive. Then the band of ``loss="gaussian"``, a mean and a deviation, of
# which 80 % should lie within 1.28 deviations. It is symmetric, and the gamma targets are not.

y = targets["gamma"]
y_new = rng.gamma(2.0, mean(x) / 2)
quantile = fit(Quantile((0.1, 0.5, 0.9)), x, y)
gaussian = fit("gaussian", x, y)


def bounds(model, x):
    """Lower bound, middle and upper bound of a band that should hold 80 % of the rows."""
    if model is quantile:
        return model.predict_quantiles(x[:, None]).T
    middle, deviation = model.predict(x[:, None], return_std=True)
    return middle - 1.2816 * deviation, middle, middle + 1.2816 * deviation


print("share of new rows     below   within   above the band")
figure, panels = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for panel, (name, model) in zip(
    panels, {"quantiles": quantile, "gaussian": gaussian}.items(), strict=True
):
    low, _, high = bounds(model, x)
    below, above = np.mean(y_new < low), np.mean(y_new > high)
    print(f"{name:<20} {below:6.3f} {1 - below - above:8.3f} {above:7.3f}")
    low, center, high = bounds(model, grid)
    panel.plot(x, y, ".", color="0.7", markersize=2)
    panel.fill_between(grid, low, high, color="#0072B2", alpha=0.3, label="band of 80 %")
    middle_name = "median" if model is quantile else "mean"
    panel.plot(grid, center, color="#0072B2", label=middle_name)
    panel.set(title=name, xlabel="x", ylim=(-2, 12))
    panel.legend(loc="upper left")
panels[0].set_ylabel("y")
plt.show()

crossed = np.diff(quantile.predict_quantiles(grid[:, None]), axis=1) <= 0
print(f"points where quantiles cross: {crossed.sum()}")

# %%
# The quantiles miss about a tenth on either side, as they should. The gaussian band holds more than
# 80 %, and what it misses lies mostly above it: a symmetric band begins too low for such targets.
