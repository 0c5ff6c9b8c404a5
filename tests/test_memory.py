"""Where memory is too small: stacks are trained in parts, and what can't be trained says why."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._core.fitting import running
from sklearn_dnn._core.specification import machine
from sklearn_dnn._core.training import engine
from sklearn_dnn._core.training.step import TrainingStep
from sklearn_dnn.components import Accumulated, Adam, Bagging, ClipNorm, Momentum, Scheduled
from sklearn_dnn.estimators import _stacks
from sklearn_dnn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    _watching,
    cross_val_predict,
    cross_validate,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = X[:, 0] * X[:, 1] + X[:, 2]
GRID = {"alpha": [1e-5, 1e-3, 0.1, 1.0]}
FOLDS = KFold(3, shuffle=True, random_state=0)
ALLOCATOR = (
    "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: "
    "you tried to allocate 4000000000000 bytes. Error code 12 (Cannot allocate memory)"
)
# All that a device, an allocator or NumPy says where memory ends.
ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError(ALLOCATOR),
    RuntimeError("CUDA error: out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError("Unable to allocate 72.8 TiB for an array with shape (10000000000000,)"),
]
WAY_OUT = r"device='cpu' has too little memory: .*Use a smaller batch_size or network"


def network(**parameters):
    given = {"max_iter": 5, "batch_size": 16, "random_state": 0, "learning_rate_init": 0.01}
    return MLPRegressor(**{"hidden_layer_sizes": (5,)} | given | parameters)


def search(estimator, grid=GRID, **parameters):
    given = {"cv": FOLDS, "scoring": "r2", "refit": False}
    return GridSearchCV(estimator, grid, **given | parameters)


def scores(fitted):
    return np.array([fitted.cv_results_[f"split{i}_test_score"] for i in range(3)])


class Memory:
    """Memory for so many members at once; it ends in the step of that number."""

    def __init__(self, monkeypatch, n_members, *, step=4, error=ERRORS[0], width=None):
        self.sizes, self.steps = [], {}
        known, train = TrainingStep.__call__, engine.train

        def noted(specs, *args, **kwargs):
            self.sizes.append(len(specs))
            self.now = len(specs)
            return train(specs, *args, **kwargs)

        def call(own, *args, **kwargs):
            self.steps[id(own)] = self.steps.get(id(own), 0) + 1
            wide = width is not None and own.spec.hidden_layer_sizes == (width,)
            if self.steps[id(own)] == step and (self.now > n_members or wide):
                del self.steps[id(own)]
                raise error
            return known(own, *args, **kwargs)

        monkeypatch.setattr(TrainingStep, "__call__", call)
        monkeypatch.setattr(_stacks, "train", noted)
        monkeypatch.setattr(running, "train", noted)


# A search


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: f"{type(e).__name__} {str(e)[:12]}")
@pytest.mark.parametrize("step", [1, 6])  # of three an epoch
def test_a_stack_that_is_too_large_is_trained_in_parts(monkeypatch, error, step):
    expected = search(network()).fit(X, Y)
    memory = Memory(monkeypatch, 4, step=step, error=error)
    found = search(network()).fit(X, Y)
    assert memory.sizes == [12, 6, 3, 3, 6, 3, 3]
    np.testing.assert_allclose(scores(found), scores(expected), rtol=1e-9)


@pytest.mark.parametrize(
    "parameters",
    [
        {"schedule": "performance", "n_iter_no_change": 3, "tol": 0.5, "max_iter": 9},
        {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30},
        {"ema_decay": 0.9, "clip_norm": 0.1, "optimizer": "lookahead"},
        {"n_members": 3},
        {"norm": "batch", "optimizer": Momentum(Scheduled(0.9, "linear"))},
        {
            "optimizer": Adam(Scheduled(0.9, "performance")),
            "weight_decay": Scheduled(0.5, "linear"),
        },
        {"clip_norm": ClipNorm(0.1, "tensor"), "batch_size": Accumulated(8, 3)},
        {"n_members": 2, "ensemble": Bagging(0.6)},
    ],
    ids=str,
)
@pytest.mark.parametrize("stack_bytes", [2**22, 1])
def test_what_broke_off_leaves_nothing_behind(monkeypatch, parameters, stack_bytes):
    monkeypatch.setattr(machine, "STACK_BYTES", stack_bytes)
    expected = search(network(**parameters)).fit(X, Y)
    memory = Memory(monkeypatch, 3, step=5)  # in the second epoch
    found = search(network(**parameters)).fit(X, Y)
    assert len(memory.sizes) > 4
    np.testing.assert_allclose(scores(found), scores(expected), rtol=1e-6)


def test_a_single_fit_is_cut_to_single_members(monkeypatch):
    expected = search(network(n_members=4), {"alpha": [0.1]}).fit(X, Y)
    memory = Memory(monkeypatch, 1)
    found = search(network(n_members=4), {"alpha": [0.1]}).fit(X, Y)
    assert memory.sizes == [12, 4, 2, 1, 1, 2, 1, 1, 8, 4, 2, 1, 1, 2, 1, 1, 4, 2, 1, 1, 2, 1, 1]
    np.testing.assert_allclose(scores(found), scores(expected), rtol=1e-9)


@pytest.mark.parametrize("n_members", [1, 2])
def test_only_fits_that_can_not_fit_fail(monkeypatch, tmp_path, n_members):
    grid = {"hidden_layer_sizes": [(5,), (9,)], "alpha": [1e-5, 1.0]}
    model = network(n_members=n_members)
    expected = search(model, grid).fit(X, Y)
    with monkeypatch.context() as patch:
        Memory(patch, 100, width=9)
        found, told = heard(search(model, grid, error_score=np.nan, checkpoint=tmp_path))
    (failed,) = [text for text in told if "6 fits failed out of a total of 12" in text]
    assert re.search(WAY_OUT, failed)
    wide = np.array([p["hidden_layer_sizes"] == (9,) for p in found.cv_results_["params"]])
    assert np.isnan(scores(found)[:, wide]).all()
    np.testing.assert_allclose(scores(found)[:, ~wide], scores(expected)[:, ~wide], rtol=1e-9)
    # with memory enough the same folder gives the rest
    again = search(model, grid, error_score=np.nan, checkpoint=tmp_path).fit(X, Y)
    np.testing.assert_allclose(scores(again), scores(expected), rtol=1e-9)


def heard(estimator):
    """The fitted estimator, and what its warnings say."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(X, Y)
    return estimator, [str(warning.message) for warning in caught]


def test_without_a_score_for_errors_the_search_ends_with_the_way_out(monkeypatch):
    Memory(monkeypatch, 100, width=9)
    grid = {"hidden_layer_sizes": [(5,), (9,)]}
    with pytest.raises(torch.OutOfMemoryError, match=WAY_OUT) as caught:
        search(network(), grid, error_score="raise").fit(X, Y)
    assert str(caught.value).count("too little memory") == 1


def test_all_fits_fail(monkeypatch):
    Memory(monkeypatch, 0)
    with pytest.raises(ValueError, match="All the 12 fits failed") as caught:
        search(network(), error_score=np.nan).fit(X, Y)
    assert "Use a smaller batch_size or network" in str(caught.value)


@pytest.mark.parametrize("where", ["threading", None])
def test_cross_validation(monkeypatch, where):
    expected = cross_validate(network(), X, Y, cv=FOLDS, return_estimator=True)
    Memory(monkeypatch, 1)
    n_jobs = None if where is None else 2
    found = cross_validate(network(), X, Y, cv=FOLDS, return_estimator=True, n_jobs=n_jobs)
    np.testing.assert_allclose(found["test_score"], expected["test_score"], rtol=1e-9)
    for a, b in zip(found["estimator"], expected["estimator"], strict=True):
        np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-9)


def test_predictions_over_folds_have_no_score_for_errors(monkeypatch):
    expected = cross_val_predict(network(), X, Y, cv=FOLDS)
    with monkeypatch.context() as patch:
        Memory(patch, 1)
        np.testing.assert_allclose(cross_val_predict(network(), X, Y, cv=FOLDS), expected)
    Memory(monkeypatch, 0)
    with pytest.raises(torch.OutOfMemoryError, match=WAY_OUT):
        cross_val_predict(network(), X, Y, cv=FOLDS)


@pytest.mark.parametrize("continue_training", [True, False])
def test_halving_goes_on_from_parts(monkeypatch, continue_training):
    def halving():
        return HalvingGridSearchCV(
            network(),
            GRID,
            resource="max_iter",
            min_resources=2,
            max_resources=8,
            factor=2,
            cv=FOLDS,
            random_state=0,
            continue_training=continue_training,
        )

    expected = halving().fit(X, Y).cv_results_
    Memory(monkeypatch, 4)
    found = halving().fit(X, Y).cv_results_
    for name in ("iter", "param_alpha"):
        assert list(found[name]) == list(expected[name])
    np.testing.assert_allclose(found["mean_test_score"], expected["mean_test_score"], rtol=1e-9)


def test_early_termination_and_the_bar_begin_anew_in_each_part(monkeypatch):
    bars = []
    advance = _watching_bar(monkeypatch, bars)
    Memory(monkeypatch, 6)
    model = RandomizedSearchCV(
        network(),
        GRID,
        n_iter=4,
        cv=FOLDS,
        refit=False,
        early_termination=2,
        progress=True,
        random_state=0,
    )
    assert np.isfinite(model.fit(X, Y).cv_results_["mean_test_score"]).all()
    (bar,) = bars
    assert bar.total == 12 * 5
    assert sum(advance) == bar.total
    assert min(advance) < 0  # what broke off was taken back


def _watching_bar(monkeypatch, bars):
    advances = []

    class Silent:
        def __init__(self, total, **_):
            self.total = total
            bars.append(self)

        def update(self, n):
            advances.append(n)

        def set_postfix_str(self, text):
            pass

        def close(self):
            pass

    class Module:
        tqdm = Silent

    monkeypatch.setattr(_watching, "import_module", lambda _: Module)
    return advances


def test_after_ctrl_c_no_further_part_begins_and_what_is_done_counts(monkeypatch):
    expected = search(network()).fit(X, Y)
    memory = Memory(monkeypatch, 4)
    limited = TrainingStep.__call__

    def call(own, *args, **kwargs):
        if memory.sizes == [12, 6, 3, 3]:
            raise KeyboardInterrupt
        return limited(own, *args, **kwargs)

    monkeypatch.setattr(TrainingStep, "__call__", call)
    found, told = heard(search(network(), error_score=np.nan))
    assert any("3 of 12 fits are done and count" in text for text in told)
    assert memory.sizes == [12, 6, 3, 3]
    done = np.isfinite(scores(found))
    assert done.sum() == 3
    np.testing.assert_allclose(scores(found)[done], scores(expected)[done], rtol=1e-9)


# One estimator


@pytest.mark.parametrize("stack_bytes", [2**22, 1])
@pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
def test_an_ensemble_is_trained_in_parts(monkeypatch, cls, stack_bytes):
    monkeypatch.setattr(machine, "STACK_BYTES", stack_bytes)
    y = Y if cls is MLPRegressor else Y > 0
    model = cls((5,), n_members=5, batch_size=16, max_iter=4, random_state=0, warm_start=True)
    expected = clone(model).fit(X, y).fit(X, y)
    memory = Memory(monkeypatch, 2, step=6)
    found = clone(model).fit(X, y)
    assert memory.sizes == [5, 2, 3, 1, 2]
    found.fit(X, y)  # and it goes on
    assert found.n_iter_ == expected.n_iter_
    for a, b in zip(found.coefs_, expected.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9)
    for a, b in zip(found.members_, expected.members_, strict=True):
        np.testing.assert_allclose(a["loss_curve"], b["loss_curve"], rtol=1e-9)


def test_ctrl_c_in_a_part_keeps_the_members_that_had_begun(monkeypatch):
    memory = Memory(monkeypatch, 2)
    limited = TrainingStep.__call__

    def call(own, *args, **kwargs):
        if memory.sizes[1:] == [2] and len(own.progress.histories[0]["loss"]) == 2:
            raise KeyboardInterrupt
        return limited(own, *args, **kwargs)

    monkeypatch.setattr(TrainingStep, "__call__", call)
    found, told = heard(network(n_members=4))
    assert "Training interrupted by user." in told
    assert any("2 of 4 members had not begun" in text for text in told)
    assert len(found.members_) == 2
    assert found.predict(X).shape == (60,)


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: f"{type(e).__name__} {str(e)[:12]}")
def test_every_call_says_the_way_out_once(monkeypatch, error):
    kind = MemoryError if isinstance(error, MemoryError) else torch.OutOfMemoryError

    def full(*_, **__):
        raise error

    model = network().fit(X, Y)
    places = {
        "_core.fitting.running.train": lambda: clone(model).fit(X, Y),
        "_core.fitting.opening.read_training": lambda: clone(model).partial_fit(X, Y),
        "_core.fitted.fitted.table_outputs": lambda: model.predict(X),
        "_core.fitting.ending.raw_outputs": lambda: MLPClassifier(
            (3,), early_stopping=True, calibration="temperature", max_iter=2
        ).fit(X, Y > 0),
    }
    for place, call in places.items():
        with monkeypatch.context() as patch:
            patch.setattr(f"sklearn_dnn.{place}", full)
            with pytest.raises(
                kind, match=r"has too little memory: .*smaller batch_size"
            ) as caught:
                call()
        assert str(caught.value).count("too little memory") == 1
        assert str(error).rstrip(".") in str(caught.value)


def test_on_the_cpu_the_cpu_is_no_way_out(monkeypatch):
    Memory(monkeypatch, 0)
    with pytest.raises(torch.OutOfMemoryError) as caught:
        network(device="cpu").fit(X, Y)
    assert "or device='cpu'" not in str(caught.value)


def test_other_errors_are_left_alone(monkeypatch):
    Memory(monkeypatch, 0, error=RuntimeError("shapes differ"))
    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        network(n_members=2).fit(X, Y)
    with pytest.raises(RuntimeError, match=r"^shapes differ$"):
        search(network()).fit(X, Y)


def test_a_network_that_no_memory_holds():
    model = network(hidden_layer_sizes=(10**7, 10**7))  # more than a process can name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((torch.OutOfMemoryError, ValueError), match=r"memory|hidden_layer"):
            model.fit(X, Y)
