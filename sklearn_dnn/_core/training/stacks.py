"""Which members train as one stack: those that came equally far, as many as fit a cache."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from ..network.architecture import Architecture
from ..network.parameters import Layout
from ..specification import FitSpec, members_at_once
from .state import Progress


def stacks(
    specs: Sequence[FitSpec], progress: Progress | Sequence[Progress]
) -> list[tuple[list[int], Progress]]:
    """Members by their numbers, and their common progress, a stack at a time.

    Parameters
    ----------
    specs : sequence of FitSpec
        One a member.
    progress : Progress or sequence of Progress
        Of all members, or one a member.
    """
    spec = specs[0]
    everyone = list(range(len(specs)))
    if isinstance(progress, Progress):
        if len(specs) == 1:
            return [(everyone, progress)]
        if not _stackable(spec):
            parts = [progress.select([i]) for i in everyone]
            for part in parts:
                part.optimizer = fresh_optimizer(spec, part.theta)
            return [([i], part) for i, part in enumerate(parts)]
        return [
            (some, progress if some == everyone else progress.select(some))
            for some in _cut(everyone, members_at_once(spec))
        ]
    if not _stackable(spec):
        return [([i], _own([part], specs)) for i, part in enumerate(progress)]
    alike: dict[tuple[object, ...], list[int]] = {}
    for i, part in enumerate(progress):
        alike.setdefault(part.counts, []).append(i)
    return [
        (some, _own([progress[i] for i in some], specs))
        for group in alike.values()
        for some in _cut(group, members_at_once(spec))
    ]


def _own(parts: Sequence[Progress], specs: Sequence[FitSpec]) -> Progress:
    """The progress of a stack, with tensors of its own unless there is a single member at all."""
    return parts[0].select([0]) if len(parts) == 1 < len(specs) else Progress.joined(parts)


def _stackable(spec: FitSpec) -> bool:
    return spec.optimizer.stackable and spec.module is None


def _cut(members: list[int], size: int) -> list[list[int]]:
    """Parts of nearly equal length, none longer than `size`."""
    n_parts = -(-len(members) // size)
    bounds = [len(members) * i // n_parts for i in range(n_parts + 1)]
    return [members[a:b] for a, b in pairwise(bounds)]


def fresh_optimizer(spec: FitSpec, theta: Tensor) -> dict[str, torch.Tensor]:
    """The optimizer's state before the first step."""
    return spec.optimizer.start(theta, Layout(Architecture.of(spec)).shapes)
