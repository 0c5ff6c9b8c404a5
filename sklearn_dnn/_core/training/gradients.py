"""The gradient of a batch's mean loss: by hand where the network is plain, else by autograd."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import foreach_copy_
from ...components.augmentations import LossView
from ...components.penalties import activity_penalty
from ..data.batches import Batch
from ..network.embedded_kernel import EmbeddedKernel
from ..network.kernels import DenseKernel, SharedKernel, has_kernel
from ..network.members import repeated
from ..network.mlp import Noise, affine, hidden, is_nonzero, outputs_of
from ..network.parameters import Layout
from ..network.views import Network
from ..specification import FitSpec
from .numbers import column, per_row

Kernel = DenseKernel | SharedKernel | EmbeddedKernel


class Trained(NamedTuple):
    """What a step was really trained on.

    Attributes
    ----------
    raw : Tensor of shape (.., b, k)
        Raw outputs before the step; (.., n_shared, b, k) where members share the network.
    target, share : Tensor, and float or Tensor of shape (.., b, 1), or None
        Targets and shares, where the batch was augmented; None where it is as it came.
    beside : Tensor of shape (.., b) or None
        What an auxiliary output adds to each row's loss; None without one.
    """

    raw: Tensor
    target: Tensor | None = None
    share: float | Tensor | None = None
    beside: Tensor | None = None


class Gradients:
    """Fills the gradient of a stack's mean loss, penalties on weights left aside.

    Parameters
    ----------
    specs : sequence of FitSpec
    layout : Layout
    network : Network
        Views of the parameters.
    grad : Tensor of shape (m, p)
        What is filled.
    statistics : Tensor of shape (m, s)
    generator : torch.Generator
        Of all noise.

    Attributes
    ----------
    noise : Noise or None
        Of the forward pass.
    smoothing, activity : float or Tensor
        Of labels, and the strength of the penalty on activations.
    """

    def __init__(
        self,
        specs: Sequence[FitSpec],
        layout: Layout,
        network: Network,
        grad: Tensor,
        statistics: Tensor,
        generator: torch.Generator,
    ) -> None:
        spec = specs[0]
        self.spec = spec
        self.architecture = layout.architecture
        self._n_shared = layout.architecture.n_shared
        self.source = network
        self.network = layout.network(grad, statistics)
        self.generator = generator
        self.noise: Noise | None = None
        self.smoothing = per_row(column([s.label_smoothing for s in specs], grad))
        self.activity = column([s.activity_l1 for s in specs], grad)
        self._smooths = is_nonzero(self.smoothing)
        self.by_hand = all(has_kernel(s) for s in specs)
        self._kernels: dict[int, Kernel] = {}
        self._leaves: list[Tensor] = []
        self._filled: list[Tensor] = []
        if not self.by_hand:
            self._leaves = [t.detach().requires_grad_() for t in network.trained().values()]
            self._filled = list(self.network.trained().values())
        each = [[a.coefficients() for a in s.augmentation] for s in specs]
        self.augmented = bool(spec.augmentation)
        #: columns that are no numbers, behind those that are
        self._n_beside = spec.task.n_features - spec.task.n_numbers
        self._is_plain = self.by_hand and not self.augmented
        self._coefficients = [
            {
                name: per_row(column([member[i][name] for member in each], grad))
                for name in each[0][i]
            }
            for i in range(len(spec.augmentation))
        ]
        position = spec.topology.auxiliary_position(self.architecture.n_hidden or 1)
        self._auxiliary = None if not self.architecture.n_hidden else position

    def __call__(self, batch: Batch) -> Trained:
        """Fill the gradient."""
        target = self.target(batch.y) if self._smooths else batch.y
        if self._is_plain:
            return Trained(self._by_hand(batch.x, target, batch.share))
        if not self.augmented:
            return self._fill(batch.x, target, batch.share, batch.total)
        x, target, share = self._augment(batch.x, target, batch.share)
        trained = self._fill(x, target, share, batch.total)
        return trained._replace(target=target, share=share)

    def target(self, target: Tensor) -> Tensor:
        """Targets as they are trained on: smoothed if that is asked for."""
        if not self._smooths:
            return target
        return self._smooth(target, self.smoothing)

    def _smooth(self, target: Tensor, smoothing: float | Tensor) -> Tensor:
        n_outputs = self.spec.task.n_outputs
        return self.spec.objective.smooth(target, smoothing, n_outputs).to(self.source_dtype)

    @property
    def has_auxiliary(self) -> bool:
        """Whether an inner layer has an output of its own that is trained too."""
        return self._auxiliary is not None

    @property
    def source_dtype(self) -> torch.dtype:
        return self.source.layers[-1].weight.dtype

    def _fill(
        self, x: Tensor, target: Tensor, share: float | Tensor, total: float | Tensor
    ) -> Trained:
        if self.by_hand:
            return Trained(self._by_hand(x, target, share))
        # what rows count to a norm that measures the batch
        counts = None
        if isinstance(share, Tensor):
            weights = per_row(total) if share.dim() == 3 else total  # (m, 1) -> (m, 1, 1)
            counts = share * weights
        return self._by_autograd(x, target, share, counts)

    def _by_hand(self, x: Tensor, target: Tensor, share: float | Tensor) -> Tensor:
        n_rows = x.shape[-2]
        kernel = self._kernels.get(n_rows)
        if kernel is None:
            kernel = self._kernels[n_rows] = self._new_kernel(n_rows)
        raw = kernel.forward(x)
        if self._n_shared == 1:
            kernel.backward(self.spec.objective.gradient(raw, target).mul_(share))
            return raw
        target, share = self._for_each(target, share, x.dim() - 2)
        delta = self.spec.objective.gradient(raw.flatten(-3, -2), target).mul_(share)
        kernel.backward(delta.view(raw.shape))
        return raw

    def _new_kernel(self, n_rows: int) -> Kernel:
        a, source, grad = self.architecture, self.source, self.network
        noise: Callable[[], Noise | None] | None
        noise = None if self.noise is None else lambda: self.noise
        kernel: DenseKernel | SharedKernel
        if self._n_shared > 1:
            kernel = SharedKernel(source, grad, a.activations, n_rows, a.dropouts, noise)
        else:
            layers = source.layers, grad.layers
            kernel = DenseKernel(*layers, a.activations, n_rows, a.dropouts, noise)
        return EmbeddedKernel(kernel, source, grad, a) if a.embeds else kernel

    def _for_each(
        self, target: Tensor, share: float | Tensor, axis: int
    ) -> tuple[Tensor, float | Tensor]:
        """Targets and shares of rows that all members learn from: their losses' mean counts."""
        k = self._n_shared
        if isinstance(share, Tensor):
            share = repeated(share, k, axis)
        return repeated(target, k, axis), share / k

    def _by_autograd(
        self, x: Tensor, target: Tensor, share: float | Tensor, counts: Tensor | None
    ) -> Trained:
        with torch.enable_grad():
            network = self.source.replaced(self._leaves)
            trained, loss = self._loss(x, target, share, network, counts, update=True)
            grads = torch.autograd.grad(loss, self._leaves, materialize_grads=True)
        foreach_copy_(self._filled, grads)
        return trained

    def _loss(
        self,
        x: Tensor,
        target: Tensor,
        share: float | Tensor,
        network: Network,
        counts: Tensor | None,
        *,
        update: bool,
    ) -> tuple[Trained, Tensor]:
        """What a step is told of the pass, and the sum of all members' losses."""
        a, objective = self.architecture, self.spec.objective
        outputs: list[Tensor] = []
        with self._precision(x):
            top = hidden(
                x, network, a, training=update, noise=self.noise, outputs=outputs, counts=counts
            )
            raw = outputs_of(top, network, a, self.noise)
        raw = rows = raw.to(x.dtype)
        if self._n_shared > 1:
            target, share = self._for_each(target, share, x.dim() - 2)
            rows = raw.flatten(-3, -2)
        count = share.squeeze(-1) if isinstance(share, Tensor) else share
        values = objective.values(rows, target)
        trained = Trained(raw.detach())
        if self._auxiliary is not None:
            assert network.auxiliary is not None
            read = affine(outputs[self._auxiliary].to(x.dtype), network.auxiliary)
            beside = self.spec.topology.auxiliary_weight * objective.values(read, target)
            values = values + beside
            each = beside.detach()
            if self._n_shared > 1:  # (.., k * b) -> (.., b)
                each = each.unflatten(-1, (self._n_shared, -1)).mean(-2)
            trained = trained._replace(beside=each)
        loss = (values * count).sum()
        if is_nonzero(self.activity) and outputs:
            loss = loss + activity_penalty(outputs, self.activity, share).sum()
        return trained, loss

    def _precision(self, x: Tensor) -> AbstractContextManager[Any]:
        """Products in bfloat16, where that is asked for."""
        if not self.spec.mixes_precision:
            return nullcontext()
        # within a caller's autocast a cache would outlive the step that its weights are of
        return torch.autocast(x.device.type, dtype=torch.bfloat16, cache_enabled=False)

    def _augment(
        self, x: Tensor, target: Tensor, share: float | Tensor
    ) -> tuple[Tensor, Tensor, float | Tensor]:
        spec = self.spec
        if any(a.needs_distribution for a in spec.augmentation):
            target = _as_distribution(target, spec.task.n_outputs, x.dtype)
        view = LossView(self._input_gradient, self._smooth)
        for augmentation, c in zip(spec.augmentation, self._coefficients, strict=True):
            beside = None
            if augmentation.numbers_alone and self._n_beside:
                x, beside = x.split([x.shape[-1] - self._n_beside, self._n_beside], -1)
            x, target, share = augmentation.forward(x, target, share, c, self.generator, view)
            if beside is not None:
                x = torch.cat([x, beside], -1)
        return x, target, share

    def _input_gradient(self, x: Tensor, target: Tensor) -> Tensor:
        """The derivative of each row's loss by its inputs; statistics stay as they are."""
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            kept = self.noise
            self.noise = None
            try:
                _, loss = self._loss(leaf, target, 1.0, self.source, None, update=False)
            finally:
                self.noise = kept
            (grad,) = torch.autograd.grad(loss, [leaf])
        return grad


def _as_distribution(target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
    """Indices of classes (.., b) as distributions (.., b, k); other targets as they are."""
    if target.is_floating_point():
        return target
    return functional.one_hot(target, n_outputs).to(dtype)
