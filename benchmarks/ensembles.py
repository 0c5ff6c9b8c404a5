"""What the members of an ensemble cost: independent ones, and those that share one network.

Run with nothing else running: ``python benchmarks/ensembles.py`` (``--quick`` for fewer repeats).
Both kinds are trained by the same engine, in float32, for the same epochs. Independent members
are timed beside scikit-learn's fit, and beside one fit of ours, too.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from time import perf_counter

import numpy as np
import torch
from _measure import interleaved, show
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier as SklearnClassifier

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data.batches import TrainingSet
from sklearn_dnn._core.data.features import Features, Standardiser
from sklearn_dnn._core.network.architecture import Architecture
from sklearn_dnn._core.network.parameters import Layout
from sklearn_dnn._core.specification import FitSpec, Task, resolve
from sklearn_dnn._core.training.engine import train
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.streams import Streams

NETWORKS = [  # sizes, batch, steps an epoch, epochs
    ((8, 64, 64, 1), 200, 20, 3),
    ((20, 64, 64, 2), 32, 40, 4),
    ((50, 100, 2), 200, 20, 3),
    ((50, 256, 256, 10), 256, 8, 1),
    ((784, 256, 256, 10), 128, 4, 1),
]
MEMBERS = (8, 16, 32)


def specification(
    sizes: tuple[int, ...], batch: int, n: int, epochs: int, threads: int | None, **ensemble: object
) -> FitSpec:
    """What is trained, to the end of the epochs."""
    model = MLPRegressor(
        hidden_layer_sizes=sizes[1:-1],
        batch_size=batch,
        max_iter=epochs,
        tol=0.0,
        n_iter_no_change=10_000,
        early_stopping=False,
        dtype="float32",
        device="cpu",
        n_threads=threads,
        **ensemble,
    )
    task = Task("regression", sizes[0], sizes[-1], n, n, "float32")
    return resolve(model.get_params(deep=False), task)


def training(specs: list[FitSpec], X: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """A run of the engine on all rows, from its start."""
    m, n = len(specs), len(X)
    features = Features(X, Standardiser(None, torch.float32, "cpu"))
    data = TrainingSet(features, torch.from_numpy(y), None, torch.arange(n).repeat(m, 1))
    streams = Streams.of_members(0, m)
    return lambda: train(specs, Progress.begin(specs, streams), data)


def n_parameters(spec: FitSpec) -> int:
    return Layout(Architecture.of(spec)).n_parameters


def beside_fits(repeats: int) -> None:
    """Whole fits of eight independent members of (64, 64), beside fits of one network."""
    n_members, n, batch, epochs = 8, 2000, 32, 20
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 20)).astype(np.float32)
    y = (X[:, 0] + X[:, 1] * X[:, 2] > 0).astype(int)
    same = {
        "hidden_layer_sizes": (64, 64),
        "batch_size": batch,
        "max_iter": epochs,
        "tol": 0.0,
        "n_iter_no_change": 10_000,
        "early_stopping": False,
        "random_state": 0,
    }
    ours = {"dtype": "float32", "input_scaling": None}
    many = MLPClassifier(n_members=n_members, **same, **ours)
    one = MLPClassifier(**same, **ours)
    theirs = SklearnClassifier(**same)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = interleaved(
            {
                "8 independent members, a member": lambda: many.fit(X, y),
                "one network": lambda: one.fit(X, y),
                "scikit-learn's": lambda: theirs.fit(X, y),
            },
            repeats,
        )
    found["8 independent members, a member"] /= n_members
    first = found["8 independent members, a member"]
    show(
        f"Fits of 20-64-64-1 on {n:,} rows, batch {batch}, {epochs} epochs, float32",
        ["fit", "ms", "a member / it"],
        [[name, f"{s * 1e3:.0f}", f"{first / s:.2f}"] for name, s in found.items()],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repeats instead of 9")
    parser.add_argument("--threads", type=int, default=None, help="of both; default: by the work")
    arguments = parser.parse_args()
    repeats = 3 if arguments.quick else 9
    print(f"torch {torch.__version__}, {repeats} repeats")
    start = perf_counter()
    beside_fits(repeats)
    rng = np.random.default_rng(0)
    rows = []
    for sizes, batch, steps, epochs in NETWORKS:
        n = batch * steps
        X = rng.standard_normal((n, sizes[0])).astype(np.float32)
        y = rng.standard_normal((n, sizes[-1])).astype(np.float32)
        plain = (sizes, batch, n, epochs, arguments.threads)
        for k in MEMBERS:
            one = specification(*plain)
            shared = specification(*plain, n_members=k, ensemble="shared")
            seconds = interleaved(
                {"independent": training([one] * k, X, y), "shared": training([shared], X, y)},
                repeats,
            )
            us = {name: s / (epochs * steps * k) * 1e6 for name, s in seconds.items()}
            rows.append(
                [
                    "-".join(map(str, sizes)),
                    str(batch),
                    str(k),
                    f"{us['independent']:.1f}",
                    f"{us['shared']:.1f}",
                    f"{us['shared'] / us['independent']:.2f}",
                    f"{n_parameters(shared):,}",
                    f"{n_parameters(shared) / n_parameters(one):.2f}",
                ]
            )
    show(
        "Microseconds a step and member, and numbers that are trained",
        [
            "network",
            "batch",
            "members",
            "independent",
            "shared",
            "ratio",
            "shared numbers",
            "of one network's",
        ],
        rows,
    )
    print(f"\n{perf_counter() - start:.0f} s in all")


if __name__ == "__main__":
    main()
