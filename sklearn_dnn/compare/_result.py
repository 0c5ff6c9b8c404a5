"""The result of a comparison: its figures, and what can be made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn.base import clone

from .._files import replacing
from ._figures import Figures
from ._fold import quiet
from ._plots import overview
from ._report import html


@dataclass
class Comparison(Figures):
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
