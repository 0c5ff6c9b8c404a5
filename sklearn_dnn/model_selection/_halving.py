"""scikit-learn's successive halving, with networks trained in stacks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from os import PathLike
from typing import Any, Literal, Self

import numpy as np
import sklearn.model_selection as searches
from sklearn.base import BaseEstimator
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two of them known

from ._arguments import Folds, Grid, Scoring
from ._ending import StackedSearch, stacks_of


class HalvingGridSearchCV(StackedSearch, searches.HalvingGridSearchCV):
    """scikit-learn's successive halving of a grid; networks are trained in stacks.

    Parameters, attributes and results are those of
    :class:`sklearn.model_selection.HalvingGridSearchCV`, with three more parameters at the end.

    Parameters
    ----------
    estimator : estimator
        As in :class:`GridSearchCV`.
    param_grid, factor, resource, max_resources, min_resources, aggressive_elimination, cv, \
scoring, refit, error_score, return_train_score, random_state, n_jobs, verbose
        As in scikit-learn.
    checkpoint, progress
        As in :class:`GridSearchCV`.
    continue_training : bool, default=False
        Whether the winners of a rung go on in the next one from where they are, instead of
        anew. The resource must be ``max_iter`` of the network. A rung then costs the epochs that
        it adds. Scores are those of scikit-learn's search where neither a schedule nor a rule of
        stopping knows the number of epochs; a schedule with a horizon goes on at the place that
        the longer horizon gives it, after earlier rungs that had a shorter one. What has stopped
        early stays as it is. The work is done in this process, in threads if `n_jobs` asks for
        several.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        param_grid: Grid,
        *,
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "exhaust",
        aggressive_elimination: bool = False,
        cv: Folds = 5,
        scoring: Scoring = None,
        refit: bool | Callable[..., Any] = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        checkpoint: str | PathLike[str] | None = None,
        progress: bool = False,
        continue_training: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_grid,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.checkpoint = checkpoint
        self.progress = progress
        self.continue_training = continue_training

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate.

        Parameters
        ----------
        X, y, **params
            As in :meth:`sklearn.model_selection.HalvingGridSearchCV.fit`.

        Returns
        -------
        self : estimator
        """
        with _rungs(self):
            return super().fit(X, y, **params)


class HalvingRandomSearchCV(StackedSearch, searches.HalvingRandomSearchCV):
    """scikit-learn's successive halving of random candidates; networks are trained in stacks.

    Parameters, attributes and results are those of
    :class:`sklearn.model_selection.HalvingRandomSearchCV`, with three more parameters at the end.

    Parameters
    ----------
    estimator : estimator
        As in :class:`GridSearchCV`.
    param_distributions, n_candidates, factor, resource, max_resources, min_resources, \
aggressive_elimination, cv, scoring, refit, error_score, return_train_score, random_state, \
n_jobs, verbose
        As in scikit-learn.
    checkpoint, progress
        As in :class:`GridSearchCV`.
    continue_training : bool, default=False
        As in :class:`HalvingGridSearchCV`.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        param_distributions: Grid,
        *,
        n_candidates: int | str = "exhaust",
        factor: float = 3,
        resource: str = "n_samples",
        max_resources: int | str = "auto",
        min_resources: int | str = "smallest",
        aggressive_elimination: bool = False,
        cv: Folds = 5,
        scoring: Scoring = None,
        refit: bool | Callable[..., Any] = True,
        error_score: float | Literal["raise"] = np.nan,
        return_train_score: bool = True,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        checkpoint: str | PathLike[str] | None = None,
        progress: bool = False,
        continue_training: bool = False,
    ) -> None:
        super().__init__(
            estimator,
            param_distributions,
            n_candidates=n_candidates,
            factor=factor,
            resource=resource,
            max_resources=max_resources,
            min_resources=min_resources,
            aggressive_elimination=aggressive_elimination,
            cv=cv,
            scoring=scoring,
            refit=refit,
            error_score=error_score,
            return_train_score=return_train_score,
            random_state=random_state,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.checkpoint = checkpoint
        self.progress = progress
        self.continue_training = continue_training

    def fit(self, X: Any, y: Any = None, **params: Any) -> Self:
        """Search, and refit the best candidate.

        Parameters
        ----------
        X, y, **params
            As in :meth:`sklearn.model_selection.HalvingRandomSearchCV.fit`.

        Returns
        -------
        self : estimator
        """
        with _rungs(self):
            return super().fit(X, y, **params)


def _rungs(search: Any) -> AbstractContextManager[Any]:
    """The block of successive halving, whose winners may go on."""
    if search.continue_training and search.resource.rpartition("__")[2] != "max_iter":
        raise ValueError(
            f"continue_training=True needs the network's max_iter as resource, but resource="
            f"{search.resource!r}: with more rows a network is another one. Set "
            "resource='max_iter' (behind a pipeline with its prefix), or continue_training=False."
        )
    return stacks_of(search, continue_training=search.continue_training)
