"""The estimators on a CUDA device; skipped where there is none."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import SGD

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]

CONFIGURATIONS = [
    {},
    {"optimizer": SGD(momentum=0.9), "learning_rate_init": 0.01},
    {"optimizer": "lbfgs"},
    {"norm": "layer"},
    {"numeric_embedding": "periodic"},
    {"numeric_embedding": "piecewise_linear"},
    {"hidden_layer_sizes": ()},
    {"schedule": "one_cycle", "learning_rate_init": 0.01, "clip_norm": 1.0},
]


@parametrize_with_checks([MLPClassifier(device="cuda"), MLPRegressor(device="cuda")])
def test_every_check(estimator, check):
    check(estimator)


def table(n=500):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 8))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


@pytest.mark.parametrize("parameters", CONFIGURATIONS, ids=str)
def test_a_short_fit_is_that_of_the_cpu(parameters):
    X, y = table()
    there = MLPRegressor(**parameters, max_iter=5, random_state=0, device="cuda").fit(X, y)
    here = MLPRegressor(**parameters, max_iter=5, random_state=0, device="cpu").fit(X, y)
    assert there.device_ == "cuda"
    # float64 here; sums in another order
    np.testing.assert_allclose(there.predict(X), here.predict(X), rtol=1e-6, atol=1e-8)


def test_dropout_batch_norm_and_early_stopping_run():
    X, y = table()
    model = MLPClassifier(
        dropout=0.1, norm="batch", early_stopping=True, random_state=0, device="cuda", max_iter=20
    ).fit(X, y > 0)
    assert model.score(X, y > 0) > 0.6
    assert model.validation_scores_ is not None


def test_a_fit_from_the_gpu_loads_where_there_is_none(monkeypatch):
    X, y = table()
    model = MLPRegressor(max_iter=5, random_state=0, device="cuda").fit(X, y)
    expected = model.predict(X)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict(X), expected, rtol=1e-6)


def test_calls_that_go_on_equal_one_fit():
    X, y = table()
    model = MLPRegressor(batch_size=100, max_iter=3, random_state=0, device="cuda")
    whole = clone(model).fit(X, y)
    for _ in range(3):
        model.partial_fit(X, y)
    np.testing.assert_allclose(model.predict(X), whole.predict(X), rtol=1e-6)


def test_auto_takes_the_gpu_for_large_steps_alone():
    X, y = table(2000)
    small = MLPRegressor((8,), max_iter=1).fit(X, y)
    large = MLPRegressor((2048, 2048), max_iter=1).fit(X, y)
    assert (small.device_, large.device_) == ("cpu", "cuda")
