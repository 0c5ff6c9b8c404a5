"""Named sets of parameters from books and lectures, and a space to search in.

A preset is a read-only mapping of estimator parameters, taken by both estimators::

    MLPClassifier(**DENSE, random_state=0)
    MLPRegressor(**{**DENSE, "max_iter": 50})

Recommendations are empirical and age: :data:`ABOUT` tells where each one is from, and when.
Early stopping is part of :data:`GERON_EARLY`, :data:`DENSE` and :data:`REGULARIZED`: a tenth of
the rows judges, however few there are. In the others but :data:`SKLEARN` it is "auto": on above
10,000 rows, with a validation set of one's own, and where the recipe for tables decides.
:data:`FAST` and :data:`BEST` change what the defaults do with raw tables.
Most values are names and numbers. To search a component's own numbers, put the component in the
name's place: ``MLPClassifier(**{**DENSE, "optimizer": Momentum()})``.

All of them pass scikit-learn's common tests, as classifiers and as regressors. Those that hold
rows out, or draw a mask of dropout for each row, are excepted from the two that ask a row of
weight 2 to be exactly the row twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from scipy.stats import loguniform, randint, uniform
from sklearn.base import clone

from .components import FTRL, Adam, Momentum, Rectangular
from .components.base import Component


class Preset(Mapping[str, Any]):
    """Parameters of an estimator, read only.

    A component is copied each time it is taken out, so that no two estimators share one.

    Parameters
    ----------
    parameters : mapping of str to object
    """

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = dict(parameters)

    def __getitem__(self, name: str) -> Any:
        value = self._parameters[name]
        return clone(value) if isinstance(value, Component) else value

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)

    def __repr__(self) -> str:
        return f"Preset({self._parameters!r})"


class About(NamedTuple):
    """Where a preset comes from.

    Parameters
    ----------
    source : str
    year : int
        Of the source: how old the recommendation is.
    use : str
        What it is for.
    note : str
        Where it differs from the source.
    """

    source: str
    year: int
    use: str
    note: str


GERON_EARLY: Preset = Preset(
    {
        "hidden_layer_sizes": (100, 100),
        "activation": "selu",
        "initializer": "lecun_normal",
        "norm": None,
        "dropout": 0.0,
        "optimizer": "nadam",
        "learning_rate_init": 0.001,
        "schedule": "performance",
        "alpha": 0.0,
        "early_stopping": True,
        "input_scaling": "standard",
    }
)
"""The earlier default recipe: SELU with LeCun's weights, Nadam, performance schedule."""

DENSE: Preset = Preset(
    {
        "hidden_layer_sizes": (100, 100),
        "activation": "elu",
        "initializer": "he_normal",
        "norm": "auto",
        "dropout": 0.0,
        "optimizer": "momentum",
        "learning_rate_init": 0.05,
        "schedule": "one_cycle",
        "max_iter": 100,
        "alpha": 0.0001,
        "early_stopping": True,
        "input_scaling": "standard",
    }
)
"""The default of the printed book: ELU with He's weights, batch norm if deep, one cycle, which it
comes to the end of; early stopping keeps the best weights."""

SELF_NORMALIZING: Preset = Preset(
    {
        "hidden_layer_sizes": (64,) * 4,
        "activation": "selu",
        "initializer": "lecun_normal",
        "norm": None,
        "dropout": 0.0,
        "optimizer": "momentum",
        "learning_rate_init": 0.01,
        "schedule": "one_cycle",
        "max_iter": 100,
        "alpha": 0.0,
        "early_stopping": "auto",
        "input_scaling": "standard",
    }
)
"""A deep plain stack that keeps its own scale: SELU, LeCun's weights, nothing in between."""

REGULARIZED: Preset = Preset(
    {
        "hidden_layer_sizes": (100, 100),
        "activation": "relu",
        "initializer": "he_normal",
        "norm": "batch",
        "dropout": 0.5,
        "optimizer": "adam",
        "learning_rate_init": 0.005,
        "schedule": "performance",
        "alpha": 0.001,
        "clip_norm": 1.0,
        "batch_size": 64,
        "early_stopping": True,
        "input_scaling": "standard",
    }
)
"""Everything against overfitting at once: batch norm, dropout, l2, clipping."""

LOW_LATENCY: Preset = Preset(
    {
        "hidden_layer_sizes": (32,),
        "activation": "relu",
        "initializer": "he_normal",
        "norm": None,
        "dropout": 0.0,
        "optimizer": "nadam",
        "learning_rate_init": 0.005,
        "schedule": "performance",
        "early_stopping": "auto",
        "input_scaling": "standard",
    }
)
"""Fast predictions: one narrow layer, a cheap activation, no norm."""

SPARSE: Preset = Preset(
    {
        "hidden_layer_sizes": (100,),
        "activation": "relu",
        "initializer": "he_normal",
        "norm": "batch",
        "dropout": 0.0,
        "optimizer": FTRL(l1=3.0),
        "learning_rate_init": 0.1,
        "schedule": "constant",
        "alpha": 0.0,
        "l1": 0.0,
        "early_stopping": "auto",
        "input_scaling": "standard",
    }
)
"""Weights that are exactly zero: FTRL with l1, and batch norm."""

RISK_SENSITIVE: Preset = Preset(
    {
        "hidden_layer_sizes": (100, 100),
        "activation": "relu",
        "initializer": "he_normal",
        "norm": None,
        "dropout": 0.1,
        "optimizer": "nadam",
        "learning_rate_init": 0.005,
        "schedule": "constant",
        "alpha": 0.0001,
        "early_stopping": "auto",
        "input_scaling": "standard",
    }
)
"""Trained with dropout, whose masks predictions draw again where they are given ``n_samples=100,
return_std=True``: a regressor's ``predict``, a classifier's ``predict_proba``."""

SKLEARN: Preset = Preset(
    {
        "hidden_layer_sizes": (100,),
        "activation": "relu",
        "initializer": "glorot_uniform",
        "bias_initializer": "glorot_uniform",
        "norm": None,
        "dropout": 0.0,
        "optimizer": "adam",
        "learning_rate_init": 0.001,
        "schedule": "constant",
        "batch_size": "auto",
        "max_iter": 200,
        "alpha": 0.0001,
        "l1": 0.0,
        "input_scaling": None,
        "early_stopping": False,
        "validation_fraction": 0.1,
        "n_iter_no_change": 10,
        "tol": 0.0001,
        "shuffle": True,
    }
)
"""The defaults of scikit-learn's networks. A regressor also needs ``target_scaling=None``."""

_BOOK_1 = "A. Geron, Hands-On Machine Learning, early release of the 2nd edition, chapter 11"
_BOOK_2 = "A. Geron, Hands-On Machine Learning, 2nd edition, chapter 11"

FAST: Preset = Preset(
    {
        "n_members": 1,
        "validation_fraction": 0.1,
        "max_iter": 30,
    }
)
"""One network by the recipe for tables, for 30 epochs."""

BEST: Preset = Preset({"n_members": 16, "max_iter": 100, "n_iter_no_change": 20})
"""Sixteen networks by the recipe for tables, for 100 epochs, where minutes are allowed."""

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "GERON_EARLY": GERON_EARLY,
        "DENSE": DENSE,
        "SELF_NORMALIZING": SELF_NORMALIZING,
        "REGULARIZED": REGULARIZED,
        "LOW_LATENCY": LOW_LATENCY,
        "SPARSE": SPARSE,
        "RISK_SENSITIVE": RISK_SENSITIVE,
        "SKLEARN": SKLEARN,
        "FAST": FAST,
        "BEST": BEST,
    }
)
"""All presets by name."""

_EXPERIMENT = "experiments on eight public tables, in the chapter on defaults"
_OURS = "sizes, rate and epochs are ours, where the source gives none"

ABOUT: Mapping[str, About] = MappingProxyType(
    {
        "GERON_EARLY": About(
            _BOOK_1,
            2019,
            "a first try; a deep stack without norms",
            "alpha is 0, since a penalty would break what SELU rests on; the performance schedule "
            f"follows the validation error; {_OURS}.",
        ),
        "DENSE": About(
            _BOOK_2,
            2019,
            "a first try; RMSProp or Nadam instead of momentum",
            f"norm='auto' is batch norm from four hidden layers on; {_OURS}.",
        ),
        "SELF_NORMALIZING": About(
            _BOOK_2,
            2019,
            "a deep stack of plain layers",
            "If it overfits: dropout=AlphaDropout(0.1), and no other regularisation (alpha is 0 "
            f"for that reason); {_OURS}.",
        ),
        "REGULARIZED": About(
            "I. Goodfellow, Y. Bengio and A. Courville, Deep Learning, chapters 7, 8 and 11, as "
            "taught with Keras in 2018",
            2016,
            "few rows for the size of the network",
            "The adaptive rate is the performance schedule, which follows the validation error; "
            f"{_OURS}.",
        ),
        "LOW_LATENCY": About(
            _BOOK_2,
            2019,
            "predictions that must be fast",
            "The source also names sparsity and fewer bits: FTRL as in SPARSE, and weights in "
            f"float32 with dtype='float32'; {_OURS}.",
        ),
        "SPARSE": About(
            _BOOK_1,
            2019,
            "a model with few weights",
            "The optional FTRL is taken, since its weights are exactly zero: two thirds of them "
            "on digits, half on diabetes. Raise optimizer__l1 for more; inspection.prune cuts "
            f"small ones afterwards; {_OURS}.",
        ),
        "RISK_SENSITIVE": About(
            _BOOK_2 + "; Y. Gal and Z. Ghahramani, Dropout as a Bayesian approximation",
            2016,
            "predictions whose uncertainty matters",
            "Dropout(0.1, shared=True) lets all rows of a random pass be predicted by one "
            f"network, for joint uncertainties; {_OURS}.",
        ),
        "SKLEARN": About(
            "scikit-learn 1.9, MLPClassifier and MLPRegressor",
            2026,
            "a comparison with scikit-learn's networks on equal terms",
            "Random numbers differ. Its regressor does not scale targets: add target_scaling=None "
            "there. Nothing scales columns, which a warning says where they need it.",
        ),
        "FAST": About(
            _EXPERIMENT,
            2026,
            "a raw table in a second",
            "One network, of 30 epochs, holds out a tenth of the rows; the rest is the recipe's.",
        ),
        "BEST": About(
            _EXPERIMENT,
            2026,
            "a raw table, where minutes are allowed",
            "Three times the time of the defaults; it gains on some tables only.",
        ),
    }
)
"""Source, year and use of every preset, by the names of :data:`PRESETS`."""

_RATE = {"momentum": (1e-4, 1e-1), "adam": (1e-5, 1e-1)}


def param_distributions(size: str = "small", *, kind: str | None = None) -> list[dict[str, Any]]:
    """What to search, for ``RandomizedSearchCV``.

    Parameters
    ----------
    size : {"small", "large"}, default="small"
        "small" varies depth, width, learning rate, batch size and penalty, and momentum where
        there is one; "large" also activation, norm, dropout, decay, l1, initializer, schedule
        and clipping.
    kind : {"classifier", "regressor"} or None, default=None
        Adds what only one of the estimators has, to "large": label smoothing and class weights,
        or the loss. None leaves it out.

    Returns
    -------
    list of dict
        Two spaces, one an optimizer (momentum, Adam), as a momentum has no meaning for the
        other. A search draws one of them for each candidate.

    Notes
    -----
    Learning rate, batch size, momentum (0.8 to 0.99) and weight decay hang together and are
    searched together (Smith). Rates and penalties are drawn evenly in their logarithm. If only
    one number is tuned, let it be the rate. Momentum comes with ``clip_norm=1.0``, so that high
    rates do not end in numbers that are not finite.

    References
    ----------
    J. Bergstra and Y. Bengio, "Random search for hyper-parameter optimization", JMLR 13, 2012.
    L. N. Smith, "A disciplined approach to neural network hyper-parameters", 2018.

    Examples
    --------
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from sklearn_dnn import MLPClassifier
    >>> from sklearn_dnn.presets import param_distributions
    >>> search = RandomizedSearchCV(MLPClassifier(), param_distributions(), n_iter=20)
    """
    if size not in {"small", "large"}:
        raise ValueError(f"size must be 'small' or 'large'. Got {size!r} instead.")
    if kind not in {"classifier", "regressor", None}:
        raise ValueError(f"kind must be 'classifier', 'regressor' or None. Got {kind!r} instead.")
    shared: dict[str, Any] = {
        "hidden_layer_sizes": [Rectangular()],
        "hidden_layer_sizes__depth": randint(1, 4 if size == "small" else 7),
        "hidden_layer_sizes__width": [16, 32, 64, 128, 256],
        "batch_size": [32, 64, 128, "auto"],
        "alpha": loguniform(1e-6, 1e0),
    }
    if size == "large":
        shared |= {
            "activation": ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"],
            "initializer": ["auto", "glorot_normal", "he_normal", "lecun_normal", "orthogonal"],
            "norm": [None, "batch", "layer"],
            "dropout": uniform(0.0, 0.5),
            "l1": loguniform(1e-8, 1e-2),
            "weight_decay": loguniform(1e-6, 1e-1),
            "schedule": ["constant", "performance", "cosine", "one_cycle"],
        }
        shared |= {
            "classifier": {
                "label_smoothing": uniform(0.0, 0.2),
                "class_weight": [None, "balanced"],
            },
            "regressor": {"loss": ["squared_error", "absolute_error", "huber"]},
            None: {},
        }[kind]
    spaces = []
    for name, component in (("momentum", Momentum()), ("adam", Adam())):
        space = {"optimizer": [component], "learning_rate_init": loguniform(*_RATE[name])} | shared
        if name == "momentum":
            space |= {"optimizer__momentum": uniform(0.8, 0.19), "clip_norm": [1.0]}
        elif size == "large":
            space |= {"clip_norm": [None, 1.0]}
        spaces.append(space)
    return spaces
