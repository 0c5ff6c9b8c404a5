"""Choosing a device, and what is said when it does not do."""

from __future__ import annotations

import pickle
from dataclasses import replace

import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone

from sklearn_dnn import TRUSTED_TYPES, MLPRegressor
from sklearn_dnn._core.fitted.fitted import present
from sklearn_dnn._core.fitting import fresh_start
from sklearn_dnn._core.fitting import session as session_module
from sklearn_dnn._core.specification import CUDA_WORK, Task, machine, resolve, settled, step_work
from sklearn_dnn._core.training.state import Progress
from sklearn_dnn._core.training.streams import generator
from sklearn_dnn.components import Lookahead, TorchOptimizer
from sklearn_dnn.estimators._stacked_fit import Fit
from sklearn_dnn.estimators._stacks import open_stacks
from sklearn_dnn.model_selection import GridSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def device_of(width, *, batch_size=200):
    model = MLPRegressor((width,), batch_size=batch_size)
    task = Task("regression", 10, 1, 1000, 1000, "float32")
    return resolve(model.get_params(deep=False), task).device


def test_auto_takes_a_gpu_for_large_steps_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    edge = CUDA_WORK // (200 * 11)
    assert step_work((10, edge - 1, 1), 200) < CUDA_WORK
    assert device_of(edge - 1) == "cpu"
    assert device_of(edge + 1) == "cuda"


def test_auto_stays_on_the_cpu_where_there_is_no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_of(100_000) == "cpu"


def test_too_little_memory_is_told_with_the_way_out(monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("tried to allocate 20 GiB")

    X = np.random.default_rng(0).standard_normal((30, 2))
    model = MLPRegressor((3,), max_iter=2).fit(X, X[:, 0])
    way_out = r"device='cpu' has too little memory: tried to allocate.*batch_size.*another device"
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_dnn._core.fitted.fitted.table_outputs", full)
        with pytest.raises(torch.OutOfMemoryError, match=way_out):
            model.predict(X)
    monkeypatch.setattr("sklearn_dnn._core.fitting.running.train", full)
    with pytest.raises(torch.OutOfMemoryError, match=way_out):
        model.fit(X, X[:, 0])


# The device of a stack: what an ensemble of as many members has


def fits_of(n, X, **parameters):
    models = [
        MLPRegressor((16,), **{"batch_size": 50, "alpha": 1e-4 * (i + 1), **parameters})
        for i in range(n)
    ]
    return [Fit(model, X, X[:, 0]) for model in models]


@pytest.fixture
def gpu_for_five(monkeypatch):
    """Pretend a GPU that pays for five of the networks of `fits_of` at once."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _=None: (2**40, 2**40))
    monkeypatch.setattr(machine, "CUDA_WORK", 5 * step_work((3, 16, 1), 50))
    # there is none to draw noise on
    monkeypatch.setattr(session_module, "generator", lambda seed, _: generator(seed))


@pytest.mark.parametrize(
    ("n_fits", "n_members", "device"),
    [(4, 1, "cpu"), (5, 1, "cuda"), (2, 2, "cpu"), (3, 2, "cuda"), (1, 5, "cuda"), (40, 1, "cuda")],
)
@pytest.mark.usefixtures("gpu_for_five")
def test_a_stack_takes_the_device_of_an_ensemble_of_as_many(monkeypatch, n_fits, n_members, device):
    X = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    task = Task("regression", 3, 1, 100, 100, "float32")
    ensemble = MLPRegressor((16,), batch_size=50, n_members=n_fits * n_members)
    assert resolve(plain(ensemble), task).device == device
    # an ensemble of five would begin there by itself
    monkeypatch.setattr(fresh_start.Progress, "begin", on_the_cpu(fresh_start.Progress.begin))
    (stack,) = open_stacks(fits_of(n_fits, X, n_members=n_members))
    assert {fit.session.spec.device for fit in stack} == {device}


def plain(model):
    return settled(model.get_params(deep=False), "regression", 100, 3, by_recipe=False)


def on_the_cpu(begin):
    return lambda specs, *args: begin([replace(spec, device="cpu") for spec in specs], *args)


@pytest.mark.usefixtures("gpu_for_five")
def test_a_named_device_and_a_lone_fit_stay_what_they_are():
    X = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    (stack,) = open_stacks(fits_of(9, X, device="cpu"))
    assert {fit.session.spec.device for fit in stack} == {"cpu"}
    alone = fits_of(9, X, optimizer="lbfgs", batch_size="auto")
    assert open_stacks(alone) == []


@pytest.mark.usefixtures("gpu_for_five")
def test_each_stack_decides_for_itself():
    X = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    few, many = fits_of(3, X, activation="tanh"), fits_of(7, X)
    stacks = open_stacks([*few, *many])
    found = {len(s): {fit.session.spec.device for fit in s} for s in stacks}
    assert found == {3: {"cpu"}, 7: {"cuda"}}
    # weights and noise are those that a fit there would begin with
    there = many[0].session.progress[0]
    (here,) = open_stacks(fits_of(1, X, random_state=0))[0][0].session.progress
    (same,) = open_stacks(fits_of(7, X, random_state=0))[0][0].session.progress
    assert there.theta.shape == here.theta.shape
    assert torch.equal(here.theta, same.theta)
    assert here.masks.initial_seed() == same.masks.initial_seed()


@pytest.mark.usefixtures("gpu_for_five")
def test_a_stack_is_cut_by_free_memory(monkeypatch):
    X = np.random.default_rng(0).standard_normal((100, 3)).astype(np.float32)
    sizes = {}
    for megabytes in (0, 1, 3):
        monkeypatch.setattr(
            torch.cuda, "mem_get_info", lambda _=None, free=megabytes: (free * 2**20, 2**40)
        )
        stacks = open_stacks(fits_of(40, X))
        sizes[megabytes] = max(len(stack) for stack in stacks)
        assert sum(len(stack) for stack in stacks) == 40
    assert sizes[0] == 1 < sizes[1] < sizes[3] == 40
    # side by side they share it
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _=None: (2**20, 2**40))
    halves = open_stacks(fits_of(40, X), n_at_once=2)
    assert max(len(stack) for stack in halves) in {sizes[1] // 2, sizes[1] // 2 + 1}


# By what names


@pytest.mark.parametrize("device", ["cpu", "cpu:0", torch.device("cpu"), torch.device("cpu", 0)])
def test_the_cpu_by_all_its_names(device):
    X = np.random.default_rng(0).standard_normal((40, 2))
    model = MLPRegressor((3,), max_iter=3, random_state=0, device=device)
    fitted = clone(model).fit(X, X[:, 0])
    assert fitted.device == device  # as it was given
    assert fitted.device_ == fitted.spec_["device"] == "cpu"
    plain = MLPRegressor((3,), max_iter=3, random_state=0, device="cpu").fit(X, X[:, 0])
    assert np.array_equal(fitted.predict(X), plain.predict(X))
    assert np.array_equal(pickle.loads(pickle.dumps(fitted)).predict(X), plain.predict(X))
    fitted.partial_fit(X, X[:, 0])
    assert fitted.device_ == "cpu"


def test_files_name_a_device_in_plain_text():
    X = np.random.default_rng(0).standard_normal((40, 2))
    model = MLPRegressor((3,), max_iter=3, device=torch.device("cpu")).fit(X, X[:, 0])
    assert pickle.loads(pickle.dumps(model)).device == "cpu"
    file = skops.io.dumps(model)
    again = skops.io.loads(file, trusted=TRUSTED_TYPES)
    assert again.device == "cpu"
    assert np.array_equal(again.predict(X), model.predict(X))
    assert joblib.hash(model) == joblib.hash(model.set_params(device="cpu"))


def test_a_search_over_devices():
    X = np.random.default_rng(0).standard_normal((40, 2))
    model = MLPRegressor((3,), max_iter=3, random_state=0)
    search = GridSearchCV(model, {"device": ["cpu", torch.device("cpu")]}, cv=2).fit(X, X[:, 0])
    first, second = search.cv_results_["mean_test_score"]
    assert first == pytest.approx(second, rel=1e-9)


@pytest.mark.parametrize("device", [torch.device("meta"), torch.device("mps"), "xpu", "gpu", "cud"])
def test_a_device_that_no_network_can_be_on_is_refused(device):
    with pytest.raises(ValueError, match=r"'device' parameter must be 'auto'.*'cuda'.*Got"):
        MLPRegressor(device=device).fit(np.eye(5), np.arange(5.0))


def test_what_is_no_device_at_all_is_refused():
    for value in (3, None, torch.float32, [0]):
        with pytest.raises(ValueError, match="'device' parameter"):
            MLPRegressor(device=value).fit(np.eye(5), np.arange(5.0))


@pytest.mark.parametrize(
    ("device", "where"),
    [
        ("cpu", "cpu"),
        ("cuda", "cuda"),
        ("cuda:0", "cuda:0"),
        ("cuda:1", "cpu"),
        ("cuda:7", "cpu"),
        ("mps", "cpu"),
        ("mps:0", "cpu"),
        ("xpu", "cpu"),
        ("meta", "cpu"),
    ],
)
def test_the_presence_of_a_device_on_a_machine_with_one_gpu(monkeypatch, device, where):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert present(device) == where


# Optimizers of torch that work on a GPU alone


@pytest.mark.parametrize("cls", ["Adam", "NAdam", "Rprop", "ASGD"])
@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, Lookahead], ids=["plain", "inner"])
def test_capturable_on_the_cpu_is_refused_in_words(cls, wrap):
    wrapped = wrap(TorchOptimizer(getattr(torch.optim, cls), capturable=True))
    X = np.random.default_rng(0).standard_normal((20, 2))
    for device in ("cpu", "auto"):
        model = MLPRegressor((3,), optimizer=wrapped, max_iter=2, device=device)
        for call in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match=r"GPU alone \(capturable=True\).*device='cpu'"):
                call(X, X[:, 0])


@pytest.mark.skipif(
    torch.version.cuda is not None and not torch.cuda.is_available(),
    reason="a build for CUDA asks for a driver",
)
def test_capturable_takes_the_gpu_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    task = Task("regression", 3, 1, 100, 100, "float32")
    optimizer = TorchOptimizer(torch.optim.Adam, capturable=True)
    assert resolve(plain(MLPRegressor((4,), optimizer=optimizer)), task).device == "cuda"
    assert resolve(plain(MLPRegressor((4,))), task).device == "cpu"


def test_other_arguments_are_tried_beside_capturable():
    optimizer = TorchOptimizer(torch.optim.Adam, capturable=True, betas=(2.0, 0.9))
    with pytest.raises(ValueError, match=r"can't make a step with Adam.*[Ii]nvalid beta"):
        MLPRegressor((3,), optimizer=optimizer).fit(np.eye(5), np.arange(5.0))


class Picky(torch.optim.SGD):
    """It says nothing of what it wants."""

    def step(self, closure=None):
        raise AssertionError


def test_a_bare_assertion_of_an_optimizer_is_told():
    with pytest.raises(ValueError, match="can't make a step with Picky"):
        MLPRegressor((3,), optimizer=TorchOptimizer(Picky)).fit(np.eye(5), np.arange(5.0))


# Noise after a move to another kind of device


def test_noise_from_the_state_of_another_device_is_a_stream_of_its_own():
    X = np.random.default_rng(0).standard_normal((40, 2))
    spec = resolve(
        plain(MLPRegressor((3,), dropout=0.5)), Task("regression", 2, 1, 40, 40, "float64")
    )

    def seed(random_state, n_iter=2):
        model = MLPRegressor((3,), dropout=0.5, max_iter=n_iter, random_state=random_state)
        saved = dict(model.set_params(warm_start=True).fit(X, X[:, 0])._progress["progress"])
        # a GPU's state is a seed and a count
        saved["masks"] = np.frombuffer(saved["masks"][:16].tobytes(), np.uint8)
        return Progress.restore(spec, saved).masks.initial_seed()

    seeds = [seed(1), seed(2), seed(3)]
    assert len({0, *seeds}) == 4
    assert seeds == [seed(1), seed(2), seed(3)]
