"""The state of torch around a fit: how many threads, changed for the calling thread alone.

``torch.set_num_threads`` is seen by every thread that starts afterwards. OpenMP's own setting
belongs to the calling thread, so a fit in one thread of a joblib pool leaves the others alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import LibController, ThreadpoolController

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


@contextmanager
def torch_ready() -> Iterator[None]:
    """Surround all use of torch with this: it can't hang in a forked child, and can be trained in.

    Gradients can't be taken of what is made in a caller's ``torch.inference_mode``.
    """
    if not in_forked_child() and not torch.is_inference_mode_enabled():
        yield
        return
    with limit_threads(available_threads()), torch.inference_mode(False):
        yield


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
