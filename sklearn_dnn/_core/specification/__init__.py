"""From what the user typed to what is really done: names to components, "auto" to numbers.

Below this package nobody reads the estimator and nothing is "auto".
"""

from .auto import (
    PLAIN,
    RECIPE_PATIENCE,
    follows_recipe,
    holds_out_folds,
    is_auto,
    plain_value,
    settled,
    stops_early,
)
from .conditions import warn_of_broken_conditions, warn_of_missing_blocks
from .driven import refuse_scheduled, with_numbers
from .layers import hidden_sizes
from .machine import (
    CUDA_WORK,
    device_of_stack,
    members_at_once,
    members_that_fit,
    refuse_too_large,
    refuse_too_many_members,
    step_work,
)
from .resolve import resolve
from .spec import MIXED, FitSpec, Task, is_on, objective
from .stackable import COLUMNS, structure

__all__ = [
    "COLUMNS",
    "CUDA_WORK",
    "MIXED",
    "PLAIN",
    "RECIPE_PATIENCE",
    "FitSpec",
    "Task",
    "device_of_stack",
    "follows_recipe",
    "hidden_sizes",
    "holds_out_folds",
    "is_auto",
    "is_on",
    "members_at_once",
    "members_that_fit",
    "objective",
    "plain_value",
    "refuse_scheduled",
    "refuse_too_large",
    "refuse_too_many_members",
    "resolve",
    "settled",
    "step_work",
    "stops_early",
    "structure",
    "warn_of_broken_conditions",
    "warn_of_missing_blocks",
    "with_numbers",
]
