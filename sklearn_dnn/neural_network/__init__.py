"""scikit-learn's own networks, trained by this package's engine.

``from sklearn_dnn.neural_network import MLPClassifier`` in place of
``from sklearn.neural_network import MLPClassifier`` changes nothing but the time: parameters,
defaults, attributes, warnings, errors and printed lines are scikit-learn's, since its own code
makes them, and the same `random_state` gives the same network. What that code would do with each
batch is done by steps of the engine, an epoch at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn import neural_network as theirs
from sklearn.utils.validation import check_is_fitted

from .._compat import EpochByEpoch, from_numpy
from .._core.data.batches import Batch
from .._threads import limit_threads, torch_ready
from ..estimators._classifier import MLPClassifier as OurClassifier
from ..estimators._regressor import MLPRegressor as OurRegressor
from ._as_ours import as_ours
from ._fits import Fit, Rows

__all__ = ["MLPClassifier", "MLPRegressor"]


class _OnTheEngine(EpochByEpoch):
    """What both networks share: a fit of scikit-learn's, trained by the engine."""

    # scikit-learn's own
    solver: str
    batch_size: Any
    early_stopping: bool
    validation_fraction: float
    # of a fit that is at work
    _fit_here: Fit
    _whole: Batch

    @contextmanager
    def training(
        self, X: Any, y: np.ndarray, sample_weight: Any, incremental: bool
    ) -> Iterator[Rows]:
        n = X.shape[0]
        n_rows = n - int(np.ceil(self.validation_fraction * n)) if self.early_stopping else n
        given = self.batch_size
        batch_size = min(200, n_rows) if given == "auto" else min(int(given), n_rows)
        X = X.tocsr() if sp.issparse(X) else X
        before = vars(self).get("_optimizer") if incremental else None
        with torch_ready():
            fit = Fit(self, X, y, sample_weight, n_rows, batch_size, before)
            fit.lay_weights()
        self._fit_here = fit
        try:
            if batch_size < n_rows:
                self.batch_size = n_rows  # an epoch is one batch to scikit-learn
            yield Rows(X, np.arange(n))
        finally:
            self.batch_size = given
            del self._fit_here
            with torch_ready():
                fit.end()

    def train_epoch(self, rows: Rows) -> float:
        return self._fit_here.epoch(rows.index)

    def gathered(self, rows: Any) -> Any:
        return rows.gathered if isinstance(rows, Rows) else rows

    @contextmanager
    def evaluation(self, X: Any, y: np.ndarray, sample_weight: Any) -> Iterator[None]:
        if "_whole" in vars(self):
            yield
            return
        n = X.shape[0]
        with torch_ready():
            fit = Fit(self, X.tocsr() if sp.issparse(X) else X, y, sample_weight, n, n)
            (batch,) = fit.alone.run.batcher.dealt(torch.arange(n).unsqueeze(0)).batches
        self._fit_here, self._whole = fit, batch
        try:
            yield
        finally:
            del self._fit_here, self._whole
            del fit.alone

    def __getstate__(self) -> dict[str, Any]:
        """Without a fit that is at work, of which a copy knows nothing."""
        state: Any = super().__getstate__()
        return {k: v for k, v in state.items() if k not in {"_fit_here", "_whole"}}

    def loss_and_gradient(self, packed: np.ndarray) -> tuple[float, np.ndarray]:
        fit, batch = self._fit_here, self._whole
        fit.progress.theta[0].copy_(from_numpy(packed))
        with torch_ready(), limit_threads(fit.spec.n_threads), torch.no_grad():
            step = fit.alone.run.step
            loss, grad = step.objective(batch)
            penalty = float(step.penalties().sum() / batch.total)
        return fit.as_theirs(loss, loss - penalty), grad[0].double().numpy()


class MLPClassifier(_OnTheEngine, theirs.MLPClassifier):
    """scikit-learn's classifier, whose epochs are trained by this package's engine.

    Parameters, attributes, methods, warnings and errors are those of
    :class:`sklearn.neural_network.MLPClassifier`; :doc:`/coming_from_sklearn` says how equal the
    networks are.
    """

    def to_sklearn_dnn(self) -> OurClassifier:
        """The fitted network as :class:`sklearn_dnn.MLPClassifier`, to go on with.

        Returns
        -------
        sklearn_dnn.MLPClassifier
            With parameters that mean the same, the same weights and curves; arrays are copies.
        """
        check_is_fitted(self)
        return as_ours(self)


class MLPRegressor(_OnTheEngine, theirs.MLPRegressor):
    """scikit-learn's regressor, whose epochs are trained by this package's engine.

    Parameters, attributes, methods, warnings and errors are those of
    :class:`sklearn.neural_network.MLPRegressor`; :doc:`/coming_from_sklearn` says how equal the
    networks are.
    """

    def to_sklearn_dnn(self) -> OurRegressor:
        """The fitted network as :class:`sklearn_dnn.MLPRegressor`, to go on with.

        Returns
        -------
        sklearn_dnn.MLPRegressor
            With parameters that mean the same, the same weights and curves; arrays are copies.
        """
        check_is_fitted(self)
        return as_ours(self)
