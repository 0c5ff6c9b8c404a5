"""Many fits at once, in threads and processes, and what a fit leaves behind: nothing."""

from __future__ import annotations

import multiprocessing
import random
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import BaggingClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_dnn import MLPClassifier, MLPRegressor

# Fits are kept short; whether they have converged is not what is asked here.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:The validation part of the earlier fit was not kept"),
]

QUICK = {"hidden_layer_sizes": (8,), "max_iter": 4, "learning_rate_init": 0.02, "random_state": 0}
# A step of more than four million multiply-adds, worth two threads.
LARGE = {**QUICK, "hidden_layer_sizes": (256, 256), "max_iter": 2, "n_threads": 2}


@pytest.fixture(scope="module")
def data():
    return make_classification(240, 8, n_informative=5, n_redundant=0, random_state=0)


# joblib's backends


def _fit(model, X, y, weight):
    return clone(model).fit(X, y, sample_weight=weight)


def _scores(X, y, n_jobs):
    model = MLPClassifier(**QUICK, dropout=0.1)
    grid = {"alpha": [1e-4, 1.0], "optimizer": ["adam", "momentum"]}
    search = GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(X, y)
    bagged = BaggingClassifier(model, 3, n_jobs=n_jobs, random_state=0).fit(X, y)
    return (
        cross_val_score(model, X, y, cv=3, n_jobs=n_jobs, error_score="raise"),
        cross_val_score(MLPRegressor(**QUICK), X, y, cv=3, n_jobs=n_jobs, error_score="raise"),
        search.cv_results_["mean_test_score"],
        bagged.predict_proba(X).ravel(),
    )


def _assert_same_scores(found, expected):
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_scores_do_not_depend_on_the_backend(data, backend):
    X, y = data
    alone = _scores(X, y, 1)
    with joblib.parallel_config(backend):
        _assert_same_scores(_scores(X, y, 2), alone)


@pytest.mark.parametrize("processes", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::DeprecationWarning:distributed", "ignore::ResourceWarning")
def test_scores_do_not_depend_on_dask(data, processes):
    distributed = pytest.importorskip("distributed")
    X, y = data
    alone = _scores(X, y, 1)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        _assert_same_scores(_scores(X, y, 2), alone)


def test_workers_map_the_table_read_only(data):
    X, y = data
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = MLPClassifier(**QUICK, batch_size=32)
    with joblib.parallel_config("loky", max_nbytes=100):  # so that even these are mapped
        found = joblib.Parallel(n_jobs=2)(
            joblib.delayed(_fit)(model.set_params(random_state=seed), X, y, weight)
            for seed in range(2)
        )
    for fitted in found:
        alone = _fit(fitted, X, y, weight)
        np.testing.assert_allclose(fitted.predict_proba(X), alone.predict_proba(X), rtol=1e-12)


def test_workers_keep_to_their_cap_of_threads(data):
    X, y = data
    model = MLPClassifier(**{**LARGE, "n_threads": None})
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        (fitted,) = joblib.Parallel(n_jobs=2)(
            [joblib.delayed(_fit)(model, np.tile(X, (1, 8)), y, None)]
        )
    assert fitted.spec_["n_threads"] == 1


# Threads


@pytest.mark.parametrize("parameters", [QUICK, LARGE], ids=["small", "large"])
def test_fits_in_two_threads_are_fits_alone(data, parameters):
    X, y = data
    models = [MLPClassifier(**{**parameters, "random_state": seed}) for seed in range(4)]
    alone = [clone(model).fit(X, y).predict_proba(X) for model in models]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(lambda m: clone(m).fit(X, y).predict_proba(X), models))
    for ours, theirs in zip(together, alone, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)


def test_predictions_in_threads_from_one_estimator(data):
    X, y = data
    model = MLPClassifier(**LARGE).fit(X, y)
    alone = model.predict_proba(X)
    with ThreadPoolExecutor(4) as pool:
        for probabilities in pool.map(model.predict_proba, [X] * 12):
            np.testing.assert_allclose(probabilities, alone, rtol=1e-12)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_fits_leave_the_threads_of_others_alone(data, n_threads):
    """Neither this thread, nor one that watches, nor one that is born meanwhile, sees them."""
    X, y = data
    before = torch.get_num_threads()
    seen, over = [], threading.Event()

    def watch():
        while not over.is_set():
            seen.append(torch.get_num_threads())
            born = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
            born.start()
            born.join()

    def fit(seed):
        own = torch.get_num_threads()
        model = MLPClassifier(**{**LARGE, "random_state": seed, "n_threads": n_threads})
        model.fit(X, y).predict(X)
        return own, torch.get_num_threads()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(2) as pool:
            own = list(pool.map(fit, range(4)))
        fit(0)
    finally:
        over.set()
        watcher.join()
    assert set(own) == {(before, before)}
    assert set(seen) == {before}
    assert torch.get_num_threads() == before


# Forks


def _in_child(queue, X, y, parameters):
    model = MLPClassifier(**parameters).fit(X, y)
    queue.put(model.predict_proba(X))


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("n_threads", [None, 2])
def test_a_forked_child_fits_and_predicts(data, n_threads):
    """OpenMP's threads do not survive a fork: asking for them in the child would hang."""
    X, y = np.tile(data[0], (4, 8)), np.tile(data[1], 4)
    parameters = {**LARGE, "n_threads": n_threads}
    parent = MLPClassifier(**LARGE).fit(X, y).predict_proba(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_in_child, args=(queue, X, y, parameters))
    child.start()
    try:
        probabilities = queue.get(timeout=60)
    finally:
        child.kill()
    np.testing.assert_allclose(probabilities, parent, rtol=1e-3, atol=1e-4)


@pytest.mark.skipif(
    "fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system"
)
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_predicts_with_its_parents_network(data):
    X, y = np.tile(data[0], (8, 8)), np.tile(data[1], 8)
    model = MLPClassifier(**LARGE).fit(X, y)
    parent = model.predict_proba(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=lambda: queue.put(model.predict_proba(X)))
    child.start()
    try:
        probabilities = queue.get(timeout=60)
    finally:
        child.kill()
    np.testing.assert_allclose(probabilities, parent, rtol=1e-5, atol=1e-7)


# No traces in the process


def _state_of_process():
    numpy_state = np.random.get_state()  # noqa: NPY002 - the process' own
    return {
        "torch random": torch.get_rng_state().tolist(),
        "numpy random": (numpy_state[0], numpy_state[1].tolist(), *numpy_state[2:]),
        "python random": random.getstate(),
        "threads": torch.get_num_threads(),
        "threads between": torch.get_num_interop_threads(),
        "default dtype": torch.get_default_dtype(),
        "grad mode": torch.is_grad_enabled(),
        "inference mode": torch.is_inference_mode_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "benchmark": torch.backends.cudnn.benchmark,
        "matmul precision": torch.get_float32_matmul_precision(),
        "warnings": list(warnings.filters),
        "numpy errors": np.geterr(),
    }


@pytest.fixture
def no_traces():
    before = _state_of_process()
    yield
    after = _state_of_process()
    assert {name for name in before if before[name] != after[name]} == set()


TRACED = {
    "defaults": {},
    "masks": {"dropout": 0.3, "norm": "batch", "batch_size": 32},
    "early stopping": {"early_stopping": True, "monitor": "loss", "schedule": "one_cycle"},
    "lbfgs": {"optimizer": "lbfgs"},
    "two threads": {"hidden_layer_sizes": (256, 256), "n_threads": 2, "max_iter": 1},
    "three threads": {"hidden_layer_sizes": (256, 256), "n_threads": 3, "max_iter": 1},
    "warm start": {"warm_start": True},
}


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("parameters", TRACED.values(), ids=TRACED.keys())
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_fit_and_predict_leave_no_trace(data, cls, parameters):
    X, y = data
    model = cls(**{**QUICK, **parameters}).fit(X, y)
    model.fit(X, y)
    if parameters.get("optimizer") != "lbfgs":
        model.partial_fit(X, y)
    model.predict(X)
    model.transform(X)
    model.score(X, y)


@pytest.mark.usefixtures("no_traces")
def test_fits_that_raise_leave_no_trace(data):
    X, y = data

    def broken(_model, _X, _y):
        raise RuntimeError("broken scorer")

    faults = [
        ({"optimizer": "no such"}, ValueError, "no such"),
        ({"monitor": broken, "early_stopping": True, "n_threads": 2}, RuntimeError, "broken"),
        (
            {"learning_rate_init": 1e30, "optimizer": "sgd", "dtype": "float32", "batch_size": 9},
            ValueError,
            "not finite",
        ),
    ]
    for parameters, error, match in faults:
        with pytest.raises(error, match=match):
            MLPRegressor(**{**QUICK, **parameters}).fit(X, 1.0 * y)
    with pytest.raises(ValueError, match="infinity"):
        MLPClassifier(**QUICK).fit(np.full_like(X, np.inf), y)


@pytest.mark.usefixtures("no_traces")
def test_predictions_that_raise_leave_no_trace(data):
    X, y = data
    model = MLPClassifier(**QUICK).fit(X, y)
    with pytest.raises(ValueError, match="expecting 8 features"):
        model.predict(X[:, :3])
    model.coefs_[0] = model.coefs_[0][:2]  # an impossible state fails in the middle
    with pytest.raises(RuntimeError):
        model.predict_proba(X)


def test_without_a_seed_only_numpys_stream_is_drawn_from_as_in_scikit_learn(data):
    before = _state_of_process()
    MLPClassifier(**{**QUICK, "random_state": None}, dropout=0.1).fit(*data)
    after = _state_of_process()
    assert {name for name in before if before[name] != after[name]} == {"numpy random"}


def test_the_seed_of_numpy_makes_fits_repeatable(data):
    X, y = data
    fits = []
    kept = np.random.get_state()  # noqa: NPY002 - the process' own
    for _ in range(2):
        np.random.seed(3)  # noqa: NPY002 - the process' own
        fits.append(MLPClassifier(**{**QUICK, "random_state": None}).fit(X, y).predict_proba(X))
    np.random.set_state(kept)  # noqa: NPY002 - the process' own
    np.testing.assert_array_equal(*fits)


# And nothing in the process changes a fit


def _assert_undisturbed(data, expected):
    X, y = data
    model = MLPClassifier(**QUICK, dropout=0.2, norm="batch").fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


@pytest.fixture(scope="module")
def undisturbed(data):
    X, y = data
    return MLPClassifier(**QUICK, dropout=0.2, norm="batch").fit(X, y).predict_proba(X)


def test_torchs_seed_changes_no_fit(data, undisturbed):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        _assert_undisturbed(data, undisturbed)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_torchs_default_dtype_changes_no_fit(data, undisturbed, dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        _assert_undisturbed(data, undisturbed)
        assert torch.get_default_dtype() == dtype
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_torchs_grad_mode_changes_no_fit(data, undisturbed, mode):
    with mode():
        _assert_undisturbed(data, undisturbed)
        # what has no kernel of its own goes through autograd
        X, y = data
        MLPClassifier(**QUICK, activation="softplus", optimizer="lbfgs").fit(X, y)


def test_deterministic_algorithms_change_no_fit(data, undisturbed):
    torch.use_deterministic_algorithms(True)
    try:
        _assert_undisturbed(data, undisturbed)
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


# A fresh process


def _fresh(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_no_optimizer_imports_torchs_compiler():
    """It would cost each worker and each command a second or more."""
    heavy = _fresh(
        """
import sys
import numpy as np
from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.components.optimizers import OPTIMIZERS

X = np.random.default_rng(0).normal(size=(60, 3))
for name in ["", *OPTIMIZERS]:
    if name:
        for cls in (MLPClassifier, MLPRegressor):
            model = cls((4,), optimizer=name, max_iter=2, batch_size="auto")
            model.fit(X, X[:, 0] > 0).predict(X)
    if "torch._dynamo" in sys.modules:
        print(name or "import")
        break
"""
    )
    assert heavy == []


def test_the_torch_module_leaves_no_trace():
    added = _fresh(
        """
import warnings
from sklearn_dnn import MLPClassifier

model = MLPClassifier((4,), max_iter=2, norm="batch").fit([[0.0], [1.0], [2.0]], [0, 1, 1])
before = list(warnings.filters)
model.to_torch()
print(*[entry for entry in warnings.filters if entry not in before])
"""
    )
    assert added == []


def test_importing_initialises_no_cuda_and_imports_no_extra():
    found = _fresh(
        """
import sys
import sklearn.callback
import sklearn.model_selection
import torch

before = set(sys.modules)
from sklearn_dnn import MLPClassifier

extras = {"tqdm", "skops", "dask", "pandas", "polars", "matplotlib", "rich"}
print(torch.cuda.is_initialized(), *(extras & (set(sys.modules) - before)))
MLPClassifier((4,), max_iter=2, device="cpu").fit([[0.0], [1.0], [2.0]], [0, 1, 1])
print(torch.cuda.is_initialized())
"""
    )
    assert found == ["False", "False"]
