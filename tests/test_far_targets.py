"""Targets far from zero, very small or very large, and what type predictions have."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.data import numbers
from sklearn_dnn._core.data.targets import RegressionCodec
from sklearn_dnn.components import Bounded, Dropout, Quantile
from sklearn_dnn.model_selection import GridSearchCV, cross_validate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 200
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3)).astype(np.float32)
Z = (X[:, 0] - 0.5 * X[:, 1]).astype(np.float64)
LINEAR = {"hidden_layer_sizes": (), "alpha": 0.0, "optimizer": "lbfgs", "max_iter": 100}
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 10, "learning_rate_init": 0.02, "random_state": 0}
# Targets whose numbers float32 runs together, and such that it keeps.
FAR = {
    "seconds": 1.7e9 + 20 * Z,
    "pence": 1e12 + 1e3 * Z,
    "near": 2e7 + Z,
    "tiny": 1e-300 * Z,
    "large": 1e100 * Z,
    "integers": np.round(2e9 + 300 * Z).astype(np.int64),
}
NEAR = {
    "standard": Z,
    "years": 2000 + 10 * Z,
    "prices": 3e5 + 1e5 * Z,
    "small": 1e-12 * Z,
    "integers": np.round(100 * Z).astype(int),
    "constant": np.full(N, 5.0),
}


@pytest.mark.parametrize("name", FAR)
def test_far_targets_are_met_from_float32_tables(name):
    y = FAR[name]
    model = MLPRegressor(**LINEAR).fit(X, y)
    # the tables are linear: least squares leaves nothing but what rounding did
    least = 1 - 1e-8
    if name == "integers":
        A = np.column_stack([X, np.ones(N)])
        centred = y - y.mean()
        least = r2_score(centred, A @ np.linalg.lstsq(A, centred, rcond=None)[0]) - 1e-8
    predicted = model.predict(X)
    assert predicted.dtype == np.float64
    unit = np.abs(y).max()  # squares of the numbers themselves may underflow
    middle, spread = y.mean(), np.std(y / unit) * unit
    assert r2_score((y - middle) / spread, (predicted - middle) / spread) > least
    assert not model.spec_["task"]["float32_targets"]
    assert model.transform(X).dtype == np.float32
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), predicted)
    wide = model.predict(X.astype(float))
    np.testing.assert_allclose(wide, predicted, rtol=0, atol=1e-5 * spread)


@pytest.mark.parametrize("name", NEAR)
def test_other_predictions_keep_the_type_of_their_table(name):
    y = NEAR[name]
    model = MLPRegressor(**QUICK).fit(X, y)
    assert model.spec_["task"]["float32_targets"]
    for table, dtype in (
        (X, np.float32),
        (torch.from_numpy(X).bfloat16(), np.float32),
        (X.astype(np.float16), np.float64),
        (X.astype(float), np.float64),
    ):
        assert model.predict(table).dtype == dtype


def test_classifiers_keep_the_type_of_their_table():
    model = MLPClassifier(**QUICK).fit(X, Z > 0)
    assert model.predict_proba(X).dtype == model.decision_function(X).dtype == np.float32
    assert model.predict_proba(X.astype(float)).dtype == np.float64


@pytest.mark.parametrize("offset", [0.0, 1.7e9])
def test_units_of_the_codec_are_float64(offset):
    """One prediction of float32 is scaled and moved exactly, and rounded once."""
    codec = RegressionCodec(np.array([offset]), np.array([0.1]), True)
    raw = np.array([[1.25]], dtype=np.float32)
    assert codec.decode(raw) == np.float32(offset + 1.25 * 0.1)
    assert codec.decode(raw.astype(float)) == offset + 1.25 * 0.1
    assert codec.decode(raw).dtype == np.float32


def test_bounds_hold_after_rounding():
    codec = RegressionCodec(np.zeros(1), np.ones(1), True, bounds=(0.1, 0.3))
    found = codec.decode(np.array([[0.1], [0.3], [5.0], [-5.0]], dtype=np.float32))
    assert found.dtype == np.float32
    assert (found.astype(float) >= 0.1).all()
    assert (found.astype(float) <= 0.3).all()


@pytest.mark.parametrize(
    ("y", "suits"),
    [
        ([0.0, 1.0], True),
        ([1e6, 1e6 + 1], False),  # steps of 0.06 beside a deviation of 0.5
        ([1e6, 1e6 + 4000], True),
        ([1e39, 2e39], False),
        ([1e-40, 2e-40], False),
        ([7.0, 7.0], True),
        ([0.1, 0.1], False),
        ([16777217.0, 16777217.0], False),
        ([[0.0, 1e9], [1.0, 1e9 + 1]], False),
    ],
)
def test_which_targets_float32_tells_apart(y, suits):
    assert numbers.suits_float32(np.array(y)) is suits


def shifted(parameters, predict, *, offset=1.7e9, scale=20.0, y=Z):
    """What a model says of far targets, in the units of those without offset."""
    far = MLPRegressor(**QUICK, **parameters).fit(X, offset + scale * y)
    near = MLPRegressor(**QUICK, **parameters).fit(X, y)
    found, expected = predict(far), predict(near)
    assert found.dtype == np.float64
    return (found - offset) / scale, expected


@pytest.mark.parametrize(
    "loss",
    ["squared_error", "absolute_error", "huber", "log_cosh", "epsilon_insensitive", "gaussian"],
)
@pytest.mark.parametrize("ensemble", [{}, {"n_members": 3}], ids=["one", "three"])
def test_losses_and_ensembles(loss, ensemble):
    found, expected = shifted({"loss": loss, **ensemble}, lambda m: m.predict(X))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    if ensemble:
        found, expected = shifted({"loss": loss, **ensemble}, lambda m: m.predict_members(X))
        np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("loss", [Quantile((0.1, 0.5, 0.9)), "gaussian", "squared_error"], ids=str)
def test_quantiles(loss):
    ensemble = {} if isinstance(loss, Quantile) else {"n_members": 3}
    found, expected = shifted({"loss": loss, **ensemble}, lambda m: m.predict_quantiles(X))
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("n_samples", [None, 3])
def test_deviations_and_random_passes(n_samples):
    parameters = {"loss": "gaussian", "dropout": Dropout(0.3)}
    far = MLPRegressor(**QUICK, **parameters).fit(X, 1.7e9 + 20 * Z)
    near = MLPRegressor(**QUICK, **parameters).fit(X, Z)
    mean, deviation = far.predict(X, n_samples=n_samples, return_std=True)
    expected, spread = near.predict(X, n_samples=n_samples, return_std=True)
    assert mean.dtype == deviation.dtype == np.float64
    np.testing.assert_allclose((mean - 1.7e9) / 20, expected, atol=1e-5)
    np.testing.assert_allclose(deviation / 20, spread, rtol=1e-4)


def test_targets_of_unlike_offsets_each_keep_their_digits():
    y = np.column_stack([1.7e9 + 20 * Z, Z, 1e-6 * Z])
    model = MLPRegressor(**LINEAR).fit(X, y)
    predicted = model.predict(X)
    assert predicted.dtype == np.float64
    assert min(r2_score(y, predicted, multioutput="raw_values")) > 1 - 1e-7


def test_a_bounded_output_far_from_zero():
    y, found = 40 / (1 + np.exp(-Z)), []
    for low in (0.0, 1.7e9):
        link = Bounded("logistic", low, low + 40)
        predicted = MLPRegressor(**QUICK, output_activation=link).fit(X, low + y).predict(X)
        assert predicted.min() >= low
        assert predicted.max() <= low + 40
        found.append(predicted - low)
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(*found, atol=1e-4)


def test_targets_without_scaling_are_computed_in_float64():
    """Raw outputs are the predictions: float32 would round them before they are decoded."""
    model = MLPRegressor((), target_scaling=None, dtype="float64", optimizer="lbfgs", alpha=0.0)
    y = 1e7 + Z
    assert model.fit(X, y).score(X, y) > 0.999


def test_what_judges_a_fit_has_the_units_too():
    y = 1.7e9 + 20 * Z
    model = MLPRegressor(**QUICK | {"max_iter": 30}, early_stopping=True, monitor="r2")
    model.fit(X, y, X_val=X, y_val=y)
    assert model.best_validation_score_ == pytest.approx(model.score(X, y), abs=1e-6)
    assert model.best_validation_score_ > 0.5
    plain = MLPRegressor(**QUICK | {"max_iter": 30}, early_stopping=True)
    plain.fit(X, y, X_val=X, y_val=y)
    best = plain.validation_scores_[plain.best_iter_ - 1]
    assert best == pytest.approx(plain.score(X, y), abs=1e-5)


def test_searches_score_far_targets():
    y = 1.7e9 + 20 * Z
    long = QUICK | {"max_iter": 40}
    found = cross_validate(MLPRegressor(**long), X, y, cv=3)["test_score"]
    near = cross_validate(MLPRegressor(**long), X, Z, cv=3)["test_score"]
    np.testing.assert_allclose(found, near, atol=1e-4)
    search = GridSearchCV(MLPRegressor(**long), {"alpha": [1e-4, 1e-3]}, cv=3).fit(X, y)
    assert search.best_score_ == pytest.approx(near.mean(), abs=0.02)


def test_later_rows_change_no_type():
    model = MLPRegressor(**QUICK).partial_fit(X, 1.7e9 + 20 * Z)
    model.partial_fit(X, np.linspace(0, 3.4e9, N))
    assert model.predict(X).dtype == np.float64
    model = MLPRegressor(**QUICK).partial_fit(X, Z)
    model.partial_fit(X, 1e6 + Z)
    assert model.predict(X).dtype == np.float32


@pytest.mark.parametrize("n_members", [1, 3])
def test_a_module_of_torch_gives_float64_where_predict_does(n_members):
    y = 1.7e9 + 20 * Z
    model = MLPRegressor(**QUICK, dtype="float32", n_members=n_members).fit(X, y)
    found = model.to_torch()(torch.from_numpy(X))
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.detach().numpy()[:, 0], model.predict(X), atol=1e-4)
    near = MLPRegressor(**QUICK, dtype="float32", n_members=n_members).fit(X, Z)
    assert near.to_torch()(torch.from_numpy(X)).dtype == torch.float32


# A validation set in other units


def transformed(function, inverse):
    return TransformedTargetRegressor(
        MLPRegressor((5,), max_iter=2, learning_rate_init=0.01, random_state=0),
        func=function,
        inverse_func=inverse,
        check_inverse=False,
    )


OTHERS = {
    "logarithm": transformed(np.log, np.exp),
    "scale": transformed(lambda y: y / 1000.0, lambda y: 1000.0 * y),
    "sign": transformed(np.negative, np.negative),
    "standardised": TransformedTargetRegressor(
        MLPRegressor((5,), max_iter=2, random_state=0), transformer=StandardScaler()
    ),
}


@pytest.mark.filterwarnings("ignore:Maximum iterations:Warning")
@pytest.mark.parametrize("model", OTHERS.values(), ids=OTHERS)
def test_a_validation_set_in_other_units_is_told(model):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 3))
    y = np.exp(10.0 + X[:, 0])
    seen = clone(model).fit(X[:80], y[:80])
    into = seen.transformer_.transform(y[80:, None])[:, 0]
    clone(model).fit(X[:80], y[:80], X_val=X[80:], y_val=into)  # without a word
    with pytest.warns(UserWarning, match="do not look like the same quantity"):
        clone(model).fit(X[:80], y[:80], X_val=X[80:], y_val=y[80:])


@pytest.mark.filterwarnings("ignore:Maximum iterations:Warning")
@pytest.mark.parametrize("draw", ["standard_normal", "standard_cauchy", "lognormal"])
@pytest.mark.parametrize("n_val", [1, 5, 40])
def test_a_validation_set_of_the_same_law_is_not_told_of(draw, n_val):
    rng = np.random.default_rng(1)
    y = getattr(rng, draw)(size=100 + n_val)
    X = rng.normal(size=(len(y), 2))
    model = MLPRegressor((3,), max_iter=2, random_state=0)
    model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
