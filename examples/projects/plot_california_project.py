"""
A project from beginning to end
===============================

The seven steps of a project, on the block groups of the California census of 1990: frame the
question, acquire the data, look at them, prepare them, select and train models, tune the best, and
launch and monitor it.
"""

import os
import pickle
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor
from sklearn.impute import SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error
from sklearn.model_selection import KFold, RandomizedSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.datasets import load_california_housing
from sklearn_dnn.inspection import worst_mistakes

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

# %%
# 1. Frame the question
# ---------------------
# Wanted are median house values of block groups, in US dollars, from what the census knows of them:
# a regression, learnt once from a table. An error ten times as large is ten times as bad, not a
# hundred times, so the metric is the mean absolute error. Its target value is set before the first
# fit: 32000 dollars, less than a fifth of a value of 180000, which is a typical one.

TARGET = 32_000
SCORING = "neg_mean_absolute_error"

# %%
# 2. Acquire the data
# -------------------
# The test rows are put away at once, before anything is looked at. They are drawn at random: new
# blocks are to come from the same state and year.

table = load_california_housing()
if QUICK:
    table = table.sample(1500, random_state=0)
train, test = train_test_split(table, test_size=0.2, random_state=0)
print(f"{len(train)} rows to work with, {len(test)} put away")

# %%
# 3. Look at them
# ---------------

summary = train.describe().loc[["count", "min", "50%", "max"]].T
print(summary.round(1).to_string())
print(train["ocean_proximity"].value_counts().to_string())
missing = train.isna().sum()
print(f"missing values: {missing.sum()}, all in {list(missing.index[missing > 0])}")
print(f"values at the cap: {np.mean(train['median_house_value'] > 500_000):.3f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
places = left.scatter(
    train["longitude"], train["latitude"], s=2, c=train["median_house_value"] / 1e3, cmap="cividis"
)
left.set(xlabel="longitude", ylabel="latitude", aspect=1.2, title="where houses are dear")
figure.colorbar(places, ax=left, label="median value, 1000 dollars")
right.hist(train["median_house_value"] / 1e3, bins=50, color="#0072B2")
right.set(xlabel="median value, 1000 dollars", ylabel="block groups", title="the target")
plt.show()

# %%
# Values are high along the coast. They were cut off at 500000 dollars: no model can tell what lies
# above, and the rows stay in, as they will be in any table to come. Counts of rooms and people have
# long tails, one column is text, and one has missing values.

# %%
# 4. Prepare them
# ---------------
# All preparation is a part of the pipeline, so that each fold learns its own medians and
# categories, and new rows go the same way. Columns can be combined to better ones. Totals of a
# block say little, rooms and people for each household say more. And a place is not a sum of
# longitude and latitude: a hundred kilometres inland is another world, so the two become 200 waves
# of random direction and length, of which a model can build a map. ``gamma=20`` makes details of
# about 0.2 degrees.

NUMBERS = make_column_selector(dtype_include="number")
TEXT = make_column_selector(dtype_exclude="number")
PLACE = ["longitude", "latitude"]


def with_rates(table):
    """Add rates to the totals."""
    return table.assign(
        rooms_per_household=table["total_rooms"] / table["households"],
        bedrooms_per_room=table["total_bedrooms"] / table["total_rooms"],
        people_per_household=table["population"] / table["households"],
    )


def prepared(model, rates=True, waves=True):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    text = OneHotEncoder(min_frequency=20, handle_unknown="ignore", sparse_output=False)
    parts = [("numbers", numbers, NUMBERS), ("text", text, TEXT)]
    if waves:
        parts.append(("waves", RBFSampler(gamma=20, n_components=200, random_state=0), PLACE))
    first = [FunctionTransformer(with_rates)] if rates else []
    return make_pipeline(*first, ColumnTransformer(parts), model)


def network(**parameters):
    return MLPRegressor(
        (100, 100),
        loss="absolute_error",
        batch_size=100,
        learning_rate_init=0.01,
        schedule="linear",
        clip_norm=1.0,
        max_iter=3 if QUICK else 20,
        early_stopping=False,
        random_state=0,
        **parameters,
    )


# %%
# 5. Select and train
# -------------------
# A few models of different kinds with their usual settings, on the same folds, from a constant on.
# A part of the rows is enough for that.

X, y = train.drop(columns="median_house_value"), train["median_house_value"]
few = X.index[: 600 if QUICK else 4000]
folds = KFold(2 if QUICK else 3, shuffle=True, random_state=0)

trees = HistGradientBoostingRegressor(
    loss="absolute_error", max_iter=5 if QUICK else 200, random_state=0
)
models = {
    "ridge": RidgeCV(np.logspace(-2, 3, 11)),
    "boosted trees": trees,
    "network": network(),
}
preparations = {
    "as they are": {"rates": False, "waves": False},
    "rates": {"rates": True, "waves": False},
    "rates and waves": {"rates": True, "waves": True},
}


def errors_of(model):
    scores = cross_val_score(model, X.loc[few], y.loc[few], cv=folds, scoring=SCORING)
    return -scores


constant = errors_of(DummyRegressor(strategy="median")).mean()
errors = {}
print("mean absolute error over the folds, by columns")
print(f"median of all  {constant:8.0f}")
print(" " * 15 + "".join(f"{title:>18}" for title in preparations))
for name, model in models.items():
    for title, preparation in preparations.items():
        errors[name, title] = errors_of(prepared(model, **preparation))
    line = (errors[name, title] for title in preparations)
    print(f"{name:<15}" + "".join(f"{e.mean():10.0f} +- {e.std():4.0f}" for e in line))

# %%
# All are far ahead of the constant. Rates hardly help those that can make them for themselves. The
# waves are worth more than the choice of the model: with them ridge gains a sixth, and the network,
# which was behind the trees, is level with them. Differences of the size of the spread over the
# folds mean nothing.

# %%
# 6. Tune
# -------
# The rate first, with width and penalty, on the same part of the rows. Then the average of the
# tuned network and the trees, which err differently.

search = RandomizedSearchCV(
    prepared(network()),
    {
        "mlpregressor__learning_rate_init": loguniform(3e-3, 3e-2),
        "mlpregressor__hidden_layer_sizes": [(50, 50), (100, 100), (200, 200)],
        "mlpregressor__alpha": loguniform(1e-2, 10.0),
    },
    n_iter=2 if QUICK else 8,
    scoring=SCORING,
    cv=folds,
    random_state=0,
    refit=False,
)
search.fit(X.loc[few], y.loc[few])
for name, value in search.best_params_.items():
    print(f"{name.removeprefix('mlpregressor__'):<20} {value}")
tuned = prepared(network()).set_params(**search.best_params_)
average = VotingRegressor([("network", tuned), ("trees", prepared(trees))])
print(f"network, tuned       {-search.best_score_:8.0f}")
print(f"average with trees   {errors_of(average).mean():8.0f}")

# %%
# Tuning gained little, and the average is ahead of both of its members. In a search of a few
# candidates over 4000 rows the best is partly chance, so what it says is to be taken with caution,
# all the more that all choices have looked at the same folds.

# %%
# 7. Launch and monitor
# ---------------------
# The choice is made: the average. It learns from all rows but those put away, and these are used
# once. Whatever they say, nothing is changed after that, or the figure would be too good.

average.fit(X, y)
X_test, y_test = test.drop(columns="median_house_value"), test["median_house_value"]
error = mean_absolute_error(y_test, average.predict(X_test))
print(f"final test: mean absolute error {error:.0f}; wanted {TARGET}")
print(worst_mistakes(average, X_test, y_test, n=5).round(0).to_string())

with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "houses.pkl"
    file.write_bytes(pickle.dumps(average))
    served = pickle.loads(file.read_bytes())
    print(f"saved: {file.stat().st_size / 1e6:.1f} MB")
assert np.array_equal(served.predict(X_test), average.predict(X_test))

# %%
# The target is met. The error is below that of the folds, as four times as many rows were learnt.
# The worst mistakes are block groups at the cap, far above what all columns say: something that is
# not in the table makes them dear, or the table is wrong; look at them before the next round.

# %%
# A model ages: the world moves on, and the model does not. What comes in can be watched without
# knowing any house value: here, how far the mean of each column is from that of training, in
# standard deviations. The first batch is drawn from the test rows, the second holds the inland rows
# among them only, as if one county had begun to use the model.

numbers = X.select_dtypes("number")
mean, spread = numbers.mean(), numbers.std()
batches = {
    "as in training": X_test.sample(200, random_state=0),
    "inland only": X_test[X_test["ocean_proximity"] == "INLAND"].iloc[:200],
}
drift = pd.DataFrame(
    {name: (batch[numbers.columns].mean() - mean) / spread for name, batch in batches.items()}
)
for name, batch in batches.items():
    off = mean_absolute_error(y_test.loc[batch.index], served.predict(batch))
    level = y_test.loc[batch.index].median()
    print(f"{name:<16} mean absolute error {off:.0f}, median value {level:.0f}")

figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
places = np.arange(len(drift))
for shift, (name, colour) in zip(
    (-0.2, 0.2), (("as in training", "#0072B2"), ("inland only", "#D55E00")), strict=True
):
    axes.barh(places + shift, drift[name], height=0.4, color=colour, label=name)
axes.set_yticks(places, drift.index)
axes.invert_yaxis()
axes.axvline(0, color="black", linewidth=0.8)
axes.set_xlabel("shift of the mean, in standard deviations of the training rows")
axes.legend()
plt.show()

# %%
# A mean over 200 rows is off by about 0.07 by chance alone, and the first batch stays near that.
# The second moved by up to half a standard deviation. Its error in dollars is smaller, and yet it
# is worse off: houses there cost less, and an error of 22 % of the median value is more than one of
# 16 %. When true values come in, go on measuring the error; when it rises, learn again from newer
# rows.
