"""
SELU with 100 hidden layers
===========================

The activation "selu" brings the signals of a layer back to mean 0 and variance 1, whatever small
errors the layer before has made, so that a plain network of 100 layers can be trained without any
norm (Klambauer et al., 2017). That holds under conditions: standardised inputs, weights of variance
1 / fan_in (LeCun's), layers one after the other without bridges, no norm, and alpha dropout if
any. ``MLPClassifier`` keeps the first two by default, and says what is broken otherwise.

Here are 100 layers of 100 units on the digits, which no one needs for digits: with relu, and with
selu when one condition after the other is broken.
"""

import os
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import AlphaDropout, Dropout, NormalInitializer
from sklearn_dnn.inspection import layer_statistics

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"
N_LAYERS, N_EPOCHS = (10, 1) if QUICK else (100, 10)

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)

cases = {
    "selu": {"activation": "selu"},
    "relu, He": {"activation": "relu"},
    "relu, He, batch norm": {"activation": "relu", "norm": "batch"},
    "selu, He": {"activation": "selu", "initializer": "he_normal"},
    "selu, N(0, 0.05²)": {"activation": "selu", "initializer": NormalInitializer(std=0.05)},
    "selu, raw inputs": {"activation": "selu", "input_scaling": None},
    "selu, dropout 0.1": {"activation": "selu", "dropout": Dropout(0.1)},
    "selu, alpha dropout 0.05": {"activation": "selu", "dropout": AlphaDropout(0.05)},
    "selu, residual": {"activation": "selu", "topology": "residual"},
}


def network(parameters, **others):
    return MLPClassifier(
        (100,) * N_LAYERS,
        batch_size=64,
        alpha=0.0,
        tol=0.0,
        n_iter_no_change=np.inf,  # all epochs, whatever the loss does
        random_state=0,
        **parameters,
        **others,
    )


def at_the_start(parameters):
    """Statistics of the layers before training: a rate of 1e-30 changes no weight."""
    n_epochs = 5 if parameters.get("norm") else 1  # running averages need some steps
    start = network(parameters, learning_rate_init=1e-30, max_iter=n_epochs).fit(X, y)
    return layer_statistics(start, X, y)


starts, curves, rows = {}, {}, {}
for name, parameters in cases.items():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        starts[name] = at_the_start(parameters)
        model = network(parameters, learning_rate_init=1e-4, max_iter=N_EPOCHS).fit(X, y)
    broken = {str(w.message) for w in caught if "under its conditions" in str(w.message)}
    print(f"{name}: {'; '.join(broken) or 'no warning'}")
    curves[name] = model.loss_curve_
    rows[name] = {
        "std, first layer": starts[name]["std"].iloc[0],
        "std, last layer": starts[name]["std"].iloc[-1],
        "gradient, first layer": starts[name]["signal_gradient"].iloc[0],
        "loss": model.loss_curve_[-1],
        "test accuracy": model.score(X_test, y_test),
    }

# %%
# The standard deviation of the activations before training, the norm of the gradient that comes
# back to the first layer, and the loss after the last epoch of Adam at a rate of 1e-4:

print(pd.DataFrame(rows).T.map("{:.2g}".format).to_string())

# %%
# selu begins with a standard deviation of about 1 in all layers, and its loss falls from the first
# epoch on. relu's weights keep the mean square in expectation only; in this draw the last layers
# have little left, and learning is slower at this rate. Batch normalisation is no remedy at this
# depth: it makes gradients explode towards the first layers (Yang et al., 2019), and nothing is
# learnt. (Statistics are those of prediction, where small errors of the running averages add up
# from layer to layer.)
#
# Of selu's conditions, the inputs' scale is the most forgiving, since the layers bring raw columns
# of 0 to 16 back to the fixed point. The others break it. With He's weights, of twice the variance,
# signals grow and the fit begins with a large loss; with N(0, 0.05²), of a quarter of LeCun's, they
# die out, and so does the gradient. Residual layers add up to an enormous scale. Dropout leaves
# the start as it was, for it only acts in training, but noise in each of 100 layers hides the rows:
# nothing is learnt, not even with alpha dropout, which keeps mean and variance. At such a depth,
# drop units in the last layers, if at all.
#
# The upper picture stops at 1e-6, the lower at a loss of 5, which the residual network stays above.

colours = (
    "#D55E00",
    "#000000",
    "#0072B2",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#882255",
    "#999999",
)
marks = "*oXs^vDPh"
figure, panels = plt.subplots(2, 1, figsize=(7, 8), layout="constrained")
for name, colour, mark in zip(cases, colours, marks, strict=True):
    style = {"color": colour, "marker": mark, "linewidth": 1.3, "markersize": 6}
    spread = np.clip(starts[name]["std"], 1e-6, None)
    panels[0].semilogy(spread, markevery=max(1, N_LAYERS // 10), label=name, **style)
    panels[1].plot(range(1, len(curves[name]) + 1), curves[name], **style)
panels[0].set(xlabel="hidden layer", ylabel="std of activations at the start")
panels[1].set(xlabel="epoch", ylabel="training loss", ylim=(0, 5))
for panel in panels:
    panel.grid(alpha=0.3)
figure.legend(ncols=3, loc="outside upper center")
plt.show()
