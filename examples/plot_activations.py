"""
Activations and their derivatives
=================================

All activations that have a name, with their derivatives, which decide how much of a gradient
passes back through a layer. ``logistic`` has a slope of at most 1/4, so in a deep network little of
it reaches the first layers. The units of ``relu`` pass either all of it or nothing.
"""

import matplotlib.pyplot as plt
import torch

from sklearn_dnn.components.activations import ACTIVATIONS

points = torch.linspace(-4, 4, 401, dtype=torch.float64)

curves = {}
for name in ACTIVATIONS:
    z = points.clone().requires_grad_()
    values = ACTIVATIONS[name]().forward(z)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    curves[name] = values.detach().numpy(), slopes.numpy()

print("on [-4, 4]   lowest  highest  steepest  initializer of 'auto'")
for name, (values, slopes) in curves.items():
    initializer = ACTIVATIONS[name].initializer
    print(f"{name:<11} {values.min():7.3f} {values.max():8.3f} {slopes.max():9.3f}  {initializer}")

# %%
# Solid lines are the functions, dashed lines their derivatives.

figure, panels = plt.subplots(2, 5, sharex=True, sharey=True, figsize=(10, 4), layout="constrained")
for panel, (name, (values, slopes)) in zip(panels.flat, curves.items(), strict=True):
    panel.plot(points, values)
    panel.plot(points, slopes, linestyle="--")
    panel.axhline(0, color="black", linewidth=0.5)
    panel.set_title(name)
    panel.set_ylim(-2, 4)
plt.show()
