"""FTRL-Proximal: a rule that makes weights exactly zero."""

from __future__ import annotations

import numbers

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import OPTIMIZERS, Coefficient, Coefficients, Optimizer, Shapes, State, cast, n_weights
from ._moments import NON_NEGATIVE


@OPTIMIZERS.register("ftrl")
class FTRL(Optimizer):
    r"""Follow the proximally regularised leader: Adagrad's rates, and weights exactly zero.

    With the sum of squares :math:`n` and the rate of each parameter
    :math:`\eta_t = \eta / (\beta + n_t^{-p})`, the next parameters minimise

    .. math::
        \sum_{s \leq t} \left( g_s \theta + \tfrac 1 2 (\eta_s^{-1} - \eta_{s-1}^{-1})
        (\theta - \theta_s)^2 \right) + \lambda_1 |\theta| + \tfrac 1 2 \lambda_2 \theta^2 .

    Let :math:`a` be what minimises the sum alone. It starts from :math:`\theta`, and

    .. math::
        a \leftarrow \theta + \frac{\eta_t}{\eta_{t-1}} (a - \theta) - \eta_t g, \qquad
        \theta \leftarrow \frac{\operatorname{sign}(a) \max(|a| - \eta_t \lambda_1, 0)}
        {1 + \eta_t \lambda_2} .

    Parameters
    ----------
    l1 : float, default=0.0
        :math:`\lambda_1 \geq 0`; it makes weights exactly zero. It counts once for the whole run,
        against the sum of the mean loss' gradients over all steps: twice the steps need twice
        the `l1` for the same zeros.
    l2 : float, default=0.0
        :math:`\lambda_2 \geq 0`, once for the whole run too. TensorFlow's is half of it.
    beta : float, default=1.0
        :math:`\beta \geq 0`: with a large one all parameters have a common rate.
    power : float, default=-0.5
        :math:`p \leq 0`: how rates fall; at 0 they don't.
    initial_accumulator : float, default=0.0
        What :math:`n` starts from.

    Notes
    -----
    `l1` and `l2` act on weights and not on biases or the vectors of norms. Without them, and
    with :math:`\beta = 0`, it is :class:`Adagrad` without its epsilon. Penalties of the
    estimator go into the gradient, and its ``weight_decay`` is partly undone, since the rule
    remembers :math:`a`: use `l1` and `l2` here.

    A weight stays at zero until the sum of its gradients is more than `l1`. So with the squared
    error, columns of a common scale and rates of about 1, after n steps about those weights are
    zero that are so in ``Lasso(a)`` for ``l1 = a * n``. The others are not drawn to zero as Lasso's
    are: the sum holds still only where their own gradients are 0, and they tend to least squares
    on the columns left. With low rates weights are on their way for longer, and more are not zero.

    The paper's and TensorFlow's :math:`z` is :math:`-a / \eta_t`. We differ from TensorFlow in
    two ways that matter for networks. It begins at :math:`z = 0`, so that the first step
    throws random first weights away; :math:`a` begins at them. And it
    scales the rate of now with sums made at rates of before, so that a schedule would move
    weights by itself; here, as in the paper, :math:`\eta_s` is the rate of step s.

    `beta` and `initial_accumulator` are the paper's; TensorFlow has 0 and 0.1. The default
    rate is 0.1, which suits :math:`\beta = 1`: the rate of a parameter begins at 0.1 and falls.

    References
    ----------
    H. B. McMahan et al., "Ad click prediction: a view from the trenches", KDD 2013, algorithm 1.
    """

    slots = ("sum", "centre", "length")
    anchors = ("centre",)
    varying = ("l1", "l2", "beta", "power")
    rate_linear = False
    default_rate = 0.1
    _parameter_constraints = {
        "l1": [NON_NEGATIVE],
        "l2": [NON_NEGATIVE],
        "beta": [NON_NEGATIVE],
        "power": [Interval(numbers.Real, None, 0, closed="right")],
        "initial_accumulator": [NON_NEGATIVE],
    }

    def __init__(
        self,
        l1: float = 0.0,
        l2: float = 0.0,
        beta: float = 1.0,
        power: float = -0.5,
        initial_accumulator: float = 0.0,
    ) -> None:
        self.l1 = l1
        self.l2 = l2
        self.beta = beta
        self.power = power
        self.initial_accumulator = initial_accumulator

    def _check(self) -> None:
        if self.beta == 0 and self.initial_accumulator == 0:
            raise ValueError(
                f"FTRL got beta={self.beta!r} and initial_accumulator="
                f"{self.initial_accumulator!r}: a parameter without a gradient would have an "
                "infinite rate. Set one of them above 0, e.g. beta=1.0."
            )

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        total = torch.full_like(theta, float(self.initial_accumulator))
        head = n_weights(shapes) if shapes else theta.shape[1]
        return {"sum": total, "centre": theta.clone(), "n_weights": torch.tensor(head)}

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: Coefficient, c: Coefficients
    ) -> None:
        total, centre, before = state["sum"], state["centre"], state["length"]
        total.addcmul_(grad, grad)
        divisor = total.pow(cast(-c["power"], theta)).add_(cast(c["beta"], theta))
        length = cast(rate, theta) / divisor
        # a rate of 0 holds a parameter at its place, so the centre is where it is
        share = torch.where(before > 0, length / before, 1.0)
        centre.sub_(theta).mul_(share).add_(theta).addcmul_(grad, length, value=-1)
        before.copy_(length)
        theta.copy_(centre)
        weights = theta[:, : int(state["n_weights"])]
        length = length[:, : weights.shape[1]]
        edge = length * cast(c["l1"], theta)
        weights.sub_(torch.clamp(weights, -edge, edge))
        weights.div_(1 + length * cast(c["l2"], theta))
