"""What the pictures are drawn from: numbers picked out of the figures."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ._figures import Figures
from ._words import score_sign

MOST_CURVES = 4
MOST_CLASSES = 6


class NoPictureError(ValueError):
    """This comparison has not what the picture shows; the message says why, as a sentence."""


def values_of(comparison: Figures, name: str, scorer: str) -> np.ndarray:
    values = np.asarray(comparison.scores[name][scorer], dtype=float)
    return score_sign(scorer) * values[np.isfinite(values)]


def known(comparison: Figures) -> tuple[np.ndarray, np.ndarray]:
    """The true and predicted values of the rows that the best model has predicted."""
    predicted = np.asarray(comparison.predictions[comparison.best])
    rows = ~pd.isna(predicted)
    if not rows.any():
        raise NoPictureError("The best model has predicted no row out of fold.")
    return np.asarray(comparison.y)[rows], predicted[rows]


def curve_cases(comparison: Figures) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Label, truth (0 or 1) and score of every curve to draw."""
    given = {
        name: comparison.probabilities.get(name)
        for name in comparison.ranking
        if comparison.probabilities.get(name) is not None
    }
    if not given:
        raise NoPictureError("No model that took part gives probabilities.")
    y, classes = np.asarray(comparison.y), np.asarray(comparison.classes)
    if comparison.task == "binary":
        columns = [(name, table, 1) for name, table in list(given.items())[:MOST_CURVES]]
    else:
        table = next(iter(given.values()))
        counts = np.array([(y == label).sum() for label in classes])
        most = np.sort(np.argsort(-counts, kind="stable")[:MOST_CLASSES])
        columns = [(str(classes[column]), table, column) for column in most]
    cases = []
    for label, table, column in columns:
        score = np.asarray(table, dtype=float)[:, column]
        rows = np.isfinite(score)
        truth = (y[rows] == classes[column]).astype(int)
        if 0 < truth.sum() < truth.size:
            cases.append((label, truth, score[rows]))
    if not cases:
        raise NoPictureError("Too few rows have probabilities for a curve.")
    return cases


def score_limits(folds: list[np.ndarray], sign: int) -> tuple[float, float]:
    """The range to show: one model that went astray must not squeeze all others together.

    ``folds`` are the scores of each model, best model first.
    """
    means = np.array([values.mean() for values in folds])
    everything = np.concatenate(folds)
    low, high = everything.min(), everything.max()
    reach = max(4 * np.quantile(np.abs(means - means[0]), 0.75), 2 * np.ptp(folds[0]))
    if reach > 0 and sign < 0:
        high = min(high, means[0] + reach)
    elif reach > 0:
        low = max(low, means[0] - reach)
    margin = 0.05 * (high - low) or 0.05 * max(abs(high), 1e-3)
    return low - margin, high + margin


def spread_order(y: np.ndarray, task: str, seed: int) -> np.ndarray:
    """An order of the rows each of whose beginnings is a fair sample, with every class in it."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    if task == "regression":
        return order
    labels = pd.factorize(y[order])[0]
    place = np.empty(len(y))
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        place[rows] = np.arange(rows.size) / rows.size
    return order[np.argsort(place, kind="stable")]
