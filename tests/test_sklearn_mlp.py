"""scikit-learn's own tests of its networks, run on ours behind a map of names.

Its test module is loaded once more, with functions in place of its classes that give our
parameters their names and defaults there; pytest then collects its functions here.
"""

import math
import sys
from importlib.util import find_spec, module_from_spec
from unittest import mock

import pytest
import sklearn.neural_network

import sklearn_dnn
from sklearn_dnn.components import SGD, InverseScaling

SCHEDULES = {"constant": "constant", "adaptive": "performance"}


def mapped(cls):
    """A function that takes the parameters of scikit-learn's class of that name."""

    def make(
        hidden_layer_sizes=(100,),
        solver="adam",
        learning_rate="constant",
        learning_rate_init=0.001,
        power_t=0.5,
        momentum=0.9,
        early_stopping=False,
        **others,
    ):
        schedule = "constant"
        if early_stopping:
            others["monitor"] = "r2" if cls is sklearn_dnn.MLPRegressor else "accuracy"
        if solver == "sgd" and learning_rate == "invscaling":
            schedule = InverseScaling(power_t=power_t)
        elif solver == "sgd":
            schedule = SCHEDULES[learning_rate]
        if solver == "lbfgs":  # for which there is no patience there
            others["n_iter_no_change"] = math.inf
        return cls(
            hidden_layer_sizes,
            optimizer=SGD(momentum=momentum, nesterov=momentum > 0) if solver == "sgd" else solver,
            schedule=schedule,
            learning_rate_init=learning_rate_init,
            early_stopping=early_stopping,
            **others,
        )

    return make


PRIVATE = "it reads or sets private attributes"
MAX_FUN = "there is no max_fun: max_iter and max_time limit a fit"
SCALED = "inputs and targets are standardised inside, and it takes the steps of raw numbers"
GOES_ON = "one odd row or a tiny part does not stop a fit: the training loss is monitored"
LEFT_OUT = {
    "test_fit": PRIVATE,
    "test_gradient": PRIVATE,
    "test_learning_rate_warmstart": PRIVATE,
    "test_adaptive_learning_rate": PRIVATE,
    "test_n_iter_no_change": PRIVATE,
    "test_n_iter_no_change_inf": PRIVATE,
    "test_lbfgs_classification_maxfun": MAX_FUN,
    "test_lbfgs_regression_maxfun": MAX_FUN,
    "test_mlp_loading_from_joblib_partial_fit": SCALED,
    "test_predict_proba_multilabel": "logarithms are those of raw outputs, more exact than "
    "log(predict_proba), which is rounded near 1",
    "test_nonfinite_params": "the error names the column and the way out, in other words",
    "test_early_stopping_stratified": GOES_ON,
    "test_minimum_input_sample_size": GOES_ON,
    "test_mlp_partial_fit_after_fit": "partial_fit works with early stopping",
}

# scikit-learn's own run lets warnings pass that the functions do not speak of.
pytestmark = pytest.mark.filterwarnings("default")


def _functions():
    spec = find_spec("sklearn.neural_network.tests.test_mlp")
    spec.name = "test_mlp_of_ours"  # scikit-learn's own module stays as it is
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    ours = {name: mapped(getattr(sklearn_dnn, name)) for name in ("MLPClassifier", "MLPRegressor")}
    with mock.patch.multiple(sklearn.neural_network, **ours):
        spec.loader.exec_module(module)
    return {k: v for k, v in vars(module).items() if k.startswith("test_") and k not in LEFT_OUT}


globals().update(_functions())


@pytest.fixture
def global_random_seed():
    """As in scikit-learn's own run by default."""
    return 42


def test_what_is_left_out_is_there():
    module = sys.modules["test_mlp_of_ours"]
    assert all(name in vars(module) for name in LEFT_OUT)
