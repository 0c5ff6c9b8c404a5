"""The table of hyperparameters: constraint, default and text, declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from sklearn.metrics import get_scorer_names

from .._compat import HasMethods, Interval, Options, StrOptions
from .._core.data.columns import SCALINGS
from ..components.activations import ACTIVATIONS, Activation, Bounded
from ..components.architectures import HiddenModule, LayerSizes
from ..components.augmentations import AUGMENTATIONS, Augmentation
from ..components.base import Scheduled
from ..components.batches import Accumulated
from ..components.clipping import ClipNorm
from ..components.constraints import CONSTRAINTS, Constraint
from ..components.curricula import CURRICULA, Curriculum
from ..components.dropouts import DROPOUTS, DropoutRule
from ..components.embeddings import EMBEDDINGS, NumericEmbedding
from ..components.ensembles import Bagging
from ..components.initializers import INITIALIZERS, Initializer
from ..components.losses import LOSSES, Loss
from ..components.norms import NORMS, Norm
from ..components.optimizers import OPTIMIZERS, Optimizer
from ..components.schedules import SCHEDULES, Schedule
from ..components.stopping import EarlyStopping
from ..components.topologies import TOPOLOGIES, Topology


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter of the estimators.

    Attributes
    ----------
    constraint : list
        What is allowed, as scikit-learn's constraints.
    kind : str
        Type, as the docstring says it; the default is the signature's.
    text : str
        The rest of the docstring's entry.
    """

    constraint: list[Any]
    kind: str
    text: str


def _names(registry: Any) -> str:
    return "{" + ", ".join(repr(name) for name in registry) + "}"


# More threads than any machine has cores.
MOST_THREADS = 2**16
_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]


def _losses(kind: str) -> list[Any]:
    return [StrOptions({name for name in LOSSES if kind in LOSSES[name].kinds}), Loss, callable]


def _loss_names(kind: str) -> str:
    return "{" + ", ".join(repr(name) for name in LOSSES if kind in LOSSES[name].kinds) + "}"


_POSITIVE_OR_NONE = [Interval(Real, 0, None, closed="neither"), None]

LOSS_OF_REGRESSOR = Parameter(
    _losses("regression"),
    f"{_loss_names('regression')}, component or callable",
    """What is minimised, summed over outputs. A function ``f(raw, target)`` of tensors that
    gives the loss of each row, or a loss class of ``torch.nn``, is taken too.""",
)
LOSS_OF_CLASSIFIER = Parameter(
    _losses("binary"),
    f"{_loss_names('binary')}, component or callable",
    """What is minimised. A function ``f(raw, target)`` of tensors that gives the loss of each
    row, or a loss class of ``torch.nn``, is taken too.""",
)

_NETWORK = {
    "hidden_layer_sizes": Parameter(
        [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
            LayerSizes,
            HiddenModule,
        ],
        "'auto', int, tuple of int, Rectangular or HiddenModule",
        """Units of each hidden layer. ``()`` is the linear model; an int is one layer;
        ``Rectangular(depth, width)`` lets a search vary depth and width apart;
        ``HiddenModule(cls, ...)`` puts a ``torch.nn.Module`` of your own in their place. "auto"
        lets the recipe for tables (:ref:`defaults`) choose the network, and all else that is at
        "auto". Where layers are named, on fewer than 100 rows, on a sparse table, and with
        `warm_start` or `partial_fit`, "auto" stands for the plain values, here ``(100,)``.""",
    ),
    "activation": Parameter(
        [StrOptions({"auto", *ACTIVATIONS}), Activation, list, tuple, callable],
        f"'auto', {_names(ACTIVATIONS)}, component, or a sequence of these",
        """Function of the hidden layers: one for all, or one a layer. A function of tensors or
        a class of ``torch.nn`` is taken too. "auto" is "relu", or the recipe's.""",
    ),
    "output_activation": Parameter(
        [StrOptions(set(ACTIVATIONS)), Activation, Bounded],
        "name of an activation, component or Bounded",
        """Link of the output. "relu", "softplus" and "exponential" predict numbers that are not
        negative, "logistic" numbers from 0 to 1, ``Bounded("logistic", low, high)`` numbers within
        other bounds, in the units of y. Targets outside are refused. "identity" leaves the link to
        the loss.""",
    ),
    "topology": Parameter(
        [StrOptions(set(TOPOLOGIES)), Topology],
        f"{_names(TOPOLOGIES)} or component",
        """How layers are joined: each reads the one before it, blocks of layers are bridged, or
        the inputs join the last hidden layer. The component may add an auxiliary output.""",
    ),
    "initializer": Parameter(
        [StrOptions({"auto", *INITIALIZERS}), Initializer, list, tuple],
        f"'auto', {_names(INITIALIZERS)}, component, or a sequence of these",
        """How weights start: one for all layers, or one a layer, the output's the last. "auto"
        takes what suits the activation (He for the relu family, LeCun for selu, Glorot else)
        and Glorot for the output layer.""",
    ),
    "bias_initializer": Parameter(
        [
            Interval(Real, None, None, closed="neither"),
            StrOptions({"prior", *INITIALIZERS}),
            Initializer,
        ],
        "float, 'prior', name of an initializer or component",
        """How biases start. "prior" starts the output's at the best constant prediction (the
        mean of the targets, the log-odds of the classes, ...), the others at zero.""",
    ),
    "norm": Parameter(
        [StrOptions({"auto", *NORMS}), Norm, None],
        f"{_names(NORMS)}, 'auto', component or None",
        """Normalisation of each hidden layer, in front of the activation unless the component
        says ``position="after"``. "auto" is "batch" from four hidden layers on, where no "selu"
        normalises by itself.""",
    ),
}
_NOISE = {
    "dropout": Parameter(
        [
            Interval(Real, 0, 1, closed="left"),
            StrOptions({"auto", *DROPOUTS}),
            Scheduled,
            DropoutRule,
            list,
            tuple,
            None,
        ],
        f"'auto', float, Scheduled, {_names(DROPOUTS)}, component, None, or a sequence of these",
        """Share of each hidden layer's units that a training step drops, after the activation:
        one for all layers, or one a layer; None for none. ``AlphaDropout(rate)`` keeps mean and
        variance, for selu; ``DropConnect(rate)`` drops weights. A name takes its component's rate.
        ``Scheduled(0.2, "linear")`` lets a rate change with time. "auto" is none, or the
        recipe's.""",
    ),
    "input_dropout": Parameter(
        [Interval(Real, 0, 1, closed="left"), Scheduled, None],
        "float, Scheduled or None",
        "Share of the inputs that a training step drops; None for none.",
    ),
    "weight_noise": Parameter(
        _NON_NEGATIVE,
        "float",
        """Standard deviation of normal noise on the weights, fresh for each training step
        (Graves, 2011).""",
    ),
    "augmentation": Parameter(
        [StrOptions(set(AUGMENTATIONS)), Augmentation, callable, list, tuple, None],
        f"{_names(AUGMENTATIONS)}, component, callable, a sequence of these, or None",
        """What happens to each batch before it is learnt from: noise on inputs or targets,
        mixed rows, adversarial rows, or a function of your own; a sequence is applied in
        order.""",
    ),
    "label_smoothing": Parameter(
        [Interval(Real, 0, 1, closed="left")],
        "float",
        """Share of each target that is spread evenly over the K classes: the right one gets
        ``1 - label_smoothing + label_smoothing / K`` (Szegedy et al., 2016).""",
    ),
}
_LEARNING = {
    "loss": LOSS_OF_REGRESSOR,
    "output_weights": Parameter(
        ["array-like", None],
        "array-like of shape (n_outputs,) or None",
        "What the loss of each target counts; None for 1 each.",
    ),
    "class_weight": Parameter(
        [dict, StrOptions({"balanced"}), None],
        "dict, 'balanced' or None",
        """Weight of each class, multiplied with `sample_weight`. "balanced" is inversely
        proportional to the classes' weights among the rows that train.""",
    ),
    "curriculum": Parameter(
        [StrOptions(set(CURRICULA)), Curriculum, callable, None],
        f"{_names(CURRICULA)}, component, callable or None",
        """Which rows an epoch draws while training is young, by the `difficulty` given to
        `fit`: easy ones first, and ever more of the others.""",
    ),
    "optimizer": Parameter(
        [StrOptions({"auto", *OPTIMIZERS}), Optimizer],
        f"'auto', {_names(OPTIMIZERS)} or component",
        """The update rule. Its own numbers are parameters of the component:
        ``optimizer=SGD(momentum=0.9)`` has the nested parameter ``optimizer__momentum``.
        ``SGD(momentum=Scheduled(0.95, "momentum_cycle"))`` lets the momentum (of Adam `beta_1`)
        change with time. "lbfgs" takes all rows at once and finds its own step length. "auto" is
        "adam", or the
        recipe's.""",
    ),
    "learning_rate_init": Parameter(
        [Interval(Real, 0, None, closed="neither"), StrOptions({"auto", "range_test"})],
        "float, 'auto' or 'range_test'",
        """Learning rate, which the schedule multiplies. "auto" is the optimizer's own (0.001 for
        "adam"), or the recipe's;
        "range_test" tries rates on the training rows first and takes a tenth of the one with
        the lowest loss.""",
    ),
    "schedule": Parameter(
        [StrOptions({"auto", *SCHEDULES}), Schedule, callable],
        f"'auto', {_names(SCHEDULES)}, component or callable",
        """How the learning rate changes with time; times are in epochs. "auto" is "constant", or
        the recipe's. A schedule with a
        horizon ends at `max_iter` unless its component states another. With `warm_start` such
        a schedule begins anew in each call of `fit`, and one without goes on: "performance" keeps
        its cuts. Over calls of `partial_fit` a horizon runs once, and stays at its end. A
        callable is ``f(t, horizon)``. "momentum_cycle" is meant for a momentum:
        ``SGD(momentum=Scheduled(0.95, "momentum_cycle"))``.""",
    ),
    "batch_size": Parameter(
        [StrOptions({"auto", "full"}), Interval(Integral, 1, None, closed="left"), Accumulated],
        "int, 'auto', 'full' or Accumulated",
        """Rows of a step. "auto" is 200, or all rows that train if they are fewer, or the
        recipe's, about a sixteenth of them; "full" takes all rows at once.
        ``Accumulated(size, steps)`` makes
        one step of the mean gradient of several batches.""",
    ),
    "shuffle": Parameter(["boolean"], "bool", "Whether each epoch has a new order of rows."),
    "clip_norm": Parameter(
        [*_POSITIVE_OR_NONE, ClipNorm],
        "float, ClipNorm or None",
        """Largest l2 norm of the gradient; a longer one is scaled down. A number bounds the whole
        gradient, whose direction is kept; ``ClipNorm(max_norm, scope="tensor")`` each weight
        matrix and vector by itself. Applied after `clip_value`.""",
    ),
    "clip_value": Parameter(
        _POSITIVE_OR_NONE,
        "float or None",
        "Largest absolute value of each element of the gradient. Applied before `clip_norm`.",
    ),
    "alpha": Parameter(
        [*_NON_NEGATIVE, list, tuple],
        "float or sequence of float",
        """Strength of the l2 penalty, by scikit-learn's formula: a batch's mean loss is
        increased by ``alpha / 2 * sum(W ** 2) / n``, where n is the batch's sum of sample
        weights. Biases are not penalised. A sequence has one a layer, the output's the last.""",
    ),
    "l1": Parameter(
        [*_NON_NEGATIVE, list, tuple],
        "float or sequence of float",
        """Strength of the l1 penalty, ``l1 * sum(abs(W)) / n``, with the n of `alpha`. Weights
        become exactly zero (orthant-wise steps, Andrew & Gao, 2007).""",
    ),
    "activity_l1": Parameter(
        _NON_NEGATIVE,
        "float",
        """Strength of a penalty on what hidden units put out: the mean over rows of
        ``sum(abs(a))``.""",
    ),
    "weight_decay": Parameter(
        [*_NON_NEGATIVE, Scheduled],
        "float or Scheduled",
        """Decoupled decay: each step first multiplies the weights by
        ``1 - rate * weight_decay`` (Loshchilov & Hutter, 2019). 0 leaves the optimizer's own:
        "adamw" has 0.01; ``AdamW(weight_decay=0.0)`` has none; above 0 it stands in the place of
        that of "adamw" and of the recipe's, and contradicts that of a component.
        ``Scheduled(0.01, "cosine")`` changes it with time, beside the rate, which multiplies it
        anyway; ``AdamW(weight_decay=Scheduled(...))`` the optimizer's own.""",
    ),
    "constraint": Parameter(
        [StrOptions(set(CONSTRAINTS)), Constraint, None],
        f"{_names(CONSTRAINTS)}, component or None",
        """What each layer's weights, and those of skip connections between layers of unlike
        width, are brought back to after every step. Not with ``norm="weight"``.""",
    ),
    "ema_decay": Parameter(
        [Interval(Real, 0, 1, closed="left")],
        "float",
        """Memory of an exponential moving average of all trained numbers, a step; above 0 the
        average judges and predicts. The first n steps remember at most ``(1 + n) / (10 + n)``
        (Polyak & Juditsky, 1992; 0.999 is usual).""",
    ),
}
_STOPPING = {
    "max_iter": Parameter(
        [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "int or 'auto'",
        """Epochs at most in one call of `fit`. "auto" is 200, or the recipe's.""",
    ),
    "early_stopping": Parameter(
        ["boolean", StrOptions({"auto"}), EarlyStopping],
        "bool, 'auto' or EarlyStopping",
        """Whether a validation part decides when to stop and which weights are kept: always
        the best ones seen. "auto" is on above 10,000 rows, when `X_val` is given, and in the recipe
        for tables. Without
        it, training ends when the training loss no longer falls, with the last weights.
        ``EarlyStopping(...)`` has rules of its own, in place of `n_iter_no_change` and `tol`.""",
    ),
    "validation_fraction": Parameter(
        [
            Interval(Real, 0, 1, closed="neither"),
            StrOptions({"auto", "folds"}),
            HasMethods(["split", "get_n_splits"]),
        ],
        "'auto', float, 'folds' or splitter",
        """The rows that early stopping holds out where `X_val` is not given: a share of them,
        stratified by class (the last ones with ``shuffle=False``), or the first split of a
        scikit-learn splitter, which gets `groups`; rows in neither of its parts are not used. The
        only row of a class always trains.
        "folds" lets each of `n_members` independent members hold out another ``1 / n_members`` of
        the rows, so that together they learn from all; early stopping is then on unless it is
        False. "auto" is 0.1, or the recipe's.""",
    ),
    "n_iter_no_change": Parameter(
        [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
            StrOptions({"auto"}),
        ],
        "int, inf or 'auto'",
        """Training ends when more than this many epochs in a row did not improve the monitored
        value by `tol`. "auto" is 10, or the recipe's, but ends nothing before a schedule has come
        to its end; a number is obeyed.""",
    ),
    "tol": Parameter(
        [Interval(Real, 0, None, closed="left")],
        "float",
        """Smallest improvement that counts, in units of the monitored value. For "lbfgs" also
        the largest element of a gradient that is taken for zero.""",
    ),
    "monitor": Parameter(
        [
            StrOptions(
                {"loss", *get_scorer_names()},
                said="'loss', the name of a scorer such as 'accuracy' or 'r2' "
                "(sklearn.metrics.get_scorer_names() has all)",
            ),
            callable,
        ],
        "str or callable",
        """What early stopping watches on the validation part: the loss, or a scorer's name or
        a callable ``scorer(estimator, X, y)``, higher being better.""",
    ),
    "max_time": Parameter(
        _POSITIVE_OR_NONE,
        "float or None",
        """Seconds after which training ends, at the next step, wherever a schedule then is.""",
    ),
}
_TABLE = {
    "categorical_features": Parameter(
        ["array-like", StrOptions({"from_dtype"}), None],
        "'from_dtype', array-like of bool, int or str, or None",
        """Which columns hold categories instead of numbers: a mask, positions or names.
        "from_dtype" takes the columns of a data frame that are of a type for categories, and those
        of text, unless all their cells that train read as finite numbers of which one at least
        has a fraction: then they are numbers. Text that may be something else (whole numbers,
        numbers with marks or beside a few other cells, dates) is told by a warning; it is silent
        where the column is named here, or of a type for categories. Columns of arrays are
        numbers: text of names is refused there, other text as in a data frame. None takes all for
        numbers. With `warm_start` and `partial_fit` the first call decides.""",
    ),
    "input_scaling": Parameter(
        [StrOptions({"auto", "batch_norm", *SCALINGS}), Norm, None],
        "'auto', 'standard', 'robust', 'quantile', 'quantile_robust', 'batch_norm', norm component "
        "or None",
        """"standard" brings the columns of numbers to mean 0 and standard deviation 1, by the
        training rows; `coefs_` then refer to the standardised columns. "robust" takes median and
        inter-quartile range instead, and draws what is far out smoothly to within 3
        (Holzmueller et al., 2024). "quantile" gives each number the normal one of its rank,
        and "quantile_robust" the robust one beside it, which no embedding touches.
        "batch_norm" puts a norm that is trained with the network behind "standard". A norm of
        rows, such as ``LayerNorm()``, gets columns divided by one common number.
        "auto" is "standard", or the recipe's.""",
    ),
    "numeric_embedding": Parameter(
        [StrOptions({"auto", *EMBEDDINGS}), NumericEmbedding, None],
        f"'auto', {_names(EMBEDDINGS)}, component or None",
        """What stands in the place of each column of numbers in front of the first layer, behind
        `input_scaling`: "periodic" has waves of trained frequencies, "piecewise_linear" how far
        the number has come through bins of the training rows. Neither penalties nor decay act on
        it. "auto" is None, or the recipe's.""",
    ),
    "target_scaling": Parameter(
        [StrOptions({"standard"}), None],
        "'standard' or None",
        """"standard" trains on targets of mean 0 and standard deviation 1, and predicts in the
        original units; losses are in the scaled ones. Losses with another link than the
        identity ("poisson") take the targets as they are.""",
    ),
}
_ENSEMBLE = {
    "n_members": Parameter(
        [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "int or 'auto'",
        """Networks that are trained side by side and predict together: an ensemble. Members
        differ by first weights and order of rows; the first one is the network that
        ``n_members=1`` gives. Probabilities and predictions are means over members. "auto" is 1, or
        the recipe's.""",
    ),
    "ensemble": Parameter(
        [StrOptions({"independent", "shared"}), Bagging],
        "{'independent', 'shared'} or Bagging",
        """What the members of an ensemble have in common. "independent" ones have nothing; each
        stops, and keeps its best weights, by itself; with ``Bagging(fraction, bootstrap)`` each
        also draws the rows that it learns from. "shared" ones are one network, in which
        each has a factor for each input, one for each unit that the output reads, and the
        output's biases (BatchEnsemble, Wen et al., 2020, in about the form of TabM-mini,
        Gorishniy et al., 2025); see :doc:`/members`. Each learns every row, `loss_` is the mean
        of theirs, and all stop together.""",
    ),
    "calibration": Parameter(
        [StrOptions({"auto", "temperature"}), None],
        "'auto', 'temperature' or None",
        """"temperature" divides raw outputs by one number, `temperature_`, that is fitted by the
        log loss of the rows that early stopping holds out (Guo et al., 2017), at 1 or more where
        fewer than ten of them are predicted wrong, and to the power 0.75 where each member
        held out others; the best epoch is then that of the lowest loss at any temperature. An
        ensemble's probabilities lie halfway between the mean of its members' and those of
        their mean raw output. "auto" is
        None, or the recipe's.""",
    ),
}
_MACHINE = {
    "warm_start": Parameter(
        ["boolean"],
        "bool",
        """Whether `fit` goes on from where the last call ended (weights, optimizer, streams of
        chance, scaling and validation part; schedules as said there) instead of beginning
        anew.""",
    ),
    "random_state": Parameter(
        ["random_state"],
        "int, RandomState instance or None",
        """Source of the first weights, the order of rows, dropout's masks and the validation
        part, each with a stream of its own. An int gives the same fit each time.""",
    ),
    "verbose": Parameter(
        ["verbose"],
        "int",
        """0 is silent, 1 shows a progress bar (lines, where tqdm is not installed), 2 a line an
        epoch.""",
    ),
    "device": Parameter(
        [str, torch.device],
        "str or torch.device",
        """Where to train: a torch device such as "cpu", "cuda" or "cuda:1". "auto" takes the
        GPU, where there is one, for steps of 2**23 multiply-adds or more. A step is one of all
        networks that train at once: the members of an ensemble, or the fits of a search.""",
    ),
    "n_threads": Parameter(
        [Interval(Integral, 1, MOST_THREADS, closed="both"), None],
        "int or None",
        """Threads on the CPU. None respects the environment and a worker's cap, and takes one
        for each two million multiply-adds of a step.""",
    ),
    "dtype": Parameter(
        [StrOptions({"auto", "float32", "float64", "mixed_bfloat16"})],
        "{'auto', 'float32', 'float64', 'mixed_bfloat16'}",
        """Type to train in. "auto" is float64 for float64 input where a step has at most 2**19
        multiply-adds, so that arithmetic is not its cost, else float32. "mixed_bfloat16" keeps
        float32 numbers and multiplies in bfloat16, which is fast on hardware made for it.
        Predictions are computed in the type of their X, those of a regressor in float64 where
        float32 can't tell the targets of `fit` apart.""",
    ),
}

# By what parameters act on, in the order of the estimators' signatures.
GROUPS: dict[str, dict[str, Parameter]] = {
    "network": _NETWORK,
    "noise": _NOISE,
    "learning": _LEARNING,
    "stopping": _STOPPING,
    "table": _TABLE,
    "ensemble": _ENSEMBLE,
    "machine": _MACHINE,
}

PARAMETERS = {name: each for group in GROUPS.values() for name, each in group.items()}


def parameters_of(init: Callable[..., None], loss: Parameter) -> dict[str, Parameter]:
    """The parameters of one estimator, in the order of its signature."""
    names = list(inspect.signature(init).parameters)[1:]
    return {name: loss if name == "loss" else PARAMETERS[name] for name in names}
