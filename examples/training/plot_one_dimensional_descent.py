r"""
Four ways in which descent goes wrong
=====================================

Gradient descent repeats one step, :math:`\theta \leftarrow \theta - \eta f'(\theta)`. With a rate
:math:`\eta` that is too small it does not arrive; on a parabola of curvature c, a rate above 2 / c
makes it leave the valley for good. With a good rate it may still find a minimum that is not the
lowest, or hardly move where the slope is nearly zero.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from sklearn_dnn.components import SGD

BLUE, ORANGE = "#0072B2", "#D55E00"


def descend(loss, start, rate, n_steps, optimizer):
    """The places that an optimizer visits, computed with the package's own update rule."""
    theta = torch.tensor([[float(start)]], dtype=torch.float64)
    state, coefficients = optimizer.start(theta), optimizer.coefficients()
    path = [theta.item()]
    for _ in range(n_steps):
        point = theta.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(point).sum(), point)
        with torch.no_grad():
            optimizer.step(theta, gradient, state, rate, coefficients)
        path.append(theta.item())
    return np.array(path)


def parabola(x):
    return x**2  # curvature 2: rates above 1 diverge


def two_valleys(x):
    return x**4 / 4 - x**2 + x / 3


def plateau(x):
    return 1 - torch.exp(-(x**2))


cases = {
    # loss, start, rate, steps, and the heights that the picture shows
    "too slow: rate 0.01": (parabola, -2.0, 0.01, 20, (-0.3, 5)),
    "too fast: rate 1.05": (parabola, -0.8, 1.05, 10, (-0.3, 5)),
    "a local minimum: rate 0.1": (two_valleys, 2.0, 0.1, 40, (-2, 2)),
    "a plateau: rate 0.1": (plateau, -2.2, 0.1, 40, (-0.1, 1.2)),
}
paths = {title: descend(*case[:4], SGD()) for title, case in cases.items()}
for title, path in paths.items():
    print(f"{title:<26} from {path[0]:5.2f} to {path[-1]:5.2f} in {len(path) - 1} steps")

# %%
# Every dot is a step, the large one the start. The lowest point is at 0, but for the third picture,
# where it is near -1.49: descent from the right stops at the minimum of its own side.

places = torch.linspace(-3, 3, 301, dtype=torch.float64)
figure, panels = plt.subplots(2, 2, sharex=True, figsize=(7, 5.5), layout="constrained")
for panel, (title, path) in zip(panels.flat, paths.items(), strict=True):
    loss, *_, heights_shown = cases[title]
    panel.plot(places, loss(places), color="0.6")
    heights = loss(torch.from_numpy(path)).numpy()
    panel.plot(path, heights, "o-", color=BLUE, markersize=4, linewidth=0.8)
    panel.plot(path[0], heights[0], "o", color=ORANGE, markersize=9)
    panel.set_title(title)
    panel.set_ylim(heights_shown)
figure.supxlabel("parameter")
figure.supylabel("loss")
plt.show()

# %%
# The remedies are the subject of other pages: a rate found by a range test, a schedule or
# clipping, the noise of small batches and several starts, and momentum. Momentum does not make a
# plateau steep, but it gathers speed where the slope keeps its sign. On the plateau above, with
# the same rate:

for momentum in (0.0, 0.9):
    path = descend(plateau, -2.2, 0.1, 400, SGD(momentum=momentum))
    arrived = np.flatnonzero(np.abs(path) < 0.5)
    text = f"within 0.5 of the minimum after {arrived[0]} steps" if len(arrived) else "not arrived"
    print(f"momentum {momentum}: {text}")
