"""What a caller set in torch, for its thread or for the process, changes no result on the CPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Barrier

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris, make_friedman1
from torch.overrides import TorchFunctionMode
from torch.utils._device import DeviceContext

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn._threads import torch_ready
from sklearn_dnn.callbacks import GradientActivationMonitor
from sklearn_dnn.components import HiddenModule, TorchOptimizer
from sklearn_dnn.inspection import (
    activations,
    evaluate,
    fgsm,
    initial_loss,
    layer_statistics,
    learning_rate_range_test,
    prune,
)
from sklearn_dnn.model_selection import GridSearchCV, HalvingGridSearchCV, cross_val_score

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Anomaly Detection has been enabled:UserWarning"),
]
X, Y = make_friedman1(80, n_features=5, random_state=0)
LABELS = (Y > 14).astype(int)
IRIS = load_iris(return_X_y=True)


# States of torch, of the thread and of the process


@contextmanager
def set_to(get, put, value):
    before = get()
    put(value)
    try:
        yield
        assert get() == value, "it is as the caller set it"
    finally:
        put(before)


@contextmanager
def default_device(name):
    torch.set_default_device(name)
    try:
        yield
        assert torch.get_default_device() == torch.device(name)
    finally:
        torch.set_default_device(None)


@contextmanager
def autocast(dtype):
    with torch.autocast("cpu", dtype=dtype):
        yield
        assert torch.is_autocast_enabled("cpu")
        assert torch.get_autocast_dtype("cpu") == dtype


class Breaking(DeviceContext):
    """A default device that may not even be asked."""

    def __init__(self):
        super().__init__("meta")

    def __torch_function__(self, func, types, args=(), kwargs=None):
        raise AssertionError("it reached in")


class Watching(TorchFunctionMode):
    """A mode of another kind, which stays."""

    seen = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        Watching.seen += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def all_at_once():
    with ExitStack() as stack:
        for name in (
            "bfloat16 by default",
            "three digits",
            "autocast",
            "on meta",
            "inference mode",
        ):
            stack.enter_context(STATES[name]())
        yield


def of_process(get, put, value):
    return lambda: set_to(get, put, value)


DTYPE = (torch.get_default_dtype, torch.set_default_dtype)
PRECISION = (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision)
STATES = {
    "autocast": lambda: autocast(torch.bfloat16),
    "autocast to float16": lambda: autocast(torch.float16),
    "on meta": lambda: torch.device("meta"),
    "default device": lambda: default_device("meta"),
    "a device that breaks": Breaking,
    "a mode that watches": Watching,
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "anomalies are looked for": torch.autograd.detect_anomaly,
    "float64 by default": of_process(*DTYPE, torch.float64),
    "bfloat16 by default": of_process(*DTYPE, torch.bfloat16),
    "float16 by default": of_process(*DTYPE, torch.float16),
    "tf32": of_process(*PRECISION, "high"),
    "three digits": of_process(*PRECISION, "medium"),
    "deterministic": of_process(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "all at once": all_at_once,
}


# What is done within, and all that comes of it


class Part(torch.nn.Module):
    """A user's own, which asks for torch's defaults where it can."""

    def __init__(self, n_features):
        super().__init__()
        self.dense = torch.nn.Linear(n_features, 8)
        self.normed = torch.nn.BatchNorm1d(8)
        self.register_buffer("scale", torch.tensor(0.1))

    def forward(self, x):
        shift = torch.arange(8) * torch.tensor(0.3) + torch.full((8,), 0.1) + torch.ones(8)
        return torch.tanh(self.normed(self.dense(x))) * self.scale + shift


def outputs(model, X):
    found = [model.predict(X), model.transform(X)]
    return [*found, model.predict_proba(X)] if hasattr(model, "predict_proba") else found


def make(cls=MLPRegressor, hidden=(32, 32), **parameters):
    given = {"max_iter": 2, "batch_size": 32, "random_state": 0, "dtype": "float32"} | parameters
    return cls(hidden, **given)


def fitted(*args, **parameters):
    y = LABELS if args and args[0] is MLPClassifier else Y
    return lambda: outputs(make(*args, **parameters).fit(X, y), X)


def default_classifier():
    model = MLPClassifier(random_state=0, max_iter=1).fit(*IRIS)
    return [*outputs(model, IRIS[0]), model.temperature_]


def gone_on():
    model = make(MLPClassifier, norm="layer", warm_start=True, dropout=0.2).fit(X, LABELS)
    model.fit(X, LABELS).partial_fit(X, LABELS)
    return [*outputs(model, X), *model.predict_proba(X, n_samples=3, return_std=True)]


def set_and_read():
    model = make(norm="weight", n_members=2).fit(X, Y)
    twin = make(norm="weight", n_members=2, random_state=1).fit(X, Y)
    twin.set_weights(model.get_weights())
    return [*outputs(twin, X), *twin.member(1).get_weights().values(), twin.summary()]


def exported():
    module = make(norm="batch", input_scaling=None, target_scaling=None).fit(X, Y).to_torch()
    with torch_ready():
        return [module(torch.from_numpy(X)).detach().numpy(), str(module)]


def looked_into():
    model = make(activation="prelu").fit(X, Y)
    start, test = initial_loss(make(), X, Y), learning_rate_range_test(make(), X, Y, n_steps=20)
    table = layer_statistics(model, X, Y)
    pruned = prune(model, 0.5)
    return [
        *(
            start.loss,
            start.expected,
            test.losses,
            test.suggestion,
            table.select_dtypes("number").to_numpy(),
        ),
        *activations(model, X),
        *(fgsm(model, X, Y, 0.1), pruned.predict(X), evaluate(model, X, Y)["loss"]),
    ]


def watched():
    monitor = GradientActivationMonitor()
    make().set_callbacks(monitor).fit(X, Y)
    numbers = monitor.frame().select_dtypes("number").drop(columns="seconds", errors="ignore")
    return [numbers.to_numpy()]


def searched():
    p = {"early_stopping": True, "calibration": "temperature", "norm": "batch"}
    model = make(MLPClassifier, hidden=(32,), **p)
    search = GridSearchCV(model, {"alpha": [1e-4, 1.0]}, cv=2).fit(X, LABELS)
    scores = cross_val_score(make(norm="batch"), X, Y, cv=2)
    halving = HalvingGridSearchCV(
        make(norm="layer"),
        {"alpha": [1e-4, 1.0]},
        cv=2,
        resource="max_iter",
        min_resources=1,
        max_resources=2,
        factor=2,
        continue_training=True,
    ).fit(X, Y)
    return [
        search.cv_results_["mean_test_score"],
        search.predict_proba(X),
        search.best_estimator_.temperature_,
        scores,
        halving.cv_results_["mean_test_score"],
    ]


CASES = {
    "the default classifier": default_classifier,
    "batch norm": fitted(norm="batch"),
    "layer norm, skips, mixtures": fitted(norm="layer", topology="residual", augmentation="mixup"),
    "masks and noise": fitted(dropout=0.2, weight_noise=0.1, input_dropout=0.1),
    "autograd": fitted(activation="softplus", optimizer="lbfgs", batch_size="auto"),
    "mixed precision": fitted(dtype="mixed_bfloat16", activation="softplus"),
    "a module": fitted(hidden=HiddenModule(Part), n_members=2),
    "an optimizer of torch's": fitted(
        optimizer=TorchOptimizer(torch.optim.Adam), learning_rate_init="range_test"
    ),
    "first weights by data": fitted(initializer="lsuv", activation="rrelu", bias_initializer=0.1),
    "embeddings": fitted(numeric_embedding="periodic", ensemble="shared", n_members=2),
    "a function": fitted(MLPClassifier, activation=torch.sin, loss="focal"),
    "going on": gone_on,
    "weights in and out": set_and_read,
    "a module of torch's": exported,
    "inspection": looked_into,
    "a callback": watched,
    "searches": searched,
}


@pytest.mark.parametrize("case", CASES)
def test_no_state_of_torch_changes_a_result(case):
    undisturbed = CASES[case]()
    changed = {}
    for state, within in STATES.items():
        with within():
            found = CASES[case]()
        for mine, theirs in zip(found, undisturbed, strict=True):
            if not np.array_equal(mine, theirs, equal_nan=np.asarray(mine).dtype.kind == "f"):
                changed[state] = mine, theirs
    assert not changed


def test_states_are_put_back_after_errors():
    for within in STATES.values():
        with within(), pytest.raises(ValueError, match=r"shape|inconsistent"):
            make().fit(X, Y[:-1])
    assert torch.get_float32_matmul_precision() == "highest"
    assert torch.zeros(1).device.type == "cpu"


def test_within_is_torch_as_a_new_thread_finds_it():
    with STATES["all at once"](), torch_ready():
        assert not torch.is_autocast_enabled("cpu")
        assert torch.zeros(1).device.type == "cpu"
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
        with torch_ready():  # and once more
            assert torch.zeros(1).device.type == "cpu"


def test_other_modes_of_functions_stay():
    before = Watching.seen
    with Watching(), torch.device("meta"):
        make().fit(X, Y)
        assert torch.zeros(1).device.type == "meta"
    assert Watching.seen > before + 100


def test_threads_share_the_precision_of_the_process():
    """Who leaves first must not give back what others still need."""
    expected = make(max_iter=1).fit(X, Y).predict(X), make(max_iter=8).fit(X, Y).predict(X)
    both = Barrier(2, timeout=60)

    def fit(max_iter):
        both.wait()
        return make(max_iter=max_iter).fit(X, Y).predict(X)

    with STATES["three digits"](), ThreadPoolExecutor(2) as pool:
        for _ in range(3):
            found = list(pool.map(fit, [1, 8]))
            for mine, theirs in zip(found, expected, strict=True):
                np.testing.assert_array_equal(mine, theirs)
        assert torch.get_float32_matmul_precision() == "medium"


def test_who_leaves_last_puts_the_precision_back():
    a, b = torch.ones(64, 64) / 3, torch.ones(64, 64) / 7
    exact = a @ b
    with STATES["three digits"]():
        rounded = a @ b  # three digits only where the processor has units for them
        first, second = torch_ready(), torch_ready()
        first.__enter__()
        second.__enter__()
        assert torch.equal(a @ b, exact)
        first.__exit__(None, None, None)
        assert torch.equal(a @ b, exact)
        second.__exit__(None, None, None)
        assert torch.equal(a @ b, rounded)
