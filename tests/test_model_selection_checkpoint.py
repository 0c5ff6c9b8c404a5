"""What a search's checkpoint knows a fit by, and what becomes of its files."""

import copy
import errno
import importlib.util
import json
import os
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge

from sklearn_dnn import MLPRegressor
from sklearn_dnn.callbacks import StopAtTarget
from sklearn_dnn.model_selection import GridSearchCV, _checkpoint, stacking
from sklearn_dnn.model_selection._fingerprints import Fingerprints, as_made

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
Y = X @ RNG.normal(size=3) + 0.3 * RNG.normal(size=40)
GRID = {"alpha": [0.1, 1.0, 10.0]}


def known_by(value):
    return Fingerprints().known_by(value)[0]


def made(text, name="subject", module="mine", file="mine.py"):
    """What a module of the user's, with some text, has under a name."""
    there = {"__name__": module}
    exec(compile(textwrap.dedent(text), file, "exec"), there)
    return there[name]


# (before, after) that do not do the same; what is known is called subject
EDITS = {
    "an operation": ("def subject(x): return x + 1", "def subject(x): return x - 1"),
    "a number": ("def subject(x): return x * 2.0", "def subject(x): return x * 3.0"),
    "its type": ("def subject(x): return x * 2", "def subject(x): return x * 2.0"),
    "its sign": ("def subject(x): return x, 0.0", "def subject(x): return x, -0.0"),
    "a text": ("def subject(x): return x['a']", "def subject(x): return x['b']"),
    "an attribute": ("def subject(x): return x.mean()", "def subject(x): return x.sum()"),
    "a set": (
        "def subject(x): return x in {'a', 'b'}",
        "def subject(x): return x in {'a', 'c'}",
    ),
    "a default": ("def subject(x, k=1): return k", "def subject(x, k=2): return k"),
    "a keyword": ("def subject(x, *, k=1): return k", "def subject(x, *, k=2): return k"),
    "stars": ("def subject(x): return 1", "def subject(*x): return 1"),
    "a lambda": ("subject = lambda x: x + 1", "subject = lambda x: x + 2"),
    "within": (
        "def subject(x):\n    def f(y): return y + 1\n    return f(x)",
        "def subject(x):\n    def f(y): return y + 2\n    return f(x)",
    ),
    "a comprehension": (
        "def subject(x): return sum(a * 2 for a in x)",
        "def subject(x): return sum(a * 3 for a in x)",
    ),
    "a text in a comprehension": (
        "def subject(x): return list('a' for _ in x)",
        "def subject(x): return list('b' for _ in x)",
    ),
    "what is caught": (
        "def subject(x):\n    try: return x()\n    except ValueError: return 1",
        "def subject(x):\n    try: return x()\n    except KeyError: return 1",
    ),
    "a helper's name": ("def subject(x): return f(x)", "def subject(x): return g(x)"),
    "where a helper is from": (
        "from statistics import mean as h\ndef subject(x): return h(x)",
        "from statistics import median as h\ndef subject(x): return h(x)",
    ),
    "a closure": (
        "def make(k):\n    return lambda x: x * k\nsubject = make(1)",
        "def make(k):\n    return lambda x: x * k\nsubject = make(2)",
    ),
    "an array in a closure": (
        "import numpy as np\ndef make(k):\n    return lambda x: x * k\nsubject = make(np.ones(3))",
        "import numpy as np\ndef make(k):\n    return lambda x: x * k\nsubject = make(np.zeros(3))",
    ),
    "what is decorated": (
        "from functools import wraps\ndef d(f):\n    @wraps(f)\n    def g(x): return f(x)\n"
        "    return g\n@d\ndef subject(x): return x + 1",
        "from functools import wraps\ndef d(f):\n    @wraps(f)\n    def g(x): return f(x)\n"
        "    return g\n@d\ndef subject(x): return x + 2",
    ),
    "what is cached": (
        "from functools import cache\n@cache\ndef subject(x): return x + 1",
        "from functools import cache\n@cache\ndef subject(x): return x + 2",
    ),
    "an attribute of a function": (
        "def subject(x): return x * subject.k\nsubject.k = 1",
        "def subject(x): return x * subject.k\nsubject.k = 2",
    ),
    "partial's function": (
        "from functools import partial\ndef f(x, k): return x + k\nsubject = partial(f, k=1)",
        "from functools import partial\ndef f(x, k): return x - k\nsubject = partial(f, k=1)",
    ),
    "partial's arguments": (
        "from functools import partial\ndef f(x, k): return x + k\nsubject = partial(f, k=1)",
        "from functools import partial\ndef f(x, k): return x + k\nsubject = partial(f, k=2)",
    ),
    "a scorer's metric": (
        "from sklearn.metrics import make_scorer\n"
        "def f(y, p): return abs(y - p).mean()\nsubject = make_scorer(f)",
        "from sklearn.metrics import make_scorer\n"
        "def f(y, p): return abs(y - p).max()\nsubject = make_scorer(f)",
    ),
    "a scorer's sign": (
        "from sklearn.metrics import make_scorer\ndef f(y, p): return 1\nsubject = make_scorer(f)",
        "from sklearn.metrics import make_scorer\n"
        "def f(y, p): return 1\nsubject = make_scorer(f, greater_is_better=False)",
    ),
    "a scorer's option": (
        "from sklearn.metrics import fbeta_score, make_scorer\n"
        "subject = make_scorer(fbeta_score, beta=1)",
        "from sklearn.metrics import fbeta_score, make_scorer\n"
        "subject = make_scorer(fbeta_score, beta=2)",
    ),
    "a method": (
        "class A:\n    def __call__(self, x): return x + 1\nsubject = A()",
        "class A:\n    def __call__(self, x): return x + 2\nsubject = A()",
    ),
    "a method by itself": (
        "class A:\n    def f(self, x): return x + 1\nsubject = A().f",
        "class A:\n    def f(self, x): return x + 2\nsubject = A().f",
    ),
    "an object's state": (
        "class A:\n    def __init__(self, k): self.k = k\nsubject = A(1)",
        "class A:\n    def __init__(self, k): self.k = k\nsubject = A(2)",
    ),
    "an attribute of a class": (
        "class A:\n    k = 1\nsubject = A()",
        "class A:\n    k = 2\nsubject = A()",
    ),
    "a base": (
        "class B:\n    def f(self): return super().f() + 1\nclass A(B): pass\nsubject = A()",
        "class B:\n    def f(self): return super().f() + 2\nclass A(B): pass\nsubject = A()",
    ),
    "kinds of methods": (
        "class A:\n    @staticmethod\n    def f(): return 1\nsubject = A",
        "class A:\n    @staticmethod\n    def f(): return 2\nsubject = A",
    ),
    "a class method": (
        "class A:\n    @classmethod\n    def f(cls): return 1\nsubject = A",
        "class A:\n    @classmethod\n    def f(cls): return 2\nsubject = A",
    ),
    "a property": (
        "class A:\n    @property\n    def f(self): return 1\nsubject = A",
        "class A:\n    @property\n    def f(self): return 2\nsubject = A",
    ),
    "a cached property": (
        "from functools import cached_property\n"
        "class A:\n    @cached_property\n    def f(self): return 1\nsubject = A",
        "from functools import cached_property\n"
        "class A:\n    @cached_property\n    def f(self): return 2\nsubject = A",
    ),
    "a data class": (
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    k: int = 1\nsubject = A",
        "from dataclasses import dataclass\n@dataclass\nclass A:\n    k: int = 2\nsubject = A",
    ),
    "an estimator": (
        "from sklearn.base import BaseEstimator\n"
        "class A(BaseEstimator):\n    def fit(self, X, y): return 1\nsubject = A()",
        "from sklearn.base import BaseEstimator\n"
        "class A(BaseEstimator):\n    def fit(self, X, y): return 2\nsubject = A()",
    ),
    "a function in an estimator": (
        "from sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.pipeline import make_pipeline\n"
        "subject = make_pipeline(FunctionTransformer(lambda x: x + 1))",
        "from sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.pipeline import make_pipeline\n"
        "subject = make_pipeline(FunctionTransformer(lambda x: x + 2))",
    ),
    "a loss": (
        "from sklearn_dnn import MLPRegressor\n"
        "subject = MLPRegressor(loss=lambda p, y: (p - y).abs())",
        "from sklearn_dnn import MLPRegressor\n"
        "subject = MLPRegressor(loss=lambda p, y: (p - y) ** 2)",
    ),
    "a loss class": (
        "from sklearn_dnn.components import SquaredError\n"
        "class A(SquaredError):\n    def forward(self, p, y): return p - y\nsubject = A()",
        "from sklearn_dnn.components import SquaredError\n"
        "class A(SquaredError):\n    def forward(self, p, y): return y - p\nsubject = A()",
    ),
    "a module": (
        "import torch\nclass A(torch.nn.Module):\n    def forward(self, x): return x\nsubject = A",
        "import torch\nclass A(torch.nn.Module):\n    def forward(self, x): return -x\nsubject = A",
    ),
    "under a copied name": (
        "from functools import wraps\nfrom sklearn.metrics import mean_absolute_error as f\n"
        "def make(k):\n    @wraps(f)\n    def g(a, b): return k * f(a, b)\n    return g\n"
        "subject = make(1)",
        "from functools import wraps\nfrom sklearn.metrics import mean_absolute_error as f\n"
        "def make(k):\n    @wraps(f)\n    def g(a, b): return k * f(a, b)\n    return g\n"
        "subject = make(42)",
    ),
    "code under a copied name": (
        "from functools import wraps\nfrom statistics import mean\n"
        "@wraps(mean)\ndef subject(x): return mean(x) + 1",
        "from functools import wraps\nfrom statistics import mean\n"
        "@wraps(mean)\ndef subject(x): return mean(x) + 2",
    ),
    "a class under a copied name": (
        "from sklearn.linear_model import Ridge\nfrom functools import wraps\n"
        "@wraps(Ridge, updated=())\nclass subject(Ridge): k = 1",
        "from sklearn.linear_model import Ridge\nfrom functools import wraps\n"
        "@wraps(Ridge, updated=())\nclass subject(Ridge): k = 2",
    ),
    "what a package made": (
        "from torch.optim.swa_utils import get_ema_multi_avg_fn as f\nsubject = f(0.9)",
        "from torch.optim.swa_utils import get_ema_multi_avg_fn as f\nsubject = f(0.8)",
    ),
    "what a package decorates": (
        "import torch\n@torch.no_grad()\ndef subject(x): return x + 1",
        "import torch\n@torch.no_grad()\ndef subject(x): return x + 2",
    ),
    "a wrapped attribute": (
        "def subject(x): return subject.__wrapped__(x)\nsubject.__wrapped__ = lambda x: x + 1",
        "def subject(x): return subject.__wrapped__(x)\nsubject.__wrapped__ = lambda x: x + 2",
    ),
    "an object by a name": (
        "class A:\n    def __init__(self, k): self.k = k\n"
        "    def __reduce__(self): return 'subject'\nsubject = A(1)",
        "class A:\n    def __init__(self, k): self.k = k\n"
        "    def __reduce__(self): return 'subject'\nsubject = A(2)",
    ),
    "a slot of an object by a name": (
        "class A:\n    __slots__ = 'k'\n    def __init__(self, k): self.k = k\n"
        "    def __reduce__(self): return 'subject'\nsubject = A(1)",
        "class A:\n    __slots__ = 'k'\n    def __init__(self, k): self.k = k\n"
        "    def __reduce__(self): return 'subject'\nsubject = A(2)",
    ),
    "a number above": (
        "W = 1.0\ndef subject(x): return x * W",
        "W = 2.0\ndef subject(x): return x * W",
    ),
    "a tuple above": (
        "W = (1, ('a', 2))\ndef subject(x): return x, W",
        "W = (1, ('a', 3))\ndef subject(x): return x, W",
    ),
    "a number above, within": (
        "W = 1\ndef subject(x): return [(lambda: a * W)() for a in x]",
        "W = 2\ndef subject(x): return [(lambda: a * W)() for a in x]",
    ),
    "a number above a method": (
        "W = 1\nclass subject:\n    def f(self): return W",
        "W = 2\nclass subject:\n    def f(self): return W",
    ),
    "a helper": (
        "def f(x): return x + 1\ndef subject(x): return f(x)",
        "def f(x): return x + 2\ndef subject(x): return f(x)",
    ),
    "a helper's number": (
        "W = 1\ndef f(x): return x + W\ndef g(x): return f(x)\ndef subject(x): return g(x)",
        "W = 2\ndef f(x): return x + W\ndef g(x): return f(x)\ndef subject(x): return g(x)",
    ),
    "helpers that change places": (
        "f = lambda x: x + 1\ng = lambda x: x + 2\ndef subject(x): return f(x) / g(x)",
        "f = lambda x: x + 2\ng = lambda x: x + 1\ndef subject(x): return f(x) / g(x)",
    ),
    "a helper that calls back": (
        "def f(x): return x and subject(x - 1)\ndef subject(x): return f(x)",
        "def f(x): return x and subject(x - 2)\ndef subject(x): return f(x)",
    ),
    "a helper that is a class": (
        "class A:\n    def f(self): return A, 1\ndef subject(x): return A().f()",
        "class A:\n    def f(self): return A, 2\ndef subject(x): return A().f()",
    ),
    "a helper that is cached": (
        "from functools import cache\n@cache\ndef f(): return 1\ndef subject(x): return f()",
        "from functools import cache\n@cache\ndef f(): return 2\ndef subject(x): return f()",
    ),
    "a member of an enumeration": (
        "import enum\nclass A(enum.Enum):\n    x = 1\nsubject = A.x",
        "import enum\nclass A(enum.Enum):\n    x = 2\nsubject = A.x",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_is_seen(edit):
    before, after = EDITS[edit]
    assert known_by(made(before)) == known_by(made(before))
    assert known_by(made(before)) != known_by(made(after))


@pytest.mark.parametrize("edit", EDITS)
def test_a_place_in_a_file_is_none_of_its_business(edit):
    text, _ = EDITS[edit]
    moved = "# on top\n\n\ndef other():\n    return 1\n\n\n" + text.replace("\n", "  # a remark\n")
    assert known_by(made(text)) == known_by(made(moved, file="/elsewhere/theirs.py"))


def test_texts_that_document_and_names_of_modules():
    bare = "def subject(x):\n    return x + 1"
    told = 'def subject(x):\n    """Adds one."""\n    return x + 1'
    assert known_by(made(bare)) == known_by(made(told))
    assert known_by(made(bare)) == known_by(made(bare, module="theirs"))
    bare = "class subject:\n    def f(self):\n        return 1"
    told = (
        'class subject:\n    """Has f."""\n    def f(self):\n        """One."""\n        return 1'
    )
    assert known_by(made(bare)) == known_by(made(told))


@pytest.mark.parametrize("name", ["statistics", "trace", "code", "queue", "calendar", "numpy"])
@pytest.mark.parametrize("kind", ["function", "class"])
def test_files_named_like_installed_ones(name, kind, tmp_path, monkeypatch):
    text = "def subject(x): return {0}\n"
    if kind == "class":
        text = "class subject:\n    k = {0}\n"
    keys = []
    for i, value in enumerate((1, 1, 2)):
        folder = tmp_path / str(i)  # one file might be read from Python's cache of its bytecode
        folder.mkdir()
        file = folder / f"{name}.py"
        file.write_text("__version__ = '1'\n" + text.format(value))
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, name, module)
            key, packages = Fingerprints().known_by(module.subject)
        keys.append(key)
        assert name not in packages
    assert keys[0] == keys[1] != keys[2]


def test_installed_things_go_by_their_names():
    for thing in (
        np.mean,
        np.log,
        np.log.reduce,
        torch.relu,
        textwrap.dedent,
        Ridge,
        torch.float32,
    ):
        assert known_by(thing) == known_by(thing)
    kept = sklearn.metrics.mean_absolute_error
    assert "sklearn" in Fingerprints().known_by(kept)[1]
    assert known_by(kept) != known_by(sklearn.metrics.mean_squared_error)
    assert known_by(torch.channels_last) != known_by(torch.contiguous_format)
    assert known_by(...) != known_by(NotImplemented)


def test_what_hides_its_function_is_refused():
    for function in (lambda a: a + 1, max):
        with pytest.raises(TypeError, match="frompyfunc hides its function"):
            known_by(np.frompyfunc(function, 1, 1))


def test_what_changes_as_it_runs_is_not_its_content():
    for text in (
        "n = 0\ndef subject(x):\n    global n\n    n += 1\n    return x",
        "seen = []\ndef subject(x):\n    seen.append(x)\n    return x",
    ):
        subject = made(text)
        before = known_by(subject)
        subject(1)
        assert known_by(subject) == before


def test_helpers_without_content_go_by_their_names():
    text = "class A:\n    g = (i for i in range(3))\ndef subject(x): return A, x + {0}"
    assert known_by(made(text.format(1))) == known_by(made(text.format(1)))
    assert known_by(made(text.format(1))) != known_by(made(text.format(2)))


def test_many_helpers_that_call_each_other():
    names = [f"f{i}" for i in range(40)]
    text = "".join(f"def {name}(x): return {', '.join(names)}, 1\n" for name in names)
    assert known_by(made(text, "f0")) == known_by(made(text, "f0"))
    assert known_by(made(text, "f0")) != known_by(made(text[:-2] + "2\n", "f0"))


class HoldsElsewhere:
    """A callback that does not keep its arguments under their names."""

    def __init__(self, limit, *more, **options):
        self._limit, self.kept = limit, (more, options)


class HoldsInSlots:
    __slots__ = ("limit",)

    def __init__(self, limit):
        self.limit = limit


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (HoldsElsewhere(1), HoldsElsewhere(2)),
        (HoldsElsewhere(1, 2), HoldsElsewhere(1, 3)),
        (HoldsElsewhere(1, a=2), HoldsElsewhere(1, a=3)),
        (HoldsInSlots(1), HoldsInSlots(2)),
    ],
)
def test_callbacks_that_keep_arguments_elsewhere(before, after):
    assert known_by(as_made(before)) == known_by(as_made(copy.copy(before)))
    assert known_by(as_made(before)) != known_by(as_made(after))


def test_what_holds_itself():
    text = """
        def subject(x):
            return x and {0}(x - 1)
        class A:
            pass
        def make():
            def one(x): return x and other(x - {1})
            def other(x): return x and one(x - 1)
            return one
        subject.self, subject.make, subject.object = subject, make(), A()
        subject.object.list = [subject.object]
    """
    first, second = made(text.format("subject", 1)), made(text.format("subject", 1))
    assert known_by(first) == known_by(second)
    assert known_by(first) != known_by(made(text.format("subject", 2)))
    assert known_by([first, second]) == known_by([first, first])


def test_packages_that_are_met():
    _, packages = Fingerprints().known_by([Ridge(), torch.relu, np.log, {"a": textwrap.dedent}])
    assert {"sklearn", "numpy"} <= packages
    fingerprints = Fingerprints()
    model = MLPRegressor(random_state=np.random.RandomState(0))
    assert fingerprints.known_by(model) == fingerprints.known_by(model)  # remembered, too


def test_unknown_things_are_refused(tmp_path):
    class Holds(Ridge):
        def __init__(self, alpha=1.0, thing=None):
            super().__init__(alpha=alpha)
            self.thing = thing

    search = GridSearchCV(Holds(thing=Uncloned()), GRID, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"can't be told by its content \(generator: "):
        search.fit(X, Y)


class Uncloned(BaseEstimator):
    """Holds a generator, of which there is no copy."""

    def __sklearn_clone__(self):
        return self

    def get_params(self, deep=True):
        return {"generator": (i for i in range(3))}


MODULE = """
def score(estimator, X, y):
    return {score}
def loss(prediction, target):
    return (prediction - target).abs() ** {power}
"""


def test_functions_that_are_edited(tmp_path, monkeypatch):
    """The results are those of the functions as they are now."""
    monkeypatch.syspath_prepend(tmp_path)
    asked = {"param_grid": GRID, "cv": 2}

    def fitted(checkpoint=None, **edited):
        source = MODULE.format(**{"score": "estimator.score(X, y)", "power": 2} | edited)
        (tmp_path / "edited_functions.py").write_text(source)
        importlib.invalidate_caches()
        sys.modules.pop("edited_functions", None)
        module = importlib.import_module("edited_functions")
        network = MLPRegressor((4,), loss=module.loss, max_iter=2, random_state=0)
        search = GridSearchCV(network, scoring=module.score, checkpoint=checkpoint, **asked)
        return search.fit(X, Y).cv_results_["mean_test_score"]

    folder = tmp_path / "results"
    for edited in [{}, {"score": "42.0"}, {"power": 1}, {}]:
        np.testing.assert_array_equal(fitted(folder, **edited), fitted(**edited))
    assert len(list(folder.iterdir())) == 18


def test_lambdas(tmp_path):
    def fitted(k):
        scoring = lambda estimator, *_: estimator.alpha * k  # noqa: E731
        return GridSearchCV(Ridge(), GRID, cv=2, scoring=scoring, checkpoint=tmp_path).fit(X, Y)

    for k in (2.0, 3.0, 2.0):
        np.testing.assert_array_equal(
            fitted(k).cv_results_["mean_test_score"], k * np.array(GRID["alpha"])
        )
    assert len(list(tmp_path.iterdir())) == 12


def test_callbacks_that_end_a_fit(tmp_path):
    network = MLPRegressor((4,), max_iter=4, random_state=0)

    def n_fits(model):
        GridSearchCV(model, {"alpha": [0.1]}, cv=2, checkpoint=tmp_path).fit(X, Y)
        return len(list(tmp_path.iterdir()))

    def n_handed_on(callback):
        callback.seen = (i for i in range(3))  # what it was not made with
        search = GridSearchCV(network, {"alpha": [0.1]}, cv=2, checkpoint=tmp_path)
        search.set_callbacks(callback).fit(X, Y)
        return len(list(tmp_path.iterdir()))

    assert n_fits(network) == 2
    for value, n in [(1e9, 4), (0.0, 6), (1e9, 6)]:
        assert n_handed_on(StopAtTarget("loss", value)) == n
    for epoch, n in [(1, 8), (2, 10), (1, 10)]:
        assert n_fits(sklearn.clone(network).set_callbacks(StopsAfter(epoch))) == n


class StopsAfter:
    """A callback of a network's own."""

    def __init__(self, epoch):
        self.epoch = epoch

    def setup(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id + 1 == self.epoch


ZOO = """
import re, sys
from logging import getLogger
from threading import RLock, Thread
import numpy as np, pandas, scipy.sparse, torch
sys.path.insert(0, {tests!r})
from test_model_selection_checkpoint import EDITS, known_by, made
from sklearn.ensemble import RandomForestRegressor
from sklearn_dnn import MLPClassifier
from sklearn_dnn.components import SGD, Cosine
subjects = [made(text) for pair in EDITS.values() for text in pair]
subjects += [{{"a", "b", "c"}}, frozenset("xyz"), {{1: 2, "a": {{"b"}}}}, RandomForestRegressor()]
subjects += [np.random.default_rng(0), np.random.RandomState(0), np.log, Thread.run]
subjects += [{{"lock": RLock(), "log": getLogger("a"), "text": re.compile("a+"), "big": 10**5000}}]
subjects += [np.array([len, None], dtype=object), torch.ones(2, dtype=torch.bfloat16), torch.relu]
subjects += [pandas.DataFrame({{"a": ["x", None]}}), scipy.sparse.eye(3).tocsr(), slice(1, 2), ...]
subjects += [MLPClassifier(optimizer=SGD(), schedule=Cosine(), class_weight={{"a": 1, "b": 2}})]
print(known_by(subjects))
"""


@pytest.mark.slow
def test_other_processes_know_it_by_the_same():
    program = ZOO.format(tests=str(Path(__file__).parent))
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(found) == 1


# Versions


def search(folder, **more):
    return GridSearchCV(Ridge(), GRID, cv=2, checkpoint=folder, **more)


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("sklearn.__version__", "sklearn"),
        ("torch.__version__", "torch"),
        ("sklearn_dnn.model_selection._checkpoint.__version__", "sklearn_dnn"),
    ],
)
def test_other_versions_are_told(where, name, tmp_path, monkeypatch):
    search(tmp_path).set_params(param_grid={"alpha": [0.1]}).fit(X, Y)
    monkeypatch.setattr(where, "99.0")
    told = rf"has 2 of 6 fits by other versions \({name} [^,]*, now 99.0\): they are done anew"
    with pytest.warns(UserWarning, match=told) as caught:
        search(tmp_path).fit(X, Y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    search(tmp_path).fit(X, Y)  # which has them now
    assert len(list(tmp_path.iterdir())) == 2 + 6
    monkeypatch.undo()
    with pytest.warns(UserWarning, match="has 4 of 6 fits by other versions"):
        search(tmp_path).fit(X, Y)  # of which two were done before


# Files


class TestDamage:
    def test_no_flipped_bit_gives_another_result(self, tmp_path):
        search(tmp_path).set_params(param_grid={"alpha": [0.1]}, cv=2).fit(X, Y)
        path = sorted(tmp_path.iterdir())[0]
        whole, result = path.read_bytes(), _checkpoint._read(path)
        n_seen = 0
        for i in range(len(whole)):
            changed = bytearray(whole)
            changed[i] ^= 1 << (i % 8)
            path.write_bytes(changed)
            try:
                found = _checkpoint._read(path)
            except _checkpoint._DamagedError:
                n_seen += 1
                continue
            assert found == result  # a bit of what it says of its versions
        assert n_seen > len(whole) - whole.index(b"\n")

    @pytest.mark.parametrize(
        "content", [b"", b"\n", b"garbage", b"[]\n", b'{"sha256": 1}\n', b"\x80\x04."]
    )
    def test_it_is_told_and_done_anew(self, content, tmp_path):
        expected = search(tmp_path).fit(X, Y).cv_results_
        for path in sorted(tmp_path.iterdir())[:2]:
            path.write_bytes(content)
        with pytest.warns(UserWarning, match="2 results are damaged, and these fits are done anew"):
            found = search(tmp_path).fit(X, Y).cv_results_
        np.testing.assert_array_equal(found["mean_test_score"], expected["mean_test_score"])
        search(tmp_path).fit(X, Y)  # whole again

    def test_damaged_and_of_other_versions(self, tmp_path, monkeypatch):
        search(tmp_path).fit(X, Y)
        for path in tmp_path.iterdir():
            path.write_bytes(b"garbage")
        monkeypatch.setattr("torch.__version__", "99.0")
        with pytest.warns(UserWarning, match=r"torch of an unknown version, now 99.0"):
            search(tmp_path).fit(X, Y)


class Breaks(RegressorMixin, BaseEstimator):
    """Breaks as long as a file is there."""

    def __init__(self, flag=None, alpha=0.0):
        self.flag, self.alpha = flag, alpha

    def fit(self, X, y):
        if self.alpha == 1.0 and Path(self.flag).exists():
            raise ValueError("out of order")
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


def test_failures_are_tried_again(tmp_path):
    flag, folder = tmp_path / "flag", tmp_path / "results"
    flag.touch()
    broken = GridSearchCV(Breaks(str(flag)), GRID, cv=2, checkpoint=folder)
    with (
        pytest.warns(FitFailedWarning, match="2 fits failed out of a total of 6"),
        pytest.warns(UserWarning, match="One or more of the test scores are non-finite"),
    ):
        broken.fit(X, Y)
    assert len(list(folder.iterdir())) == 4
    flag.unlink()
    assert np.isfinite(broken.fit(X, Y).cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("below", [False, True])
def test_a_file_is_no_folder(below, tmp_path):
    path = tmp_path / "a file"
    path.write_text("precious")
    with pytest.raises(
        ValueError, match=r"checkpoint must be the path of a folder, but '.*a file'"
    ):
        search(path / "below" if below else path).fit(X, Y)
    assert path.read_text() == "precious"


@pytest.mark.parametrize("value", [3, True, ["a"], b"bytes"])
def test_no_path_at_all(value):
    with pytest.raises(ValueError, match="checkpoint must be the path of a folder, or None"):
        search(value).fit(X, Y)


@pytest.mark.parametrize("value", ["", "/x\0y", "\ud800\0"])
def test_texts_that_are_no_path(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint must be the path of a folder, or None\. Got"):
        search(value).fit(X, Y)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows may forbid links")
@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("target", ["loop", "nowhere/at/all"])
def test_a_link_that_leads_nowhere(below, target, tmp_path):
    link = tmp_path / "loop"
    link.symlink_to(tmp_path / target)
    with pytest.raises(ValueError, match=r"but '.*loop' is a link that leads nowhere"):
        search(link / "below" if below else link).fit(X, Y)


@pytest.mark.parametrize("others", [False, True])
def test_a_folder_in_the_place_of_a_result(others, tmp_path, monkeypatch):
    search(tmp_path).fit(X, Y)
    path = sorted(tmp_path.iterdir())[0]
    path.unlink()
    path.mkdir()
    if others:  # it is in nobody's way
        monkeypatch.setattr("torch.__version__", "99.0")
        with pytest.warns(UserWarning, match="has 5 of 6 fits by other versions"):
            search(tmp_path).fit(X, Y)
        return
    with pytest.raises(ValueError, match=rf"'{path.name}' is a folder where the result of a fit"):
        search(tmp_path).fit(X, Y)


def test_a_full_disk(tmp_path, monkeypatch):
    write, calls = os.fsync, []

    def full(number):
        calls.append(number)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(number)

    monkeypatch.setattr("sklearn_dnn._files.os.fsync", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        search(tmp_path).fit(X, Y)
    assert caught.value.errno == errno.ENOSPC
    assert "the same search goes on from them" in caught.value.__notes__[0]
    assert [path.suffix for path in tmp_path.iterdir()] == [".pkl"] * 3
    again = search(tmp_path).fit(X, Y)
    assert len(calls) == 4 + 3
    np.testing.assert_array_equal(
        again.cv_results_["mean_test_score"], search(None).fit(X, Y).cv_results_["mean_test_score"]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_modes_are_those_of_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        search(tmp_path / "results").fit(X, Y)
    finally:
        os.umask(before)
    assert {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "results").iterdir()} == {0o640}


def test_a_killed_write_leaves_nothing_behind(tmp_path):
    search(tmp_path).fit(X, Y)
    left = tmp_path / ".some.pkl.0123abcd.sklearn-dnn.tmp"
    left.write_bytes(b"half")
    search(tmp_path).fit(X, Y)
    assert not left.exists()


def test_a_result_that_cannot_be_pickled(tmp_path):
    class Local(Breaks):
        pass

    with (
        stacking(checkpoint=tmp_path),
        pytest.raises(ValueError, match="can't keep a result that can't be pickled"),
    ):
        sklearn.model_selection.cross_validate(Local(), X, Y, cv=2, return_estimator=True)


def test_what_a_file_says_of_itself(tmp_path):
    search(tmp_path).fit(X, Y)
    for path in tmp_path.iterdir():
        versions = json.loads(path.read_bytes().partition(b"\n")[0])["versions"]
        assert versions["sklearn"] == sklearn.__version__
        assert versions["torch"] == torch.__version__
