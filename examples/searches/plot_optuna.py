"""
A study of Optuna
=================

Optuna's samplers learn from the trials before where to try next, and its pruners end trials that
look poor on the way. ``sklearn_dnn.model_selection.optimize`` runs a study in batches of trials:
the networks of a batch, one for each trial and fold, are trained at once as a stack, and those of a
pruned trial leave it. Optuna is the extra ``optuna``.
"""

import os
from importlib.util import find_spec

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier
from sklearn_dnn.model_selection import optimize

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests
BLUE = "#0072B2"

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
network = MLPClassifier(
    (32,), batch_size=50, max_iter=5 if QUICK else 25, early_stopping=False, random_state=0
)


# %%
# What is searched is a function of the trial, as an objective of Optuna is, that returns parameters
# instead of a score. ``constant_liar`` keeps the trials of a batch from being the same.


def space(trial):
    return {
        "learning_rate_init": trial.suggest_float("rate", 1e-5, 1e-1, log=True),
        "alpha": trial.suggest_float("alpha", 1e-6, 1.0, log=True),
    }


def run():
    import optuna  # noqa: PLC0415 - an extra

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.TPESampler(n_startup_trials=8, constant_liar=True, seed=0),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=2, reduction_factor=2),
    )
    n_trials = 8 if QUICK else 48
    optimize(study, network, space, X_train, y_train, n_trials=n_trials, batch_size=8, cv=3)
    return study


if find_spec("optuna") is None:
    print("Optuna is not installed: pip install 'sklearn-dnn[optuna]'.")
else:
    study = run()
    pruned = sum(trial.state.name == "PRUNED" for trial in study.trials)
    epochs = sum(len(trial.intermediate_values) for trial in study.trials)
    print(f"{pruned} of {len(study.trials)} trials pruned")
    print(f"{epochs} of {len(study.trials) * network.max_iter} epochs done")
    print(f"best accuracy over the folds {study.best_value:.3f}, with {study.best_params}")
    best = network.set_params(**space(study.best_trial)).fit(X_train, y_train)
    print(f"accuracy on unseen rows      {best.score(X_test, y_test):.3f}")

# %%
# The pruner sees minus the training loss, the mean over the folds. Each line is a trial, which ends
# where it was pruned; those that were trained to the end are blue.

if find_spec("optuna") is not None:
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for trial in study.trials:
        curve = trial.intermediate_values
        whole = trial.state.name == "COMPLETE"
        axes.plot(
            [epoch + 1 for epoch in curve],
            [-value for value in curve.values()],
            color=BLUE if whole else "0.6",
            zorder=3 if whole else 2,
        )
        axes.plot(max(curve) + 1, -curve[max(curve)], ".", color=BLUE if whole else "0.6")
    axes.set(yscale="log", xlabel="epoch", ylabel="training loss, mean over the folds")
    plt.show()
