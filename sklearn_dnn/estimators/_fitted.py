"""The fitted state: one dictionary of attributes, and the network that is read back from it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from .._threads import available_threads, in_forked_child, limit_threads, torch_ready
from ..components.activations import ACTIVATIONS
from ..components.base import Registry
from ..components.losses import LOSSES, Loss
from ..components.norms import NORMS
from ..data.features import Scaling, Standardiser
from ..network.mlp import Architecture, Evaluator
from ..network.weights import Weights
from ..training.engine import MAX_ITER, Outcome
from ..training.forward import table_outputs
from ._inputs import read_table
from ._messages import memory_advice
from ._session import Session

STATE_FORMAT = 1


def fitted_attributes(session: Session, outcome: Outcome) -> dict[str, Any]:
    """All fitted attributes but the codec's, as NumPy arrays and plain Python values.

    A user's own components, which no name stands for, are kept as they are.
    """
    spec, scaling, weights = session.spec, session.scaling, outcome.weights
    history = outcome.history
    judged = session.held is not None
    scores = list(history["validation_score"]) if judged else None
    early = judged and spec.early_stopping
    vectors = [v for norm in weights.norms for v in norm.values()]
    return {
        "state_format_": STATE_FORMAT,
        "own_components_": {
            name: clone(component)
            for name, registry, component in (
                ("activation", ACTIVATIONS, spec.activation),
                ("norm", NORMS, spec.norm),
                ("loss", LOSSES, spec.loss),
            )
            if component is not None and type(component) not in registry.classes.values()
        },
        "coefs_": weights.coefs,
        "intercepts_": weights.intercepts,
        "norm_weights_": weights.norms,
        "norm_statistics_": weights.statistics,
        "input_mean_": None if scaling is None else scaling.mean,
        "input_scale_": None if scaling is None else scaling.scale,
        "n_layers_": len(weights.coefs) + 1,
        "n_outputs_": weights.coefs[-1].shape[1],
        "n_parameters_": sum(v.size for v in (*weights.coefs, *weights.intercepts, *vectors)),
        "out_activation_": spec.objective.out_activation,
        "spec_": spec.as_dict(),
        "device_": spec.device,
        "n_iter_": outcome.n_iter,
        "t_": outcome.progress.samples,
        "best_iter_": outcome.best_iter,
        "end_reason_": outcome.end_reason,
        "loss_": history["loss"][-1] if history["loss"] else np.inf,
        "best_loss_": None if early else min(history["loss"], default=np.inf),
        "loss_curve_": list(history["loss"]),
        "validation_loss_curve_": list(history["validation_loss"]) if judged else None,
        "validation_scores_": scores,
        "best_validation_score_": max((s for s in scores or () if s is not None), default=None),
        "lr_curve_": list(history["learning_rate"]),
        "history_": {name: list(values) for name, values in history.items()},
    }


def outcome_now(session: Session, weights: Weights) -> Outcome:
    """The outcome as if training had ended with some weights."""
    progress = session.progress
    return Outcome(
        weights=weights,
        history=progress.histories[0],
        end_reason=MAX_ITER,
        n_iter=progress.epoch,
        best_iter=progress.patience[0].best_iter,
        improving=False,
        progress=progress,
    )


class Fitted:
    """The network of a fitted estimator, read from its attributes at each use.

    Nothing is cached: arrays become tensors on the same memory, and weights that a user puts
    in place of others count at once.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor

    Raises
    ------
    NotFittedError
    """

    def __init__(self, estimator: Any) -> None:
        check_is_fitted(estimator)
        self.estimator = estimator

    @property
    def weights(self) -> Weights:
        e = self.estimator
        return Weights(e.coefs_, e.intercepts_, e.norm_weights_, e.norm_statistics_)

    @property
    def scaling(self) -> Scaling | None:
        e = self.estimator
        return None if e.input_mean_ is None else Scaling(e.input_mean_, e.input_scale_)

    @property
    def architecture(self) -> Architecture:
        e = self.estimator
        norm = e.spec_["norm"]
        return Architecture(
            self._component("activation", ACTIVATIONS),
            None if norm is None else self._component("norm", NORMS),
            None,
        )

    @property
    def loss(self) -> Loss:
        return self._component("loss", LOSSES).bind(self.estimator.spec_["task"]["kind"])

    def _component(self, name: str, registry: Registry[Any]) -> Any:
        e = self.estimator
        if name in e.own_components_:
            return e.own_components_[name]
        return registry.rebuild(e.spec_[name])

    def raw(self, X: Any) -> np.ndarray:
        """Raw outputs, of shape (n, k)."""
        return self.outputs(X, lambda network, x: network.raw(x))

    def predictions(self, X: Any) -> np.ndarray:
        """Raw outputs through the inverse link, of shape (n, k)."""
        link = self.loss.inverse_link
        return self.outputs(X, lambda network, x: link(network.raw(x)))

    def outputs(self, X: Any, finish: Callable[[Evaluator, Tensor], Tensor]) -> np.ndarray:
        """What ``finish(network, x)`` makes of standardised rows of X, computed in X's type."""
        table = read_table(self.estimator, X)
        device = _present(self.estimator.device_)
        dtype = torch.float64 if table.dtype == np.float64 else torch.float32
        with torch_ready(), torch.no_grad(), memory_advice(device):
            layers = self.weights.layers(dtype, device)
            standardiser = Standardiser(self.scaling, dtype, device)
            n_threads = self._n_threads(table.shape[0], device)
            with self._one_thread_a_kernel(table.shape[0], device):
                return table_outputs(
                    table, standardiser, layers, self.architecture, finish, n_threads
                )

    def _n_threads(self, n_rows: int, device: str) -> int:
        """Threads that are worth starting: one for each 16 million multiply-adds."""
        if device != "cpu" or in_forked_child():
            return 1
        wanted = n_rows * self.estimator.n_parameters_ >> 24
        if wanted < 2:
            return 1
        limit = self.estimator.n_threads
        return min(available_threads() if limit is None else int(limit), wanted)

    def _one_thread_a_kernel(self, n_rows: int, device: str) -> Any:
        """A limit of one thread, where kernels are large enough to ask for a second."""
        small = n_rows * self.estimator.n_parameters_ < 2**16
        return nullcontext() if small or device != "cpu" else limit_threads(1)


def _present(device: str) -> str:
    """The device that was trained on, or the CPU where this machine lacks it."""
    if device == "cpu":
        return device
    index = torch.device(device).index or 0
    return device if torch.cuda.is_available() and index < torch.cuda.device_count() else "cpu"
