"""What a fit is asked for, and what it goes on from: the machinery knows no estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..data.columns import Columns
from ..data.targets import Codec
from ..fitted.fitted import Fitted
from ..network.weights import Weights
from ..reading.given import Given
from ..reading.tables import Reading, reading_of
from ..reading.targets import TargetReader

Weigher = Callable[[Given, np.ndarray], Callable[[Given], Given]]


@dataclass(frozen=True)
class Earlier:
    """A fit that ended, as its estimator's attributes tell of it.

    Attributes
    ----------
    spec : mapping
        The specification, as a dictionary.
    codec : Codec
    columns : Columns
    reading : Reading or None
        How the table was read; None where all columns are numbers.
    weights : sequence of Weights
        One a member.
    members : sequence of mapping
        How each was trained.
    samples : int
        Rows that training has seen.
    saved : mapping or None
        What was kept to go on; None where weights alone were.
    """

    spec: Mapping[str, Any]
    codec: Codec
    columns: Columns
    reading: Reading | None
    weights: Sequence[Weights]
    members: Sequence[Mapping[str, Any]]
    samples: int
    saved: Mapping[str, Any] | None

    @classmethod
    def of(cls, estimator: Any) -> Earlier:
        """The fit that a fitted estimator comes from."""
        fitted = Fitted(estimator)
        return cls(
            spec=estimator.spec_,
            codec=fitted.codec,
            columns=fitted.columns,
            reading=reading_of(estimator),
            weights=fitted.weights.members(),
            members=estimator.members_,
            samples=estimator.t_,
            saved=vars(estimator).get("_progress"),
        )


def saved_members(saved: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The states of all members that a fit kept to go on."""
    kept = saved["progress"]
    return kept if isinstance(kept, list) else [kept]


@dataclass(frozen=True)
class Arguments:
    """What ``fit`` or ``partial_fit`` was called with; the names are theirs."""

    X: Any
    y: Any
    sample_weight: Any = None
    X_val: Any = None
    y_val: Any = None
    sample_weight_val: Any = None
    groups: Any = None
    difficulty: Any = None
    classes: Any = None


@dataclass(frozen=True)
class Request:
    """What is asked of a fit, beside its tables.

    Another kind of estimator makes one of its own: with a reader of its targets, and with
    parameters under the names that :mod:`sklearn_dnn._core.specification` reads.

    Attributes
    ----------
    parameters : mapping
        The estimator's, by name, as the user gave them.
    targets : TargetReader
    read : callable
        ``read(X, y, sample_weight, reset=, reading=)`` checks a table by scikit-learn's rules:
        :func:`~sklearn_dnn._core.reading.inputs.read_given` for the estimator, which notes the
        names of columns.
    copy : callable
        ``copy(attributes)`` gives the estimator with some fitted attributes, for scorers.
    name : str
        Of the estimator's class, to be shown.
    seed : int
        Of all streams of chance.
    draw_seed : callable
        Gives another one, for another training.
    earlier : Earlier or None
        The fit to go on from; None begins anew.
    in_calls : bool
        Whether the rows are those of one of several calls, as ``partial_fit`` gets them: they
        are learnt from for one epoch.
    """

    parameters: Mapping[str, Any]
    targets: TargetReader
    read: Callable[..., Given]
    copy: Callable[[Mapping[str, Any]], Any]
    name: str
    seed: int
    draw_seed: Callable[[], int]
    earlier: Earlier | None = None
    in_calls: bool = False

    @property
    def may_go_on(self) -> bool:
        """Whether training may be gone on with later."""
        return self.in_calls or bool(self.parameters["warm_start"])

    def weigher(self, codec: Codec) -> Weigher:
        """``weigher(given, rows)`` gives what multiplies class weights into a table's weights."""
        return partial(self.targets.weigher, codec)
