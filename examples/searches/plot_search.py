"""
A search over nested parameters
===============================

A random search over the learning rate, the momentum and the width of the hidden layers. The
momentum belongs to the optimizer and the width to the architecture, so both are given as objects,
``SGD()`` and ``Rectangular()``; their parameters then have the names ``optimizer__momentum`` and
``hidden_layer_sizes__width``. The searches of ``sklearn_dnn.model_selection`` are scikit-learn's,
but train the networks of all candidates and folds at once, as stacks.
"""

import os
import time

import matplotlib.pyplot as plt
from scipy.stats import loguniform, randint, uniform
from sklearn import model_selection
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import SGD, Rectangular
from sklearn_dnn.model_selection import RandomizedSearchCV

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

network = MLPClassifier(
    hidden_layer_sizes=Rectangular(depth=1),
    optimizer=SGD(),
    batch_size=50,
    schedule="linear",
    max_iter=15,
    random_state=0,
)
search = RandomizedSearchCV(
    make_pipeline(StandardScaler(), network),
    {
        "mlpclassifier__learning_rate_init": loguniform(1e-3, 3.0),
        "mlpclassifier__optimizer__momentum": uniform(0.0, 0.95),
        "mlpclassifier__hidden_layer_sizes__width": randint(10, 101),
    },
    n_iter=5 if QUICK else 25,
    cv=StratifiedKFold(3, shuffle=True, random_state=0),
    random_state=0,
)
search.fit(X_train, y_train)

for name, value in search.best_params_.items():
    print(f"{name.removeprefix('mlpclassifier__'):<26} {value:.3g}")
print(f"accuracy over the folds    {search.best_score_:.3f}")
print(f"accuracy on unseen rows    {search.score(X_test, y_test):.3f}")

# %%
# Fifteen epochs are few: small rates have not arrived by then, unless momentum makes their steps
# longer, by up to ``1 / (1 - momentum)``. Over a wide range of larger rates the score hardly
# depends on the rate, and which of them came out best is partly chance. The linear schedule ends
# at a rate of nearly nothing, so there is no warning that fits still improved when they ended.

rates = search.cv_results_["param_mlpclassifier__learning_rate_init"].astype(float)
momenta = search.cv_results_["param_mlpclassifier__optimizer__momentum"].astype(float)
figure, axes = plt.subplots(layout="constrained")
points = axes.scatter(rates, search.cv_results_["mean_test_score"], c=momenta, cmap="cividis")
axes.set(xscale="log", xlabel="learning_rate_init", ylabel="mean accuracy over the folds")
figure.colorbar(points, label="momentum")
plt.show()

# %%
# Stacks, and fits one by one
# ---------------------------
# Networks of one shape that differ in numbers only are members of one stack: here the rate and
# the penalty ``alpha`` are drawn, and all networks have 32 units. The same search with
# scikit-learn's class, which calls ``fit`` for each, gives the same scores and takes longer.

small = network.set_params(hidden_layer_sizes=(32,))
space = {"learning_rate_init": loguniform(1e-3, 3.0), "alpha": loguniform(1e-6, 1e-1)}
found = {}
for name, cls in {
    "stacks": RandomizedSearchCV,
    "one by one": model_selection.RandomizedSearchCV,
}.items():
    start = time.perf_counter()
    found[name] = cls(
        small, space, n_iter=4 if QUICK else 16, cv=3, random_state=0, refit=False
    ).fit(X_train / 16, y_train)
    print(f"{name:<11} {time.perf_counter() - start:6.1f} s")
results = found["stacks"].cv_results_
others = found["one by one"].cv_results_["mean_test_score"]
print(f"largest difference of scores: {abs(results['mean_test_score'] - others).max():.4f}")

# %%
# Against the rate the scores rise to a plateau: smaller ones have not arrived after fifteen epochs.
# Against the penalty there is nothing to see but the rate, which the colours tell.

figure, axes = plt.subplots(1, 2, sharey=True, figsize=(8, 3.5), layout="constrained")
for panel, name, other in zip(axes, space, reversed(space), strict=True):
    points = panel.scatter(
        results[f"param_{name}"].astype(float),
        results["mean_test_score"],
        c=results[f"param_{other}"].astype(float),
        norm="log",
        cmap="cividis",
    )
    panel.set(xscale="log", xlabel=name)
    figure.colorbar(points, label=other)
axes[0].set_ylabel("mean accuracy over the folds")
plt.show()
