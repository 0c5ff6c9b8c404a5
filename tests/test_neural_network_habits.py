"""What programs do with scikit-learn's networks, done with both: the same comes of it."""

import copy
import io
import pickle
from contextlib import redirect_stdout

import joblib
import numpy as np
import pytest
import sklearn.model_selection as their_selection
import sklearn.neural_network as theirs
from joblib import Parallel, delayed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dnn import model_selection as our_selection
from sklearn_dnn import neural_network as ours

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X, Y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
D, T = load_diabetes(return_X_y=True)
D, T = StandardScaler().fit_transform(D[:200]), (T[:200] - T[:200].mean()) / T[:200].std()
KW = {"hidden_layer_sizes": (6,), "max_iter": 8, "learning_rate_init": 0.01, "random_state": 0}


def same(program, rtol=1e-6, atol=1e-9):
    """Run a program, a function of the module with the networks, with both."""
    its, mine = program(theirs), program(ours)
    assert len(its) == len(mine)
    for a, b in zip(its, mine, strict=True):
        if np.asarray(a).dtype.kind in "fc":
            assert_allclose(b, a, rtol=rtol, atol=atol)
        else:
            assert_array_equal(b, a)


def weights(model):
    return [*model.coefs_, *model.intercepts_]


# One network


def test_a_pipeline_of_lbfgs():
    raw, y = load_iris(return_X_y=True)
    train, test, y_train, y_test = their_selection.train_test_split(raw, y, random_state=1)

    def program(module):
        network = module.MLPClassifier((5, 2), solver="lbfgs", alpha=1e-5, max_iter=30)
        model = make_pipeline(StandardScaler(), network.set_params(random_state=1))
        model.fit(train, y_train)
        assert isinstance(model[-1], module.MLPClassifier)
        return [model.predict(test), model.predict_proba(test), model.score(test, y_test)]

    same(program)


def test_a_loop_of_warm_starts():
    def program(module):
        model = module.MLPClassifier(**KW | {"max_iter": 1}, warm_start=True, batch_size=40)
        losses, scores = [], []
        for _ in range(8):
            losses.append(model.fit(X, Y).loss_)
            scores.append(model.score(X, Y))
        assert model.loss_curve_ == losses
        return [losses, scores, model.n_iter_, model.t_, *weights(model)]

    same(program)


def test_a_stream():
    """Batches of many sizes, one row among them, whose classes are told at first."""

    def program(module):
        model = module.MLPClassifier(**KW, solver="sgd", learning_rate="invscaling")
        found = []
        for rows in np.split(np.random.default_rng(0).permutation(150), [30, 31, 60, 120]):
            model.partial_fit(X[rows], Y[rows], classes=np.unique(Y))
            found += [model.score(X, Y), model.loss_, model.t_]
        return [*found, *weights(model)]

    same(program)


def test_round_trips_go_on(tmp_path):
    def program(module):
        model = module.MLPRegressor(**KW, warm_start=True).fit(D, T)
        joblib.dump(model, tmp_path / "model.joblib")
        found = []
        copies = pickle.loads(pickle.dumps(model)), joblib.load(tmp_path / "model.joblib")
        for again in (*copies, copy.deepcopy(model)):
            assert type(again) is module.MLPRegressor
            found += [again.predict(D), again.fit(D, T).predict(D)]
            found += [again.partial_fit(D, T).predict(D), again.loss_curve_]
        return [*found, model.predict(D)]

    same(program)


def test_numbers_that_are_read_after_a_fit():
    def program(module):
        found = []
        for solver in ("adam", "sgd", "lbfgs"):
            model = module.MLPClassifier(**KW, solver=solver).fit(X, Y)
            found += [model.n_iter_, model.n_layers_, model.n_outputs_, model.out_activation_]
            found += [model.t_, model.loss_, model.classes_, model.n_features_in_]
            found += [solver == "lbfgs" or model.best_loss_]
        return found

    same(program)


def test_weights_as_pictures():
    def program(module):
        model = module.MLPClassifier(**KW | {"hidden_layer_sizes": (6, 4)}).fit(X, Y)
        low, high = model.coefs_[0].min(), model.coefs_[0].max()
        pictures = [column.reshape(2, 2) for column in model.coefs_[0].T]
        assert [c.shape for c in model.coefs_] == [(4, 6), (6, 4), (4, 3)]
        assert [b.shape for b in model.intercepts_] == [(6,), (4,), (3,)]
        return [low, high, *pictures, np.vstack([b.sum() for b in model.intercepts_])]

    same(program)


def test_early_stopping_is_looked_into():
    def program(module):
        model = module.MLPClassifier(**KW | {"max_iter": 60}, early_stopping=True)
        model.set_params(validation_fraction=0.2, n_iter_no_change=3).fit(X, Y)
        best = int(np.argmax(model.validation_scores_))
        assert model.best_loss_ is None
        found = [best, model.validation_scores_, model.best_validation_score_, model.loss_curve_]
        return [*found, model.n_iter_, *weights(model)]

    same(program)


def test_clones_and_changed_parameters():
    def program(module):
        model = module.MLPRegressor(**KW).fit(D, T)
        other = clone(model)
        assert not hasattr(other, "coefs_")
        other.set_params(activation="tanh", alpha=0.1, batch_size=50, max_iter=4).fit(D, T)
        again = model.set_params(hidden_layer_sizes=(3, 2)).fit(D, T)
        return [str(other.get_params()), repr(again), other.predict(D), again.predict(D)]

    same(program)


def test_sample_weights():
    weight = np.random.default_rng(0).integers(0, 4, len(X))

    def program(module):
        model = module.MLPClassifier(**KW).fit(X, Y, sample_weight=weight)
        model.partial_fit(X, Y, sample_weight=weight.tolist())
        other = module.MLPRegressor(**KW, solver="lbfgs").fit(X, X[:, :2], weight)
        return [model.loss_, *weights(model), other.score(X, X[:, :2], weight)]

    same(program)


def subclass(module):
    class Counted(module.MLPClassifier):
        """A network with a number of its own, and methods that do something around."""

        def __init__(self, n_passes=2, hidden_layer_sizes=(6,), random_state=None, max_iter=3):
            super().__init__(hidden_layer_sizes, random_state=random_state, max_iter=max_iter)
            self.n_passes = n_passes

        def fit(self, X, y):
            super().fit(X, np.asarray(y))
            for _ in range(self.n_passes):
                self.partial_fit(X, y)
            return self

        def partial_fit(self, X, y, classes=None):
            self.calls_ = getattr(self, "calls_", 0) + 1
            return super().partial_fit(X, y, classes=classes)

    return Counted


def test_a_subclass():
    def program(module):
        model = subclass(module)(n_passes=3, random_state=0)
        search = their_selection.GridSearchCV(model, {"n_passes": [1, 4]}, cv=2).fit(X, Y)
        scores = search.cv_results_["mean_test_score"]
        return [model.fit(X, Y).calls_, len(model.loss_curve_), scores, *weights(model)]

    same(program)


def test_weights_set_by_hand():
    def program(module):
        model = module.MLPRegressor(**KW | {"max_iter": 1}).fit(D, T)
        model.coefs_ = [np.full_like(c, 0.1) for c in model.coefs_]
        model.intercepts_[0][:] = np.linspace(-1, 1, 6)
        before = model.predict(D)
        model.coefs_[1][2] = 0.5
        return [before, model.predict(D), model.partial_fit(D, T).predict(D), *weights(model)]

    same(program)


def test_printed_losses_are_read_by_programs():
    def program(module):
        with redirect_stdout(io.StringIO()) as told:
            module.MLPClassifier(**KW | {"max_iter": 60}, verbose=True, tol=0.1).fit(X, Y)
        lines = told.getvalue().splitlines()
        assert lines[-1].startswith("Training loss did not improve more than tol")
        return [float(line.split("=")[1]) for line in lines[:-1]]

    same(program)


def test_one_random_state_for_several():
    def program(module):
        rng = np.random.RandomState(0)
        given = KW | {"random_state": rng}
        first = module.MLPClassifier(**given).fit(X, Y)
        second = module.MLPRegressor(**given, early_stopping=True).fit(D, T)
        np.random.seed(3)  # noqa: NPY002 - a habit
        third = module.MLPClassifier(**KW | {"random_state": None}).fit(X, Y)
        after = np.random.rand()  # noqa: NPY002
        found = [first.predict_proba(X), second.predict(D), third.predict_proba(X)]
        return [*found, rng.uniform(), after]

    same(program)


def test_copies_in_mid_training():
    """The best network so far is kept by hand, while the other one goes on."""

    def program(module):
        model, best, found = module.MLPClassifier(**KW), None, []
        for _ in range(12):
            model.partial_fit(X[::2], Y[::2], classes=[0, 1, 2])
            found.append(model.score(X[1::2], Y[1::2]))
            if best is None or found[-1] > best.score(X[1::2], Y[1::2]):
                best = copy.deepcopy(model)
        assert best.score(X[1::2], Y[1::2]) == max(found)
        found.append(best.partial_fit(X, Y).loss_)
        return [found, *weights(best), *weights(model)]

    same(program)


@pytest.mark.parametrize("form", ["list", "frame"])
def test_tables_of_other_kinds(form):
    if form == "frame":
        pd = pytest.importorskip("pandas")
        table = pd.DataFrame(X, columns=["a", "b", "c", "d"])
        names = pd.Series(Y, name="kind").map({0: "x", 1: "y", 2: "z"})
    else:
        table, names = X.tolist(), [["x", "y", "z"][i] for i in Y]

    def program(module):
        model = module.MLPClassifier(**KW).fit(table, names)
        columns = list(getattr(model, "feature_names_in_", []))
        return [columns, model.predict(table[:9]), model.predict_proba(table)]

    same(program)


# Networks in other estimators, and in other functions


def test_estimators_that_hold_classifiers():
    def program(module):
        base, found = module.MLPClassifier(**KW), []
        for model in (
            OneVsRestClassifier(base),
            BaggingClassifier(base, n_estimators=3, max_samples=0.5, random_state=0),
            VotingClassifier([("a", base), ("b", LogisticRegression())], voting="soft"),
            CalibratedClassifierCV(base, cv=2),
        ):
            found.append(model.fit(X, Y).predict_proba(X))
        return found

    same(program)


def test_estimators_that_hold_regressors():
    def program(module):
        base = module.MLPRegressor(**KW, solver="sgd")
        several = MultiOutputRegressor(base).fit(D[:, 2:], D[:, :2])
        scaled = TransformedTargetRegressor(base, transformer=StandardScaler()).fit(D, 9 * T + 50)
        return [several.predict(D[:, 2:]), scaled.predict(D), scaled.regressor_.loss_curve_]

    same(program)


GRID = {"solver": ["adam", "lbfgs"], "alpha": [1e-4, 1.0], "hidden_layer_sizes": [(4,), (3, 3)]}


def test_a_grid():
    def program(module, selection=their_selection):
        search = selection.GridSearchCV(module.MLPClassifier(**KW), GRID, cv=2)
        search.fit(X, Y)
        best = search.best_estimator_
        assert type(best) is module.MLPClassifier
        results = [search.cv_results_[name] for name in ("mean_test_score", "rank_test_score")]
        return [*results, str(search.best_params_), search.best_score_, *weights(best)]

    same(program)
    same(lambda module: program(module, our_selection if module is ours else their_selection))


@pytest.mark.parametrize("selection", [their_selection, our_selection])
def test_functions_that_fit(selection):
    def program(module):
        chosen = selection if module is ours else their_selection
        model = module.MLPClassifier(**KW)
        found = chosen.cross_val_predict(model, X, Y, cv=3, method="predict_proba")
        curve = chosen.learning_curve(
            model, X, Y, cv=3, train_sizes=[0.3, 1.0], shuffle=True, random_state=0
        )
        importance = permutation_importance(model.fit(X, Y), X, Y, n_repeats=2, random_state=0)
        return [found, *curve, importance.importances]

    same(program)


def test_words():
    texts = ["a red apple", "a green pear", "red red wine", "green tea", "an apple pie"] * 6
    kinds = ["food", "food", "drink", "drink", "food"] * 6

    def program(module):
        model = make_pipeline(TfidfVectorizer(), module.MLPClassifier(**KW, early_stopping=True))
        model.fit(texts, kinds)
        return [model.predict(["green wine", "pear pie"]), model.predict_proba(texts)]

    same(program)


def test_threads():
    def program(module):
        models = [module.MLPClassifier(**KW | {"random_state": i}) for i in range(4)]
        models += [module.MLPRegressor(**KW, solver="lbfgs"), models[0]]
        fitted = Parallel(n_jobs=3, backend="threading")(
            delayed(model.fit)(X, Y) for model in models[:-1]
        )
        assert fitted[0] is models[0]
        return [array for model in fitted for array in weights(model)]

    same(program)
