"""What an augmentation is: the base class of what changes batches, and their registry.

``m`` members, ``b`` rows a batch, ``p`` columns, ``k`` outputs. Every augmentation is fresh for
each batch, and prediction has none. It must leave true what the target says of a row: a 6
turned upside down is a 9.
"""

from __future__ import annotations

import numbers
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from ..._compat import Interval
from ..base import Component
from ..registry import Registry

Coefficient = float | Tensor
Augmented = tuple[Tensor, Tensor, float | Tensor]

NON_NEGATIVE = Interval(numbers.Real, 0, None, closed="left")
CLASSES = frozenset({"binary", "multiclass", "multilabel"})


class LossView(NamedTuple):
    """What an augmentation may ask of the network and the loss that are being trained.

    Attributes
    ----------
    input_gradient : callable
        ``input_gradient(x, y)`` gives the derivative of each row's loss by its inputs, of the
        shape of `x`, for the weights as they are now.
    smooth : callable
        ``smooth(y, smoothing)`` gives targets moved towards the uniform distribution by
        `smoothing` of shape (b, 1) or (m, b, 1), as ``label_smoothing`` does.
    """

    input_gradient: Callable[[Tensor, Tensor], Tensor]
    smooth: Callable[[Tensor, Tensor], Tensor]


class Augmentation(Component):
    """A change of the rows that a network learns from.

    Attributes
    ----------
    varying : tuple of str
        Parameters in which the members of a stack may differ; at 0 nothing is changed, unless a
        class says otherwise.
    kinds : frozenset of {"regression", "binary", "multiclass", "multilabel"}
        The tasks that it is for.
    needs_distribution : bool
        Whether targets of several classes must come as distributions of shape (b, k) instead of
        indices.
    needs_smoothing : bool
        Whether ``smooth`` is asked for, which a loss may lack.
    needs_gradient : bool
        Whether the loss' derivative by the inputs is asked for.
    takes_codes : bool
        Whether rows may have columns of codes, which come out as the code of some level.
    numbers_alone : bool
        Whether it gets the columns of numbers alone, and gives back as many rows; all other
        columns pass it by.
    """

    varying: ClassVar[tuple[str, ...]] = ()
    kinds: ClassVar[frozenset[str]] = frozenset({"regression"}) | CLASSES
    needs_distribution: ClassVar[bool] = False
    needs_smoothing: ClassVar[bool] = False
    needs_gradient: ClassVar[bool] = False
    takes_codes: ClassVar[bool] = True
    numbers_alone: ClassVar[bool] = False

    def coefficients(self) -> dict[str, float]:
        """The numbers in which members of a stack may differ."""
        return {name: float(getattr(self, name)) for name in self.varying}

    @abstractmethod
    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        """What is learnt from instead of a batch; no argument is changed in place.

        Parameters
        ----------
        x : Tensor of shape (b, p) or (m, b, p)
            Inputs as the network sees them: standardised columns.
        y : Tensor of shape (b, k) or (m, b, k), or of int64 and shape (b,) or (m, b)
            Targets as the loss takes them: numbers, or indices of classes.
        share : float or Tensor of shape (b, 1) or (m, b, 1)
            What each row counts; the shares of a member's rows sum to 1.
        c : dict of str to float or Tensor of shape (m, 1, 1)
            :meth:`coefficients`, or columns where members differ.
        generator : torch.Generator
            On the device of `x`: the only source of chance.
        loss : LossView
            What is trained.

        Returns
        -------
        x, y, share
            The same, augmented; shares still sum to 1. If there are more rows, the first `b`
            are those of the batch, in order.
        """


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation", Augmentation)


def is_off(value: Coefficient) -> bool:
    """Whether no member has any of it; a column is not read, since that waits for the device."""
    return not isinstance(value, Tensor) and value == 0


def cast(value: Coefficient, tensor: Tensor) -> Coefficient:
    """A column in the type of `tensor`; a number as it is."""
    return value.to(tensor.dtype) if isinstance(value, Tensor) else value


def draw_normal(shape: Sequence[int], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=like.dtype, device=like.device)
