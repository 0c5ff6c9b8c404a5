"""Our searches and validation functions against scikit-learn's own over the same networks.

Everything is in float64. A stack's products round otherwise than a single network's; a few
dozen steps of small networks keep that below a relative 1e-7 in outputs and losses, and scores
that count are the same but for nearly even votes, of which there are none here.
"""

import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
import sklearn.model_selection as theirs
import torch
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning, FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - makes two of them known
from sklearn.linear_model import Ridge
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
    TimeSeriesSplit,
)
from sklearn.neural_network import MLPRegressor as TheirMLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn import model_selection as ours
from sklearn_dnn.components import SGD, Exponential
from sklearn_dnn.components.optimizers import OPTIMIZERS

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

CLOSE = {"rtol": 1e-7, "atol": 1e-9}
STACKABLE = [name for name in OPTIMIZERS if OPTIMIZERS[name]().stackable]
N_ROWS = 60
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N_ROWS, 5))
SIGNAL = X @ RNG.normal(size=(5, 3)) + 0.3 * RNG.normal(size=(N_ROWS, 3))
WEIGHT = RNG.uniform(0.5, 2.0, size=N_ROWS)
GROUPS = np.arange(N_ROWS) % 7
TARGETS = {
    "one target": SIGNAL[:, 0],
    "two targets": SIGNAL[:, :2],
    "binary": SIGNAL[:, 0] > 0,
    "multiclass": SIGNAL.argmax(axis=1),
    "strings": np.array(["ash", "birch", "cedar"])[SIGNAL.argmax(axis=1)],
    "multilabel": (SIGNAL > 0).astype(int),
}
RATES = {"learning_rate_init": [0.003, 0.01, 0.03], "alpha": [1e-4, 0.1]}


def network(kind="one target", **parameters):
    cls = MLPRegressor if "target" in kind else MLPClassifier
    parameters = {"hidden_layer_sizes": (8,), "activation": "tanh", "max_iter": 6} | parameters
    return cls(**{"batch_size": 16, "random_state": 3} | parameters)


def assert_same_results(one, other):
    """All of ``cv_results_`` but the times."""
    assert set(one.cv_results_) == set(other.cv_results_)
    for key, expected in other.cv_results_.items():
        if key.endswith("_time"):
            continue
        found = one.cv_results_[key]
        if key == "params" or key.startswith("param_"):
            assert repr(list(found)) == repr(list(expected))
        elif key.startswith("rank"):
            np.testing.assert_array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, err_msg=key, **CLOSE)


def assert_equal_searches(estimator, grid, X=X, y=TARGETS["one target"], **asked):
    """Fit ours and scikit-learn's, and compare them."""
    params = asked.pop("params", {})
    name = asked.pop("search", "GridSearchCV")
    other = getattr(theirs, name)(clone(estimator), grid, **asked).fit(X, y, **params)
    one = getattr(ours, name)(clone(estimator), grid, **asked).fit(X, y, **params)
    assert_same_results(one, other)
    if asked.get("refit", True) is not False:
        assert repr(one.best_params_) == repr(other.best_params_)
        assert one.best_index_ == other.best_index_
        # refitted alone, as there
        np.testing.assert_array_equal(one.predict(X), other.predict(X))
    return one


@pytest.fixture
def all_stacked(capsys):
    """After the test: that all fits of our searches with verbose=2 were trained in stacks."""
    yield
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("[stacking]")]
    assert lines
    for line in lines:
        words = line.split()
        assert words[1] == words[3], lines


@pytest.mark.parametrize("kind", TARGETS)
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.usefixtures("all_stacked")
def test_kinds_of_targets(kind, early_stopping):
    estimator = network(kind, early_stopping=early_stopping, max_iter=8)
    asked = {"cv": 3, "return_train_score": True, "verbose": 2}
    assert_equal_searches(estimator, RATES, y=TARGETS[kind], **asked)


@pytest.mark.usefixtures("all_stacked")
def test_weights_of_rows():
    params = {"sample_weight": WEIGHT}
    assert_equal_searches(network(), RATES, params=params, cv=3, verbose=2)
    y = TARGETS["multiclass"]
    assert_equal_searches(network("multiclass"), RATES, y=y, params=params, cv=3, verbose=2)


@pytest.mark.filterwarnings("ignore:The scoring:UserWarning")
@pytest.mark.usefixtures("all_stacked")
def test_weights_of_rows_in_a_pipeline():
    piped = Pipeline([("scale", StandardScaler()), ("mlp", network())])
    grid = {f"mlp__{name}": values for name, values in RATES.items()}
    assert_equal_searches(piped, grid, params={"mlp__sample_weight": WEIGHT}, cv=3, verbose=2)


@pytest.mark.usefixtures("all_stacked")
def test_weights_of_rows_by_routing():
    with sklearn.config_context(enable_metadata_routing=True):
        mlp = network().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        assert_equal_searches(mlp, RATES, params={"sample_weight": WEIGHT}, cv=3, verbose=2)
        scale = StandardScaler().set_fit_request(sample_weight=True)
        piped = Pipeline([("scale", scale), ("mlp", mlp)])
        grid = {f"mlp__{name}": values for name, values in RATES.items()}
        assert_equal_searches(piped, grid, params={"sample_weight": WEIGHT}, cv=3, verbose=2)


@pytest.mark.usefixtures("all_stacked")
def test_class_weights():
    grid = {"class_weight": ["balanced", None, {0: 2.0}], "learning_rate_init": [0.01, 0.02]}
    y = (SIGNAL[:, 0] > 0.8).astype(int)
    assert_equal_searches(network("binary"), grid, y=y, cv=3, scoring="neg_log_loss", verbose=2)


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.usefixtures("all_stacked")
def test_pipelines(cached, tmp_path):
    steps = [("scale", StandardScaler()), ("poly", PolynomialFeatures()), ("mlp", network())]
    piped = Pipeline(steps, memory=str(tmp_path) if cached else None)
    grid = {
        "scale__with_mean": [True, False],
        "poly__degree": [2, 3],  # centred or not is the same to a network in front of degree 1
        "mlp__learning_rate_init": [0.003, 0.01],
    }
    assert_equal_searches(piped, grid, cv=3, verbose=2)
    target = TransformedTargetRegressor(piped, transformer=StandardScaler())
    grid = {f"regressor__{name}": values for name, values in grid.items()}
    assert_equal_searches(target, grid, cv=3, verbose=2)


# Of each kind of state one, and the others.
QUICK = ["adagrad", "adam", "ftrl", "lion", "momentum", "rmsprop"]


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param(o, marks=[] if o in QUICK else [pytest.mark.slow]) for o in STACKABLE],
)
@pytest.mark.usefixtures("all_stacked")
def test_optimizers(optimizer):
    estimator = network(optimizer=optimizer, activation="softplus")
    grid = {"learning_rate_init": [0.001, 0.004, 0.01], "alpha": [0.0, 0.01]}
    assert_equal_searches(estimator, grid, cv=3, verbose=2)


@pytest.mark.usefixtures("all_stacked")
def test_parameters_that_make_other_stacks():
    grid = [
        {"activation": ["tanh", "gelu"], "batch_size": [10, 16, "full"]},
        {"hidden_layer_sizes": [(4,), (4, 4), ()], "alpha": [0.0, 1.0]},
        {"schedule": ["cosine", "one_cycle", Exponential(0.9)], "learning_rate_init": [0.01, 0.02]},
        {"optimizer": [SGD(momentum=0.9), SGD(momentum=0.5, nesterov=True)], "max_iter": [3, 5]},
        {"random_state": [0, 1], "shuffle": [True, False], "clip_norm": [None, 0.1]},
    ]
    assert_equal_searches(network(), grid, cv=3, verbose=2)


@pytest.mark.usefixtures("all_stacked")
def test_numbers_of_schedules():
    estimator = network(schedule=Exponential(0.9), learning_rate_init=0.02)
    name = next(iter(Exponential().get_params()))
    assert_equal_searches(estimator, {f"schedule__{name}": [0.5, 0.9, 0.99]}, cv=3, verbose=2)


@pytest.mark.usefixtures("all_stacked")
def test_dropout_agrees_in_distribution():
    y = TARGETS["one target"]
    estimator = network(dropout=0.3, learning_rate_init=0.02)
    grid = {"random_state": list(range(60))}
    one, other = (
        m.GridSearchCV(estimator, grid, cv=2, verbose=2, refit=False).fit(X, y)
        for m in (ours, theirs)
    )
    a, b = (search.cv_results_["mean_test_score"] for search in (one, other))
    assert not np.array_equal(a, b)
    error = np.std(a - b) / np.sqrt(len(a))
    assert abs(np.mean(a - b)) < 4 * error
    assert 0.6 < np.std(a) / np.std(b) < 1.6


@pytest.mark.parametrize(
    "container", [sp.csr_array, sp.csr_matrix, pd.DataFrame, np.asfortranarray]
)
def test_tables(container):
    table = X * (np.abs(X) > 0.5)
    names = {"columns": list("abcde")} if container is pd.DataFrame else {}
    table = container(table, **names)
    y = TARGETS["one target"]
    one = assert_equal_searches(network(), RATES, X=table, y=y, cv=3)
    if names:
        assert list(one.feature_names_in_) == list("abcde")
    assert_equal_searches(network(dtype="float64"), RATES, X=table, y=pd.Series(y), cv=3)


def test_float32_tables():
    other = theirs.GridSearchCV(network(), RATES, cv=3).fit(X.astype(np.float32), SIGNAL[:, 0])
    one = ours.GridSearchCV(network(), RATES, cv=3).fit(X.astype(np.float32), SIGNAL[:, 0])
    scores = [search.cv_results_["mean_test_score"] for search in (one, other)]
    np.testing.assert_allclose(*scores, rtol=1e-3)


def _masks():
    for train, test in KFold(3).split(X):
        yield np.isin(np.arange(N_ROWS), train), np.isin(np.arange(N_ROWS), test)


def _odd():
    rng = np.random.default_rng(1)
    return [(rng.choice(N_ROWS, size=50), rng.permutation(N_ROWS)[:17]) for _ in range(3)]


SPLITTERS = {
    "GroupKFold": GroupKFold(4),
    "TimeSeriesSplit": TimeSeriesSplit(2),
    "ShuffleSplit": ShuffleSplit(3, test_size=0.3, random_state=0),
    "RepeatedStratifiedKFold": RepeatedStratifiedKFold(n_splits=2, n_repeats=2, random_state=0),
    "uneven": KFold(7),
    "masks": list(_masks()),
    "unsorted, repeated": _odd(),
    "lists": [(list(range(40)), list(range(40, 60)))],
}


@pytest.mark.parametrize("name", SPLITTERS)
def test_splitters(name):
    kind = "multiclass"
    params = {"groups": GROUPS} if name == "GroupKFold" else {}
    for estimator in (network(kind), Pipeline([("mlp", network(kind))])):
        prefix = "mlp__" if isinstance(estimator, Pipeline) else ""
        grid = {f"{prefix}learning_rate_init": [0.003, 0.03]}
        asked = {"cv": SPLITTERS[name], "params": params, "scoring": "neg_log_loss"}
        assert_equal_searches(estimator, grid, y=TARGETS[kind], **asked)


def test_scoring_and_refit():
    y = TARGETS["binary"]
    scoring = {"loss": "neg_log_loss", "area": "roc_auc"}
    asked = {"y": y, "cv": 3, "scoring": scoring, "return_train_score": True}
    assert_equal_searches(network("binary"), RATES, refit="area", **asked)
    assert_equal_searches(network("binary"), RATES, refit=False, **asked)

    def smallest(results):
        return int(np.argmin(results["mean_test_loss"]))

    assert_equal_searches(network("binary"), RATES, refit=smallest, **asked)


def test_random_search():
    distributions = {"learning_rate_init": loguniform(1e-3, 1e-1), "alpha": [1e-4, 1e-2, 1.0]}
    asked = {"search": "RandomizedSearchCV", "cv": 3, "n_iter": 7, "random_state": 0}
    assert_equal_searches(network(), distributions, **asked)


@pytest.mark.parametrize("name", ["HalvingGridSearchCV", "HalvingRandomSearchCV"])
@pytest.mark.parametrize("resource", ["n_samples", "max_iter"])
def test_halving(name, resource):
    more = {"min_resources": 30} if resource == "n_samples" else {"max_resources": 6}
    more["cv"] = KFold(3) if resource == "n_samples" else 3
    asked = {"search": name, "resource": resource, "random_state": 0, "factor": 2} | more
    candidates = {
        "learning_rate_init": [0.003, 0.01, 0.03],
        "alpha": list(np.geomspace(0.01, 1, 5)),
    }
    assert_equal_searches(network(), candidates, **asked)


class TestFailures:
    GRID = {"learning_rate_init": [0.01, 1e10], "optimizer": ["sgd"], "activation": ["relu"]}
    BAD = {"learning_rate_init": [0.01, -1.0], "activation": ["tanh", "tan"]}

    @pytest.mark.parametrize("grid", [GRID, BAD])
    @pytest.mark.parametrize("error_score", [np.nan, -7.0])
    def test_scored(self, grid, error_score):
        seen = []
        for module in (theirs, ours):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                search = module.GridSearchCV(
                    network(batch_size=2), grid, cv=3, error_score=error_score
                )
                search.fit(X, TARGETS["one target"])
            seen.append(
                (search, [str(w.message) for w in warned if w.category is FitFailedWarning])
            )
        (other, expected), (one, found) = seen
        assert_same_results(one, other)
        assert len(found) == len(expected) == 1
        assert found[0].splitlines()[1] == expected[0].splitlines()[1]  # so many fits failed
        assert [line for line in found[0].splitlines() if "Error" in line][:1] == [
            line for line in expected[0].splitlines() if "Error" in line
        ][:1]

    @pytest.mark.parametrize("grid", [GRID, BAD, {"no_such": [1]}])
    def test_raised(self, grid):
        seen = []
        for module in (theirs, ours):
            search = module.GridSearchCV(network(batch_size=2), grid, cv=3, error_score="raise")
            with pytest.raises(ValueError) as caught:  # noqa: PT011 - the two are compared
                search.fit(X, TARGETS["one target"])
            seen.append(str(caught.value))
        assert seen[0] == seen[1]


def test_whole_steps():
    piped = Pipeline([("scale", StandardScaler()), ("mlp", network())])
    grid = [
        {
            "mlp": [network(), Ridge(), network(activation="gelu")],
            "scale": [StandardScaler(), None],
        },
        {"mlp": [network()], "mlp__learning_rate_init": [0.01, 0.02], "scale": ["passthrough"]},
    ]
    assert_equal_searches(piped, grid, cv=3)


@pytest.mark.parametrize(
    ("estimator", "grid"),
    [
        (Ridge(), {"alpha": [0.1, 1.0]}),
        (TheirMLPRegressor(max_iter=5, random_state=0), {"alpha": [0.1, 1.0]}),
        (RandomForestRegressor(5, random_state=0), {"max_depth": [2, 4]}),
        (RandomForestRegressor(5, random_state=0, n_jobs=2), {"max_depth": [2, 4]}),
    ],
)
def test_other_estimators(estimator, grid):
    one = ours.GridSearchCV(estimator, grid, cv=3).fit(X, SIGNAL[:, 0])
    other = theirs.GridSearchCV(estimator, grid, cv=3).fit(X, SIGNAL[:, 0])
    # threads of a forest add up its trees' predictions in the order in which they end
    rounding = {"rtol": 1e-13, "atol": 1e-13}
    scores = [search.cv_results_["mean_test_score"] for search in (one, other)]
    np.testing.assert_allclose(*scores, **rounding)
    np.testing.assert_allclose(one.predict(X), other.predict(X), **rounding)


@pytest.mark.parametrize("inner", [ours, pytest.param(theirs, marks=pytest.mark.slow)])
def test_nested(inner):
    y = TARGETS["one target"]
    search = theirs.GridSearchCV(network(), RATES, cv=3)
    expected = theirs.cross_val_score(search, X, y, cv=3)
    search = inner.GridSearchCV(network(), RATES, cv=3)
    np.testing.assert_allclose(ours.cross_val_score(search, X, y, cv=3), expected, **CLOSE)
    np.testing.assert_allclose(theirs.cross_val_score(search, X, y, cv=3), expected, **CLOSE)
    with ours.stacking():
        np.testing.assert_allclose(theirs.cross_val_score(search, X, y, cv=3), expected, **CLOSE)


def test_validation_functions():
    y = TARGETS["one target"]
    calls = [
        ("cross_val_score", {"cv": 3}),
        ("cross_val_predict", {"cv": 3}),
        (
            "learning_curve",
            {"cv": 3, "train_sizes": [0.5, 1.0], "shuffle": True, "random_state": 0},
        ),
        ("validation_curve", {"cv": 3, "param_name": "alpha", "param_range": [0.01, 1.0]}),
    ]
    for name, asked in calls:
        found, expected = (getattr(m, name)(network(), X, y, **asked) for m in (ours, theirs))
        if not isinstance(found, tuple):
            found, expected = (found,), (expected,)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, **CLOSE)
    labels = TARGETS["strings"]
    asked = {"cv": StratifiedKFold(3), "method": "predict_proba"}
    found, expected = (
        m.cross_val_predict(network("strings"), X, labels, **asked) for m in (ours, theirs)
    )
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_estimators_that_are_returned():
    asked = {"cv": 3, "return_estimator": True, "return_indices": True, "return_train_score": True}
    y = TARGETS["strings"]
    for estimator in (network("strings"), Pipeline([("s", StandardScaler()), ("m", network("x"))])):
        one, other = (m.cross_validate(estimator, X, y, **asked) for m in (ours, theirs))
        assert set(one) == set(other)
        for found, expected in zip(one["estimator"], other["estimator"], strict=True):
            assert set(vars(found)) == set(vars(expected))
            np.testing.assert_allclose(found.predict_proba(X), expected.predict_proba(X), **CLOSE)
            last = [e[-1] if isinstance(e, Pipeline) else e for e in (found, expected)]
            assert set(vars(last[0])) == set(vars(last[1]))
            assert "fit" not in vars(found)
            again = pickle.loads(pickle.dumps(found))
            np.testing.assert_array_equal(again.predict(X), found.predict(X))


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
@pytest.mark.parametrize("pre_dispatch", ["2*n_jobs", pytest.param(3, marks=pytest.mark.slow)])
def test_workers(n_jobs, backend, pre_dispatch):
    with joblib.parallel_config(backend):
        asked = {"cv": 3, "n_jobs": n_jobs, "pre_dispatch": pre_dispatch}
        assert_equal_searches(network(), RATES, **asked)
        piped = Pipeline([("scale", StandardScaler()), ("mlp", network())])
        grid = {"mlp__alpha": [0.01, 0.1, 1.0], "scale__with_mean": [True, False]}
        assert_equal_searches(piped, grid, **asked)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [False, True])
@pytest.mark.filterwarnings("ignore")
def test_dask(processes):
    distributed = pytest.importorskip("distributed")
    cluster = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.Client(processes=processes, **cluster), joblib.parallel_config("dask"):
        one = ours.GridSearchCV(network(), RATES, cv=3).fit(X, SIGNAL[:, 0])
    assert_same_results(one, theirs.GridSearchCV(network(), RATES, cv=3).fit(X, SIGNAL[:, 0]))


def test_what_is_told(capsys):
    ours.GridSearchCV(network(), {"alpha": [0.1, 1.0]}, cv=3, verbose=1).fit(X, SIGNAL[:, 0])
    assert capsys.readouterr().out == "Fitting 3 folds for each of 2 candidates, totalling 6 fits\n"
    grid = {"optimizer": ["adam", "lbfgs"], "max_iter": [3, 6]}
    for module in (theirs, ours):
        module.GridSearchCV(network(batch_size="auto"), grid, cv=3, verbose=2).fit(X, SIGNAL[:, 0])
    lines = [line.split(" time=")[0].rstrip(".") for line in capsys.readouterr().out.splitlines()]
    told = [line for line in lines if line.startswith("[stacking]")]
    scikit_learns = [line.rstrip(".") for line in lines if not line.startswith("[stacking]")]
    assert told[0] == "[stacking] 6 of 12 fits trained in stacks"
    assert told[1].startswith("[stacking] 6 alone: ")
    n = len(scikit_learns) // 2
    assert n == 13
    assert sorted(scikit_learns[:n]) == sorted(scikit_learns[n:])


@pytest.mark.filterwarnings("always::sklearn.exceptions.ConvergenceWarning")
def test_warnings_arise_as_often():
    counts = []
    for module in (theirs, ours):
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            module.GridSearchCV(network(), {"max_iter": [2, 4, 300]}, cv=3).fit(X, SIGNAL[:, 0])
        counts.append([str(w.message) for w in warned if w.category is ConvergenceWarning])
    assert sorted(counts[0]) == sorted(counts[1])
    assert len(counts[0]) >= 6


@pytest.mark.parametrize("name", ["GridSearchCV", "HalvingGridSearchCV"])
def test_searches_are_estimators(name):
    search = getattr(ours, name)(network(), RATES, cv=KFold(2), progress=False)
    assert repr(clone(search)) == repr(search)
    assert "".join(repr(search).split()).startswith(
        f"{name}(cv=KFold(n_splits=2,random_state=None,shuffle=False),estimator=MLPRegressor("
    )
    if name.startswith("Halving"):
        search.set_params(min_resources=40, random_state=0)
    search.fit(X, SIGNAL[:, 0])
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
    assert not hasattr(clone(search), "cv_results_")
    np.testing.assert_array_equal(clone(search).fit(X, SIGNAL[:, 0]).predict(X), search.predict(X))


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("fails", [False, True])
def test_no_trace_on_the_process(n_jobs, fails):
    def state():
        active = joblib.parallel.get_active_backend()
        return (
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            torch.get_rng_state().tolist(),
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - it must be as before
            (type(active[0]), active[1]),
            list(warnings.filters),
        )

    before = state()
    grid = {"alpha": [0.1, -1.0 if fails else 1.0]}
    search = ours.GridSearchCV(network(), grid, cv=3, n_jobs=n_jobs, error_score="raise")
    with joblib.parallel_config("threading"):
        if fails:
            with pytest.raises(ValueError, match="'alpha' parameter"):
                search.fit(X, SIGNAL[:, 0])
        else:
            search.fit(X, SIGNAL[:, 0])
    assert state() == before
