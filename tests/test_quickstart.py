"""The first things that a user does. Needs nothing but the installed package."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classifier_in_a_pipeline_under_cross_validation():
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(
        StandardScaler(), MLPClassifier((50,), learning_rate_init=0.01, random_state=0)
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    assert cross_val_score(model, X, y, cv=folds).mean() > 0.93


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_regressor_is_about_as_good_as_ridge_where_ridge_is_right():
    X, y = load_diabetes(return_X_y=True)
    network = MLPRegressor((20,), alpha=10.0, learning_rate_init=0.01, max_iter=30, random_state=0)
    ours = cross_val_score(network, X, y, cv=5).mean()
    assert ours > cross_val_score(RidgeCV(), X, y, cv=5).mean() - 0.1


def test_labels_come_back_as_they_went_in():
    X = np.arange(40.0).reshape(20, 2)
    y = np.where(X[:, 0] > 20, "high", "low")
    model = MLPClassifier((10,), optimizer="lbfgs", random_state=0).fit(X, y)
    assert model.predict(X).tolist() == y.tolist()
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1)


def test_version_is_the_installed_one():
    assert sklearn_dnn.__version__.count(".") == 2
