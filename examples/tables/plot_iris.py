"""
Iris, and a caution
===================

Fisher's 150 irises are a favourite first example, and one that says little about networks: the
classes are nearly linear, and the table is so small that chance decides on single rows. Here a
logistic regression and small networks are judged on the same stratified folds, over and over, by
two scores: accuracy, and the log loss, which also asks how sure the model was.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import EarlyStopping
from sklearn_dnn.inspection import TrainingCurvesDisplay

QUICK = "SKLEARN_DNN_QUICK" in os.environ
N_REPEATS = 1 if QUICK else 10


def network(n_epochs):
    return MLPClassifier(
        (16,), learning_rate_init=0.01, batch_size=16, max_iter=n_epochs, tol=0.0, random_state=0
    )


X, y = load_iris(return_X_y=True)
models = {
    "logistic regression": LogisticRegression(C=10.0),
    "network, 20 epochs": network(20),
    "network, 200 epochs": network(200),
}
folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=N_REPEATS, random_state=0)

scores = {}
print(f"{5 * N_REPEATS} folds of {len(X) // 5} rows")
print("                     accuracy          log loss          log loss of own rows")
for name, model in models.items():
    found = cross_validate(
        make_pipeline(StandardScaler(), model),
        X,
        y,
        cv=folds,
        scoring=("accuracy", "neg_log_loss"),
        return_train_score=True,
    )
    accuracy, loss = found["test_accuracy"], -found["test_neg_log_loss"]
    scores[name] = {"accuracy": accuracy, "log loss": loss}
    print(
        f"{name:<20} {accuracy.mean():.3f} +- {accuracy.std():.3f}   "
        f"{loss.mean():.3f} +- {loss.std():.3f}   {-found['train_neg_log_loss'].mean():.3f}"
    )

# %%
# In accuracy the three are closer to each other than one fold is to the next: each fold has 30
# rows, and one mistake more or less is 0.033. From a single split anything could be read. The log
# loss says more. The longer the network is trained, the better it knows its own rows; on new ones
# some folds get much better and others much worse, since it is then sure even where it is wrong,
# and the mean rises. It has overfitted, though its accuracy does not show it.
#
# Points are folds, bars are means. Folds share their training rows, so that their spread is not the
# uncertainty of the mean.

rng = np.random.default_rng(0)
figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for panel, score in zip(panels, ("accuracy", "log loss"), strict=True):
    for place, name in enumerate(models):
        values = scores[name][score]
        jitter = place + rng.uniform(-0.15, 0.15, size=len(values))
        panel.plot(jitter, values, "o", color="#0072B2", alpha=0.35)
        panel.plot(place, values.mean(), "_", color="black", markersize=40)
    panel.set_xticks(range(len(models)), [name.replace(" ", "\n", 1) for name in models])
    panel.set(ylabel=score, xlim=(-0.5, len(models) - 0.5))
panels[1].set_yscale("log")
plt.show()

# %%
# The same in one fit, on half of the rows: the loss on the other half reaches its lowest value
# early and rises from there on, while that on the training rows goes on falling. This is what
# ``early_stopping=True`` is for, if one can spare the rows, and ``alpha``, if one can't.

X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
watched = network(100).set_params(early_stopping=EarlyStopping(patience=np.inf))
watched.fit(X_train, y_train, X_val=X_val, y_val=y_val)
print(f"best epoch of {watched.n_iter_}: {watched.best_iter_}")

figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
TrainingCurvesDisplay.from_estimator(watched, ax=panel)
panel.set(yscale="log", ylabel="log loss")
plt.show()
