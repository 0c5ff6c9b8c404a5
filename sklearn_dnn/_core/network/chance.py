"""Torch's own random state, for code that knows no generator; it is left as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from ..._devices import own_generators, seed_generators

# Functions that make numbers of torch's default dtype, and those that do so of Python's floats.
_OF_DEFAULT = {
    *(torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.eye, torch.normal),
    *(torch.linspace, torch.logspace, torch.hann_window, torch.hamming_window),
}
_OF_FLOATS = {torch.tensor, torch.as_tensor, torch.scalar_tensor, torch.full, torch.arange}


class _InFloat32(TorchFunctionMode):
    """What would be of torch's default dtype is of float32: it belongs to the process."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if given.get("dtype") is not None:
            return func(*args, **given)
        if func in _OF_DEFAULT:
            return func(*args, **{**given, "dtype": torch.float32})
        found = func(*args, **given)
        if func in _OF_FLOATS and found.dtype == torch.get_default_dtype():
            return func(*args, **{**given, "dtype": torch.float32})
        return found


@contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Draw from `seed` within the block, on the CPU and on a device, whatever torch's defaults."""
    others = own_generators(device)
    usual = torch.get_default_dtype() == torch.float32
    with torch.random.fork_rng(devices=others), nullcontext() if usual else _InFloat32():
        torch.default_generator.manual_seed(seed)
        seed_generators(others, seed)
        yield
