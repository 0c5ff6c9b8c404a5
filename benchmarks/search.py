"""How long a random search takes, as ratios to peers, and how much memory.

Run with nothing else running: ``python benchmarks/search.py TABLE`` (``--quick`` for fewer
repeats). ``TABLE`` is the table of California housing as ``.csv`` or ``.csv.gz``, such as
``sklearn_dnn/datasets/california_housing.csv.gz``. Sixteen candidates, three folds, networks
8-64-64-1 on 8,000 rows in float32. skorch's row needs ``pip install ".[bench]"``; memory is
measured on Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import pandas as pd
import sklearn.model_selection as theirs
import torch
from _measure import interleaved, show
from scipy.stats import loguniform
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.components import Adam
from sklearn_dnn.model_selection import RandomizedSearchCV

ROWS, CANDIDATES, FOLDS, EPOCHS, BATCH = 8000, 16, 3, 20, 64
TARGET = "median_house_value"
LARGE_ROWS, LARGE_COLUMNS = 500_000, 100  # a table that is much of a machine's memory
SHARED = {
    "hidden_layer_sizes": (64, 64),
    "activation": "relu",
    "batch_size": BATCH,
    "max_iter": EPOCHS,
    "tol": 0.0,
    "n_iter_no_change": 10_000,
    "early_stopping": False,
    "random_state": 0,
}
OURS = {
    "optimizer": Adam(beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    "schedule": "constant",
    "norm": None,
    "dropout": 0.0,
    "dtype": "float32",
    "input_scaling": None,
    "target_scaling": None,
}
RATES, PENALTIES = loguniform(1e-4, 1e-2), loguniform(1e-6, 1e-1)


def table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Eight columns and the target, all standardised beforehand: peers do not do it inside."""
    frame = pd.read_csv(path).sample(ROWS, random_state=0)
    y = frame.pop(TARGET).to_numpy()[:, None]
    X = frame.select_dtypes("number")
    X = StandardScaler().fit_transform(X.fillna(X.median()))
    assert X.shape == (ROWS, 8)
    return X.astype(np.float32), StandardScaler().fit_transform(y).ravel().astype(np.float32)


def skorch_network() -> tuple[Any, dict[str, Any]] | None:
    """The same network by skorch, and its space; None where it is not installed."""
    if find_spec("skorch") is None:
        return None
    from skorch import NeuralNetRegressor  # noqa: PLC0415 - optional peer

    network = NeuralNetRegressor(
        torch.nn.Sequential(
            torch.nn.Linear(8, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 1),
        ),
        optimizer=torch.optim.Adam,
        max_epochs=EPOCHS,
        batch_size=BATCH,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return network, {"lr": RATES, "optimizer__weight_decay": PENALTIES}


def search(
    cls: Any, network: Any, space: dict[str, Any], n_jobs: int, candidates: int = CANDIDATES
) -> Any:
    return cls(
        network,
        space,
        n_iter=candidates,
        cv=FOLDS,
        n_jobs=n_jobs,
        refit=False,
        random_state=0,
        error_score="raise",
    )


def seconds(X: np.ndarray, y: np.ndarray, repeats: int) -> None:
    """Whole searches, without the last fit."""
    space = {"learning_rate_init": RATES, "alpha": PENALTIES}
    ours = MLPRegressor(**SHARED, **OURS)
    column = y[:, None]
    runs: dict[str, Callable[[], object]] = {
        "stacks, 2 processes": lambda: search(RandomizedSearchCV, ours, space, 2).fit(X, y),
        "stacks, 1 process": lambda: search(RandomizedSearchCV, ours, space, 1).fit(X, y),
        "scikit-learn's search and MLPRegressor": lambda: search(
            theirs.RandomizedSearchCV, SklearnRegressor(**SHARED), space, 2
        ).fit(X, y),
        "scikit-learn's search, our MLPRegressor": lambda: search(
            theirs.RandomizedSearchCV, ours, space, 2
        ).fit(X, y),
    }
    peer = skorch_network()
    if peer is not None:
        runs["scikit-learn's search, skorch"] = lambda: search(
            theirs.RandomizedSearchCV, *peer, 2
        ).fit(X, column)
    found = interleaved(runs, repeats)
    first = found["stacks, 2 processes"]
    n_fits = CANDIDATES * FOLDS
    show(
        f"Random search, {CANDIDATES} candidates x {FOLDS} folds, 8-64-64-1, {ROWS:,} rows, "
        f"batch {BATCH}, {EPOCHS} epochs",
        ["search", "seconds", "a fit, ms", "stacks of 2 processes / it"],
        [
            [name, f"{s:.2f}", f"{s / n_fits * 1e3:.0f}", f"{first / s:.2f}"]
            for name, s in found.items()
        ],
    )


CHILD = """
import sys, threading, time, warnings
from pathlib import Path
import numpy as np
warnings.simplefilter("ignore")
from search import OURS, PENALTIES, RATES, SHARED, search
from sklearn_dnn import MLPRegressor
from sklearn_dnn.model_selection import RandomizedSearchCV

def anonymous():
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024

X = np.load(sys.argv[2])
X, y = X[:, :-1].copy(), X[:, -1].copy()
network = MLPRegressor(**SHARED, **OURS).set_params(max_iter=2)
# what the first fits of a process take for themselves is no part of the search
network.fit(X[:1000], y[:1000])
space = {"learning_rate_init": RATES, "alpha": PENALTIES}
if sys.argv[1] == "fit":
    what = network
else:
    what = search(RandomizedSearchCV, network, space, 1, int(sys.argv[3]))
before = peak = anonymous()
done = False

def watch():
    global peak
    while not done:
        peak = max(peak, anonymous())
        time.sleep(0.002)

thread = threading.Thread(target=watch)
thread.start()
what.fit(X, y)
done = True
thread.join()
print(peak - before)
"""


def rise(what: str, X: np.ndarray, y: np.ndarray, candidates: int) -> float:
    """Bytes that a fresh process takes beside the table."""
    here = str(Path(__file__).parent)
    path = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.npy"
        np.save(file, np.column_stack([X, y]))
        return float(
            subprocess.run(
                [sys.executable, "-c", CHILD, what, str(file), str(candidates)],
                capture_output=True,
                text=True,
                check=True,
                env=os.environ | {"PYTHONPATH": path},
            ).stdout
        )


def memory(X: np.ndarray, y: np.ndarray) -> None:
    """Rise of anonymous memory in fresh processes; two epochs are enough."""
    rng = np.random.default_rng(0)
    large = rng.standard_normal((LARGE_ROWS, LARGE_COLUMNS), dtype=np.float32)
    found = []
    for table, target, candidates in ((X, y, CANDIDATES), (large, large[:, 0], 4)):
        fit, whole = (rise(what, table, target, candidates) for what in ("fit", "search"))
        found.append(
            [
                f"{len(table):,} x {table.shape[1]}",
                f"{candidates} x {FOLDS}",
                f"{table.nbytes / 2**20:.1f}",
                f"{fit / 2**20:.1f}",
                f"{whole / 2**20:.1f}",
                f"{(table.nbytes + whole) / (table.nbytes + fit):.2f}",
            ]
        )
    show(
        "Rise of anonymous memory beside the table, float32, MiB",
        ["table", "fits", "its size", "of one fit", "of the search", "search / fit, with table"],
        found,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path, help="California housing, .csv or .csv.gz")
    parser.add_argument("--quick", action="store_true", help="1 repeat instead of 5")
    parser.add_argument("--only", choices=["seconds", "memory"], help="one table only")
    arguments = parser.parse_args()
    if not arguments.table.exists():
        print(f"{arguments.table} is not there: nothing is measured.")
        return
    # workers of scikit-learn's search print each warning of each fit
    os.environ["PYTHONWARNINGS"] = "ignore"
    warnings.simplefilter("ignore")
    repeats = 1 if arguments.quick else 5
    X, y = table(arguments.table)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {repeats} repeats")
    start = perf_counter()
    if arguments.only in {None, "seconds"}:
        seconds(X, y, repeats)
    if arguments.only in {None, "memory"} and sys.platform == "linux":
        memory(X, y)
    print(f"\n{perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
