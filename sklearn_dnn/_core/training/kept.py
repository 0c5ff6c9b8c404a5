"""Which weights are kept: the best, the best but one, or those that the call began with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy

from torch import Tensor

from .divergence import OwnLoss
from .state import Progress


class KeptWeights:
    """What a stack of ``m`` members may go back to, beside the best weights in its progress.

    The loss of an epoch is that of weights before its steps, and may be good where those after
    it are not: so the best but one are held, too.

    Parameters
    ----------
    progress : Progress
        Before the first step of a call.
    """

    def __init__(self, progress: Progress) -> None:
        #: parameters (m, p) and statistics (m, s) before the first step of this call
        self.start = (progress.judged.clone(), progress.statistics.clone())
        #: the best but one, and their epochs
        self.earlier = (progress.best_theta.clone(), progress.best_statistics.clone())
        self.earlier_iter = [0] * len(progress.theta)

    def select(self, members: Sequence[int]) -> KeptWeights:
        """The same of some of the members, by their places in the stack."""
        keep, twin = list(members), copy(self)
        twin.start = (self.start[0][keep], self.start[1][keep])
        twin.earlier = (self.earlier[0][keep], self.earlier[1][keep])
        twin.earlier_iter = [self.earlier_iter[i] for i in keep]
        return twin

    def note(self, progress: Progress, improved: Mapping[int, int]) -> None:
        """Let the best weights of members become those of now, and the best but one those.

        Parameters
        ----------
        progress : Progress
            Of all members, whose best weights are written.
        improved : dict of int
            For each member that has never been better the epoch that was its best before.
        """
        for i, epoch in improved.items():
            self.earlier_iter[i] = epoch if epoch > progress.began else 0
        if len(improved) == len(progress.theta):
            best = progress.best_theta, progress.best_statistics
            # the memory of the old ones is written anew, so that nothing is copied twice
            progress.best_theta, progress.best_statistics = self.earlier
            self.earlier = best
            progress.best_theta.copy_(progress.judged)
            progress.best_statistics.copy_(progress.statistics)
        elif improved:
            some = list(improved)
            self.earlier[0][some] = progress.best_theta[some]
            self.earlier[1][some] = progress.best_statistics[some]
            progress.best_theta[some] = progress.judged[some]
            progress.best_statistics[some] = progress.statistics[some]

    def start_of(self, i: int) -> tuple[Tensor, Tensor]:
        """Parameters (1, p) and statistics (1, s) of a member before the first step."""
        return self.start[0][[i]], self.start[1][[i]]

    def choose(self, i: int, progress: Progress, own: OwnLoss) -> int | None:
        """Let a member's best weights be those whose own loss is lowest; their epoch.

        0 stands for the start of the call, None for no weights worth to keep: the start was no
        fit, and no loss since is a number.

        Parameters
        ----------
        i : int
            The member's place in the stack.
        progress : Progress
            Of this member alone, whose best weights are written.
        own : callable
        """
        best = (progress.best_theta, progress.best_statistics)
        earlier = (self.earlier[0][[i]], self.earlier[1][[i]])
        kept = [best, self.start_of(i), earlier]
        losses = [own(*weights) for weights in kept]
        losses = [loss if math.isfinite(loss) else math.inf for loss in losses]
        chosen = losses.index(min(losses))
        if losses[0] == math.inf and chosen == 0:
            chosen = 1
        if chosen == 1 and progress.began == 0 and losses[0] == math.inf:
            return None
        progress.best_theta, progress.best_statistics = (t.clone() for t in kept[chosen])
        return (progress.patience[0].best_iter, 0, self.earlier_iter[i])[chosen]
