"""
Batch normalisation
===================

Batch normalisation takes, unit by unit, the mean of a mini-batch from every value, divides by its
standard deviation, and then scales and shifts with two numbers that are learnt (Ioffe & Szegedy,
2015). It stands in front of the activation, as in the paper, or behind it. This page shows what
that is good for, what it costs, and what happens to it in prediction.
"""

import os
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import BatchNorm
from sklearn_dnn.datasets import load_california_housing

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"
N_EPOCHS = 2 if QUICK else 20
RATES = (0.1,) if QUICK else (0.01, 0.1, 0.3, 1.0)
ENOUGH = 0.1

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)

norms = {"none": None, "before": BatchNorm(), "after": BatchNorm(position="after")}


def network(**parameters):
    shared = {
        "hidden_layer_sizes": (64,) * 6,
        "optimizer": "sgd",
        "batch_size": 64,
        "max_iter": N_EPOCHS,
        "tol": 0.0,
        "n_iter_no_change": np.inf,  # all epochs, however little they improve
        "random_state": 0,
    }
    return MLPClassifier(**shared | parameters)


def train(activation, norm, rate):
    """Losses of the epochs, and seconds an epoch."""
    started = perf_counter()
    try:
        model = network(activation=activation, norm=norm, learning_rate_init=rate).fit(X, y)
        losses = np.array(model.loss_curve_)
    except ValueError:  # no epoch had a finite loss
        losses = np.array([np.inf])
    return losses, (perf_counter() - started) / len(losses)


runs = {
    (activation, place, rate): train(activation, norm, rate)
    for activation in ("relu", "logistic")
    for place, norm in norms.items()
    for rate in RATES
}


def epochs_needed(losses):
    reached = np.flatnonzero(losses < ENOUGH)
    return reached[0] + 1 if len(reached) else np.inf


print(f"epochs of plain descent until the training loss is below {ENOUGH}, six hidden layers")
print(f"{'':<18}" + "".join(f"rate {rate:<8}" for rate in RATES) + "seconds an epoch")
for activation in ("relu", "logistic"):
    for place in norms:
        found = [runs[activation, place, rate] for rate in RATES]
        needed = "".join(f"{epochs_needed(losses):<13}" for losses, _ in found)
        seconds = np.median([seconds for losses, seconds in found if len(losses) == N_EPOCHS])
        print(f"{activation + ', ' + place:<18}{needed}{seconds:.3f}")

# %%
# relu comes with He's weights and standardised inputs, and six layers do not need the norm: at
# middling rates they take about as many epochs with it as without. What the norm adds is tolerance:
# at a rate of 1 only the normalised networks learn. The logistic function loses the gradient in
# so many layers, and learns at none of these rates without the norm. But an epoch takes several
# times as long with it, partly since the plain network has a backward pass written by hand: an
# epoch less is not yet a second less.

colours = {"none": "#000000", "before": "#D55E00", "after": "#0072B2"}
marks = {"none": "o", "before": "s", "after": "^"}
figure, panels = plt.subplots(1, 2, sharey=True, figsize=(7, 3.8), layout="constrained")
for panel, activation in zip(panels, ("relu", "logistic"), strict=True):
    for place in norms:
        lowest = [min(runs[activation, place, rate][0].min(), 10) for rate in RATES]
        panel.loglog(RATES, lowest, color=colours[place], marker=marks[place], label=place)
    panel.axhline(ENOUGH, color="0.5", linewidth=0.8)
    panel.set_title(activation)
panels[0].legend(title="batch norm")
figure.supxlabel("learning rate")
figure.supylabel(f"lowest loss of {N_EPOCHS} epochs (10: diverged)")
plt.show()

# %%
# Instead of standardised inputs
# ------------------------------
# As the very first layer, batch normalisation does what a ``StandardScaler`` does, up to the chance
# of the batches, and learns a scale and a shift on top: ``input_scaling="batch_norm"``. Here are
# the numerical columns of a table of houses, whose scales differ by factors of ten thousand.

houses = load_california_housing().sample(1000 if QUICK else 5000, random_state=0).dropna()
table = houses.drop(columns=["median_house_value", "ocean_proximity"])
prices = houses["median_house_value"]
rows_train, rows_test, prices_train, prices_test = train_test_split(table, prices, random_state=0)
scalings = {"none": None, "standard": "standard", "batch_norm": "batch_norm"}
for name, scaling in scalings.items():
    model = MLPRegressor(
        (64, 64), input_scaling=scaling, early_stopping=False, max_iter=N_EPOCHS, random_state=0
    )
    score = model.fit(rows_train, prices_train).score(rows_test, prices_test)
    print(f"input_scaling: {name:<10} R2 on test rows {score:.3f}")

# %%
# Without any scaling the fit is useless; the two ways of scaling are about as good as each other.
#
# Moving averages
# ---------------
# A prediction must not depend on the rows that are asked for with it. So training keeps moving
# averages of the means and variances, ``v <- p v + (1 - p) new``, and prediction takes those. They
# start at 0 and 1, and need several times 1 / (1 - p) steps to forget that. Here an epoch has 20
# steps.

print("accuracy on test rows after")
for momentum in (0.9, 0.99, 0.999):
    scores = []
    for n_epochs in (1, 2) if QUICK else (1, 5, 20):
        norm = BatchNorm(momentum=momentum)
        model = network(norm=norm, learning_rate_init=0.1, max_iter=n_epochs).fit(X, y)
        scores.append(f"{n_epochs} epochs {model.score(X_test, y_test):.3f}")
    print(f"p = {momentum:<6} {',   '.join(scores)}")

# %%
# All these networks have learnt the same: training itself never uses the averages. But with p =
# 0.999 predictions are poor after 20 epochs still, and with p = 0.99, the usual value for large
# tables, after the first. The default here is 0.9.
#
# Folding
# -------
# In prediction the norm is an affine map with fixed numbers, and so is the dense layer in front of
# it. Two affine maps are one: with :math:`s = \gamma / \sqrt{\sigma^2 + \epsilon}`, the weights
# :math:`W` become :math:`W s`, and the bias becomes :math:`\beta - \mu s` (there is no other,
# since the norm takes out any constant that is added before it). ``predict`` does this by itself,
# so that a network with batch normalisation predicts at the cost of one without. By hand:

model = network(norm="batch", learning_rate_init=0.1, dtype="float64").fit(X, y)
epsilon = BatchNorm().epsilon
with_norm = folded = (X_test - model.input_mean_) / model.input_scale_
layers = zip(
    model.coefs_[:-1],
    model.intercepts_[:-1],
    model.norm_weights_,
    model.norm_statistics_,
    strict=True,
)
for weights, bias, learnt, measured in layers:
    z = with_norm @ weights + bias
    z = (z - measured["mean"]) / np.sqrt(measured["variance"] + epsilon)
    with_norm = np.maximum(learnt["weight"] * z + learnt["bias"], 0)

    scale = learnt["weight"] / np.sqrt(measured["variance"] + epsilon)
    shift = learnt["bias"] - (measured["mean"] - bias) * scale
    folded = np.maximum(folded @ (weights * scale) + shift, 0)

print(f"largest bias of the dense layers: {max(abs(b).max() for b in model.intercepts_[:-1])}")
print(f"largest difference of the last hidden layers: {abs(with_norm - folded).max():.1e}")
winners = (folded @ model.coefs_[-1] + model.intercepts_[-1]).argmax(axis=1)
print(f"same classes as predict: {(model.classes_[winners] == model.predict(X_test)).all()}")
