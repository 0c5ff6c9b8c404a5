"""
A signal through 100 layers
===========================

A network can learn only if something of its inputs arrives at its outputs. Here 200 rows of
standard normal noise pass through 100 layers of 100 units each, once for every pair of an
initializer and an activation, with weights as they are drawn and biases at zero. Nothing is
trained: the components are used by themselves.

Each initializer states the variance of a weight: 1 for N(0, 1), 1 / fan_avg for Glorot,
1 / fan_in for LeCun and 2 / fan_in for He, where fan_in is the number of inputs of a unit, and
fan_avg the mean of its inputs and of the units that read it. All layers here have one width, so
Glorot and LeCun are the same law. An orthogonal matrix has this variance too, but keeps lengths
exactly. LSUV starts from one and divides each layer by the standard deviation that it finds on the
data.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearn_dnn.components import (
    LSUV,
    GlorotNormal,
    HeNormal,
    LecunNormal,
    NormalInitializer,
    Orthogonal,
)
from sklearn_dnn.components.activations import ACTIVATIONS

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"
N_ROWS, N_UNITS, N_LAYERS = 200, 100, 10 if QUICK else 100
SMALLEST, LARGEST = 1e-8, 1e4  # what the pictures show

initializers = {
    "N(0, 1)": NormalInitializer(std=1.0),
    "Glorot normal": GlorotNormal(),
    "LeCun normal": LecunNormal(),
    "He normal": HeNormal(),
    "orthogonal": Orthogonal(),
    "LSUV": LSUV(),
}
names = ("logistic", "tanh", "relu", "elu", "gelu", "selu")
# Okabe and Ito's colours, with marks beside them
colours = ("#000000", "#E69F00", "#56B4E9", "#009E73", "#D55E00", "#CC79A7")
marks = ("X", "o", "s", "^", "D", "v")


def propagate(initializer, activation):
    """Standard deviation of the activations, and the part of it that tells rows apart."""
    generator = torch.Generator().manual_seed(0)
    a = torch.randn((N_ROWS, N_UNITS), dtype=torch.float64, generator=generator)
    spreads, signals = [], []
    for _ in range(N_LAYERS):
        weights = initializer.draw(N_UNITS, N_UNITS, generator)
        if initializer.data_dependent:
            weights = initializer.rescale(weights, lambda w, below=a: below @ w)
        a = activation.forward(a @ weights)
        spreads.append(a.std(correction=0).item())
        signals.append(a.var(dim=0, correction=0).mean().sqrt().item())
    return np.array(spreads), np.array(signals)


curves = {
    (start, name): propagate(initializer, ACTIVATIONS[name]())
    for start, initializer in initializers.items()
    for name in names
}


def print_last(which):
    print(f"{'':<14}" + "".join(f"{name:>10}" for name in names))
    for start in initializers:
        ends = "".join(f"{curves[start, name][which][-1]:10.1e}" for name in names)
        print(f"{start:<14}{ends}")


def draw(which, label):
    figure, panels = plt.subplots(
        3, 2, sharex=True, sharey=True, figsize=(7, 7.5), layout="constrained"
    )
    layers = np.arange(1, N_LAYERS + 1)
    for panel, name in zip(panels.flat, names, strict=True):
        for i, start in enumerate(initializers):
            shown = np.clip(curves[start, name][which], SMALLEST, LARGEST)
            panel.semilogy(
                layers,
                shown,
                color=colours[i],
                marker=marks[i],
                markevery=(3 * i, 20),
                markersize=5,
                linewidth=1.2,
                label=start,
            )
        panel.set_title(name)
        panel.set_ylim(SMALLEST, LARGEST)
        panel.grid(alpha=0.3)
    figure.supxlabel("layer")
    figure.supylabel(label)
    figure.legend(*panels[0, 0].get_legend_handles_labels(), ncols=3, loc="outside upper center")
    plt.show()


print(f"standard deviation of the activations in layer {N_LAYERS}")
print_last(0)

# %%
# Lines that meet the border go on beyond it. With N(0, 1) the outputs of relu, elu, gelu and selu
# grow about sevenfold in every layer; tanh cannot grow, and most of its units end near -1
# or 1, where they have no slope. The smaller laws keep the standard deviation of tanh within two
# orders of magnitude, and it still falls, since the slope of tanh is 1 at zero only. relu loses
# half of the mean square in every layer, and needs He's variance, which is twice as large. selu is
# made for LeCun's: its standard deviation stays at 1. gelu has a slope of 1/2 at zero, so that even
# He's variance is too small for it; LSUV, which measures instead of calculating, suits it too.

draw(0, "standard deviation of the activations")

# %%
# The logistic function looks healthy above, and is not. Its outputs differ from unit to unit, but
# are they different from row to row? A network can only use the latter. So here is the standard
# deviation over rows, as the root mean square of the units; ``layer_statistics`` calls it the
# signal.

print(f"standard deviation over rows, root mean square of the units, in layer {N_LAYERS}")
print_last(1)

# %%
# With its slope of at most 1/4, the logistic function forgets within some twenty layers which row
# it was given, whichever of the scaled initializers is used; only the huge weights of N(0, 1) work
# against that, at the price of saturated units. Most of what LSUV and He's variance keep of relu is
# common to all rows as well, but not all.

draw(1, "standard deviation over rows")
