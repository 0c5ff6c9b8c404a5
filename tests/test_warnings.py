"""Each warning of the package points to the user's line, and clean data give none."""

from __future__ import annotations

import ast
import contextlib
import gc
import inspect
import os
import runpy
import subprocess
import sys
import tempfile
import textwrap
import threading
import warnings
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn import model_selection as theirs
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GroupKFold
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_dnn
from sklearn_dnn import MLPClassifier, MLPRegressor, model_selection
from sklearn_dnn._core.fitting import running
from sklearn_dnn._warnings import warn
from sklearn_dnn.callbacks import FunctionCallback, History
from sklearn_dnn.components import EarlyStopping, LayerNorm, Piecewise
from sklearn_dnn.estimators import _base
from sklearn_dnn.inspection import learning_rate_range_test
from sklearn_dnn.model_selection import _backend, _checkpoint

PACKAGE = Path(sklearn_dnn.__file__).parent
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X[:, 0]
LABELS = (Y > 0).astype(int)
# ends by itself, without a word
QUIET = {"hidden_layer_sizes": (3,), "max_iter": 20, "tol": 10.0, "n_iter_no_change": 2}


def regressor(**parameters: Any) -> MLPRegressor:
    return MLPRegressor(**{**QUIET, "random_state": 0, **parameters})


def classifier(**parameters: Any) -> MLPClassifier:
    return MLPClassifier(**{**QUIET, "random_state": 0, **parameters})


# To provoke each warning: a function of `monkeypatch` that gives a call; and a part of the text.


class Case(NamedTuple):
    text: str
    prepare: Callable[[pytest.MonkeyPatch], Callable[[], Any]]


def fitting(model: Any, X: Any = X, y: Any = Y) -> Callable[[Any], Callable[[], Any]]:
    return lambda _: partial(model.fit, X, y)


def not_kept(_: pytest.MonkeyPatch) -> Callable[[], Any]:
    model = classifier(early_stopping=True).fit(X, LABELS)
    return partial(model.set_params(warm_start=True).fit, X, LABELS)


def spoilt(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    real = running.train

    def spoil(specs: Any, progress: Any, *args: Any, **kwargs: Any) -> Any:
        progress[1].theta.fill_(np.nan)
        return real(specs, progress, *args, **kwargs)

    monkeypatch.setattr(running, "train", spoil)
    return partial(regressor(n_members=2).fit, X, Y)


def interrupted(_: pytest.MonkeyPatch) -> Callable[[], Any]:
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    return partial(regressor().set_callbacks(FunctionCallback(on_epoch_end=press)).fit, X, Y)


def no_refit(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    model = classifier(early_stopping=EarlyStopping(refit=True), max_time=60.0)
    clock = iter([0.0, 60.0])
    monkeypatch.setattr(_base, "perf_counter", lambda: next(clock))
    return partial(model.fit, X, LABELS)


def lost_worker(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    real, lost = _backend.StackingBackend._in_this_process, iter([True])

    def work(backend: Any, *args: Any) -> Any:
        if next(lost, False):
            raise TerminatedWorkerError("it was killed")
        return real(backend, *args)

    monkeypatch.setattr(_backend.StackingBackend, "_in_this_process", work)
    return partial(searched(model_selection).fit, X, Y)


def interrupted_search(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    real, left = _backend.StackingBackend._judged, iter([1, 2, 3, 4])

    def judge(backend: Any, call: Any) -> Any:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return real(backend, call)

    monkeypatch.setattr(_backend.StackingBackend, "_judged", judge)
    return partial(searched(model_selection).fit, X, Y)


def searched(module: Any, model: Any = None, **options: Any) -> Any:
    grid = {"alpha": [0.1, 0.2, 0.3]}
    return module.GridSearchCV(model or regressor(), grid, cv=2, **options)


def damaged_checkpoint(_: pytest.MonkeyPatch) -> Callable[[], Any]:
    folder = Path(tempfile.mkdtemp())
    searched(model_selection, checkpoint=folder).fit(X, Y)
    first = min(folder.glob("*.pkl"))
    first.write_bytes(first.read_bytes()[:-1] + b"?")
    return partial(searched(model_selection, checkpoint=folder).fit, X, Y)


def other_versions(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    folder = Path(tempfile.mkdtemp())
    searched(model_selection, checkpoint=folder).fit(X, Y)
    monkeypatch.setattr(_checkpoint, "__version__", "0.0.0")
    return partial(searched(model_selection, checkpoint=folder).fit, X, Y)


def cut_log(_: pytest.MonkeyPatch) -> Callable[[], Any]:
    path = Path(tempfile.mkdtemp()) / "rows.jsonl"
    regressor().set_callbacks(History(path)).fit(X, Y)
    path.write_bytes(path.read_bytes()[:-9])
    return History(path).frame


def unread_cells(_: pytest.MonkeyPatch) -> Callable[[], Any]:
    table = pd.DataFrame({"x": Y, "price": [f"{v:.2f}" for v in Y]})
    return partial(regressor().fit(table, Y).predict, table.replace({"price": "0.13"}, "n/a"))


class Odd(GroupKFold):
    """Holds out all rows of the first label."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Any:
        held = np.flatnonzero(np.isin(np.arange(len(X)), [0, 1, *range(20, 40)]))
        yield np.setdiff1d(np.arange(len(X)), held), held


EMPTY = np.column_stack([X, np.full(len(X), np.nan)])
RARE = pd.DataFrame({"x": Y, "name": [f"n{i}" for i in range(len(X))]})
CLIFF = Piecewise(boundaries=(3,), factors=(1.0, 1e305))
LONG = {"tol": 0.0, "n_iter_no_change": 100}
CASES = {
    "no block": Case("the network is a plain one", fitting(regressor(topology="residual"))),
    "selu": Case(
        "keeps mean 0 and variance 1 only under its conditions",
        fitting(regressor(activation="selu", initializer="zeros")),
    ),
    "batch": Case("rows to train on and is clipped", fitting(regressor(batch_size=1000))),
    "target": Case(
        "is left out: without a validation part there are no",
        fitting(
            classifier(early_stopping=EarlyStopping(target=0.9), monitor="accuracy"), X[:1], [0]
        ),
    ),
    "moved": Case(
        "The rows of some classes train and do not judge",
        fitting(
            classifier(early_stopping=True, validation_fraction=Odd()),
            X,
            np.where(np.arange(40) < 2, "odd", LABELS.astype(str)),
        ),
    ),
    "one class": Case(
        "alone, and can't tell",
        fitting(classifier(early_stopping=True), X, (np.arange(40) == 7).astype(int)),
    ),
    "cut cycle": Case(
        "of its peak rate, so that what the", fitting(regressor(schedule="linear", max_iter=50))
    ),
    "other units": Case(
        "they do not look like the same quantity",
        lambda _: partial(regressor().fit, X, Y, X_val=X, y_val=Y + 99.0),
    ),
    "text": Case(
        "Text of whole numbers is read as categories",
        fitting(regressor(), pd.DataFrame({"x": Y, "shop": (np.arange(40) % 4).astype(str)})),
    ),
    "unread": Case("count as gaps in columns that were", unread_cells),
    "new gaps": Case(
        "but had none in the rows that trained",
        lambda _: partial(regressor().fit(X, Y).predict, np.where(X > 1, np.nan, X)),
    ),
    "small": Case(
        "a network learns little from numbers so small",
        fitting(regressor(input_scaling=None), X * 1e-9),
    ),
    "unlike": Case(
        "so that the small ones are lost beside the",
        fitting(regressor(input_scaling=LayerNorm()), X * [1, 1, 1e9]),
    ),
    "small targets": Case(
        "a network can't tell them from 0", fitting(regressor(target_scaling=None), X, Y * 1e-300)
    ),
    "overflow": Case(
        "or what the network has learnt, is too large there",
        lambda _: partial(
            regressor(dtype="float32").fit(X.astype("f4"), Y).predict,
            np.full((2, 3), 3e38, "f4"),
        ),
    ),
    "damaged": Case("results are damaged", damaged_checkpoint),
    "versions": Case("by other versions", other_versions),
    "cut log": Case("has lines that are cut off", cut_log),
    "none held": Case(
        "No validation part was held out, because",
        fitting(classifier(early_stopping=True), X[:1], [0]),
    ),
    "no refit": Case("because the training with them was not completed", no_refit),
    "not kept": Case("The validation part of the earlier fit was not kept", not_kept),
    "empty": Case("and are left out", fitting(regressor(), EMPTY)),
    "rare": Case("no level with", fitting(regressor(), RARE)),
    "scales": Case("networks train badly on such", fitting(regressor(input_scaling=None), X * 99)),
    "members": Case("the ensemble goes without them", spoilt),
    "interrupted": Case("Training interrupted by user", interrupted),
    "diverged": Case(
        "The loss was no longer finite",
        fitting(regressor(optimizer="sgd", schedule=CLIFF, **LONG)),
    ),
    "penalty": Case(
        "which is divided by their sum in a batch",
        lambda _: partial(regressor().fit, X, Y, np.full(len(X), 1e-8)),
    ),
    "max_iter": Case("hasn't converged yet", fitting(regressor(**{**LONG, "max_iter": 2}))),
    "lost worker": Case("A worker was lost", lost_worker),
    "interrupted search": Case("Interrupted by the user", interrupted_search),
    "many labels": Case(
        "The number of unique classes is greater than 50%", fitting(classifier(), X, np.arange(40))
    ),
    "column vector": Case(
        "A column-vector y was passed", fitting(classifier(), X, LABELS[:, None])
    ),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
# what scikit-learn says beside of an interrupted search
beside = [
    pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning"),
]
pytestmark = beside


def places(caught: list[warnings.WarningMessage], text: str) -> set[tuple[str, int]]:
    found = {(w.filename, w.lineno) for w in caught if text in str(w.message)}
    assert found, f"{text!r} is not in {[str(w.message) for w in caught]}"
    return found


def line_of(function: Any, mark: str = "# here") -> int:
    lines, first = inspect.getsourcelines(function)
    (at,) = (i for i, line in enumerate(lines) if line.rstrip().endswith(mark))
    return first + at


def recorded(call: Callable[[], Any]) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return caught


# Each warning


def from_a_function(call):
    call()  # here


@each_case
def test_a_warning_points_to_the_line_in_a_function(case, monkeypatch):
    caught = recorded(partial(from_a_function, case.prepare(monkeypatch)))
    assert places(caught, case.text) == {(__file__, line_of(from_a_function))}


@each_case
def test_a_warning_points_to_the_line_at_the_top_of_a_module(case, monkeypatch, tmp_path):
    path = tmp_path / "program.py"
    path.write_text("\n\ncall()\n")
    call = case.prepare(monkeypatch)
    caught = recorded(lambda: runpy.run_path(str(path), {"call": call}))
    assert places(caught, case.text) == {(str(path), 3)}


def texts_in(node: ast.AST) -> list[str]:
    texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
    return [text for text in texts if isinstance(text, str)]


# Another module that makes the texts of one.
MADE_IN = {"_core/fitting/text_columns.py": "_core/data/texts.py"}


def sites() -> list[tuple[str, list[str]]]:
    """Where the package warns, and the constant parts of what it may say there.

    They are those of the call, or of the whole module where the text is made (`MADE_IN`). What was
    told before, of another fit, is told again by ``warn(warning.message, ...)``: none.
    """
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        module = ast.parse(path.read_text())
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "warn":
                message = node.args[0]
                if not isinstance(message, ast.Attribute):
                    name = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                    made_in = MADE_IN.get(str(path.relative_to(PACKAGE)))
                    made = ast.parse((PACKAGE / made_in).read_text()) if made_in else module
                    found.append((name, texts_in(message) or texts_in(made)))
    assert len(found) >= 15
    return found


@pytest.mark.parametrize(("where", "parts"), sites(), ids=lambda value: str(value)[:40])
def test_each_warning_of_the_package_is_in_the_table(where, parts):
    """A new call of `warn` needs a case: a part of its text without what is filled in."""
    assert any(case.text in part for case in CASES.values() for part in parts), where


def test_the_package_warns_by_one_function():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or path.name == "_warnings.py":
                continue
            name, words = ast.unparse(node.func), {k.arg for k in node.keywords}
            at = f"{path}:{node.lineno}"
            assert not name.startswith(("warnings.warn", "warnings.warn_explicit")), at
            assert "stacklevel" not in words, at


# One warning from many places. It is told twice: once by what begins a fit, once by what ends it.

WARNS = {"batch_size": 1000, **LONG, "max_iter": 2}
TEXTS = ("is clipped", "hasn't converged")


def told_here(call: Callable[[], Any], texts: tuple[str, ...] = TEXTS) -> None:
    caught = recorded(partial(from_a_function, call))
    for text in texts:
        assert places(caught, text) == {(__file__, line_of(from_a_function))}


WAYS = {
    "fit": lambda model: model.fit,
    "pipeline": lambda model: make_pipeline(StandardScaler(), model).fit,
    "pipeline of pipelines": lambda model: make_pipeline(make_pipeline(model)).fit,
    "transformed target": lambda model: TransformedTargetRegressor(model).fit,
    "their search": lambda model: searched(theirs, model).fit,
    "our search": lambda model: searched(model_selection, model).fit,
    "our search, alone": lambda model: (
        searched(model_selection, model.set_params(optimizer="muon")).fit
    ),
    "our search of a pipeline": lambda model: (
        model_selection.GridSearchCV(
            make_pipeline(StandardScaler(), model), {"mlpregressor__alpha": [0.1, 0.2]}, cv=2
        ).fit
    ),
    "their cross-validation": lambda model: partial(theirs.cross_val_score, model, cv=2),
    "our cross-validation": lambda model: partial(model_selection.cross_val_score, model, cv=2),
    "functools": lambda model: partial(partial(model.fit), sample_weight=np.ones(len(X))),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_through_other_packages(way):
    told_here(partial(way(regressor(**WARNS)), X, Y))


def test_through_partial_fit():
    model = regressor(batch_size=1000)
    told_here(partial(model.partial_fit, X, Y), ("is clipped",))


def test_through_a_meta_estimator_called_on_one_line():
    def from_a_line():
        MultiOutputRegressor(regressor(**WARNS)).fit(X, Y[:, None])  # here

    for text in TEXTS:
        assert places(recorded(from_a_line), text) == {(__file__, line_of(from_a_line))}


def test_in_threads_of_a_pool_the_outermost_line_of_the_package_is_shown():
    def search():
        with joblib.parallel_config("threading", n_jobs=2):
            theirs.cross_val_score(regressor(**WARNS), X, Y, cv=2)

    for name, _ in places(recorded(search), "is clipped"):
        assert Path(name).is_relative_to(PACKAGE)


@pytest.mark.parametrize("optimizer", ["adam", "muon"])  # in stacks, and each alone
@pytest.mark.parametrize("backend", ["threading", "sequential"])
def test_searches_in_threads_tell_where_they_were_called(optimizer, backend):
    search = searched(model_selection, regressor(optimizer=optimizer, **WARNS))
    with joblib.parallel_config(backend, n_jobs=2):
        told_here(partial(search.fit, X, Y))


def test_a_search_within_the_calls_of_a_search_in_threads():
    inner = searched(model_selection, regressor(optimizer="muon", **WARNS))
    with joblib.parallel_config("threading", n_jobs=2):
        told_here(partial(model_selection.cross_val_score, inner, X, Y, cv=2))


def test_a_users_scorer_in_a_thread_is_the_line_itself():
    def scorer(estimator, X, y):
        regressor(**WARNS).fit(X, y)  # here
        return estimator.score(X, y)

    search = searched(model_selection, regressor(optimizer="muon"), scoring=scorer)
    with joblib.parallel_config("threading", n_jobs=2):
        caught = recorded(partial(search.fit, X, Y))
    assert (__file__, line_of(scorer)) in places(caught, "is clipped")


def test_through_optuna():
    optuna = pytest.importorskip("optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial):
        alpha = trial.suggest_float("alpha", 0.1, 1.0)
        return regressor(alpha=alpha, **WARNS).fit(X, Y).score(X, Y)  # here

    caught = recorded(lambda: optuna.create_study().optimize(objective, n_trials=1))
    for text in TEXTS:
        assert places(caught, text) == {(__file__, line_of(objective))}


def test_within_a_callback_the_line_is_the_callbacks():
    def look(*_):
        regressor(batch_size=1000).fit(X, Y)  # here

    outer = regressor(max_iter=1).set_callbacks(FunctionCallback(on_epoch_end=look))
    caught = recorded(partial(outer.fit, X, Y))
    assert places(caught, "is clipped") == {(__file__, line_of(look))}


def test_through_a_tool_of_inspection():
    test = partial(learning_rate_range_test, regressor(batch_size=1000), X, Y, n_steps=3)
    told_here(test, ("is clipped",))


class Own(MLPRegressor):
    """A class of a user's own, with a `fit` of its own."""

    def fit(self, X, y):
        return super().fit(X, y)  # here


def test_of_a_subclass_it_is_the_line_that_asks_for_the_fit():
    model = Own(**{**QUIET, **WARNS})
    caught = recorded(partial(model.fit, X, Y))
    for text in TEXTS:
        assert places(caught, text) == {(__file__, line_of(Own.fit))}


def test_a_users_own_context_manager_and_decorator():
    @contextlib.contextmanager
    def fitted():
        yield regressor(**WARNS).fit(X, Y)  # here

    def enter():
        with fitted():
            pass

    caught = recorded(enter)
    assert places(caught, "is clipped") == {(__file__, line_of(fitted.__wrapped__))}

    @contextlib.contextmanager
    def nothing():
        yield

    @nothing()
    def again():
        regressor(**WARNS).fit(X, Y)  # there

    assert places(recorded(again), "is clipped") == {
        (__file__, line_of(again.__wrapped__, "# there"))
    }


def module_of(name: str, path: Path, code: str, **names: Any) -> dict[str, Any]:
    """The global names of a module that a user wrote, after it ran."""
    names |= {"__name__": name, "call": partial(regressor(**WARNS).fit, X, Y)}
    exec(compile(code, str(path), "exec"), names)
    return names


@pytest.mark.parametrize(
    "name",
    [
        "sklearn_dnn_extras",
        "sklearn_dnn_extras.models",
        "sklearn_extra.cluster",
        "torchtools",
        "joblib_jobs",
        "__main__",
        "__mp_main__",
        "test",  # as a part of the standard library is
        "statistics",
        "code",
        "",
        None,
    ],
)
def test_modules_that_are_named_like_those_between(name, tmp_path):
    caught = recorded(lambda: module_of(name, tmp_path / "its.py", "def f():\n    call()\nf()\n"))
    assert places(caught, "is clipped") == {(str(tmp_path / "its.py"), 2)}


def test_code_without_a_name():
    names = {"call": partial(regressor(**WARNS).fit, X, Y)}
    caught = recorded(lambda: exec("\ncall()", names))
    assert places(caught, "is clipped") == {("<string>", 2)}
    # a cell of a notebook
    cell = compile("\n\ncall()", "<ipython-input-1-abcdef>", "exec")
    caught = recorded(lambda: exec(cell, names | {"__name__": "__main__", "__spec__": None}))
    assert places(caught, "is clipped") == {("<ipython-input-1-abcdef>", 3)}


@pytest.mark.parametrize(
    ("module", "spec"),
    [("sklearn_dnn.somewhere", None), ("__main__", "sklearn_dnn.__main__"), ("joblib.x", None)],
)
def test_lines_of_packages_between_are_passed_over(module, spec, tmp_path):
    spec = spec and type("Spec", (), {"name": spec})
    names = {"__name__": module, "__spec__": spec, "call": partial(warn, "look here")}
    code = compile("call()", str(tmp_path / "between.py"), "exec")

    def outside():
        exec(code, names)  # here

    assert places(recorded(outside), "look here") == {(__file__, line_of(outside))}


def test_a_warning_is_shown_once_a_line():
    def tell():
        for _ in range(3):
            warn("look here")
        warn("look here")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        tell()
    assert len(caught) == 2


def test_a_filter_by_module_works():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", module=__name__.replace(".", r"\."))
        regressor(**WARNS).fit(X, Y)


def test_nothing_of_the_users_is_kept_alive():
    """A frame that knew itself would hold the caller's tables until the next collection."""

    class Big:
        pass

    def call():
        big = Big()
        warn("look here")
        return weakref.ref(big)

    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert call()() is None
    finally:
        gc.enable()


def test_in_a_thread_of_the_users_own():
    def work():
        regressor(**WARNS).fit(X, Y)  # here

    def start():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()

    assert places(recorded(start), "is clipped") == {(__file__, line_of(work))}


PROGRAM = """
import warnings
import numpy as np
from joblib import parallel_config
from sklearn.model_selection import cross_val_score
from sklearn_dnn import MLPRegressor
from sklearn_dnn.model_selection import GridSearchCV

def main():
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = MLPRegressor((3,), max_iter=2, batch_size=1000, n_iter_no_change=9)
    with parallel_config("{backend}", n_jobs=2):
        {call}

if __name__ == "__main__":
    main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "multiprocessing", "threading"])
@pytest.mark.parametrize(
    "call",
    [
        "cross_val_score(model, X, X[:, 0], cv=2)",
        'GridSearchCV(model, {"optimizer": ["muon"]}, cv=2).fit(X, X[:, 0])',
        'GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, X[:, 0])',
    ],
)
def test_warnings_of_workers(tmp_path, backend, call):
    """Of our searches they point to the line that called; of others to the package."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM.replace("{backend}", backend).replace("{call}", call))
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, check=True, env=os.environ
    )
    shown = [line for line in done.stderr.splitlines() if "is clipped" in line]
    assert shown
    line = 1 + PROGRAM.splitlines().index("        {call}")
    own = (f"{path}:{line}: ",)
    expected = own if "GridSearchCV" in call else (*own, f"{PACKAGE}/")  # a fork knows the line
    assert all(text.startswith(expected) for text in shown), shown


# A budget: clean data warn of nothing


def clean_frame(n: int = 150) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "income": np.where(rng.random(n) < 0.1, np.nan, rng.lognormal(10, 1, n)),
            "city": pd.Categorical(rng.choice(["Oslo", "Lima", "Pune"], n)),
            "kind": rng.choice(["a", "b"], n),
            "member": rng.random(n) < 0.5,
        }
    )


TABLES = {
    "iris": (MLPClassifier, lambda: load_iris(return_X_y=True)),
    "iris frame": (MLPClassifier, lambda: load_iris(return_X_y=True, as_frame=True)),
    "diabetes": (MLPRegressor, lambda: load_diabetes(return_X_y=True)),
    "frame": (MLPRegressor, lambda: (f := clean_frame(), f["age"] * 1.0)),
    "frame of labels": (MLPClassifier, lambda: (f := clean_frame(), f["kind"])),
    "float32": (MLPRegressor, lambda: (X.repeat(3, 0).astype(np.float32), Y.repeat(3))),
    "read-only": (MLPRegressor, lambda: tuple(map(read_only, (X.repeat(3, 0), Y.repeat(3))))),
    "a copy-on-write column": (MLPRegressor, lambda: (f := pd.DataFrame(X.repeat(3, 0)), f[0])),
}


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(("cls", "load"), TABLES.values(), ids=TABLES)
def test_clean_tables_warn_of_nothing(cls, load):
    table, y = load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = cls(max_iter=10, random_state=0).fit(table, y)
        model.predict(table)
        model.score(table, y)
        model.transform(table)
        if cls is MLPClassifier:
            model.predict_proba(table)
            model.predict_log_proba(table)


@pytest.mark.slow
@pytest.mark.parametrize(("cls", "load"), TABLES.values(), ids=TABLES)
def test_clean_tables_warn_of_nothing_at_full_length(cls, load):
    table, y = load()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cls(random_state=0).fit(table, y)
        model_selection.cross_validate(cls(random_state=0), table, y, cv=3)


def readme_blocks() -> list[str]:
    text = (PACKAGE.parent / "README.md").read_text()
    return [textwrap.dedent(part.split("```")[0]) for part in text.split("```python\n")[1:]]


@pytest.mark.slow
@pytest.mark.parametrize("block", readme_blocks(), ids=range(len(readme_blocks())))
def test_programs_of_the_readme_warn_of_nothing(block, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert capsys.readouterr().err == ""
