"""
A raw table, straight in
========================

A network with its defaults takes a data frame as it is: text, missing values, numbers of any scale.
It trains eight networks at once, each of which holds out another eighth of the rows to keep its
best epoch by, and a classifier fits one temperature by the held-out rows, so that its probabilities
can be taken at their word. Here are the block groups of the California housing table: which of them
are dearer than 250000 dollars?
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import permutation_importance
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.datasets import load_california_housing

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

table = load_california_housing().sample(1000 if QUICK else 12000, random_state=0)
X, y = table.drop(columns="median_house_value"), table["median_house_value"] > 250_000
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
print(X_train.dtypes.to_string())
print(f"missing values: {X_train.isna().sum().sum()}; dear: {y_train.mean():.2f} of the rows")

# %%
# Fit
# ---
# Nothing is prepared. ``spec_`` tells what was chosen, and ``members_`` how each network trained.

epochs = {"max_iter": 5} if QUICK else {}
network = MLPClassifier(random_state=0, **epochs).fit(X_train, y_train)
chosen = network.spec_
print(f"{chosen['n_members']} networks of {chosen['hidden_layer_sizes']} units")
print(f"best epochs: {[member['best_iter'] for member in network.members_]}")
print(f"temperature: {network.temperature_:.2f}")

# %%
# As sure as they are right
# -------------------------
# The log loss pays for each probability. Boosted trees take the same frame, once its text is
# marked as categories.


def with_categories(frame):
    return frame.astype({"ocean_proximity": "category"})


trees = HistGradientBoostingClassifier(random_state=0)
trees.fit(with_categories(X_train), y_train)
alone = MLPClassifier(n_members=1, calibration=None, random_state=0, **epochs)
alone.fit(X_train, y_train)
answers = {
    "the defaults": network.predict_proba(X_test)[:, 1],
    "one network, as it comes": alone.predict_proba(X_test)[:, 1],
    "boosted trees": trees.predict_proba(with_categories(X_test))[:, 1],
}
for name, p in answers.items():
    print(
        f"{name:25} log loss {log_loss(y_test, p):.3f}, right {accuracy_score(y_test, p > 0.5):.3f}"
    )

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
left.axline((0, 0), slope=1, color="0.7", linewidth=1)
for (name, p), color, mark in zip(
    answers.items(), ["#0072B2", "#E69F00", "#009E73"], "os^", strict=True
):
    share, mean = calibration_curve(y_test, p, n_bins=8, strategy="quantile")
    left.plot(mean, share, color=color, marker=mark, label=name)
left.set(xlabel="probability, mean of a bin", ylabel="share that is dear", aspect="equal")
left.legend()

# %%
# What it reads
# -------------
# Columns of the frame can be shuffled one at a time, text included.

importance = permutation_importance(
    network, X_test, y_test, scoring="neg_log_loss", n_repeats=2 if QUICK else 5, random_state=0
)
order = np.argsort(importance.importances_mean)
right.barh(
    X.columns[order],
    importance.importances_mean[order],
    xerr=importance.importances_std[order],
    color="#0072B2",
)
right.set(xlabel="rise of the log loss when shuffled")
plt.show()

# %%
# New rows
# --------
# Whole numbers may stand for floats, and a level that training never saw counts as rare. Columns in
# another order are refused, as scikit-learn's estimators do.

new = X_test.head(2).assign(ocean_proximity=["RIVER", None], median_income=[4, 5])
print(network.predict_proba(new).round(2))
