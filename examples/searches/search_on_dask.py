"""
A search on a cluster of Dask
=============================

The workers of a Dask cluster train stacks of networks, and the table goes to each of them once.
Run it with the address of a scheduler, ``python search_on_dask.py tcp://SCHEDULER:8786``, or
without one to start two workers on this machine. Dask is the extra ``distributed``.
"""

import os
import sys

import joblib
from distributed import Client, LocalCluster
from scipy.stats import loguniform
from sklearn.datasets import load_digits

from sklearn_dnn import MLPClassifier
from sklearn_dnn.model_selection import RandomizedSearchCV

QUICK = "SKLEARN_DNN_QUICK" in os.environ  # smaller runs, for tests


def search(X, y):
    network = MLPClassifier((32,), batch_size=50, max_iter=2 if QUICK else 20, random_state=0)
    space = {"learning_rate_init": loguniform(1e-4, 1e-1), "alpha": loguniform(1e-6, 1e-1)}
    n_candidates = 4 if QUICK else 64
    with joblib.parallel_config("dask", scatter=[X, y]):
        return RandomizedSearchCV(
            network, space, n_iter=n_candidates, cv=3, n_jobs=-1, random_state=0
        ).fit(X, y)


def main(address=None):
    X, y = load_digits(return_X_y=True)
    if address is not None:
        with Client(address):
            found = search(X, y)
    else:
        with (
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                processes=not QUICK,
                dashboard_address=None,
            ) as cluster,
            Client(cluster),
        ):
            found = search(X, y)
    print(f"best accuracy over the folds {found.best_score_:.3f}")
    for name, value in found.best_params_.items():
        print(f"{name:<18} {value:.3g}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 and sys.argv[1].startswith("tcp") else None)
