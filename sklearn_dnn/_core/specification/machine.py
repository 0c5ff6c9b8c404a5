"""What the machine decides: device, type, threads, members at once, and what is too large."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from ..._devices import CPU, GPU, checked_device, free_memory, is_present, whole_memory
from ..._threads import available_threads
from ...components.architectures import HiddenModule
from ...components.embeddings import NumericEmbedding
from ...components.optimizers import Optimizer
from .spec import FitSpec, Task, task_width

# Multiply-adds of a step below which float64 costs no more time than float32: the step is
# spent on calling kernels, not on arithmetic.
FLOAT64_WORK = 2**19
# Multiply-adds of a step above which a GPU pays for launching its kernels.
CUDA_WORK = 2**23
# Bytes of the numbers that one step of a stack on the CPU touches.
STACK_BYTES = 4 * 2**20
# Of the free memory of a GPU, what a stack may be thought to take: the rest is for its table, for
# what kernels need and for what the thought leaves out.
SHARE_OF_MEMORY = 0.5
# Weights, gradient, best weights: of each number that is trained so many copies are kept.
COPIES = 3
# Bytes of a member beside its numbers: its generators alone.
OF_A_MEMBER = 10_000
GIBIBYTE = 2**30


def machine_of(
    p: Mapping[str, Any],
    task: Task,
    hidden: tuple[int, ...] | HiddenModule,
    embedding: NumericEmbedding | None,
    optimizer: Optimizer,
    batch_size: int,
) -> dict[str, Any]:
    """The device, the type and the threads that suit the work of a step."""
    sizes = _sizes(hidden, task, embedding)
    work = _step_work(hidden, sizes, batch_size)
    n_members, shares = int(p["n_members"]), p["ensemble"] == "shared"
    if shares:
        work *= n_members
    together = n_members if optimizer.stackable and not shares else 1
    device = _resolve_device(p["device"], work * together)
    if p["device"] == "auto" and optimizer.needs_gpu and is_present(GPU):
        device = GPU
    dtype = _resolve_dtype(p["dtype"], task.dtype, work)
    if device == CPU:
        together = min(together, _at_once(hidden, sizes, batch_size, dtype))
    n_threads = _resolve_threads(p["n_threads"], work * together)
    return {"device": device, "n_threads": n_threads, "dtype": dtype}


def device_of_stack(specs: Sequence[FitSpec]) -> str:
    """The device that "auto" is for fits that train as one stack.

    That of an ensemble of as many members: their steps are one.
    """
    return _resolve_device("auto", sum(_stack_work(spec) for spec in specs))


def _stack_work(spec: FitSpec) -> int:
    """Work of a step of all members of a fit."""
    hidden = spec.hidden_layer_sizes
    sizes = _sizes(hidden, spec.task, spec.numeric_embedding)
    return _step_work(hidden, sizes, spec.batch_size) * spec.n_members


def _sizes(
    hidden: tuple[int, ...] | HiddenModule, task: Task, embedding: NumericEmbedding | None
) -> tuple[int, ...]:
    """Numbers that enter, units of each layer of ours, and targets."""
    own = () if isinstance(hidden, HiddenModule) else hidden
    return (task_width(embedding, task), *own, task.n_outputs)


def _step_work(
    hidden: tuple[int, ...] | HiddenModule, sizes: tuple[int, ...], batch_size: int
) -> int:
    """Work of a step as its choices are made by; a guess for a user's own module."""
    return FLOAT64_WORK + 1 if isinstance(hidden, HiddenModule) else step_work(sizes, batch_size)


def step_work(layer_sizes: tuple[int, ...], batch_size: int) -> int:
    """Multiply-adds of one forward pass over a batch."""
    return batch_size * sum(i * o for i, o in pairwise(layer_sizes))


def members_at_once(spec: FitSpec) -> int:
    """Members of a stack that are worth training in one call of each kernel."""
    if spec.device != CPU:
        return 2**31  # a GPU takes as many as it has memory for
    hidden = spec.hidden_layer_sizes
    sizes = _sizes(hidden, spec.task, spec.numeric_embedding)
    return _at_once(hidden, sizes, spec.batch_size, spec.dtype)


def members_that_fit(spec: FitSpec) -> int:
    """Members of a stack that a GPU surely has the memory for."""
    hidden = spec.hidden_layer_sizes
    assert not isinstance(hidden, HiddenModule)
    sizes = _sizes(hidden, spec.task, spec.numeric_embedding)
    itemsize = 8 if spec.dtype == "float64" else 4
    # weights, gradients, two slots of an optimizer, the best, an average, and what an end copies;
    # each layer's outputs and their derivatives; each row's number, order, targets and weight
    numbers = 8 * step_work(sizes, 1) + 4 * spec.batch_size * sum(sizes) * spec.n_shared
    of_rows = spec.task.n_samples * (24 + (2 * sizes[-1] + 1) * itemsize)
    share = SHARE_OF_MEMORY * free_memory(spec.device)
    return max(1, int(share) // (numbers * itemsize + of_rows))


def _at_once(
    hidden: tuple[int, ...] | HiddenModule, sizes: tuple[int, ...], batch_size: int, dtype: str
) -> int:
    """As many as keep what a step reads and writes in a core's cache."""
    if isinstance(hidden, HiddenModule):
        return 1
    # weights, gradients and two slots of an optimizer; each layer's outputs and their derivatives
    numbers = 4 * step_work(sizes, 1) + 2 * batch_size * sum(sizes)
    return max(1, STACK_BYTES // (numbers * (8 if dtype == "float64" else 4)))


def _resolve_device(value: str | torch.device, work: int) -> str:
    if value == "auto":
        return GPU if work >= CUDA_WORK and is_present(GPU) else CPU
    return checked_device(value)


def _resolve_threads(value: int | None, work: int) -> int:
    if value is not None:
        return int(value)
    # Below four million multiply-adds a second thread costs more than it does.
    return max(1, min(available_threads(), work >> 21))


def _resolve_dtype(value: str, input_dtype: str, work: int) -> str:
    if value != "auto":
        return value
    return "float64" if input_dtype == "float64" and work <= FLOAT64_WORK else "float32"


def refuse_too_many_members(n_members: int, n_rows: int) -> None:
    """Refuse an ensemble whose streams of chance and rows alone take more memory than there is.

    Raises
    ------
    ValueError
    """
    if n_members == 1:
        return
    needed, there = n_members * (OF_A_MEMBER + 8 * n_rows), whole_memory("cpu")
    if needed > there:
        raise ValueError(
            f"n_members={n_members} takes {_size(needed)} for the members' chance and rows alone, "
            f"but there are {_size(there)}. Use fewer members; 8 are usual."
        )


def refuse_too_large(
    n_parameters: int, n_members: int, *, itemsize: int, device: str, what: str
) -> None:
    """Refuse networks whose numbers take more memory than there is.

    Parameters
    ----------
    n_parameters : int
        Numbers of one network that are trained.
    n_members : int
    itemsize : int
        Bytes of a number.
    device : str
    what : str
        The parameters that say so, for the message.

    Raises
    ------
    ValueError
    """
    # they are drawn on the CPU in any case, one network after the other
    for where, needed in (
        (device, n_parameters * n_members * itemsize * COPIES),
        ("cpu", n_parameters * 8),
    ):
        there = whole_memory(where)
        if needed > there:
            of = "" if n_members == 1 else f" in each of {n_members} members"
            raise ValueError(
                f"{what} has {_count(n_parameters)} parameters{of}, which take "
                f"{_size(needed)} at least, but {where!r} has {_size(there)}. Use smaller layers"
                f"{' or fewer members' if of else ''}; (100,) is usual."
            )


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"{float(n):.3g}"


def _size(n_bytes: int) -> str:
    return f"{n_bytes / GIBIBYTE:,.3g} GiB"
