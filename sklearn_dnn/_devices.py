"""All that is known of devices: their kinds, which are here, their memory, and how its end is told.

A further kind is a row of :data:`KINDS`, and what the functions below answer of it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Kind:
    """A kind of device, by what differs.

    Attributes
    ----------
    piece_bytes : int
        Of one layer's output: what stays in a core's cache, or keeps a GPU busy.
    resident_share : float or None
        Of the free memory, what a table may take that is held there; None for a constant.
    adds_in_order : bool
        Whether torch adds rows at equal places in a fixed order, so that sums are the same again.
    """

    piece_bytes: int
    resident_share: float | None
    adds_in_order: bool


CPU, GPU = "cpu", "cuda"
KINDS = {
    CPU: Kind(piece_bytes=2**20, resident_share=None, adds_in_order=True),
    GPU: Kind(piece_bytes=2**28, resident_share=1 / 3, adds_in_order=False),
}
# What torch and the libraries below it say where memory ends, in errors of no type of its own.
_TOLD_BY = (
    "DefaultCPUAllocator",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
# Bytes that a process can address at most.
ADDRESSABLE = 2**47
# The types of all errors that may tell of it.
MEMORY_ERRORS = (MemoryError, RuntimeError)


def read_device(value: str | torch.device) -> tuple[str, torch.device]:
    """The name of a device, "cpu" for any way to write the CPU, and the device.

    Raises
    ------
    RuntimeError
        If torch knows no such device.
    """
    device = value if isinstance(value, torch.device) else torch.device(value)
    return "cpu" if device.type == "cpu" else str(value), device


def checked_device(value: str | torch.device) -> str:
    """The name of a device that this machine has.

    Raises
    ------
    ValueError
    """
    try:
        name, device = read_device(value)
    except RuntimeError as error:
        raise ValueError(
            "The 'device' parameter must be 'auto' or a torch device such as 'cpu', 'cuda' or "
            f"'cuda:1'. Got {value!r} instead."
        ) from error
    if device.type not in KINDS:
        raise ValueError(
            "The 'device' parameter must be 'auto', 'cpu', 'cuda' or 'cuda:<index>'. "
            f"Got {value!r} instead."
        )
    if not is_present(device):
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        raise ValueError(
            f"device={value!r} was asked for, but torch sees {count} CUDA devices. Use "
            "device='cpu' or 'auto', or install a CUDA build of torch and its driver."
        )
    return name


def is_present(device: str | torch.device) -> bool:
    """Whether this machine has a device that networks can be on."""
    wanted = read_device(device)[1]
    if wanted.type == GPU:
        return torch.cuda.is_available() and (wanted.index or 0) < torch.cuda.device_count()
    return wanted.type == CPU


def kind_of(device: str | torch.device) -> Kind:
    """The kind of a device."""
    return KINDS[torch.device(device).type]


def adds_in_order(tensor: Tensor) -> bool:
    """Whether sums over rows of a tensor, on its device, are the same again."""
    return KINDS[tensor.device.type].adds_in_order


def own_generators(device: str | torch.device) -> list[int]:
    """Numbers of the generators that a device has beside the CPU's, for ``fork_rng``."""
    there = torch.device(device)
    return [there.index or 0] if there.type == GPU else []


def seed_generators(numbers: list[int], seed: int) -> None:
    """Seed those generators."""
    for number in numbers:
        torch.cuda.default_generators[number].manual_seed(seed)


def free_memory(device: str) -> int:
    """Bytes that a CUDA device has left, with those that torch keeps to use again."""
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def whole_memory(device: str) -> int:
    """Bytes of a device's memory, or what can be addressed where the system does not tell."""
    if torch.device(device).type == GPU:
        return int(torch.cuda.mem_get_info(device)[1])
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return ADDRESSABLE


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory was too small."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TOLD_BY)
