"""One step of a stack: gradient, penalties, clipping, decay, update."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .._compat import foreach_copy_
from ..components.clipping import clip_by_norm_, clip_by_value_
from ..components.penalties import add_penalty_gradient_, decay_, penalty
from ..data.batches import Batch
from ..network.mlp import Architecture, DenseKernel, Noise, affine, has_kernel, hidden
from ..network.parameters import Layer, Layout
from ..specification import FitSpec


def column(
    values: Sequence[float], like: Tensor, dtype: torch.dtype | None = None
) -> float | Tensor:
    """One number a member: a float where all agree, else a tensor of shape (m, 1)."""
    if all(value == values[0] for value in values):
        return float(values[0])
    return torch.tensor(values, dtype=dtype or like.dtype, device=like.device).unsqueeze(1)


def per_row(value: float | Tensor) -> float | Tensor:
    """A member's number ready to meet tensors of shape (m, b, k)."""
    return value.unsqueeze(-1) if isinstance(value, Tensor) else value


class Step:
    """Moves the parameters of a stack by one batch.

    Parameters
    ----------
    specs : sequence of FitSpec
        One a member; they differ in numbers only.
    theta, statistics : Tensor of shape (m, p) and (m, s)
        Changed in place.
    optimizer_state : dict of Tensor
        Changed in place.
    masks : torch.Generator
        Of dropout's masks.
    """

    def __init__(
        self,
        specs: Sequence[FitSpec],
        theta: Tensor,
        statistics: Tensor,
        optimizer_state: dict[str, Tensor],
        masks: torch.Generator,
    ) -> None:
        spec = specs[0]
        layout = Layout(spec.layer_sizes, spec.norm)
        self.spec = spec
        self.theta = theta
        self.grad = torch.zeros_like(theta)
        self.optimizer_state = optimizer_state
        # a member without dropout is one of rate 0
        self.dropout = next((s.dropout for s in specs if s.dropout is not None), None)
        self.architecture = Architecture(spec.activation, spec.norm, self.dropout)
        self.layers = layout.layers(theta, statistics)
        self.gradients = layout.layers(self.grad, statistics)
        self.weights = theta[:, : layout.n_weights]
        self.weight_gradients = self.grad[:, : layout.n_weights]
        self.by_hand = all(has_kernel(s) for s in specs)
        self._kernels: dict[int, DenseKernel] = {}
        self._leaves = [] if self.by_hand else _leaves(self.layers)
        self._leaf_gradients = [] if self.by_hand else _tensors(self.gradients)
        self._noise_from = masks
        self._read_numbers(specs)

    def _read_numbers(self, specs: Sequence[FitSpec]) -> None:
        def numbers(name: str) -> float | Tensor:
            return column([getattr(s, name) for s in specs], self.theta)

        self.alpha = numbers("alpha")
        self.l1 = numbers("l1")
        self.decay = numbers("weight_decay")
        self.smoothing = per_row(numbers("label_smoothing"))
        self.clip_norm = self._limit([s.clip_norm for s in specs])
        self.clip_value = self._limit([s.clip_value for s in specs])
        rate = numbers("dropout_rate")
        self.noise = None
        if self.dropout is not None:
            self.noise = Noise(per_row(rate), self._noise_from)
        coefficients = [s.optimizer.coefficients() for s in specs]
        self.coefficients = {
            # 1 - beta loses digits in float32; the rules cast at the end
            name: column([c[name] for c in coefficients], self.theta, torch.float64)
            for name in coefficients[0]
        }
        self.penalised = _is_on(self.alpha) or _is_on(self.l1)
        self.decays = _is_on(self.decay)
        self.smooths = _is_on(self.smoothing)

    def _limit(self, values: Sequence[float | None]) -> float | Tensor | None:
        """A clip's limit a member; None where no member has one."""
        if all(value is None for value in values):
            return None
        return column([math.inf if value is None else value for value in values], self.theta)

    def __call__(self, batch: Batch, rate: float | Tensor) -> Tensor:
        """Take one step; the raw outputs before it, of shape (.., b, k), are returned."""
        raw = self.gradient(batch)
        if self.clip_value is not None:
            clip_by_value_(self.grad, self.clip_value)
        if self.clip_norm is not None:
            clip_by_norm_(self.grad, self.clip_norm)
        if self.decays:
            decay_(self.weights, rate * self.decay)
        self.spec.optimizer.step(
            self.theta, self.grad, self.optimizer_state, rate, self.coefficients
        )
        return raw

    def gradient(self, batch: Batch) -> Tensor:
        """Fill the gradient of the batch's penalised mean loss; returns the raw outputs."""
        target = self.trained_on(batch.y)
        raw = (
            self._gradient_by_hand(batch, target)
            if self.by_hand
            else self._gradient_by_autograd(batch, target)
        )
        if self.penalised:
            add_penalty_gradient_(
                self.weight_gradients, self.weights, self.alpha, self.l1, 1 / batch.total
            )
        return raw

    def trained_on(self, target: Tensor) -> Tensor:
        """Targets as they are trained on: smoothed if that is asked for."""
        if not self.smooths:
            return target
        n_outputs = self.spec.task.n_outputs
        return self.spec.objective.smooth(target, self.smoothing, n_outputs).to(self.theta.dtype)

    def penalties(self) -> Tensor:
        """The penalty of each member, of shape (m,), to be divided by a sum of weights."""
        return penalty(self.weights, self.alpha, self.l1)

    def objective(self, batch: Batch) -> tuple[float, Tensor]:
        """Penalised mean loss of a single network as it is now, and its gradient (1, p)."""
        values = self.spec.objective.values(self.gradient(batch), self.trained_on(batch.y))
        share = batch.share.squeeze(-1) if isinstance(batch.share, Tensor) else batch.share
        loss = (values * share).sum() + self.penalties().sum() / batch.total
        return float(loss), self.grad.clone()

    def _gradient_by_hand(self, batch: Batch, target: Tensor) -> Tensor:
        n_rows = batch.x.shape[-2]
        kernel = self._kernels.get(n_rows)
        if kernel is None:
            kernel = DenseKernel(self.layers, self.gradients, self.spec.activation, n_rows)
            self._kernels[n_rows] = kernel
        raw = kernel.forward(batch.x)
        kernel.backward(self.spec.objective.gradient(raw, target).mul_(batch.share))
        return raw

    def _gradient_by_autograd(self, batch: Batch, target: Tensor) -> Tensor:
        with torch.enable_grad():
            layers = _rebuilt(self.layers, self._leaves)
            top = hidden(batch.x, layers, self.architecture, training=True, noise=self.noise)
            raw = affine(top, layers[-1])
            values = self.spec.objective.values(raw, target)
            share = batch.share
            if isinstance(share, Tensor):
                share = share.squeeze(-1)
            grads = torch.autograd.grad((values * share).sum(), self._leaves)
        foreach_copy_(self._leaf_gradients, grads)
        return raw.detach()


def _is_on(value: float | Tensor) -> bool:
    return isinstance(value, Tensor) or value != 0


def _tensors(layers: Sequence[Layer]) -> list[Tensor]:
    return [t for layer in layers for t in (layer.weight, layer.bias, *layer.norm.values())]


def _leaves(layers: Sequence[Layer]) -> list[Tensor]:
    """The parameters as leaves of autograd, on the same memory."""
    return [t.detach().requires_grad_() for t in _tensors(layers)]


def _rebuilt(layers: Sequence[Layer], tensors: Sequence[Tensor]) -> list[Layer]:
    source = iter(tensors)
    return [
        Layer(
            next(source),
            next(source),
            {name: next(source) for name in layer.norm},
            layer.statistics,
        )
        for layer in layers
    ]
