"""What a loss is: its base class, the registry of names, and a loss that is given a link.

A loss owns its link: the network ends in raw numbers, and :meth:`Loss.inverse_link` turns them
into predictions. ``b`` is the number of rows, ``t`` that of targets, ``r`` the raw outputs that
each target takes, ``k = t * r`` all raw outputs; those of one target stand together. Every
method also takes a leading axis of stacked networks, written ``..``.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ..._compat import offers
from ..base import Component, computed
from ..registry import Registry
from ._constants import flat_point, minimum, weighted_mean

KINDS = ("regression", "binary", "multiclass", "multilabel")

# A link is asked no further out than this where it has stopped to move.
FAR = 8.0


class Link(Protocol):
    """Turns raw outputs into predictions number by number, as an activation does."""

    def forward(self, z: Tensor) -> Tensor: ...


class Loss(Component):
    """A function of raw outputs and targets, summed over targets, one value a row.

    Training minimises the weighted mean of :meth:`values` over the rows of a batch. A loss
    that also defines :meth:`gradient` (and says so in `has_gradient`) is trained without the
    overhead of autograd; the results are the same.

    Attributes
    ----------
    kinds : collection of {"regression", "binary", "multiclass", "multilabel"}
        The tasks that the loss is for.
    out_activation : str
        Name of the inverse link, as scikit-learn's ``out_activation_``.
    scales_target : bool
        True if targets may be standardised: predictions of moved and stretched targets are
        the predictions moved and stretched.
    outputs_per_target : int
        Raw outputs that a target takes.
    has_gradient : bool
        True if :meth:`gradient` is defined.
    has_probabilities : bool
        Of a loss for classes or labels: True if :meth:`inverse_link` gives probabilities.
        Otherwise its results only rank, and a label is predicted where they are above 0.5.
    is_calibratable : bool
        True if the loss is the negative logarithm of the probability that :meth:`inverse_link`
        gives, so that a temperature of raw outputs can be fitted by it.
    has_symmetric_link : bool
        Of a loss of two classes: True if :meth:`inverse_link` of ``-raw`` is one less that of
        `raw`. The probability of the first class is then computed so, which keeps the digits of
        small ones; otherwise it is one less that of the second.
    takes_distributions : bool
        Of a loss of several classes: True if :meth:`values` takes distributions over the
        classes too, ``(.., b, k)``, as augmentations that mix rows make them.
    has_deviation : bool
        True if :meth:`deviation` is defined.
    has_quantiles : bool
        True if :meth:`quantiles` is defined.
    """

    kinds: Collection[str] = frozenset({"regression"})
    out_activation: str = "identity"
    scales_target: bool = True
    outputs_per_target: int = 1
    has_gradient: bool = False
    has_probabilities: bool = True
    is_calibratable: bool = False
    has_symmetric_link: bool = False
    takes_distributions: bool = False
    has_deviation: ClassVar[bool] = False
    has_quantiles: ClassVar[bool] = False

    def bind(self, kind: str) -> Loss:
        """The loss that is really trained for a task of this kind."""
        return self

    @abstractmethod
    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        """Loss of each row: ``(.., b, k), target -> (.., b)``.

        Targets are ``(.., b, t)`` numbers, 0 or 1 for two classes or labels, or ``(.., b)``
        class indices; with `takes_distributions` also ``(.., b, k)`` shares of the classes.
        """

    def gradient(self, raw: Tensor, target: Tensor) -> Tensor:
        """Derivative of :meth:`values` by `raw`, shape ``(.., b, k)``, as a new tensor."""
        raise AssertionError(f"{type(self).__name__} leaves its gradient to autograd")

    def prepare(self, target: Tensor, n_outputs: int, dtype: torch.dtype) -> Tensor:
        """All training targets in the form that steps read fastest; as they are by default."""
        return target

    def smooth(self, target: Tensor, smoothing: float | Tensor, n_outputs: int) -> Tensor:
        """Targets that :meth:`values` takes, moved towards the uniform distribution."""
        raise AssertionError(f"{type(self).__name__} has no labels to smooth")

    def inverse_link(self, raw: Tensor) -> Tensor:
        """Predictions from raw outputs, ``(.., b, k) -> (.., b, t)``."""
        return raw

    def log_inverse_link(self, raw: Tensor) -> Tensor:
        """Logarithms of :meth:`inverse_link`, finite also where probabilities are too small.

        A loss that can compute them from raw outputs defines them; by default they are the
        logarithms of what the link gives.
        """
        return self.inverse_link(raw).log()

    def log_complement(self, raw: Tensor) -> Tensor:
        """Logarithms of one less :meth:`inverse_link`, of a loss of two classes or labels."""
        if self.has_symmetric_link:
            return self.log_inverse_link(-raw)
        return (-self.inverse_link(raw)).log1p()

    def deviation(self, raw: Tensor) -> Tensor:
        """Standard deviation of each target, ``(.., b, k) -> (.., b, t)``."""
        raise AssertionError(f"{type(self).__name__} predicts no deviation")

    def quantiles(self, raw: Tensor) -> Tensor:
        """Quantiles of each target, lowest first, ``(.., b, k) -> (.., b, t, q)``."""
        raise AssertionError(f"{type(self).__name__} predicts no quantiles")

    def target_fault(self, lowest: float) -> str:
        """What is wrong with targets whose smallest value is `lowest`; "" if nothing."""
        return ""

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        """Raw outputs of the constant prediction with the smallest mean loss.

        A loss without a formula for it is minimised by a numeric search (BFGS, and Powell's
        method at a kink), from the mean of the targets where the link is the identity, else
        from 0. Where several raw outputs meet in a kink it may end near the best only.

        Parameters
        ----------
        target : Tensor of shape (n, t), or (n,) of class indices
            As :meth:`values` takes them.
        weight : Tensor of shape (n,), default=None
            Of rows; None for ones.
        n_outputs : int, default=None
            Number of classes, where `target` holds indices; None for the largest index + 1.

        Returns
        -------
        Tensor of shape (k,), float64
        """
        is_index = not target.is_floating_point()
        target = target if is_index else target.double()
        if is_index:
            k = int(target.max()) + 1 if n_outputs is None else n_outputs
        else:
            k = target.shape[-1] * self.outputs_per_target
        start = torch.zeros(k, dtype=torch.float64, device=target.device)
        if self.out_activation == "identity" and not is_index and k == target.shape[-1]:
            start = weighted_mean(target, weight)

        def mean(raw: Tensor) -> Tensor:
            values = self.values(raw.expand(len(target), -1), target).unsqueeze(-1)
            return weighted_mean(values, weight)[0]

        return minimum(mean, start)

    def with_output_weights(self, weights: Sequence[float]) -> Loss:
        """This loss with a weight for each target in the sum over targets.

        Raises
        ------
        ValueError
            If the loss is no sum over targets, or a weight is bad.
        """
        raise ValueError(
            f"loss={self!r} is no sum over targets that weights could change. Leave out "
            "output_weights, use a loss such as 'squared_error', or write yours as a subclass of "
            "ElementwiseLoss."
        )

    def with_link(self, link: Link) -> Loss:
        """This loss of predictions ``link.forward(raw)``.

        Raises
        ------
        ValueError
            If raw outputs of this loss are no predictions: it has a link already.
        """
        if self.out_activation != "identity" or self.outputs_per_target != 1:
            raise ValueError(
                f"loss={self!r} has a link of its own ({self.out_activation!r}, "
                f"{self.outputs_per_target} raw outputs a target), so that {link!r} can't be its "
                "link. Leave output_activation='identity', or use a loss of plain predictions "
                "such as 'squared_error' or 'huber'."
            )
        linked = LinkedLoss(self, link)
        linked.validate()
        return linked


LOSSES: Registry[Loss] = Registry("loss", Loss)


class LinkedLoss(Loss):
    r"""A loss of predictions :math:`\hat y = g(z)`, such as softplus for positive ones.

    Made by :meth:`Loss.with_link`. Its gradient is autograd's.

    Parameters
    ----------
    loss : Loss
        A loss whose own link is the identity, bound to its task.
    link : object with a method ``forward(z)``
        A rising function of numbers, such as an activation.
    """

    _parameter_constraints = {"loss": [Loss], "link": "no_validation"}
    scales_target = False

    def __init__(self, loss: Loss, link: Link) -> None:
        self.loss = loss
        self.link = link

    def _check(self) -> None:
        if not offers(self.link, "forward"):
            raise TypeError(
                "The link of a loss needs a method forward(z), as activations have it. Got "
                f"{self.link!r} instead."
            )

    @computed
    def kinds(self) -> Collection[str]:
        return self.loss.kinds

    @computed
    def out_activation(self) -> str:
        return type(self.link).__name__.lower()

    @computed
    def has_quantiles(self) -> bool:
        return self.loss.has_quantiles

    def values(self, raw: Tensor, target: Tensor) -> Tensor:
        return self.loss.values(self.link.forward(raw), target)

    def inverse_link(self, raw: Tensor) -> Tensor:
        return self.link.forward(raw)

    def quantiles(self, raw: Tensor) -> Tensor:
        return self.loss.quantiles(self.link.forward(raw))

    def target_fault(self, lowest: float) -> str:
        return self.loss.target_fault(lowest)

    def with_output_weights(self, weights: Sequence[float]) -> Loss:
        return LinkedLoss(self.loss.with_output_weights(weights), self.link)

    def best_constant(
        self, target: Tensor, weight: Tensor | None = None, n_outputs: int | None = None
    ) -> Tensor:
        """Raw outputs whose prediction is the best constant of the bare loss, by bisection.

        Where a bounded link does not reach it, the raw output is 8 or -8: from there it can
        still learn.
        """
        wanted = self.loss.best_constant(target, weight, n_outputs)
        low, high = (self._reach(wanted, sign) for sign in (-1.0, 1.0))
        return flat_point(lambda z: self.link.forward(z) - wanted, low, high)

    def _reach(self, wanted: Tensor, sign: float) -> Tensor:
        """The end of the raw outputs to look among, on one side."""
        far = torch.full_like(wanted, sign * FAR)
        start = self.link.forward(torch.zeros_like(far))
        for _ in range(64):
            here, beyond = self.link.forward(far), self.link.forward(2 * far)
            # a link that rises by no hundredth more on twice the way is bounded
            rises = (beyond - here).abs() > 0.01 * (here - start).abs()
            goes_on = (sign * (wanted - here) > 0) & rises
            if not goes_on.any():
                break
            far = torch.where(goes_on, 2 * far, far)
        return far
