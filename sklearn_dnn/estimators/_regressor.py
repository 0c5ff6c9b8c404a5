"""The regressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from .._compat import fit_context
from .._core.fitted.fitted import Finish, Fitted
from .._core.fitted.sampling import mixture_quantiles, over_members, sampled
from .._core.fitting.request import Arguments
from .._core.fitting.transaction import all_or_nothing
from .._core.network.mlp import Evaluator, InTurn
from .._core.reading.targets import NumberTargets, TargetReader
from .._core.specification import is_auto
from ..components.activations import Activation
from ..components.constraints import Constraint
from ..components.embeddings import NumericEmbedding
from ..components.initializers import Initializer
from ..components.losses import LOSSES, Loss, as_loss
from ..components.norms import Norm
from ..components.optimizers import Optimizer
from ..components.stopping import EarlyStopping
from ..components.topologies import Topology
from ._base import BaseMLP, partial_fit_available
from ._parameters import LOSS_OF_REGRESSOR, parameters_text, table

_NAMES = [
    "hidden_layer_sizes",
    "activation",
    "output_activation",
    "output_range",
    "topology",
    "initializer",
    "bias_initializer",
    "norm",
    "dropout",
    "input_dropout",
    "weight_noise",
    "augmentation",
    "curriculum",
    "loss",
    "output_weights",
    "optimizer",
    "learning_rate_init",
    "schedule",
    "momentum_schedule",
    "dropout_schedule",
    "weight_decay_schedule",
    "batch_size",
    "accumulation_steps",
    "max_iter",
    "clip_norm",
    "clip_value",
    "clip_scope",
    "alpha",
    "l1",
    "activity_l1",
    "weight_decay",
    "constraint",
    "ema_decay",
    "categorical_features",
    "input_scaling",
    "numeric_embedding",
    "target_scaling",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "monitor",
    "max_time",
    "shuffle",
    "n_members",
    "ensemble",
    "bootstrap",
    "member_fraction",
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
    Weights of each layer; the first one's refer to standardised columns, or to what
    `numeric_embedding` makes of them. With ``n_members > 1`` these arrays, and those of the next
    five attributes, have a leading axis of members.
intercepts_ : list of ndarray of shape (n_out,)
    Biases of each layer; zeros where a norm behind it makes them redundant.
norm_weights_, norm_statistics_ : list of dict of ndarray
    What the norm of each hidden layer has learnt and measured.
extra_weights_ : dict of ndarray
    What else the network consists of, by name: learnt slopes, skip connections, the norm of the
    inputs, embeddings, an auxiliary output, a hidden part of the user's own, and what each of the
    members that share the network has for its own.
embeddings_ : dict of ndarray or None
    Of these, what `numeric_embedding` has learnt and measured, and the vectors of categories'
    levels ("codes"); None where there are none.
input_mean_, input_scale_ : ndarray of shape (n_features,) or None
    The standardisation of the inputs, in front of a norm of the inputs too; NaN for columns that
    are no numbers. None without.
input_columns_ : dict
    What else becomes of the columns: medians that stand for gaps, which columns have an indicator
    of gaps, other scalings, and slots of levels.
is_categorical_ : ndarray of bool, shape (n_features,), or None
    Columns of categories; None without any.
is_parsed_ : ndarray of bool, shape (n_features,), or None
    Columns of numbers that came as text or as objects; None without any. In these a cell of text
    that does not read as a number is a gap later on, with a warning.
categories_ : list of ndarray
    The levels of each column of categories that were seen in `fit`.
target_mean_, target_scale_ : ndarray of shape (n_outputs,)
    The units of the targets: the network learns ``(y - mean) / scale``.
target_is_column_ : bool
    Whether y had one axis, as predictions then have.
n_features_in_ : int
    Columns seen in `fit`.
feature_names_in_ : ndarray of shape (`n_features_in_`,)
    Their names; only where all are strings.
members_ : list of dict
    One a member: "n_iter", "best_iter", "end_reason", "loss_curve", "validation_loss_curve",
    "validation_scores" and "history". The attributes below are the largest numbers of epochs,
    the end of the member that trained longest, and means of curves over the members that were
    still training.
n_iter_ : int
    Epochs that the last call of `fit` or `partial_fit` did. `t_` and the curves are of all calls
    that went on from each other.
t_ : int
    Rows that training has seen.
best_iter_ : int
    The epoch, from 1, after which the monitored value was best.
end_reason_ : str
    Why training ended: "max_iter", "patience" (what early stopping watches saw no improvement),
    "tol" (the training loss did not fall, or the gradient vanished), "target" or "baseline" (of
    :class:`~sklearn_dnn.components.EarlyStopping`), "time", "callback", "interrupted" or
    "diverged" (the loss was no longer finite, or rose from the first epoch on and never again
    came below it).
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
    All of these by name, with the seconds of each epoch; ``pd.DataFrame(est.history_)``. Where
    gradients are clipped, "gradient_norm" is an epoch's mean l2 norm of the whole gradient before
    any clip, and "clipped" the share of its steps in which `clip_norm` or `clip_value` cut
    something; else both are None.
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

    _target_arrays = {"targets.mean": "target_mean_", "targets.scale": "target_scale_"}
    _parameters = table(_NAMES, LOSS_OF_REGRESSOR)
    _parameter_constraints = {name: p.constraint for name, p in _parameters.items()}

    def __init__(  # noqa: PLR0915 - a line a parameter
        self,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        *,
        output_activation: str | Activation = "identity",
        output_range: tuple[float, float] | None = None,
        topology: str | Topology = "plain",
        initializer: Any = "auto",
        bias_initializer: float | str | Initializer = 0.0,
        norm: str | Norm | None = None,
        dropout: Any = "auto",
        input_dropout: float | None = 0.0,
        weight_noise: float = 0.0,
        augmentation: Any = None,
        curriculum: Any = None,
        loss: Any = "squared_error",
        output_weights: Any = None,
        optimizer: str | Optimizer = "auto",
        learning_rate_init: float | str = "auto",
        schedule: Any = "auto",
        momentum_schedule: Any = None,
        dropout_schedule: Any = None,
        weight_decay_schedule: Any = None,
        batch_size: int | str = "auto",
        accumulation_steps: int = 1,
        max_iter: int | str = "auto",
        clip_norm: float | None = None,
        clip_value: float | None = None,
        clip_scope: str = "global",
        alpha: Any = 0.0001,
        l1: Any = 0.0,
        activity_l1: float = 0.0,
        weight_decay: float = 0.0,
        constraint: str | Constraint | None = None,
        ema_decay: float = 0.0,
        categorical_features: Any = "from_dtype",
        input_scaling: str | Norm | None = "auto",
        numeric_embedding: str | NumericEmbedding | None = "auto",
        target_scaling: str | None = "standard",
        early_stopping: bool | str | EarlyStopping = "auto",
        validation_fraction: Any = "auto",
        n_iter_no_change: float | str = "auto",
        tol: float = 0.0001,
        monitor: str | Callable[..., float] = "loss",
        max_time: float | None = None,
        shuffle: bool = True,
        n_members: int | str = "auto",
        ensemble: str = "independent",
        bootstrap: bool = False,
        member_fraction: float | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        device: str | torch.device = "auto",
        n_threads: int | None = None,
        dtype: str = "auto",
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.output_activation = output_activation
        self.output_range = output_range
        self.topology = topology
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.norm = norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.weight_noise = weight_noise
        self.augmentation = augmentation
        self.curriculum = curriculum
        self.loss = loss
        self.output_weights = output_weights
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.momentum_schedule = momentum_schedule
        self.dropout_schedule = dropout_schedule
        self.weight_decay_schedule = weight_decay_schedule
        self.batch_size = batch_size
        self.accumulation_steps = accumulation_steps
        self.max_iter = max_iter
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.clip_scope = clip_scope
        self.alpha = alpha
        self.l1 = l1
        self.activity_l1 = activity_l1
        self.weight_decay = weight_decay
        self.constraint = constraint
        self.ema_decay = ema_decay
        self.categorical_features = categorical_features
        self.input_scaling = input_scaling
        self.numeric_embedding = numeric_embedding
        self.target_scaling = target_scaling
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.monitor = monitor
        self.max_time = max_time
        self.shuffle = shuffle
        self.n_members = n_members
        self.ensemble = ensemble
        self.bootstrap = bootstrap
        self.member_fraction = member_fraction
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.device = device
        self.n_threads = n_threads
        self.dtype = dtype

    @partial_fit_available
    @all_or_nothing
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
        validation = (X_val, y_val, sample_weight_val)
        return self._partial_fit(Arguments(X, y, sample_weight, *validation))

    def predict(self, X: Any, *, n_samples: int | None = None, return_std: bool = False) -> Any:
        """Targets in the units of y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        n_samples : int, default=None
            Random passes, with the dropout and the noise on weights of training, to take the
            mean of (Monte Carlo dropout, Gal & Ghahramani, 2016); None for one pass without.
        return_std : bool, default=False
            Whether standard deviations are returned too: those that ``loss="gaussian"``
            predicts, the spread of the random passes, and that of an ensemble's members about
            their mean; where there are several, by the law of total variance.

        Returns
        -------
        predictions : ndarray of shape (n_samples,), or (n_samples, n_outputs)
            In X's type, but float64 where float32 can't tell the targets of `fit` apart, as those
            far from zero (``spec_["task"]["float32_targets"]`` is False).
        deviations : ndarray of the same shape
            Only with `return_std`.

        Raises
        ------
        ValueError
            If there is no noise to sample, or nothing to take a deviation from.
        """
        fitted = Fitted(self)
        codec = fitted.codec
        loss = fitted.loss
        if n_samples is None and not return_std:
            return codec.decode(fitted.predictions(X))
        if n_samples is None and not loss.has_deviation and fitted.n_members is None:
            raise ValueError(
                f"return_std=True needs a loss that predicts deviations, but loss={self.loss!r}. "
                "Use loss='gaussian', an ensemble (n_members > 1), or n_samples with dropout."
            )
        k = self.target_mean_.shape[0]
        finish = _with_variances(loss)
        if n_samples is None:
            values = fitted.member_outputs(X, finish)
            spread = np.zeros_like(values)
        else:
            values, spread = sampled(fitted, X, finish, n_samples)
        mean, spread = over_members(values, spread)
        predictions = codec.decode(mean[:, :k])
        if not return_std:
            return predictions
        own = mean[:, k:] if loss.has_deviation else 0.0
        return predictions, codec.decode_deviation(np.sqrt(spread[:, :k] ** 2 + own))

    def predict_members(self, X: Any) -> np.ndarray:
        """Predictions by each member of an ensemble, in the units of y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_members, n_samples), or (n_members, n_samples, n_outputs)
            `predict`, which says in what type, is their mean.
        """
        fitted = Fitted(self)
        codec = fitted.codec
        link = fitted.loss.inverse_link
        values = fitted.member_outputs(X, lambda network, x: link(network.raw(x)))
        return np.stack([codec.decode(member) for member in values.swapaxes(0, 1)])

    @available_if(lambda self: self._has_quantiles())
    def predict_quantiles(self, X: Any, quantile: Any = None) -> np.ndarray:
        """Quantiles in the units of y; of a loss that predicts some, or of an ensemble.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        quantile : float or sequence of float, default=None
            Levels between 0 and 1, for an ensemble whose loss predicts no quantiles: of the
            mixture of the members' normal laws with ``loss="gaussian"``, else of the members'
            predictions. None is (0.1, 0.5, 0.9). A loss that predicts quantiles has its own
            levels; an ensemble's are means over members.

        Returns
        -------
        ndarray of shape (n_samples, n_quantiles), or (n_samples, n_outputs, n_quantiles)
            In the type of `predict`, in the order of the levels.
        """
        fitted = Fitted(self)
        codec = fitted.codec
        loss, k = fitted.loss, self.target_mean_.shape[0]
        if loss.has_quantiles:
            if quantile is not None:
                raise ValueError(
                    f"quantile={quantile!r}, but loss={self.loss!r} predicts quantiles of its own. "
                    "Leave quantile=None."
                )
            flat = fitted.outputs(X, lambda network, x: loss.quantiles(network.raw(x)).flatten(-2))
            return codec.decode_quantiles(flat.reshape(len(flat), k, -1))
        levels = np.atleast_1d(np.asarray((0.1, 0.5, 0.9) if quantile is None else quantile))
        if levels.dtype.kind != "f" or levels.ndim != 1 or not np.all((levels > 0) & (levels < 1)):
            raise ValueError(f"quantile must hold numbers between 0 and 1. Got {quantile!r}.")
        values = fitted.member_outputs(X, _with_variances(loss))
        if loss.has_deviation:
            found = mixture_quantiles(values[..., :k], np.sqrt(values[..., k:]), levels)
        else:
            found = np.moveaxis(np.quantile(values, levels, axis=1), 0, -1)
        return codec.decode_quantiles(found.astype(values.dtype, copy=False))

    def _has_quantiles(self) -> bool:
        n_members = self.n_members
        if self.__sklearn_is_fitted__():
            n_members = self.spec_["n_members"]
        elif is_auto(n_members) and not is_auto(self.hidden_layer_sizes):
            n_members = 1
        if n_members == 1 and not LOSSES.resolve(as_loss(self.loss)).has_quantiles:
            raise AttributeError(
                f"predict_quantiles needs a loss that predicts quantiles, but loss={self.loss!r}. "
                "Use loss=Quantile((0.1, 0.5, 0.9)), or an ensemble (n_members > 1)."
            )
        return True

    def _targets(self) -> TargetReader:
        return NumberTargets(self.loss)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _with_variances(loss: Loss) -> Finish:
    """Predictions, and behind them the variances that the loss predicts, if it does."""

    def finish(network: Evaluator | InTurn, x: Tensor) -> Tensor:
        raw = network.raw(x)
        parts = [loss.inverse_link(raw)]
        if loss.has_deviation:
            parts.append(loss.deviation(raw).square())
        return torch.cat(parts, -1)

    return finish
