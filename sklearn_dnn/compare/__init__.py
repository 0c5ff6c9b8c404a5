"""From a table to an honest, cross-validated comparison of a network with its rivals."""

from ._models import RIVALS
from ._result import Comparison
from ._run import compare_models
from ._tables import TableProblem

__all__ = ["RIVALS", "Comparison", "TableProblem", "compare_models"]
