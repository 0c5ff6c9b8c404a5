"""The figures of a comparison: what was measured, and what follows from it alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .._compat import offers
from ..estimators._base import BaseMLP


def corrected_t_test(differences: np.ndarray, test_to_train: float) -> float:
    r"""Two-sided p-value of the corrected resampled t-test.

    The training rows of the folds overlap, so the plain paired t-test finds differences where
    there are none. Nadeau and Bengio widen the variance by the ratio of test to training rows:

    .. math:: t = \bar d \Big/ \sqrt{\Big(\frac 1 k + \frac{n_2}{n_1}\Big) s^2}

    with the mean :math:`\bar d` and the variance :math:`s^2` (of divisor :math:`k - 1`) of the
    differences over :math:`k` folds, :math:`n_1` training and :math:`n_2` test rows, and
    :math:`k - 1` degrees of freedom.

    Parameters
    ----------
    differences : ndarray of shape (n_folds,)
        Score of one model less that of the other, on the same folds.
    test_to_train : float
        Test rows of a fold over its training rows.

    Returns
    -------
    p_value : float
        nan for fewer than two folds or where a difference is nan.

    References
    ----------
    C. Nadeau and Y. Bengio, "Inference for the Generalization Error", Machine Learning 52
    (2003), 239-281.
    """
    k = len(differences)
    if k < 2 or np.isnan(differences).any():
        return float("nan")
    mean, variance = differences.mean(), differences.var(ddof=1)
    if variance == 0:
        return 1.0 if mean == 0 else 0.0
    t = mean / np.sqrt((1 / k + test_to_train) * variance)
    return float(2 * stats.t.sf(abs(t), df=k - 1))


def is_ours(estimator: Any) -> bool:
    """Whether the estimator, or a step within it, is one of this package's networks."""
    parts = [estimator]
    if offers(estimator, "get_params"):
        parts += estimator.get_params(deep=True).values()
    return any(isinstance(part, BaseMLP) for part in parts)


@dataclass
class Figures:
    """What was measured, by model and fold, and the tables made of it.

    It knows no picture and no page, which are drawn from it. What users get is
    :class:`~sklearn_dnn.compare.Comparison`, where each attribute is explained.
    """

    task: str
    target: str
    X: pd.DataFrame
    y: np.ndarray
    classes: np.ndarray | None
    scoring: list[str]
    folds: list[tuple[np.ndarray, np.ndarray]]
    scores: dict[str, dict[str, np.ndarray]]
    fit_seconds: dict[str, np.ndarray]
    predict_seconds: dict[str, np.ndarray]
    predictions: dict[str, np.ndarray]
    probabilities: dict[str, np.ndarray | None]
    curves: dict[str, list[dict[str, list[float]]]]
    models: dict[str, Any]
    missing: dict[str, str]
    notes: list[str]
    settings: dict[str, Any]
    interrupted: bool

    @property
    def ranking(self) -> list[str]:
        """Names of the models with a result, best mean of the first score first."""
        means = {name: scores[self.scoring[0]].mean() for name, scores in self.scores.items()}
        return sorted(means, key=lambda name: np.inf if np.isnan(means[name]) else -means[name])

    @property
    def best(self) -> str:
        """Name of the best model."""
        ranking = self.ranking
        if not ranking:
            raise ValueError(f"No model has a result: {self.missing}.")
        return ranking[0]

    @property
    def ours(self) -> str | None:
        """Name of the best of this package's networks, or None where none has a result."""
        for name in self.ranking:
            if name in self.models and is_ours(self.models[name]):
                return name
        return None

    def to_frame(self) -> pd.DataFrame:
        """One row a model, best first.

        Returns
        -------
        frame : DataFrame of shape (n_models, n_columns)
            Of each scorer the mean over the folds and the standard deviation (divisor
            n_folds - 1), as `<scorer>_mean` and `<scorer>_std`; of the first scorer the
            `difference` to the best model and its `p_value` by the corrected resampled t-test
            of Nadeau and Bengio (2003): with :math:`k` folds of :math:`n_1` training and
            :math:`n_2` test rows, the mean difference over
            :math:`\\sqrt{(1/k + n_2/n_1) s^2}` is taken as Student's t with :math:`k - 1`
            degrees of freedom (nan for the best itself). `fit_seconds` and `predict_seconds`
            are means a fold.

        Notes
        -----
        The p-values are not corrected for the number of models.
        """
        first = self.scoring[0]
        ratio = float(np.mean([len(test) / len(train) for train, test in self.folds]))
        ranking = self.ranking
        rows = []
        for name in ranking:
            row: dict[str, float] = {}
            for scorer, values in self.scores[name].items():
                row[f"{scorer}_mean"] = float(values.mean())
                row[f"{scorer}_std"] = float(values.std(ddof=1)) if len(values) > 1 else np.nan
            differences = self.scores[name][first] - self.scores[ranking[0]][first]
            row["difference"] = float(differences.mean())
            row["p_value"] = np.nan if name == ranking[0] else corrected_t_test(differences, ratio)
            row["fit_seconds"] = float(self.fit_seconds[name].mean())
            row["predict_seconds"] = float(self.predict_seconds[name].mean())
            rows.append(row)
        return pd.DataFrame(rows, index=pd.Index(ranking, name="model"))

    def to_dict(self) -> dict[str, Any]:
        """All figures, a value a fold, as plain Python that JSON can hold (nan is None)."""
        frame = self.to_frame()
        models = {
            name: {
                "scores": {key: _for_json(values) for key, values in self.scores[name].items()},
                "fit_seconds": _for_json(self.fit_seconds[name]),
                "predict_seconds": _for_json(self.predict_seconds[name]),
                "difference": _for_json(frame.at[name, "difference"]),
                "p_value": _for_json(frame.at[name, "p_value"]),
                "curves": _for_json(self.curves.get(name, [])),
            }
            for name in self.ranking
        }
        return {
            "task": self.task,
            "target": self.target,
            "classes": None if self.classes is None else _for_json(self.classes),
            "scoring": list(self.scoring),
            "best": self.ranking[0] if self.ranking else None,
            "models": models,
            "missing": dict(self.missing),
            "notes": list(self.notes),
            "settings": _for_json(self.settings),
            "interrupted": self.interrupted,
        }


def _for_json(value: Any) -> Any:
    """Plain Python for JSON: no arrays, no nan, no infinities."""
    if isinstance(value, dict):
        return {str(key): _for_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_for_json(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _for_json(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)
