"""What the results of calls are worth, where some of them are missing."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ._calls import Call

# The result of a fit that there was not.
LACKING = {"fit_error": "", "test_scores": np.nan}


def judged_together(calls: Sequence[Call]) -> list[Any] | None:
    """For each call what is judged by it and others: a candidate of a search, or itself.

    None where a fit may not fail, as for out-of-fold predictions, or by ``error_score="raise"``.
    """
    found: list[Any] = []
    for i, call in enumerate(calls):
        if call.asked is None or call.asked.get("error_score", "raise") == "raise":
            return None
        found.append((call.asked.get("candidate_progress") or (f"call {i}",))[0])
    return found


def is_scored(result: Any) -> bool:
    """Whether a fit and its judgement went well; predictions have no scores."""
    if not isinstance(result, dict) or "test_scores" not in result:
        return True
    if result["fit_error"] is not None:
        return False
    scores = result["test_scores"]
    return bool(np.isfinite(list(scores.values()) if isinstance(scores, dict) else scores).all())


def is_of_use(groups: Sequence[Any] | None, results: Mapping[int, Any]) -> bool:
    """Whether results of some calls can stand for all: what is judged together is there whole."""
    if groups is None:
        return False
    lacking = {group for i, group in enumerate(groups) if not is_scored(results.get(i, LACKING))}
    return bool(set(groups) - lacking)


def undone(n_done: int, n: int, folder: os.PathLike[str] | None) -> str:
    """What a search that was interrupted has come to, though there is nothing to return."""
    if folder is not None:
        return f"{n_done} of {n} fits are done and kept in {os.fspath(folder)!r}."
    return f"{n_done} of {n} fits were done. With checkpoint= a search goes on where it was ended."
