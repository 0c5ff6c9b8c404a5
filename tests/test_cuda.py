"""The estimators on a CUDA device; skipped where there is none."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest
import torch
from checks import with_every_check
from sklearn.base import clone
from sklearn.model_selection import KFold

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.fitted.fitted import present
from sklearn_dnn._core.specification import machine, step_work
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn.components import SGD, Lookahead, TorchOptimizer
from sklearn_dnn.model_selection import GridSearchCV, RandomizedSearchCV, cross_validate

pytestmark = [
    pytest.mark.plain,
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


@with_every_check([MLPClassifier(device="cuda"), MLPRegressor(device="cuda")])
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


# The device of a stack


def small(**parameters):
    given = {"batch_size": 50, "max_iter": 3, "random_state": 0, "early_stopping": False}
    return MLPRegressor((16,), **given | parameters)


@pytest.fixture
def pays_for_ten(monkeypatch):
    """Let the GPU be worth while for ten of these networks at once."""
    monkeypatch.setattr(machine, "CUDA_WORK", 10 * step_work((8, 16, 1), 50))


def devices_of_steps(monkeypatch):
    """The kind of device, and the number of members, of every step from now on."""
    found, known = set(), TrainingStep.__call__

    def call(own, *args, **kwargs):
        found.add((own.theta.device.type, len(own.specs)))
        return known(own, *args, **kwargs)

    monkeypatch.setattr(TrainingStep, "__call__", call)
    return found


@pytest.mark.usefixtures("pays_for_ten")
@pytest.mark.parametrize("n_splits", [5, 9, 10, 15])
def test_cross_validation_takes_the_device_of_an_ensemble_of_as_many(n_splits):
    X, y = table(n_splits * 40)
    found = cross_validate(small(), X, y, cv=KFold(n_splits), return_estimator=True)
    ensemble = small(n_members=n_splits).fit(X, y)
    assert ensemble.device_ == ("cuda" if n_splits >= 10 else "cpu")
    assert {fitted.device_ for fitted in found["estimator"]} == {ensemble.device_}
    named = small(device=ensemble.device_)
    same = cross_validate(named, X, y, cv=KFold(n_splits))
    np.testing.assert_allclose(found["test_score"], same["test_score"], rtol=1e-9)


@pytest.mark.usefixtures("pays_for_ten")
@pytest.mark.parametrize("parameters", [{}, {"dropout": 0.2}, {"optimizer": "lookahead"}], ids=str)
def test_a_search_trains_on_the_gpu(monkeypatch, parameters):
    X, y = table(300)
    grid = {"alpha": np.geomspace(1e-5, 1.0, 8)}
    steps = devices_of_steps(monkeypatch)
    search = GridSearchCV(small(**parameters), grid, cv=5, refit=False).fit(X, y)
    assert steps == {("cuda", 40)}
    named = GridSearchCV(small(**parameters, device="cuda"), grid, cv=5, refit=False).fit(X, y)
    for name in ("mean_test_score", "split3_test_score"):
        np.testing.assert_allclose(search.cv_results_[name], named.cv_results_[name], rtol=1e-9)
    if "dropout" not in parameters:  # whose masks are the device's own
        here = GridSearchCV(small(**parameters, device="cpu"), grid, cv=5, refit=False).fit(X, y)
        scores = [found.cv_results_["mean_test_score"] for found in (search, here)]
        np.testing.assert_allclose(*scores, rtol=1e-6)


@pytest.mark.usefixtures("pays_for_ten")
def test_a_few_fits_and_fits_that_train_alone_stay_on_the_cpu(monkeypatch):
    X, y = table(300)
    steps = devices_of_steps(monkeypatch)
    GridSearchCV(small(), {"alpha": [1e-5, 1.0]}, cv=2, refit=False).fit(X, y)
    cross_validate(small(optimizer="muon"), X, y, cv=KFold(12))
    assert steps == {("cpu", 4), ("cpu", 1)}


# Memory


def end_at(monkeypatch, n_members, step=2, width=None):
    """Let memory end in that step of a stack of more than so many members."""
    sizes, counts, known = [], {}, TrainingStep.__call__

    def call(own, *args, **kwargs):
        counts[id(own)] = counts.get(id(own), 0) + 1
        if counts[id(own)] == 1:
            sizes.append(len(own.specs))
        wide = width is not None and own.spec.hidden_layer_sizes == (width,)
        if counts[id(own)] == step and (len(own.specs) > n_members or wide):
            del counts[id(own)]
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB.")
        return known(own, *args, **kwargs)

    monkeypatch.setattr(TrainingStep, "__call__", call)
    return sizes


@pytest.mark.parametrize("parameters", [{}, {"n_members": 3}, {"optimizer": "lookahead"}], ids=str)
def test_a_search_is_trained_in_parts_where_memory_ends(monkeypatch, parameters):
    X, y = table(120)
    model, grid = small(**parameters, device="cuda"), {"alpha": [1e-5, 1e-3, 0.1, 1.0]}
    expected = GridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
    sizes = end_at(monkeypatch, 3)
    found = GridSearchCV(model, grid, cv=3, refit=False).fit(X, y)
    assert max(sizes) == 12 * parameters.get("n_members", 1)
    assert min(sizes) <= 3
    scores = [search.cv_results_["mean_test_score"] for search in (found, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-9)


def test_only_fits_that_memory_is_too_small_for_fail(monkeypatch, tmp_path):
    X, y = table(120)
    model, grid = small(device="cuda"), {"hidden_layer_sizes": [(16,), (24,)], "alpha": [1e-5, 1.0]}
    given = {"cv": 3, "refit": False, "error_score": np.nan}
    expected = GridSearchCV(model, grid, **given).fit(X, y).cv_results_["mean_test_score"]
    with monkeypatch.context() as patch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        end_at(patch, 100, width=24)
        found = GridSearchCV(model, grid, **given, checkpoint=tmp_path).fit(X, y)
    scores = found.cv_results_["mean_test_score"]
    wide = np.array([p["hidden_layer_sizes"] == (24,) for p in found.cv_results_["params"]])
    assert np.isnan(scores[wide]).all()
    np.testing.assert_allclose(scores[~wide], expected[~wide], rtol=1e-9)
    told = "".join(str(warning.message) for warning in caught)
    assert "device='cuda' has too little memory: CUDA out of memory" in told
    assert "or device='cpu'" in told
    again = GridSearchCV(model, grid, **given, checkpoint=tmp_path).fit(X, y)
    np.testing.assert_allclose(again.cv_results_["mean_test_score"], expected, rtol=1e-9)


def test_stacks_are_cut_by_free_memory(monkeypatch):
    X, y = table(120)
    grid = {"alpha": np.geomspace(1e-5, 1.0, 20)}
    steps = devices_of_steps(monkeypatch)
    expected = GridSearchCV(small(device="cuda"), grid, cv=3, refit=False).fit(X, y)
    assert steps == {("cuda", 60)}
    steps.clear()
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _=None: (2**20, 2**30))
    found = GridSearchCV(small(device="cuda"), grid, cv=3, refit=False).fit(X, y)
    assert 1 < max(size for _, size in steps) < 60
    scores = [search.cv_results_["mean_test_score"] for search in (found, expected)]
    np.testing.assert_allclose(*scores, rtol=1e-6)


def test_an_ensemble_is_trained_in_parts_where_memory_ends(monkeypatch):
    X, y = table(120)
    expected = small(n_members=5, device="cuda").fit(X, y)
    sizes = end_at(monkeypatch, 2)
    found = small(n_members=5, device="cuda").fit(X, y)
    assert sizes == [5, 2, 3, 1, 2]
    np.testing.assert_allclose(found.predict(X), expected.predict(X), rtol=1e-9)


def test_a_search_that_ends_early_by_the_median_runs_in_parts(monkeypatch):
    X, y = table(120)
    end_at(monkeypatch, 6)
    search = RandomizedSearchCV(
        small(device="cuda"),
        {"alpha": [1e-5, 1e-3, 0.1, 1.0]},
        n_iter=4,
        cv=3,
        random_state=0,
        early_termination=2,
    ).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


# Names, optimizers and noise


@pytest.mark.parametrize("device", [torch.device("cuda"), torch.device("cuda:0"), "cuda:0"])
def test_the_gpu_by_all_its_names(device):
    X, y = table(100)
    model = small(device=device).fit(X, y)
    assert model.device == device
    assert model.device_ == model.spec_["device"] == str(device)
    expected = small(device="cuda").fit(X, y).predict(X)
    for same in (model, pickle.loads(pickle.dumps(model))):
        np.testing.assert_allclose(same.predict(X), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="torch sees"):
        small(device=torch.device("cuda:99")).fit(X, y)


@pytest.mark.parametrize("device", ["mps", "xpu", "meta", "cuda:99"])
def test_other_devices_are_not_here(device):
    assert present(device) == "cpu"
    assert present("cuda") == "cuda"


@pytest.mark.parametrize("cls", [torch.optim.Adam, torch.optim.NAdam, torch.optim.ASGD])
def test_capturable_optimizers_train_on_the_gpu(cls):
    X, y = table(100)
    plain = small(optimizer=TorchOptimizer(cls), device="cuda").fit(X, y)
    near = {"rtol": 1e-4, "atol": 1e-5}  # it counts steps, and corrects for bias, in float32
    capturable = TorchOptimizer(cls, capturable=True)
    for device in ("cuda", "auto"):
        model = small(optimizer=capturable, device=device).fit(X, y)
        assert model.device_ == "cuda"
        np.testing.assert_allclose(model.predict(X), plain.predict(X), **near)
    parts = small(optimizer=capturable, device="cuda", batch_size=25)
    whole = clone(parts).fit(X, y)
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-6)
    assert np.isfinite(small(optimizer=Lookahead(capturable), device="cuda").fit(X, y).score(X, y))
    with pytest.raises(ValueError, match="GPU alone"):
        small(optimizer=capturable, device="cpu").fit(X, y)


@pytest.mark.parametrize("way", [("cpu", "cuda"), ("cuda", "cpu")], ids=str)
def test_a_move_to_another_device_can_be_repeated(way):
    X, y = table(100)
    predictions = []
    for _ in range(2):
        model = small(dropout=0.5, device=way[0], warm_start=True).fit(X, y)
        predictions.append(model.set_params(device=way[1]).fit(X, y).predict(X))
        assert model.device_ == way[1]
    np.testing.assert_array_equal(*predictions)


def test_masks_after_a_move_differ_between_random_states():
    X, y = table(100)
    seeds = []
    for random_state in (1, 2, 1):
        model = small(dropout=0.5, random_state=random_state, device="cpu", warm_start=True)
        model.fit(X, y).set_params(device="cuda").fit(X, y)
        masks = torch.Generator("cuda")
        masks.set_state(torch.from_numpy(model._progress["progress"]["masks"]))
        seeds.append(masks.initial_seed())
    assert seeds[0] == seeds[2] != seeds[1]
    assert 0 not in seeds
