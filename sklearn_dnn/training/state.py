"""The progress of a stack: all that training needs to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..network.parameters import Layout, initial_parameters
from ..specification import FitSpec
from .stopping import Patience

HISTORY = (
    "loss",
    "train_loss",
    "validation_loss",
    "validation_score",
    "learning_rate",
    "seconds",
)


@dataclass(frozen=True)
class Streams:
    """Seeds of one fit, one a use, so that no use of chance disturbs another."""

    split: int
    weights: int
    order: int
    masks: int

    @classmethod
    def from_seed(cls, seed: int) -> Streams:
        children = np.random.SeedSequence(seed).generate_state(4, np.uint32)
        return cls(*(int(child) for child in children))


def generator(seed: int, device: str = "cpu") -> torch.Generator:
    """A torch generator of its own: the process' generators are left alone."""
    return torch.Generator(device=device).manual_seed(seed)


@dataclass
class Progress:
    """The state of a stack of ``m`` members, changed in place by training.

    Attributes
    ----------
    theta, statistics : Tensor of shape (m, p) and (m, s)
        Where training stands.
    best_theta, best_statistics : Tensor of the same shapes
        Where the monitored value was best.
    optimizer : dict of Tensor
    orders : list of torch.Generator
        Of each member's order of rows.
    masks : torch.Generator
    patience : list of Patience
    schedules : list of dict
        State of each member's schedule.
    histories : list of dict of list
        A list of one value an epoch for each name in ``HISTORY``.
    epoch : int
        Epochs done.
    samples : int
        Rows that training has seen, epoch by epoch.
    origin : int
        The epoch at which the schedules began.
    """

    theta: Tensor
    statistics: Tensor
    best_theta: Tensor
    best_statistics: Tensor
    optimizer: dict[str, Tensor]
    orders: list[torch.Generator]
    masks: torch.Generator
    patience: list[Patience]
    schedules: list[dict[str, float]]
    histories: list[dict[str, list[Any]]] = field(default_factory=list)
    epoch: int = 0
    samples: int = 0
    origin: int = 0

    @classmethod
    def begin(cls, specs: Sequence[FitSpec], streams: Sequence[Streams]) -> Progress:
        """The state before the first step, one specification and seed a member."""
        spec = specs[0]
        layout = Layout(spec.layer_sizes, spec.norm)
        theta, statistics = initial_parameters(
            spec, layout, [generator(s.weights) for s in streams]
        )
        return cls(
            theta=theta,
            statistics=statistics,
            best_theta=theta.clone(),
            best_statistics=statistics.clone(),
            # what can't be shared is begun by each member alone
            optimizer=spec.optimizer.start(theta) if _shares(spec, theta) else {},
            orders=[generator(s.order) for s in streams],
            masks=generator(streams[0].masks, spec.device),
            patience=[Patience(s.tol, s.n_iter_no_change) for s in specs],
            schedules=[s.schedule.start() for s in specs],
            histories=[{name: [] for name in HISTORY} for _ in specs],
        )

    def select(self, members: Sequence[int]) -> Progress:
        """The state of some of the members, sharing none that changes but orders and curves."""
        keep = list(members)
        m = len(self.theta)
        return Progress(
            theta=self.theta[keep],
            statistics=self.statistics[keep],
            best_theta=self.best_theta[keep],
            best_statistics=self.best_statistics[keep],
            optimizer={
                name: t[keep] if t.dim() == 2 and t.shape[0] == m else t.clone()
                for name, t in self.optimizer.items()
            },
            orders=[self.orders[i] for i in keep],
            masks=self.masks.clone_state(),
            patience=[replace(self.patience[i]) for i in keep],
            schedules=[dict(self.schedules[i]) for i in keep],
            histories=[self.histories[i] for i in keep],
            epoch=self.epoch,
            samples=self.samples,
            origin=self.origin,
        )

    def export(self) -> dict[str, Any]:
        """The same of a single member as NumPy arrays and plain Python values."""
        assert len(self.theta) == 1
        patience = self.patience[0]
        return {
            "theta": _array(self.theta),
            "statistics": _array(self.statistics),
            "best_theta": _array(self.best_theta),
            "best_statistics": _array(self.best_statistics),
            "optimizer": {name: _array(t) for name, t in self.optimizer.items()},
            "order": _array(self.orders[0].get_state()),
            "masks": _array(self.masks.get_state()),
            "best": patience.best,
            "best_iter": patience.best_iter,
            "count": patience.count,
            "schedule": dict(self.schedules[0]),
            "history": {name: list(values) for name, values in self.histories[0].items()},
            "epoch": self.epoch,
            "samples": self.samples,
            "origin": self.origin,
        }

    @classmethod
    def restore(cls, spec: FitSpec, saved: dict[str, Any]) -> Progress:
        """A single member's progress from :meth:`export`, on the specification's device."""

        def tensor(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.array(array)).to(spec.device)

        order, masks = generator(0), generator(0, spec.device)
        order.set_state(torch.from_numpy(np.array(saved["order"])))
        if len(saved["masks"]) == len(masks.get_state()):  # else from another kind of device
            masks.set_state(torch.from_numpy(np.array(saved["masks"])))
        return cls(
            theta=tensor(saved["theta"]),
            statistics=tensor(saved["statistics"]),
            best_theta=tensor(saved["best_theta"]),
            best_statistics=tensor(saved["best_statistics"]),
            optimizer={name: tensor(array) for name, array in saved["optimizer"].items()},
            orders=[order],
            masks=masks,
            patience=[
                Patience(
                    spec.tol,
                    spec.n_iter_no_change,
                    saved["best"],
                    saved["best_iter"],
                    saved["count"],
                )
            ],
            schedules=[dict(saved["schedule"])],
            histories=[{name: list(values) for name, values in saved["history"].items()}],
            epoch=saved["epoch"],
            samples=saved["samples"],
            origin=saved["origin"],
        )


def _shares(spec: FitSpec, theta: Tensor) -> bool:
    return spec.optimizer.stackable or len(theta) == 1


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().clone().numpy()
