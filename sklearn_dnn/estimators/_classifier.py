"""The classifier."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.base import ClassifierMixin
from sklearn.utils.metaestimators import available_if
from torch import Tensor

from .._compat import Interval, fit_context
from .._core.fitted.fitted import Finish, Fitted
from .._core.fitted.sampling import over_members, sampled
from .._core.fitting.request import Arguments
from .._core.fitting.transaction import all_or_nothing
from .._core.reading.targets import LabelTargets, TargetReader
from ..components.constraints import Constraint
from ..components.embeddings import NumericEmbedding
from ..components.initializers import Initializer
from ..components.losses import LOSSES, as_loss
from ..components.norms import Norm
from ..components.optimizers import Optimizer
from ..components.stopping import EarlyStopping
from ..components.topologies import Topology
from ._base import BaseMLP, partial_fit_available
from ._parameters import LOSS_OF_CLASSIFIER, parameters_text, table

_WEIGHT = Interval(Real, 0, None, closed="left")

_NAMES = [
    "hidden_layer_sizes",
    "activation",
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
    "class_weight",
    "label_smoothing",
    "calibration",
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


class MLPClassifier(ClassifierMixin, BaseMLP):
    __doc__ = f"""Neural network for classification, trained by PyTorch.

Two classes, several classes, or several labels (a 0/1 indicator matrix) are learnt by dense
layers with the components named below. A component is given by name, or as an object of
:mod:`sklearn_dnn.components` whose own parameters a search can reach.

{parameters_text(table(_NAMES, LOSS_OF_CLASSIFIER))}

Attributes
----------
classes_ : ndarray of shape (n_classes,)
    Labels, sorted; for an indicator matrix the numbers of its columns.
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
    Accuracy on the validation part after each epoch, weighted as training is by
    `sample_weight` and `class_weight`; the `monitor`'s score where one is given.
best_validation_score_ : float or None
    The largest of them.
temperature_ : float
    What `calibration` divided raw outputs by, which `coefs_` and `intercepts_` of the output
    layer hold already; 1.0 without.
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
MLPRegressor : The same for numbers.

Notes
-----
Where an array is compared bit for bit, two fits with the same int `random_state` agree on one
machine with the same versions on the CPU. A fit leaves the process' random states, thread
counts and defaults as they were.

Examples
--------
>>> from sklearn.datasets import load_iris
>>> from sklearn_dnn import MLPClassifier
>>> X, y = load_iris(return_X_y=True)
>>> clf = MLPClassifier((20,), max_iter=150, learning_rate_init=0.01, random_state=0).fit(X, y)
>>> clf.predict(X[:2])
array([0, 0])
>>> bool(clf.score(X, y) > 0.95)
True
"""

    _target_arrays = {"targets.classes": "classes_"}
    _parameters = table(_NAMES, LOSS_OF_CLASSIFIER)
    _parameter_constraints = {name: p.constraint for name, p in _parameters.items()}

    def __init__(  # noqa: PLR0915 - a line a parameter
        self,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        *,
        topology: str | Topology = "plain",
        initializer: Any = "auto",
        bias_initializer: float | str | Initializer = 0.0,
        norm: str | Norm | None = None,
        dropout: Any = "auto",
        input_dropout: float | None = 0.0,
        weight_noise: float = 0.0,
        augmentation: Any = None,
        curriculum: Any = None,
        loss: Any = "log_loss",
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
        class_weight: dict | str | None = None,
        label_smoothing: float = 0.0,
        calibration: str | None = "auto",
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
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.calibration = calibration
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
        classes: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> MLPClassifier:
        """Train for one epoch over these rows, going on from the last call.

        Scaling, classes and the validation part come from the first call. Where the same table
        comes again, its held-out rows stay held out; all rows of another table train.

        Parameters
        ----------
        X, y, sample_weight, X_val, y_val, sample_weight_val
            As in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that will come; needed in the first call unless `y` has them all.

        Returns
        -------
        self : MLPClassifier
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all rows at once, which partial_fit "
                "does not have. Give a dict: sklearn.utils.class_weight.compute_class_weight "
                "computes one from a sample of the labels."
            )
        validation = (X_val, y_val, sample_weight_val)
        return self._partial_fit(Arguments(X, y, sample_weight, *validation, classes=classes))

    def predict(self, X: Any, *, n_samples: int | None = None) -> np.ndarray:
        """Labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        n_samples : int, default=None
            Random passes whose mean probabilities decide, as in `predict_proba`.

        Returns
        -------
        ndarray of shape (n_samples,), or (n_samples, n_labels) for an indicator matrix
        """
        fitted = Fitted(self)
        codec = fitted.codec
        if n_samples is None:
            return codec.decode(fitted.predictions(X))
        link = fitted.loss.inverse_link
        mean, _ = sampled(fitted, X, lambda network, x: link(network.raw(x)), n_samples)
        return codec.decode(mean.mean(1))

    @available_if(lambda self: self._has_probabilities())
    def predict_proba(
        self, X: Any, *, n_samples: int | None = None, return_std: bool = False
    ) -> Any:
        """Probabilities of classes, or of labels; of an ensemble, their mean over members.

        With `calibration`, an ensemble's lie halfway between these and those of the members' mean
        raw output.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        n_samples : int, default=None
            Random passes, with the dropout and the noise on weights of training, to take the
            mean of (Monte Carlo dropout, Gal & Ghahramani, 2016); None for one pass without.
        return_std : bool, default=False
            Whether standard deviations are returned too: over an ensemble's members, over the
            random passes, or with both of all passes of all members.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), in X's type
            Rows sum to 1, except those of an indicator matrix.
        deviations : ndarray of the same shape
            Only with `return_std`.

        Raises
        ------
        ValueError
            If there is no noise to sample, or nothing to take deviations from.
        """
        fitted = Fitted(self)
        link = self._link(fitted)
        if n_samples is None and not return_std:
            return fitted.linked(X, link)
        if n_samples is None and fitted.n_members is None:
            raise ValueError(
                "return_std=True needs n_samples, the number of random passes, or an ensemble "
                "(n_members > 1)."
            )
        finish = self._probabilities(fitted)
        if n_samples is None:
            each = fitted.member_outputs(X, finish)
            mean, deviation = over_members(each, np.zeros_like(each))
            if fitted.is_calibrated:
                mean = fitted.linked(X, link)
        else:
            mean, deviation = over_members(*sampled(fitted, X, finish, n_samples))
        return (mean, deviation) if return_std else mean

    @available_if(lambda self: self._has_probabilities())
    def predict_members(self, X: Any) -> np.ndarray:
        """Probabilities by each member of an ensemble.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_members, n_samples, n_classes), in X's type
            `predict_proba` is their mean; of calibrated members the mean of that and of what
            their mean raw output gives.
        """
        fitted = Fitted(self)
        return fitted.member_outputs(X, self._probabilities(fitted)).swapaxes(0, 1)

    def _probabilities(self, fitted: Fitted) -> Finish:
        """What makes probabilities of rows."""
        link = self._link(fitted)
        return lambda network, x: link(network.raw(x))

    def _link(self, fitted: Fitted) -> Callable[[Tensor], Tensor]:
        """What makes probabilities of raw outputs."""
        codec, loss = fitted.codec, fitted.loss
        return lambda raw: codec.probabilities(raw, loss)

    @available_if(lambda self: self._has_probabilities())
    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Logarithms of `predict_proba`, computed from raw outputs.

        They are finite where a probability is too small for its type and counts as 0 there, but
        for a loss of your own whose link gives 0 and which has no `log_inverse_link`.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples, n_classes), in X's type
        """
        fitted = Fitted(self)
        codec = fitted.codec
        loss = fitted.loss
        return fitted.linked(X, lambda raw: codec.log_probabilities(raw, loss), is_log=True)

    def _has_probabilities(self) -> bool:
        if not LOSSES.resolve(as_loss(self.loss)).has_probabilities:
            raise AttributeError(
                f"loss={self.loss!r} gives decisions, not probabilities. Use decision_function, "
                "or loss='log_loss'."
            )
        return True

    def decision_function(self, X: Any) -> np.ndarray:
        """Raw outputs, before the link.

        An ensemble's raw outputs would not rank rows as its mean probabilities do: it gives the log
        odds of those for two classes and for labels, and their logarithms for several classes.
        Of a loss without probabilities it gives the members' mean.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_samples,) for two classes, else (n_samples, n_classes)
        """
        fitted, kind = Fitted(self), self.spec_["task"]["kind"]
        loss = fitted.loss
        if fitted.n_members is None or not loss.has_probabilities:
            raw = fitted.raw(X)
        else:

            def link(raw: Tensor) -> Tensor:
                logs = loss.log_inverse_link(raw)
                if kind == "multiclass":
                    return logs
                return torch.cat([logs, loss.log_complement(raw)], -1)

            # a link of a user's own may give 0
            logs = fitted.linked(X, link, is_log=True)
            logs = np.maximum(logs, np.finfo(logs.dtype).min)
            raw = logs if kind == "multiclass" else np.subtract(*np.split(logs, 2, axis=1))
        return raw[:, 0] if kind == "binary" else raw

    def _targets(self) -> TargetReader:
        return LabelTargets(self.loss, self.class_weight)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
