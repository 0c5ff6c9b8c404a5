"""Norms of one row: rows of a batch do not mix, and prediction is as training."""

from __future__ import annotations

import numbers
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ..._compat import Interval, StrOptions
from ._base import NORMS, POSITIONS, Norm

_EPSILONS = [Interval(numbers.Real, 0, None, closed="neither")]


@NORMS.register("layer")
class LayerNorm(Norm):
    r"""Layer normalization, :math:`w\,(z - \mu) / \sqrt{\sigma^2 + \epsilon} + b`, row by row.

    The mean :math:`\mu` and the biased variance :math:`\sigma^2` are taken over the units of one
    row, in training and in prediction alike, so that rows of a batch do not mix.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance, above 0.
    position : {"before", "after"}, default="before"
        Whether the norm stands before the activation or after it.

    References
    ----------
    J. L. Ba, J. R. Kiros and G. E. Hinton, "Layer normalization", arXiv:1607.06450, 2016.
    """

    input_scaling = "common"
    _parameter_constraints = {"epsilon": _EPSILONS, "position": POSITIONS}

    def __init__(self, epsilon: float = 1e-5, position: str = "before") -> None:
        self.epsilon = epsilon
        self.position = position

    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        weight, bias = parameters["weight"], parameters["bias"]
        width = z.shape[-1:]
        if weight.dim() == 1:
            return functional.layer_norm(z, width, weight, bias, self.epsilon)
        # The kernel knows no weights that differ by member.
        return torch.addcmul(bias, functional.layer_norm(z, width, eps=self.epsilon), weight)

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.LayerNorm(width, eps=self.epsilon)


@NORMS.register("rms")
class RMSNorm(Norm):
    r"""Root mean square normalization, :math:`w\,z / \sqrt{\overline{z^2} + \epsilon}`.

    The mean of the squares is taken over the units of one row, in training and in prediction
    alike. It is layer normalization without its mean and its bias, and so cheaper.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the mean square, above 0. Torch's default is the precision of the dtype,
        1.2e-7 in float32; Keras' is 1e-6.
    position : {"before", "after"}, default="before"
        Whether the norm stands before the activation or after it.

    References
    ----------
    B. Zhang and R. Sennrich, "Root mean square layer normalization", NeurIPS 2019.
    """

    input_scaling = "common"
    _parameter_constraints = {"epsilon": _EPSILONS, "position": POSITIONS}

    parameter_starts = {"weight": 1.0}
    module_names = {"weight": "weight"}

    def __init__(self, epsilon: float = 1e-5, position: str = "before") -> None:
        self.epsilon = epsilon
        self.position = position

    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        weight, width = parameters["weight"], z.shape[-1:]
        if weight.dim() == 1:
            return functional.rms_norm(z, width, weight, self.epsilon)
        return functional.rms_norm(z, width, eps=self.epsilon) * weight

    def module(self, width: int) -> torch.nn.Module:
        return torch.nn.RMSNorm(width, eps=self.epsilon)


# "auto" makes at most this many groups, of at least this many units.
_MOST_GROUPS = 8
_FEWEST_UNITS = 8


@NORMS.register("group")
class GroupNorm(Norm):
    r"""Group normalization, :math:`w\,(z - \mu_g) / \sqrt{\sigma_g^2 + \epsilon} + b`.

    The units of a layer are cut into groups of equal size, neighbours together. The mean
    :math:`\mu_g` and the biased variance :math:`\sigma_g^2` are taken over the units of one
    group in one row, in training and in prediction alike. One group is layer normalization.

    Parameters
    ----------
    n_groups : int or "auto", default="auto"
        The number of groups. It must divide the width of every hidden layer, and leave at least
        2 units a group, since the norm of a single unit is 0 always. "auto" takes for each
        layer the most groups, up to 8, that have equal sizes of at least 8 units; one group
        where there are none such.
    epsilon : float, default=1e-5
        Added to the variance, above 0.
    position : {"before", "after"}, default="before"
        Whether the norm stands before the activation or after it.

    References
    ----------
    Y. Wu and K. He, "Group normalization", ECCV 2018; its groups are of channels of an image.
    """

    input_scaling = "common"
    _parameter_constraints = {
        "n_groups": [Interval(numbers.Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "epsilon": _EPSILONS,
        "position": POSITIONS,
    }

    def __init__(
        self, n_groups: int | str = "auto", epsilon: float = 1e-5, position: str = "before"
    ) -> None:
        self.n_groups = n_groups
        self.epsilon = epsilon
        self.position = position

    def check_width(self, width: int, parameter: str = "hidden_layer_sizes") -> None:
        n_groups = self._groups_of(width)
        if n_groups > 1 and (width % n_groups or width == n_groups):
            raise ValueError(
                f"GroupNorm(n_groups={n_groups}) needs a width that is a multiple of {n_groups}, "
                f"with at least 2 units a group. Got {width} units: change {parameter}, or use "
                "n_groups='auto'."
            )

    def forward(
        self,
        z: Tensor,
        parameters: Mapping[str, Tensor],
        buffers: Mapping[str, Tensor],
        training: bool,
        counts: Tensor | None = None,
    ) -> Tensor:
        groups = z.unflatten(-1, (self._groups_of(z.shape[-1]), -1))  # (.., k) -> (.., g, k / g)
        normalized = functional.layer_norm(groups, groups.shape[-1:], eps=self.epsilon)
        return torch.addcmul(parameters["bias"], normalized.flatten(-2), parameters["weight"])

    def module(self, width: int) -> torch.nn.Module:
        self.check_width(width)
        return torch.nn.GroupNorm(self._groups_of(width), width, eps=self.epsilon)

    def _groups_of(self, width: int) -> int:
        """The number of groups in a layer of `width` units."""
        if not isinstance(self.n_groups, str):
            return int(self.n_groups)
        most = min(_MOST_GROUPS, width // _FEWEST_UNITS)
        return next((n for n in range(most, 1, -1) if width % n == 0), 1)
