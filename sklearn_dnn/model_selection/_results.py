"""What the results of calls are worth, where some of them are missing."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .._warnings import warn
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


def give_up(calls: Sequence[Call], results: dict[int, Any]) -> None:
    """After an interruption: calls without a result fail, as fits do that raise."""
    warn(f"Interrupted by the user: {len(results)} of {len(calls)} fits are done and count.")
    for i, call in enumerate(calls):
        if i not in results:
            results[i] = call.fail()


def tell_what_was_stacked(calls: Sequence[Call], verbose: int) -> None:
    """From ``verbose=2`` on: how many fits stacks trained, and why others were alone."""
    if verbose < 2:
        return
    alone = Counter(call.reason for call in calls if call.reason is not None)
    print(f"[stacking] {len(calls) - alone.total()} of {len(calls)} fits trained in stacks")
    for reason, count in alone.items():
        print(f"[stacking] {count} alone: {reason}")
