"""The table of hyperparameters: constraint, default and text, declared once."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.metrics import get_scorer_names

from .._compat import HasMethods, Interval, Options, StrOptions
from ..components.activations import ACTIVATIONS, Activation
from ..components.architectures import Architecture
from ..components.dropouts import DROPOUTS, DropoutRule
from ..components.initializers import INITIALIZERS, Initializer
from ..components.losses import LOSSES, Loss
from ..components.norms import NORMS, Norm
from ..components.optimizers import OPTIMIZERS, Optimizer
from ..components.schedules import SCHEDULES, Schedule


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter of the estimators.

    Attributes
    ----------
    constraint : list
        What is allowed, as scikit-learn's constraints.
    default : object
    kind : str
        Type and default, as the docstring says them.
    text : str
        The rest of the docstring's entry.
    """

    constraint: list[Any]
    default: Any
    kind: str
    text: str


def _names(registry: Any) -> str:
    return "{" + ", ".join(repr(name) for name in registry) + "}"


_NON_NEGATIVE = [Interval(Real, 0, None, closed="left")]


def _losses(kind: str) -> list[Any]:
    return [StrOptions({name for name in LOSSES if kind in LOSSES[name].kinds}), Loss]


_POSITIVE_OR_NONE = [Interval(Real, 0, None, closed="neither"), None]

PARAMETERS: dict[str, Parameter] = {
    "hidden_layer_sizes": Parameter(
        ["array-like", Interval(Integral, 1, None, closed="left"), Architecture],
        (100,),
        "int, tuple of int or Rectangular, default=(100,)",
        """Units of each hidden layer. ``()`` is the linear model; an int is one layer;
        ``Rectangular(depth, width)`` lets a search vary depth and width apart.""",
    ),
    "activation": Parameter(
        [StrOptions(set(ACTIVATIONS)), Activation],
        "relu",
        f"{_names(ACTIVATIONS)} or component, default='relu'",
        "Function of the hidden layers.",
    ),
    "initializer": Parameter(
        [StrOptions({"auto", *INITIALIZERS}), Initializer],
        "auto",
        f"'auto', {_names(INITIALIZERS)} or component, default='auto'",
        """How weights start; biases start at zero. "auto" takes what suits the activation (He
        for the relu family, LeCun for selu, Glorot else) and Glorot for the output layer.""",
    ),
    "norm": Parameter(
        [StrOptions(set(NORMS)), Norm, None],
        None,
        f"{_names(NORMS)}, component or None, default=None",
        "Normalisation of each hidden layer, between the dense part and the activation.",
    ),
    "dropout": Parameter(
        [Interval(Real, 0, 1, closed="left"), StrOptions(set(DROPOUTS)), DropoutRule],
        0.0,
        f"float, {_names(DROPOUTS)} or component, default=0.0",
        """Share of each hidden layer's units that a training step drops, after the activation;
        ``AlphaDropout(rate)`` keeps mean and variance, for selu. A name takes its component's
        rate.""",
    ),
    "optimizer": Parameter(
        [StrOptions(set(OPTIMIZERS)), Optimizer],
        "adam",
        f"{_names(OPTIMIZERS)} or component, default='adam'",
        """The update rule. Its own numbers are parameters of the component:
        ``optimizer=SGD(momentum=0.9)`` has the nested parameter ``optimizer__momentum``.
        "lbfgs" takes all rows at once and finds its own step length.""",
    ),
    "learning_rate_init": Parameter(
        [Interval(Real, 0, None, closed="neither")],
        0.001,
        "float, default=0.001",
        "Learning rate, which the schedule multiplies.",
    ),
    "schedule": Parameter(
        [StrOptions(set(SCHEDULES)), Schedule],
        "constant",
        f"{_names(SCHEDULES)} or component, default='constant'",
        """How the learning rate changes with time; times are in epochs. A schedule with a
        horizon ends at `max_iter` unless its component states another. With `warm_start` such
        a schedule begins anew in each call of `fit`; over calls of `partial_fit` it runs
        once, and stays at its end.""",
    ),
    "batch_size": Parameter(
        [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "auto",
        "int or 'auto', default='auto'",
        'Rows of a step. "auto" is ``min(200, n_samples)``.',
    ),
    "max_iter": Parameter(
        [Interval(Integral, 1, None, closed="left")],
        200,
        "int, default=200",
        "Epochs at most in one call of `fit`.",
    ),
    "clip_norm": Parameter(
        _POSITIVE_OR_NONE,
        None,
        "float or None, default=None",
        """Largest l2 norm of the gradient over all parameters; a longer one is scaled down.
        Applied after `clip_value`.""",
    ),
    "clip_value": Parameter(
        _POSITIVE_OR_NONE,
        None,
        "float or None, default=None",
        "Largest absolute value of each element of the gradient.",
    ),
    "alpha": Parameter(
        _NON_NEGATIVE,
        0.0001,
        "float, default=0.0001",
        """Strength of the l2 penalty, by scikit-learn's formula: a batch's mean loss is
        increased by ``alpha / 2 * sum(W ** 2) / n``, where n is the batch's sum of sample
        weights. Biases are not penalised.""",
    ),
    "l1": Parameter(
        _NON_NEGATIVE,
        0.0,
        "float, default=0.0",
        "Strength of the l1 penalty, ``l1 * sum(abs(W)) / n``, with the n of `alpha`.",
    ),
    "weight_decay": Parameter(
        _NON_NEGATIVE,
        0.0,
        "float, default=0.0",
        """Decoupled decay: each step first multiplies the weights by
        ``1 - rate * weight_decay`` (Loshchilov & Hutter, 2019). 0 leaves the optimizer's own:
        "adamw" has 0.01; ``AdamW(weight_decay=0.0)`` has none.""",
    ),
    "input_scaling": Parameter(
        [StrOptions({"standard"}), None],
        "standard",
        "'standard' or None, default='standard'",
        """"standard" brings the columns of the training rows to mean 0 and standard deviation
        1 inside the estimator; `coefs_` then refer to the standardised columns.""",
    ),
    "target_scaling": Parameter(
        [StrOptions({"standard"}), None],
        "standard",
        "'standard' or None, default='standard'",
        """"standard" trains on targets of mean 0 and standard deviation 1, and predicts in the
        original units; losses are in the scaled ones. Losses with another link than the
        identity ("poisson") take the targets as they are.""",
    ),
    "class_weight": Parameter(
        [dict, StrOptions({"balanced"}), None],
        None,
        "dict, 'balanced' or None, default=None",
        """Weight of each class, multiplied with `sample_weight`. "balanced" is inversely
        proportional to the classes' weights among the rows that train.""",
    ),
    "label_smoothing": Parameter(
        [Interval(Real, 0, 1, closed="left")],
        0.0,
        "float, default=0.0",
        """Share of each target that is spread evenly over the K classes: the right one gets
        ``1 - label_smoothing + label_smoothing / K`` (Szegedy et al., 2016).""",
    ),
    "early_stopping": Parameter(
        ["boolean", StrOptions({"auto"})],
        "auto",
        "bool or 'auto', default='auto'",
        """Whether a validation part decides when to stop and which weights are kept: always
        the best ones seen. "auto" is on above 10,000 rows or when `X_val` is given. Without
        it, training ends when the training loss no longer falls, with the last weights.""",
    ),
    "validation_fraction": Parameter(
        [Interval(Real, 0, 1, closed="neither"), HasMethods(["split", "get_n_splits"])],
        0.1,
        "float or splitter, default=0.1",
        """The rows that early stopping holds out where `X_val` is not given: a share of them,
        stratified by class (the last ones with ``shuffle=False``), or the first split of a
        scikit-learn splitter, which gets `groups`; rows in neither of its parts are not used.""",
    ),
    "n_iter_no_change": Parameter(
        [Interval(Integral, 1, None, closed="left"), Options(Real, {np.inf})],
        10,
        "int, default=10",
        """Training ends when more than this many epochs in a row did not improve the monitored
        value by `tol`.""",
    ),
    "tol": Parameter(
        [Interval(Real, 0, None, closed="left")],
        0.0001,
        "float, default=0.0001",
        """Smallest improvement that counts, in units of the monitored value. For "lbfgs" also
        the largest element of a gradient that is taken for zero.""",
    ),
    "monitor": Parameter(
        [StrOptions({"loss", *get_scorer_names()}), callable],
        "loss",
        "str or callable, default='loss'",
        """What early stopping watches on the validation part: the loss, or a scorer's name or
        a callable ``scorer(estimator, X, y)``, higher being better.""",
    ),
    "max_time": Parameter(
        _POSITIVE_OR_NONE,
        None,
        "float or None, default=None",
        "Seconds after which training ends, at the next step.",
    ),
    "shuffle": Parameter(
        ["boolean"], True, "bool, default=True", "Whether each epoch has a new order of rows."
    ),
    "warm_start": Parameter(
        ["boolean"],
        False,
        "bool, default=False",
        """Whether `fit` goes on from where the last call ended (weights, optimizer, streams of
        chance, scaling and validation part) instead of beginning anew.""",
    ),
    "random_state": Parameter(
        ["random_state"],
        None,
        "int, RandomState instance or None, default=None",
        """Source of the first weights, the order of rows, dropout's masks and the validation
        part, each with a stream of its own. An int gives the same fit each time.""",
    ),
    "verbose": Parameter(
        ["verbose"],
        0,
        "int, default=0",
        """0 is silent, 1 shows a progress bar (lines, where tqdm is not installed), 2 a line an
        epoch.""",
    ),
    "device": Parameter(
        [str],
        "auto",
        "str, default='auto'",
        """Where to train: a torch device such as "cpu", "cuda" or "cuda:1". "auto" takes the
        GPU, where there is one, for steps of more than 2**23 multiply-adds.""",
    ),
    "n_threads": Parameter(
        [Interval(Integral, 1, None, closed="left"), None],
        None,
        "int or None, default=None",
        """Threads on the CPU. None respects the environment and a worker's cap, and takes one
        for each two million multiply-adds of a step.""",
    ),
    "dtype": Parameter(
        [StrOptions({"auto", "float32", "float64"})],
        "auto",
        "{'auto', 'float32', 'float64'}, default='auto'",
        """Type to train in. "auto" is float64 for float64 input where a step has at most 2**19
        multiply-adds, so that arithmetic is not its cost, else float32. Predictions are
        computed in the type of their X.""",
    ),
}

LOSS_OF_REGRESSOR = Parameter(
    _losses("regression"),
    "squared_error",
    "{'squared_error', 'absolute_error', 'huber', 'poisson'} or component, default='squared_error'",
    """What is minimised, summed over outputs. "poisson" has a log link and predicts positive
    numbers.""",
)
LOSS_OF_CLASSIFIER = Parameter(
    _losses("binary"),
    "log_loss",
    "{'log_loss'} or component, default='log_loss'",
    "What is minimised.",
)


def table(names: list[str], loss: Parameter) -> dict[str, Parameter]:
    """The parameters of one estimator, in the order of `names`."""
    return {name: loss if name == "loss" else PARAMETERS[name] for name in names}


def parameters_text(parameters: dict[str, Parameter]) -> str:
    """The docstring's section of parameters, in numpydoc's form."""
    lines = ["Parameters", "----------"]
    for name, parameter in parameters.items():
        text = textwrap.fill(" ".join(parameter.text.split()), 91)
        lines += [f"{name} : {parameter.kind}", textwrap.indent(text, "    "), ""]
    return "\n".join(lines).rstrip()
