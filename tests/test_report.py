"""The pictures and the HTML page of a comparison."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import confusion_matrix, get_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("matplotlib")

from sklearn_dnn import MLPClassifier, MLPRegressor
from sklearn_dnn.compare import Comparison, _plots
from sklearn_dnn.compare._pictures import PICTURES
from sklearn_dnn.compare._points import NoPictureError, spread_order
from sklearn_dnn.compare._words import score_name, shorten

# The networks are trained for a moment only.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TASKS = ("regression", "binary", "multiclass")
EVIL = "<script>alert(1)</script>"
VOID = {"meta", "br", "hr", "img", "input", "link"}


def _models(task: str) -> dict:
    if task == "regression":
        return {
            "dummy": DummyRegressor(),
            "linear": LinearRegression(),
            "ours": MLPRegressor(hidden_layer_sizes=(4,), max_iter=3, random_state=0),
        }
    return {
        "dummy": DummyClassifier(),
        "linear": LogisticRegression(),
        "ours": MLPClassifier(hidden_layer_sizes=(4,), max_iter=3, random_state=0),
    }


def _comparison(task: str, n_rows: int = 150) -> Comparison:
    """A small comparison whose column "strong" alone tells the target."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((n_rows, 3)), columns=["weak", "strong", EVIL])
    signal = 5 * X["strong"].to_numpy() + 0.3 * rng.standard_normal(n_rows)
    classes = {"regression": None, "binary": np.array(["no", "yes"])}.get(
        task, np.array(["a", "b", "c"])
    )
    if classes is None:
        y, scoring, cv = signal, ["neg_root_mean_squared_error", "r2"], KFold(3)
    else:
        y = classes[np.searchsorted(np.quantile(signal, [0.5] if len(classes) == 2 else [0.3, 0.6]),
                                    signal)]  # fmt: skip
        scoring, cv = ["accuracy", "neg_log_loss"], StratifiedKFold(3)
    folds = list(cv.split(X, y))
    models = _models(task)
    scores = {name: {scorer: [] for scorer in scoring} for name in models}
    predictions, probabilities, curves = {}, {}, {}
    for name, model in models.items():
        predictions[name] = np.empty(n_rows, dtype=float if classes is None else object)
        probabilities[name] = None if classes is None else np.empty((n_rows, len(classes)))
        for train, test in folds:
            model.fit(X.iloc[train], y[train])
            predictions[name][test] = model.predict(X.iloc[test])
            if classes is not None:
                probabilities[name][test] = model.predict_proba(X.iloc[test])
            for scorer in scoring:
                scores[name][scorer].append(get_scorer(scorer)(model, X.iloc[test], y[test]))
        scores[name] = {scorer: np.array(values) for scorer, values in scores[name].items()}
    curves["ours"] = [
        {"loss": [1.0, 0.5 + fold / 10, 0.2], "validation_loss": [1.1, 0.7]} for fold in range(3)
    ]
    return Comparison(
        task=task, target=f"value of {EVIL}", X=X, y=y, classes=classes, scoring=scoring,
        folds=folds, scores=scores, fit_seconds={name: np.full(3, 0.1) for name in models},
        predict_seconds={name: np.full(3, 0.01) for name in models}, predictions=predictions,
        probabilities=probabilities, curves=curves, models={**models, EVIL: LinearRegression()},
        missing={EVIL: f"it failed: {EVIL}"}, notes=[f"a note on {EVIL}"],
        settings={"command": f"compare {EVIL}", "seed": 0, "versions": {"python": EVIL}},
        interrupted=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def comparisons() -> dict[str, Comparison]:
    """One comparison a task."""
    return {task: _comparison(task) for task in TASKS}


@pytest.fixture(scope="module")
def pages(comparisons) -> dict[str, str]:
    """One page a task."""
    return {task: comparison.to_html() for task, comparison in comparisons.items()}


class _Balance(HTMLParser):
    """Collects what is wrong with the nesting of tags, all ids, tags and addresses."""

    def __init__(self):
        super().__init__()
        self.open, self.wrong, self.ids, self.tags, self.links = [], [], [], set(), []

    def handle_starttag(self, tag, attrs):
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.ids += [value for key, value in attrs if key == "id"]
        self.links += [value for key, value in attrs if key in {"href", "src", "xlink:href"}]

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.mark.parametrize("task", TASKS)
def test_page_is_balanced_and_self_contained(pages, task):
    page = pages[task]
    parser = _Balance()
    parser.feed(page)
    assert not parser.wrong
    assert not parser.open
    assert len(parser.ids) == len(set(parser.ids))
    assert all(link.startswith(("#", "data:")) for link in parser.links)
    assert {link[1:] for link in parser.links if link.startswith("#")} <= set(parser.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(parser.ids)
    assert not re.search(r"https?://|@import|url\((?!#)", page)
    assert page.startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in page
    assert '<meta name="viewport"' in page
    assert "<title>" in page


@pytest.mark.parametrize("task", TASKS)
def test_page_escapes_what_comes_from_the_data(pages, task):
    parser = _Balance()
    parser.feed(pages[task])
    assert "script" not in parser.tags
    assert "&lt;script&gt;" in pages[task]


@pytest.mark.parametrize("task", TASKS)
def test_page_has_every_section(pages, task):
    page = pages[task]
    for title in ("All models", "Pictures", "Notes and what is missing", "Settings to repeat it"):
        assert f"<h2>{title}</h2>" in page
    fitting = [picture for picture in PICTURES.values() if task in picture.tasks]
    assert page.count('role="img"') == len(fitting)
    for picture in fitting:
        assert f"<h3>{picture.title}</h3>" in page
    assert "Left out" not in page
    assert "<strong>linear</strong> predicts" in page
    assert "(<strong>ours</strong>)" in page or "Next is ours" in page
    assert "neg_root" not in page.split("Settings to repeat it")[0]


def test_a_picture_that_fails_leaves_a_sentence():
    comparison = _comparison("binary")
    comparison.probabilities = dict.fromkeys(comparison.probabilities)
    comparison.curves = {}
    comparison.interrupted = True
    comparison.predictions = {}
    page = comparison.to_html()
    assert "Left out: No model that took part gives probabilities." in page
    assert "Left out: No model that took part has a loss by epoch." in page
    assert "Left out, since drawing it failed: KeyError" in page
    assert "the comparison was interrupted" in page
    assert page.count('role="img"') == 2


def test_page_without_any_result():
    comparison = _comparison("regression")
    comparison.scores = {}
    assert "No model has a result." in comparison.to_html()


def test_overview_is_in_the_order_of_the_ranking(comparisons):
    for comparison in comparisons.values():
        (axes,) = comparison.plot().axes
        assert [label.get_text() for label in axes.get_yticklabels()] == comparison.ranking
        assert axes.yaxis_inverted()
        first = comparison.scores[comparison.best][comparison.scoring[0]]
        assert abs(axes.lines[0].get_xdata()[0]) == pytest.approx(abs(first.mean()))


class OwnKind(MLPRegressor):
    """What a user makes of a network is one of this package's."""


def test_networks_within_steps_and_subclasses_are_ours(comparisons):
    comparison = comparisons["regression"]
    assert comparison.ours == "ours"
    network = OwnKind(hidden_layer_sizes=(4,), max_iter=3)
    for model in (network, make_pipeline(StandardScaler(), network)):
        assert replace(comparison, models={"linear": model}).ours == "linear"
        page = replace(comparison, models={"linear": model}).to_html()
        assert re.search(r'<tr class="(best )?ours"><th scope="row" title="linear">', page)
    assert replace(comparison, models={"linear": LinearRegression()}).ours is None


def test_time_against_score_marks_means(comparisons):
    comparison = comparisons["regression"]
    (axes,) = _plots.time_against_score(comparison).axes
    assert axes.get_xscale() == "log"
    assert axes.lines[0].get_xdata()[0] == pytest.approx(0.1)
    assert "seconds" in axes.get_xlabel()


def test_learning_curves_show_folds_and_their_mean(comparisons):
    (axes,) = _plots.learning_curves(comparisons["binary"]).axes
    thick = [line for line in axes.lines if line.get_linewidth() > 2]
    assert [line.get_label() for line in thick] == ["training", "validation"]
    np.testing.assert_allclose(thick[0].get_ydata(), [1.0, 0.6, 0.2])
    assert len(axes.lines) == 8


def test_rows_against_score_ends_at_the_score_of_the_first_fold(comparisons):
    for comparison in comparisons.values():
        (axes,) = _plots.rows_against_score(comparison).axes
        scorer = comparison.scoring[0]
        first = abs(comparison.scores[comparison.best][scorer][0])
        assert axes.lines[0].get_xdata()[-1] == len(comparison.folds[0][0])
        assert axes.lines[0].get_ydata()[-1] == pytest.approx(first, rel=0.05)
        assert len(axes.lines) == 2


def test_every_beginning_of_the_order_has_every_class():
    y = np.array(["rare"] * 2 + ["common"] * 98)
    order = spread_order(y, "binary", 0)
    assert sorted(order) == list(range(100))
    assert set(y[order[:2]]) == {"rare", "common"}


def test_predicted_against_true_draws_every_row(comparisons):
    comparison = comparisons["regression"]
    scatter, histogram = _plots.predicted_against_true(comparison).axes
    np.testing.assert_array_equal(scatter.lines[0].get_xdata(), comparison.y)
    assert sum(bar.get_height() for bar in histogram.patches) == len(comparison.y)
    with pytest.raises(NoPictureError, match="numbers"):
        _plots.predicted_against_true(comparisons["binary"])


def test_predicted_against_true_counts_cells_of_many_rows():
    comparison = _comparison("regression", n_rows=_plots.MANY_POINTS + 100)
    cells = _plots.predicted_against_true(comparison).axes[0].collections[0]
    assert cells.get_array().sum() == len(comparison.y)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_confusion_counts(comparisons, task):
    comparison = comparisons[task]
    axes = _plots.confusion(comparison).axes[0]
    shown = [int(text.get_text().split("\n")[1]) for text in axes.texts]
    expected = confusion_matrix(
        comparison.y, comparison.predictions[comparison.best].astype(str), labels=comparison.classes
    )
    assert shown == expected.ravel().tolist()
    shares = expected / expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(axes.collections[0].get_array().ravel(), 100 * shares.ravel())


def test_roc_has_a_curve_a_model_or_a_class(comparisons):
    figure = _plots.roc_and_precision_recall(comparisons["binary"])
    names = [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    assert names == comparisons["binary"].ranking
    figure = _plots.roc_and_precision_recall(comparisons["multiclass"])
    names = [text.get_text().split(":")[0] for text in figure.legends[0].get_texts()]
    assert names == ["a", "b", "c"]


def test_importance_puts_the_column_that_matters_first(comparisons):
    for comparison in comparisons.values():
        (axes,) = _plots.importance(comparison).axes
        labels = [label.get_text() for label in axes.get_yticklabels()]
        assert labels[0] == "strong"
        assert sorted(labels) == sorted(shorten(column, 26) for column in comparison.X)
        widths = [bar.get_width() for bar in axes.patches]
        assert widths == sorted(widths, reverse=True)


def test_names_as_people_say_them():
    assert score_name("neg_root_mean_squared_error") == "root mean squared error"
    assert score_name("r2") == "R²"
    assert shorten("a" * 50, 9) == "aaaa…aaaa"
    assert shorten("two\nlines\x00") == "two lines\N{REPLACEMENT CHARACTER}"


def test_pictures_leave_settings_and_chance_alone(comparisons):
    import matplotlib as mpl  # noqa: PLC0415 - an extra

    before = dict(mpl.rcParams)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the process' own
    comparisons["regression"].to_html()
    assert dict(mpl.rcParams) == before
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002 - the process' own


def test_names_are_no_formulas():
    comparison = _comparison("regression")
    comparison.X.columns = ["$\\broken{", "a$x$b", "数据"]
    page = comparison.to_html()
    assert "Left out" not in page
    assert "a$x$b" in page
    assert "数据" in page


def test_missing_matplotlib_is_named(monkeypatch, comparisons):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for call in (comparisons["binary"].plot, comparisons["binary"].to_html):
        with pytest.raises(ImportError, match=r'pip install "sklearn-dnn\[report\]"'):
            call()


@pytest.mark.slow
@pytest.mark.parametrize("width", [375, 1280])
@pytest.mark.parametrize("task", TASKS)
def test_page_in_a_browser(pages, task, width, tmp_path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    # The page allows no script, so a frame of the wanted width measures it from outside.
    (tmp_path / "page.html").write_text(pages[task], encoding="utf-8")
    (tmp_path / "frame.html").write_text(
        f'<!DOCTYPE html><iframe id="f" width="{width}" height="2400" src="page.html"></iframe>'
        "<script>f.onload = () => { const e = f.contentDocument.documentElement;"
        'document.body.append("[" + e.scrollWidth + " of " + e.clientWidth + "]"); }</script>',
        encoding="utf-8",
    )
    command = [
        chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        f"--user-data-dir={tmp_path / 'profile'}", "--enable-logging=stderr", "--v=0",
        "--allow-file-access-from-files", f"--window-size={width + 40},2400",
    ]  # fmt: skip
    measured = subprocess.run(
        [*command, "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    wide, window = map(int, re.search(r"\[(\d+) of (\d+)\]", measured.stdout).groups())
    assert window > width - 20
    assert wide <= window
    assert "CONSOLE" not in measured.stderr
    picture = tmp_path / "page.png"
    shown = subprocess.run(
        [*command, f"--screenshot={picture}", (tmp_path / "page.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "CONSOLE" not in shown.stderr
    assert picture.stat().st_size > 20_000
