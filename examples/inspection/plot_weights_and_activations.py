"""
What a network looks like inside
================================

The digits are images of 8 times 8 pixels, so the weights into a unit of the first layer are such an
image, too. Here are these images, what the layers put out, the rows as the last hidden layer sees
them, and one row's way to its answer.
"""

import os

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklearn_dnn import MLPClassifier
from sklearn_dnn.inspection import (
    ActivationsDisplay,
    WeightsDisplay,
    activations,
    layer_statistics,
    worst_mistakes,
)

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def network(alpha):
    return MLPClassifier(
        (25, 15),
        batch_size=50,
        learning_rate_init=0.01,
        schedule="linear",
        max_iter=5 if QUICK else 40,
        alpha=alpha,
        input_scaling=None,
        random_state=0,
    )


# Pixels are scaled by one number instead of column by column, so that the weights of neighbouring
# pixels can be compared.
scale = X_train.std()
P_train, P_test = X_train / scale, X_test / scale
networks = {alpha: network(alpha).fit(P_train, y_train) for alpha in (0.0, 0.5)}
for alpha, model in networks.items():
    print(f"alpha {alpha}: accuracy on unseen rows {model.score(P_test, y_test):.3f}")

# %%
# The first layer's weights
# -------------------------

figure, panels = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for panel, (alpha, model) in zip(panels, networks.items(), strict=True):
    WeightsDisplay.from_estimator(model, shape=(8, 8), ax=panel)
    panel.set_title(f"alpha={alpha:g}")
plt.show()

# %%
# Red pixels excite a unit, blue ones hold it back. Without a penalty the images look like noise,
# from which the weights once started: also at the edge, where pixels are nearly always white, so
# that nothing ever moved their weights. With one, what is not needed goes to zero, and strokes and
# dots remain. Units that are all white have lost all their weights.

# %%
# What the layers put out
# -----------------------

model = networks[0.5]
print(layer_statistics(model, P_test).round(2).to_string())

figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
ActivationsDisplay.from_estimator(model, P_test, bins=50, ax=axes)
axes.set_yscale("log")
plt.show()

zeros = [np.mean(layer == 0) for layer in activations(model, P_test)]
print("share of activations that are 0:", *(f"{share:.2f}" for share in zeros))

# %%
# ``relu`` puts out zeros, and the height of the first bin, on a logarithmic axis, says how many: a
# row of digits excites only some of the units. Those that are zero on all rows are in
# ``dead_share``: the white images above. They cost time and are of no use, but do no harm. Many
# more of them, or activations that grow from layer to layer, would be a reason to look at the rate
# or the initializer.

# %%
# How the last hidden layer sees the rows
# ---------------------------------------
# ``transform`` gives the outputs of the last hidden layer: features that were learnt. Both the
# pixels and these features are drawn in two dimensions, by the two directions of greatest variance
# (PCA), and by a map that keeps neighbours together (t-SNE). The rows were not in training, and
# neither map knows the labels.

views = {"pixels": P_test, "last hidden layer": model.transform(P_test)}
n_drawn = 50 if QUICK else len(y_test)
maps = {
    "PCA": PCA(2),
    "t-SNE": TSNE(init="pca", method="exact" if QUICK else "barnes_hut", random_state=0),
}
colours = plt.get_cmap("tab10")
figure, panels = plt.subplots(2, 2, figsize=(7, 7), layout="constrained")
for line, (view, rows) in zip(panels, views.items(), strict=True):
    for panel, (name, method) in zip(line, maps.items(), strict=True):
        places, kind = method.fit_transform(rows[:n_drawn]), y_test[:n_drawn]
        for digit in range(10):
            own = places[kind == digit]
            panel.scatter(*own.T, s=25, marker=f"${digit}$", color=colours(digit), linewidths=0)
        panel.set(xticks=[], yticks=[], title=f"{view}, {name}")
plt.show()

for view, train in {"pixels": P_train, "last hidden layer": model.transform(P_train)}.items():
    for name, method in {"all columns": None, "two directions of PCA": PCA(2)}.items():
        learn, judge = train, views[view]
        if method is not None:
            learn = method.fit_transform(train)
            judge = method.transform(judge)
        neighbours = KNeighborsClassifier().fit(learn, y_train)
        print(f"5 nearest neighbours, {view}, {name}: {neighbours.score(judge, y_test):.3f}")

# %%
# Digits of a kind lie closer together in the last hidden layer than in the pixels, in both maps. It
# has 15 columns instead of 64, and neighbours there are as good a classifier as among the pixels.
# Two directions of it say a little more about the digit than two directions of the pixels.

# %%
# One row's way
# -------------
# A row that the network is wrong about, with the largest loss, and one of its class that it is
# right about: the image, the first and the last hidden layer, and the probabilities.

worst = int(worst_mistakes(model, P_test, y_test, n=1)["row"].iloc[0])
same = (y_test == y_test[worst]) & (model.predict(P_test) == y_test)
shown = [np.flatnonzero(same)[0], worst]

layers = activations(model, P_test[shown])
probabilities = model.predict_proba(P_test[shown])
figure, panels = plt.subplots(
    2, 4, figsize=(8, 4), width_ratios=(1, 1, 1, 1.4), layout="constrained"
)
for i, (line, row) in enumerate(zip(panels, shown, strict=True)):
    image, first, last, answer = line
    image.imshow(X_test[row].reshape(8, 8), cmap="gray_r")
    image.set_ylabel(f"a {y_test[row]}, taken for a {model.predict(P_test[[row]])[0]}")
    first.imshow(layers[0][i].reshape(5, 5), cmap="viridis", vmin=0, vmax=layers[0].max())
    last.imshow(layers[1][i].reshape(3, 5), cmap="viridis", vmin=0, vmax=layers[1].max())
    answer.bar(model.classes_, probabilities[i], color="#0072B2")
    answer.set(ylim=(0, 1), xticks=model.classes_)
    for panel in (image, first, last):
        panel.set(xticks=[], yticks=[])
titles = ("pixels", "first layer, 25 units", "last layer, 15 units", "probability of each digit")
for panel, title in zip(panels[0], titles, strict=True):
    panel.set_title(title, fontsize="medium")
panels[1, 3].set_xlabel("digit")
plt.show()

# %%
# Colours are the activations, from dark (zero) to bright. The rows are the same digit, written with
# a closed top in the second case, and excite different units from the first layer on. An answer
# that is wrong is often less sure, as here, which is what a threshold on the probability makes use
# of.
