r"""Gated units: one half of a layer's outputs, times a gate that the other half opens.

A layer of k such units has 2k outputs before the activation, so twice the weights of a plain one;
take two thirds of the units for about as many weights as before. The product makes the scale of
the signal unstable: what is small gets smaller from layer to layer, what is large gets larger.
With more than two hidden layers set a norm beside these.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ._base import ACTIVATIONS, Activation


@ACTIVATIONS.register("glu")
class Glu(Activation):
    r"""Gated linear unit, :math:`a\,\sigma(b)`, with :math:`(a, b)` the two halves of z.

    :math:`\sigma` is the logistic sigmoid. As in torch and Keras the second half is the gate.

    References
    ----------
    Y. N. Dauphin, A. Fan, M. Auli and D. Grangier, "Language modeling with gated convolutional
    networks", ICML 2017.
    """

    initializer = "he_normal"
    inputs_per_unit = 2
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        return functional.glu(z, dim=-1)


@ACTIVATIONS.register("swiglu")
class Swiglu(Activation):
    r"""Gated unit with silu, :math:`\mathrm{silu}(a)\,b`, with :math:`(a, b)` the two halves of z.

    As in the paper the first half is the gate, which, unlike that of ``"glu"``, may exceed 1.

    Notes
    -----
    It is paired with ``"lecun_normal"``: with the larger weights of ``"he_normal"`` signals of
    unit scale explode within a few layers.

    References
    ----------
    N. Shazeer, "GLU variants improve transformer", arXiv:2002.05202, 2020.
    """

    initializer = "lecun_normal"
    inputs_per_unit = 2
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        gate, value = _halves(z)
        return functional.silu(gate) * value


@ACTIVATIONS.register("geglu")
class Geglu(Activation):
    r"""Gated unit with gelu, :math:`\mathrm{gelu}(a)\,b`, with :math:`(a, b)` the two halves of z.

    As in the paper the first half is the gate, which, unlike that of ``"glu"``, may exceed 1.

    Notes
    -----
    It is paired with ``"lecun_normal"``: with the larger weights of ``"he_normal"`` signals of
    unit scale explode within a few layers.

    References
    ----------
    N. Shazeer, "GLU variants improve transformer", arXiv:2002.05202, 2020.
    """

    initializer = "lecun_normal"
    inputs_per_unit = 2
    smooth = True
    saturates = "below"

    def forward(self, z: Tensor) -> Tensor:
        gate, value = _halves(z)
        return functional.gelu(gate) * value


def _halves(z: Tensor) -> tuple[Tensor, Tensor]:
    """(.., 2k) -> (.., k) and (.., k)."""
    assert z.shape[-1] % 2 == 0, f"gated units read two inputs each, but there are {z.shape[-1]}"
    first, second = torch.chunk(z, 2, dim=-1)
    return first, second
