"""Which calls go to which worker, where workers share no memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..components.base import Component
from ..estimators._together import balanced, cut
from ..specification import COLUMNS
from ._calls import Call

# Fits of one unit of work at most: a worker cuts them into stacks that suit its cache.
MOST = 64


def units(calls: Sequence[Call], n_workers: int) -> list[list[int]]:
    """Positions of calls, in groups that each go to one worker; the longest work first.

    Calls that can't be stacked stand alone. The others are grouped by what surely keeps fits
    out of one stack; the worker that opens them sees the rest.

    Parameters
    ----------
    calls : sequence of Call
    n_workers : int
    """
    groups: dict[Any, list[int]] = {}
    alone = []
    for i, call in enumerate(calls):
        if call.reason is None:
            groups.setdefault((*call.table_key(), *_kind(call)), []).append(i)
        else:
            alone.append([i])
    length = min(MOST, balanced([len(group) for group in groups.values()], n_workers))
    found = [piece for group in groups.values() for piece in cut(group, length)]
    return sorted(found, key=len, reverse=True) + alone


def _kind(call: Call) -> tuple[Any, ...]:
    assert call.asked is not None
    parameters = call.network.get_params(deep=False)
    shape = {name: _coarse(v) for name, v in parameters.items() if name not in COLUMNS}
    shape.pop("random_state")
    return (len(np.asarray(call.asked["train"])), repr(sorted(shape.items())))


def _coarse(value: Any) -> Any:
    """A component by its class, since most of its numbers may differ in a stack."""
    return type(value).__name__ if isinstance(value, Component) else value
