"""Augmentations that make new rows of those in a batch: between two, or against the network."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import (
    AUGMENTATIONS,
    NON_NEGATIVE,
    Augmentation,
    Augmented,
    Coefficient,
    LossView,
    cast,
    is_off,
)


@AUGMENTATIONS.register("mixup")
class Mixup(Augmentation):
    r"""Rows between two rows: inputs, targets and weights are mixed alike.

    .. math:: x'_i = \lambda_i x_i + (1 - \lambda_i) x_{\pi(i)}, \quad
        y'_i = \lambda_i y_i + (1 - \lambda_i) y_{\pi(i)}, \quad
        \lambda_i \sim \mathrm{Beta}(\alpha, \alpha)

    with a random permutation :math:`\pi` of the batch. Classes become distributions.

    Parameters
    ----------
    alpha : float, default=0.2
        :math:`\alpha \geq 0`: near 0 most rows stay nearly as they are, 1 is the uniform
        distribution, a large one gives the middle of two rows. 0 changes nothing.

    Notes
    -----
    Each row has its own :math:`\lambda`; the authors' program draws one a batch, which has the
    same mean and noisier steps. Mixed weights are rescaled so that they keep their sum.

    References
    ----------
    H. Zhang, M. Cisse, Y. N. Dauphin and D. Lopez-Paz, "mixup: beyond empirical risk
    minimization", ICLR 2018.
    """

    varying = ("alpha",)
    needs_distribution = True
    takes_codes = False
    _parameter_constraints = {"alpha": [NON_NEGATIVE]}

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        alpha = c["alpha"]
        if is_off(alpha):
            return x, y, share
        assert y.is_floating_point(), "indices of classes can't be mixed"
        rows = x.shape[:-1]
        part = draw_symmetric_beta(alpha, (*rows, 1), x.device, generator).to(x.dtype)
        draws = torch.rand(rows, generator=generator, device=x.device, dtype=torch.float32)
        partner = draws.argsort(-1).unsqueeze(-1)

        def mix(t: Tensor) -> Tensor:
            return torch.lerp(torch.take_along_dim(t, partner, -2), t, part)

        if isinstance(share, Tensor):
            mixed = mix(share)
            share = mixed * (share.sum(-2, keepdim=True) / mixed.sum(-2, keepdim=True))
        return mix(x), mix(y), share


def draw_symmetric_beta(
    alpha: Coefficient,
    shape: Sequence[int],
    device: torch.device,
    generator: torch.Generator,
) -> Tensor:
    r"""Draws from :math:`\mathrm{Beta}(\alpha, \alpha)` in float64; 1 where alpha is 0.

    If :math:`T` has Student's distribution with :math:`\nu = 2 \alpha` degrees of freedom,
    :math:`(1 + T / \sqrt{\nu + T^2}) / 2` has the one wanted, and
    :math:`\sqrt{\nu (U^{-2 / \nu} - 1)} \cos 2 \pi V` of two uniform numbers is such a
    :math:`T`. Nothing is rejected, and torch's own draws take no generator.

    References
    ----------
    R. W. Bailey, "Polar generation of random variates with the t-distribution", Mathematics of
    Computation 62, 1994.
    """
    if isinstance(alpha, Tensor):
        alpha = alpha.double()
    u, v = torch.rand((2, *shape), generator=generator, dtype=torch.float64, device=device)
    w = u.pow(1.0 / alpha)
    cosine = v.mul(2.0 * math.pi).cos()
    # multiplied by U^(2 / nu), which is 0 rather than infinite for a small alpha
    ratio = (1.0 - w).sqrt() * cosine / (w + (1.0 - w) * cosine.square()).sqrt()
    part = 0.5 + 0.5 * ratio
    return torch.where(alpha == 0, 1.0, part) if isinstance(alpha, Tensor) else part


@AUGMENTATIONS.register("adversarial")
class Adversarial(Augmentation):
    r"""Adversarial rows by the fast gradient sign method, learnt beside the clean ones.

    .. math:: x' = x + \epsilon\, \mathrm{sign}(\nabla_x J(x, y)), \quad
        \tilde J = a J(x, y) + (1 - a) J(x', y)

    The batch doubles: clean rows first, then their twins.

    Parameters
    ----------
    epsilon : float, default=0.05
        :math:`\epsilon \geq 0`, in standard deviations of a column; 0 changes nothing.
    clean_share : float, default=0.5
        :math:`a \in [0, 1]`, the weight of the clean rows; 1 changes nothing.

    Notes
    -----
    A step costs about three times as much: a pass down and up for the inputs' gradient, then
    one over twice the rows. Where members of a stack differ, one of :math:`\epsilon = 0` has
    each row twice, which is the same loss. All columns move, also those that stand for
    categories. Batch statistics are those of both halves together.

    References
    ----------
    I. J. Goodfellow, J. Shlens and C. Szegedy, "Explaining and harnessing adversarial
    examples", ICLR 2015.
    """

    varying = ("epsilon", "clean_share")
    needs_gradient = True
    _parameter_constraints = {
        "epsilon": [NON_NEGATIVE],
        "clean_share": [Interval(numbers.Real, 0, 1, closed="both")],
    }

    def __init__(self, epsilon: float = 0.05, clean_share: float = 0.5) -> None:
        self.epsilon = epsilon
        self.clean_share = clean_share

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        epsilon, clean = cast(c["epsilon"], x), cast(c["clean_share"], x)
        if is_off(epsilon) or is_off(1.0 - clean):
            return x, y, share
        twins = loss.input_gradient(x, y).sign().mul_(epsilon).add_(x)
        axis = x.dim() - 2
        if isinstance(share, Tensor) or isinstance(clean, Tensor) or clean != 0.5:
            rows = x.new_ones((*x.shape[:-1], 1)) * share
            share = torch.cat([rows * clean, rows * (1.0 - clean)], axis)
        else:
            share = 0.5 * share
        return torch.cat([x, twins], axis), torch.cat([y, y], axis), share
