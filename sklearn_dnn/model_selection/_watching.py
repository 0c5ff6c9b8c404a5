"""Those who watch stacks of a search: its progress bar, and the rule that ends weak candidates."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from statistics import median
from typing import Any

import numpy as np

from .._core.network.weights import Weights
from .._core.training.engine import Observer
from ..estimators._stacks import Fit


class SearchBar:
    """One bar over the epochs of all fits, with the best test score so far.

    Parameters
    ----------
    n_epochs : int
        Of all fits, at most.
    """

    def __init__(self, n_epochs: int) -> None:
        self.bar = import_module("tqdm.auto").tqdm(
            total=n_epochs, desc="search", unit="epoch", file=sys.stderr
        )
        self.best = -np.inf

    def advance(self, n_epochs: int) -> None:
        """So many epochs of some fit were done, or will not be needed."""
        self.bar.update(n_epochs)

    def score(self, result: Any) -> None:
        """Take a result in."""
        scores = result.get("test_scores") if isinstance(result, dict) else None
        if isinstance(scores, dict):
            scores = next(iter(scores.values()))
        if isinstance(scores, float) and scores > self.best:
            self.best = scores
            self.bar.set_postfix_str(f"best score {scores:.4g}")

    def close(self) -> None:
        self.bar.close()


class BarObserver:
    """Tells a bar of the epochs of one stack.

    Parameters
    ----------
    bar : SearchBar
    lengths : list of int
        Epochs of each member, at most.
    """

    def __init__(self, bar: SearchBar, lengths: list[int]) -> None:
        self.bar = bar
        self.n_epochs = sum(lengths)
        self.left = dict(enumerate(lengths))

    def epoch_begins(self, epoch: int, weights: Callable[[int], Weights]) -> None:
        pass

    def epoch_ends(
        self, epoch: int, records: dict[int, dict[str, Any]], weights: Callable[[int], Weights]
    ) -> set[int]:
        gone = sum(self.left.pop(member) for member in set(self.left) - set(records))
        for member in records:
            self.left[member] -= 1
        self.bar.advance(gone + len(records))
        return set()

    def take_back(self) -> None:
        """The stack has broken off, and is trained anew."""
        self.bar.advance(sum(self.left.values()) - self.n_epochs)

    def close(self) -> None:
        """The stack has ended."""
        self.bar.advance(sum(self.left.values()))
        self.left.clear()


class MedianRule:
    r"""Ends members that are worse than the median of the others on the same rows.

    After epoch :math:`t`, a member ends whose lowest loss so far is above the median, over the
    members that learn from the same rows, of the mean of their losses up to :math:`t`. The loss
    is that of the validation part where there is one, else that of training without penalties.

    Parameters
    ----------
    groups : sequence
        For each member what tells the rows it learns from.
    start : int
        Epochs that all members may do.

    References
    ----------
    D. Golovin et al., "Google Vizier: a service for black-box optimization", KDD 2017.
    """

    def __init__(self, groups: Sequence[Any], start: int) -> None:
        self.groups = list(groups)
        self.start = start
        self.losses: dict[int, list[float]] = {i: [] for i in range(len(self.groups))}

    def epoch_begins(self, epoch: int, weights: Callable[[int], Weights]) -> None:
        pass

    def epoch_ends(
        self, epoch: int, records: dict[int, dict[str, Any]], weights: Callable[[int], Weights]
    ) -> set[int]:
        for member, record in records.items():
            loss = record["validation_loss"]
            self.losses[member].append(record["train_loss"] if loss is None else loss)
        if epoch + 1 < self.start:
            return set()
        return {member for member in records if min(self.losses[member]) > self._bar(member)}

    def _bar(self, member: int) -> float:
        """The median of the running means of the members on the same rows, itself among them."""
        t = len(self.losses[member])
        alike = [i for i, group in enumerate(self.groups) if group == self.groups[member]]
        return median(float(np.mean(self.losses[i][:t])) for i in alike)


class Watchers:
    """Makes the observers of a stack; it travels to the processes that train.

    Parameters
    ----------
    start : int or None
        Epochs before :class:`MedianRule` may end a member; None for no such rule.

    Attributes
    ----------
    stay : bool
        Whether observers reach for what is in this process, so that fits must be done in it.
    """

    stay = False

    def __init__(self, start: int | None = None) -> None:
        self.start = start

    def __call__(self, stack: Sequence[Fit]) -> list[Observer]:
        if self.start is None:
            return []
        rows = [b"" if fit.rows is None else fit.rows.tobytes() for fit in stack]
        groups = [r for r, fit in zip(rows, stack, strict=True) for _ in range(fit.n_members)]
        return [MedianRule(groups, self.start)]
