"""Hyperparameters are declared once, and modules stand on floors."""

from __future__ import annotations

import ast
import graphlib
import inspect
import re
import warnings
from dataclasses import fields
from importlib import resources
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


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_signature_and_defaults_are_the_tables(cls):
    table = {name: parameter.default for name, parameter in cls._parameters.items()}
    assert list(signature_defaults(cls).items()) == list(table.items())
    assert {k: type(v) for k, v in cls().get_params(deep=False).items()} == {
        k: type(v) for k, v in table.items()
    }


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_docstring_has_the_tables_parameters_and_defaults(cls):
    said = documented(cls)
    assert list(said) == list(cls._parameters)
    for name, parameter in cls._parameters.items():
        assert ast.literal_eval(said[name]) == parameter.default, name
        assert parameter.text.strip().endswith("."), name


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
    assert set(cls._parameters) <= known
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


# Floors

FLOORS = {
    "_compat": 0,
    "_version": 0,
    "_threads": 0,
    "_show_versions": 0,
    "_warnings": 0,
    "_files": 0,
    "_terminal": 0,
    "_interruption": 0,
    "_devices": 0,
    "_core": 0,  # the package itself, which holds nothing
    "components.base": 0,
    "components": 1,
    "_core.messages": 2,
    "_core.specification": 2,
    "_core.data": 2,
    "_core.network": 3,
    "_core.training": 4,
    "_core.reading": 5,
    "callbacks": 5,
    "_core.fitted": 6,
    "_core.fitting": 7,
    "estimators": 8,
    "model_selection": 9,
    "inspection": 9,
    "persistence": 9,
    "presets": 9,
    "datasets": 9,
    "compare": 9,
    "": 10,  # the package itself, which shows its best
    "cli": 11,  # the commands over all of it
    "__main__": 11,
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix("__init__").rstrip("."):
    path
    for path in sorted(PACKAGE.rglob("*.py"))
}  # fmt: skip


def is_package(module):
    return MODULES[module].name == "__init__.py"


def floor(module):
    known = [name for name in FLOORS if module == name or (module.startswith(f"{name}.") and name)]
    assert known, f"{module} stands on no floor"
    return FLOORS[max(known, key=len)]


def imports(module):
    """(module within the package or None, full name) of everything a module imports."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            names = [(alias.name, "") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                here = module.split(".") if is_package(module) else module.split(".")[:-1]
                kept = here[: len(here) - node.level + 1]
                source = ".".join(p for p in ["sklearn_dnn", *kept, source] if p)
            names = [(source, alias.name) for alias in node.names]
        else:
            continue
        for source, name in names:
            top, _, inner = source.partition(".")
            if top != "sklearn_dnn":
                yield None, f"{source}.{name}".rstrip(".")
                continue
            deeper = f"{inner}.{name}".strip(".")
            yield (deeper if deeper in MODULES else inner), f"{source}.{name}"


def test_imports_are_read_as_python_reads_them():
    assert ("_compat", "sklearn_dnn._compat.Interval") in set(imports("components.stopping"))
    assert ("specification", "sklearn_dnn._core.specification.FitSpec") in set(
        imports("network.kernels")
    )
    assert ("data.features", "sklearn_dnn._core.data.features.Features") in set(
        imports("data.batches")
    )
    assert (None, "torch.Tensor") in set(imports("training.step"))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_imports_from_its_own_floor_or_below(module):
    for source, name in imports(module):
        if source is not None:
            assert source in MODULES, name
            assert floor(source) <= floor(module), f"{module} imports {name} from above"


@pytest.mark.parametrize("module", [m for m in MODULES if m.startswith("components.")])
def test_families_of_components_do_not_import_each_other(module):
    own = module.removeprefix("components.")
    family = f"components.{own.split('.')[0]}"
    allowed = {"_compat", "_warnings", "components.base", "components.foreign"}
    used = {source for source, _ in imports(module) if source is not None} - allowed
    assert all(source == family or source.startswith(f"{family}.") for source in used)


def test_no_imports_run_in_a_circle():
    used = {m: {s for s, _ in imports(m) if s in MODULES and s != m} for m in MODULES}
    graphlib.TopologicalSorter(used).prepare()


def test_tools_do_not_import_each_other():
    for module in (m for m in MODULES if floor(m) == 9):
        others = {s.split(".")[0] for s, _ in imports(module) if s is not None and floor(s) == 9}
        assert others <= {module.split(".")[0]}


@pytest.mark.parametrize("module", [m for m in MODULES if m != "_compat"])
def test_private_names_of_others_enter_by_one_door(module):
    private = re.compile(r"(^|\.)_(?!_)")
    outside = [name for source, name in imports(module) if source is None]
    assert not [name for name in outside if private.search(name)]
    tops = {name.split(".")[0] for name in outside}
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Attribute) and private.match(node.attr):
            root = node.value
            while isinstance(root, ast.Attribute):
                root = root.value
            assert not (isinstance(root, ast.Name) and root.id in tops), ast.unparse(node)


def test_the_estimators_alone_know_scikit_learns_estimator_api():
    for module in MODULES:
        if floor(module) in {1, 3, 4}:
            others = {name for source, name in imports(module) if source is None}
            assert not {name for name in others if name.split(".")[0] == "sklearn"}, module


def test_modules_import_without_extras():
    extras = {"tqdm", "polars", "skops", "dask", "distributed", "matplotlib", "pyarrow"}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {a.name for a in node.names} | {getattr(node, "module", None) or ""}
                assert not {name.split(".")[0] for name in names} & extras, module


def test_package_is_typed():
    assert resources.files("sklearn_dnn").joinpath("py.typed").is_file()
