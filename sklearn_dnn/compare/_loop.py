"""The loop: model by model, fold by fold."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import pandas as pd

from ._fold import FoldResult, run_fold

# Seconds a fold of California housing, to guess the time left.
_COST = {
    "dummy": 0.05,
    "linear": 0.1,
    "ridge": 0.1,
    "lasso": 0.1,
    "elastic_net": 0.2,
    "knn": 0.4,
    "random_forest": 3.5,
    "hist_gradient_boosting": 0.3,
    "sklearn_mlp": 5.0,
    "sklearn_dnn": 1.0,
}
_COST_OF_OTHERS = 2.0


class _Clock:
    """How far the run is, and how long it may still take."""

    def __init__(
        self,
        names: Iterable[str],
        n_folds: int,
        progress: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        self.costs = {name: _COST.get(name, _COST_OF_OTHERS) for name in names}
        self.n_folds = n_folds
        self.progress = progress
        self.left = sum(self.costs.values()) * n_folds
        self.spent = 0.0
        self.done = 0
        self.start = time.time()

    def finished(self, name: str, fold: int) -> None:
        """Tell of a finished fold, counted from 1."""
        self.skipped(name, 1)
        self.spent += self.costs[name]
        if self.progress is None:
            return
        seconds = time.time() - self.start
        self.progress(
            {
                "model": name,
                "fold": fold,
                "n_folds": self.n_folds,
                "done": self.done,
                "total": len(self.costs) * self.n_folds,
                "seconds": seconds,
                "seconds_left": seconds * self.left / self.spent,
            }
        )

    def skipped(self, name: str, n_folds: int) -> None:
        """Count folds as done without having spent time."""
        self.done += n_folds
        self.left -= n_folds * self.costs[name]


@dataclass
class Run:
    """What a run needs, and what it has finished."""

    X: pd.DataFrame
    y: np.ndarray
    classes: np.ndarray | None
    scoring: list[str]
    folds: list[tuple[np.ndarray, np.ndarray]]
    n_jobs: int
    max_time: float | None
    progress: Callable[[dict[str, Any]], None] | None
    notes: list[str]
    scores: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)
    fit_seconds: dict[str, np.ndarray] = field(default_factory=dict)
    predict_seconds: dict[str, np.ndarray] = field(default_factory=dict)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    probabilities: dict[str, np.ndarray | None] = field(default_factory=dict)
    curves: dict[str, list[dict[str, list[float]]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    def all(self, models: dict[str, Any]) -> bool:
        """Run all models; True where Ctrl-C ended it early."""
        clock = _Clock(models, len(self.folds), self.progress)
        name = ""
        results: list[FoldResult] = []
        try:
            for name, model in models.items():
                results = []
                for result in self._folds(model, clock.start):
                    results.append(result)
                    if result.error is not None or result.late:
                        break
                    clock.finished(name, len(results))
                clock.skipped(name, len(self.folds) - len(results))
                self._keep(name, results)
        except KeyboardInterrupt:
            part = f" after {len(results)} of {len(self.folds)} folds"
            for other in models:
                if other not in self.scores and other not in self.missing:
                    self.missing[other] = f"interrupted{part if other == name else ''}"
            return True
        return False

    def _folds(self, model: Any, start: float) -> Iterator[FoldResult]:
        deadline = None if self.max_time is None else start + self.max_time
        shared = (self.scoring, self.classes, deadline)
        if self.n_jobs == 1:
            return (run_fold(model, self.X, self.y, fold, *shared) for fold in self.folds)
        return joblib.Parallel(n_jobs=self.n_jobs, return_as="generator")(
            joblib.delayed(run_fold)(model, self.X, self.y, fold, *shared) for fold in self.folds
        )

    def _keep(self, name: str, results: list[FoldResult]) -> None:
        """Keep the folds of a finished model, or say why they are missing."""
        last = results[-1]
        if last.error is not None:
            self.missing[name] = last.error
            return
        if last.late:
            n_done = len(results) - 1
            part = f" after {n_done} of {len(self.folds)} folds" if n_done else ""
            self.missing[name] = f"no time left{part} (max_time={self.max_time:g} s)"
            return
        self.notes += dict.fromkeys(f"{name}: {note}" for r in results for note in r.notes)
        self.scores[name] = {
            scorer: np.array([r.scores[scorer] for r in results]) for scorer in self.scoring
        }
        self.fit_seconds[name] = np.array([r.fit_seconds for r in results])
        self.predict_seconds[name] = np.array([r.predict_seconds for r in results])
        self.predictions[name] = self._out_of_fold([r.predictions for r in results])
        parts = [r.probabilities for r in results]
        self.probabilities[name] = None
        if all(part is not None for part in parts):
            self.probabilities[name] = self._out_of_fold(parts)
        curves = [r.curve for r in results if r.curve is not None]
        if curves:
            self.curves[name] = curves

    def _out_of_fold(self, parts: list[Any]) -> np.ndarray:
        """Test parts of the folds, each value in its row."""
        n_tested = len(np.unique(np.concatenate([test for _, test in self.folds])))
        shape = (len(self.y), *parts[0].shape[1:])
        if n_tested == len(self.y):
            kind = parts[0].dtype  # texts of a fixed width could be cut by those of another fold
            whole = np.empty(shape, dtype=object if kind.kind == "U" else kind)
        elif parts[0].ndim == 2 or self.classes is None:
            whole = np.full(shape, np.nan)
        else:
            whole = np.full(shape, None, dtype=object)
        for (_, test), part in zip(self.folds, parts, strict=True):
            whole[test] = part
        return whole
