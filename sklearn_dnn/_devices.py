"""Devices: by what name, which are here, how much memory they have, and how its end is told."""

from __future__ import annotations

import torch

# What torch and the libraries below it say where memory ends, in errors of no type of its own.
_TOLD_BY = (
    "DefaultCPUAllocator",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
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


def is_present(device: str) -> bool:
    """Whether this machine has a device that networks can be on."""
    wanted = torch.device(device)
    if wanted.type == "cuda":
        return torch.cuda.is_available() and (wanted.index or 0) < torch.cuda.device_count()
    return wanted.type == "cpu"


def free_memory(device: str) -> int:
    """Bytes that a CUDA device has left, with those that torch keeps to use again."""
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return int(free + kept)


def lacks_memory(error: BaseException) -> bool:
    """Whether an error says that memory was too small."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _TOLD_BY)
