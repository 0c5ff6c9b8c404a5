"""L-BFGS: an optimizer that takes all rows at once, and its searches along lines."""

from __future__ import annotations

import math
import numbers
from typing import NamedTuple

import torch
from torch import Tensor

from ..._compat import Interval
from ._base import OPTIMIZERS, Coefficients, Objective, Optimizer, Shapes, State

# Steps whose directions are kept; more are never of use, and each takes a copy of the weights.
LONGEST_HISTORY = 10_000
_AT_LEAST_ONE = Interval(numbers.Integral, 1, None, closed="left")


@OPTIMIZERS.register("lbfgs")
class LBFGS(Optimizer):
    r"""Limited-memory BFGS: a quasi-Newton step from the last changes of the gradient.

    An iteration goes along :math:`-H g`, :math:`H` being the inverse Hessian that the last
    `history_size` pairs :math:`(s, y)` of steps and changes of the gradient imply, by a length
    that meets the strong Wolfe conditions (:math:`c_1 = 10^{-4}, c_2 = 0.9`). The learning
    rate has no part in it, and members are not stacked, since each needs steps of its own.

    Parameters
    ----------
    history_size : int, default=10
        How many pairs are kept.
    max_line_search : int, default=20
        How many evaluations of the objective one search along a line may take.

    References
    ----------
    J. Nocedal and S. J. Wright, "Numerical optimization", 2nd ed., 2006, algorithms 7.4, 7.5,
    3.5 and 3.6.
    """

    stackable = False
    full_batch = True
    rate_linear = False
    default_rate = 1.0
    follows_rate = False
    _parameter_constraints = {
        "history_size": [Interval(numbers.Integral, 1, LONGEST_HISTORY, closed="both")],
        "max_line_search": [_AT_LEAST_ONE],
    }

    def __init__(self, history_size: int = 10, max_line_search: int = 20) -> None:
        self.history_size = history_size
        self.max_line_search = max_line_search

    def iterate(self, theta: Tensor, evaluate: Objective, state: dict[str, Tensor]) -> bool:
        """One iteration, in place on `theta` and `state`; call it under ``torch.no_grad()``.

        Parameters
        ----------
        theta : Tensor of shape (1, p)
            The parameters. Trial points are written to it too.
        evaluate : callable
            From `theta` to the objective over all rows, a float, and its gradient (1, p).
        state : dict of str to Tensor
            What :meth:`start` returned and earlier iterations changed. ``state["loss"]`` (0-d)
            and ``state["grad"]`` (1, p) are those at `theta`; set the loss to NaN if `theta` or
            the objective has changed in between.

        Returns
        -------
        bool
            True if no further improvement can be found; `theta` is then the best point.
        """
        if math.isnan(state["loss"].item()):
            loss, grad = evaluate(theta)
            state["loss"].fill_(loss)
            state["grad"].copy_(grad)
        origin, grad = theta.clone(), state["grad"].clone()
        if not math.isfinite(state["loss"].item()) or not grad.any():
            return True
        shortest = min(1.0, 1.0 / grad.abs().sum().item())
        direction = _two_loop(grad, state)
        line = _Line(theta, origin, direction, evaluate)
        start = line.start(state)
        found = None
        if start.slope < 0:
            first = 1.0 if state["count"].item() else shortest
            found = _wolfe_search(line, start, first, self.max_line_search)
        if found is None:
            state["count"].zero_()
            line = _Line(theta, origin, -grad, evaluate)
            found = _armijo_search(line, line.start(state), shortest, self.max_line_search)
        if found is None:
            theta.copy_(origin)
            return True
        # the last trial need not be the accepted one
        torch.add(origin, line.direction, alpha=found.step, out=theta)
        state["loss"].fill_(found.loss)
        state["grad"].copy_(found.grad)
        _remember(state, theta - origin, found.grad - grad)
        return False

    def _more_state(self, theta: Tensor, shapes: Shapes) -> dict[str, Tensor]:
        assert len(theta) == 1, "L-BFGS is not stacked"
        pairs = (int(self.history_size), theta.shape[1])
        return {
            "s": theta.new_zeros(pairs),
            "y": theta.new_zeros(pairs),
            "count": torch.zeros((), dtype=torch.int64),
            "grad": torch.zeros_like(theta),
            "loss": torch.full((), math.nan, dtype=torch.float64),
        }

    def _update(
        self, theta: Tensor, grad: Tensor, state: State, rate: float, c: Coefficients
    ) -> None:
        raise AssertionError("L-BFGS moves by iterate, not by steps")


def _two_loop(grad: Tensor, state: dict[str, Tensor]) -> Tensor:
    """The direction -H g (1, p), by algorithm 7.4; -g without history."""
    s, y, count = state["s"], state["y"], int(state["count"].item())
    direction = grad.neg()
    if count == 0:
        return direction
    kept = len(s)
    newest_first = [i % kept for i in range(count - 1, max(count - kept, 0) - 1, -1)]
    q = direction[0]
    products = (s * y).sum(1)
    parts = {}
    for i in newest_first:
        parts[i] = s[i].dot(q) / products[i]
        q.addcmul_(y[i], -parts[i])
    newest = newest_first[0]
    q.mul_(products[newest] / y[newest].dot(y[newest]))
    for i in reversed(newest_first):
        q.addcmul_(s[i], parts[i] - y[i].dot(q) / products[i])
    return direction


def _remember(state: dict[str, Tensor], s: Tensor, y: Tensor) -> None:
    """Keep a pair, over the oldest if all places are taken, unless its curvature is nothing."""
    if (s * y).sum().item() <= 1e-10 * y.square().sum().item():
        return
    place = int(state["count"].item()) % len(state["s"])
    state["s"][place].copy_(s[0])
    state["y"][place].copy_(y[0])
    state["count"].add_(1)


class _Trial(NamedTuple):
    """A point on a line: objective, slope along the line, and gradient (1, p)."""

    step: float
    loss: float
    slope: float
    grad: Tensor

    def descends_from(self, start: _Trial) -> bool:
        """Armijo's condition of sufficient decrease."""
        return self.loss <= start.loss + 1e-4 * self.step * start.slope

    def is_flat(self, start: _Trial) -> bool:
        """The strong condition on the curvature."""
        return abs(self.slope) <= 0.9 * abs(start.slope)


class _Line:
    """The objective along `direction` from `origin`; trial points are written to `theta`."""

    def __init__(
        self, theta: Tensor, origin: Tensor, direction: Tensor, evaluate: Objective
    ) -> None:
        self.theta = theta
        self.origin = origin
        self.direction = direction
        self.evaluate = evaluate

    def start(self, state: dict[str, Tensor]) -> _Trial:
        grad = state["grad"].clone()
        return _Trial(0.0, state["loss"].item(), self._slope(grad), grad)

    def __call__(self, step: float) -> _Trial:
        torch.add(self.origin, self.direction, alpha=step, out=self.theta)
        loss, grad = self.evaluate(self.theta)
        grad = grad.clone()
        return _Trial(step, float(loss), self._slope(grad), grad)

    def _slope(self, grad: Tensor) -> float:
        return (grad * self.direction).sum().item()


def _wolfe_search(line: _Line, start: _Trial, step: float, budget: int) -> _Trial | None:
    """A step that meets the strong Wolfe conditions, by algorithm 3.5.

    When `budget` evaluations are spent it is the best one of sufficient decrease, if any.
    """
    previous = start
    for left in range(budget - 1, -1, -1):
        trial = line(step)
        worse = previous is not start and trial.loss >= previous.loss
        if not trial.descends_from(start) or worse:
            return _zoom(line, start, previous, trial, left)
        if trial.is_flat(start):
            return trial
        if trial.slope >= 0:
            return _zoom(line, start, trial, previous, left)
        # far along the line if the cubic says so: the first step of all is very short
        step = _cubic_step(previous, trial, 2 * trial.step, 10 * trial.step)
        previous = trial
    return previous if previous is not start else None


def _zoom(line: _Line, start: _Trial, low: _Trial, high: _Trial, budget: int) -> _Trial | None:
    """Narrow a bracket around an acceptable step, by algorithm 3.6; `low` is its best end."""
    for _ in range(budget):
        left, right = sorted((low.step, high.step))
        margin = 0.1 * (right - left)
        if margin <= 1e-12 * right:
            break
        trial = line(_cubic_step(low, high, left + margin, right - margin))
        if not trial.descends_from(start) or trial.loss >= low.loss:
            high = trial
            continue
        if trial.is_flat(start):
            return trial
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return low if low.step > 0 else None


def _cubic_step(a: _Trial, b: _Trial, lower: float, upper: float) -> float:
    """Minimiser of the cubic through two trials, within bounds; their middle if there is none."""
    middle = (lower + upper) / 2
    if not all(map(math.isfinite, (a.loss, a.slope, b.loss, b.slope))):
        return middle
    d1 = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.step - b.step)
    square = d1 * d1 - a.slope * b.slope
    if square < 0:
        return middle
    d2 = math.copysign(math.sqrt(square), b.step - a.step)
    divisor = b.slope - a.slope + 2 * d2
    if divisor == 0:
        return middle
    step = b.step - (b.step - a.step) * (b.slope + d2 - d1) / divisor
    return min(max(step, lower), upper) if math.isfinite(step) else middle


def _armijo_search(line: _Line, start: _Trial, step: float, budget: int) -> _Trial | None:
    """The first of `step`, `step` / 2, `step` / 4, ... with sufficient decrease."""
    for _ in range(budget):
        trial = line(step)
        if trial.descends_from(start):
            return trial
        step /= 2
    return None
