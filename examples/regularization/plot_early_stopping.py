"""
Early stopping
==============

The California housing table has a column of text and one with missing values, so a
``ColumnTransformer`` prepares it: missing values are filled with the median and marked, numbers are
standardised, and the text becomes a column for each category, with one in common for those of fewer
than 20 rows.

A part of the training rows is held out, the loss on it is taken after every epoch, and training
ends when that loss has not fallen for a while. The weights that are kept are those of the best
epoch, not of the last one.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import EarlyStopping
from sklearn_dnn.datasets import load_california_housing
from sklearn_dnn.inspection import TrainingCurvesDisplay

QUICK = "SKLEARN_DNN_QUICK" in os.environ

X, y = load_california_housing(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=4000, random_state=0)

prepare = make_column_transformer(
    (
        make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()),
        make_column_selector(dtype_include="number"),
    ),
    (
        OneHotEncoder(min_frequency=20, handle_unknown="ignore", sparse_output=False),
        make_column_selector(dtype_exclude="number"),
    ),
)
network = MLPRegressor(
    (100, 100),
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=20,
    clip_norm=1.0,
    random_state=0,
)
model = make_pipeline(prepare, network).fit(X_train, y_train)

print(f"epochs done: {network.n_iter_}, best epoch: {network.best_iter_}")
print(f"why it ended: {network.end_reason_}")
print(f"R2 on {len(X_test)} rows not used: {model.score(X_test, y_test):.3f}")

# %%
# The training loss goes on falling where the validation loss no longer does: from there on the
# network learns its training rows by heart. Losses are in units of the standardised target, and
# the training loss contains the penalty ``alpha``.

figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
TrainingCurvesDisplay.from_estimator(network, ax=panel)
panel.set(yscale="log")
plt.show()

# %%
# Rules of one's own
# ------------------
#
# ``EarlyStopping`` is the component behind ``early_stopping=True``. What it watches is the
# ``monitor``, the loss or a score; here R2, so that the numbers mean the same for all models.
#
# ``patience``
#     How many epochs in a row may fail to be the best.
# ``target``
#     A score that is good enough.
# ``baseline``
#     A score that has to be beaten soon, such as that of a ridge regression on the same rows. It
#     ends a fit that leads nowhere.
# ``refit``
#     Once the best number of epochs is known, train a new network for so many on all rows, those
#     held out too (I. Goodfellow, Y. Bengio and A. Courville, "Deep learning", 2016, algorithm
#     7.2).
#
# ``validation_fraction`` takes a splitter of scikit-learn, so that ridge is judged on the rows
# that the network holds out.

Z_train, Z_test = prepare.fit_transform(X_train), prepare.transform(X_test)
split = ShuffleSplit(1, test_size=0.2, random_state=0)
rows, held_out = next(split.split(Z_train))
y_rows, y_held_out = y_train.iloc[rows], y_train.iloc[held_out]
ridge = RidgeCV(np.logspace(-2, 3, 11)).fit(Z_train[rows], y_rows)
baseline = ridge.score(Z_train[held_out], y_held_out)
print(f"ridge: R2 {baseline:.3f} on the rows held out")

watched = MLPRegressor(
    (100, 100),
    monitor="r2",
    validation_fraction=split,
    clip_norm=1.0,
    max_iter=30 if QUICK else 400,
    random_state=0,
)
rules = {
    "patience 0": EarlyStopping(patience=0),
    "patience 5": EarlyStopping(patience=5),
    "patience 20": EarlyStopping(patience=20),
    "patience 60": EarlyStopping(patience=60),
    "target 0.65": EarlyStopping(patience=20, target=0.65),
    "refit": EarlyStopping(patience=20, refit=True),
    "baseline": EarlyStopping(patience=20, baseline=baseline, baseline_patience=15),
    "baseline, rate 1e-5": EarlyStopping(patience=20, baseline=baseline, baseline_patience=15),
}
print("rule                  epochs   best   why it ended   R2 held out   R2 new rows")
stopped = {}
for name, rule in list(rules.items())[:: 3 if QUICK else 1]:
    rate = 1e-5 if "rate" in name else 0.001
    stopped[name] = clone(watched).set_params(early_stopping=rule, learning_rate_init=rate)
    fit = stopped[name].fit(Z_train, y_train)
    print(
        f"{name:<20} {fit.n_iter_:7d} {fit.best_iter_:6d}   {fit.end_reason_:<13} "
        f"{fit.best_validation_score_:11.3f} {fit.score(Z_test, y_test):13.3f}"
    )

# %%
# All these fits but the last go the same way, and leave it at different places. With no patience
# that is at the first bad epoch. With much they go on for as long as there is a new best epoch now
# and then, and this may be one that suits the rows held out better than others: from a patience of
# 20 to one of 60 that score rises, and the one on new rows falls. The score of the best epoch is
# flattering, as it is the best of many, and no estimate of what comes. Training again on all rows
# has paid here. The baseline has ended the fit whose rate is far too small after 16 epochs, and has
# let the other alone.

longest = stopped["patience 60"]
figure, panel = plt.subplots(figsize=(7, 4.2), layout="constrained")
epochs = np.arange(1, longest.n_iter_ + 1)
panel.plot(epochs, longest.validation_scores_, color="#E69F00", label="R2 on the rows held out")
panel.axhline(baseline, color="black", linestyle=":", label="ridge")
for (name, fit), marker in zip(
    [item for item in stopped.items() if item[0].startswith("patience")], "osD^", strict=False
):
    panel.plot(
        fit.best_iter_, fit.best_validation_score_, marker, color="#0072B2", markersize=8,
        label=f"best epoch, {name}",
    )  # fmt: skip
panel.set(xlabel="epoch", ylabel="R2", ylim=(0.3, 0.8))
panel.legend(loc="lower right")
plt.show()
