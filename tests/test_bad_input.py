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
    Accumulated,
    Adam,
    AdamW,
    Bagging,
    BatchNorm,
    Bounded,
    ClipNorm,
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
    LeakyRelu,
    Linear,
    LinearCurriculum,
    Lion,
    Logistic,
    LogLoss,
    Lookahead,
    MaxNorm,
    Mixup,
    MomentumCycle,
    Muon,
    OneCycle,
    Prelu,
    Quantile,
    Rectangular,
    Relu,
    Residual,
    RMSprop,
    Rrelu,
    Scheduled,
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
        ("batch_size", "ful", "full"),
        ("ensemble", "sharde", "shared"),
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
        ({"dropout": Scheduled(0.1, "liner")}, "liner", "linear"),
        ({"dropout": [Scheduled(0.1, "liner")]}, "liner", "linear"),
        ({"dropout": Dropout(Scheduled(0.1, "liner"))}, "liner", "linear"),
        ({"input_dropout": Scheduled(0.1, "liner")}, "liner", "linear"),
        ({"weight_decay": Scheduled(0.1, "performence")}, "performence", "performance"),
        ({"optimizer": AdamW(weight_decay=Scheduled(0.1, "cosin"))}, "cosin", "cosine"),
        ({"optimizer": SGD(Scheduled(0.9, "momentum"))}, "momentum", "momentum_cycle"),
        ({"optimizer": Adam(Scheduled(0.9, "momentum"))}, "momentum", "momentum_cycle"),
        (
            {"optimizer": Lookahead(SGD(Scheduled(0.9, "momentum")))},
            "momentum",
            "momentum_cycle",
        ),
        (
            {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, "momentum"))},
            "momentum",
            "momentum_cycle",
        ),
        ({"dropout": Scheduled(0.1, Warmup("cosin"))}, "cosin", "cosine"),
        ({"clip_norm": ClipNorm(1.0, "tensors")}, "tensors", "tensor"),
        ({"batch_size": Accumulated("ful")}, "ful", "full"),
        ({"output_activation": Bounded("logistc")}, "logistc", "logistic"),
        ({"output_activation": "softpluss"}, "softpluss", "softplus"),
        ({"loss": "quantle"}, "quantle", "quantile"),
    ],
    ids=str,
)
def test_a_misspelt_name_within(parameters, typo, meant):
    make = regressor if {"output_activation", "loss"} & set(parameters) else classifier
    with refused(f"Got '{typo}' instead", rf"Did you mean [^?]*'{meant}'[^?]*\?"):
        fit(make(**parameters))


def test_the_schedule_that_is_misspelt_is_told_from_others():
    several = {"dropout": [Scheduled(0.1, "liner")], "weight_decay": Scheduled(0.2, "linear")}
    with refused("Got 'liner'", r"It is that of Scheduled\(schedule='liner', value=0\.1\)"):
        fit(classifier(schedule="cosine", **several))


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
        ("input_scaling", LayerNorm),
        ("early_stopping", EarlyStopping),
        ("clip_norm", ClipNorm),
        ("ensemble", Bagging),
        ("batch_size", Accumulated),
        ("dropout", Scheduled),
        ("input_dropout", Scheduled),
        ("weight_decay", Scheduled),
    ],
)
def test_a_class_instead_of_an_instance(parameter, component):
    with refused(f"'{parameter}' parameter", "instance", rf"{component.__name__}\("):
        fit(classifier(**{parameter: component}))


def test_a_class_instead_of_an_instance_of_the_output():
    with refused("'output_activation' parameter", r"not a class: write Bounded\(\)"):
        fit(regressor(output_activation=Bounded))


@pytest.mark.parametrize(
    ("parameters", "parameter", "cls"),
    [
        ({"dropout": Scheduled(0.1, Cosine)}, "schedule", Cosine),
        ({"dropout": [Scheduled(0.1, Cosine)]}, "schedule", Cosine),
        ({"dropout": Dropout(Scheduled(0.1, Cosine))}, "schedule", Cosine),
        ({"input_dropout": Scheduled(0.1, Linear)}, "schedule", Linear),
        ({"weight_decay": Scheduled(0.1, Cosine)}, "schedule", Cosine),
        ({"optimizer": SGD(Scheduled(0.9, MomentumCycle))}, "schedule", MomentumCycle),
        ({"optimizer": Lookahead(SGD(Scheduled(0.9, MomentumCycle)))}, "schedule", MomentumCycle),
        (
            {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, Linear))},
            "schedule",
            Linear,
        ),
        ({"dropout": Dropout(Scheduled)}, "rate", Scheduled),
        ({"optimizer": SGD(Scheduled)}, "momentum", Scheduled),
        ({"optimizer": Lookahead(Adam(Scheduled))}, "beta_1", Scheduled),
        ({"output_activation": Bounded(Logistic)}, "activation", Logistic),
    ],
    ids=str,
)
def test_a_class_instead_of_an_instance_within(parameters, parameter, cls):
    make = regressor if "output_activation" in parameters else classifier
    with refused(f"'{parameter}' parameter", "instance, not a class", rf"write {cls.__name__}\("):
        fit(make(**parameters))


@pytest.mark.parametrize(
    ("parameter", "wrong"),
    [
        ("optimizer", Cosine()),
        ("activation", SGD()),
        ("topology", Relu()),
        ("constraint", Cosine()),
        ("augmentation", Cosine()),
        ("curriculum", SGD()),
        ("input_scaling", Cosine()),
        ("early_stopping", Cosine()),
        ("bias_initializer", Relu()),
        ("hidden_layer_sizes", Wide()),
        ("dropout", ClipNorm()),
        ("input_dropout", Dropout(0.5)),
        ("weight_decay", AdamW()),
        ("clip_norm", Bagging()),
        ("ensemble", ClipNorm()),
        ("batch_size", Bagging()),
    ],
)
def test_a_component_of_another_family(parameter, wrong):
    with refused(f"'{parameter}' parameter", re.escape(f"Got {wrong!r} instead")):
        fit(classifier(**{parameter: wrong}))


@pytest.mark.parametrize(
    ("parameters", "parameter", "wrong"),
    [
        ({"dropout": Scheduled(0.1, Dropout(0.5))}, "schedule", Dropout(0.5)),
        ({"input_dropout": Scheduled(0.1, Relu())}, "schedule", Relu()),
        ({"weight_decay": Scheduled(0.1, SGD())}, "schedule", SGD()),
        ({"optimizer": SGD(Scheduled(0.9, SGD()))}, "schedule", SGD()),
        ({"optimizer": Adam(Scheduled(0.9, Bagging()))}, "schedule", Bagging()),
        (
            {"dropout": Scheduled(0.1, Scheduled(0.1, "linear"))},
            "schedule",
            Scheduled(0.1, "linear"),
        ),
        ({"output_activation": ClipNorm()}, "output_activation", ClipNorm()),
        ({"output_activation": Bounded(Cosine())}, "activation", Cosine()),
        ({"output_activation": Bounded(Bounded())}, "activation", Bounded()),
    ],
    ids=str,
)
def test_a_component_of_another_family_within(parameters, parameter, wrong):
    make = regressor if "output_activation" in parameters else classifier
    with refused(f"'{parameter}' parameter", re.escape(f"Got {wrong!r} instead")):
        fit(make(**parameters))


# What a schedule drives, and what it does not


LINEAR = Scheduled(0.1, "linear")


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        *(
            ({name: LINEAR}, name)
            for name in (
                "alpha",
                "l1",
                "activity_l1",
                "weight_noise",
                "ema_decay",
                "clip_norm",
                "clip_value",
                "label_smoothing",
                "learning_rate_init",
                "bias_initializer",
                "schedule",
                "optimizer",
                "validation_fraction",
                "tol",
                "max_time",
            )
        ),
        ({"batch_size": Scheduled(8, "linear")}, "batch_size"),
        ({"hidden_layer_sizes": Scheduled(8, "linear")}, "hidden_layer_sizes"),
        ({"max_iter": Scheduled(8, "linear")}, "max_iter"),
        ({"optimizer": Adam(beta_2=LINEAR)}, "beta_2"),
        ({"optimizer": Adam(epsilon=LINEAR)}, "epsilon"),
        ({"optimizer": AdamW(beta_2=LINEAR)}, "beta_2"),
        ({"optimizer": RMSprop(LINEAR)}, "rho"),
        ({"optimizer": Lion(beta_2=LINEAR)}, "beta_2"),
        ({"optimizer": Muon(beta_1=LINEAR)}, "beta_1"),
        ({"optimizer": SGD(0.9, nesterov=LINEAR)}, "nesterov"),
        ({"optimizer": Lookahead(alpha=LINEAR)}, "alpha"),
        ({"optimizer": Lookahead(Adam(beta_2=LINEAR))}, "beta_2"),
        ({"clip_norm": ClipNorm(LINEAR)}, "max_norm"),
        ({"ensemble": Bagging(LINEAR)}, "fraction"),
        ({"batch_size": Accumulated(8, Scheduled(2, "linear"))}, "steps"),
        ({"batch_size": Accumulated(Scheduled(8, "linear"))}, "size"),
        ({"output_activation": Bounded(low=LINEAR)}, "low"),
        ({"activation": LeakyRelu(LINEAR)}, "negative_slope"),
        ({"activation": [LeakyRelu(LINEAR)]}, "negative_slope"),
        ({"augmentation": InputNoise(LINEAR)}, "std"),
        ({"constraint": MaxNorm(LINEAR)}, "limit"),
        ({"dropout": Dropout(0.1, shared=LINEAR)}, "shared"),
    ],
    ids=str,
)
def test_a_schedule_where_a_number_has_to_stay(parameters, parameter):
    make = regressor if "output_activation" in parameters else classifier
    with refused(
        f"'{parameter}' parameter",
        r"Got Scheduled\(schedule='linear'.*\) instead",
        "A schedule drives dropout, input_dropout, weight_decay and the momentum .or beta_1. of an",
        "learning_rate_init is given as .schedule.",
    ):
        fit(make(**parameters))


@pytest.mark.parametrize("parameter", ["alpha", "l1"])
def test_a_schedule_among_strengths_by_layer(parameter):
    with refused(f"'{parameter}'.*numbers of at least 0", "Got .*Scheduled"):
        fit(classifier(**{parameter: [LINEAR, 0.1]}))


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"dropout": Scheduled(LINEAR, "linear")}, "dropout"),
        ({"input_dropout": Scheduled(LINEAR, "linear")}, "input_dropout"),
        ({"weight_decay": Scheduled(LINEAR, "linear")}, "weight_decay"),
        ({"dropout": Dropout(Scheduled(LINEAR, "linear"))}, "rate"),
        ({"dropout": [Scheduled(LINEAR, "linear")]}, "value"),
        ({"optimizer": SGD(Scheduled(LINEAR, "linear"))}, "momentum"),
    ],
    ids=str,
)
def test_a_schedule_of_a_scheduled_number(parameters, parameter):
    with refused(f"'{parameter}' parameter", r"float in the range", r"Got Scheduled\("):
        fit(classifier(**parameters))


@pytest.mark.parametrize(
    ("cls", "arguments", "parts"),
    [
        (torch.optim.SGD, {"dampening": LINEAR}, [r"dampening=Scheduled\(", "of SGD"]),
        (torch.optim.SGD, {"weight_decay": LINEAR}, [r"weight_decay=Scheduled\(", "of SGD"]),
        (torch.optim.AdamW, {"weight_decay": LINEAR}, [r"weight_decay=Scheduled\(", "of AdamW"]),
        (torch.optim.Adam, {"eps": LINEAR}, [r"eps=Scheduled\(", "of Adam"]),
        (torch.optim.Adam, {"betas": (0.9, LINEAR)}, [r"betas=\(0\.9, Scheduled\(", "of Adam"]),
        (torch.optim.Adam, {"betas": (LINEAR, LINEAR)}, [r"betas=\(.*Scheduled\(", "of Adam"]),
        (torch.optim.RMSprop, {"alpha": LINEAR}, [r"alpha=Scheduled\(", "of RMSprop"]),
    ],
    ids=str,
)
def test_a_schedule_of_what_a_class_of_torch_reads_once(cls, arguments, parts):
    with refused(
        "A schedule can't drive", *parts, "`momentum`, or the first of `betas`", "Give a number"
    ):
        fit(classifier(optimizer=TorchOptimizer(cls, **arguments)))


def test_a_schedule_of_a_momentum_that_there_is_none_of():
    with refused("'momentum' is no argument of Adagrad"):
        fit(classifier(optimizer=TorchOptimizer(torch.optim.Adagrad, momentum=LINEAR)))


class Forgetful(SGD):
    """A user's own, which says that a schedule may drive what no step reads anew."""

    _parameter_constraints = SGD._parameter_constraints | {
        "memory": SGD._parameter_constraints["momentum"]
    }

    def __init__(self, momentum=0.0, nesterov=False, memory=0.5):
        super().__init__(momentum, nesterov)
        self.memory = memory


@pytest.mark.parametrize(
    ("optimizer", "name"),
    [
        (Forgetful(memory=LINEAR), "memory"),
        (Lookahead(Forgetful(memory=LINEAR)), "optimizer__memory"),
    ],
    ids=str,
)
def test_a_schedule_of_what_is_not_read_at_each_step(optimizer, name):
    momentum = name.replace("memory", "momentum")
    with refused(
        f"A schedule can't drive '{name}' of optimizer=", f"its momentum .'{momentum}'.", "number"
    ):
        fit(classifier(optimizer=optimizer))


@pytest.mark.parametrize(
    "parameters",
    [
        {"dropout": Scheduled(0.0, "linear")},
        {"dropout": [Scheduled(0.0, "linear")]},
        {"dropout": Dropout(Scheduled(0.0, "linear"))},
        {"dropout": Scheduled(0.1, "linear"), "hidden_layer_sizes": ()},
        {"input_dropout": Scheduled(0.0, "linear")},
        {"weight_decay": Scheduled(0.0, "cosine")},
        {"weight_decay": Scheduled(0.0, "cosine"), "optimizer": "adam"},
        {"weight_decay": Scheduled(0.0, "cosine"), "optimizer": "ftrl"},
        {"optimizer": AdamW(weight_decay=Scheduled(0.0, "cosine"))},
        {"optimizer": Lookahead(AdamW(weight_decay=Scheduled(0.0, "cosine")))},
        {"optimizer": SGD(Scheduled(0.0, "momentum_cycle"))},
        {"optimizer": Lookahead(SGD(Scheduled(0.0, "linear")))},
        {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.0, "linear"))},
    ],
    ids=str,
)
def test_a_scheduled_0_is_a_0(parameters):
    """A search may have 0 among the numbers that a schedule drives."""

    def numbers(value):
        if isinstance(value, Scheduled):
            return value.value
        if isinstance(value, list):
            return [numbers(each) for each in value]
        return value.taken_apart()[0] if hasattr(value, "taken_apart") else value

    plain = {name: numbers(value) for name, value in parameters.items()}
    given = fit(classifier(random_state=0, max_iter=4, **parameters))
    same = fit(classifier(random_state=0, max_iter=4, **plain))
    for one, other in zip(given.coefs_, same.coefs_, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("key", "component"),
    [
        ("optimizer__beta_1", r"optimizer=Adam\((\.\.\.)?\)"),
        ("schedule__horizon", r"schedule=(Cosine|Linear|OneCycle)\((\.\.\.)?\)"),
        ("norm__epsilon", r"norm=(Batch|Layer)Norm\((\.\.\.)?\)"),
        ("dropout__rate", r"dropout=(Alpha)?Dropout\((\.\.\.)?\)"),
        ("initializer__scale", r"initializer=VarianceScaling\((\.\.\.)?\)"),
        ("hidden_layer_sizes__width", r"hidden_layer_sizes=Rectangular\((\.\.\.)?\)"),
        ("topology__block_size", r"topology=Residual\((\.\.\.)?\)"),
        ("topology__auxiliary_weight", r"topology=(Plain|Residual|Wide)\((\.\.\.)?\)"),
        ("constraint__limit", r"constraint=MaxNorm\((\.\.\.)?\)"),
        ("augmentation__std", r"augmentation=(Input|Label|Target)Noise\((\.\.\.)?\)"),
        ("curriculum__start", r"curriculum=(Linear|Exponential)Curriculum\((\.\.\.)?\)"),
        ("early_stopping__patience", r"early_stopping=EarlyStopping\((\.\.\.)?\)"),
        ("bias_initializer__value", r"bias_initializer=ConstantInitializer\((\.\.\.)?\)"),
        ("dropout__value", r"dropout=Scheduled\((\.\.\.)?\)"),
        ("dropout__schedule", r"dropout=Scheduled\((\.\.\.)?\)"),
        ("dropout__schedule__final_factor", r"dropout=Scheduled\((\.\.\.)?\)"),
        ("dropout__rate__value", r"dropout=(Alpha)?Dropout\((\.\.\.)?\)"),
        ("input_dropout__value", r"input_dropout=Scheduled\((\.\.\.)?\)"),
        ("input_dropout__schedule__final_factor", r"input_dropout=Scheduled\((\.\.\.)?\)"),
        ("weight_decay__value", r"weight_decay=Scheduled\((\.\.\.)?\)"),
        ("weight_decay__schedule__every", r"weight_decay=Scheduled\((\.\.\.)?\)"),
        ("optimizer__momentum__value", r"optimizer=(SGD|Momentum)\((\.\.\.)?\)"),
        ("optimizer__momentum__schedule__low_factor", r"optimizer=(SGD|Momentum)\((\.\.\.)?\)"),
        ("optimizer__weight_decay__value", r"optimizer=AdamW\((\.\.\.)?\)"),
        ("clip_norm__max_norm", r"clip_norm=ClipNorm\((\.\.\.)?\)"),
        ("clip_norm__scope", r"clip_norm=ClipNorm\((\.\.\.)?\)"),
        ("ensemble__fraction", r"ensemble=Bagging\((\.\.\.)?\)"),
        ("ensemble__bootstrap", r"ensemble=Bagging\((\.\.\.)?\)"),
        ("batch_size__size", r"batch_size=Accumulated\((\.\.\.)?\)"),
        ("batch_size__steps", r"batch_size=Accumulated\((\.\.\.)?\)"),
        ("input_scaling__momentum", r"input_scaling=BatchNorm\((\.\.\.)?\)"),
        ("activation__initial_slope", r"activation=Prelu\((\.\.\.)?\)"),
        ("loss__gamma", r"loss=Focal\((\.\.\.)?\)"),
        ("optimizer__k", r"optimizer=Lookahead\((\.\.\.)?\)"),
    ],
)
def test_a_nested_parameter_of_a_plain_value(key, component):
    with refused(f"'{key}' can't be set", component):
        classifier().set_params(**{key: 0.5})


@pytest.mark.parametrize("name", ["low", "high", "activation"])
def test_a_nested_parameter_of_a_plain_output(name):
    for plain in ("identity", "tanh"):
        with refused(
            f"'output_activation__{name}' can't be set: output_activation='{plain}'",
            r"output_activation=Bounded\((\.\.\.)?\)",
        ):
            regressor(output_activation=plain).set_params(**{f"output_activation__{name}": 0.5})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"dropout": 0.5}, "dropout__value"),
        ({"dropout": [Scheduled(0.5, "linear")]}, "dropout__value"),
        ({"input_dropout": 0.5}, "input_dropout__value"),
        ({"weight_decay": 0.5}, "weight_decay__schedule"),
        ({"clip_norm": 0.5}, "clip_norm__max_norm"),
        ({"batch_size": 8}, "batch_size__steps"),
        ({"ensemble": "shared"}, "ensemble__fraction"),
    ],
    ids=str,
)
def test_a_nested_parameter_where_there_is_a_plain_number(given, key):
    ((name, value),) = given.items()
    said = re.escape(f"{name}={value!r} has no parameters of its own")
    with refused(f"'{key}' can't be set: {said}", rf"as in {name}=\w+\((\.\.\.)?\)"):
        classifier(**given).set_params(**{key: 0.5})


@pytest.mark.parametrize(
    ("given", "key", "parts"),
    [
        (
            {"optimizer": SGD(0.9)},
            "optimizer__momentum__value",
            [
                "'momentum__value'.*momentum=0.9 has no",
                r"as in SGD\(\w+=Scheduled\(0\.9, 'linear'\)",
            ],
        ),
        (
            {"optimizer": SGD(0.9)},
            "optimizer__momentum__schedule",
            [
                "'momentum__schedule'.*momentum=0.9 has no",
                r"as in SGD\(\w+=Scheduled\(0\.9, 'linear'\)",
            ],
        ),
        (
            {"optimizer": Adam()},
            "optimizer__beta_1__value",
            ["'beta_1__value'.*beta_1=0.9 has no", r"as in Adam\(\w+=Scheduled\(0\.9, 'linear'\)"],
        ),
        (
            {"optimizer": Lookahead(Adam())},
            "optimizer__optimizer__beta_1__value",
            ["'beta_1__value'.*beta_1=0.9 has no", r"as in Adam\(\w+=Scheduled\(0\.9, 'linear'\)"],
        ),
        (
            {"optimizer": AdamW()},
            "optimizer__weight_decay__value",
            [
                "'weight_decay__value'.*weight_decay=0.01",
                r"as in AdamW\(\w+=Scheduled\(0\.01, 'linear'\)",
            ],
        ),
        (
            {"dropout": Dropout()},
            "dropout__rate__value",
            ["'rate__value'.*rate=0.5 has no", r"as in Dropout\(\w+=Scheduled\(0\.5, 'linear'\)"],
        ),
        (
            {"dropout": Scheduled(0.1, "linear")},
            "dropout__schedule__final_factor",
            ["schedule='linear' has no", r"that has 'final_factor', as in Scheduled\(schedule="],
        ),
        (
            {"optimizer": SGD(Scheduled(0.1, "linear"))},
            "optimizer__momentum__schedule__final_factor",
            ["schedule='linear' has no", r"that has 'final_factor', as in Scheduled\(schedule="],
        ),
        (
            {"schedule": Warmup("linear")},
            "schedule__schedule__final_factor",
            ["schedule='linear' has no", r"that has 'final_factor', as in Warmup\(schedule="],
        ),
    ],
    ids=str,
)
def test_a_nested_parameter_of_a_plain_number_within(given, key, parts):
    with refused("can't be set", "has no parameters of its own", *parts):
        classifier(**given).set_params(**{key: 0.5})


@pytest.mark.parametrize(
    ("given", "key", "value"),
    [
        ({"dropout": Scheduled(0.1, "linear")}, "dropout__value", 0.2),
        ({"dropout": Scheduled(0.1, "linear")}, "dropout__schedule", "cosine"),
        ({"dropout": Scheduled(0.1, Linear())}, "dropout__schedule__final_factor", 0.5),
        ({"dropout": Dropout(Scheduled(0.1, "linear"))}, "dropout__rate__value", 0.2),
        ({"input_dropout": Scheduled(0.1, "linear")}, "input_dropout__value", 0.2),
        ({"weight_decay": Scheduled(0.1, "linear")}, "weight_decay__value", 0.2),
        ({"optimizer": SGD(Scheduled(0.1, "linear"))}, "optimizer__momentum__value", 0.2),
        (
            {"optimizer": Lookahead(Adam(Scheduled(0.1, "linear")))},
            "optimizer__optimizer__beta_1__value",
            0.2,
        ),
        ({"clip_norm": ClipNorm()}, "clip_norm__max_norm", 0.2),
        ({"clip_norm": ClipNorm()}, "clip_norm__scope", "tensor"),
        ({"ensemble": Bagging()}, "ensemble__fraction", 0.5),
        ({"ensemble": Bagging()}, "ensemble__bootstrap", False),
        ({"batch_size": Accumulated()}, "batch_size__steps", 3),
        ({"batch_size": Accumulated()}, "batch_size__size", 8),
    ],
    ids=str,
)
def test_a_nested_parameter_of_a_component_is_set(given, key, value):
    model = fit(classifier(**given).set_params(**{key: value}))
    assert model.get_params()[key] == value


@pytest.mark.parametrize(
    ("given", "key", "parts"),
    [
        ({"dropout": Scheduled(0.1, "linear")}, "dropout__rate", "'rate'.*'schedule', 'value'"),
        ({"dropout": Dropout()}, "dropout__value", "'value'.*'rate', 'shared'"),
        ({"clip_norm": ClipNorm()}, "clip_norm__norm", "'norm'.*'max_norm', 'scope'"),
        ({"ensemble": Bagging()}, "ensemble__rows", "'rows'.*'bootstrap', 'fraction'"),
        ({"batch_size": Accumulated()}, "batch_size__step", "'step'.*'size', 'steps'"),
    ],
    ids=str,
)
def test_an_unknown_nested_parameter_of_a_component(given, key, parts):
    with refused(f"Invalid parameter {parts}"):
        classifier(**given).set_params(**{key: 0.5})


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("topology__blocks", "blocks"),
        ("alpha__value", "value"),
        ("learning_rate_init__value", "value"),
        ("clip_value__value", "value"),
        ("clip_norm__norm", "norm"),
        ("ensemble__rows", "rows"),
        ("batch_size__step", "step"),
        ("input_dropout__rate", "rate"),
    ],
)
def test_a_nested_parameter_that_nothing_has(key, name):
    with refused(f"'{key}' can't be set", f"No component.*parameter '{name}'"):
        classifier().set_params(**{key: 2})


def test_a_nested_parameter_within_a_wrapper():
    model = classifier(optimizer=Lookahead("adam"))
    with refused(
        "'optimizer__beta_1' can't be set: optimizer='adam' has no parameters of its own",
        r"the component that has 'beta_1', as in Lookahead\(optimizer=",
    ):
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
        ("clip_norm", [0, -1.0, NAN], f"{POSITIVE}, None or an instance of .*ClipNorm"),
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
        ("ensemble", ["all", None, 1, 0.5, True], "'independent', 'shared'.*Bagging"),
        ("input_dropout", [1.0, -0.1, NAN, "0.5", [0.1]], r"\[0\.0, 1\.0\)"),
        ("weight_noise", [-0.1, NAN, INF, "0.1", None], NOT_NEGATIVE),
        ("activity_l1", [-0.1, NAN, INF, [0.1]], NOT_NEGATIVE),
        ("ema_decay", [1.0, -0.1, NAN, None], r"\[0\.0, 1\.0\)"),
        ("bias_initializer", [NAN, INF, -INF, None], r"\(-inf, inf\).*'prior'"),
        ("topology", [2, None], "'residual'"),
        ("constraint", [1.0, ["max_norm"]], "'max_norm'.*None"),
        ("augmentation", [0.1], "'mixup'.*None"),
        ("curriculum", [0.1, ["linear"]], "'linear'.*None"),
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


def scheduled(*values):
    return [Scheduled(value, "linear") for value in values]


RATE = r"float in the range \[0\.0, 1\.0\)"


@pytest.mark.parametrize(
    ("parameter", "values", "allowed"),
    [
        ("dropout", scheduled(1.0, -0.1, NAN, INF, "0.5", None, True), RATE),
        ("input_dropout", scheduled(1.0, -0.1, NAN, INF, "0.5", None, True), RATE),
        ("weight_decay", scheduled(-1e-4, NAN, INF, "0.1", None, True), NOT_NEGATIVE),
    ],
)
def test_a_scheduled_number_out_of_range(parameter, values, allowed):
    for value in values:
        with refused(
            f"'{parameter}' parameter of MLPClassifier",
            f"must be .*{allowed}",
            re.escape(f"Got {value!r} instead"),
        ):
            fit(classifier(**{parameter: value}))


@pytest.mark.parametrize(
    ("put", "parameter", "values", "allowed"),
    [
        (Dropout, "'rate' parameter of Dropout", [1.0, -0.1, NAN, "0.5", None], RATE),
        (SGD, "'momentum' parameter of SGD", [1.1, -0.1, NAN, "0.5", None], r"\[0\.0, 1\.0\]"),
        (Adam, "'beta_1' parameter of Adam", [1.0, -0.1, NAN, "0.5", None], RATE),
        (
            lambda value: Lookahead(SGD(value)),
            "'momentum' parameter of SGD",
            [1.1, -0.1, NAN, "0.5", None],
            r"\[0\.0, 1\.0\]",
        ),
        (
            lambda value: AdamW(weight_decay=value),
            "'weight_decay' parameter of AdamW",
            [-0.1, NAN, INF, "0.1", None],
            NOT_NEGATIVE,
        ),
    ],
)
def test_a_scheduled_number_out_of_the_range_of_a_component(put, parameter, values, allowed):
    name = "dropout" if put is Dropout else "optimizer"
    for value in values:
        with refused(parameter, f"must be .*{allowed}", f"Got .*{re.escape(repr(value))}"):
            fit(classifier(**{name: put(Scheduled(value, "linear"))}))


def test_a_scheduled_rate_out_of_range_in_a_list():
    for value in (1.0, -0.1):
        with refused("'rate' parameter of Dropout", RATE, f"Got {value}"):
            fit(classifier(dropout=[Scheduled(value, "linear")]))
    for value in (NAN, "0.5", None, True):
        with refused("'value' parameter of Scheduled", "float in the range", f"Got {value!r}"):
            fit(classifier(dropout=[Scheduled(value, "linear")]))


def test_a_scheduled_momentum_that_a_class_of_torch_refuses():
    with refused("can't make a step with SGD", r"'momentum': -1\.0", "Invalid momentum"):
        rule = TorchOptimizer(torch.optim.SGD, momentum=Scheduled(-1.0, "linear"))
        fit(classifier(optimizer=rule))


@pytest.mark.parametrize("wrong", [0.9, None, ["cosine"], {}, 5])
@pytest.mark.parametrize(
    "put",
    [
        lambda number: {"dropout": number},
        lambda number: {"dropout": [number]},
        lambda number: {"dropout": Dropout(number)},
        lambda number: {"input_dropout": number},
        lambda number: {"weight_decay": number},
        lambda number: {"optimizer": AdamW(weight_decay=number)},
        lambda number: {"optimizer": SGD(number)},
        lambda number: {"optimizer": Adam(number)},
        lambda number: {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=number)},
    ],
    ids=["dropout", "a layer's", "rate", "inputs", "decay", "own", "momentum", "beta_1", "torch"],
)
def test_what_is_no_schedule(put, wrong):
    with refused("'schedule' parameter", "must be", re.escape(f"Got {wrong!r} instead")):
        fit(classifier(**put(Scheduled(0.1, wrong))))


@pytest.mark.parametrize(
    ("name", "cls", "parameter", "values", "allowed"),
    [
        (
            "clip_norm",
            ClipNorm,
            "max_norm",
            [0, -1.0, NAN, INF, "1", None, True],
            rf"float in the range {POSITIVE}",
        ),
        ("clip_norm", ClipNorm, "scope", ["all", None, 1, ["tensor"]], "'global', 'tensor'"),
        (
            "ensemble",
            Bagging,
            "fraction",
            [0, -0.5, 1.5, NAN, INF, "0.5", None, True],
            r"float in the range \(0\.0, 1\.0\]",
        ),
        ("ensemble", Bagging, "bootstrap", ["yes", 2, None], "bool"),
        ("batch_size", Accumulated, "steps", [0, -1, 1.5, None, True], r"int .*\[1, inf\)"),
        (
            "batch_size",
            Accumulated,
            "size",
            [0, -2, 2.5, "all", None, True],
            r"'(auto|full)'.*\[1, inf\)",
        ),
    ],
)
def test_a_number_out_of_range_of_a_component(name, cls, parameter, values, allowed):
    for value in values:
        with refused(
            f"'{parameter}' parameter of {cls.__name__}",
            f"must be .*{allowed}",
            re.escape(f"Got {value!r} instead"),
        ):
            fit(classifier(**{name: cls(**{parameter: value})}))


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
        (
            {"optimizer": SGD(Scheduled(0.0, "linear"), nesterov=True)},
            ["nesterov=True.*momentum=0.0", "nesterov=False"],
        ),
        ({"dropout": Scheduled(0.1, OneCycle(up_fraction=0.9))}, ["up_fraction=0.9"]),
        ({"dropout": [Scheduled(0.1, OneCycle(up_fraction=0.9))]}, ["up_fraction=0.9"]),
        ({"weight_decay": Scheduled(0.1, OneCycle(up_fraction=0.9))}, ["up_fraction=0.9"]),
        ({"optimizer": SGD(Scheduled(0.9, OneCycle(up_fraction=0.9)))}, ["up_fraction=0.9"]),
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


def test_a_sequence_of_another_length_of_scheduled_rates():
    for length in (0, 2):
        with refused("'dropout' parameter.*sequence of 1, one a hidden layer", f"Got {length}"):
            fit(classifier(dropout=[Scheduled(0.1, "linear")] * length))
    fit(classifier(dropout=[Scheduled(0.1, "linear")]))
    fit(classifier(dropout=(Scheduled(0.1, "linear"),)))


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
        *(
            (
                {"output_activation": Bounded(unbounded)},
                ["both sides", re.escape(f"activation={unbounded!r} is within"), "'logistic'"],
            )
            for unbounded in ["identity", "relu", Relu(), "softplus", "prelu", "swiglu", "rrelu"]
        ),
        *(
            (
                {"output_activation": Bounded("tanh", *bad)},
                [f"Bounded got low={bad[0]} and high={bad[1]}", "low must be less than high"],
            )
            for bad in [(1, 0), (0, 0), (2.5, -2.5)]
        ),
        *(
            (
                {"output_activation": Bounded("tanh", **{name: bad})},
                [
                    f"'{name}' parameter of Bounded",
                    r"\(-inf, inf\)",
                    re.escape(f"Got {bad!r} instead"),
                ],
            )
            for name in ("low", "high")
            for bad in (INF, -INF, NAN, "0", None, True, (0, 1))
        ),
        *(
            (
                {"output_activation": Bounded(bad)},
                ["'activation' parameter of Bounded", f"Got {bad!r} instead"],
            )
            for bad in (3, None)
        ),
        ({"output_activation": "prelu"}, ["output_activation='prelu'.*no link", "'softplus'"]),
        ({"output_activation": "swiglu"}, ["output_activation='swiglu'.*no link"]),
        ({"output_activation": "rrelu"}, ["output_activation='rrelu'.*no link"]),
        (
            {"output_activation": Bounded("tanh", -0.1, 0.1)},
            [
                "y has values from",
                r"output_activation=Tanh\(\) predicts numbers from -0.1 to 0.1",
                re.escape(f"Bounded(Tanh(), {float(min(NUMBERS))}, {float(max(NUMBERS))})"),
                "hold all targets",
                "or choose another output_activation",
            ],
        ),
        (
            {"output_activation": "logistic"},
            ["predicts numbers from 0 to 1", r"output_activation=Bounded\(Logistic\(\), "],
        ),
        (
            {"output_activation": "relu"},
            ["predicts numbers from 0 to inf. Choose another output_activation"],
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
        (
            {"batch_size": Accumulated(steps=3)},
            [r"batch_size=Accumulated\(steps=3\)"],
            {"batch_size": "auto"},
        ),
        (
            {"batch_size": Accumulated(8, 1)},
            [r"batch_size=Accumulated\(size=8, steps=1\)"],
            {"batch_size": "auto"},
        ),
        ({"clip_norm": ClipNorm(2.0, "tensor")}, [r"clip_norm=.*2\.0"], {"clip_norm": None}),
        ({"dropout": Scheduled(0.1, "linear")}, [r"dropout=.*0\.1"], {"dropout": 0.0}),
        ({"input_dropout": Scheduled(0.1, "linear")}, [r"0\.1"], {"input_dropout": 0.0}),
        ({"weight_decay": Scheduled(0.1, "linear")}, [r"0\.1"], {"weight_decay": 0.0}),
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
            {"weight_decay": Scheduled(0.1, "linear"), "optimizer": "ftrl"},
            [r"weight_decay=.*0\.1", r"optimizer=FTRL\(\)", "l2, or alpha"],
            {"weight_decay": Scheduled(0.0, "linear")},
        ),
        (
            {"norm": "batch", "batch_size": Accumulated(1, 4)},
            [r"norm=BatchNorm\(\).*batch_size=1", "batch_size >= 2"],
            {"batch_size": Accumulated(2, 4)},
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
        ("dropout", Scheduled(0.5, "linear"), "dropout=0.0"),
        ("dropout", Dropout(Scheduled(0.5, "linear")), "dropout=0.0"),
        ("topology", "residual", "topology='plain'"),
        ("topology", "wide", "topology='plain'"),
    ],
)
def test_a_module_and_what_is_its_own_matter(parameter, value, off):
    module = HiddenModule(Hidden)
    with refused("hidden_layer_sizes=HiddenModule", f"{parameter}=", re.escape(off)):
        fit(classifier(hidden_layer_sizes=module, **{parameter: value}))
    fit(classifier(hidden_layer_sizes=module))


@pytest.mark.parametrize(
    "none", [0.0, None, Dropout(0.0), Scheduled(0.0, "linear"), Dropout(Scheduled(0.0, "linear"))]
)
def test_a_module_and_a_dropout_of_none(none):
    fit(classifier(hidden_layer_sizes=HiddenModule(Hidden), dropout=none))


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


def test_two_decays_of_which_schedules_drive_one_or_both():
    own, other = Scheduled(0.1, "linear"), Scheduled(0.2, "cosine")
    for of_rule, of_estimator in ((own, 0.2), (0.1, other), (own, other), (own, own)):
        with refused("weight_decay=.*contradicts.*AdamW", "Set one of the two to 0"):
            fit(classifier(optimizer=AdamW(weight_decay=of_rule), weight_decay=of_estimator))
    for of_rule, of_estimator in ((own, 0), (own, Scheduled(0.0, "cosine")), (0, other)):
        fit(classifier(optimizer=AdamW(weight_decay=of_rule), weight_decay=of_estimator))


def test_an_idle_schedule_of_one_decay_does_not_drive_the_other():
    rule = AdamW(weight_decay=Scheduled(0.0, Linear(final_factor=0.0)))
    beside = {"learning_rate_init": 0.05, "weight_decay": 1.0, "max_iter": 6, "random_state": 0}
    given = fit(regressor(optimizer=rule, **beside))
    plain = fit(regressor(optimizer=AdamW(weight_decay=0.0), **beside))
    np.testing.assert_array_equal(given.coefs_[0], plain.coefs_[0])


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
@pytest.mark.parametrize(
    "name",
    ["schedule", "norm", "dropout", "alpha", "weight_decay", "clip_norm", "ensemble", "batch_size"],
)
def test_no_instance_is_advised_of_a_class_that_is_no_component(name, cls):
    with refused(f"'{name}' parameter", "must be", "Got <class") as error:
        fit(classifier(**{name: cls}))
    assert "write" not in str(error.value)


@pytest.mark.parametrize("cls", [int, dict, Adam])
@pytest.mark.parametrize(
    "put",
    [
        lambda number: {"dropout": number},
        lambda number: {"weight_decay": number},
        lambda number: {"optimizer": SGD(number)},
    ],
    ids=["dropout", "weight_decay", "momentum"],
)
def test_no_instance_is_advised_of_a_class_that_is_no_schedule(put, cls):
    with refused("'(schedule|function)' parameter", "Got <class") as error:
        fit(classifier(**put(Scheduled(0.1, cls))))
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
        ({"weight_decay": 1e308}, r"weight_decay=1e\+308"),
        ({"weight_decay": Scheduled(1e308, "linear")}, r"weight_decay=1e\+308"),
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
