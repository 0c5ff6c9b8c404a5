"""Losses from outside: a function, or a class of torch's, as a component."""

from __future__ import annotations

import copy
import inspect
from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..base import computed, refuse_arguments
from ..foreign import ForeignClass
from ._base import KINDS, Loss
from ._classification import logistic, over_classes

_KINDS_TEXT = ", ".join(map(repr, KINDS))

# What torch's own losses are for; the others take other things than raw outputs and targets.
_OF_TORCH: dict[type, tuple[str, ...]] = {
    nn.L1Loss: ("regression",),
    nn.MSELoss: ("regression",),
    nn.SmoothL1Loss: ("regression",),
    nn.HuberLoss: ("regression",),
    nn.BCEWithLogitsLoss: ("binary", "multilabel"),
    nn.MultiLabelSoftMarginLoss: ("binary", "multilabel"),
    nn.CrossEntropyLoss: ("multiclass",),
    nn.MultiMarginLoss: ("multiclass",),
}
_INSTEAD: dict[type, str] = {
    nn.BCELoss: "It takes probabilities: use TorchLoss(torch.nn.BCEWithLogitsLoss).",
    nn.NLLLoss: "It takes log-probabilities: use TorchLoss(torch.nn.CrossEntropyLoss).",
    nn.KLDivLoss: "It takes log-probabilities: use TorchLoss(torch.nn.CrossEntropyLoss).",
    nn.SoftMarginLoss: "Its labels are 1 and -1: use loss='log_loss', which is the same.",
    nn.PoissonNLLLoss: "Its raw outputs are logarithms: use loss='poisson'.",
    nn.GaussianNLLLoss: "It needs a variance beside the prediction: use loss='gaussian'.",
}


class _ForeignLoss(Loss):
    """A loss of which only values are known; the links are those of cross-entropy."""

    has_symmetric_link = True
    _kind = "regression"

    def bind(self, kind: str) -> Loss:
        bound = copy.copy(self)
        bound._kind = kind
        return bound

    @computed
    def out_activation(self) -> str:
        if self._kind == "regression":
            return "identity"
        return "softmax" if self._kind == "multiclass" else "logistic"

    @computed
    def scales_target(self) -> bool:
        return self._kind == "regression"

    def inverse_link(self, raw: Tensor) -> Tensor:
        if self._kind == "regression":
            return raw
        return over_classes(torch.softmax, raw) if self._kind == "multiclass" else logistic(raw)

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        if self._kind == "multiclass":
            return over_classes(torch.log_softmax, raw)
        return functional.logsigmoid(raw)

    @abstractmethod
    def _call(self, raw: Tensor, target: Tensor) -> Any:
        """What the function says of ``(b, k)`` raw outputs and ``(b, ...)`` targets."""

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        # rows have nothing in common, so that members of a stack are only more rows
        lead = raw.shape[:-1]
        rows = raw.reshape(-1, raw.shape[-1])
        given = self._call(rows, target.reshape(len(rows), *target.shape[len(lead) :]))
        return self._by_row(given, rows).reshape(lead)

    def _by_row(self, given: Any, rows: Tensor) -> Tensor:
        if not isinstance(given, Tensor):
            raise TypeError(
                f"{self!r} must return a torch tensor with one loss a row. Got "
                f"{type(given).__name__} instead: compute it with functions of torch."
            )
        b, k = rows.shape
        if given.shape not in {(b,), (b, 1), (b, k)}:
            raise ValueError(
                f"{self!r} must return one loss a row, of shape ({b},), or one a row and output, "
                f"of shape ({b}, {k}), for raw outputs of shape ({b}, {k}). Got shape "
                f"{tuple(given.shape)} instead: take no mean and no sum over rows "
                "(reduction='none')."
            )
        if rows.requires_grad and not given.requires_grad:
            raise ValueError(
                f"{self!r} returned losses without a derivative by the raw outputs: compute them "
                "from `raw` with functions of torch, without .detach(), .item() or NumPy."
            )
        return given if given.dim() == 1 else given.sum(-1)


class FunctionLoss(_ForeignLoss):
    """A function of raw outputs and targets as a loss; ``loss=function`` is short for it.

    The function is called with ``raw`` of shape (b, k) and ``target``: numbers of shape (b, k)
    in regression, 0 or 1 of shape (b, k) for two classes (k = 1) or k labels, class indices of
    shape (b,) for several classes. It returns one loss a row, (b,), or one a row and output,
    (b, k), which are summed. Rows must not depend on each other. Autograd finds the derivative.

    In regression raw outputs are the predictions. For classes they are log-odds, or logits of
    the softmax, as with ``"log_loss"``: probabilities are only as good as the loss makes them.
    A loss with another link is a subclass of :class:`Loss`.

    To pickle, the function must be one that can be imported by name: no lambda.

    Parameters
    ----------
    function : callable
        ``function(raw, target)``.
    kinds : collection of str, default=("regression", "binary", "multiclass", "multilabel")
        The tasks that it is for.
    takes_distributions : bool, default=False
        Whether for several classes it takes targets of shape (b, k) too, the shares of the
        classes, as ``torch.nn.functional.cross_entropy`` does. Augmentations that mix rows, such
        as "mixup", need that.
    """

    _parameter_constraints = {
        "function": [callable],
        "kinds": ["array-like"],
        "takes_distributions": ["boolean"],
    }

    def __init__(
        self,
        function: Callable[[Tensor, Tensor], Tensor],
        kinds: Collection[str] = KINDS,
        takes_distributions: bool = False,
    ) -> None:
        self.function = function
        self.kinds = kinds
        self.takes_distributions = takes_distributions

    def _check(self) -> None:
        refuse_arguments("function", self.function, ("raw", "target"), type(self).__name__)
        if not len(self.kinds) or not set(self.kinds) <= set(KINDS):
            raise ValueError(
                f"The 'kinds' parameter of FunctionLoss must hold one or more of {_KINDS_TEXT}. "
                f"Got {self.kinds!r} instead."
            )

    def _call(self, raw: Tensor, target: Tensor) -> Any:
        return self.function(raw, target)


class TorchLoss(ForeignClass, _ForeignLoss):
    """A loss class of torch's or of a user's own, such as ``TorchLoss(nn.SmoothL1Loss, beta=0.5)``.

    The class is built with ``reduction="none"`` where it takes that, and called with raw outputs
    and targets as a :class:`FunctionLoss`, which says what they are and what may be returned.
    Values of several outputs are summed where the class leaves them apart.

    Of torch's own, `L1Loss`, `MSELoss`, `SmoothL1Loss` and `HuberLoss` are for regression;
    `BCEWithLogitsLoss` and `MultiLabelSoftMarginLoss` (a mean over labels) for two classes or
    labels; `CrossEntropyLoss` and `MultiMarginLoss` (no probabilities) for several classes. The
    others take other things than raw outputs and targets, and are refused.

    A class of your own that takes shares of the classes, (b, k), as well as indices says so by an
    attribute ``takes_distributions = True``, as `CrossEntropyLoss` would.

    Parameters
    ----------
    wrapped : type
        A subclass of ``torch.nn.Module`` without trainable parameters.
    **arguments
        Keyword arguments of its constructor, but `reduction`. Tensors among them are moved to
        the device and type of the raw outputs.
    """

    reserved = ("reduction", "reduce", "size_average")

    @computed
    def kinds(self) -> Collection[str]:
        for cls in self.wrapped.__mro__:
            if cls in _OF_TORCH:
                return _OF_TORCH[cls]
        return KINDS

    @computed
    def has_probabilities(self) -> bool:
        return not issubclass(self.wrapped, nn.MultiMarginLoss)

    @computed
    def takes_distributions(self) -> bool:
        known = issubclass(self.wrapped, nn.CrossEntropyLoss)
        return bool(getattr(self.wrapped, "takes_distributions", known))

    def _check(self) -> None:
        super()._check()
        if not issubclass(self.wrapped, nn.Module):
            raise TypeError(
                "TorchLoss wraps a subclass of torch.nn.Module. Got "
                f"{self.wrapped!r} instead: give a function as loss=function."
            )
        for cls in self.wrapped.__mro__:
            if cls in _OF_TORCH:
                break
            if cls in _INSTEAD or cls.__module__ == nn.MSELoss.__module__:
                way_out = _INSTEAD.get(
                    cls,
                    "It takes other things than raw outputs and targets: write a function "
                    "loss(raw, target) that calls it.",
                )
                raise ValueError(f"{cls.__name__} can't be a loss here. {way_out}")
        self._refuse_missing()
        if next(self._module().parameters(), None) is not None:
            raise ValueError(
                f"{self.wrapped.__name__} has trainable parameters, which nothing would train. "
                "Give a class whose numbers are arguments or buffers."
            )

    def _module(self) -> nn.Module:
        known = inspect.signature(self.wrapped).parameters
        more = {"reduction": "none"} if "reduction" in known else {}
        return self.wrapped(**self.arguments, **more)

    def _call(self, raw: Tensor, target: Tensor) -> Any:
        return self._module().to(raw.device, raw.dtype)(raw, target)


def as_loss(value: Any) -> Any:
    """What a user gave as a loss, as a name or a component.

    A function becomes a :class:`FunctionLoss`, a class of modules a :class:`TorchLoss`; all else
    is passed on.

    Raises
    ------
    TypeError
        If `value` is a module instead of its class.
    """
    if isinstance(value, nn.Module):
        cls = type(value).__name__
        raise TypeError(
            f"The 'loss' parameter takes no built module. Got an instance of {cls}: give its "
            f"class, loss={cls}, or with arguments loss=TorchLoss({cls}, ...)."
        )
    if isinstance(value, type):
        return TorchLoss(value) if issubclass(value, nn.Module) else value
    if isinstance(value, str | Loss) or not callable(value):
        return value
    return FunctionLoss(value)
