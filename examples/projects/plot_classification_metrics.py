"""
More than accuracy
==================

One number does not say how good a classifier is, above all where one class is rare. Here one row in
twenty is positive, and a few of all labels are wrong. A constant "no" is right on nineteen rows in
twenty and finds nothing.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.metrics import (
    ConfusionMatrixDisplay,
    PrecisionRecallDisplay,
    RocCurveDisplay,
    confusion_matrix,
    make_scorer,
)
from sklearn.model_selection import TunedThresholdClassifierCV, cross_validate, train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.inspection import CoverageDisplay, predict_with_rejection

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

X, y = make_classification(
    2000 if QUICK else 10000,
    20,
    n_informative=8,
    n_redundant=4,
    n_clusters_per_class=3,
    weights=[0.95],
    flip_y=0.01,
    class_sep=0.8,
    random_state=0,
)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
print(f"{len(y_train)} training rows, share of positive ones {y_train.mean():.3f}")


def network(**parameters):
    return MLPClassifier(
        (50,),
        learning_rate_init=0.005,
        schedule="linear",
        max_iter=5 if QUICK else 30,
        alpha=0.1,
        random_state=0,
        **parameters,
    )


plain = network().fit(X_train, y_train)
balanced = network(class_weight="balanced").fit(X_train, y_train)

# %%
# Counts and their ratios
# -----------------------
# Of true and false positives and negatives (TP, FP, TN, FN) all of these are made:
#
# - accuracy ``(TP + TN) / all``;
# - precision ``TP / (TP + FP)``: how many of those found are right;
# - recall, or sensitivity, ``TP / (TP + FN)``: how many of the right ones are found;
# - specificity ``TN / (TN + FP)``, the recall of the negative class;
# - F1, ``2 p r / (p + r)`` of precision and recall.


def ratios(name, model):
    (tn, fp), (fn, tp) = confusion_matrix(y_test, model.predict(X_test))
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn)
    f1 = 2 * precision * recall / (precision + recall) if tp else 0.0
    values = (tp + tn) / len(y_test), precision, recall, tn / (tn + fp), f1
    print(f"{name:<20}" + "".join(f"{value:12.3f}" for value in values))


HEAD = ("accuracy", "precision", "recall", "specificity", "F1")
print(" " * 20 + "".join(f"{title:>12}" for title in HEAD))
ratios("always no", DummyClassifier().fit(X_train, y_train))
ratios("network", plain)
ratios("class_weight", balanced)

figure, panels = plt.subplots(1, 2, figsize=(7, 3.2), layout="constrained")
for panel, name, model in zip(
    panels, ("network", 'class_weight="balanced"'), (plain, balanced), strict=True
):
    ConfusionMatrixDisplay.from_estimator(
        model, X_test, y_test, display_labels=("no", "yes"), cmap="Blues", colorbar=False, ax=panel
    )
    panel.set_title(name, fontsize="medium")
plt.show()

# %%
# The network has the best accuracy, not far above that of a constant "no", and finds a third of the
# positive rows. With ``class_weight="balanced"`` it finds more than three quarters, and two of
# three that it reports are false alarms; its accuracy is below that of finding nothing. Neither is
# better by itself.

# %%
# Curves over all thresholds
# --------------------------
# ``predict`` says "yes" from a probability of one half on. The curves show what any other threshold
# would do; the points are where ``predict`` stands.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for name, model, colour in (
    ("network", plain, "#0072B2"),
    ("class_weight", balanced, "#D55E00"),
):
    style = {"curve_kwargs": {"color": colour}, "name": name}
    RocCurveDisplay.from_estimator(model, X_test, y_test, ax=left, **style)
    PrecisionRecallDisplay.from_estimator(model, X_test, y_test, ax=right, **style)
    (tn, fp), (fn, tp) = confusion_matrix(y_test, model.predict(X_test))
    left.plot(fp / (fp + tn), tp / (tp + fn), "o", color=colour, markersize=8)
    right.plot(tp / (tp + fn), tp / (tp + fp), "o", color=colour, markersize=8)
left.plot([0, 1], [0, 1], ":", color="black", linewidth=1)
right.axhline(y_test.mean(), linestyle=":", color="black", linewidth=1)
left.set(xlabel="false positive rate", ylabel="true positive rate (recall)", title="ROC")
right.set(xlabel="recall", ylabel="precision", title="precision and recall")
for panel in (left, right):
    panel.legend(fontsize="small", loc="lower right" if panel is left else "lower left")
plt.show()

# %%
# The two networks have nearly the same curves and stand at different points of them: class weights
# mostly shift the threshold. The ROC curve looks good as negative rows are plenty and easy;
# precision and recall show how hard the rare class is. Dotted lines are chance.

# %%
# The threshold is a choice
# -------------------------
# What a missed positive costs decides, not the network. ``TunedThresholdClassifierCV`` looks for
# the threshold that is best by a metric, or by a cost of one's own, over the folds of the training
# rows. Here a missed one costs as much as ten false alarms.


def cost(y_true, y_pred):
    (_, fp), (fn, _) = confusion_matrix(y_true, y_pred)
    return (fp + 10 * fn) / len(y_true)


folds = 2 if QUICK else 5
tuned = {
    "network": plain,
    "class_weight": balanced,
    "tuned for F1": TunedThresholdClassifierCV(network(), scoring="f1", cv=folds),
    "tuned for cost": TunedThresholdClassifierCV(
        network(), scoring=make_scorer(cost, greater_is_better=False), cv=folds
    ),
}
for name in ("tuned for F1", "tuned for cost"):
    tuned[name].fit(X_train, y_train)
    print(f"threshold {name:<16} {tuned[name].best_threshold_:.3f}")

print(" " * 20 + "".join(f"{title:>12}" for title in HEAD))
for name, model in tuned.items():
    ratios(name, model)
print("cost of 100 rows")
for name, model in tuned.items():
    print(f"{name:<20}{100 * cost(y_test, model.predict(X_test)):12.1f}")

# %%
# Both thresholds are far below one half. The cost of 10 to 1 is lowest with class weights or with
# the tuned threshold, which are close, and nearly twice as high for the network as it was. The
# tuned one has gone on estimating probabilities, and takes another threshold tomorrow if the costs
# change.

# %%
# Not to answer at all
# --------------------
# Where a person can look at what is in doubt, a network need not answer every time. Coverage is the
# share of rows that it does answer: those whose largest probability is high enough.

for threshold in (0.5, 0.8, 0.95):
    answers = predict_with_rejection(plain, X_test, threshold)
    right = np.mean(answers.prediction[answers.answered] == y_test[answers.answered])
    found = np.mean(answers.answered[y_test == 1])
    print(
        f"threshold {threshold:.2f}: coverage {answers.answered.mean():.3f}, accuracy {right:.3f}, "
        f"coverage of positive rows {found:.3f}"
    )

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
CoverageDisplay.from_estimator(plain, X_test, y_test, ax=axes)
plt.show()

# %%
# Leaving a fifth of the rows to somebody else brings the errors down from 4 % to 1 %. But most
# positive rows are among them, as nearly all that is sure is a sure "no": look at the coverage of
# each class.

# %%
# Several at once
# ---------------
# ``cross_validate`` takes a list of scorers and fits each fold once for all of them.

metrics = ["accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "neg_log_loss"]
for name, model in {"network": network(), "class_weight": network(class_weight="balanced")}.items():
    scores = cross_validate(model, X_train, y_train, scoring=metrics, cv=folds)
    print(name)
    for metric in metrics:
        values = scores[f"test_{metric}"]
        print(f"  {metric:<18} {values.mean():7.3f} +- {values.std():.3f}")

# %%
# The area under the ROC curve does not tell the two apart, accuracy prefers the one, balanced
# accuracy the other, and the log loss says that class weights have spoilt the probabilities. Choose
# what you want beforehand, and look at the others all the same.
