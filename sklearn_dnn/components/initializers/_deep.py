"""Initializers that look beyond the variance of one layer: at directions, data and depth."""

from __future__ import annotations

import numbers
from collections.abc import Callable

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import INITIALIZERS, Initializer, draw_he, draw_orthogonal


@INITIALIZERS.register("orthogonal")
class Orthogonal(Initializer):
    r"""A random (semi-)orthogonal matrix times `gain`.

    With :math:`W` of shape (fan_in, fan_out), :math:`W^\top W = \mathrm{gain}^2 I` if fan_in is
    at least fan_out, else :math:`W W^\top = \mathrm{gain}^2 I`; all such matrices are equally
    likely. Lengths of signals are then kept exactly through linear layers of one width.

    Parameters
    ----------
    gain : float, default=1.0
        Every singular value, above 0; :math:`\sqrt{2}` is customary with relu.

    References
    ----------
    A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics of
    learning in deep linear neural networks", ICLR 2014.
    """

    _parameter_constraints = {"gain": [Interval(numbers.Real, 0, None, closed="neither")]}

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = gain

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_orthogonal(fan_in, fan_out, generator).mul_(self.gain)


@INITIALIZERS.register("lsuv")
class LSUV(Initializer):
    r"""Layer-sequential unit variance: orthogonal weights, then scaled by what they make of data.

    From the first layer to the last, the weights are divided by the standard deviation of the
    layer's outputs (before norm and activation) on one batch of rows, drawn in proportion to
    their weights,
    :math:`W \leftarrow W / \sqrt{\mathrm{Var}(X W)}`, until that variance is 1 within `tolerance`.
    It is taken over all rows and units together. No theory of the activation is needed, so it fits
    those that no named scale does, such as ``"mish"`` or ``"swiglu"``. With a norm of the weights
    it is the normed ones that are scaled.

    Parameters
    ----------
    tolerance : float, default=0.1
        How far from 1 the variance may stay, above 0.
    max_iter : int, default=10
        The most divisions a layer, at least 1. A linear layer with zero biases needs one.

    References
    ----------
    D. Mishkin and J. Matas, "All you need is a good init", ICLR 2016.
    """

    _parameter_constraints = {
        "tolerance": [Interval(numbers.Real, 0, None, closed="neither")],
        "max_iter": [Interval(numbers.Integral, 1, None, closed="left")],
    }

    data_dependent = True

    def __init__(self, tolerance: float = 0.1, max_iter: int = 10) -> None:
        self.tolerance = tolerance
        self.max_iter = max_iter

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_orthogonal(fan_in, fan_out, generator)

    @torch.no_grad()
    def rescale(self, weight: Tensor, outputs: Callable[[Tensor], Tensor]) -> Tensor:
        """The weights of a layer, scaled to unit variance of its outputs.

        Parameters
        ----------
        weight : Tensor of shape (p, k) or (m, p, k)
            The weights; left as they are.
        outputs : callable
            From weights to the layer's outputs on a batch, of shape (b, k) or (m, b, k), before
            norm and activation, the layers below being scaled already.

        Returns
        -------
        Tensor of the shape of `weight`
            Members of a stack are scaled each by itself. A layer whose outputs do not vary, or
            are not finite, keeps its weights.
        """
        for _ in range(self.max_iter):
            variance = outputs(weight).var(dim=(-2, -1), correction=0, keepdim=True)
            useful = (variance > 0) & variance.isfinite()
            far = useful & ((variance - 1).abs() > self.tolerance)
            if not far.any():
                break
            weight = weight * torch.where(far, variance, 1.0).rsqrt()
        return weight


@INITIALIZERS.register("fixup")
class Fixup(Initializer):
    r"""Fixed-update initialization of residual networks, which then train deep without norms.

    With L residual blocks of m layers each: the last layer of a block starts at zero, so that every
    block starts as the identity; the others are ``"he_normal"`` times
    :math:`L^{-1 / (2m - 2)}`, so that a step changes the network by an amount that does not grow
    with its depth. The output layer starts at zero; layers outside of blocks are ``"he_normal"``.

    Notes
    -----
    The paper also puts a scalar bias before each layer and activation, and a scalar multiplier at
    the end of each block. Here each layer has its full vector of biases, started at zero, which
    stands for the scalar ones; the multiplier, started at one, is an option of the residual
    network. Without residual blocks nothing is left but ``"he_normal"`` and a zero output layer.
    Weight normalization is refused beside blocks: what starts at zero would have no direction.

    References
    ----------
    H. Zhang, Y. N. Dauphin and T. Ma, "Fixup initialization: residual learning without
    normalization", ICLR 2019.
    """

    zero_output = True

    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        return draw_he(fan_in, fan_out, generator)

    def draw_in_block(
        self,
        fan_in: int,
        fan_out: int,
        generator: torch.Generator,
        *,
        position: int,
        block_size: int,
        n_blocks: int,
    ) -> Tensor:
        assert 0 <= position < block_size, f"a block of {block_size} has no layer {position}"
        weights = draw_he(fan_in, fan_out, generator)
        if position == block_size - 1:
            return weights.zero_()
        return weights.mul_(n_blocks ** (-1 / (2 * block_size - 2)))
