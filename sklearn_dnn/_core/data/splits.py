"""Which rows judge a fit instead of training it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from ..._warnings import warn


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
    labels : ndarray of shape (n,), (n, n_labels) or None
        Class of each of `rows`, to stratify by, or an indicator matrix.
    shuffle : bool
        If False, a fraction takes the last rows.
    seed : int
    splitter : callable
        ``splitter(how)`` gives the first split of a scikit-learn splitter as positions in
        `rows`.

    Returns
    -------
    Split
        The only row of a class, or of a label's presence or absence, always trains, and of other
        classes one row at least. Without a validation part, and with a warning, where a part
        would be too small.
    """
    n = len(rows)
    classes = codes = None
    if labels is not None and labels.ndim == 1:
        classes, codes = np.unique(labels, return_inverse=True)
    alone = _lonely(labels if codes is None else codes, n)
    if not isinstance(how, float | int):
        training, validation = splitter(how)
        if len(training) == 0 or len(validation) == 0:
            raise ValueError(
                f"The splitter validation_fraction={how!r} gave {len(training)} rows to train on "
                f"and {len(validation)} to validate with; both must be positive."
            )
        training = np.r_[training, np.setdiff1d(np.flatnonzero(alone), training)]
        validation = validation[~alone[validation]]
        return _with_every_class(rows, classes, codes, np.sort(training), np.sort(validation))
    free = np.flatnonzero(~alone)
    n_asked = int(np.ceil(how * n))
    n_validation = min(n_asked, len(free))
    n_training = n - n_validation
    if n_validation < 2 or n_training < 2:
        fault = f"{n} rows leave {n_training} to train on and {n_validation} to hold out"
        if n_validation < n_asked:
            fault += ", since each of the others is the only one of its class"
        return _none_held(rows, fault)
    if not shuffle:
        judging = free[-n_validation:]
    elif codes is None:
        judging = train_test_split(free, test_size=n_validation, random_state=seed)[1]
    else:
        judging = _stratified(free, codes[free], n_validation, seed)
    stays = np.ones(n, dtype=bool)
    stays[judging] = False
    return _with_every_class(rows, classes, codes, np.flatnonzero(stays), np.flatnonzero(~stays))


def _lonely(labels: np.ndarray | None, n: int) -> np.ndarray:
    """Which of `n` rows are the only one of their class, or with or without one of the labels.

    Parameters
    ----------
    labels : ndarray of shape (n,) or (n, n_labels), or None
        Classes are numbers from 0 on.
    """
    if labels is None:
        return np.zeros(n, dtype=bool)
    if labels.ndim == 1:
        return np.bincount(labels)[labels] == 1
    present = labels != 0
    times = present.sum(0)
    only_one, only_other = times == 1, times == n - 1
    return (present & only_one).any(1) | (~present & only_other).any(1)


def _stratified(rows: np.ndarray, labels: np.ndarray, n: int, seed: int) -> np.ndarray:
    """`n` of the rows, of each class a share in proportion, but never all of it."""
    classes, counts = np.unique(labels, return_counts=True)
    if min(n, len(rows) - n) >= len(classes):
        both = train_test_split(rows, labels, test_size=n, random_state=seed, stratify=labels)
        if len(np.unique(both[2])) == len(classes):
            return both[1]
    # too few rows for a share of every class: by equal steps along the classes, behind one row of
    # each that trains
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.permutation(len(rows)), labels))
    order = np.delete(order, np.cumsum(counts) - counts)
    n = min(n, len(order))
    steps = (np.arange(n) + rng.random()) * (len(order) / n)
    return rows[order[np.minimum(steps.astype(np.intp), len(order) - 1)]]


def folds(
    rows: np.ndarray, n_folds: int, *, labels: np.ndarray | None, shuffle: bool, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out another part of the rows for each member of an ensemble.

    All parts are of equal size and no two share a row. The only row of a class, or of a label's
    presence or absence, trains every member; so do the few rows that are left over.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        The rows that may be used; at least two a fold.
    n_folds : int
    labels : ndarray of shape (n,), (n, n_labels) or None
        Class of each of `rows`: parts have equal shares of each, to within one row. Or an indicator
        matrix, for which they do not.
    shuffle : bool
        If False, every `n_folds`-th row is in the same part.
    seed : int

    Returns
    -------
    training : ndarray of int, shape (n_folds, n - n_held)
    judging : ndarray of int, shape (n_folds, n_held)
        With `n_held` the rows that may be held out over `n_folds`, rounded down.
    """
    n = len(rows)
    assert n >= 2 * n_folds
    chance = np.random.default_rng(seed).permutation(n) if shuffle else np.arange(n)
    codes = labels
    if labels is not None and labels.ndim == 1:
        codes = np.unique(labels, return_inverse=True)[1]
    stratified = codes if codes is not None and codes.ndim == 1 else np.zeros(n)
    order = np.lexsort((chance, stratified))
    free = order[~_lonely(codes, n)[order]]
    if len(free) >= n_folds:  # else there are hardly two rows of a class
        order = free
    size = len(order) // n_folds
    # dealt out in turn, the rows of a class come to all parts alike
    judging = np.sort(np.stack([order[fold::n_folds][:size] for fold in range(n_folds)]), axis=1)
    stays = np.ones((n_folds, n), dtype=bool)
    np.put_along_axis(stays, judging, False, axis=1)
    training = np.nonzero(stays)[1].reshape(n_folds, n - size)
    return rows[training], rows[judging]


def _with_every_class(
    rows: np.ndarray,
    classes: np.ndarray | None,
    codes: np.ndarray | None,
    training: np.ndarray,
    judging: np.ndarray,
) -> Split:
    """The split in which classes that would have no row left to train on do not judge.

    Parameters
    ----------
    codes : ndarray of shape (n,) or None
        Positions in `classes`.
    training, judging : ndarray of int
        Positions in `rows`, sorted.
    """
    if classes is not None and codes is not None:
        lost = np.bincount(codes[training], minlength=len(classes)) == 0
        if lost.any():
            why = f"no row of the classes {classes[lost].tolist()} would be left to train on"
            moved = lost[codes[judging]]
            if 2 * np.count_nonzero(moved) > len(judging):
                return _none_held(rows, why)
            warn(f"The rows of some classes train and do not judge, because otherwise {why}.")
            training = np.sort(np.r_[training, np.flatnonzero(lost[codes])])
            judging = judging[~moved]
        held = np.flatnonzero(np.bincount(codes[judging], minlength=len(classes)))
        if len(held) == 1 and len(classes) > 1:
            warn(
                f"The validation part has rows of class {classes[held[0]]!r} alone, and can't tell "
                "how well classes are told apart. Give X_val and y_val, more rows, or a larger "
                "validation_fraction."
            )
    if len(judging) == 0:
        return _none_held(rows, "each row that would be is the only one of its class")
    return Split(rows[training], rows[judging])


def _none_held(rows: np.ndarray, fault: str) -> Split:
    warn(
        f"No validation part was held out, because {fault}; the training loss is monitored "
        "instead. Give X_val and y_val, more rows, or early_stopping=False."
    )
    return Split(rows, None)
