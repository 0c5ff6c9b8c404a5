"""Norms that treat each unit alone: by its outputs over a batch, or by its incoming weights."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import NORMS, POSITIONS, Norm


@NORMS.register("batch")
class BatchNorm(Norm):
    r"""Batch normalization, :math:`w\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + b`, unit by unit.

    In training the mean :math:`\mu` and the (biased) variance :math:`\sigma^2` are the batch's,
    and gradients flow through them; in prediction they are running averages over the batches,
    :math:`r \leftarrow \mathrm{momentum}\,r + (1 - \mathrm{momentum})\,\mathrm{batch}`, taken with
    the unbiased variance as torch does. Rows count by their sample weights. A batch of one row has
    no unbiased variance: there the biased one is taken, which is 0. Each unit has four numbers:
    :math:`w` and :math:`b` are learnt by gradient, the two averages are measured. The norm takes
    out whatever constant is added to a unit in front of it, so that the layer's bias is redundant
    if the norm stands before the activation.

    Parameters
    ----------
    momentum : float, default=0.9
        The share of the running averages kept at each step, in [0, 1). This is Keras' sense,
        whose default is 0.99; torch's ``momentum`` is one minus it. The averages forget their
        start only after many times ``1 / (1 - momentum)`` steps: 0.99 is too slow for a fit of
        a few hundred.
    epsilon : float, default=1e-5
        Added to the variance, above 0. Torch's default; Keras' is 1e-3.
    position : {"before", "after"}, default="before"
        Whether the norm stands before the activation, as in the paper, or after it.

    References
    ----------
    S. Ioffe and C. Szegedy, "Batch normalization: accelerating deep network training by reducing
    internal covariate shift", ICML 2015.
    """

    input_scaling = "standard"
    _parameter_constraints = {
        "momentum": [Interval(numbers.Real, 0, 1, closed="left")],
        "epsilon": [Interval(numbers.Real, 0, None, closed="neither")],
        "position": POSITIONS,
    }

    buffer_starts = {"mean": 0.0, "variance": 1.0}
    module_names = {
        "weight": "weight",
        "bias": "bias",
        "mean": "running_mean",
        "variance": "running_var",
    }

    def __init__(
        self, momentum: float = 0.9, epsilon: float = 1e-5, position: str = "before"
    ) -> None:
        self.momentum = momentum
        self.epsilon = epsilon
        self.position = position

    @property
    def drops_bias(self) -> bool:
        return self.position == "before"

    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        if training and counts is not None:
            return self._weighted(z, parameters, buffers, counts)
        # Members side by side are one wide layer to torch's kernel: (m, b, k) -> (b, m * k).
        rows_first = z.movedim(-2, 0)
        mean, variance = buffers["mean"].reshape(-1), buffers["variance"].reshape(-1)
        # functional.batch_norm refuses one row; what it calls does not.
        one_row = training and z.shape[-2] == 1
        normalized = torch.batch_norm(
            rows_first.flatten(1),
            parameters["weight"].reshape(-1),
            parameters["bias"].reshape(-1),
            None if one_row else mean,
            None if one_row else variance,
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

    def _weighted(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        counts: Tensor,
    ) -> Tensor:
        """A training pass in which a row of weight 2 is the row twice."""
        total = counts.sum(-2, keepdim=True)
        share = counts / total
        mean = (share * z).sum(-2, keepdim=True)
        centred = z - mean
        variance = (share * centred.square()).sum(-2, keepdim=True)
        normalized = centred * (variance + self.epsilon).rsqrt()
        with torch.no_grad():
            # weights that sum to 1 or less count no rows, and have no unbiased variance
            enough = total > 1.0
            unbiased = variance * torch.where(enough, total / torch.where(enough, total - 1, 1), 1)
            for name, new in (("mean", mean), ("variance", unbiased)):
                buffers[name].lerp_(new.detach().view_as(buffers[name]), 1.0 - self.momentum)
        return torch.addcmul(parameters["bias"], normalized, parameters["weight"])

    def fold(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
    ) -> tuple[Tensor, Tensor] | None:
        scale = parameters["weight"] / (buffers["variance"] + self.epsilon).sqrt()
        return scale, parameters["bias"] - buffers["mean"] * scale

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.BatchNorm1d(width, eps=self.epsilon, momentum=1.0 - self.momentum)


@NORMS.register("weight")
class WeightNorm(Norm):
    r"""Weight normalization, :math:`w = g\,v / \|v\|_2`: length and direction learnt apart.

    :math:`v` has the incoming weights of one unit, a column of the layer's matrix, and
    :math:`g`, one number a unit, starts at the length of the column as it was drawn, so that a
    network starts as it would without the norm. Outputs are not touched, so that rows of a
    batch do not mix. The paper starts :math:`g` and the biases from a first batch instead; we
    do as torch does.

    The length of :math:`v` changes nothing but the rate at which its direction learns. So a
    penalty on :math:`v` is no penalty on the network. A unit drawn as zeros has no direction
    and stays zero.

    References
    ----------
    T. Salimans and D. P. Kingma, "Weight normalization: a simple reparameterization to
    accelerate training of deep neural networks", NeurIPS 2016.
    """

    parameter_starts = {"gain": 1.0}
    module_names = {}
    on_weights = True

    def start_vectors(self, weight: Tensor) -> dict[str, Tensor]:
        lengths = torch.linalg.vector_norm(weight, dim=-2, keepdim=weight.dim() > 2)
        return {"gain": lengths}

    def weight(self, weight: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        lengths = torch.linalg.vector_norm(weight, dim=-2, keepdim=True)
        # A zero column is divided by 1: it is 0 instead of 0 / 0.
        return weight * (parameters["gain"] / torch.where(lengths > 0, lengths, 1.0))

    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        return z

    def fold(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
    ) -> tuple[Tensor, Tensor] | None:
        gain = parameters["gain"]
        return torch.ones_like(gain), torch.zeros_like(gain)

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.Identity()
