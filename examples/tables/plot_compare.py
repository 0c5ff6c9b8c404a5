"""
Comparing models
================

``compare_models`` does what the command ``sklearn-dnn compare`` does, from a program or a notebook:
it prepares the table, fits each model on the same folds and says how far the others are from the
best. Here are four models on 2000 rows of the California housing table, whose column of text and
whose missing values need no preparation.
"""

import os

import matplotlib.pyplot as plt

from sklearn_dnn.compare import compare_models
from sklearn_dnn.datasets import load_california_housing

N_ROWS = 300 if os.environ.get("SKLEARN_DNN_QUICK") == "1" else 2000
table = load_california_housing().sample(N_ROWS, random_state=0)
comparison = compare_models(
    table.drop(columns="median_house_value"),
    table["median_house_value"],
    models=["dummy", "ridge", "hist_gradient_boosting", "sklearn_dnn"],
    seed=0,
)
frame = comparison.to_frame()
print(frame.drop(columns="predict_seconds").round(3).T.to_string())

# %%
# Scores of scikit-learn are better when greater, so errors have a minus. ``difference`` is the
# distance to the best model in the first score, and ``p_value`` says how easily chance alone would
# make such a distance: see the page on comparing models. Here the network, at its defaults, and
# boosted trees are ahead of the linear model, and what is between the two may be chance.

figure = comparison.plot()
plt.figure(figure)  # hands the figure over to pyplot; needs matplotlib 3.11
plt.show()
