"""Which calls go to which worker, where workers share no memory."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

from .._compat import num_features, num_samples
from .._core.data.features import RESIDENT_BYTES
from .._core.specification import COLUMNS
from ..components.base import Component, Scheduled
from ..components.dropouts import Dropout
from ._calls import Call

# Fits of one unit of work at most; the engine cuts them into stacks that suit a cache.
MOST = 1024
# What a member holds beside the table for each of its rows: numbers, orders and targets of rows.
BYTES_A_ROW = 32
# What a stack costs beside its members, as so many of them: calls that do not get longer.
STACK_COST = 2.0


def units(calls: Sequence[Call], n_workers: int) -> list[list[int]]:
    """Positions of calls, in groups that each go to one worker; the longest work first.

    Calls that can't be stacked stand alone; those in step are dealt out evenly. The others are
    grouped by what surely keeps fits out of one stack; the worker that opens them sees the rest.

    Parameters
    ----------
    calls : sequence of Call
    n_workers : int
    """
    groups: dict[Any, list[int]] = {}
    alone, in_step = [], []
    for i, call in enumerate(calls):
        if call.reason is None:
            groups.setdefault((*call.table_key, *_kind(call)), []).append(i)
        elif call.in_step:
            in_step.append(i)
        else:
            alone.append([i])
    alone = (cut(in_step, -(-len(in_step) // n_workers)) if in_step else []) + alone
    length = min(MOST, balanced([len(group) for group in groups.values()], n_workers))
    found = [
        piece
        for group in groups.values()
        for piece in cut(group, min(length, _held(calls[group[0]])))
    ]
    return sorted(found, key=len, reverse=True) + alone


def _kind(call: Call) -> tuple[Any, ...]:
    parameters = call.network.get_params(deep=False)
    shape = {name: _coarse(v) for name, v in parameters.items() if name not in COLUMNS}
    shape["dropout"] = _rules(parameters["dropout"])
    shape.pop("random_state")
    return (call.n_rows, repr(sorted(shape.items())))


def _held(call: Call) -> int:
    """Fits that together hold no more than a quarter of the table, or what is little anyway."""
    assert call.asked is not None
    X = call.asked["X"]
    allowed = max(RESIDENT_BYTES, num_samples(X) * num_features(X) * 2)
    return max(1, allowed // (BYTES_A_ROW * call.n_rows))


def _coarse(value: Any) -> Any:
    """A component by its class, since most of its numbers may differ in a stack."""
    return type(value).__name__ if isinstance(value, Component) else value


def _rules(dropout: Any) -> Any:
    """The kinds of dropout, whose rates may differ in a stack: one for all layers, or each."""
    if isinstance(dropout, list | tuple):
        each = [_rules(rule) for rule in dropout]
        return each[0] if len(set(each)) == 1 else each
    if dropout is None or isinstance(dropout, Real | Scheduled):
        return Dropout.__name__
    return _coarse(dropout)


def balanced(sizes: Sequence[int], n_workers: int) -> int:
    """The length of stacks with which workers end soonest, for groups of some sizes."""
    if n_workers == 1 or not sizes:
        return max(sizes, default=1)

    def latest(most: int) -> float:
        """When the last worker ends, if the longest stack left goes to the first who is free."""
        busy = [0.0] * n_workers
        lengths = [len(piece) for size in sizes for piece in cut(range(size), most)]
        for length in sorted(lengths, reverse=True):
            busy[busy.index(min(busy))] += STACK_COST + length
        return max(busy)

    most = max(sizes)
    return min(sorted({-(-most // k) for k in range(1, 8 * n_workers + 1)}), key=latest)


def cut(group: Sequence[Any], most: int) -> list[Any]:
    """A group in as few pieces of nearly equal length, `most` at most, as there can be."""
    length = -(-len(group) // -(-len(group) // most))
    return [group[i : i + length] for i in range(0, len(group), length)]
