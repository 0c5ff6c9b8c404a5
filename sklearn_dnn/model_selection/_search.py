"""scikit-learn's searches of a grid and at random, with networks trained in stacks."""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import sklearn.model_selection as searches
from sklearn.base import BaseEstimator

from ._arguments import Folds, Grid, Scoring
from ._ending import StackedSearch, stacks_of


class GridSearchCV(StackedSearch, searches.GridSearchCV):
    """scikit-learn's search over a grid; networks are trained in stacks.

    Parameters, attributes and results are those of
    :class:`sklearn.model_selection.GridSearchCV`, with two more parameters at the end. What can't
    be stacked is fitted as there.

    Parameters
    ----------
    estimator : estimator
        A network, or a ``Pipeline`` or ``TransformedTargetRegressor`` that ends in one; any other
        is searched as by scikit-learn.
    param_grid, scoring, n_jobs, refit, cv, verbose, pre_dispatch, error_score, return_train_score
        As in scikit-learn. `n_jobs` counts processes that each train stacks; from ``verbose=2``
        on, what was stacked is told.
    checkpoint : path-like, default=None
        A folder in which the result of each fit is kept as soon as it is there: a search that was
        cut off goes on from there. A fit is known by its data, its parameters, the code of your
        functions and classes, and versions of packages; what your functions reach through
        attributes and imports within them can't be seen.
    progress : bool, default=False
        Whether to show a bar over the epochs of all fits, with the best score so far. It needs
        tqdm.

    See Also
    --------
    stacking : The same for classes and functions of others.

    Notes
    -----
    Scores equal those of scikit-learn's search within rounding, and those of networks with
    dropout or other noise in distribution. ``mean_fit_time`` is the time of a stack over its
    members.

    After Ctrl-C the fits that were done count, the others have failed with NaN, and the best of
    the complete candidates is refitted. A fit that was cut off never counts. Without a complete
    candidate, with ``error_score="raise"``, and in the refit, Ctrl-C is KeyboardInterrupt; after a
    refit that was cut off `cv_results_` and `best_params_` are there.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        param_grid: Grid,
        *,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., Any] = True,
        cv: Folds = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        progress: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.checkpoint = checkpoint
        self.progress = progress

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate.

        Parameters
        ----------
        X, y, **params
            As in :meth:`sklearn.model_selection.GridSearchCV.fit`.

        Returns
        -------
        self : estimator
        """
        with stacks_of(self):
            return super().fit(X, y, **params)


class RandomizedSearchCV(StackedSearch, searches.RandomizedSearchCV):
    """scikit-learn's random search; networks are trained in stacks.

    Parameters, attributes and results are those of
    :class:`sklearn.model_selection.RandomizedSearchCV`, with three more parameters at the end.

    Parameters
    ----------
    estimator : estimator
        As in :class:`GridSearchCV`.
    param_distributions, n_iter, scoring, n_jobs, refit, cv, verbose, pre_dispatch, random_state, \
error_score, return_train_score
        As in scikit-learn.
    checkpoint, progress
        As in :class:`GridSearchCV`.
    early_termination : int, default=None
        The epoch from which on a fit ends as soon as its lowest loss so far is above the median,
        over the fits of its stack that learn from the same rows, of their mean losses so far
        (the median rule of Golovin et al., "Google Vizier", KDD 2017). The loss is that of the
        validation part, if the network holds one out, else that of training without penalties.
        It saves about half of the epochs, and may end a candidate that would have come to be the
        best. None ends none, as scikit-learn.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Grid,
        *,
        n_iter: int = 10,
        scoring: Scoring = None,
        n_jobs: int | None = None,
        refit: bool | str | Callable[..., Any] = True,
        cv: Folds = None,
        verbose: int = 0,
        pre_dispatch: int | str = "2*n_jobs",
        random_state: int | np.random.RandomState | None = None,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = False,
        checkpoint: str | PathLike[str] | None = None,
        progress: bool = False,
        early_termination: int | None = None,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_iter=n_iter,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            pre_dispatch=pre_dispatch,
            random_state=random_state,
            error_score=error_score,
            return_train_score=return_train_score,
        )
        self.checkpoint = checkpoint
        self.progress = progress
        self.early_termination = early_termination

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate.

        Parameters
        ----------
        X, y, **params
            As in :meth:`sklearn.model_selection.RandomizedSearchCV.fit`.

        Returns
        -------
        self : estimator
        """
        with stacks_of(self, early_termination=self.early_termination):
            return super().fit(X, y, **params)
