"""
Wide, residual and of your own
==============================

Layers need not be a plain chain. ``topology`` joins the inputs to the last hidden layer ("wide"),
leads bridges around pairs of layers ("residual"), or adds an auxiliary output in the middle. Where
that is not enough, ``HiddenModule`` puts any ``torch.nn.Module`` between the inputs and the output.

The table has a part that is a weighted sum of its columns, a product of two of them, a bend and a
corner. Its noise leaves an R2 of 0.98 at most.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import HiddenModule, Plain, Residual

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (4000, 10))
linear = X @ rng.normal(size=10)
curved = np.sin(4 * X[:, 0] * X[:, 1]) + 2 * X[:, 2] ** 2 + np.abs(X[:, 3])
y = linear + curved + rng.normal(0, 0.3, len(X))
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=2000, random_state=0)


def network(sizes, **parameters):
    return MLPRegressor(
        sizes,
        batch_size=50,
        learning_rate_init=0.003,
        schedule="linear",
        **{"max_iter": 3 if QUICK else 30, "random_state": 0} | parameters,
    )


ridge = RidgeCV().fit(X_train, y_train)
print(f"ridge: R2 {ridge.score(X_test, y_test):.3f}")

# %%
# Topology and depth
# ------------------
# Hidden layers of 20 units. Fixup starts each residual block as the identity, so that a network of
# forty layers begins as a shallow one.

builds = {
    "plain": {},
    "wide": {"topology": "wide"},
    "residual, Fixup": {"topology": Residual(multiplier=True), "initializer": "fixup"},
    "plain, layer norm": {"norm": "layer"},
    "residual, layer norm": {"topology": "residual", "norm": "layer"},
}
styles = ("o-", "s--", "D-", "^:", "v-.")
colours = ("black", "#E69F00", "#009E73", "#CC79A7", "#0072B2")
depths = (2, 10) if QUICK else (2, 10, 40)
seeds = range(1 if QUICK else 2)

print("R2 on unseen rows, mean over seeds" + "".join(f"{depth:6d} layers" for depth in depths))
figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, parameters), style, colour in zip(builds.items(), styles, colours, strict=True):
    scores = []
    for depth in depths:
        fits = (network((20,) * depth, random_state=seed, **parameters) for seed in seeds)
        scores.append(np.mean([fit.fit(X_train, y_train).score(X_test, y_test) for fit in fits]))
    print(f"{name:<34}" + "".join(f"{score:13.3f}" for score in scores))
    axes.plot(depths, scores, style, color=colour, label=name)
axes.axhline(ridge.score(X_test, y_test), color="0.5", linewidth=1, label="ridge")
axes.set(xscale="log", xlabel="hidden layers", ylabel="R2 on unseen rows", ylim=(-0.05, 1))
axes.set_xticks(depths, depths)
axes.minorticks_off()
axes.legend()
plt.show()

# %%
# All are ahead of ridge but one: forty plain layers with layer norms have learnt nothing, and with
# bridges around them they do. On this table depth is of no use to any of them, and bridges are: the
# inputs reach every block, so that the weighted sum need not be learnt through bends.

# %%
# An auxiliary output
# -------------------
# With ``logistic`` units the gradient shrinks to a quarter or less in every layer: twelve of them
# are too many. An auxiliary output reads the middle layer and learns the same target, in training
# only, so that the lower layers have a gradient that comes a shorter way.

chains = {
    "plain": Plain(),
    "auxiliary output": Plain(auxiliary_weight=1.0),
    "residual": Residual(),
}
figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
for (name, topology), colour in zip(chains.items(), ("black", "#E69F00", "#0072B2"), strict=True):
    scores = []
    for seed in seeds:
        model = network(
            (20,) * 12,
            topology=topology,
            activation="logistic",
            random_state=seed,
            max_iter=3 if QUICK else 40,
        ).fit(X_train, y_train)
        scores.append(model.score(X_test, y_test))
        epochs = np.arange(1, model.n_iter_ + 1)
        label = name if seed == 0 else None
        axes.plot(epochs, model.loss_curve_, color=colour, label=label, alpha=0.8)
    print(f"twelve logistic layers, {name:<18}", *(f"{score:6.3f}" for score in scores))
axes.set(xlabel="epoch", ylabel="training loss of the output", ylim=(0, None))
axes.legend()
plt.show()

# %%
# The plain chain learns nothing at all. The auxiliary output frees it after some epochs, and so do
# the bridges of the residual network. Better still is not to need them: other activations do not
# shrink the gradient as much.

# %%
# A module of your own
# --------------------
# A class derived from ``torch.nn.Module``: here some units are products of two weighted sums,
# next to ordinary ones and the inputs themselves. It takes standardised inputs to hidden outputs;
# the estimator does the rest, and a search reaches its arguments as
# ``hidden_layer_sizes__n_products``.


class Products(torch.nn.Module):
    def __init__(self, n_features, n_products=8, n_units=20):
        super().__init__()
        self.left = torch.nn.Linear(n_features, n_products)
        self.right = torch.nn.Linear(n_features, n_products)
        self.units = torch.nn.Linear(n_features + n_products, n_units)

    def forward(self, x):
        products = self.left(x) * self.right(x)
        units = torch.relu(self.units(torch.cat([x, products], dim=1)))
        return torch.cat([x, products, units], dim=1)


for n_products in (1, 4, 8):
    own = network(HiddenModule(Products, n_products=n_products)).fit(X_train, y_train)
    score = own.score(X_test, y_test)
    print(f"{n_products} products: R2 {score:.3f} with {own.n_parameters_} parameters")

# %%
# With four products it is as good as the best network above, which had more than eight hundred
# parameters: what is known about the data, here that columns multiply, is worth many units.

# %%
# Several targets
# ---------------
# One network can learn several targets at once. Here they are the linear and the curved part of the
# table, each with noise. A hidden layer of four units is too small for both, and ``output_weights``
# says which target counts more in the loss.

Y = np.column_stack([linear, curved]) + rng.normal(0, 0.3, (len(X), 2))
Y_train, Y_test = train_test_split(Y, test_size=2000, random_state=0)

weights = ((1, 0.01), (1, 0.1), (1, 1), (0.1, 1), (0.01, 1))
both = np.array(
    [
        r2_score(
            Y_test,
            network((4,), output_weights=pair, max_iter=3 if QUICK else 60)
            .fit(X_train, Y_train)
            .predict(X_test),
            multioutput="raw_values",
        )
        for pair in weights
    ]
)
print("output_weights     linear   curved")
for pair, (first, second) in zip(weights, both, strict=True):
    print(f"{pair!s:<16}{first:9.3f}{second:9.3f}")

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
places = np.arange(len(weights))
axes.plot(places, both[:, 0], "o-", color="#0072B2", label="linear target")
axes.plot(places, both[:, 1], "s--", color="#D55E00", label="curved target")
axes.set_xticks(places, [f"{a} : {b}" for a, b in weights])
axes.set(xlabel="output_weights, linear : curved", ylabel="R2 on unseen rows", ylim=(0, 1.02))
axes.legend()
plt.show()

# %%
# Targets are standardised, so the weights compare like with like. At 1 : 1 the linear target, which
# is easier, takes nearly all four units. Which mixture is right is no question for the loss: say
# what each target is worth.
