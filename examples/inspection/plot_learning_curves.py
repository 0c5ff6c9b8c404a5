"""
Will more rows help?
====================

A few more rows are invisible in a score: aim at twice as many. So a learning curve doubles the
training rows from point to point and has a logarithmic axis. Next to the score on rows held out it
shows the score on the training rows, and the two together say what to do: where training is poor,
more rows will not help; where training is good and the rest poor, they will.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import ShuffleSplit, learning_curve, train_test_split

from sklearn_dnn import MLPRegressor
from sklearn_dnn.inspection import diagnose

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

SIZES = 50 * 2 ** np.arange(4 if QUICK else 8)  # 50, 100, 200, ... rows
N_TEST = 2000

X, y = make_friedman1(SIZES[-1] + N_TEST, 10, noise=1.0, random_state=0)
# The noise has variance 1: no model can explain it, however many rows there are.
ceiling = 1 - 1 / y.var()

models = {
    "ridge": RidgeCV(np.logspace(-2, 4, 13)),
    "forest": RandomForestRegressor(20 if QUICK else 50, random_state=0),
    "network": MLPRegressor(
        (50, 50),
        batch_size=50,
        learning_rate_init=0.01,
        schedule="linear",
        max_iter=10 if QUICK else 60,
        random_state=0,
    ),
}
splits = ShuffleSplit(2 if QUICK else 3, test_size=N_TEST, random_state=0)

curves = {}
print(f"R2 on rows held out; at most {ceiling:.3f}")
print("rows    " + "".join(f"{size:8d}" for size in SIZES))
for name, model in models.items():
    _, train, held_out = learning_curve(model, X, y, train_sizes=SIZES, cv=splits)
    curves[name] = train.mean(axis=1), held_out.mean(axis=1)
    print(f"{name:<8}" + "".join(f"{score:8.3f}" for score in curves[name][1]))

# %%
# Three shapes of curves
# ----------------------

figure, panels = plt.subplots(1, 3, sharey=True, figsize=(9, 3.6), layout="constrained")
for panel, (name, (train, held_out)) in zip(panels, curves.items(), strict=True):
    panel.plot(SIZES, train, "s--", color="#D55E00", label="training rows")
    panel.plot(SIZES, held_out, "o-", color="#0072B2", label="rows held out")
    panel.axhline(ceiling, color="black", linewidth=0.8, linestyle=":", label="best possible")
    panel.set(title=name, xscale="log", ylim=(0, 1.02))
    panel.set_xticks(SIZES[::2], SIZES[::2])
    panel.minorticks_off()
panels[0].set_ylabel("R2")
panels[0].legend(loc="lower right", fontsize="small")
figure.supxlabel("training rows, doubled from point to point")
plt.show()

# %%
# The two scores of ridge meet far below what is possible: it cannot bend, and rows do not change
# that. The forest and the network know their training rows nearly by heart, and the distance closes
# with each doubling. At 50 rows ridge is ahead, at 6400 far behind: which model is best depends on
# how many rows there are. The steps of the network get smaller, too: from 3200 to 6400 rows it
# gains little more than a hundredth.

# %%
# Ask before paying
# -----------------
# ``diagnose`` draws the conclusion from two scores and the score that is wanted. Here it is asked
# with 400 rows, and with 16 times as many its advice can be checked.

FEW, WANTED = 400, 0.9

X_rest, X_val, y_rest, y_val = train_test_split(X, y, test_size=N_TEST, random_state=1)
for name in ("ridge", "network"):
    model = models[name].fit(X_rest[:FEW], y_rest[:FEW])
    print(f"\n{name}, {FEW} rows")
    print(diagnose(model, X_rest[:FEW], y_rest[:FEW], X_val, y_val, target=WANTED))
    more = model.fit(X_rest, y_rest)
    print(f"with {len(X_rest)} rows: {more.score(X_val, y_val):.3f}")

# %%
# Twice as many rows cost money and time, and this question costs one fit. It is a rule, not a law:
# rows of another kind than those at hand, or cleaner ones, can help where more of the same do not.
