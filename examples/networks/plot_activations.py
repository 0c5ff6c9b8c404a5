"""
Activations and their derivatives
=================================

All activations that have a name, with their derivatives, which decide how much of a gradient
passes back through a layer. ``logistic`` has a slope of at most 1/4, so in a deep network little of
it reaches the first layers. The units of ``relu`` pass either all of it or nothing. Gated units
(``glu``, ``swiglu``, ``geglu``) multiply two inputs: they are drawn against the one that goes
through the curved function, the other being 1.
"""

import matplotlib.pyplot as plt
import torch

from sklearn_dnn.components.activations import ACTIVATIONS

points = torch.linspace(-4, 4, 401, dtype=torch.float64)


def along(activation, z):
    """The activation of each of the numbers `z`, by itself."""
    if activation.inputs_per_unit == 1:
        return activation.forward(z)
    # glu has its gate in the second half of its inputs, the others in the first
    ones = torch.ones_like(z)
    pair = (ones, z) if type(activation).__name__ == "Glu" else (z, ones)
    return activation.forward(torch.stack(pair, -1)).squeeze(-1)


curves = {}
for name in ACTIVATIONS:
    z = points.clone().requires_grad_()
    values = along(ACTIVATIONS[name](), z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    curves[name] = values.detach().numpy(), slopes.numpy()

print("on [-4, 4]      lowest  highest  steepest  initializer of 'auto'")
for name, (values, slopes) in curves.items():
    initializer = ACTIVATIONS[name].initializer
    print(f"{name:<14} {values.min():7.3f} {values.max():8.3f} {slopes.max():9.3f}  {initializer}")

# %%
# Solid lines are the functions, dashed lines their derivatives.

n_columns = 6
n_rows = -(-len(curves) // n_columns)
figure, panels = plt.subplots(
    n_rows, n_columns, sharex=True, sharey=True, figsize=(10, 1.7 * n_rows), layout="constrained"
)
for panel in panels.flat[len(curves) :]:
    panel.axis("off")
for panel, (name, (values, slopes)) in zip(panels.flat, curves.items(), strict=False):
    panel.plot(points, values)
    panel.plot(points, slopes, linestyle="--")
    panel.axhline(0, color="black", linewidth=0.5)
    panel.set_title(name, fontsize=9)
    panel.set_ylim(-2, 4)
plt.show()
