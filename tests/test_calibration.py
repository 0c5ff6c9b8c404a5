"""One temperature, fitted on rows that did not train."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification, make_multilabel_classification
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV as TheirGridSearchCV

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.fitting.opening import open_session
from sklearn_dnn._core.fitting.request import Arguments
from sklearn_dnn._core.training.temperature import (
    BOUNDS,
    GRID,
    LEAST_AGAINST,
    PENALTY,
    POWER,
    best_on_grid,
    fitted_temperature,
)
from sklearn_dnn.components import EarlyStopping
from sklearn_dnn.components.losses import LOSSES
from sklearn_dnn.model_selection import GridSearchCV

PLAIN = {
    "hidden_layer_sizes": (32,),
    "learning_rate_init": 0.02,
    "schedule": "cosine",
    "max_iter": 40,
    "n_iter_no_change": np.inf,
    "random_state": 0,
    "dtype": "float64",
}
ROWS = make_classification(600, 8, n_informative=4, n_classes=3, flip_y=0.3, random_state=0)
TABLE = ROWS[0][:400], ROWS[1][:400]
NEW = ROWS[0][400:], ROWS[1][400:]


def _loss(p, y):
    return log_loss(y, p, labels=[0, 1, 2])


@pytest.mark.parametrize("kind", ["binary", "multiclass", "multilabel"])
def test_the_temperature_is_the_minimum(kind):
    rng = np.random.default_rng(0)
    loss = LOSSES["log_loss"]().bind(kind)
    raw = torch.from_numpy(3 * rng.normal(size=(500, 3 if kind != "binary" else 1)))
    p = loss.inverse_link(raw / 2.5).numpy()
    if kind == "multiclass":
        target = torch.from_numpy(np.array([rng.choice(3, p=row) for row in p]))
    else:
        target = torch.from_numpy((rng.random(p.shape) < p).astype(float))
    weight = torch.from_numpy(rng.integers(0, 4, 500).astype(float))
    found = fitted_temperature(loss, raw, target, weight)

    def mean(temperature):
        values = loss.values(raw / temperature, target)
        return float((values * weight).sum() / weight.sum())

    others = 2.0 ** np.linspace(*BOUNDS, 200)
    assert mean(found) <= min(map(mean, others)) + 1e-9
    assert found == pytest.approx(2.5, rel=0.3)
    # a row of weight two is the row twice, one of weight zero is absent
    again = torch.repeat_interleave(torch.arange(500), weight.long())
    assert fitted_temperature(loss, raw[again], target[again]) == pytest.approx(found, rel=1e-3)
    low = float(best_on_grid(loss, raw, target, weight))
    n_rows = float(weight.sum())
    assert low == pytest.approx(min(mean(t) + PENALTY * np.log(t) ** 2 / n_rows for t in GRID))
    assert low == pytest.approx(float(best_on_grid(loss, raw[again], target[again], None)))


@pytest.mark.parametrize("weight", [0.01, 1.0, 2.0])
def test_certainty_is_added_only_where_enough_rows_are_wrong(weight):
    loss = LOSSES["log_loss"]().bind("binary")
    target = torch.tensor([[0.0], [1.0]]).repeat(500, 1)
    raw = 0.5 * (2 * target - 1)  # far too timid
    for n_wrong in (0, LEAST_AGAINST - 1, LEAST_AGAINST, 2 * LEAST_AGAINST):
        n_rows = n_wrong // 2 if weight == 2.0 else n_wrong
        turned = raw.clone()
        turned[:n_rows] *= -1
        found = fitted_temperature(loss, turned, target, torch.full((1000,), weight))
        odds = np.log((1000 - n_rows) / n_rows) if n_rows else np.inf
        known = n_rows * max(1.0, weight) >= LEAST_AGAINST
        assert found == (pytest.approx(0.5 / odds, rel=1e-3) if known else 1.0)


def test_one_network_is_calibrated_as_scikit_learn_would():
    X, y = TABLE
    X_val, y_val = NEW
    given = {"X_val": X_val, "y_val": y_val}
    # the best epoch is chosen by another rule: the last makes them comparable
    asked = PLAIN | {"early_stopping": EarlyStopping(patience=100, restore_best=False)}
    calibrated = MLPClassifier(**asked, calibration="temperature").fit(X, y, **given)
    plain = MLPClassifier(**asked).fit(X, y, **given)
    raw = plain.decision_function(X_val)
    np.testing.assert_allclose(calibrated.decision_function(X_val) * calibrated.temperature_, raw)
    theirs = CalibratedClassifierCV(FrozenEstimator(plain), method="temperature")
    theirs.fit(X_val, y_val)
    beta = theirs.calibrated_classifiers_[0].calibrators[0].beta_
    assert 1 / calibrated.temperature_ == pytest.approx(beta, rel=1e-3)
    np.testing.assert_allclose(
        calibrated.predict_proba(X), theirs.predict_proba(X), rtol=5e-3, atol=1e-4
    )
    assert np.array_equal(calibrated.predict(X), plain.predict(X))


@pytest.mark.parametrize("ensemble", ["independent", "shared"])
def test_members_join_probabilities_and_raw_outputs(ensemble):
    X, y = TABLE
    network = MLPClassifier(
        **PLAIN,
        n_members=4,
        ensemble=ensemble,
        early_stopping=True,
        calibration="temperature",
    ).fit(X, y)
    p = network.predict_proba(X)
    np.testing.assert_allclose(p.sum(1), 1)
    members = network.predict_members(X)
    geometric = np.exp(np.log(members).mean(0))
    geometric /= geometric.sum(1, keepdims=True)
    np.testing.assert_allclose(p, (geometric + members.mean(0)) / 2, rtol=1e-8)
    np.testing.assert_allclose(network.decision_function(X), np.log(p), rtol=1e-8)
    mean, deviation = network.predict_proba(X, return_std=True)
    np.testing.assert_allclose(mean, p)
    np.testing.assert_allclose(deviation, members.std(0), atol=1e-12)
    assert np.array_equal(network.predict(X), network.classes_[p.argmax(1)])
    exported = network.to_torch()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(exported, p, rtol=1e-8)


def test_folds_use_every_row_with_the_member_that_did_not_see_it():
    X, y = TABLE
    asked = PLAIN | {"n_members": 4, "validation_fraction": "folds", "input_scaling": None}
    network = MLPClassifier(**asked, calibration="temperature").fit(X, y)
    session = open_session(network._request(), Arguments(X, y))
    raw = np.concatenate(
        [network.member(i).decision_function(X[rows]) for i, rows in enumerate(session.held.rows)]
    )
    loss = LOSSES["log_loss"]().bind("multiclass")
    target = torch.from_numpy(y[session.held.rows.ravel()])
    left = fitted_temperature(loss, torch.from_numpy(raw), target)
    assert network.temperature_ == pytest.approx((left * network.temperature_) ** POWER, rel=2e-3)
    assert network.temperature_ > 1
    X_new, y_new = NEW
    plain = MLPClassifier(**asked).fit(X, y)
    assert _loss(network.predict_proba(X_new), y_new) < _loss(plain.predict_proba(X_new), y_new)


def test_many_labels():
    X, y = make_multilabel_classification(200, 6, n_classes=3, random_state=0)
    network = MLPClassifier(**PLAIN, early_stopping=True, calibration="temperature").fit(X, y)
    p = network.predict_proba(X)
    assert np.array_equal(network.predict(X), (p > 0.5).astype(int))
    assert np.isfinite(network.temperature_)


def test_the_search_calibrates_too():
    X, y = TABLE
    network = MLPClassifier(**PLAIN, early_stopping=True, calibration="temperature")
    space = {"alpha": [1e-4, 1.0]}
    ours = GridSearchCV(network, space, cv=2, scoring="neg_log_loss").fit(X, y)
    theirs = TheirGridSearchCV(network, space, cv=2, scoring="neg_log_loss").fit(X, y)
    np.testing.assert_allclose(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"], rtol=1e-6
    )


@pytest.mark.parametrize(
    ("change", "match"),
    [({"loss": "hinge"}, "loss="), ({"early_stopping": False}, "holds none out")],
)
def test_what_can_not_be_calibrated(change, match):
    X, y = TABLE
    asked = {"early_stopping": True, "calibration": "temperature"} | change
    with pytest.raises(ValueError, match=match):
        MLPClassifier(**PLAIN, **asked).fit(X, y)


def test_regressors_have_no_temperature():
    X, y = TABLE
    network = MLPRegressor(**PLAIN | {"max_iter": 2}).fit(X, y)
    assert "temperature_" not in vars(network)
