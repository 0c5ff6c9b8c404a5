"""Scores of whole sets of rows after each epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sklearn.callback import CallbackContext
from sklearn.metrics import check_scoring

from .._compat import fitted_copy, scorer_takes_weights
from ._epochs import Epoch
from ._records import RowsCallback

Scoring = str | Callable[..., Any] | Iterable[str] | Mapping[str, Any] | None


class EpochScoring(RowsCallback):
    """Any of scikit-learn's scorers after each epoch, on a whole set of rows.

    Parameters
    ----------
    scoring : str, callable, list, dict or None
        As in :func:`sklearn.model_selection.cross_validate`; None is the estimator's `score`.
    on : {"validation", "training"} or None, default=None
        Rows to score: those held out for early stopping, or those that train. None is
        "validation", or the rows of `X` and `y` if they are given.
    X, y, sample_weight : array-like or None, default=None
        Rows of one's own, as the network gets them: inside a pipeline, after the steps before.
    name : str or None, default=None
        Column of the score, or beginning of the columns where there are several; the scorers'
        names by default.
    path : str, path or None, default=None
        As for :class:`History`.

    See Also
    --------
    sklearn.callback.ScoringMonitor : Scores what `fit` was given, the rows held out included.

    Notes
    -----
    A score is that of all rows at once, never a mean of batches. The network predicts with
    dropout off and with its running statistics: a score on "training" can be compared with
    the validation score, which the training loss under dropout can't.

    Sample weights go to scorers that take them: those of `fit` (class weights multiplied in) to
    "training" and "validation", `sample_weight` to rows of one's own.

    For "training" an estimator that does not tell which rows train is scored on all rows that
    `fit` was given.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.callbacks import EpochScoring
    >>> scoring = EpochScoring(["f1_macro", "neg_log_loss"], on="training")
    >>> model = MLPClassifier(max_iter=3, early_stopping=True).set_callbacks(scoring)
    >>> model = model.fit(*load_iris(return_X_y=True))
    >>> list(scoring.frame().columns[2:5])
    ['epoch', 'f1_macro', 'neg_log_loss']
    """

    def __init__(
        self,
        scoring: Scoring,
        on: str | None = None,
        *,
        X: Any = None,
        y: Any = None,
        sample_weight: Any = None,
        name: str | None = None,
        path: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(path)
        self.scoring = scoring
        self.on = on
        self.X = X
        self.y = y
        self.sample_weight = sample_weight
        self.name = name

    def setup(self, estimator: Any, context: CallbackContext) -> None:
        """Refuse contradictions before training."""
        if self.on not in {None, "validation", "training"}:
            raise ValueError(
                f"on must be 'validation', 'training' or None; got {self.on!r}. Rows of your own "
                "go into X and y."
            )
        if (self.X is None) != (self.y is None):
            missing = "X" if self.X is None else "y"
            raise ValueError(f"X and y must be given together; {missing} is missing.")
        if self.X is not None and self.on is not None:
            raise ValueError(
                f"on={self.on!r} contradicts X and y, which say what to score. Give one of them."
            )
        if self.sample_weight is not None and self.X is None:
            raise ValueError("sample_weight goes with X and y, which are missing.")

    def _epoch_ends(self, epoch: Epoch) -> None:
        fitted, X, y, weight = self._part(epoch)
        scores: dict[str, Any] = {}
        for name, scorer in self._scorers(epoch.estimator).items():
            weighted = weight is not None and scorer_takes_weights(scorer)
            extra = {"sample_weight": weight} if weighted else {}
            try:
                score = scorer(fitted, X, y, **extra)
            except (ValueError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"EpochScoring(scoring={self.scoring!r}) can't score "
                    f"{type(epoch.estimator).__name__}: {str(error).rstrip('.')}. Choose another "
                    "scorer or other rows."
                ) from error
            if isinstance(score, dict):
                start = "" if self.name is None else f"{self.name}_"
                scores |= {f"{start}{key}": float(value) for key, value in score.items()}
            else:
                scores[name] = float(score)
        self._keep(epoch, scores)

    def _scorers(self, estimator: Any) -> dict[str, Any]:
        """A scorer for each column; a callable may give several."""
        scoring = self.scoring
        if scoring is None or isinstance(scoring, str) or callable(scoring):
            name = self.name or (scoring if isinstance(scoring, str) else "score")
            return {name: check_scoring(estimator, scoring)}
        named = scoring if isinstance(scoring, Mapping) else {name: name for name in scoring}
        start = "" if self.name is None else f"{self.name}_"
        return {f"{start}{key}": check_scoring(estimator, one) for key, one in named.items()}

    def _part(self, epoch: Epoch) -> tuple[Any, Any, Any, Any]:
        """An estimator to score, and the rows to score it on."""
        if self.X is not None:
            return epoch.fitted, self.X, self.y, self.sample_weight
        which = self.on or "validation"
        part = epoch.part(which)
        if part is not None:
            # these rows are arrays without names
            return fitted_copy(epoch.fitted, {}), *part
        if which == "validation":
            raise ValueError(
                f"EpochScoring(on='validation'): this fit of {type(epoch.estimator).__name__} has "
                "no validation part that a callback can see. Set early_stopping=True, give "
                "X_val and y_val to fit, or give rows of your own as EpochScoring(..., X=, y=)."
            )
        return epoch.fitted, epoch.X, epoch.y, epoch.metadata.get("sample_weight")
