"""Whether training has led away: weights too large for use, or a loss that rose for good."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from torch import Tensor

from ..specification import FitSpec
from .state import Progress

# Epochs that show whether the loss rises, and by what share of it.
LEAST_EPOCHS, RISE = 5, 0.05
# How far a fitted network's loss must rise, in losses of the first epoch of all.
FAR_RISE = 10.0
# A parameter this large may come of a step after which no loss was seen.
FAR_WEIGHT = 1e15

# A member's loss with those parameters (1, p) and statistics (1, s), without noise.
OwnLoss = Callable[[Tensor, Tensor], float]


def rises(spec: FitSpec, losses: Sequence[float]) -> bool:
    """Whether the training loss never again came below that of the first epoch, but rose.

    Where later epochs are harder than the first one by themselves, that says nothing.
    """
    if len(losses) < LEAST_EPOCHS or spec.curriculum is not None:
        return False
    if any("dropout" in name for name in spec.driven):
        return False
    first, later = losses[0], losses[1:]
    margin = max(spec.tol, RISE * abs(first))
    return min(later) >= first and sum(later) / len(later) > first + margin


def has_diverged(
    spec: FitSpec,
    progress: Progress,
    start: tuple[Tensor, Tensor],
    own: OwnLoss,
    *,
    patient: bool,
    fresh: bool,
) -> bool:
    """Whether a member that came to its end has weights without use.

    Parameters
    ----------
    spec : FitSpec
    progress : Progress
        Of this member alone.
    start : (Tensor, Tensor)
        Its parameters and statistics before the first step of this call.
    own : callable
    patient : bool
        Whether a loss that rose counts, or numbers that overflow alone.
    fresh : bool
        Whether the member had not been trained before this call.
    """
    far = not progress.theta.abs().max() < FAR_WEIGHT
    if far and not math.isfinite(own(progress.judged, progress.statistics)):
        return True
    losses = progress.histories[0]["loss"]
    if not (patient and rises(spec, losses[progress.began :])):
        return False
    noisy = spec.is_noisy or spec.augmentation
    if fresh and not noisy:
        return True
    # noise makes a loss higher than the network's own is; and one that was fitted may rise
    # for a while, but not far above that of a new network
    margin = 0.0 if fresh else FAR_RISE * abs(losses[0])
    return not own(progress.judged, progress.statistics) < own(*start) + margin
