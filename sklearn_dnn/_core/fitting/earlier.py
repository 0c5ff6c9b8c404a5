"""What an earlier fit left to go on from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..data.columns import Columns
from ..data.targets import Codec
from ..fitted.fitted import Fitted
from ..network.weights import Weights
from ..reading.tables import Reading, reading_of


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
