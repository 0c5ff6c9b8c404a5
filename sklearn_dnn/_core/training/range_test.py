"""The range test of the learning rate: how the loss goes while the rate rises step by step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..._threads import limit_threads
from ..data.batches import Batch, Batcher, TrainingSet
from ..network.members import mean_values
from ..specification import FitSpec
from .state import Progress
from .step import TrainingStep

# The memory of the loss' running mean, in steps: 1 / (1 - memory) batches count.
MEMORY = 0.95
# A running mean this many times above its lowest value ends the test.
DIVERGED = 4.0


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes
    ----------
    rates : ndarray of shape (n_steps,)
        Learning rates, from small to large.
    losses : ndarray of shape (n_steps,)
        Loss of the batch before each step.
    smoothed : ndarray of shape (n_steps,)
        Its running mean, corrected for its start.
    suggestion : float
        A tenth of the rate at which the running mean was lowest.
    """

    rates: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    suggestion: float


def range_test(
    spec: FitSpec,
    progress: Progress,
    data: TrainingSet,
    *,
    min_rate: float,
    max_rate: float,
    n_steps: int,
) -> RangeTest:
    r"""Train on batches while the rate rises geometrically; the progress is left untouched.

    .. math:: \eta_i = \eta_0 (\eta_1 / \eta_0)^{i / (n - 1)}

    The test ends early where the loss has risen far above its lowest value. Where the loss
    begins to rise, the rate is already too large to train with: a tenth of the rate of the
    lowest loss is suggested.

    Parameters
    ----------
    spec : FitSpec
    progress : Progress
        Of a single member; a twin of it is trained.
    data : TrainingSet
    min_rate, max_rate : float
    n_steps : int

    References
    ----------
    L. N. Smith, "Cyclical learning rates for training neural networks", WACV 2017.
    """
    if not spec.optimizer.follows_rate:
        raise ValueError(
            f"optimizer={spec.optimizer!r} finds its own step lengths: there is no learning rate "
            "to test. Give learning_rate_init as a number, or choose another optimizer."
        )
    twin = progress.apart()
    spec = replace(spec, accumulation_steps=1, curriculum=None)
    rates = min_rate * (max_rate / min_rate) ** (np.arange(n_steps) / max(1, n_steps - 1))
    losses: list[float] = []
    smoothed: list[float] = []
    mean = 0.0
    with limit_threads(spec.n_threads), torch.no_grad():
        step = TrainingStep([spec], twin)
        for rate, batch in zip(rates, _batches(spec, twin, data), strict=False):
            trained = step(batch, float(rate))
            target = step.gradients.target(batch.y) if trained.target is None else trained.target
            share = batch.share if trained.share is None else trained.share
            share = share.squeeze(-1) if isinstance(share, torch.Tensor) else share
            values = mean_values(spec.objective, trained.raw, target, spec.n_shared)
            loss = float((values * share).sum())
            if not math.isfinite(loss):
                break
            losses.append(loss)
            mean = MEMORY * mean + (1 - MEMORY) * loss
            smoothed.append(mean / (1 - MEMORY ** len(losses)))
            if smoothed[-1] > DIVERGED * min(smoothed):
                break
    if not losses:
        raise ValueError(
            f"The range test found no finite loss, even at the rate {min_rate:g}. Scale the "
            "inputs and targets, or give learning_rate_init as a number."
        )
    n = len(losses)
    # the running mean lags: the first batches say nothing about their own rates
    settled = min(n - 1, int(1 / (1 - MEMORY)) // 2)
    lowest = settled + int(np.argmin(smoothed[settled:]))
    return RangeTest(rates[:n], np.array(losses), np.array(smoothed), float(rates[lowest] / 10))


def _batches(spec: FitSpec, progress: Progress, data: TrainingSet) -> Iterator[Batch]:
    """Batches without end."""
    merge = spec.may_measure_batches
    batcher = Batcher(data, spec.batch_size, spec.shuffle, merge_single=merge)
    while True:
        yield from batcher.epoch(progress.orders).batches
