"""Which rows judge a fit instead of training it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from .._warnings import warn


class Split(NamedTuple):
    """Row positions, sorted; `validation` is None where nothing is held out."""

    training: np.ndarray
    validation: np.ndarray | None


def inner_split(
    rows: np.ndarray,
    how: float | Any,
    *,
    labels: np.ndarray | None,
    shuffle: bool,
    seed: int,
    splitter: Callable[[Any], tuple[np.ndarray, np.ndarray]],
) -> Split:
    """Hold out a validation part.

    Parameters
    ----------
    rows : ndarray of int
        The rows that may be used (those of positive weight).
    how : float or scikit-learn splitter
        The fraction to hold out, or a splitter whose first split is taken.
    labels : ndarray or None
        Class of each of `rows`, to stratify by.
    shuffle : bool
        If False, a fraction takes the last rows.
    seed : int
    splitter : callable
        ``splitter(how)`` gives the first split of a scikit-learn splitter as positions in
        `rows`.

    Returns
    -------
    Split
        Without a validation part, and with a warning, where a class or a part would be too
        small.
    """
    if not isinstance(how, float | int):
        training, validation = splitter(how)
        if len(training) == 0 or len(validation) == 0:
            raise ValueError(
                f"The splitter validation_fraction={how!r} gave {len(training)} rows to train on "
                f"and {len(validation)} to validate with; both must be positive."
            )
        return _with_every_class(
            rows, labels, Split(rows[np.sort(training)], rows[np.sort(validation)])
        )
    n_validation = int(np.ceil(how * len(rows)))
    n_training = len(rows) - n_validation
    fault = ""
    if n_validation < 2 or n_training < 2:
        fault = f"{len(rows)} rows leave {n_training} to train on and {n_validation} to hold out"
    elif labels is not None:
        counts = np.unique(labels, return_counts=True)[1]
        if counts.min() < 2:
            fault = "a class has a single row"
        elif shuffle and min(n_validation, n_training) < len(counts):
            fault = f"{n_validation} rows can't hold {len(counts)} classes"
    if fault:
        return _none_held(rows, fault)
    if not shuffle:
        return _with_every_class(rows, labels, Split(rows[:n_training], rows[n_training:]))
    training, validation = train_test_split(
        rows, test_size=n_validation, random_state=seed, stratify=labels
    )
    return Split(np.sort(training), np.sort(validation))


def folds(
    rows: np.ndarray, n_folds: int, *, labels: np.ndarray | None, shuffle: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out another part of the rows for each member of an ensemble.

    All parts are of equal size, ``n // n_folds``, and no two share a row; the few rows that are
    left over train every member.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        The rows that may be used; at least two a fold.
    n_folds : int
    labels : ndarray of shape (n,) or None
        Class of each of `rows`: parts have equal shares of each, to within one row.
    shuffle : bool
        If False, every `n_folds`-th row is in the same part.
    seed : int

    Returns
    -------
    training : ndarray of int, shape (n_folds, n - n // n_folds)
    judging : ndarray of int, shape (n_folds, n // n_folds)
    """
    n = len(rows)
    assert n >= 2 * n_folds
    chance = np.random.default_rng(seed).permutation(n) if shuffle else np.arange(n)
    order = np.lexsort((chance, np.zeros(n) if labels is None else labels))
    size = n // n_folds
    # dealt out in turn, the rows of a class come to all parts alike
    judging = np.sort(np.stack([order[fold::n_folds][:size] for fold in range(n_folds)]), axis=1)
    stays = np.ones((n_folds, n), dtype=bool)
    np.put_along_axis(stays, judging, False, axis=1)
    training = np.nonzero(stays)[1].reshape(n_folds, n - size)
    return rows[training], rows[judging]


def _with_every_class(rows: np.ndarray, labels: np.ndarray | None, split: Split) -> Split:
    """The split, unless a class would have no row left to train on."""
    if labels is None:
        return split
    trained = np.isin(labels, labels[np.isin(rows, split.training)])
    if trained.all():
        return split
    lost = np.unique(labels[~trained])
    return _none_held(rows, f"no row of the classes {lost.tolist()} would be left to train on")


def _none_held(rows: np.ndarray, fault: str) -> Split:
    warn(
        f"No validation part was held out, because {fault}; the training loss is monitored "
        "instead. Give X_val and y_val, more rows, or early_stopping=False."
    )
    return Split(rows, None)
