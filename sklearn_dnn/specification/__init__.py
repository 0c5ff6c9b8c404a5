"""From what the user typed to what is really done: names to components, "auto" to numbers.

Below this package nobody reads the estimator and nothing is "auto".
"""

from ._contradictions import warn_of_broken_conditions, warn_of_missing_blocks
from ._resolve import (
    CUDA_WORK,
    hidden_sizes,
    members_at_once,
    resolve,
    step_work,
    stops_early,
    without_validation,
)
from ._spec import (
    COLUMNS,
    FitSpec,
    Task,
    is_on,
    objective,
    structure,
)

__all__ = [
    "COLUMNS",
    "CUDA_WORK",
    "FitSpec",
    "Task",
    "hidden_sizes",
    "is_on",
    "members_at_once",
    "objective",
    "resolve",
    "step_work",
    "stops_early",
    "structure",
    "warn_of_broken_conditions",
    "warn_of_missing_blocks",
    "without_validation",
]
