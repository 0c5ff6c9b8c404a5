"""Dropouts: noise that makes units do without each other in training."""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod

import torch
from torch import Tensor

from .._compat import Interval
from .base import Component, Registry


class DropoutRule(Component):
    """A way to drop units at random while training; prediction drops none.

    Parameters
    ----------
    rate : float, default=0.5
        The share of units dropped, in [0, 1).
    """

    _parameter_constraints = {"rate": [Interval(numbers.Real, 0, 1, closed="left")]}

    def __init__(self, rate: float = 0.5) -> None:
        self.rate = rate

    @abstractmethod
    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        """Drop a fresh share of `a`, for autograd to follow.

        Parameters
        ----------
        a : Tensor of shape (b, k) or (m, b, k)
            The outputs of a layer.
        rate : float or Tensor of shape (m, 1, 1)
            The share dropped, in place of the attribute: members of a stack may differ.
        generator : torch.Generator
            On the device of `a`.

        Returns
        -------
        Tensor of the shape of `a`
        """

    @abstractmethod
    def module(self) -> torch.nn.Module:
        """Torch's module of the same meaning."""


DROPOUTS: Registry[DropoutRule] = Registry("dropout", DropoutRule)


def draw_kept(a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
    """Ones where a unit stays and zeros, a share `rate`, where it drops: shaped and typed as `a`.

    Sixteen random bits an element give the share to within 2**-16. Four elements a draw take
    half the time of one uniform number each, and a seventh of ``bernoulli_``.
    """
    *rows, width = a.shape
    words = torch.empty((*rows, (width + 3) // 4), dtype=torch.int64, device=a.device)
    words.random_(-(2**63), None, generator=generator)
    draws = words.view(torch.int16)[..., :width]
    threshold: int | Tensor
    if isinstance(rate, Tensor):
        threshold = rate * 2**16 - 2**15
    else:
        # a whole number, since with a float torch would compare in its default dtype
        threshold = min(math.ceil(rate * 2**16) - 2**15, 2**15 - 1)
    return torch.ge(draws, threshold, out=torch.empty_like(a))


@DROPOUTS.register("dropout")
class Dropout(DropoutRule):
    r"""Inverted dropout: 0 with probability `rate`, else :math:`a / (1 - \mathrm{rate})`.

    The division in training keeps every unit's mean, so that prediction needs no scaling.

    Parameters
    ----------
    rate : float, default=0.5
        The share of units dropped, in [0, 1). Shares are met to within 2**-16.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        return a * draw_kept(a, rate, generator).mul_(1.0 / (1.0 - rate))

    def module(self) -> torch.nn.Module:
        return torch.nn.Dropout(self.rate)


# What selu tends to for very negative inputs: minus its scale times its alpha.
SELU_FLOOR = -1.7580993408473766


@DROPOUTS.register("alpha_dropout")
class AlphaDropout(DropoutRule):
    r"""Alpha dropout: units drop to the floor of ``"selu"`` and all are rescaled.

    With :math:`q = 1 - \mathrm{rate}` and :math:`\alpha' = -1.7581`, a unit becomes
    :math:`A\,a + B` with probability :math:`q`, else :math:`A\,\alpha' + B`, where
    :math:`A = (q + \alpha'^2 q (1 - q))^{-1/2}` and :math:`B = -A (1 - q) \alpha'` keep mean 0
    and variance 1, which ``"selu"`` lives on.

    Parameters
    ----------
    rate : float, default=0.5
        The share of units dropped, in [0, 1). Shares are met to within 2**-16.

    References
    ----------
    G. Klambauer, T. Unterthiner, A. Mayr and S. Hochreiter, "Self-normalizing neural networks",
    NeurIPS 2017.
    """

    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        kept = 1.0 - rate
        A = (kept + SELU_FLOOR**2 * kept * rate) ** -0.5
        B = -A * rate * SELU_FLOOR
        factor = draw_kept(a, rate, generator).mul_(A)  # A where kept, else 0
        shift = (factor * -SELU_FLOOR).add_(A * SELU_FLOOR + B)  # B where kept
        return torch.addcmul(shift, a, factor)

    def module(self) -> torch.nn.Module:
        return torch.nn.AlphaDropout(self.rate)
