"""Odd values of every parameter: a plain error that names it, or the obvious meaning."""

from __future__ import annotations

import pickle
import re
import warnings
from decimal import Decimal
from fractions import Fraction
from functools import partial

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from ids import without_addresses
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import get_scorer_names
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor, __version__, components
from sklearn_dnn._core import messages
from sklearn_dnn._core.specification import machine as size
from sklearn_dnn.callbacks import FunctionCallback, GradientActivationMonitor
from sklearn_dnn.cli import main
from sklearn_dnn.compare._fold import run_fold
from sklearn_dnn.components import (
    FAMILIES,
    SGD,
    Accumulated,
    Adam,
    AdamW,
    Bagging,
    Bounded,
    ClipNorm,
    Dropout,
    EarlyStopping,
    Elu,
    FunctionCurriculum,
    FunctionLoss,
    FunctionSchedule,
    HiddenModule,
    LeakyRelu,
    Lookahead,
    Periodic,
    Piecewise,
    Quantile,
    Rectangular,
    Scheduled,
    TorchOptimizer,
    Warmup,
)
from sklearn_dnn.components.base import shown
from sklearn_dnn.inspection import learning_rate_range_test

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.timeout(60),  # what hangs, hangs for ever
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
Y = X[:, 0]
LABELS = (Y > 0).astype(int)


class Odd:
    """Something that is no value of anything."""

    def __repr__(self):
        return "Odd()"


# What is a number for no parameter.
NO_NUMBERS = [
    Fraction(1, 2),
    Decimal("0.5"),
    np.timedelta64(1, "s"),
    np.datetime64("2020-01-01"),
    pd.Timedelta(1, "s"),
    np.array(1),
    np.array(0.5),
    np.array("a"),
    torch.tensor(1),
    torch.tensor(0.5),
    1j,
    np.complex64(1),
    10**400,
    10**5000,
    -(10**30),
    np.nan,
    -np.inf,
    b"1",
    "1",
    "",
    pd.NA,
    pd.NaT,
    np.ma.masked,
    Odd(),
    Ellipsis,
    NotImplemented,
    [None],
    [[1, 2], [3]],
    (5, "a"),
    {"a": 1},
    {1, 2},
    iter([1]),
]
MAY_BE = [
    True,
    False,
    np.True_,
    2**31,
    2**63,
    10**30,
    1e300,
    np.int8(1),
    np.uint8(1),
    np.int64(1),
    np.uint64(2**63),
    np.float16(0.5),
    np.float32(0.5),
    np.longdouble(0.5),
    np.str_("auto"),
    None,
    [],
    (),
    {},
    range(2),
    [np.nan],
    [True],
    np.array([]),
    np.array([[1]]),
    len,
]
ODD = [*NO_NUMBERS, *MAY_BE]
NAMES = sorted({*MLPClassifier._parameters, *MLPRegressor._parameters})


def model_with(name, value, **more):
    cls = MLPClassifier if name in MLPClassifier._parameters else MLPRegressor
    beside = {"monitor": {"early_stopping": True}}.get(name, {})
    chosen = {"hidden_layer_sizes": (3,), "max_iter": 1, "random_state": 0}
    chosen |= {"tol": 10.0, "n_iter_no_change": 1}  # the end of many epochs
    return cls(**{**chosen, **beside, **more, name: value})


def fit(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(X, Y if isinstance(model, MLPRegressor) else LABELS)


def error_of(call):
    """The error of a call as text, None without; other errors than of values come through."""
    try:
        call()
    except (ValueError, TypeError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", NAMES)
def test_odd_values_of_the_estimators(name):
    for value in ODD:
        message = error_of(lambda value=value: fit(model_with(name, value)))
        # a function or a size may be told of in other words, and a network may diverge
        if message is None or "not finite" in message or "No column of X is left" in message:
            continue
        assert name in message, (value, message)
        assert len(message) < 800, (value, len(message))
        assert "\n" not in message or isinstance(value, list), (value, message)


NUMERIC = [
    name
    for name in NAMES
    if re.search(
        r"\b(int|float)\b", (MLPClassifier._parameters | MLPRegressor._parameters)[name].kind
    )
    and name not in {"hidden_layer_sizes", "random_state", "verbose"}
]


@pytest.mark.parametrize("name", NUMERIC)
def test_what_is_no_number_is_refused_where_one_is_asked_for(name):
    scalars = [v for v in NO_NUMBERS if not isinstance(v, list | tuple | dict | set | str)]
    for value in [*scalars, True] if name != "early_stopping" else scalars:
        message = error_of(lambda value=value: fit(model_with(name, value)))
        if name == "bias_initializer" and isinstance(value, int) and value == -(10**30):
            continue  # a number after all
        assert message is not None, value
        assert f"'{name}' parameter" in message, (value, message)
        assert "Got" in message, (value, message)


# Where a parameter of the estimators may hold a component in place of a number: how it is put
# there, and how it is called in messages.
SCHEDULED = {
    "dropout": (lambda v: ("dropout", v), "dropout"),
    "dropout of a layer": (lambda v: ("dropout", [v]), "(rate|value)"),
    "rate": (lambda v: ("dropout", Dropout(v)), "rate"),
    "input_dropout": (lambda v: ("input_dropout", v), "input_dropout"),
    "weight_decay": (lambda v: ("weight_decay", v), "weight_decay"),
    "decay of the rule": (lambda v: ("optimizer", AdamW(weight_decay=v)), "weight_decay"),
    "momentum": (lambda v: ("optimizer", SGD(v)), "momentum"),
    "beta_1": (lambda v: ("optimizer", Adam(v)), "beta_1"),
    "within": (lambda v: ("optimizer", Lookahead(SGD(v))), "momentum"),
}
WITHIN = {
    "max_norm": (lambda v: ("clip_norm", ClipNorm(v)), "max_norm"),
    "scope": (lambda v: ("clip_norm", ClipNorm(1.0, v)), "scope"),
    "fraction": (lambda v: ("ensemble", Bagging(v)), "fraction"),
    "bootstrap": (lambda v: ("ensemble", Bagging(0.5, v)), "bootstrap"),
    "size": (lambda v: ("batch_size", Accumulated(v)), "size"),
    "steps": (lambda v: ("batch_size", Accumulated(8, v)), "steps"),
    "activation": (lambda v: ("output_activation", Bounded(v, -9.0, 9.0)), "activation"),
    "low": (lambda v: ("output_activation", Bounded("tanh", v, 9.0)), "low"),
    "high": (lambda v: ("output_activation", Bounded("tanh", -9.0, v)), "high"),
}
VALUES = {
    name: (lambda v, put=put: put(Scheduled(v, "linear")), n)
    for name, (put, n) in SCHEDULED.items()
}
PLANS = {
    name: (lambda v, put=put: put(Scheduled(0.1, v)), "(schedule|function)")
    for name, (put, _) in SCHEDULED.items()
}
PLACES = [
    *(pytest.param(*each, id=f"value of {name}") for name, each in VALUES.items()),
    *(pytest.param(*each, id=f"schedule of {name}") for name, each in PLANS.items()),
    *(pytest.param(*each, id=name) for name, each in WITHIN.items()),
]


@pytest.mark.parametrize(("put", "named"), PLACES)
def test_odd_values_within_components_of_the_estimators(put, named):
    for value in ODD:
        name, component = put(value)
        message = error_of(lambda name=name, given=component: fit(model_with(name, given)))
        # bounds that are too narrow for the targets, or none, are told of in other words
        if message is None or "not finite" in message or "y has values from" in message:
            continue
        assert re.search(rf"\b{named}\b", message), (value, message)
        assert len(message) < 800, (value, len(message))
        # a component that is longer than a line is written on several
        several = isinstance(value, list) or "Got Scheduled(" in message
        assert "\n" not in message or several, (value, message)


@pytest.mark.parametrize(("put", "named"), PLACES)
def test_what_is_no_number_is_refused_within_components(put, named):
    if named == "bootstrap":
        pytest.skip("no number")
    scalars = [v for v in NO_NUMBERS if not isinstance(v, list | tuple | dict | set | str)]
    scalars = [v for v in scalars if not (named == "(schedule|function)" and v is len)]
    for value in [*scalars, True]:
        name, component = put(value)
        if named in {"low", "high"} and isinstance(value, int) and value == -(10**30):
            continue  # a number after all
        message = error_of(lambda name=name, given=component: fit(model_with(name, given)))
        assert message is not None, value
        assert re.search(rf"'{named}' parameter", message), (value, message)
        assert "Got" in message, (value, message)


@pytest.mark.parametrize("name", ["dropout", "input_dropout", "weight_decay"])
@pytest.mark.parametrize("number", [np.float32, np.float16, np.longdouble, np.float64])
def test_scheduled_numbers_of_numpy_are_numbers(name, number):
    plain = fit(model_with(name, Scheduled(0.5, "linear"), max_iter=3))
    value = number(0.5)
    other = fit(model_with(name, Scheduled(value, "linear"), max_iter=3))
    np.testing.assert_array_equal(plain.predict_proba(X), other.predict_proba(X))
    assert getattr(other, name).value is value  # what the user gave stays his
    spec = other.spec_["dropout"][0]["rate"] if name == "dropout" else other.spec_[name]
    assert type(spec) is float


@pytest.mark.parametrize(
    ("plain", "given"),
    [
        (("clip_norm", ClipNorm(0.5)), ("clip_norm", ClipNorm(np.longdouble(0.5)))),
        (("clip_norm", ClipNorm(1.0, "tensor")), ("clip_norm", ClipNorm(np.int64(1), "tensor"))),
        (
            ("optimizer", SGD(Scheduled(0.5, "linear"))),
            ("optimizer", SGD(Scheduled(np.longdouble(0.5), "linear"))),
        ),
        (("ensemble", Bagging(0.5)), ("ensemble", Bagging(np.float32(0.5), np.True_))),
        (("batch_size", Accumulated(8, 2)), ("batch_size", Accumulated(np.int8(8), np.uint8(2)))),
    ],
    ids=str,
)
def test_numbers_of_numpy_within_components_are_numbers(plain, given):
    one, other = (
        fit(
            model_with(
                name, value, max_iter=3, batch_size="auto" if name != "batch_size" else value
            )
        )
        for name, value in (plain, given)
    )
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert repr(one.spec_) == repr(other.spec_)  # with numbers of Python


def test_bounds_of_numpy_are_numbers():
    one, other = (
        fit(
            MLPRegressor(
                (3,), max_iter=2, random_state=0, output_activation=Bounded("tanh", *bounds)
            )
        )
        for bounds in ((-9.0, 9.0), (np.int64(-9), np.longdouble(9)))
    )
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    assert [type(bound) for bound in other.spec_["output_range"]] == [float, float]


@pytest.mark.parametrize(
    ("value", "way_out"),
    [
        (Fraction(1, 2), r"float\(\)"),
        (Decimal("0.5"), r"float\(\)"),
        (True, "Give a number"),
        (np.array(0.5), r"\.item\(\)"),
        (torch.tensor(0.5), r"\.item\(\)"),
        (10**5000, "too large to be written"),
    ],
    ids=["Fraction", "Decimal", "bool", "array", "tensor", "int"],
)
def test_the_way_out_of_what_is_no_number(value, way_out):
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(alpha=value))))
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(optimizer=SGD(momentum=value)))))
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(clip_norm=ClipNorm(value)))))
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(ensemble=Bagging(value)))))
    for rule in (SGD(Scheduled(value, "linear")), Lookahead(SGD(Scheduled(value, "linear")))):
        assert re.search(way_out, error_of(lambda rule=rule: fit(MLPRegressor(optimizer=rule))))
    output = Bounded(high=value)
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(output_activation=output))))


@pytest.mark.parametrize("name", ["dropout", "input_dropout", "weight_decay"])
@pytest.mark.parametrize(
    ("value", "way_out"),
    [(Fraction(1, 2), r"float\(\)"), (True, "Give a number"), (np.array(0.5), r"\.item\(\)")],
    ids=["Fraction", "bool", "array"],
)
def test_the_way_out_of_what_is_no_scheduled_number(name, value, way_out):
    given = {name: Scheduled(value, "linear")}
    assert re.search(way_out, error_of(lambda: fit(MLPRegressor(**given))))


@pytest.mark.parametrize("name", ["alpha", "learning_rate_init", "tol", "clip_norm", "max_time"])
@pytest.mark.parametrize("number", [np.float32, np.float16, np.longdouble, np.float64])
def test_numbers_of_numpy_are_numbers(name, number):
    plain = fit(model_with(name, 0.5, max_iter=2))
    other = fit(model_with(name, number(0.5), max_iter=2))
    np.testing.assert_array_equal(plain.predict_proba(X), other.predict_proba(X))
    spec = other.spec_[name]
    assert type(spec["max_norm"] if name == "clip_norm" else spec) is float


# Components

EVERY = [
    (registry.family, cls) for registry in FAMILIES.values() for cls in registry.classes.values()
] + [
    ("early_stopping", EarlyStopping),
    ("hidden_layer_sizes", Rectangular),
    ("clip_norm", ClipNorm),
    ("ensemble", Bagging),
    ("output_activation", Bounded),
    ("batch_size", Accumulated),
]
EVERY = [(family, cls) for family, cls in EVERY if cls()._parameter_constraints]


@pytest.mark.parametrize(("family", "cls"), EVERY, ids=[cls.__name__ for _, cls in EVERY])
def test_odd_values_of_components(family, cls):
    numeric = {n for n, v in cls().get_params(deep=False).items() if type(v) in {int, float}}
    for name in cls().get_params(deep=False):
        for value in ODD:
            message = error_of(cls(**{name: value}).validate)
            if message is None:
                odd = any(value is v for v in NO_NUMBERS)
                negative = isinstance(value, int) and value == -(10**30)
                assert not (odd and name in numeric) or negative, (name, value)
            else:
                assert name in message.lower() or family in message, (name, value, message)
                assert len(message) < 800, (name, value)


@pytest.mark.parametrize("name", ["value", "schedule"])
def test_odd_values_of_scheduled_numbers(name):
    for value in ODD:
        message = error_of(Scheduled(**{"value": 0.5, "schedule": "linear", name: value}).validate)
        if message is None:
            # names, and which component is a schedule, are told of where it is used
            odd = any(value is v for v in NO_NUMBERS) and not isinstance(value, str)
            assert not odd or (name == "value" and isinstance(value, int)), value
        else:
            assert f"'{name}' parameter of Scheduled" in message, (value, message)
            assert len(message) < 800, value


TARGETS = {
    "Bounded": np.clip(Y, 0.0, 1.0),
    "LabelNoise": LABELS,
    "Gamma": np.abs(Y) + 0.1,
    "Tweedie": np.abs(Y) + 0.1,
    "Poisson": np.abs(Y) + 0.1,
}


@pytest.mark.parametrize(("family", "cls"), EVERY, ids=[cls.__name__ for _, cls in EVERY])
def test_numbers_of_numpy_in_components_give_the_same_network(family, cls):
    plain = cls()
    if family == "loss" and not {"regression", "binary"} & set(plain.kinds):
        pytest.skip("a loss of several classes alone")
    numbers = {
        name: (np.int64 if type(value) is int else np.longdouble)(value)
        for name, value in plain.get_params(deep=False).items()
        if type(value) in {int, float} and np.isfinite(value)
    }
    if not numbers:
        pytest.skip("it has no numbers")
    given = clone(plain).set_params(**numbers)

    def outputs(component):
        named = {"hidden_layer_sizes": (4, 4), "max_iter": 2, "random_state": 0, family: component}
        if family == "hidden_layer_sizes":
            named[family] = component
        more = {"difficulty": np.arange(len(X))} if family == "curriculum" else {}
        labels = family == "loss" and "regression" not in plain.kinds
        y = LABELS if labels or cls.__name__ == "LabelNoise" else TARGETS.get(cls.__name__, Y)
        model = (MLPClassifier if y is LABELS else MLPRegressor)(**named)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return model.fit(X, y, **more).transform(X)

    np.testing.assert_array_equal(outputs(plain), outputs(given))
    for name, value in numbers.items():  # what the user gave stays his
        assert getattr(given, name) is value


@pytest.mark.parametrize("alpha", [np.float32(0.5), np.int64(1), np.uint64(2**63), 10**30])
def test_kernels_of_torch_take_every_number(alpha):
    for component in (Elu(alpha=alpha), LeakyRelu(negative_slope=alpha / 10**30)):
        fit(model_with("activation", component))


def test_a_search_over_numbers_of_numpy():
    grid = {"activation__negative_slope": np.linspace(0.1, 0.3, 2, dtype=np.float32)}
    GridSearchCV(MLPRegressor((3,), LeakyRelu(), max_iter=1), grid, cv=2, error_score="raise").fit(
        X, Y
    )


# What is too large


@pytest.mark.parametrize(
    ("parameters", "parts"),
    [
        ({"hidden_layer_sizes": 10**30}, ["hidden_layer_sizes=", "parameters", "GiB"]),
        ({"hidden_layer_sizes": 2**63}, ["hidden_layer_sizes=", "parameters", "GiB"]),
        ({"hidden_layer_sizes": (10**6, 10**6)}, [r"1,000,00\d,00\d,001 parameters", "GiB"]),
        ({"hidden_layer_sizes": (10**9, 10**9, 1)}, [r"1e\+18 parameters"]),
        ({"hidden_layer_sizes": Rectangular(2, 10**9)}, ["hidden_layer_sizes=", "GiB"]),
        ({"hidden_layer_sizes": Rectangular(10**9, 2)}, ["'depth' parameter", r"\[0, 10000\]"]),
        ({"n_members": 2**63}, [f"n_members={2**63}", "fewer members"]),
        ({"n_members": 2**31}, [f"n_members={2**31}", "fewer members"]),
        ({"n_members": 10**30}, ["n_members=", "fewer members"]),
        ({"n_members": 10**12, "ensemble": "shared"}, ["hidden_layer_sizes=", "GiB"]),
        ({"n_threads": 10**30}, ["'n_threads' parameter", r"\[1, 65536\]"]),
        ({"n_threads": 2**31}, ["'n_threads' parameter"]),
        ({"numeric_embedding": Periodic(n_frequencies=2**40)}, ["numeric_embedding=Periodic"]),
        ({"optimizer": components.LBFGS(history_size=10**30)}, ["'history_size' parameter"]),
    ],
    ids=str,
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_what_can_not_be_held_is_refused_before_it_is_made(cls, parameters, parts):
    model = cls(**{"hidden_layer_sizes": (3,), "max_iter": 1, **parameters})
    message = error_of(lambda: fit(model))
    for part in parts:
        assert re.search(part, message), message


def test_the_size_that_is_told_is_the_size():
    """(3 + 1) * h + h * h + h + h + 1 numbers for hidden layers (h, h) on three columns."""
    h = 10**6
    n = (3 + 1) * h + h * h + h + h + 1
    with pytest.raises(ValueError, match=f"{n:,} parameters"):
        fit(MLPRegressor((h, h)))


def test_the_memory_decides(monkeypatch):
    n = (3 + 1) * 50 + 51
    monkeypatch.setattr(size, "whole_memory", lambda _: n * 8 * size.COPIES)
    fit(MLPRegressor((50,), max_iter=1, dtype="float64"))
    monkeypatch.setattr(size, "whole_memory", lambda _: n * 8 * size.COPIES - 1)
    with pytest.raises(ValueError, match=rf"hidden_layer_sizes=\(50,\) has {n} parameters"):
        fit(MLPRegressor((50,), max_iter=1, dtype="float64"))


def test_memory_that_is_refused_is_told_with_the_way_out(monkeypatch):
    def full(*_, **__):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: 8 bytes.")

    monkeypatch.setattr("sklearn_dnn._core.training.state.initial_parameters", full)
    told = r"too little memory.*8 bytes.*smaller batch_size or network"
    with pytest.raises(torch.OutOfMemoryError, match=told):
        fit(MLPRegressor((3,)))


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_iter", 10**30), ("batch_size", 10**30), ("n_iter_no_change", 10**30), ("verbose", 0)],
)
def test_large_numbers_with_an_obvious_meaning(name, value):
    model = model_with(name, value, tol=10.0, n_iter_no_change=2, max_iter=5)
    assert fit(model.set_params(**{name: value})).n_iter_ <= 5


# Numbers that methods and functions take


@pytest.mark.parametrize(
    "value", [*NO_NUMBERS, True, 0, 0.5, 2**31, 2**63, 10**30], ids=lambda v: type(v).__name__
)
def test_odd_numbers_for_methods(value):
    """Each names its argument; none of a loop without end is begun."""
    model = fit(MLPClassifier((3,), max_iter=1, dropout=0.5, n_members=2))
    test = partial(learning_rate_range_test, MLPRegressor((3,)), X, Y)
    for call, name in (
        (lambda: model.predict(X, n_samples=value), "n_samples"),
        (lambda: model.predict_proba(X, n_samples=value), "n_samples"),
        (lambda: test(n_steps=value), "n_steps"),
        (lambda: MLPClassifier((3,), class_weight={0: value}).fit(X, LABELS), "class_weight"),
    ):
        weighs = isinstance(value, int | float) and value is not True and 0 <= value < 10**400
        if name == "class_weight" and weighs:
            continue
        assert re.search(name, error_of(call)), name
    if not (isinstance(value, int) and value in {0, 1} and value is not True):
        assert error_of(lambda: model.member(value)).startswith("i must be the number of a member")


# Values that mean the obvious


@pytest.mark.parametrize("none", [None, (None,), [None]])
def test_no_dropout(none):
    plain = fit(model_with("dropout", 0.0, max_iter=3))
    other = fit(model_with("dropout", none, max_iter=3))
    np.testing.assert_array_equal(plain.coefs_[0], other.coefs_[0])


def test_dropout_of_some_layers():
    model = {"hidden_layer_sizes": (3, 3), "max_iter": 3}
    given = fit(model_with("dropout", [None, 0.5], **model))
    same = fit(model_with("dropout", [0.0, Dropout(0.5)], **model))
    np.testing.assert_array_equal(given.coefs_[0], same.coefs_[0])


def test_no_dropout_beside_the_recipe():
    X = RNG.normal(size=(120, 2))
    model = MLPRegressor(dropout=None, max_iter=2, random_state=0).fit(X, X[:, 0])
    assert {rule["rate"] for rule in model.spec_["dropout"]} == {0.0}


def test_no_dropout_of_inputs():
    given = fit(model_with("input_dropout", None, max_iter=3))
    plain = fit(model_with("input_dropout", 0.0, max_iter=3))
    np.testing.assert_array_equal(given.coefs_[0], plain.coefs_[0])
    assert given.spec_["input_dropout"] == 0.0
    for other in (clone(given), pickle.loads(pickle.dumps(given))):
        assert other.input_dropout is None


def test_no_dropout_of_inputs_beside_the_recipe():
    X = RNG.normal(size=(120, 2))
    model = MLPRegressor(input_dropout=None, max_iter=2, random_state=0).fit(X, X[:, 0])
    assert model.spec_["input_dropout"] == 0.0


LINEAR = "linear"


def none_at_all(t, horizon):
    return 0.0 * t * horizon


@pytest.mark.parametrize(
    ("name", "zero"),
    [
        ("dropout", Scheduled(0.0, LINEAR)),
        ("dropout", [Scheduled(0.0, LINEAR)]),
        ("dropout", Dropout(Scheduled(0.0, LINEAR))),
        ("dropout", Scheduled(0.5, none_at_all)),
        ("input_dropout", Scheduled(0.0, LINEAR)),
        ("input_dropout", Scheduled(0.5, none_at_all)),
        ("weight_decay", Scheduled(0.0, LINEAR)),
        ("weight_decay", Scheduled(0.5, none_at_all)),
    ],
    ids=without_addresses,
)
def test_a_scheduled_0_is_a_0(name, zero):
    plain = fit(model_with(name, 0.0, max_iter=3))
    given = fit(model_with(name, zero, max_iter=3))
    np.testing.assert_array_equal(plain.coefs_[0], given.coefs_[0])


def test_scheduled_dropout_of_some_layers():
    model = {"hidden_layer_sizes": (3, 3), "max_iter": 3}
    given = fit(model_with("dropout", [None, Scheduled(0.5, LINEAR)], **model))
    same = fit(model_with("dropout", (0.0, Dropout(Scheduled(0.5, LINEAR))), **model))
    np.testing.assert_array_equal(given.coefs_[0], same.coefs_[0])
    assert list(given.spec_["driven"]) == ["dropout_1"]
    plain = fit(model_with("dropout", [None, 0.5], **model))
    assert not np.array_equal(given.coefs_[0], plain.coefs_[0])


def test_a_schedule_that_stays_at_1_changes_nothing():
    rule = {"dropout": 0.5, "input_dropout": 0.2, "weight_decay": 0.3, "optimizer": SGD(0.9)}
    driven = {
        "dropout": Scheduled(0.5, "constant"),
        "input_dropout": Scheduled(0.2, "constant"),
        "weight_decay": Scheduled(0.3, "constant"),
        "optimizer": SGD(Scheduled(0.9, "constant")),
    }
    plain = fit(MLPRegressor((3,), max_iter=3, random_state=0, **rule))
    given = fit(MLPRegressor((3,), max_iter=3, random_state=0, **driven))
    np.testing.assert_array_equal(plain.coefs_[0], given.coefs_[0])


def test_a_scheduled_0_beside_the_recipe():
    X = RNG.normal(size=(120, 2))
    zero = {"dropout": Scheduled(0.0, LINEAR), "input_dropout": Scheduled(0.0, LINEAR)}
    model = MLPRegressor(**zero, max_iter=2, random_state=0).fit(X, X[:, 0])
    assert model.spec_["by_recipe"]
    assert {rule["rate"] for rule in model.spec_["dropout"]} == {0.0}
    assert model.spec_["input_dropout"] == 0.0


# Values whose parameter was not named


@pytest.mark.parametrize(
    ("cls", "name", "value"),
    [
        (MLPRegressor, "output_weights", (5, "a")),
        (MLPRegressor, "output_weights", {}),
        (MLPRegressor, "output_weights", [[1, 2], [3]]),
        (MLPClassifier, "dropout", ["0.5"]),
        (MLPClassifier, "dropout", [[0.5]]),
        (MLPClassifier, "dropout", [True]),
        (MLPClassifier, "dropout", [Fraction(1, 2)]),
        (MLPClassifier, "dropout", [Scheduled]),
        (MLPClassifier, "dropout", [ClipNorm()]),
        (MLPClassifier, "alpha", [Scheduled(0.5, "linear"), 0.1]),
        (MLPClassifier, "input_dropout", [Scheduled(0.5, "linear")]),
        (MLPClassifier, "weight_decay", [Scheduled(0.5, "linear")]),
        (MLPClassifier, "clip_norm", [ClipNorm()]),
        (MLPClassifier, "ensemble", [Bagging()]),
        (MLPClassifier, "batch_size", [Accumulated()]),
        (MLPRegressor, "output_activation", [Bounded()]),
        (MLPClassifier, "categorical_features", {}),
        (MLPClassifier, "categorical_features", {0, 1}),
        (MLPClassifier, "categorical_features", [[0], [1, 2]]),
        (MLPClassifier, "categorical_features", [[0, 1, 2]]),
        (MLPClassifier, "hidden_layer_sizes", {3: 4}),
        (MLPClassifier, "hidden_layer_sizes", {3, 4}),
        (MLPClassifier, "hidden_layer_sizes", [[1, 2], [3]]),
        (MLPClassifier, "hidden_layer_sizes", (np.timedelta64(3, "s"),)),
        (MLPClassifier, "alpha", [Fraction(1, 2), 0.1]),
        (MLPClassifier, "alpha", [10**400, 0.1]),
    ],
)
def test_sequences_of_odd_values_are_told_of_by_name(cls, name, value):
    message = error_of(lambda: fit(cls(**{"hidden_layer_sizes": (3,), name: value})))
    assert f"'{name}' parameter" in message
    said = value[0] if name == "dropout" else value  # one a layer, each by itself
    assert f"Got {shown(said)}" in message or f"Got {shown(said[0])}" in message


@pytest.mark.parametrize(
    "component",
    [
        Quantile(np.array(0.5)),
        Piecewise(boundaries=np.array(3)),
        Piecewise(factors=torch.tensor(1)),
    ],
)
def test_arrays_without_axes_are_no_lists(component):
    with pytest.raises(ValueError, match=r"parameter of (Quantile|Piecewise) must be.*\.item\(\)"):
        component.validate()


def test_a_long_value_is_cut_in_a_message():
    with pytest.raises(ValueError, match="'alpha' parameter") as error:
        fit(MLPRegressor((3,), alpha=[0.1] * 10_000 + [-1.0]))
    assert len(str(error.value)) < 500


def test_names_are_listed_in_order_each_time():
    message = error_of(lambda: fit(MLPClassifier(optimizer=3)))
    names = re.findall(r"'(\w+)'", message.partition("among")[2].partition("}")[0])
    assert len(names) >= 15
    assert names == sorted(names)


@pytest.mark.parametrize("value", ["accurcy", "", 3, None])
def test_scorers_are_not_all_listed(value):
    message = error_of(lambda: fit(MLPClassifier(early_stopping=True, monitor=value)))
    assert "get_scorer_names()" in message
    assert sum(f"'{name}'" in message for name in get_scorer_names()) <= 4
    assert len(message) < 400
    if value == "accurcy":
        assert re.search(r"Did you mean 'accuracy'[^?]*\?$", message)


# Functions


def of_none():
    return 0.0


def of_one(a):
    return a


def of_four(a, b, c, d):  # noqa: ARG001
    return a


class Callable:
    def __call__(self, one):
        return one


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("activation", "(z)"),
        ("augmentation", "(x, y, generator)"),
        ("curriculum", "(t, difficulty_rank)"),
        ("loss", "(raw, target)"),
        ("schedule", "(t, horizon)"),
        ("monitor", "(estimator, X, y)"),
    ],
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_functions_of_other_arguments_are_refused_before_the_table_is_read(cls, name, wanted):
    wrong = [of_none, of_four, lambda *, key: key]
    wrong += [] if name == "activation" else [of_one, len, Callable()]
    for function in wrong:
        with pytest.raises((ValueError, TypeError), match=f"'{name}' parameter") as error:
            cls((3,), **{name: function}).fit(None, None)
        assert f"called with {wanted}" in str(error.value)


@pytest.mark.parametrize("put", [put for put, _ in PLANS.values()], ids=list(PLANS))
def test_functions_that_drive_a_number_are_asked_too(put):
    for function in (of_none, of_one, of_four, len, Callable(), lambda *, key: key):
        name, component = put(function)
        with pytest.raises(ValueError, match=r"'function' parameter of FunctionSchedule") as error:
            fit(model_with(name, component))
        assert "called with (t, horizon)" in str(error.value)


@pytest.mark.parametrize("name", ["activation", "augmentation"])
def test_functions_within_a_list_are_asked_too(name):
    with pytest.raises(ValueError, match=f"'{name}' parameter takes a function"):
        fit(MLPClassifier((3,), **{name: [of_four]}))


@pytest.mark.parametrize(
    "component",
    [
        FunctionLoss(of_one),
        FunctionSchedule(of_one),
        FunctionCurriculum(of_one),
        components.FunctionAugmentation(of_one),
        components.FunctionActivation(of_none),
        Warmup(of_one),
    ],
)
def test_functions_within_components_are_asked_too(component):
    with pytest.raises(
        ValueError, match=r"'function' parameter of Function\w+ takes .*called with"
    ):
        component.validate()


def of_any(*_):
    return 1.0


def score(estimator, X, y, more=None):
    assert more is None
    return estimator.score(X, y)


@pytest.mark.parametrize(
    "parameters",
    [
        {"schedule": of_any},
        {"dropout": Scheduled(0.5, of_any)},
        {"dropout": [Scheduled(0.5, partial(of_any, "first"))]},
        {"weight_decay": Scheduled(0.5, of_any)},
        {"optimizer": SGD(Scheduled(0.5, of_any))},
        {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.5, of_any))},
        {"schedule": partial(of_any, "first")},
        {"activation": torch.sin},  # Python can't tell its arguments
        {"monitor": score, "early_stopping": True},
    ],
)
def test_functions_that_may_be_called_so_are_taken(parameters):
    fit(MLPRegressor((3,), max_iter=1, **parameters))


@pytest.mark.parametrize("name", ["on_epoch_end", "on_epoch_begin", "on_fit_begin", "on_fit_end"])
def test_functions_of_callbacks(name):
    model = MLPRegressor((3,)).set_callbacks(FunctionCallback(**{name: of_one}))
    with pytest.raises(
        ValueError, match=rf"'{name}' parameter.*\(epoch, record, fitted_estimator\)"
    ):
        fit(model)


def test_a_loss_that_a_monitor_of_gradients_gets():
    watch = GradientActivationMonitor(loss=of_one)
    with pytest.raises(ValueError, match=r"'loss' parameter.*\(raw, target\)"):
        fit(MLPRegressor((3,)).set_callbacks(watch))


class Narrow(torch.nn.Module):
    def __init__(self, in_features, width=2):
        super().__init__()
        self.layer = torch.nn.Linear(in_features, width)

    def forward(self, x):
        return self.layer(x)


def test_a_module_whose_argument_has_another_name():
    with pytest.raises(ValueError, match=r"\['in_features'\].*Narrow, in_features=.*n_features"):
        fit(MLPRegressor(HiddenModule(Narrow), max_iter=1))
    assert fit(MLPRegressor(HiddenModule(Narrow, in_features=3), max_iter=1)).n_iter_ == 1


# Targets and classes

STRINGS = np.where(LABELS > 0, "b", "a").astype(object)


def with_gap(values, gap, row=3):
    values = np.asarray(values, dtype=object).copy()
    values[row] = gap
    return values


GAPS = {
    "None among text": with_gap(STRINGS, None),
    "None among numbers": with_gap(LABELS, None),
    "NA": with_gap(STRINGS, pd.NA),
    "NaT": with_gap(STRINGS, pd.NaT),
    "nan among text": with_gap(STRINGS, np.nan),
    "string": pd.Series(with_gap(STRINGS, pd.NA), dtype="string"),
    "Int64": pd.Series(with_gap(LABELS, pd.NA), dtype="Int64"),
    "boolean": pd.Series(with_gap(LABELS > 0, pd.NA), dtype="boolean"),
    "category": pd.Series(with_gap(STRINGS, None), dtype="category"),
    "list": with_gap(STRINGS, None).tolist(),
    "frame": pd.DataFrame({"y": with_gap(STRINGS, None)}),
    "masked": np.ma.masked_array(LABELS, mask=np.arange(len(X)) == 3),
    "matrix": np.column_stack([with_gap(LABELS, None), LABELS]),
    "date": np.where(np.arange(len(X)) == 3, np.datetime64("NaT"), np.datetime64("2020-01-01")),
}


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
@pytest.mark.parametrize("y", GAPS.values(), ids=GAPS)
def test_targets_that_are_missing(cls, y):
    with pytest.raises(ValueError, match=r"Input y contains NaN|y has masked values in 1 "):
        cls((3,)).fit(X, y)


def test_which_target_is_missing():
    with pytest.raises(ValueError, match=r"row 3 is None\. Leave out the rows"):
        MLPClassifier((3,)).fit(X, with_gap(STRINGS, None))
    with pytest.raises(ValueError, match="row 3 is None") as error:
        fit_with_validation(with_gap(LABELS, None))
    assert any("X_val, y_val" in note for note in error.value.__notes__)


def fit_with_validation(y_val):
    return MLPClassifier((3,), max_iter=1).fit(X, LABELS, X_val=X, y_val=y_val)


def test_text_as_a_regressors_target_is_told_of_as_such():
    for y in (STRINGS, STRINGS.astype(str), pd.Series(STRINGS)):
        with pytest.raises(ValueError, match=r"y must hold numbers for a regressor.*MLPClassifier"):
            MLPRegressor((3,)).fit(X, y)


BAD_CLASSES = {
    "empty": [],
    "nan": [0, 1, np.nan],
    "inf": [0, 1, np.inf],
    "None": [0, 1, None],
    "NA": pd.Series([0, 1, pd.NA], dtype="Int64"),
    "text": "01",
    "number": 1,
    "array without axes": np.array(1),
    "matrix": [[0, 1], [2, 3]],
    "column": [[0], [1]],
    "ragged": [[0], [1, 2]],
    "dict": {0: 1},
    "complex": [0, 1j],
    "masked": np.ma.masked_array([0, 1, 2], mask=[0, 0, 1]),
    "iterator": iter([0, 1]),
}


@pytest.mark.parametrize("classes", BAD_CLASSES.values(), ids=BAD_CLASSES)
def test_classes_that_are_none(classes):
    with pytest.raises(ValueError, match=r"'classes' parameter of partial_fit must be.*Got"):
        MLPClassifier((3,)).partial_fit(X, LABELS, classes=classes)
    model = MLPClassifier((3,)).partial_fit(X, LABELS)
    with pytest.raises(ValueError, match=r"'classes' parameter of partial_fit must be.*Got"):
        model.partial_fit(X, LABELS, classes=classes)


@pytest.mark.parametrize(
    "classes", [[1, 0], (0, 1), {0, 1}, range(2), pd.Series([0, 1]), pd.Index([1, 0]), [0, 0, 1]]
)
def test_classes_of_other_types(classes):
    model = MLPClassifier((3,)).partial_fit(X, LABELS, classes=classes)
    np.testing.assert_array_equal(model.classes_, [0, 1])


# Tensors that can't be read

TENSORS = {
    "meta": torch.empty(24, 3, device="meta"),
    "sparse": torch.zeros(24, 3).to_sparse(),
    "float8": torch.zeros(24, 3).to(torch.float8_e5m2),
}


@pytest.mark.parametrize("tensor", TENSORS.values(), ids=TENSORS)
def test_tensors_without_values_to_read(tensor):
    with pytest.raises(TypeError, match=r"torch tensor.*can't be read.*Give a dense tensor"):
        MLPRegressor((3,)).fit(tensor, Y)
    with pytest.raises(TypeError, match=r"torch tensor.*can't be read"):
        fit(MLPRegressor((3,), max_iter=1)).predict(tensor)


# Errors that are added to


class PickyError(ValueError):
    """An error that can't be made of one text."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")
        self.where = where


class Unreadable:
    shape, dtype, ndim = (24, 3), np.dtype(float), 2

    def __len__(self):
        return 24

    def __array__(self, *_, **__):
        raise PickyError("no numbers", "here")


def test_an_error_stays_what_it_was_and_says_more():
    with pytest.raises(PickyError, match="no numbers at here") as error:
        MLPRegressor((3,)).fit(X, Y, X_val=Unreadable(), y_val=Y)
    assert error.value.where == "here"
    assert error.value.__notes__ == [
        "It is about the validation set (X_val, y_val, sample_weight_val)."
    ]
    assert messages.told(error.value) == f"no numbers at here {error.value.__notes__[0]}"


def test_searches_of_scikit_learn_show_what_was_added():
    model = make_pipeline(StandardScaler(), MLPRegressor((3,)))
    bad = {"mlpregressor__X_val": X[:, :2], "mlpregressor__y_val": Y}
    with pytest.raises(ValueError, match=r"(?s)All the 2 fits failed.*X_val, y_val"):
        GridSearchCV(model, {"mlpregressor__alpha": [0.1]}, cv=2).fit(X, Y, **bad)
    assert cross_val_score(model, X, Y, cv=2).shape == (2,)


class Noted:
    """A model of a user's whose error has a note."""

    classes_ = np.array([0, 1])

    def predict(self, X):
        error = ValueError("no such column")
        error.add_note("It is about the last week.")
        raise error


def test_the_command_tells_notes_in_its_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    saved = {"pipeline": Noted(), "task": "binary", "target": "y", "columns": ["x"]}
    joblib.dump({**saved, "version": __version__}, "noted.model")
    pd.DataFrame({"x": [1.0, 2.0]}).to_csv("table.csv", index=False)
    assert main(["predict", "noted.model", "table.csv"]) == 2
    line = capsys.readouterr().err
    assert line.endswith("this table: no such column It is about the last week.\n")


class Unfit(BaseEstimator, RegressorMixin):
    """A rival that fits nothing, and says more than one line."""

    def fit(self, X, y):
        error = ValueError("it does not fit\nat all")
        error.add_note("Ask for another.")
        raise error


def test_compare_tells_notes_where_a_model_fails():
    frame = pd.DataFrame(X, columns=list("abc"))
    result = run_fold(Unfit(), frame, Y, (np.arange(12), np.arange(12, 24)), ["r2"], None, None)
    assert result.error == "ValueError: it does not fit Ask for another."
