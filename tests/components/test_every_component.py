"""What every component of every family can do, whatever its family."""

from __future__ import annotations

import pickle

import pytest
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from sklearn_dnn import MLPClassifier, MLPRegressor, components
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
    Linear,
    Lookahead,
    Rectangular,
    Scheduled,
)

REGISTRIES = list(FAMILIES.values())
# (parameter of an estimator, class)
ALL = [
    *((registry.family, registry[name]) for registry in REGISTRIES for name in registry),
    ("early_stopping", EarlyStopping),
    ("hidden_layer_sizes", Rectangular),
    ("batch_size", Accumulated),
    ("clip_norm", ClipNorm),
    ("ensemble", Bagging),
    ("output_activation", Bounded),
]
PARAMETERS = [
    (family, cls, name) for family, cls in ALL for name in sorted(cls().get_params(deep=False))
]
every_component = pytest.mark.parametrize(
    "cls", [cls for _, cls in ALL], ids=[f"{family}-{cls.__name__}" for family, cls in ALL]
)
every_parameter = pytest.mark.parametrize(
    ("family", "cls", "name"),
    PARAMETERS,
    ids=[f"{family}-{cls.__name__}-{name}" for family, cls, name in PARAMETERS],
)


class Unlike:
    """A value that no parameter takes."""

    def __repr__(self):
        return "Unlike()"


@every_component
def test_the_defaults_are_allowed(cls):
    cls().validate()


@every_component
def test_clones_and_pickles_are_the_same_component(cls):
    component = cls()
    for twin in (clone(component), pickle.loads(pickle.dumps(component))):
        assert twin is not component
        assert type(twin) is cls
        assert repr(twin) == repr(component)
        assert twin.get_params(deep=False) == component.get_params(deep=False)


@every_component
def test_the_representation_names_the_class_and_what_was_changed(cls):
    assert repr(cls()) == f"{cls.__name__}()"
    numbers = {k: v for k, v in cls().get_params(deep=False).items() if type(v) in {int, float}}
    for name, value in numbers.items():
        changed = cls(**{name: type(value)(value + 1)})
        assert repr(changed) == f"{cls.__name__}({name}={value + 1!r})"


@every_parameter
def test_a_bad_value_is_refused_by_name(family, cls, name):  # noqa: ARG001 - ids name it
    component = cls(**{name: Unlike()})
    with pytest.raises((ValueError, TypeError), match=rf"{name}.*Unlike\(\)"):
        component.validate()


@every_parameter
def test_a_search_reaches_a_parameter_by_its_nested_name(family, cls, name):
    key = f"{family}__{name}"
    estimator_class = MLPRegressor if family in MLPRegressor._parameters else MLPClassifier
    estimator = estimator_class(**{family: cls()})
    marker = Unlike()
    (point,) = ParameterGrid({key: [marker]})
    changed = clone(estimator).set_params(**point)
    assert getattr(getattr(changed, family), name) is marker
    assert changed.get_params()[key] is marker
    assert getattr(getattr(estimator, family), name) is not marker


# A number that a schedule drives has no default: where it may stand, and what it is called there.
SCHEDULED = {
    "dropout": lambda number: {"dropout": number},
    "dropout__rate": lambda number: {"dropout": Dropout(number)},
    "input_dropout": lambda number: {"input_dropout": number},
    "weight_decay": lambda number: {"weight_decay": number},
    "optimizer__weight_decay": lambda number: {"optimizer": AdamW(weight_decay=number)},
    "optimizer__momentum": lambda number: {"optimizer": SGD(number)},
    "optimizer__beta_1": lambda number: {"optimizer": Adam(number)},
    "optimizer__optimizer__momentum": lambda number: {"optimizer": Lookahead(SGD(number))},
}


@pytest.mark.parametrize("name", SCHEDULED)
def test_a_search_reaches_what_is_scheduled_by_nested_names(name):
    number = Scheduled(0.5, Linear())
    estimator = MLPClassifier(**SCHEDULED[name](number))
    for sub in ("value", "schedule", "schedule__final_factor"):
        key, marker = f"{name}__{sub}", Unlike()
        (point,) = ParameterGrid({key: [marker]})
        assert clone(estimator).set_params(**point).get_params()[key] is marker
        assert estimator.get_params()[key] is not marker


def test_a_scheduled_number_is_a_component():
    number = Scheduled(0.5, Linear())
    number.validate()
    for twin in (clone(number), pickle.loads(pickle.dumps(number))):
        assert twin is not number
        assert repr(twin) == repr(number) == "Scheduled(schedule=Linear(), value=0.5)"
    for name in ("value", "schedule"):
        wrong = Scheduled(**{"value": 0.5, "schedule": "linear", name: Unlike()})
        with pytest.raises(ValueError, match=rf"'{name}' parameter of Scheduled.*Unlike\(\)"):
            wrong.validate()


def test_every_exported_component_has_a_family_or_wraps_something():
    known = {cls.__name__ for _, cls in ALL}
    wrappers = set(components.__all__) - known
    for name in wrappers:
        with pytest.raises(TypeError, match="required"):
            getattr(components, name)()


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.family)
def test_a_misspelt_name_is_told_the_nearest(registry):
    name = next(iter(registry))
    with pytest.raises(ValueError, match=f"{registry.family!r} parameter.*{name}"):
        registry.resolve(f"{name}x")
    with pytest.raises(TypeError, match=r"takes an instance, not a class"):
        registry.resolve(registry[name])
