"""Activations from outside: a module of torch's or of the user's own, or a plain function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..base import refuse_arguments
from ..foreign import ForeignClass
from ._base import ACTIVATIONS, Activation


class TorchActivation(ForeignClass, Activation):
    """Any module of torch's that maps each row of numbers to a row of the same width.

    As in ``TorchActivation(torch.nn.Threshold, threshold=0.1, value=0.0)``. Nearly always it works
    on each element alone; one that mixes the units of a row, such as ``torch.nn.Softmax`` with
    ``dim=-1``, is allowed, one that mixes rows is not. Derivatives are left to autograd, and the
    module is used as in evaluation.

    Modules that learn (``torch.nn.PReLU``), draw at random (``torch.nn.RReLU``) or change the width
    (``torch.nn.GLU``) are refused: those that torch has are activations with names, such as
    ``"prelu"``, ``"rrelu"`` and ``"glu"``. Facts such as `range` are not known of a module, and
    ``initializer="auto"`` pairs it with ``"glorot_uniform"``: give another where it is a kind of
    rectifier.

    Parameters
    ----------
    wrapped : type
        The class, a subclass of ``torch.nn.Module``. To be pickled it must be importable.
    **arguments
        Keyword arguments of its constructor, but for ``inplace``.
    """

    reserved = ("inplace",)

    def forward(self, z: Tensor) -> Tensor:
        return self.module()(z)

    def module(self) -> torch.nn.Module:
        """The module, built anew, in its evaluation mode."""
        return self.wrapped(**self.arguments).eval()

    def _check(self) -> None:
        if isinstance(self.wrapped, type) and not issubclass(self.wrapped, torch.nn.Module):
            raise TypeError(
                "TorchActivation wraps a subclass of torch.nn.Module. Got "
                f"{self.wrapped.__name__} instead: wrap a function in FunctionActivation, or "
                "derive a class from Activation."
            )
        super()._check()
        name = self.wrapped.__name__
        try:
            with torch.random.fork_rng(devices=[]):  # weights would be drawn, to be refused below
                module = self.module().train()
        except Exception as error:
            raise ValueError(
                f"{name} cannot be built from the arguments {self.arguments}: {error}"
            ) from error
        held = [key for key, _ in (*module.named_parameters(), *module.named_buffers())]
        if held:
            raise ValueError(
                f"TorchActivation takes modules without weights or running values, but {name} has "
                f"{held}, which a network of ours would neither train nor store. Use "
                "activation='prelu' for learned slopes, or derive a class from Activation that "
                "names its vectors in parameter_starts."
            )
        _refuse_misfits(module, f"The activation {name}")


class FunctionActivation(Activation):
    """Any function of a tensor that maps each row of numbers to a row of the same width.

    As in ``FunctionActivation(torch.sin)``. It must be made of torch's operations, so that autograd
    finds its derivative, work on tensors of any number of dimensions, and leave its argument
    untouched; it may mix the units of a row, not rows. Facts such as `range` are not known of it,
    and ``initializer="auto"`` pairs it with ``"glorot_uniform"``: give another where it is a kind
    of rectifier.

    Parameters
    ----------
    function : callable
        Takes and returns a tensor. To be pickled it must be importable: a function at the top of a
        module, not a lambda.
    """

    _parameter_constraints = {"function": [callable]}

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def forward(self, z: Tensor) -> Tensor:
        return self.function(z)

    def _check(self) -> None:
        if isinstance(self.function, type):
            raise TypeError(
                f"FunctionActivation takes a function of a tensor, not the class "
                f"{self.function.__name__}: write TorchActivation({self.function.__name__}) for a "
                "module of torch's."
            )
        if isinstance(self.function, torch.nn.Module):
            name = type(self.function).__name__
            raise TypeError(
                "FunctionActivation takes a plain function, since a module may hold weights. Got "
                f"an instance of {name}: write TorchActivation({name}, ...) with its arguments."
            )
        # a callable object has no name of its own
        name = getattr(self.function, "__name__", type(self.function).__name__)
        refuse_arguments("function", self.function, ("z",), type(self).__name__)
        _refuse_misfits(self.function, f"The activation {name}")


def _refuse_misfits(function: Callable[[Tensor], Any], name: str) -> None:
    """Refuse what is no activation, by trying it on numbers of a small stack.

    Raises
    ------
    ValueError
        Saying what `function` did, and the way out.
    """
    # every row differs from the others
    before = torch.linspace(-3, 3, 2 * 4 * 6, dtype=torch.float64).reshape(2, 4, 6)
    z = before.clone().requires_grad_() * 1.0  # no leaf, which autograd would not let change
    with torch.enable_grad(), torch.random.fork_rng(devices=[]):
        state = torch.get_rng_state()
        a = _tried(function, z, name)
        if not torch.equal(torch.get_rng_state(), state):
            raise ValueError(
                f"{name} draws at random from torch's global generator, which random_state does "
                "not reach. Use activation='rrelu', dropout, or derive a class from Activation "
                "that draws in layer_forward from the generator it is given."
            )
        if not torch.equal(z, before):
            raise ValueError(
                f"{name} changes its argument in place: return a new tensor, as torch.relu(z) "
                "does and torch.relu_(z) does not."
            )
        if a.shape != z.shape or a.dtype != z.dtype:
            raise ValueError(
                f"{name} turned a tensor of shape {tuple(z.shape)} and {z.dtype} into one of "
                f"{tuple(a.shape)} and {a.dtype}; an activation keeps both. Gated units that halve "
                "the width are 'glu', 'swiglu' and 'geglu'."
            )
        alone = [_tried(function, row, name) for row in before.flatten(0, 1).split(1)]
    if not torch.allclose(a, torch.cat(alone).reshape(a.shape), equal_nan=True):
        raise ValueError(
            f"{name} gives a row another result beside other rows than alone, so predictions would "
            "depend on their company. Use dim=-1 where it takes a dimension, or a norm in place of "
            "an activation."
        )
    if not a.requires_grad:
        raise ValueError(
            f"{name} gives no gradient, so that nothing before it could learn. Compute it with "
            "torch's operations on the tensor itself, without detach() or NumPy."
        )


def _tried(function: Callable[[Tensor], Any], z: Tensor, name: str) -> Tensor:
    try:
        a = function(z)
    except Exception as error:
        raise ValueError(
            f"{name} failed on a tensor of shape {tuple(z.shape)}: {error}. An activation takes "
            "tensors of any number of dimensions."
        ) from error
    if not isinstance(a, Tensor):
        raise ValueError(
            f"{name} returned {type(a).__name__}, not a tensor: compute it with torch's operations."
        )
    return a


def as_activation(value: Any) -> Activation:
    """A checked activation from what a user gave.

    Parameters
    ----------
    value : str, Activation, callable or class of ``torch.nn``

    Raises
    ------
    ValueError
        If a name is unknown or the function is no activation.
    TypeError
        If it is something else.
    """
    if isinstance(value, type) and issubclass(value, torch.nn.Module):
        value = TorchActivation(value)
    elif callable(value) and not isinstance(value, Activation | type):
        value = FunctionActivation(value)
    return ACTIVATIONS.resolve(value)
