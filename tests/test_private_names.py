"""What the package takes for granted of private names of scikit-learn, joblib and torch.

Each may change with any of their versions. A test here says which one did, before a fit or a
search fails at a place that says nothing.
"""

from __future__ import annotations

import ast
import inspect
import re
from numbers import Integral, Real
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from joblib.parallel import BatchedCalls, ThreadingBackend
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.callback import ProgressBar
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, make_scorer, max_error
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.model_selection._validation import _fit_and_predict, _fit_and_score
from sklearn.utils.parallel import delayed

from sklearn_dnn import MLPClassifier, _compat

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 0, 1, 0, 1])
ROWS = np.arange(4)

# Of scikit-learn: a function, and how the package calls it.
CALLS = {
    "fit_context": ((), {"prefer_skip_nested_validation": False}),
    "check_sample_weight": ((None, X), {"dtype": np.float64, "ensure_non_negative": True}),
    "check_method_params": ((X,), {"params": {"sample_weight": np.ones(6)}, "indices": ROWS}),
    "check_categorical_features": ((X, [0]), {}),
    "safe_split": ((DummyClassifier(), X, Y, ROWS), {}),
    "num_features": ((X,), {}),
    "num_samples": ((X,), {}),
    "make_constraint": ((int,), {}),
}
# Names that `_compat` takes beside those, each with a test below or by use in the tests of a fit.
OTHERS = {
    # scikit-learn
    "_fit_and_score",
    "_fit_and_predict",
    "_Interval",
    "_StrOptions",
    "HasMethods",
    "InvalidParameterError",
    "Options",
    "_skl_callbacks",
    "_callbacks",
    "_metadata_request",
    "_score_func",
    "_get_param_names",
    "ParamsDict",
    "_html_repr",
    "_fit_stochastic",
    "_backprop",
    "_fit_lbfgs",
    "_loss_grad_lbfgs",
    "_score",
    "_forward_pass",
    "_compute_loss_grad",
    "_fit_here",
    # torch
    "DeviceContext",
    "_fused_adam_",
    "_fused_sgd_",
    "_fused_adagrad_",
    "_foreach_copy_",
    "_C",
    "_is_any_autocast_enabled",
    "_len_torch_function_stack",
    "_pop_torch_function_stack",
    "_push_on_torch_function_stack",
    "_get_fp32_precision_getter",
    "_set_fp32_precision_setter",
}


def private_names():
    """What `_compat` imports from private modules, or names with an underscore in front."""
    imported, named = set(), set()
    for node in ast.walk(ast.parse(Path(_compat.__file__).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            inside = re.search(r"(^|\.)_", node.module)
            names = [alias for alias in node.names if inside or alias.name[0] == "_"]
            imported |= {alias.asname or alias.name for alias in names}
        elif isinstance(node, ast.Attribute):
            named.add(node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            named.add(node.value)
        elif isinstance(node, ast.FunctionDef):
            named.add(node.name)
    return imported | {name for name in named if re.fullmatch(r"_(?!_)\w+", name)}


def test_each_private_name_has_its_place_here():
    assert private_names() == set(CALLS) | OTHERS


@pytest.mark.parametrize("name", CALLS)
def test_functions_take_what_they_are_given(name):
    args, kwargs = CALLS[name]
    function = getattr(_compat, name)
    inspect.signature(function).bind(*args, **kwargs)
    function(*args, **kwargs)


def test_tables_of_parameters_have_a_title_to_replace():
    shown = DummyClassifier(strategy="prior")._get_params_html(deep=False)
    assert isinstance(shown, _compat.ParamsDict)
    assert shown._html_repr().count("<summary>Parameters<") == 1
    assert {"data", "non_default", "estimator_class", "doc_link"} <= set(vars(shown))


def test_functions_return_what_is_read():
    weight = _compat.check_sample_weight(None, X, dtype=np.float64, ensure_non_negative=True)
    np.testing.assert_array_equal(weight, np.ones(6))
    with pytest.raises(ValueError, match=r"sample.weight"):
        _compat.check_sample_weight(-np.ones(6), X, dtype=np.float64, ensure_non_negative=True)
    parts = _compat.check_method_params(X, params={"w": np.arange(6), "k": "text"}, indices=ROWS)
    np.testing.assert_array_equal(parts["w"], ROWS)
    assert parts["k"] == "text"
    part, target = _compat.safe_split(DummyClassifier(), X, Y, ROWS)
    np.testing.assert_array_equal(part, X[ROWS])
    np.testing.assert_array_equal(target, Y[ROWS])
    assert _compat.num_features(X) == 2
    assert _compat.num_samples(X) == 6
    with pytest.raises(TypeError):
        _compat.num_features(object())
    np.testing.assert_array_equal(_compat.check_categorical_features(X, [1]), [False, True])


def test_constraints_are_of_the_kinds_that_the_table_uses():
    allowed = _compat.make_constraint(_compat.Interval(Integral, 0, None, closed="left"))
    assert allowed.is_satisfied_by(0)
    assert not allowed.is_satisfied_by(-1)
    assert _compat.Options(Real, {np.inf}).is_satisfied_by(np.inf)
    assert _compat.StrOptions({"a"}).options == {"a"}
    assert _compat.HasMethods(["split"]).is_satisfied_by(KFold())
    assert issubclass(_compat.InvalidParameterError, ValueError | TypeError)
    assert BaseEstimator._get_param_names.__func__


# Searches, in which calls of these two functions are stacked

ASKED = {"estimator", "X", "y", "train", "test", "fit_params"}
OF_A_SEARCH = {
    "parameters",
    "error_score",
    "split_progress",
    "candidate_progress",
    "callback_ctx",
    "caller",
    "verbose",
}


def test_names_of_arguments_by_which_fits_are_stacked():
    of_scores = inspect.signature(_fit_and_score).parameters
    assert set(of_scores) >= ASKED | OF_A_SEARCH
    assert list(of_scores)[:3] == ["estimator", "X", "y"]
    assert set(inspect.signature(_fit_and_predict).parameters) >= ASKED


class Kept(ThreadingBackend):
    """A backend that keeps what it is given."""

    def submit(self, func, callback=None):
        self.items += func.items
        return super().submit(func, callback)


def calls_of(run):
    backend = Kept()
    backend.items = []
    with joblib.parallel_config(backend=backend, n_jobs=2):
        run()
    return backend.items


@pytest.mark.parametrize("of", ["search", "predictions"])
def test_what_joblib_is_given_can_be_read(of):
    network = LogisticRegression()

    def run():
        if of == "search":
            GridSearchCV(network, {"C": [1.0, 2.0]}, cv=2, refit=False).fit(X, Y)
        else:
            cross_val_predict(network, X, Y, cv=2)

    calls = calls_of(run)
    target = _fit_and_score if of == "search" else _fit_and_predict
    assert len(calls) == (4 if of == "search" else 2)
    for function, args, kwargs in calls:
        assert _compat.evaluation_of(function) is target
        asked = inspect.signature(target).bind(*args, **kwargs).arguments
        assert asked["X"] is X
        assert len(asked["train"]) == 3
        if of == "search":
            assert asked["parameters"]["C"] in {1.0, 2.0}
            number, n = asked["candidate_progress"]
            assert 0 <= number < n == 2


def test_another_function_is_no_evaluation():
    function, *_ = delayed(len)(X)
    assert _compat.evaluation_of(function) is None
    assert BatchedCalls([joblib.delayed(len)(X)], "sequential").items


def test_a_result_says_its_scores_and_its_error():
    scorer = make_scorer(accuracy_score)
    asked = {"verbose": 0, "parameters": None, "fit_params": {}, "score_params": {}}
    rows = {"train": ROWS, "test": ROWS}
    model = DummyClassifier()
    result = _fit_and_score(model, X, Y, scorer=scorer, **rows, **asked, return_times=True)
    assert result["fit_error"] is None
    assert result["test_scores"] == 0.5
    assert result["fit_time"] >= 0
    model = DummyClassifier(strategy="constant")  # without its constant
    result = _fit_and_score(model, X, Y, scorer=scorer, **rows, **asked, error_score=np.nan)
    assert "ValueError" in result["fit_error"]


# Callbacks, scorers and metadata


def test_callbacks_are_kept_where_they_are_looked_for():
    network = MLPClassifier()
    assert not _compat.has_callbacks(network)
    bar = ProgressBar()
    network.set_callbacks(bar)
    assert _compat.has_callbacks(network)
    assert _compat.callbacks_of(network) == [bar]


def test_a_scorer_says_whether_it_takes_weights():
    assert _compat.scorer_takes_weights(make_scorer(accuracy_score))
    assert not _compat.scorer_takes_weights(make_scorer(max_error))
    assert not _compat.scorer_takes_weights(accuracy_score)  # a callable of a user's own


def test_requests_of_metadata_are_handed_on():
    with config_context(enable_metadata_routing=True):
        source = DummyClassifier().set_fit_request(sample_weight=True)
    twin = _compat.take_requests(DummyClassifier(), source)
    assert twin.get_metadata_routing().fit.requests == {"sample_weight": True}


# torch


def of(value):
    return torch.full((1, 3), value)


def test_fused_kernels_move_a_parameter_by_the_rate():
    lists = [[of(0.0)], [of(1.0)], [of(0.0)], [of(0.0)], [], [torch.tensor(1.0)]]
    _compat.fused_adam_(
        *lists,
        lr=0.1,
        beta1=0.9,
        beta2=0.999,
        weight_decay=0.0,
        eps=1e-8,
        amsgrad=False,
        maximize=False,
    )
    torch.testing.assert_close(lists[0][0], of(-0.1), rtol=1e-5, atol=0)
    theta = of(0.0)
    _compat.fused_sgd_(
        [theta],
        [of(1.0)],
        [of(0.0)],
        weight_decay=0.0,
        momentum=0.9,
        lr=0.1,
        dampening=0.0,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )
    torch.testing.assert_close(theta, of(-0.1))
    theta = of(0.0)
    _compat.fused_adagrad_(
        [theta],
        [of(1.0)],
        [of(0.0)],
        [torch.tensor(1.0)],
        lr=0.1,
        lr_decay=0.0,
        weight_decay=0.0,
        eps=1e-10,
        maximize=False,
    )
    torch.testing.assert_close(theta, of(-0.1))
    _compat.foreach_copy_([theta], [of(2.0)])
    assert theta.tolist() == of(2.0).tolist()


def test_what_a_caller_set_for_its_thread_is_seen():
    assert not _compat.any_autocast()
    with torch.autocast("cpu", torch.bfloat16):
        assert _compat.any_autocast()
    assert _compat.count_function_modes() == 0
    with torch.device("cpu"):
        assert _compat.count_function_modes() == 1
        mode = _compat.pop_function_mode()
        assert isinstance(mode, _compat.DeviceContext)
        _compat.push_function_mode(mode)
        assert _compat.count_function_modes() == 1


def test_precision_is_read_as_it_was_written():
    before = _compat.read_precision()
    try:
        for value in _compat.EXACT_PRECISIONS:
            _compat.write_precision(value)
            assert _compat.read_precision() in _compat.EXACT_PRECISIONS
    finally:
        _compat.write_precision(before)
