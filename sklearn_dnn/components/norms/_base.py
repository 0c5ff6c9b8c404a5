"""What a normalization is: the base class of norms, and their registry."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from ..._compat import StrOptions
from ..base import Component
from ..registry import Registry

POSITIONS = [StrOptions({"before", "after"})]


class Norm(Component):
    """A normalization of a layer's output or of its weights.

    A norm may have trainable vectors and vectors that follow the data; each has one number a
    unit.

    Attributes
    ----------
    parameter_starts : dict of str to float
        The trainable vectors and the constant each starts at, where :meth:`start_vectors` does
        not say otherwise.
    buffer_starts : dict of str to float
        Likewise the vectors that follow the data instead of a gradient.
    module_names : dict of str to str
        What torch's module calls each of these vectors.
    on_weights : bool
        Whether the norm acts by :meth:`weight` on weight matrices; :meth:`forward` then changes
        nothing. Otherwise it acts by :meth:`forward` on outputs, and :meth:`weight` changes
        nothing.
    position : {"before", "after"}
        Whether outputs are normalized before the activation or after it.
    input_scaling : {"standard", "common"} or None
        What a table's columns get in front of a norm of inputs, so that neither its epsilon nor a
        column far from zero is lost in rounding: each one mean 0 and deviation 1, which a norm
        of columns does not see; or all of them one common factor, which one of rows does not
        see. None leaves them as they are.
    """

    parameter_starts: ClassVar[dict[str, float]] = {"weight": 1.0, "bias": 0.0}
    buffer_starts: ClassVar[dict[str, float]] = {}
    module_names: ClassVar[dict[str, str]] = {"weight": "weight", "bias": "bias"}
    on_weights: ClassVar[bool] = False
    input_scaling: ClassVar[str | None] = None
    position: str = "before"

    @property
    def drops_bias(self) -> bool:
        """Whether a constant added to each unit in front of the norm changes nothing.

        The bias of the layer is then redundant.
        """
        return False

    def check_width(self, width: int, parameter: str = "hidden_layer_sizes") -> None:
        """Refuse a `width` that cannot be normalized; all widths can by default.

        Parameters
        ----------
        width : int
            Units of a layer, or columns.
        parameter : str
            The estimator's parameter that the error asks to change.

        Raises
        ------
        ValueError
            Naming the width, which widths are allowed and the way out.
        """

    def start_vectors(self, weight: Tensor) -> dict[str, Tensor]:
        """First values of the trainable vectors of a layer.

        Parameters
        ----------
        weight : Tensor of shape (n_in, k) or (m, n_in, k)
            The layer's weights as they were drawn.

        Returns
        -------
        dict of str to Tensor of shape (k,) or (m, 1, k)
        """
        *lead, _, k = weight.shape
        shape = (*lead, 1, k) if lead else (k,)
        return {name: weight.new_full(shape, at) for name, at in self.parameter_starts.items()}

    def weight(self, weight: Tensor, parameters: Mapping[str, Tensor]) -> Tensor:
        """The weights that a layer works with, for autograd to follow; `weight` by default.

        Parameters
        ----------
        weight : Tensor of shape (n_in, k) or (m, n_in, k)
            The layer's matrix; a column has the incoming weights of one unit.
        parameters : dict of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `parameter_starts`.

        Returns
        -------
        Tensor of the shape of `weight`
        """
        return weight

    @abstractmethod
    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        """Normalize `z`, for autograd to follow.

        Parameters
        ----------
        z : Tensor of shape (b, k) or (m, b, k)
            The output of a layer.
        parameters : dict of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `parameter_starts`.
        buffers : dict of str to Tensor of shape (k,) or (m, 1, k)
            The vectors named in `buffer_starts`; updated in place where `training`.
        training : bool
            Whether `z` is a batch to learn from.
        counts : Tensor of shape (b, 1) or (m, b, 1), default=None
            The weight of each row of that batch; None for 1 each.

        Returns
        -------
        Tensor of the shape of `z`
        """

    def fold(
        self,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
    ) -> tuple[Tensor, Tensor] | None:
        """What :meth:`forward` is in prediction, if that is the same affine map for every row.

        Such a norm can be merged into the dense layer next to it.

        Returns
        -------
        tuple of Tensor of shape (k,) or (m, 1, k), or None
            Scale and shift: ``forward(z) == scale * z + shift``. None if the norm depends on
            the row.
        """
        return None

    @abstractmethod
    def module(self, width: int) -> torch.nn.Module:
        """Torch's module of the same meaning for a layer of `width` units, at its start.

        For a norm of weights it is the identity: :meth:`weight` gives the matrix of the dense
        layer in front of it.
        """


NORMS: Registry[Norm] = Registry("norm", Norm)
