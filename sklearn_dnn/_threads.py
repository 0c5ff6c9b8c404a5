"""The state of torch around a fit, as if the calling thread had set nothing, and its threads.

``torch.set_num_threads`` is seen by every thread that starts afterwards. OpenMP's own setting
belongs to the calling thread, so a fit in one thread of a joblib pool leaves the others alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import Any

import torch
from threadpoolctl import LibController, ThreadpoolController

from ._compat import (
    EXACT_PRECISIONS,
    DeviceContext,
    any_autocast,
    count_function_modes,
    pop_function_mode,
    push_function_mode,
    read_precision,
    write_precision,
)
from ._devices import KINDS

_IMPORTED_IN = os.getpid()


def in_forked_child() -> bool:
    """True in a process forked from the one that imported the package.

    OpenMP's threads do not survive a fork: a child that asks for more than one hangs.
    """
    return os.getpid() != _IMPORTED_IN


def available_threads() -> int:
    """Threads that the environment, or a worker's cap, grants to this thread."""
    return 1 if in_forked_child() else torch.get_num_threads()


@cache
def _openmp() -> tuple[LibController, ...]:
    """The OpenMP libraries of the process, torch's among them."""
    return tuple(ThreadpoolController().select(user_api="openmp").lib_controllers)


class torch_ready:  # noqa: N801 - a context manager, as functions make them, at half their cost
    """Surround all use of torch with this: within is torch as a new thread finds it.

    What a caller set for its thread does not reach in: autocast, a default device, grad mode and
    inference mode. Float32 matrices are multiplied in float32 on the
    CPU, whatever the process' precision. In a forked child a single thread is used, since more
    would hang.
    """

    def __enter__(self) -> None:
        self._stack: ExitStack | None = None
        if not (
            in_forked_child()
            or any_autocast()
            or count_function_modes()
            or torch.is_inference_mode_enabled()
            or not torch.is_grad_enabled()
            or _FLOAT32.is_needed()
        ):
            return
        with ExitStack() as stack:
            for context in _as_in_a_new_thread():
                stack.enter_context(context)
            self._stack = stack.pop_all()

    def __exit__(self, *error: object) -> None:
        if self._stack is not None:
            self._stack.close()


def _as_in_a_new_thread() -> Iterator[Any]:
    """What has to be entered for it."""
    if in_forked_child():
        yield limit_threads(1)
    for device in KINDS:
        if torch.is_autocast_enabled(device):
            yield torch.autocast(device, enabled=False)
    if count_function_modes():
        yield _without_default_device()
    if torch.is_inference_mode_enabled():
        yield torch.inference_mode(False)
    if not torch.is_grad_enabled():
        yield torch.enable_grad()
    if _FLOAT32.is_needed():
        yield _FLOAT32


@contextmanager
def _without_default_device() -> Iterator[None]:
    """Let functions of torch have no default device within the block; other modes stay."""
    modes = _all_modes_taken_off()
    for mode in modes:
        if not isinstance(mode, DeviceContext):
            push_function_mode(mode)
    try:
        yield
    finally:
        _all_modes_taken_off()
        for mode in modes:
            push_function_mode(mode)


def _all_modes_taken_off() -> list[Any]:
    """The thread's modes of functions, the innermost last."""
    return [pop_function_mode() for _ in range(count_function_modes())][::-1]


class _Float32:
    """Lets the CPU multiply float32 matrices in float32, while anyone is within.

    ``torch.set_float32_matmul_precision`` is the process' own, and lets processors with units for
    bfloat16 round to three digits. The last one to leave puts it back.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._within = 0
        self._before = ""

    def is_needed(self) -> bool:
        return self._within > 0 or read_precision() not in EXACT_PRECISIONS

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1  # before it is changed: others decide by both
            if self._within == 1:
                self._before = read_precision()
                write_precision(EXACT_PRECISIONS[0])

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._within -= 1
            if self._within == 0:
                write_precision(EXACT_PRECISIONS[-1])  # it may be inherited
                if read_precision() != self._before:
                    write_precision(self._before)


_FLOAT32 = _Float32()


@contextmanager
def limit_threads(n_threads: int) -> Iterator[None]:
    """Let torch use `n_threads` threads within the block, in the calling thread only.

    Parameters
    ----------
    n_threads : int
        At least 1. In a forked child always 1 is used.
    """
    n_threads = 1 if in_forked_child() else n_threads
    if n_threads == torch.get_num_threads():  # also starts torch's own setting in this thread
        yield
        return
    before = [(library, library.num_threads) for library in _openmp()]
    try:
        for library, _ in before:
            library.set_num_threads(n_threads)
        yield
    finally:
        for library, count in before:
            library.set_num_threads(count)
