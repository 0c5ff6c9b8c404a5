"""One step of a stack: gradient, penalties, clipping, decay, update, constraint, average."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...components.clipping import clip_by_norm_, clip_by_value_, clip_each_by_norm_
from ...components.constraints import Constraint
from ...components.penalties import (
    add_penalty_gradient_,
    decay_,
    l1_gradient_,
    orthant_,
    penalty,
    per_layer,
)
from ..data.batches import Batch
from ..network.architecture import Architecture
from ..network.members import mean_values
from ..network.mlp import Noise, is_nonzero
from ..network.parameters import Layout
from ..specification import FitSpec
from .gradients import Gradients, Trained
from .numbers import column, per_row
from .state import Progress


class TrainingStep:
    """Moves the parameters of a stack by one batch.

    Parameters
    ----------
    specs : sequence of FitSpec
        One a member; they differ in numbers only.
    progress : Progress
        Changed in place: parameters, statistics, the optimizer's state, the average, counts.
    """

    def __init__(self, specs: Sequence[FitSpec], progress: Progress) -> None:
        spec = specs[0]
        self.specs, self.spec, self.progress = list(specs), spec, progress
        self.theta = theta = progress.theta
        self.grad = torch.zeros_like(theta)
        self.architecture = Architecture.of(spec)
        self.layout = layout = Layout(self.architecture)
        self.network = layout.network(theta, progress.statistics)
        self.weights = theta[:, : layout.n_weights]
        self.weight_gradients = self.grad[:, : layout.n_weights]
        self._read_numbers()
        self.gradients = Gradients(
            specs, layout, self.network, self.grad, progress.statistics, progress.masks
        )
        self._drive_noise({})
        self.update = spec.optimizer.bind(theta, self.grad, progress.optimizer, layout.shapes)
        #: of an epoch's steps, where gradients are clipped
        self._n_normed = 0
        self._norm_sum: float | Tensor = 0.0
        self._clipped_sum: float | Tensor = 0.0
        self._waiting: list[tuple[Tensor, float | Tensor]] = []

    # Numbers, which may differ by member and be driven by schedules

    def _numbers(self, name: str) -> float | Tensor:
        return column([getattr(s, name) for s in self.specs], self.theta)

    def _read_numbers(self) -> None:
        specs = self.specs
        self.alpha, self.l1 = self._strengths("alpha"), self._strengths("l1")
        self.decay = self._numbers("weight_decay")
        self.clip_norm = {
            scope: self._limit(
                [
                    None if (c := s.clip_norm) is None or c.scope != scope else c.max_norm
                    for s in specs
                ]
            )
            for scope in ("global", "tensor")
        }
        self.clips_norm = any(limit is not None for limit in self.clip_norm.values())
        self.clip_value = self._limit([s.clip_value for s in specs])
        coefficients = [s.optimizer.coefficients() for s in specs]
        self.coefficients = {
            # 1 - beta loses digits in float32; the rules cast at the end
            name: column([c[name] for c in coefficients], self.theta, torch.float64)
            for name in coefficients[0]
        }
        self.undriven = dict(self.coefficients)
        self.bounds = {}
        if self.spec.constraint is not None:
            each = [s.constraint.coefficients() for s in specs if s.constraint is not None]
            self.bounds = {
                name: per_row(column([c[name] for c in each], self.theta)) for name in each[0]
            }
        self.memory = self._numbers("ema_decay")
        self.penalised = is_nonzero(self.alpha)
        self._is_plain = not (
            is_nonzero(self.l1)
            or is_nonzero(self.decay)
            or self.clips_norm
            or self.clip_value is not None
            or self.spec.constraint is not None
            or self.spec.accumulation_steps > 1
            or self.progress.average is not None
        )
        self.sparse = is_nonzero(self.l1)
        self.decays = is_nonzero(self.decay)

    def _strengths(self, name: str) -> float | Tensor:
        """A penalty's strength: one number, (m, 1), or (m, p_w) where layers differ."""
        given = [getattr(s, name) for s in self.specs]
        if not any(isinstance(strength, tuple) for strength in given):
            return column(given, self.theta)
        sizes = [math.prod(matrix.shape) for matrix in self.layout.matrices]
        rows = []
        for strength in given:
            by_layer = strength if isinstance(strength, tuple) else None
            each = [strength if by_layer is None else by_layer[i] for i in self.layout.owners]
            rows.append(per_layer(each, sizes))
        return torch.cat(rows).to(self.theta)

    def _limit(self, values: Sequence[float | None]) -> float | Tensor | None:
        """A clip's limit a member; None where no member has one."""
        if all(value is None for value in values):
            return None
        return column([math.inf if value is None else value for value in values], self.theta)

    def drive(self, factors: Mapping[str, Sequence[float]]) -> None:
        """Multiply the numbers that schedules drive by their factors now, one a member."""
        if not factors:
            return
        if "momentum" in factors:
            name = self.spec.optimizer.momentum_name
            assert name is not None
            # members that differ stay a column where factors make them equal: a rule may leave
            # out what a momentum of 0 for all has no use for
            self.coefficients[name] = self.undriven[name] * column(
                factors["momentum"], self.theta, torch.float64
            )
        if "weight_decay" in factors:
            values = [
                s.weight_decay * f for s, f in zip(self.specs, factors["weight_decay"], strict=True)
            ]
            self.decay = column(values, self.theta)
        if any("dropout" in name for name in factors):
            self._drive_noise(factors)

    def _drive_noise(self, factors: Mapping[str, Sequence[float]]) -> None:
        spec = self.spec
        if not any(s.is_noisy for s in self.specs):
            return

        def driven(name: str, rates: Sequence[float]) -> float | Tensor:
            if name in factors:
                rates = [rate * f for rate, f in zip(rates, factors[name], strict=True)]
            return per_row(column(rates, self.theta))

        self.gradients.noise = Noise(
            [
                driven(f"dropout_{i}", [s.dropout_rates[i] for s in self.specs])
                for i in range(len(spec.dropout))
            ],
            driven("input_dropout", [s.input_dropout for s in self.specs]),
            per_row(self._numbers("weight_noise")),
            self.progress.masks,
        )

    # The step

    def __call__(self, batch: Batch, rate: float | Tensor, *, last: bool = True) -> Trained:
        """Take one step, or store up a gradient for one; what it was trained on is returned.

        Parameters
        ----------
        batch : Batch
        rate : float or Tensor of shape (m, 1)
        last : bool
            Whether the epoch ends here: stored gradients then make a step of their own.
        """
        if self._is_plain:
            trained = self.gradients(batch)
            if self.penalised:
                self._penalise(batch.total)
            self.update(rate, self.coefficients)
            self.progress.steps += 1
            return trained
        trained = self.gradients(batch)
        total = batch.total
        if self.spec.accumulation_steps > 1:
            self._waiting.append((self.grad.clone(), total))
            if len(self._waiting) < self.spec.accumulation_steps and not last:
                return trained
            total = self._gather()
        self._penalise(total)
        if self.clip_value is not None or self.clips_norm:
            self._clip()
        if self.sparse:
            before, pseudo_gradient = self.weights.clone(), self.weight_gradients.clone()
        if self.decays:
            decay_(self.weights, rate * self.decay)
        self.update(rate, self.coefficients)
        if self.sparse:
            orthant_(self.weights, before, pseudo_gradient, self.l1)
        if self.spec.constraint is not None:
            self._constrain(self.spec.constraint)
        self.progress.steps += 1
        if self.progress.average is not None:
            self._average(self.progress.average)
        return trained

    def gradient(self, batch: Batch) -> Trained:
        """Fill the gradient of the batch's penalised mean loss."""
        trained = self.gradients(batch)
        self._penalise(batch.total)
        return trained

    def _penalise(self, total: float | Tensor) -> None:
        """Add the gradient of the penalties to that of a mean loss over this sum of weights."""
        if self.penalised:
            add_penalty_gradient_(self.weight_gradients, self.weights, self.alpha, 0.0, 1 / total)
        if self.sparse:
            l1_gradient_(self.weight_gradients, self.weights, self.l1 / total)

    def _gather(self) -> float | Tensor:
        """The mean of the gradients stored up, as of one batch; its sum of weights."""
        total = sum(weight for _, weight in self._waiting)
        self.grad.zero_()
        for grad, weight in self._waiting:
            self.grad.add_(grad * (weight / total))
        self._waiting.clear()
        return total

    def _clip(self) -> None:
        """Clip, and note how long gradients were before and whether anything was cut."""
        if self.clip_value is None:
            length, cut = self._clip_by_norm()
        else:
            length = torch.linalg.vector_norm(self.grad, dim=1)
            cut = (clip_by_value_(self.grad, self.clip_value) > self.clip_value).any(1)
            if self.clips_norm:
                cut = cut | self._clip_by_norm()[1]
        self._n_normed += 1
        self._norm_sum = self._norm_sum + length
        self._clipped_sum = self._clipped_sum + cut

    def _clip_by_norm(self) -> tuple[Tensor, Tensor]:
        """Clip by norm: lengths before, and which members were cut, of shape (m,) each."""
        of_all, of_each = self.clip_norm["global"], self.clip_norm["tensor"]
        if of_each is None:
            assert of_all is not None
            return _lengths_and_cuts(clip_by_norm_(self.grad, of_all), of_all)
        whole = None if of_all is None else clip_by_norm_(self.grad, of_all)
        tensors = list(self.gradients.network.trained().values())
        norms = clip_each_by_norm_(tensors, of_each, stacked=len(self.theta) > 1)
        lengths, cuts = _lengths_and_cuts(norms, of_each)
        if whole is None or of_all is None:
            return lengths, cuts
        # the members of one scope have no limit in the other
        theirs = torch.isfinite(torch.as_tensor(of_all)).flatten()
        their_lengths, their_cuts = _lengths_and_cuts(whole, of_all)
        return torch.where(theirs, their_lengths, lengths), cuts | their_cuts

    def read_norms(self) -> list[tuple[float | None, float | None]]:
        """Mean norm and share of clipped steps since the last call, of each member.

        None where there was no step, and of a member that is not clipped.
        """
        if self._n_normed == 0:
            return [(None, None)] * len(self.specs)
        norm_sum, clipped_sum = self._norm_sum, self._clipped_sum
        assert isinstance(norm_sum, Tensor)
        assert isinstance(clipped_sum, Tensor)
        means = [(total / self._n_normed).tolist() for total in (norm_sum, clipped_sum)]
        self._n_normed, self._norm_sum, self._clipped_sum = 0, 0.0, 0.0
        return [
            (None, None) if spec.clip_norm is None and spec.clip_value is None else figures
            for spec, figures in zip(self.specs, zip(*means, strict=True), strict=True)
        ]

    def _constrain(self, constraint: Constraint) -> None:
        for layer in self.network.layers:
            constraint.project_(layer.weight, self.bounds)
            if "projection" in layer.skip:
                constraint.project_(layer.skip["projection"], self.bounds)

    def _average(self, average: Tensor) -> None:
        """Follow theta, faster in the beginning, where it is far from its average."""
        n = self.progress.steps
        early = (1.0 + n) / (10.0 + n)
        memory = self.memory
        memory = memory.clamp(max=early) if isinstance(memory, Tensor) else min(memory, early)
        average.lerp_(self.theta, 1.0 - memory)

    # What is read

    def penalties(self) -> Tensor:
        """The penalty of each member, of shape (m,), to be divided by a sum of weights."""
        return penalty(self.weights, self.alpha, self.l1)

    def objective(self, batch: Batch) -> tuple[float, Tensor]:
        """Penalised mean loss of a single network as it is now, and its gradient (1, p)."""
        trained = self.gradient(batch)
        target, k = self.gradients.target(batch.y), self.spec.n_shared
        values = mean_values(self.spec.objective, trained.raw, target, k)
        loss = _mean(values, batch) + self.penalties().sum() / batch.total
        return float(loss) + self._beside(trained, batch), self.grad.clone()

    def auxiliary_loss(self, batch: Batch) -> float:
        """What an auxiliary output adds to :meth:`objective` as it is now."""
        if self.gradients.has_auxiliary:
            return self._beside(self.gradients(batch), batch)
        return 0.0

    def _beside(self, trained: Trained, batch: Batch) -> float:
        return 0.0 if trained.beside is None else float(_mean(trained.beside, batch))


def _lengths_and_cuts(norms: Tensor, limit: float | Tensor) -> tuple[Tensor, Tensor]:
    """The length of each member's gradient, and whether a norm was above the limit."""
    return norms.square().sum(1).sqrt(), (norms > limit).any(1)


def _mean(values: Tensor, batch: Batch) -> Tensor:
    """The mean of one value a row, by the rows' weights."""
    share = batch.share.squeeze(-1) if isinstance(batch.share, Tensor) else batch.share
    return (values * share).sum()
