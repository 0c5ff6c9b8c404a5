"""Dropouts: noise that makes units do without each other in training.

A rate is the share dropped, never the probability to keep. A mask is drawn anew for every row
and unit of a batch; where weights are dropped, for every weight.
"""

from __future__ import annotations

import math
import numbers
from abc import abstractmethod
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from .._compat import Interval
from .base import Component, Scheduled
from .registry import Registry


class Memory(NamedTuple):
    """What masks are drawn into, where they are drawn again and again.

    Attributes
    ----------
    drawn : Tensor
        Of the shape and type of what is dropped from, contiguous.
    words : Tensor of int64
        With sixteen bits for each of its elements.
    """

    drawn: Tensor
    words: Tensor

    @classmethod
    def like(cls, a: Tensor) -> Memory:
        """New memory for masks of `a`."""
        *rows, width = a.shape
        words = torch.empty((*rows, (width + 3) // 4), dtype=torch.int64, device=a.device)
        return cls(torch.empty_like(a, memory_format=torch.contiguous_format), words)


class DropoutRule(Component):
    """A way to drop units or weights at random while training; prediction drops none.

    Parameters
    ----------
    rate : float or Scheduled, default=0.5
        The share dropped, in [0, 1).

    Attributes
    ----------
    on : {"units", "weights"}
        What :meth:`forward` takes: the outputs of a layer, or its weight matrix.
    multiplies : bool
        Whether :meth:`forward` multiplies by what :meth:`factor` draws, and does no more.
    shared : bool
        Whether what is drawn is the same for all rows, so that a random pass of a prediction is
        one network's, however many rows it has.
    """

    _parameter_constraints = {"rate": [Interval(numbers.Real, 0, 1, closed="left"), Scheduled]}

    on: ClassVar[Literal["units", "weights"]] = "units"
    multiplies: ClassVar[bool] = False
    shared: bool = False

    def __init__(self, rate: float | Scheduled = 0.5) -> None:
        self.rate = rate

    @abstractmethod
    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        """Drop a fresh share of `a`, for autograd to follow.

        Parameters
        ----------
        a : Tensor of shape (b, k) or (m, b, k)
            The outputs of a layer; for a rule on weights its matrix, (n_in, k) or (m, n_in, k).
        rate : float or Tensor of shape (m, 1, 1)
            The share dropped, in place of the attribute: members of a stack may differ.
        generator : torch.Generator
            On the device of `a`.

        Returns
        -------
        Tensor of the shape of `a`
        """

    def factor(
        self,
        a: Tensor,
        rate: float | Tensor,
        generator: torch.Generator,
        memory: Memory | None = None,
    ) -> Tensor:
        """What a rule that `multiplies` draws for `a`: arguments are those of :meth:`forward`.

        Parameters
        ----------
        memory : Memory or None
            That to draw into, and to return a part of; None for new, which costs more time than
            the draws where it is large.

        Returns
        -------
        Tensor
            Of the shape of `a`, or of one that broadcasts to it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not multiply")


DROPOUTS: Registry[DropoutRule] = Registry("dropout", DropoutRule)


def draw_kept(
    a: Tensor, rate: float | Tensor, generator: torch.Generator, memory: Memory | None = None
) -> Tensor:
    """Ones where a unit stays and zeros, a share `rate`, where it drops: shaped and typed as `a`.

    Sixteen random bits an element give the share to within 2**-16. Four elements a draw take
    half the time of one uniform number each, and a seventh of ``bernoulli_``.
    """
    kept, words = Memory.like(a) if memory is None else memory
    words.random_(-(2**63), None, generator=generator)
    draws = words.view(torch.int16)[..., : a.shape[-1]]
    threshold: int | Tensor
    if isinstance(rate, Tensor):
        threshold = rate * 2**16 - 2**15
    else:
        # a whole number, since with a float torch would compare in its default dtype
        threshold = min(math.ceil(rate * 2**16) - 2**15, 2**15 - 1)
    # in place, since with an output of another type torch would take memory between
    return kept.copy_(draws.ge_(threshold))


@DROPOUTS.register("dropout")
class Dropout(DropoutRule):
    r"""Inverted dropout: 0 with probability `rate`, else :math:`a / (1 - \mathrm{rate})`.

    The division in training keeps every unit's mean, so that prediction needs no scaling. The
    paper's dropout does not divide, and scales the weights in prediction instead.

    Parameters
    ----------
    rate : float or Scheduled, default=0.5
        The share of units dropped, in [0, 1). Shares are met to within 2**-16.
    shared : bool, default=False
        Whether all rows of a batch share one mask. A step then trains one thinned network, which
        is noisier; a row of weight 2 is exactly the row twice, and each random pass of a
        prediction is one network's. The paper draws a mask for each row.

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15, 2014.
    """

    _parameter_constraints = DropoutRule._parameter_constraints | {"shared": ["boolean"]}
    multiplies = True

    def __init__(self, rate: float | Scheduled = 0.5, shared: bool = False) -> None:
        self.rate = rate
        self.shared = shared

    def factor(
        self,
        a: Tensor,
        rate: float | Tensor,
        generator: torch.Generator,
        memory: Memory | None = None,
    ) -> Tensor:
        if self.shared:
            a, memory = a[..., :1, :], None
        return draw_kept(a, rate, generator, memory).mul_(1.0 / (1.0 - rate))

    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        return a * self.factor(a, rate, generator)


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
    rate : float or Scheduled, default=0.5
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


@DROPOUTS.register("gaussian_dropout")
class GaussianDropout(DropoutRule):
    r"""Gaussian dropout: :math:`a\,(1 + \sigma \epsilon)` with normal noise :math:`\epsilon`.

    With :math:`\sigma^2 = \mathrm{rate} / (1 - \mathrm{rate})` each unit keeps its mean and
    gets the variance that dropout at this rate would give it, but nothing is dropped. Keras'
    ``GaussianDropout`` means the same by its rate; torch has no such module.

    Parameters
    ----------
    rate : float or Scheduled, default=0.5
        The share of units dropped by the dropout of equal variance, in [0, 1).

    References
    ----------
    N. Srivastava, G. Hinton, A. Krizhevsky, I. Sutskever and R. Salakhutdinov, "Dropout: a simple
    way to prevent neural networks from overfitting", JMLR 15, 2014, section 10.
    """

    multiplies = True

    def factor(
        self,
        a: Tensor,
        rate: float | Tensor,
        generator: torch.Generator,
        memory: Memory | None = None,
    ) -> Tensor:
        # contiguous, so that the noise does not depend on the layout of a
        if memory is None:
            factor = torch.empty_like(a, memory_format=torch.contiguous_format)
        else:
            factor = memory.drawn
        factor.normal_(generator=generator)
        return factor.mul_((rate / (1.0 - rate)) ** 0.5).add_(1.0)

    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        return a * self.factor(a, rate, generator)


@DROPOUTS.register("dropconnect")
class DropConnect(DropoutRule):
    r"""DropConnect: weights drop instead of units, the rest times :math:`1/(1-\mathrm{rate})`.

    One mask is drawn a step for each member, shared by all rows of the batch. The paper draws
    one a row, which takes a matrix of weights a row; the expected gradient is the same, that
    of one batch is noisier here. In prediction all weights are there; the paper samples each
    unit's input from a normal distribution with the moments that the masks give.
    A dropped weight is not reset: it misses the step's gradient and comes back as it was.

    Parameters
    ----------
    rate : float or Scheduled, default=0.5
        The share of weights dropped, in [0, 1). Shares are met to within 2**-16.

    References
    ----------
    L. Wan, M. Zeiler, S. Zhang, Y. LeCun and R. Fergus, "Regularization of neural networks using
    DropConnect", ICML 2013.
    """

    on = "weights"
    shared = True

    def forward(self, a: Tensor, rate: float | Tensor, generator: torch.Generator) -> Tensor:
        return a * draw_kept(a, rate, generator).mul_(1.0 / (1.0 - rate))
