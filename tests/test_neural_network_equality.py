"""The same seed gives the same network as scikit-learn: weights, curves, ends and warnings.

In float64 both libraries do the same arithmetic in another order: what an epoch leaves differs by
rounding, which the steps after it multiply. Tables are standardised, since raw columns make
steps so large that rounding errors grow beyond any bound.
"""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.neural_network as theirs
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import (
    load_diabetes,
    load_digits,
    load_iris,
    make_classification,
    make_multilabel_classification,
    make_regression,
)
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import neural_network as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def tables():
    """Standardised tables by the kind of their targets."""
    made = {
        "binary": make_classification(150, 6, n_informative=4, random_state=0),
        "multiclass": make_classification(160, 6, n_informative=4, n_classes=3, random_state=1),
        "multilabel": make_multilabel_classification(120, 6, n_classes=4, random_state=0),
        "number": make_regression(140, 5, noise=5.0, random_state=0),
        "numbers": make_regression(130, 5, n_targets=3, noise=5.0, random_state=1),
        "iris": load_iris(return_X_y=True),
        "digits": tuple(part[:400] for part in load_digits(return_X_y=True)),
        "diabetes": load_diabetes(return_X_y=True),
    }
    for name, (X, y) in made.items():
        yield name, (StandardScaler().fit_transform(X), scaled(y) if name in REGRESSIONS else y)


def scaled(y):
    return StandardScaler().fit_transform(y.reshape(len(y), -1)).reshape(y.shape)


REGRESSIONS = ("number", "numbers", "diabetes")
TABLES = dict(tables())
N_CASES = 200


def drawn(i):
    """A table and a configuration."""
    rng = np.random.default_rng(i)

    def one(values):
        return values[rng.integers(len(values))]

    table = one(list(TABLES))
    solver = one(["adam", "sgd", "sgd", "lbfgs"])
    given = {
        "hidden_layer_sizes": one([(), (5,), (12,), (8, 6), (4, 4, 4), 7]),
        "activation": one(["identity", "logistic", "tanh", "relu"]),
        "solver": solver,
        "alpha": one([0.0, 1e-4, 1e-2, 1.0]),
        "batch_size": one(["auto", 16, 33, 64, 500]),
        "learning_rate": one(["constant", "invscaling", "adaptive"]),
        "learning_rate_init": one([1e-3, 1e-2, 3e-2]),
        "power_t": one([0.5, 0.1, 0.9]),
        "max_iter": 20,
        "shuffle": one([True, True, False]),
        "random_state": int(rng.integers(1000)),
        "tol": one([1e-4, 1e-4, 1e-2, 0.0]),
        "momentum": one([0.9, 0.5, 0.0]),
        "nesterovs_momentum": one([True, False]),
        "early_stopping": solver != "lbfgs" and one([True, False, False]),
        "validation_fraction": one([0.1, 0.3]),
        "beta_1": one([0.9, 0.7]),
        "beta_2": one([0.999, 0.9]),
        "epsilon": one([1e-8, 1e-3]),
        "n_iter_no_change": one([10, 2, 3]),
    }
    if table in REGRESSIONS and table != "diabetes" and one([False, False, True]):
        given["loss"] = "poisson"
    weighted = one([False, False, True])
    return table, given, weighted, one(["fit", "fit", "warm", "partial"])


def data_of(table, given, weighted, seed):
    X, y = TABLES[table]
    if given.get("loss") == "poisson":
        y = np.exp(y / 3)
    weight = np.random.default_rng(seed).uniform(0, 2, len(X)).round(1) if weighted else None
    return X, y, weight


def trained(module, table, given, way, X, y, weight):
    """A fitted network, after one epoch of it, and all that it warned of."""
    cls = module.MLPRegressor if table in REGRESSIONS else module.MLPClassifier
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        first = cls(**given | {"max_iter": 1}).fit(X, y, weight)
        model = cls(**given)
        if way == "partial" and given["solver"] != "lbfgs" and not given["early_stopping"]:
            classes = {} if table in REGRESSIONS else {"classes": np.unique(y)}
            if table == "multilabel":
                classes = {"classes": np.arange(y.shape[1])}
            for _ in range(4):
                model.partial_fit(X, y, sample_weight=weight, **classes)
        else:
            model.fit(X, y, weight)
        if way == "warm":
            model.set_params(warm_start=True, max_iter=7).fit(X, y, weight)
    return first, model, [(w.category, str(w.message)) for w in told]


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.mark.parametrize("i", range(N_CASES))
def test_the_same_network(i):
    table, given, weighted, way = drawn(i)
    X, y, weight = data_of(table, given, weighted, i)
    its_first, its, its_told = trained(theirs, table, given, way, X, y, weight)
    first, mine, told = trained(ours, table, given, way, X, y, weight)
    if given["solver"] != "lbfgs":
        for a, b in zip(
            its_first.coefs_ + its_first.intercepts_, first.coefs_ + first.intercepts_, strict=True
        ):
            assert_allclose(a, b, rtol=0, atol=1e-12)
    assert told == its_told
    assert mine.n_iter_ == its.n_iter_
    assert mine.t_ == its.t_
    assert_allclose(outputs(mine, X), outputs(its, X), atol=1e-6, rtol=1e-6)
    assert_array_equal(mine.predict(X), its.predict(X)) if table not in REGRESSIONS else None
    assert_allclose(mine.loss_, its.loss_, rtol=1e-6)
    if given["solver"] != "lbfgs":
        assert_allclose(mine.loss_curve_, its.loss_curve_, rtol=1e-6)
    for name in ("validation_scores_", "best_validation_score_", "best_loss_"):
        a, b = getattr(mine, name, None), getattr(its, name, None)
        assert (a is None) == (b is None), name
        if a is not None:
            assert_allclose(a, b, rtol=1e-6)
    assert set(vars(mine)) == set(vars(its))


@pytest.mark.parametrize(
    "form", [sp.csr_matrix, sp.csc_array, np.float32, "F", "frame", "integers"]
)
def test_forms_of_a_table(form):
    X, y = TABLES["iris"]
    if form == "integers":
        X = (X * 10).astype(int)
    elif form == "F":
        X = np.asfortranarray(X)
    elif form == "frame":
        pd = pytest.importorskip("pandas")
        X = pd.DataFrame(X, columns=list("abcd"))
    else:
        X = form(X) if form is not np.float32 else X.astype(np.float32)
    kw = {"hidden_layer_sizes": (6,), "max_iter": 8, "random_state": 0, "early_stopping": True}
    its, mine = (module.MLPClassifier(**kw).fit(X, y) for module in (theirs, ours))
    single = form is np.float32
    assert mine.coefs_[0].dtype == its.coefs_[0].dtype
    assert_allclose(mine.predict_proba(X), its.predict_proba(X), rtol=1e-3 if single else 1e-9)
    assert getattr(mine, "feature_names_in_", None) is None or form == "frame"


@pytest.mark.parametrize("given", [{}, {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0}])
def test_printed_lines(given, capsys):
    X, y = TABLES["iris"]
    lines = []
    for module in (theirs, ours):
        module.MLPClassifier(
            (4,), max_iter=30, random_state=0, verbose=True, early_stopping=True, **given
        ).fit(X, y)
        lines.append(capsys.readouterr().out)
    assert lines[0] == lines[1]
    assert "Iteration 1, loss" in lines[0]


def test_a_random_state_is_drawn_from_as_there():
    """Also where a batch takes all rows, whose order changes nothing."""
    X, y = TABLES["binary"]
    after = []
    for module in (theirs, ours):
        rng = np.random.RandomState(0)
        module.MLPClassifier((4,), max_iter=3, random_state=rng, batch_size=150).fit(X, y)
        module.MLPClassifier((4,), max_iter=2, random_state=rng, early_stopping=True).fit(X, y)
        after.append(rng.randint(10**6))
    assert after[0] == after[1]


def test_ctrl_c_keeps_what_was_learnt(monkeypatch):
    X, y = TABLES["iris"]
    model = ours.MLPClassifier((4,), max_iter=50, random_state=0)
    whole = type(model).train_epoch
    epochs = []

    def pressed(self, rows):
        epochs.append(1)
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return whole(self, rows)

    monkeypatch.setattr(type(model), "train_epoch", pressed)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, y)
    monkeypatch.undo()
    assert model.n_iter_ == 3
    same = clone(model).set_params(max_iter=3).fit(X, y)
    assert_array_equal(model.coefs_[0], same.coefs_[0])
