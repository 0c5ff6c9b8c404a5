"""An estimator opened for inspection, through what it shows to everybody."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from .._compat import offers
from .._core.data.encoder import PlanTensors, encode
from .._core.fitted.fitted import Fitted
from .._core.fitting.text_columns import decided_by_all
from .._core.network.mlp import affine, hidden
from .._core.reading.inputs import read_table
from .._core.reading.raw_columns import as_table
from .._core.reading.tables import learn_reading
from .._core.specification import plain_value, with_numbers
from .._interruption import whole_fit
from .._threads import torch_ready
from ..components.activations import Activation
from ..components.optimizers import OPTIMIZERS, Optimizer
from ..estimators._classifier import MLPClassifier
from ..estimators._regressor import MLPRegressor

MLP: TypeAlias = MLPClassifier | MLPRegressor
E = TypeVar("E", bound=MLPClassifier | MLPRegressor)

# What holds a network back from fitting its rows, and the value that switches it off.
REGULARISERS = {
    "alpha": 0.0,
    "l1": 0.0,
    "weight_decay": 0.0,
    "activity_l1": 0.0,
    "constraint": None,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "weight_noise": 0.0,
    "augmentation": None,
    "curriculum": None,
    "label_smoothing": 0.0,
    "ema_decay": 0.0,
}
# A fit of one network that runs its epochs, on all rows, and says nothing.
PLAIN = {
    "n_members": 1,
    "ensemble": "independent",
    "curriculum": None,  # it would need a difficulty of each row
    "early_stopping": False,
    "monitor": "loss",
    "schedule": "constant",
    "warm_start": False,
    "max_time": None,
    "verbose": 0,
    "tol": 0.0,
    "n_iter_no_change": np.inf,
}


def require_network(estimator: object, function: str) -> None:
    """Refuse what is no estimator of this package."""
    if isinstance(estimator, MLPClassifier | MLPRegressor):
        return
    message = (
        f"{function} needs an MLPClassifier or MLPRegressor of sklearn_dnn. "
        f"Got {type(estimator).__name__} instead."
    )
    if offers(estimator, "steps"):
        message += " Pass the last step, est[-1], and the rows it gets, est[:-1].transform(X)."
    elif offers(estimator, "best_estimator_"):
        message += " Pass its best_estimator_."
    raise TypeError(message)


def refuse_ensemble(estimator: MLP, function: str) -> None:
    """Refuse a fitted ensemble where one network is looked into."""
    fitted = Fitted(estimator)
    if fitted.n_members is None:
        return
    way_out = "Pass one of them, est.member(0)."
    if fitted.n_shared > 1:
        way_out = "They share it (ensemble='shared'): fit with n_members=1, or use est.to_torch()."
    raise ValueError(
        f"{function} looks into one network, but this estimator has {fitted.n_members} members. "
        f"{way_out}"
    )


def plain_copy(estimator: E, **changes: Any) -> E:
    """An unfitted copy without callbacks that trains plainly, with some parameters changed.

    Changes of parameters that this estimator does not have are left out.
    """
    given = clone(estimator).get_params(deep=False)
    wanted = {**PLAIN, **changes}
    return type(estimator)(**with_numbers(given) | {k: v for k, v in wanted.items() if k in given})


def free_optimizer(estimator: MLP) -> Optimizer:
    """The estimator's optimizer as a component without decay of its own, and unscheduled."""
    given = OPTIMIZERS.resolve(plain_value("optimizer", estimator.optimizer))
    optimizer = clone(given.taken_apart()[0])
    if "weight_decay" in optimizer.get_params(deep=False):
        optimizer.set_params(weight_decay=0.0)
    return optimizer


@contextmanager
def quiet() -> Iterator[None]:
    """Short fits do not converge, and need not say so, nor repeat what the real fit will say.

    What is measured on fits that Ctrl-C cut off would be wrong: it ends the measurement.
    """
    with warnings.catch_warnings(), whole_fit():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "batch_size=.* is larger than the", UserWarning)
        warnings.filterwarnings("ignore", "input_scaling=None, but", UserWarning)
        warnings.filterwarnings("ignore", "The results of .* are not finite", UserWarning)
        warnings.filterwarnings("ignore", "activation='selu' keeps mean 0", UserWarning)
        warnings.filterwarnings("ignore", "Text of .* is read as categories", UserWarning)
        yield


def n_rows(X: Any) -> int:
    """Rows of a table of any kind."""
    return int(X.shape[0]) if offers(X, "shape") else len(X)


def take(X: Any, rows: np.ndarray) -> Any:
    """Some rows of a table of any kind."""
    if offers(X, "iloc"):
        return X.iloc[rows]
    if sparse.issparse(X):
        return X.tocsr()[rows]
    return X[rows] if offers(X, "shape") else np.asarray(X)[rows]


def dense(X: Any) -> np.ndarray:
    """A table as a float64 array."""
    return np.asarray(X.toarray() if sparse.issparse(X) else X, dtype=np.float64)


def numbers(estimator: MLP, X: Any) -> tuple[np.ndarray, np.ndarray]:
    """The columns of a raw table that hold numbers, float64 and NaN for gaps; where they stand."""
    table, reading = decided_by_all(*learn_reading(as_table(X), estimator.categorical_features))
    table = dense(table)
    chosen = np.ones(table.shape[1], dtype=bool) if reading is None else ~reading.categorical
    return table[:, chosen], np.flatnonzero(chosen)


def as_columns(y: Any) -> np.ndarray:
    """Targets as an array of two axes."""
    y = np.asarray(y)
    return y.reshape(len(y), -1)


def refuse_own_module(estimator: MLP, function: str) -> None:
    """Refuse a fitted network whose hidden part is a module of the user's."""
    module = Fitted(estimator).architecture.module
    if module is not None:
        raise ValueError(
            f"{function} works on hidden layers, but hidden_layer_sizes={module!r} is a module of "
            "your own, which has none that are known here. Work on est.to_torch(), or look into "
            "it with GradientActivationMonitor of sklearn_dnn.callbacks."
        )


class _Watched(Activation):
    """An activation that keeps what it puts out, before anything joins or normalises it."""

    def __init__(self, activation: Activation) -> None:
        self.activation = activation
        self.inputs_per_unit = activation.inputs_per_unit
        self.outputs: list[Tensor] = []

    def forward(self, z: Tensor) -> Tensor:
        return self.layer_forward(z, {}, None)

    def layer_forward(
        self, z: Tensor, parameters: Mapping[str, Tensor], generator: torch.Generator | None
    ) -> Tensor:
        out = self.activation.layer_forward(z, parameters, generator)
        self.outputs.append(out)
        return out


class Pass(NamedTuple):
    """What a network computes on the way.

    Attributes
    ----------
    hidden : list of Tensor of shape (n, k_i)
        What each hidden layer hands on.
    functions : list of Tensor of shape (n, k_i)
        What its activation puts out, which a norm or a skip connection may still change.
    raw : Tensor of shape (n, k)
        Raw outputs.
    """

    hidden: list[Tensor]
    functions: list[Tensor]
    raw: Tensor


class Opened:
    """The network of a fitted estimator in float64, with a view of its layers.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Fitted. Tensors are copies: nothing done here reaches the estimator.
    function : str
        Who asks, for messages.

    Attributes
    ----------
    activations : tuple of Activation
        One a hidden layer.
    weights : list of Tensor of shape (n_in, n_out)
        What each layer multiplies by, as leaves of the graph.
    loss : Loss
        The estimator's own, bound to its task.
    """

    def __init__(self, estimator: MLP, function: str) -> None:
        require_network(estimator, function)
        refuse_ensemble(estimator, function)
        self.estimator = estimator
        with torch_ready():
            self._open(Fitted(estimator))

    def _open(self, fitted: Fitted) -> None:
        """Make tensors that gradients can be taken by."""
        self.loss = fitted.loss
        self._inputs = PlanTensors.of(fitted.columns, torch.float64, "cpu")
        architecture = fitted.architecture
        network = fitted.weights.network(torch.float64, "cpu")
        layers = [layer._replace(weight=layer.weight.clone()) for layer in network.layers]
        if architecture.on_weights:  # coefs_ are the normed ones, which gradients are taken by
            architecture = architecture.without_norm()
        self.activations = architecture.activations
        self.weights = [layer.weight.requires_grad_() for layer in layers]
        self._architecture = architecture
        self._network = network._replace(layers=layers)

    def rows(self, X: Any) -> Tensor:
        """Checked rows of X as a tensor (n, p), in its own units, with codes for categories."""
        table, _ = read_table(self.estimator, X)
        return torch.tensor(dense(table))

    def targets(self, y: Any) -> Tensor:
        """Targets as the loss takes them: ``(n, t)`` numbers or ``(n,)`` class indices."""
        e = self.estimator
        kind = e.spec_["task"]["kind"]
        columns = as_columns(y)
        if kind == "regression":
            scaled = (columns.astype(np.float64) - e.target_mean_) / e.target_scale_
            return torch.from_numpy(scaled)
        if kind == "multilabel":
            return torch.from_numpy(columns.astype(np.float64))
        index = class_index(e.classes_, columns[:, 0])
        return torch.from_numpy(index[:, None].astype(np.float64) if kind == "binary" else index)

    def run(self, x: Tensor) -> Pass:
        """A pass as in prediction, which autograd can follow."""
        x = encode(x, self._inputs)
        watched = tuple(_Watched(activation) for activation in self.activations)
        architecture = replace(self._architecture, activations=watched)
        outputs: list[Tensor] = []
        top = hidden(x, self._network, architecture, outputs=outputs)
        raw = affine(top, self._network.layers[-1])
        return Pass(outputs, [out for one in watched for out in one.outputs], raw)

    def loss_values(self, X: Any, y: Any) -> np.ndarray:
        """The loss of every row (n,), without penalties."""
        with torch_ready(), torch.no_grad():
            raw = self.run(self.rows(X)).raw
            return self.loss.values(raw, self.targets(y)).numpy()


def class_index(classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Positions of labels in sorted `classes`.

    Raises
    ------
    ValueError
        If a label is none of them.
    """
    position = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = classes[position] != y
    if np.any(unknown):
        raise ValueError(
            f"y holds labels that the estimator was not fitted on: {np.unique(y[unknown])[:5]!r}; "
            f"known are {classes!r}. Leave those rows out, or fit again."
        )
    return position
