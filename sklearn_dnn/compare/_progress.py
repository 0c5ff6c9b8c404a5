"""How far a comparison is, told on the standard error."""

from __future__ import annotations

import sys
import time
from typing import Any

import pandas as pd

from .._terminal import is_terminal, say, say_over

# A table is large, so that the first fit may take a while.
_MANY_COLUMNS = 1000
_MANY_CELLS = 2_000_000
_SILENCE = 30.0  # seconds without a line


class ProgressLine:
    """One line on a terminal that is written over; else a line a model, or twice a minute."""

    def __init__(self, n_models: int) -> None:
        self.n_models = n_models
        self.terminal = is_terminal(sys.stderr)
        self.told = time.monotonic()

    def begin(self, X: pd.DataFrame) -> None:
        """Say that work begins where the first fit may take a while."""
        n_rows, n_columns = X.shape
        if n_columns >= _MANY_COLUMNS or X.size >= _MANY_CELLS:
            say(f"Comparing models on {n_rows:,} rows and {n_columns:,} columns ...")

    def __call__(self, told: dict[str, Any]) -> None:
        n_folds = told["n_folds"]
        model = (told["done"] - 1) // n_folds + 1
        text = (
            f"{told['model']} (model {model} of {self.n_models}), fold {told['fold']} of "
            f"{n_folds}, {_duration(told['seconds'])} so far, about "
            f"{_duration(told['seconds_left'])} left"
        )
        if self.terminal:
            say_over(text)
        elif told["fold"] == n_folds or time.monotonic() - self.told > _SILENCE:
            say(text)
            self.told = time.monotonic()

    def end(self) -> None:
        if self.terminal:
            say_over()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
