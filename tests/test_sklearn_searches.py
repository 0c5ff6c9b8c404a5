"""scikit-learn's own tests of its searches and validation functions, run on ours.

Its test modules are loaded once more, with our names in place of its own; pytest then collects
their functions here as they are, with their parameters and marks.
"""

import sys
from contextlib import ExitStack
from importlib.util import find_spec, module_from_spec
from unittest import mock

import pytest
import sklearn.model_selection
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two of them known

from sklearn_dnn import model_selection

OURS = [name for name in model_selection.__all__ if hasattr(sklearn.model_selection, name)]
MODULES = ["test_search", "test_successive_halving", "test_validation"]
ARRAY_API = "of arrays that are not NumPy's; it is skipped unless SCIPY_ARRAY_API is set"
LEFT_OUT = {
    "test_array_api_search_cv_classifier": ARRAY_API,
    "test_cross_val_predict_array_api_compliance": ARRAY_API,
}
# Beside all of halving.
SLOW = {
    "test_search_with_2d_array",
    "test_permutation_score",
    "test_cross_validate",
    "test_gridsearchcv_cross_val_predict_with_method",
    "test_cross_val_predict_with_method",
    "test_cross_val_predict_class_subset",
    "test_cross_validate_many_jobs",
    "test_validation_functions_routing",
}

# scikit-learn's own run lets warnings pass that the functions do not speak of.
pytestmark = pytest.mark.filterwarnings("default")


def _loaded(name):
    """A test module of scikit-learn's, as if it had imported our classes and functions."""
    spec = find_spec(f"sklearn.model_selection.tests.{name}")
    spec.name = f"{name}_of_ours"  # scikit-learn's own module stays as it is
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where pickle looks for classes
    with ExitStack() as stack:
        for ours in OURS:
            replaced = mock.patch.object(
                sklearn.model_selection, ours, getattr(model_selection, ours)
            )
            stack.enter_context(replaced)
        spec.loader.exec_module(module)
    return module


def _functions():
    for name in MODULES:
        for function_name, function in vars(_loaded(name)).items():
            if function_name.startswith("test_") and function_name not in LEFT_OUT:
                slow = name == "test_successive_halving" or function_name in SLOW
                marked = pytest.mark.slow(function) if slow else function
                yield f"{name}__{function_name.removeprefix('test_')}", marked


globals().update(_functions())


@pytest.fixture
def global_random_seed():
    """As in scikit-learn's own run by default."""
    return 42


def test_what_is_replaced():
    assert len(OURS) == 9
    module = sys.modules["test_search_of_ours"]
    assert module.GridSearchCV is model_selection.GridSearchCV
    assert sklearn.model_selection.GridSearchCV is not model_selection.GridSearchCV
