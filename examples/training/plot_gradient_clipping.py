"""
Clipping gradients at a cliff
=============================

Deep networks multiply many weights, so that their loss has walls: nearly flat on one side,
immensely steep on the other. A step down from the wall, as long as its gradient, throws the
parameters far away. Clipping bounds the gradient before the optimizer uses it. It works with every
optimizer and does not change where the minima are.

The landscape below is that of a network of 20 units one after the other, without activations,
ten with the weight a and ten with the weight b, which should map 1 to 1/2:
the loss is the squared error of the product, (a^10 b^10 - 1/2)^2.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import SGD
from sklearn_dnn.components.clipping import clip_by_norm_, clip_by_value_, clip_each_by_norm_

QUICK = os.environ.get("SKLEARN_DNN_QUICK") == "1"
N_EPOCHS = 5 if QUICK else 40
LIMIT, RATE, N_STEPS = 1.0, 0.01, 100


def loss(a, b):
    return (a**10 * b**10 - 0.5) ** 2


def descend(clip):
    """The places of plain descent, of shape (n, 2), from high up on the wall."""
    optimizer = SGD()
    theta = torch.tensor([[0.9, 1.3]], dtype=torch.float64)
    state, coefficients = optimizer.start(theta), optimizer.coefficients()
    path = [theta[0].tolist()]
    for _ in range(N_STEPS):
        point = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(*point[0]), point)
        with torch.no_grad():
            clip(gradient)
            optimizer.step(theta, gradient, state, RATE, coefficients)
        path.append(theta[0].tolist())
        if theta.abs().max() > 3:  # gone for good
            break
    return np.array(path)


clips = {
    "not clipped": lambda gradient: gradient,
    "by value": lambda gradient: clip_by_value_(gradient, LIMIT),
    "by norm": lambda gradient: clip_by_norm_(gradient, LIMIT),
}
paths = {name: descend(clip) for name, clip in clips.items()}
for name, path in paths.items():
    print(f"{name:<12} first step {np.linalg.norm(path[1] - path[0]):8.3f}", end="   ")
    print(f"loss {loss(*path[0]):.3g} -> {loss(*path[-1]):.2g}")

# %%
# The gradient at the start is some hundreds long. Not clipped, the first step already crosses the
# valley and ends on the far side, high up on a wall with a gradient that is longer by many orders
# of magnitude: the parameters are lost. Clipped, descent walks down the wall in steps of one length
# and stops in the valley. By norm it keeps the direction of the gradient; by value both elements
# are cut to the same number, so that it goes down the diagonal, which is not the steepest way.

colours = {"not clipped": "#000000", "by value": "#D55E00", "by norm": "#0072B2"}
marks = {"not clipped": "X", "by value": "s", "by norm": "o"}
a, b = np.meshgrid(np.linspace(0.6, 1.4, 200), np.linspace(0.6, 1.4, 200))
figure, panel = plt.subplots(figsize=(7, 5), layout="constrained")
shown = panel.contourf(a, b, np.log10(loss(a, b) + 1e-4), levels=20, cmap="Greys")
figure.colorbar(shown, label="log10 of the loss")
for name, path in paths.items():
    panel.plot(
        *path.T, color=colours[name], marker=marks[name], markersize=4, linewidth=1.2, label=name
    )
panel.set(xlim=(0.6, 1.4), ylim=(0.6, 1.4), xlabel="weight a", ylabel="weight b")
panel.legend(loc="lower left")
plt.show()

# %%
# One norm or many
# ----------------
# A gradient of a network has many tensors. ``clip_norm=1.0`` takes one norm over all of them, and
# keeps the direction of the whole. ``clip_norm=ClipNorm(1.0, scope="tensor")`` gives each matrix
# and vector a norm of its own: long ones are shortened and short ones left, so the direction of
# each is kept, and that of the whole is not. ``clip_value`` cuts every element by itself and keeps
# no direction. Here are four random tensors of 50 numbers each, clipped by a norm of 1, or at a
# value of 0.1.

generator = torch.Generator().manual_seed(0)
lengths = torch.tensor([8.0, 2.0, 0.5, 0.1], dtype=torch.float64)
directions = torch.randn((4, 50), dtype=torch.float64, generator=generator)
tensors = directions / directions.norm(dim=1, keepdim=True) * lengths[:, None]


def clipped(how):
    copy = tensors.clone()
    if how == "by norm, global":
        clip_by_norm_(copy.view(1, -1), LIMIT)
    elif how == "by norm, tensor":
        clip_each_by_norm_(list(copy), LIMIT)
    elif how == "by value":
        clip_by_value_(copy.view(1, -1), 0.1)
    return copy


ways = ("as it came", "by norm, global", "by norm, tensor", "by value")
results = {way: clipped(way) for way in ways}
print("cosine of the angle to the gradient as it came")
for way, result in results.items():
    cosine = (tensors * result).sum() / (tensors.norm() * result.norm())
    print(f"{way:<16} {cosine:.3f}   norm {result.norm():.3f}")

figure, panel = plt.subplots(figsize=(7, 3.5), layout="constrained")
fills = zip(ways, ("0.3", "#0072B2", "#56B4E9", "#D55E00"), ("", "//", "..", "xx"), strict=True)
for i, (way, colour, hatch) in enumerate(fills):
    places = np.arange(4) + 0.2 * (i - 1.5)
    panel.bar(
        places,
        results[way].norm(dim=1).numpy(),
        0.18,
        color=colour,
        hatch=hatch,
        edgecolor="w",
        label=way,
    )
panel.set_yscale("log")
panel.set_xticks(range(4), [f"tensor {i}" for i in range(1, 5)])
panel.set_ylabel("norm of the tensor's gradient")
panel.legend()
plt.show()

# %%
# A real fit
# ----------
# Ten hidden layers of relu units at a learning rate of 0.2 with momentum, which is far too high.
# ``history_`` has the mean norm of each epoch's gradients as they were before the clip, and the
# share of its steps that were clipped.

rng = np.random.default_rng(0)
X = rng.normal(size=(1000, 10))
y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=1000)


def fit(clip_norm):
    model = MLPRegressor(
        (50,) * 10,
        optimizer="momentum",
        learning_rate_init=0.2,
        clip_norm=clip_norm,
        batch_size=50,
        max_iter=N_EPOCHS,
        tol=0.0,
        n_iter_no_change=np.inf,  # all epochs, however little they improve
        random_state=0,
    )
    return model.fit(X, y)


try:
    fit(None)
except ValueError as error:
    print(f"not clipped: {error}")
model = fit(1.0)
print(f"clip_norm=1.0: {model.n_iter_} epochs, loss {model.loss_curve_[-1]:.3f}")

# %%
# Without a limit, no epoch has a finite loss. With it the same fit goes through, and gradients are
# clipped in most of the first steps, and in few of the last. A limit that is active all the time
# would say that the rate or the first weights should be looked at instead.

epochs = np.arange(1, model.n_iter_ + 1)
figure, panels = plt.subplots(3, 1, sharex=True, figsize=(7, 6), layout="constrained")
curves = {
    "training loss": model.loss_curve_,
    "mean norm of gradients": model.history_["gradient_norm"],
    "share of clipped steps": model.history_["clipped"],
}
for panel, (label, curve) in zip(panels, curves.items(), strict=True):
    panel.plot(epochs, curve, "o-", color=colours["by norm"], markersize=4)
    panel.set_ylabel(label)
    panel.set_ylim(bottom=0)
    panel.grid(alpha=0.3)
panels[1].axhline(1.0, color="0.3", linestyle="--")
panels[1].text(1, 1.05, "clip_norm", va="bottom")
panels[-1].set_xlabel("epoch")
plt.show()
