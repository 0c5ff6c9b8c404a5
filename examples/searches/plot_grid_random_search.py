"""
Grid, random and staged search
==============================

How good a network is depends much on a few hyperparameters and hardly on the others, and nobody
knows beforehand on which. A grid of three rates and three penalties costs nine fits and tries three
rates; nine random draws cost the same and try nine rates. Here is the race, and then three ways on
from there: in stages, over a whole space, and by successive halving.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.model_selection import GridSearchCV, HalvingRandomSearchCV, RandomizedSearchCV
from sklearn_dnn.presets import param_distributions

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"

X, y = load_digits(return_X_y=True)
if QUICK:
    X, y = X[:500], y[:500]
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
folds = StratifiedKFold(3, shuffle=True, random_state=0)
network = MLPClassifier((50,), batch_size=50, schedule="linear", max_iter=12, random_state=0)

# %%
# Grid against random
# -------------------
# The learning rate is drawn evenly in its logarithm, from 1e-5 to 1e-1: it is a factor on a step,
# so what counts is its order of magnitude. The second is the penalty ``alpha``, within a range
# where it hardly matters.

BUDGET = 9
RATES, PENALTIES = (1e-5, 1e-1), (1e-7, 1e-3)

grid = GridSearchCV(
    network,
    {"learning_rate_init": np.geomspace(*RATES, 3), "alpha": np.geomspace(*PENALTIES, 3)},
    cv=folds,
).fit(X_train, y_train)

# One search of nine draws may be lucky, so there are several.
n_searches = 1 if QUICK else 10
draws = RandomizedSearchCV(
    network,
    {"learning_rate_init": loguniform(*RATES), "alpha": loguniform(*PENALTIES)},
    n_iter=n_searches * BUDGET,
    cv=folds,
    random_state=0,
).fit(X_train, y_train)
bests = draws.cv_results_["mean_test_score"].reshape(n_searches, BUDGET).max(axis=1)

print(f"best of the grid of {BUDGET}:       {grid.best_score_:.3f}")
print(f"best of {BUDGET} draws, median:     {np.median(bests):.3f}  ({n_searches} searches)")
ahead = np.mean(draws.cv_results_["mean_test_score"] > grid.best_score_)
print(f"single draws ahead of it:   {ahead:.2f}")
print(f"searches ahead of the grid: {np.sum(bests > grid.best_score_)} of {n_searches}")


def column(search, name):
    return search.cv_results_[f"param_{name}"].astype(float)


figure, panels = plt.subplots(
    2, 2, sharex=True, sharey="row", figsize=(7, 5.5), layout="constrained"
)
for (top, bottom), search, title, colour in zip(
    panels.T, (grid, draws), ("grid", "random"), (BLUE, ORANGE), strict=True
):
    rates = column(search, "learning_rate_init")[:BUDGET]
    top.plot(rates, search.cv_results_["mean_test_score"][:BUDGET], "o", color=colour)
    bottom.plot(rates, column(search, "alpha")[:BUDGET], "o", color=colour)
    top.set(title=f"{title}: {len(np.unique(rates))} rates in {BUDGET} fits", xscale="log")
    top.set_ylim(0, 1.05)
    bottom.set(xlabel="learning_rate_init", yscale="log")
panels[0, 0].set_ylabel("accuracy over the folds")
panels[1, 0].set_ylabel("alpha")
plt.show()

# %%
# The three columns of the grid have three points each, which lie on top of each other above: two
# thirds of its fits taught nothing. The best rates lie between two of its columns. About one draw
# in four is better than the best of the grid, so nine draws all miss with a chance of 0.75^9, about
# 8 %: random search is better on the average, not always.

# %%
# In stages
# ---------
# One thing at a time, in the order of what matters most: the rate, then the optimizer, then the
# architecture. Each optimizer has a rate of its own, so the second stage tries three for each. All
# choices look at the folds of the training rows only.


def stage(title, estimator, grid):
    search = GridSearchCV(estimator, grid, cv=folds).fit(X_train, y_train)
    chosen = ", ".join(f"{name}={value}" for name, value in search.best_params_.items())
    print(f"{title:<13} {len(search.cv_results_['params']):3d} fits  {search.best_score_:.3f}")
    print(f"    {chosen}")
    return search.best_estimator_


rates = np.geomspace(1e-4, 1e-1, 3 if QUICK else 7).round(5)
rated = stage("rate", network, {"learning_rate_init": rates})
near = (rated.learning_rate_init * np.array([0.3, 1.0, 3.0])).round(5)
optimized = stage(
    "optimizer",
    rated,
    [
        {
            "optimizer": ["adam"] if QUICK else ["adam", "nadam"],
            "learning_rate_init": near[1:2] if QUICK else near,
        },
        # Without an own length for each weight, steps need a greater rate.
        {"optimizer": ["momentum"], "learning_rate_init": [0.03] if QUICK else [0.01, 0.03, 0.1]},
    ],
)
built = stage(
    "architecture",
    optimized,
    {
        "hidden_layer_sizes": [(50,), (50, 50)] if QUICK else [(50,), (150,), (50, 50), (150, 150)],
        "activation": ["relu"] if QUICK else ["relu", "elu"],
    },
)

# %%
# The rate decides between nothing and nearly everything. The other two stages are worth a few
# thousandths at most on this easy table, less than chance makes of it.

# %%
# A whole space, and successive halving
# -------------------------------------
# ``presets.param_distributions`` is a space whose hyperparameters hang together: rate, batch size,
# momentum, penalty, depth and width. It is wide, so many candidates are poor. Successive halving
# does not train them to the end: all get few epochs (``resource="max_iter"``), the best third gets
# three times as many, and so on. A slow learner can be thrown out that way; the linear schedule,
# which ends at a rate of nothing in every round, makes short runs better heralds of long ones.

halving = HalvingRandomSearchCV(
    MLPClassifier(schedule="linear", random_state=0),
    param_distributions("small"),
    resource="max_iter",
    n_candidates=3 if QUICK else 27,
    min_resources=2,
    max_resources=6 if QUICK else 54,
    factor=3,
    cv=folds,
    random_state=0,
).fit(X_train, y_train)

results = halving.cv_results_
for n_epochs, n_candidates in zip(halving.n_resources_, halving.n_candidates_, strict=True):
    best = results["mean_test_score"][results["n_resources"] == n_epochs].max()
    print(f"{n_candidates:3d} candidates of {n_epochs:2d} epochs: best {best:.3f}")
spent = int((halving.n_resources_ * np.array(halving.n_candidates_)).sum())
full = max(halving.n_resources_) * halving.n_candidates_[0]
print(f"epochs spent: {spent} of the {full} that all candidates to the end would take")

# %%
# Each line is a candidate; those that end early were thrown out. With the choices made, the rows
# that took no part in them are used once.

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
known = [str(params | {"max_iter": None}) for params in results["params"]]
for name in set(known):
    rows = [i for i, other in enumerate(known) if other == name]
    lasted = len(rows) == len(halving.n_resources_)
    axes.plot(
        results["n_resources"][rows],
        results["mean_test_score"][rows],
        "o-",
        color=GREEN if lasted else "0.6",
        linewidth=2 if lasted else 1,
        zorder=3 if lasted else 2,
    )
axes.set(xscale="log", xlabel="epochs (max_iter)", ylabel="accuracy over the folds")
axes.set_xticks(halving.n_resources_, halving.n_resources_)
axes.minorticks_off()
axes.set_title("successive halving: the candidate that came through in green", fontsize="medium")
plt.show()

for name, model in {"network as it was": network, "staged": built, "halving": halving}.items():
    fitted = model if hasattr(model, "classes_") else model.fit(X_train, y_train)
    print(f"accuracy on unseen rows, {name:<18} {fitted.score(X_test, y_test):.3f}")
