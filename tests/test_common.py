"""scikit-learn's common tests on many configurations, six of them by default."""

from __future__ import annotations

import pytest
from checks import with_every_check

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import (
    Accumulated,
    Bagging,
    ClipNorm,
    Dropout,
    EarlyStopping,
    Gaussian,
    Lookahead,
    Momentum,
    OneCycle,
    Plain,
    Prelu,
    Quantile,
    Residual,
    Scheduled,
)

# The checks' tables are too small to converge on, to split, or for a batch of 16.
pytestmark = [
    pytest.mark.plain,
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:No validation part was held out:UserWarning"),
    pytest.mark.filterwarnings("ignore:batch_size=16 is larger than the:UserWarning"),
    # a check sets an alpha of its own
    pytest.mark.filterwarnings("ignore:activation='selu' keeps mean 0:UserWarning"),
]

# Most checks do not depend on the parameter: these go through the branches of a fit, the others,
# which are slow, through each parameter.
# Rates are those that let an optimizer learn within the 200 epochs of the default.
FIRST = [
    {},
    # logarithms stay finite where a probability underflows to 0, which a check takes for an error:
    # the penalty keeps this optimizer, which trains to the end, from such sure networks
    {"optimizer": "lbfgs", "alpha": 1.0},
    {"n_members": 4, "ensemble": "shared", "batch_size": "full", "learning_rate_init": 0.01},
]
# These take longest: one on each of the two by default.
NORMED = [
    {
        "norm": "weight",
        "optimizer": Momentum(Scheduled(0.9, "momentum_cycle")),
        "learning_rate_init": 0.05,
        "schedule": "one_cycle",
        "weight_decay": Scheduled(0.01, "linear"),
        "bias_initializer": "prior",
    },
    {"n_members": 3, "norm": "batch", "optimizer": "momentum", "learning_rate_init": 0.02},
]
OTHERS = [
    {"optimizer": "sgd", "learning_rate_init": 0.1},
    {"optimizer": "momentum", "learning_rate_init": 0.01},
    {"optimizer": "nesterov", "learning_rate_init": 0.01},
    {"optimizer": "adagrad", "learning_rate_init": 0.05},
    {"optimizer": "rmsprop"},
    {"optimizer": "adamw"},
    {"optimizer": "nadam"},
    {"optimizer": "adamax"},
    {"norm": "layer"},
    {"schedule": "one_cycle", "learning_rate_init": 0.01},
    {"schedule": OneCycle(final_divisor=100.0), "learning_rate_init": 0.02, "max_iter": 60},
    {"hidden_layer_sizes": (20,) * 5, "activation": "silu", "l1": 1e-4},
    {"hidden_layer_sizes": (), "learning_rate_init": 0.05},
    {"hidden_layer_sizes": (30, 30), "activation": "selu", "clip_norm": 1.0},
    {"norm": "batch"},
    {"topology": "wide", "activation": "swiglu", "ema_decay": 0.9, "learning_rate_init": 0.01},
    {"dropout": Dropout(Scheduled(0.1, "linear"), shared=True), "schedule": "cosine"},
    {
        "early_stopping": EarlyStopping(patience=20, watch="training"),
        "batch_size": Accumulated("full", 2),
        "clip_norm": ClipNorm(1.0, "tensor"),
    },
    {"n_members": 4},
]
DETERMINISTIC = [*FIRST, *NORMED, *OTHERS]
# Dials that know nothing of the task, and losses, which know little else, on one of the two.
ONE_OF_TWO = [
    MLPClassifier(
        hidden_layer_sizes=(20, 20),
        topology=Residual(multiplier=True),
        activation=[Prelu(), "mish"],
        norm="rms",
    ),
    MLPClassifier(constraint="max_norm", optimizer=Lookahead("adam", k=3)),
    MLPRegressor(hidden_layer_sizes=(20, 20), topology=Plain(auxiliary_weight=0.3), norm="group"),
    MLPRegressor(input_scaling="batch_norm", activity_l1=1e-4, initializer="orthogonal"),
    MLPClassifier(input_scaling="robust"),
    MLPRegressor(input_scaling="quantile"),
    MLPRegressor(loss="huber"),
    MLPRegressor(loss=Quantile((0.25, 0.75))),
    MLPRegressor(loss=Gaussian()),
    MLPClassifier(loss="hinge"),
    MLPClassifier(loss="focal"),
]
# Weighting rows and repeating them are the same only where every row meets every step
# unchanged: not with random masks, batch statistics, batches, a held-out part or rounding.
FIRST_NOT_EXACT = [{"early_stopping": True}]
OTHERS_NOT_EXACT = [
    {"dropout": 0.1, "initializer": "lsuv"},
    {"batch_size": 16},
    {"dtype": "float32"},
    {"n_members": 4, "ensemble": Bagging()},
]
NOT_EXACT = [*FIRST_NOT_EXACT, *OTHERS_NOT_EXACT]
WEIGHT_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
}


REASON = "rows do not meet every step unchanged: masks, batches, a split, or rounding"


def _estimators(configurations):
    for parameters in configurations:
        for cls in (MLPClassifier, MLPRegressor):
            yield cls(**parameters)


def _weight_checks(_):
    return dict.fromkeys(WEIGHT_CHECKS, REASON)


@with_every_check([*_estimators(FIRST), MLPRegressor(**NORMED[0]), MLPClassifier(**NORMED[1])])
def test_every_check(estimator, check):
    check(estimator)


@with_every_check(_estimators(FIRST_NOT_EXACT), expected_failed_checks=_weight_checks)
def test_every_check_but_weights(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_every_check(
    [
        *_estimators(OTHERS),
        *ONE_OF_TWO,
        MLPClassifier(**NORMED[0]),
        MLPRegressor(**NORMED[1]),
    ]
)
def test_every_check_of_the_others(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_every_check(_estimators(OTHERS_NOT_EXACT), expected_failed_checks=_weight_checks)
def test_every_check_but_weights_of_the_others(estimator, check):
    check(estimator)
