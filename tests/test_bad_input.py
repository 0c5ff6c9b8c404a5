"""What a user may get wrong, and whether the error says what, what is allowed and what to do."""

from __future__ import annotations

import itertools
import re
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from ids import without_addresses
from scipy import sparse
from sklearn.metrics import get_scorer, roc_auc_score
from sklearn.model_selection import GroupKFold, PredefinedSplit, cross_val_score

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.specification import hidden_sizes
from sklearn_dnn.components import (
    SGD,
    Adam,
    AdamW,
    BatchNorm,
    Cosine,
    Dropout,
    EarlyStopping,
    GroupNorm,
    HeNormal,
    HiddenModule,
    Hinge,
    Huber,
    InputNoise,
    LayerNorm,
    LinearCurriculum,
    LogLoss,
    Lookahead,
    MaxNorm,
    Mixup,
    MomentumCycle,
    OneCycle,
    Prelu,
    Quantile,
    Rectangular,
    Relu,
    Residual,
    Rrelu,
    Squareplus,
    TargetNoise,
    TorchOptimizer,
    Warmup,
    WeightNorm,
    Wide,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

_RNG = np.random.default_rng(0)
X = _RNG.normal(size=(40, 3))
NUMBERS = X @ [1.0, 2.0, 3.0]
LABELS = (X[:, 0] > 0).astype(int)
THREE = np.arange(40) % 3
TWO_LABELS = np.column_stack([LABELS, 1 - LABELS])
NAN, INF = np.nan, np.inf


def classifier(**parameters):
    return MLPClassifier(**{"hidden_layer_sizes": (5,), "max_iter": 2, **parameters})


def regressor(**parameters):
    return MLPRegressor(**{"hidden_layer_sizes": (5,), "max_iter": 2, **parameters})


def fit(model):
    return model.fit(X, NUMBERS if isinstance(model, MLPRegressor) else LABELS)


def with_one(array, value):
    out = np.array(array, dtype=float)
    out[3] = value
    return out


@contextmanager
def refused(*parts):
    """Within it a TypeError or ValueError is raised whose message has all parts, in any order."""
    with pytest.raises((TypeError, ValueError)) as error:
        yield error
    message = "\n".join([str(error.value), *getattr(error.value, "__notes__", [])])
    for part in parts:
        assert re.search(part, message, re.DOTALL), f"{part!r} is not in {message!r}"
    assert "._" not in message, "a private module is named to the user"


# Names


@pytest.mark.parametrize(
    ("parameter", "typo", "meant"),
    [
        ("optimizer", "adma", "adam"),
        ("optimizer", "rmspropp", "rmsprop"),
        ("activation", "rleu", "relu"),
        ("schedule", "cosin", "cosine"),
        ("schedule", "onecycle", "one_cycle"),
        ("norm", "btach", "batch"),
        ("initializer", "he_norml", "he_normal"),
        ("loss", "log_los", "log_loss"),
        ("monitor", "accurcy", "accuracy"),
        ("input_scaling", "standrad", "standard"),
        ("input_scaling", "batchnorm", "batch_norm"),
        ("topology", "residul", "residual"),
        ("bias_initializer", "prio", "prior"),
        ("dropout", "gausian", "gaussian_dropout"),
        ("augmentation", "mixap", "mixup"),
        ("curriculum", "lineer", "linear"),
        ("constraint", "maxnorm", "max_norm"),
        ("learning_rate_init", "atuo", "auto"),
        ("learning_rate_init", "range", "range_test"),
        ("momentum_schedule", "momentum", "momentum_cycle"),
        ("dropout_schedule", "liner", "linear"),
        ("weight_decay_schedule", "performence", "performance"),
        ("batch_size", "ful", "full"),
        ("clip_scope", "tensors", "tensor"),
        ("loss", "hing", "hinge"),
        ("early_stopping", "atuo", "auto"),
        ("class_weight", "balancd", "balanced"),
        ("dtype", "flaot32", "float32"),
    ],
)
def test_a_misspelt_name_gets_the_name_that_was_meant(parameter, typo, meant):
    with refused(
        f"'{parameter}' parameter of MLPClassifier",
        f"Got '{typo}' instead",
        f"'{meant}'.*Got",
        rf"Did you mean [^?]*'{meant}'[^?]*\?",
    ):
        fit(classifier(**{parameter: typo}))


@pytest.mark.parametrize(
    ("parameters", "typo", "meant"),
    [
        ({"activation": ["rleu"]}, "rleu", "relu"),
        ({"initializer": ["zeros", "he_norml"]}, "he_norml", "he_normal"),
        ({"dropout": ["dropot"]}, "dropot", "dropout"),
        ({"augmentation": ["mixup", "input_nois"]}, "input_nois", "input_noise"),
        ({"optimizer": Lookahead("momentun")}, "momentun", "momentum"),
        ({"schedule": Warmup("cosin")}, "cosin", "cosine"),
        ({"output_activation": "softpluss"}, "softpluss", "softplus"),
        ({"loss": "quantle"}, "quantle", "quantile"),
    ],
    ids=str,
)
def test_a_misspelt_name_within(parameters, typo, meant):
    make = regressor if {"output_activation", "loss"} & set(parameters) else classifier
    with refused(f"Got '{typo}' instead", rf"Did you mean [^?]*'{meant}'[^?]*\?"):
        fit(make(**parameters))


@pytest.mark.parametrize(
    ("cls", "other"),
    [(MLPClassifier, "squared_error"), (MLPClassifier, "poisson"), (MLPRegressor, "log_loss")],
)
def test_a_loss_of_the_other_estimator(cls, other):
    allowed = "log_loss" if cls is MLPClassifier else "huber"
    with refused("'loss' parameter", f"'{allowed}'", f"Got '{other}' instead"):
        fit(cls(loss=other))


@pytest.mark.parametrize(
    ("cls", "of_the_other"),
    [(MLPClassifier, "squared_error"), (MLPRegressor, "log_loss")],
)
def test_an_unknown_loss_is_not_answered_with_a_loss_that_is_refused(cls, of_the_other):
    with refused("Got 'mse' instead") as error:
        fit(cls(loss="mse"))
    assert f"'{of_the_other}'" not in str(error.value)


@pytest.mark.parametrize(
    ("parameter", "component"),
    [
        ("optimizer", SGD),
        ("activation", Relu),
        ("schedule", Cosine),
        ("norm", BatchNorm),
        ("initializer", HeNormal),
        ("loss", LogLoss),
        ("dropout", Dropout),
        ("hidden_layer_sizes", Rectangular),
        ("topology", Wide),
        ("bias_initializer", HeNormal),
        ("constraint", MaxNorm),
        ("augmentation", Mixup),
        ("curriculum", LinearCurriculum),
        ("momentum_schedule", MomentumCycle),
        ("input_scaling", LayerNorm),
        ("early_stopping", EarlyStopping),
    ],
)
def test_a_class_instead_of_an_instance(parameter, component):
    with refused(f"'{parameter}' parameter", "instance", rf"{component.__name__}\(\)"):
        fit(classifier(**{parameter: component}))


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("optimizer", Cosine()),
        ("activation", SGD()),
        ("topology", Relu()),
        ("constraint", Cosine()),
        ("augmentation", Cosine()),
        ("curriculum", SGD()),
        ("momentum_schedule", SGD()),
        ("dropout_schedule", Dropout(0.5)),
        ("input_scaling", Cosine()),
        ("early_stopping", Cosine()),
        ("bias_initializer", Relu()),
        ("hidden_layer_sizes", Wide()),
    ],
)
def test_a_component_of_another_family(parameter, wrong):
    with refused(f"'{parameter}' parameter", re.escape(f"Got {wrong!r} instead")):
        fit(classifier(**{parameter: wrong}))


@pytest.mark.parametrize(
    ("key", "component"),
    [
        ("optimizer__beta_1", r"optimizer=Adam\(\)"),
        ("schedule__horizon", r"schedule=(Cosine|Linear|OneCycle)\(\)"),
        ("norm__epsilon", r"norm=(Batch|Layer)Norm\(\)"),
        ("dropout__rate", r"dropout=(Alpha)?Dropout\(\)"),
        ("initializer__scale", r"initializer=VarianceScaling\(\)"),
        ("hidden_layer_sizes__width", r"hidden_layer_sizes=Rectangular\(\)"),
        ("topology__block_size", r"topology=Residual\(\)"),
        ("topology__auxiliary_weight", r"topology=(Plain|Residual|Wide)\(\)"),
        ("constraint__limit", r"constraint=MaxNorm\(\)"),
        ("augmentation__std", r"augmentation=(Input|Label|Target)Noise\(\)"),
        ("curriculum__start", r"curriculum=(Linear|Exponential)Curriculum\(\)"),
        ("early_stopping__patience", r"early_stopping=EarlyStopping\(\)"),
        ("bias_initializer__value", r"bias_initializer=ConstantInitializer\(\)"),
        ("momentum_schedule__low_factor", r"momentum_schedule=MomentumCycle\(\)"),
        ("dropout_schedule__final_factor", r"dropout_schedule=(Linear|Polynomial|Cosine)\(\)"),
        ("weight_decay_schedule__every", r"weight_decay_schedule=Step\(\)"),
        ("input_scaling__momentum", r"input_scaling=BatchNorm\(\)"),
        ("activation__initial_slope", r"activation=Prelu\(\)"),
        ("loss__gamma", r"loss=Focal\(\)"),
        ("optimizer__k", r"optimizer=Lookahead\(\)"),
    ],
)
def test_a_nested_parameter_of_a_plain_value(key, component):
    with refused(f"'{key}' can't be set", component):
        classifier().set_params(**{key: 0.5})


def test_a_nested_parameter_that_nothing_has():
    with refused("'topology__blocks' can't be set", "No component.*parameter 'blocks'"):
        classifier().set_params(topology__blocks=2)


def test_a_nested_parameter_within_a_wrapper():
    model = classifier(optimizer=Lookahead("adam"))
    with refused(r"'optimizer__beta_1' can't be set.*Lookahead\(optimizer=Adam\(\)\)"):
        model.set_params(optimizer__optimizer__beta_1=0.5)
    model.set_params(optimizer__optimizer=Adam(), optimizer__optimizer__beta_1=0.5)
    assert model.optimizer.optimizer.beta_1 == 0.5


def test_an_unknown_nested_parameter():
    with refused("Invalid parameter 'moment'.*'momentum', 'nesterov'"):
        classifier(optimizer=SGD()).set_params(optimizer__moment=0.5)


# Numbers

POSITIVE, NOT_NEGATIVE = r"\(0\.0, inf\)", r"\[0\.0, inf\)"


@pytest.mark.parametrize(
    ("parameter", "values", "allowed"),
    [
        ("learning_rate_init", [0, -1, NAN, INF, "0.1", None], POSITIVE),
        ("clip_norm", [0, -1.0, NAN], f"{POSITIVE} or None"),
        ("clip_value", [0, -1.0, NAN], f"{POSITIVE} or None"),
        ("max_time", [0, -1.0, NAN], f"{POSITIVE} or None"),
        ("alpha", [-1e-4, NAN, INF], NOT_NEGATIVE),
        ("l1", [-1e-4, NAN], NOT_NEGATIVE),
        ("weight_decay", [-1e-4, NAN], NOT_NEGATIVE),
        ("tol", [-1e-4, NAN], NOT_NEGATIVE),
        ("dropout", [1.0, -0.1, NAN, "0.5"], r"\[0\.0, 1\.0\)"),
        ("label_smoothing", [1.0, -0.1], r"\[0\.0, 1\.0\)"),
        ("validation_fraction", [1.5, 0, 1, -0.1, NAN], r"\(0\.0, 1\.0\).*'split'"),
        ("batch_size", [0, -2, 2.5, "all", None], r"'(auto|full)'.*\[1, inf\)"),
        ("max_iter", [0, -1, 2.5], r"\[1, inf\)"),
        ("accumulation_steps", [0, -1, 1.5, None], r"\[1, inf\)"),
        ("input_dropout", [1.0, -0.1, NAN, "0.5", [0.1]], r"\[0\.0, 1\.0\)"),
        ("weight_noise", [-0.1, NAN, INF, "0.1", None], NOT_NEGATIVE),
        ("activity_l1", [-0.1, NAN, INF, [0.1]], NOT_NEGATIVE),
        ("ema_decay", [1.0, -0.1, NAN, None], r"\[0\.0, 1\.0\)"),
        ("bias_initializer", [NAN, INF, -INF, None], r"\(-inf, inf\).*'prior'"),
        ("clip_scope", ["all", None, 1], "'global'"),
        ("topology", [2, None], "'residual'"),
        ("constraint", [1.0, ["max_norm"]], "'max_norm'.*None"),
        ("augmentation", [0.1], "'mixup'.*None"),
        ("curriculum", [0.1, ["linear"]], "'linear'.*None"),
        ("momentum_schedule", [0.9, ["cosine"]], "'momentum_cycle'.*None"),
        ("dropout_schedule", [0.5], "'linear'.*None"),
        ("weight_decay_schedule", [0.5], "'linear'.*None"),
        ("early_stopping", [3, "yes", None], "bool.*'auto'.*EarlyStopping"),
        ("n_iter_no_change", [0, 2.5], r"\[1, inf\).*inf"),
        ("n_threads", [0, 1.5, 10**30], r"\[1, 65536\] or None"),
        ("verbose", [-1], r"\[0, inf\)"),
        ("shuffle", ["yes", 2], "bool"),
        ("warm_start", ["yes", 2], "bool"),
        ("random_state", ["a", -1, 0.5], "an int in the range.*RandomState"),
    ],
)
def test_a_number_out_of_range(parameter, values, allowed):
    for value in values:
        with refused(
            f"'{parameter}' parameter of MLPClassifier",
            f"must be .*{allowed}",
            re.escape(f"Got {value!r} instead"),
        ):
            fit(classifier(**{parameter: value}))


@pytest.mark.parametrize(
    "sizes",
    [0, -3, 2.5, "100", None, (10, 0), (10, -1), (10.5,), (10, "a"), (True,), [[1, 2], [3, 4]]],
)
def test_hidden_layer_sizes(sizes):
    with refused(
        "'hidden_layer_sizes' parameter",
        r"positive integers|\[1, inf\)",
        re.escape(f"Got {sizes!r} instead"),
    ):
        fit(classifier(hidden_layer_sizes=sizes))


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"hidden_layer_sizes": Rectangular(width=0)}, ["'width'.*Rectangular", r"\[1, inf\)"]),
        ({"optimizer": SGD(momentum=2.0)}, ["'momentum'.*SGD", r"\[0\.0, 1\.0\]", "Got 2.0"]),
        ({"optimizer": Adam(beta_1=1.0)}, ["'beta_1'.*Adam", r"\[0\.0, 1\.0\)", "Got 1.0"]),
        ({"dropout": Dropout(1.0)}, ["'rate'.*Dropout", r"\[0\.0, 1\.0\)", "Got 1.0"]),
        ({"optimizer": SGD(nesterov=True)}, ["nesterov=True.*momentum=0.0", "nesterov=False"]),
        ({"schedule": OneCycle(up_fraction=0.9)}, ["up_fraction=0.9", "down_fraction=0.45"]),
    ],
)
def test_parameters_of_components(parameters, parts):
    with refused(*parts):
        fit(classifier(**parameters))


PER_LAYER = {
    "activation": ("relu", 1, "one a hidden layer"),
    "dropout": (0.1, 1, "one a hidden layer"),
    "initializer": ("zeros", 2, "one a weight matrix"),
    "alpha": (0.1, 2, "one a weight matrix"),
    "l1": (0.1, 2, "one a weight matrix"),
}


@pytest.mark.parametrize("parameter", list(PER_LAYER))
def test_a_sequence_of_another_length(parameter):
    value, n, what = PER_LAYER[parameter]
    for length in (0, n - 1, n + 1):
        given = [value] * length
        with refused(
            f"'{parameter}' parameter", f"sequence of {n}, {what}", f"Got {length} instead"
        ):
            fit(classifier(**{parameter: given}))
    fit(classifier(**{parameter: [value] * n}))
    fit(classifier(**{parameter: (value,) * n}))


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"alpha": [1.0, -1.0]}, ["'alpha'.*numbers of at least 0", r"Got \[1.0, -1.0\]"]),
        ({"l1": [1.0, NAN]}, ["'l1'.*numbers of at least 0", "nan"]),
        ({"l1": [1.0, "a"]}, ["'l1'.*numbers of at least 0", "'a'"]),
        ({"alpha": [True, 1.0]}, ["'alpha'.*numbers of at least 0", "True"]),
        ({"dropout": [1.5]}, ["'rate'.*Dropout", r"\[0\.0, 1\.0\)", "Got 1.5"]),
        ({"activation": [3]}, ["'activation' parameter", "Got 3"]),
        ({"initializer": ["zeros", 3]}, ["'initializer' parameter", "Got 3"]),
        ({"augmentation": [3]}, ["'augmentation' parameter", "Got 3"]),
    ],
    ids=str,
)
def test_a_sequence_with_something_else_in_it(parameters, parts):
    with refused(*parts):
        fit(classifier(**parameters))


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"output_range": (0, 1)}, [r"output_range=\(0, 1\)", "'identity'", "'logistic'"]),
        (
            {"output_range": (0, 1), "output_activation": "relu"},
            [r"output_range=\(0, 1\)", "output_activation='relu'", "both sides", "'tanh'"],
        ),
        *(
            (
                {"output_activation": "tanh", "output_range": bad},
                ["'output_range' parameter", "two finite numbers", re.escape(f"Got {bad!r}")],
            )
            for bad in [(1, 0), (0, 0), (1, 2, 3), (0, INF), (NAN, 1)]
        ),
        ({"output_activation": "prelu"}, ["output_activation='prelu'.*no link", "'softplus'"]),
        ({"output_activation": "swiglu"}, ["output_activation='swiglu'.*no link"]),
        ({"output_activation": "rrelu"}, ["output_activation='rrelu'.*no link"]),
        (
            {"output_activation": "tanh", "output_range": (-0.1, 0.1)},
            ["y has values from", r"output_range=\(-0.1, 0.1\)", "Widen output_range"],
        ),
        ({"output_weights": [1, 2]}, ["'output_weights'", "1 finite", r"Got \[1, 2\]"]),
        ({"output_weights": [-1]}, ["'output_weights'", "at least 0", r"Got \[-1\]"]),
        ({"output_weights": [INF]}, ["'output_weights'", "finite"]),
        ({"output_weights": [0]}, ["'output_weights' parameter is 0 for every target"]),
        ({"loss": Quantile(1.5)}, ["'quantile' parameter of Quantile", r"\(0.0, 1.0\)"]),
        ({"loss": Quantile((0.9, 0.1))}, ["'quantile' parameter", "increasing"]),
        ({"loss": "gamma"}, ["loss='gamma'", "targets must be > 0", "another loss"]),
    ],
    ids=str,
)
def test_outputs_of_a_regressor(parameters, parts):
    with refused(*parts):
        fit(regressor(**parameters))


def test_parameters_of_a_loss():
    with pytest.raises(
        ValueError, match=r"'delta' parameter of Huber .*\(0.0, inf\). Got 0 instea"
    ):
        fit(regressor(loss=Huber(delta=0)))


# Contradictions: both sides are shown, and the way out is allowed


@pytest.mark.parametrize(
    ("parameters", "parts", "way_out"),
    [
        ({"batch_size": 8}, ["batch_size=8"], {"batch_size": "auto"}),
        ({"dropout": 0.1}, [r"dropout=.*0\.1", r"dropout=0\.0"], {"dropout": 0.0}),
        ({"clip_norm": 1.0}, [r"clip_norm=1\.0"], {"clip_norm": None}),
        ({"clip_value": 1.0}, [r"clip_value=1\.0"], {"clip_value": None}),
        ({"l1": 0.1}, [r"l1=0\.1", "alpha"], {"l1": 0.0}),
        ({"weight_decay": 0.1}, [r"weight_decay=0\.1"], {"weight_decay": 0.0}),
        ({"schedule": "cosine"}, ["(?i)schedule='?cosine"], {"schedule": "constant"}),
        ({"input_dropout": 0.1}, [r"input_dropout=0\.1"], {"input_dropout": 0.0}),
        ({"weight_noise": 0.1}, [r"weight_noise=0\.1"], {"weight_noise": 0.0}),
        ({"augmentation": "mixup"}, ["augmentation=.*Mixup"], {"augmentation": None}),
        ({"constraint": "max_norm"}, ["constraint=MaxNorm"], {"constraint": None}),
        ({"ema_decay": 0.9}, [r"ema_decay=0\.9"], {"ema_decay": 0.0}),
        ({"accumulation_steps": 2}, ["accumulation_steps=2"], {"accumulation_steps": 1}),
        ({"activity_l1": 0.1}, [r"activity_l1=0\.1"], {"activity_l1": 0.0}),
    ],
)
def test_lbfgs_and_what_it_has_no_place_for(parameters, parts, way_out):
    ((name, value),) = way_out.items()
    off = re.escape(f"{name}={value!r}")
    with refused("optimizer='lbfgs'", *parts, off, "another optimizer"):
        fit(classifier(optimizer="lbfgs", **parameters))
    fit(classifier(optimizer="lbfgs", **way_out))


def test_lbfgs_wants_no_random_activation_and_no_curriculum():
    with refused("optimizer='lbfgs'", "activation=.*Rrelu.*at random"):
        fit(classifier(optimizer="lbfgs", activation="rrelu"))
    with refused("optimizer='lbfgs'", "curriculum=LinearCurriculum", "curriculum=None"):
        classifier(optimizer="lbfgs", curriculum="linear").fit(X, LABELS, difficulty=X[:, 0])


@pytest.mark.parametrize(
    ("parameters", "parts", "way_out"),
    [
        (
            {"input_scaling": "batch_norm", "batch_size": 1},
            [r"input_scaling=BatchNorm\(\).*batch_size=1", "batch_size >= 2"],
            {"batch_size": 2},
        ),
        (
            {"norm": GroupNorm(n_groups=3)},
            [r"GroupNorm\(n_groups=3\).*5 units", "hidden_layer_sizes.*n_groups='auto'"],
            {"hidden_layer_sizes": (6,)},
        ),
        (
            {"topology": Wide(auxiliary_weight=0.5, auxiliary_layer=2)},
            ["topology=Wide.*hidden layer 2.*1 hidden layers", "from 1 to 1"],
            {"hidden_layer_sizes": (5, 5)},
        ),
        (
            {"monitor": "accuracy", "early_stopping": EarlyStopping(watch="training")},
            ["monitor='accuracy'", "validation part", "monitor='loss'"],
            {"monitor": "loss"},
        ),
        (
            {"early_stopping": EarlyStopping(mode="max")},
            ["mode='max'.*loss is monitored", "mode='auto'"],
            {"monitor": "accuracy"},
        ),
        (
            {"early_stopping": EarlyStopping(refit=True, watch="training")},
            ["refit=True.*watch='training'", "watch='validation'.*refit=False"],
            {"early_stopping": EarlyStopping(refit=True)},
        ),
        (
            {"early_stopping": EarlyStopping(refit=True), "warm_start": True},
            ["refit=True", "warm_start=True", "refit=False or warm_start=False"],
            {"warm_start": False},
        ),
        (
            {"momentum_schedule": "momentum_cycle", "optimizer": "adagrad"},
            [r"momentum_schedule=MomentumCycle\(\)", r"optimizer=Adagrad\(\)", "'momentum'"],
            {"optimizer": "momentum"},
        ),
        (
            {"schedule": "linear", "optimizer": "rprop"},
            ["optimizer='rprop'", r"schedule=Linear\(\)", "schedule='constant'"],
            {"schedule": "constant"},
        ),
        (
            {"learning_rate_init": "range_test", "optimizer": "rprop"},
            ["optimizer=(?i:'?rprop).*no learning rate to test", "learning_rate_init as a number"],
            {"learning_rate_init": "auto"},
        ),
        (
            {"weight_decay": 0.1, "optimizer": "ftrl"},
            [r"weight_decay=0\.1", r"optimizer=FTRL\(\)", "l2, or alpha"],
            {"weight_decay": 0.0},
        ),
        (
            {"momentum_schedule": "momentum_cycle", "optimizer": "sgd"},
            [r"momentum_schedule=MomentumCycle\(\)", "optimizer='sgd'", "None", "'momentum'"],
            {"optimizer": SGD(momentum=0.0)},
        ),
        (
            {"momentum_schedule": "linear", "optimizer": TorchOptimizer(torch.optim.SGD)},
            [r"momentum_schedule=Linear\(\)", "momentum of 0.*SGD", "momentum_schedule=None"],
            {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=0.0)},
        ),
        (
            {"momentum_schedule": "linear", "optimizer": Lookahead("sgd")},
            [r"momentum_schedule=Linear\(\)", "momentum of 0.*Lookahead"],
            {"optimizer": Lookahead(SGD(momentum=0.0))},
        ),
        (
            {"weight_decay_schedule": "cosine"},
            [r"weight_decay_schedule=Cosine\(\)", r"weight_decay=0\.0", "None.*above 0.*AdamW"],
            {"weight_decay": 0.1},
        ),
        (
            {"weight_decay_schedule": "linear", "optimizer": "adam"},
            [r"weight_decay_schedule=Linear\(\)", r"weight_decay=0\.0"],
            {"optimizer": "adamw"},
        ),
        (
            {"weight_decay_schedule": "linear", "optimizer": Lookahead("adam")},
            [r"weight_decay_schedule=Linear\(\)", r"weight_decay=0\.0"],
            {"optimizer": Lookahead(AdamW(weight_decay=0.0))},
        ),
        (
            {"dropout_schedule": "linear"},
            [r"dropout_schedule=Linear\(\)", r"dropout=0\.0 and input_dropout=0\.0", "above 0"],
            {"input_dropout": 0.1},
        ),
        (
            {"dropout_schedule": "linear", "dropout": [0.0]},
            [r"dropout_schedule=Linear\(\)", r"dropout=\[0\.0\]", r"Dropout\(rate=0\.0\)"],
            {"dropout": Dropout(0.0)},
        ),
        (
            {"activity_l1": 0.1, "hidden_layer_sizes": ()},
            [r"activity_l1=0\.1", r"hidden_layer_sizes=\(\)", r"activity_l1=0\.0"],
            {"activity_l1": 0.0},
        ),
        (
            {"constraint": "max_norm", "norm": "weight"},
            [r"constraint=MaxNorm\(\)", r"norm=WeightNorm\(\)", "constraint=None.*another norm"],
            {"norm": "layer"},
        ),
        (
            {"input_scaling": WeightNorm()},
            [r"input_scaling=WeightNorm\(\)", "'standard'.*LayerNorm"],
            {"input_scaling": LayerNorm()},
        ),
        (
            {"input_scaling": GroupNorm(n_groups=2)},
            [r"GroupNorm\(n_groups=2\).*multiple of 2.*3 units", "input_scaling.*'auto'"],
            {"input_scaling": GroupNorm()},
        ),
        (
            {"initializer": "fixup", "norm": "weight", "topology": Residual(block_size=1)},
            [r"initializer=Fixup\(\)", r"norm=WeightNorm\(\)", "norm=None.*initializer='auto'"],
            {"topology": "plain"},
        ),
        (
            {"augmentation": "target_noise"},
            [r"augmentation=TargetNoise\(\)", "regression", "binary"],
            {"augmentation": "label_noise"},
        ),
        (
            {"curriculum": "linear"},
            [r"curriculum=LinearCurriculum\(\)", "difficulty=", "curriculum=None"],
            {"curriculum": None},
        ),
    ],
    ids=str,
)
def test_two_that_do_not_go_together(parameters, parts, way_out):
    with refused(*parts):
        fit(classifier(**parameters))
    fit(classifier(**parameters | way_out))


def test_labels_that_can_not_be_smoothed():
    loss = Hinge(multi_class="crammer_singer")
    with refused(
        r"label_smoothing=0\.1", "loss=Hinge.*no method", r"label_smoothing=0\.0.*'log_loss'"
    ):
        classifier(loss=loss, label_smoothing=0.1).fit(X, THREE)
    classifier(loss=loss).fit(X, THREE)
    classifier(label_smoothing=0.1).fit(X, THREE)


def test_refit_beside_a_validation_set():
    model = classifier(early_stopping=EarlyStopping(refit=True))
    with refused("refit=True.*there are none", "refit=False.*no X_val"):
        model.fit(X, LABELS, X_val=X, y_val=LABELS)
    model.set_params(early_stopping__refit=False).fit(X, LABELS, X_val=X, y_val=LABELS)


def test_difficulty_that_nothing_asks_for():
    with refused("difficulty was given, but curriculum=None", "curriculum='linear'"):
        classifier().fit(X, LABELS, difficulty=X[:, 0])
    classifier(curriculum="linear").fit(X, LABELS, difficulty=X[:, 0])


def test_noise_on_targets_that_have_bounds():
    with refused(r"augmentation=TargetNoise\(\)", "loss=Poisson", "without bounds"):
        regressor(augmentation="target_noise", loss="poisson").fit(X, abs(NUMBERS))
    regressor(augmentation="target_noise").fit(X, abs(NUMBERS))


class Hidden(torch.nn.Sequential):
    def __init__(self, n_features):
        super().__init__(torch.nn.Linear(n_features, 4), torch.nn.Tanh())


@pytest.mark.parametrize(
    ("parameter", "value", "off"),
    [
        ("norm", "batch", "norm=None"),
        ("activity_l1", 0.1, "activity_l1=0.0"),
        ("weight_noise", 0.1, "weight_noise=0.0"),
        ("constraint", "max_norm", "constraint=None"),
        ("activation", "tanh", "activation='relu'"),
        ("dropout", 0.5, "dropout=0.0"),
        ("topology", "residual", "topology='plain'"),
        ("topology", "wide", "topology='plain'"),
    ],
)
def test_a_module_and_what_is_its_own_matter(parameter, value, off):
    module = HiddenModule(Hidden)
    with refused("hidden_layer_sizes=HiddenModule", f"{parameter}=", re.escape(off)):
        fit(classifier(hidden_layer_sizes=module, **{parameter: value}))
    fit(classifier(hidden_layer_sizes=module))


# What a loss does not give


def test_decisions_are_no_probabilities():
    hinge = fit(classifier(loss="hinge"))
    assert not hasattr(hinge, "predict_proba")
    assert not hasattr(hinge, "predict_log_proba")
    for method in ("predict_proba", "predict_log_proba"):
        with pytest.raises(AttributeError, match=f"no attribute '{method}'") as error:
            getattr(hinge, method)
        cause = str(error.value.__cause__)
        assert re.search("loss='hinge'.*decision_function.*loss='log_loss'", cause)
    assert hasattr(classifier(loss="focal"), "predict_proba")
    # what needs an order alone takes the decisions
    scores = cross_val_score(classifier(loss="hinge"), X, LABELS, scoring="roc_auc", cv=2)
    assert np.all((scores >= 0) & (scores <= 1))
    assert get_scorer("roc_auc")(hinge, X, LABELS) == pytest.approx(
        roc_auc_score(LABELS, hinge.decision_function(X))
    )
    with pytest.raises((AttributeError, ValueError), match="predict_proba"):
        get_scorer("neg_log_loss")(hinge, X, LABELS)


def test_deviations_that_nothing_predicts():
    model = fit(regressor())
    with refused("return_std=True", "loss='squared_error'", "loss='gaussian'.*dropout"):
        model.predict(X, return_std=True)
    mean, deviation = fit(regressor(loss="gaussian")).predict(X, return_std=True)
    assert mean.shape == deviation.shape == (40,)
    with refused("return_std=True", "n_samples"):
        fit(classifier(dropout=0.1)).predict_proba(X, return_std=True)


def test_quantiles_that_nothing_predicts():
    model = fit(regressor())
    assert not hasattr(model, "predict_quantiles")
    with pytest.raises(AttributeError, match="no attribute 'predict_quantiles'") as error:
        _ = model.predict_quantiles
    assert re.search(r"loss='squared_error'.*Quantile\(\(", str(error.value.__cause__))
    several = fit(regressor(loss=Quantile((0.1, 0.5, 0.9))))
    assert several.predict_quantiles(X).shape == (40, 3)


@pytest.mark.parametrize(
    ("weights", "parts"),
    [
        ([], ["0", "4"]),
        ([np.zeros((3, 5))] * 4, [r"\(5,\)|shape"]),
        ([np.zeros((3, 5)), np.zeros(5), np.zeros((5, 1)), np.full(1, NAN)], ["finite|NaN"]),
    ],
)
def test_weights_that_do_not_fit(weights, parts):
    with refused(*parts):
        fit(classifier()).set_weights(weights)


@pytest.mark.parametrize("decay", [0.1, 0.2])
def test_two_decays(decay):
    with refused(f"weight_decay={decay}", r"AdamW\(weight_decay=0\.1\)", "Set one of the two to 0"):
        fit(classifier(optimizer=AdamW(weight_decay=0.1), weight_decay=decay))
    fit(classifier(optimizer=AdamW(weight_decay=0), weight_decay=decay))


@pytest.mark.parametrize("norm", ["batch", BatchNorm()])
def test_batch_norm_with_batches_of_one_row(norm):
    with refused("norm=.*batch_size=1", "batch_size >= 2", "norm='layer'"):
        fit(classifier(norm=norm, batch_size=1))


@pytest.mark.parametrize("early_stopping", [False, "auto"])
def test_a_monitor_without_a_validation_part(early_stopping):
    with refused(
        "monitor='accuracy'.*early_stopping",
        "early_stopping=True",
        "X_val and y_val",
        "monitor='loss'",
    ):
        fit(classifier(monitor="accuracy", early_stopping=early_stopping))


@pytest.mark.parametrize(
    "monitor",
    ["accuracy", lambda *_: "much", lambda *_: NAN],
    ids=["of classifiers", "text", "nan"],
)
def test_a_monitor_that_gives_no_score(monitor):
    with refused("monitor"):
        fit(regressor(monitor=monitor, early_stopping=True))


# Devices


def test_a_gpu_that_is_not_there():
    device = f"cuda:{torch.cuda.device_count()}" if torch.cuda.is_available() else "cuda"
    with refused(
        f"device='{device}'", r"torch sees \d CUDA device", "'cpu' or 'auto'", "CUDA build"
    ):
        fit(classifier(device=device))


@pytest.mark.parametrize("device", ["tpu", "gpu", "meta", "cpux"])
def test_a_device_that_is_none(device):
    with refused("'device' parameter", "'auto'", "'cpu'", "'cuda'", f"Got '{device}' instead"):
        fit(classifier(device=device))


# Tables


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("model", [classifier(), regressor()], ids=["classifier", "regressor"])
def test_numbers_that_are_not_finite(model, bad):
    word = "NaN" if np.isnan(bad) else "infinity"
    y = NUMBERS if isinstance(model, MLPRegressor) else LABELS
    if np.isinf(bad):  # NaN in X is a gap
        with refused(f"Input X contains {word}"):
            model.fit(with_one(X, bad), y)
        with refused(f"Input X contains {word}"):
            model.fit(X, y).predict(with_one(X, bad))
    with refused(f"Input y contains {word}"):
        model.fit(X, with_one(y, bad))
    with refused(f"Input sample_weight contains {word}"):
        model.fit(X, y, sample_weight=with_one(np.ones(40), bad))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((40, 3, 2)), "dim 3.*<= 2"),
        (X[:, 0], r"(?s)Expected 2D array, got 1D.*reshape\(-1, 1\)"),
        (X[:, :0], r"0 feature\(s\).*minimum of 1"),
        (X[:7], r"inconsistent numbers of samples: \[7, 40\]"),
        (X + 1j, "Complex data not supported"),
        (np.array([["a", "b"]] * 40), "could not convert string to float: .*'a'.*from_dtype"),
        (pd.DataFrame({"when": pd.date_range("2020", periods=40)}), "'when' holds dates.*year"),
        (pd.DataFrame({"who": [("a", "b")] * 40}), "'who' holds several values.*drop it"),
        (pd.DataFrame({"n": [INF, 1.0] * 20}), "infinity"),
    ],
)
def test_tables_that_are_none(table, message):
    for model, y in ((classifier(), LABELS), (regressor(), NUMBERS)):
        with refused(message):
            model.fit(table, y)


def test_no_rows():
    with refused(r"0 sample\(s\).*minimum of 1"):
        classifier().fit(X[:0], LABELS[:0])


def test_one_row_is_learnt():
    assert classifier().fit(X[:1], LABELS[:1]).predict(X).tolist() == [LABELS[0]] * 40
    model = regressor(max_iter=500, learning_rate_init=0.01).fit(X[:1], NUMBERS[:1])
    assert model.predict(X[:1]) == pytest.approx(NUMBERS[:1], abs=0.1)


def test_other_columns_in_prediction():
    with refused("X has 2 features, but MLPClassifier is expecting 3"):
        fit(classifier()).predict(X[:, :2])


# Targets


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (NUMBERS, "Unknown label type: continuous.*classifier"),
        (None, "requires y to be passed"),
        (np.zeros((40, 2, 2), dtype=int), "dim 3.*<= 2"),
        (np.column_stack([LABELS, THREE]), "multiclass-multioutput.*MultiOutputClassifier"),
    ],
)
def test_targets_that_no_classifier_takes(y, message):
    with refused(message):
        classifier().fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["a"] * 40), "y.*numbers.*'a'"),
        (None, "requires y to be passed"),
        (NUMBERS[:7], r"inconsistent numbers of samples: \[40, 7\]"),
    ],
)
def test_targets_that_no_regressor_takes(y, message):
    with refused(message):
        regressor().fit(X, y)


def test_poisson_needs_targets_that_are_not_negative():
    message = r"loss='poisson':.* targets must be >= 0, got .*-2.*another loss"
    with refused(message):
        regressor(loss="poisson").fit(X, with_one(abs(NUMBERS), -2))
    with refused("targets must be >= 0"):
        regressor(loss="poisson").fit(X, abs(NUMBERS), X_val=X, y_val=-abs(NUMBERS))


# Weights


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(40), "(?i)negative values.*sample_weight"),
        (with_one(np.ones(40), -1), "(?i)negative values.*sample_weight"),
        (np.zeros(40), "(?i)sample weights must contain at least one non-zero"),
        (np.ones(7), r"sample_weight.shape == \(7,\), expected \(40,\)"),
        (np.ones((40, 2)), "(?i)sample weights must be 1D.*got 2D"),
    ],
)
def test_sample_weights(weight, message):
    for model, y in ((classifier(), LABELS), (regressor(), NUMBERS)):
        with refused(message):
            model.fit(X, y, sample_weight=weight)


@pytest.mark.parametrize(
    "weights",
    [{0: -1.0}, {0: NAN}, {0: INF}, {0: 0, 1: 0}, {0: "a"}, {7: 1.0}],
    ids=str,
)
def test_class_weights(weights):
    with refused("class_weight"):
        fit(classifier(class_weight=weights))


def test_class_weight_is_not_a_list():
    with refused(r"'class_weight' parameter.*dict.*Got \[1, 2\] instead"):
        fit(classifier(class_weight=[1, 2]))


def test_class_weight_of_an_indicator_matrix():
    with refused(r"class_weight=\{0: 2\}.*indicator.*sample_weight"):
        classifier(class_weight={0: 2}).fit(X, TWO_LABELS)


def test_balanced_class_weight_over_chunks():
    with refused(
        "class_weight='balanced'.*partial_fit", "compute_class_weight|dict|class_weight={"
    ):
        classifier(class_weight="balanced").partial_fit(X, LABELS, classes=[0, 1])


def test_a_class_of_weight_zero_is_absent():
    order = np.argsort(LABELS, kind="stable")
    model = classifier(class_weight={0: 0, 1: 1}, batch_size=5, shuffle=False, random_state=0)
    model.fit(X[order], LABELS[order])
    alone = X[order][LABELS[order] == 1]
    weighted = classifier(batch_size=5, shuffle=False, random_state=0)
    weighted.fit(X[order], LABELS[order], sample_weight=(LABELS[order] == 1).astype(float))
    assert np.array_equal(model.predict_proba(alone), weighted.predict_proba(alone))


# The validation set: faults are told of it, not of X and y


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ({"X_val": X}, ["X_val.*without y_val"]),
        ({"y_val": LABELS}, ["y_val.*without X_val"]),
        ({"sample_weight_val": np.ones(40)}, ["sample_weight_val.*without X_val"]),
        ({"X_val": X[:, :2], "y_val": LABELS}, ["X_val", "2 features.*expect.* 3"]),
        ({"X_val": X, "y_val": LABELS[:7]}, ["X_val|y_val", "40.*7"]),
        ({"X_val": with_one(X, INF), "y_val": LABELS}, ["X_val", "infinity"]),
        ({"X_val": X, "y_val": LABELS + 1}, ["y_val", "2", r"0, 1"]),
        (
            {"X_val": X, "y_val": LABELS, "sample_weight_val": np.ones(7)},
            ["sample_weight_val", "7", "40"],
        ),
        (
            {"X_val": X, "y_val": LABELS, "sample_weight_val": -np.ones(40)},
            ["(?i)negative", "sample_weight_val"],
        ),
        (
            {"X_val": X, "y_val": LABELS, "sample_weight_val": np.zeros(40)},
            ["non-zero", "sample_weight_val"],
        ),
        ({"X_val": X, "y_val": TWO_LABELS}, ["y_val", r"\(40, 2\)"]),
    ],
)
def test_a_validation_set(given, parts):
    with refused(*parts) as error:
        classifier().fit(X, LABELS, **given)
    assert "partial_fit" not in str(error.value)


def test_a_validation_set_of_other_outputs():
    with refused("y_val", r"\(40, 2\)"):
        regressor().fit(X, NUMBERS, X_val=X, y_val=np.column_stack([NUMBERS, NUMBERS]))


@pytest.mark.parametrize(
    ("splitter", "parts"),
    [
        (PredefinedSplit(np.zeros(40, dtype=int)), ["0 rows to train", "40 to validate"]),
        (PredefinedSplit(-np.ones(40, dtype=int)), ["no split"]),
    ],
)
def test_a_splitter_that_leaves_a_part_empty(splitter, parts):
    with refused("validation_fraction", *parts):
        fit(classifier(early_stopping=True, validation_fraction=splitter))


@pytest.mark.parametrize("n_groups", [3, 80])
def test_groups_of_another_length(n_groups):
    model = classifier(early_stopping=True, validation_fraction=GroupKFold(2))
    with refused("groups", str(n_groups), "40"):
        model.fit(X, LABELS, groups=np.arange(n_groups))


def test_groups_that_are_missing():
    with refused("'groups' parameter should not be None"):
        fit(classifier(early_stopping=True, validation_fraction=GroupKFold(2)))


# Going on


def test_labels_that_were_not_named():
    model = classifier().partial_fit(X, LABELS)
    with refused(r"\[2\].*known.*\[0, 1\]", "Name all classes in the first call"):
        model.partial_fit(X, LABELS + 1)
    with refused(r"\[1\].*\[0, 2\]"):
        classifier().partial_fit(X, LABELS, classes=[0, 2])


def test_classes_that_change():
    model = classifier().partial_fit(X, LABELS, classes=[0, 1])
    with refused(r"classes=\[0, 1, 2\].*\[0, 1\].*fit to begin anew"):
        model.partial_fit(X, LABELS, classes=[0, 1, 2])


@pytest.mark.parametrize(
    ("change", "before", "now"),
    [
        ({"hidden_layer_sizes": (7,)}, "5", "7"),
        ({"hidden_layer_sizes": (5, 5)}, r"3-5-1", "3-5-5-1"),
        ({"norm": "layer"}, "None", "LayerNorm"),
        ({"optimizer": "sgd"}, "Adam", "SGD"),
        ({"input_scaling": None}, "standard", "None"),
        ({"topology": "wide"}, "Plain", "Wide"),
        ({"optimizer": Lookahead("adam")}, "Adam", "Lookahead.*adam"),
    ],
    ids=str,
)
def test_warm_start_of_another_network(change, before, now):
    model = fit(classifier(warm_start=True)).set_params(**change)
    (name,) = change
    with refused(f"another {name}: it was .*{before}.* is .*{now}", "Restore", "warm_start=False"):
        fit(model)
    fit(model.set_params(warm_start=False))


@pytest.mark.parametrize("activation", ["prelu", ["swiglu"]], ids=str)
def test_warm_start_with_an_activation_of_other_numbers(activation):
    model = fit(classifier(warm_start=True)).set_params(activation=activation)
    with refused("another activation|an activation of other", "Relu", "warm_start=False"):
        fit(model)
    # one without numbers of its own may follow
    fit(model.set_params(activation="tanh"))


def test_warm_start_in_other_units():
    model = fit(regressor(warm_start=True)).set_params(target_scaling=None)
    with refused("another target_scaling: it was 'standard' and is None", "warm_start=False"):
        fit(model)


def test_layers_are_spoken_of_where_layers_differ():
    model = fit(classifier(warm_start=True)).set_params(norm="layer")
    with refused("another norm") as error:
        fit(model)
    assert "inputs and outputs" not in str(error.value)


def test_early_stopping_can_not_begin_midway_without_a_validation_part():
    model = fit(classifier(warm_start=True)).set_params(early_stopping=True)
    with refused("early_stopping=True.*X_val.*warm_start=False"):
        fit(model)
    model.fit(X, LABELS, X_val=X, y_val=LABELS)


@pytest.mark.parametrize(
    ("table", "y", "message"),
    [
        (X[:, :2], LABELS, "X has 2 features.*expecting 3"),
        (X, THREE, r"Previously got \[0 1\].*has \[0 1 2\]"),
        (X, TWO_LABELS, r"one column of labels.*\(40, 2\)"),
    ],
)
def test_warm_start_on_another_task(table, y, message):
    with refused(message):
        fit(classifier(warm_start=True)).fit(table, y)


def test_regression_goes_on_with_as_many_outputs():
    with refused(r"(1 column|columns.*\(1\)).*\(40, 2\)"):
        regressor().partial_fit(X, NUMBERS).partial_fit(X, np.column_stack([NUMBERS, NUMBERS]))


def test_lbfgs_has_no_partial_fit():
    model = classifier(optimizer="lbfgs")
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as error:
        _ = model.partial_fit
    assert re.search("'lbfgs' takes all rows at once.*'adam'", str(error.value.__cause__))


def test_a_failed_fit_leaves_an_earlier_one_whole():
    model = fit(classifier(random_state=0))
    before = model.predict_proba(X)
    with refused("contains infinity"):
        model.fit(with_one(X, INF), LABELS)
    with refused("dates"):
        model.fit(pd.DataFrame({"when": pd.date_range("2020", periods=40)}), LABELS)
    with refused("learning_rate_init"):
        fit(model.set_params(learning_rate_init=-1))
    assert np.array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("parameter", "name", "here"),
    [
        ("loss", "cross_entropy", "log_loss"),
        ("initializer", "xavier", "glorot_uniform"),
        ("initializer", "kaiming_normal", "he_normal"),
        ("activation", "sigmoid", "logistic"),
        ("activation", "swish", "silu"),
        ("topology", "resnet", "residual"),
        ("schedule", "cosine_annealing", "cosine"),
        ("norm", "batchnorm", "batch"),
    ],
)
def test_a_name_of_another_library_gets_the_name_here(parameter, name, here):
    X, y = np.arange(6.0).reshape(6, 1), np.array([0, 1] * 3)
    with pytest.raises(ValueError, match=f"Did you mean {here!r}"):
        MLPClassifier(**{parameter: name}).fit(X, y)


def test_columns_that_are_far_from_standard_are_told_of():
    X = np.random.default_rng(0).normal(size=(30, 2)) * [1.0, 300.0]
    model = MLPRegressor(max_iter=1, input_scaling=None, n_iter_no_change=5)
    with (
        pytest.warns(UserWarning, match=r"deviations up to .*input_scaling='standard'") as told,
        pytest.warns(UserWarning, match="Maximum iterations"),
    ):
        model.fit(X, X[:, 0])
    assert all(record.filename == __file__ for record in told if "standard" in str(record.message))


# What no number of float64, or no label, can be made of


HUGE = 10**400


def objects_with(array, position, value):
    out = np.asarray(array).astype(object)
    out[position] = value
    return out


@pytest.mark.parametrize(
    ("table", "column"),
    [
        (objects_with(X, (7, 1), HUGE), "at index 1"),
        (objects_with(X, (7, 1), -HUGE).tolist(), "at index 1"),
        (pd.DataFrame(objects_with(X, (7, 1), HUGE), columns=list("abc")), "'b'"),
    ],
    ids=["array", "list", "frame"],
)
def test_an_integer_of_x_beyond_float64_is_told_with_its_place(table, column):
    parts = ("X has", "row 7", f"column {column}", "too large for float64", "leave")
    for model in (regressor(), classifier()):
        with refused(*parts):
            model.fit(table, LABELS)
    with refused(*parts):
        regressor().partial_fit(table, NUMBERS)
    if not isinstance(table, pd.DataFrame):
        with refused(*parts):
            regressor().fit(X, NUMBERS).predict(table)
    with refused(*parts, "X_val"):
        regressor(categorical_features=None).fit(
            pd.DataFrame(X, columns=table.columns) if isinstance(table, pd.DataFrame) else X,
            NUMBERS,
            X_val=table,
            y_val=NUMBERS,
        )


@pytest.mark.parametrize("as_list", [False, True])
def test_an_integer_of_y_beyond_float64_is_told_with_its_row(as_list):
    one = objects_with(NUMBERS, 5, HUGE)
    several = objects_with(np.column_stack([NUMBERS, NUMBERS]), (5, 1), HUGE)
    for y in (one, several):
        with refused("y has 1000", "row 5,", "too large for float64"):
            regressor().fit(X, y.tolist() if as_list else y)
        with refused("y has 1000", "row 5,", "y_val"):
            regressor().fit(X, np.ones_like(y, dtype=float) * X[:, :1].sum(), X_val=X, y_val=y)
    with refused("Unknown label type", "int of more than 64 bits", "Convert"):
        classifier().fit(X, [HUGE, 1] * 20)


@pytest.mark.parametrize(
    "weight",
    [
        HUGE,
        "a",
        ["a"] * 40,
        np.array(["a"] * 40),
        [1j] * 40,
        np.full(40, 1j),
        1j,
        [HUGE] * 40,
        {},
        [{}] * 40,
        [[1, 2], [3]],
        object(),
    ],
    ids=without_addresses,
)
def test_weights_that_are_no_numbers(weight):
    for model in (regressor(), classifier(class_weight="balanced")):
        with refused("sample_weight must be None, a number, or finite", "Got", "instead") as error:
            model.fit(X, LABELS, sample_weight=weight)
        assert "\n" not in str(error.value)
    with refused("sample_weight must be", "Got", "sample_weight_val"):
        regressor().fit(X, NUMBERS, X_val=X, y_val=NUMBERS, sample_weight_val=weight)


@pytest.mark.parametrize(
    ("X_val", "y_val", "parts"),
    [
        (5, 5, ("X_val must be array-like", "Got 5")),
        (X, 5, ("y_val must be array-like", "Got 5")),
        (1.5, NUMBERS, ("X_val must be array-like", r"Got 1\.5")),
        (X, object, ("y_val must be array-like", "Got")),
    ],
    ids=str,
)
def test_a_validation_set_that_is_no_table(X_val, y_val, parts):
    for model in (regressor(), classifier()):
        with refused(*parts):
            model.fit(X, LABELS, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize(
    ("y", "types"),
    [
        (pd.Series([1, "a"] * 20), [r"int \(such as 1\)", r"str \(such as 'a'\)"]),
        ([{"a": 1}] * 40, [r"dict \(such as \{'a': 1\}\)"]),
        ([{1, 2}] * 40, ["set"]),
        (np.array([True, "a"] * 20, dtype=object), ["bool", "str"]),
    ],
    ids=["mixed", "dicts", "sets", "bool and text"],
)
def test_labels_of_several_types(y, types):
    with refused("Unknown label type: y must hold labels of one type", "Convert", *types):
        classifier().fit(X, y)


@pytest.mark.parametrize("y", [[[1, 2], [3]] * 20, [[1], 2] * 20, [(1, 2), (3,)] * 20])
def test_targets_of_unequal_length(y):
    said = ("y must hold one target a row", "Got", "setting an array element with a sequence")
    with refused(*said):
        regressor().fit(X, y)
    with refused(*said, "MultiLabelBinarizer"):
        classifier().fit(X, y)


@pytest.mark.parametrize("y", [5, "a", {}])
def test_targets_that_are_no_array(y):
    for model in (regressor(), classifier()):
        with refused("y must be array-like", "Got"):
            model.fit(X, y)


@pytest.mark.parametrize(
    "table",
    [
        X + 1j,
        (X + 1j).tolist(),
        (X + 1j).astype(object),
        pd.DataFrame(X + 1j),
        sparse.csr_matrix(X + 1j),
        np.ones(40, dtype=complex),
        [[1j, None, 2]] * 40,
    ],
    ids=["array", "list", "objects", "frame", "sparse", "vector", "gaps"],
)
def test_complex_tables_are_told_of_in_one_line(table):
    for call in (regressor().fit, classifier().fit, regressor().fit(X, NUMBERS).score):
        with refused(r"^Complex data not supported: .*X", "as columns") as error:
            call(table, LABELS)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("y", [NUMBERS + 1j, [1j] * 40, pd.Series(NUMBERS + 1j)])
def test_complex_targets_are_told_of_in_one_line(y):
    for model in (regressor(), classifier()):
        with refused(r"^Complex data not supported: y ", "Give") as error:
            model.fit(X, y)
        assert "\n" not in str(error.value)


def test_complex_objects_among_targets():
    with refused(r"^Complex data not supported: y "):
        regressor().fit(X, pd.Series(NUMBERS + 1j).astype(object))


@pytest.mark.parametrize("table", [{}, object(), [[1, 2], [3]] * 20], ids=["dict", "object", "rag"])
def test_what_is_no_table_is_said_to_be_x(table):
    for call in (regressor().fit, regressor().fit(X, NUMBERS).score):
        with refused("It is about X"):
            call(table, NUMBERS)


def test_an_interval_where_numbers_are_asked_for():
    frame = pd.DataFrame({"a": X[:, 0], "b": pd.cut(X[:, 1], 3)})
    with refused(r"X has Interval\(", "row 0 of column 'b'", "categorical_features"):
        regressor(categorical_features=None).fit(frame, NUMBERS)
    # the way out is one
    assert regressor(categorical_features=["b"]).fit(frame, NUMBERS).is_categorical_.sum() == 1


@pytest.mark.parametrize("columns", [(5, "a"), [7], ["q"], [True], [None], [1.5]], ids=str)
def test_columns_that_are_none_of_the_table(columns):
    for table in (X, pd.DataFrame(X, columns=list("abc"))):
        with refused("categorical_features", f"Got {re.escape(repr(columns))} instead", "3 col"):
            regressor(categorical_features=columns).fit(table, NUMBERS)


# Classes and functions that are no components


@pytest.mark.parametrize("cls", [int, dict, Adam])
@pytest.mark.parametrize("name", ["schedule", "momentum_schedule", "norm", "dropout", "alpha"])
def test_no_instance_is_advised_of_a_class_that_is_no_component(name, cls):
    with refused(f"{name[-8:]}' parameter", "must be", "Got <class") as error:
        fit(classifier(**{name: cls}))
    assert "write" not in str(error.value)


@pytest.mark.parametrize(("name", "cls"), [("schedule", Cosine), ("norm", BatchNorm)])
def test_an_instance_is_advised_of_a_component_class(name, cls):
    with refused("instance, not a class", rf"write {cls.__name__}\(\)"):
        fit(classifier(**{name: cls}))


@pytest.mark.parametrize("monitor", [int, object, print, max, Adam])
@pytest.mark.parametrize("early_stopping", [True, False])
def test_a_monitor_that_is_no_scorer(monitor, early_stopping):
    with refused("'monitor' parameter", "must be 'loss', the name of a scorer or", "Got"):
        fit(classifier(monitor=monitor, early_stopping=early_stopping))


@pytest.mark.parametrize("sizes", [(1,) * 10**5, [1] * 10_001, range(1, 10**9), itertools.count(1)])
def test_too_many_hidden_layers(sizes):
    with refused("'hidden_layer_sizes' parameter", "at most 10000 hidden layers", "Got"):
        hidden_sizes(sizes)


def test_an_estimator_of_too_many_hidden_layers():
    with refused("'hidden_layer_sizes' parameter", "at most 10000 hidden layers"):
        fit(MLPClassifier((1,) * 10**5))


# Numbers so far out that no step is needed for a loss that is none


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"alpha": 1e308}, r"alpha=1e\+308"),
        ({"alpha": [1e308, 1e308]}, r"alpha=1e\+308"),
        ({"l1": 1e308}, r"l1=1e\+308"),
        ({"weight_noise": 1e308}, r"weight_noise=1e\+308"),
        ({"bias_initializer": 1e308}, r"bias_initializer=1e\+308"),
        ({"activation": Prelu(initial_slope=1e308)}, r"activation__initial_slope=1e\+308"),
        ({"activation": [Squareplus(b=1e308)], "dtype": "float32"}, r"activation__b=1e\+308"),
        ({"activation": Rrelu(upper=1e308)}, r"activation__upper=1e\+308"),
        ({"augmentation": TargetNoise(std=1e308)}, r"augmentation__std=1e\+308"),
        ({"augmentation": [InputNoise(std=1e300)]}, r"augmentation__std=1e\+300"),
    ],
    ids=str,
)
def test_numbers_that_are_far_out_are_named_where_the_loss_is_none(parameters, said):
    model = regressor(random_state=0, clip_norm=1e20, **parameters)
    with refused("not finite after any epoch", f"{said}[.]", "lower learning_rate_init") as error:
        fit(model)
    assert "clip_norm" not in str(error.value)  # as high as to do nothing, it is none of them
