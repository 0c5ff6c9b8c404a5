"""Tables on which defaults go wrong: nothing but the defaults, and fewer epochs, is used."""

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, r2_score
from sklearn.model_selection import train_test_split

from sklearn_dnn import MLPClassifier, MLPRegressor

# As many epochs as a test needs that asks whether two tables are the same.
FEW = {"max_iter": 6, "random_state": 0}


def numbers(n, p=4, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(p)])
    return frame, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2], rng


def halves(X, y):
    return train_test_split(X, y, test_size=0.5, random_state=0)


@pytest.mark.slow
def test_a_category_of_5000_levels():
    frame, signal, rng = numbers(8000)
    effect = rng.normal(size=5000)
    level = np.concatenate([rng.integers(0, 20, 6000), rng.permutation(np.arange(20, 5000))[:2000]])
    frame["key"] = pd.Series([f"id-{k}" for k in level], dtype="category")
    y = signal + np.where(level < 20, effect[level], 0.0) + 0.1 * rng.normal(size=8000)
    X_train, X_test, y_train, y_test = halves(frame, y)
    network = MLPRegressor(random_state=0).fit(X_train, y_train)
    without = MLPRegressor(random_state=0).fit(X_train.drop(columns="key"), y_train)
    score = network.score(X_test, y_test)
    assert score > 0.8
    assert score > without.score(X_test.drop(columns="key"), y_test) + 0.1
    assert network.n_parameters_ < 5000 * 8 * 8 + 8 * 128 * 400  # no column a level


def test_a_column_without_values():
    frame, y, _ = numbers(400)
    plain = MLPRegressor(**FEW).fit(frame, y)
    with_gap = frame.assign(nothing=np.nan)
    with pytest.warns(UserWarning, match="nothing"):
        network = MLPRegressor(**FEW).fit(with_gap, y)
    assert np.array_equal(network.predict(with_gap), plain.predict(frame))
    with_gap["nothing"] = 3.0
    assert np.array_equal(network.predict(with_gap), plain.predict(frame))


def test_a_constant_column():
    frame, y, _ = numbers(1000)
    frame["constant"] = 7.0
    X_train, X_test, y_train, y_test = halves(frame, y)
    network = MLPRegressor(random_state=0).fit(X_train, y_train)
    assert network.score(X_test, y_test) > 0.7
    assert np.isfinite(network.predict(X_test.assign(constant=1e6))).all()


def test_99_to_1():
    frame, signal, rng = numbers(6000)
    y = np.where(signal + 0.3 * rng.normal(size=6000) > np.quantile(signal, 0.99), "yes", "no")
    X_train, X_test, y_train, y_test = halves(frame, y)
    network = MLPClassifier(random_state=0).fit(X_train, y_train)
    p = network.predict_proba(X_test)
    share = np.mean(y_train == "yes")
    base = log_loss(y_test, np.tile([1 - share, share], (len(y_test), 1)), labels=["no", "yes"])
    assert log_loss(y_test, p, labels=["no", "yes"]) < 0.75 * base
    assert np.mean(p[:, 1]) == pytest.approx(share, rel=0.4)


def test_a_target_over_six_orders():
    frame, signal, _ = numbers(3000)
    y = 10.0 ** (6 * (signal - signal.min()) / np.ptp(signal))
    X_train, X_test, y_train, y_test = halves(frame, y)
    predicted = MLPRegressor(random_state=0).fit(X_train, y_train).predict(X_test)
    linear = Ridge().fit(X_train, y_train).predict(X_test)
    assert np.isfinite(predicted).all()
    assert r2_score(y_test, predicted) > r2_score(y_test, linear)
    assert spearmanr(y_test, predicted).statistic > 0.5


def test_sixty_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(160, 3))
    y = X @ [1.0, -2.0, 0.5] + 0.1 * rng.normal(size=160)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 200 epochs of so few rows may still improve
        network = MLPRegressor(random_state=0).fit(X[:60], y[:60])
    assert network.score(X[60:], y[60:]) > 0.8
    assert len(network.members_) == 1  # too few to hold rows out


@pytest.mark.parametrize("n_classes", [20, 60])
def test_three_rows_a_class(n_classes):
    rng = np.random.default_rng(0)
    centres = 4 * rng.normal(size=(n_classes, 6))
    y = np.repeat(np.arange(n_classes), 3)
    X = centres[y] + rng.normal(size=(len(y), 6))
    X_test = centres.repeat(10, 0) + rng.normal(size=(10 * n_classes, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = MLPClassifier(random_state=0).fit(X, y)
    p = network.predict_proba(X_test)
    assert p.shape[1] == n_classes
    np.testing.assert_allclose(p.sum(1), 1, rtol=1e-5)
    assert network.score(X_test, np.arange(n_classes).repeat(10)) > 0.5


def test_2000_columns_and_200_rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 2000))
    y = (X[:, :10].sum(1) > 0).astype(int)
    network = MLPClassifier(random_state=0).fit(X[:200], y[:200])
    p = network.predict_proba(X[200:])
    linear = LogisticRegression().fit(X[:200], y[:200]).predict_proba(X[200:])
    assert np.isfinite(p).all()
    assert log_loss(y[200:], p) < log_loss(y[200:], linear)


def test_codes_and_words_are_the_same():
    frame, signal, rng = numbers(500)
    code = rng.integers(0, 30, 500)
    y = signal + np.sin(code)
    words = frame.assign(key=pd.Series([f"word {97 - k}" for k in code], dtype="category"))
    of_words = MLPRegressor(**FEW).fit(words, y)
    for codes in (code, code.astype(float), 1000 - code):
        coded = frame.assign(key=codes)
        of_codes = MLPRegressor(categorical_features=["key"], **FEW).fit(coded, y)
        assert np.array_equal(of_codes.predict(coded), of_words.predict(words))
    as_array = np.column_stack([frame.to_numpy(), code])
    of_array = MLPRegressor(categorical_features=[4], **FEW).fit(as_array, y)
    assert np.array_equal(of_array.predict(as_array), of_words.predict(words))
