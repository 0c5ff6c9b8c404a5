"""How long a step, a fit and a prediction take, as ratios to named peers.

Run with nothing else running: ``python benchmarks/speed.py`` (``--quick`` for fewer repeats).
Every configuration is pinned by explicit parameters; data are float32; every peer has its
default threads. skorch's columns need ``pip install ".[bench]"``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from importlib.util import find_spec
from itertools import pairwise
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch
from _measure import interleaved, show
from sklearn import model_selection as theirs
from sklearn.datasets import load_digits, load_iris
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor

from sklearn_dnn import MLPClassifier, MLPRegressor, neural_network
from sklearn_dnn._core.data.batches import TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.specification import Task, resolve
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.streams import Streams
from sklearn_dnn.components import Adam
from sklearn_dnn.model_selection import GridSearchCV

NETWORKS = [  # sizes, batch, steps an epoch
    ((20, 64, 64, 2), 32, 40),
    ((50, 100, 2), 200, 20),
    ((50, 256, 256, 10), 256, 16),
    ((200, 512, 512, 512, 10), 256, 6),
]
EPOCHS = 30


def plain(batch_size: int, epochs: int) -> dict[str, object]:
    """Parameters of scikit-learn's defaults that both packages share, training on to the end."""
    return {
        "activation": "relu",
        "alpha": 1e-4,
        "batch_size": batch_size,
        "learning_rate_init": 1e-3,
        "max_iter": epochs,
        "tol": 0.0,
        "n_iter_no_change": 10_000,
        "early_stopping": False,
        "random_state": 0,
    }


OURS = {
    "optimizer": Adam(beta_1=0.9, beta_2=0.999, epsilon=1e-8),
    "schedule": "constant",
    "initializer": "auto",
    "norm": None,
    "dropout": 0.0,
    "dtype": "float32",
    "input_scaling": "standard",
}


def table(sizes: tuple[int, ...], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Random inputs; two real targets, or labels of ten classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, sizes[0])).astype(np.float32)
    if sizes[-1] == 10:
        return X, rng.integers(0, 10, n)
    return X, rng.standard_normal((n, sizes[-1])).astype(np.float32)


def bare_products(sizes: tuple[int, ...], batch: int):
    """The matrix products of a step and nothing else."""
    W = [torch.randn(i, o) for i, o in pairwise(sizes)]
    A = [torch.randn(batch, size) for size in sizes]
    D = [torch.randn(batch, size) for size in sizes]
    O = [torch.empty(batch, size) for size in sizes]  # noqa: E741 - outputs, as W
    G = [torch.empty_like(w) for w in W]

    def step() -> None:
        for i, w in enumerate(W):
            torch.mm(A[i], w, out=O[i + 1])
        for i in range(len(W) - 1, -1, -1):
            torch.mm(A[i].t(), D[i + 1], out=G[i])
            if i:
                torch.mm(D[i + 1], W[i].t(), out=O[i])

    return step


def skorch_fit(sizes: tuple[int, ...], batch: int, X: np.ndarray, y: np.ndarray):
    """A fit of the same network by skorch, or None where it is not installed."""
    if find_spec("skorch") is None:
        return None
    from skorch import NeuralNetRegressor  # noqa: PLC0415 - optional peer

    layers: list[torch.nn.Module] = []
    for i, o in pairwise(sizes):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    network = NeuralNetRegressor(
        torch.nn.Sequential(*layers[:-1]),
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=EPOCHS,
        batch_size=batch,
        iterator_train__shuffle=True,
        train_split=None,
        verbose=0,
    )
    return lambda: network.fit(X, y)


def steps(repeats: int) -> None:
    """Seconds a step of single fits."""
    rows = []
    for sizes, batch, per_epoch in NETWORKS:
        X, y = table(sizes, batch * per_epoch)
        classes = sizes[-1] == 10
        ours = MLPClassifier if classes else MLPRegressor
        peer = SklearnClassifier if classes else SklearnRegressor
        shared = {"hidden_layer_sizes": sizes[1:-1], **plain(batch, EPOCHS)}
        products = bare_products(sizes, batch)

        def bare(products=products, n=EPOCHS * per_epoch) -> None:
            for _ in range(n):
                products()

        same = neural_network.MLPClassifier if classes else neural_network.MLPRegressor
        runs = {
            "ours": lambda o=ours, p=shared, X=X, y=y: o(**p, **OURS).fit(X, y),
            "one word changed": lambda o=same, p=shared, X=X, y=y: o(**p).fit(X, y),
            "bare products": bare,
            "scikit-learn": lambda o=peer, p=shared, X=X, y=y: o(**p).fit(X, y),
        }
        fit = None if classes else skorch_fit(sizes, batch, X, y)
        if fit is not None:
            runs["skorch"] = fit
        seconds = interleaved(runs, repeats)
        us = {name: s / (EPOCHS * per_epoch) * 1e6 for name, s in seconds.items()}
        rows.append(
            [
                "-".join(map(str, sizes)),
                str(batch),
                *(
                    f"{us[name]:.0f}" if name in us else ""
                    for name in (
                        "ours",
                        "one word changed",
                        "scikit-learn",
                        "skorch",
                        "bare products",
                    )
                ),
                f"{us['ours'] / us['scikit-learn']:.2f}",
                f"{us['one word changed'] / us['scikit-learn']:.2f}",
                f"{us['ours'] / us['skorch']:.2f}" if "skorch" in us else "",
                f"{us['ours'] / us['bare products']:.2f}",
            ]
        )
    show(
        "Microseconds a step (Adam, whole fits divided by their steps)",
        [
            "network",
            "batch",
            "ours",
            "one word changed",
            "scikit-learn",
            "skorch",
            "bare products",
            "ours / scikit-learn",
            "one word changed / scikit-learn",
            "ours / skorch",
            "ours / bare",
        ],
        rows,
    )


def grid(repeats: int) -> None:
    """Seconds of a grid over scikit-learn's networks on digits, 24 candidates and five folds."""
    X, y = load_digits(return_X_y=True)
    values = {
        "alpha": [1e-4, 1e-3, 1e-2],
        "learning_rate_init": [1e-3, 1e-2],
        "hidden_layer_sizes": [(50,), (100,)],
        "solver": ["adam", "sgd"],
    }
    given = {"max_iter": 30, "random_state": 0}
    searches = {
        "one word changed, n_jobs=None": lambda: GridSearchCV(
            neural_network.MLPClassifier(**given), values, cv=5
        ).fit(X, y),
        "scikit-learn, n_jobs=2": lambda: theirs.GridSearchCV(
            SklearnClassifier(**given), values, cv=5, n_jobs=2
        ).fit(X, y),
    }
    seconds = interleaved(searches, max(1, repeats // 3))
    ours, peer = seconds.values()
    show(
        "A grid of 24 candidates and five folds on digits, float64",
        [*seconds, "ratio"],
        [[f"{ours:.1f}", f"{peer:.1f}", f"{ours / peer:.2f}"]],
    )


def stack(repeats: int) -> None:
    """Seconds a step and member of a stack, against scikit-learn's single fit."""
    sizes, batch, per_epoch = NETWORKS[0]
    X, y = table(sizes, batch * per_epoch)
    rows = []
    shared = {"hidden_layer_sizes": sizes[1:-1], **plain(batch, EPOCHS)}
    for members in (1, 8, 16, 32):
        parameters = MLPRegressor(**shared, **OURS).get_params(deep=False)
        task = Task("regression", sizes[0], sizes[-1], len(X), len(X), "float32")

        def run(m=members, parameters=parameters, task=task) -> None:
            spec = resolve(parameters, task)
            standardiser = Standardiser(None, torch.float32, "cpu")
            data = TrainingSet(
                Features(X, standardiser),
                torch.from_numpy(y),
                None,
                torch.arange(len(X)).expand(m, -1),
            )
            train([spec] * m, Progress.begin([spec] * m, Streams.of_members(0, m)), data)

        seconds = interleaved(
            {"stack": run, "scikit-learn": lambda: SklearnRegressor(**shared).fit(X, y)}, repeats
        )
        us = {name: s / (EPOCHS * per_epoch) * 1e6 for name, s in seconds.items()}
        member = us["stack"] / members
        rows.append(
            [
                str(members),
                f"{member:.0f}",
                f"{us['scikit-learn']:.0f}",
                f"{member / us['scikit-learn']:.2f}",
            ]
        )
    show(
        "Microseconds a step and member of a stack of 20-64-64-2, batch 32",
        ["members", "ours, a member", "scikit-learn, one fit", "ratio"],
        rows,
    )


def small_fits_and_predictions(repeats: int) -> None:
    """A fit of iris, one row and a million rows."""
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    shared = {"hidden_layer_sizes": (100,), **plain(50, 100)}
    rows = []

    def add(name: str, ours, peer, n: int = repeats) -> None:
        seconds = interleaved({"ours": ours, "scikit-learn": peer}, n)
        ratio = seconds["ours"] / seconds["scikit-learn"]
        rows.append([name, *(f"{s * 1e3:.3f}" for s in seconds.values()), f"{ratio:.2f}"])

    add(
        "fit of iris, batch 50, 100 epochs",
        lambda: MLPClassifier(**shared, **OURS).fit(X, y),
        lambda: SklearnClassifier(**shared).fit(X, y),
    )
    ours = MLPClassifier(**shared, **OURS).fit(X, y)
    peer = SklearnClassifier(**shared).fit(X, y)
    for name in ("predict", "predict_proba"):
        add(
            f"{name} of one row, 100 times",
            lambda name=name: [getattr(ours, name)(X[:1]) for _ in range(100)],
            lambda name=name: [getattr(peer, name)(X[:1]) for _ in range(100)],
        )
    X, y = table((50, 100, 2), 1_000_000)
    shared = {"hidden_layer_sizes": (100,), **plain(200, 1)}
    ours_r = MLPRegressor(**shared, **OURS).fit(X[:2000], y[:2000])
    peer_r = SklearnRegressor(**shared).fit(X[:2000], y[:2000])
    add(
        "predict of 1,000,000 x 50 float32",
        lambda: ours_r.predict(X),
        lambda: peer_r.predict(X),
        max(3, repeats // 2),
    )
    show("Milliseconds", ["what", "ours", "scikit-learn", "ratio"], rows)


FIRST_FIT = """
import time, warnings
warnings.simplefilter("ignore")
import sys
import numpy as np
from sklearn.datasets import load_iris
from sklearn_dnn import MLPClassifier
X, y = load_iris(return_X_y=True)
start = time.perf_counter()
MLPClassifier(batch_size=50, max_iter=100).fit(X, y)
print(time.perf_counter() - start, "torch._dynamo" in sys.modules)
"""
IMPORT = """
import time
import torch, sklearn.neural_network
start = time.perf_counter()
import sklearn_dnn
print(time.perf_counter() - start, False)
"""


def fresh_processes(repeats: int) -> None:
    """The first fit of a process, and the import, of compiled modules as pip installs them."""
    rows = []
    with TemporaryDirectory() as cache:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": cache, "PYTHONDONTWRITEBYTECODE": ""}
        for name, code in (
            ("first fit of a process (iris, 100 epochs)", FIRST_FIT),
            ("import beyond torch and sklearn.neural_network", IMPORT),
        ):
            seconds, dynamo = [], False
            for _ in range(1 + repeats):  # the first one compiles
                out = subprocess.run(
                    [sys.executable, "-c", code],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout.split()
                seconds.append(float(out[0]))
                dynamo |= out[1] == "True"
            rows.append([name, f"{median(seconds[1:]):.3f}", "yes" if dynamo else "no"])
    show("Fresh processes, seconds", ["what", "median", "imports torch._dynamo"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repeats instead of 9")
    parser.add_argument(
        "--only", choices=["steps", "grid", "stack", "small", "fresh"], help="one table only"
    )
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    repeats = 3 if arguments.quick else 9
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {repeats} repeats")
    start = perf_counter()
    tables = {
        "steps": steps,
        "grid": grid,
        "stack": stack,
        "small": small_fits_and_predictions,
        "fresh": fresh_processes,
    }
    for name, make in tables.items():
        if arguments.only in {None, name}:
            make(repeats)
    print(f"\n{perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
