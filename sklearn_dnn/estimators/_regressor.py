"""The regressor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import RegressorMixin
from torch import Tensor

from .._compat import available_if, fit_context
from .._core.data.targets import RegressionCodec
from .._core.fitted.fitted import Finish, Fitted
from .._core.fitted.sampling import mixture_quantiles, over_members, sampled
from .._core.fitting.request import Arguments
from .._core.fitting.transaction import all_or_nothing
from .._core.network.mlp import Evaluator, InTurn
from .._core.reading.targets import NumberTargets, TargetReader
from .._core.specification import is_auto
from ..components.activations import Activation, Bounded
from ..components.base import Scheduled
from ..components.batches import Accumulated
from ..components.clipping import ClipNorm
from ..components.constraints import Constraint
from ..components.embeddings import NumericEmbedding
from ..components.ensembles import Bagging
from ..components.initializers import Initializer
from ..components.losses import LOSSES, Loss, as_loss
from ..components.norms import Norm
from ..components.optimizers import Optimizer
from ..components.stopping import EarlyStopping
from ..components.topologies import Topology
from ._base import BaseMLP, partial_fit_available
from ._parameters import LOSS_OF_REGRESSOR, parameters_of


class MLPRegressor(RegressorMixin, BaseMLP):
    """Neural network for regression, trained by PyTorch.

    One or several real targets are learnt by dense layers with the components named below. A
    component is given by name, or as an object of :mod:`sklearn_dnn.components` whose own
    parameters a search can reach.

    Parameters stand in groups: network (`hidden_layer_sizes` to `norm`), noise (`dropout` to
    `augmentation`), learning (`loss` to `ema_decay`), stopping (`max_iter` to `max_time`),
    table (`categorical_features` to `target_scaling`), ensemble (`n_members` to `ensemble`) and
    machine (`warm_start` to `dtype`); :doc:`/user_guide/ten_parameters` has the ten to begin
    with.

    Parameters
    ----------
    hidden_layer_sizes : 'auto', int, tuple of int, Rectangular or HiddenModule, default='auto'
        Units of each hidden layer. ``()`` is the linear model; an int is one layer;
        ``Rectangular(depth, width)`` lets a search vary depth and width apart;
        ``HiddenModule(cls, ...)`` puts a ``torch.nn.Module`` of your own in their place. "auto"
        lets the recipe for tables (:ref:`defaults`) choose the network, and all else that is at
        "auto". Where layers are named, on fewer than 100 rows, on a sparse table, and with
        `warm_start` or `partial_fit`, "auto" stands for the plain values, here ``(100,)``.

    activation : 'auto', {'elu', 'celu', 'selu', 'glu', 'swiglu', 'geglu', 'identity', 'exponential', 'softplus', 'squareplus', 'sparse_plus', 'log_sigmoid', 'relu', 'relu6', 'leaky_relu', 'prelu', 'rrelu', 'gelu', 'silu', 'hard_swish', 'mish', 'softshrink', 'hardshrink', 'tanhshrink', 'logistic', 'hard_sigmoid', 'sparse_sigmoid', 'tanh', 'hard_tanh', 'softsign'}, component, or a sequence of these, default='auto'
        Function of the hidden layers: one for all, or one a layer. A function of tensors or a
        class of ``torch.nn`` is taken too. "auto" is "relu", or the recipe's.

    output_activation : name of an activation, component or Bounded, default='identity'
        Link of the output. "relu", "softplus" and "exponential" predict numbers that are not
        negative, "logistic" numbers from 0 to 1, ``Bounded("logistic", low, high)`` numbers
        within other bounds, in the units of y. Targets outside are refused. "identity" leaves
        the link to the loss.

    topology : {'plain', 'residual', 'wide'} or component, default='plain'
        How layers are joined: each reads the one before it, blocks of layers are bridged, or
        the inputs join the last hidden layer. The component may add an auxiliary output.

    initializer : 'auto', {'orthogonal', 'lsuv', 'fixup', 'zeros', 'constant', 'uniform', 'normal', 'truncated_normal', 'sparse', 'identity', 'glorot_normal', 'glorot_uniform', 'he_normal', 'he_uniform', 'lecun_normal', 'lecun_uniform', 'variance_scaling'}, component, or a sequence of these, default='auto'
        How weights start: one for all layers, or one a layer, the output's the last. "auto"
        takes what suits the activation (He for the relu family, LeCun for selu, Glorot else)
        and Glorot for the output layer.

    bias_initializer : float, 'prior', name of an initializer or component, default=0.0
        How biases start. "prior" starts the output's at the best constant prediction (the mean
        of the targets, the log-odds of the classes, ...), the others at zero.

    norm : {'batch', 'weight', 'layer', 'rms', 'group'}, 'auto', component or None, default=None
        Normalisation of each hidden layer, in front of the activation unless the component says
        ``position="after"``. "auto" is "batch" from four hidden layers on, where no "selu"
        normalises by itself.

    dropout : 'auto', float, Scheduled, {'dropout', 'alpha_dropout', 'gaussian_dropout', 'dropconnect'}, component, None, or a sequence of these, default='auto'
        Share of each hidden layer's units that a training step drops, after the activation: one
        for all layers, or one a layer; None for none. ``AlphaDropout(rate)`` keeps mean and
        variance, for selu; ``DropConnect(rate)`` drops weights. A name takes its component's
        rate. ``Scheduled(0.2, "linear")`` lets a rate change with time. "auto" is none, or the
        recipe's.

    input_dropout : float, Scheduled or None, default=0.0
        Share of the inputs that a training step drops; None for none.

    weight_noise : float, default=0.0
        Standard deviation of normal noise on the weights, fresh for each training step (Graves,
        2011).

    augmentation : {'input_noise', 'target_noise', 'label_noise', 'mixup', 'adversarial'}, component, callable, a sequence of these, or None, default=None
        What happens to each batch before it is learnt from: noise on inputs or targets, mixed
        rows, adversarial rows, or a function of your own; a sequence is applied in order.

    loss : {'quantile', 'gaussian', 'poisson', 'gamma', 'tweedie', 'squared_log_error', 'absolute_percentage_error', 'squared_error', 'absolute_error', 'huber', 'log_cosh', 'epsilon_insensitive'}, component or callable, default='squared_error'
        What is minimised, summed over outputs. A function ``f(raw, target)`` of tensors that
        gives the loss of each row, or a loss class of ``torch.nn``, is taken too.

    output_weights : array-like of shape (n_outputs,) or None, default=None
        What the loss of each target counts; None for 1 each.

    curriculum : {'linear', 'exponential'}, component, callable or None, default=None
        Which rows an epoch draws while training is young, by the `difficulty` given to `fit`:
        easy ones first, and ever more of the others.

    optimizer : 'auto', {'adam', 'adamw', 'amsgrad', 'radam', 'nadam', 'adamax', 'adagrad', 'rmsprop', 'adadelta', 'sgd', 'momentum', 'nesterov', 'ftrl', 'lbfgs', 'lookahead', 'adafactor', 'muon', 'rprop', 'lion'} or component, default='auto'
        The update rule. Its own numbers are parameters of the component:
        ``optimizer=SGD(momentum=0.9)`` has the nested parameter ``optimizer__momentum``.
        ``SGD(momentum=Scheduled(0.95, "momentum_cycle"))`` lets the momentum (of Adam `beta_1`)
        change with time. "lbfgs" takes all rows at once and finds its own step length. "auto"
        is "adam", or the recipe's.

    learning_rate_init : float, 'auto' or 'range_test', default='auto'
        Learning rate, which the schedule multiplies. "auto" is the optimizer's own (0.001 for
        "adam"), or the recipe's; "range_test" tries rates on the training rows first and takes
        a tenth of the one with the lowest loss.

    schedule : 'auto', {'constant', 'linear', 'polynomial', 'cosine', 'step', 'piecewise', 'warmup', 'sequential', 'cyclic', 'cosine_restarts', 'one_cycle', 'momentum_cycle', 'power', 'exponential', 'inverse_time', 'inverse_scaling', 'inverse_square_root', 'performance'}, component or callable, default='auto'
        How the learning rate changes with time; times are in epochs. "auto" is "constant", or
        the recipe's. A schedule with a horizon ends at `max_iter` unless its component states
        another. With `warm_start` such a schedule begins anew in each call of `fit`, and one
        without goes on: "performance" keeps its cuts. Over calls of `partial_fit` a horizon
        runs once, and stays at its end. A callable is ``f(t, horizon)``. "momentum_cycle" is
        meant for a momentum: ``SGD(momentum=Scheduled(0.95, "momentum_cycle"))``.

    batch_size : int, 'auto', 'full' or Accumulated, default='auto'
        Rows of a step. "auto" is 200, or all rows that train if they are fewer, or the
        recipe's, about a sixteenth of them; "full" takes all rows at once. ``Accumulated(size,
        steps)`` makes one step of the mean gradient of several batches.

    shuffle : bool, default=True
        Whether each epoch has a new order of rows.

    clip_norm : float, ClipNorm or None, default=None
        Largest l2 norm of the gradient; a longer one is scaled down. A number bounds the whole
        gradient, whose direction is kept; ``ClipNorm(max_norm, scope="tensor")`` each weight
        matrix and vector by itself. Applied after `clip_value`.

    clip_value : float or None, default=None
        Largest absolute value of each element of the gradient. Applied before `clip_norm`.

    alpha : float or sequence of float, default=0.0001
        Strength of the l2 penalty, by scikit-learn's formula: a batch's mean loss is increased
        by ``alpha / 2 * sum(W ** 2) / n``, where n is the batch's sum of sample weights. Biases
        are not penalised. A sequence has one a layer, the output's the last.

    l1 : float or sequence of float, default=0.0
        Strength of the l1 penalty, ``l1 * sum(abs(W)) / n``, with the n of `alpha`. Weights
        become exactly zero (orthant-wise steps, Andrew & Gao, 2007).

    activity_l1 : float, default=0.0
        Strength of a penalty on what hidden units put out: the mean over rows of
        ``sum(abs(a))``.

    weight_decay : float or Scheduled, default=0.0
        Decoupled decay: each step first multiplies the weights by ``1 - rate * weight_decay``
        (Loshchilov & Hutter, 2019). 0 leaves the optimizer's own: "adamw" has 0.01;
        ``AdamW(weight_decay=0.0)`` has none; above 0 it stands in the place of that of "adamw"
        and of the recipe's, and contradicts that of a component. ``Scheduled(0.01, "cosine")``
        changes it with time, beside the rate, which multiplies it anyway;
        ``AdamW(weight_decay=Scheduled(...))`` the optimizer's own.

    constraint : {'max_norm', 'unit_norm', 'min_max_norm', 'non_negative', 'box'}, component or None, default=None
        What each layer's weights, and those of skip connections between layers of unlike width,
        are brought back to after every step. Not with ``norm="weight"``.

    ema_decay : float, default=0.0
        Memory of an exponential moving average of all trained numbers, a step; above 0 the
        average judges and predicts. The first n steps remember at most ``(1 + n) / (10 + n)``
        (Polyak & Juditsky, 1992; 0.999 is usual).

    max_iter : int or 'auto', default='auto'
        Epochs at most in one call of `fit`. "auto" is 200, or the recipe's.

    early_stopping : bool, 'auto' or EarlyStopping, default='auto'
        Whether a validation part decides when to stop and which weights are kept: always the
        best ones seen. "auto" is on above 10,000 rows, when `X_val` is given, and in the recipe
        for tables. Without it, training ends when the training loss no longer falls, with the
        last weights. ``EarlyStopping(...)`` has rules of its own, in place of
        `n_iter_no_change` and `tol`.

    validation_fraction : 'auto', float, 'folds' or splitter, default='auto'
        The rows that early stopping holds out where `X_val` is not given: a share of them,
        stratified by class (the last ones with ``shuffle=False``), or the first split of a
        scikit-learn splitter, which gets `groups`; rows in neither of its parts are not used.
        The only row of a class always trains. "folds" lets each of `n_members` independent
        members hold out another ``1 / n_members`` of the rows, so that together they learn from
        all; early stopping is then on unless it is False. "auto" is 0.1, or the recipe's.

    n_iter_no_change : int, inf or 'auto', default='auto'
        Training ends when more than this many epochs in a row did not improve the monitored
        value by `tol`. "auto" is 10, or the recipe's, but ends nothing before a schedule has
        come to its end; a number is obeyed.

    tol : float, default=0.0001
        Smallest improvement that counts, in units of the monitored value. For "lbfgs" also the
        largest element of a gradient that is taken for zero.

    monitor : str or callable, default='loss'
        What early stopping watches on the validation part: the loss, or a scorer's name or a
        callable ``scorer(estimator, X, y)``, higher being better.

    max_time : float or None, default=None
        Seconds after which training ends, at the next step, wherever a schedule then is.

    categorical_features : 'from_dtype', array-like of bool, int or str, or None, default='from_dtype'
        Which columns hold categories instead of numbers: a mask, positions or names.
        "from_dtype" takes the columns of a data frame that are of a type for categories, and
        those of text, unless all their cells that train read as finite numbers of which one at
        least has a fraction: then they are numbers. Text that may be something else (whole
        numbers, numbers with marks or beside a few other cells, dates) is told by a warning; it
        is silent where the column is named here, or of a type for categories. Columns of arrays
        are numbers: text of names is refused there, other text as in a data frame. None takes
        all for numbers. With `warm_start` and `partial_fit` the first call decides.

    input_scaling : 'auto', 'standard', 'robust', 'quantile', 'quantile_robust', 'batch_norm', norm component or None, default='auto'
        "standard" brings the columns of numbers to mean 0 and standard deviation 1, by the
        training rows; `coefs_` then refer to the standardised columns. "robust" takes median
        and inter-quartile range instead, and draws what is far out smoothly to within 3
        (Holzmueller et al., 2024). "quantile" gives each number the normal one of its rank, and
        "quantile_robust" the robust one beside it, which no embedding touches. "batch_norm"
        puts a norm that is trained with the network behind "standard". A norm of rows, such as
        ``LayerNorm()``, gets columns divided by one common number. "auto" is "standard", or the
        recipe's.

    numeric_embedding : 'auto', {'periodic', 'piecewise_linear'}, component or None, default='auto'
        What stands in the place of each column of numbers in front of the first layer, behind
        `input_scaling`: "periodic" has waves of trained frequencies, "piecewise_linear" how far
        the number has come through bins of the training rows. Neither penalties nor decay act
        on it. "auto" is None, or the recipe's.

    target_scaling : 'standard' or None, default='standard'
        "standard" trains on targets of mean 0 and standard deviation 1, and predicts in the
        original units; losses are in the scaled ones. Losses with another link than the
        identity ("poisson") take the targets as they are.

    n_members : int or 'auto', default='auto'
        Networks that are trained side by side and predict together: an ensemble. Members differ
        by first weights and order of rows; the first one is the network that ``n_members=1``
        gives. Probabilities and predictions are means over members. "auto" is 1, or the
        recipe's.

    ensemble : {'independent', 'shared'} or Bagging, default='independent'
        What the members of an ensemble have in common. "independent" ones have nothing; each
        stops, and keeps its best weights, by itself; with ``Bagging(fraction, bootstrap)`` each
        also draws the rows that it learns from. "shared" ones are one network, in which each
        has a factor for each input, one for each unit that the output reads, and the output's
        biases (BatchEnsemble, Wen et al., 2020, in about the form of TabM-mini, Gorishniy et
        al., 2025); see :doc:`/members`. Each learns every row, `loss_` is the mean of theirs,
        and all stop together.

    warm_start : bool, default=False
        Whether `fit` goes on from where the last call ended (weights, optimizer, streams of
        chance, scaling and validation part; schedules as said there) instead of beginning anew.

    random_state : int, RandomState instance or None, default=None
        Source of the first weights, the order of rows, dropout's masks and the validation part,
        each with a stream of its own. An int gives the same fit each time.

    verbose : int, default=0
        0 is silent, 1 shows a progress bar (lines, where tqdm is not installed), 2 a line an
        epoch.

    device : str or torch.device, default='auto'
        Where to train: a torch device such as "cpu", "cuda" or "cuda:1". "auto" takes the GPU,
        where there is one, for steps of 2**23 multiply-adds or more. A step is one of all
        networks that train at once: the members of an ensemble, or the fits of a search.

    n_threads : int or None, default=None
        Threads on the CPU. None respects the environment and a worker's cap, and takes one for
        each two million multiply-adds of a step.

    dtype : {'auto', 'float32', 'float64', 'mixed_bfloat16'}, default='auto'
        Type to train in. "auto" is float64 for float64 input where a step has at most 2**19
        multiply-adds, so that arithmetic is not its cost, else float32. "mixed_bfloat16" keeps
        float32 numbers and multiplies in bfloat16, which is fast on hardware made for it.
        Predictions are computed in the type of their X, those of a regressor in float64 where
        float32 can't tell the targets of `fit` apart.

    Attributes
    ----------
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer; the first one's refer to standardised columns, or to what
        `numeric_embedding` makes of them. With ``n_members > 1`` these arrays, and those of the
        next five attributes, have a leading axis of members.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer; zeros where a norm behind it makes them redundant.
    norm_weights_, norm_statistics_ : list of dict of ndarray
        What the norm of each hidden layer has learnt and measured.
    extra_weights_ : dict of ndarray
        What else the network consists of, by name: learnt slopes, skip connections, the norm of
        the inputs, embeddings, an auxiliary output, a hidden part of the user's own, and what
        each of the members that share the network has for its own.
    embeddings_ : dict of ndarray or None
        Of these, what `numeric_embedding` has learnt and measured, and the vectors of
        categories' levels ("codes"); None where there are none.
    input_mean_, input_scale_ : ndarray of shape (n_features,) or None
        The standardisation of the inputs, in front of a norm of the inputs too; NaN for columns
        that are no numbers. None without.
    input_columns_ : dict
        What else becomes of the columns: medians that stand for gaps, which columns have an
        indicator of gaps, other scalings, and slots of levels.
    is_categorical_ : ndarray of bool, shape (n_features,), or None
        Columns of categories; None without any.
    is_parsed_ : ndarray of bool, shape (n_features,), or None
        Columns of numbers that came as text or as objects; None without any. In these a cell of
        text that does not read as a number is a gap later on, with a warning.
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
        One a member: "n_iter", "best_iter", "end_reason", "loss_curve",
        "validation_loss_curve", "validation_scores" and "history". The attributes below are the
        largest numbers of epochs, the end of the member that trained longest, and means of
        curves over the members that were still training.
    n_iter_ : int
        Epochs that the last call of `fit` or `partial_fit` did. `t_` and the curves are of all
        calls that went on from each other.
    t_ : int
        Rows that training has seen.
    best_iter_ : int
        The epoch, from 1, after which the monitored value was best.
    end_reason_ : str
        Why training ended: "max_iter", "patience" (what early stopping watches saw no
        improvement), "tol" (the training loss did not fall, or the gradient vanished), "target"
        or "baseline" (of :class:`~sklearn_dnn.components.EarlyStopping`), "time", "callback",
        "interrupted" or "diverged" (the loss was no longer finite, or rose from the first epoch
        on and never again came below it).
    loss_ : float
        Training loss of the last epoch, penalties included.
    best_loss_ : float or None
        Smallest training loss; None under early stopping.
    loss_curve_ : list of float
        Training loss of each epoch, penalties included.
    validation_loss_curve_ : list of float or None
        Loss on the validation part after each epoch, without penalties.
    validation_scores_ : list of float or None
        Coefficient of determination on the validation part after each epoch; the `monitor`'s
        score where one is given.
    best_validation_score_ : float or None
        The largest of them.
    lr_curve_ : list of float
        Learning rate of each epoch's last step.
    history_ : dict of list
        All of these by name, with the seconds of each epoch; ``pd.DataFrame(est.history_)``.
        Where gradients are clipped, "gradient_norm" is an epoch's mean l2 norm of the whole
        gradient before any clip, and "clipped" the share of its steps in which `clip_norm` or
        `clip_value` cut something; else both are None.
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

    def __init__(
        self,
        hidden_layer_sizes: Any = "auto",
        activation: Any = "auto",
        *,
        output_activation: str | Activation | Bounded = "identity",
        topology: str | Topology = "plain",
        initializer: Any = "auto",
        bias_initializer: float | str | Initializer = 0.0,
        norm: str | Norm | None = None,
        dropout: Any = "auto",
        input_dropout: float | Scheduled | None = 0.0,
        weight_noise: float = 0.0,
        augmentation: Any = None,
        loss: Any = "squared_error",
        output_weights: Any = None,
        curriculum: Any = None,
        optimizer: str | Optimizer = "auto",
        learning_rate_init: float | str = "auto",
        schedule: Any = "auto",
        batch_size: int | str | Accumulated = "auto",
        shuffle: bool = True,
        clip_norm: float | ClipNorm | None = None,
        clip_value: float | None = None,
        alpha: Any = 0.0001,
        l1: Any = 0.0,
        activity_l1: float = 0.0,
        weight_decay: float | Scheduled = 0.0,
        constraint: str | Constraint | None = None,
        ema_decay: float = 0.0,
        max_iter: int | str = "auto",
        early_stopping: bool | str | EarlyStopping = "auto",
        validation_fraction: Any = "auto",
        n_iter_no_change: float | str = "auto",
        tol: float = 0.0001,
        monitor: str | Callable[..., float] = "loss",
        max_time: float | None = None,
        categorical_features: Any = "from_dtype",
        input_scaling: str | Norm | None = "auto",
        numeric_embedding: str | NumericEmbedding | None = "auto",
        target_scaling: str | None = "standard",
        n_members: int | str = "auto",
        ensemble: str | Bagging = "independent",
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
        self.topology = topology
        self.initializer = initializer
        self.bias_initializer = bias_initializer
        self.norm = norm
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.weight_noise = weight_noise
        self.augmentation = augmentation
        self.loss = loss
        self.output_weights = output_weights
        self.curriculum = curriculum
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.clip_norm = clip_norm
        self.clip_value = clip_value
        self.alpha = alpha
        self.l1 = l1
        self.activity_l1 = activity_l1
        self.weight_decay = weight_decay
        self.constraint = constraint
        self.ema_decay = ema_decay
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.monitor = monitor
        self.max_time = max_time
        self.categorical_features = categorical_features
        self.input_scaling = input_scaling
        self.numeric_embedding = numeric_embedding
        self.target_scaling = target_scaling
        self.n_members = n_members
        self.ensemble = ensemble
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose
        self.device = device
        self.n_threads = n_threads
        self.dtype = dtype

    _parameters = parameters_of(__init__, LOSS_OF_REGRESSOR)
    _parameter_constraints = {name: p.constraint for name, p in _parameters.items()}

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
    ) -> Self:
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
        codec = self._codec(fitted)
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
        codec = self._codec(fitted)
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
        codec = self._codec(fitted)
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

    def _codec(self, fitted: Fitted) -> RegressionCodec:
        codec = fitted.codec
        assert isinstance(codec, RegressionCodec)
        return codec

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
