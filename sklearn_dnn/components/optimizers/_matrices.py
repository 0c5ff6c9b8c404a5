"""Rules that see weights as matrices, and the rest of a row as one vector.

They keep the matrices' shapes as the state ``"shapes"``, an int64 tensor (n, 2). Without shapes
the whole row is the vector. Members are not stacked: a matrix is one member's.
"""

from __future__ import annotations

import math
import numbers

import torch
from torch import Tensor

from ..._compat import Interval, StrOptions, fused_adam_
from ..base import Scheduled
from ._base import OPTIMIZERS, Optimizer, Shapes, State, cast, kept_shapes, matrices, n_weights
from ._moments import BELOW_ONE, NON_NEGATIVE, POSITIVE, advance, new_step


@OPTIMIZERS.register("adafactor")
class Adafactor(Optimizer):
    r"""Adam without momentum whose squares of a matrix are kept as its row and column means.

    For a weight matrix with row means :math:`r` and column means :math:`c` of :math:`g^2`, both
    running averages with the weight :math:`t^{\gamma}` on what is new,

    .. math::
        u = g \Big/ \sqrt{\frac{r c^T}{\operatorname{mean}(r)}}, \qquad
        \theta \leftarrow \theta - \max(\epsilon_2, \operatorname{rms}(\theta))
        \min(\eta, t^{-1/2}) \frac{u}{\max(1, \operatorname{rms}(u) / d)} .

    The rest of a row (biases, vectors of norms) is one vector, whose squares are averaged one
    by one.

    Parameters
    ----------
    beta_2_decay : float, default=-0.8
        :math:`\gamma \leq 0`, how fast the memory of the averages grows.
    epsilon_1 : float or None, default=None
        The smallest root of an average; None for the spacing of floating-point numbers at 1.
    epsilon_2 : float, default=1e-3
        The least scale of a parameter, for those that are zero.
    threshold : float, default=1.0
        :math:`d > 0`, the largest root mean square of :math:`u`.

    Notes
    -----
    It is torch's, but that there every bias is a vector of its own. The rate is relative to the
    size of the parameters; the default, 0.01, is the paper's and torch's. torch's decoupled
    decay is the estimator's ``weight_decay``.

    References
    ----------
    N. Shazeer and M. Stern, "Adafactor: adaptive learning rates with sublinear memory cost",
    ICML 2018, algorithms 4 and 5.
    """

    stackable = False
    rate_linear = False
    varying = ("beta_2_decay", "epsilon_2", "threshold")
    default_rate = 0.01
    _parameter_constraints = {
        "beta_2_decay": [Interval(numbers.Real, None, 0, closed="right")],
        "epsilon_1": [Interval(numbers.Real, 0, 1, closed="right"), None],
        "epsilon_2": [NON_NEGATIVE],
        "threshold": [POSITIVE],
    }

    def __init__(
        self,
        beta_2_decay: float = -0.8,
        epsilon_1: float | None = None,
        epsilon_2: float = 1e-3,
        threshold: float = 1.0,
    ) -> None:
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.threshold = threshold

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {
            "rows": theta.new_zeros((1, sum(n_in for n_in, _ in shapes))),
            "columns": theta.new_zeros((1, sum(n_out for _, n_out in shapes))),
            "square": theta.new_zeros((1, theta.shape[1] - n_weights(shapes))),
            "step": new_step(theta),
            "shapes": kept_shapes(shapes),
        }

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: dict[str, float]
    ) -> None:
        shapes = state["shapes"].tolist()
        step = advance(state)
        new = cast(step ** c["beta_2_decay"], theta)
        slowest = step**-0.5
        relative = slowest.clamp(max=rate) if isinstance(slowest, Tensor) else min(rate, slowest)
        smallest = torch.finfo(theta.dtype).eps if self.epsilon_1 is None else self.epsilon_1

        def move(weight: Tensor, gradient: Tensor, square: Tensor) -> None:
            update = square.clamp_(min=smallest**2).rsqrt_().mul_(gradient)
            excess = (_rms(update) / c["threshold"]).clamp_(min=1)
            scale = _rms(weight).clamp_(min=c["epsilon_2"])
            weight.sub_(update.mul_(scale * cast(relative, theta) / excess))

        rows = state["rows"][0].split([n_in for n_in, _ in shapes])
        columns = state["columns"][0].split([n_out for _, n_out in shapes])
        weights, gradients = matrices(theta, shapes), matrices(grad, shapes)
        for weight, gradient, row, column in zip(weights, gradients, rows, columns, strict=True):
            square = gradient.square()
            row.lerp_(square.mean(1), new)
            column.lerp_(square.mean(0), new)
            move(weight, gradient, torch.outer(row, column).div_(row.mean().clamp_(min=smallest)))
        head = n_weights(shapes)
        if head < theta.shape[1]:
            vector = state["square"].lerp_(grad[:, head:].square(), new)
            move(theta[:, head:], grad[:, head:], vector.clone())


def _rms(x: Tensor) -> Tensor:
    return x.square().mean().sqrt_()


@OPTIMIZERS.register("muon")
class Muon(Optimizer):
    r"""Momentum whose step on a matrix is made orthogonal; Adam on the rest.

    For a weight matrix (n_in, n_out), with :math:`N` as below,

    .. math::
        m \leftarrow \mu m + (1 - \mu) g, \qquad
        \theta \leftarrow \theta - \eta s N(\mu m + (1 - \mu) g)

    (or :math:`N(m)` without Nesterov's momentum). :math:`N` divides a matrix by its norm and
    takes, `ns_steps` times, :math:`X \leftarrow a X + (b X X^T + c (X X^T)^2) X` with
    :math:`a, b, c = 3.4445, -4.775, 2.0315`, which brings all singular values near 1.

    ======================= =============================================================
    part of the row         rule
    ======================= =============================================================
    every weight matrix,    the above, with :math:`s` by `adjust`:
    the first and the last  ``"match_rms_adamw"``: :math:`0.2 \sqrt{\max(n_{in}, n_{out})}`;
    too                     ``"original"``: :math:`\sqrt{\max(1, n_{out} / n_{in})}`
    biases and the vectors  :class:`Adam` with `beta_1`, `beta_2` and `epsilon`
    of norms
    ======================= =============================================================

    Parameters
    ----------
    momentum : float or Scheduled, default=0.95
        :math:`\mu` in [0, 1), the memory of the average.
    nesterov : bool, default=True
        Whether to look ahead.
    ns_steps : int, default=5
        How often the polynomial is taken, from 1 to 99.
    adjust : {"match_rms_adamw", "original"}, default="match_rms_adamw"
        How the step depends on the matrix' shape.
    beta_1, beta_2 : float, default=0.9 and 0.999
        Of :class:`Adam`.
    epsilon : float, default=1e-8
        Of :class:`Adam`.

    Notes
    -----
    On the matrices it is ``torch.optim.Muon``, which knows nothing else and computes
    :math:`N` in bfloat16, where we keep the type of the weights. Its decoupled decay
    (0.1 by default) is the estimator's ``weight_decay``, 0 by default. Its `adjust` is
    ``"original"``, which wants rates near 0.02 that are too large for Adam on the rest; ours
    gives steps of Adam's size, so that one rate serves both: the default is Adam's, 0.001.

    References
    ----------
    K. Jordan et al., "Muon: an optimizer for hidden layers in neural networks", 2024.
    J. Liu et al., "Muon is scalable for LLM training", arXiv:2502.16982, 2025.
    """

    stackable = False
    slots = ("mean",)
    varying = ("momentum", "beta_1", "beta_2", "epsilon")
    momentum_name = "momentum"
    _parameter_constraints = {
        "momentum": [BELOW_ONE, Scheduled],
        "nesterov": ["boolean"],
        "ns_steps": [Interval(numbers.Integral, 1, 99, closed="both")],
        "adjust": [StrOptions({"match_rms_adamw", "original"})],
        "beta_1": [BELOW_ONE],
        "beta_2": [BELOW_ONE],
        "epsilon": [POSITIVE],
    }

    def __init__(
        self,
        momentum: float | Scheduled = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        adjust: str = "match_rms_adamw",
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.momentum = momentum
        self.nesterov = nesterov
        self.ns_steps = ns_steps
        self.adjust = adjust
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        return {
            "square": theta.new_zeros((1, theta.shape[1] - n_weights(shapes))),
            "step": new_step(theta),
            "shapes": kept_shapes(shapes),
        }

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: dict[str, float]
    ) -> None:
        shapes = state["shapes"].tolist()
        momentum = c["momentum"]
        for weight, gradient, mean in zip(
            matrices(theta, shapes),
            matrices(grad, shapes),
            matrices(state["mean"], shapes),
            strict=True,
        ):
            mean.lerp_(gradient, 1 - momentum)
            direction = torch.lerp(gradient, mean, momentum) if self.nesterov else mean
            scale = self._scale(*weight.shape)
            weight.add_(_orthogonal(direction, self.ns_steps), alpha=-rate * scale)
        head = n_weights(shapes)
        fused_adam_(
            [theta[:, head:]],
            [grad[:, head:]],
            [state["mean"][:, head:]],
            [state["square"]],
            [],
            [state["step"].add_(1)],
            lr=rate,
            beta1=c["beta_1"],
            beta2=c["beta_2"],
            weight_decay=0.0,
            eps=c["epsilon"],
            amsgrad=False,
            maximize=False,
        )

    def _scale(self, n_in: int, n_out: int) -> float:
        if self.adjust == "original":
            return math.sqrt(max(1.0, n_out / n_in))
        return 0.2 * math.sqrt(max(n_in, n_out))


def _orthogonal(matrix: Tensor, steps: int) -> Tensor:
    """About :math:`U V^T` of a matrix :math:`U S V^T`, by Newton and Schulz's iteration."""
    wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = wide / wide.norm().clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.775, alpha=2.0315), x, beta=3.4445)
    return x.T if matrix.shape[0] > matrix.shape[1] else x
