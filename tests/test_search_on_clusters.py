"""Searches whose stacks are trained by the workers of Dask and of Ray."""

from __future__ import annotations

import pickle
import warnings
from contextlib import contextmanager

import joblib
import numpy as np
import pytest
import sklearn.model_selection as theirs
from sklearn.datasets import make_regression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import MLPRegressor
from sklearn_dnn.model_selection import GridSearchCV, HalvingGridSearchCV, _backend, cross_val_score

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

NETWORK = MLPRegressor((6,), batch_size=16, max_iter=4, random_state=0)
GRID = {"alpha": [1e-4, 1.0], "learning_rate_init": [1e-3, 1e-2]}


@pytest.fixture(scope="module")
def data():
    return make_regression(60, 4, noise=5.0, random_state=0)


@contextmanager
def dask(processes):
    distributed = pytest.importorskip("distributed", reason="needs Dask, the extra distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        yield


@contextmanager
def ray():
    ray = pytest.importorskip("ray", reason="needs Ray, the extra ray")
    ray_joblib = pytest.importorskip("ray.util.joblib")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        ray_joblib.register_ray()
        try:
            with joblib.parallel_config("ray"):
                yield
        finally:
            ray.shutdown()


CLUSTERS = {
    "dask threads": lambda: dask(False),
    "dask processes": lambda: dask(True),
    "ray": ray,
}


@pytest.mark.parametrize(
    "cluster",
    [
        "dask threads",
        pytest.param("dask processes", marks=pytest.mark.slow),
        pytest.param("ray", marks=pytest.mark.slow),
    ],
)
def test_results_do_not_depend_on_the_cluster(data, cluster, capsys):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), NETWORK)
    in_pipeline = {f"mlpregressor__{name}": values for name, values in GRID.items()}
    halving = {"resource": "max_iter", "max_resources": 4, "factor": 2, "cv": 2, "random_state": 0}

    alone = theirs.GridSearchCV(NETWORK, GRID, cv=3).fit(X, y)
    scores = theirs.cross_val_score(pipeline, X, y, cv=3)
    rungs = theirs.HalvingGridSearchCV(NETWORK, GRID, **halving).fit(X, y)
    with CLUSTERS[cluster]():
        search = GridSearchCV(NETWORK, GRID, cv=3, n_jobs=2, verbose=2).fit(X, y)
        behind = GridSearchCV(pipeline, in_pipeline, cv=3, n_jobs=2).fit(X, y)
        found = cross_val_score(pipeline, X, y, cv=3, n_jobs=2)
        ladder = HalvingGridSearchCV(NETWORK, GRID, n_jobs=2, **halving).fit(X, y)
        refused = GridSearchCV(
            NETWORK, {"optimizer": ["lbfgs", "adam"], "batch_size": ["auto"]}, cv=2, n_jobs=2
        ).fit(X, y)
    assert "12 of 12 fits trained in stacks" in capsys.readouterr().out
    expected = alone.cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
    np.testing.assert_allclose(behind.cv_results_["mean_test_score"], expected, rtol=1e-6)
    np.testing.assert_allclose(found, scores, rtol=1e-6)
    for name in ("iter", "n_resources"):
        np.testing.assert_array_equal(ladder.cv_results_[name], rungs.cv_results_[name])
    assert ladder.best_params_ == rungs.best_params_
    assert np.isfinite(refused.cv_results_["mean_test_score"]).all()
    np.testing.assert_allclose(search.predict(X), alone.predict(X), rtol=1e-6)


def test_the_table_is_an_argument_of_its_own(data, monkeypatch):
    """Dask and Ray hold large arguments once a worker, but not what is inside of them."""
    X, y = np.tile(data[0], (200, 1)), np.tile(data[1], 200)
    sizes = []

    def spied(positions, calls, watchers, *tables):
        assert [table is wanted for table, wanted in zip(tables, (X, y), strict=True)] == [True] * 2
        sizes.append(len(pickle.dumps(calls)))
        return unit(positions, calls, watchers, *tables)

    unit = _backend.train_and_call
    monkeypatch.setattr(_backend, "train_and_call", spied)
    monkeypatch.setattr(_backend, "shares_memory", lambda _: False)
    cv = [(np.arange(50), np.arange(50, 60)), (np.arange(10, 60), np.arange(10))]
    with joblib.parallel_config("threading"):
        search = GridSearchCV(NETWORK, GRID, cv=cv, n_jobs=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert sizes
    assert max(sizes) < X.nbytes / 2
