"""The format of saved states."""

from __future__ import annotations

from typing import Any

# To be raised, with what reads the one before, where a fitted attribute changes its meaning.
STATE_FORMAT = 1


def refuse_other_format(state: dict[str, Any], name: str) -> None:
    """Refuse a saved state of the estimator called `name` that this version can't read."""
    found = state.get("state_format_", STATE_FORMAT)  # there is none before a fit
    if found != STATE_FORMAT:
        raise ValueError(
            f"This {name} was saved in state format {found}, and this version of sklearn_dnn "
            f"reads format {STATE_FORMAT}. Load it with the version that saved it, or fit it "
            "again."
        )
