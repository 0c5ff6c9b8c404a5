"""After an error an estimator is as it was: what it holds, predicts, and goes on from."""

from __future__ import annotations

import copy
import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import KFold
from sklearn.utils.validation import check_is_fitted

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.callbacks import FunctionCallback
from sklearn_dnn.components import (
    Accumulated,
    Bagging,
    Bounded,
    ClipNorm,
    HiddenModule,
    Scheduled,
    TorchOptimizer,
)
from sklearn_dnn.components.initializers import Initializer
from sklearn_dnn.estimators._stacked_fit import Fit
from sklearn_dnn.estimators._stacks import open_stacks, train_stack
from sklearn_dnn.model_selection import GridSearchCV

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BOTH = pytest.mark.parametrize("cls", [MLPClassifier, MLPRegressor])
rng = np.random.default_rng(0)
X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["a", "b", "c"])
Y = (X["a"] > 0).astype(int)
OTHER = pd.DataFrame(rng.normal(size=(30, 2)), columns=["c", "b"])
OTHER_Y = (OTHER["b"] > 0).astype(int)


class Trap:
    """What a user's function does, once it is set: raise an error."""

    error: BaseException | None = None

    @classmethod
    def spring(cls):
        if cls.error is not None:
            raise cls.error


@pytest.fixture(autouse=True)
def no_trap():
    yield
    Trap.error = None


def loss(raw, target):
    Trap.spring()
    return (raw - target.reshape(raw.shape)) ** 2


def schedule(_t, _horizon):
    Trap.spring()
    return 1.0


def scorer(estimator, X, _y):
    Trap.spring()
    return float(np.mean(estimator.predict(X)))


def activation(z):
    Trap.spring()
    return torch.tanh(z)


def augmentation(x, y, _generator):
    Trap.spring()
    return x, y


class Start(Initializer):
    def draw(self, fan_in, fan_out, generator):
        Trap.spring()
        return torch.full((fan_in, fan_out), 0.1, dtype=torch.float64)


class Rule(torch.optim.SGD):
    def step(self, closure=None):
        Trap.spring()
        return super().step(closure)


class Part(torch.nn.Module):
    def __init__(self, n_features):
        super().__init__()
        self.dense = torch.nn.Linear(n_features, 4)

    def forward(self, x):
        Trap.spring()
        return torch.tanh(self.dense(x))


def make(cls, **parameters):
    quick = {"hidden_layer_sizes": (4,), "max_iter": 2, "batch_size": 10, "random_state": 0}
    return cls(**quick | parameters)


def state(model):
    """All that an estimator holds, to the last digit, callbacks aside."""
    own = {k: v for k, v in vars(model).items() if not k.startswith("_skl_callbacks")}
    return {name: joblib.hash(value) for name, value in own.items()}


def refused(model, *table, error=ValueError, method="fit", **given):
    """The states before and after a call that raises."""
    before = state(model)
    with pytest.raises(error):
        getattr(model, method)(*table, **given)
    assert state(model) == before


BAD_CALLS = {
    "groups without a splitter": ((OTHER, OTHER_Y), {"groups": np.arange(30)}),
    "a short y": ((OTHER, OTHER_Y[:-1]), {}),
    "an infinite X": ((OTHER.assign(c=np.inf), OTHER_Y), {}),
    "text and dates": ((OTHER.assign(c=pd.Timestamp("2020-01-01")), OTHER_Y), {}),
    "negative weights": ((OTHER, OTHER_Y, -np.ones(30)), {}),
    "weights of zero": ((OTHER, OTHER_Y, np.zeros(30)), {}),
    "X_val of another width": ((OTHER, OTHER_Y), {"X_val": X, "y_val": Y}),
    "X_val without y_val": ((OTHER, OTHER_Y), {"X_val": OTHER}),
    "y_val out of place": ((OTHER, OTHER_Y), {"X_val": OTHER, "y_val": [["a", "b"]] * 30}),
    "bad difficulty": ((OTHER, OTHER_Y), {"difficulty": [1.0, np.nan]}),
    "gaps in y": ((OTHER, OTHER_Y.where(OTHER_Y > 0, np.nan)), {}),
    "complex numbers": ((OTHER.assign(c=1j), OTHER_Y), {}),
    "no columns of use": ((OTHER.assign(c=np.nan, b=np.nan), OTHER_Y), {}),
}


@BOTH
@pytest.mark.parametrize("call", BAD_CALLS.values(), ids=BAD_CALLS)
def test_refused_input(cls, call):
    table, given = call
    anew = make(cls)
    refused(anew, *table, error=(ValueError, TypeError), **given)
    with pytest.raises(NotFittedError):
        check_is_fitted(anew)
    for warm_start in (False, True):
        model = make(cls, warm_start=warm_start).fit(X, Y)
        predicted = model.predict(X)
        refused(model, *table, error=(ValueError, TypeError), **given)
        np.testing.assert_array_equal(model.predict(X), predicted)


BAD_PARAMETERS = {
    "a misspelt name": {"optimizer": "adan"},
    "a contradiction": {"activation": "selu", "hidden_layer_sizes": (4,), "clip_norm": -1.0},
    "rows that are not there": {"validation_fraction": KFold(50), "early_stopping": True},
    "an unreachable range": {"output_activation": Bounded("logistic", 5.0, 6.0)},
    "bounds the wrong way round": {"output_activation": Bounded("logistic", 6.0, -6.0)},
    "a rate out of range": {"dropout": Scheduled(1.5, "linear")},
    "a misspelt schedule": {"weight_decay": Scheduled(0.1, "liner")},
    "a scope that is none": {"clip_norm": ClipNorm(1.0, "all")},
    "a share out of range": {"ensemble": Bagging(-1.0)},
    "no steps": {"batch_size": Accumulated(4, 0)},
}


@pytest.mark.parametrize("parameters", BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
def test_refused_parameters(parameters):
    refused(make(MLPRegressor, **parameters), OTHER, OTHER_Y)
    model = make(MLPRegressor).fit(X, Y).set_params(**parameters)
    refused(model, OTHER, OTHER_Y)


FUNCTIONS = {
    "loss": {"loss": loss},
    "schedule": {"schedule": schedule},
    "scorer": {"monitor": scorer, "early_stopping": True},
    "activation": {"activation": activation},
    "augmentation": {"augmentation": augmentation},
    "initializer": {"initializer": Start()},
    "optimizer": {"optimizer": TorchOptimizer(Rule, momentum=0.5)},
    "module": {"hidden_layer_sizes": HiddenModule(Part)},
}
ERRORS = [RuntimeError("mine"), MemoryError(), torch.OutOfMemoryError("all"), KeyboardInterrupt()]


@pytest.mark.parametrize(
    ("name", "error"),
    [*((name, ERRORS[0]) for name in FUNCTIONS), *(("loss", error) for error in ERRORS[1:])],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_errors_in_functions_of_the_users(name, error):
    parameters = FUNCTIONS[name]
    error = type(error)(*error.args)

    def fails(model, **how):
        Trap.error = error
        # a function that is tried beforehand may be told of in other words
        refused(model, OTHER, OTHER_Y, error=(type(error), ValueError), **how)
        Trap.error = None

    fails(make(MLPRegressor, **parameters))
    fails(make(MLPRegressor, **parameters).fit(X, Y))
    failed = make(MLPRegressor, **parameters, warm_start=True).fit(X, Y)
    other = copy.deepcopy(failed)
    if name != "initializer":  # which only first weights ask
        Trap.error = error
        refused(failed, X, Y, error=(type(error), ValueError))
        if name != "optimizer":  # which is asked first whether it learns from batches
            refused(failed, X, Y, error=(type(error), ValueError), method="partial_fit")
        Trap.error = None
    for method in ("fit", "partial_fit"):
        getattr(failed, method)(X, Y)
        getattr(other, method)(X, Y)
        np.testing.assert_array_equal(failed.predict(X), other.predict(X))
        assert failed.loss_curve_ == other.loss_curve_


@pytest.mark.parametrize("at", ["on_fit_begin", "on_epoch_begin", "on_epoch_end", "on_fit_end"])
@BOTH
def test_errors_in_callbacks(cls, at):
    callback = FunctionCallback(**{at: lambda *_: Trap.spring()})
    for error in (RuntimeError("mine"), MemoryError()):
        Trap.error = error
        refused(make(cls).set_callbacks(callback), X, Y, error=type(error))
        Trap.error = None
        failed = make(cls, warm_start=True).set_callbacks(callback).fit(X, Y)
        other = make(cls, warm_start=True).fit(X, Y)
        Trap.error = error
        refused(failed, X, Y, error=type(error))
        Trap.error = None
        np.testing.assert_array_equal(failed.fit(X, Y).predict(X), other.fit(X, Y).predict(X))


class Stubborn(FunctionCallback):
    def teardown(self, estimator, context):
        super().teardown(estimator, context)
        Trap.spring()


def test_an_error_where_callbacks_are_let_go():
    model = make(MLPRegressor).fit(X, Y).set_callbacks(Stubborn())
    Trap.error = RuntimeError("mine")
    refused(model, OTHER, OTHER_Y, error=RuntimeError)


def test_divergence():
    model = make(MLPRegressor, optimizer="sgd").fit(X, Y)
    refused(model.set_params(learning_rate_init=1e300), X, Y)
    refused(make(MLPRegressor, learning_rate_init=1e300, optimizer="sgd"), X, Y)


def test_warnings_that_are_errors():
    model = make(MLPRegressor).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        refused(model, OTHER, OTHER_Y, error=ConvergenceWarning)
        refused(make(MLPRegressor), X, Y, error=ConvergenceWarning)


@BOTH
def test_partial_fit(cls):
    failed = make(cls, dropout=0.2).partial_fit(X, Y)
    other = copy.deepcopy(failed)
    for table in ((X[["b", "a", "c"]], Y), (X, Y[:-1]), (OTHER, OTHER_Y), (X.assign(a=np.inf), Y)):
        refused(failed, *table, method="partial_fit")
    np.testing.assert_array_equal(
        failed.partial_fit(X, Y).predict(X), other.partial_fit(X, Y).predict(X)
    )
    anew = make(cls)
    refused(anew, X, Y[:-1], method="partial_fit")
    assert not hasattr(anew, "n_features_in_")


def test_a_new_label_in_partial_fit():
    model = make(MLPClassifier).partial_fit(X, Y, classes=[0, 1])
    refused(model, X, Y + 1, method="partial_fit")
    refused(model, X, Y, method="partial_fit", classes=[0, 1, 2])


def test_random_state_instances_are_drawn_from_by_fits_that_succeed():
    failed, other = (make(MLPRegressor, random_state=np.random.RandomState(0)) for _ in range(2))
    refused(failed, X, Y, groups=np.arange(40))
    np.testing.assert_array_equal(failed.fit(X, Y).predict(X), other.fit(X, Y).predict(X))
    refused(failed, OTHER, OTHER_Y, groups=np.arange(30))
    np.testing.assert_array_equal(failed.fit(X, Y).predict(X), other.fit(X, Y).predict(X))


@BOTH
def test_the_recipe_for_tables(cls):
    table = pd.DataFrame(rng.normal(size=(120, 3)), columns=["a", "b", "c"])
    table["town"] = rng.choice(["x", "y", "z"], 120)
    y = (table["a"] > 0).astype(int)
    model = cls(max_iter=2, random_state=0).fit(table, y)
    predicted = model.predict(table)
    refused(model, table[["town", "a"]], y, groups=np.arange(120))
    refused(model, table.drop(columns="b"), y[:-1])
    np.testing.assert_array_equal(model.predict(table), predicted)


def test_predictions_and_members_that_are_refused_change_nothing():
    model = make(MLPRegressor, n_members=2).fit(X, Y)
    refused(model, OTHER, method="predict")
    refused(model, 5, method="member")
    refused(model, [np.ones(3)], method="set_weights")


def test_a_state_that_is_refused_changes_nothing():
    model = make(MLPRegressor).fit(X, Y)
    newer = copy.deepcopy(vars(model)) | {"state_format_": 99}
    refused(model, newer, method="__setstate__")


def test_a_search_that_ended_is_kept_by_one_that_fails():
    search = GridSearchCV(make(MLPRegressor, loss=loss), {"alpha": [1e-4, 1.0]}, cv=2).fit(X, Y)
    predicted, before = search.predict(X), state(search.estimator)
    Trap.error = RuntimeError("mine")
    with pytest.raises((ValueError, RuntimeError), match=r"fits failed|mine"):
        search.fit(OTHER, OTHER_Y)
    Trap.error = None
    assert state(search.estimator) == before
    np.testing.assert_array_equal(search.predict(X), predicted)
    with pytest.raises(ValueError, match="inconsistent"):
        search.fit(OTHER, Y)
    np.testing.assert_array_equal(search.predict(X), predicted)


def test_a_continued_fit_that_fails_leaves_the_one_that_it_goes_on_from():
    def fit(max_iter, before=None):
        model = make(MLPRegressor, loss=loss, max_iter=max_iter, dropout=0.2)
        return Fit(model, X.to_numpy(), Y.to_numpy(float), before=before)

    def trained(one):
        for stack in open_stacks([one]):
            train_stack(stack)
        return one

    first = trained(fit(2))
    kept = joblib.hash([outcome.progress.export() for outcome in first.outcomes])
    Trap.error = RuntimeError("mine")
    with pytest.raises(RuntimeError):
        trained(fit(4, before=first))
    Trap.error = None
    trained(fit(4, before=first))
    assert joblib.hash([outcome.progress.export() for outcome in first.outcomes]) == kept
    second = trained(fit(4, before=first))
    whole = trained(fit(4))
    for one in (second, whole):
        one.finish()
    np.testing.assert_array_equal(
        second.estimator.predict(X.to_numpy()), whole.estimator.predict(X.to_numpy())
    )


def test_a_warm_start_goes_on_as_if_nothing_had_failed():
    parameters = {"early_stopping": True, "optimizer": "adam", "dropout": 0.3, "ema_decay": 0.9}
    failed = make(MLPClassifier, warm_start=True, **parameters).fit(X, Y)
    other = pickle.loads(pickle.dumps(failed))
    refused(failed, X[["b", "a", "c"]], Y)
    refused(failed, X, Y, groups=np.arange(40))
    refused(failed.set_params(optimizer="sgd"), X, Y)
    failed.set_params(optimizer="adam")
    np.testing.assert_array_equal(
        failed.fit(X, Y).predict_proba(X), other.fit(X, Y).predict_proba(X)
    )
    ends = [model._progress["progress"] for model in (failed, other)]
    for name in ("theta", "average", "optimizer", "order", "masks", "patience"):
        assert joblib.hash(ends[0][name]) == joblib.hash(ends[1][name])
    again = clone(failed).fit(X, Y).fit(X, Y)
    np.testing.assert_array_equal(failed.predict_proba(X), again.predict_proba(X))
