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
from sklearn.model_selection import ShuffleSplit

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor, components
from sklearn_dnn._core.specification import FitSpec, Task, resolve
from sklearn_dnn.components import FAMILIES
from sklearn_dnn.components.base import Component, Registry
from sklearn_dnn.components.dropouts import DROPOUTS
from sklearn_dnn.components.foreign import ForeignClass
from sklearn_dnn.components.losses import LOSSES
from sklearn_dnn.components.optimizers import SGD
from sklearn_dnn.estimators._parameters import PARAMETERS

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
def test_docstring_has_the_tables_parameters_and_defaults(cls):
    said, defaults = documented(cls), signature_defaults(cls)
    assert list(said) == list(cls._parameters)
    for name, parameter in cls._parameters.items():
        assert ast.literal_eval(said[name]) == defaults[name], name
        assert parameter.text.strip().endswith("."), name


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstrings_are_literal_and_written_from_the_tables(cls):
    """Editors show what stands in the source: ``python .ci/docstrings.py`` writes it."""
    tree = ast.parse(Path(inspect.getfile(cls)).read_text("utf-8"))
    (written,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == cls.__name__)
    assert ast.get_docstring(written) == inspect.getdoc(cls)
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
        "output_range",
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
    "momentum_schedule": "momentum_cycle",
    "dropout_schedule": "linear",
    "weight_decay_schedule": "cosine",
    "accumulation_steps": 2,
    "clip_scope": "tensor",
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
    "bootstrap": True,
    "member_fraction": 0.5,
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
    "output_range": ({"output_activation": "logistic"}, (-1.0, 3.0)),
    "device": ({"device": "auto"}, "cpu"),
}


PLANS = {"schedule", "momentum_schedule", "dropout_schedule", "weight_decay_schedule"}


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
    driven = {"dropout": 0.1, "weight_decay": 0.1}  # schedules need something to drive
    before = spec_of(cls, **driven)
    for name in set(ANOTHER) & set(cls._parameters) - {"device"}:
        now = spec_of(cls, **driven | {name: ANOTHER[name]})
        assert now.as_dict()[name] != before.as_dict()[name], name
        same = {f.name for f in fields(FitSpec)} - {name}
        if name == "activation":  # "auto" follows it
            same.remove("initializer")
        if name in PLANS or name == "n_iter_no_change":  # patience follows what has a horizon
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
    if cls is MLPRegressor:
        bounded = spec_of(cls, output_activation="tanh", output_range=[-1, 3])
        assert bounded.output_range == (-1.0, 3.0)


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
    decided -= {"task", "stopping", "by_recipe", "whole_cycles"}
    asked = set(MLPClassifier._parameters) | set(MLPRegressor._parameters)
    assert decided == asked - READ_ELSEWHERE


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
    required = {"function"} if name.startswith("Function") else set()
    assert set(said) | required == set(defaults)
    assert list(said) == [parameter for parameter in defaults if parameter not in required]
    for parameter, text in said.items():
        assert ast.literal_eval(text) == defaults[parameter], parameter


@pytest.mark.parametrize("name", OWN_ARGUMENTS)
def test_component_constrains_its_parameters(name):
    cls = getattr(components, name)
    assert set(cls._parameter_constraints) == set(signature_defaults(cls))
    component = cls(torch.abs) if name in WRAPPERS else cls()
    component.validate()


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_nested_parameters_reach_components(cls):
    model = cls(optimizer=SGD()).set_params(optimizer__momentum=0.5)
    assert model.optimizer.momentum == 0.5
    assert model.get_params()["optimizer__momentum"] == 0.5
