"""The regressor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import column_or_1d

from .._compat import fit_context
from ..components.activations import Activation
from ..components.dropouts import DropoutRule
from ..components.initializers import Initializer
from ..components.losses import Loss
from ..components.norms import Norm
from ..components.optimizers import Optimizer
from ..components.schedules import Schedule
from ..data.targets import Codec, RegressionCodec
from ._base import BaseMLP, partial_fit_available
from ._fitted import Fitted
from ._inputs import Given
from ._parameters import LOSS_OF_REGRESSOR, parameters_text, table

_NAMES = [
    "hidden_layer_sizes",
    "activation",
    "initializer",
    "norm",
    "dropout",
    "loss",
    "optimizer",
    "learning_rate_init",
    "schedule",
    "batch_size",
    "max_iter",
    "clip_norm",
    "clip_value",
    "alpha",
    "l1",
    "weight_decay",
    "input_scaling",
    "target_scaling",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "monitor",
    "max_time",
    "shuffle",
    "warm_start",
    "random_state",
    "verbose",
    "device",
    "n_threads",
    "dtype",
]


class MLPRegressor(RegressorMixin, BaseMLP):
    __doc__ = f"""Neural network for regression, trained by PyTorch.

One or several real targets are learnt by dense layers with the components named below. A
component is given by name, or as an object of :mod:`sklearn_dnn.components` whose own
parameters a search can reach.

{parameters_text(table(_NAMES, LOSS_OF_REGRESSOR))}

Attributes
----------
coefs_ : list of ndarray of shape (n_in, n_out)
    Weights of each layer; the first one's refer to standardised columns.
intercepts_ : list of ndarray of shape (n_out,)
    Biases of each layer.
norm_weights_, norm_statistics_ : list of dict of ndarray
    What the norm of each hidden layer has learnt and measured.
input_mean_, input_scale_ : ndarray of shape (n_features,) or None
    The standardisation of the inputs.
target_mean_, target_scale_ : ndarray of shape (n_outputs,)
    The units of the targets: the network learns ``(y - mean) / scale``.
target_is_column_ : bool
    Whether y had one axis, as predictions then have.
n_features_in_ : int
    Columns seen in `fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names; only where all are strings.
n_iter_ : int
    Epochs done, over all calls that went on from each other.
t_ : int
    Rows that training has seen.
best_iter_ : int
    The epoch, from 1, after which the monitored value was best.
end_reason_ : {{"max_iter", "patience", "tol", "time", "callback", "interrupted", "diverged"}}
    Why training ended: "patience" means that the validation part saw no improvement, "tol"
    that the training loss did not fall, or the gradient vanished.
loss_ : float
    Training loss of the last epoch, penalties included.
best_loss_ : float or None
    Smallest training loss; None under early stopping.
loss_curve_ : list of float
    Training loss of each epoch, penalties included.
validation_loss_curve_ : list of float or None
    Loss on the validation part after each epoch, without penalties.
validation_scores_ : list of float or None
    Coefficient of determination on the validation part after each epoch; the `monitor`'s score
    where one is given.
best_validation_score_ : float or None
    The largest of them.
lr_curve_ : list of float
    Learning rate of each epoch's last step.
history_ : dict of list
    All of these by name, with the seconds of each epoch; ``pd.DataFrame(est.history_)``.
n_layers_ : int
    Layers, inputs and outputs counted.
n_outputs_ : int
    Raw outputs.
n_parameters_ : int
    Trainable numbers.
out_activation_ : str
    Name of the inverse link.
spec_ : dict
    What was really done, as nested plain values: no "auto" is left.
device_ : str
    Where the network was trained.
own_components_ : dict
    Components of a user's own that the network was fitted with; empty without.
state_format_ : int
    Version of these attributes.

See Also
--------
MLPClassifier : The same for labels.

Notes
-----
Where an array is compared bit for bit, two fits with the same int `random_state` agree on one
machine with the same versions on the CPU. A fit leaves the process' random states, thread
counts and defaults as they were.

Examples
--------
>>> from sklearn.datasets import load_diabetes
>>> from sklearn_dnn import MLPRegressor
>>> X, y = load_diabetes(return_X_y=True)
>>> reg = MLPRegressor((20,), alpha=10.0, max_iter=60, random_state=0).fit(X, y)
>>> reg.predict(X[:2]).shape
(2,)
>>> bool(reg.score(X, y) > 0.4)
True
"""

    _numeric_targets = True
    _parameters = table(_NAMES, LOSS_OF_REGRESSOR)
    _parameter_constraints = {name: p.constraint for name, p in _parameters.items()}

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        activation: str | Activation = "relu",
        *,
        initializer: str | Initializer = "auto",
        norm: str | Norm | None = None,
        dropout: float | DropoutRule = 0.0,
        loss: str | Loss = "squared_error",
        optimizer: str | Optimizer = "adam",
        learning_rate_init: float = 0.001,
        schedule: str | Schedule = "constant",
        batch_size: int | str = "auto",
        max_iter: int = 200,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        alpha: float = 0.0001,
        l1: float = 0.0,
        weight_decay: float = 0.0,
        input_scaling: str | None = "standard",
        target_scaling: str | None = "standard",
        early_stopping: bool | str = "auto",
        validation_fraction: Any = 0.1,
        n_iter_no_change: float = 10,
        tol: float = 0.0001,
        monitor: str | Callable[..., float] = "loss",
        max_time: float | None = None,
        shuffle: bool = True,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        device: str = "auto",
        n_threads: int | None = None,
        dtype: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.initializer = initializer
        self.norm = norm
        self.dropout = dropout
        self.loss = loss
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.alpha = alpha
        self.l1 = l1
        self.weight_decay = weight_decay
        self.input_scaling = input_scaling
        self.target_scaling = target_scaling
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.monitor = monitor
        self.max_time = max_time
        self.shuffle = shuffle
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.device = device
        self.n_threads = n_threads
        self.dtype = dtype

    @partial_fit_available
    @fit_context(prefer_skip_nested_validation=False)
    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPRegressor:
        """Train for one epoch over these rows, going on from the last call.

        Scaling and the validation part come from the first call. Where the same table comes
        again, its held-out rows stay held out; all rows of another table train.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As in `fit`.

        Returns
        -------
        self : MLPRegressor
        """
        return self._partial_fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def predict(self, X: Any) -> np.ndarray:
        """Targets in the units of y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_outputs), in X's type
        """
        predictions = Fitted(self).predictions(X)
        return self._fitted_codec().decode(predictions)

    def _read_targets(self, given: Given, classes: Any, *, going_on: bool) -> tuple[Given, Codec]:
        y = given.y
        if y.dtype.kind not in "biuf":
            raise ValueError(
                f"y must hold numbers for a regressor. Got {y.dtype} such as {y.flat[0]!r} "
                "instead. For labels use MLPClassifier."
            )
        if y.ndim == 2 and y.shape[1] == 1:
            y = column_or_1d(y, warn=True)
        given = replace(given, y=y)
        own = RegressionCodec.unscaled(y)
        if isinstance(classes, Codec):  # a validation set's targets
            codec = classes
        elif going_on:
            codec = self._fitted_codec()
        else:
            return given, own
        if own.n_outputs != codec.n_outputs:
            raise ValueError(
                f"y must have {codec.n_outputs} column{'s' * (codec.n_outputs > 1)}, as it is "
                f"trained with. Got shape {y.shape} instead."
            )
        return given, codec

    def _weigher(self, codec: Codec, given: Given, rows: np.ndarray) -> Callable[[Given], Given]:
        return lambda table: table

    def _fitted_codec(self) -> Codec:
        return RegressionCodec(self.target_mean_, self.target_scale_, self.target_is_column_)

    def _codec_attributes(self, codec: Codec) -> dict[str, Any]:
        return {
            "target_mean_": codec.mean,
            "target_scale_": codec.scale,
            "target_is_column_": codec.one_column,
        }

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
