"""Normalizations: layers that keep the scale of what passes through them."""

from __future__ import annotations

import numbers
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from .._compat import Interval
from .base import Component, Registry


class Norm(Component):
    """A normalization of a layer's output, with trainable vectors and running ones.

    Attributes
    ----------
    parameter_starts : dict of str to float
        The trainable vectors, each as long as the layer is wide, and the constant each starts at.
    buffer_starts : dict of str to float
        Likewise the vectors that follow the data instead of a gradient.
    module_names : dict of str to str
        What torch's module calls each of these vectors.
    """

    parameter_starts: ClassVar[dict[str, float]] = {"weight": 1.0, "bias": 0.0}
    buffer_starts: ClassVar[dict[str, float]] = {}
    module_names: ClassVar[dict[str, str]] = {"weight": "weight", "bias": "bias"}

    @abstractmethod
    def forward(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        """Normalize `z`, for autograd to follow.

        Parameters
        ----------
        z : Tensor of shape (b, k) or (m, b, k)
            The output of a layer.
        parameters : dict of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `parameter_starts`.
        buffers : dict of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `buffer_starts`; updated in place where `training`.
        training : bool
            Whether `z` is a batch to learn from.

        Returns
        -------
        Tensor of the shape of `z`
        """

    @abstractmethod
    def module(self, width: int) -> torch.nn.Module:
        """Torch's module of the same meaning for a layer of `width` units, at its start."""


NORMS: Registry[Norm] = Registry("norm", Norm)


@NORMS.register("batch")
class BatchNorm(Norm):
    r"""Batch normalization, :math:`w\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + b`, unit by unit.

    In training the mean :math:`\mu` and the (biased) variance :math:`\sigma^2` are the batch's,
    and gradients flow through them; in prediction they are running averages over the batches,
    :math:`r \leftarrow \mathrm{momentum}\,r + (1 - \mathrm{momentum})\,\mathrm{batch}`, taken
    with the unbiased variance as torch does. A batch of one row has no unbiased variance: there
    the biased one is taken, which is 0.

    Parameters
    ----------
    momentum : float, default=0.9
        The share of the running averages kept at each step, in [0, 1). This is Keras' sense;
        torch's ``momentum`` is one minus it.
    epsilon : float, default=1e-5
        Added to the variance, above 0.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.
    """

    _parameter_constraints = {
        "momentum": [Interval(numbers.Real, 0, 1, closed="left")],
        "epsilon": [Interval(numbers.Real, 0, None, closed="neither")],
    }

    buffer_starts = {"mean": 0.0, "variance": 1.0}
    module_names = {
        "weight": "weight",
        "bias": "bias",
        "mean": "running_mean",
        "variance": "running_var",
    }

    def __init__(self, momentum: float = 0.9, epsilon: float = 1e-5) -> None:
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        # Members side by side are one wide layer to torch's kernel: (m, b, k) -> (b, m * k).
        rows_first = z.movedim(-2, 0)
        mean, variance = buffers["mean"].reshape(-1), buffers["variance"].reshape(-1)
        one_row = training and z.shape[-2] == 1
        # functional.batch_norm refuses one row; what it calls does not.
        normalized = torch.batch_norm(
            rows_first.flatten(1),
            parameters["weight"].reshape(-1),
            parameters["bias"].reshape(-1),
            *((None, None) if one_row else (mean, variance)),
            training,
            1.0 - self.momentum,
            self.epsilon,
            torch.backends.cudnn.enabled,
        )
        if training:
            with torch.no_grad():
                if one_row:
                    mean.lerp_(z.detach().reshape(-1), 1.0 - self.momentum)
                    variance.mul_(self.momentum)
                for name, flat in (("mean", mean), ("variance", variance)):
                    # A buffer with gaps in memory was copied by the reshape.
                    if flat.data_ptr() != buffers[name].data_ptr():
                        buffers[name].copy_(flat.view_as(buffers[name]))
        return normalized.view(rows_first.shape).movedim(0, -2)

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.BatchNorm1d(width, eps=self.epsilon, momentum=1.0 - self.momentum)


@NORMS.register("layer")
class LayerNorm(Norm):
    r"""Layer normalization, :math:`w\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + b`, row by row.

    The mean :math:`\mu` and the biased variance :math:`\sigma^2` are taken over the units of one
    row, in training and in prediction alike, so that rows of a batch do not mix.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance, above 0.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450, 2016.
    """

    _parameter_constraints = {"epsilon": [Interval(numbers.Real, 0, None, closed="neither")]}

    def __init__(self, epsilon: float = 1e-5) -> None:
        self.epsilon = epsilon

    def forward(
        self,
        z: Tensor,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        training: bool,
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        width = z.shape[-1:]
        if weight.dim() == 1:
            return functional.layer_norm(z, width, weight, bias, self.epsilon)
        # The kernel knows no weights that differ by member.
        return torch.addcmul(bias, functional.layer_norm(z, width, eps=self.epsilon), weight)

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.LayerNorm(width, eps=self.epsilon)
