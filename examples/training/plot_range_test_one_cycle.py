"""
Range test and one cycle
========================

How large may the learning rate be? The range test finds out in one short run: the rate rises from
step to step, from one that changes nothing to one that breaks training, and one looks where the
loss begins to climb (L. N. Smith, 2017).

Besides a constant rate there is the 1cycle schedule: the rate rises from a tenth of its peak to the
peak, falls back, and ends near nothing. In Smith's report of 2018 the momentum moves the other way,
from 0.95 down to 0.85 where the rate is at its peak, and back up.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import SGD, MomentumCycle, OneCycle, Scheduled
from sklearn_dnn.inspection import RangeTestDisplay, learning_rate_range_test

QUICK = "SKLEARN_DNN_QUICK" in os.environ
N_SEEDS = 1 if QUICK else 6
N_EPOCHS = 15
RATES = (0.01, 0.1) if QUICK else (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=0)
network = MLPClassifier(
    (64, 64),
    optimizer=SGD(momentum=0.95),
    batch_size=32,
    max_iter=N_EPOCHS,
    n_iter_no_change=np.inf,
    random_state=0,
)

# %%
# The range test
# --------------
#
# Each point is the loss of one batch, before a step at that rate; the line is their running mean,
# and a tenth of the rate at its lowest point is the suggestion. The mean lags behind, so that the
# lowest point comes a little late: the tenth is there to be safe.

result = learning_rate_range_test(network, X_train, y_train, min_rate=1e-5, max_rate=10.0)
lowest = 10 * result.suggestion
print(f"{len(result.rates)} steps; lowest loss at a rate of {lowest:.2g}")
print(f"suggestion: {result.suggestion:.2g}")

figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
panel.plot(result.rates, result.losses, ".", color="0.6", label="loss of a batch")
display = RangeTestDisplay(result.rates, result.smoothed, result.suggestion).plot(panel)
display.line_.set_label("running mean")
panel.set_ylim(0, 1.5 * result.smoothed[0])
panel.legend()
plt.show()

# %%
# One cycle
# ---------
#
# What the two schedules do in these epochs. The momentum's is a factor on the 0.95 that the
# optimizer has.

steps = -(-len(X_train) // 32)
time = np.arange(N_EPOCHS * steps) / steps
figure, (upper, lower) = plt.subplots(2, 1, sharex=True, figsize=(7, 4), layout="constrained")
upper.plot(time, OneCycle().curve(N_EPOCHS, steps), color="#0072B2")
upper.set(ylabel="rate / peak")
lower.plot(time, 0.95 * MomentumCycle().curve(N_EPOCHS, steps), color="#D55E00")
lower.set(xlabel="epoch", ylabel="momentum")
plt.show()

# %%
# What it brings
# --------------
#
# Three ways to train with the same number of epochs, over a range of rates: constant, or as the
# peak of a cycle. Every point is a mean over several ``random_state``; the bars are their standard
# deviation.

ways = {
    "constant": {},
    "1cycle": {"schedule": "one_cycle"},
    "1cycle, momentum too": {
        "schedule": "one_cycle",
        "optimizer__momentum": Scheduled(0.95, "momentum_cycle"),
    },
}
accuracy = {}
print("\naccuracy on new rows   " + "".join(f"{rate:>8g}" for rate in RATES))
for name, way in ways.items():
    accuracy[name] = np.array(
        [
            [
                clone(network)
                .set_params(learning_rate_init=rate, random_state=seed, **way)
                .fit(X_train, y_train)
                .score(X_test, y_test)
                for seed in range(N_SEEDS)
            ]
            for rate in RATES
        ]
    )
    print(f"{name:<22}" + "".join(f"{mean:8.3f}" for mean in accuracy[name].mean(axis=1)))

# %%
# At the rates that suit each, the three end close together: on a table this easy no schedule wins
# anything that counts. What differs is which rates they bear. A peak is held only for a moment, so
# a cycle wants a higher rate than training at a constant one; and with the momentum lowered at the
# peak, which shortens the steps there from 20 to about 7 times rate and gradient, training survives
# a rate of 0.1 that breaks the two others. The range test, which was run with the momentum of 0.95,
# has its lowest loss near this rate, and suggests a tenth of it, where all three work.

styles = (("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#009E73", "^", "-."))
figure, panel = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, values), (colour, marker, line) in zip(accuracy.items(), styles, strict=True):
    panel.errorbar(
        RATES, values.mean(axis=1), yerr=values.std(axis=1), color=colour, marker=marker,
        linestyle=line, capsize=3, label=name,
    )  # fmt: skip
panel.axvline(result.suggestion, color="black", linestyle=":", label="suggestion")
panel.set(xscale="log", xlabel="rate, or peak of the cycle", ylabel="accuracy on new rows")
panel.legend(loc="lower left")
plt.show()
