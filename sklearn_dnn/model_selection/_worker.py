"""What a worker does: calls that are handed to it, in this process or another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

import numpy as np

from .._compat import num_features
from .._interruption import loop
from .._lockstep import in_lockstep
from ..estimators._stacks import open_stacks, train_stack
from ._calls import Call
from ._waiting import waited_for
from ._watching import Watchers

# Bytes of the rows that fits in step may hold at once: of one fold in any case.
AT_ONCE_BYTES = 2**27


def call_alone(i: int, call: Call) -> tuple[int, Any, KeyboardInterrupt | None]:
    """A call that no stack has trained for: its place, its result, and what cut it off."""
    try:
        return i, call.run(), None
    except KeyboardInterrupt as interruption:
        return i, None, interruption


def calls_in_step(calls: Sequence[tuple[int, Call]]) -> Iterator[tuple[int, Any]]:
    """Do those calls whose fits train together: their places and results, as they end."""
    some = [(i, call) for i, call in calls if call.in_step]
    if not some:
        return
    from ..neural_network._fits import train_together  # noqa: PLC0415 - it was imported by who asks

    def task(i: int, call: Call, tables: dict[Any, Any]) -> tuple[int, Any]:
        return i, call.run_in_step(tables)

    with waited_for():
        for part in _parts(some):
            tables: dict[Any, Any] = {}
            yield from in_lockstep(
                [partial(task, i, call, tables) for i, call in part], train_together
            )


def _parts(calls: list[tuple[int, Call]]) -> Iterator[list[tuple[int, Call]]]:
    """Calls in parts whose tables take little memory at once, those of a fold beside each other."""
    folds: dict[int, list[tuple[int, Call]]] = {}
    for i, call in calls:
        assert call.asked is not None
        folds.setdefault(id(call.asked["train"]), []).append((i, call))
    part: list[tuple[int, Call]] = []
    held = 0.0
    for i, call, is_first in (
        (i, call, k == 0) for fold in folds.values() for k, (i, call) in enumerate(fold)
    ):
        assert call.asked is not None
        X, estimator = call.asked["X"], call.asked["estimator"]
        size = 8.0 * len(np.asarray(call.asked["train"])) * num_features(X)
        # behind other steps each has a table of its own
        new = size if is_first or "random_state" not in estimator.get_params(deep=False) else 0.0
        if part and held + new > AT_ONCE_BYTES:
            yield part
            part, held, new = [], 0.0, size
        part.append((i, call))
        held += new
    yield part


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
            own = list(zip(positions, calls, strict=True))
            results += calls_in_step(own)
            results += [(i, call.run()) for i, call in own if not call.in_step]
    except KeyboardInterrupt:
        interrupted = True
    left_out = zip(positions, calls, strict=True)
    reasons = [(i, call.reason) for i, call in left_out if call.reason is not None]
    return results, reasons, interrupted
