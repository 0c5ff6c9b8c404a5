"""
Early stopping
==============

The California housing table has a column of text and one with gaps, so a ``ColumnTransformer``
prepares it: gaps are filled with the median and marked, numbers are standardised, and the text
becomes a column for each category, with one in common for those of fewer than 20 rows.

A part of the training rows is held out, the loss on it is taken after every epoch, and training
ends when that loss has not fallen for a while. The weights that are kept are those of the best
epoch, not of the last one.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.datasets import load_california_housing

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

epochs = np.arange(1, network.n_iter_ + 1)
best = network.best_iter_
figure, axes = plt.subplots(layout="constrained")
axes.plot(epochs, network.loss_curve_, label="training")
axes.plot(epochs, network.validation_loss_curve_, label="validation")
axes.axvline(best, color="black", linestyle="--", linewidth=1, label=f"best epoch, {best}")
axes.set(xlabel="epoch", ylabel="loss", yscale="log")
axes.legend()
plt.show()
