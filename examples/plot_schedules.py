"""
Schedules of the learning rate
==============================

A schedule is a factor on ``learning_rate_init`` that changes with time, which is counted in
epochs. ``curve`` gives the factors of a run without training. Schedules with a horizon end at
``max_iter`` unless they state another.

``performance`` has no curve of its own, because it answers to the loss: a rate is cut when the
loss has stopped falling. Its rates are read from a fit.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import Performance, Piecewise
from sklearn_dnn.components.schedules import SCHEDULES

N_EPOCHS, STEPS = 50, 10

curves = {}
for name in SCHEDULES:
    schedule = SCHEDULES[name]()
    if name == "piecewise":
        schedule = Piecewise(boundaries=(15, 30), factors=(1.0, 0.3, 0.1))
    if not schedule.watches_loss:
        curves[name] = schedule.curve(N_EPOCHS, steps_per_epoch=STEPS)

X, y = load_iris(return_X_y=True)
network = MLPClassifier(
    schedule=Performance(reduction=0.5, patience=3, threshold=0.001),
    learning_rate_init=0.1,
    early_stopping=True,
    n_iter_no_change=N_EPOCHS,
    max_iter=N_EPOCHS,
    random_state=0,
).fit(X, y)
rates = np.array(network.lr_curve_) / network.learning_rate_init
curves["performance"] = np.repeat(rates, STEPS)

for name, curve in curves.items():
    print(f"{name:<12} first {curve[0]:.3f}, highest {curve.max():.3f}, last {curve[-1]:.4f}")

# %%
# The factor by epoch. Of ``piecewise`` the boundaries were set to fit the run; all others stand at
# their defaults, but for ``performance``, whose curve is that of one fit of iris.

figure, panels = plt.subplots(2, 4, sharex=True, sharey=True, figsize=(9, 4), layout="constrained")
for panel, (name, curve) in zip(panels.flat, curves.items(), strict=True):
    panel.plot(np.arange(len(curve)) / STEPS, curve)
    panel.set_title(name)
figure.supxlabel("epoch")
figure.supylabel("factor on learning_rate_init")
plt.show()
