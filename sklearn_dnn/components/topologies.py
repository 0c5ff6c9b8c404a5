"""Topologies: how the hidden layers are joined to each other and to the output."""

from __future__ import annotations

import numbers
from typing import Any, ClassVar

from .._compat import Interval
from .base import Component
from .registry import Registry

_WEIGHT = Interval(numbers.Real, 0, None, closed="left")
_LAYER = Interval(numbers.Integral, 1, None, closed="left")


class Topology(Component):
    """What joins the dense layers beside the plain chain.

    Attributes
    ----------
    block_size : int
        Hidden layers that one skip connection bridges; 0 for none.
    multiplier : bool
        Whether each block's branch has a trained number to be multiplied by.
    wide : bool
        Whether the network's inputs join the last hidden layer.
    auxiliary_weight : float
        What the loss of an auxiliary output counts in training; 0 for no such output.
    auxiliary_layer : int or None
        The hidden layer (from 1) that the auxiliary output reads; None for the middle one.
    """

    block_size: int = 0
    multiplier: bool = False
    wide: bool = False
    auxiliary_weight: float = 0.0
    auxiliary_layer: int | None = None

    _auxiliary: ClassVar[dict[str, list[Any]]] = {
        "auxiliary_weight": [_WEIGHT],
        "auxiliary_layer": [_LAYER, None],
    }

    def ends_block(self, layer: int, n_hidden: int) -> bool:
        """Whether a skip connection arrives at this hidden layer (from 0).

        Layers at the end that do not fill a block are plain.
        """
        return self.block_size > 0 and (layer + 1) % self.block_size == 0 and layer < n_hidden

    def auxiliary_position(self, n_hidden: int) -> int | None:
        """The hidden layer (from 0) that an auxiliary output reads; None without one.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        if self.auxiliary_weight == 0:
            return None
        layer = (n_hidden + 1) // 2 if self.auxiliary_layer is None else self.auxiliary_layer
        if n_hidden == 0:
            raise ValueError(
                f"topology={self!r} has an auxiliary output, but there are 0 hidden layers that "
                "it could read. Set auxiliary_weight=0.0."
            )
        if not 1 <= layer <= n_hidden:
            raise ValueError(
                f"topology={self!r} has its auxiliary output at hidden layer {layer}, but there "
                f"are {n_hidden} hidden layers. Give one from 1 to {n_hidden}, or "
                "auxiliary_weight=0.0."
            )
        return layer - 1


TOPOLOGIES: Registry[Topology] = Registry("topology", Topology)


@TOPOLOGIES.register("plain")
class Plain(Topology):
    """Each layer reads the one before it: the plain multilayer perceptron.

    Parameters
    ----------
    auxiliary_weight : float, default=0.0
        Weight of an auxiliary output's loss. Such an output reads an inner layer, has the loss
        of the network itself, and keeps the lower layers' gradients alive; it takes part in
        training only, and its loss is not in `loss_`.
    auxiliary_layer : int, default=None
        The hidden layer, from 1, that it reads; None for the middle one.

    References
    ----------
    C. Szegedy et al., "Going deeper with convolutions", CVPR 2015 (auxiliary outputs).
    """

    _parameter_constraints = Topology._auxiliary

    def __init__(self, auxiliary_weight: float = 0.0, auxiliary_layer: int | None = None) -> None:
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary_layer = auxiliary_layer


@TOPOLOGIES.register("residual")
class Residual(Topology):
    r"""Skip connections around blocks of hidden layers, :math:`h' = \phi(F(h) + P h)`.

    :math:`F` is the block up to its last activation :math:`\phi`; :math:`P` is the identity
    where the widths match, else a trained matrix. Gated units, whose input is wider than their
    output, add after the activation. Hidden layers at the end that do not fill a block are
    plain ones.

    Parameters
    ----------
    block_size : int, default=2
        Hidden layers of a block.
    multiplier : bool, default=False
        Whether :math:`F` is multiplied by a trained number, 1 at the start.
    wide : bool, default=False
        Whether the inputs join the last hidden layer, as in :class:`Wide`.
    auxiliary_weight, auxiliary_layer : float and int, default=0.0 and None
        As in :class:`Plain`.

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR 2016.
    """

    _parameter_constraints = {
        "block_size": [_LAYER],
        "multiplier": ["boolean"],
        "wide": ["boolean"],
        **Topology._auxiliary,
    }

    def __init__(
        self,
        block_size: int = 2,
        multiplier: bool = False,
        wide: bool = False,
        auxiliary_weight: float = 0.0,
        auxiliary_layer: int | None = None,
    ) -> None:
        self.block_size = block_size
        self.multiplier = multiplier
        self.wide = wide
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary_layer = auxiliary_layer


@TOPOLOGIES.register("wide")
class Wide(Topology):
    """The inputs join the last hidden layer: a linear model beside a deep one.

    Parameters
    ----------
    auxiliary_weight, auxiliary_layer : float and int, default=0.0 and None
        As in :class:`Plain`.

    References
    ----------
    H.-T. Cheng et al., "Wide & deep learning for recommender systems", DLRS 2016.
    """

    wide = True
    _parameter_constraints = Topology._auxiliary

    def __init__(self, auxiliary_weight: float = 0.0, auxiliary_layer: int | None = None) -> None:
        self.auxiliary_weight = auxiliary_weight
        self.auxiliary_layer = auxiliary_layer
