"""
Successive halving, going on
============================

Most candidates of a search are poor, and show it early. Successive halving gives all of them few
epochs, the best third three times as many, and so on. scikit-learn's classes begin each rung anew;
with ``continue_training=True`` the winners go on from where they are, so a rung costs only the
epochs that it adds. The networks of a rung are trained at once, as one stack.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import loguniform
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedKFold, train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.model_selection import HalvingRandomSearchCV

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests
BLUE, ORANGE = "#0072B2", "#D55E00"

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
network = MLPClassifier(
    (32,), optimizer="momentum", batch_size=50, tol=0.0, early_stopping=False, random_state=0
)
space = {"learning_rate_init": loguniform(1e-4, 3.0), "alpha": loguniform(1e-6, 1e-1)}


def halving(continue_training):
    return HalvingRandomSearchCV(
        network,
        space,
        resource="max_iter",
        n_candidates=9 if QUICK else 27,
        min_resources=1 if QUICK else 2,
        max_resources=9 if QUICK else 54,
        factor=3,
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        continue_training=continue_training,
        random_state=0,
    ).fit(X_train, y_train)


going_on, anew = halving(True), halving(False)
before = np.array([0, *going_on.n_resources_[:-1]])
added = np.array(going_on.n_resources_) - before
for search, epochs, how in (
    (going_on, added, "going on"),
    (anew, np.array(anew.n_resources_), "anew"),
):
    spent = int((epochs * np.array(search.n_candidates_)).sum())
    print(f"{how:<9} {spent:4d} epochs a fold, best {search.best_score_:.3f}")
difference = going_on.cv_results_["mean_test_score"] - anew.cv_results_["mean_test_score"]
print(f"largest difference of a score: {np.abs(difference).max():.4f}")
print(f"accuracy on unseen rows:       {going_on.score(X_test, y_test):.3f}")

# %%
# The rate is constant here, so a network that goes on is the network that was trained in one go,
# and the scores agree. A schedule that ends at nothing, such as ``"linear"``, knows how long a fit
# will be: then a network that goes on has slowed down once already, and scores differ.

# %%
# The rungs
# ---------
# Each point is a candidate, each line leads on to the next rung. The rate decides: what comes
# through lies near the top of the hill that the first two epochs show already.

results = going_on.cv_results_
rates = results["param_learning_rate_init"].astype(float)
figure, (left, right) = plt.subplots(1, 2, sharey=True, figsize=(8, 3.5), layout="constrained")
for rate in np.unique(rates):
    (rows,) = np.nonzero(rates == rate)
    last = len(rows) == len(going_on.n_resources_)
    left.plot(
        results["n_resources"][rows],
        results["mean_test_score"][rows],
        "o-",
        color=ORANGE if last else "0.6",
        zorder=3 if last else 2,
    )
left.set(xscale="log", xlabel="epochs (max_iter)", ylabel="accuracy over the folds")
left.set_xticks(going_on.n_resources_, going_on.n_resources_)
left.minorticks_off()
for rung, n_epochs in enumerate(going_on.n_resources_):
    (rows,) = np.nonzero(results["iter"] == rung)
    right.plot(
        rates[rows],
        results["mean_test_score"][rows],
        "o",
        color=BLUE,
        alpha=(rung + 1) / len(going_on.n_resources_),
        label=f"{len(rows)} candidates, {n_epochs} epochs",
    )
right.set(xscale="log", xlabel="learning_rate_init")
right.legend(fontsize="small")
plt.show()
