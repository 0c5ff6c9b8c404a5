"""Two classics on MNIST: a small SELU network with one cycle, and one of a hundred hidden layers.

Run: ``python benchmarks/mnist.py --data PATH``. PATH is an ``.npz`` file with ``X_train`` (60000,
784), ``y_train``, ``X_test`` (10000, 784) and ``y_test``, pixels from 0 to 255. Without it nothing
runs. Minutes each; ``--only small`` or ``--only deep`` for one table. Only accuracies are
reported: seconds are what ``speed.py`` is for.

Pixels are scaled by one mean and one deviation for all of them, those of the training images.
One a pixel, as ``input_scaling="standard"`` has them, would make the rare grey levels at the rim
hundreds of deviations large.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from _measure import show

from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import AlphaDropout, Momentum, NormalInitializer, Scheduled

NAMES = ("X_train", "y_train", "X_test", "y_test")
N_HELD = 5000
SMALL_EPOCHS, DEEP_EPOCHS = 25, 5
CYCLE = Momentum(Scheduled(0.95, "momentum_cycle"))
# What a choice may be made by is the held part of the training images; test images judge it.
SMALL = {
    "momentum": {"optimizer": Momentum(0.95)},
    "momentum, its cycle": {"optimizer": CYCLE},
    "momentum, its cycle, alpha dropout 0.05": {"optimizer": CYCLE, "dropout": AlphaDropout(0.05)},
    "momentum, its cycle, alpha dropout 0.1": {"optimizer": CYCLE, "dropout": AlphaDropout(0.1)},
    "momentum, its cycle, input dropout 0.1": {"optimizer": CYCLE, "input_dropout": 0.1},
    "nadam": {"optimizer": "nadam"},
}
DEEP = {
    "selu, LeCun": {"activation": "selu", "initializer": "lecun_normal"},
    "sigmoid, N(0, 1)": {
        "activation": "logistic",
        "initializer": NormalInitializer(std=1.0),
    },
}
# Fits that end with their epochs, on all the rows that they are given.
PLAIN = {
    "alpha": 0.0,
    "early_stopping": False,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
    "input_scaling": None,
    "dtype": "float32",
    "random_state": 0,
}


class Images(NamedTuple):
    """Standardised images and labels."""

    X: np.ndarray
    y: np.ndarray
    X_held: np.ndarray
    y_held: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


def load(path: Path) -> Images:
    """Read the file; the last 5,000 training images are held out to choose by."""
    with np.load(path) as file:
        missing = [name for name in NAMES if name not in file]
        if missing:
            raise SystemExit(f"{path} lacks {', '.join(missing)}; it has {', '.join(file)}.")
        X, y, X_test, y_test = (file[name] for name in NAMES)
    X, X_test = (table.reshape(len(table), -1).astype(np.float32) / 255 for table in (X, X_test))
    mean, deviation = X[:-N_HELD].mean(), X[:-N_HELD].std()
    X, X_test = ((table - mean) / deviation for table in (X, X_test))
    return Images(X[:-N_HELD], y[:-N_HELD], X[-N_HELD:], y[-N_HELD:], X_test, y_test)


def small(images: Images) -> None:
    """784-300-100-10: rate from the range test, one cycle."""
    best = ("", 0.0, 0.0)

    def rows() -> Iterator[list[str]]:
        nonlocal best
        for name, parameters in SMALL.items():
            network = MLPClassifier(
                (300, 100),
                activation="selu",
                initializer="lecun_normal",
                learning_rate_init="range_test",
                schedule="one_cycle",
                batch_size=128,
                max_iter=SMALL_EPOCHS,
                **parameters,
                **PLAIN,
            ).fit(images.X, images.y)
            held = network.score(images.X_held, images.y_held)
            test = network.score(images.X_test, images.y_test)
            best = max(best, (name, held, test), key=lambda found: found[1])
            rate = network.spec_["learning_rate_init"]
            yield [name, f"{rate:.2g}", f"{network.loss_:.4f}", f"{held:.4f}", f"{test:.4f}"]

    show(
        f"784-300-100-10, selu, LeCun, range test and one cycle, {SMALL_EPOCHS} epochs",
        ["optimizer and dropout", "rate", "training loss", "held accuracy", "test accuracy"],
        rows(),
    )
    print(f"\nChosen by the held images: {best[0]}; test accuracy {best[2]:.4f}")


def deep(images: Images) -> None:
    """A hundred hidden layers of a hundred units, plain gradient descent."""

    def rows() -> Iterator[list[str]]:
        for name, parameters in DEEP.items():
            network = MLPClassifier(
                (100,) * 100,
                optimizer="sgd",
                learning_rate_init=0.001,
                batch_size=32,
                **parameters,
                **PLAIN,
            )
            scores = []
            for _ in range(DEEP_EPOCHS):
                network.partial_fit(images.X, images.y, classes=np.arange(10))
                scores.append(f"{network.score(images.X_test, images.y_test):.4f}")
            yield [name, *scores]

    show(
        "Test accuracy of 100 hidden layers of 100 units, SGD, rate 0.001, batches of 32",
        ["activation and weights", *(f"epoch {i + 1}" for i in range(DEEP_EPOCHS))],
        rows(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="the .npz file")
    parser.add_argument("--only", choices=["small", "deep"], help="one table only")
    arguments = parser.parse_args()
    if arguments.data is None or not arguments.data.is_file():
        print("MNIST is not part of this project: give its .npz file, --data PATH.")
        sys.exit(0)
    # one scale for all pixels leaves those at the rim with hardly any spread of their own
    warnings.filterwarnings("ignore", "activation='selu' keeps mean 0", UserWarning)
    images = load(arguments.data)
    for name, table in {"small": small, "deep": deep}.items():
        if arguments.only in {None, name}:
            table(images)


if __name__ == "__main__":
    main()
