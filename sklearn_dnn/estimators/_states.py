"""States that were saved by other versions."""

from __future__ import annotations

from typing import Any

STATE_FORMAT = 2


def readable(state: dict[str, Any], name: str, *, is_classifier: bool) -> dict[str, Any]:
    """A saved state of the estimator called `name` as one of this version.

    Raises
    ------
    ValueError
        If this version can't read it.
    """
    found = state.get("state_format_", STATE_FORMAT)
    if found < STATE_FORMAT:
        raise ValueError(
            f"This {name} was saved in state format {found}, and this version of sklearn_dnn "
            f"reads format {STATE_FORMAT}. Load it with the version that saved it, or fit it "
            "again."
        )
    if found > STATE_FORMAT:
        raise ValueError(
            f"This {name} was saved in state format {found}, and this version of sklearn_dnn "
            f"reads formats up to {STATE_FORMAT}. Load it with the version that saved it, or a "
            "newer one."
        )
    state = _with_columns(_with_members(state))
    return _with_recipe(state, is_classifier=is_classifier)


def _with_members(state: dict[str, Any]) -> dict[str, Any]:
    """A state that was saved before there were ensembles, as one of a single network."""
    first = {"n_members": 1, "ensemble": "independent", "bootstrap": False, "member_fraction": None}
    state = first | {"numeric_embedding": None} | state
    if "coefs_" in state and "members_" not in state:
        member = {
            "n_iter": state["n_iter_"],
            "best_iter": state["best_iter_"],
            "end_reason": state["end_reason_"],
            "loss_curve": state["loss_curve_"],
            "validation_loss_curve": state["validation_loss_curve_"],
            "validation_scores": state["validation_scores_"],
            "history": state["history_"],
        }
        state["members_"] = [member]
    return state


def _with_recipe(state: dict[str, Any], *, is_classifier: bool) -> dict[str, Any]:
    """A state that was saved before parameters were chosen together, with plain values."""
    if is_classifier:
        state = {"calibration": None} | state
    if "spec_" in state:
        plain = {"calibration": None, "numeric_embedding": None, "by_recipe": False}
        state = state | {"spec_": plain | state["spec_"]}
        if is_classifier:
            state = {"temperature_": 1.0} | state
    return state


def _with_columns(state: dict[str, Any]) -> dict[str, Any]:
    """A state that was saved before there were categories and gaps, which still refuses both."""
    state = {"categorical_features": None} | state
    if "coefs_" in state and "input_columns_" not in state:
        scaling = state["spec_"]["input_scaling"]
        scaling = scaling if isinstance(scaling, str) else None
        state["input_columns_"] = {"scaling": scaling, "fill": None}
        state |= {"is_categorical_": None, "categories_": []}
    return state if "coefs_" not in state else {"is_parsed_": None} | state
