"""Fitted estimators through files, copies and other processes."""

from __future__ import annotations

import copy
import io
import pickle
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor, components
from sklearn_dnn.components import (
    SGD,
    AlphaDropout,
    BatchNorm,
    Cosine,
    GlorotNormal,
    Huber,
    LayerNorm,
    LeakyRelu,
    OneCycle,
    Rectangular,
)
from sklearn_dnn.components.activations import Activation

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

QUICK = {"hidden_layer_sizes": (7,), "max_iter": 4, "learning_rate_init": 0.02, "random_state": 0}
BOTH = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
CONFIGURATIONS = {
    "defaults": {},
    "single": {"dtype": "float32"},
    "batch norm": {"norm": "batch", "hidden_layer_sizes": (5, 4)},
    "components": {
        "hidden_layer_sizes": Rectangular(2, 6),
        "activation": LeakyRelu(0.2),
        "initializer": GlorotNormal(),
        "norm": LayerNorm(),
        "dropout": AlphaDropout(0.1),
        "optimizer": SGD(momentum=0.9, nesterov=True),
        "schedule": Cosine(),
    },
    "early stopping": {"early_stopping": True, "validation_fraction": 0.2},
    "lbfgs": {"optimizer": "lbfgs"},
    "linear, unscaled": {"hidden_layer_sizes": (), "input_scaling": None},
}


@pytest.fixture(scope="module")
def data():
    return make_classification(80, 4, n_informative=3, n_redundant=0, random_state=0)


@pytest.fixture(params=CONFIGURATIONS.values(), ids=CONFIGURATIONS.keys())
def configuration(request):
    return {**QUICK, **request.param}


def _assert_same(a, b, X):
    np.testing.assert_array_equal(a.predict(X), b.predict(X))
    np.testing.assert_array_equal(a.transform(X), b.transform(X))
    if hasattr(a, "predict_proba"):
        np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    assert repr(a) == repr(b)
    curves = [{k: v for k, v in e.history_.items() if k != "seconds"} for e in (a, b)]
    assert curves[0] == curves[1]
    assert a.spec_ == b.spec_


def _by_pickle(estimator):
    return pickle.loads(pickle.dumps(estimator))


def _by_joblib(estimator):
    file = io.BytesIO()
    joblib.dump(estimator, file)
    file.seek(0)
    return joblib.load(file)


WAYS = pytest.mark.parametrize("way", [_by_pickle, _by_joblib, copy.deepcopy, copy.copy])


# Round trips


@WAYS
@BOTH
def test_round_trip(data, configuration, cls, way):
    X, y = data
    model = cls(**configuration).fit(X, y)
    _assert_same(way(model), model, X)


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(data, protocol):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    _assert_same(pickle.loads(pickle.dumps(model, protocol=protocol)), model, X)


@BOTH
def test_not_fitted(cls):
    model = cls(**CONFIGURATIONS["components"])
    assert repr(_by_pickle(model)) == repr(model)


def test_labels_and_names_of_columns(data):
    pandas = pytest.importorskip("pandas")
    X, y = data
    frame = pandas.DataFrame(X, columns=list("abcd"))
    model = MLPClassifier(**QUICK).fit(frame, np.array(["no", "yes"])[y])
    again = _by_pickle(model)
    np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
    assert list(again.feature_names_in_) == list("abcd")
    with pytest.raises(ValueError, match="feature names should match"):
        again.predict(frame[list("dcba")])


def test_a_pipeline(data, tmp_path):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**QUICK)).fit(X, y)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib", compress=3)
    again = joblib.load(tmp_path / "pipeline.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.usefixtures("every_warning_of_torch")
@pytest.mark.parametrize("parameters", [{}, {"norm": "batch"}, {"warm_start": True}])
@BOTH
def test_read_only_memory_map(data, cls, parameters, tmp_path):
    """Many processes can share one copy of the weights."""
    X, y = data
    model = cls(**QUICK, **parameters).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert isinstance(mapped.coefs_[0], np.memmap)
    for dtype in (np.float64, np.float32):
        _assert_same(mapped, model, X.astype(dtype))
    mapped.to_torch()
    for estimator in (mapped, model):
        estimator.partial_fit(X, y)
    _assert_same(mapped, model, X)


@pytest.fixture
def every_warning_of_torch():
    """Torch gives some warnings once a process; here each time."""
    before = torch.is_warn_always_enabled()
    torch.set_warn_always(True)
    yield
    torch.set_warn_always(before)


def test_cloudpickle_takes_a_users_own_component(data):
    cloudpickle = pytest.importorskip("cloudpickle")
    X, y = data

    class Cubic(Activation):
        def __init__(self, factor=1.0):
            self.factor = factor

        def forward(self, z):
            return z + self.factor * z**3

    model = MLPClassifier(**QUICK, activation=Cubic(0.1)).fit(X, y)
    _assert_same(cloudpickle.loads(cloudpickle.dumps(model)), model, X)


@BOTH
def test_a_deep_copy_shares_nothing(data, cls):
    X, y = data
    model = cls(**QUICK, optimizer=SGD()).fit(X, y)
    before = model.predict(X)
    twin = copy.deepcopy(model)
    for vectors in (twin.coefs_, twin.intercepts_):
        for vector in vectors:
            vector[:] = 0
    twin.optimizer.momentum = 0.5
    twin.history_["loss"].clear()
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.optimizer.momentum == 0.0
    assert len(model.history_["loss"]) == 4


def test_a_refit_leaves_a_shallow_copy_alone(data):
    X, y = data
    model = MLPClassifier(**QUICK, warm_start=True).fit(X, y)
    twin, before = copy.copy(model), model.predict_proba(X)
    model.fit(X, y)
    model.partial_fit(X, y)
    np.testing.assert_array_equal(twin.predict_proba(X), before)
    assert twin.n_iter_ == len(twin.loss_curve_) == 4


# What is in the state


def _walk(value, seen):
    """Every object within a state."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    yield value
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list | tuple | set):
        inner = list(value)
    elif isinstance(value, np.ndarray):
        inner = list(value.flat) if value.dtype == object else []
    elif isinstance(value, BaseEstimator):
        inner = [value.__getstate__()]
    else:
        inner = []
    for part in inner:
        yield from _walk(part, seen)


PLAIN = (dict, list, tuple, str, int, float, bool, type(None), np.ndarray, np.generic)


@BOTH
def test_state_is_numpy_and_plain_python(data, configuration, cls):
    X, y = data
    configuration = {**configuration, "warm_start": True}
    model = cls(**configuration).fit(X, y)
    model.fit(X, y)
    model.predict(X)
    model.to_torch()
    if configuration.get("optimizer") != "lbfgs":
        model.partial_fit(X, y)
    strange = {
        type(value)
        for value in _walk(model, {})
        if not isinstance(value, PLAIN) and not isinstance(value, BaseEstimator)
    }
    assert not strange
    components = {type(v).__module__ for v in _walk(model, {}) if isinstance(v, BaseEstimator)}
    assert all(module.startswith("sklearn_dnn.") for module in components)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@BOTH
def test_a_pickle_is_about_as_large_as_its_parameters(data, cls, dtype):
    X, y = data
    X = np.tile(X, (1, 25))
    model = cls(**{**QUICK, "hidden_layer_sizes": (200, 200)}, dtype=dtype).fit(X, y)
    model.predict(X)
    size = len(pickle.dumps(model))
    numbers = model.n_parameters_ * np.dtype(dtype).itemsize
    assert numbers < size < numbers + 20_000


def test_a_fit_that_does_not_go_on_keeps_nothing_to_go_on_with(data):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    small = len(pickle.dumps(model))
    model.partial_fit(X, y)
    assert len(pickle.dumps(model)) > small
    model.fit(X, y)
    assert len(pickle.dumps(model)) == small


def test_the_table_is_not_kept(data):
    X, y = data
    few, many = (
        len(pickle.dumps(MLPClassifier(**QUICK, warm_start=True).fit(X.repeat(n, 0), y.repeat(n))))
        for n in (1, 50)
    )
    assert abs(many - few) < 1000


# Going on after a round trip

CONTINUED = pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"optimizer": "momentum", "schedule": "exponential"},
        {"optimizer": "rmsprop", "dropout": 0.3, "norm": "batch", "batch_size": 16},
        {"early_stopping": True, "learning_rate_init": 0.3},
        {"dtype": "float32", "schedule": OneCycle(), "optimizer": "nadam"},
        {"schedule": "performance", "shuffle": False},
    ],
    ids=lambda p: ",".join(p) or "defaults",
)


@CONTINUED
@pytest.mark.parametrize("way", [_by_pickle, copy.copy])
@BOTH
def test_partial_fit_goes_on_bit_for_bit(data, cls, parameters, way):
    X, y = data
    straight, through = (cls(**{**QUICK, **parameters}) for _ in range(2))
    for _ in range(4):
        straight.partial_fit(X, y)
        through = way(through.partial_fit(X, y))
    _assert_same(through, straight, X)
    assert len(through.loss_curve_) == 4


@CONTINUED
@pytest.mark.parametrize("way", [_by_pickle, copy.copy])
@BOTH
def test_warm_start_goes_on_bit_for_bit(data, cls, parameters, way):
    X, y = data
    parameters = {**QUICK, **parameters, "warm_start": True}
    straight, through = (cls(**parameters) for _ in range(2))
    for _ in range(3):
        straight.fit(X, y)
        through = way(through.fit(X, y))
    _assert_same(through, straight, X)
    assert len(through.loss_curve_) == len(straight.loss_curve_) > 4


@BOTH
def test_warm_start_of_lbfgs_after_a_round_trip(data, cls):
    X, y = data
    straight = cls(**QUICK, optimizer="lbfgs", warm_start=True).fit(X, y)
    through = _by_pickle(straight)
    _assert_same(through.fit(X, y), straight.fit(X, y), X)


def test_one_copy_going_on_leaves_the_other_where_it_was(data):
    X, y = data
    model = MLPClassifier(**QUICK).partial_fit(X, y)
    twin = copy.copy(model)
    for _ in range(3):
        model.partial_fit(X, y)
    fresh = MLPClassifier(**QUICK).partial_fit(X, y)
    _assert_same(twin.partial_fit(X, y), fresh.partial_fit(X, y), X)


# Other versions and machines


@BOTH
def test_a_state_of_another_format_is_refused_with_the_way_out(data, cls):
    model = cls(**QUICK).fit(*data)
    model.state_format_ += 1
    found = model.state_format_
    with pytest.raises(ValueError, match=rf"state format {found}.*Load it with the version"):
        _by_pickle(model)


@pytest.mark.filterwarnings("error")
def test_a_state_of_this_format_is_taken_in_silence(data):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    _assert_same(_by_pickle(model), model, X)


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:63", "mps"])
@BOTH
def test_a_device_that_is_not_here_predicts_on_the_cpu(data, cls, device):
    X, y = data
    model = cls(**QUICK).fit(X, y)
    before = model.predict(X), model.transform(X)
    model.device_ = device
    again = _by_pickle(model)
    tolerance = {"rtol": 1e-4, "atol": 1e-4}  # where the device is here, it computes
    np.testing.assert_allclose(again.predict(X), before[0], **tolerance)
    np.testing.assert_allclose(again.transform(X), before[1], **tolerance)
    again.partial_fit(X, y)
    assert (again.n_iter_, len(again.loss_curve_)) == (1, 5)


# skops: files that run no code


@pytest.fixture(scope="module")
def skops():
    return pytest.importorskip("skops.io")


def test_where_classes_lie_is_frozen():
    """Pickles and skops spell these paths: who moves one makes saved files unreadable."""
    frozen = Path(__file__).with_name("trusted_types.txt").read_text("utf-8").split()
    assert set(frozen) <= set(sklearn_dnn.TRUSTED_TYPES), "a class was moved or removed"
    assert frozen == sklearn_dnn.TRUSTED_TYPES, "add the new classes to tests/trusted_types.txt"


def test_trusted_types_are_names():
    assert len(set(sklearn_dnn.TRUSTED_TYPES)) == len(sklearn_dnn.TRUSTED_TYPES)
    assert all(name.startswith("sklearn_dnn.") for name in sklearn_dnn.TRUSTED_TYPES)


@BOTH
def test_skops_round_trip(skops, data, configuration, cls):
    X, y = data
    model = cls(**configuration).fit(X, y)
    file = skops.dumps(model)
    assert set(skops.get_untrusted_types(data=file)) <= set(sklearn_dnn.TRUSTED_TYPES)
    _assert_same(skops.loads(file, trusted=list(sklearn_dnn.TRUSTED_TYPES)), model, X)


@pytest.mark.parametrize("parameters", [{}, {"warm_start": True, "early_stopping": True}])
def test_skops_keeps_what_is_needed_to_go_on(skops, data, parameters):
    X, y = data
    model = MLPClassifier(**QUICK, **parameters).partial_fit(X, y)
    file = skops.dumps(model)
    assert set(skops.get_untrusted_types(data=file)) <= set(sklearn_dnn.TRUSTED_TYPES)
    again = skops.loads(file, trusted=list(sklearn_dnn.TRUSTED_TYPES))
    _assert_same(again.partial_fit(X, y), model.partial_fit(X, y), X)


def test_skops_of_a_pipeline_and_a_components_loss(skops, data):
    X, y = data
    net = MLPRegressor(**QUICK, loss=Huber(), norm=BatchNorm())
    pipeline = make_pipeline(StandardScaler(), net).fit(X, y)
    file = skops.dumps(pipeline)
    again = skops.loads(file, trusted=list(sklearn_dnn.TRUSTED_TYPES))
    np.testing.assert_array_equal(again.predict(X), pipeline.predict(X))


def test_skops_refuses_what_nobody_trusted(skops, data):
    file = skops.dumps(MLPClassifier(**QUICK, optimizer=SGD()).fit(*data))
    assert skops.get_untrusted_types(data=file)
    with pytest.raises(Exception, match="Untrusted types"):
        skops.loads(file, trusted=[])


def test_every_public_component_is_trusted():
    public = [getattr(components, name) for name in components.__all__]
    names = {f"{cls.__module__}.{cls.__qualname__}" for cls in public}
    assert names <= set(sklearn_dnn.TRUSTED_TYPES)
