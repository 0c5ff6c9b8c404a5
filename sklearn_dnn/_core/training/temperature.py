"""One temperature for raw outputs, by which probabilities are neither too sure nor too timid.

Guo et al., "On Calibration of Modern Neural Networks", 2017.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import Tensor

from ...components.losses import Loss

# Logarithms to the base 2 of the temperatures among which is sought.
BOUNDS = (-4.0, 4.0)
# Rows that more certainty would make worse, below which none is added: where none is predicted
# wrong, the likelihood asks for certainty without bound.
LEAST_AGAINST = 10
# Those that losses of each epoch are compared at.
GRID = tuple(2.0 ** np.arange(-1.5, 3.25, 0.5))
# Of (ln T)^2, in rows' losses: few rows should not find a network best that is far too sure.
PENALTY = 2.0
# What is taken of the members' temperature where each row is judged by one of them: all together
# are less sure than one.
POWER = 0.75


def fitted_temperature(
    loss: Loss, raw: Tensor, target: Tensor, weight: Tensor | None = None
) -> float:
    """The temperature T with the lowest mean loss of ``raw / T``.

    It is at least 1 where too few rows tell how far below it may be.

    Parameters
    ----------
    loss : Loss
        With ``is_calibratable``.
    raw : Tensor of shape (n, k)
        Outputs of rows that did not train.
    target : Tensor of shape (n, ...)
    weight : Tensor of shape (n,) or None
    """
    raw = raw.double()
    weight = raw.new_ones(len(raw)) if weight is None else weight.double()
    share = weight / weight.sum()

    def mean_loss(log_temperature: float) -> float:
        return float(loss.values(raw * 2.0**-log_temperature, target).double() @ share)

    against = weight @ (loss.values(2.0 * raw, target) > loss.values(raw, target)).double()
    # weights below 1 on average are no rows that are missing
    is_known = against >= LEAST_AGAINST * min(1.0, float(weight.mean()))
    lowest = BOUNDS[0] if is_known else 0.0
    found = minimize_scalar(
        mean_loss, bounds=(lowest, BOUNDS[1]), method="bounded", options={"xatol": 1e-4}
    )
    return float(2.0 ** min(found.x, lowest, key=mean_loss))


def best_on_grid(loss: Loss, raw: Tensor, target: Tensor, weight: Tensor | None) -> Tensor:
    """The lowest, over a few temperatures T, of the mean loss + `PENALTY` (ln T)^2 / rows.

    That is the likelihood with a normal prior on ln T.

    Parameters
    ----------
    raw : Tensor of shape (.., b, k)
    target : Tensor of shape (.., b, ...)
    weight : Tensor of shape (.., b) or None
        On average above 1, they are rows that stand for several.

    Returns
    -------
    Tensor of shape (..)
    """
    n_rows: float | Tensor = raw.shape[-2]
    if weight is not None:
        total = weight.sum(-1, keepdim=True)
        n_rows = total.squeeze(-1).clamp(min=n_rows)
        weight = weight / total * weight.shape[-1]
    means = []
    for temperature in GRID:
        values = loss.values(raw / temperature, target)
        if weight is not None:
            values = values * weight
        means.append(values.mean(-1) + PENALTY * math.log(temperature) ** 2 / n_rows)
    return torch.stack(means).amin(0)
