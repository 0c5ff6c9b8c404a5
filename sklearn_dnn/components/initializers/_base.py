"""What an initializer is: the base class, the registry of names, and the laws they draw from."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ..base import Component
from ..registry import Registry


class Initializer(Component):
    """The first values of one layer's weights. Biases are not its affair.

    Attributes
    ----------
    data_dependent : bool
        Whether the weights that were drawn are then scaled by what the layers make of a batch;
        the initializer has ``rescale`` as :class:`LSUV` does.
    zero_output : bool
        Whether the weights of the output layer start at zero instead.
    """

    data_dependent: ClassVar[bool] = False
    zero_output: ClassVar[bool] = False

    @abstractmethod
    def draw(self, fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
        """Draw the weights of a layer.

        Parameters
        ----------
        fan_in : int
            Number of inputs.
        fan_out : int
            Number of units.
        generator : torch.Generator
            A generator on the CPU, so that every device starts from the same weights.

        Returns
        -------
        Tensor of shape (fan_in, fan_out), float64, on the CPU
            Rows are inputs, as in scikit-learn's ``coefs_``.
        """

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
        """Draw the weights of a layer within a residual block; by default as :meth:`draw`.

        Parameters
        ----------
        fan_in, fan_out, generator
            As in :meth:`draw`.
        position : int
            Which layer of its block it is, from 0.
        block_size : int
            Layers of a block.
        n_blocks : int
            Blocks of the network.

        Returns
        -------
        Tensor of shape (fan_in, fan_out), float64, on the CPU
        """
        return self.draw(fan_in, fan_out, generator)


INITIALIZERS: Registry[Initializer] = Registry("initializer", Initializer)

# Normal laws are cut at this many standard deviations, as in Keras.
CUT = 2.0
_INSIDE = math.erf(CUT / math.sqrt(2))
_DENSITY = math.exp(-(CUT**2) / 2) / math.sqrt(2 * math.pi)
# The standard deviation that is left of 1 after the cut: 0.8796.
TRUNCATED_STD = math.sqrt(1 - 2 * CUT * _DENSITY / _INSIDE)


def draw_truncated(shape: tuple[int, int], generator: torch.Generator) -> Tensor:
    """Numbers from the standard normal law given that they lie within ``CUT``."""
    # the inverse of the distribution function at numbers uniform over the share inside
    z = torch.empty(shape, dtype=torch.float64).uniform_(-_INSIDE, _INSIDE, generator=generator)
    return z.erfinv_().mul_(math.sqrt(2)).clamp_(-CUT, CUT)


def draw_he(fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
    """Normal weights of variance 2 / fan_in."""
    weights = torch.empty((fan_in, fan_out), dtype=torch.float64)
    return weights.normal_(0.0, math.sqrt(2 / fan_in), generator=generator)


def draw_orthogonal(fan_in: int, fan_out: int, generator: torch.Generator) -> Tensor:
    """A random matrix of orthonormal columns, or rows if there are fewer of those."""
    long, short = max(fan_in, fan_out), min(fan_in, fan_out)
    gaussian = torch.randn((long, short), dtype=torch.float64, generator=generator)
    q, r = torch.linalg.qr(gaussian)
    # QR leaves the columns' signs to the routine; R's diagonal made positive is uniform.
    q *= torch.copysign(torch.ones(short, dtype=torch.float64), r.diagonal())
    return (q if fan_in >= fan_out else q.T).contiguous()
