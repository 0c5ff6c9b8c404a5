"""
Noise, wrong labels and attacks
===============================

A network is robust if it stays right when something is not as it was in training: noise on the
inputs, labels that were wrong, rows that somebody changed on purpose. Each has a remedy that is a
parameter, and a remedy for one thing may do nothing for another. Here are five networks for the
digits, equal but for their remedy.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import Adversarial, InputNoise, Mixup
from sklearn_dnn.inspection import fgsm

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

X, y = load_digits(return_X_y=True)
X = X / 16  # grey from 0 to 1: epsilon, and the size of noise, are shares of that range
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

remedies = {
    "plain": {},
    "label smoothing": {"label_smoothing": 0.4},
    "mixup": {"augmentation": Mixup(alpha=1.0)},
    "input noise": {"augmentation": InputNoise(std=0.2)},
    "adversarial": {"augmentation": Adversarial(epsilon=0.1)},
}
STYLES = dict(zip(remedies, ("o-", "s--", "^-.", "D:", "v-"), strict=True))
COLOURS = dict(zip(remedies, ("black", "#E69F00", "#CC79A7", "#0072B2", "#009E73"), strict=True))


def network(random_state=0, **remedy):
    return MLPClassifier(
        (200,),
        batch_size=50,
        learning_rate_init=0.003,
        schedule="linear",
        max_iter=5 if QUICK else 100,
        input_scaling=None,
        random_state=random_state,
        **remedy,
    )


networks = {name: network(**remedy).fit(X_train, y_train) for name, remedy in remedies.items()}


def draw(axes, levels, scores):
    for name, curve in scores.items():
        axes.plot(levels, curve, STYLES[name], color=COLOURS[name], label=name)
    axes.set_ylim(0, 1.02)
    axes.legend()


def table(levels, scores):
    print(" " * 16 + "".join(f"{level:8.2f}" for level in levels))
    for name, curve in scores.items():
        print(f"{name:<16}" + "".join(f"{score:8.3f}" for score in curve))


# %%
# Noise on the inputs
# -------------------
# The rows to be predicted get normal noise of growing size; the networks are as they are.

rng = np.random.default_rng(0)
levels = np.array([0.0, 0.1, 0.2, 0.3, 0.4])
noise = rng.normal(size=X_test.shape)
scores = {
    name: [model.score(X_test + std * noise, y_test) for std in levels]
    for name, model in networks.items()
}
print("accuracy by the noise's standard deviation")
table(levels, scores)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
draw(axes, levels, scores)
axes.set(xlabel="standard deviation of the noise", ylabel="accuracy")
plt.show()

# %%
# Without noise the five are hardly apart: of 899 rows, a hundredth is 9. With noise those that were
# trained with noise keep most of their accuracy, and so does the one that was trained on attacks.
# Label smoothing and mixup were not made for this and do not help.

# %%
# Wrong labels
# ------------
# Now 40 % of the training labels are replaced by a wrong one. The unseen rows keep their true
# labels. A large network trained for long learns wrong labels by heart, each by itself. All figures
# are means over a few seeds.

WRONG = 0.4

results = {}
for name, remedy in remedies.items():
    runs = []
    for seed in range(1 if QUICK else 3):
        rng = np.random.default_rng(seed)
        wrong = rng.random(len(y_train)) < WRONG
        labels = np.where(wrong, (y_train + rng.integers(1, 10, len(y_train))) % 10, y_train)
        model = network(seed, **remedy).fit(X_train, labels)
        learnt = np.mean(model.predict(X_train)[wrong] == labels[wrong])
        loss = log_loss(y_test, model.predict_proba(X_test))
        runs.append((learnt, model.score(X_test, y_test), loss))
    results[name] = np.mean(runs, axis=0)

print("trained with 40 % wrong labels   learnt by heart   accuracy   log loss")
for name, (learnt, accuracy, loss) in results.items():
    print(f"{name:<33}{learnt:15.2f}{accuracy:11.3f}{loss:11.2f}")

figure, panels = plt.subplots(1, 3, sharey=True, figsize=(8, 3), layout="constrained")
titles = ("wrong labels\nlearnt by heart", "accuracy\non unseen rows", "log loss\non unseen rows")
for panel, title, values in zip(panels, titles, zip(*results.values(), strict=True), strict=True):
    panel.barh(list(results), values, color=list(COLOURS.values()))
    panel.set_title(title, fontsize="medium")
panels[0].invert_yaxis()
panels[0].set_xlabel("share of them")
panels[1].set_xlabel("share of rows")
panels[2].set_xlabel("nats")
plt.show()

# %%
# The plain network learns more than half of the wrong labels by heart, and pays for it. Input
# noise, mixup and adversarial rows blur the single row, so that it has to follow its neighbours.
# Label smoothing doubts all labels alike: it gains little accuracy here, learns the wrong ones all
# the same, and, as the labels in the training rows are doubtful already, its probabilities are now
# far too humble, which the log loss shows. Wrong labels are learnt last, so there is a cheaper
# remedy: the plain network is right on nine tenths of the unseen rows after 10 epochs instead of
# 100.

# %%
# An attack
# ---------
# The fast gradient sign method knows the network and moves every pixel by the same small
# ``epsilon``, up or down, whichever makes the loss greater: ``x + epsilon * sign(gradient)``. Each
# network is attacked by its own gradient. Adversarial training learns from such rows and the
# clean ones.

epsilons = np.array([0.0, 0.05, 0.1, 0.15, 0.2])
attacked = {
    name: [model.score(fgsm(model, X_test, y_test, epsilon), y_test) for epsilon in epsilons]
    for name, model in networks.items()
}
print("accuracy by epsilon")
table(epsilons, attacked)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
draw(axes, epsilons, attacked)
axes.set(xlabel="epsilon, how far each pixel is moved (black to white is 1)", ylabel="accuracy")
plt.show()

# %%
# Noise of standard deviation 0.1 cost the plain network a few hundredths; an attack of the same
# size, which no noise would ever hit upon by chance, costs it two thirds of its answers.
# Adversarial training, at ``epsilon=0.1``, keeps four fifths of them. It is no proof: this is the
# simplest of attacks, and at twice the distance that network fails, too. Below are the first rows,
# with what is predicted for them, at an ``epsilon`` of 0.1.

EPSILON = 0.1
figure, panels = plt.subplots(3, 6, figsize=(7, 4.2), layout="constrained")
victims = ("plain", "adversarial")
rows = np.arange(6)
panels[0, 0].set_ylabel("clean")
for panel, row in zip(panels[0], rows, strict=True):
    panel.imshow(X_test[row].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
    panel.set_title(f"{y_test[row]}", fontsize="medium")
for line, name in zip(panels[1:], victims, strict=True):
    moved = fgsm(networks[name], X_test[rows], y_test[rows], EPSILON)
    for panel, image, label, true in zip(
        line, moved, networks[name].predict(moved), y_test[rows], strict=True
    ):
        panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        panel.set_title(f"{label}" if label == true else f"{label} (wrong)", fontsize="medium")
    line[0].set_ylabel(f"attack on\n{name}")
for panel in panels.flat:
    panel.set(xticks=[], yticks=[])
plt.show()
