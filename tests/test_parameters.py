"""Hyperparameters are declared once."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import warnings
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import ShuffleSplit

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor, components
from sklearn_dnn._core.specification import FitSpec, Task, resolve
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
    Linear,
    Lookahead,
    Momentum,
    Scheduled,
    TorchOptimizer,
)
from sklearn_dnn.components.base import Component
from sklearn_dnn.components.dropouts import DROPOUTS
from sklearn_dnn.components.foreign import ForeignClass
from sklearn_dnn.components.losses import LOSSES
from sklearn_dnn.components.registry import Registry
from sklearn_dnn.estimators._parameters import GROUPS, PARAMETERS

ESTIMATORS = [MLPClassifier, MLPRegressor]
REGISTRIES = list(FAMILIES.values())
# Components that wrap something of the user's, and so have no default.
WRAPPERS = {
    "FunctionActivation",
    "FunctionAugmentation",
    "FunctionCurriculum",
    "FunctionLoss",
    "FunctionSchedule",
    "HiddenModule",
    "TorchActivation",
    "TorchLoss",
    "TorchOptimizer",
}
# A component that wraps a class has that class' arguments.
OWN_ARGUMENTS = [
    name for name in components.__all__ if not issubclass(getattr(components, name), ForeignClass)
]
# Arguments of components that can't be made without some.
GIVEN = dict.fromkeys(WRAPPERS, (torch.abs,)) | {"Scheduled": (0.5, "linear")}
PACKAGE = Path(sklearn_dnn.__file__).parent


def documented(cls):
    """Name -> type and default, from the Parameters section of a class's own docstring."""
    text = inspect.cleandoc(vars(cls)["__doc__"])
    section = re.search(r"(?:^|\n)Parameters\n-+\n(.*?)(?=\n\S[^\n]*\n-{3,}\n|\Z)", text, re.DOTALL)
    found = {}
    for line in section[1].splitlines() if section else ():
        entry = re.match(r"(\w+(?:, \w+)*) : .*default=(.*)", line)
        if entry:
            names, defaults = entry[1].split(", "), [entry[2]]
            if len(names) > 1:  # "default=0.9 and 0.999" has one for each name
                defaults = entry[2].split(" and ")
            found |= dict(zip(names, defaults, strict=True))
    return found


def signature_defaults(cls):
    return {
        name: parameter.default
        for name, parameter in inspect.signature(cls.__init__).parameters.items()
        if name != "self"
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }


# One declaration of every hyperparameter


def test_the_signatures_are_the_table():
    ours = [signature_defaults(cls) for cls in ESTIMATORS]
    assert set().union(*ours) == {*PARAMETERS, "loss"}
    for cls, defaults in zip(ESTIMATORS, ours, strict=True):
        assert list(cls._parameters) == list(defaults)
        assert {k: type(v) for k, v in cls().get_params(deep=False).items()} == {
            k: type(v) for k, v in defaults.items()
        }
    shared = set(ours[0]) & set(ours[1]) - {"loss"}
    assert {k: ours[0][k] for k in shared} == {k: ours[1][k] for k in shared}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_signatures_have_the_order_of_the_groups(cls):
    assert list(PARAMETERS) == [name for group in GROUPS.values() for name in group]
    assert list(cls._parameters) == [name for name in PARAMETERS if name in cls._parameters]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstring_has_the_tables_parameters_and_defaults(cls):
    said, defaults = documented(cls), signature_defaults(cls)
    assert list(said) == list(cls._parameters)
    for name, parameter in cls._parameters.items():
        assert ast.literal_eval(said[name]) == defaults[name], name
        assert parameter.text.strip().endswith("."), name


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstrings_are_literal(cls):
    """Editors show what stands in the source: ``python .ci/docstrings.py`` writes it."""
    tree = ast.parse(Path(inspect.getfile(cls)).read_text("utf-8"))
    (written,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    assert ast.get_docstring(written) == inspect.getdoc(cls)


def test_docstrings_are_written_from_the_tables():
    script = PACKAGE.parent / ".ci" / "docstrings.py"
    found = subprocess.run(
        [sys.executable, str(script), "--check"], capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstring_names_every_component_that_has_a_name(cls):
    registries = {r.family: r for r in REGISTRIES if r not in (DROPOUTS, LOSSES)}
    for name, registry in registries.items():
        for known in registry:
            assert repr(known) in cls._parameters[name].kind


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_constraints_are_the_tables_and_allow_the_defaults(cls):
    assert cls._parameter_constraints == {k: p.constraint for k, p in cls._parameters.items()}
    cls()._validate_params()


def test_the_estimators_differ_only_where_their_targets_do():
    of_classifier, of_regressor = (cls._parameters for cls in ESTIMATORS)
    assert set(of_classifier) ^ set(of_regressor) == {
        "calibration",
        "class_weight",
        "label_smoothing",
        "output_activation",
        "output_weights",
        "target_scaling",
    }
    common = set(of_classifier) & set(of_regressor) - {"loss"}
    assert all(of_classifier[name] is of_regressor[name] for name in common)


# A value that differs from the default in what it does, for each parameter that the
# specification is resolved from.
ANOTHER = {
    "hidden_layer_sizes": (7,),
    "n_members": 4,
    "ensemble": "shared",
    "output_activation": "softplus",
    "output_weights": (2.0,),
    "topology": "wide",
    "bias_initializer": "prior",
    "input_dropout": 0.5,
    "weight_noise": 0.5,
    "augmentation": "mixup",
    "activity_l1": 0.5,
    "constraint": "max_norm",
    "ema_decay": 0.5,
    "activation": "tanh",
    "initializer": "orthogonal",
    "norm": "layer",
    "dropout": 0.5,
    "optimizer": "sgd",
    "learning_rate_init": 0.5,
    "schedule": "cosine",
    "batch_size": 16,
    "max_iter": 7,
    "clip_norm": 1.0,
    "clip_value": 1.0,
    "alpha": 0.5,
    "l1": 0.5,
    "weight_decay": 0.5,
    "input_scaling": None,
    "numeric_embedding": "periodic",
    "target_scaling": None,
    "label_smoothing": 0.5,
    "early_stopping": True,
    "n_iter_no_change": 3,
    "tol": 0.5,
    "max_time": 60.0,
    "shuffle": False,
    "device": "cpu",
    "n_threads": 3,
    "dtype": "float32",
}
# Those that other steps of a fit read; a test of each is below.
READ_ELSEWHERE = {
    "categorical_features",
    "class_weight",
    "validation_fraction",
    "warm_start",
    "random_state",
    "verbose",
}
# Those that need another one beside them, or whose "auto" may be the same.
BESIDE = {
    "calibration": ({"early_stopping": True}, "temperature"),
    "monitor": ({"early_stopping": True}, "r2"),
    "device": ({"device": "auto"}, "cpu"),
}
# Components that stand for a number or a name: what they change of a specification.
WITHIN = [
    ("dropout", Scheduled(0.1, "linear"), {"driven"}),
    ("dropout", [Scheduled(0.5, "linear")], {"dropout", "driven"}),
    ("dropout", Dropout(Scheduled(0.1, "linear")), {"driven"}),
    ("input_dropout", Scheduled(0.5, "linear"), {"input_dropout", "driven"}),
    ("weight_decay", Scheduled(0.1, "cosine"), {"driven"}),
    ("optimizer", Adam(Scheduled(0.9, "momentum_cycle")), {"driven"}),
    ("optimizer", Adam(Scheduled(0.5, "momentum_cycle")), {"optimizer", "driven"}),
    ("clip_norm", ClipNorm(2.0, "tensor"), {"clip_norm"}),
    ("ensemble", Bagging(), {"ensemble"}),
    ("batch_size", Accumulated("auto", 3), {"accumulation_steps"}),
    ("batch_size", Accumulated(16, 3), {"accumulation_steps", "batch_size"}),
    ("output_activation", Bounded("tanh", -1, 3), {"output_activation", "output_range"}),
]
# Fields that are read from those, and from no parameter of their own name.
READ_WITHIN = {"accumulation_steps", "driven", "output_range"}


def spec_of(cls, difficult=False, **changes):
    kind = "regression" if cls is MLPRegressor else "multiclass"
    task = Task(
        kind=kind,
        n_features=3,
        n_outputs=1 if kind == "regression" else 3,
        n_samples=100,
        n_training=100,
        dtype="float64",
        has_difficulty=difficult,
    )
    return resolve({**cls().get_params(deep=False), **changes}, task)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_parameter_is_resolved_or_read_elsewhere(cls):
    known = set(ANOTHER) | set(BESIDE) | {"loss", "curriculum"} | READ_ELSEWHERE
    missing = set(cls._parameters) - known
    assert not missing, f"give another value of {missing} in ANOTHER, or say where it is read"
    assert known <= set(MLPClassifier._parameters) | set(MLPRegressor._parameters)


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_the_specification_holds_what_was_asked_for(cls):
    before = spec_of(cls)
    for name in set(ANOTHER) & set(cls._parameters) - {"device"}:
        now = spec_of(cls, **{name: ANOTHER[name]})
        assert now.as_dict()[name] != before.as_dict()[name], name
        same = {f.name for f in fields(FitSpec)} - {name}
        if name == "activation":  # "auto" follows it
            same.remove("initializer")
        if name in {"schedule", "n_iter_no_change"}:  # patience follows what has a horizon
            same -= {"n_iter_no_change", "whole_cycles"}
        if name == "optimizer":  # its rate is its own
            same.remove("learning_rate_init")
        if name == "output_activation":  # it says what it can reach
            same.remove("output_range")
        assert all(now.as_dict()[n] == before.as_dict()[n] for n in same), name
    assert spec_of(cls, device="cpu").device == "cpu"
    assert spec_of(cls, monitor="r2", early_stopping=True).monitor == "r2"
    eased = spec_of(cls, difficult=True, curriculum="linear").as_dict()["curriculum"]
    assert eased["component"] == "LinearCurriculum"


def said(value):
    """What names a case: of a set in one order, the same in all processes."""
    return str(sorted(value)) if isinstance(value, set) else str(value)


@pytest.mark.parametrize("cls", ESTIMATORS)
@pytest.mark.parametrize(("name", "value", "changed"), WITHIN, ids=said)
def test_the_specification_holds_what_components_of_numbers_ask_for(cls, name, value, changed):
    if name not in cls._parameters:
        pytest.skip("a parameter of the other estimator")
    driven = {"dropout": 0.1, "weight_decay": 0.1}
    before, now = spec_of(cls, **driven), spec_of(cls, **driven | {name: value})
    was, is_now = before.as_dict(), now.as_dict()
    found = {field for field in was if was[field] != is_now[field]}
    # patience follows what has a horizon
    assert found - {"n_iter_no_change", "whole_cycles"} == changed
    assert bool(now.driven) == ("driven" in changed)


def test_the_specification_has_plain_numbers_of_components():
    spec = spec_of(
        MLPRegressor,
        hidden_layer_sizes=(4, 4),
        dropout=[Scheduled(0.1, "linear"), 0.2],
        input_dropout=Scheduled(0.3, "cosine"),
        weight_decay=Scheduled(0.4, "step"),
        optimizer=Lookahead(SGD(Scheduled(0.5, Linear(final_factor=0.1)))),
        clip_norm=ClipNorm(2, "tensor"),
        ensemble=Bagging(0.6, bootstrap=False),
        batch_size=Accumulated(10, 3),
        output_activation=Bounded("tanh", -1, 3),
    )
    assert spec.dropout_rates == (0.1, 0.2)
    assert (spec.input_dropout, spec.weight_decay) == (0.3, 0.4)
    assert spec.optimizer.optimizer.momentum == 0.5
    assert {name: type(each).__name__ for name, each in spec.driven.items()} == {
        "dropout_0": "Linear",
        "input_dropout": "Cosine",
        "weight_decay": "Step",
        "momentum": "Linear",
    }
    assert spec.driven["momentum"].final_factor == 0.1
    assert (type(spec.clip_norm.max_norm), spec.clip_norm.scope) == (float, "tensor")
    assert (spec.ensemble.fraction, spec.ensemble.bootstrap) == (0.6, False)
    assert (spec.batch_size, spec.accumulation_steps) == (10, 3)
    assert spec.output_range == (-1.0, 3.0)
    plain = spec.as_dict()
    assert plain["clip_norm"] == {"component": "ClipNorm", "max_norm": 2.0, "scope": "tensor"}
    assert plain["ensemble"] == {"component": "Bagging", "fraction": 0.6, "bootstrap": False}
    assert plain["output_activation"] == {"component": "Tanh"}
    assert plain["driven"]["dropout_0"]["component"] == "Linear"


BETA = Scheduled(0.9, "linear")


@pytest.mark.parametrize(
    ("parameters", "driven"),
    [
        ({}, set()),
        ({"dropout": Scheduled(0.1, "linear")}, {"dropout_0", "dropout_1"}),
        ({"dropout": Dropout(Scheduled(0.1, "linear"))}, {"dropout_0", "dropout_1"}),
        ({"dropout": [0.1, Scheduled(0.1, "linear")]}, {"dropout_1"}),
        ({"dropout": (Dropout(Scheduled(0.1, "linear")), None)}, {"dropout_0"}),
        ({"dropout": Scheduled(0.1, "linear"), "hidden_layer_sizes": ()}, set()),
        ({"input_dropout": Scheduled(0.1, "linear")}, {"input_dropout"}),
        ({"optimizer": SGD(Scheduled(0.9, "linear"))}, {"momentum"}),
        ({"optimizer": Adam(Scheduled(0.9, "linear"))}, {"momentum"}),
        ({"optimizer": AdamW(weight_decay=Scheduled(0.1, "linear"))}, {"weight_decay"}),
        (
            {"optimizer": Lookahead(AdamW(BETA, weight_decay=Scheduled(1.0, "step")))},
            {"momentum", "weight_decay"},
        ),
        ({"optimizer": Lookahead(Lookahead(Momentum(Scheduled(0.9, "linear"))))}, {"momentum"}),
        (
            {"optimizer": TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, "linear"))},
            {"momentum"},
        ),
        (
            {"optimizer": TorchOptimizer(torch.optim.Adam, betas=(Scheduled(0.9, "step"), 0.99))},
            {"momentum"},
        ),
    ],
    ids=said,
)
def test_what_is_driven_is_told_by_the_specification(parameters, driven):
    assert (
        set(spec_of(MLPRegressor, **{"hidden_layer_sizes": (4, 4)} | parameters).driven) == driven
    )


def test_the_loss_is_resolved():
    assert spec_of(MLPRegressor).as_dict()["loss"] == {"component": "SquaredError"}
    assert spec_of(MLPRegressor, loss="huber").as_dict()["loss"]["component"] == "Huber"
    assert spec_of(MLPClassifier).as_dict()["loss"] == {"component": "LogLoss"}


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_resolving_needs_every_parameter_that_both_estimators_have(cls):
    asked = cls().get_params(deep=False)
    task = spec_of(cls).task
    both = set(MLPClassifier._parameters) & set(MLPRegressor._parameters)
    for name in both - READ_ELSEWHERE:
        with pytest.raises(KeyError, match=name):
            resolve({k: v for k, v in asked.items() if k != name}, task)
    resolve({k: v for k, v in asked.items() if k not in READ_ELSEWHERE}, task)


def test_nothing_else_is_decided():
    decided = {f.name for f in fields(FitSpec)}
    decided -= {"task", "stopping", "by_recipe", "whole_cycles", "loss_of_batches"}
    asked = set(MLPClassifier._parameters) | set(MLPRegressor._parameters)
    assert decided - READ_WITHIN == asked - READ_ELSEWHERE
    assert decided >= READ_WITHIN


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, (X[:, 0] + 0.3 * rng.normal(size=60) > 0.8).astype(int)


def fitted(table, **parameters):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Maximum iterations")
        return MLPClassifier((5,), max_iter=3, **{"random_state": 0, **parameters}).fit(*table)


def test_random_state_is_read(table):
    first = fitted(table).coefs_[0]
    assert np.array_equal(first, fitted(table).coefs_[0])
    assert not np.array_equal(first, fitted(table, random_state=1).coefs_[0])


def test_class_weight_is_read(table):
    of_rare = fitted(table, class_weight={1: 50.0}).predict_proba(table[0])[:, 1]
    assert of_rare.mean() > fitted(table).predict_proba(table[0])[:, 1].mean()


def test_validation_fraction_is_read(table):
    parts = [
        fitted(table, early_stopping=True, validation_fraction=how).spec_["task"]["n_training"]
        for how in (0.1, 0.5, ShuffleSplit(1, test_size=0.25, random_state=0))
    ]
    assert parts == [54, 30, 45]


def test_warm_start_is_read(table):
    for warm, epochs in ((False, 3), (True, 6)):
        model = fitted(table, warm_start=warm)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Maximum iterations")
            assert len(model.fit(*table).loss_curve_) == epochs


def test_verbose_is_read(table, capsys):
    fitted(table)
    assert capsys.readouterr() == ("", "")
    fitted(table, verbose=2)
    assert len(capsys.readouterr().out.splitlines()) == 3


# Components


def test_every_public_component_is_exported_under_its_own_name():
    for name in components.__all__:
        assert issubclass(getattr(components, name), Component)
        assert getattr(components, name).__name__ == name
    for registry in REGISTRIES:
        assert {registry[name].__name__ for name in registry} <= set(components.__all__)


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda r: r.family)
def test_a_component_is_called_as_its_class(registry):
    assert list(registry)
    for name in registry:
        # norm="batch" is BatchNorm: a family's own name is not said twice
        plain = name.replace("_", "")
        assert registry[name].__name__.lower() in {plain, plain + registry.family}


def test_families_are_named_after_parameters():
    for registry in REGISTRIES:
        assert isinstance(registry, Registry)
        assert registry.family in MLPClassifier._parameters


@pytest.mark.parametrize("name", OWN_ARGUMENTS)
def test_component_documents_its_parameters(name):
    cls = getattr(components, name)
    said, defaults = documented(cls), signature_defaults(cls)
    required = {n for n, default in defaults.items() if default is inspect.Parameter.empty}
    assert set(said) | required == set(defaults)
    for parameter in required:
        assert re.search(rf"^{parameter} : ", inspect.getdoc(cls), re.MULTILINE)
    assert list(said) == [parameter for parameter in defaults if parameter not in required]
    for parameter, text in said.items():
        assert ast.literal_eval(text) == defaults[parameter], parameter


@pytest.mark.parametrize("name", OWN_ARGUMENTS)
def test_component_constrains_its_parameters(name):
    cls = getattr(components, name)
    assert set(cls._parameter_constraints) == set(signature_defaults(cls))
    component = cls(*GIVEN.get(name, ()))
    component.validate()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_nested_parameters_reach_components(cls):
    model = cls(optimizer=SGD()).set_params(optimizer__momentum=0.5)
    assert model.optimizer.momentum == 0.5
    assert model.get_params()["optimizer__momentum"] == 0.5


NESTED = {
    "dropout": (Scheduled(0.1, Linear()), ["value", "schedule__final_factor", "schedule"]),
    "input_dropout": (Scheduled(0.1, "linear"), ["value", "schedule"]),
    "weight_decay": (Scheduled(0.1, "linear"), ["value", "schedule"]),
    "optimizer": (SGD(Scheduled(0.9, "linear")), ["momentum__value", "momentum__schedule"]),
    "clip_norm": (ClipNorm(), ["max_norm", "scope"]),
    "ensemble": (Bagging(), ["fraction", "bootstrap"]),
    "batch_size": (Accumulated(), ["size", "steps"]),
    "output_activation": (Bounded(), ["activation", "low", "high"]),
}


@pytest.mark.parametrize("name", NESTED)
@pytest.mark.parametrize("cls", ESTIMATORS)
def test_nested_parameters_of_numbers_are_known_and_set(cls, name):
    if name not in cls._parameters:
        pytest.skip("a parameter of the other estimator")
    component, nested = NESTED[name]
    model = cls(**{name: clone(component)})
    for sub in nested:
        assert f"{name}__{sub}" in model.get_params()
        model.set_params(**{f"{name}__{sub}": "here"})
        assert model.get_params()[f"{name}__{sub}"] == "here"


@pytest.mark.parametrize(
    "optimizer",
    [
        SGD(Scheduled(0.9, "linear")),
        Lookahead(Adam(Scheduled(0.9, "linear"))),
        TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, "linear")),
        TorchOptimizer(torch.optim.Adam, betas=(Scheduled(0.9, "linear"), 0.99)),
    ],
    ids=str,
)
def test_all_parameters_that_are_known_can_be_set(optimizer):
    model = MLPRegressor(optimizer=optimizer)
    known = model.get_params()
    assert model.set_params(**known).get_params() == known


def test_a_scheduled_momentum_of_a_class_of_torch_is_reached():
    rule = TorchOptimizer(torch.optim.SGD, momentum=Scheduled(0.9, "linear"))
    model = MLPRegressor(optimizer=rule).set_params(optimizer__momentum__value=0.5)
    assert model.optimizer.momentum.value == 0.5
