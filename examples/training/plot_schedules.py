"""
Schedules of the learning rate
==============================

A schedule is a factor on a number, here ``learning_rate_init``, that changes with time. Time is
counted in epochs: ``t`` is the number of steps done over the number of steps in an epoch, so that
it is 2.5 in the middle of the third epoch. ``curve`` gives the factors of a run without training.
Schedules with a horizon end at ``max_iter`` unless they state another.

``performance`` answers to the loss: a rate is cut when the loss has stopped falling. Its curve is
drawn for losses that were given to it, here 1 / (1 + t) and level after 20 epochs.
"""

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dnn.components import Cyclic, Exponential, OneCycle, Performance, Piecewise, Warmup
from sklearn_dnn.components.schedules import SCHEDULES

N_EPOCHS, STEPS = 50, 10

losses = 1 / (1 + np.minimum(np.arange(N_EPOCHS), 20))


def curve_of(schedule):
    told = losses if schedule.watches_loss else None
    return schedule.curve(N_EPOCHS, steps_per_epoch=STEPS, losses=told)


def draw(curves, n_columns):
    n_rows = -(-len(curves) // n_columns)
    figure, panels = plt.subplots(
        n_rows,
        n_columns,
        sharex=True,
        sharey=True,
        figsize=(9, 0.4 + 1.6 * n_rows),
        layout="constrained",
    )
    for panel, (name, curve) in zip(panels.flat, curves.items(), strict=False):
        panel.plot(np.arange(len(curve)) / STEPS, curve)
        panel.set_title(name, fontsize="medium")
    for panel in panels.flat[len(curves) :]:
        panel.set_axis_off()
    figure.supxlabel("time t in epochs")
    figure.supylabel("factor")
    plt.show()


curves = {name: curve_of(SCHEDULES[name]()) for name in SCHEDULES}
for name, curve in curves.items():
    print(f"{name:<20} first {curve[0]:.3f}, highest {curve.max():.3f}, last {curve[-1]:.4f}")

# %%
# All schedules that have a name, at their defaults, over 50 epochs of 10 steps. Steps within an
# epoch show in those that change at every step; the others are stairs of whole epochs.

draw(curves, n_columns=5)

# %%
# With parameters of their own: stairs instead of a slope, peaks that halve, two parts of a cosine
# as torch has them, a slow start in front of another schedule. ``momentum_cycle`` above is made for
# the momentum with ``one_cycle`` for the rate.

variants = {
    "piecewise at 15 and 30": Piecewise(boundaries=(15, 30), factors=(1.0, 0.3, 0.1)),
    'exponential, interval="s"': Exponential(s=10, base=0.5, interval="s"),
    "cyclic, triangular2": Cyclic(mode="triangular2", min_factor=0.1),
    "one cycle in two parts": OneCycle(up_fraction=0.3, down_fraction=0.7, anneal="cosine"),
    "performance, patience 3": Performance(patience=3),
    "warmup before a cosine": Warmup("cosine", epochs=10),
}
draw({name: curve_of(schedule) for name, schedule in variants.items()}, n_columns=3)
