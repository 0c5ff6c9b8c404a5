"""Choosing a device, and what is said when it does not do."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from sklearn_dnn import MLPRegressor
from sklearn_dnn.specification import CUDA_WORK, Task, resolve, step_work

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def device_of(width, *, batch_size=200):
    model = MLPRegressor((width,), batch_size=batch_size)
    task = Task("regression", 10, 1, 1000, 1000, "float32")
    return resolve(model.get_params(deep=False), task).device


def test_auto_takes_a_gpu_for_large_steps_only(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
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
        patch.setattr("sklearn_dnn.estimators._fitted.table_outputs", full)
        with pytest.raises(torch.OutOfMemoryError, match=way_out):
            model.predict(X)
    monkeypatch.setattr("sklearn_dnn.estimators._training.train", full)
    with pytest.raises(torch.OutOfMemoryError, match=way_out):
        model.fit(X, X[:, 0])
