"""How the training of a member ends: the reasons by name, and what it leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..network.weights import Weights
from .state import Progress

MAX_ITER, PATIENCE, TOL, TIME = "max_iter", "patience", "tol", "time"
CALLBACK, INTERRUPTED, DIVERGED = "callback", "interrupted", "diverged"
# beside them the ends of the early stopping component: "baseline" and "target"


@dataclass
class Outcome:
    """How the training of one member ended.

    Attributes
    ----------
    weights : Weights
        What predicts: the best where there was a validation part, else the last.
    history : dict of list
        One value an epoch for each name.
    end_reason : str
    n_iter : int
        Epochs done by this call.
    best_iter : int
        The epoch (from 1, of all calls that went on from each other) with the best monitored value.
    progress : Progress
        Of this member alone.
    kept_iter : int or None
        After divergence the epoch whose weights are kept; 0 for those that the call began with.
    """

    weights: Weights
    history: dict[str, list[Any]]
    end_reason: str
    n_iter: int
    best_iter: int
    progress: Progress
    kept_iter: int | None = None
