"""scikit-learn's networks on the engine: its own tests, its common tests, and what is ours.

scikit-learn's test module is loaded once more, unchanged, with our classes under the two names.
"""

import gc
import pickle
import subprocess
import sys
import weakref
from importlib.util import find_spec, module_from_spec
from unittest import mock

import numpy as np
import pytest
import sklearn.neural_network as theirs
import torch
from checks import with_every_check
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

import sklearn_dnn
from sklearn_dnn import neural_network as ours
from sklearn_dnn._compat import EpochByEpoch

NAMES = ("MLPClassifier", "MLPRegressor")
# scikit-learn's own run lets warnings pass that the functions do not speak of.
pytestmark = pytest.mark.filterwarnings("default")


def _functions():
    spec = find_spec("sklearn.neural_network.tests.test_mlp")
    spec.name = "test_mlp_of_neural_network"  # scikit-learn's own module stays as it is
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    with mock.patch.multiple(theirs, **{name: getattr(ours, name) for name in NAMES}):
        spec.loader.exec_module(module)
    return {k: v for k, v in vars(module).items() if k.startswith("test_")}


globals().update(_functions())


@pytest.fixture
def global_random_seed():
    """As in scikit-learn's own run by default."""
    return 42


def test_all_of_scikit_learns_functions_are_here():
    module = sys.modules["test_mlp_of_neural_network"]
    assert module.MLPClassifier is ours.MLPClassifier
    assert module.MLPRegressor is ours.MLPRegressor
    assert sum(name in globals() for name in vars(module) if name.startswith("test_")) > 40


@with_every_check([ours.MLPClassifier(max_iter=100), ours.MLPRegressor(max_iter=100)])
def test_every_check(estimator, check):
    check(estimator)


@pytest.mark.slow
@with_every_check(
    [
        ours.MLPClassifier(solver="lbfgs", max_iter=100),
        ours.MLPRegressor(solver="lbfgs", max_iter=100),
        ours.MLPClassifier(solver="sgd", learning_rate_init=0.1, max_iter=100),
    ],
)
def test_every_check_of_others(estimator, check):
    check(estimator)


# What is promised


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_scikit_learns(name):
    mine, its = getattr(ours, name), getattr(theirs, name)
    assert issubclass(mine, its)
    assert list(mine().get_params().items()) == list(its().get_params().items())
    assert mine._parameter_constraints == its._parameter_constraints
    assert repr(mine(alpha=0.5)) == repr(its(alpha=0.5))
    assert f"{mine.__module__}.{mine.__qualname__}" == f"sklearn_dnn.neural_network.{name}"


def test_private_names_that_are_replaced_are_there():
    """What our mixin overrides must be what scikit-learn's loop calls."""
    for name in ("_fit_stochastic", "_backprop", "_fit_lbfgs", "_loss_grad_lbfgs", "_score"):
        assert name in vars(EpochByEpoch)
        for cls in (theirs.MLPClassifier, theirs.MLPRegressor):
            assert callable(getattr(cls, name))


def iris():
    return load_iris(return_X_y=True)


def test_a_fit_leaves_scikit_learns_attributes_alone():
    X, y = iris()
    fits = [
        module.MLPClassifier((5,), max_iter=5, random_state=0).fit(X, y)
        for module in (theirs, ours)
    ]
    names = [set(vars(fit)) for fit in fits]
    assert names[0] == names[1]
    assert fits[1].batch_size == "auto"
    assert_allclose(fits[0]._optimizer.ms[0], fits[1]._optimizer.ms[0], rtol=1e-9)
    assert fits[0]._optimizer.t == fits[1]._optimizer.t


def test_a_fit_that_breaks_gives_the_batch_size_back():
    X, y = iris()
    model = ours.MLPClassifier((5,), max_iter=3, batch_size=32)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match="non-finite parameter weights"), np.errstate(all="ignore"):
        clone(model).set_params(activation="identity", learning_rate_init=1e300).fit(X * 1e100, y)
    assert model.batch_size == 32
    assert "_fit_here" not in vars(model)


def test_pickles_go_on():
    X, y = iris()
    model = ours.MLPClassifier((5,), random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    again = pickle.loads(pickle.dumps(model))
    assert b"sklearn_dnn.neural_network" in pickle.dumps(model)
    assert_array_equal(model.partial_fit(X, y).coefs_[0], again.partial_fit(X, y).coefs_[0])


def test_copies_share_no_weights():
    X, y = iris()
    model = ours.MLPClassifier((5,), max_iter=3, random_state=0).fit(X, y)
    before = model.coefs_[0].copy()
    model.partial_fit(X, y)
    assert not np.array_equal(before, model.coefs_[0])
    old = model.coefs_[0]
    kept = old.copy()
    model.fit(X, y)
    assert_array_equal(old, kept)


def both(**given):
    return (
        module.MLPClassifier(**{"hidden_layer_sizes": (5,), **given}) for module in (theirs, ours)
    )


def test_weights_change_in_place():
    X, y = iris()
    for model in both(random_state=0):
        model.partial_fit(X, y, classes=[0, 1, 2])
        weights, before = model.coefs_[0], model.coefs_[0].copy()
        model.partial_fit(X, y)
        assert model.coefs_[0] is weights
        assert weights.flags.owndata
        assert not np.array_equal(weights, before)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate_init": 0.1, "beta_1": 0.5, "epsilon": 0.1},
        {"solver": "sgd"},
        {"hidden_layer_sizes": (9,)},
        {"alpha": 10.0},
    ],
    ids=str,
)
def test_what_is_changed_between_calls_acts_as_there(change):
    X, y = iris()
    its, mine = (m.partial_fit(X, y, classes=[0, 1, 2]) for m in both(random_state=0))
    for model in (its, mine):
        model.set_params(**change).partial_fit(X, y)
    assert_allclose(mine.coefs_[0], its.coefs_[0], rtol=0, atol=1e-12)


def test_a_fit_that_breaks_off_can_be_gone_on_with():
    X, y = iris()

    class Broken(ours.MLPClassifier):
        def _update_no_improvement_count(self, *others):
            super()._update_no_improvement_count(*others)
            if self.n_iter_ == 3:
                assert pickle.loads(pickle.dumps(self)).n_iter_ == 3
                raise OSError("broken")

    model = Broken((5,), random_state=0)
    Broken.__qualname__ = "Broken"
    globals()["Broken"] = Broken
    with pytest.raises(OSError, match="broken"):
        model.fit(X, y)
    same = ours.MLPClassifier((5,), random_state=0, max_iter=3).fit(X, y)
    assert_array_equal(model.coefs_[0], same.coefs_[0])
    assert_allclose(model.partial_fit(X, y).coefs_[0], same.partial_fit(X, y).coefs_[0])


@pytest.mark.parametrize("name", ["_forward_pass", "_compute_loss_grad", "_backprop"])
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_subclass_with_a_way_of_its_own_has_it(name, solver):
    X, y = iris()
    called = []

    def noting(self, *args):
        called.append(name)
        return getattr(super(type(self), self), name)(*args)

    fits = [
        type("Own", (module.MLPClassifier,), {name: noting})(
            (5,), max_iter=3, random_state=0, solver=solver
        ).fit(X, y)
        for module in (theirs, ours)
    ]
    assert_array_equal(fits[0].coefs_[0], fits[1].coefs_[0])
    assert called
    if solver == "adam":  # whose rows that judge are no stand-ins then
        fits[1].set_params(early_stopping=True).fit(X, y)
        assert len(fits[1].validation_scores_) == 3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_no_state_of_torch_changes_a_result(solver):
    X, y = iris()
    model = ours.MLPClassifier((5,), max_iter=3, random_state=0, solver=solver)
    expected = clone(model).fit(X, y).coefs_[0]
    for state in (torch.inference_mode(), torch.device("meta"), torch.no_grad()):
        with state:
            assert_array_equal(clone(model).fit(X, y).coefs_[0], expected)


def test_targets_of_any_number_type():
    X, y = iris()
    found = [
        ours.MLPRegressor(hidden_layer_sizes=(4,), max_iter=2, random_state=0).fit(X, y.astype(t))
        for t in ("f8", ">f8", ">i4", "f4", "longdouble", bool)
    ]
    for model in found[:-1]:
        assert_allclose(model.coefs_[0], found[0].coefs_[0], rtol=1e-6)
    assert isinstance(found[0].loss_, np.float64)


def test_a_fit_holds_no_table():
    X, y = iris()
    X = X.copy()
    held = weakref.ref(X)
    gc.disable()
    try:
        model = ours.MLPClassifier((5,), max_iter=2).fit(X, y)
        del X
        assert held() is None
        assert model.n_iter_ == 2
    finally:
        gc.enable()


FORKED = """
import multiprocessing, numpy as np
from sklearn_dnn.neural_network import MLPRegressor
X = np.random.RandomState(0).standard_normal((100_000, 8))
model = MLPRegressor(hidden_layer_sizes=(8,), max_iter=2, random_state=0)
def go(_): return model.fit(X, X[:, 0]).loss_
go(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(len(set(pool.map_async(go, range(2)).get(120))))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.slow
def test_a_forked_child_fits():
    command = [sys.executable, "-W", "ignore", "-c", FORKED]
    found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert found.stdout.strip() == "1", found.stderr


# As one of ours

FITS = [
    ("MLPClassifier", "multiclass", {}),
    ("MLPClassifier", "binary", {"solver": "sgd", "learning_rate": "invscaling"}),
    ("MLPClassifier", "multilabel", {"solver": "lbfgs"}),
    ("MLPClassifier", "strings", {"early_stopping": True}),
    ("MLPRegressor", "number", {"loss": "poisson"}),
    ("MLPRegressor", "numbers", {"solver": "sgd", "learning_rate": "adaptive"}),
    ("MLPRegressor", "number", {"early_stopping": True, "activation": "tanh"}),
]
RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(90, 4))
SIGNAL = TABLE @ RNG.normal(size=(4, 3)) + 0.1 * RNG.normal(size=(90, 3))
TARGETS = {
    "binary": SIGNAL[:, 0] > 0,
    "multiclass": SIGNAL.argmax(1),
    "strings": np.array(["ash", "birch", "cedar"])[SIGNAL.argmax(1)],
    "multilabel": (SIGNAL > 0).astype(int),
    "number": np.exp(SIGNAL[:, 0] / 3),
    "numbers": SIGNAL,
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("name", "kind", "given"), FITS)
def test_as_one_of_ours(name, kind, given, dtype):
    X, y = TABLE.astype(dtype), TARGETS[kind]
    given = {"hidden_layer_sizes": (8, 6), "max_iter": 6, "random_state": 0, **given}
    its = getattr(ours, name)(**given).fit(X, y)
    mine = its.to_sklearn_dnn()
    assert type(mine) is getattr(sklearn_dnn, name)
    rtol = 1e-12 if dtype == np.float64 else 2e-5
    assert_allclose(mine.loss_curve_[-1], its.loss_, rtol=1e-12)
    if name == "MLPClassifier":
        assert_allclose(mine.predict_proba(X), its.predict_proba(X), rtol=rtol, atol=1e-7)
        assert_array_equal(mine.predict(X), its.predict(X))
    else:
        assert_allclose(mine.predict(X), its.predict(X), rtol=rtol, atol=1e-6)
    assert mine.to_torch() is not None
    assert "8" in mine.summary()
    # the copy is its own
    weights = mine.get_weights()
    mine.set_weights({k: v * 0 if k.startswith("layers") else v for k, v in weights.items()})
    assert all(np.any(array) for array in its.coefs_)
    if given.get("solver") != "lbfgs":
        more = its.to_sklearn_dnn().set_params(early_stopping=False, monitor="loss")
        assert more.partial_fit(X, y).n_iter_ == 1


def test_only_a_fitted_one_becomes_ours():
    with pytest.raises(NotFittedError):
        ours.MLPClassifier().to_sklearn_dnn()


# Programs that run as they are

SCRIPT = """
import sys, sklearn.neural_network as module
from sklearn.neural_network import MLPClassifier, BernoulliRBM
print(MLPClassifier.__module__, BernoulliRBM.__module__, sys.argv[1:], __name__)
if sys.argv[1:] == ["break"]:
    sys.exit(3)
"""


def run(*arguments, **options):
    command = [sys.executable, "-m", "sklearn_dnn.accelerate", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_a_script_runs_as_it_is(tmp_path):
    (tmp_path / "beside.py").write_text("NAME = 'beside'")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + "import beside; print(beside.NAME)")
    found = run("script.py", "--fast", "2", cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    first, second = found.stdout.splitlines()
    assert (
        first == "sklearn_dnn.neural_network sklearn.neural_network._rbm ['--fast', '2'] __main__"
    )
    assert second == "beside"
    assert len(found.stderr.splitlines()) == 1
    assert run(str(script), "break").returncode == 3


@pytest.mark.parametrize("arguments", [(), ("nothing.py",)])
def test_what_is_no_script(arguments, tmp_path):
    found = run(*arguments, cwd=tmp_path)
    assert found.returncode == 2
    assert "usage: python -m sklearn_dnn.accelerate script.py" in found.stderr


def test_a_notebook(capsys):
    from sklearn_dnn.accelerate import accelerate, restore  # noqa: PLC0415 - what it is about

    its = [getattr(theirs, name) for name in NAMES]
    before = dict(vars(theirs))
    try:
        accelerate()
        assert [getattr(theirs, name) for name in NAMES] == [getattr(ours, name) for name in NAMES]
        changed = {name for name, value in vars(theirs).items() if before.get(name) is not value}
        assert changed == set(NAMES)
    finally:
        restore()
    assert [getattr(theirs, name) for name in NAMES] == its
    assert len(capsys.readouterr().err.splitlines()) == 1
