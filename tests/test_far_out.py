"""Numbers and rates far out: each is told for what it is."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import softmax
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components import Piecewise
from sklearn_dnn.model_selection import cross_validate

N = 150
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 3))
Y = X[:, 0] - X[:, 1]
LABELS = (Y > 0).astype(int)
QUICK = {"hidden_layer_sizes": (8,), "max_iter": 12, "random_state": 0, "learning_rate_init": 0.02}
unconverged = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def told(function):
    """The warnings of a call, as text."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function()
    return [str(w.message) for w in caught]


# Rates


IRIS, CANCER = load_iris(return_X_y=True), load_breast_cancer(return_X_y=True)


@pytest.mark.parametrize("rate", [10.0, 1e3])
@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_a_loss_that_rises_for_good_is_divergence(rate, optimizer):
    model = MLPClassifier(
        (16,), optimizer=optimizer, learning_rate_init=rate, max_iter=60, random_state=0
    )
    (message,) = told(lambda: model.fit(*IRIS))
    assert min(model.loss_curve_[1:]) >= model.loss_curve_[0]
    assert model.end_reason_ == "diverged"
    assert "never again came below that of epoch 1" in message
    assert f"Lower learning_rate_init (now {rate:g})" in message
    assert model.best_iter_ == 1
    assert "the weights that training began with are kept" in message
    # the loss named is that of these weights: an epoch of so few rows is a single step
    assert log_loss(IRIS[1], model.predict_proba(IRIS[0])) == pytest.approx(
        model.loss_curve_[0], rel=1e-3
    )


WRECKING = {"optimizer": "sgd", "max_iter": 20, "random_state": 0}
ROWS = np.random.default_rng(5).normal(size=(400, 5))
SIGNAL = ROWS[:, 0] + 0.5 * ROWS[:, 1]


@unconverged
@pytest.mark.parametrize("n_members", [1, 3])
@pytest.mark.parametrize("n", [150, 400])  # one step an epoch, and two
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_wrecked_weights_are_not_kept_for_the_loss_before_their_step(cls, n, n_members):
    X, y = ROWS[:n], SIGNAL[:n]
    y = y > 0 if cls is MLPClassifier else y
    model = cls((8,), learning_rate_init=1e4, n_members=n_members, **WRECKING).fit(X, y)
    assert model.end_reason_ == "diverged"
    if cls is MLPClassifier:
        assert log_loss(y, model.predict_proba(X)) < 2
    else:
        assert np.abs(model.predict(X)).max() < 20


@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("factor", [1e10, 1e305])
def test_weights_before_the_step_that_wrecks_are_kept(factor, n_members):
    model = MLPRegressor(
        (8,),
        n_members=n_members,
        learning_rate_init=0.1,
        schedule=Piecewise(boundaries=(10,), factors=(1.0, factor)),
        **WRECKING,
    )
    (message,) = told(lambda: model.fit(ROWS[:150], SIGNAL[:150]))
    assert model.end_reason_ == "diverged"
    assert "the weights of epoch 10 are kept" in message
    whole = MLPRegressor((8,), n_members=n_members, learning_rate_init=0.1, **WRECKING)
    told(lambda: whole.set_params(max_iter=10).fit(ROWS[:150], SIGNAL[:150]))
    np.testing.assert_array_equal(model.predict(ROWS), whole.predict(ROWS))


@pytest.mark.parametrize("max_iter", [1, 5])
@pytest.mark.parametrize("rate", [1e150, 1e300])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("n", [150, 400])
def test_where_no_weights_have_a_finite_loss_an_earlier_fit_stays(n, n_members, rate, max_iter):
    X, y = ROWS[:n], SIGNAL[:n]
    model = MLPRegressor((8,), n_members=n_members, **WRECKING).set_params(max_iter=2)
    told(lambda: model.fit(X, y))
    before = model.predict(X)
    model.set_params(learning_rate_init=rate, max_iter=max_iter)
    with pytest.raises(ValueError, match=r"not finite after any epoch\. Lower learning_rate"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)


@unconverged
@pytest.mark.parametrize("rate", [1e4, 1e300])
@pytest.mark.parametrize("n", [150, 400])
@pytest.mark.parametrize("by_parts", [False, True])
def test_a_fit_that_goes_on_and_diverges_keeps_the_earlier_weights(n, rate, by_parts):
    X, y = ROWS[:n], SIGNAL[:n]
    model = MLPRegressor((8,), learning_rate_init=0.01, max_iter=40, warm_start=True)
    model.set_params(random_state=0).fit(X, y)
    before = model.score(X, y)
    model.set_params(learning_rate_init=rate, optimizer=model.optimizer)
    if by_parts:
        for _ in range(3):
            model.partial_fit(X, y)
            if model.end_reason_ == "diverged":
                break
    else:
        model.fit(X, y)
    if rate == 1e300 or not by_parts:
        assert model.end_reason_ == "diverged"
        assert model.score(X, y) >= before - 0.05


@pytest.mark.parametrize("rate", [0.01, 0.1])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_fitted_network_whose_loss_rises_for_a_while_goes_on(rate, schedule):
    model = MLPRegressor((8,), learning_rate_init=0.01, max_iter=60, warm_start=True)
    told(lambda: model.set_params(random_state=0).fit(ROWS, SIGNAL))
    model.set_params(learning_rate_init=rate, schedule=schedule, max_iter=8)
    told(lambda: model.fit(ROWS, SIGNAL))
    assert model.end_reason_ != "diverged"
    assert model.score(ROWS, SIGNAL) > 0.8


@pytest.mark.parametrize("weight_noise", [0.2, 0.3])
@pytest.mark.parametrize("n", [150, 400])
def test_a_loss_that_noise_makes_high_is_no_divergence(n, weight_noise):
    model = MLPRegressor((8,), learning_rate_init=0.01, max_iter=60, random_state=0)
    messages = told(lambda: model.set_params(weight_noise=weight_noise).fit(ROWS[:n], SIGNAL[:n]))
    assert model.end_reason_ != "diverged"
    assert not any("Lower" in message for message in messages)


@pytest.mark.parametrize(
    "noise", [{"weight_noise": 0.5}, {"weight_noise": 1.0}, {"dropout": 0.95}], ids=str
)
def test_noise_that_hides_what_there_is_to_learn_is_named(noise):
    model = MLPRegressor((64, 64), learning_rate_init=0.01, max_iter=60, random_state=0, **noise)
    messages = told(lambda: model.fit(ROWS[:150], SIGNAL[:150]))
    ((name, value),) = noise.items()
    assert any(re.search(rf"or (lower )?{name} \(now {value:g}\)", m) for m in messages)


@pytest.mark.parametrize("changes", [{"max_iter": 8}, {"n_members": 2}, {"early_stopping": True}])
def test_so_it_is_however_training_ends(changes):
    parameters = {"optimizer": "sgd", "learning_rate_init": 1e3, "max_iter": 40} | changes
    model = MLPClassifier((16,), random_state=0, **parameters)
    (message,) = told(lambda: model.fit(*IRIS))
    assert model.end_reason_ == "diverged"
    assert re.search(r"never again came below.*Lower learning_rate_init", message)


@unconverged
def test_after_a_loss_that_rose_training_goes_on_at_a_lower_rate():
    model = MLPClassifier(
        (16,), optimizer="sgd", learning_rate_init=10.0, max_iter=30, warm_start=True
    )
    told(lambda: model.set_params(random_state=0).fit(*IRIS))
    assert model.end_reason_ == "diverged"
    model.set_params(learning_rate_init=0.05, max_iter=300).fit(*IRIS)
    assert model.score(*IRIS) > 0.9


@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_a_loss_that_stays_above_that_of_zeros_is_told(cls):
    X, y = CANCER if cls is MLPClassifier else load_diabetes(return_X_y=True)
    model = cls((16,), optimizer="adam", learning_rate_init=100.0, max_iter=25, random_state=0)
    (message,) = told(lambda: model.fit(X, y))
    zeros = np.log(2) if cls is MLPClassifier else 0.5
    assert model.loss_curve_[-1] > 2 * zeros
    assert f"puts out zeros ({zeros:.3g}). Lower learning_rate_init (now 100)" in message


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_rate_far_too_small_is_told(optimizer, dropout, early_stopping):
    rate = {"sgd": 1e-6, "adam": 1e-9}[optimizer]
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(
        (16,), optimizer=optimizer, learning_rate_init=rate, dropout=dropout, random_state=0
    )
    model.set_params(early_stopping=early_stopping, max_iter=30)
    (message,) = told(lambda: model.fit(X[:300], y[:300]))
    assert "hardly moved from the first epoch on" in message
    assert f"raise learning_rate_init (now {rate:g})" in message


@pytest.mark.parametrize("bias", ["prior", 0.0])
def test_also_where_training_begins_at_the_best_constant(bias):
    """The first weights are nearly nothing, so that no loss is above that of zeros."""
    model = MLPRegressor(
        (), bias_initializer=bias, initializer="zeros", optimizer="sgd", learning_rate_init=1e-6
    )
    (message,) = told(lambda: model.fit(X, Y))
    assert model.end_reason_ == "tol"
    assert "by less than tol=0.0001 an epoch: raise learning_rate_init" in message


def test_the_recipe_tells_a_small_rate_too():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(
        optimizer="sgd", learning_rate_init=1e-7, random_state=0, max_iter=30, n_members=2
    )
    assert any("raise learning_rate_init" in m for m in told(lambda: model.fit(X[:200], y[:200])))


def tables():
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(N, 5))
    yield MLPClassifier, *IRIS
    yield MLPClassifier, *CANCER
    yield MLPRegressor, *load_diabetes(return_X_y=True)
    yield MLPRegressor, noise, rng.normal(size=N)
    yield MLPClassifier, noise, rng.integers(0, 3, N)
    yield MLPRegressor, noise, np.full(N, 3.0)
    yield MLPRegressor, np.ones((N, 2)), rng.normal(size=N)
    yield MLPClassifier, noise, np.zeros(N)


@pytest.mark.parametrize(
    "changes",
    [{}, {"dropout": 0.5}, {"early_stopping": True}, {"alpha": 100.0}, {"optimizer": "sgd"}],
    ids=str,
)
@pytest.mark.parametrize("i", range(8))
def test_fits_at_usual_rates_are_told_of_nothing_new(i, changes):
    cls, X, y = list(tables())[i]
    model = cls((16,), max_iter=25, random_state=0, **changes)
    messages = told(lambda: model.fit(X, y))
    assert all("Maximum iterations (25) reached" in message for message in messages)
    assert model.end_reason_ != "diverged"


# Targets


@pytest.mark.parametrize("size", [1e155, 1e160, 1e300])
@pytest.mark.parametrize("loss", ["squared_error", "huber", "quantile", "absolute_error"])
def test_targets_whose_squares_are_none_are_refused(size, loss):
    y = Y.copy()
    y[7] = -size
    with pytest.raises(ValueError, match=rf"y has {-size:g} in row 7".replace("+", r"\+")):
        MLPRegressor(**QUICK, loss=loss).fit(X, y)
    both = np.column_stack([Y, y])
    with pytest.raises(ValueError, match=r"row 7 of column 1.*Divide y"):
        MLPRegressor(**QUICK, loss=loss).fit(X, both)
    with pytest.raises(ValueError, match="row 7"):
        MLPRegressor(**QUICK, loss=loss).fit(X, Y, X_val=X, y_val=y)


def test_the_recipe_refuses_them_too():
    with pytest.raises(ValueError, match="squares of numbers beyond 1e\\+150"):
        MLPRegressor().fit(X, Y * 1e160)


@unconverged
@pytest.mark.parametrize("factor", [1e-300, 1e-160, 1e100])
def test_other_targets_are_learnt_in_any_unit(factor):
    usual = MLPRegressor(**QUICK).fit(X, Y).predict(X)
    model = MLPRegressor(**QUICK).fit(X, Y * factor)
    np.testing.assert_allclose(model.predict(X) / factor, usual, rtol=1e-6, atol=1e-9)
    weight = np.linspace(1, 2, N)
    usual = MLPRegressor(**QUICK).fit(X, Y, weight).predict(X)
    model = MLPRegressor(**QUICK).fit(X, Y * factor, weight)
    np.testing.assert_allclose(model.predict(X) / factor, usual, rtol=1e-6, atol=1e-9)


@unconverged
@pytest.mark.parametrize(
    ("loss", "factor", "dtype"),
    [
        ("squared_error", 1e20, "float32"),
        ("poisson", 1e20, "float32"),
        ("gamma", 1e30, "float32"),
        ("gamma", 1e-50, "float32"),
        ("absolute_percentage_error", 1e-50, "float32"),
        ("absolute_percentage_error", 1e-200, "float64"),
    ],
)
def test_targets_that_the_type_that_trains_has_no_loss_for(loss, factor, dtype):
    model = MLPRegressor(**QUICK, loss=loss, target_scaling=None, dtype=dtype)
    with pytest.raises(ValueError, match=f"or its slope is too large for {dtype}") as error:
        model.fit(X, np.exp(Y) * factor)
    assert ("dtype='float64'" in str(error.value)) is (dtype == "float32")
    assert ("target_scaling='standard'" in str(error.value)) is (loss == "squared_error")


@unconverged
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
def test_targets_that_a_network_cannot_tell_from_zero_are_told(loss):
    model = MLPRegressor(**QUICK, loss=loss, target_scaling=None)
    with pytest.warns(UserWarning, match="can't tell them from 0. Multiply y"):
        model.fit(X, np.exp(Y) * 1e-200)


# Columns


@unconverged
@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e160, 1e300])
@pytest.mark.parametrize("scaling", ["standard", "robust", "quantile", "batch_norm"])
def test_columns_are_learnt_from_in_any_unit(factor, scaling):
    parameters = QUICK | {"input_scaling": scaling}
    usual = MLPRegressor(**parameters).fit(X, Y).predict(X)
    scaled = X * [1, factor, 1]
    model = MLPRegressor(**parameters).fit(scaled, Y)
    np.testing.assert_allclose(model.predict(scaled), usual, rtol=1e-7)
    gappy = scaled.copy()
    gappy[3, 1] = np.nan
    plain = X.copy()
    plain[3, 1] = np.nan
    expected = MLPRegressor(**parameters).fit(plain, Y).predict(plain)
    found = MLPRegressor(**parameters).fit(gappy, Y).predict(gappy)
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@unconverged
@pytest.mark.parametrize("value", [1e8, -1e20, 3e17, 1e200, -1e300])
@pytest.mark.parametrize("kind", ["dense", "weights", "gaps", "sparse", "float32"])
@pytest.mark.parametrize("scaling", ["standard", "batch_norm"])
def test_a_column_of_one_number_changes_nothing(value, kind, scaling):
    dtype = "float32" if kind == "float32" else "float64"
    if dtype == "float32" and abs(value) > 1e38:
        value = np.sign(value) * 1e38
    weight = np.random.default_rng(2).random(N) if kind == "weights" else None

    def learnt(constant):
        table = np.column_stack([X, np.full(N, constant)]).astype(dtype)
        if kind == "gaps":
            table[::7, 3] = np.nan
        table = sp.csr_matrix(table) if kind == "sparse" else table
        model = MLPRegressor(**QUICK, input_scaling=scaling).fit(table, Y, weight)
        return model, model.predict(table)

    model, found = learnt(value)
    assert model.input_mean_[3] == np.dtype(dtype).type(value)
    np.testing.assert_allclose(found, learnt(1.0)[1], rtol=1e-5, atol=1e-6)


@unconverged
@pytest.mark.parametrize("steps", [1, 5])
def test_a_column_that_differs_in_its_last_digits_wrecks_nothing(steps):
    last = steps * np.spacing(1e20) * np.random.default_rng(3).integers(0, 2, N)
    table = np.column_stack([X, 1e20 + last])
    model = MLPRegressor(**QUICK | {"max_iter": 60}).fit(table, Y)
    assert model.score(table, Y) > 0.9


@unconverged
@pytest.mark.parametrize("factor", [1e-200, 1e160])
def test_the_recipe_learns_from_them_too(factor):
    usual = MLPRegressor(max_iter=3, random_state=0).fit(X, Y).predict(X)
    found = MLPRegressor(max_iter=3, random_state=0).fit(X * factor, Y).predict(X * factor)
    np.testing.assert_allclose(found, usual, rtol=1e-4, atol=1e-4)


@unconverged
def test_rows_far_from_those_that_scale_are_named():
    far = X.copy()
    far[11, 2] = 1e200
    with pytest.raises(ValueError, match=r"X_val has 1e\+200 in row 11 of column 2"):
        MLPRegressor(**QUICK, early_stopping=True).fit(X, Y, X_val=far, y_val=Y)
    model = MLPRegressor(**QUICK).partial_fit(X, Y)
    with pytest.warns(ConvergenceWarning, match=r"X has 1e\+200 in row 11 of column 2"):
        model.partial_fit(far, Y)


@unconverged
@pytest.mark.parametrize(("dtype", "size"), [("float32", 3e38), ("float64", 1e308)])
def test_rows_too_far_out_to_predict_are_told(dtype, size):
    model = MLPRegressor(**QUICK).fit(X * 0.01, Y)
    far = X[:6].astype(dtype)
    assert told(lambda: model.predict(far)) == []
    far[[2, 4]] = size
    advice = "Pass X as float64" if dtype == "float32" else "Look at these rows"
    for method in (model.predict, model.transform):
        with pytest.warns(UserWarning, match=rf"2 of 6 rows \(first of row 2\).*{advice}"):
            found = method(far)
        assert np.isfinite(found[[0, 1, 3, 5]]).all()
    classes = MLPClassifier(**QUICK).fit(X * 0.01, np.digitize(Y, [-1, 1]))
    for method in (classes.predict_proba, classes.predict_log_proba, classes.predict):
        with pytest.warns(UserWarning, match="2 of 6 rows"):
            method(far)


@unconverged
def test_results_that_are_large_but_numbers_are_not():
    """Also where the sum of their squares is none."""
    model = MLPRegressor((), optimizer="lbfgs", alpha=0.0).fit(X, Y)
    assert told(lambda: model.predict(X * 1e200)) == []
    single = X.astype(np.float32)
    assert told(lambda: model.predict(single * np.float32(1e30))) == []


@unconverged
def test_far_rows_have_the_probabilities_of_their_raw_outputs():
    model = MLPClassifier((), max_iter=5, random_state=0).fit(X, np.digitize(Y, [-1, 1]))
    far = X[:6] * 1e160
    raw = far @ (model.coefs_[0] / model.input_scale_[:, None])
    np.testing.assert_allclose(model.predict_proba(far), softmax(raw, axis=1), atol=1e-12)


# Weights


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(N, 1e300), r"up to 1e\+300.*Divide"),
        (np.r_[np.ones(N - 1), 1e40], rf"up to 1e\+40 \(row {N - 1}\).*Divide"),
        (np.full(N, 5e-324), "of no more than 4.94.*Multiply"),
        (np.full(N, 1e-100), "of no more than 1e-100.*Multiply"),
    ],
)
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_weights_that_have_no_sum_are_refused(cls, weight, message):
    y = LABELS if cls is MLPClassifier else Y
    with pytest.raises(ValueError, match=f"sample_weight has weights {message}"):
        cls(**QUICK).fit(X, y, weight)
    with pytest.raises(ValueError, match=f"sample_weight has weights {message}"):
        cls(**QUICK).partial_fit(X, y, sample_weight=weight)


def test_class_weights_that_have_no_sum_are_refused():
    with pytest.raises(ValueError, match=r"class_weight has weights up to 1e\+300"):
        MLPClassifier(**QUICK, class_weight={0: 1e300}).fit(X, LABELS)
    with pytest.raises(ValueError, match="class_weight has weights of no more than 1e-290"):
        MLPClassifier(**QUICK, class_weight={0: 1e-300, 1: 1e-290}).fit(X, LABELS)
    with pytest.raises(ValueError, match="sample_weight times class_weight"):
        MLPClassifier(**QUICK, class_weight={0: 1e20}).fit(X, LABELS, np.full(N, 1e20))


@unconverged
def test_rows_of_hardly_any_weight_are_as_good_as_absent():
    tiny = np.where(np.arange(N) < 30, 5e-324, 1.0)
    found = MLPRegressor(**QUICK, batch_size="full").fit(X, Y, tiny).predict(X)
    absent = MLPRegressor(**QUICK, batch_size="full").fit(X[30:], Y[30:]).predict(X)
    np.testing.assert_allclose(found, absent, rtol=1e-6)


@unconverged
def test_only_the_ratio_of_weights_counts_without_penalties():
    usual = MLPRegressor(**QUICK, alpha=0.0).fit(X, Y, np.ones(N)).predict(X)
    for size in (1e-25, 1e25):
        found = MLPRegressor(**QUICK, alpha=0.0).fit(X, Y, np.full(N, size)).predict(X)
        np.testing.assert_allclose(found, usual, rtol=1e-6)


PENALTY = "Multiply sample_weight by a number so that the mean is 1"


@pytest.mark.parametrize("changes", [{}, {"alpha": 0.0, "l1": 1e-4}, {"n_members": 2}], ids=str)
@pytest.mark.parametrize("weight", [1e-6, 1e-8])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_weights_that_alpha_outweighs_are_told(cls, weight, changes):
    y = LABELS if cls is MLPClassifier else Y
    name = "l1" if "l1" in changes else "alpha"
    messages = told(lambda: cls(**QUICK | changes).fit(X, y, np.full(N, weight)))
    assert sum(PENALTY in m and f"{name}=0.0001" in m for m in messages) == 1


@pytest.mark.parametrize(
    ("weight", "alpha"), [(1.0, 1e-4), (1 / N, 1e-4), (1e-4, 1e-4), (1.0, 100.0), (1e-8, 0.0)]
)
def test_other_weights_are_not(weight, alpha):
    model = MLPRegressor(**QUICK, alpha=alpha)
    assert not any(PENALTY in m for m in told(lambda: model.fit(X, Y, np.full(N, weight))))
    assert not any(PENALTY in m for m in told(lambda: model.fit(X, Y)))


def test_searches_tell_what_is_wrong_too():
    with pytest.raises(ValueError, match="squares of numbers beyond"):
        cross_validate(MLPRegressor(**QUICK), X, Y * 1e200, cv=3, error_score="raise")
