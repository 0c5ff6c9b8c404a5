"""The result of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone

from .._files import replacing
from ._fold import quiet
from ._plots import overview
from ._report import html


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


@dataclass
class Comparison:
    """What a cross-validated comparison found.

    Attributes
    ----------
    task : {"regression", "binary", "multiclass"}
        What is predicted.
    target : str
        The target's name.
    X : DataFrame of shape (n_rows, n_columns)
        The columns that were used.
    y : ndarray of shape (n_rows,)
        The target.
    classes : ndarray of shape (n_classes,) or None
        The sorted labels; None for regression.
    scoring : list of str
        Names of scikit-learn's scorers, all better when greater; the first sorts.
    folds : list of (ndarray, ndarray)
        Training and test rows of each fold.
    scores : dict of dict of ndarray of shape (n_folds,)
        By model and scorer; nan where a model can't be so scored.
    fit_seconds, predict_seconds : dict of ndarray of shape (n_folds,)
        By model.
    predictions : dict of ndarray of shape (n_rows,)
        Each row predicted by the fit that has not seen it. Rows that no fold tests are nan, or
        None among labels; of rows tested more than once the last counts.
    probabilities : dict of (ndarray of shape (n_rows, n_classes) or None)
        Likewise; None for a model without `predict_proba`.
    curves : dict of list of dict
        For the networks, a dict a fold: "loss" of each epoch and, where there is a validation
        part, "validation_loss".
    models : dict of estimator
        Unfitted, by name, those of `missing` included.
    missing : dict of str
        Why a model has no result, by name.
    notes : list of str
        What a reader should know of the table and the run.
    settings : dict
        What repeats the run: seed, folds, sizes, versions.
    interrupted : bool
        Whether it was ended by Ctrl-C.
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
                "scores": {key: _plain(values) for key, values in self.scores[name].items()},
                "fit_seconds": _plain(self.fit_seconds[name]),
                "predict_seconds": _plain(self.predict_seconds[name]),
                "difference": _plain(frame.at[name, "difference"]),
                "p_value": _plain(frame.at[name, "p_value"]),
                "curves": _plain(self.curves.get(name, [])),
            }
            for name in self.ranking
        }
        return {
            "task": self.task,
            "target": self.target,
            "classes": None if self.classes is None else _plain(self.classes),
            "scoring": list(self.scoring),
            "best": self.ranking[0] if self.ranking else None,
            "models": models,
            "missing": dict(self.missing),
            "notes": list(self.notes),
            "settings": _plain(self.settings),
            "interrupted": self.interrupted,
        }

    def refit(self, name: str | None = None) -> Any:
        """Fit a model on all rows.

        Parameters
        ----------
        name : str or None
            The model; None is the best.

        Returns
        -------
        model : estimator
            Fitted on `X` and `y`.
        """
        name = self.best if name is None else name
        if name not in self.models:
            raise ValueError(f"name must be one of {sorted(self.models)}; got {name!r}.")
        with quiet(len(self.y)):
            return clone(self.models[name]).fit(self.X, self.y)

    def plot(self) -> Any:
        """Draw the scores with their spread; needs matplotlib.

        Returns
        -------
        figure : matplotlib.figure.Figure
        """
        return overview(self)

    def to_html(self, path: str | Path | None = None) -> str:
        """Write the report, one self-contained page; needs matplotlib.

        Parameters
        ----------
        path : str, Path or None
            Where to write it; None writes nothing.

        Returns
        -------
        page : str
        """
        page = html(self)
        if path is not None:
            with replacing(path) as file:
                file.write(page.encode(errors="backslashreplace"))
        return page


def _plain(value: Any) -> Any:
    """Plain Python for JSON: no arrays, no nan, no infinities."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    return str(value)
