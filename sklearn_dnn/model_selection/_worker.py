"""What a worker does: calls that are handed to it, in this process or another one."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from .._interruption import loop
from ..estimators._stacks import open_stacks, train_stack
from ._calls import Call
from ._watching import Watchers


def call_alone(i: int, call: Call) -> tuple[int, Any, KeyboardInterrupt | None]:
    """A call that no stack has trained for: its place, its result, and what cut it off."""
    try:
        return i, call.run(), None
    except KeyboardInterrupt as interruption:
        return i, None, interruption


def train_and_call(
    positions: list[int],
    calls: list[Call],
    watchers: Watchers,
    *tables: Any,
) -> tuple[list[tuple[int, Any]], list[tuple[int, str]], bool]:
    """In another process: train what can be stacked, and do all calls.

    Returns
    -------
    list of (int, result)
        All, or those that were done before Ctrl-C.
    list of (int, str)
        Why calls were not stacked.
    bool
        Whether Ctrl-C came.
    """
    compositions: dict[Any, Any] = {}
    results: list[tuple[int, Any]] = []
    interrupted = False
    calls = [call.with_tables(tables) for call in calls]
    try:
        with loop():
            fits = [call.prepare(compositions) for call in calls]
            for stack in open_stacks([fit for fit in fits if fit is not None]):
                train_stack(stack, lambda part: nullcontext(watchers(part)))
            for i, call in zip(positions, calls, strict=True):
                results.append((i, call.run()))
    except KeyboardInterrupt:
        interrupted = True
    left_out = zip(positions, calls, strict=True)
    reasons = [(i, call.reason) for i, call in left_out if call.reason is not None]
    return results, reasons, interrupted
