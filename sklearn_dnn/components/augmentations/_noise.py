"""Augmentations that add noise: to inputs, to targets, to labels."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ..._compat import StrOptions
from ._base import (
    AUGMENTATIONS,
    CLASSES,
    NON_NEGATIVE,
    Augmentation,
    Augmented,
    Coefficient,
    LossView,
    cast,
    draw_normal,
    is_off,
)


@AUGMENTATIONS.register("input_noise")
class InputNoise(Augmentation):
    r"""Noise on the inputs: :math:`x + \sigma z`, with :math:`z` of mean 0 and variance 1.

    For a small :math:`\sigma` and squared error this is a penalty
    :math:`\frac{\sigma^2}{2} \|\nabla_x f\|^2` on the slope of the network.

    Parameters
    ----------
    std : float, default=0.1
        :math:`\sigma \geq 0`, in standard deviations of a column: at 1 the noise is as large
        as the signal.
    distribution : {"normal", "uniform"}, default="normal"
        Of :math:`z`; ``"uniform"`` is flat on :math:`[-\sqrt 3, \sqrt 3]`.

    Notes
    -----
    The unit is right where inputs are standardised (``input_scaling="standard"``). All columns
    get noise, also those that stand for categories. Keras' ``GaussianNoise`` is the same with
    the unit of whatever it is given.

    References
    ----------
    C. M. Bishop, "Training with noise is equivalent to Tikhonov regularization", Neural
    Computation 7, 1995.
    """

    varying = ("std",)
    numbers_alone = True
    _parameter_constraints = {
        "std": [NON_NEGATIVE],
        "distribution": [StrOptions({"normal", "uniform"})],
    }

    def __init__(
        self, std: float = 0.1, distribution: Literal["normal", "uniform"] = "normal"
    ) -> None:
        self.std = std
        self.distribution = distribution

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        std = c["std"]
        if is_off(std):
            return x, y, share
        if self.distribution == "normal":
            noise = draw_normal(x.shape, x, generator)
        else:
            half = math.sqrt(3.0)
            noise = torch.empty_like(x).uniform_(-half, half, generator=generator)
        return noise.mul_(cast(std, x)).add_(x), y, share


@AUGMENTATIONS.register("target_noise")
class TargetNoise(Augmentation):
    r"""Normal noise on the targets of a regression: :math:`y + \sigma z`.

    Each output of each row gets its own.

    Parameters
    ----------
    std : float, default=0.1
        :math:`\sigma \geq 0`, in units of the target that the network sees: standard
        deviations with ``target_scaling="standard"``.

    Notes
    -----
    With squared error the expected gradient is that without noise: it only makes steps noisier.
    A loss that forbids some targets, as ``"poisson"`` does negative ones, may meet them.

    References
    ----------
    G. An, "The effects of adding noise during backpropagation training on a generalization
    performance", Neural Computation 8, 1996.
    """

    varying = ("std",)
    kinds = frozenset({"regression"})
    _parameter_constraints = {"std": [NON_NEGATIVE]}

    def __init__(self, std: float = 0.1) -> None:
        self.std = std

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        std = c["std"]
        if is_off(std):
            return x, y, share
        return x, draw_normal(y.shape, y, generator).mul_(cast(std, y)).add_(y), share


@AUGMENTATIONS.register("label_noise")
class LabelNoise(Augmentation):
    r"""Label smoothing by a random amount, one a row.

    .. math:: y' = (1 - \epsilon) y + \epsilon u, \quad
        \epsilon = \min(|z|, 1/2), \quad z \sim N(0, \sigma^2)

    where :math:`u` is the uniform distribution: :math:`1/k` for each of :math:`k` classes,
    :math:`1/2` for a yes-or-no label. Half of the weight at least stays with the given label.

    Parameters
    ----------
    std : float, default=0.1
        :math:`\sigma \geq 0`, as a probability. The mean of :math:`\epsilon` is about
        :math:`0.8\,\sigma`.

    References
    ----------
    C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens and Z. Wojna, "Rethinking the inception
    architecture for computer vision", CVPR 2016, for a constant :math:`\epsilon`, which
    ``label_smoothing`` is.
    """

    varying = ("std",)
    kinds = CLASSES
    needs_smoothing = True
    _parameter_constraints = {"std": [NON_NEGATIVE]}

    def __init__(self, std: float = 0.1) -> None:
        self.std = std

    def forward(
        self,
        x: Tensor,
        y: Tensor,
        share: float | Tensor,
        c: dict[str, Coefficient],
        generator: torch.Generator,
        loss: LossView,
    ) -> Augmented:
        std = c["std"]
        if is_off(std):
            return x, y, share
        amount = draw_normal((*x.shape[:-1], 1), x, generator).abs_().mul_(cast(std, x))
        return x, loss.smooth(y, amount.clamp_(max=0.5)).to(x.dtype), share
