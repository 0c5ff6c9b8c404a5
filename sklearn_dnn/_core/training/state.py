"""The progress of a stack: all that training needs to go on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...components.optimizers import Optimizer
from ..network.architecture import Architecture
from ..network.initial import initial_parameters
from ..network.parameters import Layout
from ..specification import FitSpec
from .stopping import Patience
from .streams import Streams, generator, resumed

HISTORY = (
    "loss",
    "train_loss",
    "validation_loss",
    "validation_score",
    "learning_rate",
    "gradient_norm",
    "clipped",
    "seconds",
)


@dataclass
class Progress:
    """The state of a stack of ``m`` members, changed in place by training.

    Attributes
    ----------
    theta, statistics : Tensor of shape (m, p) and (m, s)
        Where training stands.
    average : Tensor of shape (m, p) or None
        The running average of theta, where one is kept: what judges and predicts.
    best_theta, best_statistics : Tensor of the same shapes
        Where the monitored value was best.
    optimizer : dict of Tensor
    orders : list of torch.Generator
        Of each member's order of rows.
    masks : torch.Generator
    patience : list of Patience
    schedules : list of dict
        State of each member's schedule of the learning rate.
    driven : list of dict of dict
        State of each member's other schedules, by the names in ``FitSpec.driven``.
    histories : list of dict of list
        A list of one value an epoch for each name in ``HISTORY``.
    epoch : int
        Epochs done.
    began : int
        Those of them that earlier calls did.
    samples : int
        Rows that training has seen, epoch by epoch.
    steps : int
        Updates done.
    origins : dict of int
        The epoch at which a schedule, or the curriculum, began, by its name, unless it was 0: it
        may begin anew while the rest goes on.
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
    driven: list[dict[str, dict[str, float]]]
    average: Tensor | None = None
    histories: list[dict[str, list[Any]]] = field(default_factory=list)
    epoch: int = 0
    began: int = 0
    samples: int = 0
    steps: int = 0
    origins: dict[str, int] = field(default_factory=dict)

    @property
    def judged(self) -> Tensor:
        """The parameters that judge and predict."""
        return self.theta if self.average is None else self.average

    def passed(self, name: str) -> int:
        """Epochs since that schedule, or the curriculum, began."""
        return self.epoch - self.origins.get(name, 0)

    @classmethod
    def begin(
        cls, specs: Sequence[FitSpec], streams: Sequence[Streams], prior: Tensor | None = None
    ) -> Progress:
        """The state before the first step, one specification and seed a member.

        Parameters
        ----------
        prior : Tensor of shape (n_raw,) or None
            See :func:`~sklearn_dnn._core.network.initial.initial_parameters`.
        """
        spec = specs[0]
        layout = Layout(Architecture.of(spec))
        theta, statistics = initial_parameters(
            specs, layout, [generator(s.weights) for s in streams], prior
        )
        return cls(
            theta=theta,
            statistics=statistics,
            best_theta=theta.clone(),
            best_statistics=statistics.clone(),
            # what can't be shared is begun by each member alone
            optimizer=spec.optimizer.start(theta, layout.shapes) if _shares(spec, theta) else {},
            orders=[generator(s.order) for s in streams],
            masks=generator(streams[0].masks, spec.device),
            patience=[patience_of(s) for s in specs],
            schedules=[s.schedule.start() for s in specs],
            driven=[driven_schedules(s) for s in specs],
            average=theta.clone() if spec.ema_decay > 0 else None,
            histories=[{name: [] for name in HISTORY} for _ in specs],
        )

    def begin_from_theta(self, optimizer: Optimizer) -> None:
        """Let all that starts from theta follow one that was written from outside.

        Nothing that was measured on the way is lost: the optimizer keeps its moments.
        """
        optimizer.anchor_(self.theta, self.optimizer)
        if self.average is not None:
            self.average.copy_(self.theta)
        self.best_theta.copy_(self.theta)
        self.best_statistics.copy_(self.statistics)

    def select(self, members: Sequence[int]) -> Progress:
        """The state of some of the members, sharing orders, curves and counts of patience alone."""
        keep = list(members)
        return Progress(
            theta=self.theta[keep],
            statistics=self.statistics[keep],
            best_theta=self.best_theta[keep],
            best_statistics=self.best_statistics[keep],
            optimizer={name: t[keep] if own else t.clone() for name, t, own in self._state()},
            orders=[self.orders[i] for i in keep],
            masks=self.masks.clone_state(),
            patience=[self.patience[i] for i in keep],
            schedules=[dict(self.schedules[i]) for i in keep],
            driven=[{k: dict(v) for k, v in self.driven[i].items()} for i in keep],
            average=None if self.average is None else self.average[keep],
            histories=[self.histories[i] for i in keep],
            epoch=self.epoch,
            began=self.began,
            samples=self.samples,
            steps=self.steps,
            origins=dict(self.origins),
        )

    @classmethod
    def joined(cls, parts: Sequence[Progress]) -> Progress:
        """One stack of several, which shares what :meth:`select` does; a single one is itself.

        All must have come equally far: what a stack has in common, noise among it, is the
        first's.
        """
        first = parts[0]
        if len(parts) == 1:
            return first
        together = replace(
            first.select(range(len(first.theta))),
            theta=torch.cat([p.theta for p in parts]),
            statistics=torch.cat([p.statistics for p in parts]),
            best_theta=torch.cat([p.best_theta for p in parts]),
            best_statistics=torch.cat([p.best_statistics for p in parts]),
            optimizer={
                name: torch.cat([p.optimizer[name] for p in parts]) if own else t.clone()
                for name, t, own in first._state()
            },
            average=None
            if first.average is None
            else torch.cat([p.average for p in parts if p.average is not None]),
        )
        for name in ("orders", "patience", "schedules", "driven", "histories"):
            setattr(together, name, [each for p in parts for each in getattr(p, name)])
        return together

    def _state(self) -> Iterator[tuple[str, Tensor, bool]]:
        """The optimizer's tensors, and whether each has a row a member."""
        for name, t in self.optimizer.items():
            yield name, t, t.dim() == 2 and t.shape[0] == len(self.theta)

    @property
    def counts(self) -> tuple[Any, ...]:
        """What the members of a stack must have in common."""
        common = [tuple(t.flatten().tolist()) for _, t, own in self._state() if not own]
        return (self.epoch, self.samples, self.steps, *self.origins.items(), *common)

    def kept(self) -> Progress:
        """The same with its tensors in the computer's own memory, to be trained later or again.

        What chance there was on a device stays there.
        """
        if self.theta.device.type == "cpu":
            return self
        return self._moved(lambda t: t.cpu(), {k: t.cpu() for k, t in self.optimizer.items()})

    def on(self, spec: FitSpec) -> Progress:
        """The same with its tensors on the specification's device; itself if they are there."""
        if self.theta.device.type == torch.device(spec.device).type:
            return self
        theta = self.theta.to(spec.device)
        return self._moved(lambda t: t.to(spec.device), placed(spec, theta, self.optimizer))

    def _moved(self, move: Callable[[Tensor], Tensor], optimizer: dict[str, Tensor]) -> Progress:
        return replace(
            self,
            theta=move(self.theta),
            statistics=move(self.statistics),
            best_theta=move(self.best_theta),
            best_statistics=move(self.best_statistics),
            optimizer=optimizer,
            average=None if self.average is None else move(self.average),
        )

    def apart(self) -> Progress:
        """A twin that shares nothing: what happens to it leaves this one as it is."""
        twin = self.select(range(len(self.theta)))
        return twin.go_back(self.remembered())

    def remembered(self) -> Progress:
        """What stacks that are made of it change of it, as it is now."""
        return replace(
            self,
            orders=[order.clone_state() for order in self.orders],
            patience=[replace(patience) for patience in self.patience],
            schedules=[dict(schedule) for schedule in self.schedules],
            driven=[{k: dict(v) for k, v in each.items()} for each in self.driven],
            histories=[{k: list(v) for k, v in h.items()} for h in self.histories],
        )

    def go_back(self, before: Progress) -> Progress:
        """Put what was remembered back in place, after a stack that came to nothing."""
        for name in ("orders", "patience", "schedules", "driven", "histories"):
            setattr(self, name, getattr(before, name))
        return self

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
            "patience": patience.export(),
            "schedule": dict(self.schedules[0]),
            "driven": {name: dict(state) for name, state in self.driven[0].items()},
            "average": None if self.average is None else _array(self.average),
            "history": {name: list(values) for name, values in self.histories[0].items()},
            "epoch": self.epoch,
            "samples": self.samples,
            "steps": self.steps,
            "origins": dict(self.origins),
        }

    @classmethod
    def restore(cls, spec: FitSpec, saved: dict[str, Any]) -> Progress:
        """A single member's progress from :meth:`export`, on the specification's device."""

        def here(array: np.ndarray) -> Tensor:
            return torch.from_numpy(np.array(array))

        def tensor(array: np.ndarray) -> Tensor:
            return here(array).to(spec.device)

        average = None
        if spec.ema_decay > 0:
            average = tensor(saved["theta" if saved["average"] is None else "average"])
        theta = tensor(saved["theta"])
        order, masks = resumed(saved, spec.device)
        return cls(
            theta=theta,
            statistics=tensor(saved["statistics"]),
            best_theta=tensor(saved["best_theta"]),
            best_statistics=tensor(saved["best_statistics"]),
            optimizer=placed(spec, theta, {k: here(v) for k, v in saved["optimizer"].items()}),
            orders=[order],
            masks=masks,
            patience=[patience_of(spec).resumed(saved["patience"])],
            schedules=[dict(saved["schedule"])],
            driven=[
                state | {k: dict(v) for k, v in saved["driven"].items() if k in state}
                for state in [driven_schedules(spec)]
            ],
            average=average,
            histories=[{name: list(values) for name, values in saved["history"].items()}],
            epoch=saved["epoch"],
            began=saved["epoch"],
            samples=saved["samples"],
            steps=saved["steps"],
            origins=dict(saved["origins"]),
        )


def placed(spec: FitSpec, theta: Tensor, optimizer: dict[str, Tensor]) -> dict[str, Tensor]:
    """An optimizer's state where it begins: beside theta, but for what Python reads."""
    if theta.device.type == "cpu" or not optimizer:
        return optimizer
    begun = spec.optimizer.start(theta, Layout(Architecture.of(spec)).shapes)
    return {
        name: t.to(begun[name].device if name in begun else theta.device)
        for name, t in optimizer.items()
    }


def driven_schedules(spec: FitSpec) -> dict[str, dict[str, float]]:
    """The first state of each schedule that drives another number than the rate."""
    return {name: schedule.start() for name, schedule in spec.driven.items()}


def patience_of(spec: FitSpec) -> Patience:
    """The count of epochs without improvement that a specification asks for."""
    if spec.stopping is None:
        return Patience(spec.tol, spec.n_iter_no_change)
    return Patience.of(spec.stopping, spec.monitor != "loss")


def _shares(spec: FitSpec, theta: Tensor) -> bool:
    return spec.optimizer.stackable or len(theta) == 1


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().cpu().clone().numpy()
