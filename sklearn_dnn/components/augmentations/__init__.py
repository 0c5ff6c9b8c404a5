"""Augmentations: what happens to a batch before a network learns from it.

The family adds noise, makes new rows, or does what a user's function does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..._compat import InvalidParameterError
from ..base import refuse_arguments
from ._base import AUGMENTATIONS, Augmentation, Augmented, Coefficient, LossView
from ._noise import InputNoise, LabelNoise, TargetNoise
from ._rows import Adversarial, Mixup

__all__ = [
    "AUGMENTATIONS",
    "Adversarial",
    "Augmentation",
    "FunctionAugmentation",
    "InputNoise",
    "LabelNoise",
    "LossView",
    "Mixup",
    "TargetNoise",
    "as_augmentations",
]


class FunctionAugmentation(Augmentation):
    """A user's own function on each batch: the nuisance that real data will have.

    A bare function in place of this component means the same.

    Parameters
    ----------
    function : callable
        ``function(x, y, generator) -> (x, y)``. `x` is a tensor of shape (b, p) or (m, b, p)
        with standardised columns, `y` one of shape (b, k) or (m, b, k): scaled targets, 0 or 1
        for two classes or for labels, a distribution for several classes. Both are copies, so
        they may be changed in place. All chance should come from `generator`, a
        ``torch.Generator`` on their device, or a fit can't be repeated. Shapes must stay.

    Notes
    -----
    A function that pickle can find by its name, not a lambda, is needed where the estimator is
    pickled, as searches with several processes do.
    """

    needs_distribution = True
    takes_codes = False
    _parameter_constraints = {"function": [callable]}

    def __init__(self, function: Callable[..., tuple[Tensor, Tensor]]) -> None:
        self.function = function

    def _check(self) -> None:
        refuse_arguments("function", self.function, ("x", "y", "generator"), type(self).__name__)

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        result = self.function(x.clone(), y.clone(), generator)
        if not isinstance(result, tuple | list) or len(result) != 2:
            raise TypeError(
                f"The augmentation {self.function!r} must return two tensors, x and y. Got "
                f"{type(result).__name__} instead: end it with `return x, y`."
            )
        for name, given, came in zip("xy", (x, y), result, strict=True):
            self._refuse_other(name, given, came)
        return *result, share

    def _refuse_other(self, name: str, given: Tensor, came: Any) -> None:
        wanted = f"a tensor of shape {tuple(given.shape)}, {given.dtype} on {given.device}"
        if not isinstance(came, Tensor):
            got = type(came).__name__
        elif (came.shape, came.dtype, came.device) != (given.shape, given.dtype, given.device):
            got = f"one of shape {tuple(came.shape)}, {came.dtype} on {came.device}"
        else:
            return
        raise ValueError(
            f"The augmentation {self.function!r} must return {name} as it came: {wanted}. "
            f"Got {got} instead: change values, not the shape or the type."
        )


def as_augmentations(value: Any) -> tuple[Augmentation, ...]:
    """Checked augmentations, in the order in which they are applied.

    Parameters
    ----------
    value : None, str, Augmentation, callable, or a list or tuple of such
        None for none; a callable is wrapped in :class:`FunctionAugmentation`.

    Raises
    ------
    ValueError
        If a name is unknown, a parameter is not allowed, or `value` is something else.
    TypeError
        If it is a class instead of an instance.
    """
    if value is None:
        return ()
    if isinstance(value, list | tuple):
        return tuple(_as_augmentation(each) for each in value)
    return (_as_augmentation(value),)


def _as_augmentation(value: Any) -> Augmentation:
    if isinstance(value, str | type | Augmentation):
        return AUGMENTATIONS.resolve(value)
    if callable(value):
        return AUGMENTATIONS.resolve(FunctionAugmentation(value))
    raise InvalidParameterError(
        f"The 'augmentation' parameter must be None, one of {sorted(AUGMENTATIONS)}, an instance "
        "of Augmentation, a function(x, y, generator) -> (x, y), or a list of these. "
        f"Got {value!r} instead."
    )
