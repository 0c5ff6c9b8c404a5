"""Observers of a single fit: scikit-learn's callbacks, and what `verbose` shows."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from .._core.network.weights import Weights
from .._core.training.numbers import mean_record

WeightsOf = Callable[[int], Weights]
PartsOf = Callable[[str], "tuple[Any, Any, Any] | None"]


class Parts:
    """The rows of a running fit; a pickle or a deep copy of it holds none.

    Parameters
    ----------
    read : callable or None
    """

    def __init__(self, read: PartsOf | None) -> None:
        self.read = read

    def __call__(self, which: str) -> tuple[Any, Any, Any] | None:
        """The rows (X, y, weights) of a part, or None."""
        return None if self.read is None else self.read(which)

    def __reduce__(self) -> tuple[Any, ...]:
        return Parts, (None,)


class CallbackObserver:
    """Passes epochs on to scikit-learn's callbacks, one task an epoch.

    Parameters
    ----------
    estimator : estimator
        Being fitted.
    context : sklearn.callback.CallbackContext
        Of the whole fit.
    X, y, metadata
        What the estimator was given.
    attributes : callable
        ``attributes(weights)`` gives the fitted attributes as if training had ended there, from
        a function that gives a member's weights.
    parts : callable or None
        ``parts(which)`` gives the rows (X, y, weights) of the ``"training"`` or the
        ``"validation"`` part, or None where there is none. Fitted copies carry it on to
        callbacks, since the protocol has no place for it.
    """

    def __init__(
        self,
        estimator: Any,
        context: Any,
        X: Any,
        y: Any,
        metadata: dict[str, Any],
        attributes: Callable[[WeightsOf], dict[str, Any]],
        parts: PartsOf | None = None,
    ) -> None:
        self.estimator = estimator
        self.context = context
        self.given = {"X": X, "y": y, "metadata": metadata}
        self.attributes = attributes
        self.extra = {} if parts is None else {"_parts": Parts(parts)}

    def epoch_begins(self, epoch: int, weights: WeightsOf) -> None:
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.attributes(weights) | self.extra,
            **self.given,
        )

    def epoch_ends(
        self,
        epoch: int,
        records: dict[int, dict[str, Any]],
        weights: WeightsOf,
    ) -> set[int]:
        stop = self.task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.attributes(weights) | self.extra,
            **self.given,
        )
        return set(records) if stop else set()


class Lines:
    """A line an epoch on standard output, as scikit-learn's MLP prints; means over members."""

    def epoch_begins(self, epoch: int, weights: WeightsOf) -> None:
        pass

    def epoch_ends(
        self,
        epoch: int,
        records: dict[int, dict[str, Any]],
        weights: WeightsOf,
    ) -> set[int]:
        record = mean_record(list(records.values()))
        line = f"Iteration {epoch + 1}, loss = {record['loss']:.8f}"
        if record["validation_loss"] is not None:
            line += (
                f", validation loss = {record['validation_loss']:.8f}"
                f", validation score = {record['validation_score']:.6f}"
            )
        print(f"{line}, learning rate = {record['learning_rate']:.3g}")
        return set()


class Bar:
    """A progress bar over epochs with loss, validation score, rate and time left.

    Parameters
    ----------
    n_epochs : int
        Epochs at most.
    name : str
        Of the estimator.
    """

    def __init__(self, n_epochs: int, name: str) -> None:
        # the notebook's bar in a notebook, the terminal's elsewhere
        self.bar = import_module("tqdm.auto").tqdm(
            total=n_epochs, desc=name, unit="epoch", file=sys.stderr, leave=True
        )

    def epoch_begins(self, epoch: int, weights: WeightsOf) -> None:
        pass

    def epoch_ends(
        self,
        epoch: int,
        records: dict[int, dict[str, Any]],
        weights: WeightsOf,
    ) -> set[int]:
        record = mean_record(list(records.values()))
        shown = {"loss": f"{record['loss']:.4g}", "rate": f"{record['learning_rate']:.3g}"}
        if record["validation_score"] is not None:
            shown["val_score"] = f"{record['validation_score']:.4f}"
        self.bar.set_postfix(shown, refresh=False)
        self.bar.update()
        return set()

    def close(self) -> None:
        """Leave the bar as it stands."""
        self.bar.close()


def shows_bar(verbose: int) -> bool:
    """Whether `verbose` asks for a bar, and there is what draws one."""
    return int(verbose) == 1 and find_spec("tqdm") is not None
