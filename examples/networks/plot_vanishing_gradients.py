"""
Vanishing and exploding gradients
=================================

Back-propagation multiplies the gradient by a matrix and by a slope in every layer. Where these
products are below one the first layers of a deep network are hardly told anything; where they are
above one, what they are told is huge. Ten hidden layers of 50 units on the digits show both, and
the four ways against it: another initializer, another activation, batch normalisation, and
clipping.

``layer_statistics`` looks at networks as they are before training: a fit at a rate of 1e-30
changes no weight. It takes ten epochs, since the running averages of batch normalisation need some
steps to arrive. The *signal's gradient* is the l2 norm of the gradient of a row's loss by the
outputs of a layer, as the root mean square over rows.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import load_digits

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import Momentum, NormalInitializer
from sklearn_dnn.inspection import layer_statistics

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"
N_EPOCHS, N_ROWS = (3, 500) if QUICK else (30, None)

X, y = (array[:N_ROWS] for array in load_digits(return_X_y=True))
huge = NormalInitializer(std=1.0)  # N(0, 1)

cases = {
    # vanishing
    "logistic, Glorot": {"activation": "logistic"},
    "logistic, N(0, 1)": {"activation": "logistic", "initializer": huge},
    "tanh, Glorot": {"activation": "tanh"},
    "logistic, Glorot, batch norm": {"activation": "logistic", "norm": "batch"},
    "logistic, Glorot, clipped": {"activation": "logistic", "clip_norm": 1.0},
    # exploding
    "relu, N(0, 1)": {"activation": "relu", "initializer": huge},
    "relu, He": {"activation": "relu"},
    "tanh, N(0, 1)": {"activation": "tanh", "initializer": huge},
    "selu, LeCun": {"activation": "selu"},
    "relu, N(0, 1), batch norm": {"activation": "relu", "initializer": huge, "norm": "batch"},
    "relu, N(0, 1), clipped": {"activation": "relu", "initializer": huge, "clip_norm": 1.0},
}


def network(parameters, rate, n_epochs):
    return MLPClassifier(
        (50,) * 10,
        optimizer=Momentum(0.9),
        learning_rate_init=rate,
        max_iter=n_epochs,
        tol=0.0,
        n_iter_no_change=np.inf,  # all epochs, whatever the loss does
        alpha=0.0,
        random_state=0,
        **parameters,
    )


def trained(parameters):
    """Loss of the last epoch and accuracy, both on the training rows."""
    try:
        model = network(parameters, 0.01, N_EPOCHS).fit(X, y)
    except ValueError:  # no epoch had a finite loss
        return np.inf, np.nan
    return model.loss_curve_[-1], model.score(X, y)


tables, rows = {}, {}
for name, parameters in cases.items():
    table = layer_statistics(network(parameters, 1e-30, 10).fit(X, y), X, y)
    tables[name] = table
    back = table["signal_gradient"]
    loss, accuracy = trained(parameters)
    rows[name] = {
        "first layer": f"{back.iloc[0]:.1e}",
        "last layer": f"{back.iloc[-1]:.1e}",
        "verdict on the first": table["verdict"].iloc[0],
        "loss": f"{loss:.3g}",
        "accuracy": f"{accuracy:.3f}",
    }
print(f"the signal's gradient before training, and what {N_EPOCHS} epochs of momentum made of it")
print(pd.DataFrame(rows).T.to_string())

# %%
# Glorot's initializer is the usual match of the logistic function, and yet the gradient becomes
# several hundred thousand times smaller on the way to the first layer: with a slope of at most 1/4,
# that function shrinks it in every layer, and the network learns nothing. Huge weights, N(0, 1),
# make up for the slope; but most units of the first layer are saturated, and the network learns
# little. The cure is an activation whose slope is about 1 where the signals are, such as tanh, with
# the initializer that matches it. Batch normalisation cures too: it divides by a small standard
# deviation, and so makes up for the slope in each layer.
#
# relu with N(0, 1) starts from a loss of millions, and no epoch has a finite one. He's initializer
# removes the cause; batch normalisation makes the scale of the weights forgotten. Another
# activation alone does not help: tanh with the same weights is saturated, and its gradient still
# grows from layer to layer; selu comes with weights of LeCun's law. Clipping lets the fit survive,
# but only shortens steps: the network is as badly scaled as it was drawn, and its loss still huge.
# Nor can it make a vanished gradient longer.

colours = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00")
marks = "Xos^D"
groups = {
    "from vanishing": list(cases)[:4],
    "from exploding": list(cases)[5:10],  # clipping changes steps, not the start
}
figure, panels = plt.subplots(1, 2, sharey=True, figsize=(7, 4.5), layout="constrained")
for panel, (title, names) in zip(panels, groups.items(), strict=True):
    for name, colour, mark in zip(names, colours, marks, strict=False):
        panel.semilogy(tables[name]["signal_gradient"], color=colour, marker=mark, label=name)
    panel.set_title(title)
    panel.set_xticks(range(1, 11))
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small", loc="upper center", bbox_to_anchor=(0.5, -0.15))
figure.supxlabel("hidden layer")
figure.supylabel("norm of the signal's gradient")
plt.show()
