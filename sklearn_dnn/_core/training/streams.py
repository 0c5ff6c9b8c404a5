"""Where chance comes from in training: seeds of a member, a stream a use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch


@dataclass(frozen=True)
class Streams:
    """Seeds of one member, one a use, so that no use of chance disturbs another."""

    split: int
    weights: int
    order: int
    masks: int
    rows: int

    @classmethod
    def of_members(cls, seed: int, n_members: int) -> list[Streams]:
        """One a member; the first member's are those of a fit alone."""
        root = np.random.SeedSequence(seed)
        # words come in a fixed order: a further one leaves those before it as they are
        words = [s.generate_state(5, np.uint32) for s in (root, *root.spawn(n_members - 1))]
        return [cls(*own.tolist()) for own in words]


def generator(seed: int, device: str = "cpu") -> torch.Generator:
    """A torch generator of its own: the process' generators are left alone."""
    return torch.Generator(device=device).manual_seed(seed)


def resumed(saved: Mapping[str, Any], device: str) -> tuple[torch.Generator, torch.Generator]:
    """The generators of a member's order and of its noise, from where they stood.

    The noise of another kind of device can't be gone on from: that of this one is a new stream,
    whose seed is what the order's state says of all that was random before.
    """
    order, masks = generator(0), generator(0, device)
    order.set_state(torch.from_numpy(np.array(saved["order"])))
    if len(saved["masks"]) == len(masks.get_state()):
        masks.set_state(torch.from_numpy(np.array(saved["masks"])))
    else:
        root = np.random.SeedSequence(saved["order"].tolist())
        masks.manual_seed(int(root.generate_state(1, np.uint64)[0]) >> 1)
    return order, masks
